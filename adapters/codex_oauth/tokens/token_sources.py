"""Token sources for many users: made when they are asked for, and the least recently used ones dropped.

Rules of this file: a name has one source as long as anybody uses it, or anything of it is under way: two of
them would each renew for themselves, and the one might not know what the other could not store. So a source
that is dropped is remembered until it is gone; one with something that is only in memory is not dropped.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from threading import RLock
from typing import Any, Final, Self

from codex_oauth.stores.store import Store
from codex_oauth.tokens.forks import begin_again_in_children
from codex_oauth.tokens.token_source import TokenSource
from codex_oauth_core.errors import ErrorKind, SignInError

__all__ = ["TokenSources"]

_LOOKED_AT: Final = 8
"""How many of those that were not used for longest are looked at for one that can be dropped."""


class TokenSources:
    """The token sources of many users. `of(name)` returns a user's `TokenSource`, over the store that
    `store_of(name)` makes. For any number of threads, tasks and event loops at once.

    It keeps the `most` sources that were asked for last, and also all sources that are in use or have
    something to store. An unused source takes 2 KB, plus the size of its login. `options` are for every
    `TokenSource`. ValueError for a `most` that is not positive.

        sources = TokenSources(lambda name: PostgresStore(dsn, keys=keys, owner=name))
        client = OpenAI(api_key=sources.of("alice").token, base_url=...)
    """

    def __init__(self, store_of: Callable[[str], Store], *, most: int = 10_000, **options: Any) -> None:
        if most < 1:
            raise ValueError("most: how many sources are kept, at least one")
        self.most = most
        self._store_of = store_of
        self._options = options
        self._closed = False
        self._kept = OrderedDict[str, TokenSource]()
        self._alive = weakref.WeakValueDictionary[str, TokenSource]()
        self.begin()
        begin_again_in_children(self)

    def begin(self) -> None:
        """Forget who holds the lock: for a forked child, because that thread is not in it."""
        self._lock = RLock()  # reentrant: a signal handler may ask for a source

    def __len__(self) -> int:
        """How many sources are kept."""
        return len(self._kept)

    def of(self, name: str) -> TokenSource:
        """The token source of a user. All callers get the same one, as long as it is kept or in use.

        Raises what `store_of` raises. After `close()`, raises SignInError (`cancelled`) for a source that is
        not kept.
        """
        with self._lock:
            source = self._kept.get(name)
            if source is not None:
                self._kept.move_to_end(name)
                return source
            source = self._alive.get(name)
            if source is None:
                if self._closed:
                    raise SignInError.of(ErrorKind.CANCELLED, "The token sources are closed.")
                source = self._alive[name] = TokenSource(self._store_of(name), **self._options)
            self._kept[name] = source
            if len(self._kept) > self.most:
                self._drop_one(name)
            return source

    def _drop_one(self, asked_for: str) -> None:
        for name in list(islice(self._kept, _LOOKED_AT)):
            if name != asked_for and self._kept[name].is_idle:
                del self._kept[name]
                if len(self._kept) <= self.most:
                    return
            else:
                self._kept.move_to_end(name)

    def forget(self, name: str) -> None:
        """Drop a user's source, for example after a logout. The user's next source knows only what is stored.
        The old source stores the result of a renewal that is under way, and begins no new one.
        """
        with self._lock:
            kept, alive = self._kept.pop(name, None), self._alive.pop(name, None)
        if (source := kept or alive) is not None:
            source.stop()

    def close(self) -> None:
        """Close all sources at the same time, in at most about 80 s: see `TokenSource.close`."""
        for source in self._stopped():
            source.close()

    async def aclose(self) -> None:
        """`close()` for asyncio and trio."""
        for source in self._stopped():
            await source.aclose()

    def _stopped(self) -> list[TokenSource]:
        with self._lock:
            self._closed = True
            sources = list(self._alive.values())
        for source in sources:
            source.stop()
        return sources

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()
