"""The page of Pyodide in a real browser: a person signs in, gives up, is denied; nothing is loaded from elsewhere.

Rules of this file: a machine without Chromium fails these tests, unless CODEX_OAUTH_NO_BROWSER=1 says that this is
known.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from codex_oauth.authority import Authority, Policy, RulesServer, serve
from tests.house.tree import ROOT
from tests.ports.in_pyodide import HOME

pytestmark = pytest.mark.skipif(
    os.environ.get("CODEX_OAUTH_NO_BROWSER") == "1", reason="CODEX_OAUTH_NO_BROWSER=1"
)
EXAMPLE = ROOT / "docs" / "examples" / "ports" / "pyodide_page.py"
LOADING = 25_000  # milliseconds; Python is loaded and starts
PATIENCE = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.fail("Chromium is missing: install it, or set CODEX_OAUTH_NO_BROWSER=1 to go without")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program)
        yield found
        found.close()


@pytest.fixture
def example() -> Any:
    """The example, as a module."""
    if not (HOME / "node_modules").exists():
        pytest.fail("Pyodide is missing: make ports")
    spec = importlib.util.spec_from_file_location("pyodide_page", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(example: Any) -> Iterator[RulesServer]:
    rules = example.PageAndAuthority(Authority(policy=Policy(interval=1, strict_pace=False)))
    with serve(rules) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: RulesServer, example: Any) -> Iterator[Page]:
    """The page, as soon as Python is there. What it asks elsewhere, or complains about, fails the test."""
    context = browser.new_context()
    wrong = list[str]()
    context.on(
        "request", lambda each: wrong.append(each.url) if not each.url.startswith(server.url) else None
    )
    one = context.new_page()
    one.on("console", lambda message: wrong.append(message.text) if _complains(message) else None)
    one.on("pageerror", lambda error: wrong.append(error.message))
    one.goto(server.url + example.PAGE)
    expect(one.get_by_role("status")).to_have_text("Ready.", timeout=LOADING)
    yield one
    context.close()
    assert wrong == []


def _complains(message: ConsoleMessage) -> bool:
    """An answer that says "not yet" (403) is an error to Chromium, and not to us."""
    return message.type in ("error", "warning") and "status of 403" not in message.text


def _asks(page: Page) -> str:
    """The code that the page shows."""
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Your code")).to_be_visible(timeout=PATIENCE)
    return page.locator("#code").inner_text()


def _answers(page: Page, code: str, button: str) -> None:
    """The person opens the page of the authority, types the code, and decides."""
    with page.expect_popup() as opened:
        page.locator("#link").click()
    approval = opened.value
    approval.get_by_label("Code").fill(code)
    approval.get_by_role("button", name="Continue").click()
    approval.get_by_role("button", name=button).click()
    approval.close()


def test_a_person_signs_in(page: Page, server: RulesServer) -> None:
    code = _asks(page)
    with page.expect_response(lambda answer: answer.url.endswith("/oauth/token")) as exchanged:
        _answers(page, code, "Approve")
    expect(page.get_by_role("status")).to_contain_text(
        "You are signed in, with the account", timeout=PATIENCE
    )
    expect(page.get_by_role("heading", name="Your code")).to_be_hidden()
    sent = exchanged.value.request.all_headers()
    assert not {"cookie", "authorization", "referer"} & set(sent)
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])") == '[{},{},""]'


def test_a_person_who_denies_is_told_so(page: Page) -> None:
    _answers(page, _asks(page), "Deny")
    expect(page.get_by_role("status")).to_contain_text("denied", timeout=PATIENCE, ignore_case=True)
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()


def test_a_person_gives_up_and_begins_again(page: Page) -> None:
    first = _asks(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Your code")).to_be_hidden(timeout=PATIENCE)
    second = _asks(page)
    assert first != second


def test_what_is_no_file_of_the_page_is_not_there(server: RulesServer, example: Any, page: Page) -> None:
    for name in ("..%2f..%2f..%2fpyproject.toml", "pyodide/package.json", "pyodide_page.py"):
        assert page.request.get(f"{server.url}{example.PAGE}{name}").status == 404


def test_headers_that_a_browser_adds_are_those_that_the_page_names(page: Page) -> None:
    with page.expect_response(lambda answer: "usercode" in answer.url) as asked:
        _asks(page)
    told = (ROOT / "docs" / "ports.md").read_text(encoding="utf-8")
    added = set(asked.value.request.all_headers()) - {"host", "content-length", "connection", "content-type"}
    unknown = {name for name in added if f"`{name}`" not in told.lower()} - {"originator"}
    assert unknown == set()
