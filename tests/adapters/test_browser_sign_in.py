"""`login()` with the browser, over real HTTP: the consent page of the authority, and back to the listener."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import attrs
import httpx
import pytest

from codex_oauth import (
    CODEX,
    BrowserPrompt,
    Credential,
    DevicePrompt,
    ErrorKind,
    FileStore,
    SignInError,
    login,
)
from codex_oauth.authority import Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.browser.choose import FlowChoice
from codex_oauth.browser.open_browser import NotOpened, Opened
from codex_oauth.sign_in import open_page
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core import CallbackRule, Secret
from codex_oauth_core.callback import Accepted
from codex_oauth_core.effects import Prompt

ANY_PORT = Policy(approve="auto", interval=1, strict_pace=False, any_redirect_port=True)


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=ANY_PORT)) as running:
        yield running


def browse(url: str, seen: list[httpx.Response] | None = None) -> None:
    """Follow the page as a browser does; the authority approves by itself."""
    with httpx.Client(follow_redirects=True, trust_env=False) as client:
        answer = client.get(url, headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"})
        if seen is not None:
            seen.append(answer)


def browsing(then: list[Thread], seen: list[httpx.Response] | None = None) -> Callable[[Prompt], None]:
    """An `on_prompt` that opens the page in a browser of our own, in the background."""

    def on_prompt(prompt: Prompt) -> None:
        assert isinstance(prompt, BrowserPrompt)
        thread = Thread(target=browse, args=(prompt.authorize_url.reveal(), seen))
        thread.start()
        then.append(thread)

    return on_prompt


def sign_in(server: AuthorityServer, **options: Any) -> tuple[Credential, list[httpx.Response]]:
    threads: list[Thread] = []
    seen: list[httpx.Response] = []
    try:
        given: dict[str, Any] = {
            "device": False,
            "provider": CODEX.at(server.url),
            "on_prompt": browsing(threads, seen),
            "open_browser": False,
            "ports": (0,),
            **options,
        }
        credential = login(**given)
    finally:
        for thread in threads:
            thread.join(10)
    return credential, seen


def test_from_the_page_to_a_stored_login(server: AuthorityServer, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    credential, seen = sign_in(server, store=store)
    assert store.current() == credential.account_id
    assert [answer.status_code for answer in seen] == [200]
    assert "Sign-in received" in seen[0].text
    assert [request.endpoint for request in server.authority.requests] == ["authorize", "exchange"]


def test_a_second_login_right_after_the_first_gets_its_port_again(server: AuthorityServer) -> None:
    port = free_port()
    for _ in range(3):
        sign_in(server, ports=(port,))
    uris = [str(request.fields["redirect_uri"]) for request in server.authority.received("exchange")]
    assert uris == [f"http://localhost:{port}/auth/callback"] * 3


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_a_denied_consent_is_raised_and_the_port_is_free_again(tmp_path: Path) -> None:
    port = free_port()
    policy = Policy(approve="deny", any_redirect_port=True)
    with serve(Authority(policy=policy)) as server, pytest.raises(SignInError) as raised:
        sign_in(server, ports=(port,))
    assert raised.value.kind is ErrorKind.DENIED
    with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", port), 1):
        pass


def test_an_exchange_that_fails_is_raised(tmp_path: Path) -> None:
    faults = [Fault(endpoint="exchange", reset=True)]
    with serve(Authority(policy=ANY_PORT, faults=faults)) as server, pytest.raises(SignInError) as raised:
        sign_in(server)
    assert raised.value.details["uncertain"] is True


def taken(stack: ExitStack) -> int:
    """A port that another program holds."""
    sock = stack.enter_context(socket.socket())
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return int(sock.getsockname()[1])


def here(monkeypatch: pytest.MonkeyPatch, flow: Any, reason: str) -> None:
    monkeypatch.setattr("codex_oauth.browser.choose.choose_here", lambda: FlowChoice(flow, reason))


def test_by_itself_it_takes_the_browser_and_says_why(
    server: AuthorityServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, "browser", "a browser can be opened here")
    notes: list[str] = []
    sign_in(server, device=None, on_note=notes.append)
    assert notes == ["Signing in with the browser: a browser can be opened here."]


def test_by_itself_it_takes_a_device_code_over_ssh_and_says_why(
    server: AuthorityServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, "device", "this is an SSH session")
    notes: list[str] = []
    shown: list[Prompt] = []
    sign_in(server, device=None, on_note=notes.append, on_prompt=shown.append)
    assert notes == ["Signing in with a device code: this is an SSH session."]
    assert isinstance(shown[0], DevicePrompt)


def test_without_a_port_it_falls_back_to_a_device_code(
    server: AuthorityServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, "browser", "a browser can be opened here")
    notes: list[str] = []
    shown: list[Prompt] = []
    with ExitStack() as stack:
        ports = (taken(stack), taken(stack))
        sign_in(server, device=None, on_note=notes.append, on_prompt=shown.append, ports=ports)
    assert isinstance(shown[0], DevicePrompt)
    assert notes[1].startswith("Signing in with a device code: ")
    assert all(str(port) in notes[1] for port in ports)


def test_without_a_port_a_browser_that_was_asked_for_is_an_error(server: AuthorityServer) -> None:
    with ExitStack() as stack, pytest.raises(SignInError) as raised:
        sign_in(server, ports=(taken(stack),))
    assert raised.value.kind is ErrorKind.CALLBACK_PORT_UNAVAILABLE
    assert server.authority.requests == []


class Pasting:
    """A source that brings what a browser was redirected to, as a paste does."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.rule: CallbackRule | None = None
        self.stopped = 0
        self._accept: Callable[[Accepted], None] | None = None

    def start(self, rule: CallbackRule, accept: Callable[[Accepted], None]) -> None:
        self.rule, self._accept = rule, accept

    def stop(self) -> None:
        self.stopped += 1

    def paste(self, text: str) -> None:
        assert self.rule is not None
        assert self._accept is not None
        verdict = self.rule.judge(text)
        self.texts.append(type(verdict).__name__)
        if isinstance(verdict, Accepted):
            self._accept(verdict)


