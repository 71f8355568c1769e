"""All storms at full size, and the table of what they came to: `python -m tests.storm`.

Rules of this file: exit code 1 if a login was lost that could have been kept, if a refresh token was sent
twice without a cause, or if anything else that is promised did not hold.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.fleet.servers import missing
from tests.storm import away, database, disks, expiry, forks, holds, kills, releases, signals
from tests.storm.nursery import Nursery
from tests.storm.tally import Row, table

__all__ = ["main"]


def storms(nursery: Nursery, home: Path, rounds: int, seed: int) -> Iterator[Callable[[], Row]]:
    """Every scenario. `rounds` is how often a process is killed; the others follow from it."""
    some, few = max(1, rounds // 10), max(1, rounds // 100)
    for processes in (2, 8, 50):
        count = max(3, 3 * rounds // (processes * 10))
        yield partial(expiry.many, nursery, home, processes, count)
    yield lambda: expiry.commands(home, 20, max(1, few // 3))
    yield lambda: expiry.tasks(nursery, home, 4, few)
    yield lambda: kills.at_every_point(nursery, home, rounds)
    yield lambda: kills.anytime(nursery, home, rounds // 2, seed)
    yield lambda: holds.stopped(nursery, home, some)
    yield lambda: holds.stopped_too_long(nursery, home)
    yield lambda: away.spoiled(nursery, home, some)
    yield lambda: away.disk_away(nursery, home, some)
    yield lambda: holds.lock_removed(nursery, home, some)
    yield lambda: holds.login_meanwhile(nursery, home, some, patient=True)
    yield lambda: holds.login_meanwhile(nursery, home, some, patient=False)
    yield lambda: holds.logout_meanwhile(nursery, home, some)
    yield lambda: holds.accounts(nursery, home, 4, few)
    yield lambda: releases.at_every_step(nursery, home, some)
    yield lambda: releases.both_at_once(nursery, home, some)
    yield lambda: forks.forked(nursery, home, some)
    yield lambda: forks.programs(nursery, home, few)
    yield lambda: forks.sources(nursery, home, few)
    yield lambda: signals.interrupted(home)
    yield from _disks(nursery)
    yield from databases(home, few, seed)


def databases(home: Path, count: int, seed: int) -> Iterator[Callable[[], Row]]:
    """So many storms over a database, each with another seed."""
    if program := missing():
        print(f"left out: {program} is missing, so nothing is stormed in a database", file=sys.stderr)
        return
    with Nursery(hurry=database.GALE.hurry) as hurried, database.ground() as ground:
        for number in range(count):
            place = home / f"database-{number}"
            yield partial(database.storm, hurried, place, ground, database.GALE, seed + number)


def _disks(nursery: Nursery) -> Iterator[Callable[[], Row]]:
    yield lambda: disks.without_room(nursery, disks.UNMOUNTED)
    if disks.can_mount():
        with Nursery(disks.UNSHARE) as mounting:
            yield lambda: disks.without_room(mounting, disks.MOUNTED)
    else:
        print("left out: this machine does not let us mount disks", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every storm. 0: all that is promised held."""
    parser = argparse.ArgumentParser(description="Renewals of real processes, and every fault in between.")
    parser.add_argument("--rounds", type=int, default=1000, help="processes to kill (%(default)s)")
    parser.add_argument("--markdown", action="store_true", help="print the table for a document")
    parser.add_argument("--database", action="store_true", help="only the storms over a database")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="storm-") as home, Nursery() as nursery:
        few = max(1, options.rounds // 100)
        chosen = (
            databases(Path(home), few, options.seed)
            if options.database
            else storms(nursery, Path(home), options.rounds, options.seed)
        )
        for storm in chosen:
            row = storm()
            rows.append(row)
            print(f"{row.scenario}: {row.notes}", file=sys.stderr)
    print(table(rows, markdown=options.markdown))
    return 1 if any(row.problems for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
