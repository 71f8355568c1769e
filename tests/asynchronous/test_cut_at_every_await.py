"""A task that is cancelled at any await: nothing is left behind, and what a server granted is kept.

Rules of this file: the first run is cancelled in its first await, the second in its second, and so on until a
run has fewer; all over real HTTP and with a store on the disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import pytest

from codex_oauth import AsyncHttpxWorld, AsyncStoringWorld, FileStore, afinish_sign_in, alogin, arun, login
from codex_oauth.authority import Authority, AuthorityServer, Policy, serve
from codex_oauth.stored_login import aend_login
from codex_oauth.stores.locked_login import FileLockedLogin
from codex_oauth.stores.store import SaveFailed
from codex_oauth_core import CODEX, BrowserPrompt, ErrorKind, Record, Renewal, Secret, SignInError
from codex_oauth_core.effects import Prompt
from tests.adapters.browsing import browse
from tests.adapters.virtual_time import SkippingClock, skipping_world
from tests.asynchronous.running import WAYS, CutAt, Way, nothing_left, run
from tests.listener.loopback import free_ports

POLICY = Policy(approve="auto", interval=1, strict_pace=False, any_redirect_port=True)

each_way = pytest.mark.parametrize("way", WAYS)


def ignore(prompt: Prompt) -> None:
    """Nobody looks."""


class Setting:
    """An authority in virtual time, and a store."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = SkippingClock()
        self.authority = Authority(policy=POLICY)
        self.url = ""
        self._ended = 0

    def world(self, sources: Any = ()) -> AsyncHttpxWorld:
        return AsyncHttpxWorld(now=self.clock.now, on_wait=self.clock.skip, callbacks=sources)

    def serve(self) -> Any:
        return serve(self.authority, clock=self.clock.instant, wall=self.clock.wall)

    def count(self, endpoint: str) -> int:
        """Requests that were received whole, and done."""
        received = self.authority.received(endpoint)
        assert {request.status for request in received} <= {200}
        return len(received)

    def ended(self) -> list[str]:
        """The refresh tokens that the server was asked to end since the last look, by their fingerprints."""
        received = self.authority.received("revoke")
        new, self._ended = received[self._ended :], len(received)
        tokens = [request.fields["token"] for request in new]
        return [token.fingerprint() for token in tokens if isinstance(token, Secret)]

    def signed_in(self, store: FileStore, server: AuthorityServer) -> Record:
        login(
            device=True,
            on_prompt=ignore,
            provider=CODEX.at(server.url),
            store=store,
            make_world=lambda _: skipping_world(self.clock),
        )
        return stored(store)


def stored(store: FileStore) -> Record:
    record = store.slot(key_in(store)).load()
    assert record is not None
    return record


def key_in(store: FileStore) -> str:
    """The key of the one login that is stored."""
    (key,) = store.names()
    return key


def cuts(call: Callable[[], Awaitable[None]], way: Way) -> Iterator[CutAt]:
    """The runs, one after the other, each over and looked after."""
    for at in itertools.count(1):
        cut = CutAt(call, at, way)
        run(lambda cut=cut: _alone(cut), way.split()[0])  # type: ignore[misc]  # a default binds it
        yield cut
        if cut.over:
            assert not cut.cancelled
            assert at > 8
            return


async def _alone(cut: CutAt) -> None:
    async with nothing_left():
        await cut.run()


EVERY_OUTCOME = {(False, True), (True, True), (True, False)}
"""Cut before the request that counts was sent, cut after that, and not cut at all."""


def is_free(store: FileStore) -> bool:
    """Whether the login's lock can be had."""
    locks = [store.slot(key).lock() for key in store.names()]
    for held in locks:
        if held is not None:
            held.release()
    return None not in locks


