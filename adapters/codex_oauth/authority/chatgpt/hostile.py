"""Hostile answers by name: what a client must survive, scripted beside the faults of `faults`.

Rules of this file: pure; a name stands for one answer that is wrong in one respect, and everything else
about it is right, so that a client that does not look is found out. An answer is counted by its stage:
redirects back to the client, exchanges, refreshes, requests to the token endpoint, key sets, discovery
documents. The numbers of the table are those of the tests that a client has to pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum, unique
from typing import Any, Final, cast

import attrs

from codex_oauth.authority.faults import (
    EVERY,
    Fault,
    Ranges,
    check_endpoint,
    check_fields,
    in_ranges,
    ranges,
    read_rows,
)
from codex_oauth.authority.messages import Answer
from codex_oauth_core.secret import Secret

__all__ = [
    "ATTACKER",
    "CHATGPT_ENDPOINTS",
    "HOSTILE_ANSWERS",
    "ChatGptFault",
    "Hostile",
    "HostileAnswer",
    "HostileKind",
    "read_chatgpt_faults",
]

ATTACKER: Final = "https://attacker.example"
"""Where no request may ever go."""


@unique
class Hostile(StrEnum):
    """The names of the hostile answers."""

    WRONG_STATE = "wrong_state"
    DENIED_WRONG_STATE = "denied_wrong_state"
    TWO_STATES = "two_states"
    TWO_CLIENT_IDS = "two_client_ids"
    TWO_CODES = "two_codes"
    NO_CLIENT_ID = "no_client_id"
    REGISTRATION_CLIENT_ID = "registration_client_id"
    OTHER_CLIENT_ID = "other_client_id"
    CALLBACK_CLAIMS_PLAN = "callback_claims_plan"
    NO_SCOPE = "no_scope"
    ALG_NONE = "alg_none"
    ALG_HS256 = "alg_hs256"
    OTHER_AUDIENCE = "other_audience"
    TWO_AUDIENCES = "two_audiences"
    OTHER_AZP = "other_azp"
    OTHER_NONCE = "other_nonce"
    NO_NONCE = "no_nonce"
    ISSUER_SLASH = "issuer_slash"
    EXPIRED_ID_TOKEN = "expired_id_token"  # noqa: S105  # a name
    HEADER_JKU = "header_jku"
    HEADER_JWK = "header_jwk"
    KEYS_UNAVAILABLE = "keys_unavailable"
    KEYS_EMPTY = "keys_empty"
    KEYS_HTML = "keys_html"
    KEYS_UNKNOWN_KID = "keys_unknown_kid"
    FOREIGN_ENDPOINTS = "foreign_endpoints"
    OTHER_ISSUER = "other_issuer"
    EXCHANGE_OTHER_SUBJECT = "exchange_other_subject"
    REFRESH_OTHER_SUBJECT = "refresh_other_subject"
    REFRESH_LOST = "refresh_lost"
    EARLIEST_REFRESH_2099 = "earliest_refresh_2099"
    EARLIEST_REFRESH_NEGATIVE = "earliest_refresh_negative"
    EARLIEST_REFRESH_OBJECT = "earliest_refresh_object"
    TOKEN_REDIRECT = "token_redirect"  # noqa: S105  # a name
    TOKEN_HTML = "token_html"  # noqa: S105  # a name
    TOKEN_HUGE = "token_huge"  # noqa: S105  # a name


@attrs.frozen
class HostileKind:
    """The meaning of one name. `row` is its number among twenty; `stage` is the stage that counts its
    answers.
    """

    row: int
    stage: str
    meaning: str


_H: Final = Hostile
HOSTILE_ANSWERS: Final[Mapping[Hostile, HostileKind]] = {
    _H.WRONG_STATE: HostileKind(1, "callback", "the redirect has a code and another state"),
    _H.DENIED_WRONG_STATE: HostileKind(2, "callback", "the redirect says access_denied with another state"),
    _H.TWO_STATES: HostileKind(3, "callback", "the redirect has a second, other state"),
    _H.TWO_CLIENT_IDS: HostileKind(3, "callback", "the redirect has a second, other client_id"),
    _H.TWO_CODES: HostileKind(3, "callback", "the redirect has a second, other code"),
    _H.NO_CLIENT_ID: HostileKind(4, "callback", "the redirect has no client_id"),
    _H.REGISTRATION_CLIENT_ID: HostileKind(
        5, "callback", "the redirect has the registration id as client_id"
    ),
    _H.OTHER_CLIENT_ID: HostileKind(6, "callback", "the redirect has another client_id"),
    _H.CALLBACK_CLAIMS_PLAN: HostileKind(
        7, "callback", "the redirect has the plan scope, which is not granted"
    ),
    _H.NO_SCOPE: HostileKind(8, "exchange", "the token answer has no scope"),
    _H.ALG_NONE: HostileKind(9, "token", "the ID token says alg none, and is not signed"),
    _H.ALG_HS256: HostileKind(9, "token", "the ID token says alg HS256, with the RSA modulus as its key"),
    _H.OTHER_AUDIENCE: HostileKind(10, "token", "the ID token is for another client"),
    _H.TWO_AUDIENCES: HostileKind(10, "token", "the ID token has two audiences and no azp"),
    _H.OTHER_AZP: HostileKind(10, "token", "the ID token's azp is another client"),
    _H.OTHER_NONCE: HostileKind(11, "token", "the ID token has another nonce"),
    _H.NO_NONCE: HostileKind(11, "token", "the ID token has no nonce"),
    _H.ISSUER_SLASH: HostileKind(12, "token", "the ID token's issuer ends with a slash"),
    _H.EXPIRED_ID_TOKEN: HostileKind(12, "token", "the ID token expired an hour ago"),
    _H.HEADER_JKU: HostileKind(13, "token", "the ID token is forged, and its jku leads to the forger's key"),
    _H.HEADER_JWK: HostileKind(13, "token", "the ID token is forged, and its jwk is the forger's key"),
    _H.KEYS_UNAVAILABLE: HostileKind(14, "keys", "the key set is answered 503"),
    _H.KEYS_EMPTY: HostileKind(14, "keys", "the key set has no keys"),
    _H.KEYS_HTML: HostileKind(14, "keys", "the key set is a page"),
    _H.KEYS_UNKNOWN_KID: HostileKind(14, "keys", "the key set has other keys only"),
    _H.FOREIGN_ENDPOINTS: HostileKind(15, "discovery", "the document's endpoints are of another origin"),
    _H.OTHER_ISSUER: HostileKind(15, "discovery", "the document is another issuer's"),
    _H.EXCHANGE_OTHER_SUBJECT: HostileKind(16, "exchange", "the tokens are another person's"),
    _H.REFRESH_OTHER_SUBJECT: HostileKind(17, "refresh", "the answer has another person's ID token"),
    _H.REFRESH_LOST: HostileKind(18, "refresh", "the tokens are rotated, and the answer is lost"),
    _H.EARLIEST_REFRESH_2099: HostileKind(19, "token", "earliest_refresh_at is in 2099"),
    _H.EARLIEST_REFRESH_NEGATIVE: HostileKind(19, "token", "earliest_refresh_at is negative"),
    _H.EARLIEST_REFRESH_OBJECT: HostileKind(19, "token", "earliest_refresh_at is an object"),
    _H.TOKEN_REDIRECT: HostileKind(20, "token", "the token endpoint redirects (307) to another host"),
    _H.TOKEN_HTML: HostileKind(20, "token", "the token endpoint answers 200 with a page"),
    _H.TOKEN_HUGE: HostileKind(20, "token", "the token endpoint answers 200 with 1 MB"),
}


def _named(name: object) -> Hostile:
    try:
        return Hostile(cast("Any", name))
    except ValueError:
        raise ValueError(f"answer: one of {', '.join(Hostile)}") from None


@attrs.frozen(kw_only=True)
class HostileAnswer:
    """One hostile answer, at the `requests` of its stage: 2, "1-3", "4-", "1,3" or "every".

    ValueError for an unknown name or impossible numbers. Each stage counts from 1: `callback` counts the
    redirects back to the client, the others count their requests.
    """

    name: Hostile = attrs.field(converter=_named)
    requests: Ranges = attrs.field(default=EVERY, converter=ranges)

    def fits(self, numbers: Mapping[str, int]) -> bool:
        """Whether it is for an answer with these numbers, by the names of its stages."""
        number = numbers.get(HOSTILE_ANSWERS[self.name].stage)
        return number is not None and in_ranges(number, self.requests)


# -- what becomes of an answer -------------------------------------------------------------------------


MEGABYTE: Final = 1024 * 1024
_PAGE: Final = b"<!doctype html><title>Hostile</title><p>Not what you expected."


def replaced(hostile: frozenset[Hostile]) -> Answer | None:
    """The answer that stands in the place of a token endpoint's, which then does nothing."""
    if Hostile.TOKEN_REDIRECT in hostile:
        return Answer(status=307, headers=(("Location", f"{ATTACKER}/api/accounts/oauth/token"),))
    if Hostile.TOKEN_HTML in hostile:
        return html(200)
    if Hostile.TOKEN_HUGE in hostile:
        body = json.dumps({"access_token": "fake-" + "x" * MEGABYTE}).encode()
        return Answer(status=200, headers=(("Content-Type", "application/json"),), body=Secret(body))
    return None


