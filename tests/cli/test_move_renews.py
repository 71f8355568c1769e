"""A login that was taken from the Codex CLI is renewed at once, where it belongs: that of two renewals at the
same moment one is lost is then known, and told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path

import attrs
import pytest

from codex_oauth import CODEX, FileStore, MemoryStore, Provider, SignInError, login
from codex_oauth.authority import Authority, AuthorityServer, Fault, serve
from codex_oauth.cli import renew, transfer
from codex_oauth.tokens.renewing import Outcome
from codex_oauth.transfer import export_codex
from codex_oauth_core import Adopted, ErrorKind, NotRenewed, Record, Renewed
from codex_oauth_core.outcomes import NotRenewedReason
from tests.cli.commands import Done, run_command
from tests.cli.schemas import valid
from tests.cli.test_commands import AT_ONCE, slot_in_use
from tests.cli.test_transfer import run
from tests.cli.transfers import KEY, put, write

CLIENT = "app_theirs"
MOVE = ("import", "--from-codex", "--move", "--yes")


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=AT_ONCE, client_id=CLIENT)) as running:
        yield running


def signed_in(home: Path, server: AuthorityServer) -> Path:
    """A Codex CLI that signed in at a server and with a client of its own, some time ago."""
    provider: Provider = attrs.evolve(CODEX.at(server.url), client_id=CLIENT)
    credential = login(on_prompt=lambda _: None, device=True, provider=provider, store=MemoryStore())
    file = home / ".codex" / "auth.json"
    file.parent.mkdir()
    export_codex(Record(credential), file, include_refresh=True)
    whole = json.loads(file.read_text())
    file.write_text(json.dumps({**whole, "last_refresh": "2026-01-01T00:00:00Z"}))
    return file


def refreshes(server: AuthorityServer) -> list[object]:
    """The client ids of the renewals that a server was asked for."""
    return [request.fields["client_id"] for request in server.authority.received("refresh")]


def refresh_token(file: Path) -> str:
    token: str = json.loads(file.read_text())["tokens"]["refresh_token"]
    return token


def test_it_is_renewed_at_the_issuer_of_the_file_with_its_client(
    tmp_path: Path, server: AuthorityServer
) -> None:
    file = signed_in(tmp_path, server)
    before = refresh_token(file)
    done = run_command(tmp_path, *MOVE)
    assert (done.code, done.err) == (0, "  -> To use the Codex CLI again: codex login\n")
    first, _, last = done.out.splitlines()
    assert first == "Moved the login of somebody@example.com (plus) here."
    assert last.startswith("Renewed it. The access token is valid for ")
    assert refreshes(server) == [CLIENT]
    record = slot_in_use(tmp_path).load()
    assert record is not None
    assert (record.credential.issuer, record.credential.client_id) == (server.url, CLIENT)
    assert record.credential.refresh_token is not None
    assert record.credential.refresh_token.reveal() != before
    assert "tokens" not in json.loads(file.read_text())


def test_it_goes_on_being_renewed_there(tmp_path: Path, server: AuthorityServer) -> None:
    signed_in(tmp_path, server)
    assert run_command(tmp_path, *MOVE).code == 0
    slot = slot_in_use(tmp_path)
    record = slot.load()
    assert record is not None
    with slot.lock() or pytest.fail("locked") as held:
        old = attrs.evolve(record.credential, expires_at=0, obtained_at="2026-01-01T00:00:00Z")
        held.save(attrs.evolve(record, credential=old), record.fingerprint)
    done = run_command(tmp_path, "token")
    assert (done.code, done.out.strip() != record.credential.access_token.reveal()) == (0, True)
    assert refreshes(server) == [CLIENT, CLIENT]


FULL = SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full")
DOWN = SignInError.of(ErrorKind.NETWORK, cause="dns")


ENDS: tuple[tuple[Callable[[Record], Outcome], bool, str | None], ...] = (
    (Renewed, True, None),
    (lambda record: Renewed(record, unsaved=FULL), True, "auth_write_failed"),
    (Adopted, True, None),
    (lambda record: NotRenewed(record, NotRenewedReason.CURRENT), False, None),
    (lambda record: NotRenewed(record, NotRenewedReason.SPACED), False, None),
    (lambda record: NotRenewed(record, NotRenewedReason.BUSY), False, "network"),
    (lambda record: NotRenewed(record, NotRenewedReason.UNCERTAIN), False, "network"),
    (lambda record: NotRenewed(record, NotRenewedReason.FAILED, DOWN), False, "network"),
    (lambda _: DOWN, False, "network"),
)


@pytest.mark.parametrize(("outcome_of", "renewed", "reason"), ENDS)
def test_every_end_of_a_renewal_is_told(
    store: FileStore,
    monkeypatch: pytest.MonkeyPatch,
    outcome_of: Callable[[Record], Outcome],
    renewed: bool,
    reason: str | None,
) -> None:
    record = put(store)

    def ended(_store: FileStore, place: str, given: Record, *, forced: bool) -> Outcome:
        assert (place, forced) == (KEY, True)
        return outcome_of(given)

    monkeypatch.setattr(renew, "_renewed", ended)
    found, is_new, error = renew.renew_moved(store, record)
    assert (found, is_new, None if error is None else error.kind.value) == (record, renewed, reason)


def test_as_json_it_says_that_it_was_renewed(tmp_path: Path, server: AuthorityServer) -> None:
    signed_in(tmp_path, server)
    done = run_command(tmp_path, *MOVE, "--json")
    (document,) = valid("import", done)
    assert (done.code, document["ok"], document["renewed"]) == (0, True, True)


BUSY = Fault(endpoint="refresh", status=429, headers={"Retry-After": "3600"}, body="{}", act=False)


def test_a_renewal_that_must_wait_leaves_the_login_here_and_says_what_to_run(tmp_path: Path) -> None:
    with serve(Authority(policy=AT_ONCE, client_id=CLIENT, faults=[BUSY])) as server:
        file = signed_in(tmp_path, server)
        token = refresh_token(file)
        done = run_command(tmp_path, *MOVE)
    assert done.code == 0
    assert done.out.startswith("Moved the login of ")
    assert "could not be renewed." in done.err
    assert "  -> Renew it soon: codex-oauth refresh" in done.err.splitlines()
    record = slot_in_use(tmp_path).load()
    assert record is not None
    assert record.credential.refresh_token is not None
    assert (record.credential.refresh_token.reveal(), record.is_renewable) == (token, True)
    assert "tokens" not in json.loads(file.read_text())


def test_as_json_it_says_why_it_was_not_renewed(tmp_path: Path) -> None:
    with serve(Authority(policy=AT_ONCE, client_id=CLIENT, faults=[BUSY])) as server:
        signed_in(tmp_path, server)
        done = run_command(tmp_path, *MOVE, "--json")
    (document,) = valid("import", done)
    assert (done.code, document["ok"], document["renewed"]) == (0, True, False)
    assert document["error"]["kind"] == "rate_limited"
    assert "codex-oauth refresh" in document["error"]["next_actions"][0]


def spent_elsewhere(tmp_path: Path) -> Done:
    """What a move says if the Codex CLI spent the refresh token right before."""
    gone = json.dumps({"error": {"code": "refresh_token_reused"}})
    fault = Fault(endpoint="refresh", status=401, body=gone, act=False)
    with serve(Authority(policy=AT_ONCE, client_id=CLIENT, faults=[fault])) as server:
        signed_in(tmp_path, server)
        return run_command(tmp_path, *MOVE, "--json")


def test_f15_a_login_that_was_renewed_elsewhere_meanwhile_is_told_as_lost(tmp_path: Path) -> None:
    done = spent_elsewhere(tmp_path)
    (document,) = valid("import", done)
    error = document["error"]
    assert (done.code, document["ok"], error["kind"]) == (4, False, "login_required")
    assert error["message"].startswith("The login was moved here, and cannot be used any more. ")
    assert error["next_actions"] == ["Sign in: codex-oauth login"]


def test_f15_if_the_codex_cli_has_it_again_it_can_be_moved_again(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: FileStore, record: Record) -> tuple[Record, bool, SignInError]:
        write(theirs, refresh_token="canary-renewed-by-the-cli")
        return record, False, SignInError.of(ErrorKind.LOGIN_REQUIRED, code="refresh_token_reused")

    monkeypatch.setattr(transfer, "renew_moved", lost)
    with pytest.raises(SignInError) as raised:
        run(store, *MOVE)
    assert raised.value.message == ("The Codex CLI renewed the login while it was moved, and has it again.")
    assert f"codex-oauth import --from-codex {theirs} --move" in raised.value.next_actions[0]
    assert raised.value.details["code"] == "refresh_token_reused"


def test_a_renewal_that_could_not_be_stored_is_a_failure(
    store: FileStore, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full")

    def unsaved(_: FileStore, record: Record) -> tuple[Record, bool, SignInError]:
        return record, True, full

    monkeypatch.setattr(transfer, "renew_moved", unsaved)
    with pytest.raises(SignInError) as raised:
        run(store, *MOVE)
    assert raised.value == full
