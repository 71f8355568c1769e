"""How defaults look in the signatures that `help()` shows."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Iterator

import attrs
import pytest

import codex_oauth
import codex_oauth_core
from codex_oauth import CHATGPT, CODEX, RenewalPolicy, TokenSource
from codex_oauth.clock import now
from codex_oauth_core import Texts
from codex_oauth_core.short_repr import Named

LONGEST = 110


def _callables() -> Iterator[tuple[str, object]]:
    for package in (codex_oauth_core, codex_oauth):
        for name in package.__all__:
            found = getattr(package, name)
            if callable(found):
                yield name, found
                if inspect.isclass(found):
                    yield from (
                        (f"{name}.{key}", each)
                        for key, each in vars(found).items()
                        if inspect.isfunction(each)
                    )


CALLABLES = dict(_callables())


def test_there_is_something_to_look_at() -> None:
    assert len(CALLABLES) > 200


@pytest.mark.parametrize("name", CALLABLES)
def test_no_signature_shows_an_address_or_a_long_value(name: str) -> None:
    try:
        signature = inspect.signature(CALLABLES[name])  # type: ignore[arg-type]
    except ValueError:  # a builtin's
        return
    shown = {
        each.name: repr(each.default)
        for each in signature.parameters.values()
        if each.default is not each.empty
    }
    assert {key: text for key, text in shown.items() if " at 0x" in text or len(text) > LONGEST} == {}


def test_the_constants_are_called_what_programs_call_them() -> None:
    assert (repr(CODEX), repr(CHATGPT), repr(now)) == ("CODEX", "CHATGPT", "now")
    assert "provider: 'Provider' = CODEX" in str(inspect.signature(codex_oauth.DeviceFlow))
    assert "policy: 'RenewalPolicy' = RenewalPolicy(), " in str(inspect.signature(TokenSource))
    assert "now: 'Clock' = now, " in str(inspect.signature(TokenSource))


@pytest.mark.parametrize(
    "other", [CODEX.at("https://login.example"), CODEX.registered("app_other"), attrs.evolve(CODEX, hosts=())]
)
def test_what_is_made_of_a_constant_is_not_called_like_it(other: codex_oauth.Provider) -> None:
    assert repr(other) == f"Provider(issuer={other.issuer!r}, client_id={other.client_id!r})"


def test_a_constant_is_equal_to_one_that_nobody_named() -> None:
    assert attrs.evolve(CODEX) == CODEX
    assert hash(attrs.evolve(CODEX)) == hash(CODEX)
    assert repr(copy.deepcopy(CODEX)) == "CODEX"


def test_a_value_shows_what_was_changed() -> None:
    assert repr(RenewalPolicy()) == "RenewalPolicy()"
    assert repr(RenewalPolicy(skew=60.0, spacing=5.0)) == "RenewalPolicy(skew=60.0, spacing=5.0)"
    assert repr(Texts(title="Sign in here")) == "Texts(title='Sign in here')"


def test_a_named_function_is_one_in_all_else() -> None:
    assert now()[1] > 0
    assert now.__doc__
    assert now.__module__ == "codex_oauth.clock"
    assert pickle.loads(pickle.dumps(now)) is copy.deepcopy(now) is copy.copy(now) is now


def test_the_arguments_of_a_named_function_reach_it() -> None:
    @Named
    def doubled(number: int, *, times: int = 2) -> int:
        return number * times

    assert (doubled(3), doubled(3, times=3), repr(doubled)) == (6, 9, "doubled")
