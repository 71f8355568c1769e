"""A login that an earlier release has stored under its account id, and a sign-in that puts it under its key.

Rules of this file: what an earlier release does is written here with a store's public functions: it knows one
name, the account id, and writes no person and no key. A login is never lost: whoever asks for a token after a kill
has one, and the next sign-in leaves one file.
"""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from codex_oauth import FileStore
from codex_oauth.authority import AuthorityServer
from codex_oauth_core import Record, Secret
from codex_oauth_core.record import write_record
from tests.storm import work
from tests.storm.logins import ACCOUNT, EXPIRED, authority, grant, put_at, token_mark
from tests.storm.nursery import Nursery
from tests.storm.points import signing
from tests.storm.tally import Row, Tally
from tests.storm.work import Ended, Job, Signing

__all__ = ["at_every_step", "both_at_once"]

_FRESH = 5 * 86_400.0


@attrs.frozen
class Former:
    """A login in a home of its own, as an earlier release left it: expired, and in use."""

    server: AuthorityServer
    home: Path
    before: Record
    mark: int

    @classmethod
    def of(cls, server: AuthorityServer, home: Path) -> Former:
        """A login under its account id."""
        granted = grant(server, EXPIRED)
        before = attrs.evolve(granted, credential=attrs.evolve(granted.credential, user_id=None))
        store = FileStore(home)
        put_at(store, before, ACCOUNT)
        path = store.slot(ACCOUNT).path
        document = json.loads(path.read_bytes())
        for name in ("key", "user_id"):
            del document["credential"][name]
        path.write_text(json.dumps(document))
        stored = store.slot(ACCOUNT).load()
        assert stored == before
        return cls(server, home, before, len(server.authority.received("refresh")))

    @property
    def store(self) -> FileStore:
        """Where it is."""
        return FileStore(self.home)

    @property
    def tokens(self) -> list[str]:
        """Which refresh tokens were sent, each time."""
        received = self.server.authority.received("refresh")[self.mark :]
        sent = [each.fields["refresh_token"] for each in received]
        return [token.fingerprint() for token in sent if isinstance(token, Secret)]

    @property
    def sent(self) -> int:
        """How many refreshes the authority received."""
        return len(self.tokens)

    @property
    def duplicates(self) -> int:
        """How many of them brought a refresh token that had been sent before."""
        return self.sent - len(set(self.tokens))

    @property
    def refused(self) -> int:
        """How many of them were refused."""
        return sum(each.status != 200 for each in self.server.authority.received("refresh")[self.mark :])


def _ask(nursery: Nursery, former: Former, account: str) -> Ended:
    child = nursery.fork(work.token, Job(former.home, account))
    child.hear()
    child.tell()
    ended: Ended = child.result()
    return ended


def _signed_in(nursery: Nursery, former: Former, granted: Record) -> Ended:
    child = nursery.fork(work.sign_in, Signing(former.home, write_record(granted)))
    child.hear()
    child.tell()
    ended: Ended = child.result()
    return ended


def at_every_step(nursery: Nursery, home: Path, rounds: int) -> Row:
    """A sign-in kills itself at one of its steps after the other; then somebody asks, and then signs in again."""
    tally = Tally("SIGKILL at a step of a sign-in that looks back", 2)
    with authority() as server:
        dry = Former.of(server, home / "former-dry")
        names = signing(_signed_in(nursery, dry, grant(server, _FRESH)).points)
        for number in range(rounds):
            point = names[number % len(names)]
            former = Former.of(server, home / f"former-{number}")
            granted = grant(server, _FRESH)
            victim = nursery.fork(work.sign_in, Signing(former.home, write_record(granted), point, "kill"))
            victim.hear()
            victim.tell()
            victim.gone()
            _judge(tally, nursery, former, granted, f"killed {point}:")
    tally.notes = f"{len(names)} steps"
    return tally.row


def _judge(tally: Tally, nursery: Nursery, former: Former, granted: Record, where: str) -> None:
    store, key = former.store, granted.credential.key
    places = store.names()
    tally.check(set(places) <= {ACCOUNT, key} and bool(places), f"{where} there is {places}")
    tally.check(store.current() in places, f"{where} in use is {store.current()} of {places}")
    if ACCOUNT not in places:  # it is removed when the new one is stored and in use, and not before
        tally.check(store.current() == key, f"{where} removed, and in use is {store.current()}")
    asked = _ask(nursery, former, ACCOUNT)  # the account id, by which people call it
    stored = store.slot(key).load() or store.slot(ACCOUNT).load()
    good = stored is not None and asked.token == token_mark(stored)
    tally.check(asked.how == "token" and good, f"{where} {asked}")
    last = grant(former.server, _FRESH)
    tally.check(_signed_in(nursery, former, last).how == "SignedIn", f"{where} nobody can sign in again")
    tally.check(store.names() == (key,) and store.current() == key, f"{where} then there is {store.names()}")
    tally.check(_ask(nursery, former, key).token == token_mark(last), f"{where} the older login won")
    tally.check((former.duplicates, former.refused) == (0, 0), f"{where} a refresh token was refused")
    tally.count(former)


def both_at_once(nursery: Nursery, home: Path, rounds: int) -> Row:
    """A sign-in, a program of an earlier release and one of today that want a token, all at once."""
    tally = Tally("two releases at once", 3)
    gone = 0
    with authority(delay=0.01) as server:
        for number in range(rounds):
            former, granted = Former.of(server, home / f"both-{number}"), grant(server, _FRESH)
            key = granted.credential.key
            children = [
                nursery.fork(work.sign_in, Signing(former.home, write_record(granted))),
                nursery.fork(work.token, Job(former.home, ACCOUNT)),
                nursery.fork(work.earlier_renewal, former.home, ACCOUNT, server.url),
            ]
            for child in children:
                child.hear()
            for child in children[number % 3 :] + children[: number % 3]:
                child.tell()
            signed_in, asked, earlier = (child.result() for child in children)
            where, store = f"round {number}:", former.store
            gone += earlier.kind == "login_required"
            tally.check(
                (signed_in.how, signed_in.token) == ("SignedIn", token_mark(granted)), f"{where} {signed_in}"
            )
            tally.check(asked.how == "token", f"{where} {asked}")
            told = earlier.how in ("Renewed", "Adopted", "Kept") or earlier.message == "No one is signed in."
            tally.check(told, f"{where} the earlier release is told {earlier}")
            tally.check(
                store.names() == (key,) and store.current() == key, f"{where} there is {store.names()}"
            )
            tally.check(
                _ask(nursery, former, key).token == token_mark(granted), f"{where} the older login won"
            )
            tally.check(former.sent <= 1 and former.refused == 0, f"{where} {former.sent} sent")
            tally.count(former)
    tally.notes = f"the earlier release came too late {gone} times"
    return tally.row
