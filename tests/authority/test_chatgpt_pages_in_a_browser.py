"""The pages of the official sign-in in a real browser: chosen, approved, denied, with nothing on the console.

Rules of this file: a machine without Chromium fails these tests, unless CODEX_OAUTH_NO_BROWSER=1 says
that this is known.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from codex_oauth.authority import ChatGptAuthority, ChatGptPolicy, Person, Workspace, serve
from tests.authority.chatgpt_client import ASKED, AUTHORIZE, FIRST, PLAN, RESOURCE, TOKEN, VERIFIER
from tests.authority.conftest import fits

pytestmark = pytest.mark.skipif(
    os.environ.get("CODEX_OAUTH_NO_BROWSER") == "1", reason="CODEX_OAUTH_NO_BROWSER=1"
)
PEOPLE = (
    Person(workspaces=(Workspace(), Workspace(workspace_id="w2", name="Example Works"))),
    Person(subject="user-b", email="a.rather.long.address.of.somebody@subdomain.example.com"),
)


class Site:
    """The authority on its port, and where its client listens."""

    def __init__(self, authority: ChatGptAuthority, url: str, client_port: int) -> None:
        self.authority = authority
        self.url = url
        self.redirect_uri = f"http://127.0.0.1:{client_port}/auth/callback"

    def authorize_url(self, client_id: str = FIRST, **more: str) -> str:
        first = {"agent_name_hint": "Example"} if client_id == FIRST else {}
        query = {**ASKED, "redirect_uri": self.redirect_uri, "client_id": client_id, **first, **more}
        return f"{self.url}{AUTHORIZE}?{urlencode(query)}"

    def landed(self, page: Page) -> dict[str, str]:
        """What the browser brought to the client."""
        expect(page).to_have_title("landed")
        assert page.url.startswith(f"{self.redirect_uri}?")
        return {name: value for name, [value] in parse_qs(urlsplit(page.url).query).items()}

    def exchange(self, client_id: str, code: str) -> dict[str, object]:
        form = {
            "grant_type": "authorization_code",
            "client_id": client_id,
            "code": code,
            "code_verifier": VERIFIER,
            "redirect_uri": self.redirect_uri,
            "resource": RESOURCE,
        }
        answer = httpx.post(f"{self.url}{TOKEN}", data=form, trust_env=False)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, object] = answer.json()
        return tokens


@pytest.fixture
def site(client_port: int) -> Iterator[Site]:
    authority = ChatGptAuthority(policy=ChatGptPolicy(people=PEOPLE))
    with serve(authority) as server:
        yield Site(authority, server.url, client_port)


def test_a_person_chooses_a_workspace_names_the_program_and_approves(
    page: Page, site: Site, complaints: list[str]
) -> None:
    page.goto(site.authorize_url())
    expect(page.get_by_role("heading", level=1)).to_have_text("Continue with ChatGPT?")
    assert fits(page)
    page.get_by_label("Name of the program").fill("My notes")
    page.get_by_text("Example Works").click()
    expect(page.get_by_label("Example Works")).to_be_checked()
    page.get_by_role("button", name="Sign in and use my plan").click()
    way = site.landed(page)
    assert PLAN in str(site.exchange(way["client_id"], way["code"])["scope"]).split()
    registration = site.authority.registrations[way["client_id"]]
    assert (registration.name, registration.workspace.workspace_id) == ("My notes", "w2")
    assert site.authority.client_faults == []
    assert complaints == []


def test_a_person_signs_in_without_the_plan_and_enables_it_later(
    page: Page, site: Site, complaints: list[str]
) -> None:
    page.goto(site.authorize_url())
    page.get_by_role("button", name="Sign in, but no plan use").click()
    way = site.landed(page)
    client_id = way["client_id"]
    tokens = site.exchange(client_id, way["code"])
    assert PLAN not in str(tokens["scope"]).split()
    page.goto(site.authorize_url(client_id, prompt="consent", id_token_hint=str(tokens["id_token"])))
    expect(page.get_by_text(client_id)).to_be_visible()
    assert fits(page)
    page.get_by_role("button", name="Sign in and use my plan").click()
    assert PLAN in str(site.exchange(client_id, site.landed(page)["code"])["scope"]).split()
    assert complaints == []


def test_a_person_who_returns_chooses_an_account_or_is_sent_back_at_once(
    page: Page, site: Site, complaints: list[str]
) -> None:
    page.goto(site.authorize_url())
    page.get_by_role("button", name="Sign in and use my plan").click()
    way = site.landed(page)
    tokens = site.exchange(way["client_id"], way["code"])
    page.goto(site.authorize_url(way["client_id"]))
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose an account")
    assert fits(page)
    page.get_by_role("button", name="Continue").click()
    assert "code" in site.landed(page)
    page.goto(site.authorize_url(way["client_id"], id_token_hint=str(tokens["id_token"])))
    assert "code" in site.landed(page)
    assert site.authority.client_faults == []
    assert complaints == []


def test_the_enter_key_gives_nothing_away(page: Page, site: Site, complaints: list[str]) -> None:
    page.goto(site.authorize_url())
    page.get_by_label("Name of the program").press("Enter")
    assert site.landed(page)["error"] == "access_denied"
    assert dict(site.authority.registrations) == {}
    assert complaints == []


def test_everything_on_the_page_is_reached_by_the_keyboard(page: Page, site: Site) -> None:
    page.goto(site.authorize_url())
    for control in (
        page.get_by_label("Name of the program"),
        page.get_by_label("Personal").first,
        page.get_by_role("button", name="Deny"),
        page.get_by_role("button", name="Sign in, but no plan use"),
        page.get_by_role("button", name="Sign in and use my plan"),
    ):
        page.keyboard.press("Tab")
        expect(control).to_be_focused()
