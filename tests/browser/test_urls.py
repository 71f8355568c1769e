"""Which URLs are handed to other programs."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_oauth.browser.open_browser import LONGEST_URL, refused_url
from codex_oauth_core import CODEX
from tests.codex_readers import asked
from tests.support import there

ASKED = asked("http://localhost:1455/auth/callback", "the-state", "the-challenge", "workspace-1")
AUTHORIZE = there(CODEX.dialect.authorize_url(CODEX, ASKED)).reveal()
CHARACTERS = "its address holds characters that are not handed to other programs"
ELSEWHERE = "its address is neither https nor on this machine"
NO_URL = "its address is not a URL"


@pytest.mark.parametrize(
    "url",
    [
        AUTHORIZE,
        "https://auth.openai.com",
        "https://auth.openai.com/",
        "https://auth.openai.com?a=b",
        "https://auth.openai.com:8443/oauth/authorize?scope=openid+profile%20email&x=~._-",
        "http://localhost:49152/oauth/authorize",
        "http://127.0.0.1:49152/oauth/authorize",
        "http://[::1]:49152/oauth/authorize",
        "https://example.test/?redirect=http://localhost:1455/",
    ],
)
def test_what_an_authorization_url_looks_like_is_opened(url: str) -> None:
    assert refused_url(url) is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", CHARACTERS),
        ("--help", CHARACTERS),
        ("-https://auth.openai.com/", CHARACTERS),
        (" https://auth.openai.com/", CHARACTERS),
        ("https://auth.openai.com/ ", CHARACTERS),
        ("https://auth.openai.com/\n", CHARACTERS),
        ("https://auth.openai.com/\r\nx", CHARACTERS),
        ("https://auth.openai.com/\x00", CHARACTERS),
        ("https://auth.openai.com/\x1b[31m", CHARACTERS),
        ("https://auth.openai.com/\x7f", CHARACTERS),
        ("https://auth.openai.com/\u202e", CHARACTERS),
        ("https://auth.openai.com/ü", CHARACTERS),
        ("https://auth.openаi.com/", CHARACTERS),  # a Cyrillic letter  # noqa: RUF001  # on purpose
        ("https://auth.openai.com/a b", CHARACTERS),
        ("https://auth.openai.com/\tb", CHARACTERS),
        ('https://auth.openai.com/"x', CHARACTERS),
        ("https://auth.openai.com/'x", CHARACTERS),
        ("https://auth.openai.com/`x`", CHARACTERS),
        ("https://auth.openai.com/$(x)", CHARACTERS),
        ("https://auth.openai.com/${x}", CHARACTERS),
        ("https://auth.openai.com/;x", CHARACTERS),
        ("https://auth.openai.com/|x", CHARACTERS),
        ("https://auth.openai.com/^x", CHARACTERS),
        ("https://auth.openai.com/<x>", CHARACTERS),
        ("https://auth.openai.com/\\x", CHARACTERS),
        ("https://auth.openai.com\\@evil.test/", CHARACTERS),
        ("https://auth.openai.com@evil.test/", CHARACTERS),
        ("https://user:pass@auth.openai.com/", CHARACTERS),
        ("https://auth.openai.com/#x", CHARACTERS),
        ("https://auth.openai.com/[x]", CHARACTERS),
        ("https://auth.openai.com/%action", CHARACTERS),
        ("https://auth.openai.com/%ACTION", CHARACTERS),
        ("%action--incognito", CHARACTERS),
        ("https://%action/", CHARACTERS),
        ("https://auth.openai.com/%s", CHARACTERS),
        ("https://auth.openai.com/%", CHARACTERS),
        ("https://auth.openai.com/%PATH%", CHARACTERS),
        ("https://-auth.openai.com/", CHARACTERS),
        ("https://", CHARACTERS),
        ("https:///path", CHARACTERS),
        ("https:auth.openai.com", CHARACTERS),
        ("//auth.openai.com/", CHARACTERS),
        ("HTTPS://auth.openai.com/", CHARACTERS),
        ("file:///etc/passwd", CHARACTERS),
        ("javascript:alert(1)", CHARACTERS),
        ("data:text/html,x", CHARACTERS),
        ("ms-settings:", CHARACTERS),
        ("search-ms:query=x", CHARACTERS),
        ("C:\\Windows\\System32\\calc.exe", CHARACTERS),
        ("\\\\evil.test\\share\\x.exe", CHARACTERS),
        ("/usr/bin/true", CHARACTERS),
        ("https://auth.openai.com:x/", CHARACTERS),
        ("https://auth.openai.com:/", CHARACTERS),
        ("https://[::1/", CHARACTERS),
        ("https://auth.openai.com:99999/", NO_URL),
        ("https://auth.openai.com:0/", NO_URL),
        ("https://[:::::]/", NO_URL),
        ("http://auth.openai.com/", ELSEWHERE),
        ("http://localhost.evil.test/", ELSEWHERE),
        ("http://127.0.0.1.evil.test/", ELSEWHERE),
        ("http://0.0.0.0:1455/", ELSEWHERE),
        ("http://10.0.0.1/", ELSEWHERE),
        ("https://auth.openai.com/?" + "x" * LONGEST_URL, "its address is too long"),
    ],
)
def test_hostile_urls_are_refused(url: str, reason: str) -> None:
    assert refused_url(url) == reason


@pytest.mark.parametrize(
    ("url", "origin", "allowed"),
    [
        (AUTHORIZE, "https://auth.openai.com", True),
        (AUTHORIZE, "https://auth.openai.com:443/path", True),
        ("http://localhost:4000/x", "http://localhost:4000", True),
        (AUTHORIZE, "https://openai.com", False),
        (AUTHORIZE, "https://auth.openai.com:8443", False),
        ("http://localhost:4000/x", "http://localhost:4001", False),
        ("http://localhost:4000/x", "https://localhost:4000", False),
        ("https://auth.openai.com.evil.test/", "https://auth.openai.com", False),
    ],
)
def test_a_given_origin_must_match(url: str, origin: str, allowed: bool) -> None:
    assert refused_url(url, origin) == (None if allowed else "its address is not the provider's")


@given(
    st.text(max_size=60) | st.text(alphabet="htps:/[]@.-%1:0?&a\\ \n", max_size=40).map("https://".__add__)
)
@example("https://[::1%0]/")
def test_no_text_raises_and_what_passes_is_plain(url: str) -> None:
    if refused_url(url) is None:
        assert url.startswith(("https://", "http://"))
        assert url.isascii()
        assert url.isprintable()
        assert not set(url) & set(" \"'`\\<>|^;$(){}@#*!,")
