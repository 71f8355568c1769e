"""The pages: who may be redirected where, forms that only the own page can send, and nothing unescaped."""

from __future__ import annotations

import base64
import hashlib
import re

import attrs
import pytest

from codex_oauth.authority import Account, Answer
from codex_oauth_core import CODEX
from tests.authority.peer import BASE, FORM, JSON, Peer, hidden, location, refusal, text

URI = CODEX.redirect_uri()
DEVICE = "/codex/device"
AUTHORIZE = "/oauth/authorize"


def typed(peer: Peer, **fields: str) -> Answer:
    """A form of the device page, sent as its own page would."""
    csrf = hidden(peer.browse("GET", DEVICE), "csrf")
    return peer.browse("POST", DEVICE, {"csrf": csrf, **fields})


# -- the device page ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decision", "page", "then"),
    [
        ("approve", "Sign-in approved", 200),
        ("deny", "Sign-in denied", 403),
    ],
)
def test_a_person_types_a_code_and_decides(decision: str, page: str, then: int) -> None:
    peer = Peer()
    device = peer.begin()
    consent = typed(peer, user_code=device["user_code"].lower())
    assert device["user_code"] in text(consent)
    assert peer.poll(device).status == 403
    form = {name: hidden(consent, name) for name in ("csrf", "user_code")}
    done = peer.browse("POST", DEVICE, {**form, "decision": decision})
    assert page in text(done)
    peer.sleep(5)
    assert peer.poll(device).status == then


def test_the_consent_page_says_who_asks_for_what() -> None:
    peer = Peer(account=Account(email="<b>&'@example.com", plan='"plan"'))
    page = text(typed(peer, user_code=peer.begin()["user_code"]))
    assert "Only approve if you started this sign-in yourself just now." in page
    assert CODEX.client_id in page
    assert "openid profile email offline_access" in page
    assert "&lt;b&gt;&amp;&#x27;@example.com" in page
    assert "&quot;plan&quot; plan" in page


def test_the_consent_page_names_the_person_who_approves_next() -> None:
    nameless = Account(email=None, name=None, plan=None)
    peer = Peer(accounts=[Account(), nameless, attrs.evolve(nameless, name="Bert")])
    pages: list[str] = []
    for _ in range(3):
        device = peer.begin()
        page = typed(peer, user_code=device["user_code"])
        pages.append(text(page))
        form = {name: hidden(page, name) for name in ("csrf", "user_code")}
        peer.browse("POST", DEVICE, {**form, "decision": "approve"})
        peer.sleep(5)
        assert peer.poll(device).status == 200
    assert ["somebody@example.com" in page for page in pages] == [True, False, False]
    assert "somebody without an email address" in pages[1]
    assert ["Bert" in page for page in pages] == [False, False, True]
    assert ["None" in page for page in pages] == [False] * 3


@pytest.mark.parametrize("case", ["unknown", "expired", "denied", "handed out", "empty"])
def test_a_code_that_cannot_be_approved_is_refused_alike(case: str) -> None:
    peer = Peer()
    device = peer.begin()
    match case:
        case "expired":
            peer.sleep(900)
        case "denied" | "handed out":
            peer.authority.decide(device["user_code"], peer.now, approve=case != "denied")
            peer.poll(device)
        case _:
            pass
    issued: str = device["user_code"]
    code = {"unknown": "BBBB-BBBB", "empty": ""}.get(case, issued)
    answer = typed(peer, user_code=code)
    assert answer.status == 404
    assert "unknown or has expired" in text(answer)
    assert typed(peer, user_code=code, decision="approve").status == 404


def test_what_was_typed_comes_back_escaped() -> None:
    page = text(typed(Peer(), user_code='"><script>alert(1)</script>'))
    assert "<script" not in page
    assert "&quot;&gt;&lt;script&gt;" in page


def test_under_never_the_page_has_no_buttons_and_takes_no_decision() -> None:
    peer = Peer(approve="never")
    device = peer.begin()
    assert "<button" not in text(typed(peer, user_code=device["user_code"]))
    assert typed(peer, user_code=device["user_code"], decision="approve").status == 403
    assert peer.poll(device).status == 403


@pytest.mark.parametrize("decision", ["", "yes", "Approve"])
def test_a_decision_is_approve_or_deny(decision: str) -> None:
    peer = Peer()
    device = peer.begin()
    assert typed(peer, user_code=device["user_code"], decision=decision).status == 400
    assert peer.poll(device).status == 403


