"""What a blocking world opens to be woken, and how it waits where nothing can be opened."""

from __future__ import annotations

import errno
import selectors
import socket
from typing import NoReturn

import pytest

from codex_oauth.clock import instant
from codex_oauth.worlds.sync_world import SyncWorld, _Waker
from codex_oauth_core import Cancelled, TimeReached, Wait, Why
from tests.transport.servers import no_new_sockets, post
from tests.worlds.test_sync_world import soon, unsendable, wait


def test_who_rings_before_the_first_sleep_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def select(*_: object) -> NoReturn:
        raise AssertionError("it sleeps")

    waker = _Waker()
    waker.ring()
    with monkeypatch.context() as awake:
        awake.setattr(selectors.DefaultSelector, "select", select)
        waker.sleep(60.0)
    waker.clear()
    waker.sleep(0.01)
    waker.ring()
    waker.sleep(60.0)
    waker.close()


def test_a_world_that_waits_for_nothing_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[None] = []
    pair = socket.socketpair

    def counted() -> tuple[socket.socket, socket.socket]:
        opened.append(None)
        return pair()

    monkeypatch.setattr(socket, "socketpair", counted)
    with SyncWorld(lambda effect, stopped: Cancelled(instant())) as world:
        world.perform(post("http://127.0.0.1:9"))
        world.perform(wait(-1))
        assert opened == []
        world.perform(wait(0.01))
        world.perform(wait(0.01))
        assert opened == [None]


@pytest.mark.parametrize("before", [True, False])
def test_without_descriptors_it_waits_and_is_cancelled_all_the_same(
    monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    def none_left() -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socketpair", none_left)
    with SyncWorld(unsendable) as world:
        until = instant() + 0.3
        assert isinstance(world.perform(Wait(until, Why.PENDING)), TimeReached)
        assert instant() >= until
        if before:
            world.cancel()
        else:
            soon(world.cancel)
        assert isinstance(world.perform(wait(600)), Cancelled)


def test_descriptors_that_are_free_again_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[None] = []
    pair = socket.socketpair

    def late() -> tuple[socket.socket, socket.socket]:
        tries.append(None)
        if len(tries) < 3:
            raise OSError(errno.EMFILE, "Too many open files")
        return pair()

    monkeypatch.setattr(socket, "socketpair", late)
    with no_new_sockets(), SyncWorld(unsendable) as world:
        assert isinstance(world.perform(wait(0.4)), TimeReached)
    assert len(tries) == 3
