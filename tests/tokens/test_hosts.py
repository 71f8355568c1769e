"""Which URLs may have the token: exact hosts, by https, whatever a URL pretends."""

from __future__ import annotations

import pytest

from codex_oauth import HostNotAllowed, MemoryStore, TokenSource
from codex_oauth.tokens.hosts import DEFAULT_HOSTS, Hosts

GOOD = [
    "https://chatgpt.com",
    "https://chatgpt.com/",
    "https://chatgpt.com/backend-api/codex/responses?x=1#y",
    "https://chatgpt.com?x=@evil.example",
    "https://chatgpt.com:443/x",
    "HTTPS://ChatGPT.com/x",
    "wss://chatgpt.com/backend-api/codex/responses",
]

BAD = [
    "",
    "chatgpt.com",
    "//chatgpt.com/x",
    "http://chatgpt.com/x",
    "ftp://chatgpt.com/x",
    "ws://chatgpt.com/x",
    "https:chatgpt.com/x",
    "https:///chatgpt.com",
    "https://chatgpt.com.evil.example/",
    "https://evil.example/chatgpt.com",
    "https://evil.example#chatgpt.com",
    "https://api.chatgpt.com/",
    "https://chatgpt.com./",
    "https://chatgpt.com@evil.example/",
    "https://user@chatgpt.com/",
    "https://user:pass@chatgpt.com/",
    "https://evil.example\\@chatgpt.com/",
    "https://chatgpt.com\\.evil.example/",
    "https://chatgpt.com:8443/",
    "https://chatgpt.com:/",
    "https://chatgpt.com:0443x/",
    "https://chatgpt.com:99999/",
    "https://chatgpt.com:٤٤٣/",
    "https://chatgpt\t.com/",
    "https://chatgpt.com\n.evil.example/",
    "https://chatgpt.com\n",
    " https://chatgpt.com/",
    "https://chatgpt。com/",
    "https://\uff43hatgpt.com/",
    "https://chatg\u0440t.com/",
    "https://%63hatgpt.com/",
    "https://[chatgpt.com]/",
    "https://127.0.0.1/",
    "http://localhost/",
]


@pytest.mark.parametrize("url", GOOD)
def test_the_listed_host_may_have_the_token(url: str) -> None:
    Hosts(DEFAULT_HOSTS).check(url)


@pytest.mark.parametrize("url", BAD)
def test_no_other_url_gets_it(url: str) -> None:
    with pytest.raises(HostNotAllowed):
        Hosts(DEFAULT_HOSTS).check(url)


@pytest.mark.parametrize("url", BAD)
def test_what_was_allowed_before_lets_no_other_url_in(url: str) -> None:
    hosts = Hosts(DEFAULT_HOSTS)
    for good in GOOD * 2:
        hosts.check(good)
    with pytest.raises(HostNotAllowed):
        hosts.check(url)


def test_what_is_remembered_of_allowed_urls_has_an_end() -> None:
    hosts = Hosts(["127.0.0.1"])
    for port in range(1, 1000):
        hosts.check(f"http://127.0.0.1:{port}/")
    assert len(hosts._seen) < 100


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8123/x"),
        ("127.0.0.1", "https://127.0.0.1/x"),
        ("localhost", "http://localhost:8123/"),
        ("::1", "http://[::1]:8123/"),
        ("[::1]", "http://[::1]:8123/"),
        ("[::1]:8123", "http://[::1]:8123/"),
        ("127.0.0.1:8123", "http://127.0.0.1:8123/"),
        ("gateway.example:8443", "https://gateway.example:8443/"),
        ("Gateway.Example", "https://gateway.example/"),
    ],
)
def test_what_was_listed_is_allowed(listed: str, url: str) -> None:
    Hosts([listed]).check(url)


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("127.0.0.1", "http://127.0.0.2:8123/"),
        ("127.0.0.1", "http://localhost:8123/"),
        ("127.0.0.1:8123", "http://127.0.0.1:8124/"),
        ("127.0.0.1", "http://2130706433/"),
        ("127.0.0.1", "http://127.1/"),
        ("127.0.0.1", "http://0x7f.0.0.1/"),
        ("gateway.example", "http://gateway.example/"),
        ("gateway.example", "https://gateway.example:8443/"),
        ("gateway.example:80", "http://gateway.example/"),
    ],
)
def test_what_was_not_listed_is_refused(listed: str, url: str) -> None:
    with pytest.raises(HostNotAllowed):
        Hosts([listed]).check(url)


@pytest.mark.parametrize("url", [*GOOD, "http://127.0.0.1/"])
def test_an_empty_list_allows_nothing(url: str) -> None:
    with pytest.raises(HostNotAllowed):
        Hosts(()).check(url)


@pytest.mark.parametrize(
    "listed", ["https://chatgpt.com", "*.chatgpt.com", "", "chatgpt.com/", "chatgpt.com.", "é.example", "a b"]
)
def test_only_a_host_can_be_listed(listed: str) -> None:
    with pytest.raises(ValueError, match="HOST or HOST:PORT"):
        Hosts([listed])


def test_one_string_is_no_list_of_hosts() -> None:
    with pytest.raises(TypeError, match="not one string"):
        Hosts("chatgpt.com")


def test_the_error_names_the_host_escaped_and_nothing_else() -> None:
    with pytest.raises(HostNotAllowed) as refused:
        Hosts(DEFAULT_HOSTS).check(
            "https://user:canary@evil\x1b[31m\u202e.example/canary?canary=canary#canary"
        )
    assert "canary" not in str(refused.value)
    assert refused.value.host == "'evil\\x1b[31m\\u202e.example'"
    assert refused.value.host in str(refused.value)
    assert str(refused.value).isascii()


def test_a_long_host_is_cut() -> None:
    with pytest.raises(HostNotAllowed) as refused:
        Hosts(DEFAULT_HOSTS).check("https://" + "a" * 100_000)
    assert len(str(refused.value)) < 300


def test_sources_of_the_same_hosts_share_them_and_no_others() -> None:
    one, other = (TokenSource(MemoryStore()) for _ in range(2))
    listed = TokenSource(MemoryStore(), hosts=["api.example"])
    assert one._hosts is other._hosts
    listed._hosts.check("https://api.example/")
    with pytest.raises(HostNotAllowed):
        one._hosts.check("https://api.example/")


def test_the_error_says_where_hosts_are_named() -> None:
    with pytest.raises(HostNotAllowed) as refused:
        Hosts(DEFAULT_HOSTS).check("https://user:canary@evil.example/canary")
    assert str(refused.value).startswith("No token is sent to 'evil.example'. ")
    assert "TokenSource(store, hosts=[...])" in str(refused.value)
    assert "canary" not in str(refused.value)
