"""No text of a server, and no secret of ours, is in a trace: not in any scenario, nor for any answer."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.testing import SCENARIOS, Lost, Reply
from codex_oauth_core import CODEX, Credential, DeviceFlow
from codex_oauth_core.codex.codes import known_code
from codex_oauth_core.reading.json_body import as_object
from codex_oauth_core.traces import replay
from tests.support import issued, jwt, tokens
from tests.traces.hostile import MARK, canaries, claims_of, sign_ins, unfolded
from tests.traces.runs import (
    BROWSER,
    PAIR,
    STATE,
    Told,
    back,
    record,
    record_browser,
    record_device,
    then_lost,
)

ELSEWHERE = attrs.evolve(
    CODEX.at("https://canary-host.example"), client_id="canary-client", originator="canary-app"
)
OURS = {"application/json", "Bearer", "text/html"}
"""Texts that a renderer writes of its own."""


def told_by(replies: tuple[Reply | Lost, ...]) -> set[str]:
    """The canaries of a scenario: its texts, but for the codes that this library knows by heart."""
    texts = canaries(list(replies)) - OURS
    return {
        text.lower() for text in texts if len(text) > 3 and known_code(text) != text and not text.isdigit()
    }


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_text_of_a_scenario_is_in_its_trace(scenario: object) -> None:
    assert isinstance(scenario, type(SCENARIOS[0]))
    marked = tuple(_marked(reply) for reply in scenario.replies)
    left = record_device(attrs.evolve(scenario, replies=marked), ELSEWHERE)
    trace = unfolded(left.text)
    assert MARK not in trace
    assert {text for text in told_by(marked) if text in trace} == set()


def _marked(reply: Reply | Lost) -> Reply | Lost:
    """The answer with canaries for its texts, and with one more member and two more headers."""
    if isinstance(reply, Lost) or not reply.body.startswith(b"{"):
        return reply
    body = {**_canary(json.loads(reply.body)), "canary": "canary"}
    headers = {**reply.headers, "X-Request-Id": "canary-request", "Set-Cookie": "canary-cookie=1"}
    return attrs.evolve(reply, body=json.dumps(body).encode(), headers=headers)


def _canary(value: Any) -> Any:
    if members := as_object(value):
        return {name: _canary(each) for name, each in members.items()}
    if not isinstance(value, str):
        return value
    if claims := claims_of(value):
        return jwt({name: _canary_claim(each) for name, each in claims[0].items()})
    return value.replace("fake", "canary").replace("prose", "canary prose")


def _canary_claim(value: Any) -> Any:
    if members := as_object(value):
        return {name: _canary_claim(each) for name, each in members.items()}
    return f"canary-{value}" if isinstance(value, str) else value


@pytest.mark.parametrize("told", BROWSER, ids=lambda told: told.name)
def test_no_text_of_a_browser_sign_in_is_in_its_trace(told: Told) -> None:
    trace = unfolded(record_browser(told).text)
    assert MARK not in trace
    assert not any(
        secret.lower() in trace for secret in (STATE, PAIR.code_verifier.reveal(), PAIR.code_challenge)
    )


@given(sign_ins(), st.sampled_from([(), ("canary-workspace", "acct_fake")]), st.floats(0, 200) | st.none())
def test_no_text_of_any_server_is_in_a_trace(
    replies: list[Reply | Lost], workspaces: tuple[str, ...], cancelled_after: float | None
) -> None:
    cancel_at = None if cancelled_after is None else 1_000_003.25 + cancelled_after
    flow = DeviceFlow(provider=ELSEWHERE, workspaces=workspaces)
    left = record(flow, then_lost(replies), cancel_at=cancel_at)
    trace = unfolded(left.text)
    assert MARK not in trace
    assert "example" not in trace


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_of_any_redirect_is_in_a_trace(before: str, after: str) -> None:
    told = Told(
        "any", (back(f"canary={before}&code=x"), back(f"{after}&code=canary-c&state={STATE}&x={before}"))
    )
    assert MARK not in unfolded(record_browser(told).text)


def test_equal_accounts_stay_equal_and_others_differ() -> None:
    ours = next(each for each in SCENARIOS if each.name == "approved at once")
    kept = record_device(attrs.evolve(ours, workspaces=("acct_other", "acct_fake")))
    header, last = json.loads(kept.lines[0]), json.loads(kept.lines[-1])
    assert isinstance(kept.outcome, Credential)
    assert last["effect"]["account"] == header["workspaces"][1] != header["workspaces"][0]


def test_the_numbers_that_a_flow_acts_on_stay() -> None:
    replies = (issued(interval=7, expires_in=333), *SCENARIOS[0].replies[1:2], tokens(expires_in=777))
    ours = attrs.evolve(SCENARIOS[0], replies=replies)
    told = [json.loads(line)["event"] for line in record_device(ours).lines[1:]]
    bodies = [json.loads(event["body"]) for event in told if event["kind"] == "response"]
    assert (bodies[0]["interval"], bodies[0]["expires_in"], bodies[2]["expires_in"]) == ("7", 333, 777)
    assert replay(record_device(ours).lines).same


def test_a_host_is_told_only_if_it_is_the_usual_one() -> None:
    places = {CODEX: "default", CODEX.at("http://127.0.0.1:9"): "loopback", ELSEWHERE: "other"}
    for provider, issuer in places.items():
        header = json.loads(record_device(SCENARIOS[0], provider).lines[0])
        assert header["issuer"] == issuer
        assert set(header) == {
            *("format", "version", "library", "flow", "dialect"),
            *("issuer", "lifetime", "request_timeout", "workspaces"),
        }
