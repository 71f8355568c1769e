"""Searches for answers and files that a renewal does not stand: `python -m tests.fuzz.fuzz_readers`.

Rules of this file: every round draws new examples, from nothing and from genuine ones; what breaks a promise
is made as small as possible and printed as Python, to become a named test.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.answers import ANSWERS, RECORDS, as_bytes, check_answer, check_record
from tests.strategies import json_values, objects

__all__ = ["TARGETS", "answers", "falsify", "files", "main"]

ROUND: Final = settings(
    max_examples=300,
    deadline=None,
    database=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow,),
    print_blob=False,
)

Promise = Callable[[bytes], None]
Target = tuple[st.SearchStrategy[bytes], Promise]

_PIECES: Final = st.sampled_from(
    [
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b"\\",
        b"\n",
        b"\0",
        b"\xff",
        b"null",
        b"true",
        b"NaN",
        b"1e400",
    ]
    + [b"-1", b'"refresh_token"', b'"error"', b'"code"', b"invalid_grant", b"[" * 2000, b"9" * 5000, b"200 "]
    + [b"\\ud800", b"\\u0000", b"x" * 20_000, b'"schema_version": 1,', b'"credential"', b'"intent": {}']
) | st.binary(max_size=6)


def _edited(data: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    def apply(text: bytes, edit: tuple[int, int, bytes]) -> bytes:
        start = edit[0] % (len(text) + 1)
        return text[:start] + edit[2] + text[start + edit[1] :]

    return reduce(apply, edits, data)


def _edits_of(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    edits = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 16), _PIECES), max_size=4)
    return st.builds(_edited, st.sampled_from(seeds), edits)


_FIELDS: Final = ("access_token", "refresh_token", "id_token", "expires_in", "token_type", "error", "code")


def answers() -> st.SearchStrategy[bytes]:
    """Anything that may come for a refresh token."""
    status = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 407, 408, 429, 500, 503]) | st.integers(
        0, 999
    )
    waits = st.sampled_from(["", "3", "0", "1000000000", "soon", "-1"])
    kinds = st.sampled_from(["application/json", "text/html", "text/plain", ""])
    bodies = objects(*_FIELDS) | json_values | st.binary(max_size=100)
    return st.one_of(
        st.binary(max_size=200), st.builds(as_bytes, status, bodies, waits, kinds), _edits_of(ANSWERS)
    )


def _changed(document: Mapping[str, Any], inside: Mapping[str, Any], outside: Mapping[str, Any]) -> bytes:
    return json.dumps({**document, "credential": {**document["credential"], **inside}, **outside}).encode()


def files() -> st.SearchStrategy[bytes]:
    """Anything that may be in a login's file."""
    whole = json.loads(RECORDS[0])
    inner = st.dictionaries(st.sampled_from(sorted(whole["credential"])), json_values, max_size=2)
    outer = st.dictionaries(st.sampled_from(sorted(whole)), json_values, max_size=2)
    members = st.builds(_changed, st.just(whole), inner, outer)
    return st.one_of(
        st.binary(max_size=200),
        json_values.map(lambda v: json.dumps(v).encode()),
        members,
        _edits_of(RECORDS),
    )


TARGETS: Final[Mapping[str, Target]] = {
    "answers": (answers(), check_answer),
    "files": (files(), check_record),
}


def falsify(target: Target, number: int, how: settings = ROUND) -> tuple[bytes, Exception] | None:
    """One round: the smallest input that breaks the promise, with the reason, or None."""
    inputs, promise = target
    last = b""

    @seed(number)
    @how
    @given(inputs)
    def search(data: bytes) -> None:
        nonlocal last
        last = data
        promise(data)

    try:
        search()
    except Exception as error:  # noqa: BLE001  # whatever it is, it was promised not to be
        return last, error
    return None


def main(arguments: Sequence[str] | None = None, targets: Mapping[str, Target] = TARGETS) -> int:
    """Search for so many seconds, in turns. 0: nothing was found; 1: something was, and is printed."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of answers and of stored logins.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to search (%(default)s)")
    options = parser.parse_args(arguments)
    ends, rounds = time.monotonic() + options.seconds, 0
    while not rounds or time.monotonic() < ends:
        for name, target in targets.items():
            number = random.SystemRandom().getrandbits(64)
            found = falsify(target, number)
            if found is not None:
                data, error = found
                print(f"{name}: {type(error).__name__} (seed {number})\n{data!r}")
                return 1
        rounds += 1
    print(f"nothing found in {rounds * ROUND.max_examples} examples of each: {', '.join(targets)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
