"""What a provider's people are told, as data: what the provider is called, and where they do what only they
can.

Rules of this file: fixed texts of whoever describes the provider, never anything of a server's; where a
provider has nothing of its own to say, what is true of every provider is said.
"""

from __future__ import annotations

from typing import Final

import attrs

from codex_oauth_core.errors import KINDS, PARTICULAR, ErrorKind, KindFacts
from codex_oauth_core.short_repr import changed_fields

__all__ = ["NO_TEXTS", "Texts"]


@attrs.frozen(kw_only=True, repr=False)
class Texts:
    """The texts of one provider.

    `service` is its name for people, `company` is who runs it, and `title` is the name of a sign-in.
    `end_sessions` says where a person ends sessions without this library, and `usage_page` is where they see
    and limit usage. `in_use` is the sentence for a login that is in use. `errors` are facts about errors of a
    kind, and of a `details.reason` if that is not None.
    """

    service: str = "the sign-in server"
    company: str = "the sign-in server"
    title: str = "Sign in"
    end_sessions: str | None = None
    usage_page: str | None = None
    in_use: str | None = None
    errors: tuple[tuple[ErrorKind, str | None, KindFacts], ...] = ()

    def __repr__(self) -> str:
        return changed_fields(self)

    def facts(self, kind: ErrorKind, reason: str | None = None) -> KindFacts:
        """The facts about an error. Facts about its reason come before facts about its kind, and the
        provider's come before the general ones.
        """
        own = {(of, why): facts for of, why, facts in self.errors}
        if reason is not None:
            found = own.get((kind, reason)) or PARTICULAR.get((kind, reason))
            if found is not None:
                return found
        return own.get((kind, None)) or KINDS[kind]


NO_TEXTS: Final = Texts()
"""Those of a provider that has none of its own."""
