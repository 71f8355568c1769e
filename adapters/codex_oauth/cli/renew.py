"""`codex-oauth refresh`: renew a login now, and say what happened.

Rules of this file: the machine decides, on a thread of its own that Ctrl-C does not cut; that the old token
still works is success only where nothing went wrong and nothing that was asked for is left undone.
"""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from typing import Any, Final, assert_never

from codex_oauth.cli.account import STOPPING, validity, with_a_command
from codex_oauth.cli.accounts import chosen_record, name_of
from codex_oauth.cli.errors import EXIT_CODES, OK, TEMPORARY
from codex_oauth.cli.output import detail, emit, hint_from_a_signal, moment, printable, result
from codex_oauth.cli.process import interrupted_once
from codex_oauth.cli.report import report
from codex_oauth.elsewhere import is_elsewhere, not_renewed_here
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.find import same_place
from codex_oauth.tokens.renewing import Outcome
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.renewal_policy import age
from codex_oauth_core.outcomes import Adopted, NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.providers import identified
from codex_oauth_core.record import Record

__all__ = ["renew_moved", "run_refresh"]

_NOT_RENEWED: Final = {
    NotRenewedReason.CURRENT: "Nothing to renew.",
    NotRenewedReason.BUSY: "Not renewed: another process is renewing the login.",
    NotRenewedReason.UNCERTAIN: (
        "Not renewed: the answer to an earlier renewal was lost, and another try could end the login. "
        "codex-oauth tries again when the token is about to expire."
    ),
    NotRenewedReason.SPACED: "Not renewed: the last try was less than a minute ago.",
    NotRenewedReason.FAILED: "Not renewed.",
}
_JUST_NOW: Final = 60.0  # seconds, within which nothing is renewed again
_OUTCOMES: Final = {Renewed: "renewed", Adopted: "adopted", NotRenewed: "kept"}
"""What the JSON document calls them."""
_LEFT_UNDONE: Final = (NotRenewedReason.BUSY, NotRenewedReason.UNCERTAIN)


def run_refresh(args: argparse.Namespace) -> int:
    """Renew a login, whether that is due or not. Raises SignInError, UsageError."""
    store = FileStore(args.store)
    record, choice = chosen_record(args, store)
    if is_elsewhere(record.credential):
        raise not_renewed_here(record.credential)
    detail(f"Login: {name_of(record.credential)}, at {record.credential.issuer}")
    outcome = _renewed(store, str(choice.place), record, forced=not args.if_due)
    if isinstance(outcome, SignInError):
        raise with_a_command(outcome, record.credential, store)
    if (error := _error(outcome)) is not None:
        error = with_a_command(error, record.credential, store)
    code = _code(outcome, error, forced=not args.if_due)
    if args.json:
        emit(_document(outcome, error, ok=code == OK))
        return code
    result(_said(outcome))
    result(f"The access token is {validity(outcome.record.credential)}.")
    detail(f"Stored in {printable(str(store.slot(str(choice.place)).path), 4096)}.")
    if error is not None:
        report(error, as_json=False)
    return code


def _renewed(store: FileStore, place: str, record: Record, *, forced: bool) -> Outcome:
    """How a renewal ended. Ctrl-C ends the wait for it when what was renewed is stored."""
    from codex_oauth.cli.waiting import WaitNotice
    from codex_oauth.clock import now
    from codex_oauth.tokens.flight import Job
    from codex_oauth.worlds.lazy_world import LazyWorld, UsualWorld
    from codex_oauth.worlds.storing import StoringWorld
    from codex_oauth.worlds.world import run
    from codex_oauth_core.codex import CODEX
    from codex_oauth_core.flows.renewal import Renewal
    from codex_oauth_core.providers import provider_of

    make_world = UsualWorld(now)
    make_world.load()
    world = LazyWorld(make_world, now, WaitNotice().wait)
    flow = Renewal(provider=provider_of(record.credential) or CODEX, forced=forced)

    def work() -> Outcome:
        with world, StoringWorld(world, store, place) as storing:
            return run(flow, storing)

    flight = Job(work, after=lambda _: None, cancel=world.cancel)
    with interrupted_once(lambda: hint_from_a_signal(STOPPING)):
        try:
            if not flight.start():
                flight.run()
            return flight.wait()
        except KeyboardInterrupt:
            flight.cancel()
            with suppress(Exception):  # the interrupt is what is told
                flight.wait()
            raise


def renew_moved(store: FileStore, record: Record) -> tuple[Record, bool, SignInError | None]:
    """Renew a login right after it was taken from another program: what is stored then, whether that is new,
    and what went wrong. Less than a minute after another renewal none is needed.
    """
    again = same_place(store, record.credential)
    place = record.credential.key if again is None else again[0]
    outcome = _renewed(store, place, record, forced=True)
    if isinstance(outcome, SignInError):
        return store.slot(place).load() or record, False, with_a_command(outcome, record.credential, store)
    error = _error(outcome)
    if isinstance(outcome, NotRenewed) and outcome.why in _LEFT_UNDONE:
        error = SignInError.of(ErrorKind.NETWORK, _NOT_RENEWED[outcome.why], reason="lock_busy")
    return outcome.record, not isinstance(outcome, NotRenewed), error


def _error(outcome: Renewed | Adopted | NotRenewed) -> SignInError | None:
    """What went wrong, although there is a token."""
    match outcome:
        case Renewed():
            return outcome.unsaved
        case NotRenewed():
            return outcome.error
        case Adopted():
            return None
        case _:
            assert_never(outcome)


def _code(outcome: Renewed | Adopted | NotRenewed, error: SignInError | None, *, forced: bool) -> int:
    if error is not None:
        return EXIT_CODES[error.kind]
    return TEMPORARY if forced and isinstance(outcome, NotRenewed) and outcome.why in _LEFT_UNDONE else OK


def _said(outcome: Renewed | Adopted | NotRenewed) -> str:
    match outcome:
        case Renewed(unsaved=None):
            return "Renewed."
        case Renewed():
            return "Renewed, but not stored. The stored login cannot be used any more."
        case Adopted():
            return "Another process has renewed the login."
        case NotRenewed(why=NotRenewedReason.SPACED, record=record) if _is_new(record):
            done = "renewed" if record.generation else "made"
            return f"Nothing to renew: the login was {done} less than a minute ago."
        case NotRenewed():
            return _NOT_RENEWED[outcome.why]
        case _:
            assert_never(outcome)


def _is_new(record: Record) -> bool:
    """Whether its tokens were issued just now: then that was the last try."""
    ago = age(record, time.time())
    return ago is not None and ago < _JUST_NOW


def _document(
    outcome: Renewed | Adopted | NotRenewed, error: SignInError | None, *, ok: bool
) -> dict[str, Any]:
    credential = identified(outcome.record.credential)
    fields: dict[str, Any] = {
        "ok": ok,
        "outcome": _OUTCOMES[type(outcome)],
        "why": outcome.why.value if isinstance(outcome, NotRenewed) else None,
        "key": credential.key,
        "account_id": credential.account_id,
        "expires_at": moment(credential.expires_at),
    }
    return fields if error is None else {**fields, "error": error.to_dict()["error"]}
