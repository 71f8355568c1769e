"""The pages of the official sign-in: who is asked what, what an answer leads to, and whose form is taken."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from codex_oauth.authority import Answer, Person, Workspace
from tests.authority.chatgpt_client import (
    AUTHORIZE,
    ISSUER,
    PLAN,
    Client,
    api_error,
    claims_of,
    read,
    way_back,
)
from tests.authority.peer import hidden, text

PEOPLE = (
    Person(workspaces=(Workspace(), Workspace(workspace_id="w2", name="Example & <Sons>"))),
    Person(subject="user-b", email="b@example.com", name="B"),
)
ACCOUNT = "user-fake-1 workspace-fake-1"


def asking(**policy: object) -> Client:
    return Client(**{"approve": "ask", "people": PEOPLE, **policy})


def signed_in(client: Client, way: list[tuple[str, str]]) -> Client:
    client.client_id = dict(way).get("client_id", client.client_id)
    client.tokens = read(client.exchange(dict(way)["code"]))
    return client


def returning() -> Client:
    """A registered client whose person is asked from now on."""
    client = asking()
    signed_in(client, way_back(client.decide(client.authorize(), "approve", account=ACCOUNT)))
    return client


# -- a first registration -----------------------------------------------------------------------------


def test_the_consent_page_says_who_asks_for_what() -> None:
    page = text(asking().authorize(agent_name_hint='<b>"Notes"'))
    assert 'value="&lt;b&gt;&quot;Notes&quot;"' in page
    assert "Only approve if you started this sign-in yourself just now." in page
    assert "use your ChatGPT plan for its requests" in page
    assert "127.0.0.1:49152" in page
    assert "Example &amp; &lt;Sons&gt;" in page
    assert page.count('type="radio"') == 3
    assert page.count("checked") == 1 + page.count(":checked")


@pytest.mark.parametrize(("decision", "plan"), [("approve", True), ("no_plan", False)])
def test_a_person_agrees_with_the_plan_or_without_it(decision: str, plan: bool) -> None:
    client = asking()
    signed_in(client, way_back(client.decide(client.authorize(), decision, account=ACCOUNT)))
    assert (PLAN in client.tokens["scope"].split()) is plan
    assert (client.ask().status == 200) is plan


def test_a_person_chooses_account_workspace_and_name() -> None:
    client = asking()
    page = client.authorize()
    way = way_back(client.decide(page, "approve", account="user-fake-1 w2", agent_name="  My notes "))
    signed_in(client, way)
    (registration,) = client.authority.registrations.values()
    assert (registration.workspace.workspace_id, registration.name) == ("w2", "My notes")
    client.client_id = ""
    signed_in(
        client, way_back(client.decide(client.authorize(), "approve", account="user-b workspace-fake-1"))
    )
    assert claims_of(client.tokens["id_token"])["email"] == "b@example.com"
    assert client.authority.registrations[client.client_id].name == "Example"


def test_a_denial_leads_back_and_registers_nobody() -> None:
    client = asking()
    way = way_back(client.decide(client.authorize(), "deny", account=ACCOUNT))
    assert way == [("error", "access_denied"), ("state", "state-" + "s" * 37)]
    assert dict(client.authority.registrations) == {}


def test_nobody_has_to_choose_an_account_to_deny() -> None:
    client = asking()
    assert dict(way_back(client.decide(client.authorize(), "deny")))["error"] == "access_denied"
    client = returning()
    assert dict(way_back(client.decide(client.authorize(), "deny", account="user-b")))["error"]


@pytest.mark.parametrize("account", ["", "user-b", "user-b w2", "nobody workspace-fake-1"])
def test_an_account_that_is_not_there_is_no_answer(account: str) -> None:
    client = asking()
    page = client.authorize()
    assert client.decide(page, "approve", account=account).status == 400
    assert client.decide(page, "approve", account=ACCOUNT).status == 303, "the page can still be answered"


# -- a return -----------------------------------------------------------------------------------------


def test_without_a_hint_a_person_says_who_they_are_and_nothing_else() -> None:
    client = returning()
    page = client.authorize()
    assert "Choose an account" in text(page)
    assert PLAN not in text(page)
    signed_in(client, way_back(client.decide(page, "approve", account="user-fake-1")))
    assert client.ask().status == 200
    assert client.mistakes == []


def test_another_person_cannot_answer_for_a_registration() -> None:
    client = returning()
    page = client.authorize()
    answer = client.decide(page, "approve", account="user-b")
    assert (answer.status, answer.header("Location")) == (403, None)
    assert client.decide(page, "approve", account="user-fake-1").status == 303


def test_a_person_may_cancel_a_return() -> None:
    client = returning()
    way = way_back(client.decide(client.authorize(), "deny", account="user-fake-1"))
    assert dict(way)["error"] == "access_denied"
    assert client.refresh().status == 200, "what there was stays"


def test_with_a_hint_the_way_back_is_immediate() -> None:
    client = returning()
    signed_in(client, way_back(client.authorize(id_token_hint=client.tokens["id_token"])))
    assert client.ask().status == 200


def test_enabling_the_plan_asks_again_also_after_a_refusal() -> None:
    client = asking()
    signed_in(client, way_back(client.decide(client.authorize(), "no_plan", account=ACCOUNT)))
    hint = client.tokens["id_token"]
    page = client.authorize(prompt="consent", id_token_hint=hint)
    assert "Example" in text(page)
    assert client.client_id in text(page)
    assert 'type="radio"' not in text(page)
    signed_in(client, way_back(client.decide(page, "no_plan")))
    assert api_error(client.ask()) == (403, "chatpass_v2_scope_not_authorized")
    page = client.authorize(prompt="consent", id_token_hint=hint)
    signed_in(client, way_back(client.decide(page, "approve")))
    assert client.ask().status == 200


def test_an_ordinary_return_does_not_bring_the_plan_back() -> None:
    client = asking()
    signed_in(client, way_back(client.decide(client.authorize(), "no_plan", account=ACCOUNT)))
    signed_in(client, way_back(client.decide(client.authorize(), "approve", account="user-fake-1")))
    assert PLAN not in client.tokens["scope"].split()


# -- whose form is taken ------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["no token", "wrong token", "no cookie", "another cookie", "site", "origin"])
def test_a_form_from_elsewhere_changes_nothing(case: str) -> None:
    client = asking()
    page = client.authorize()
    form = {name: hidden(page, name) for name in ("csrf", "ticket")} | {
        "decision": "approve",
        "account": ACCOUNT,
    }
    good, cookie, headers = dict(form), client.cookie, dict[str, str]()
    match case:
        case "no token":
            del form["csrf"]
        case "wrong token":
            form["csrf"] = form["csrf"][::-1]
        case "no cookie":
            client.cookie = None
        case "another cookie":
            client.cookie = f"authority_session={'x' * 43}"
        case "site":
            headers["Sec_Fetch_Site"] = "cross-site"
        case _:
            headers["Origin"] = "https://evil.example"
    assert client.browse("POST", AUTHORIZE, form, **headers).status == 403
    assert dict(client.authority.registrations) == {}
    client.cookie = cookie
    assert client.browse("POST", AUTHORIZE, good, Origin=ISSUER).status == 303
    assert client.mistakes == [], "a person's form is no mistake of the program"


def test_a_page_is_answered_once_and_within_ten_minutes() -> None:
    client = asking()
    page = client.authorize()
    assert client.decide(page, "approve", account=ACCOUNT).status == 303
    assert client.decide(page, "approve", account=ACCOUNT).status == 409
    page = client.authorize()
    client.sleep(600)
    assert client.decide(page, "approve", account=ACCOUNT).status == 409


def test_a_page_of_one_browser_cannot_be_answered_by_another() -> None:
    client = asking()
    ticket = hidden(client.authorize(), "ticket")
    client.cookie = None
    form = {"csrf": hidden(client.authorize(), "csrf"), "ticket": ticket}
    answer = client.browse("POST", AUTHORIZE, {**form, "decision": "approve", "account": ACCOUNT})
    assert answer.status == 409


@pytest.mark.parametrize("decision", ["", "yes", "Approve"])
def test_a_decision_is_one_of_three(decision: str) -> None:
    client = asking()
    assert client.decide(client.authorize(), decision, account=ACCOUNT).status == 400


def test_under_never_nobody_decides() -> None:
    client = returning()
    client.policy.approve = "never"  # type: ignore[assignment]  # it has a converter
    for page in (client.authorize(), client.authorize(prompt="consent")):
        assert "<button" not in text(page)
        assert client.decide(page, "approve").status == 403
    assert client.authorize(id_token_hint=client.tokens["id_token"]).status == 303


# -- what every page is like --------------------------------------------------------------------------


def every_page() -> list[Answer]:
    client = returning()
    return [
        asking().authorize(),
        client.authorize(),
        client.authorize(prompt="consent"),
        client.authorize(client_id="unknown"),
    ]


@pytest.mark.parametrize("page", every_page(), ids=lambda page: str(page.status))
def test_a_page_is_accessible_loads_nothing_and_cannot_be_framed(page: Answer) -> None:
    html = text(page)
    assert '<html lang="en">' in html
    assert html.count("<h1>") == 1
    assert "Test authority." in html
    assert "<script" not in html
    assert not re.findall(r'(?:src|href)="(?!/)', html)
    for name in re.findall(r'<input class="name" id="([^"]+)"', html):
        assert f'<label for="{name}">' in html
    policy = page.header("Content-Security-Policy") or ""
    assert "frame-ancestors 'none'" in policy
    assert "form-action" not in policy
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy


def test_the_favicon_is_there_and_nothing_else() -> None:
    client = Client()
    assert client.get("/favicon.ico").status == 200
    assert client.get("/").status == 404
    assert client.mistakes == []
