"""What others do while one process stands still at a point of its renewal. F8, F9, F16, F17.

Rules of this file: the one that stands still is stopped or held at one point after the other; the others
must neither wait too long nor send what it may send; when it goes on, nothing is damaged.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from codex_oauth_core import RenewalPolicy
from codex_oauth_core.record import write_record
from codex_oauth_core.renewal_times import WRITE_BY
from tests.storm import work
from tests.storm.expiry import at_once
from tests.storm.kills import points_of
from tests.storm.logins import ADVISORY, EXPIRED, MANDATORY, Ground, authority, grant, token_mark
from tests.storm.nursery import Child, Nursery
from tests.storm.tally import Row, Tally
from tests.storm.work import Act, Ended, Job

__all__ = [
    "LOCK_LIMIT",
    "SOON",
    "accounts",
    "lock_removed",
    "login_meanwhile",
    "logout_meanwhile",
    "once",
    "spread",
    "stopped",
    "stopped_too_long",
]

LOCK_LIMIT: Final = 0.3
SOON: Final = 1.0
_SHORT: Final = RenewalPolicy(lock_limit=LOCK_LIMIT, expired_lock_limit=LOCK_LIMIT)
_FRESH: Final = 5 * 86_400.0


@attrs.frozen
class Hold:
    """A process that stands still at a point. `locked`: with the lock; `stored`: with its answer stored."""

    ground: Ground
    child: Child
    where: str
    locked: bool
    stored: bool


def holding(nursery: Nursery, ground: Ground, names: list[str], point: str, act: Act) -> Hold:
    """A renewal that stands still at a point."""
    child = nursery.fork(work.renewal, Job(ground.home, ground.key, point, act))
    assert child.hear() == "ready"
    child.tell()
    assert child.hear() == point
    if act == "stop":
        child.stopped()
    place = names.index(point)
    first, last = names.index("Lock: after flock"), names.index("Release: before flock")
    return Hold(
        ground,
        child,
        f"{act} {point}:",
        locked=first <= place <= last,
        stored=place >= names.index("Save: after replace"),
    )


def spread(rounds: int, names: Sequence[str]) -> Iterator[str]:
    """So many points, as evenly as they can be over all, and each once before any twice."""
    total = len(names)
    for number in range(rounds):
        yield names[number % total if rounds >= total else number * total // rounds]


def once(nursery: Nursery, ground: Ground) -> Ended:
    """One more process renews the login, and does not wait for long."""
    child = nursery.fork(work.renewal, Job(ground.home, ground.key, policy=_SHORT))
    child.hear()
    child.tell()
    ended: Ended = child.result()
    return ended


# -- the holder is stopped ------------------------------------------------------------------------------


def stopped(nursery: Nursery, home: Path, rounds: int) -> Row:
    """SIGSTOP of the holder: others use the old token, at once or after a bounded wait."""
    tally = Tally("SIGSTOP of a process at a point", 3)
    waits = [0.0]
    with authority() as server:
        names = points_of(nursery, Ground.of(server, home / "stop-dry"))
        for number, point in enumerate(spread(rounds, names)):
            left = (ADVISORY, MANDATORY, EXPIRED)[(number + number // len(names)) % 3]
            ground = Ground.of(server, home / f"stop-{number}", left)
            hold = holding(nursery, ground, names, point, "stop")
            others = [once(nursery, ground) for _ in range(2)]
            for other in others:
                _check_other(tally, hold, other, left)
            waits += [each.took for each in others]
            hold.child.send_signal(signal.SIGCONT)
            ended: Ended = hold.child.result()
            _check_end(tally, hold, ended, left)
            tally.count(ground)
    tally.notes = f"lock_limit {LOCK_LIMIT} s, longest wait {max(waits):.2f} s"
    return tally.row


def _check_other(tally: Tally, hold: Hold, other: Ended, left: float) -> None:
    old = hold.ground.old
    what = f"{hold.where} {left} s left: {other}"
    if not hold.locked or hold.stored:
        good = other.how in ("Renewed", "Adopted", "Kept") and other.token == hold.ground.new != old
        tally.check(good and other.took < SOON, what)
    elif left == ADVISORY:
        tally.check((other.how, other.why, other.token) == ("Kept", "busy", old), what)
        tally.check(other.took < LOCK_LIMIT, what)
    else:
        how, token = ("Kept", old) if left == MANDATORY else ("SignInError", None)
        told = (other.how, other.token, other.kind, other.details.get("reason"))
        tally.check(told == (how, token, "network", "lock_busy"), what)
        tally.check(LOCK_LIMIT <= other.took < LOCK_LIMIT + SOON, what)


def _check_end(tally: Tally, hold: Hold, ended: Ended, left: float) -> None:
    """The one that stood still went on, and its login is as good as new."""
    ground = hold.ground
    tally.check_one_exchange(ground, hold.where)
    good = ended.how in ("Renewed", "Adopted", "Kept")
    good = good and (ended.token == ground.new or (left == ADVISORY and ended.token == ground.old))
    tally.check(good and ground.new != ground.old, f"{hold.where} went on to {ended}")
    tally.check(ground.leftovers() == set(), f"{hold.where} {ground.leftovers()} is left")
    stored = ground.stored
    tally.check(stored is not None and not stored.in_doubt, f"{hold.where} the login is in doubt")


# -- the holder is stopped for longer than its request may wait -----------------------------------------


def stopped_too_long(nursery: Nursery, home: Path) -> Row:
    """SIGSTOP after the reservation, and the lock is lost meanwhile: who wakes after `WRITE_BY` sends nothing.

    All stand still at once, each at another login and at another point before its first byte.
    """
    tally = Tally("SIGSTOP before the first byte, for too long", 2)
    with authority() as server:
        names = points_of(nursery, Ground.of(server, home / "late-dry"))
    stood = names[names.index("after Reserve") : names.index("SendRequest: before send")]
    with contextlib.ExitStack() as servers:
        stand: list[Hold] = []
        for number, point in enumerate(stood):
            ground = Ground.of(servers.enter_context(authority()), home / f"late-{number}")
            stand.append(holding(nursery, ground, names, point, "stop"))
        time.sleep(WRITE_BY + 1)
        for hold in stand:
            hold.ground.slot.path.with_suffix(".lock").unlink()
            hold.child.send_signal(signal.SIGCONT)
            ended: Ended = hold.child.result()
            again = "before SendRequest (2)" in ended.points  # the first one was not sent
            tally.check(again, f"{hold.where} sent when it woke: {ended}")
            _check_survived(tally, hold, ended, ended, once(nursery, hold.ground))
            tally.count(hold.ground)
    tally.notes = f"{len(stand)} points, {WRITE_BY + 1:.0f} s"
    return tally.row


# -- the file of the lock is removed --------------------------------------------------------------------


def lock_removed(nursery: Nursery, home: Path, rounds: int) -> Row:
    """Somebody removes the lock's file under its holder: two may hold a lock, and only one sends."""
    tally = Tally("lock file removed under the holder", 3)
    with authority() as server:
        names = points_of(nursery, Ground.of(server, home / "lock-dry"))
        for number, point in enumerate(spread(rounds, names)):
            ground = Ground.of(server, home / f"lock-{number}")
            hold = holding(nursery, ground, names, point, "hold")
            ground.slot.path.with_suffix(".lock").unlink(missing_ok=True)
            other = once(nursery, ground)
            hold.child.tell()
            ended: Ended = hold.child.result()
            last = once(nursery, ground)
            _check_survived(tally, hold, ended, other, last)
            lock = ground.slot.lock()  # whoever locks it next finds what was kept beside, for want of a lock
            assert lock is not None
            lock.release()
            tally.check(ground.leftovers() == set(), f"{hold.where} {ground.leftovers()} is left")
            tally.count(ground)
    return tally.row


