"""The official sign-in from end to end, by a client written by hand: what is granted, renewed, ended, refused."""

from __future__ import annotations

import pytest

from codex_oauth.authority import Person, Workspace
from tests.authority.chatgpt_client import (
    FIRST,
    PLAN,
    SCOPES,
    Client,
    api_error,
    claims_of,
    error,
    read,
    way_back,
)

HOUR = 3600
TWO = (
    Person(subject="user-a", workspaces=(Workspace(workspace_id="w1"), Workspace(workspace_id="w2"))),
    Person(subject="user-b", email="b@example.com"),
)


def test_a_first_sign_in_registers_and_its_tokens_open_the_api() -> None:
    client = Client()
    way = way_back(client.authorize())
    assert [name for name, _ in way] == ["code", "scope", "state", "client_id"]
    client.client_id = dict(way)["client_id"]
    assert client.client_id.startswith("oaiapp_test_")
    client.tokens = read(client.exchange(dict(way)["code"]))
    assert client.tokens["scope"] == " ".join(sorted(SCOPES.split()))
    assert (client.tokens["token_type"], client.tokens["expires_in"]) == ("Bearer", HOUR)
    assert client.ask().status == 200
    assert client.models().status == 200
    assert client.mistakes == []


def test_the_person_who_returns_is_not_registered_again() -> None:
    client = Client()
    client.walk_in()
    first = client.client_id
    way = way_back(client.authorize(id_token_hint=client.tokens["id_token"]))
    assert dict(way)["client_id"] == first
    client.policy.client_id_on_return = False
    assert [name for name, _ in way_back(client.authorize())] == ["code", "scope", "state"]
    client.walk_in()
    assert list(client.authority.registrations) == [first]
    assert client.mistakes == []


def test_a_registration_belongs_to_one_person_and_workspace() -> None:
    client = Client(people=TWO)
    subjects: list[str] = []
    for subject, workspace in (("user-a", "w1"), ("user-a", "w2"), ("user-b", None)):
        client.policy.browser_subject, client.policy.browser_workspace = subject, workspace
        client.client_id = ""
        subjects.append(claims_of(client.walk_in()["id_token"])["sub"])
    assert subjects == ["user-a", "user-a", "user-b"]
    kept = client.authority.registrations.values()
    assert [(one.person.subject, one.workspace.workspace_id) for one in kept] == [
        ("user-a", "w1"),
        ("user-a", "w2"),
        ("user-b", "workspace-fake-1"),
    ]
    first = next(iter(client.authority.registrations))
    client.client_id = first
    assert claims_of(client.walk_in()["id_token"])["sub"] == "user-a"
    assert len(client.authority.registrations) == 3


def test_a_refresh_rotates_and_the_old_token_is_spent() -> None:
    client = Client()
    client.walk_in()
    old = client.tokens["refresh_token"]
    assert client.refresh().status == 200
    assert client.tokens["refresh_token"] != old
    assert error(client.refresh(old)) == (401, "refresh_token_reused")
    assert error(client.refresh()) == (401, "refresh_token_invalidated")
    assert api_error(client.ask()) == (401, "token_invalidated")
    assert client.mistakes == []


def test_a_spent_refresh_token_may_leave_its_successors_alone() -> None:
    client = Client(reuse_ends_session=False)
    client.walk_in()
    old = client.tokens["refresh_token"]
    client.refresh()
    assert error(client.refresh(old)) == (401, "refresh_token_reused")
    assert client.refresh().status == 200


def test_every_refresh_restarts_the_thirty_days() -> None:
    client = Client()
    client.walk_in()
    for _ in range(3):
        client.sleep(30 * 86_400 - 1)
        assert client.refresh().status == 200
    client.sleep(30 * 86_400)
    assert error(client.refresh()) == (401, "refresh_token_expired")


def test_a_sign_out_ends_the_sign_in_and_keeps_the_registration() -> None:
    client = Client()
    client.walk_in()
    answer = client.revoke()
    assert (answer.status, answer.body.reveal()) == (200, b"")
    assert error(client.refresh()) == (401, "refresh_token_invalidated")
    assert api_error(client.ask()) == (401, "token_invalidated")
    assert client.revoke().status == 200
    assert client.client_id in client.authority.registrations
    client.walk_in()
    assert client.ask().status == 200
    assert client.mistakes == []


def test_a_sign_out_of_one_sign_in_leaves_the_others() -> None:
    client = Client()
    client.walk_in()
    other = client.tokens
    client.walk_in()
    client.revoke()
    client.tokens = other
    assert client.refresh().status == 200


def test_a_plan_that_is_refused_is_a_sign_in_all_the_same_and_can_be_enabled_later() -> None:
    client = Client(plan_use=False)
    client.walk_in()
    assert PLAN not in client.tokens["scope"].split()
    assert api_error(client.ask()) == (403, "chatpass_v2_scope_not_authorized")
    assert api_error(client.models()) == (403, "chatpass_v2_scope_not_authorized")
    client.policy.plan_use = True
    client.walk_in()
    assert PLAN not in client.tokens["scope"].split(), "an ordinary return asks nobody"
    client.walk_in(prompt="consent")
    assert client.ask().status == 200
    client.walk_in()
    assert client.ask().status == 200, "what was agreed to stays"
    assert client.mistakes == []


def test_the_plan_may_be_taken_back_when_it_is_asked_for_again() -> None:
    client = Client()
    client.walk_in()
    client.policy.plan_use = False
    client.walk_in(prompt="consent")
    assert PLAN not in client.tokens["scope"].split()
    client.policy.plan_use = True
    client.walk_in()
    assert PLAN not in client.tokens["scope"].split()


def test_a_denial_registers_nobody() -> None:
    client = Client(approve="deny")
    way = way_back(client.authorize())
    assert way == [("error", "access_denied"), ("state", "state-" + "s" * 37)]
    assert dict(client.authority.registrations) == {}
    assert client.mistakes == []


def test_a_person_may_disconnect_a_program() -> None:
    client = Client()
    client.walk_in()
    client.authority.disconnect(client.client_id)
    assert error(client.refresh()) == (400, "invalid_grant")
    assert client.ask().status == 401
    client.walk_in()
    assert client.ask().status == 200


def test_a_person_may_delete_a_registration() -> None:
    client = Client()
    client.walk_in()
    client.authority.forget(client.client_id)
    assert error(client.refresh()) == (401, "invalid_client")
    answer = client.authorize()
    assert (answer.status, answer.header("Location")) == (400, None)
    assert client.mistakes == [], "a person's decision is no mistake of the client"


def test_what_came_in_is_counted() -> None:
    client = Client()
    client.walk_in()
    client.refresh()
    client.ask()
    client.revoke()
    client.get("/.well-known/jwks.json")
    wanted = {"authorize": 1, "callback": 1, "exchange": 1, "refresh": 1, "token": 2, "responses": 1}
    assert wanted.items() <= client.authority.counts.items()
    assert (client.authority.counts["keys"], client.authority.counts["revoke"]) == (1, 1)
    (asked,) = client.authority.received("authorize")
    assert asked.fields["client_id"] == FIRST
    assert "state-" not in repr(asked)
    assert client.tokens["refresh_token"] not in repr(client.authority.requests)


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_tokens_say_that_they_are_fake(kind: str) -> None:
    client = Client()
    token = client.walk_in()[kind]
    said = str(claims_of(token)) if kind == "access_token" else token
    assert "fake" in said
