"""What editors and type checkers know of the packages whose names load on first use: their `.pyi` files."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from docs.stubs import write

import codex_oauth
import codex_oauth_core
from codex_oauth import authority, fleet, testing
from tests.house.language_server import LanguageServer
from tests.house.tree import ROOT, python_files

JEDI: Any = import_module("jedi")  # untyped
OPTIONAL = (
    "aiohttp",
    "cryptography",
    "keyring",
    "langchain",
    "openai",
    "psycopg",
    "requests",
    "segno",
    "starlette",
    "twisted",
    "uvicorn",
)
"""Libraries that only an extra, or the program, brings."""

LAZY = (codex_oauth_core, codex_oauth, authority, fleet, testing)


def test_every_package_that_loads_lazily_has_a_stub() -> None:
    lazy = {
        str(path.parent.relative_to(ROOT))
        for path in python_files("core", "adapters")
        if path.name == "__init__.py" and "lazy_names(" in path.read_text(encoding="utf-8")
    }
    assert lazy == set(write.PACKAGES)


def test_the_stubs_are_written_from_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert write.main(["--check"]) == 0, capsys.readouterr().out


def test_a_stub_that_lags_behind_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_yesterday(source: str) -> str:
        return "# of yesterday\n"

    monkeypatch.setattr(write, "stub", of_yesterday)
    assert write.main(["--check"]) == 1


def test_a_package_without_a_table_is_no_package_to_write_for() -> None:
    with pytest.raises(ValueError, match="lazy_names"):
        write.tables("__all__ = []")


@pytest.mark.parametrize("package", LAZY, ids=lambda package: package.__name__)
def test_no_public_name_is_also_a_module_of_its_package(package: ModuleType) -> None:
    """Whoever imports such a module would have it in the place of the name."""
    folder = Path(inspect.getfile(package)).parent
    inside = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert inside & set(package.__all__) == set()


# -- jedi: notebooks, IPython, and several editors ----------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A program's own folder, with codex-oauth installed."""
    paths = [str(ROOT / "core"), str(ROOT / "adapters")]
    return JEDI.Project(tmp_path_factory.mktemp("program"), added_sys_path=paths)


def completed(project: Any, code: str) -> set[str]:
    return {each.name for each in JEDI.Script(code, project=project).complete()}


@pytest.mark.parametrize("package", LAZY, ids=lambda package: package.__name__)
def test_jedi_completes_every_public_name(project: Any, package: ModuleType) -> None:
    code = f"import {package.__name__}\n{package.__name__}."
    assert set(package.__all__) - completed(project, code) == set()
    assert set(package.__all__) - completed(project, f"from {package.__name__} import ") == set()


def test_jedi_completes_the_methods_of_what_a_program_made(project: Any) -> None:
    code = "from codex_oauth import FileStore, TokenSource\ntokens = TokenSource(FileStore())\ntokens."
    assert {"token", "atoken", "headers", "close"} <= completed(project, code)


def _homes() -> Iterator[tuple[str, str, Path]]:
    """A function, a class and a value: the package, the name, and the file that it stands in."""
    for package, name in (
        (codex_oauth, "login"),
        (codex_oauth, "TokenSource"),
        (codex_oauth_core, "Credential"),
        (testing, "FakeWorld"),
    ):
        yield package.__name__, name, Path(inspect.getfile(getattr(package, name)))
    yield "codex_oauth", "CODEX", Path(inspect.getfile(import_module("codex_oauth_core.codex")))


HOMES = tuple(_homes())


@pytest.mark.parametrize(("package", "name", "home"), HOMES, ids=lambda each: getattr(each, "name", each))
def test_jedi_goes_to_the_source(project: Any, package: str, name: str, home: Path) -> None:
    script = JEDI.Script(f"from {package} import {name}\n{name}", project=project)
    assert {each.module_path for each in script.goto(follow_imports=True)} == {home}


# -- pyright: what Visual Studio Code asks ------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    lines = [f"from {package} import {name}\n{name}" for package, name, _ in HOMES]
    made = "import codex_oauth\nmade = codex_oauth.TokenSource(codex_oauth.FileStore())\nthe_token = made.token()"
    with LanguageServer(tmp_path_factory.mktemp("opened"), "\n".join((made, *lines, ""))) as running:
        yield running


@pytest.mark.parametrize(
    ("name", "home"), [each[1:] for each in HOMES], ids=lambda each: getattr(each, "name", each)
)
def test_pyright_goes_to_the_source(server: LanguageServer, name: str, home: Path) -> None:
    assert server.definition(name) == home


def test_pyright_knows_the_types(server: LanguageServer) -> None:
    assert "the_token: str" in server.hover("the_token")
    assert "CODEX: Provider" in server.hover("CODEX")


# -- the roots -----------------------------------------------------------------------------------------


def test_the_root_of_the_adapters_has_every_name_of_the_core() -> None:
    for name in codex_oauth_core.__all__:
        assert getattr(codex_oauth, name) is getattr(codex_oauth_core, name)
    assert set(codex_oauth_core.__all__) <= set(codex_oauth.__all__)


EXTRAS = [
    (name, home)
    for home, names in write.tables(Path(inspect.getfile(codex_oauth)).read_text(encoding="utf-8"))[1].items()
    for name in names
]


@pytest.mark.parametrize(("name", "home"), EXTRAS)
def test_what_needs_a_library_of_its_own_is_imported_by_name_and_by_nothing_else(
    name: str, home: str
) -> None:
    assert getattr(codex_oauth, name) is getattr(import_module(home), name)
    assert name not in codex_oauth.__all__
    assert name in (ROOT / "adapters/codex_oauth/__init__.pyi").read_text(encoding="utf-8")


def test_no_other_name_needs_a_library_of_its_own() -> None:
    """Whatever extra is not installed: `help(codex_oauth)` and `import *` work."""
    code = (
        "import sys\n"
        "class Away:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {OPTIONAL!r}: raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Away())\n"
        "import codex_oauth, codex_oauth.authority, codex_oauth.fleet, codex_oauth.testing\n"
        "for package in (codex_oauth, codex_oauth.authority, codex_oauth.fleet, codex_oauth.testing):\n"
        "    for name in package.__all__: getattr(package, name)\n"
        "try: codex_oauth.AiohttpWorld\n"
        "except ImportError: print('done')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("done\n", "")