def _check_survived(tally: Tally, hold: Hold, ended: Ended, other: Ended, last: Ended) -> None:
    """One of the two has renewed the login; or neither, because each saw the other, and then the third."""
    tally.check_one_exchange(hold.ground, hold.where)
    stored = hold.ground.stored
    good = stored is not None and stored.generation == 1 and stored.is_renewable and not stored.in_doubt
    good = good and last.token == hold.ground.new != hold.ground.old
    tally.check(good, f"{hold.where} {ended}, {other}, {last}")


# -- somebody signs in or out ---------------------------------------------------------------------------


def login_meanwhile(nursery: Nursery, home: Path, rounds: int, *, patient: bool) -> Row:
    """A sign-in comes while a renewal stands still; `patient`: it waits, or else it is kept beside."""
    tally = Tally(f"login during a refresh, {'waits' if patient else 'kept beside'}", 2)
    rescued = 0
    with authority() as server:
        names = points_of(nursery, Ground.of(server, home / f"login-{patient}-dry"))
        for number, point in enumerate(spread(rounds, names)):
            ground = Ground.of(server, home / f"login-{patient}-{number}")
            newer = grant(server, _FRESH)
            hold = holding(nursery, ground, names, point, "hold")
            other = nursery.fork(work.deposit, ground.home, write_record(newer), 30.0 if patient else 0.05)
            ended, told = _meanwhile(hold, other, wait=not patient)
            rescued += told.why == "rescued"
            lock = ground.slot.lock()  # whoever locks it next finds what was kept beside
            assert lock is not None
            lock.release()
            tally.check(ground.new == token_mark(newer), f"{hold.where} {ended}, {told}: the older login won")
            tally.check(ground.refused == 0 and ground.sent <= 1, f"{hold.where} {ground.sent} sent")
            tally.check(ground.leftovers() == set(), f"{hold.where} {ground.leftovers()} is left")
            tally.check(told.how == "LoginStored", f"{hold.where} {told}")
            tally.count(ground)
    tally.check(patient or rescued > 0, "nothing was kept beside")
    tally.notes = f"kept beside {rescued}"
    return tally.row


