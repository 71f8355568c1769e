"""`login()` and a real browser: the consent page, the redirect, and the page that the listener answers.

Rules of this file: a machine without Chromium fails these tests, unless CODEX_OAUTH_NO_BROWSER=1 says
that this is known. The pictures are kept in the folder that CODEX_OAUTH_ARTEFACTS names, if it does.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, Route, expect, sync_playwright
from playwright.sync_api import Error as BrowserError

from codex_oauth import Credential, ErrorKind, SignInError
from codex_oauth.authority import Authority, AuthorityServer, Policy, serve
from codex_oauth.listener.connection import accept
from codex_oauth_core.receiver.pages import ALREADY_USED, FAILED, NOT_FOR_YOU, RECEIVED, PageAnswer
from codex_oauth_core.receiver.receiver import CallbackGate, Head, first_failure
from tests.adapters.in_chromium import SignIn, headers_of, look_at, signing_in

pytestmark = pytest.mark.skipif(
    os.environ.get("CODEX_OAUTH_NO_BROWSER") == "1", reason="CODEX_OAUTH_NO_BROWSER=1"
)
PATIENCE = 20.0
RECEIVED_TEXT = ("Sign-in received.", "You can close this page; the result is in the application.")
FAILED_TEXT = (
    "The sign-in was not completed.",
    "You can close this page; the reason is in the application.",
)


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
def server() -> Iterator[AuthorityServer]:
    with serve(Authority(policy=Policy(approve="ask", any_redirect_port=True))) as running:
        yield running


@pytest.fixture
def sign_in(server: AuthorityServer) -> Iterator[SignIn]:
    with signing_in(server) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    one = browser.new_context()
    yield one
    one.close()


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Page:
    return heard(context.new_page(), complaints)


def heard(page: Page, complaints: list[str]) -> Page:
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def decide(page: Page, sign_in: SignIn, name: str) -> Response:
    """Go to the consent page and press a button; what the listener answered to the redirect."""
    page.goto(sign_in.url)
    with page.expect_navigation() as navigation:
        page.get_by_role("button", name=name).click()
    return navigation.value


def texts(page: Page) -> tuple[str, str]:
    return page.get_by_role("heading", level=1).inner_text(), page.get_by_role("paragraph").inner_text()


def source(page: Page, element: str) -> str:
    """The CSP source expression of the page's one inline element, as the browser has it."""
    elements = page.locator(element)
    expect(elements).to_have_count(1)
    text = elements.text_content() or ""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def names_in_history(page: Page) -> set[str]:
    """The query parameters of all that the tab's history remembers."""
    devtools: Any = page.context.new_cdp_session(page)
    entries = devtools.send("Page.getNavigationHistory")["entries"]
    urls = [str(entry["url"]) for entry in entries]
    return {name for url in urls for name in parse_qs(urlsplit(url).query)}


def test_an_approval_ends_in_a_credential_and_the_received_page(
    page: Page, server: AuthorityServer, sign_in: SignIn, complaints: list[str]
) -> None:
    answer = decide(page, sign_in, "Approve")
    credential = sign_in.credential()
    assert isinstance(credential, Credential)
    assert credential.account_id == server.authority.policy.account.account_id
    assert answer.status == 200
    assert texts(page) == RECEIVED_TEXT
    assert page.title() == "Sign-in received · codex-oauth"
    assert len(server.authority.received("exchange")) == 1
    assert complaints == []


def test_the_address_bar_and_the_history_forget_the_code_and_the_state(page: Page, sign_in: SignIn) -> None:
    answer = decide(page, sign_in, "Approve")
    redirect = parse_qs(urlsplit(answer.url).query)
    assert redirect["state"] == [sign_in.state]
    assert redirect["code"] != [""]
    assert page.url == sign_in.redirect_uri
    assert page.evaluate("location.href") == sign_in.redirect_uri
    assert "client_id" in names_in_history(page)  # of the consent page: history is what this reads
    assert not {"code", "error"} & names_in_history(page)


def test_the_headers_let_the_browser_do_what_the_page_needs_and_no_more(
    page: Page, sign_in: SignIn, complaints: list[str]
) -> None:
    headers = decide(page, sign_in, "Approve").all_headers()
    style, script = source(page, "style"), source(page, "script")
    assert headers == headers_of(RECEIVED)
    assert headers["content-security-policy"] == (
        f"default-src 'none'; style-src {style}; script-src {script}; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["connection"] == "close"
    assert page.get_by_role("main").evaluate("main => getComputedStyle(main).borderRadius") == "14px"
    assert complaints == []


def test_a_denial_is_raised_and_its_page_says_that_it_was_not_completed(
    page: Page, server: AuthorityServer, sign_in: SignIn, complaints: list[str]
) -> None:
    answer = decide(page, sign_in, "Deny")
    with pytest.raises(SignInError) as raised:
        sign_in.credential()
    assert raised.value.kind is ErrorKind.DENIED
    assert parse_qs(urlsplit(answer.url).query)["error"] == ["access_denied"]
    assert answer.all_headers() == headers_of(FAILED)
    assert texts(page) == FAILED_TEXT
    assert page.url == sign_in.redirect_uri
    assert server.authority.received("exchange") == []
    assert complaints == []


def reload(page: Page) -> str:
    """How a reload ended: refused, or answered with which heading."""
    try:
        page.reload()
    except BrowserError as error:
        return error.message.partition(": ")[2].partition("\n")[0]
    return page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "after the end"])
