"""PKCE and state from entropy (RFC 7636)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.pkce import Pkce, base64url, s256, state_from

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def test_the_example_of_rfc_7636_appendix_b() -> None:
    octets = [116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186]
    octets += [22, 212, 37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121]
    pair = Pkce.from_entropy(bytes(octets))
    assert pair.code_verifier.reveal() == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert pair.code_challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert pair.code_challenge_method == "S256"


@given(st.binary(min_size=32, max_size=96))
def test_every_verifier_is_in_the_alphabet_and_the_length(entropy: bytes) -> None:
    pair = Pkce.from_entropy(entropy)
    assert VERIFIER.fullmatch(pair.code_verifier.reveal())
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", pair.code_challenge)
    assert pair.code_challenge == s256(pair.code_verifier.reveal())
    assert pair.code_verifier.reveal() not in repr(pair)


@pytest.mark.parametrize("size", [0, 16, 31, 97])
def test_too_little_or_too_much_entropy_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 to 96 bytes"):
        Pkce.from_entropy(bytes(size))


def test_a_state_has_at_least_256_bits() -> None:
    assert state_from(bytes(32)).reveal() == base64url(bytes(32))
    with pytest.raises(ValueError, match="at least 32 bytes"):
        state_from(bytes(31))


def test_a_challenge_of_any_text_never_raises() -> None:
    assert s256("\ud800é")
