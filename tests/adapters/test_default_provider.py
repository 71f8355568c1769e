"""Where a sign-in goes when nobody says it: `CODEX_OAUTH_ISSUER`, in programs and in the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth import CHATGPT, CODEX, ErrorKind, FileStore, MemoryStore, SignInError, TokenSource, refresh
from codex_oauth.authority import Approve, Authority, AuthorityServer, Policy, serve
from codex_oauth.cli.main import main
from codex_oauth.default_provider import ISSUER_VARIABLE, default_provider
from codex_oauth.testing import FakeWorld, answered_by
from tests.adapters.front_doors import Door, each_door

NO_ISSUERS = (
    "http://login.example",
    "login.example",
    "https://",
    "https://user:canary@login.example",
    "https://login.example/?tenant=canary",
    "https://login.example/#canary",
    "ftp://login.example",
    "https://login.example:0",
    "https://login.example/ canary",
    " ",
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthorityServer]:
    """An authority on loopback, and the variable that names it."""
    with serve(Authority(policy=Policy(approve=Approve.AUTO, interval=1))) as running:
        monkeypatch.setenv(ISSUER_VARIABLE, running.url)
        yield running


@pytest.mark.parametrize("unset", [None, ""])
def test_without_the_variable_it_is_codex(unset: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ISSUER_VARIABLE, raising=False)
    if unset is not None:
        monkeypatch.setenv(ISSUER_VARIABLE, unset)
    assert default_provider() is CODEX


@pytest.mark.parametrize(
    "issuer", ["https://login.example", "http://127.0.0.1:8000", "http://[::1]:1", "http://localhost:8000"]
)
def test_the_variable_moves_codex_alone(issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ISSUER_VARIABLE, issuer)
    assert default_provider() == CODEX.at(issuer)
    assert default_provider(CODEX) is CODEX
    assert default_provider(CHATGPT) is CHATGPT


@pytest.mark.parametrize("value", NO_ISSUERS)
@each_door
def test_what_names_no_issuer_is_an_error_before_anybody_is_asked(
    door: Door, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ISSUER_VARIABLE, value)
    authority = Authority(policy=Policy(approve="auto"))
    with pytest.raises(SignInError) as failed:
        door.login(on_prompt=None, device=True, world=FakeWorld(answered_by(authority)))
    error = failed.value
    assert (error.kind, error.details) == (
        ErrorKind.MISCONFIGURED,
        {"reason": "not_an_issuer", "setting": ISSUER_VARIABLE},
    )
    assert str(error).startswith(f"misconfigured: {ISSUER_VARIABLE} is not the URL of an issuer: ")
    assert "canary" not in f"{error} {error!r} {error.to_dict()} {error.__notes__}"
    assert authority.requests == []


@each_door
def test_a_provider_that_is_named_stays_where_it_is(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ISSUER_VARIABLE, "https://login.example")
    authority = Authority(policy=Policy(approve="auto"))
    granted = door.login(
        on_prompt=lambda _: None, device=True, provider=CODEX, world=FakeWorld(answered_by(authority))
    )
    assert granted.issuer == CODEX.issuer


def test_a_program_signs_in_renews_and_stays_there(
    server: AuthorityServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    granted = Door(None).login(on_prompt=None, device=True, store=store)
    assert granted.issuer == server.url
    assert server.url in capsys.readouterr().err
    assert granted.refresh_token is not None
    renewed = refresh(granted.refresh_token)
    assert (renewed.issuer, renewed.refresh_token != granted.refresh_token) == (server.url, True)
    monkeypatch.setenv(ISSUER_VARIABLE, "https://login.example")
    with TokenSource(store) as tokens:  # its login was granted there, and is asked for nowhere else
        assert tokens.token() == granted.access_token.reveal()


def test_the_command_reads_it_too_and_its_option_goes_first(
    server: AuthorityServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = ("--store", str(tmp_path / "home"))
    assert main(["login", "--device", "--json", *place]) == 0
    store = FileStore(tmp_path / "home")
    current = store.current()
    assert current is not None
    record = store.slot(current).load()
    assert record is not None
    assert record.credential.issuer == server.url
    monkeypatch.setenv(ISSUER_VARIABLE, "https://login.invalid")
    capsys.readouterr()
    assert main(["login", "--device", "--json", "--issuer", server.url, *place]) == 0
    done = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert done["event"] == "done"


def test_the_command_names_the_variable_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ISSUER_VARIABLE, "http://canary.example")
    assert main(["login", "--device", "--store", str(tmp_path / "home")]) == 2
    said = capsys.readouterr().err
    assert ISSUER_VARIABLE in said
    assert "canary" not in said


def test_another_issuer_has_ports_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codex's server knows two ports alone; what another one knows nobody can say here."""
    monkeypatch.delenv(ISSUER_VARIABLE, raising=False)
    command = ["login", "--browser", "--no-open", "--port", "8765", "--store", str(tmp_path / "home")]
    assert main(command) == 2
    assert "1455 and 1457" in capsys.readouterr().err
    monkeypatch.setenv(ISSUER_VARIABLE, "ftp://login.example")
    assert main(command) == 2
    assert ISSUER_VARIABLE in capsys.readouterr().err


def test_doctor_goes_on_where_the_variable_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ISSUER_VARIABLE, "ftp://login.example")
    main(["doctor", "--offline", "--json", "--store", str(tmp_path / "home")])
    out = capsys.readouterr().out
    assert f"{ISSUER_VARIABLE} is not the URL of an issuer" in out
