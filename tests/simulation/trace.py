"""How a run is told: one line for each effect and its answer, with labels in the place of tokens.

Rules of this file: no token is ever written, only its label; what has no label is named by its type.
"""

from __future__ import annotations

from collections.abc import Mapping

from codex_oauth_core import (
    Adopted,
    LoginStored,
    NotRenewed,
    Record,
    Renewed,
    RequestFailed,
    ResponseReceived,
    SendRequest,
    SignedIn,
    SignInError,
    StoreAnswered,
    Wait,
)
from codex_oauth_core.storage import Conflict, Loaded, Rescue, Reserve, Save, StoreFailed

__all__ = ["named", "told"]

Labels = Mapping[str, str]


def named(record: Record | None, labels: Labels) -> str:
    """A record by the label of its refresh token, and its marks."""
    if record is None:
        return "nothing"
    marks = [] if record.intent is None else [f"intent of p{record.intent.pid}"]
    marks += [] if record.uncertain_at is None else ["uncertain"]
    marks += [] if record.dead_code is None else ["dead"]
    return " ".join([labels[record.fingerprint], *(f"({mark})" for mark in marks)])


def told(effect: object, event: object, labels: Labels) -> str:
    """An effect and what came of it; without an event, the effect or the outcome alone."""
    text = _piece(effect, labels)
    return text if event is None else f"{text} -> {_piece(event, labels)}"


def _piece(what: object, labels: Labels) -> str:
    match what:
        case StoreAnswered():
            return _piece(what.answer, labels)
        case Loaded() | Conflict() | Reserve() | Save() | Rescue() | Adopted():
            return f"{type(what).__name__} {named(what.record, labels)}"
        case Renewed() | LoginStored() | SignedIn():
            return f"{type(what).__name__} {named(what.record, labels)}"
        case NotRenewed():
            because = "" if what.error is None else f", {what.error!r}"
            return f"NotRenewed {named(what.record, labels)}: {what.why}{because}"
        case Wait():
            return f"Wait ({what.why})"
        case SendRequest():
            return "SendRequest"
        case ResponseReceived():
            return f"answer {what.status}"
        case RequestFailed():
            return f"{what.phase}, {what.cause}"
        case StoreFailed():
            return f"StoreFailed {what.error!r}{', rescued' if what.rescued else ''}"
        case SignInError():
            return repr(what)
        case _:
            return type(what).__name__
