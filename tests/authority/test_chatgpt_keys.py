"""Discovery and keys: what is published, and that another library accepts what is signed."""

from __future__ import annotations

import json

import pytest

from codex_oauth.authority.chatgpt.signing import ATTACKER_KEY, TEST_KEYS, RsaKey, rs256
from tests.authority.chatgpt_client import (
    AUTHORIZE,
    DISCOVERY,
    ISSUER,
    KEYS,
    REVOKE,
    SCOPES,
    TOKEN,
    Client,
    claims_of,
    decoded,
    header_of,
    read,
    verifies,
)


def test_the_document_names_its_own_endpoints() -> None:
    assert read(Client().get(DISCOVERY)) == {
        "issuer": ISSUER,
        "authorization_endpoint": ISSUER + AUTHORIZE,
        "token_endpoint": ISSUER + TOKEN,
        "revocation_endpoint": ISSUER + REVOKE,
        "jwks_uri": ISSUER + KEYS,
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": sorted(SCOPES.split()),
    }


def test_the_issuer_is_the_address_it_was_reached_at() -> None:
    document = read(Client().send("GET", f"http://127.0.0.1:8123{DISCOVERY}"))
    assert document["issuer"] == "http://127.0.0.1:8123"
    assert document["jwks_uri"] == f"http://127.0.0.1:8123{KEYS}"


@pytest.mark.parametrize("key", [*TEST_KEYS, ATTACKER_KEY], ids=lambda key: key.kid)
def test_another_library_accepts_what_a_key_signs_and_nothing_else(key: RsaKey) -> None:
    message = b"a message"
    signature = key.sign(message)
    assert len(signature) == 256
    assert verifies(key.jwk(), message.decode(), signature)
    assert not verifies(key.jwk(), "a messagf", signature)
    assert not verifies(key.jwk(), message.decode(), signature[:-1] + bytes([signature[-1] ^ 1]))


def test_a_key_set_has_no_private_half() -> None:
    (key,) = read(Client().get(KEYS))["keys"]
    assert set(key) == {"kty", "use", "alg", "kid", "n", "e"}
    assert (key["kid"], key["alg"], key["use"]) == ("test-key-1", "RS256", "sig")


def test_an_id_token_is_signed_with_the_published_key() -> None:
    client = Client()
    token = client.walk_in()["id_token"]
    assert header_of(token) == {"alg": "RS256", "typ": "JWT", "kid": "test-key-1"}
    assert client.is_signed(token)
    forged = rs256(ATTACKER_KEY, claims_of(token), {"kid": "test-key-1"}).reveal()
    assert not client.is_signed(forged)


def test_keys_rotate_and_the_old_one_stays_published() -> None:
    client = Client()
    old = client.walk_in()["id_token"]
    client.authority.rotate_keys()
    new = client.walk_in()["id_token"]
    assert [header_of(token)["kid"] for token in (old, new)] == ["test-key-1", "test-key-2"]
    assert client.is_signed(old)
    assert client.is_signed(new)
    assert [key["kid"] for key in read(client.get(KEYS))["keys"]] == ["test-key-1", "test-key-2"]
    client.authority.rotate_keys()
    assert header_of(client.walk_in()["id_token"])["kid"] == "test-key-1"
    assert len(read(client.get(KEYS))["keys"]) == 2


def test_fetches_are_counted() -> None:
    client = Client()
    for path in (KEYS, KEYS, DISCOVERY):
        client.get(path)
    assert (client.authority.counts["keys"], client.authority.counts["discovery"]) == (2, 1)
    assert client.authority.counts.get("attacker") is None


def test_a_token_is_two_json_objects_and_a_signature() -> None:
    text = rs256(TEST_KEYS[0], {"a": 1}, {"jku": "x"}).reveal()
    head, payload, signature = text.split(".")
    assert json.loads(decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "test-key-1", "jku": "x"}
    assert json.loads(decoded(payload)) == {"a": 1}
    assert verifies(TEST_KEYS[0].jwk(), f"{head}.{payload}", decoded(signature))
