"""An answer that was pending is read once; what it means is the same as if it had been read each time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.testing import Reply
from codex_oauth_core import CODEX, DeviceAuthorization, Secret
from codex_oauth_core.codex import answers
from codex_oauth_core.codex.requests import poll_request
from codex_oauth_core.facts import Approved, Pending, PollFact
from codex_oauth_core.reading.json_body import read_json
from tests.codex_readers import read_poll
from tests.core.test_poll_order import GRANTED, Answer
from tests.core.test_poll_order import answers as any_answers
from tests.support import PENDING, VERIFIER, approved, as_json, code, response


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    answers._PENDING_SEEN.clear()
    yield
    answers._PENDING_SEEN.clear()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Counts the bodies that are parsed."""
    counted = Mock(side_effect=read_json)
    monkeypatch.setattr(answers, "read_json", counted)
    return counted


QUIET = Reply(403, b"{}", {})
EMPTY = Reply(404, b"", {})


@pytest.mark.parametrize("reply", [PENDING, code("authorization_pending", 400), QUIET, EMPTY])
def test_a_pending_answer_is_read_once(reply: Reply, reads: Mock) -> None:
    first = read_poll(response(reply))
    assert isinstance(first, Pending)
    assert [read_poll(response(reply)) for _ in range(9)] == [first] * 9
    assert reads.call_count == 1


@pytest.mark.parametrize(
    "reply",
    [
        approved(),
        code("slow_down", 400, {"Retry-After": "9"}),
        code("access_denied", 400),
        code("deviceauth_not_found", 404),
        code("weird", 403),
        Reply(503, b"{}", {}),
    ],
)
def test_any_other_answer_is_read_each_time_and_leaves_nothing(reply: Reply, reads: Mock) -> None:
    assert read_poll(response(reply)) == read_poll(response(reply))
    assert reads.call_count == 2
    assert answers._PENDING_SEEN == {}


def test_the_same_body_at_another_status_is_another_answer() -> None:
    assert read_poll(response(QUIET)) == Pending(named=False)
    assert not isinstance(read_poll(response(Reply(500, QUIET.body, {}))), Pending)
    assert not isinstance(read_poll(response(Reply(200, QUIET.body, {}))), Pending)


def test_a_body_that_is_pending_at_one_status_is_an_approval_at_another() -> None:
    granted = {"authorization_code": GRANTED, "code_verifier": VERIFIER, "error": "authorization_pending"}
    assert isinstance(read_poll(response(as_json(403, granted))), Pending)
    assert isinstance(read_poll(response(as_json(200, granted))), Approved)


def _once_and_again(reply: Reply) -> tuple[PollFact, PollFact, PollFact]:
    return read_poll(response(reply)), read_poll(response(reply)), answers._read_poll(response(reply))


@given(any_answers, st.sampled_from([{}, {"cf-mitigated": "challenge"}, {"content-type": "text/html"}]))
def test_what_is_remembered_means_what_is_read(answer: Answer, headers: dict[str, str]) -> None:
    """Headers, which a memory by status and body does not see, are the ones that matter to other answers."""
    plain = answer.reply
    once, again, afresh = _once_and_again(Reply(plain.status, plain.body, {**plain.headers, **headers}))
    assert once == again == afresh


def test_no_body_is_kept() -> None:
    secret = "device-auth-id-that-is-secret"
    body = {"error": "authorization_pending", "device_auth_id": secret}
    assert isinstance(read_poll(response(as_json(403, body))), Pending)
    [(status, digest)] = answers._PENDING_SEEN
    assert status == 403
    assert len(digest) == 32
    assert secret not in repr(answers._PENDING_SEEN)


def test_few_are_kept_and_none_that_is_long(reads: Mock) -> None:
    for number in range(500):
        body = {"error": {"code": "authorization_pending", "request_id": f"{number}"}}
        assert isinstance(read_poll(response(as_json(403, body))), Pending)
        assert len(answers._PENDING_SEEN) <= 64
    assert reads.call_count == 500
    answers._PENDING_SEEN.clear()
    for length in (512, 513):
        padded = b'{"error": "authorization_pending"}'.ljust(length)
        assert isinstance(read_poll(response(Reply(403, padded, {}))), Pending)
        assert len(answers._PENDING_SEEN) == 1


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_is_sent_is_written_as_json_is(one: str, other: str) -> None:
    device = DeviceAuthorization(Secret(one), other, 5.0, "https://example.com", 900.0)
    request = poll_request(CODEX, device)
    assert request is not None
    assert request.body.reveal().decode() == json.dumps({"device_auth_id": one, "user_code": other})
