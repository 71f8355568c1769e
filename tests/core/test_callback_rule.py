"""One judgement for every way a redirect can come in."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.callback import Accepted, CallbackRule, Reason, Redirect, Refused, read_redirect
from codex_oauth_core.secret import Secret

STATE = "canary-state-0123456789-0123456789-012345678"
SUFFIX = ".onboarding_entrypoint=life_sciences"
RULE = CallbackRule(
    "http://localhost:1455/auth/callback", Secret(STATE), (SUFFIX,), "https://auth.openai.com"
)
GOOD = f"code=the-code&state={STATE}"
URL = f"http://localhost:1455/auth/callback?{GOOD}"


def code_of(verdict: Accepted | Refused) -> str | None:
    assert isinstance(verdict, Accepted), verdict
    code = read_redirect(verdict.query).code
    return None if code is None else code.reveal()


@pytest.mark.parametrize(
    "text",
    [
        URL,
        f"  {URL}\r\n",
        f'"{URL}"',
        f"'{URL}'\n",
        f"<{URL}>",
        f"`{URL}`",
        f"{URL[:40]}\r\n{URL[40:60]}\n   {URL[60:]}",
        URL.replace("?", "\\?").replace("&", "\\&").replace("=", "\\="),
        f"{URL}#",
        f"{URL}#_=_",
        f"http://127.0.0.1:1455/auth/callback?{GOOD}",
        f"http://[::1]:1455/auth/callback?{GOOD}",
        f"/auth/callback?{GOOD}",
        f"?{GOOD}",
        GOOD,
        f"state={STATE}&code=the-code&scope=x&unknown=y",
        f"the-code#{STATE}",
        f" the-code#{STATE}\n",
        f"code=the-code&state={STATE}&iss={quote('https://auth.openai.com', safe='')}",
        f"code=the-code&state={quote(STATE + SUFFIX, safe='')}",
        f"c%6Fde=the-code&state={STATE}",
    ],
)
def test_the_genuine_redirect_in_every_shape(text: str) -> None:
    assert code_of(RULE.judge(text)) == "the-code"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.EMPTY),
        (" \r\n", Reason.EMPTY),
        ("''", Reason.EMPTY),
        ("the-code", Reason.NO_STATE),
        ("code=the-code", Reason.NO_STATE),
        ("code=the-code&state=", Reason.NO_STATE),
        ("error=access_denied", Reason.NO_STATE),
        ("http://localhost:1455/auth/callback", Reason.NO_STATE),
        (f"code=x&state={STATE[:-1]}", Reason.WRONG_STATE),
        (f"code=x&state={STATE}x", Reason.WRONG_STATE),
        (f"code=x&state={STATE.upper()}", Reason.WRONG_STATE),
        (f"code=x&state={STATE}{SUFFIX}{SUFFIX}", Reason.WRONG_STATE),
        (f"code=x&state={SUFFIX}", Reason.WRONG_STATE),
        ("code=x&state=%C3%A9", Reason.WRONG_STATE),
        ("the-code#wrong", Reason.WRONG_STATE),
        ("error=access_denied&state=wrong", Reason.WRONG_STATE),
        (f"{GOOD}&state={STATE}", Reason.REPEATED),
        (f"{GOOD}&code=other", Reason.REPEATED),
        (f"{GOOD}&c%6Fde=other", Reason.REPEATED),
        (f"error=a&error=b&state={STATE}", Reason.REPEATED),
        (f"{GOOD}&iss=a&iss=a", Reason.REPEATED),
        (f"{GOOD}&iss=https://evil.example", Reason.WRONG_ISSUER),
        (f"{GOOD}&iss=https://auth.openai.com/", Reason.WRONG_ISSUER),
        (f"{GOOD}&iss=", Reason.WRONG_ISSUER),
        (f"error=access_denied&state={STATE}&iss=https://evil.example", Reason.WRONG_ISSUER),
        (f"http://localhost:1457/auth/callback?{GOOD}", Reason.OTHER_ADDRESS),
        (f"https://localhost:1455/auth/callback?{GOOD}", Reason.OTHER_ADDRESS),
        (f"http://evil.example:1455/auth/callback?{GOOD}", Reason.OTHER_ADDRESS),
        (f"http://localhost:1455/auth/callback/?{GOOD}", Reason.OTHER_ADDRESS),
        (f"http://localhost:1455/AUTH/callback?{GOOD}", Reason.OTHER_ADDRESS),
        (f"http://localhost:1455/auth/../auth/callback?{GOOD}", Reason.OTHER_ADDRESS),
        (f"//evil.example/auth/callback?{GOOD}", Reason.OTHER_ADDRESS),
        (f"//localhost:1455/auth/callback?{GOOD}", Reason.OTHER_ADDRESS),
        (f"/?{GOOD}", Reason.OTHER_ADDRESS),
        (f"http://[::1/auth/callback?{GOOD}", Reason.UNREADABLE),
        (f"http://localhost:x/auth/callback?{GOOD}", Reason.UNREADABLE),
        (f"{GOOD}&x=%FF", Reason.UNREADABLE),
        ("&".join(["a=b"] * 200) + f"&{GOOD}", Reason.UNREADABLE),
        (GOOD + "&x=" + "y" * 16384, Reason.TOO_LONG),
    ],
)
def test_what_is_not_the_redirect(text: str, reason: Reason) -> None:
    assert RULE.judge(text) == Refused(reason)


@pytest.mark.parametrize(
    ("query", "code", "error"),
    [
        ("code=abc", "abc", None),
        ("error=access_denied", None, "access_denied"),
        ("error=ACCESS_DENIED&code=abc", None, "access_denied"),
        ("error=", None, "other"),
        ("error=%1b[31m", None, "other"),
        ("code=", None, None),
        ("", None, None),
        ("code=a+b", None, None),
        ("code=%00", None, None),
        ("code=" + "x" * 2049, None, None),
        ("code=" + "x" * 2048, "x" * 2048, None),
        ("code=a;b=c", "a;b=c", None),
        ("code=a&code=b", None, None),
    ],
)
def test_what_a_redirect_says(query: str, code: str | None, error: str | None) -> None:
    assert read_redirect(Secret(query)) == Redirect(None if code is None else Secret(code), error)


@given(st.text(max_size=300) | st.text(alphabet="codestaeri=&?#/:%.1455lh ", max_size=80))
def test_no_text_raises_and_none_without_the_state_is_accepted(text: str) -> None:
    assert isinstance(RULE.judge(text), Refused)


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_surrounds_the_right_state_never_raises(before: str, after: str) -> None:
    verdict = RULE.judge(f"{before}state={STATE}{after}")
    if isinstance(verdict, Accepted):
        assert isinstance(read_redirect(verdict.query), Redirect)
        assert RULE.judge(f"?{verdict.query.reveal()}") == verdict


def test_nothing_shows_the_state() -> None:
    verdict = RULE.judge(GOOD)
    assert "canary" not in repr(RULE) + repr(verdict) + repr(RULE.judge("x"))
