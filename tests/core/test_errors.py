"""Errors are closed, stable and free of secrets."""

from __future__ import annotations

import copy
import json
import pickle
import traceback

import attrs
import pytest

from codex_oauth_core.errors import KINDS, ErrorKind, SignInError


def test_every_kind_has_a_message_and_something_to_do() -> None:
    assert set(KINDS) == set(ErrorKind)
    for facts in KINDS.values():
        assert facts.message.endswith(".")
        assert facts.next_actions
        assert all(action.endswith(".") or ": codex-oauth " in action for action in facts.next_actions)
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


def test_an_error_is_an_exception_that_says_its_kind_and_its_message() -> None:
    error = SignInError.of(ErrorKind.DENIED, code="CANARY")
    with pytest.raises(SignInError, match=r"^denied: The sign-in was denied\."):
        raise error
    assert str(error) == "denied: The sign-in was denied."
    assert repr(error) == "SignInError(kind='denied', details={'code': 'CANARY'})"


def twins(error: SignInError) -> list[SignInError]:
    """The error as it comes out of whatever makes another of it."""
    return [copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error)), attrs.evolve(error)]


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_traceback_ends_with_what_to_do_once(kind: ErrorKind) -> None:
    error = SignInError.of(kind, code="CANARY")
    for each in (error, *twins(error)):
        assert each.to_dict() == error.to_dict()
        try:
            raise each
        except SignInError:
            with pytest.raises(SignInError) as again:
                raise
        lines = "".join(traceback.format_exception(again.value)).splitlines()
        name = "codex_oauth_core.errors.SignInError"
        assert lines[lines.index(f"{name}: {error}") :] == [f"{name}: {error}", *error.next_actions]
        assert "CANARY" not in "".join(lines)


def test_a_note_of_the_caller_comes_last() -> None:
    error = SignInError.of(ErrorKind.NETWORK)
    error.add_note("While the report was made.")
    assert error.__notes__ == [*error.next_actions, "While the report was made."]