def test_a_reload_breaks_nothing_and_spends_nothing(
    page: Page, server: AuthorityServer, sign_in: SignIn, *, at_once: bool
) -> None:
    decide(page, sign_in, "Approve")
    if not at_once:
        sign_in.credential()
    ending = reload(page)
    # a connection that was opened in advance may still be served
    assert ending in ("net::ERR_CONNECTION_REFUSED", "This sign-in was already used.")
    assert isinstance(sign_in.credential(), Credential)
    assert len(server.authority.received("exchange")) == 1


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[PageAnswer | None]:
    """What the listener answers to each request, in order; None is the page of the genuine redirect."""
    given: list[PageAnswer | None] = []

    def noted(head: Head, gate: CallbackGate) -> PageAnswer | None:
        given.append(first_failure(head, gate))
        return given[-1]

    monkeypatch.setattr("codex_oauth_core.receiver.receiver.first_failure", noted)
    return given


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket | None]:
    """What the listener accepted."""
    found: list[socket.socket | None] = []

    def counted(listening: socket.socket) -> socket.socket | None:
        found.append(accept(listening))
        return found[-1]

    monkeypatch.setattr("codex_oauth.listener.sync_listener.accept", counted)
    return found


CONNECT = "url => fetch(url, {mode: 'no-cors'}).then(() => 'sent', () => 'held back')"
"""Chromium connects, sees an address of this machine, and sends nothing for a page without a site."""


def test_an_icon_and_a_connection_that_stays_silent_do_no_harm(
    page: Page,
    context: BrowserContext,
    server: AuthorityServer,
    sign_in: SignIn,
    connected: list[socket.socket | None],
    answers: list[PageAnswer | None],
) -> None:
    """A browser asks for the one and opens the other by itself; here it is made to."""
    other = context.new_page()
    icon = other.goto(sign_in.redirect_uri.replace("/auth/callback", "/favicon.ico"))
    assert icon is not None
    assert icon.status == 404
    assert other.get_by_role("heading", level=1).inner_text() == "This request is not part of a sign-in."
    other.goto("about:blank")
    assert other.evaluate(CONNECT, sign_in.redirect_uri) == "held back"
    assert set(answers) == {NOT_FOR_YOU[404]}
    deadline = time.monotonic() + PATIENCE
    while len(connected) <= len(answers):  # the listener may not have looked yet
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert sign_in.waiting
    assert decide(page, sign_in, "Approve").status == 200
    assert texts(page) == RECEIVED_TEXT
    assert isinstance(sign_in.credential(), Credential)
    assert len(server.authority.received("exchange")) == 1


FORGERIES = {
    "fetch": "fetch(url, {mode: 'no-cors'}).then(done, done)",
    "image": "add('img', {src: url})",
    "script": "add('script', {src: url})",
    "frame": "add('iframe', {src: url})",
    "prefetch": "add('link', {rel: 'prefetch', href: url})",
}
ADD = """url => new Promise(done => {
const add = (name, properties) => document.body.append(
  Object.assign(document.createElement(name), {onload: done, onerror: done}, properties));
%s }).then(() => null)"""


def test_another_site_that_knew_the_state_could_not_end_the_sign_in_unseen(
    browser: Browser, page: Page, server: AuthorityServer, sign_in: SignIn, answers: list[PageAnswer | None]
) -> None:
    """The site is a page of 127.0.0.1, which to a browser is another site than localhost."""
    forged = f"{sign_in.redirect_uri}?state={sign_in.state}&error=access_denied"
    with browser.new_context(bypass_csp=True) as elsewhere:
        site = elsewhere.new_page()
        site.goto(server.url)
        for name, script in FORGERIES.items():
            answers.clear()
            site.evaluate(ADD % script, f"{forged}&by={name}")
            assert set(answers) == {NOT_FOR_YOU[403]}, name
    assert sign_in.waiting
    decide(page, sign_in, "Approve")
    assert isinstance(sign_in.credential(), Credential)


CALLBACK_PAGES = {
    "received": RECEIVED,
    "failed": FAILED,
    "already-used": ALREADY_USED,
    "not-for-you": NOT_FOR_YOU[404],
}
ANYWHERE = "http://localhost:1455/auth/callback"


def show(page: Page, answer: PageAnswer) -> None:
    """Have the browser render one of the receiver's answers, without a connection."""

    def fulfil(route: Route) -> None:
        status = int(answer.head.split(b" ", 2)[1])
        route.fulfill(status=status, headers=headers_of(answer), body=answer.body)

    page.route(f"{ANYWHERE}?*", fulfil)
    page.goto(f"{ANYWHERE}?code=a-code&state=a-state")
    page.unroute(f"{ANYWHERE}?*")


def picture(page: Page, path: Path, width: int, scheme: str) -> None:
    """Take it, and see that it shows something in the right size and colours."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shown = look_at(page.screenshot(path=path, full_page=True))
    assert path.stat().st_size > 2000
    assert shown.width == width
    assert shown.height >= 640
    assert shown.rows > 100
    assert shown.corner < 64 if scheme == "dark" else shown.corner > 192


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("CODEX_OAUTH_ARTEFACTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1100])
def test_every_page_can_be_looked_at(
    browser: Browser, sign_in: SignIn, pictures: Path, width: int, scheme: str, complaints: list[str]
) -> None:
    with browser.new_context(
        viewport={"width": width, "height": 640},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    ) as context:
        page = heard(context.new_page(), complaints)
        page.goto(sign_in.url)
        picture(page, pictures / f"authority-consent-{scheme}-{width}.png", width, scheme)
        for name, answer in CALLBACK_PAGES.items():
            show(page, answer)
            picture(page, pictures / f"callback-{name}-{scheme}-{width}.png", width, scheme)
            assert (page.url == ANYWHERE) == (name != "not-for-you")
    # a browser notes the 410 and the 404 of a page, and that is all it may note
    assert [text for text in complaints if not text.startswith("Failed to load resource: ")] == []
