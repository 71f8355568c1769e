"""RS256 by the integers themselves (RFC 8017 §8.2.1, RFC 7515), with keys that everybody can read here.

Rules of this file: no library and no entropy. The keys are public: what they sign proves nothing outside a
test.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final

import attrs

from codex_oauth_core.pkce import base64url
from codex_oauth_core.secret import Secret

__all__ = ["ATTACKER_KEY", "TEST_KEYS", "KeyRing", "RsaKey", "hs256", "rs256"]

EXPONENT: Final = 65_537
_SHA256_PREFIX: Final = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017 §9.2, note 1


@attrs.frozen
class RsaKey:
    """An RSA key by its two primes."""

    kid: str
    p: int = attrs.field(repr=False)
    q: int = attrs.field(repr=False)

    @property
    def modulus(self) -> bytes:
        """n, the first byte first."""
        n = self.p * self.q
        return n.to_bytes((n.bit_length() + 7) // 8, "big")

    def jwk(self) -> dict[str, str]:
        """The public half (RFC 7517, RFC 7518 §6.3.1)."""
        public = {"n": base64url(self.modulus), "e": base64url(EXPONENT.to_bytes(3, "big"))}
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, **public}

    def sign(self, message: bytes) -> bytes:
        """The signature of PKCS#1 v1.5 with SHA-256."""
        size = len(self.modulus)
        digest = _SHA256_PREFIX + hashlib.sha256(message).digest()
        padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
        return self._power(int.from_bytes(padded, "big")).to_bytes(size, "big")

    def _power(self, base: int) -> int:
        """Base to the private exponent, by the Chinese remainder theorem (RFC 8017 §5.1.2)."""
        d = pow(EXPONENT, -1, (self.p - 1) * (self.q - 1))
        by_p = pow(base % self.p, d % (self.p - 1), self.p)
        by_q = pow(base % self.q, d % (self.q - 1), self.q)
        return by_q + (by_p - by_q) * pow(self.q, -1, self.p) % self.p * self.q


def rs256(
    key: RsaKey, claims: Mapping[str, object], header: Mapping[str, object] | None = None
) -> Secret[str]:
    """A JWT signed with `key`. `header` adds members to its header, or replaces them."""
    signed = _input({"alg": "RS256", "typ": "JWT", "kid": key.kid, **(header or {})}, claims)
    return Secret(f"{signed}.{base64url(key.sign(signed.encode()))}")


def hs256(secret: bytes, kid: str, claims: Mapping[str, object]) -> Secret[str]:
    """A JWT with a keyed hash: a forgery where `secret` is a public RSA key (RFC 8725 §2.1)."""
    signed = _input({"alg": "HS256", "typ": "JWT", "kid": kid}, claims)
    return Secret(f"{signed}.{base64url(hmac.digest(secret, signed.encode(), hashlib.sha256))}")


def _input(header: Mapping[str, object], claims: Mapping[str, object]) -> str:
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, claims))
    return ".".join(map(base64url, parts))


# -- the keys ------------------------------------------------------------------------------------------


_FIRST: Final = RsaKey(
    "test-key-1",
    int(
        "e0aa989cecc1038b5fb1682fed0e10bbde1507413ccf6d8cf2c111dc48514d24699f0418ee544652069285"
        "7231ecdbfc71d88974da6ea851aba8e48a870747eb5dd93fde98f03e3de8da97e65a559e847383eab51b4f"
        "de0be59e34b2813f565a66293129dd187f2165efa5f1f36ad9dbb86e182886cb7f2514414e900f5b3c3b",
        16,
    ),
    int(
        "d5b8f1ad7766840c2a2832fd75012d278ac52500594add84871d73cc375bf4cf594d4b577fa9833f1dfcf5"
        "5530236b31c432ec7898a37274b4e067618bad79bd3731f6fa74a8c89259b7092696ac7cba0722bee556c3"
        "3ee80efb1d32a252883c3a3459734e9647e95b7b62435cb9b48efc36feb70c96445c93c92f7d0cbc6aa5",
        16,
    ),
)
_SECOND: Final = RsaKey(
    "test-key-2",
    int(
        "f22d23205f77a810679cda003b19d938dc3568be501f78340a405e271f0586b633c7931dda70077f23e595"
        "fb2a3c556245cbc3e256386290db359085654f1f7dff9e0fdb617446ad9c4959f98b497d454796d422af86"
        "86577625226b6c94ca0bd13694532dbdd7a5d120504e842eb4a9b5daaccf4804793a3a7cb97ceea54f39",
        16,
    ),
    int(
        "d8abda02a5d5baa9052bdeea177b35350ff68a1c286b10e63bbc78e8932301f6b664325d3c859a86512617"
        "00da480058912a8e0b641aad5e76a4b4d16d7d2cbd5c2dd1564ae9d73dd5be6311b0ccc4bc90d726056fc5"
        "18111237310649288925a4598af258aba1f6a142d618a6c7a118338353df3e24fe08bdbde17f0b77c869",
        16,
    ),
)

TEST_KEYS: Final = (_FIRST, _SECOND)
"""What the authority signs with, in the order of its rotation."""

ATTACKER_KEY: Final = RsaKey(
    "attacker-key",
    int(
        "f482ea6d3c4dbee030211b4bacc8a13559d2a7e52af0918d7c55c50ba3aedd70cdad322000941739d60473"
        "a7aa6e5e04d06898de5074e75c6bf36f0fee06402e9537193cf36e8fb819bdbf6080cd27167f25fe9e4316"
        "5965e1672e8ca52e374b30fb34c15ef13459da934f8f6557d2c94825e814f44e40c21ebffa0f3bf596f3",
        16,
    ),
    int(
        "ccf206342a872a357b766ab6ca9bdf9fe8eaf694183673fc3ea94fdb2e28c86dcde2912270db05306fd715"
        "a1955aa533ed6b847c1411718991a85e535b3388c5c90bd5875e91df6bddf234dd68d8ec8dd82f8d9737b1"
        "208b9b3302e0ec32b9061f3401c0a088acdb035af4d05dcc6a84465e5ecfa441d3866b4b0c3326783f25",
        16,
    ),
)
"""What forged tokens are signed with."""


@attrs.define(eq=False)
class KeyRing:
    """The keys of one authority: the newest signs, and all that ever signed are published."""

    _used: int = attrs.field(default=1, init=False)

    @property
    def current(self) -> RsaKey:
        """The key that signs now."""
        return TEST_KEYS[(self._used - 1) % len(TEST_KEYS)]

    def rotate(self) -> None:
        """Sign with the next key from now on."""
        self._used += 1

    def published(self) -> list[dict[str, str]]:
        """The public halves (RFC 7517), the oldest first."""
        return [key.jwk() for key in TEST_KEYS[: self._used]]
