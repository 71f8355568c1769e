"""A token source on its own: what it gives out, and when it renews."""

from __future__ import annotations

import subprocess
import sys
import threading

import attrs
import pytest

from codex_oauth import HostNotAllowed, MemoryStore
from codex_oauth.authority import Account
from codex_oauth_core import CODEX, ErrorKind, SignInError
from codex_oauth_core.reading.times import rfc3339
from tests.tokens.rig import LIFETIME, eventually, put, renewals, rig

ADVISORY = LIFETIME * 0.09
MANDATORY = 200.0
DEAD = -1.0


def test_a_current_token_is_given_out_as_it_is_stored() -> None:
    made = rig()
    source = made.source()
    assert source.token() == made.stored_token
    assert source.credential() == made.stored.credential
    assert made.refreshes == 0


def test_a_fresh_token_needs_no_thread_no_store_and_no_world(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rig()
    source = made.source()
    token = source.token()

    def touched(*_: object, **__: object) -> object:
        raise AssertionError("a fresh token is in memory")

    monkeypatch.setattr(MemoryStore, "slot", touched)
    monkeypatch.setattr(MemoryStore, "current", touched)
    monkeypatch.setattr(threading.Thread, "start", touched)
    made.pass_time(LIFETIME / 2)
    assert source.token() == token
    assert source.headers("https://chatgpt.com/x")["Authorization"] == f"Bearer {token}"
    assert source.credential().access_token.reveal() == token


def test_the_first_look_at_a_current_login_loads_neither_httpx_nor_filelock() -> None:
    code = """
import sys
from codex_oauth.stores.memory_store import MemoryStore
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.credential import Credential
from codex_oauth_core.codex import CODEX
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret
store = MemoryStore()
login = Credential(Secret("at"), Secret("rt"), "acct", CODEX.issuer, CODEX.client_id, "2020-01-01T00:00:00Z",
                   expires_at=4102444800000)
store.slot("acct").rescue(Record(login))
store.select("acct")
assert TokenSource(store).token() == "at"
print({"httpx", "httpcore", "httpx2", "filelock", "anyio", "trio", "asyncio", "ssl", "requests"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_in_the_advisory_window_the_old_token_is_used_and_a_new_one_fetched_meanwhile() -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.make_due(ADVISORY)
    made.gate.clear()
    assert [source.token() for _ in range(50)] == [old] * 50
    assert len(renewals()) == 1
    made.gate.set()
    eventually(lambda: source.token() != old)
    assert made.refreshes == 1
    assert source.token() == made.stored_token


@pytest.mark.parametrize("left", [MANDATORY, DEAD])
def test_a_token_near_its_end_or_past_it_is_waited_for(left: float) -> None:
    made = rig()
    source = made.source()
    old = source.token()
    made.make_due(left)
    assert source.token() != old
    assert source.token() == made.stored_token
    assert made.refreshes == 1


def test_a_login_renewed_by_another_process_is_adopted_without_a_request() -> None:
    made = rig()
    source, other = made.source(), made.source()
    old = source.token()
    made.make_due(DEAD)
    new = other.token()
    assert source.token() == new != old
    assert made.refreshes == 1


def test_nobody_signed_in_is_an_error_and_a_sign_in_ends_it_at_once() -> None:
    made = rig()
    account_id = made.store.current()
    made.store.select(None)
    source = made.source()
    for _ in range(3):
        with pytest.raises(SignInError) as raised:
            source.token()
        assert raised.value.kind is ErrorKind.LOGIN_REQUIRED
    made.store.select(account_id)
    assert source.token() == made.stored_token


def test_an_account_can_be_named_and_is_kept_to() -> None:
    made = rig()
    account_id = made.store.current()
    assert account_id is not None
    first, named, other = made.source(), made.source(account_id=account_id), made.source(account_id="nobody")
    token = first.token()
    made.make_due(DEAD)
    made.store.select(None)
    assert named.token() != token
    assert first.token() == named.token()  # the same account as before
    with pytest.raises(SignInError) as raised:
        other.token()
    assert raised.value.kind is ErrorKind.LOGIN_REQUIRED


@pytest.mark.parametrize("names", [{"account": ""}, {"account_id": ""}, {"account": "a", "account_id": "b"}])
def test_a_login_has_one_name_that_is_not_empty(names: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="account"):
        rig().source(**names)


def test_what_no_login_is_called_is_nobody_signed_in() -> None:
    with pytest.raises(SignInError) as raised:
        rig().source(account="../../etc").token()
    assert raised.value.kind is ErrorKind.LOGIN_REQUIRED


def test_a_login_of_another_client_is_not_used() -> None:
    made = rig()
    with pytest.raises(SignInError) as raised:
        made.source(provider=CODEX.at("https://elsewhere.example")).token()
    assert raised.value.kind is ErrorKind.CLIENT_REJECTED
    assert made.refreshes == 0


# -- headers -------------------------------------------------------------------------------------------


def test_headers_carry_the_token_the_account_and_the_originator() -> None:
    made = rig()
    source = made.source()
    assert source.headers("https://chatgpt.com/backend-api/codex/responses") == {
        "Authorization": f"Bearer {made.stored_token}",
        "ChatGPT-Account-Id": Account().account_id,
        "originator": "codex-oauth",
    }


def test_the_originator_is_the_provider_s() -> None:
    made = rig()
    source = made.source(provider=attrs.evolve(CODEX, originator="some-app"))
    assert source.headers("https://chatgpt.com/")["originator"] == "some-app"


def test_headers_for_another_host_are_refused_before_anything_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = rig()
    source = made.source()

    def touched(_: MemoryStore) -> str:
        raise AssertionError("it was looked up")

    monkeypatch.setattr(MemoryStore, "current", touched)
    for url in ("https://api.example.com/v1", "http://chatgpt.com/", "http://api.openai.com/"):
        with pytest.raises(HostNotAllowed):
            source.headers(url)


def test_the_host_of_another_known_provider_gets_no_token() -> None:
    with pytest.raises(HostNotAllowed, match=r"api\.openai\.com"):
        rig().source().headers("https://api.openai.com/v1")


# -- close ---------------------------------------------------------------------------------------------


def test_a_closed_source_gives_out_what_is_fresh_and_renews_nothing() -> None:
    made = rig()
    with made.source() as source:
        token = source.token()
    assert source.token() == token
    made.make_due(ADVISORY)
    assert source.token() == token
    made.make_due(DEAD)
    with pytest.raises(SignInError) as raised:
        source.token()
    assert raised.value.kind is ErrorKind.CANCELLED
    assert made.refreshes == 0


def test_close_waits_for_a_request_that_was_sent() -> None:
    made = rig()
    source = made.source()
    source.token()
    made.make_due(ADVISORY)
    made.gate.clear()
    source.token()
    eventually(lambda: made.sent)
    closing = threading.Thread(target=source.close)
    closing.start()
    closing.join(0.1)
    assert closing.is_alive()
    made.gate.set()
    closing.join()
    assert made.refreshes == 1
    assert source.token() == made.stored_token
    assert renewals() == []


def test_a_crash_is_raised_to_the_caller_and_the_next_one_tries_again() -> None:
    made = rig()
    source = made.source(make_world=_broken)
    made.make_due(DEAD)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            source.token()


def _broken() -> object:
    raise ZeroDivisionError


def test_a_token_that_lives_for_seconds_is_not_given_out_after_its_end() -> None:
    made = rig()
    wall = made.world.wall
    short = attrs.evolve(
        made.stored.credential, obtained_at=rfc3339(wall), expires_at=round((wall + 5) * 1000)
    )
    put(made.store, short)
    source = made.source()
    made.pass_time(4.3)
    assert source.token() == short.access_token.reveal()
    made.pass_time(0.8)
    assert source.token() == made.stored_token != short.access_token.reveal()
