"""A person's whole way through the example application, in Chromium, while processes of it are killed.

Rules of this file: a machine without Chromium fails these tests, unless CODEX_OAUTH_NO_BROWSER=1 says that this is
known. The authority's pages are opened as a person opens them; the pictures are kept in the folder that
CODEX_OAUTH_ARTEFACTS names, if it does.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from codex_oauth.authority import Approve, Authority, AuthorityServer, Policy, serve
from tests.authority.conftest import fits
from tests.fleet.cluster import sql
from tests.fleet.example_app import Application, until

pytestmark = pytest.mark.skipif(
    os.environ.get("CODEX_OAUTH_NO_BROWSER") == "1", reason="CODEX_OAUTH_NO_BROWSER=1"
)
PATIENCE: Final = 60_000.0
"""Milliseconds, on the busiest machine."""
ASK: Final = Policy(approve=Approve.ASK, interval=1, strict_pace=False)


@attrs.define(eq=False)
class Stage:
    """The application, its authority, and a person at a browser."""

    dsn: str
    server: AuthorityServer
    application: Application
    page: Page
    complaints: list[str]
    looks: str
    """Which screen this is."""

    def open(self) -> None:
        self.page.goto(self.application.url)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name="Enter this code")).to_be_visible()

    def answer(self, choice: str) -> None:
        """Open the provider's page by the link, type the code, and say yes or no."""
        code = self.page.locator("code").inner_text()
        with self.page.expect_popup() as opened:
            self.page.get_by_role("link", name=re.compile("^Open ")).click()
        other = opened.value
        other.get_by_label("Code").fill(code)
        other.get_by_role("button", name="Continue").click()
        other.get_by_role("button", name=choice).click()
        expect(other.get_by_role("heading", name=re.compile("approved|denied"))).to_be_visible()

    def sees(self, title: str) -> None:
        """The page comes by itself, it fits, and it is kept as a picture."""
        heading = self.page.get_by_role("heading", level=1)
        expect(heading).to_have_text(title, timeout=PATIENCE)
        expect(self.page).to_have_title(title)
        assert fits(self.page)
        if folder := os.environ.get("CODEX_OAUTH_ARTEFACTS"):
            self.page.screenshot(path=Path(folder) / f"fleet app, {title}, {self.looks}.png", full_page=True)

    def workers(self) -> set[int]:
        """The processes of the workers that drive something, by the database."""
        driving = "SELECT pid FROM codex_oauth_worker JOIN codex_oauth_sign_in ON worker = id"
        return {pid for (pid,) in sql(self.dsn, f"{driving} WHERE alive_until > clock_timestamp()")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail("Chromium is missing: install it, or set CODEX_OAUTH_NO_BROWSER=1 to go without")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program)
        yield found
        found.close()


@pytest.fixture(params=[(320, "dark"), (1100, "light")], ids=["narrow and dark", "wide and light"])
def stage(browser: Browser, database: str, request: pytest.FixtureRequest) -> Generator[Stage]:
    (width, scheme), complaints = request.param, list[str]()
    with serve(Authority(policy=ASK)) as server, Application(database, server.url) as application:
        context = browser.new_context(
            viewport={"width": width, "height": 720}, color_scheme=scheme, reduced_motion="reduce"
        )
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield Stage(database, server, application, page, complaints, f"{width} {scheme}")
        context.close()


def test_the_whole_way_though_a_worker_and_the_web_process_are_killed(stage: Stage) -> None:
    page, application, authority = stage.page, stage.application, stage.server.authority
    page.goto(application.url)
    stage.sees("Example Notes")
    stage.open()
    stage.sees("Enter this code")
    assert page.locator("a.main").get_attribute("href") == f"{stage.server.url}/codex/device"

    until(stage.workers, "nobody drives the sign-in")
    (driver,) = stage.workers()
    application.kill("worker", driver)  # while the person waits
    stage.answer("Approve")
    stage.sees("Signed in as somebody@example.com")
    assert len(authority.received("exchange")) == 1
    assert stage.complaints == []

    (web,) = application.parts("web")
    application.kill("web", web)
    until(application.answers)
    page.reload()
    stage.sees("Signed in as somebody@example.com")
    page.get_by_role("button", name="Sign out").click()
    stage.sees("Signed out")
    assert page.get_by_text("here and at the provider").is_visible()
    assert len(authority.received("revoke")) == 1
    page.goto(application.url)
    stage.sees("Example Notes")
    assert "session" not in {each.get("name") for each in page.context.cookies()}
    assert stage.complaints == []


def test_the_web_process_dies_while_the_person_waits_and_the_page_goes_on(stage: Stage) -> None:
    stage.open()
    (web,) = stage.application.parts("web")
    code = stage.page.locator("code").inner_text()
    stage.application.kill("web", web)
    until(stage.application.answers)
    stage.answer("Approve")
    stage.sees("Signed in as somebody@example.com")
    assert code
    assert [text for text in stage.complaints if "ERR_CONNECTION_REFUSED" not in text] == []


def test_who_denies_is_told_and_tries_again(stage: Stage) -> None:
    stage.open()
    stage.answer("Deny")
    stage.sees("You denied the sign-in")
    stage.page.get_by_role("button", name="Try again").click()
    stage.sees("Enter this code")
    stage.answer("Approve")
    stage.sees("Signed in as somebody@example.com")
    assert stage.complaints == []


def test_who_cancels_is_told_and_nothing_is_exchanged(stage: Stage) -> None:
    stage.open()
    code = stage.page.locator("code").inner_text()
    stage.page.get_by_role("button", name="Cancel").click()
    stage.sees("You cancelled the sign-in")
    assert stage.server.decide(code, approve=True)
    states = sql(stage.dsn, "SELECT state, checkpoint FROM codex_oauth_sign_in")
    assert states == [("failed", None)]
    stage.page.reload()
    stage.sees("You cancelled the sign-in")
    assert stage.server.authority.received("exchange") == []
    assert stage.complaints == []


def test_without_a_script_a_link_shows_what_came_of_it(browser: Browser, database: str) -> None:
    with serve(Authority(policy=ASK)) as server, Application(database, server.url) as application:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(application.url)
        page.get_by_role("button", name="Sign in").click()
        assert server.decide(page.locator("code").inner_text(), approve=True)
        until(lambda: sql(database, "SELECT 1 FROM codex_oauth_sign_in WHERE state = 'done'"))
        expect(page.get_by_role("heading", level=1)).to_have_text("Enter this code")
        page.get_by_role("link", name="I have approved it").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Signed in as somebody@example.com")
        context.close()
