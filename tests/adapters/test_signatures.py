"""RS256: what is a good signature, and that nothing of a token or a key talks it into anything else."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from codex_oauth.signatures import signature_check, verify_rs256, with_signatures
from codex_oauth_core import CHATGPT, CODEX

PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)
SIGNED = b"head.payload"


def number(value: int) -> str:
    return (
        base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()
    )


def jwk_of(key: rsa.RSAPrivateKey, **changes: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": "k1", "n": number(numbers.n), "e": number(numbers.e), **changes}


def signature(
    key: rsa.RSAPrivateKey = PRIVATE,
    scheme: padding.AsymmetricPadding | None = None,
    digest: hashes.HashAlgorithm | None = None,
) -> bytes:
    return key.sign(SIGNED, scheme or padding.PKCS1v15(), digest or hashes.SHA256())


@pytest.mark.parametrize(
    "changes", [{}, {"use": "sig"}, {"alg": "RS256"}, {"use": "sig", "alg": "RS256", "x5t": "x"}]
)
def test_a_good_signature_is_good(changes: dict[str, Any]) -> None:
    assert verify_rs256(jwk_of(PRIVATE, **changes), SIGNED, signature())


BAD: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "another key's": lambda: signature(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "RSASSA-PSS": lambda: signature(scheme=padding.PSS(padding.MGF1(hashes.SHA256()), 32)),
    "SHA-1": lambda: signature(digest=hashes.SHA1()),  # to be refused
    "SHA-512": lambda: signature(digest=hashes.SHA512()),
    "cut": lambda: signature()[:-1],
    "longer": lambda: signature() + b"\0",
    "one bit": lambda: bytes([signature()[0] ^ 1]) + signature()[1:],
    "zero": lambda: bytes(256),
    "the modulus": lambda: PRIVATE.public_key().public_numbers().n.to_bytes(256, "big"),
}


@pytest.mark.parametrize("make", BAD.values(), ids=list(BAD))
def test_any_other_signature_is_not(make: Callable[[], bytes]) -> None:
    assert not verify_rs256(jwk_of(PRIVATE), SIGNED, make())


def test_what_was_signed_is_to_the_letter() -> None:
    assert not verify_rs256(jwk_of(PRIVATE), SIGNED + b".", signature())


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "EC"},
        {"kty": None},
        {"use": "enc"},
        {"use": None},
        {"alg": "RS512"},
        {"alg": "none"},
        {"alg": "HS256"},
        {"n": ""},
        {"n": None},
        {"n": 65537},
        {"n": "é"},
        {"n": "A A"},
        {"n": "AAAAA"},
        {"e": number(65536)},
        {"e": number(1)},
        {"e": number(2**65 + 1)},
        {"e": ["AQAB"]},
        {"n": number(2**16385 + 1)},
    ],
    ids=str,
)
def test_a_key_that_is_unfit_makes_no_signature_good(changes: dict[str, Any]) -> None:
    assert not verify_rs256(jwk_of(PRIVATE, **changes), SIGNED, signature())


def test_a_small_key_is_none() -> None:
    assert not verify_rs256(jwk_of(SMALL), SIGNED, signature(SMALL))


def test_a_key_without_its_members_is_none() -> None:
    assert not verify_rs256({}, SIGNED, signature())


# -- the extra -----------------------------------------------------------------------------------------


def _never(*_: object) -> bool:
    return False


def test_a_provider_that_needs_signatures_gets_a_check_and_keeps_its_own() -> None:
    assert with_signatures(CHATGPT).verify_signature is verify_rs256
    assert with_signatures(CODEX) is CODEX
    own = attrs.evolve(CHATGPT, verify_signature=_never)
    assert with_signatures(own) is own


def _missing(_: str) -> None:
    return None


def test_without_the_extra_there_is_no_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_oauth.signatures.find_spec", _missing)
    assert signature_check() is None
    assert with_signatures(CHATGPT).verify_signature is None


def test_nothing_is_loaded_before_a_signature_is_checked() -> None:
    code = (
        "import sys\nimport codex_oauth.signatures as s\n"
        "assert s.signature_check() is s.verify_rs256\nprint(any(m.startswith('cryptography') for m in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "False\n"
