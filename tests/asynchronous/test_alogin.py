"""`alogin()` over real HTTP against the authority, with a store on the disk: device and browser."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import httpx
import pytest

from codex_oauth import AsyncHttpxWorld, FileStore, alogin
from codex_oauth.authority import Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth_core import CODEX, BrowserPrompt, Credential, DevicePrompt, ErrorKind, SignInError
from codex_oauth_core.effects import Prompt
from tests.adapters.test_browser_sign_in import Pasting, browse, free_port, here, location, taken
from tests.adapters.virtual_time import SkippingClock
from tests.asynchronous.running import each_backend, no_sockets_left, run

POLICY = Policy(approve="auto", interval=1, strict_pace=False, any_redirect_port=True)


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=POLICY)) as running:
        yield running


def ignore(prompt: Prompt) -> None:
    """Nobody looks."""


def sign_in(server: AuthorityServer, backend: str, **options: Any) -> Credential:
    given: dict[str, Any] = {
        "provider": CODEX.at(server.url),
        "on_prompt": ignore,
        "open_browser": False,
        "ports": (0,),
        **options,
    }
    return run(lambda: alogin(**given), backend)


def skipping(clock: SkippingClock) -> Callable[[Any], AsyncHttpxWorld]:
    return lambda sources: AsyncHttpxWorld(now=clock.now, on_wait=clock.skip, callbacks=sources)


def with_a_device(policy: Policy, backend: str, faults: tuple[Fault, ...] = (), **options: Any) -> Credential:
    clock = SkippingClock()
    authority = Authority(policy=policy, faults=faults)
    with serve(authority, clock=clock.instant, wall=clock.wall) as server:
        return sign_in(server, backend, device=True, make_world=skipping(clock), **options)


class Browsing:
    """An `on_prompt` that opens the page in a browser of our own, on a thread."""

    def __init__(self) -> None:
        self.seen: list[httpx.Response] = []
        self.threads: list[Thread] = []

    async def __call__(self, prompt: Prompt) -> None:
        assert isinstance(prompt, BrowserPrompt)
        thread = Thread(target=browse, args=(prompt.authorize_url.reveal(), self.seen))
        thread.start()
        self.threads.append(thread)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)


@pytest.fixture
def browsing() -> Generator[Browsing]:
    browsing = Browsing()
    yield browsing
    browsing.join()


@each_backend
def test_with_a_device_code_to_a_stored_login(backend: str, tmp_path: Path) -> None:
    shown: list[Prompt] = []
    store = FileStore(tmp_path / "home")
    credential = with_a_device(POLICY, backend, store=store, on_prompt=shown.append)
    assert [type(prompt) for prompt in shown] == [DevicePrompt]
    record = store.slot(credential.account_id).load()
    assert record is not None
    assert (store.current(), record.credential) == (credential.account_id, credential)


@each_backend
def test_with_the_browser_to_a_stored_login(
    server: AuthorityServer, browsing: Browsing, backend: str, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "home")
    credential = sign_in(server, backend, device=False, store=store, on_prompt=browsing)
    browsing.join()
    assert store.current() == credential.account_id
    assert [answer.status_code for answer in browsing.seen] == [200]
    assert "Sign-in received" in browsing.seen[0].text
    assert [request.endpoint for request in server.authority.requests] == ["authorize", "exchange"]


@each_backend
def test_a_denied_sign_in_is_raised_as_it_is(backend: str) -> None:
    with pytest.raises(SignInError) as raised:
        with_a_device(Policy(approve="deny", interval=1), backend)
    assert raised.value.kind is ErrorKind.DENIED


@each_backend
def test_a_denied_consent_is_raised_and_the_port_is_free_again(browsing: Browsing, backend: str) -> None:
    port = free_port()
    policy = Policy(approve="deny", any_redirect_port=True)
    with serve(Authority(policy=policy)) as server:
        for _ in range(2):
            with pytest.raises(SignInError) as raised:
                sign_in(server, backend, device=False, ports=(port,), on_prompt=browsing)
            assert raised.value.kind is ErrorKind.DENIED
        browsing.join()


@each_backend
def test_the_login_that_is_replaced_is_revoked_if_asked(backend: str, tmp_path: Path) -> None:
    store = FileStore(tmp_path / "home")
    clock = SkippingClock()
    authority = Authority(policy=POLICY)
    with serve(authority, clock=clock.instant, wall=clock.wall) as server:
        for revoke_old in (False, False, True):
            sign_in(
                server, backend, device=True, make_world=skipping(clock), store=store, revoke_old=revoke_old
            )
    assert [request.status for request in authority.received("revoke")] == [200]


@each_backend
def test_a_replaced_login_that_the_server_does_not_end_is_told(backend: str, tmp_path: Path) -> None:
    store, notes = FileStore(tmp_path / "home"), list[str]()
    clock = SkippingClock()
    authority = Authority(policy=POLICY, faults=(Fault(endpoint="revoke", status=503),))
    with serve(authority, clock=clock.instant, wall=clock.wall) as server:
        for _ in range(2):
            sign_in(
                server,
                backend,
                device=True,
                make_world=skipping(clock),
                store=store,
                revoke_old=True,
                on_note=notes.append,
            )
    assert notes == ["The server did not confirm that it ended the login that was replaced."]


@each_backend
def test_a_granted_login_that_cannot_be_stored_is_revoked(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codex_oauth.stores.locked_login import FileLockedLogin
    from codex_oauth.stores.store import SaveFailed

    def full(*args: object, **kwargs: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    monkeypatch.setattr(FileLockedLogin, "save", full)
    clock = SkippingClock()
    authority = Authority(policy=POLICY)
    with (
        serve(authority, clock=clock.instant, wall=clock.wall) as server,
        pytest.raises(SignInError) as raised,
    ):
        sign_in(server, backend, device=True, make_world=skipping(clock), store=FileStore(tmp_path / "home"))
    assert raised.value.details == {"reason": "disk_full", "revoked": True}
    assert len(authority.received("revoke")) == 1


@each_backend
def test_a_store_that_cannot_be_written_fails_before_anybody_is_asked(
    server: AuthorityServer, backend: str, tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("a file where the directory should be")
    with pytest.raises(SignInError) as raised:
        sign_in(server, backend, device=True, store=FileStore(tmp_path / "home"))
    assert raised.value.kind is ErrorKind.AUTH_WRITE_FAILED
    assert server.authority.requests == []


@each_backend
def test_workspaces_are_a_collection(server: AuthorityServer, backend: str) -> None:
    with pytest.raises(TypeError, match="collection"):
        sign_in(server, backend, workspaces="acct_fake")


# -- which way -----------------------------------------------------------------------------------------


@each_backend
def test_by_itself_it_takes_the_browser_and_says_why(
    server: AuthorityServer, browsing: Browsing, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, "browser", "a browser can be opened here")
    notes: list[str] = []
    sign_in(server, backend, on_note=notes.append, on_prompt=browsing)
    assert notes == ["Signing in with the browser: a browser can be opened here."]


@each_backend
def test_without_a_port_it_falls_back_to_a_device_code(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, "browser", "a browser can be opened here")
    notes: list[str] = []
    shown: list[Prompt] = []
    clock = SkippingClock()
    authority = Authority(policy=POLICY)
    with serve(authority, clock=clock.instant, wall=clock.wall) as server, ExitStack() as stack:
        sign_in(
            server,
            backend,
            ports=(taken(stack),),
            make_world=skipping(clock),
            on_note=notes.append,
            on_prompt=shown.append,
        )
    assert isinstance(shown[0], DevicePrompt)
    assert notes[1].startswith("Signing in with a device code: ")


@each_backend
def test_without_a_port_a_browser_that_was_asked_for_is_an_error(
    server: AuthorityServer, backend: str
) -> None:
    with ExitStack() as stack, pytest.raises(SignInError) as raised:
        sign_in(server, backend, device=False, ports=(taken(stack),))
    assert raised.value.kind is ErrorKind.CALLBACK_PORT_UNAVAILABLE
    assert server.authority.requests == []


@each_backend
def test_a_paste_from_a_thread_can_finish_it_where_no_port_can_be_had(
    server: AuthorityServer, backend: str
) -> None:
    verdicts: list[str] = []
    notes: list[str] = []
    source = Pasting(verdicts)
    people: list[Thread] = []

    def on_prompt(prompt: Prompt) -> None:
        assert isinstance(prompt, BrowserPrompt)
        url = prompt.authorize_url.reveal()

        def person() -> None:
            while source.rule is None:
                pass
            for text in ("nonsense", location(url)):
                source.paste(text)

        people.append(Thread(target=person))
        people[0].start()

    sources: tuple[CallbackSource, ...] = (source,)
    with ExitStack() as stack:
        sign_in(
            server,
            backend,
            device=False,
            ports=(taken(stack),),
            callbacks=sources,
            on_prompt=on_prompt,
            on_note=notes.append,
        )
    people[0].join()
    assert verdicts == ["Rejected", "Accepted"]
    assert source.stopped == 1
    assert notes[-1].endswith("Only a paste can finish this sign-in.")


@each_backend
def test_the_page_is_opened_on_a_worker_thread_and_a_failure_ends_nothing(
    server: AuthorityServer, browsing: Browsing, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codex_oauth.browser.open_browser import NotOpened

    threads: list[str] = []

    def open_url(url: Any, *, origin: str) -> NotOpened:
        import threading

        threads.append(threading.current_thread().name)
        return NotOpened("no browser was found")

    monkeypatch.setattr("codex_oauth.browser.open_browser.open_url", open_url)
    notes: list[str] = []
    sign_in(server, backend, device=False, open_browser=True, on_note=notes.append, on_prompt=browsing)
    assert notes == ["The browser was not opened: no browser was found. Open the page yourself."]
    assert threads
    assert "MainThread" not in threads


# -- a cancelled task ----------------------------------------------------------------------------------


@each_backend
def test_waiting_for_the_browser_is_cancelled_at_once_and_frees_the_port(backend: str) -> None:
    port = free_port()

    async def main(server: AuthorityServer) -> None:
        for _ in range(2):
            with anyio.move_on_after(0.1) as scope:
                await alogin(
                    on_prompt=ignore,
                    device=False,
                    provider=CODEX.at(server.url),
                    open_browser=False,
                    ports=(port,),
                )
            assert scope.cancelled_caught

    with no_sockets_left(), serve(Authority(policy=POLICY)) as server:
        run(lambda: main(server), backend)


@each_backend
def test_a_prompt_that_takes_for_ever_is_cancelled_at_once(backend: str) -> None:
    async def on_prompt(prompt: Prompt) -> None:
        await anyio.sleep_forever()

    async def main(server: AuthorityServer) -> None:
        with anyio.move_on_after(0.3) as scope:
            await alogin(on_prompt=on_prompt, device=True, provider=CODEX.at(server.url))
        assert scope.cancelled_caught

    with serve(Authority(policy=POLICY)) as server:
        run(lambda: main(server), backend)


@each_backend
@pytest.mark.parametrize("stored", [True, False])
def test_what_an_exchange_grants_to_a_cancelled_task_is_stored_or_revoked(
    stored: bool, backend: str, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "home") if stored else None
    clock = SkippingClock()
    authority = Authority(policy=POLICY, faults=(Fault(endpoint="exchange", delay=0.3),))

    async def main(server: AuthorityServer) -> None:
        async with anyio.create_task_group() as tasks:

            async def cancel_in_the_exchange() -> None:
                while not authority.received("exchange"):  # noqa: ASYNC110  # on another thread
                    await anyio.sleep(0.005)
                tasks.cancel_scope.cancel()

            tasks.start_soon(cancel_in_the_exchange)
            await alogin(
                on_prompt=ignore,
                device=True,
                provider=CODEX.at(server.url),
                store=store,
                make_world=skipping(clock),
            )
            raise AssertionError("it was cancelled")

    with serve(authority, clock=clock.instant, wall=clock.wall) as server:
        run(lambda: main(server), backend)
    if store is None:
        assert [request.status for request in authority.received("revoke")] == [200]
    else:
        assert authority.received("revoke") == []
        assert store.current() == POLICY.account.account_id
