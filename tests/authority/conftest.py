"""A browser for the tests of pages, what it complains about, and a client that it lands at.

Rules of this file: a machine without Chromium fails the tests that ask for a browser.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["fits"]


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
def complaints() -> list[str]:
    return []


@pytest.fixture(params=[(320, "dark"), (1100, "light")], ids=["narrow and dark", "wide and light"])
def page(browser: Browser, complaints: list[str], request: pytest.FixtureRequest) -> Iterator[Page]:
    width, scheme = request.param
    context = browser.new_context(
        viewport={"width": width, "height": 720},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    one = context.new_page()
    one.on("console", lambda message: complaints.append(message.text))
    one.on("pageerror", lambda error: complaints.append(str(error)))
    yield one
    context.close()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


class Client(BaseHTTPRequestHandler):
    """The application's side: where the browser lands."""

    def do_GET(self) -> None:
        body = b"<!doctype html><link rel=icon href=data:,><title>landed</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        pass


@pytest.fixture
def client_port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Client) as client:
        thread = threading.Thread(target=client.serve_forever, args=(0.01,))
        thread.start()
        yield client.server_port
        client.shutdown()
        thread.join()
