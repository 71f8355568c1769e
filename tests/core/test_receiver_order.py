"""The order of the receiver's checks, by requests that fail two at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import attrs
import pytest

from codex_oauth_core.receiver.receiver import CHECKS
from tests.fuzz.callback_requests import GENUINE, TARGET, answer, gate, request, status


@attrs.frozen
class Shape:
    """A request before it is written down; the genuine one unless changed."""

    target: str = TARGET
    method: str = "GET"
    version: str = "HTTP/1.1"
    host: str = "localhost:1455"
    fields: tuple[str, ...] = ()
    used: bool = False

    def answer(self) -> bytes:
        one = gate()
        if self.used:
            answer(GENUINE, one)
        data = request(self.target, *self.fields, method=self.method, version=self.version, host=self.host)
        return answer(data, one)


def with_field(field: str) -> Callable[[Shape], Shape]:
    return lambda shape: attrs.evolve(shape, fields=(*shape.fields, field))


FAULTS: dict[str, tuple[Callable[[Shape], Shape], int | None]] = {
    "protocol": (with_field("Upgrade: h2c"), None),
    "method": (lambda shape: attrs.evolve(shape, method="POST"), 405),
    "version": (lambda shape: attrs.evolve(shape, version="HTTP/1.0"), 400),
    "target form": (lambda shape: attrs.evolve(shape, target=shape.target + "#x"), 400),
    "path": (lambda shape: attrs.evolve(shape, target="/x" + shape.target), 404),
    "host": (lambda shape: attrs.evolve(shape, host="evil.example:1455"), 421),
    "no body": (with_field("Content-Length: 1"), 400),
    "Sec-Fetch-Mode": (with_field("Sec-Fetch-Mode: cors"), 403),
    "Sec-Fetch-Dest": (with_field("Sec-Fetch-Dest: image"), 403),
    "no prefetch": (with_field("Sec-Purpose: prefetch"), 503),
    "first use": (lambda shape: attrs.evolve(shape, used=True), 410),
}
NAMES = [check.name for check in CHECKS]


def test_every_check_is_tried_here_and_the_table_is_in_this_order() -> None:
    assert list(FAULTS) == NAMES
    assert status(Shape().answer()) == 200


@pytest.mark.parametrize("name", NAMES)
def test_each_check_alone_has_its_answer(name: str) -> None:
    (check,) = (check for check in CHECKS if check.name == name)
    fault, expected = FAULTS[name]
    sent = fault(Shape()).answer()
    assert sent == check.otherwise.head + check.otherwise.body
    assert status(sent) == expected


@pytest.mark.parametrize(("first", "second"), list(combinations(NAMES, 2)))
def test_of_two_failing_checks_the_earlier_one_answers(first: str, second: str) -> None:
    (fault, expected), (other, _) = FAULTS[first], FAULTS[second]
    assert status(fault(other(Shape())).answer()) == status(other(fault(Shape())).answer()) == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_check_comes_before_the_state(name: str) -> None:
    fault, expected = FAULTS[name]
    wrong = Shape(target="/auth/callback?code=c&state=wrong")
    assert status(wrong.answer()) == 400
    assert status(fault(wrong).answer()) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (request("/x", "X: \0", method="POST"), 400),  # malformed, before the method
        (request("/" + "x" * 9000, "X: \0", method="POST"), 414),  # too long, before malformed
        (request(TARGET, "Host: evil.example", method="POST"), 400),  # two hosts, before the method
        (request("/x", "Upgrade: websocket", *["X: y"] * 100), 431),  # too many, before the protocol
        (b"\x16" + b"x" * 9000, None),  # no HTTP, before too long
    ],
)
def test_what_cannot_be_read_is_refused_before_it_is_checked(data: bytes, expected: int | None) -> None:
    assert status(answer(data)) == expected
