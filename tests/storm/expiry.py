"""Many processes at one expiry: threads, tasks and commands included. F5 and F6.

Rules of this file: all are ready before the first begins; the authority takes a while to answer, so that
they meet; what counts is what the authority received.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from codex_oauth import FileStore, TokenSource
from tests.cli.commands import COMMAND, environment
from tests.storm import work
from tests.storm.logins import ADVISORY, EXPIRED, MANDATORY, Ground, authority
from tests.storm.nursery import LIMIT, Child, Link, Nursery
from tests.storm.tally import Row, Tally
from tests.storm.work import Ended, Job

__all__ = ["at_once", "commands", "many", "tasks"]

_DELAY: Final = 0.15
_TASKS: Final = 200


def at_once(children: Sequence[Child]) -> list[Any]:
    """Let all begin at once, and wait for what each returns."""
    for child in children:
        assert child.hear() == "ready"
    for child in children:
        child.tell()
    return [child.result() for child in children]


def many(nursery: Nursery, home: Path, processes: int, rounds: int) -> Row:
    """Processes that all want a token when it has expired, or is about to."""
    tally = Tally("one expiry", processes)
    slowest = 0.0
    with authority(delay=_DELAY) as server:
        for number in range(rounds):
            left = (EXPIRED, MANDATORY, ADVISORY)[number % 3]
            ground = Ground.of(server, home / f"many-{processes}-{number}", left)
            job = Job(ground.home, ground.key)
            got: list[Ended] = at_once([nursery.fork(work.token, job) for _ in range(processes)])
            _settle(ground)
            tally.check_one_exchange(ground, f"round {number}, {left} s left:")
            tokens = Counter(each.token for each in got)
            allowed = {ground.new} if left != ADVISORY else {ground.new, ground.old}
            tally.check(tokens.keys() <= allowed, f"round {number}: tokens {dict(tokens)}, {got[0]}")
            tally.check(ground.new != ground.old, f"round {number}: nothing new is stored")
            tally.check(ground.leftovers() == set(), f"round {number}: {ground.leftovers()} is left")
            slowest = max(slowest, *(each.took for each in got))
            tally.count(ground)
    tally.notes = f"slowest caller {slowest:.2f} s, of which the server {_DELAY} s"
    return tally.row


def _settle(ground: Ground) -> None:
    """In the advisory window the renewal goes on behind its caller."""
    give_up_at = time.monotonic() + LIMIT
    while ground.new == ground.old and time.monotonic() < give_up_at:
        time.sleep(0.01)


def crowd(link: Link, job: Job, count: int) -> dict[str, int]:
    """Many tasks ask for a token; every second one is cancelled."""

    async def ask(source: TokenSource) -> Counter[str]:
        asked = [asyncio.create_task(source.acredential()) for _ in range(count)]
        await asyncio.sleep(0.05)
        for task in asked[::2]:
            task.cancel()
        got = await asyncio.gather(*asked, return_exceptions=True)
        return Counter(
            type(each).__name__ if isinstance(each, BaseException) else each.access_token.fingerprint()
            for each in got
        )

    with TokenSource(FileStore(job.home), account=job.key) as source:
        work.ready(link)
        return dict(asyncio.run(ask(source)))


def tasks(nursery: Nursery, home: Path, processes: int, rounds: int, count: int = _TASKS) -> Row:
    """Tasks in several processes, half of them cancelled while the request is on its way."""
    tally = Tally(f"{count} tasks in each, half cancelled", processes)
    with authority(delay=1.5) as server:
        for number in range(rounds):
            ground = Ground.of(server, home / f"tasks-{number}")
            job = Job(ground.home, ground.key)
            children = [nursery.fork(crowd, job, count) for _ in range(processes)]
            for got in at_once(children):
                expected = {ground.new: count // 2, "CancelledError": count // 2}
                tally.check(got == expected, f"round {number}: {got}")
            tally.check_one_exchange(ground, f"round {number}:")
            tally.count(ground)
    tally.notes = f"{processes * count * rounds} callers"
    return tally.row


def commands(home: Path, processes: int, rounds: int) -> Row:
    """The real command, started many times at once."""
    tally = Tally("`codex-oauth token` at one expiry", processes)
    with authority(delay=_DELAY) as server:
        for number in range(rounds):
            place = home / f"commands-{number}"
            place.mkdir()
            ground = Ground.of(server, place / "logins-of-the-test")
            began = [_start(place) for _ in range(processes)]
            ended = [(process.communicate(timeout=LIMIT), process.returncode) for process in began]
            codes = Counter(code for _, code in ended)
            tally.check(codes == {0: processes}, f"round {number}: exit codes {dict(codes)}, {ended[0]}")
            stored = ground.stored
            assert stored is not None
            expected = f"{stored.credential.access_token.reveal()}\n"
            printed = {out == expected for (out, _), _ in ended}
            tally.check(printed == {True}, f"round {number}: not everybody printed the new token")
            said = {err for (_, err), _ in ended}
            tally.check(said == {""}, f"round {number}: said {said}")
            tally.check_one_exchange(ground, f"round {number}:")
            tally.count(ground)
    return tally.row


def _start(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "token"],
        env=environment(home),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