def html(status: int) -> Answer:
    """A page where a program expects JSON."""
    headers = (("Content-Type", "text/html; charset=utf-8"),)
    return Answer(status=status, headers=headers, body=Secret(_PAGE))


def spoilt_redirect(pairs: Iterable[tuple[str, str]], hostile: frozenset[Hostile]) -> list[tuple[str, str]]:
    """The parameters of a redirect back to the client, in their order."""
    given = list(pairs)
    fields = dict(given)
    other = {name: f"{value[:-4]}evil" for name, value in fields.items()}
    if Hostile.DENIED_WRONG_STATE in hostile:
        return [("error", "access_denied"), ("state", other["state"])]
    if Hostile.WRONG_STATE in hostile:
        given = [(name, other[name] if name == "state" else value) for name, value in given]
    if Hostile.NO_CLIENT_ID in hostile:
        given = [(name, value) for name, value in given if name != "client_id"]
    for name, value in (
        (Hostile.REGISTRATION_CLIENT_ID, "dynamic_agent_client"),
        (Hostile.OTHER_CLIENT_ID, "oaiapp_test_of_somebody_else"),
    ):
        if name in hostile:
            given = [(key, old) for key, old in given if key != "client_id"] + [("client_id", value)]
    for name, key in (
        (Hostile.TWO_STATES, "state"),
        (Hostile.TWO_CLIENT_IDS, "client_id"),
        (Hostile.TWO_CODES, "code"),
    ):
        if name in hostile:
            given.append((key, other.get(key, f"{key}-evil")))
    return given


