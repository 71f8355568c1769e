"""Each check of an ID token, one by one: it passes what is right, and fails closed at all else."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth.authority.chatgpt.signing import ATTACKER_KEY, TEST_KEYS, RsaKey, hs256
from codex_oauth.authority.chatgpt.signing import rs256 as rs256_token
from codex_oauth_core import Secret
from codex_oauth_core.chatgpt.id_token import (
    ID_TOKEN_CHECKS,
    TOLERANCE,
    Expected,
    failed_check,
    names_audience,
    read_id_token,
)
from codex_oauth_core.facts import PublicKey
from tests.core.chatgpt import rs256
from tests.support import W0

KEY, OTHER_KEY = TEST_KEYS
ISSUER: Final = "https://auth.openai.com"
CLIENT: Final = "oaiapp_1"
NONCE: Final = "canary-nonce"
CLAIMS: Final[dict[str, Any]] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "sub": "user-1",
    "exp": W0 + 3600,
    "iat": W0,
    "nonce": NONCE,
}


def part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public(key: RsaKey, **changes: str) -> PublicKey:
    jwk = {**key.jwk(), **changes}
    return PublicKey(jwk["kid"], jwk["n"], jwk["e"])


EXPECTED: Final = Expected(
    issuer=ISSUER, client_id=CLIENT, nonce=Secret(NONCE), keys=(public(KEY),), verify=rs256, now=W0
)


def judged(token: Secret[str], **changes: Any) -> str | None:
    read = read_id_token(token)
    return "unreadable" if read is None else failed_check(read, attrs.evolve(EXPECTED, **changes))


def signed(header: dict[str, object] | None = None, **claims: Any) -> Secret[str]:
    """A token that is right but for these claims; one that is `...` is left out."""
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not ...}
    return rs256_token(KEY, said, header)


def by_hand(header: Any, claims: Any, signature: bytes = b"x") -> Secret[str]:
    return Secret(".".join(map(part, (json.dumps(header).encode(), json.dumps(claims).encode(), signature))))


def test_what_is_right_passes() -> None:
    assert judged(signed()) is None
    assert judged(signed({"typ": "anything", "x5t": "y"})) is None


WRONG: Final[list[tuple[str, dict[str, Any]]]] = [
    ("iss", {"iss": f"{ISSUER}/"}),
    ("iss", {"iss": ISSUER.upper()}),
    ("iss", {"iss": [ISSUER]}),
    ("iss", {"iss": ...}),
    ("aud", {"aud": "oaiapp_2"}),
    ("aud", {"aud": ["oaiapp_2"]}),
    ("aud", {"aud": []}),
    ("aud", {"aud": {CLIENT: 1}}),
    ("aud", {"aud": f"{CLIENT} oaiapp_2"}),
    ("aud", {"aud": ...}),
    ("azp", {"aud": [CLIENT, "oaiapp_2"]}),
    ("azp", {"aud": [CLIENT, "oaiapp_2"], "azp": "oaiapp_2"}),
    ("azp", {"azp": "oaiapp_2"}),
    ("azp", {"azp": None}),
    ("azp", {"azp": [CLIENT]}),
    ("exp", {"exp": W0 - TOLERANCE}),
    ("exp", {"exp": W0 - 3600}),
    ("exp", {"exp": str(W0 + 3600)}),
    ("exp", {"exp": True}),
    ("exp", {"exp": 10**400}),
    ("exp", {"exp": -1}),
    ("exp", {"exp": ...}),
    ("iat", {"iat": W0 + TOLERANCE + 1}),
    ("iat", {"iat": "now"}),
    ("iat", {"iat": False}),
    ("iat", {"iat": ...}),
    ("sub", {"sub": ""}),
    ("sub", {"sub": "a b"}),
    ("sub", {"sub": "x" * 256}),
    ("sub", {"sub": "é"}),
    ("sub", {"sub": 7}),
    ("sub", {"sub": ...}),
    ("nonce", {"nonce": "another"}),
    ("nonce", {"nonce": f"{NONCE} "}),
    ("nonce", {"nonce": [NONCE]}),
    ("nonce", {"nonce": ""}),
    ("nonce", {"nonce": ...}),
]


@pytest.mark.parametrize(("name", "claims"), WRONG, ids=[f"{name} {claims}" for name, claims in WRONG])
def test_a_claim_that_is_wrong_fails_its_own_check(name: str, claims: dict[str, Any]) -> None:
    assert judged(signed(**claims)) == name


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [CLIENT]},
        {"aud": [CLIENT], "azp": CLIENT},
        {"aud": [CLIENT, "oaiapp_2"], "azp": CLIENT},
        {"aud": ["oaiapp_2", CLIENT], "azp": CLIENT},
        {"exp": W0 - TOLERANCE + 1},
        {"exp": int(W0) + 1},
        {"iat": W0 + TOLERANCE},
        {"iat": 0},
        {"sub": "x" * 255},
    ],
    ids=str,
)
def test_what_is_as_good_passes(claims: dict[str, Any]) -> None:
    assert judged(signed(**claims)) is None


def test_the_algorithm_is_not_the_tokens_to_choose() -> None:
    modulus = base64.urlsafe_b64decode(KEY.jwk()["n"] + "==")
    assert judged(by_hand({"alg": "none", "kid": KEY.kid}, CLAIMS, b"")) == "alg"
    assert judged(hs256(modulus, KEY.kid, CLAIMS)) == "alg"
    for alg in (
        "none",
        "None",
        "rs256",
        "RS384",
        "RS512",
        "PS256",
        "ES256",
        "HS256",
        "",
        None,
        ["RS256"],
        256,
    ):
        assert judged(signed({"alg": alg})) == "alg"


@pytest.mark.parametrize("name", ["jku", "jwk", "x5u", "x5c"])
def test_a_key_that_the_token_brings_is_not_looked_at(name: str) -> None:
    brought: Any = ATTACKER_KEY.jwk() if name in ("jwk", "x5c") else "https://attacker.example/keys"
    forged = rs256_token(ATTACKER_KEY, CLAIMS, {"kid": KEY.kid, name: brought})
    assert judged(forged) == "signature"
    assert judged(signed({name: brought})) is None, "the real key signed it"


@pytest.mark.parametrize("crit", [["exp"], [], None])
def test_what_must_be_understood_and_is_not_is_refused(crit: Any) -> None:
    assert judged(signed({"crit": crit})) == "crit"


@pytest.mark.parametrize("kid", ["unknown", "", None, 7, [KEY.kid], ...])
def test_a_key_that_is_not_in_hand_is_none(kid: Any) -> None:
    header: dict[str, Any] = {"alg": "RS256", **({} if kid is ... else {"kid": kid})}
    assert judged(by_hand(header, CLAIMS)) == "kid"
    assert judged(signed(), keys=()) == "kid"
    assert judged(signed(), keys=(public(OTHER_KEY),)) == "kid"


def test_the_key_is_the_one_that_is_named() -> None:
    keys = (public(OTHER_KEY), public(KEY))
    assert judged(signed(), keys=keys) is None
    assert judged(signed({"kid": OTHER_KEY.kid}), keys=keys) == "signature"
    two_of_a_name = (public(OTHER_KEY, kid=KEY.kid), public(KEY))
    assert judged(signed(), keys=two_of_a_name) is None


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_letter_that_was_changed_breaks_the_signature(number: int) -> None:
    parts = signed().reveal().split(".")
    if number == 2:
        parts[2] = ("A" if parts[2][0] != "A" else "B") + parts[2][1:]
    else:
        inner = json.loads(base64.urlsafe_b64decode(parts[number] + "=" * (-len(parts[number]) % 4)))
        parts[number] = part(json.dumps({**inner, "more": 1}).encode())
    assert judged(Secret(".".join(parts))) == "signature"


def says(answer: Any) -> Any:
    """A check of signatures that always gives this answer."""

    def verify(_key: Any, _signed: bytes, _signature: bytes) -> Any:
        return answer

    return verify


@pytest.mark.parametrize("signature", [b"", b"x", b"\x00" * 129])
def test_a_signature_that_is_none_is_refused(signature: bytes) -> None:
    header = {"alg": "RS256", "kid": KEY.kid}
    assert judged(by_hand(header, CLAIMS, signature)) == "signature"
    assert judged(by_hand(header, CLAIMS, signature), verify=says(True)) == (
        None if signature else "signature"
    )


def _raises(*_: Any) -> bool:
    raise ValueError("no such key")


@pytest.mark.parametrize("verify", [None, _raises, says(False), says(1), says("yes"), says(None)])
def test_without_a_plain_yes_there_is_none(verify: Any) -> None:
    assert judged(signed(), verify=verify) == "signature"


def test_what_was_signed_is_what_is_verified() -> None:
    seen: list[Any] = []

    def verify(jwk: Any, said: bytes, signature: bytes) -> bool:
        seen.append((jwk, said, signature))
        return True

    token = signed()
    assert judged(token, verify=verify) is None
    ((jwk, said, signature),) = seen
    head, payload, last = token.reveal().split(".")
    assert said == f"{head}.{payload}".encode()
    assert base64.urlsafe_b64encode(signature).rstrip(b"=").decode() == last
    assert jwk == {**KEY.jwk(), "alg": "RS256", "use": "sig", "kty": "RSA"}


def test_without_a_nonce_of_ones_own_nothing_passes() -> None:
    assert judged(signed(), nonce=None) == "nonce"
    assert judged(signed(nonce=None), nonce=None) == "nonce"


def test_the_first_check_that_fails_is_named() -> None:
    assert judged(signed(iss="x", aud="y", nonce="z")) == "iss"
    assert list(ID_TOKEN_CHECKS)[:4] == ["alg", "crit", "kid", "signature"], (
        "nothing is believed before these"
    )


HEAD: Final = part(b'{"alg":"RS256"}')
TWICE_ALG: Final = part(b'{"alg":"RS256","alg":"none"}')
TWICE_SUB: Final = part(b'{"sub":"a","sub":"b"}')
NAN: Final = part(b'{"exp":NaN}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "opaque",
        "a.b",
        f"{HEAD}.{HEAD}",
        f"{HEAD}.{HEAD}.x.y",
        f"{HEAD}..x",
        f".{HEAD}.x",
        f"{HEAD}=.{HEAD}.x",
        f"{HEAD}+.{HEAD}.x",
        f"{HEAD}.{part(b'[1]')}.x",
        f"{HEAD}.{part(b'not json')}.x",
        by_hand({}, {"a": 1}).reveal().replace(".", ".\n"),
        TWICE_ALG + f".{HEAD}.x",
        f"{HEAD}.{TWICE_SUB}.x",
        f"{HEAD}.{NAN}.x",
        f"{HEAD}.{'A' * 16385}.x",
        "é.é.é",
    ],
)
def test_what_two_could_read_differently_is_no_token(text: str) -> None:
    assert read_id_token(Secret(text)) is None


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_no_text_raises_or_passes(text: str) -> None:
    read = read_id_token(Secret(text))
    assert read is None or failed_check(read, EXPECTED) is not None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from(sorted(CLAIMS)), value=json_values)
def test_no_claim_raises_and_what_passes_is_as_it_must_be(name: str, value: Any) -> None:
    failed = judged(signed(**{name: value}))
    if name == "exp":
        alive = (
            isinstance(value, int | float) and not isinstance(value, bool) and W0 - TOLERANCE < value < 1e15
        )
        assert (failed is None) is alive
    elif name == "iat":
        made = (
            isinstance(value, int | float) and not isinstance(value, bool) and -1e15 < value <= W0 + TOLERANCE
        )
        assert (failed is None) is made
    elif failed is None:
        assert name == "sub" or value in (CLAIMS[name], [CLAIMS[name]])
    else:
        assert failed in (name, "azp")


@pytest.mark.parametrize(
    ("aud", "named"), [(CLIENT, True), ([CLIENT, "x"], True), ("x", False), (None, False)]
)
def test_an_audience_of_a_renewed_token(aud: Any, named: bool) -> None:
    token = read_id_token(by_hand({}, {"aud": aud}))
    assert token is not None
    assert names_audience(token, CLIENT) is named
    assert "canary" not in repr(token)
