"""One judgement for every way a redirect can come in."""

from __future__ import annotations

from time import perf_counter
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.callback import Accepted, CallbackRule, Reason, Redirect, Rejected, read_redirect
from codex_oauth_core.secret import Secret

STATE = "canary-state-0123456789-0123456789-012345678"
SUFFIX = ".onboarding_entrypoint=life_sciences"
RULE = CallbackRule(
    "http://localhost:1455/auth/callback", Secret(STATE), (SUFFIX,), "https://auth.openai.com"
)
GOOD = f"code=the-code&state={STATE}"
URL = f"http://localhost:1455/auth/callback?{GOOD}"


AUTHORIZE = (
    "https://auth.openai.com/oauth/authorize?response_type=code&client_id=app"
    f"&redirect_uri=http%3A%2F%2Flocalhost%3A1455%2Fauth%2Fcallback&scope=openid&state={STATE}"
)


NAMING = CallbackRule(RULE.redirect_uri, RULE.state, (), RULE.issuer, names_itself=True)
APP = CallbackRule("com.example.app:/oauth2redirect", Secret(STATE), (), "https://auth.example/")


def code_of(verdict: Accepted | Rejected) -> str | None:
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
        f"https://localhost:1455/auth/callback?{GOOD}",
        f"https://127.0.0.1:1455/auth/callback?{GOOD}",
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
        (f"state={STATE}", Reason.NO_CODE),
        (f"code=&state={STATE}", Reason.NO_CODE),
        (f"code=%00&state={STATE}", Reason.NO_CODE),
        (f"here it is: state={STATE}", Reason.NO_CODE),
        (f"http://localhost:1455/auth/callback?state={STATE}", Reason.NO_CODE),
        (f"localhost:1455/auth/callback?state={STATE}", Reason.NO_CODE),
        (f"&state={STATE}", Reason.NO_CODE),
        (f"http://localhost:1455/auth/callback?code= &state={STATE}", Reason.NO_CODE),
        (URL[:48], Reason.NO_STATE),
        (f"curl '{URL[:-5]}'", Reason.WRONG_STATE),
        (AUTHORIZE, Reason.OTHER_ADDRESS),
        (f"Open {AUTHORIZE} in a browser", Reason.OTHER_ADDRESS),
        (f"http://localhost:1455/auth/callback?{GOOD}x and more", Reason.WRONG_STATE),
        (f"see evil.example:1455/auth/callback?{GOOD}", Reason.NO_STATE),
    ],
)
def test_what_is_not_the_redirect(text: str, reason: Reason) -> None:
    assert RULE.judge(text) == Rejected(reason)


FOUND = {
    "no scheme": "localhost:1455/auth/callback?{good}",
    "no scheme, by number": "127.0.0.1:1455/auth/callback?{good}",
    "curl": "curl '{url}'",
    "curl on many lines": "curl '{url}' \\\n  -H 'Accept: text/html' \\\n  --compressed",
    "a label": "URL: {url}",
    "a label without a blank": "URL:{url}",
    "markdown": "[x]({url})",
    "markdown of itself": "[{url}]({url})",
    "view-source": "view-source:{url}",
    "a sentence": "here it is: {url} - thanks!",
    "a sentence of two lines": "here it is:\n{url}\nthanks",
    "angle brackets": "The page <{url}>, as it says.",
    "a prompt": "$ {url}",
    "a prompt with a place": "me@there:~/src$ {url}",
    "double quotes": 'it says "{url}"',
    "curly quotes": "it says \u201c{url}\u201d",
    "a full stop": "{url}.",
    "punctuation": "({url}),",
    "JSON": '{{"url": "{url}"}}',
    "HTML": '<a href="{html}">back</a>',
    "encoded": "{encoded}",
    "encoded within another": "https://www.example.com/url?q={encoded}&sa=D",
    "a query in a sentence": "the query is ?{good} I think",
    "code#state in a sentence": "the code is the-code#{state}.",
    "a request line": "GET /auth/callback?{good} HTTP/1.1",
    "another tab first": "http://localhost:3000/?a=b\n{url}",
    "another sign-in first": "http://localhost:1455/auth/callback?code=old&state=of-another {url}",
    "half of it first": "http://localhost:1455/auth/callback?code=old&x= {url}",
    "wrapped in a sentence": "here: {wrapped} thanks",
    "wrapped with indents": "    {indented}\n    and more",
    "pasted twice": "{url}\n{url}",
    "pasted twice without a break": "{url}{url}",
    "a blank in it": "{blank}",
    "shouted scheme": "HTTP://localhost:1455/auth/callback?{good}",
    "code last": "see http://localhost:1455/auth/callback?state={state}&code=the-code, please",
    "a fragment": "{url}#_=_ thanks",
}


