"""What our blocking world does, by the published checks."""

from __future__ import annotations

import pytest

from codex_oauth import HttpxWorld
from codex_oauth.testing import LISTENING_CHECKS, WORLD_CHECKS, ListeningCheck, WorldCheck


@pytest.mark.parametrize("check", WORLD_CHECKS, ids=lambda check: check.__name__)
def test_the_world_over_httpx_passes(check: WorldCheck) -> None:
    check(HttpxWorld)


@pytest.mark.parametrize("check", LISTENING_CHECKS, ids=lambda check: check.__name__)
def test_the_world_over_httpx_listens(check: ListeningCheck) -> None:
    check(HttpxWorld)
