"""U23: the QR code of the page: right, or silently not there."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import attrs
import pytest
import segno

from codex_oauth.cli.views.line_view import LineView, matrix_of, qr_lines
from codex_oauth.cli.views.live_view import LiveView
from tests.cli.fake_terminal import PROMPT, on_stderr

PAGE = PROMPT.verification_uri
HALVES: Mapping[str, tuple[bool, bool]] = {
    "█": (True, True),
    "▀": (True, False),
    "▄": (False, True),
    " ": (False, False),
}


def test_the_half_blocks_are_the_code_with_its_quiet_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = qr_lines(PAGE, on_stderr(monkeypatch, colour=False))
    rows = [[HALVES[char][half] for char in line] for line in lines for half in (0, 1)]
    wanted = [[not dark for dark in row] for row in segno.make_qr(PAGE, error="m").matrix_iter(border=4)]
    assert rows[: len(wanted)] == wanted
    assert matrix_of(PAGE) == wanted


def test_in_colour_it_is_light_on_dark_whatever_the_window_is(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = qr_lines(PAGE, on_stderr(monkeypatch))
    assert all(line.startswith("\x1b[97;40m") and line.endswith("\x1b[0m") for line in lines)


@pytest.mark.parametrize(
    ("columns", "rows", "can"),
    [
        (20, 40, {}),
        (33, 40, {}),
        (80, 16, {}),
        (80, 40, {"utf8": False}),
        (80, 40, {"is_terminal": False}),
    ],
)
def test_where_it_could_not_be_read_it_is_not_there(
    monkeypatch: pytest.MonkeyPatch, columns: int, rows: int, can: dict[str, bool]
) -> None:
    assert qr_lines(PAGE, on_stderr(monkeypatch, columns, rows, **can)) == []


def test_the_page_with_the_code_in_it_is_what_is_scanned_and_the_code_is_shown_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = f"{PAGE}?user_code=ABCD-12345"
    window = on_stderr(monkeypatch, qr=True, colour=False)
    LineView(window).prompt(attrs.evolve(PROMPT, verification_uri_complete=whole))
    assert "\n".join(qr_lines(whole, on_stderr(monkeypatch, colour=False))) in window.text
    assert matrix_of(whole) != matrix_of(PAGE)
    assert PROMPT.user_code in window.text
    assert PAGE in window.text
    assert whole not in window.text


def test_one_column_and_one_row_more_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(qr_lines(PAGE, on_stderr(monkeypatch, 34, 17))) == 17
    assert len(qr_lines(PAGE, on_stderr(monkeypatch, 38, 19))) == 19


def test_without_segno_the_sign_in_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    window = on_stderr(monkeypatch, qr=True)
    assert qr_lines(PAGE, window) == []
    LiveView(window).prompt(PROMPT)
    assert PAGE in window.text
    assert PROMPT.user_code in window.text


def test_an_address_that_is_too_long_for_a_code_is_shown_without_one() -> None:
    long = f"{PAGE}?user_code={'A' * 4000}"
    assert matrix_of(long) is None
    assert matrix_of(long[:2000]) is not None
