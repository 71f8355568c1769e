"""Where a provider's login may ask for model answers, and what such a request may hold.

Rules of this file: facts as data; who changes a request by them is elsewhere.
"""

from __future__ import annotations

import attrs

__all__ = ["ModelApi"]


@attrs.frozen(kw_only=True)
class ModelApi:
    """The model API that takes the access tokens of a provider: the Responses API, with rules of its own.

    `base_url` is what clients of that API call so. A request is always streamed, is never stored, and its
    `input` is a list without system messages.
    """

    base_url: str
    needs_instructions: bool = False
    """Whether a request without `instructions` is refused."""
    refused: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    """Fields that are refused by name, and without which the same question is asked."""