@pytest.mark.parametrize("shape", FOUND)
def test_the_genuine_redirect_is_found_in_what_stands_around_it(shape: str) -> None:
    text = FOUND[shape].format(
        url=URL,
        good=GOOD,
        state=STATE,
        html=URL.replace("&", "&amp;"),
        encoded=quote(URL, safe=""),
        wrapped=f"{URL[:30]}\n{URL[30:70]}\r\n{URL[70:]}",
        indented=f"{URL[:30]}\n    {URL[30:70]}\n    {URL[70:]}",
        blank=f"{URL[:50]} {URL[50:]}",
    )
    assert code_of(RULE.judge(text)) == "the-code"


@pytest.mark.parametrize("shape", FOUND)
def test_without_its_code_it_is_found_and_refused(shape: str) -> None:
    without = f"state={STATE}"
    url = f"http://localhost:1455/auth/callback?{without}"
    if "the-code" in FOUND[shape]:
        return
    text = FOUND[shape].format(
        url=url,
        good=without,
        state=STATE,
        html=url,
        encoded=quote(url, safe=""),
        wrapped=f"{url[:30]}\n{url[30:]}",
        indented=f"{url[:30]}\n    {url[30:]}",
        blank=url,
    )
    assert isinstance(RULE.judge(text), Rejected)


@pytest.mark.parametrize(
    "text", ["error=access_denied&state={}", "I got http://localhost:1455/auth/callback?error=x&state={}."]
)
def test_an_error_with_the_right_state_is_the_redirect(text: str) -> None:
    verdict = RULE.judge(text.format(STATE))
    assert isinstance(verdict, Accepted)
    assert read_redirect(verdict.query).error in ("access_denied", "x")


@pytest.mark.parametrize("query", [f"state={STATE}", f"code=&state={STATE}", f"x=y&state={STATE}"])
def test_what_the_server_sends_without_a_code_is_the_redirect_all_the_same(query: str) -> None:
    for target in (f"?{query}", f"/auth/callback?{query}"):
        verdict = RULE.judge_redirect(target)
        assert isinstance(verdict, Accepted)
        assert read_redirect(verdict.query) == Redirect(None, None)
        assert RULE.judge(target) == Rejected(Reason.NO_CODE)


def test_what_the_server_sends_is_not_searched() -> None:
    for target in (f"?x={quote(URL, safe='')}", f"/ {URL}", f"{URL}.", f'"{URL}"', f" {URL}"):
        assert isinstance(RULE.judge_redirect(target), Rejected)
    assert RULE.judge_redirect("?" + "x" * 17000) == Rejected(Reason.TOO_LONG)


BREAKS = st.sampled_from([" ", "\n", "\r\n", "\t", "'", '"', "<", "(", ") ", "> ", "` ", "\n\n"])
WORDS = st.text(alphabet=st.characters(exclude_characters="#=%", exclude_categories=["Cs"]), max_size=200)


@given(WORDS, BREAKS, st.sampled_from([" ", "\n", "' ", '"', "<", "> ", ". ", ").\n", "`"]), WORDS)
def test_a_text_that_holds_the_address_is_accepted(before: str, opened: str, closed: str, after: str) -> None:
    assert code_of(RULE.judge(f"{before}{opened}{URL}{closed}{after}")) == "the-code"


@given(WORDS, st.text(max_size=200))
def test_a_text_with_the_state_and_neither_code_nor_error_is_refused(before: str, after: str) -> None:
    text = f"{before} state={STATE} {after.replace('code', '').replace('error', '').replace('#', '')}"
    assert isinstance(RULE.judge(text), Rejected)