# -- CSRF ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [DEVICE, AUTHORIZE])
@pytest.mark.parametrize("case", ["no token", "wrong token", "no cookie", "another cookie", "site", "origin"])
def test_a_form_from_elsewhere_changes_nothing(path: str, case: str) -> None:
    peer = Peer()
    device = peer.begin()
    page = peer.browse("GET", DEVICE) if path == DEVICE else peer.authorize()
    form = {"csrf": hidden(page, "csrf"), "decision": "approve", "user_code": device["user_code"]}
    if path == AUTHORIZE:
        form["ticket"] = hidden(page, "ticket")
    cookie = peer.cookie
    headers: dict[str, str] = {}
    match case:
        case "no token":
            del form["csrf"]
        case "wrong token":
            form["csrf"] = form["csrf"][::-1]
        case "no cookie":
            peer.cookie = None
        case "another cookie":
            peer.cookie = f"authority_session={'x' * 43}"
        case "site":
            headers["Sec-Fetch-Site"] = "cross-site"
        case _:
            headers["Origin"] = "https://evil.example"
    assert peer.browse("POST", path, form, **headers).status == 403
    assert peer.poll(device).status == 403
    peer.cookie = cookie
    assert peer.browse("POST", path, {**form, "csrf": hidden(page, "csrf")}).status in (200, 303)


@pytest.mark.parametrize("headers", [{"Origin": "null"}, {"Origin": BASE}, {"Sec-Fetch-Site": "same-origin"}])
def test_the_own_form_is_accepted_as_browsers_send_it(headers: dict[str, str]) -> None:
    peer = Peer()
    device = peer.begin()
    csrf = hidden(peer.browse("GET", DEVICE), "csrf")
    form = {"csrf": csrf, "user_code": device["user_code"], "decision": "approve"}
    assert peer.browse("POST", DEVICE, form, **headers).status == 200


def test_a_page_takes_its_own_kind_of_form_only() -> None:
    peer = Peer()
    csrf = hidden(peer.browse("GET", DEVICE), "csrf")
    body = f"csrf={csrf}&user_code=x&user_code=y".encode()
    kinds = (("Content-Type", FORM), ("Cookie", peer.cookie or ""))
    assert peer.send("POST", DEVICE, body, kinds).status == 400
    assert peer.send("POST", DEVICE, b"{}", (("Content-Type", JSON),)).status == 400


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    peer = Peer()
    cookie = peer.browse("GET", DEVICE).header("Set-Cookie") or ""
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert peer.browse("GET", DEVICE).header("Set-Cookie") is None


# -- the authorize page -------------------------------------------------------------------------------


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a_decision_leads_back_to_the_client_once(decision: str) -> None:
    peer = Peer()
    page = peer.authorize()
    assert "localhost:1455" in text(page)
    form = {"csrf": hidden(page, "csrf"), "ticket": hidden(page, "ticket"), "decision": decision}
    uri, query = location(peer.browse("POST", AUTHORIZE, form))
    assert uri == URI
    assert query.pop("state") == "state-1"
    assert set(query) == {"code"} if decision == "approve" else query == {"error": "access_denied"}
    assert peer.browse("POST", AUTHORIZE, form).status == 409


def test_a_consent_page_is_too_old_after_ten_minutes() -> None:
    peer = Peer()
    page = peer.authorize()
    peer.sleep(600)
    form = {"csrf": hidden(page, "csrf"), "ticket": hidden(page, "ticket"), "decision": "approve"}
    assert peer.browse("POST", AUTHORIZE, form).status == 409


def test_a_consent_page_of_one_browser_cannot_be_answered_by_another() -> None:
    peer = Peer()
    ticket = hidden(peer.authorize(), "ticket")
    peer.cookie = None
    csrf = hidden(peer.authorize(), "csrf")
    assert (
        peer.browse("POST", AUTHORIZE, {"csrf": csrf, "ticket": ticket, "decision": "approve"}).status == 409
    )


@pytest.mark.parametrize(("approve", "name"), [("auto", "code"), ("deny", "error")])
def test_the_policy_may_answer_without_a_person_after_its_time(approve: str, name: str) -> None:
    answer = Peer(approve=approve, approve_after=3).authorize()
    assert name in location(answer)[1]
    assert answer.delay == 3


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:1455/auth/callback",
        "http://localhost:1457/auth/callback",
        "http://127.0.0.1:1455/auth/callback",
        "http://127.0.0.1:1457/auth/callback",
    ],
)
def test_registered_redirect_uris_are_accepted(uri: str) -> None:
    assert location(Peer(approve="auto").authorize(redirect_uri=uri))[0] == uri


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "http://localhost:1456/auth/callback",
        "http://localhost/auth/callback",
        "https://localhost:1455/auth/callback",
        "http://[::1]:1455/auth/callback",
        "http://evil.example:1455/auth/callback",
        "http://localhost:1455@evil.example/auth/callback",
        "http://localhost:1455/auth/callback/",
        "http://localhost:1455/auth/callback?x=1",
        "http://localhost:1455/auth/callback#x",
        "http://localhost:1455/auth/../auth/callback",
        "http://localhost:1455/auth/callback\n",
        "javascript:alert(1)",
    ],
)
def test_any_other_redirect_uri_gets_a_page_and_no_redirect(uri: str | None) -> None:
    for peer in (Peer(approve="auto"), Peer()):
        answer = peer.authorize(redirect_uri=uri)
        assert answer.status == 400
        assert answer.header("Location") is None


