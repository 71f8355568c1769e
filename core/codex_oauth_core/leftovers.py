"""What to do with a record that an interrupted process left beside a stored one.

Rules of this file: pure judgement, for every store. A renewal that was answered and never put in its place
is worth everything: its predecessor is spent. A renewal of anything else than what is stored is worth
nothing, and an old login must never overwrite a new one.
"""

from __future__ import annotations

from collections.abc import Iterable

from codex_oauth_core.record import Record

__all__ = ["best_leftover", "is_worth_keeping", "succeeds"]


def best_leftover(
    stored: Record | None, rescued: Iterable[Record] = (), strays: Iterable[Record] = ()
) -> Record | None:
    """The record that must replace `stored`, which may be None; None if `stored` stays.

    `rescued` records were kept beside on purpose, and are complete. `strays` are complete too, but their
    writer ended before it could say so. A rescued sign-in (a record without `parent`) replaces a stored
    renewal. The last sign-in replaces the others, stored or not. A renewal replaces the stored record only if
    it renews exactly that one. The caller removes all others.
    """
    rescues = list(rescued)
    sign_ins = [record for record in rescues if record.parent is None]
    root = max(sign_ins, key=_age, default=stored)
    if root is not None and stored is not None and stored.parent is None and _age(stored) > _age(root):
        root = stored
    candidates = [*rescues, *strays]
    found = root
    while (successor := next((each for each in candidates if succeeds(each, found)), None)) is not None:
        found = successor
        candidates.remove(successor)
    return None if found is stored else found


def is_worth_keeping(record: Record, expected: str | None) -> bool:
    """Whether a record that could not be saved in the place of what has the fingerprint `expected` is to be
    kept beside: whoever locks the login next would adopt it. A mark on the very same tokens would not be,
    and must not pass for a sign-in.
    """
    if record.parent is None:
        return record.fingerprint != expected
    return record.parent == expected


def _age(record: Record) -> str:
    return record.credential.obtained_at


def succeeds(renewed: Record, stored: Record | None) -> bool:
    """Whether `renewed` was exchanged for what is stored, at the same server, for the same person.

    Where a server issues the same refresh token again, parent and child have it too: the count tells them.
    """
    if stored is None or renewed.parent is None:
        return False
    new, old = renewed.credential, stored.credential
    return (
        old.refresh_token is not None
        and renewed.parent == old.refresh_token.fingerprint()
        and (renewed.fingerprint != stored.fingerprint or renewed.generation > stored.generation)
        and new.identity.fits(old.identity)
    )
