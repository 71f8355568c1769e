"""Every name that a renderer writes is one that the reader reads; and no number of a server breaks either.

Rules of this file: a name is shown to be read by writing the same answer with another name, or another value,
in its place: the fact must change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from codex_oauth_core.codex import CODEX, render
from codex_oauth_core.codex.answers import read_device_authorization
from codex_oauth_core.codex.token_answers import CLAIMS
from codex_oauth_core.credential import DeviceAuthorization
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import Approved, Granted, Issued, Pending, Refusal, SlowDown, Tokens, TryAgain
from codex_oauth_core.reading.jwt import read_claims
from codex_oauth_core.rendering import Rendered
from codex_oauth_core.secret import Secret
from tests.codex_readers import read_exchange, read_poll, read_refresh
from tests.support import there

E = ErrorKind
AT, WALL = 1_000_003.25, 1_790_000_000.0
DEVICE = DeviceAuthorization(Secret("id"), "ABCD-EFGH", 7.0, there(CODEX.verification_uri), 600.0)
TOKENS = Tokens(
    Secret("a"),
    Secret("r"),
    Secret("i"),
    864_000.0,
    earliest_refresh_at=1_790_000_000_123,
    server_time=WALL,
)

Read = Callable[[ResponseReceived], Any]


def read_device(response: ResponseReceived) -> Any:
    return read_device_authorization(CODEX, response)


ANSWERS: dict[str, tuple[Read, Rendered]] = {
    "issued": (read_device, render.render_device_authorization(Issued(DEVICE))),
    "no code": (
        read_device,
        render.render_device_authorization(Refusal(E.INVALID_RESPONSE, reason="user_code", status=200)),
    ),
    "approved": (read_poll, render.render_poll(Approved(Secret("c"), Secret("v" * 43)))),
    "pending": (read_poll, render.render_poll(Pending())),
    "slow down": (read_poll, render.render_poll(SlowDown(interval=9.0))),
    "slow down later": (read_poll, render.render_poll(SlowDown(interval=9.0, retry_after=30.0))),
    "rate limit": (read_poll, render.render_poll(SlowDown(interval=9.0, limited=True))),
    "expired": (read_poll, render.render_poll(Refusal(E.EXPIRED))),
    "another challenge": (
        read_poll,
        render.render_poll(Refusal(E.INVALID_RESPONSE, reason="challenge_mismatch", status=200)),
    ),
    "granted": (read_exchange, render.render_exchange(Granted(TOKENS))),
    "renewed": (read_refresh, render.render_refresh(Granted(TOKENS))),
    "login over": (read_refresh, render.render_refresh(Refusal(E.LOGIN_REQUIRED, "invalid_grant"))),
    "busy": (read_refresh, render.render_refresh(TryAgain(E.NETWORK, status=503, retry_after=30.0))),
}

FREE = {"message": ("slow down", "rate limit", "slow down later", "pending", "login over")}
"""Names that are for people, in these answers: nobody reads them."""

VALUES: Mapping[str, object] = {"code_challenge": "x", "token_type": "unusable"}
"""Names that a success may lack: with another value it means something else."""
SUCCESSES = ("approved", "granted", "renewed")


def paths(fields: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in fields.items():
        yield (*way, name)
        if isinstance(value, dict):
            yield from paths(value, (*way, name))


def fields_of(answer: Rendered) -> Any:
    return json.loads(answer.body.reveal())


EVERY_NAME = [
    (name, path)
    for name, (_, answer) in ANSWERS.items()
    for path in paths(fields_of(answer))
    if name not in FREE.get(path[-1], ())
]


@pytest.mark.parametrize(
    ("name", "path"), EVERY_NAME, ids=lambda each: each if isinstance(each, str) else ".".join(each)
)
def test_every_name_in_a_body_is_read(name: str, path: tuple[str, ...]) -> None:
    read, answer = ANSWERS[name]
    fields = fields_of(answer)
    *outer, last = path
    inner = fields
    for each in outer:
        inner = inner[each]
    value = inner.pop(last)
    optional = last in VALUES and name in SUCCESSES
    inner[last if optional else f"x_{last}"] = VALUES[last] if optional else value
    other = Rendered(answer.status, answer.headers, Secret(json.dumps(fields).encode()))
    assert read(other.received(AT, AT, WALL)) != read(answer.received(AT, AT, WALL))


@pytest.mark.parametrize("name", ANSWERS)
def test_every_header_but_the_kind_of_the_body_is_read(name: str) -> None:
    read, answer = ANSWERS[name]
    for header, _ in answer.headers:
        rest = tuple(each for each in answer.headers if each[0] != header)
        other = Rendered(answer.status, rest, answer.body)
        same = read(other.received(AT, AT, WALL)) == read(answer.received(AT, AT, WALL))
        assert same is (header == "Content-Type"), header


def test_the_names_in_a_token_are_those_that_are_read() -> None:
    wrong = Tokens(
        Secret("a"), Secret("r"), problem="token_type", token_expires_at=WALL + 60, account_id="acc-1"
    )
    answer = render.render_refresh(Granted(wrong))
    token = Secret(fields_of(answer)["access_token"])
    assert read_claims(token) == {"exp": WALL + 60, CLAIMS: {"chatgpt_account_id": "acc-1"}}
    again = read_refresh(answer.received(AT, AT, WALL))
    assert isinstance(again, Granted)
    assert (again.tokens.token_expires_at, again.tokens.account_id) == (WALL + 60, "acc-1")
    assert again.tokens.problem == "token_type"


# -- numbers -------------------------------------------------------------------------------------------

NUMBERS = ("1e999", "-1e999", "1e308", "1e15", "1e14", "999999999999999.5", "0.5", "-0.0", "NaN", "1" * 400)
MEMBERS = {
    "issued": ("interval", "expires_in"),
    "granted": ("expires_in", "earliest_refresh_at"),
    "renewed": ("expires_in", "earliest_refresh_at"),
    "slow down": ("interval",),
}
RENDER: dict[str, Callable[[Any], Rendered]] = {
    "issued": render.render_device_authorization,
    "granted": render.render_exchange,
    "renewed": render.render_refresh,
    "slow down": render.render_poll,
}


@pytest.mark.parametrize("number", NUMBERS, ids=lambda text: text[:20])
@pytest.mark.parametrize(("name", "member"), [(name, each) for name in MEMBERS for each in MEMBERS[name]])
def test_whatever_number_a_server_writes_its_fact_is_rendered(name: str, member: str, number: str) -> None:
    read, answer = ANSWERS[name]
    text = json.dumps({**fields_of(answer), member: "@"}).replace('"@"', number)
    fact = read(Rendered(answer.status, answer.headers, Secret(text.encode())).received(AT, AT, WALL))
    again = RENDER[name](fact)
    assert "Infinity" not in again.body.reveal().decode()
    assert read(again.received(AT, AT, WALL)) == fact
