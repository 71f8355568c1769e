"""The official sign-in with a crash at each of its steps, twice over, and a store that fails: no client id that was
kept is lost, and none is used that was not.

Rules of this file: every run is enumerated, none is drawn. A process ends right before it performs an effect, or right
after; the next one begins with what the store has, or with the checkpoint that the dead one left.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import attrs
import pytest

from codex_oauth_core import (
    Credential,
    ErrorKind,
    Finished,
    Provider,
    Resumed,
    SendRequest,
    SignInError,
    Started,
    Wait,
    restore,
)
from codex_oauth_core.storage import Register, StoreFailed
from tests.checkpoints.journeys import through_json
from tests.core.chatgpt import FIRST, Desk, flow

STEPS: Final = 6
"""Effects of a first sign-in that are performed: metadata, keys, the page, the registration, the exchange; and one that
is never reached.
"""
FULL: Final = StoreFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="ENOSPC"))


@attrs.frozen
class Crash:
    """The process dies at its effect number `step`, before it is performed or `after`."""

    step: int
    after: bool
    leaves: bool
    """A checkpoint, taken before the effect."""


CRASHES: Final = tuple(Crash(*each) for each in product(range(STEPS), (False, True), (False, True)))


@attrs.define(eq=False)
class House:
    """One host: its store and its server, and what its processes do one after another."""

    desk: Desk = attrs.field(factory=Desk)
    checkpoint: dict[str, Any] | None = None
    lost: int = 0
    """Redirects that a process took with it: each had issued a client id."""

    def provider(self) -> Provider:
        return FIRST.registered(self.desk.kept[-1].client_id) if self.desk.kept else FIRST

    def begin(self) -> tuple[Any, Any]:
        left, self.checkpoint = self.checkpoint, None
        if left is None:
            signing_in: Any = flow(self.provider())
            return signing_in, signing_in.receive(Started(*self.desk.world.now()))
        known = FIRST.registered(left["client_id"]) if FIRST.issues(left["client_id"]) else FIRST
        again = restore(left, known)
        return again, again.receive(Resumed(*self.desk.world.now()))

    def run(self, crash: Crash | None) -> Credential | SignInError | None:
        """A process, to its end or to its crash."""
        signing_in, effect = self.begin()
        for step in range(20):
            if isinstance(effect, Finished):
                assert isinstance(effect.outcome, Credential | SignInError)
                return effect.outcome
            self.check(effect)
            if crash is not None and crash.step == step:
                if crash.leaves:
                    at, wall = self.desk.world.now()
                    self.checkpoint = through_json(signing_in.checkpoint(at=at, wall=wall))
                if crash.after:
                    self.desk.answer(effect)
                self.lost += self.takes_along(signing_in, effect, crash)
                return None
            effect = signing_in.receive(self.desk.answer(effect))
        raise AssertionError("this never ends")

    def takes_along(self, signing_in: Any, effect: Any, crash: Crash) -> bool:
        """Whether the only copy of an issued client id dies with the process."""
        if isinstance(effect, Register):
            return effect.registration.client_id not in self.ids and not (crash.after or crash.leaves)
        return isinstance(effect, Wait) and crash.after and not signing_in.provider.is_registered

    @property
    def ids(self) -> set[str]:
        return {each.client_id for each in self.desk.kept}

    def check(self, effect: Any) -> None:
        """Nothing goes to the token endpoint but with a client id that is on the disk."""
        if isinstance(effect, SendRequest) and effect.request.method == "POST":
            body = effect.request.body.reveal().decode()
            assert any(f"client_id={each.client_id}&" in f"{body}&" for each in self.desk.kept)


def finish(house: House) -> None:
    """Whatever came before, the next sign-in ends well, or that after it."""
    outcome = house.run(None)
    if isinstance(outcome, SignInError):
        assert outcome.details.get("reason") == "put_down", "a code that may have been sent is not sent again"
        outcome = house.run(None)
    assert isinstance(outcome, Credential)
    assert outcome.client_id in house.ids
    assert house.ids <= set(house.desk.server.registrations)
    lost = len(house.desk.server.registrations) - len(house.ids)
    assert lost == house.lost, "a client id is lost only with the redirect that brought it"
    assert house.desk.mistakes == []


@pytest.mark.parametrize("first", CRASHES, ids=str)
def test_two_crashes_anywhere(first: Crash) -> None:
    for second in CRASHES:
        house = House()
        house.run(first)
        house.run(second)
        finish(house)


@pytest.mark.parametrize("crash", CRASHES, ids=str)
def test_a_full_disk_and_a_crash(crash: Crash) -> None:
    house = House(Desk(store=[FULL]))
    outcome = house.run(None)
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.AUTH_WRITE_FAILED
    assert (house.desk.count("token"), house.desk.kept) == (0, [])
    house.lost += 1
    house.run(crash)
    finish(house)


def test_a_registration_that_is_kept_is_the_only_one_from_then_on() -> None:
    for crash in CRASHES:
        house = House()
        house.run(Crash(4, False, False))
        assert len(house.desk.kept) == 1
        house.run(crash)
        finish(house)
        assert len(house.desk.server.registrations) == 1


def test_the_steps_are_those_of_a_sign_in() -> None:
    house = House()
    assert isinstance(house.run(None), Credential)
    kinds = [type(effect) for _, effect in house.desk.world.performed]
    assert len(kinds) + len(house.desk.opened) + len(house.desk.kept) == STEPS - 1
    assert Register not in kinds
