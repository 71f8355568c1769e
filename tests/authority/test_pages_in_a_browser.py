"""The pages in a real browser: typed, approved, redirected, with nothing on the console.

Rules of this file: a machine without Chromium fails these tests, unless CODEX_OAUTH_NO_BROWSER=1 says
that this is known.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from codex_oauth.authority import Authority, AuthorityServer, Policy, serve
from codex_oauth_core import CODEX, Pkce
from codex_oauth_core.pkce import state_from
from tests.authority.conftest import fits
from tests.authority.peer import POLL, USERCODE
from tests.codex_readers import asked
from tests.support import there

pytestmark = pytest.mark.skipif(
    os.environ.get("CODEX_OAUTH_NO_BROWSER") == "1", reason="CODEX_OAUTH_NO_BROWSER=1"
)
CODE_UNKNOWN = "This code is unknown or has expired."


@pytest.fixture
def server() -> Iterator[AuthorityServer]:
    with serve(Authority(policy=Policy(strict_pace=False, any_redirect_port=True))) as running:
        yield running


def begin(server: AuthorityServer) -> dict[str, str]:
    body = {"client_id": CODEX.client_id}
    device: dict[str, str] = httpx.post(server.url + USERCODE, json=body, trust_env=False).json()
    return device


def poll(server: AuthorityServer, device: dict[str, str]) -> int:
    body = {name: device[name] for name in ("device_auth_id", "user_code")}
    return httpx.post(server.url + POLL, json=body, trust_env=False).status_code


def test_a_person_types_the_code_and_approves(
    page: Page, server: AuthorityServer, complaints: list[str]
) -> None:
    device = begin(server)
    page.goto(server.url)
    expect(page.get_by_label("Code")).to_be_focused()
    assert fits(page)
    page.keyboard.type(device["user_code"].replace("-", " ").lower())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve this sign-in?")
    expect(page.get_by_text(device["user_code"], exact=True)).to_be_visible()
    assert fits(page)
    assert poll(server, device) == 403
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in approved")
    assert fits(page)
    assert poll(server, device) == 200
    assert complaints == []


def test_the_enter_key_on_the_consent_page_denies_rather_than_approves(
    page: Page, server: AuthorityServer, complaints: list[str]
) -> None:
    device = begin(server)
    page.goto(f"{server.url}/codex/device")
    page.get_by_label("Code").fill(device["user_code"])
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve this sign-in?")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Deny")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in denied")
    assert poll(server, device) == 403
    assert complaints == []


def test_a_wrong_code_is_said_beside_the_field(page: Page, server: AuthorityServer) -> None:
    page.goto(f"{server.url}/codex/device")
    page.get_by_label("Code").fill("BBBB-BBBB")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(CODE_UNKNOWN)
    expect(page.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Code")).to_have_value("BBBB-BBBB")
    assert fits(page)


def test_an_approval_leads_to_the_redirect_uri(
    page: Page, server: AuthorityServer, client_port: int, complaints: list[str]
) -> None:
    """The pages' own policy must let the form end at the client (no `form-action`)."""
    provider = CODEX.at(server.url)
    state = state_from(b"s" * 32)
    pair = Pkce.from_entropy(b"p" * 32)
    uri = provider.redirect_uri(client_port, "127.0.0.1")
    url = provider.dialect.authorize_url(provider, asked(uri, state.reveal(), pair.code_challenge))
    page.goto(there(url).reveal())
    expect(page.get_by_text(f"127.0.0.1:{client_port}")).to_be_visible()
    assert fits(page)
    page.get_by_role("button", name="Approve").click()
    expect(page).to_have_title("landed")
    assert page.url.startswith(f"{uri}?")
    query = parse_qs(urlsplit(page.url).query)
    assert query["state"] == [state.reveal()]
    form = {
        "grant_type": "authorization_code",
        "client_id": CODEX.client_id,
        "code": query["code"][0],
        "code_verifier": pair.code_verifier.reveal(),
        "redirect_uri": uri,
    }
    assert httpx.post(f"{server.url}/oauth/token", data=form, trust_env=False).status_code == 200
    assert complaints == []
