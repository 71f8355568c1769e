"""Names of earlier days that stay for one release: each is the very object of the new name."""

from __future__ import annotations

from importlib import import_module

import pytest

import codex_oauth
import codex_oauth_core
from codex_oauth import event_loops
from codex_oauth.stores import store
from codex_oauth_core import outcomes

FORMER = {"Deposit": "StoreLogin", "Deposited": "LoginStored", "Kept": "NotRenewed"}


@pytest.mark.parametrize(("former", "name"), FORMER.items())
def test_the_root_has_both_names_of_one_object(former: str, name: str) -> None:
    assert getattr(codex_oauth_core, former) is getattr(codex_oauth_core, name)
    assert {former, name} <= set(codex_oauth_core.__all__)


def test_the_reason_has_both_names() -> None:
    assert outcomes.KeptBecause is outcomes.NotRenewedReason


def test_the_package_of_the_adapters_has_both_names_of_the_flow_that_stores() -> None:
    assert codex_oauth.Deposit is codex_oauth.StoreLogin
    assert {"Deposit", "StoreLogin"} <= set(codex_oauth.__all__)


@pytest.mark.parametrize("name", ["Auth", "RequestsAuth"])
def test_what_signs_requests_has_both_names(name: str) -> None:
    assert getattr(codex_oauth, f"Codex{name}") is getattr(codex_oauth, f"Token{name}")
    assert {f"Codex{name}", f"Token{name}"} <= set(codex_oauth.__all__)


def test_what_the_pages_named_has_both_names() -> None:
    assert store.Held is store.LockedLogin
    assert event_loops.uncut is event_loops.shielded


MOVED = {
    "codex_oauth.stores.processes": "codex_oauth.stores.locks",
    "codex_oauth.transport.async_protocol": "codex_oauth.transport.protocol",
    "codex_oauth.worlds.async_storing": "codex_oauth.worlds.storing",
    "codex_oauth.worlds.async_world": "codex_oauth.worlds.world",
    "codex_oauth.worlds.waiting": "codex_oauth.worlds.callbacks",
    "codex_oauth_core.reading.numbers": "codex_oauth_core.reading.times",
}
"""Modules that the pages named, and where their names are now."""


@pytest.mark.parametrize(("former", "module"), MOVED.items())
def test_a_module_that_a_page_named_can_still_be_imported(former: str, module: str) -> None:
    old, new = import_module(former), import_module(module)
    assert old.__all__
    assert [name for name in old.__all__ if getattr(old, name) is not getattr(new, name)] == []
