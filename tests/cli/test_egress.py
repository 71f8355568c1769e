"""U26: whom the commands contact: the server of the login, `--check` chatgpt.com, and else nobody."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from tests.cli.commands import SKIPPING, environment, start_command
from tests.cli.test_commands import hold
from tests.cli.transfers import write
from tests.transport.servers import Server, read_request

PAST = 1_700_000_000_000
REPORT = """
import atexit, json, sys
seen = []
def hook(event, args):
    if event in ("socket.connect", "socket.sendto"):
        seen.append(repr(args[1]))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        seen.append(f"name {args[0]}")
sys.addaudithook(hook)
atexit.register(lambda: open(WHERE, "w").write(json.dumps(seen)))
"""


def contacted(home: Path, *arguments: str) -> tuple[set[str], set[str]]:
    """The hosts that a proxy is asked for, and every address and name that is tried beside it."""
    asked: list[bytes] = []

    def refusing(sock: socket.socket) -> None:
        asked.append(read_request(sock)[0].split()[1])
        sock.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    report = home / "report"
    script = REPORT.replace("WHERE", repr(str(report)))
    with Server(refusing) as proxy:
        proxied = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}", "CI": ""}
        env = environment(home, **proxied)
        with start_command(home, *arguments, env=env, prelude=f"{SKIPPING}\n{script}") as running:
            running.communicate(120)
        tried = set(json.loads(report.read_text()))
    known = re.compile(rf"\('127\.0\.0\.1', {proxy.port}\)|name 127\.0\.0\.1|name None")
    return {host.decode() for host in asked}, {each for each in tried if not known.fullmatch(each)}


NOBODY: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("token",),
    ("header",),
    ("list",),
    ("switch", "acct_1"),
    ("refresh", "--if-due"),
    ("export", "--to-codex", "x.json"),
    ("import", "--from-codex", "codex.json"),
    ("logout", "--local"),
    ("completion", "bash"),
    ("--help",),
    ("--version",),
    ("nonsense",),
)


@pytest.mark.parametrize("arguments", NOBODY, ids=" ".join)
def test_these_contact_nobody(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    hold(tmp_path)
    write(tmp_path / "codex.json")
    assert contacted(tmp_path, *arguments) == (set(), set())


ISSUER: tuple[tuple[str, ...], ...] = (
    ("token",),
    ("header",),
    ("refresh",),
    ("logout",),
    ("exec", "--", "x"),
)


@pytest.mark.parametrize("arguments", ISSUER, ids=" ".join)
def test_these_contact_the_server_that_issued_the_login(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    hold(tmp_path, expires_at=PAST)
    assert contacted(tmp_path, *arguments) == ({"auth.openai.com:443"}, set())


@pytest.mark.parametrize("issuer", ["auth.openai.com", "elsewhere.example"])
def test_a_move_contacts_the_server_that_the_file_names(tmp_path: Path, issuer: str) -> None:
    write(tmp_path / "codex.json", oauth_provenance={"issuer": f"https://{issuer}", "client_id": "app"})
    moved = contacted(tmp_path, "import", "--from-codex", "codex.json", "--move", "--yes")
    assert moved == ({f"{issuer}:443"}, set())


def test_the_check_contacts_chatgpt_and_nobody_else(tmp_path: Path) -> None:
    hold(tmp_path)
    assert contacted(tmp_path, "status", "--check") == ({"chatgpt.com:443"}, set())


def test_the_check_of_another_servers_login_contacts_nobody(tmp_path: Path) -> None:
    hold(tmp_path, issuer="https://elsewhere.example")
    assert contacted(tmp_path, "status", "--check") == (set(), set())


def test_the_renewal_of_another_servers_login_goes_there(tmp_path: Path) -> None:
    hold(tmp_path, issuer="https://elsewhere.example", expires_at=PAST)
    assert contacted(tmp_path, "token") == ({"elsewhere.example:443"}, set())
