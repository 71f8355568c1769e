"""A registration: what is kept of it, what becomes of it whatever happens on the way, and who may name it."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.testing import Reply
from codex_oauth_core import (
    CHATGPT,
    CODEX,
    CallbackReceived,
    Credential,
    ErrorKind,
    Finished,
    Registration,
    Request,
    Resumed,
    Secret,
    SendRequest,
    SignInError,
    Started,
    StoreAnswered,
    TryAgain,
    restore,
)
from codex_oauth_core.callback import read_redirect
from codex_oauth_core.provider import CodeInHand
from codex_oauth_core.registration import LONGEST_REGISTRATION, read_registration, write_registration
from codex_oauth_core.storage import Register, Registered, StoreFailed
from tests.checkpoints.journeys import through_json
from tests.core.chatgpt import APP, FIRST, Desk, authority, flow, signed_in
from tests.support import as_json, page, response

E = ErrorKind
KEPT: Final = Registration(
    "https://auth.openai.com", "oaiapp_1", "/auth/callback", "Some Äpplication", "2026-11-30T00:00:00Z"
)


def reason(data: bytes) -> Any:
    found = read_registration(data)
    assert isinstance(found, SignInError)
    assert found.kind is E.CORRUPT_AUTH
    assert "canary" not in f"{found!r}{found}{found.to_dict()}"
    return found.details["reason"]


def changed(**fields: Any) -> bytes:
    document = {**json.loads(write_registration(KEPT)), **fields}
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


# -- what is kept --------------------------------------------------------------------------------------


def test_what_is_written_is_read() -> None:
    assert read_registration(write_registration(KEPT)) == KEPT
    nameless = attrs.evolve(KEPT, application="")
    assert read_registration(write_registration(nameless)) == nameless
    assert read_registration(changed(more="of a newer release")) == KEPT


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not_json"),
        (b"\xff", "not_json"),
        (b"[]", "not_an_object"),
        (b'{"schema_version":1,"schema_version":1}', "not_json"),
        (b"x" * (LONGEST_REGISTRATION + 1), "too_big"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "too_deep"),
        (changed(schema_version=2, client_id=7), "schema_too_new"),
        (changed(schema_version=0), "schema_version"),
        (changed(schema_version="1"), "schema_version"),
        (changed(schema_version=True), "schema_version"),
        (changed(schema_version=...), "schema_version"),
        *(
            (changed(**{name: value}), name)
            for name in ("issuer", "client_id", "redirect_path", "registered_at")
            for value in (..., None, 7, "", "canary canary", "canary\n", "é", "x" * 5000, ["canary"])
        ),
        (changed(redirect_path="canary"), "redirect_path"),
        *((changed(application=value), "application") for value in (..., None, 7, "canary\x1b", "x" * 5000)),
    ],
)
def test_what_is_wrong_is_named_and_not_told(data: bytes, why: str) -> None:
    assert reason(data) == why


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    assert isinstance(read_registration(data), Registration | SignInError)


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@given(
    issuer=printable,
    client_id=printable,
    path=printable,
    application=st.text(max_size=60).filter(str.isprintable),
    at=printable,
)
def test_whatever_may_be_kept_is_read_as_it_was(
    issuer: str, client_id: str, path: str, application: str, at: str
) -> None:
    kept = Registration(issuer, client_id, f"/{path}", application, at)
    assert read_registration(write_registration(kept)) == kept


# -- which client ids a redirect may name --------------------------------------------------------------


def in_hand(query: str | None) -> CodeInHand:
    return CodeInHand(
        authorization_code=Secret("c"),
        code_verifier=Secret("v"),
        redirect_uri="http://127.0.0.1:1/auth/callback",
        query=None if query is None else Secret(query),
    )


@pytest.mark.parametrize(
    ("query", "issued"),
    [
        ("client_id=oaiapp_1", "oaiapp_1"),
        ("client_id=anything-else_9", "anything-else_9"),
        (f"client_id={'x' * 200}", "x" * 200),
        (f"client_id={'x' * 201}", "client_id_unusable"),
        ("client_id=dynamic_agent_client", "client_id_unusable"),
        ("client_id=dynamic_agent_client_2", "dynamic_agent_client_2"),
        ("client_id=a.b", "client_id_unusable"),
        ("client_id=a%0a", "client_id_unusable"),
        ("client_id=a%20b", "client_id_unusable"),
        ("client_id=", "client_id_unusable"),
        ("client_id=%C3%A9", "client_id_unusable"),
        ("code=x", "client_id_missing"),
        ("", "client_id_missing"),
        (None, "client_id_missing"),
    ],
)
def test_the_client_id_of_a_first_registration(query: str | None, issued: str) -> None:
    found = FIRST.dialect.issued_client_id(FIRST, in_hand(query))
    assert getattr(found, "reason", found) == issued
    read = None if query is None else read_redirect(Secret(query)).client_id
    assert FIRST.dialect.issued_client_id(FIRST, attrs.evolve(in_hand(query), client_id=read)) == found
    request = FIRST.dialect.exchange_request(FIRST, in_hand(query))
    if isinstance(found, str):
        assert isinstance(request, Request)
        assert f"client_id={issued}" in request.body.reveal().decode()
    else:
        assert request == found


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("client_id=oaiapp_1", None),
        ("code=x", None),
        ("client_id=oaiapp_2", "client_id_changed"),
        ("client_id=dynamic_agent_client", "client_id_changed"),
        ("client_id=", "client_id_changed"),
    ],
)
def test_the_client_id_of_a_returning_sign_in(query: str, why: str | None) -> None:
    again = FIRST.registered("oaiapp_1")
    assert getattr(again.dialect.issued_client_id(again, in_hand(query)), "reason", None) == why


def test_a_provider_knows_whether_it_is_registered() -> None:
    assert (CHATGPT.is_registered, CODEX.is_registered) == (False, True)
    assert CHATGPT.registered("oaiapp_1").is_registered
    assert (CHATGPT.issues("oaiapp_1"), CODEX.issues("oaiapp_1")) == (True, False)
    assert CODEX.dialect.issued_client_id(CODEX, in_hand("client_id=x")) is None


# -- whatever happens on the way -----------------------------------------------------------------------


redirects = st.sampled_from(
    ["as it is", "lost", "repeated", "changed", "missing", "the registration id", "denied"]
)


def _on_the_way(what: str, query: str) -> str | None:
    fields = dict(parse_qsl(query))
    match what:
        case "lost":
            return None
        case "repeated":
            return f"{query}&client_id=oaiapp_other"
        case "changed":
            return urlencode({**fields, "client_id": "oaiapp_other"})
        case "missing":
            return urlencode({name: value for name, value in fields.items() if name != "client_id"})
        case "the registration id":
            return urlencode({**fields, "client_id": "dynamic_agent_client"})
        case "denied":
            return urlencode({"error": "access_denied", "state": fields["state"]})
        case _:
            return query


@given(
    ways=st.lists(redirects, min_size=5, max_size=5),
    stores=st.lists(st.booleans(), max_size=3),
    returning=st.booleans(),
)
def test_nothing_is_exchanged_but_with_a_client_id_that_is_kept(
    ways: list[str], stores: list[bool], returning: bool
) -> None:
    script = iter(ways)
    full = StoreFailed(SignInError.of(E.AUTH_WRITE_FAILED, reason="ENOSPC"))
    desk = Desk(store=[Registered() if good else full for good in stores])
    desk.changed = lambda query: _on_the_way(next(script), query)
    provider = FIRST
    if returning:
        first = signed_in(Desk(desk.server).run(flow()))
        provider = FIRST.registered(first.client_id)
    known = {provider.client_id} if returning else set[str]()
    before = desk.count("exchange")
    outcome = desk.run(flow(provider))
    kept = known | {each.client_id for each in desk.kept}
    for form in desk.sent:
        assert form["client_id"] in kept, "only what is kept is used"
    assert all(number == before for number in desk.at_registration), "and it is kept before"
    assert len(desk.at_registration) <= 1
    if returning:
        assert desk.kept == []
    if isinstance(outcome, Credential):
        assert outcome.client_id in kept
    used = ways[: len(desk.opened)]
    told = next((way for way in used if way not in ("lost", "repeated")), None)
    good = told == "as it is" or (returning and told == "missing")
    stored = returning or not stores or stores[0]
    assert isinstance(outcome, Credential) is (good and stored)


@pytest.mark.parametrize("stop", ["before it is kept", "after it is kept", "while the code is sent"])
def test_a_crash_between_the_registration_and_the_exchange_loses_no_client_id(stop: str) -> None:
    """The process dies there, and another takes up what the first put down before that effect."""
    desk = Desk()
    dying = flow()
    effect = desk.tell(dying, _started(desk))
    while not isinstance(effect, Register):
        effect = desk.tell(dying, desk.answer(effect))
    if stop != "before it is kept":
        kept = desk.answer(effect)
        if stop == "while the code is sent":
            sending = desk.tell(dying, kept)
            assert isinstance(sending, SendRequest)
            desk.answer(sending)
            effect = sending
    mapping = through_json(dying.checkpoint(at=desk.world.at, wall=desk.world.wall))
    again = restore(mapping, FIRST)
    effect = again.receive(Resumed(*desk.world.now()))
    while not isinstance(effect, Finished):
        effect = again.receive(desk.answer(effect))
    assert {each.client_id for each in desk.kept} == set(desk.server.registrations)
    assert desk.count("exchange") == 1
    if stop == "while the code is sent":
        assert isinstance(effect.outcome, SignInError)
        assert effect.outcome.details == {"uncertain": True, "reason": "put_down"}
    else:
        assert isinstance(effect.outcome, Credential)
    (client_id,) = desk.server.registrations
    assert signed_in(desk.run(flow(FIRST.registered(client_id)))).client_id == client_id


def _started(desk: Desk) -> Any:
    return Started(*desk.world.now())


def test_a_day_later_the_registration_is_kept_and_the_code_not_sent() -> None:
    desk = Desk()
    first = flow()
    effect = desk.tell(first, _started(desk))
    while not isinstance(effect, Register):
        effect = desk.tell(first, desk.answer(effect))
    mapping = through_json(first.checkpoint(at=desk.world.at, wall=desk.world.wall, handed_over=True))
    again = restore(mapping, FIRST)
    desk.world.wall += 86_400
    effect = again.receive(Resumed(*desk.world.now()))
    assert isinstance(effect, Register)
    ended = again.receive(desk.answer(effect))
    assert isinstance(ended, Finished)
    assert isinstance(ended.outcome, SignInError)
    assert ended.outcome.details == {"reason": "too_late"}
    assert (len(desk.kept), desk.count("token")) == (1, 0)


def test_a_checkpoint_whose_redirect_issued_nothing_registers_nothing() -> None:
    desk = Desk()
    first = flow()
    effect = desk.tell(first, _started(desk))
    while not isinstance(effect, Register):
        effect = desk.tell(first, desk.answer(effect))
    mapping = through_json(first.checkpoint(at=desk.world.at, wall=desk.world.wall))
    again = restore(mapping, FIRST)
    known = restore({**mapping, "client_id": "oaiapp_1"}, FIRST.registered("oaiapp_1"))
    assert isinstance(again.receive(Resumed(*desk.world.now())), Register)
    ended = known.receive(Resumed(*desk.world.now()))
    assert isinstance(ended, Finished)


# -- keys and documents --------------------------------------------------------------------------------


GOOD: Final = {"kty": "RSA", "kid": "k", "n": "AQAB", "e": "AQAB", "use": "sig", "alg": "RS256"}


def read_keys(*keys: Any, status: int = 200) -> Any:
    return CHATGPT.dialect.read_keys(CHATGPT, response(as_json(status, {"keys": list(keys)})))


@pytest.mark.parametrize(
    "key",
    [
        {**GOOD, "kty": "EC"},
        {**GOOD, "kty": "oct"},
        {**GOOD, "use": "enc"},
        {**GOOD, "alg": "RS512"},
        {**GOOD, "alg": "none"},
        {**GOOD, "kid": None},
        {**GOOD, "kid": ""},
        {**GOOD, "kid": 7},
        {**GOOD, "n": "a=b"},
        {**GOOD, "n": ""},
        {**GOOD, "n": "A" * 1025},
        {**GOOD, "n": ["AQAB"]},
        {**GOOD, "e": "é"},
        {**GOOD, "e": 65537},
        {name: value for name, value in GOOD.items() if name != "n"},
        "key",
        None,
        [],
    ],
)
def test_a_key_that_cannot_check_by_rs256_is_none(key: Any) -> None:
    assert [each.key_id for each in read_keys(key, {**GOOD, "kid": "good"}).keys] == ["good"]
    assert not hasattr(read_keys(key), "keys"), "and a set without a key is no answer"


def test_what_a_key_need_not_say() -> None:
    bare = {name: value for name, value in GOOD.items() if name not in ("use", "alg")}
    (key,) = read_keys({**bare, "x5c": ["y"], "more": 1}).keys
    assert key.jwk == GOOD
    assert len(read_keys(*[GOOD] * 100).keys) == 64


@pytest.mark.parametrize(
    "reply", [page(200), page(503), as_json(404, {}), as_json(200, []), as_json(500, {"keys": [GOOD]})]
)
def test_what_is_no_key_set_is_no_answer(reply: Reply) -> None:
    fact = CHATGPT.dialect.read_keys(CHATGPT, response(reply))
    assert not hasattr(fact, "keys")


HOME: Final = "https://auth.openai.com"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"issuer": HOME}, None),
        ({"issuer": HOME, "jwks_uri": f"{HOME}/keys2", "revocation_endpoint": f"{HOME}/revoke2"}, None),
        ({"issuer": HOME, "token_endpoint": "https://attacker.example/token"}, None),
        ({"issuer": f"{HOME}/"}, "issuer"),
        ({"issuer": HOME.upper()}, "issuer"),
        ({"issuer": [HOME]}, "issuer"),
        ({}, "issuer"),
        ({"issuer": HOME, "jwks_uri": "https://attacker.example/keys"}, "origin"),
        ({"issuer": HOME, "jwks_uri": f"{HOME}.attacker.example/keys"}, "origin"),
        ({"issuer": HOME, "jwks_uri": f"{HOME}:8443/keys"}, "origin"),
        ({"issuer": HOME, "jwks_uri": "http://auth.openai.com/keys"}, "origin"),
        ({"issuer": HOME, "jwks_uri": f"{HOME}@attacker.example/"}, "origin"),
        ({"issuer": HOME, "revocation_endpoint": "https://attacker.example/"}, "origin"),
        ({"issuer": HOME, "revocation_endpoint": "/revoke"}, "origin"),
        ({"issuer": HOME, "revocation_endpoint": 7}, "origin"),
        ({"issuer": HOME, "revocation_endpoint": f"{HOME}/{'x' * 1100}"}, "origin"),
    ],
)
def test_a_document_counts_if_it_is_the_issuers_and_leads_nowhere_else(said: Any, why: str | None) -> None:
    fact = CHATGPT.dialect.read_metadata(CHATGPT, response(as_json(200, said)))
    assert getattr(fact, "reason", None) == why
    if why is None:
        assert getattr(fact, "jwks_uri", "no metadata") == said.get("jwks_uri")


def test_what_the_document_says_is_asked() -> None:
    desk = Desk()
    signing_in = flow()
    desk.tell(signing_in, _started(desk))
    said = as_json(200, {"issuer": HOME, "jwks_uri": f"{HOME}/keys2"})
    effect = signing_in.receive(attrs.evolve(response(said), sent_at=desk.world.at, at=desk.world.at))
    assert isinstance(effect, SendRequest)
    assert effect.request.url == f"{HOME}/keys2"


def test_the_application_is_in_the_registration_and_in_no_other_request() -> None:
    desk = Desk(authority())
    signed_in(desk.run(flow()))
    assert [each.application for each in desk.kept] == [APP]
    assert all(APP not in str(form) for form in desk.sent)
    assert all(type(event) is not CallbackReceived or APP not in repr(event) for event in desk.events)
    assert [type(event) for event in desk.events].count(StoreAnswered) == 1


def test_a_document_of_another_scheme_is_of_another_origin() -> None:
    local = CHATGPT.at("http://127.0.0.1:8080")
    for uri, why in (
        ("http://127.0.0.1:8080/keys", None),
        ("https://127.0.0.1:8080/keys", "origin"),
        ("http://127.0.0.1:8081/keys", "origin"),
        ("http://localhost:8080/keys", "origin"),
    ):
        said = {"issuer": "http://127.0.0.1:8080", "jwks_uri": uri}
        fact = CHATGPT.dialect.read_metadata(local, response(as_json(200, said)))
        assert getattr(fact, "reason", None) == why
    upper = {"issuer": HOME, "jwks_uri": "https://AUTH.openai.com/keys"}
    assert (
        getattr(CHATGPT.dialect.read_metadata(CHATGPT, response(as_json(200, upper))), "reason", None) is None
    )


@pytest.mark.parametrize("reply", [as_json(500, {"issuer": HOME}), as_json(404, {"issuer": HOME}), page(200)])
def test_a_document_that_is_no_success_is_none(reply: Reply) -> None:
    fact = CHATGPT.dialect.read_metadata(CHATGPT, response(reply))
    assert isinstance(fact, TryAgain)
