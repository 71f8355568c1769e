"""What a person is told of a request that brought no usable answer: the host, the reason, and when the next try is."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from codex_oauth_core import (
    CODEX,
    Cause,
    DeviceFlow,
    ErrorKind,
    Finished,
    Phase,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignInError,
    Started,
    Wait,
    Why,
    restore,
)
from codex_oauth_core.events import Resumed, TimeReached
from codex_oauth_core.flows.no_answer import naming, sentence, why_no_answer

T0, W0 = 1000.0, 1_800_000_000.0
HOST = "auth.openai.com"
SENT = SendRequest(DeviceFlow(provider=CODEX).receive(Started(T0, W0)).request, 15.0)  # type: ignore[union-attr]
NO_HOST = (Cause.PROXY_AUTH, Cause.MISCONFIGURED)


def failed(cause: Cause, errno: str | None = None, at: float = T0) -> RequestFailed:
    return RequestFailed(at, Phase.NOT_SENT, cause, errno=errno)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.MISCONFIGURED])
def test_each_cause_has_a_clause_which_names_the_host(cause: Cause) -> None:
    kind = ErrorKind.TLS_UNTRUSTED if cause is Cause.TLS_CERTIFICATE else ErrorKind.NETWORK
    clause = why_no_answer(SENT, failed(cause), kind)
    assert clause is not None
    assert (HOST in clause) is (cause not in NO_HOST)
    assert "{" not in clause
    assert len(f"codex-oauth: {sentence(clause)}") <= 80


def test_the_systems_reason_is_told_of_a_connection_and_of_nothing_else() -> None:
    said = {
        "ECONNREFUSED": f"{HOST} refused the connection",
        "ENETUNREACH": f"this machine has no network route to {HOST}",
        "EWHATEVER": f"{HOST} could not be reached",
        None: f"{HOST} could not be reached",
    }
    for errno, clause in said.items():
        assert why_no_answer(SENT, failed(Cause.CONNECT, errno), ErrorKind.NETWORK) == clause
    assert why_no_answer(SENT, failed(Cause.DNS, "ECONNREFUSED"), ErrorKind.NETWORK) == (
        f"{HOST} was not found: no such host, or no network"
    )
    assert why_no_answer(SENT, failed(Cause.TIMEOUT), ErrorKind.NETWORK) == f"{HOST} did not answer in 15 s"


def test_a_setting_of_this_machine_is_not_about_the_host() -> None:
    assert why_no_answer(SENT, failed(Cause.MISCONFIGURED), ErrorKind.MISCONFIGURED) is None


@pytest.mark.parametrize(
    ("clause", "said"),
    [
        ("auth.example refused it", "auth.example refused it."),
        ("the proxy asks", "The proxy asks."),
    ],
)
def test_a_sentence_begins_with_a_capital_letter_but_for_a_hosts_name(clause: str, said: str) -> None:
    assert sentence(clause) == said


def test_a_message_that_somebody_has_chosen_stays() -> None:
    chosen = SignInError.of(ErrorKind.NETWORK, "Another process has the lock.")
    assert naming("auth.example refused it", chosen) is chosen
    usual = SignInError.of(ErrorKind.NETWORK, cause="connect")
    assert naming("auth.example refused it", usual).message == "auth.example refused it."
    assert naming("auth.example refused it", usual).details == {"cause": "connect"}
    assert naming(None, usual) is usual
    other = SignInError.of(ErrorKind.DENIED)
    assert naming("auth.example refused it", other) is other


def waiting(flow: DeviceFlow) -> Wait:
    assert isinstance(flow.effect, Wait)
    return flow.effect


def polling() -> tuple[DeviceFlow, float]:
    """A flow whose poll is out."""
    flow = DeviceFlow(provider=CODEX)
    flow.receive(Started(T0, W0))
    body = b'{"device_auth_id":"id","user_code":"ABCD-12345","interval":"5"}'
    json = {"content-type": "application/json"}
    flow.receive(ResponseReceived(T0, T0, W0, 200, json, body))
    at = waiting(flow).until
    flow.receive(TimeReached(at))
    return flow, at


def test_who_waits_for_another_try_is_told_why_and_a_poll_that_works_ends_it() -> None:
    flow, at = polling()
    flow.receive(failed(Cause.CONNECT, "ECONNREFUSED", at))
    wait = waiting(flow)
    assert (wait.why, wait.cause, wait.trouble) == (
        Why.RETRY,
        ErrorKind.NETWORK,
        f"{HOST} refused the connection",
    )
    flow.receive(TimeReached(wait.until))
    html = {"content-type": "text/html"}
    flow.receive(ResponseReceived(wait.until, wait.until, W0, 502, html, b"<html>"))
    assert HOST in (waiting(flow).trouble or "")
    flow.receive(TimeReached(waiting(flow).until))
    pending = b'{"error":{"code":"deviceauth_authorization_pending"}}'
    at = waiting_until = flow._now
    json = {"content-type": "application/json"}
    flow.receive(ResponseReceived(at, waiting_until, W0, 403, json, pending))
    assert (waiting(flow).cause, waiting(flow).trouble) == (None, None)


def test_it_tells_no_two_waits_apart() -> None:
    """A wait of a trace or of a checkpoint has none, and is the same wait."""
    assert Wait(1.0, Why.RETRY, trouble="a") == Wait(1.0, Why.RETRY)
    assert "trouble" not in repr(Wait(1.0, Why.RETRY, trouble="a"))


def test_the_last_failure_names_the_host_also_after_a_checkpoint() -> None:
    flow, at = polling()
    flow.receive(failed(Cause.TIMEOUT, at=at))
    picked_up: Any = restore(flow.checkpoint(at=at, wall=W0, handed_over=True), CODEX)
    picked_up.receive(Resumed(at, W0))
    assert waiting(picked_up).trouble == f"{HOST} did not answer in 15 s"
    ended = picked_up.receive(TimeReached(at + 5000.0))
    assert isinstance(ended, Finished)
    assert isinstance(ended.outcome, SignInError)
    assert (ended.outcome.kind, ended.outcome.message) == (
        ErrorKind.NETWORK,
        f"{HOST} did not answer in 15 s.",
    )
    assert "host" not in ended.outcome.details  # what programs get is as it was


def test_a_copy_knows_it_too() -> None:
    flow, at = polling()
    flow.receive(failed(Cause.CONNECT, at=at))
    twin = copy.copy(flow)
    ended = twin.receive(TimeReached(at + 5000.0))
    assert isinstance(ended, Finished)
    assert isinstance(ended.outcome, SignInError)
    assert ended.outcome.message == f"{HOST} could not be reached."