def location(url: str) -> str:
    with httpx.Client(trust_env=False) as client:
        return client.get(url).headers["location"]


def test_a_paste_alone_can_finish_it_where_no_port_can_be_had(server: AuthorityServer) -> None:
    verdicts: list[str] = []
    source = Pasting(verdicts)
    notes: list[str] = []

    def on_prompt(prompt: Prompt) -> None:
        assert isinstance(prompt, BrowserPrompt)
        url = prompt.authorize_url.reveal()

        def person() -> None:
            while source.rule is None:
                pass
            for text in ("nonsense", f'  "{location(url)}"\r\n'):
                source.paste(text)

        Thread(target=person).start()

    sources: tuple[CallbackSource, ...] = (source,)
    with ExitStack() as stack:
        credential = login(
            device=False,
            provider=CODEX.at(server.url),
            on_prompt=on_prompt,
            on_note=notes.append,
            open_browser=False,
            ports=(taken(stack),),
            callbacks=sources,
        )
    assert credential.account_id
    assert verdicts == ["Rejected", "Accepted"]
    assert source.stopped == 1
    assert notes[-1].endswith("Only a paste can finish this sign-in.")


def test_the_page_is_opened_at_its_issuer_and_a_failure_ends_nothing(
    server: AuthorityServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str]] = []

    def open_url(url: Any, *, origin: str) -> NotOpened:
        opened.append((url.reveal(), origin))
        return NotOpened("no browser was found")

    monkeypatch.setattr("codex_oauth.browser.open_browser.open_url", open_url)
    notes: list[str] = []
    sign_in(server, open_browser=True, on_note=notes.append)
    assert opened[0][1] == server.url
    assert opened[0][0].startswith(f"{server.url}/oauth/authorize?")
    assert notes == ["The browser was not opened: no browser was found. Open the page yourself."]


@pytest.mark.parametrize(
    ("endpoint", "page", "opens"),
    [
        ("https://login.elsewhere.test/authorize", "https://login.elsewhere.test/authorize?x=1", True),
        ("https://login.elsewhere.test/authorize", "https://LOGIN.elsewhere.test:443/authorize", True),
        ("http://127.0.0.1:8/authorize", "http://127.0.0.1:8/authorize?x=1", True),
        ("https://login.elsewhere.test/authorize", "https://auth.openai.com/oauth/authorize", False),
        ("https://login.elsewhere.test/authorize", "http://login.elsewhere.test/authorize", False),
        ("https://login.elsewhere.test/authorize", "https://login.elsewhere.test:8443/authorize", False),
        ("https://login.elsewhere.test/authorize", "https://login.elsewhere.test@evil.test/", False),
        ("https://login.elsewhere.test/authorize", "https://evil.test/?https://login.elsewhere.test", False),
    ],
)
def test_a_page_is_opened_where_the_authorization_endpoint_is_though_the_issuer_is_elsewhere(
    endpoint: str, page: str, opens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S9: nothing but the provider's own page is handed to another program."""
    reached: list[object] = []

    def in_background(work: object) -> Opened:
        reached.append(work)
        return Opened("a browser")

    def not_elevated(environ: object, *, setuid: bool) -> bool:
        return False

    monkeypatch.setattr("codex_oauth.browser.open_browser._in_background", in_background)
    monkeypatch.setattr("codex_oauth.browser.open_browser.is_elevated", not_elevated)
    provider = attrs.evolve(CODEX, authorization_endpoint=endpoint)
    note = open_page(BrowserPrompt(Secret(page), 1.0, provider.issuer), provider)
    assert (note is None, len(reached)) == (opens, int(opens))
