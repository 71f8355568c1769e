"""The real Codex CLI signs in with a device code against our authority. `make interop` runs this.

Rules of this file: pytest does not collect it, since it downloads 400 MB; the client never runs without an
issuer on loopback, gets a home of its own and no setting of this machine, and where the system allows it
runs in a network namespace that has nothing but loopback.

CODEX_CLI names a client that is already installed.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = "@openai/codex@0.169.0"
ISOLATED: Final = (("unshare", "-n"), ("unshare", "-rn"))
"""Ways to run without a network: as root, and as anybody where user namespaces are allowed."""

START_LIMIT: Final = 20.0
LOGIN_LIMIT: Final = 90.0
TOKENS: Final = {"id_token", "access_token", "refresh_token", "account_id"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Sign in with the real Codex CLI against our authority.")
    parser.add_argument("--inside", metavar="CLIENT", help="already isolated: sign in with this client")
    inside: str | None = parser.parse_args().inside
    with tempfile.TemporaryDirectory(prefix="codex-interop-") as folder:
        if inside is not None:
            loopback_up()
            sign_in(inside, Path(folder))
            return 0
        client = os.environ.get("CODEX_CLI") or installed_client(Path(folder))
        return in_isolation(client)


def installed_client(folder: Path) -> str:
    """The path of the client, freshly installed with npm."""
    if shutil.which("npm") is None:
        sys.exit("make interop needs npm, or CODEX_CLI=/path/to/codex")
    say(f"installing {PACKAGE}: about 400 MB, removed again afterwards")
    npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), PACKAGE]
    subprocess.run(npm, check=True)
    return str(folder / "node_modules" / ".bin" / "codex")


def in_isolation(client: str) -> int:
    """Run this file again where nothing but loopback can be reached, if the system allows that."""
    again = [sys.executable, str(Path(__file__).resolve()), "--inside", client]
    for way in ISOLATED:
        if (
            shutil.which(way[0])
            and subprocess.run([*way, "true"], capture_output=True, check=False).returncode == 0
        ):
            say("in a network namespace of its own")
            return subprocess.run([*way, *again], check=False).returncode
    say("no network namespace here; the client is kept on loopback by its issuer alone")
    return subprocess.run(again, check=False).returncode


def loopback_up() -> None:
    """Bring `lo` up: it is down in a new network namespace. Elsewhere it is up, and nothing happens."""
    get_flags, set_flags, up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH22x", b"lo", 0)
        flags: int = struct.unpack("16sH22x", fcntl.ioctl(control, get_flags, request))[1]
        if not flags & up:
            fcntl.ioctl(control, set_flags, struct.pack("16sH22x", b"lo", flags | up))


def sign_in(client: str, folder: Path) -> None:
    home = folder / "home"
    home.mkdir()
    (home / "codex").mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "CODEX_HOME": str(home / "codex")}
    environment["NO_COLOR"] = "1"
    with authority(folder, environment) as issuer:
        say(f"authority at {issuer}")
        login = (client, "login", "--experimental_issuer", issuer)
        say(run((*login, "--device-auth"), environment))
        status = run((*login, "status"), environment)
        say(status)
    expect("Logged in" in status, "`codex login status` does not say that it is signed in")
    check_login(home / "codex" / "auth.json")
    say("the Codex CLI signed in against our authority")


@contextmanager
def authority(folder: Path, environment: Mapping[str, str]) -> Generator[str]:
    """Our authority, which approves by itself; its URL. It must end cleanly when it is told to."""
    url_file = folder / "url"
    program = Path(sys.executable).with_name("codex-oauth")
    options = ("--approve", "auto", "--port", "0", "--url-file", str(url_file))
    with subprocess.Popen([str(program), "authority", *options], env=environment) as server:
        try:
            yield url_from(url_file, server)
        finally:
            server.send_signal(signal.SIGTERM)
            code = server.wait(START_LIMIT)
    expect(code == 0, f"the authority ended with {code}")


def url_from(url_file: Path, server: subprocess.Popen[bytes]) -> str:
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit and server.poll() is None:
        if url_file.exists() and (url := url_file.read_text(encoding="utf-8").strip()):
            expect(url.startswith("http://127.0.0.1:"), f"{url} is not on loopback")
            return url
        time.sleep(0.05)
    sys.exit("the authority did not start")


def run(command: tuple[str, ...], environment: Mapping[str, str]) -> str:
    """What the client printed, on either stream. It must succeed."""
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LOGIN_LIMIT,
        check=False,
    )
    expect(done.returncode == 0, f"{' '.join(command[1:])} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout.strip()


def check_login(path: Path) -> None:
    """`login status` believes an empty file, so look at what the client stored."""
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    tokens: dict[str, Any] = stored.get("tokens") or {}
    expect(stored.get("auth_mode") == "chatgpt", "the client stored another kind of login")
    expect(all(tokens.get(name) for name in TOKENS), f"the client stored only {sorted(tokens)}")


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        sys.exit(f"interop failed: {otherwise}")


def say(text: str) -> None:
    print(f"interop: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
