"""Who a login is, the key that names it, and what else people call it.

Rules of this file: pure. A part that is not known is None, and is never made up. Two identities that differ
in anything have different keys; a key is a function of its identity alone, is safe as the name of a file,
also where case does not count, and is the same in every release.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import lru_cache
from typing import Final

import attrs

__all__ = ["Identity", "Profile", "answers_to", "folded", "is_called", "usable_id"]

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
_LONGEST_PART: Final = 64
_LONGEST_ID: Final = 255
_DIGEST_BYTES: Final = 10  # 80 bits, which are 16 letters


@attrs.frozen
class Identity:
    """The person and the workspace of a login: `account_id` (the workspace) and `user_id` (the person), as
    the authorization server `issuer` names them to the client `client_id`. Either is None if nothing has said
    it.
    """

    issuer: str
    client_id: str
    account_id: str | None = None
    user_id: str | None = None

    @property
    def key(self) -> str:
        """The name of the login, for stores and for people: at most 81 letters, digits, `_` and `-`. It
        begins with the account id, or else with the user id, if that id has only these characters. The part
        after the last `-` makes it unique.
        """
        parts = [self.issuer, self.client_id, self.account_id, self.user_id]
        digest = hashlib.sha256(json.dumps(parts).encode()).digest()[:_DIGEST_BYTES]
        mark = base64.b32encode(digest).decode().lower()
        named = self.account_id or self.user_id or ""
        return f"{named}-{mark}" if _may_begin_a_key(named) else mark

    @property
    def names(self) -> tuple[str, ...]:
        """All names that may hold the login in a store: its key, then the keys that it had while less was
        known of it, and last its account id, if that can be a file's name. Earlier releases stored a login
        under its account id.
        """
        return _names(self)

    def fits(self, other: Identity) -> bool:
        """Whether the two may be the same login: nothing that is known of both differs."""
        return (self.issuer, self.client_id) == (other.issuer, other.client_id) and all(
            ours is None or theirs is None or ours == theirs
            for ours, theirs in ((self.account_id, other.account_id), (self.user_id, other.user_id))
        )

    def continues(self, before: Identity) -> bool:
        """Whether this is certainly the same login as `before`: everything that was known of `before` is the
        same here. More may be known now, never less.
        """
        return (self.issuer, self.client_id) == (before.issuer, before.client_id) and all(
            then is None or now == then
            for now, then in ((self.account_id, before.account_id), (self.user_id, before.user_id))
        )


def _may_begin_a_key(part: str) -> bool:
    return 0 < len(part) <= _LONGEST_PART and part[0] not in "_-" and not part.strip(_LETTERS)


def _is_former_name(account_id: str) -> bool:
    return len(account_id) <= 128 and not account_id.strip(_LETTERS)


def usable_id(named: str | None) -> str | None:
    """An account or a person as tokens name it, if it can be kept: 1 to 255 visible letters of ASCII, as
    OpenID Connect has it (Core §2, `sub`). None for an empty one, which names nobody.
    """
    fits = named is not None and 0 < len(named) <= _LONGEST_ID and named.isascii() and named.isprintable()
    return named if fits and " " not in (named or "") else None


@attrs.frozen
class Profile:
    """How to address a person. These are the server's own words: filter them before you print them to a
    terminal.
    """

    email: str | None = None
    plan: str | None = None


def is_called(named: str, identity: Identity, email: str | None) -> bool:
    """Whether the login is called so: by its e-mail address in any case of letters, its account id, its user
    id, or its key.
    """
    if email is not None and named and folded(email) == folded(named):
        return True
    return named in (identity.account_id, identity.user_id, identity.key)


def folded(email: str) -> str:
    """An e-mail address without the case of its letters. No letter becomes one of ASCII that is none, and
    none becomes two: a Kelvin sign is no `k`, and a sharp s is not `ss`.
    """
    return "".join(low if (low := char.lower()).isascii() is char.isascii() else char for char in email)


def answers_to(named: str, identity: Identity, email: str | None) -> bool:
    """Whether people may call the login so: as `is_called`, or by the beginning of its key."""
    return is_called(named, identity, email) or (named != "" and identity.key.startswith(named))


@lru_cache(maxsize=64)
def _names(identity: Identity) -> tuple[str, ...]:
    """Remembered, because every reading of a login compares them."""
    accounts, users = (identity.account_id, None), (identity.user_id, None)
    known = [
        attrs.evolve(identity, account_id=account, user_id=user) for account in accounts for user in users
    ]
    former = (identity.account_id,) if identity.account_id and _is_former_name(identity.account_id) else ()
    return tuple(dict.fromkeys((*(each.key for each in known), *former)))
