"""No command lets a secret out, whatever happens to it; and no server writes orders to a terminal."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import signal
import sys
import time
import unicodedata
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import quote

import attrs
import pytest

from codex_oauth import CODEX, Secret
from codex_oauth.authority import Account, Approve, Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.cli.commands import COMMANDS
from tests.adapters.browsing import free_port
from tests.cli.commands import Done, run_command
from tests.cli.secrets_everywhere import Seen, canary, files, leaks, watch
from tests.cli.test_commands import hold, path_in_use
from tests.cli.transfers import write
from tests.support import account_token

ACCOUNT: Final = "acct_1"
AT_ONCE: Final = Policy(approve=Approve.AUTO, interval=1, strict_pace=False, any_redirect_port=True)
SHOW: Final = "import json, os; print(json.dumps(dict(os.environ)))"
LOGIN_FILES: Final = ("logins-of-the-test/**/*.json", ".codex/auth.json")
LOGGING: Final = (
    "import logging; logging.basicConfig(level=logging.DEBUG)\nlogging.getLogger('here').debug('on')\n"
)

ROWS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "login": (("--device", "--issuer", "URL", "--trace", "FILE"), ("start", "--issuer", "URL")),
    "whoami": ((),),
    "status": ((), ("--check",)),
    "token": ((),),
    "header": ((), ("--all",), ("--curl",)),
    "exec": (("--", sys.executable, "-c", SHOW),),
    "refresh": ((),),
    "logout": ((), ("--local",)),
    "list": ((),),
    "switch": ((ACCOUNT,),),
    "doctor": (("--issuer", "URL"),),
    "import": (("--from-codex",), ("--from-codex", "--move", "--yes")),
    "export": (("--to-codex", "out.json", "--include-refresh", "--yes"),),
    "trace": (("show", "FILE"), ("replay", "FILE")),
    "fleet": (("migrate",), ("check",), ("sweep",), ("reseal",), ("sign-ins",)),
    "completion": (("bash",),),
    "demo": (("--approve", "auto"),),
    "authority": (("--approve", "auto", "--url-file", "url"),),
}
"""How each command is run. URL: the server; FILE: a trace."""

ALONE: Final = {"trace", "fleet", "completion", "demo", "authority"}
"""What neither the login nor the server makes a difference to."""

MUST: Final = {
    ("token", "stdout"): {"access"},
    ("header", "stdout"): {"access"},
    ("exec", "stdout"): {"access", "proxy password", "database password", "key"},  # they are the caller's own
    ("export", "file cwd/out.json"): {"access", "refresh", "id token"},
}
"""What a place is for: only these secrets may be there."""

LOOKS: Final[dict[str, tuple[tuple[str, ...], dict[str, str]]]] = {
    "plain": ((), {}),
    "verbose": (("--verbose",), {"CODEX_OAUTH_DEBUG": "1"}),
    "json": (("--json", "--verbose"), {"CODEX_OAUTH_DEBUG": "1"}),
}
SITUATIONS: Final = ("success", "no login", "dead login", "server down", "page", "bad store", "bad arguments")


def test_every_command_is_run() -> None:
    assert set(ROWS) == set(COMMANDS)
    assert {command for command, _ in MUST} <= set(COMMANDS)


_SOON: Final = int(time.time()) + 864_000


@attrs.frozen
class Planted:
    """The secrets of a case, by what they are called; the tokens hold canaries in all their parts."""

    access: str = attrs.field(factory=lambda: account_token(ACCOUNT, marker=canary()) + canary())
    refresh: str = attrs.field(factory=canary)
    id_token: str = attrs.field(factory=lambda: account_token(ACCOUNT, marker=canary()) + canary())
    proxy: str = attrs.field(factory=lambda: canary().replace("/", "."))
    database: str = attrs.field(factory=lambda: canary().replace("/", "."))
    key: str = attrs.field(factory=lambda: secrets.token_hex(32))
    cli_access: str = attrs.field(factory=lambda: account_token("acct_cli", marker=canary(), exp=_SOON))
    cli_refresh: str = attrs.field(factory=canary)
    cli_id: str = attrs.field(factory=lambda: account_token("acct_cli", marker=canary()))

    def hidden(self) -> dict[str, str]:
        """By name. Of a token what no other one has: the marker in its claims, and what ends it."""
        return {
            "access": _own(self.access),
            "refresh": self.refresh,
            "id token": _own(self.id_token),
            "proxy password": self.proxy,
            "database password": self.database,
            "key": self.key,
            "access of the CLI": _own(self.cli_access),
            "refresh of the CLI": self.cli_refresh,
            "id token of the CLI": _own(self.cli_id),
        }

    def echo(self) -> str:
        """What a careless server says back."""
        return f"{self.access} {self.refresh} {self.id_token} {self.cli_refresh} {self.cli_access}"


def _own(token: str) -> str:
    _, claims, end = token.split(".", 2)
    found: str = json.loads(base64.urlsafe_b64decode(claims + "=="))["marker"]
    return found.removeprefix("canary-") + end.removeprefix("fake")


def faults(situation: str, planted: Planted) -> tuple[Fault, ...]:
    """What the server does wrong."""
    error = {"code": "refresh_token_reused", "message": planted.echo()}
    said = {"error": error, "error_description": planted.echo()}
    page = f"<!doctype html><title>{planted.echo()}</title>"
    match situation:
        case "dead login":
            return (
                Fault(endpoint="refresh", status=401, body=said),
                Fault(endpoint="revoke", status=400, body=said),
            )
        case "page":
            return (Fault(endpoint="any", status=200, headers={"Content-Type": "text/html"}, body=page),)
        case _:
            return ()


def prepare(home: Path, situation: str, planted: Planted, issuer: str) -> None:
    """What is on the machine before the command."""
    home.mkdir()
    (home / ".codex").mkdir(mode=0o700)
    tokens = (planted.cli_access, planted.cli_refresh, planted.cli_id)
    write(
        home / ".codex" / "auth.json",
        oauth_provenance={"issuer": issuer, "client_id": CODEX.client_id},
        **dict(zip(("access_token", "refresh_token", "id_token"), tokens, strict=True)),
    )
    if situation == "no login":
        return
    old = {"expires_at": 1_700_000_000_000} if situation in {"dead login", "server down", "page"} else {}
    credential = (Secret(planted.access), Secret(planted.refresh), Secret(planted.id_token))
    named = dict(zip(("access_token", "refresh_token", "id_token"), credential, strict=True))
    hold(home, issuer=issuer, **named, **old)
    if situation == "bad store":
        path = path_in_use(home)
        path.write_bytes(path.read_bytes()[:-9])


def _ended(home: Path, arguments: tuple[str, ...], environ: dict[str, str], prelude: str) -> Seen:
    watched = watch(home, *arguments, prelude=prelude, **environ)
    if arguments[0] == "authority":
        until = time.monotonic() + 120
        while not (home / "cwd" / "url").exists() and watched.process.poll() is None:
            assert time.monotonic() < until
            watched.look()
            time.sleep(0.02)
        watched.process.send_signal(signal.SIGINT)
    return watched.wait()


@attrs.frozen
class Rig:
    """Servers for all cases of a test, and what they share."""

    folder: Path
    trace: Path
    looked: set[str] = attrs.field(factory=set[str])
    """Every command line that was looked at; who is over at once shows none."""

    def leaks(self, situation: str, look: str, command: str, row: tuple[str, ...]) -> set[tuple[str, str]]:
        """Run it in a home of its own; the leaks that are not what a place is for."""
        planted = Planted()
        home = self.folder / f"{command}-{look}-{ROWS[command].index(row)}"
        authority = Authority(policy=AT_ONCE, faults=faults(situation, planted))
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(serve(authority))
            url = f"http://127.0.0.1:{free_port()}" if situation == "server down" else server.url
            prepare(home, situation, planted, url)
            said = self._arguments(situation, look, command, row, url, home)
            environ = self._environ(look, planted)
            seen = _ended(home, said, environ, "" if look == "plain" else LOGGING)
        places = {**seen.places(), **files(home, LOGIN_FILES)}
        if look == "json":
            assert "Traceback" not in seen.done.err
        assert ("DEBUG:here:on" in seen.done.err) == (look != "plain") or command == "exec"
        self.looked.update(seen.arguments)
        hidden = {**planted.hidden(), **received(authority)}
        return {
            (place, name)
            for place, name in leaks(places, hidden)
            if name not in MUST.get((command, place), set())
        }

    def _arguments(
        self, situation: str, look: str, command: str, row: tuple[str, ...], url: str, home: Path
    ) -> tuple[str, ...]:
        trace = str(home / "cwd" / "trace") if command == "login" else str(self.trace)
        filled = tuple({"URL": url, "FILE": trace}.get(word, word) for word in row)
        more = (
            LOOKS[look][0]
            if command not in {"trace", "demo", "authority"}
            else ("--json",) * (look == "json")
        )
        more = () if command == "completion" else more
        wrong = ("--no-such-option",) if situation == "bad arguments" else ()
        if command in {"trace", "fleet"}:
            return (command, *filled, *more, *wrong)
        return (command, *more, *wrong, *filled)

    def _environ(self, look: str, planted: Planted) -> dict[str, str]:
        proxy = f"http://somebody:{quote(planted.proxy, safe='')}@127.0.0.1:9"
        # the password as it is in the address, and as it is sent
        dsn = f"postgresql://somebody:{quote(planted.database, safe='')}@127.0.0.1:9/nowhere"
        fleet = {"CODEX_OAUTH_DSN": dsn, "CODEX_OAUTH_KEYS": planted.key}
        return {"HTTPS_PROXY": proxy, **fleet, **LOOKS[look][1]}


def received(authority: Authority) -> dict[str, str]:
    """The secrets that the server was sent: device id, code, verifier, tokens."""
    return {
        f"{name} of request {number}": value.reveal()
        for number, request in enumerate(authority.requests)
        for name, value in request.fields.items()
        if isinstance(value, Secret) and name not in {"user_code", "client_id"} and len(value.reveal()) > 16
    }


@pytest.fixture(scope="module")
def rig_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Rig]:
    shared = tmp_path_factory.mktemp("shared")
    with serve(Authority(policy=AT_ONCE)) as server:
        arguments = ("login", "--device", "--issuer", server.url, "--trace", "trace")
        assert run_command(shared, *arguments).code == 0
    return lambda name: Rig(tmp_path_factory.mktemp(name.replace(" ", "-")), shared / "trace")


@pytest.mark.parametrize("situation", SITUATIONS)
def test_s1_no_secret_leaves_any_command(situation: str, rig_of: Callable[[str], Rig]) -> None:
    rig = rig_of(situation)
    looks = ("plain", "verbose", "json") if situation == "success" else ("verbose", "json")
    commands = ROWS if situation in {"success", "bad arguments"} else ROWS.keys() - ALONE
    cases = [
        (situation, look, command, row) for look in looks for command in commands for row in ROWS[command]
    ]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(rig.leaks, *zip(*cases, strict=True))
        leaked = {case: leak for case, leak in zip(cases, found, strict=True) if leak}
    assert leaked == {}
    assert rig.looked or not Path("/proc/self/cmdline").exists()


# --- what the scanner sees

WAYS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    lambda secret: quote(secret, safe=""),
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.urlsafe_b64encode(b"u:" + secret.encode()).decode(),
    lambda secret: json.dumps({"a": secret}),
    lambda secret: secret[20:32],
)


@pytest.mark.parametrize("place", ["stdout", "stderr", "file tmp/left", "arguments"])
@pytest.mark.parametrize(
    "written",
    WAYS,
)
def test_the_scanner_sees_a_leak(place: str, written: Callable[[str], str]) -> None:
    secret = canary()
    assert leaks({place: f"x{written(secret)}y"}, {"it": secret, "other": canary()}) == {(place, "it")}


def test_the_scanner_sees_no_leak_in_less_than_a_piece() -> None:
    secret = canary()
    assert leaks({"stdout": f"x {secret[20:31]} y"}, {"it": secret}) == set()


def test_the_scanner_sees_what_a_real_process_leaks(tmp_path: Path) -> None:
    planted = Planted()
    prepare(home := tmp_path / "home", "success", planted, "http://127.0.0.1:9")
    leak = "import os, sys, time; t = os.environ['CODEX_OAUTH_TOKEN']; open('left', 'w').write(t)\n"
    leak += "import subprocess; subprocess.run([sys.executable, '-c', 'import time; time.sleep(0.4)', t])"
    seen = watch(home, "exec", "--", sys.executable, "-c", leak).wait()
    assert seen.done.code == 0, seen.done.err
    found = leaks({**seen.places(), **files(home, LOGIN_FILES)}, planted.hidden())
    assert ("file cwd/left", "access") in found
    assert ("arguments", "access") in found or not Path("/proc/self/cmdline").exists()


def test_u20_exec_gives_the_token_to_the_named_variable_alone(tmp_path: Path) -> None:
    planted = Planted()
    prepare(home := tmp_path / "home", "success", planted, "http://127.0.0.1:9")
    seen = watch(home, "exec", "--env", "NAMED", "--", sys.executable, "-c", SHOW).wait()
    places: dict[str, str] = json.loads(seen.done.out)
    assert leaks(places, planted.hidden()) == {("NAMED", "access")}


# --- text of a server, on its way to a terminal

HOSTILE: Final = {
    "ESC": "a\x1b[2Jb",
    "OSC 8": "a\x1b]8;;http://evil.example\x1b\\b\x1b]8;;\x1b\\",
    "OSC 52": "a\x1b]52;c;Zm9v\x07b",
    "bidi": "a\u202eb\u2066c\u200f",
    "C1": "a\x9b31mb\x90c\x9c\x85",
    "CR": "a\rb\nc\x08\x7f\u2028",
    "long": "\x1b[31m" + "x" * 10_000,
}


def orders(done: Done) -> set[str]:
    """The characters of what a command said that are no text."""
    return {
        char
        for char in done.out + done.err
        if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"}
    }


@contextlib.contextmanager
def saying(text: str, *wrong: Fault) -> Generator[AuthorityServer]:
    account = Account(email=f"{text}@example.com", plan=text, name=text)
    with serve(Authority(policy=attrs.evolve(AT_ONCE, account=account), faults=wrong)) as server:
        yield server


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_a_server_gives_orders_to_a_terminal(name: str, tmp_path: Path) -> None:
    text = HOSTILE[name]
    device = ("login", "--device", "--issuer")
    body = {"error": "invalid_grant", "error_description": text}
    answers = {name: Fault(endpoint=name, status=400, body=body) for name in ("usercode", "poll", "exchange")}

    def ask(row: tuple[str, ...]) -> Done:
        return run_command(tmp_path, *row)

    with saying(text) as server:
        first = run_command(tmp_path, *device, server.url)
        assert first.code == 0, first.err
        rows: list[tuple[str, ...]] = [
            (*row, *more)
            for row in (("status",), ("list",), ("doctor", "--issuer", server.url))
            for more in ((), ("--json",))
        ]
        with ThreadPoolExecutor(3) as pool:
            said = [first, *pool.map(ask, rows)]
    for wrong in answers.values():
        with saying(text, wrong) as server:
            failed = run_command(tmp_path, *device, server.url)
        assert failed.code != 0
        said.append(failed)
    assert [orders(done) for done in said] == [set()] * len(said)
    assert all(len(line) < 5_000 for done in said for line in done.err.splitlines())


def test_orders_are_seen() -> None:
    for text in HOSTILE.values():
        assert orders(Done(0, text, ""))
        assert orders(Done(0, "", text))
