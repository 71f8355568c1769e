"""The page of the machines in Chromium: clicked through, by mouse and by keyboard, and nothing is loaded.

Rules of this file: a machine without Chromium fails these tests, unless CODEX_OAUTH_NO_BROWSER=1 says that this is
known; the page is the one of docs/machines.md without its theme, from the disk.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest
from docs.diagrams import draw, live
from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.house.tree import ROOT

pytestmark = pytest.mark.skipif(
    os.environ.get("CODEX_OAUTH_NO_BROWSER") == "1", reason="CODEX_OAUTH_NO_BROWSER=1"
)
DOCS: Final = ROOT / "docs"


@attrs.define(eq=False)
class Shown:
    """The page, what it asked for beside itself, and what it complained of."""

    page: Page
    asked: list[str]
    complaints: list[str]

    @property
    def machines(self) -> Locator:
        return self.page.locator("#machines")

    @property
    def traces(self) -> Locator:
        return self.page.locator("#traces")

    def choose(self, name: str) -> None:
        self.machines.locator("select").select_option(name)

    def stands_at(self, state: str) -> None:
        expect(self.machines.locator(".state.now")).to_have_attribute("data-state", state)


def html() -> str:
    """The elements of the page, in their order, as a page of its own."""
    text = (DOCS / "machines.md").read_text(encoding="utf-8")
    elements = re.findall(r"^<(?:link|div|script).*$", text, re.MULTILINE)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title>{"".join(elements)}</html>'


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail("Chromium is missing: install it, or set CODEX_OAUTH_NO_BROWSER=1 to go without")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser.new_page(viewport={"width": 900, "height": 1400}, reduced_motion="reduce")
        browser.close()


@pytest.fixture
def shown(browser_page: Page, tmp_path: Path) -> Iterator[Shown]:
    for name in ("machines.js", "live.js", "live.css"):
        target = tmp_path / "diagrams" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((DOCS / "diagrams" / name).read_bytes())
    (tmp_path / "machines.html").write_text(html(), encoding="utf-8")
    page, asked, complaints = browser_page, list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "machines.html").as_uri())
    yield Shown(page, asked, complaints)
    assert complaints == []
    assert {Path(url).name for url in asked} == {"machines.html", "machines.js", "live.js", "live.css"}


def test_a_sign_in_is_clicked_through_its_table(shown: Shown) -> None:
    shown.stands_at("idle")
    for trigger, state in (
        ("start", "requesting_code"),
        ("code_issued", "waiting"),
        ("due", "polling"),
        ("approved", "exchanging"),
        ("granted", "signed_in"),
    ):
        shown.machines.locator(f'button[data-trigger="{trigger}"]').click()
        shown.stands_at(state)
        expect(shown.machines.get_by_role("status")).to_contain_text(f"{trigger}: ")
    expect(shown.machines.get_by_role("status")).to_contain_text("The machine has ended: signed_in.")
    assert shown.machines.locator("button[data-trigger]").count() == 0
    shown.machines.get_by_role("button", name="Back").click()
    shown.stands_at("exchanging")
    shown.machines.get_by_role("button", name="Start again").click()
    shown.stands_at("idle")


def test_a_state_that_can_be_reached_is_clicked_in_the_drawing(shown: Shown) -> None:
    shown.machines.locator('[data-state="signed_in"]').click()
    shown.stands_at("idle")  # it cannot be reached from here
    shown.machines.locator('[data-state="requesting_code"]').click()
    shown.stands_at("requesting_code")


def test_a_keyboard_is_enough(shown: Shown) -> None:
    shown.machines.locator('button[data-trigger="start"]').focus()
    shown.page.keyboard.press("Enter")
    shown.stands_at("requesting_code")
    focused = shown.page.evaluate("document.activeElement.dataset.trigger")
    assert focused in {"code_issued", "retry_later", "deny", "cancel", "fail", "expire"}
    shown.page.keyboard.press("Enter")
    expect(shown.machines.locator(".live-history li")).to_have_count(2)


def test_at_the_end_the_keyboard_is_at_the_button_that_begins_again(shown: Shown) -> None:
    shown.machines.locator('button[data-trigger="start"]').click()
    shown.machines.locator('button[data-trigger="cancel"]').focus()
    shown.page.keyboard.press("Enter")
    shown.stands_at("cancelled")
    shown.page.keyboard.press("Enter")
    shown.stands_at("idle")


@pytest.mark.parametrize("chart", draw.CHARTS, ids=lambda chart: chart.name)
def test_every_machine_offers_the_moves_of_its_table(shown: Shown, chart: draw.Chart) -> None:
    shown.choose(chart.name)
    rows = {(row[0].value, row[1].value): row[2].value for row in chart.rows}
    seen: set[tuple[str, str]] = set()
    waiting = [(chart.initial.value, list[str]())]
    while waiting:
        state, way = waiting.pop()
        shown.machines.get_by_role("button", name="Start again").evaluate("button => button.click()")
        for trigger in way:
            shown.machines.locator(f'button[data-trigger="{trigger}"]').evaluate("button => button.click()")
        shown.stands_at(state)
        offered: dict[str, str] = shown.machines.evaluate(
            "e => Object.fromEntries([...e.querySelectorAll('button[data-trigger]')]"
            ".map(b => [b.dataset.trigger, b.textContent]))"
        )
        assert offered == {trigger: dest for (trigger, source), dest in rows.items() if source == state}
        for trigger, dest in offered.items():
            if (trigger, state) not in seen and dest not in {s for _, s in seen} | {s for s, _ in waiting}:
                waiting.append((dest, [*way, trigger]))
        seen |= {(trigger, state) for trigger in offered}
    assert seen == set(rows)


@pytest.mark.parametrize("name", live.RECORDED)
def test_a_trace_is_stepped_through(shown: Shown, name: str) -> None:
    trace = live.trace(name, "")
    shown.traces.locator("select").select_option(name)
    following = shown.traces.get_by_role("button", name="Next step")
    for number, step in enumerate(trace["steps"], 1):
        following.click()
        expect(shown.traces.locator(".state.now")).to_have_attribute("data-state", step["state"])
        status = shown.traces.get_by_role("status")
        expect(status).to_contain_text(f"Step {number} of {len(trace['steps'])}")
        expect(status).to_contain_text("; ".join(step["text"]))
    expect(following).to_be_disabled()
    shown.traces.get_by_role("button", name="Step back").click()
    expect(shown.traces.locator("li.current")).to_have_count(1)
    shown.traces.locator(".live-steps button").first.click()
    expect(shown.traces.get_by_role("status")).to_contain_text("Step 1 of")
