"""The page that a person is sent to (RFC 8628 §3.2, §3.3.1): whose it may be, and what goes with it."""

from __future__ import annotations

import json
from typing import Any, Final

import attrs
import pytest

from codex_oauth_core import (
    CODEX,
    CheckpointError,
    DeviceAuthorization,
    DeviceFlow,
    DevicePrompt,
    ErrorKind,
    Finished,
    Provider,
    ResponseReceived,
    Resumed,
    Secret,
    SignInError,
    Started,
    TimeReached,
    Wait,
    restore,
)
from codex_oauth_core.facts import DeviceFact, Gone, Issued, PollFact
from tests.support import PENDING, T0, W0, response, there

ELSEWHERE: Final = "https://pages.example/device"
COMPLETE: Final = f"{ELSEWHERE}?user_code=WDJB-MJHT"
DEVICE: Final = DeviceAuthorization(Secret("canary-device"), "WDJB-MJHT", 5.0, ELSEWHERE, 900.0, COMPLETE)


def provider(
    device: DeviceAuthorization = DEVICE, polled: PollFact | None = None, **changes: Any
) -> Provider:
    """One that says where its page is in its answer."""

    def issue(_: Provider, answer: ResponseReceived) -> DeviceFact:
        return Issued(device)

    def begin(_: Provider) -> Any:
        return CODEX.dialect.device_authorization_request(CODEX)

    def poll(_: Provider, answer: ResponseReceived) -> PollFact:
        assert polled is not None
        return polled

    functions: Any = {
        "read_device_authorization": issue,
        "device_authorization_request": begin,
        "read_poll": poll,
    }
    dialect = attrs.evolve(CODEX.dialect, **functions)
    values: Any = {"verification_uri": None, **changes}
    return attrs.evolve(CODEX, dialect=dialect, **values)


def with_(device: DeviceAuthorization, **changes: Any) -> DeviceAuthorization:
    return attrs.evolve(device, **changes)


def begun(of: Provider) -> tuple[DeviceFlow, Any]:
    flow = DeviceFlow(provider=of)
    flow.receive(Started(T0, W0))
    return flow, flow.receive(response(PENDING))


def refused(effect: Any) -> SignInError:
    assert isinstance(effect, Finished)
    assert isinstance(effect.outcome, SignInError)
    return effect.outcome


def test_a_page_on_another_server_and_the_one_with_the_code_in_it_are_shown() -> None:
    _, wait = begun(provider())
    assert isinstance(wait, Wait)
    expires_at = W0 + 900 - 0.25
    assert wait.prompt == DevicePrompt(
        ELSEWHERE, "WDJB-MJHT", expires_at, CODEX.issuer, COMPLETE, CODEX.texts.title
    )


def test_both_are_there_after_a_checkpoint_and_neither_is_named_where_there_is_none() -> None:
    flow, wait = begun(provider())
    mapping = json.loads(json.dumps(flow.checkpoint(at=T0, wall=W0, handed_over=True)))
    assert mapping["fields"]["device"]["verification_uri_complete"] == COMPLETE
    again: Any = restore(mapping, provider()).receive(Resumed(T0, W0))
    assert again.prompt == wait.prompt
    plain = attrs.evolve(DEVICE, verification_uri_complete=None)
    flow, wait = begun(provider(plain))
    mapping = json.loads(json.dumps(flow.checkpoint(at=T0, wall=W0, handed_over=True)))
    assert "verification_uri_complete" not in mapping["fields"]["device"]
    again = restore(mapping, provider(plain)).receive(Resumed(T0, W0))
    assert again.prompt == wait.prompt


ODD: Final = [
    ("verification_uri", "http://pages.example/device"),
    ("verification_uri", "javascript:alert(1)"),
    ("verification_uri", "https://pages.example/\x1b[2J"),
    ("verification_uri", "https://auth.openai.com@evil.example/"),
    ("verification_uri", ""),
    ("verification_uri", "https://[x"),
    ("verification_uri_complete", "file:///etc/passwd"),
    ("verification_uri_complete", "https://pages.example/ device"),
    ("user_code", "\x1b[31mWDJB"),
    ("user_code", "WD\u202eJB"),
    ("user_code", "  "),
    ("user_code", "x" * 129),
]


@pytest.mark.parametrize(("name", "value"), ODD)
def test_what_cannot_be_shown_is_not_shown(name: str, value: str) -> None:
    error = refused(begun(provider(with_(DEVICE, **{name: value})))[1])
    assert (error.kind, error.details) == (ErrorKind.INVALID_RESPONSE, {"reason": name})
    flow, _ = begun(provider())
    mapping = flow.checkpoint(at=T0, wall=W0)
    mapping["fields"]["device"][name] = value
    with pytest.raises(CheckpointError) as raised:
        restore(mapping, provider())
    assert raised.value.reason == "malformed"


@pytest.mark.parametrize("name", ["verification_uri", "verification_uri_complete"])
def test_where_the_provider_has_a_page_of_its_own_no_other_servers_is_shown(name: str) -> None:
    pinned = there(CODEX.verification_uri)
    ours = attrs.evolve(DEVICE, verification_uri=pinned, verification_uri_complete=f"{pinned}?user_code=x")
    assert isinstance(begun(provider(ours, verification_uri=pinned))[1], Wait)
    theirs = with_(ours, **{name: ELSEWHERE})
    error = refused(begun(provider(theirs, verification_uri=pinned))[1])
    assert error.details == {"reason": name}


@pytest.mark.parametrize(("certain", "ends"), [(False, False), (True, True)])
def test_gone_is_the_end_at_once_only_where_the_dialect_is_certain(certain: bool, ends: bool) -> None:
    flow, wait = begun(provider(polled=Gone("unknown", 404, certain=certain)))
    flow.receive(TimeReached(wait.until))
    effect = flow.receive(response(PENDING, wait.until + 1))
    assert isinstance(effect, Finished) is ends
    if ends:
        assert refused(effect).kind is ErrorKind.EXPIRED
