"""U1, U2, U6: a shell on another machine, and browsers that do not open: the ways that are left."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from codex_oauth.authority import Approve, Authority, AuthorityServer, Policy, serve
from codex_oauth.cli.remote import is_remote_shell, listening_port, tunnel
from codex_oauth_core import BrowserPrompt, Secret
from tests.adapters.browsing import browse, location
from tests.browser.fakes import HANGS, Programs
from tests.cli.person import Person
from tests.transport.servers import BUSY

AUTO = Policy(approve=Approve.AUTO, interval=1, strict_pace=False, any_redirect_port=True)
SSH = "192.0.2.7 50000 198.51.100.4 22"
SSH_2222 = SSH.replace(" 22", " 2222")
BROWSER = ("--browser", "--no-open", "--port", "0")


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=AUTO)) as running:
        yield running


@pytest.fixture
def programs(tmp_path: Path) -> Generator[Programs]:
    made = Programs(tmp_path)
    yield made
    made.end()


def nobody() -> str:
    raise KeyError


@pytest.mark.parametrize(
    ("connection", "name", "line"),
    [
        (SSH, lambda: "ada", "ada@198.51.100.4"),
        (SSH_2222, lambda: "ada", "-p 2222 ada@198.51.100.4"),
        (SSH, nobody, "198.51.100.4"),
        (SSH, lambda: "a;reboot", "198.51.100.4"),
        (SSH, lambda: "-oProxyCommand=x", "198.51.100.4"),
        ("", lambda: "ada", "ada@HOST"),
        ("a b $(reboot) 22", lambda: "ada", "ada@HOST"),
        (f"{SSH}; reboot", lambda: "ada", "ada@HOST"),
        ("::1 5 fe80::1%eth0 22", lambda: "ada", "ada@HOST"),
        ("::1 5 2001:db8::1 22", lambda: "ada", "ada@2001:db8::1"),
        ("::1 5 ::ffff:198.51.100.4 22", lambda: "ada", "ada@198.51.100.4"),
        ("1.2.3.4 5 198.51.100.4 99999", lambda: "ada", "ada@198.51.100.4"),
        ("1.2.3.4 5 198.51.100.4 ٢٢", lambda: "ada", "ada@198.51.100.4"),
    ],
)
def test_u6_the_line_to_copy_holds_no_order_for_a_shell(
    connection: str, name: Callable[[], str], line: str
) -> None:
    assert tunnel({"SSH_CONNECTION": connection}, 1455, name) == f"ssh -L 1455:127.0.0.1:1455 {line}"


@pytest.mark.parametrize("environ", [{"SSH_CONNECTION": SSH}, {"SSH_TTY": "/dev/pts/1"}])
def test_what_is_a_remote_shell(environ: dict[str, str]) -> None:
    assert is_remote_shell(environ)
    assert not is_remote_shell(dict.fromkeys(environ, ""))


@pytest.mark.parametrize(
    ("query", "port"),
    [("redirect_uri=http%3A%2F%2Flocalhost%3A1457%2Fx", 1457), ("redirect_uri=http%3A%2F%2Fx%3A70000", None)]
    + [("", None)],
)
def test_the_port_is_the_one_of_the_redirect(query: str, port: int | None) -> None:
    assert listening_port(BrowserPrompt(Secret(f"https://a/?{query}"), 0.0, "https://a")) == port


@pytest.mark.parametrize("columns", [20, 200])
def test_u1_u6_a_remote_shell_gets_a_device_code_and_two_other_ways_to_copy(
    tmp_path: Path, server: AuthorityServer, columns: int
) -> None:
    person = Person(tmp_path, server, columns=columns, SSH_CONNECTION=SSH_2222, LOGNAME="ada")
    assert person.leaves() == 0
    text = person.text.replace("\r\n", "\n")
    words = " ".join(text.split())
    assert "Signing in with a device code: this is an SSH session (or use --browser)." in words
    for line in (
        "    ssh -L 1455:127.0.0.1:1455 -p 2222 ada@198.51.100.4",
        f"    codex-oauth login --browser --no-open --issuer {server.url}",
        f"    codex-oauth login --browser --no-open --paste --issuer {server.url}",
    ):
        assert line in text.splitlines()
    assert text.index("ssh -L") < text.index("/codex/device")


def test_u6_the_tunnel_leads_to_the_port_that_listens(tmp_path: Path, server: AuthorityServer) -> None:
    person = Person(tmp_path, server, *BROWSER, columns=200, SSH_CONNECTION=SSH, LOGNAME="ada")
    port = person.sees(r"    ssh -L (\d+):127\.0\.0\.1:\1 ada@198\.51\.100\.4\r\n")
    person.sees("Waiting")
    assert f"localhost%3A{port}" in person.text
    browse(page_of(person))
    assert person.leaves() == 0


def page_of(person: Person) -> str:
    match = re.search(r"http://127\.0\.0\.1:\d+/oauth/authorize\S+", person.text)
    assert match
    return match[0]


SHAPES: dict[str, Callable[[str], str]] = {
    "a URL": lambda url: url,
    "a query": lambda url: urlsplit(url).query,
    "CRLF": lambda url: f"{url}\r",
    "quotes": lambda url: f'"{url}"',
    "wrapped": lambda url: f"{url[:40]}\n{url[40:80]}\n{url[80:]}",
    "code#state": lambda url: "{code}#{state}".format(
        **dict(pair.split("=", 1) for pair in urlsplit(url).query.split("&"))
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_u6_what_is_pasted_is_taken_in_every_shape_unseen_and_with_a_warning(
    tmp_path: Path, server: AuthorityServer, shape: str
) -> None:
    person = Person(tmp_path, server, *BROWSER, "--paste", columns=200)
    person.sees("Waiting")
    assert "nowhere else" in " ".join(person.text.split())
    url = location(page_of(person))
    person.types(SHAPES[shape](url))
    assert person.leaves() == 0
    assert "Signed in as" in person.text
    assert "code=" not in person.text.replace("response_type=code", "")
    assert person.modes_after == person.modes


@pytest.mark.parametrize(
    ("behaviour", "says"), [("exit 1", True), (HANGS, False), (None, True)], ids=["fails", "hangs", "missing"]
)
def test_u2_the_page_is_shown_at_once_whatever_the_browser_does_and_the_sign_in_goes_on(
    tmp_path: Path, server: AuthorityServer, programs: Programs, behaviour: str | None, says: bool
) -> None:
    programs.bin.mkdir()
    if behaviour is not None:
        programs.add("netscape", behaviour)
    chosen = str(programs.bin / "netscape")
    person = Person(
        tmp_path, server, *BROWSER[:1], *BROWSER[2:], columns=200, PATH=str(programs.bin), BROWSER=chosen
    )
    person.sees(r"http://127\.0\.0\.1:\d+/oauth/authorize\S+")
    begun = time.monotonic()
    person.sees("Waiting for the browser")
    assert time.monotonic() - begun < BUSY
    browse(page_of(person))
    assert person.leaves() == 0
    if says and behaviour is None:
        assert "browser" in person.text.split("Only go on", 1)[1].split("Waiting", 1)[0]
    assert "Signed in as" in person.text
