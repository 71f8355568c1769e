"""Whether a signature of an ID token is good: RSASSA-PKCS1-v1_5 with SHA-256 (RS256, RFC 7518 §3.3).

Rules of this file: the algorithm is fixed here, and nothing of a token chooses it; a key that is unfit or
cannot be read makes no signature good; nothing is raised for what a server can send. `cryptography` does the
arithmetic, and is loaded when it is needed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final

import attrs

from codex_oauth.loading import loading
from codex_oauth_core.provider import Provider

__all__ = ["SignatureCheck", "signature_check", "verify_rs256", "with_signatures"]

SignatureCheck = Callable[[Mapping[str, Any], bytes, bytes], bool]
"""Takes a key (a JWK, RFC 7517), what was signed, and the signature; says whether the signature is good."""

_SMALLEST_KEY: Final = 2048  # bits, RFC 7518 §3.3
_LARGEST_KEY: Final = 16384  # bits; a larger one costs more time than a sign-in has
_LARGEST_EXPONENT: Final = 64  # bits


def verify_rs256(jwk: Mapping[str, Any], signed: bytes, signature: bytes) -> bool:
    """Whether `signature` was made over `signed` with the private half of `jwk`, by RS256.

    Raises ImportError without the extra `chatgpt`: ask `signature_check()` first.
    """
    with loading("cryptography.hazmat.primitives.asymmetric.rsa"):
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
        from cryptography.hazmat.primitives.hashes import SHA256

    numbers = _public_numbers(jwk)
    if numbers is None:
        return False
    try:
        RSAPublicNumbers(*numbers).public_key().verify(signature, signed, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):  # ValueError: an even exponent, say
        return False
    return True


def signature_check() -> SignatureCheck | None:
    """`verify_rs256`, if the library that it needs is there (the extra `chatgpt`); else None."""
    return verify_rs256 if find_spec("cryptography") is not None else None


def with_signatures(provider: Provider) -> Provider:
    """The provider with a check of signatures, where it needs one and has none. Without the extra `chatgpt`
    it stays without one, and its sign-in says so before anything is shown.
    """
    if not provider.needs_signatures or provider.verify_signature is not None:
        return provider
    return attrs.evolve(provider, verify_signature=signature_check())


def _public_numbers(jwk: Mapping[str, Any]) -> tuple[int, int] | None:
    """Exponent and modulus of a key that may check RS256; None for any other."""
    if jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig" or jwk.get("alg", "RS256") != "RS256":
        return None
    exponent, modulus = _number(jwk.get("e")), _number(jwk.get("n"))
    if modulus is None or exponent is None or exponent.bit_length() > _LARGEST_EXPONENT:
        return None
    return (exponent, modulus) if _SMALLEST_KEY <= modulus.bit_length() <= _LARGEST_KEY else None


_BASE64URL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _number(text: object) -> int | None:
    """A Base64urlUInt (RFC 7518 §2); None for anything else."""
    if not isinstance(text, str) or not text or text.strip(_BASE64URL):
        return None
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
    except (binascii.Error, ValueError):
        return None
