"""One nursery for all storms of a test run: it takes a second to be warm."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.storm.nursery import Nursery


@pytest.fixture(scope="package")
def nursery() -> Generator[Nursery]:
    if not hasattr(os, "fork"):
        pytest.skip("this platform has no fork")
    with Nursery() as warm:
        yield warm
