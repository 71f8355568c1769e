"""T2: every command that is printed works as it is pasted: it means the same store, account and server.

The commands are collected from what is printed in many situations, and from every text of the source that holds one.
"""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, cast

import attrs
import pytest

from codex_oauth import FileStore, finish_sign_in
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, serve
from codex_oauth.cli.commands import COMMANDS
from codex_oauth.cli.parser import build_parser, parsed
from codex_oauth.cli.pasteable import _TAKEN, as_pasted, command, remember, with_commands
from codex_oauth.testing.fake_world import FakeWorld, scripted
from codex_oauth_core import ErrorKind, SignInError
from tests.cli.commands import Done, run_command
from tests.cli.people import ANNA, BERT, of
from tests.cli.test_commands import AT_ONCE, hold
from tests.house.tree import ROOT

# -- the one helper ---------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _nothing_told() -> Iterator[None]:
    remember(None)
    yield
    remember(None)


def told(subcommand: str, **options: str | None) -> None:
    remember(argparse.Namespace(**options), subcommand)


def test_a_command_carries_what_this_invocation_was_told() -> None:
    told("login", store="a b", issuer="http://127.0.0.1:1", provider="chatgpt", account="it's me")
    whole = "--provider chatgpt --issuer http://127.0.0.1:1 --account 'it'\"'\"'s me' --store 'a b'"
    assert command("login") == f"codex-oauth login {whole}"
    assert command("login", "finish", "id") == "codex-oauth login finish id --store 'a b'"
    assert command("status") == "codex-oauth status --account 'it'\"'\"'s me' --store 'a b'"
    assert command("list") == "codex-oauth list --store 'a b'"
    assert command("doctor", "-v") == "codex-oauth doctor -v --issuer http://127.0.0.1:1 --store 'a b'"
    assert command("fleet", "migrate") == "codex-oauth fleet migrate"


def test_what_a_command_names_itself_is_not_named_twice() -> None:
    told("status", store="a", account="me")
    assert command("login", "--store", "b") == "codex-oauth login --store b --account me"
    assert command("logout", "--all") == "codex-oauth logout --all --store a"
    assert command("login", account=None) == "codex-oauth login --store a"


def test_an_option_of_a_command_that_means_something_else_is_not_carried() -> None:
    told("authority", provider="both", store=None)
    assert command("login") == "codex-oauth login"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("Sign in: codex-oauth login", "Sign in: codex-oauth login --store x"),
        ("codex-oauth list", "codex-oauth list --store x"),
        ("See it: a: codex-oauth refresh", "See it: a: codex-oauth refresh --store x"),
        ("See the help: codex-oauth login --help", None),
        ("Update codex-oauth.", None),
        ("Make the tables: codex-oauth fleet migrate", None),
        ("A quote: codex-oauth 'login", None),
    ],
)
def test_a_text_that_ends_with_a_command_is_completed(text: str, whole: str | None) -> None:
    told("status", store="x")
    assert as_pasted(text) == (whole or text)
    assert as_pasted(as_pasted(text)) == (whole or text)


def test_what_a_command_leaves_out_on_purpose_stays_out() -> None:
    told("login", store="x", account="me")
    assert as_pasted(f"Or: {command('login', account=None)}") == "Or: codex-oauth login --store x"


def test_what_a_library_says_to_do_is_a_command_here() -> None:
    told("refresh", store="x", account="me")
    error = with_commands(SignInError.of(ErrorKind.CALLBACK_PORT_UNAVAILABLE))
    assert error.next_actions == (
        "Sign in with a device code instead: codex-oauth login --device --account me --store x",
    )
    unchanged = SignInError.of(ErrorKind.RATE_LIMITED)
    assert with_commands(unchanged) is unchanged


def test_the_options_of_each_command_are_those_that_it_takes() -> None:
    parsers = {name: child for name, child in _parsers().items() if name in _TAKEN}
    for name, parser in parsers.items():
        takes = {option for action in parser._actions for option in action.option_strings}
        ours = {"--provider", "--issuer", "--account", "--store"}
        assert set(_TAKEN[name]) == takes & ours, name
    assert {name for name in COMMANDS if name not in _TAKEN} == {
        "trace",
        "fleet",
        "completion",
        "authority",
        "demo",
    }


def _parsers() -> dict[str, argparse.ArgumentParser]:
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return cast("dict[str, argparse.ArgumentParser]", vars(action)["choices"])
    raise AssertionError


