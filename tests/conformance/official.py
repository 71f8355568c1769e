"""A program, its person and our authority in the official sign-in: over HTTP, with a store on a disk.

Rules of this file: the browser is an HTTP client that follows redirects, and tries once more where the page that it
comes back to does not take what it brings; every request is kept as it came.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit
from urllib.request import ProxyHandler, build_opener

import attrs
import pytest

from codex_oauth import FileStore, TokenSource, login
from codex_oauth.authority import Answer, ChatGptAuthority, ChatGptFault, ChatGptPolicy, HostileAnswer, serve
from codex_oauth.cli.main import main
from codex_oauth_core import (
    CHATGPT,
    BrowserPrompt,
    Credential,
    Provider,
    Record,
    Request,
    Secret,
    SignInError,
)
from codex_oauth_core.effects import Prompt
from codex_oauth_core.reading.times import rfc3339

PLAN: Final = "chatgpt.tokens.use.direct"
REGISTRATION_ID: Final = "dynamic_agent_client"
APP: Final = "Example Notes"
MOST_VISITS: Final = 3
"""How often a person opens the page."""


@attrs.define(eq=False)
class Watched(ChatGptAuthority):
    """An authority that keeps what it was sent."""

    sent: list[tuple[str, str, dict[str, str]]] = attrs.field(
        factory=list[tuple[str, str, dict[str, str]]], init=False
    )
    """Method, path and the fields of query or body."""
    raw: list[str] = attrs.field(factory=list[str], init=False)
    look: Callable[[Request], None] = attrs.field(default=lambda _: None, init=False)
    """Called before a request is answered."""

    def handle(self, request: Request, now: float, wall: float) -> Answer:
        self.look(request)
        parts, body = urlsplit(request.url), request.body.reveal().decode(errors="replace")
        fields = dict(parse_qsl(body if request.method == "POST" else parts.query))
        self.sent.append((request.method, parts.path, fields))
        self.raw.append(f"{request.method} {request.url} {dict(request.plain_headers())} {body}")
        return super().handle(request, now, wall)

    def forms(self, path: str) -> list[dict[str, str]]:
        """The fields of the requests to an endpoint, in order."""
        return [fields for _, found, fields in self.sent if found == path]


AUTHORIZE: Final = "/api/accounts/authorize"
TOKEN: Final = "/api/accounts/oauth/token"  # a path
REVOKE: Final = "/api/accounts/oauth/revoke"


@attrs.define(eq=False)
class Desk:
    """Everything that takes part, but for a browser that opens by itself."""

    authority: Watched
    provider: Provider
    store: FileStore
    visits: list[int] = attrs.field(factory=list[int], init=False)
    """What the pages answered that the browser ended at."""
    shown: list[str] = attrs.field(factory=list[str], init=False)
    _walks: list[threading.Thread] = attrs.field(factory=list[threading.Thread], init=False)

    @property
    def issuer(self) -> str:
        return self.provider.issuer

    def sign_in(self, **options: Any) -> Credential:
        """A sign-in to its end. Raises SignInError."""
        given: dict[str, Any] = {
            "provider": self.provider,
            "store": self.store,
            "app_name": APP,
            "open_browser": False,
            "on_prompt": self.see,
            **options,
        }
        try:
            return login(**given)
        finally:
            for walk in self._walks:
                walk.join(20)

    def fails(self, **options: Any) -> SignInError:
        """How a sign-in fails."""
        with pytest.raises(SignInError) as caught:
            self.sign_in(**options)
        return caught.value

    def see(self, prompt: Prompt) -> None:
        """A person sees the page's address, and opens it."""
        assert isinstance(prompt, BrowserPrompt)
        url = prompt.authorize_url.reveal()
        self.shown.append(url)
        self.open(url)

    def open(self, url: str) -> None:
        """In a browser of its own."""
        walk = threading.Thread(target=self._walk, args=(url,))
        self._walks.append(walk)
        walk.start()

    def _walk(self, url: str) -> None:
        browser = build_opener(ProxyHandler({}))  # it logs nothing
        for _ in range(MOST_VISITS):
            try:
                with browser.open(url, timeout=20) as answer:
                    self.visits.append(answer.status)
                return
            except HTTPError as refused:
                self.visits.append(refused.code)
                refused.close()
                if urlsplit(refused.url).path != "/auth/callback":
                    return
            except OSError:  # nobody listens any more
                return

    # -- what is there ------------------------------------------------------------------------------

    def files(self) -> dict[str, bytes]:
        """Every file of the store but locks."""
        home = self.store.home
        return {
            str(path.relative_to(home)): path.read_bytes()
            for path in sorted(home.rglob("*"))
            if path.is_file() and path.suffix != ".lock"
        }

    def logins(self) -> dict[str, bytes]:
        """The files that a login is made of, and which one is in use."""
        return {
            name: content
            for name, content in self.files().items()
            if name.startswith("logins/") or name == "current"
        }

    def record(self) -> Record:
        """The login in use."""
        current = self.store.current()
        found = None if current is None else self.store.slot(current).load()
        assert found is not None
        return found

    def expire(self, **changes: Any) -> None:
        """Let the access token of the login in use have expired an hour ago."""
        record = self.record()
        ago = time.time() - 7200
        issued_at, expired_at = rfc3339(ago), round((ago + 3600) * 1000)
        past = {"obtained_at": issued_at, "expires_at": expired_at, "earliest_refresh_at": None, **changes}
        self.put(attrs.evolve(record, credential=attrs.evolve(record.credential, **past)))

    def put(self, record: Record) -> None:
        """Store a login in place of what is there."""
        slot = self.store.slot(record.credential.key)
        held = slot.lock()
        assert held is not None
        with held:
            found = held.load()
            held.save(record, None if found is None else found.fingerprint)

    def source(self, **options: Any) -> TokenSource:
        """The tokens of the login in use."""
        return TokenSource(self.store, **options)

    def token_fails(self) -> SignInError:
        """How asking for a token fails."""
        with self.source() as source, pytest.raises(SignInError) as caught:
            source.token()
        return caught.value

    def command(self, *arguments: str) -> int:
        """Run the command line in this process, on this store."""
        return main([*arguments, "--store", str(self.store.home)])

    def count(self, name: str) -> int:
        """How often an endpoint was asked."""
        return self.authority.counts.get(name, 0)


@contextmanager
def desk(home: Path, *faults: ChatGptFault | HostileAnswer, **policy: Any) -> Generator[Desk]:
    """A new one, whose person approves at once."""
    settings: dict[str, Any] = {"approve": "auto", **policy}
    authority = Watched(policy=ChatGptPolicy(**settings), faults=faults)
    with serve(authority) as server:
        yield Desk(authority, CHATGPT.at(server.url), FileStore(home))


def secrets_of(credential: Credential) -> list[Secret[str]]:
    """All tokens of a login."""
    found = (credential.access_token, credential.refresh_token, credential.id_token)
    return [token for token in found if token is not None]
