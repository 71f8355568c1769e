"""`codex-oauth login --browser` as a process: another program follows the printed page."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pexpect
import pytest

from codex_oauth import FileStore
from codex_oauth.authority import Authority, AuthorityServer, Policy, serve
from tests.adapters.browsing import browse, free_port, location
from tests.cli.at_terminal import at_terminal
from tests.cli.commands import environment, run_command, start_command
from tests.cli.running import Running
from tests.transport.servers import BUSY

ANY_PORT = Policy(approve="auto", interval=1, strict_pace=False, any_redirect_port=True)


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=ANY_PORT)) as running:
        yield running


def started(home: Path, server: AuthorityServer, *more: str) -> Running:
    return start_command(home, "login", "--browser", "--no-open", "--issuer", server.url, *more)


def page_of(child: Running) -> str:
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("    http"):
            return line.strip()
    raise AssertionError("no page was printed")


@pytest.mark.parametrize("port", ["0", "free"])
def test_it_completes_when_another_program_follows_the_page(
    tmp_path: Path, server: AuthorityServer, port: str
) -> None:
    child = started(tmp_path, server, "--port", str(free_port()) if port == "free" else port)
    with child:
        browse(page_of(child))
        out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert out.startswith("Signed in as somebody@example.com (")
    assert len(FileStore(tmp_path / "logins-of-the-test").names()) == 1


def test_as_json_the_page_is_an_event(tmp_path: Path, server: AuthorityServer) -> None:
    child = started(tmp_path, server, "--port", "0", "--json")
    with child:
        assert child.stdout is not None
        first = child.stdout.readline()
        url = re.search(r'"url": "([^"]+)"', first)
        assert url is not None
        browse(url[1])
        out, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (0, "")
    assert '"event": "browser_url"' in first
    assert '"event": "done"' in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--browser", "--device"), "not allowed with"),
        (("--browser", "--port", "8080"), "only 1455 and 1457"),
        (("--browser", "--port", "0"), "only 1455 and 1457"),
        (("--browser", "--port", "8080", "--issuer", "https://auth.openai.com/"), "only 1455 and 1457"),
        (("--browser", "--port", "70000", "--issuer", "http://127.0.0.1:9"), "not a port"),
        (("--browser", "--port", "-1"), "not a port"),
        (("--device", "--paste"), "are for the browser"),
        (("--device", "--no-open"), "are for the browser"),
    ],
)
def test_usage_errors(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run_command(tmp_path, "login", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_a_taken_port_is_explained(tmp_path: Path, server: AuthorityServer) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_command(
            tmp_path, "login", "--browser", "--no-open", "--issuer", server.url, "--port", str(port)
        )
    assert done.code == 5
    assert f"{port}" in done.err
    assert "Sign in with a device code instead:" in done.err


def test_ctrl_c_while_it_waits_leaves_no_listener(tmp_path: Path, server: AuthorityServer) -> None:
    port = free_port()
    child = started(tmp_path, server, "--port", str(port))
    with child:
        page_of(child)
        begun = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert time.monotonic() - begun < BUSY
    assert "Traceback" not in err
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port), 1).close()


def at_a_terminal(home: Path, arguments: list[str]) -> Any:
    env = environment(home, TERM="dumb")
    return at_terminal(home, *arguments, env=env, dimensions=(24, 400))


def test_a_paste_wrong_and_then_right(tmp_path: Path, server: AuthorityServer) -> None:
    arguments = [
        "login",
        "--browser",
        "--no-open",
        "--paste",
        "--issuer",
        server.url,
        "--port",
        "0",
    ]
    child: Any = at_a_terminal(tmp_path, arguments)
    child.expect(r"\r\n    (http\S+)\r\n")
    url = str(child.match[1])
    child.expect("whoever has that address can sign in as you")
    child.expect("Waiting for the browser")
    child.sendline("http://localhost:1/elsewhere?code=x&state=y")
    child.expect("That is another address")
    child.sendline(location(url))
    child.expect("Signed in as")
    shown = str(child.before)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "code=" not in shown, "what is pasted is not echoed"


def test_over_ssh_it_chooses_a_device_code_and_says_so(tmp_path: Path, server: AuthorityServer) -> None:
    done = run_command(tmp_path, "login", "--issuer", server.url, SSH_CONNECTION="1.2.3.4 5 6.7.8.9 22")
    assert done.code == 0
    assert "Signing in with a device code: this is an SSH session (or use --browser)." in done.err


def test_the_page_is_refused_by_a_listener_for_others(tmp_path: Path, server: AuthorityServer) -> None:
    port = free_port()
    child = started(tmp_path, server, "--port", str(port))
    with child:
        url = page_of(child)
        for forged in ("?error=access_denied", "?code=x&state=y", ""):
            answer = httpx.get(f"http://127.0.0.1:{port}/auth/callback{forged}", trust_env=False)
            assert 400 <= answer.status_code < 500
        browse(url)
        out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert "Signed in as" in out
    assert len(FileStore(tmp_path / "logins-of-the-test").names()) == 1