def _meanwhile(hold: Hold, other: Child, *, wait: bool) -> tuple[Ended, Ended]:
    """Let the other do its work, at first while the one stands still, and then both to their ends."""
    assert other.hear() == "ready"
    other.tell()
    if wait or not hold.locked:
        told: Ended = other.result()
        hold.child.tell()
        return hold.child.result(), told
    time.sleep(0.06)  # it looks at the lock more than once
    hold.child.tell()
    ended: Ended = hold.child.result()
    return ended, other.result()


def logout_meanwhile(nursery: Nursery, home: Path, rounds: int) -> Row:
    """A sign-out comes while a renewal stands still: nothing brings the login back."""
    tally = Tally("logout during a refresh", 2)
    with authority() as server:
        names = points_of(nursery, Ground.of(server, home / "logout-dry"))
        for number, point in enumerate(spread(rounds, names)):
            ground = Ground.of(server, home / f"logout-{number}")
            hold = holding(nursery, ground, names, point, "hold")
            revoked = len(server.authority.received("revoke"))
            other = nursery.fork(work.logout, ground.home, ground.key, server.url)
            ended, told = _meanwhile(hold, other, wait=False)
            tally.check((told.how, told.why) == ("Revoked", "True"), f"{hold.where} {told}")
            tally.check(len(server.authority.received("revoke")) == revoked + 1, f"{hold.where} not revoked")
            tally.check(ground.stored is None, f"{hold.where} {ended}: the login is back")
            tally.check(ground.refused == 0 and ground.sent <= 1, f"{hold.where} {ground.sent} sent")
            tally.check(ground.leftovers() == set(), f"{hold.where} {ground.leftovers()} is left")
            tally.count(ground)
    return tally.row


# -- two accounts ---------------------------------------------------------------------------------------


def accounts(nursery: Nursery, home: Path, processes: int, rounds: int) -> Row:
    """Two accounts in one home expire at once: each is renewed once, and neither waits for the other."""
    tally = Tally("two accounts in one home", 2 * processes)
    with authority(delay=0.1) as one, authority(delay=0.1, account="acct_second") as two:
        for number in range(rounds):
            place = home / f"accounts-{number}"
            grounds = [Ground.of(server, place) for server in (one, two)]
            jobs = [Job(place, ground.key) for ground in grounds] * processes
            children = [nursery.fork(work.token, job) for job in jobs]
            for got, job in zip(at_once(children), jobs, strict=True):
                ground = grounds[job.key != grounds[0].key]
                tally.check(got.token == ground.new != ground.old, f"round {number}: {got}")
            for ground in grounds:
                tally.check_one_exchange(ground, f"round {number}:")
                tally.count(ground)
    return tally.row
