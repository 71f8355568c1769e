"""The documentation site, without building it: navigation, reference, live machines, and the look at what was built."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from docs.diagrams import draw, live
from docs.site import check, reference

from codex_oauth.cli.trace_rows import rows_of
from codex_oauth_core.traces.format import read_trace
from tests.house.tree import ROOT, own_files

DOCS: Final = ROOT / "docs"
CONFIG: Final[dict[str, Any]] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
COPIED: Final = {"changelog.md", "contributing.md", "security.md"}
"""Pages that the hooks take from the top of the repository."""


# -- navigation ----------------------------------------------------------------------------------------


def in_nav(found: Any) -> list[str]:
    if isinstance(found, str):
        return [found]
    rows: list[Any] = list(found.values() if isinstance(found, dict) else found)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]  # YAML
    return [name for row in rows for name in in_nav(row)]


def test_every_page_is_in_the_navigation_once_and_no_other() -> None:
    pages = {
        str(path.relative_to(DOCS)) for path in own_files() if path.suffix == ".md" and DOCS in path.parents
    }
    left_out = [line.lstrip("/") for line in CONFIG["not_in_nav"].split()]
    listed = in_nav(CONFIG["nav"])
    assert len(listed) == len(set(listed))
    named = {name for name in pages if any(fnmatch(name, pattern) for pattern in left_out)}
    assert {*listed} == (pages - named) | COPIED | {"reference/"}


def test_the_build_is_strict_and_loads_nothing_from_elsewhere() -> None:
    assert CONFIG["strict"] is True
    assert CONFIG["theme"]["font"] is False
    assert "repo_url" not in CONFIG  # the theme would ask that host for figures
    assert {value for kind in CONFIG["validation"].values() for value in kind.values()} == {"warn"}
    assert not {"extra_javascript", "extra_css"} & set(CONFIG)


# -- reference -----------------------------------------------------------------------------------------


def homes() -> dict[str, str]:
    """As the hooks find them, but by importing: each public name, and where it is defined."""
    found: dict[str, str] = {}
    seen: set[int] = set()
    for root in reference.ROOTS:
        package = importlib.import_module(root)
        for name in package.__all__:
            value = getattr(package, name)
            module = getattr(value, "__module__", root)
            if id(value) not in seen and isinstance(module, str):
                seen.add(id(value))
                found[f"{root}.{name}"] = module
    return found


def test_every_public_name_is_on_one_page_of_the_reference() -> None:
    names = homes()
    pages = dict(reference.texts(names))
    blocks = [name for text in pages.values() for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE)]
    assert sorted(blocks) == sorted(names)
    assert len(names) > 150


@pytest.mark.parametrize("page", reference.PAGES, ids=lambda page: page.name)
def test_every_page_of_the_reference_has_names_and_stands_in_the_index(page: reference.Page) -> None:
    assert reference.placed(homes())[page]
    index = dict(reference.texts(homes()))[reference.INDEX]
    assert f"[{page.title}]({page.name}.md)" in index


@pytest.mark.parametrize("page", reference.PAGES[:-1], ids=lambda page: page.name)
def test_every_row_of_a_page_is_a_module_that_there_is(page: reference.Page) -> None:
    for module in page.modules:
        importlib.import_module(module)


def test_the_functions_and_classes_of_the_root_say_what_they_are() -> None:
    root = importlib.import_module("codex_oauth")
    values = [getattr(root, name) for name in root.__all__]
    silent = [each for each in values if inspect.isroutine(each) or inspect.isclass(each)]
    silent = [each for each in silent if each.__name__ != "<lambda>"]  # a value: its text stands at its name
    assert [each for each in silent if not inspect.getdoc(each)] == []


# -- live machines -------------------------------------------------------------------------------------


def shown() -> dict[str, Any]:
    """What `machines.js` gives the page."""
    text = live.FILE.read_text(encoding="utf-8").partition("window.CODEX_OAUTH_MACHINES = ")[2].rstrip(";\n")
    found: dict[str, Any] = json.loads(
        re.sub(r"^([{\],]*)(machines|traces): ", r'\1"\2": ', text, flags=re.MULTILINE)
    )
    return found


def test_the_data_of_the_live_machines_are_up_to_date() -> None:
    assert live.differences() == []


def test_the_live_machines_are_the_tables() -> None:
    machines = {machine["name"]: machine for machine in shown()["machines"]}
    assert list(machines) == [chart.name for chart in draw.CHARTS]
    for chart in draw.CHARTS:
        machine = machines[chart.name]
        assert machine["rows"] == [[row[0].value, row[1].value, row[2].value] for row in chart.rows]
        assert {state for _, source, dest in machine["rows"] for state in (source, dest)} <= {
            *machine["live"],
            *machine["final"],
        }
        assert {row[0] for row in machine["rows"]} == {*machine["triggers"]}


@pytest.mark.parametrize("name", live.RECORDED)
def test_a_step_of_a_trace_is_a_move_of_its_machine_and_has_its_rows(name: str) -> None:
    trace = live.trace(name, "")
    (machine,) = (live.machine(chart) for chart in draw.CHARTS if chart.name == trace["machine"])
    state = machine["initial"]
    for step in trace["steps"]:
        assert [step["trigger"], state, step["state"]] in machine["rows"]
        state = step["state"]
    recorded = read_trace((live.CORPUS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
    assert [text for step in trace["steps"] for text in step["text"]] == [
        row.text for row in rows_of(recorded)
    ]


def test_check_shows_what_differs_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "FILE", tmp_path / "machines.js")
    assert live.main(["--check"]) == 1
    assert not live.FILE.exists()
    assert live.main([]) == 0
    capsys.readouterr()
    assert live.main(["--check"]) == 0
    live.FILE.write_text(live.FILE.read_text().replace("polling", "asking"), encoding="utf-8")
    assert live.main(["--check"]) == 1
    assert "asking" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["live.js", "machines.js", "live.css"])
def test_a_file_of_the_page_asks_for_nothing(name: str) -> None:
    text = (DOCS / "diagrams" / name).read_text(encoding="utf-8")
    text = text.replace("http://www.w3.org/2000/svg", "")  # a name, which nobody loads
    assert not re.search(
        r"https?:|//\w|\bfetch\b|XMLHttpRequest|WebSocket|\bimport\b|\burl\((?!#)|innerHTML|eval", text
    )


# -- the look at what was built ------------------------------------------------------------------------


GOOD: Final = (
    '<!doctype html><a href="b.html#there">b</a><img src="p.png"><a href="https://example.org">x</a>'
)


def built(folder: Path, page: str = GOOD, style: str = "a{color:red}") -> list[str]:
    """What is found in a site with this page."""
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "b.html").write_text('<h2 id="there">b</h2>', encoding="utf-8")
    (folder / "p.png").write_bytes(b"")
    (folder / "s.css").write_text(style, encoding="utf-8")
    return list(check.mistakes(folder))


def test_a_good_site_is_good(tmp_path: Path) -> None:
    assert built(tmp_path) == []
    assert check.main([str(tmp_path)]) == 0


@pytest.mark.parametrize(
    ("page", "style", "said"),
    [
        ('<a href="c.html">', "", "c.html, which is not there"),
        ('<a href="b.html#gone">', "", "b.html#gone, which is not there"),
        ('<a href="#gone">', "", "#gone, which is not there"),
        ('<img src="q.png">', "", "q.png, which is not there"),
        ('<script src="https://cdn.example/x.js">', "", "loads https://cdn.example/x.js from elsewhere"),
        ('<script src="//cdn.example/x.js">', "", "loads //cdn.example/x.js from elsewhere"),
        (
            '<link rel="stylesheet" href="https://fonts.example/css">',
            "",
            "https://fonts.example/css from elsewhere",
        ),
        (
            '<link rel="preconnect" href="https://fonts.example">',
            "",
            "loads https://fonts.example from elsewhere",
        ),
        ('<img src="https://badge.example/x.svg">', "", "loads https://badge.example/x.svg from elsewhere"),
        (
            GOOD,
            '@import "https://fonts.example/css";',
            "s.css loads https://fonts.example/css from elsewhere",
        ),
        (GOOD, "a{background:url(//x.example/y.png)}", "s.css loads //x.example/y.png from elsewhere"),
    ],
)
def test_what_is_wrong_with_a_site_is_said(tmp_path: Path, page: str, style: str, said: str) -> None:
    assert any(said in line for line in built(tmp_path, page, style))
    assert check.main([str(tmp_path)]) == 1


def test_a_folder_without_a_site_is_no_good_site(tmp_path: Path) -> None:
    assert check.main([str(tmp_path)]) == 1
