"""R3, F25, F31: an answer that was paid for with a refresh token is read in spite of what is wrong with it.

Whatever comes, the old refresh token is not sent again: what was issued is stored, or the old one is marked.
"""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from typing import Final

import pytest

from codex_oauth import Store
from codex_oauth_core import ErrorKind, NotRenewed, Renewed, Secret
from tests.faults.runs import NEW, OLD, Fate, Peer, SkippingClock, answer, renew
from tests.support import account_token
from tests.transport.servers import Script, no_new_sockets

_MEMBERS: Final = {
    "access_token": account_token(marker="new"),
    "refresh_token": NEW,
    "expires_in": 864_000,
    "token_type": "Bearer",
}
BODY: Final = json.dumps(_MEMBERS).encode()


def beside(member: bytes) -> bytes:
    return BODY[:-1] + b", " + member + b"}"


def issuing(**changes: object) -> bytes:
    return json.dumps({**_MEMBERS, **changes}).encode()


ODD: Final[dict[str, Script]] = {
    "a BOM": answer(200, codecs.BOM_UTF8 + BODY),
    "UTF-16": answer(200, BODY.decode().encode("utf-16")),
    "a bad byte": answer(200, beside(b'"scope": "can\xffary"')),
    "5000 digits": answer(200, beside(b'"n": ' + b"7" * 5_000)),
    "depth 2000": answer(200, beside(b'"n": ' + b"[" * 2_000 + b"]" * 2_000)),
    "NaN": answer(200, beside(b'"n": NaN')),
    "names twice": answer(200, beside(b'"refresh_token": null, "access_token": null')),
    "something behind it": answer(200, BODY + b"\n<!-- canary -->"),
    "gzip": answer(200, gzip.compress(BODY), Content_Encoding="gzip"),
    "deflate": answer(200, zlib.compress(BODY), Content_Encoding="deflate"),
    "gzip, and an html label": answer(
        200, gzip.compress(BODY), Content_Encoding="gzip", Content_Type="text/html"
    ),
}
UNUSABLE: Final[dict[str, Script]] = {
    "17 KiB": answer(200, issuing(refresh_token="c" * 17 * 1024)),
    "a space": answer(200, issuing(refresh_token="canary token")),
    "a list": answer(200, issuing(refresh_token=["canary"])),
    "an object": answer(200, issuing(refresh_token={"canary": 1})),
    "a number": answer(200, issuing(refresh_token=7)),
    "nothing": answer(200, issuing(refresh_token="")),
    "beyond ASCII": answer(200, issuing(refresh_token="canäry")),
    "a bad byte in it": answer(200, BODY.replace(NEW.encode(), NEW.encode() + b"\xff")),
    "5000 digits": answer(200, BODY.replace(b'"%s"' % NEW.encode(), b"7" * 5_000)),
}
BOTH = pytest.mark.parametrize("usable", [True, False], ids=["usable", "expired"])


# F25, F31
@BOTH
@pytest.mark.parametrize("name", ODD)
def test_no_fault_beside_the_tokens_loses_them(name: str, usable: bool, store: Store) -> None:
    with no_new_sockets(), Peer(ODD[name]) as peer:
        ran = renew(peer.issuer, store, usable=usable)
    assert (peer.sent, ran.fate) == (1, Fate.RENEWED)
    assert isinstance(ran.outcome, Renewed)
    saved = ran.after.credential
    assert (saved.refresh_token, saved.access_token) == (Secret(NEW), Secret(account_token(marker="new")))


# F31
@BOTH
@pytest.mark.parametrize("name", UNUSABLE)
def test_a_refresh_token_of_no_use_spends_the_old_one_all_the_same(
    name: str, usable: bool, store: Store
) -> None:
    clock = SkippingClock()
    with no_new_sockets(), Peer(UNUSABLE[name]) as peer:
        ran = renew(peer.issuer, store, usable=usable, clock=clock)
        assert (peer.sent, ran.fate, type(ran.outcome)) == (1, Fate.SPENT, Renewed)
        assert ran.after.credential.access_token == Secret(account_token(marker="new"))
        assert ran.after.credential.refresh_token == Secret(
            OLD
        )  # by which it is told apart; never sent again
        clock.sleep(863_900)
        soon = renew(peer.issuer, store, usable=usable, clock=clock)
        assert isinstance(soon.outcome, NotRenewed)
        clock.sleep(200)
        over = renew(peer.issuer, store, usable=usable, clock=clock)
        assert over.outcome is over.error
        assert peer.connections == 1
    for told in (soon, over):
        assert told.error.kind is ErrorKind.LOGIN_REQUIRED
        assert told.error.details["code"] == "refresh_token_unusable"
