"""Errors are closed, stable and free of secrets."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from codex_oauth_core.errors import KINDS, ErrorKind, SignInError


def test_every_kind_has_a_message_and_something_to_do() -> None:
    assert set(KINDS) == set(ErrorKind)
    for facts in KINDS.values():
        assert facts.message.endswith(".")
        assert facts.next_actions
        assert all(action.endswith(".") for action in facts.next_actions)
    assert len({facts.message for facts in KINDS.values()}) == len(ErrorKind)


@pytest.mark.parametrize("kind", ErrorKind)
def test_an_error_serialises_with_stable_keys(kind: ErrorKind) -> None:
    error = SignInError.of(kind, code="x", status=None)
    assert json.loads(json.dumps(error.to_dict())) == {
        "ok": False,
        "error": {
            "kind": kind.value,
            "message": KINDS[kind].message,
            "details": {"code": "x"},
            "retryable": KINDS[kind].retryable,
            "next_actions": list(KINDS[kind].next_actions),
        },
    }


def test_an_error_is_an_exception_that_says_its_message() -> None:
    error = SignInError.of(ErrorKind.DENIED)
    with pytest.raises(SignInError, match=r"The sign-in was denied\."):
        raise error
    assert repr(error) == "SignInError(kind='denied', details={})"
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert twin.to_dict() == error.to_dict()
