"""TLS servers with certificates that are signed by their own keys, which are made up on the spot.

Rules of this file: the standard library has no way to make a certificate (X.509, RFC 5280), so this is the
little that one takes: P-256 (FIPS 186-4 D.1.2.3), ECDSA, and DER. For checks: it guards nothing.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["Certificate", "untrusted_context"]

_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_ECDSA_SHA256: Final = bytes.fromhex("06082a8648ce3d040302")
_EC_KEY: Final = bytes.fromhex("06072a8648ce3d0201")
_P256: Final = bytes.fromhex("06082a8648ce3d030107")
_COMMON_NAME: Final = bytes.fromhex("0603550403")
_ALTERNATIVE_NAMES: Final = bytes.fromhex("0603551d11")
_BASIC: Final = bytes.fromhex("0603551d13")
_KEY_USAGE: Final = bytes.fromhex("0603551d0f")
_SUBJECT_KEY: Final = bytes.fromhex("0603551d0e")
_AUTHORITY_KEY: Final = bytes.fromhex("0603551d23")
_TRUE: Final = bytes.fromhex("0101ff")

_Point = tuple[int, int]


class Certificate:
    """A new key, and a certificate for an address or a name, which can be trusted as a root of its own."""

    def __init__(self, host: str = "127.0.0.1", *, expired: bool = False) -> None:
        self._key = 1 + secrets.randbelow(_N - 1)
        self.pem = _pem("CERTIFICATE", _certificate(self._key, host, expired=expired))

    def context(self) -> ssl.SSLContext:
        """A server's context with it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "server.pem")
            path.write_text(_pem("EC PRIVATE KEY", _private_key(self._key)) + self.pem, encoding="ascii")
            context.load_cert_chain(path)
        return context


def untrusted_context() -> ssl.SSLContext:
    """A server's context, for 127.0.0.1, with a new key and certificate that nobody trusts."""
    return Certificate().context()


def _certificate(key: int, host: str, *, expired: bool) -> bytes:
    name = _sequence(_set(_sequence(_COMMON_NAME, _tagged(0x0C, b"nobody"))))
    algorithm = _sequence(_ECDSA_SHA256)
    is_address = host.replace(".", "").isdigit()
    alternative = _sequence(
        _tagged(0x87, bytes(map(int, host.split(".")))) if is_address else _tagged(0x82, host.encode("ascii"))
    )
    identifier = hashlib.sha1(_public(key), usedforsecurity=False).digest()  # RFC 5280 §4.2.1.2
    extensions = (
        _sequence(_ALTERNATIVE_NAMES, _tagged(0x04, alternative)),
        _sequence(_BASIC, _TRUE, _tagged(0x04, _sequence(_TRUE))),
        _sequence(_KEY_USAGE, _TRUE, _tagged(0x04, bytes([0x03, 0x02, 0x02, 0x84]))),
        _sequence(_SUBJECT_KEY, _tagged(0x04, _tagged(0x04, identifier))),
        _sequence(_AUTHORITY_KEY, _tagged(0x04, _sequence(_tagged(0x80, identifier)))),
    )
    signed = _sequence(
        _tagged(0xA0, _integer(2)),
        _integer(1 + secrets.randbelow(2**64)),
        algorithm,
        name,
        _sequence(
            _tagged(0x17, b"200101000000Z"), _tagged(0x17, b"210101000000Z" if expired else b"491231235959Z")
        ),
        name,
        _sequence(_sequence(_EC_KEY, _P256), _bits(_public(key))),
        _tagged(0xA3, _sequence(*extensions)),
    )
    return _sequence(signed, algorithm, _bits(_signature(key, signed)))


def _private_key(key: int) -> bytes:
    """RFC 5915 §3."""
    return _sequence(
        _integer(1),
        _tagged(0x04, key.to_bytes(32)),
        _tagged(0xA0, _P256),
        _tagged(0xA1, _bits(_public(key))),
    )


def _public(key: int) -> bytes:
    x, y = _times(key, _G)
    return b"\x04" + x.to_bytes(32) + y.to_bytes(32)


def _signature(key: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest())
    nonce = 1 + secrets.randbelow(_N - 1)
    r = _times(nonce, _G)[0] % _N
    s = pow(nonce, -1, _N) * (digest + r * key) % _N
    return _sequence(_integer(r), _integer(s))


def _times(factor: int, point: _Point) -> _Point:
    found: _Point | None = None
    while factor:
        if factor & 1:
            found = point if found is None else _plus(found, point)
        point = _plus(point, point)
        factor >>= 1
    assert found is not None
    return found


def _plus(one: _Point, other: _Point) -> _Point:
    if one == other:
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], -1, _P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _P)
    x = (slope * slope - one[0] - other[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, b"".join(parts))


def _set(part: bytes) -> bytes:
    return _tagged(0x31, part)


def _bits(content: bytes) -> bytes:
    return _tagged(0x03, b"\0" + content)


def _integer(value: int) -> bytes:
    return _tagged(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def _pem(label: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
