"""The authorize endpoint of the official sign-in: what it requires, and what gets a page and no redirect."""

from __future__ import annotations

import pytest

from codex_oauth.authority import Person
from tests.authority.chatgpt_client import (
    AUTHORIZE,
    FIRST,
    HOST_ID,
    ISSUER,
    RESOURCE,
    SCOPES,
    URI,
    VERIFIER,
    Client,
    read,
    way_back,
)

STATE = "state-" + "s" * 37
THUMBPRINT = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:" + "A" * 43
DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"


@pytest.mark.parametrize(
    "host_id", [HOST_ID, HOST_ID.upper().replace("URN:UUID", "urn:uuid"), THUMBPRINT, DID]
)
def test_a_host_id_has_one_of_three_forms(host_id: str) -> None:
    client = Client()
    assert "code" in dict(way_back(client.authorize(ext_agent_host_id=host_id)))
    (registration,) = client.authority.registrations.values()
    assert registration.host_ids == {host_id}
    assert client.mistakes == []


WRONG: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"agent_name_hint": None}, "invalid_request"),
    ({"ext_agent_host_id": None}, "invalid_request"),
    ({"ext_agent_host_id": "urn:uuid:11111111-2222-1333-8444-555555555555"}, "invalid_request"),
    ({"ext_agent_host_id": "urn:uuid:11111111222243338444555555555555"}, "invalid_request"),
    ({"ext_agent_host_id": "11111111-2222-4333-8444-555555555555"}, "invalid_request"),
    ({"ext_agent_host_id": "somebody@example.com"}, "invalid_request"),
    ({"ext_agent_host_id": "did:web:example.com"}, "invalid_request"),
    ({"scope": None}, "invalid_scope"),
    ({"scope": SCOPES.replace(" offline_access", "")}, "invalid_scope"),
    ({"scope": f"{SCOPES} more"}, "invalid_scope"),
    ({"resource": None}, "invalid_request"),
    ({"resource": f"{RESOURCE}/"}, "invalid_target"),
    ({"state": None}, "invalid_request"),
    ({"nonce": None}, "invalid_request"),
    ({"nonce": STATE}, "invalid_request"),
    ({"state": "s" * 513}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"prompt": "consent"}, "invalid_request"),
    ({"id_token_hint": "x.y.z"}, "invalid_request"),
    ({"login_hint": "somebody@example.com"}, "invalid_request"),
    ({"force_reconsent": "true"}, "invalid_request"),
    ({"originator": "codex_cli_rs"}, "invalid_request"),
    ({"codex_cli_simplified_flow": "true"}, "invalid_request"),
    ({"id_token_add_organizations": "true"}, "invalid_request"),
    ({"allowed_workspace_id": "w1"}, "invalid_request"),
    ({"client_secret": "s"}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "code"), WRONG, ids=lambda given: str(given)[:60])
def test_a_first_request_that_is_wrong_goes_back_as_an_error_and_is_noted(
    changes: dict[str, str | None], code: str
) -> None:
    client = Client()
    state = changes.get("state", STATE)
    assert way_back(client.authorize(**changes)) == [
        ("error", code),
        *([] if state is None else [("state", state)]),
    ]
    assert client.mistakes == [("authorize", code)]
    assert dict(client.authority.registrations) == {}


def test_a_note_says_where_and_why() -> None:
    client = Client()
    client.authorize()
    client.authorize(ext_agent_host_id=None)
    (fault,) = client.authority.client_faults
    assert (fault.number, fault.why) == (2, "ext_agent_host_id has one of three forms")


@pytest.mark.parametrize(
    "changes",
    [
        {"agent_name_hint": "Example"},
        {"ext_agent_host_id": None},
        {"resource": None},
        {"scope": "openid"},
        {"nonce": None},
        {"prompt": "login"},
        {"force_reconsent": "true"},
        {"id_token_hint": "x.y.z"},
    ],
    ids=str,
)
def test_a_returning_request_that_is_wrong_is_told_so_too(changes: dict[str, str | None]) -> None:
    client = Client()
    client.walk_in()
    way = dict(way_back(client.authorize(**changes)))
    assert way["error"] in ("invalid_request", "invalid_scope")
    assert len(client.mistakes) == 1


def test_an_id_token_hint_is_one_of_this_client() -> None:
    client = Client(people=(Person(), Person(subject="user-b", email="b@example.com")))
    mine = client.walk_in()["id_token"]
    assert "code" in dict(way_back(client.authorize(id_token_hint=mine, login_hint="somebody@example.com")))
    assert "error" in dict(way_back(client.authorize(id_token_hint=mine, login_hint="b@example.com")))
    client.sleep(30 * 86_400)
    assert "code" in dict(way_back(client.authorize(id_token_hint=mine))), "it may be expired"
    client.client_id = ""
    client.policy.browser_subject = "user-b"
    client.walk_in()
    assert "error" in dict(way_back(client.authorize(id_token_hint=mine)))
    assert len(client.mistakes) == 2