@each_way
def test_a_sign_in_with_a_device_code(way: Way, tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    stores = (FileStore(tmp_path / f"home{number}") for number in itertools.count())
    with setting.serve() as server:
        store = next(stores)

        async def call() -> None:
            await alogin(
                on_prompt=ignore,
                device=True,
                provider=CODEX.at(server.url),
                store=store,
                make_world=setting.world,
            )

        before, outcomes = 0, set[tuple[bool, bool]]()
        for cut in cuts(call, way):
            granted, before = setting.count("exchange") - before, setting.count("exchange")
            assert len(store.names()) == granted
            assert store.current() == (key_in(store) if granted else None)
            outcomes.add((bool(granted), cut.cancelled))
            assert is_free(store)
            store = next(stores)
    assert setting.count("revoke") == 0
    assert outcomes == EVERY_OUTCOME


@each_way
def test_a_sign_in_that_ends_the_old_login(way: Way, tmp_path: Path) -> None:
    """The old login is ended once the new one is stored, and the new one never."""
    setting = Setting(tmp_path)
    store = FileStore(tmp_path / "home")
    with setting.serve() as server:
        old = setting.signed_in(store, server)

        async def call() -> None:
            await alogin(
                on_prompt=ignore,
                device=True,
                provider=CODEX.at(server.url),
                store=store,
                revoke_old=True,
                make_world=setting.world,
            )

        before, outcomes = setting.count("exchange"), set[tuple[bool, bool]]()
        for cut in cuts(call, way):
            granted, before = setting.count("exchange") - before, setting.count("exchange")
            new = stored(store)
            assert (new.fingerprint != old.fingerprint) is bool(granted)
            assert setting.ended() == ([old.fingerprint] if granted else [])
            assert store.current() == key_in(store)
            outcomes.add((bool(granted), cut.cancelled))
            assert is_free(store)
            old = new
    assert outcomes == EVERY_OUTCOME


@each_way
def test_a_granted_login_that_cannot_be_stored(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ended, wherever the task is cancelled; and the server is asked once for each."""
    setting = Setting(tmp_path)
    store = FileStore(tmp_path / "home")

    def full(*args: object, **kwargs: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    with setting.serve() as server:
        credential = setting.signed_in(FileStore(tmp_path / "elsewhere"), server).credential
        monkeypatch.setattr(FileLockedLogin, "save", full)

        async def call() -> None:
            async with setting.world() as world:
                with pytest.raises(SignInError) as raised:
                    await afinish_sign_in(credential, store, CODEX.at(server.url), world)
                assert raised.value.details == {"reason": "disk_full", "revoked": True}
                await anyio.lowlevel.checkpoint()

        for _ in cuts(call, way):
            assert setting.ended() == [Record(credential).fingerprint]
            assert store.names() == ()
            assert is_free(store)


@each_way
def test_a_sign_in_with_a_device_code_and_no_store(way: Way, tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    with setting.serve() as server:

        async def call() -> None:
            await alogin(
                on_prompt=ignore, device=True, provider=CODEX.at(server.url), make_world=setting.world
            )

        granted = revoked = given_back = 0
        for cut in cuts(call, way):
            granted, new = setting.count("exchange"), setting.count("exchange") - granted
            revoked, ended = setting.count("revoke"), setting.count("revoke") - revoked
            assert ended == (new if cut.cancelled else 0)
            given_back += ended
        assert given_back > 0


@each_way
def test_a_sign_in_with_the_browser(way: Way, tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    (port,) = free_ports(1)
    stores = (FileStore(tmp_path / f"home{number}") for number in itertools.count())
    browsers: list[Thread] = []

    async def show(prompt: Prompt) -> None:
        assert isinstance(prompt, BrowserPrompt)
        browsers.append(Thread(target=_browse, args=(prompt.authorize_url.reveal(),)))
        browsers[-1].start()
        await anyio.sleep(0.001)

    with setting.serve() as server:
        store = next(stores)

        async def call() -> None:
            await alogin(
                on_prompt=show,
                device=False,
                provider=CODEX.at(server.url),
                store=store,
                open_browser=False,
                ports=(port,),  # each time the same: it must be free again
                make_world=lambda sources: AsyncHttpxWorld(callbacks=sources),
            )

        before, outcomes = 0, set[tuple[bool, bool]]()
        for cut in cuts(call, way):
            while browsers:
                browsers.pop().join(10)
            granted, before = setting.count("exchange") - before, setting.count("exchange")
            assert len(store.names()) == granted
            outcomes.add((bool(granted), cut.cancelled))
            assert is_free(store)
            store = next(stores)
    assert outcomes == EVERY_OUTCOME


def _browse(url: str) -> None:
    """A browser, which may find that nobody listens any more."""
    import httpx

    try:
        browse(url)
    except httpx.TransportError:
        return


@each_way
def test_a_renewal(way: Way, tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    store = FileStore(tmp_path / "home")
    with setting.serve() as server:
        old = setting.signed_in(store, server)

        async def call() -> None:
            rejected = old.credential.access_token
            async with setting.world() as web, AsyncStoringWorld(web, store, old.credential.key) as world:
                await arun(Renewal(provider=CODEX.at(server.url), rejected=rejected), world)
                await anyio.lowlevel.checkpoint()

        before, outcomes = 0, set[tuple[bool, bool]]()
        for cut in cuts(call, way):
            spent, before = setting.count("refresh") - before, setting.count("refresh")
            new = stored(store)
            assert new.intent is None
            assert new.uncertain_at is None
            assert new.parent == (old.fingerprint if spent else old.parent)
            outcomes.add((bool(spent), cut.cancelled))
            assert is_free(store)
            old = new
            setting.clock._skipped += 300.0  # two renewals are some time apart
    assert outcomes == EVERY_OUTCOME


@each_way
def test_a_sign_out(way: Way, tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    store = FileStore(tmp_path / "home")
    with setting.serve() as server:
        key = setting.signed_in(store, server).credential.key

        async def call() -> None:
            async with setting.world() as world:
                await aend_login(store, key, CODEX.at(server.url), world)
                await anyio.lowlevel.checkpoint()

        before, outcomes = 0, set[tuple[bool, bool]]()
        for cut in cuts(call, way):
            ended, before = setting.count("revoke") - before, setting.count("revoke")
            assert store.names() == (() if ended else (key,))
            outcomes.add((bool(ended), cut.cancelled))
            assert is_free(store)
            if ended:
                setting.signed_in(store, server)
    assert outcomes == EVERY_OUTCOME
