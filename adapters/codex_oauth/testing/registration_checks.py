"""The checks of a store that keeps registrations, too: what is registered is kept, a machine has one name.

Rules of this file: as those of `store_checks`: no test framework, a new store for each check, and an
`AssertionError` that says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import attrs

from codex_oauth.stores.store import KeepsRegistrations
from codex_oauth.testing.bounded import STORE_CHECK_LIMIT, Elsewhere, all_at_once, limited, told
from codex_oauth.testing.checking import ACCOUNT, locked, put, refused, same, sample, true
from codex_oauth_core.registration import Registration

__all__ = ["REGISTRATION_CHECKS", "RegistrationCheck", "check_registrations"]

_NO_CLIENT_IDS: Final = ("", ".", "..", "../x", "a/b", "a\\b", "a.json", "a b", "a\n", "a\0", "é", "x" * 201)
_FORMS: Final = ("urn:uuid:", "urn:ietf:params:oauth:jwk-thumbprint:", "did:key:")
_THREADS: Final = 8


def registered(number: int = 1, client_id: str = "oaiapp_1", path: str = "/auth/callback") -> Registration:
    """A registration; a higher `number` later."""
    return Registration(
        issuer="https://auth.example",
        client_id=client_id,
        redirect_path=path,
        application="Example",
        registered_at=f"2027-01-15T08:{number % 60:02}:07Z",
    )


def a_new_store_has_no_registrations(store: KeepsRegistrations) -> None:
    same(store.registrations(), (), "the registrations of a new store")


def what_is_registered_is_kept(store: KeepsRegistrations) -> None:
    store.register(registered())
    same(store.registrations(), (registered(),), "the registrations")
    longest = registered(2, "x" * 200)
    store.register(longest)
    same(store.registrations(), (registered(), longest), "the registrations, with a long client id")


def registrations_are_in_the_order_of_their_time(store: KeepsRegistrations) -> None:
    found = [registered(3, "a"), registered(1, "c"), registered(2, "b")]
    for each in found:
        store.register(each)
    same([each.client_id for each in store.registrations()], ["c", "b", "a"], "the registrations in order")


def one_client_id_is_registered_once(store: KeepsRegistrations) -> None:
    store.register(registered(1))
    store.register(registered(1))
    store.register(registered(2, path="/elsewhere"))
    same(store.registrations(), (registered(2, path="/elsewhere"),), "what was registered again")


def a_registration_is_no_login(store: KeepsRegistrations) -> None:
    store.register(registered(1, ACCOUNT))
    same((store.names(), store.current()), ((), None), "the logins of a store with a registration")
    same(store.slot(ACCOUNT).load(), None, "the login with the name of a registration")


def a_registration_outlives_its_login(store: KeepsRegistrations) -> None:
    store.register(registered(1, "app_1"))
    slot = put(store, sample())
    with locked(slot) as held:
        held.delete(sample().fingerprint)
    same(store.registrations(), (registered(1, "app_1"),), "the registrations, after the login was deleted")


def what_is_no_client_id_is_refused(store: KeepsRegistrations) -> None:
    for client_id in _NO_CLIENT_IDS:
        wrong = attrs.evolve(registered(), client_id=client_id)
        refused(ValueError, f"registering {client_id!r}", store.register, wrong)
    same(store.registrations(), (), "the registrations, after wrong ones were refused")


def a_machine_keeps_its_name(store: KeepsRegistrations) -> None:
    name = store.host_id()
    true(name.startswith(_FORMS), f"the name of the machine must begin with one of {', '.join(_FORMS)}")
    put(store, sample())
    store.register(registered())
    store.select(None)
    same(store.host_id(), name, "the name of the machine, after a sign-in")


def all_who_ask_get_one_name_of_the_machine(store: KeepsRegistrations) -> None:
    names = set(all_at_once(lambda _: store.host_id(), range(4 * _THREADS), _THREADS))
    same(len(names), 1, "the number of names that the machine has for those who ask at once")


_CHECKS: Final = (
    a_new_store_has_no_registrations,
    what_is_registered_is_kept,
    registrations_are_in_the_order_of_their_time,
    one_client_id_is_registered_once,
    a_registration_is_no_login,
    a_registration_outlives_its_login,
    what_is_no_client_id_is_refused,
    a_machine_keeps_its_name,
    all_who_ask_get_one_name_of_the_machine,
)


class RegistrationCheck(Protocol):
    """One check of a store's registrations. Its name says what must be true."""

    __name__: str

    def __call__(self, store: KeepsRegistrations, /) -> None:
        """Run the check. Raises AssertionError if `store` fails it; `store` must be new."""
        ...


REGISTRATION_CHECKS: Final[tuple[RegistrationCheck, ...]] = tuple(limited(check) for check in _CHECKS)
"""The checks, in the best order to build a new store. Each ends after `STORE_CHECK_LIMIT` seconds."""


def check_registrations(make: Callable[[], KeepsRegistrations]) -> None:
    """Run every check, each with a new store from `make`. Raises AssertionError as `check_store` does."""
    for check in REGISTRATION_CHECKS:
        store = Elsewhere(make).result(STORE_CHECK_LIMIT)
        try:
            check(store)
        except Exception as error:
            raise told(check, error) from error
