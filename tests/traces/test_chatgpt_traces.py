"""A trace of the official sign-in: it is told again byte for byte, and tells nothing of who, where and what."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from codex_oauth.authority import Hostile, HostileAnswer
from codex_oauth_core import CHATGPT, CODEX, ErrorKind, Recorder, Secret, SignInError
from codex_oauth_core.storage import StoreFailed
from codex_oauth_core.traces import replay
from codex_oauth_core.traces.format import TraceError
from tests.core.chatgpt import APP, FIRST, HOST_ID, NONCE, PAIR, STATE, Desk, authority, flow, signed_in

FULL = SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="ENOSPC canary")


def recorded(desk: Desk, signing_in: Any) -> list[str]:
    lines: list[str] = []
    desk.run(Recorder(flow=signing_in, write=lines.append))
    return lines


def assert_told_again(lines: list[str]) -> None:
    assert all("gap" not in json.loads(line) for line in lines), lines[-1]
    again = replay(lines)
    assert again.same, again.differences
    assert [f"{line}\n" for line in again.lines] == lines


def without_secrets(desk: Desk, lines: list[str], *more: str) -> None:
    text = "".join(lines)
    kinds = ("code", "token", "client_id")
    secrets = {value for form in desk.sent for name, value in form.items() if name in kinds}
    secrets |= {STATE.reveal(), NONCE.reveal(), PAIR.code_verifier.reveal(), APP, HOST_ID, "canary", *more}
    secrets |= {"user-fake-1", "somebody@example.com", "oaiapp", "Some Body", "test-key"}
    assert [secret for secret in secrets if secret in text] == []
    assert "id_token_hint" not in text


NAMES = [
    *(name for name in Hostile if not name.startswith(("earliest", "refresh_"))),
    *(Hostile.EARLIEST_REFRESH_2099, Hostile.EARLIEST_REFRESH_NEGATIVE, Hostile.EARLIEST_REFRESH_OBJECT),
]


def test_a_first_registration() -> None:
    desk = Desk()
    lines = recorded(desk, flow())
    assert_told_again(lines)
    without_secrets(desk, lines)
    header, *steps = (json.loads(line) for line in lines)
    assert (header["dialect"], header["flow"], header["version"]) == ("chatgpt", "browser", 1)
    assert "client_id" not in header
    assert [step["state"] for step in steps] == [
        "requesting_metadata",
        "requesting_keys",
        "awaiting_callback",
        "registering",
        "exchanging",
        "signed_in",
    ]
    assert [step["effect"].get("request") for step in steps[:2]] == ["metadata", "keys"]
    assert steps[3]["effect"] == {"kind": "register"}
    assert steps[4]["event"]["kind"] == "stored"
    assert steps[-1]["effect"]["account"] is None
    assert "chatgpt.tokens.use.direct" in steps[-1]["effect"]["scopes"]


def test_a_returning_sign_in_with_a_hint() -> None:
    desk = Desk()
    first = signed_in(desk.run(flow()))
    assert first.id_token is not None
    again = flow(
        FIRST.registered(first.client_id), id_token_hint=first.id_token, login_hint="somebody@example.com"
    )
    lines = recorded(desk, again)
    assert_told_again(lines)
    without_secrets(desk, lines, first.client_id, first.id_token.reveal(), first.id_token.reveal()[-40:])
    assert json.loads(lines[0])["client_id"] == "fake-client-0001"


def test_another_client_id_on_return_is_another_fake() -> None:
    desk = Desk()
    first = signed_in(desk.run(flow()))
    desk.server.faults = (HostileAnswer(name=Hostile.OTHER_CLIENT_ID),)
    lines = recorded(desk, flow(FIRST.registered(first.client_id)))
    assert_told_again(lines)
    assert json.loads(lines[-1])["effect"]["details"] == {"reason": "client_id_changed"}


@pytest.mark.parametrize("name", NAMES)
def test_every_hostile_answer_is_told_again(name: Hostile) -> None:
    desk = Desk(authority(HostileAnswer(name=name)))
    lines = recorded(desk, flow())
    assert_told_again(lines)
    without_secrets(desk, lines)


@pytest.mark.parametrize("requests", ["1", "2", "1-2"])
@pytest.mark.parametrize("name", [Hostile.KEYS_UNKNOWN_KID, Hostile.KEYS_UNAVAILABLE, Hostile.KEYS_EMPTY])
def test_keys_that_change_or_come_late_are_told_again(name: Hostile, requests: str) -> None:
    unknown = HostileAnswer(name=Hostile.KEYS_UNKNOWN_KID, requests=1)
    faults = (HostileAnswer(name=name, requests=requests), *([unknown] if requests == "2" else []))
    desk = Desk(authority(*faults))
    lines = recorded(desk, flow())
    assert_told_again(lines)
    without_secrets(desk, lines)


def test_a_store_that_fails_is_told_by_its_kind_alone() -> None:
    desk = Desk(store=[StoreFailed(FULL)])
    lines = recorded(desk, flow())
    assert_told_again(lines)
    without_secrets(desk, lines)
    last = json.loads(lines[-1])
    assert last["event"]["error"] == "auth_write_failed"
    assert last["effect"]["error"] == "auth_write_failed"


@pytest.mark.parametrize("policy", [{"plan_use": False}, {"client_id_on_return": False}, {"approve": "deny"}])
def test_other_ways_are_told_again(policy: dict[str, Any]) -> None:
    desk = Desk(authority(**policy))
    lines = recorded(desk, flow())
    assert_told_again(lines)
    without_secrets(desk, lines)


def test_a_scope_that_was_not_asked_for_is_a_fake() -> None:
    granted = CHATGPT.scopes[:2]
    narrow = attrs.evolve(FIRST, scopes=granted)
    lines: list[str] = []
    desk = Desk()
    recorder = Recorder(flow=flow(), write=lines.append)
    recorder.flow.provider = narrow
    desk.run(recorder)
    assert "chatgpt.tokens.use.direct" not in "".join(lines[1:])


def test_it_is_of_this_dialect_and_no_other() -> None:
    lines = recorded(Desk(), flow())
    assert replay(lines, CHATGPT).same
    assert replay(lines, FIRST).same
    with pytest.raises(TraceError, match="another dialect"):
        replay(lines, CODEX)


@pytest.mark.parametrize(
    ("name", "value"), [("error", "nonsense"), ("error", 7), ("wall", "x"), ("at", None)]
)
def test_a_stored_event_that_does_not_fit_is_no_trace(name: str, value: Any) -> None:
    lines = recorded(Desk(), flow())
    steps = [json.loads(line) for line in lines]
    (at,) = (i for i, step in enumerate(steps) if step.get("event", {}).get("kind") == "stored")
    steps[at]["event"][name] = value
    with pytest.raises(TraceError, match=f"Line {at + 1}"):
        replay([json.dumps(step) for step in steps])


def test_a_secret_of_a_registration_error_is_in_no_line() -> None:
    assert Secret("canary").reveal() not in "".join(recorded(Desk(store=[StoreFailed(FULL)]), flow()))


def test_times_are_rounded_as_everywhere() -> None:
    desk = Desk()
    desk.world.at, desk.world.wall = desk.world.at + 0.123456789, desk.world.wall + 0.123456789
    desk.slow = 0.987654321
    stored = next(json.loads(line)["event"] for line in recorded(desk, flow()) if '"stored"' in line)
    assert stored["wall"] == round(stored["wall"], 3)
    assert stored["at"] == round(stored["at"], 6)