@given(st.text(max_size=400), st.text(alphabet="abc-_.~", min_size=1, max_size=43))
def test_who_does_not_know_the_state_ends_no_wait(text: str, state: str) -> None:
    for each in (text, f"{text} {URL.replace(STATE, state)} {text}", f"error=x&state={state} {text}"):
        assert isinstance(RULE.judge(each), Rejected)
        assert isinstance(RULE.judge_redirect(each), Rejected)


def test_a_long_text_of_many_beginnings_is_judged_soon() -> None:
    text = ("http://localhost:1455/auth/callback?code=a " * 400)[:16000]
    begun = perf_counter()
    assert isinstance(RULE.judge(text), Rejected)
    assert perf_counter() - begun < 5  # it takes a few milliseconds


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
    assert isinstance(RULE.judge(text), Rejected)


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_surrounds_the_right_state_never_raises(before: str, after: str) -> None:
    verdict = RULE.judge(f"{before}state={STATE}{after}")
    if isinstance(verdict, Accepted):
        assert isinstance(read_redirect(verdict.query), Redirect)
        assert RULE.judge(f"?{verdict.query.reveal()}") == verdict


def test_nothing_shows_the_state() -> None:
    verdict = RULE.judge(GOOD)
    assert "canary" not in repr(RULE) + repr(verdict) + repr(RULE.judge("x"))


# -- what a provider promises (RFC 9207), never sends (RFC 9700), or comes back to (RFC 8252 §7.1) ----------


@pytest.mark.parametrize("query", [GOOD, f"error=access_denied&state={STATE}"])
def test_a_redirect_without_an_issuer_is_refused_where_the_server_promises_one(query: str) -> None:
    assert NAMING.judge_redirect(f"?{query}") == Rejected(Reason.WRONG_ISSUER)
    assert NAMING.judge(f"{RULE.redirect_uri}?{query}") == Rejected(Reason.WRONG_ISSUER)
    named = f"?{query}&iss={quote(RULE.issuer, safe='')}"
    assert isinstance(NAMING.judge_redirect(named), Accepted)
    assert NAMING.judge_redirect(f"{named}/") == Rejected(Reason.WRONG_ISSUER)


@pytest.mark.parametrize("name", ["access_token", "id_token", "token"])
@pytest.mark.parametrize("query", [GOOD, f"state={STATE}", f"error=access_denied&state={STATE}"])
def test_a_redirect_with_a_token_in_it_is_never_taken(name: str, query: str) -> None:
    assert RULE.judge_redirect(f"?{query}&{name}=canary") == Rejected(Reason.TOKEN)
    assert RULE.judge_redirect(f"?{query}&{name}=") == Rejected(Reason.TOKEN)
    assert RULE.judge(f"see {RULE.redirect_uri}?{query}&{name}=canary") == Rejected(Reason.TOKEN)
    wrong = query.replace(STATE, "x" * len(STATE))
    assert RULE.judge_redirect(f"?{wrong}&{name}=canary") == Rejected(Reason.WRONG_STATE)


def test_a_client_id_that_stands_twice_is_not_chosen_from() -> None:
    assert isinstance(RULE.judge_redirect(f"?{GOOD}&client_id=a"), Accepted)
    assert RULE.judge_redirect(f"?{GOOD}&client_id=a&client_id=b") == Rejected(Reason.REPEATED)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"com.example.app:/oauth2redirect?{GOOD}", None),
        (f"COM.example.App:/oauth2redirect?{GOOD}#_=_", None),
        (f"/oauth2redirect?{GOOD}", None),
        (f"com.example.app:/other?{GOOD}", Reason.OTHER_ADDRESS),
        (f"com.example.app://host/oauth2redirect?{GOOD}", Reason.OTHER_ADDRESS),
        (f"com.example.other:/oauth2redirect?{GOOD}", Reason.NO_STATE),
        (f"http://localhost/oauth2redirect?{GOOD}", Reason.OTHER_ADDRESS),
        ("com.example.app:/oauth2redirect?code=x", Reason.NO_STATE),
        (f"com.example.app:/oauth2redirect?{GOOD}&iss=https://auth.example", Reason.WRONG_ISSUER),
    ],
)
def test_a_redirect_to_a_scheme_of_ones_own(text: str, verdict: Reason | None) -> None:
    judged = APP.judge_redirect(text)
    if verdict is None:
        assert (code_of(judged), code_of(APP.judge(text))) == ("the-code", "the-code")
    else:
        assert judged == Rejected(verdict)
