"""What a person is told for each kind of error, against the texts in `errors/`, which were looked at.

To write them anew after a change that is wanted, run this file with `CODEX_OAUTH_WRITE_ERRORS=1`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from codex_oauth import FileStore
from codex_oauth.cli.main import main
from codex_oauth_core import CODEX, ErrorKind, SignInError

HERE: Final = Path(__file__).parent / "errors"
REWRITE: Final = "CODEX_OAUTH_WRITE_ERRORS"


@pytest.mark.parametrize("kind", ErrorKind)
def test_each_kind_is_told_as_it_was_looked_at(
    kind: ErrorKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: FileStore) -> str:
        raise SignInError.by(CODEX.texts.facts(kind), kind)

    monkeypatch.setattr(FileStore, "current", fail)
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path))
    code = main(["status"])
    said = capsys.readouterr()
    text = f"{said.err}exit code {code}\n"
    kept = HERE / f"{kind.value}.txt"
    if os.environ.get(REWRITE):
        kept.write_text(text, encoding="utf-8")
    assert said.out == ""
    assert text == kept.read_text(encoding="utf-8")


def test_no_text_is_kept_for_a_kind_that_is_gone() -> None:
    assert {path.stem for path in HERE.iterdir()} == {kind.value for kind in ErrorKind}
