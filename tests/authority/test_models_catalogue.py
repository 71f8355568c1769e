"""The lists of models of the stub: what a client of which version is shown, and that it is not sent twice."""

from __future__ import annotations

import pytest

from codex_oauth.authority import CatalogModel
from tests.authority.model_client import CODEX, PLAN, Asker, said

CATALOGUE = (
    CatalogModel(slug="old", display_name="Old", minimal_client_version="0.1.0"),
    CatalogModel(slug="new", display_name="New", minimal_client_version="0.150.0", visibility="hide"),
)


@pytest.mark.parametrize(
    ("version", "slugs"),
    [
        ("0.150.0", ["old", "new"]),
        ("0.149.99", ["old"]),
        ("0.0.1", []),
        ("0.0.0", ["old", "new"]),
        ("1.0.0", ["old", "new"]),
    ],
)
def test_a_client_that_is_too_old_is_not_shown_a_model(version: str, slugs: list[str]) -> None:
    asker = Asker(models=CATALOGUE)
    status, body = said(asker.call("GET", f"{CODEX}/models?client_version={version}"))
    assert (status, [one["slug"] for one in body["models"]]) == (200, slugs)


def test_a_row_of_the_models() -> None:
    asker = Asker(models=CATALOGUE)
    body = said(asker.call("GET", f"{CODEX}/models?client_version=0.150.0"))[1]
    assert body["models"][1] == {
        "slug": "new",
        "display_name": "New",
        "visibility": "hide",
        "supported_in_api": True,
        "minimal_client_version": "0.150.0",
    }
    plan = said(asker.call("GET", f"{PLAN}/models", ChatGPT_Account_Id=...))[1]
    assert plan["models"][0] == {"slug": "old", "display_name": "Old", "visibility": "list"}
    assert set(plan) == {"models"}


@pytest.mark.parametrize("query", ["", "?client_version=", "?client_version=1.0.0&client_version=2.0.0"])
def test_without_a_version_there_is_no_list(query: str) -> None:
    assert Asker().call("GET", f"{CODEX}/models{query}").status == 400


def test_a_list_that_is_known_is_not_sent_again() -> None:
    asker = Asker()
    path = f"{CODEX}/models?client_version=1.0.0"
    tag = asker.call("GET", path).header("ETag")
    assert tag
    again = asker.call("GET", path, If_None_Match=tag)
    assert (again.status, again.body.reveal(), again.header("ETag")) == (304, b"", tag)
    asker.models.models = CATALOGUE
    assert asker.call("GET", path, If_None_Match=tag).status == 200


@pytest.mark.parametrize("bad", ["1", "", "a.b.c", "1.2.3 "])
def test_a_minimal_version_is_a_version(bad: str) -> None:
    with pytest.raises(ValueError, match="minimal_client_version"):
        CatalogModel(slug="x", display_name="x", minimal_client_version=bad)