# -- the script as a file ------------------------------------------------------------------------------


CHATGPT_ENDPOINTS: Final = frozenset(
    {
        "discovery",
        "keys",
        "authorize",
        "token",
        "exchange",
        "refresh",
        "revoke",
        "models",
        "responses",
        "attacker",
        "other",
        "any",
    }
)
"""`token` is every request to the token endpoint, `exchange` and `refresh` are those of one grant."""


@attrs.frozen(kw_only=True)
class ChatGptFault(Fault):
    """One fault, like `Fault`, at one of `CHATGPT_ENDPOINTS`."""

    endpoint: str = attrs.field(validator=check_endpoint(CHATGPT_ENDPOINTS))


def read_chatgpt_faults(text: str | bytes) -> tuple[ChatGptFault | HostileAnswer, ...]:
    """The faults of a JSON file, as in `read_faults`. A row may also name a hostile answer: `{"answer":
    "alg_none"}`.

    Such a row may have `requests` and nothing else. For anything else, ValueError with the place.
    """
    return read_rows(text, chatgpt_fault)


def chatgpt_fault(row: Mapping[str, Any]) -> ChatGptFault | HostileAnswer:
    """The fault of one row. ValueError, with the field, for one that makes no sense."""
    if "answer" not in row:
        return ChatGptFault.of_row(row)
    check_fields(row, ("answer", "requests"), needed=())
    rest = {name: value for name, value in row.items() if name != "answer"}
    return HostileAnswer(name=row["answer"], **rest)
