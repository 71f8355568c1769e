"""Stores that lose or mix up registrations, or call a machine by many names, each broken in one way."""

from __future__ import annotations

from typing import Any

from codex_oauth import MemoryStore
from codex_oauth.stores.memory_store import MemoryHeld
from codex_oauth.stores.registrations import new_host_id
from codex_oauth.testing.registration_checks import registered
from codex_oauth_core.registration import Registration
from tests.stores.breakage import breaks

_registrations = MemoryStore.registrations
_register = MemoryStore.register
_names = MemoryStore.names
_host_id = MemoryStore.host_id
_delete = MemoryHeld.delete


@breaks(MemoryStore, "registrations", "a_new_store_has_no_registrations")
def begins_with_a_registration(self: MemoryStore) -> tuple[Registration, ...]:
    return (registered(9, "oaiapp_9"), *_registrations(self))


@breaks(MemoryStore, "register", "what_is_registered_is_kept")
def forgets_registrations(self: MemoryStore, registration: Registration) -> None:
    return


@breaks(MemoryStore, "register", "what_is_registered_is_kept")
def keeps_short_client_ids_only(self: MemoryStore, registration: Registration) -> None:
    if len(registration.client_id) > 128:
        raise ValueError
    _register(self, registration)


@breaks(MemoryStore, "registrations", "registrations_are_in_the_order_of_their_time")
def orders_by_name(self: MemoryStore) -> tuple[Registration, ...]:
    return tuple(sorted(_registrations(self), key=lambda each: each.client_id))


@breaks(MemoryStore, "register", "one_client_id_is_registered_once")
def keeps_the_first_registration(self: MemoryStore, registration: Registration) -> None:
    if registration.client_id not in {each.client_id for each in _registrations(self)}:
        _register(self, registration)


@breaks(MemoryStore, "names", "a_registration_is_no_login")
def takes_registrations_for_logins(self: MemoryStore) -> tuple[str, ...]:
    return (*_names(self), *(each.client_id for each in _registrations(self)))


@breaks(MemoryStore, "registrations", "a_registration_outlives_its_login")
def forgets_registrations_without_a_login(self: MemoryStore) -> tuple[Registration, ...]:
    found = (self.slot(name).load() for name in _names(self))
    clients = {record.credential.client_id for record in found if record is not None}
    return tuple(each for each in _registrations(self) if each.client_id in clients)


@breaks(MemoryStore, "register", "what_is_no_client_id_is_refused")
def registers_anything(self: MemoryStore, registration: Registration) -> None:
    self._registrations[registration.client_id] = registration


@breaks(MemoryStore, "host_id", "a_machine_keeps_its_name", "all_who_ask_get_one_name_of_the_machine")
def names_the_machine_anew(self: MemoryStore) -> str:
    return new_host_id()


@breaks(MemoryStore, "host_id", "a_machine_keeps_its_name")
def calls_the_machine_as_its_owner_does(self: MemoryStore) -> str:
    return "annas-laptop"


@breaks(MemoryStore, "register", "what_is_no_client_id_is_refused")
def registers_letters_of_all_languages(self: MemoryStore, registration: Registration) -> None:
    client_id = registration.client_id
    if not client_id.replace("-", "").replace("_", "").isalnum() or len(client_id) > 200:
        raise ValueError(client_id)
    self._registrations[client_id] = registration


@breaks(MemoryHeld, "delete", "a_registration_outlives_its_login")
def ends_the_registration_with_the_login(self: MemoryHeld, expected: str | None, **options: Any) -> Any:
    self._store._registrations.clear()
    return _delete(self, expected, **options)
