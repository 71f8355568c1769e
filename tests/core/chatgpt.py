"""The official sign-in against our authority, in virtual time: what its tests have in common.

Rules of this file: the server is `ChatGptAuthority` and nothing is scripted here but what a test names; a
signature is checked by arithmetic, without a library.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import attrs

from codex_oauth.authority import ChatGptAuthority, ChatGptFault, ChatGptPolicy, HostileAnswer
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth_core import (
    CHATGPT,
    BrowserFlow,
    BrowserPrompt,
    CallbackReceived,
    Credential,
    Event,
    Finished,
    Pkce,
    Provider,
    Registration,
    Request,
    Secret,
    SendRequest,
    SignInError,
    Started,
    StoreAnswered,
    Wait,
)
from codex_oauth_core.storage import Register, Registered, StorageAnswer
from tests.support import T0, W0

HOST_ID: Final = "urn:uuid:11111111-2222-4333-8444-555555555555"
APP: Final = "Canary Application"
URI: Final = "http://127.0.0.1:49152/auth/callback"
STATE: Final = Secret("canary-state-" + "s" * 30)
NONCE: Final = Secret("canary-nonce-" + "n" * 30)
PAIR: Final = Pkce.from_entropy(bytes(range(32)))
MOST_PAGES: Final = 5
"""How often a person opens pages before giving up."""

_DIGEST_INFO: Final = bytes.fromhex("3031300d060960864801650304020105000420")


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def rs256(jwk: Mapping[str, Any], signed: bytes, signature: bytes) -> bool:
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2.2)."""
    n, e = _number(jwk["n"]), _number(jwk["e"])
    length = (n.bit_length() + 7) // 8
    padded = b"\x00\x01" + b"\xff" * (length - 3 - 19 - 32) + b"\x00" + _DIGEST_INFO
    made = pow(int.from_bytes(signature, "big"), e, n).to_bytes(length, "big")
    return len(signature) == length and made == padded + hashlib.sha256(signed).digest()


FIRST: Final[Provider] = attrs.evolve(CHATGPT, application=APP, host_id=HOST_ID, verify_signature=rs256)
"""The provider of a first registration."""


def authority(*faults: ChatGptFault | HostileAnswer, **policy: Any) -> ChatGptAuthority:
    """One whose person agrees at once."""
    settings: dict[str, Any] = {"approve": "auto", **policy}
    numbers = iter(range(1, 100_000))

    def entropy(count: int) -> bytes:
        return hashlib.shake_128(str(next(numbers)).encode()).digest(count)

    return ChatGptAuthority(policy=ChatGptPolicy(**settings), faults=faults, entropy=entropy)


def flow(provider: Provider = FIRST, **options: Any) -> BrowserFlow:
    given: dict[str, Any] = {"redirect_uri": URI, "pkce": PAIR, "state": STATE, "nonce": NONCE, **options}
    return BrowserFlow(provider=provider, **given)


Redirects = Callable[[str], str | None]
"""What becomes of a redirect's query on the way; None where nobody comes back."""


@attrs.define(eq=False)
class Desk:
    """A person with a browser, a store of registrations, and the server of one sign-in."""

    server: ChatGptAuthority = attrs.field(factory=authority)
    changed: Redirects = lambda query: query
    store: Iterable[StorageAnswer] = ()
    """What the store says to registrations, in order; that it is kept, when there is nothing left."""
    world: FakeWorld = attrs.field(init=False)
    kept: list[Registration] = attrs.field(factory=list[Registration], init=False)
    opened: list[str] = attrs.field(factory=list[str], init=False)
    events: list[Event] = attrs.field(factory=list[Event], init=False)
    effects: list[Any] = attrs.field(factory=list[Any], init=False)
    slow: float = 0.0
    """Seconds that the store takes for a registration."""
    at_registration: list[int] = attrs.field(factory=list[int], init=False)
    """How many exchanges there were when a registration was to be kept."""

    def __attrs_post_init__(self) -> None:
        self.world = FakeWorld(answered_by(self.server), at=T0, wall=W0)
        self.store = iter(self.store)

    def run(self, signing_in: Any) -> Credential | SignInError:
        """Drive a sign-in to its end."""
        effect = self.tell(signing_in, Started(*self.world.now()))
        while not isinstance(effect, Finished):
            effect = self.tell(signing_in, self.answer(effect))
        assert isinstance(effect.outcome, Credential | SignInError)
        return effect.outcome

    def tell(self, signing_in: Any, event: Event) -> Any:
        effect = signing_in.receive(event)
        self.events.append(event)
        self.effects.append(effect)
        return effect

    def answer(self, effect: Any) -> Event:
        """What comes of one effect."""
        if isinstance(effect, Register):
            self.at_registration.append(self.count("exchange"))
            self.world.at, self.world.wall = self.world.at + self.slow, self.world.wall + self.slow
            said = next(iter(self.store), None) or Registered()
            if isinstance(said, Registered):
                self.kept.append(effect.registration)
            return StoreAnswered(*self.world.now(), said)
        if isinstance(effect, Wait) and isinstance(effect.prompt, BrowserPrompt):
            query = self.browse(effect.prompt)
            if query is not None:
                self.world.at, self.world.wall = self.world.at + 5, self.world.wall + 5
                return CallbackReceived(self.world.at, Secret(query))
        assert isinstance(effect, SendRequest | Wait)
        return self.world.perform(effect)

    def browse(self, prompt: BrowserPrompt) -> str | None:
        if len(self.opened) >= MOST_PAGES:
            return None
        url = (prompt.open_url or prompt.authorize_url).reveal()
        self.opened.append(url)
        answer = self.server.handle(Request("GET", url, (), Secret(b"")), *self.world.now())
        location = answer.header("Location")
        return None if location is None else self.changed(urlsplit(location).query)

    def count(self, name: str) -> int:
        """How often an endpoint was asked."""
        return self.server.counts.get(name, 0)

    @property
    def asked(self) -> dict[str, str]:
        """The parameters of the page that was opened last."""
        return dict(parse_qsl(urlsplit(self.opened[-1]).query, strict_parsing=True))

    @property
    def sent(self) -> list[dict[str, str]]:
        """The forms that were posted, in order."""
        requests = [effect.request for effect in self.world.requests]
        bodies = [request.body.reveal().decode() for request in requests if request.method == "POST"]
        return [dict(parse_qsl(body, strict_parsing=True)) for body in bodies]

    @property
    def mistakes(self) -> list[tuple[str, str]]:
        """The rules that were broken, as the server noted."""
        return [(fault.endpoint, fault.code) for fault in self.server.client_faults]


def signed_in(outcome: Any) -> Credential:
    assert isinstance(outcome, Credential), outcome
    return outcome


def failed(outcome: Any) -> SignInError:
    assert isinstance(outcome, SignInError), outcome
    return outcome


def claims_of(token: Secret[str] | None) -> dict[str, Any]:
    assert token is not None
    part = token.reveal().split(".")[1]
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value
