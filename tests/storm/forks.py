"""Forks while the lock is held: the child holds nothing, and does not keep what a dead parent held. F7.

Rules of this file: the child is forked in the middle of the parent's renewal, leaves what it inherited (or,
between two effects, closes it), and renews the login itself; then the parent is killed, or goes on, while the child lives.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Final

from codex_oauth import FileStore, TokenSource
from codex_oauth_core import RenewalPolicy
from tests.storm import work
from tests.storm.holds import LOCK_LIMIT, SOON, once, spread
from tests.storm.kills import Fates, judge, points_of
from tests.storm.logins import EXPIRED, Ground, authority
from tests.storm.nursery import LIMIT, Child, Link, Nursery, state_of
from tests.storm.points import region
from tests.storm.tally import Row, Tally
from tests.storm.work import Ended, Job

__all__ = ["forked", "programs", "sources"]

_SHORT: Final = RenewalPolicy(lock_limit=LOCK_LIMIT, expired_lock_limit=LOCK_LIMIT)


def forked(nursery: Nursery, home: Path, rounds: int) -> Row:
    """A process forks at a point; every second one is killed then, and its child outlives it."""
    tally, fates = Tally("fork at a point of a renewal", 3), Fates()
    with authority() as server:
        names = points_of(nursery, Ground.of(server, home / "fork-dry"))
        for number, point in enumerate(spread(rounds, names)):
            ground = Ground.of(server, home / f"fork-{number}")
            parent = nursery.fork(work.renewal, Job(ground.home, ground.key, point, "fork", _SHORT))
            parent.hear()
            parent.tell()
            child: Ended = parent.hear()
            where = f"forked {point}:"
            _check_child(tally, ground, names, point, child)
            if child.how == "Renewed" or number % 2:
                parent.send_signal(signal.SIGUSR1)
                _check_parent(tally, ground, parent.result(), where)
            else:
                _kill(parent)
                judge(tally, fates, nursery, ground, parent, (region(names, point),), where)
                parent.tell()
            parent.end()
    tally.notes = f"killed parents: {fates}"
    return tally.row


def _check_child(tally: Tally, ground: Ground, names: list[str], point: str, child: Ended) -> None:
    """It waits for a lock that its parent holds, for as long as it was told, and no longer."""
    place = names.index(point)
    locked = names.index("Lock: after flock") <= place <= names.index("Release: before flock")
    if locked and place < names.index("Save: after replace"):
        good = (child.kind, child.details.get("reason")) == ("network", "lock_busy")
        good = good and LOCK_LIMIT <= child.took < LOCK_LIMIT + SOON
    else:
        good = child.how in ("Renewed", "Kept") and child.token == ground.new and child.took < SOON
    tally.check(good, f"forked {point}: the child: {child}")


def _check_parent(tally: Tally, ground: Ground, ended: Ended, where: str) -> None:
    tally.check_one_exchange(ground, where)
    good = ended.how in ("Renewed", "Adopted", "Kept") and ended.token == ground.new != ground.old
    tally.check(good, f"{where} the parent: {ended}")
    tally.check(ground.leftovers() == set(), f"{where} {ground.leftovers()} is left")
    tally.count(ground)


def _kill(parent: Child) -> None:
    """Kill the process that was forked first; its link stays open, because its child has it too."""
    parent.send_signal(signal.SIGKILL)
    give_up_at = time.monotonic() + LIMIT
    while state_of(parent.pid) not in ("", "Z"):
        assert time.monotonic() < give_up_at
        time.sleep(0.001)


def programs(nursery: Nursery, home: Path, rounds: int) -> Row:
    """A process starts a program while it has the lock, and is killed: the program does not keep the lock."""
    tally = Tally("program started under the lock", 3)
    with authority() as server:
        names = points_of(nursery, Ground.of(server, home / "program-dry"))
        first, last = names.index("Lock: after flock"), names.index("SendRequest: before send")
        for number, point in enumerate(spread(rounds, names[first : last + 1])):
            ground = Ground.of(server, home / f"program-{number}")
            parent = nursery.fork(work.renewal, Job(ground.home, ground.key, point, "spawn"))
            parent.hear()
            parent.tell()
            pid: int = parent.hear()
            tally.check(state_of(pid) not in ("", "Z"), f"at {point}: the program has ended")
            parent.send_signal(signal.SIGSTOP)  # or the program would see the end of its input
            parent.stopped()
            ended = _while_only(nursery, ground, parent, pid)
            good = ended.how == "Renewed" and ended.took < SOON
            tally.check(good, f"at {point}: {ended}")
            tally.check_one_exchange(ground, f"at {point}:")
            tally.count(ground)
    return tally.row


def _while_only(nursery: Nursery, ground: Ground, parent: Child, program: int) -> Ended:
    """Renew while the program lives and the process that started it is dead."""
    os.kill(program, signal.SIGSTOP)
    try:
        _kill(parent)
        ended = once(nursery, ground)
        assert state_of(program) == "T"
        return ended
    finally:
        os.kill(program, signal.SIGKILL)
        parent.end()


def source_forks(link: Link, job: Job) -> Ended:
    """A program whose `TokenSource` renews on its thread forks; the child asks the same source."""
    source = TokenSource(FileStore(job.home), account=job.key)
    asking = threading.Thread(target=source.token)
    work.ready(link)
    asking.start()
    link.recv()  # it is sent
    if (pid := os.fork()) == 0:
        began = time.monotonic()
        mark = source.credential().access_token.fingerprint()
        link.send(("done", Ended("token", mark, took=time.monotonic() - began)))
        os._exit(0)
    os.waitpid(pid, 0)
    asking.join()
    os._exit(0)


def sources(nursery: Nursery, home: Path, rounds: int) -> Row:
    """A fork while a token source renews on its thread: the child waits for its parent, and sends nothing."""
    tally = Tally("fork of a program that is renewing", 2)
    with authority(delay=0.2) as server:
        for number in range(rounds):
            ground = Ground.of(server, home / f"source-{number}", EXPIRED)
            parent = nursery.fork(source_forks, Job(ground.home, ground.key))
            parent.hear()
            parent.tell()
            ground.wait_for_refresh()
            parent.tell()
            ended: Ended = parent.result()
            tally.check(ended.token == ground.new != ground.old, f"round {number}: {ended}")
            tally.check_one_exchange(ground, f"round {number}:")
            tally.count(ground)
    return tally.row
