"""The authority reads strictly, tells the client what is wrong, and keeps a log without secrets."""

from __future__ import annotations

import pytest

from codex_oauth_core import CODEX, Secret
from tests.authority.peer import FORM, JSON, POLL, REVOKE, TOKEN, USERCODE, Peer, refusal

GOOD = f'{{"client_id":"{CODEX.client_id}"}}'.encode()
AS_JSON = (("Content-Type", JSON),)
AS_FORM = (("Content-Type", FORM),)
INVALID = (400, "invalid_request")
WRONG_TYPE = (415, "invalid_request")


def test_the_good_request_that_the_bad_ones_differ_from() -> None:
    assert Peer().send("POST", USERCODE, GOOD, AS_JSON).status == 200


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", ';charset="UTF-8"'])
def test_a_charset_may_be_named(charset: str) -> None:
    headers = (("content-type", JSON + charset),)
    assert Peer().send("POST", USERCODE, GOOD, headers).status == 200


@pytest.mark.parametrize(
    ("path", "body", "headers", "expected"),
    [
        (USERCODE, GOOD, (), WRONG_TYPE),
        (USERCODE, GOOD, AS_FORM, WRONG_TYPE),
        (USERCODE, GOOD, (("Content-Type", "text/json"),), WRONG_TYPE),
        (USERCODE, GOOD, (("Content-Type", f"{JSON}; charset=latin-1"),), WRONG_TYPE),
        (USERCODE, GOOD, AS_JSON + AS_JSON, INVALID),
        (f"{USERCODE}?client_id={CODEX.client_id}", b"{}", AS_JSON, INVALID),
        (USERCODE, b"", AS_JSON, INVALID),
        (USERCODE, b"{", AS_JSON, INVALID),
        (USERCODE, b"[]", AS_JSON, INVALID),
        (USERCODE, b"\xff", AS_JSON, INVALID),
        (USERCODE, b"{}", AS_JSON, INVALID),
        (USERCODE, b'{"client_id":""}', AS_JSON, INVALID),
        (USERCODE, b'{"client_id":7}', AS_JSON, INVALID),
        (USERCODE, b'{"client_id":["app"]}', AS_JSON, INVALID),
        (USERCODE, GOOD[:-1] + b"," + GOOD[1:], AS_JSON, INVALID),
        (USERCODE, b'{"client_id":"another"}', AS_JSON, (401, "invalid_client")),
        (USERCODE, b"[" * 60_000, AS_JSON, INVALID),
        (USERCODE, GOOD + b" " * 65_536, AS_JSON, (413, "invalid_request")),
        (POLL, b'{"device_auth_id":"x"}', AS_JSON, INVALID),
        (POLL, b'{"user_code":"x"}', AS_JSON, INVALID),
        (TOKEN, b"grant_type=refresh_token&grant_type=refresh_token", AS_FORM, INVALID),
        (TOKEN, b"grant_type", AS_FORM, INVALID),
        (TOKEN, b"grant_type=%ff", AS_FORM, INVALID),
        (TOKEN, b"a=1&" * 70 + b"a=1", AS_FORM, INVALID),
        (TOKEN, b"", AS_FORM, INVALID),
        (TOKEN, b"token=x", (("Content-Type", "multipart/form-data"),), WRONG_TYPE),
        (REVOKE, b'{"token":null}', AS_JSON, INVALID),
    ],
)
def test_a_malformed_request_is_refused_with_a_code(
    path: str, body: bytes, headers: tuple[tuple[str, str], ...], expected: tuple[int, str]
) -> None:
    assert refusal(Peer().send("POST", path, body, headers)) == expected


@pytest.mark.parametrize("path", [USERCODE, POLL, TOKEN, REVOKE])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "post"])
def test_only_post_does_anything(path: str, method: str) -> None:
    answer = Peer().send(method, path, GOOD, AS_JSON)
    assert refusal(answer) == (405, "method_not_allowed")
    assert answer.header("Allow") == "POST"


@pytest.mark.parametrize(
    "path", ["/nope", USERCODE + "/", USERCODE.upper(), "//oauth/token", "/oauth%2Ftoken"]
)
def test_only_the_exact_path_is_an_endpoint(path: str) -> None:
    assert Peer().send("POST", path, GOOD, AS_JSON).status == 404


def test_every_answer_says_that_it_is_not_to_be_kept() -> None:
    peer = Peer()
    for answer in (peer.send("GET", "/nope"), peer.send("GET", "/codex/device"), peer.send("GET", TOKEN)):
        assert answer.header("Cache-Control") == "no-store"
        assert answer.header("X-Content-Type-Options") == "nosniff"
        assert answer.header("Referrer-Policy") == "no-referrer"
        assert answer.header("Date") == "Fri, 15 Jan 2027 08:00:07 GMT"


# -- the log ------------------------------------------------------------------------------------------


def test_the_log_says_what_came_and_what_was_answered() -> None:
    peer = Peer(approve="auto")
    peer.refresh(peer.sign_in()["refresh_token"])
    peer.send("GET", "/nope", headers=(("User-Agent", "me"), ("Cookie", "c"), ("Authorization", "a")))
    log = peer.authority.requests
    assert [(one.endpoint, one.number, one.status) for one in log] == [
        ("usercode", 1, 200),
        ("poll", 1, 200),
        ("exchange", 1, 200),
        ("refresh", 1, 200),
        ("other", 1, 404),
    ]
    assert log[0].at == peer.now
    assert log[0].wall == peer.wall
    assert log[0].fields == {"client_id": CODEX.client_id}
    assert dict(log[-1].headers) == {"user-agent": "me"}
    assert peer.authority.received("poll") == [log[1]]


def test_the_log_shows_no_secret() -> None:
    peer = Peer(approve="auto")
    tokens = peer.sign_in()
    peer.post(REVOKE, {"token": tokens["access_token"]})
    peer.refresh(tokens["refresh_token"])
    peer.authorize(state="canary-state")
    text = repr(peer.authority.requests)
    secret = ("fake-", "canary", tokens["access_token"])
    assert not [word for word in secret if word in text]
    assert peer.authority.received("refresh")[0].fields["refresh_token"] == Secret(tokens["refresh_token"])
    assert "fake-" not in repr(peer.authority)