# -- every text of the source ---------------------------------------------------------------------------------

_IN_A_TEXT: Final = re.compile(r"codex-oauth [a-z]+ ?[-a-z]*")


def _texts() -> Iterator[tuple[str, str]]:
    """Every string of the product that is no docstring and has a command in it."""
    for folder in ("core/codex_oauth_core", "adapters/codex_oauth"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name in ("commands.py", "fleet_arguments.py", "arguments.py"):
                continue  # help: its examples are run by test_help
            tree = ast.parse(path.read_text(encoding="utf-8"))
            docs = {
                id(node.value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                    for name in _TAKEN:
                        if f"codex-oauth {name.split()[0]}" in node.value:
                            yield f"{path.name}:{node.lineno}", node.value
                            break


TEXTS: Final = dict(_texts())
MENTIONED: Final = (
    "`codex-oauth exec`",
    "codex-oauth doctor",
    "codex-oauth exec: ",
    "--device --issuer ",
    "Ask one: ",
)
"""Not to be typed: what a variable is for, what asks the keyring, and parts of a text."""


@pytest.mark.parametrize("where", TEXTS)
def test_a_command_in_a_text_is_its_end_and_parses(where: str) -> None:
    text = TEXTS[where]
    if any(mention in text for mention in MENTIONED) and ": codex-oauth" not in text:
        return
    told("status", store="x y")
    whole = as_pasted(text).rstrip()
    assert whole.endswith("--store 'x y'"), text
    typed = whole[whole.index("codex-oauth ") :].partition(": codex-oauth ")
    words = shlex.split(typed[2] or typed[0].removeprefix("codex-oauth "))
    assert parsed(words) is not None


# -- every command that is printed ----------------------------------------------------------------------------

_PRINTED: Final = re.compile(r"(?:^ *|: |; )(codex-oauth [a-z].*?)(?: shows them)?$")


def printed(done: Done) -> list[str]:
    """The commands in what was printed, each as it stands there."""
    lines = (done.err + "\n" + done.out).splitlines()
    found = [match[1] for line in lines if (match := _PRINTED.search(line)) is not None]
    return [each for each in dict.fromkeys(found) if not each.endswith("--help")]


@attrs.frozen
class Place:
    """A home whose store has a space in its name, and a server."""

    home: Path
    server: AuthorityServer

    @property
    def store(self) -> Path:
        return self.home / "a store of ours"

    def run(self, *arguments: str, **environ: str) -> Done:
        """A command with this store, and nothing in the environment that names one."""
        return run_command(self.home, *arguments, "--store", str(self.store), **_BARE, **environ)

    def login(self, *arguments: str) -> Done:
        return self.run("login", "--device", "--issuer", self.server.url, *arguments)

    def hold(self, **changes: Any) -> None:
        elsewhere = self.home / "elsewhere"
        credential = hold(elsewhere, **{"issuer": self.server.url, **changes})
        self.store.mkdir(mode=0o700)
        with FakeWorld(scripted(())) as world:
            finish_sign_in(credential, FileStore(self.store), None, world, force=True)


_BARE: Final = {"CODEX_OAUTH_HOME": "", "XDG_STATE_HOME": ""}


def no_login(place: Place) -> list[Done]:
    names = ("status", "whoami", "token", "list", "logout", "refresh")
    return [*(place.run(name) for name in names), place.run("switch"), place.run("doctor", "--offline")]


def two_steps(place: Place) -> list[Done]:
    return [place.run("login", "start", "--issuer", place.server.url)]


def signed_in(place: Place) -> list[Done]:
    return [place.login(), place.login(), place.run("status"), place.run("doctor", "--offline", "-v")]


def none_in_use(place: Place) -> list[Done]:
    place.login()
    place.login()
    ended = place.run("logout", "--local")
    return [
        ended,
        place.run("list"),
        place.run("token"),
        place.run("switch"),
        place.run("doctor", "--offline"),
    ]


def an_unknown_account(place: Place) -> list[Done]:
    place.login()
    return [place.run("token", "--account", "who is it"), place.run("switch", "who is it")]


def a_dead_login(place: Place) -> list[Done]:
    place.hold(refresh_token=None, expires_at=1000)
    return [place.run(name) for name in ("status", "whoami", "token", "refresh", "header", "list")]


def no_server(place: Place) -> list[Done]:
    place.hold(issuer="http://127.0.0.1:9", expires_at=1_700_000_000_000)
    return [place.run("token"), place.run("login", "--device", "--issuer", "http://127.0.0.1:9")]


def an_export(place: Place) -> list[Done]:
    place.hold(issuer="https://auth.openai.com")
    wanted = ("--to-codex", str(place.home / "out.json"))
    return [place.run("export", *wanted, "--include-refresh", "--yes"), place.run("export", *wanted)]


def no_device_code(place: Place) -> list[Done]:
    return [place.run("login", "--device", "--provider", "chatgpt", "--issuer", place.server.url)]


def in_ci(place: Place) -> list[Done]:
    return [place.run("login", "--issuer", place.server.url, CI="1")]


def another_account(place: Place) -> list[Done]:
    return [place.login("--account", "bert@example.com")]


SITUATIONS: Final[dict[str, tuple[Callable[[Place], list[Done]], int]]] = {
    "no login": (no_login, 2),
    "two steps": (two_steps, 1),
    "signed in": (signed_in, 2),
    "none in use": (none_in_use, 4),
    "an unknown account": (an_unknown_account, 2),
    "a dead login": (a_dead_login, 1),
    "no server": (no_server, 0),
    "an export": (an_export, 1),
    "no device code": (no_device_code, 2),
    "in CI": (in_ci, 2),
    "another account": (another_account, 1),
}
"""What is done, and how many different commands are printed at least."""

_LONG: Final = ("--paste", "--no-open")
"""Waits for a person: that it is taken is all that is tried."""


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_command_that_is_printed_works_as_it_is_pasted(tmp_path: Path, situation: str) -> None:
    act, least = SITUATIONS[situation]
    with serve(of(ANNA, BERT)) as server:
        place = Place(tmp_path, server)
        commands = list(dict.fromkeys(line for done in act(place) for line in printed(done)))
        assert len(commands) >= least, commands
        for line in commands:
            words = shlex.split(line)
            assert words[0] == "codex-oauth"
            assert str(place.store) in words, line
            assert parsed(words[1:]) is not None, line
            if not any(word in words for word in _LONG):
                done = run_command(tmp_path, *words[1:], **_BARE)
                assert done.code != 2, (line, done.err)
        assert not (tmp_path / ".local").exists()  # the person's own store was never touched


# -- a fake login -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [(), ("start",)])
def test_a_fake_login_does_not_enter_the_store_of_the_person(tmp_path: Path, step: tuple[str, ...]) -> None:
    with serve(Authority(policy=AT_ONCE)) as server:
        done = run_command(tmp_path, "login", *step, "--issuer", server.url, **_BARE)
        assert (done.code, done.out) == (2, "")
        assert "--store PATH" in " ".join(done.err.split())
        assert not (tmp_path / ".local").exists()
        assert not server.authority.requests
        for named in (("--store", "here"), ()):
            home = "" if named else str(tmp_path / "there")
            environ = {**_BARE, "CODEX_OAUTH_HOME": home}
            assert run_command(tmp_path, "login", *step, "--issuer", server.url, *named, **environ).code == 0


def test_another_server_that_is_not_on_this_machine_needs_no_store() -> None:
    assert parsed(["login", "--issuer", "https://auth.example.com"]) is not None


def test_the_authority_prints_a_login_that_goes_into_a_store_of_its_own(tmp_path: Path) -> None:
    from tests.cli.commands import start_command

    with start_command(tmp_path, "authority", "--approve", "auto") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        line = next(line for line in iter(running.stderr.readline, "") if "codex-oauth login" in line)
        assert len(line.rstrip("\n")) <= 80
        done = run_command(tmp_path, *shlex.split(line)[1:], **_BARE)
        assert (done.code, done.out) == (0, "Signed in as somebody@example.com (plus).\n")
        running.terminate()
    assert FileStore(tmp_path / "fake-logins").names() != ()
    assert not (tmp_path / ".local").exists()


def test_a_denied_sign_in_names_the_command_to_sign_in_again(tmp_path: Path) -> None:
    policy = attrs.evolve(AT_ONCE, approve=Approve.DENY)
    with serve(Authority(policy=policy, faults=[Fault(endpoint="usercode", status=404)])) as server:
        done = Place(tmp_path, server).login()
    assert done.code == 3
    assert any(line.startswith("codex-oauth login --browser --issuer http") for line in printed(done))
