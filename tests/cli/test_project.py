"""Where the project is: the same in its metadata, in the help, in the manual, and where a fault asks to be reported."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from codex_oauth.cli.errors import report_error
from codex_oauth.cli.main import main
from codex_oauth.doctor.checks import examine
from codex_oauth.doctor.context import Context
from codex_oauth.project import HOME_URL, ISSUES_URL
from tests.house.tree import ROOT


def test_the_metadata_say_the_same() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    assert (urls["Homepage"], urls["Issues"]) == (HOME_URL, ISSUES_URL)
    assert all(url.startswith(HOME_URL) for url in urls.values())
    for url in urls.values():
        path = url.removeprefix(HOME_URL).removeprefix("/blob/main/")
        assert path in ("", "/issues") or (ROOT / path).is_file()


def test_the_help_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"project: {HOME_URL}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_fault_of_the_program_names_where_to_report_it(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CODEX_OAUTH_DEBUG", raising=False)
    assert report_error(ZeroDivisionError("x"), ("status", *arguments)) == 1
    printed = capsys.readouterr()
    assert ISSUES_URL in printed.out + printed.err


def test_a_fault_of_a_check_names_it_too(tmp_path: Path) -> None:
    def broken(_context: Context) -> object:
        raise ZeroDivisionError

    (finding,) = examine(None, [("broken", broken)])  # type: ignore[arg-type, list-item]  # it fails before it looks
    assert ISSUES_URL in " ".join(finding.advice)


def test_every_page_that_names_the_repository_names_this_one() -> None:
    for name in ("README.md", "mkdocs.yml", "docs/release.md", ".github/ISSUE_TEMPLATE/config.yml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert HOME_URL.removeprefix("https://github.com/") in text
