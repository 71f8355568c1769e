"""Sign in over real HTTP, against an authorization server of our own on loopback.

On a desktop the browser opens the server's consent page; elsewhere, at a terminal, a person opens the printed
page and types the code; without a terminal the server approves a device code by itself. Nothing leaves this
machine, and the login is kept in a temporary directory.
"""

from __future__ import annotations

import sys
from tempfile import TemporaryDirectory

from codex_oauth.authority import Approve, Authority, Policy, serve
from codex_oauth.browser.choose import choose_here
from codex_oauth.cli.main import main as codex_oauth


def main() -> int:
    """Start the authority, sign in, show the status."""
    person = sys.stdin.isatty() and sys.stderr.isatty()
    approve, after = (Approve.ASK, 0.0) if person else (Approve.AUTO, 3.0)
    policy = Policy(approve=approve, approve_after=after, interval=2, lifetime=300, strict_pace=False)
    way = "--browser" if person and choose_here().flow == "browser" else "--device"
    with TemporaryDirectory() as home, serve(Authority(policy=policy)) as server:
        login = ["login", way, "--issuer", server.url, "--store", home]
        return run(*login) or run("status", "--store", home)


def run(*command: str) -> int:
    """Run one command as a person would."""
    print(f"\n$ codex-oauth {' '.join(command)}\n", file=sys.stderr, flush=True)
    return codex_oauth(command)


if __name__ == "__main__":
    sys.exit(main())
