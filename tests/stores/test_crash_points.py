"""F1, F2: a process that dies between any two steps. The next one finds the old login, or the new one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stores.logins import child

STEPS = ("open", "fchmod", "posix_fallocate", "ftruncate", "write", "fsync", "replace", "unlink")

CODE = """
import json
home = {home!r}
STEPS = {steps!r}

def watched(path_or_fd, kind):
    # what is done to files of the store, and nothing that the interpreter or a lock does
    if kind == "open":
        return isinstance(path_or_fd, str) and path_or_fd.endswith((".tmp", ".lock"))
    return True

def armed(die_at, done):
    for kind in STEPS:
        real = getattr(os, kind)
        def step(*args, real=real, kind=kind, **options):
            if not watched(args[0], kind):
                return real(*args, **options)
            done.append(kind)
            if len(done) == die_at:
                if kind == "write":
                    real(args[0], bytes(args[1])[:60])
                os._exit(9)
            return real(*args, **options)
        setattr(os, kind, step)

def section(slot, action):
    with locked(slot) as held:
        if action != "save only":
            held.reserve(held.load())
        if action == "release":
            return
        if action == "delete":
            held.delete(login(1).fingerprint)
            return
        held.save(renewed(login(1), 2), login(1).fingerprint)

def fresh(number, action):
    slot = FileStore(Path(home) / f"{{action}}-{{number}}".replace(" ", "_")).slot("acct_1")
    save(slot, login(1), None)
    return slot

def steps_of(action):
    # the whole section in a child of its own: every step's name, and which of them ends the save's write
    read, write = os.pipe()
    slot = fresh(0, action)
    if os.fork() == 0:
        done = []
        armed(0, done)
        section(slot, action)
        os.write(write, json.dumps(done).encode())
        os._exit(0)
    os.close(write)
    os.wait()
    with open(read, "rb") as file:
        return json.loads(file.read())

def crash(action, number):
    slot = fresh(number, action)
    if os.fork() == 0:
        armed(number, [])
        section(slot, action)
        os._exit(0)
    _, status = os.wait()
    assert os.waitstatus_to_exitcode(status) == 9, (action, number, status)
    seen = slot.load()
    with locked(slot) as held:
        found = held.load()
        left = sorted(os.listdir(slot.path.parent))
    kind = "none" if found is None else "new" if found == renewed(login(1), 2) else "old"
    assert kind != "old" or found.fingerprint == login(1).fingerprint
    assert seen is None or seen.fingerprint in (login(1).fingerprint, renewed(login(1), 2).fingerprint)
    if found is not None:
        # the next one goes on as if nothing had happened
        with locked(slot) as held:
            held.reserve(found)
            held.save(renewed(found, 9), found.fingerprint)
        assert slot.load() == renewed(found, 9)
    return [kind, left]

def all_of(action):
    steps = steps_of(action)
    return [steps] + [crash(action, number) for number in range(1, len(steps) + 1)]

print(json.dumps({{action: all_of(action) for action in ("save", "save only", "release", "delete")}}))
"""


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("homes")
    done = child(CODE.format(home=str(home), steps=STEPS), cwd=Path(home))
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def outcomes(crashes: dict[str, Any], action: str) -> tuple[list[str], list[str]]:
    """The names of the steps, and what is stored after a death just before each of them."""
    steps, *after = crashes[action]
    for _, left in after:
        assert set(left) <= {"acct_1.json", "acct_1.lock"}
    return steps, [kind for kind, _ in after]


# F2
def test_a_refresh_is_lost_only_before_its_answer_is_written(crashes: dict[str, Any]) -> None:
    steps, found = outcomes(crashes, "save")
    written = len(steps) - 1 - steps[::-1].index("write")  # the answer is the last thing that is written
    assert found[: written + 1] == ["old"] * (written + 1)
    assert found[written + 1 :] == ["new"] * (len(steps) - written - 1)
    assert steps[written:] == ["write", "fsync", "replace", "fsync"]


def test_a_save_without_a_reservation_is_as_safe(crashes: dict[str, Any]) -> None:
    steps, found = outcomes(crashes, "save only")
    written = steps.index("write")
    assert found == ["old"] * (written + 1) + ["new"] * (len(steps) - written - 1)


# F1
def test_a_release_never_costs_the_login(crashes: dict[str, Any]) -> None:
    steps, found = outcomes(crashes, "release")
    assert found == ["old"] * len(steps)
    assert steps.count("replace") == 2  # the intent, there and back


def test_a_deletion_is_seen_until_it_is_done(crashes: dict[str, Any]) -> None:
    steps, found = outcomes(crashes, "delete")
    removed = len(steps) - 1 - steps[::-1].index("unlink")
    assert found[: removed + 1] == ["old"] * (removed + 1)
    assert set(found[removed + 1 :]) == {"none"}