def test_other_ports_are_an_option() -> None:
    peer = Peer(approve="auto", any_redirect_port=True)
    uri = "http://127.0.0.1:49152/auth/callback"
    assert location(peer.authorize(redirect_uri=uri))[0] == uri
    assert peer.authorize(redirect_uri="http://127.0.0.1:65536/auth/callback").status == 400


@pytest.mark.parametrize("client_id", [None, "another"])
def test_an_unknown_client_gets_a_page_and_no_redirect(client_id: str | None) -> None:
    answer = Peer(approve="auto").authorize(client_id=client_id)
    assert answer.status == 400
    assert answer.header("Location") is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"state": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "v" * 44}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
    ],
)
def test_a_wrong_request_goes_back_to_the_client_as_an_error(
    changes: dict[str, str | None], error: str
) -> None:
    uri, query = location(Peer(approve="auto").authorize(**changes))
    assert uri == URI
    state = {} if "state" in changes else {"state": "state-1"}
    assert query == {"error": error, **state}


@pytest.mark.parametrize("query", ["state=a&state=b", "state=", "x", "x=%ff"])
def test_a_query_that_cannot_be_read_strictly_gets_a_page(query: str) -> None:
    assert Peer().browse("GET", f"{AUTHORIZE}?{query}").status == 400


# -- what every page is like --------------------------------------------------------------------------


def every_page() -> list[Answer]:
    peer = Peer()
    device = peer.begin()
    consent = typed(peer, user_code=device["user_code"])
    form = {"csrf": hidden(consent, "csrf"), "user_code": device["user_code"], "decision": "deny"}
    return [
        peer.browse("GET", DEVICE),
        consent,
        peer.authorize(),
        peer.browse("POST", DEVICE, form),
        typed(peer, user_code="nope"),
        peer.browse("POST", DEVICE, {}),
    ]


@pytest.mark.parametrize("page", every_page(), ids=lambda page: str(page.status))
def test_a_page_is_accessible_and_loads_nothing(page: Answer) -> None:
    html = text(page)
    assert '<html lang="en">' in html
    assert html.count("<h1>") == 1
    assert "<main>" in html
    assert 'name="viewport"' in html
    assert "Test authority." in html
    assert "<script" not in html
    assert not re.findall(r'(?:src|href)="(?!/)', html)
    for name in re.findall(r'<input id="([^"]+)"', html):
        assert f'<label for="{name}">' in html


@pytest.mark.parametrize("page", every_page(), ids=lambda page: str(page.status))
def test_a_page_cannot_be_framed_but_may_lead_to_the_client(page: Answer) -> None:
    policy = page.header("Content-Security-Policy") or ""
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy
    assert "form-action" not in policy
    style = re.search(r"<style>(.*?)</style>", text(page), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy


def test_the_root_leads_to_the_device_page_and_the_favicon_is_there() -> None:
    peer = Peer()
    assert peer.send("GET", "/").header("Location") == DEVICE
    icon = peer.send("GET", "/favicon.ico")
    assert icon.status == 200
    assert icon.header("Content-Type") == "image/svg+xml"


def test_a_program_that_posts_to_a_page_by_mistake_gets_a_page_error() -> None:
    answer = Peer().post(DEVICE, {"user_code": "x"})
    assert answer.status == 400
    assert "<h1>" in text(answer)
    assert refusal(Peer().post("/codex", {}))[0] == 404


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    full = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    parts = [int(full[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("text", "card", 7.0),
        ("soft", "card", 4.5),
        ("warn-text", "warn", 4.5),
        ("bad", "card", 4.5),
        ("good", "card", 4.5),
        ("on-accent", "accent", 4.5),
        ("on-accent", "accent-deep", 4.5),
        ("accent", "card", 4.5),
        ("edge", "card", 3.0),
    ],
)
def test_contrast_is_enough_in_both_colour_schemes(scheme: str, front: str, back: str, least: float) -> None:
    light, dark = text(Peer().send("GET", DEVICE)).split("@media (prefers-color-scheme:dark)")
    colours = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", light if scheme == "light" else dark))
    assert contrast(colours[front], colours[back]) >= least
