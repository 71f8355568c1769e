"""What the suites over every world share: the world, the proxy variables, and an authority for certificates.

Rules of this file: no fixture here is used by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import pytest

from codex_oauth.transport.tls import DIRECTORY, FILES
from tests.transport.certificates import Authority
from tests.transport.servers import VARIABLES
from tests.transport.worlds import WORLDS

SetThem = Callable[..., None]


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> SetThem:
    """Set exactly these proxy variables."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def set_them(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, env: SetThem) -> str:
    """The name of each world, without a proxy."""
    del env
    name: str = request.param
    if name == "twisted":
        import_module("twisted.internet.reactor")  # which is there once, and opens a file that stays
    return name


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts yet."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The one authority that is trusted."""
    for name in (*FILES, DIRECTORY):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    return authority
