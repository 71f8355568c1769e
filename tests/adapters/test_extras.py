"""A package of an extra that is missing: the error names it, and says what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codex_oauth import FileStore, TokenSource, async_openai_client, openai_client
from codex_oauth.authority import serve
from codex_oauth.extras import needed


@pytest.mark.parametrize("make", [openai_client, async_openai_client])
def test_a_client_without_openai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    assert callable(make)
    with pytest.raises(ModuleNotFoundError) as raised:
        make(TokenSource(FileStore(tmp_path)))
    assert str(raised.value) == (
        "This client needs the package openai, which is not installed. "
        "Install it: pip install 'codex-oauth[openai]'"
    )
    assert raised.value.name == "openai"
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("package", ["uvicorn", "starlette"])
def test_a_server_without_what_serves_it(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    for module in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError) as raised, serve():
        raise AssertionError("it is served")
    assert str(raised.value) == (
        f"The authority's server needs the package {package}, which is not installed. "
        "Install it: pip install 'codex-oauth[authority]'"
    )


@pytest.mark.parametrize(
    "error",
    [ModuleNotFoundError("No module named 'inner'", name="inner"), ImportError("broken", name="outer")],
)
def test_what_is_wrong_inside_a_package_stays_as_it_is(error: ImportError) -> None:
    with pytest.raises(ImportError) as raised, needed("outer", by="This", extra="that"):
        raise error
    assert raised.value is error