def test_after_a_sign_out_no_hint_may_come() -> None:
    client = Client()
    hint = client.walk_in()["id_token"]
    client.revoke()
    assert dict(way_back(client.authorize(id_token_hint=hint)))["error"] == "invalid_request"
    assert client.mistakes == [("authorize", "invalid_request")]


def test_prompts_and_hints_are_in_the_journal() -> None:
    client = Client()
    hint = client.walk_in()["id_token"]
    client.authorize(id_token_hint=hint, login_hint="somebody@example.com", prompt="consent")
    first, then = client.authority.received("authorize")
    assert first.fields["agent_name_hint"] == "Example"
    assert (then.fields["prompt"], then.fields["login_hint"]) == ("consent", "somebody@example.com")
    assert hint not in repr(then)


# -- no redirect --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "http://localhost:49152/auth/callback",
        "http://[::1]:49152/auth/callback",
        "http://127.0.0.1/auth/callback",
        "http://127.0.0.1:0/auth/callback",
        "http://127.0.0.1:65536/auth/callback",
        "http://127.0.0.1:x/auth/callback",
        "https://127.0.0.1:49152/auth/callback",
        "http://127.0.0.1:49152",
        "http://127.0.0.1:49152/auth/callback?x=1",
        "http://127.0.0.1:49152/auth/callback#x",
        "http://127.0.0.1:49152/auth/callback\n",
        "http://127.0.0.1:49152@evil.example/auth/callback",
        "http://evil.example:49152/auth/callback",
        "javascript:alert(1)",
    ],
)
def test_a_bad_redirect_uri_gets_a_page_and_no_redirect(uri: str | None) -> None:
    for client in (Client(), Client(approve="ask")):
        answer = client.authorize(redirect_uri=uri)
        assert (answer.status, answer.header("Location")) == (400, None)
        assert client.mistakes == [("authorize", "invalid_request")]


def test_the_port_may_change_and_the_path_may_not() -> None:
    client = Client()
    client.walk_in()
    for port in (1, 50_000, 65_535):
        assert client.authorize(redirect_uri=f"http://127.0.0.1:{port}/auth/callback").status == 303
    answer = client.authorize(redirect_uri="http://127.0.0.1:49152/other")
    assert (answer.status, answer.header("Location")) == (400, None)


def test_another_path_can_be_registered() -> None:
    client = Client()
    uri = "http://127.0.0.1:49152/other"
    assert (client.authorize(redirect_uri=uri).header("Location") or "").startswith(f"{uri}?code=")
    (registration,) = client.authority.registrations.values()
    assert registration.path == "/other"
    client.client_id = registration.client_id
    assert client.authorize(redirect_uri=URI).status == 400


@pytest.mark.parametrize("client_id", [None, "oaiapp_test_unknown", FIRST.upper()])
def test_an_unknown_client_gets_a_page_and_no_redirect(client_id: str | None) -> None:
    for client in (Client(), Client(approve="ask")):
        answer = client.authorize(client_id=client_id)
        assert (answer.status, answer.header("Location")) == (400, None)


@pytest.mark.parametrize("query", ["state=a&state=b", "state=", "x", "x=%ff"])
def test_a_query_that_cannot_be_read_strictly_gets_a_page(query: str) -> None:
    client = Client()
    assert client.browse("GET", f"{AUTHORIZE}?{query}").status == 400
    assert client.mistakes == [("authorize", "invalid_request")]


# -- who decides without a page -----------------------------------------------------------------------


def test_the_policy_may_answer_after_its_time() -> None:
    client = Client(approve_after=7)
    answer = client.authorize()
    assert answer.delay == 7
    way = dict(way_back(answer))
    client.client_id = way["client_id"]
    client.sleep(7 + 59)
    assert client.exchange(way["code"], code_verifier=VERIFIER).status == 200


def test_the_issuer_may_name_itself() -> None:
    assert way_back(Client(iss_in_callback=True).authorize())[-1] == ("iss", ISSUER)
    way = way_back(Client(iss_in_callback=True, approve="deny").authorize())
    assert way[-1] == ("iss", ISSUER)


def test_nobody_sits_at_the_browser() -> None:
    with pytest.raises(LookupError):
        Client(browser_subject="nobody").policy.at_the_browser()
    with pytest.raises(LookupError):
        Client(browser_workspace="nowhere").policy.at_the_browser()


@pytest.mark.parametrize(
    "settings",
    [
        {"code_lifetime": 0},
        {"access_lifetime": float("inf")},
        {"approve_after": -1},
        {"approve": "perhaps"},
        {"earliest_refresh_at": "soon"},
        {"stream_end": "never"},
        {"plan_refusal": "no"},
        {"admission": 200},
        {"people": ()},
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the names of the settings differ
        Client(**settings)
    for name, value in settings.items():
        with pytest.raises(ValueError):  # noqa: PT011
            setattr(Client().policy, name, value)


def test_the_client_reads_what_it_needs() -> None:
    """An answer that is no 200 is no tokens."""
    with pytest.raises(AssertionError):
        read(Client().get("/nothing"))
