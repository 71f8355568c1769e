"""What the model stub is told, as data: how strict it is, which models there are, and what it answers.

Rules of this file: where the live backends were seen to do two things, both are a switch, because a client
must get along with either. All times are seconds.
"""

from __future__ import annotations

import math
import re
from enum import StrEnum, unique
from typing import Any, Final

import attrs

__all__ = ["CatalogModel", "HeaderRules", "LimitKind", "ModelPolicy", "UsageLimit", "version_of"]

_VERSION: Final = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+.][\w.+-]*)?", re.ASCII)
SOCKET_LIFETIME: Final = 3600.0


def version_of(text: str) -> tuple[int, int, int] | None:
    """The three numbers of a client's version; None if the text is no version."""
    found = _VERSION.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def _version(_model: object, field: Any, value: str) -> None:
    if version_of(value) is None:
        raise ValueError(f"{field.name}: a version such as 0.144.0")


def _positive(_policy: object, field: Any, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{field.name}: more than 0")


def _percent(_policy: object, field: Any, value: float) -> None:
    if not 0 <= value <= 100:
        raise ValueError(f"{field.name}: from 0 to 100")


@unique
class HeaderRules(StrEnum):
    """Which request headers the Codex backend requires."""

    LENIENT = "lenient"
    """Only the bearer token."""
    USUAL = "usual"
    """Also `ChatGPT-Account-Id`, with the account of the token, and `originator`."""
    EXACT = "exact"
    """Also a `User-Agent` that begins with the `originator`."""


@unique
class LimitKind(StrEnum):
    """The reason why a plan gives no answer."""

    REACHED = "usage_limit_reached"
    NOT_INCLUDED = "usage_not_included"
    """The plan does not include Codex."""


@attrs.frozen(kw_only=True)
class CatalogModel:
    """A model of the list. The list for a client older than `minimal_client_version` leaves it out."""

    slug: str
    display_name: str
    visibility: str = "list"
    minimal_client_version: str = attrs.field(default="0.144.0", validator=_version)

    def is_shown_to(self, version: str) -> bool:
        """Whether a client of this version may use the model. A client with version 0.0.0, or with a text
        that is not a version, may use every model.
        """
        client = version_of(version)
        return client in (None, (0, 0, 0)) or client >= (version_of(self.minimal_client_version) or ())


@attrs.frozen(kw_only=True)
class UsageLimit:
    """A usage limit that is reached. It ends `resets_in` seconds after the request that it refuses."""

    kind: LimitKind = attrs.field(default=LimitKind.REACHED, converter=LimitKind)
    resets_in: int = 3600
    active: str = "codex"
    """Which limit: `codex` or `premium`."""


_MODELS: Final = (
    CatalogModel(slug="gpt-5.5-codex", display_name="GPT 5.5 Codex"),
    CatalogModel(slug="gpt-5.5-hidden", display_name="GPT 5.5 hidden", visibility="hide"),
)


@attrs.define(kw_only=True)
class ModelPolicy:
    """The settings of the model stub. A test may change them while it runs. ValueError for an impossible one.

    `text` is the model's answer. `reasoning`: whether a reasoning item comes before the answer. `usage_limit`
    refuses every request with a good token. `used_percent` is the used part of the five-hour limit in the
    headers of an answer. `socket_lifetime` is how many seconds a WebSocket may stay open.
    """

    headers: HeaderRules = attrs.field(default=HeaderRules.USUAL, converter=HeaderRules)
    models: tuple[CatalogModel, ...] = attrs.field(default=_MODELS, converter=tuple[CatalogModel, ...])
    text: str = "This is a fake answer."
    reasoning: bool = False
    empty_output: bool = True
    """Whether `response.completed` leaves out the items that came before it, as the live one often does."""
    content_type: bool = True
    """Whether a stream has a Content-Type; the live backend was seen to leave it out."""
    official_instructions: str | None = None
    """The only instructions that the Codex backend accepts, as in 2025; None: any."""
    refuse_flat_tools: bool = False
    """Whether the public API refuses functions and custom tools outside a namespace."""
    usage_limit: UsageLimit | None = None
    used_percent: int = attrs.field(default=12, validator=_percent)
    socket_lifetime: float = attrs.field(default=SOCKET_LIFETIME, validator=_positive)

    @property
    def slugs(self) -> frozenset[str]:
        """The slugs of all models."""
        return frozenset(model.slug for model in self.models)
