"""No token in anything that can be seen: reprs, notes, warnings, logs at DEBUG, errors and their frames."""

from __future__ import annotations

import logging
import pickle
import sys
import traceback
import warnings
from collections.abc import Sequence

import anyio
import pytest

from codex_oauth import HostNotAllowed, TokenAuth, TokenRequestsAuth
from codex_oauth.authority import Fault
from codex_oauth_core import SignInError
from tests.tokens.backend import serving
from tests.tokens.callers import CALLERS, Call, Caller
from tests.tokens.rig import Rig, eventually, renewals, rig

OVER = Fault(endpoint="refresh", status=401, body={"error": {"code": "refresh_token_reused"}})
WEIRD = Fault(endpoint="refresh", status=403, body={"error": {"code": "weird"}})


def secrets_of(made: Rig) -> set[str]:
    """All the tokens of this login, as they are stored and as they were sent."""
    credential = made.stored.credential
    tokens = (credential.access_token, credential.refresh_token, credential.id_token)
    sent = (value for request in made.authority.requests for value in request.fields.values())
    known = {token.reveal() for token in tokens if token is not None}
    known |= {value.reveal() for value in sent if not isinstance(value, str)}
    # the head of a fake token is the same in all of them, and says nothing
    return {token.rpartition(".")[0][-40:] or token for token in known if len(token) > 12}


def frames(error: BaseException) -> str:
    """A traceback with all variables, of our frames: those of the caller hold what the caller holds."""
    told: traceback.TracebackException | None
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    seen: list[str] = []
    while told is not None:
        for frame in told.stack:
            if "/codex_oauth" in frame.filename:
                seen += [str(frame.line), str(frame.locals)]
        seen += list(told.format_exception_only())
        told = told.__context__
    return "\n".join(seen)


def assert_unseen(made: Rig, texts: Sequence[str], extra: Sequence[str] = ()) -> None:
    hidden = secrets_of(made) | set(extra)
    assert len(hidden) >= 3
    for text in texts:
        assert [secret for secret in hidden if secret in text] == []


@pytest.mark.parametrize("fault", [None, OVER, WEIRD], ids=["renewed", "over", "failed"])
@pytest.mark.parametrize("left", [200.0, -1.0])
def test_s1_a_source_shows_no_token(
    fault: Fault | None, left: float, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    made = rig(*([fault] if fault else []))
    source = made.source(on_note=None)
    old = source.token()
    made.make_due(left)
    texts: list[str] = []

    async def aask() -> None:
        await source.arejected(old)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for ask in (source.token, lambda: source.rejected(old), lambda: anyio.run(aask)):
            try:
                ask()
            except SignInError as error:
                texts += [frames(error), repr(error), str(error.to_dict())]
        eventually(lambda: renewals() == [])
    texts += [str(each.message) for each in caught]
    memory, renewer = source._memory, source._renewer
    texts += [repr(each) for each in (source, memory, memory.fresh, memory.failure, renewer, source._hosts)]
    texts += [str(vars(source)), *capfd.readouterr(), caplog.text]
    assert_unseen(made, texts, [old[-60:-20]])
    with pytest.raises(TypeError):
        pickle.dumps(source)


def test_s1_a_refused_host_shows_no_token() -> None:
    made = rig()
    source = made.source()
    token = source.token()
    with pytest.raises(HostNotAllowed) as raised:
        source.headers(f"https://evil.example/{token}?{token}")
    assert token not in f"{raised.value} {raised.value!r}"
    assert_unseen(made, [str(raised.value), repr(raised.value)])


@pytest.mark.parametrize("ask", CALLERS)
@pytest.mark.parametrize("path", ["/ok", "/always"])
@pytest.mark.parametrize("fault", [None, OVER], ids=["renewed", "over"])
def test_s1_auth_shows_no_token_in_logs_and_errors(
    ask: Caller, path: str, fault: Fault | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = rig(*([fault] if fault else []))
    source = made.source(hosts=("127.0.0.1",))
    old = source.token()
    texts: list[str] = []
    with serving() as backend:
        backend.refused.add(old)
        try:
            ask(source, [Call(backend.url + path)])
        except SignInError as error:
            texts += [frames(error)]
    assert made.refreshes == 1
    assert_unseen(made, [*texts, caplog.text], [old[-60:-20]])


@pytest.mark.parametrize("make", [TokenAuth, TokenRequestsAuth])
def test_s1_an_auth_shows_no_token(make: type[TokenAuth | TokenRequestsAuth]) -> None:
    made = rig()
    source = made.source()
    source.token()
    auth = make(source)
    assert_unseen(made, [repr(auth), str(auth), str(vars(auth))])


def test_the_canary_is_seen_where_it_is() -> None:
    made = rig()
    with pytest.raises(AssertionError):
        assert_unseen(made, [f"Bearer {made.stored_token}"])

    try:
        exec(compile("def leak(token): raise ValueError\nleak(made.stored_token)", "/codex_oauth.py", "exec"))
    except ValueError as error:
        with pytest.raises(AssertionError):
            assert_unseen(made, [frames(error)])
    assert sys.exception() is None
