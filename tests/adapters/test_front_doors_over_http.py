"""`login()` and `alogin()` over real HTTP: the consent page of the authority and back to the listener, or a device code.

Rules of this file: each case is asked of every door. The browser's are asked in the usual world; a device code's in
one that skips its waits.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import attrs
import httpx
import pytest

from codex_oauth import CODEX, BrowserPrompt, Credential, DevicePrompt, ErrorKind, FileStore, SignInError
from codex_oauth.authority import Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.browser.choose import FlowChoice
from codex_oauth.browser.open_browser import NotOpened, Opened
from codex_oauth.sign_in import open_page
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.store import SaveFailed
from codex_oauth_core import Secret
from codex_oauth_core.effects import Prompt
from tests.adapters.browsing import Pasting, browse, free_port, location, taken
from tests.adapters.front_doors import Door, each_door, each_prompted_door
from tests.adapters.virtual_time import SkippingClock

ANY_PORT = Policy(approve="auto", interval=1, strict_pace=False, any_redirect_port=True)
DENYING = Policy(approve="deny", interval=1, any_redirect_port=True)


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=ANY_PORT)) as running:
        yield running


@attrs.define(eq=False)
class Browsing:
    """An `on_prompt` that opens the page in a browser of our own, in the background."""

    seen: list[httpx.Response] = attrs.field(factory=list[httpx.Response])
    threads: list[Thread] = attrs.field(factory=list[Thread])

    def __call__(self, prompt: Prompt) -> None:
        assert isinstance(prompt, BrowserPrompt)
        thread = Thread(target=browse, args=(prompt.authorize_url.reveal(), self.seen))
        thread.start()
        self.threads.append(thread)


def sign_in(door: Door, server: AuthorityServer, **options: Any) -> tuple[Credential, list[httpx.Response]]:
    browsing = Browsing()
    try:
        given: dict[str, Any] = {
            "device": False,
            "provider": CODEX.at(server.url),
            "on_prompt": browsing,
            "open_browser": False,
            "ports": (0,),
            **options,
        }
        credential = door.login(**given)
    finally:
        for thread in browsing.threads:
            thread.join(10)
    return credential, browsing.seen


def ignore(prompt: Prompt) -> None:
    """Nobody looks."""


# -- a device code -------------------------------------------------------------------------------------


def with_a_device(door: Door, authority: Authority, *more: dict[str, Any], **options: Any) -> Credential:
    """The last of some sign-ins at one server: the first with the options, and each further one with more."""
    clock = SkippingClock()
    given: dict[str, Any] = {"device": True, "clock": clock, "on_prompt": ignore, **options}
    with serve(authority, clock=clock.instant, wall=clock.wall) as server:
        return [sign_in(door, server, **given, **each)[0] for each in ({}, *more)][-1]


@each_prompted_door
def test_with_a_device_code_to_a_stored_login(door: Door, tmp_path: Path) -> None:
    shown: list[Prompt] = []
    store = FileStore(tmp_path / "home")
    credential = with_a_device(door, Authority(policy=ANY_PORT), store=store, on_prompt=shown.append)
    assert [type(prompt) for prompt in shown] == [DevicePrompt]
    record = store.slot(credential.key).load()
    assert record is not None
    assert (store.current(), record.credential) == (credential.key, credential)


@each_door
def test_a_denied_device_code_is_raised_as_it_is(door: Door) -> None:
    with pytest.raises(SignInError) as raised:
        with_a_device(door, Authority(policy=DENYING))
    assert raised.value.kind is ErrorKind.DENIED


@each_door
@pytest.mark.parametrize("ended", [200, 503])
def test_the_login_that_is_replaced_is_revoked_if_asked(door: Door, ended: int, tmp_path: Path) -> None:
    store, notes = FileStore(tmp_path / "home"), list[str]()
    faults = () if ended == 200 else (Fault(endpoint="revoke", status=ended),)
    authority = Authority(policy=ANY_PORT, faults=faults)
    again = {"on_note": notes.append, "revoke_old": True}
    with_a_device(door, authority, {}, again, store=store)
    asked = [request.status for request in authority.received("revoke")]
    assert set(asked) == {ended}
    assert (len(asked) == 1, len(notes)) == (ended == 200, int(ended != 200))


@each_door
def test_a_granted_login_that_cannot_be_stored_is_revoked(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    monkeypatch.setattr(FileLockedLogin, "save", full)
    authority = Authority(policy=ANY_PORT)
    with pytest.raises(SignInError) as raised:
        with_a_device(door, authority, store=FileStore(tmp_path / "home"))
    assert raised.value.details == {"reason": "disk_full", "revoked": True}
    assert [request.status for request in authority.received("revoke")] == [200]


@each_door
def test_a_store_that_cannot_be_written_fails_before_anybody_is_asked(
    door: Door, server: AuthorityServer, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("a file where the directory should be")
    with pytest.raises(SignInError) as raised:
        sign_in(door, server, device=True, store=FileStore(tmp_path / "home"))
    assert raised.value.kind is ErrorKind.AUTH_WRITE_FAILED
    assert server.authority.requests == []


# -- the browser ---------------------------------------------------------------------------------------


@each_prompted_door
def test_from_the_page_to_a_stored_login(door: Door, server: AuthorityServer, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    credential, seen = sign_in(door, server, store=store)
    assert store.current() == credential.key
    assert [answer.status_code for answer in seen] == [200]
    assert "Sign-in received" in seen[0].text
    assert [request.endpoint for request in server.authority.requests] == ["authorize", "exchange"]


@each_door
def test_a_second_login_right_after_the_first_gets_its_port_again(
    door: Door, server: AuthorityServer
) -> None:
    port = free_port()
    for _ in range(3):
        sign_in(door, server, ports=(port,))
    uris = [str(request.fields["redirect_uri"]) for request in server.authority.received("exchange")]
    assert uris == [f"http://localhost:{port}/auth/callback"] * 3


@each_door
def test_a_denied_consent_is_raised_and_the_port_is_free_again(door: Door) -> None:
    port = free_port()
    with serve(Authority(policy=DENYING)) as server:
        for _ in range(2):
            with pytest.raises(SignInError) as raised:
                sign_in(door, server, ports=(port,))
            assert raised.value.kind is ErrorKind.DENIED
            with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", port), 1):
                pass


@each_door
def test_an_exchange_that_fails_is_raised(door: Door) -> None:
    faults = [Fault(endpoint="exchange", reset=True)]
    with serve(Authority(policy=ANY_PORT, faults=faults)) as server, pytest.raises(SignInError) as raised:
        sign_in(door, server)
    assert raised.value.details["uncertain"] is True


# -- which way -----------------------------------------------------------------------------------------


def here(monkeypatch: pytest.MonkeyPatch, flow: Any, reason: str) -> None:
    monkeypatch.setattr("codex_oauth.browser.choose.choose_here", lambda: FlowChoice(flow, reason))


@each_prompted_door
def test_by_itself_it_takes_the_browser_and_says_why(
    door: Door, server: AuthorityServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, "browser", "a browser can be opened here")
    notes: list[str] = []
    sign_in(door, server, device=None, on_note=notes.append)
    assert notes == ["Signing in with the browser: a browser can be opened here."]


@each_door
def test_by_itself_it_takes_a_device_code_over_ssh_and_says_why(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, "device", "this is an SSH session")
    notes: list[str] = []
    shown: list[Prompt] = []
    authority = Authority(policy=ANY_PORT)
    with_a_device(door, authority, device=None, on_note=notes.append, on_prompt=shown.append)
    assert notes == ["Signing in with a device code: this is an SSH session."]
    assert isinstance(shown[0], DevicePrompt)


@each_door
@pytest.mark.parametrize("number", [1, 2])
def test_without_a_port_it_falls_back_to_a_device_code(
    door: Door, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, "browser", "a browser can be opened here")
    notes: list[str] = []
    shown: list[Prompt] = []
    with ExitStack() as stack:
        ports = tuple(taken(stack) for _ in range(number))
        authority = Authority(policy=ANY_PORT)
        with_a_device(door, authority, device=None, on_note=notes.append, on_prompt=shown.append, ports=ports)
    assert isinstance(shown[0], DevicePrompt)
    assert notes[1].startswith("Signing in with a device code: ")
    assert all(str(port) in notes[1] for port in ports)


@each_door
def test_without_a_port_a_browser_that_was_asked_for_is_an_error(door: Door, server: AuthorityServer) -> None:
    with ExitStack() as stack, pytest.raises(SignInError) as raised:
        sign_in(door, server, ports=(taken(stack),), clock=SkippingClock())
    assert raised.value.kind is ErrorKind.CALLBACK_PORT_UNAVAILABLE
    assert server.authority.requests == []


@each_prompted_door
def test_a_paste_alone_can_finish_it_where_no_port_can_be_had(door: Door, server: AuthorityServer) -> None:
    verdicts: list[str] = []
    source = Pasting(verdicts)
    notes: list[str] = []
    people: list[Thread] = []

    def on_prompt(prompt: Prompt) -> None:
        assert isinstance(prompt, BrowserPrompt)
        url = prompt.authorize_url.reveal()

        def person() -> None:
            while source.rule is None:
                pass
            for text in ("nonsense", f'  "{location(url)}"\r\n'):
                source.paste(text)

        people.append(Thread(target=person))
        people[0].start()

    with ExitStack() as stack:
        credential, _ = sign_in(
            door,
            server,
            on_prompt=on_prompt,
            on_note=notes.append,
            ports=(taken(stack),),
            callbacks=(source,),
        )
    people[0].join()
    assert credential.account_id
    assert verdicts == ["Rejected", "Accepted"]
    assert source.stopped == 1
    assert notes[-1].endswith("To finish this sign-in, paste the address of the last page.")


# -- the page ------------------------------------------------------------------------------------------


@each_prompted_door
def test_the_page_is_opened_at_its_issuer_and_a_failure_ends_nothing(
    door: Door, server: AuthorityServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, str]] = []
    threads: list[Thread] = []

    def open_url(url: Any, *, origin: str) -> NotOpened:
        opened.append((url.reveal(), origin))
        threads.append(threading.current_thread())
        return NotOpened("no browser was found")

    monkeypatch.setattr("codex_oauth.browser.open_browser.open_url", open_url)
    notes: list[str] = []
    sign_in(door, server, open_browser=True, on_note=notes.append)
    ((url, origin),) = opened
    assert origin == server.url
    assert url.startswith(f"{server.url}/oauth/authorize?")
    assert notes == ["The browser was not opened: no browser was found. Open the page yourself."]
    assert [thread is threading.main_thread() for thread in threads] == [
        door.blocks
    ]  # no event loop is held up


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
