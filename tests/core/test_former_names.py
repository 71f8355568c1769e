"""Names of earlier days that stay for one release: each is the very object of the new name."""

from __future__ import annotations

import pytest

import codex_oauth
import codex_oauth_core
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
