"""`codex-oauth login start` and `login finish`: one sign-in in two processes.

Rules of this file: between the two, and after every event, the sign-in is a checkpoint in a file of the
store's home; whoever finishes it has its lock, so a process that was killed is simply run again; what is over
is deleted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Final

import attrs

from codex_oauth.cli.login import Interrupt, say_signed_in
from codex_oauth.cli.login_view import Guide, told, view_for
from codex_oauth.cli.output import NoOutput, emit, hint, report, result
from codex_oauth.cli.pending import Claimed, Kept, PendingSignIns
from codex_oauth.cli.views import View, prompt_lines
from codex_oauth.store_login import finish_sign_in
from codex_oauth.stores.file_store import FileStore
from codex_oauth.worlds.prompted import PromptedWorld
from codex_oauth.worlds.world import World
from codex_oauth_core.checkpoints.codec import CheckpointError
from codex_oauth_core.checkpoints.restore import restore
from codex_oauth_core.codex import CODEX
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import DevicePrompt, Finished, Wait
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.events import Resumed, Started
from codex_oauth_core.flows.browser import BrowserFlow
from codex_oauth_core.flows.device import DeviceFlow
from codex_oauth_core.reading.times import rfc3339

__all__ = ["run_finish", "run_start"]

_UNSAVED: Final = "The sign-in goes on, but could not be saved: it cannot be finished by another process."


def run_start(args: argparse.Namespace) -> int:
    """Begin a sign-in with a device code, keep it, and say how to go on. Raises SignInError."""
    store = FileStore(args.store)
    store.prepare()
    pending = PendingSignIns(store.home)
    pending.sweep(time.time())
    flow = DeviceFlow(provider=CODEX.at(args.issuer) if args.issuer else CODEX)
    interrupt = Interrupt()
    with interrupt, interrupt.cancels(_world(None)) as world:
        prompt = _begin(flow, world)
        at, wall = world.now()
    kept = Kept(flow.checkpoint(at=at, wall=wall, handed_over=True), prompt.expires_at)
    _say_started(args, flow, prompt, pending.add(kept))
    return 0


def _begin(flow: DeviceFlow, world: World) -> DevicePrompt:
    """Drive a new flow until there is something to show. Raises SignInError."""
    effect = flow.receive(Started(*world.now()))
    while True:
        if isinstance(effect, Finished):
            assert isinstance(effect.outcome, SignInError)
            raise effect.outcome
        if isinstance(effect, Wait) and isinstance(effect.prompt, DevicePrompt):
            return effect.prompt
        effect = flow.receive(world.perform(effect))


def _say_started(args: argparse.Namespace, flow: DeviceFlow, prompt: DevicePrompt, made: str) -> None:
    if args.json:
        issued = flow.authorization
        about = {
            "id": made,
            "verification_uri": prompt.verification_uri,
            "user_code": prompt.user_code,
            "expires_at": rfc3339(prompt.expires_at),
            "interval": None if issued is None else issued.interval,
            "issuer": prompt.issuer,
        }
        emit({"ok": True, **about})
        return
    for line in prompt_lines(prompt):
        hint(line)
    hint(f"Then finish the sign-in: codex-oauth login finish {made}")
    result(made)


def run_finish(args: argparse.Namespace) -> int:
    """Wait for the end of a sign-in that was started, and keep the login. Raises SignInError."""
    store = FileStore(args.store)
    view = view_for(args)
    try:
        with Interrupt() as interrupt:
            credential = _finish(args, store, view, interrupt)
    except SignInError as error:
        if not args.json:
            raise
        from codex_oauth.cli.exit_codes import EXIT_CODES

        report(error, as_json=True, event="error")
        return EXIT_CODES[error.kind]
    finally:
        view.close()
        PendingSignIns(store.home).sweep(time.time())
    try:
        say_signed_in(args, credential, store)
    except NoOutput:
        hint("codex-oauth: you are signed in; the login was stored before its description failed.")
        raise
    return 0


def _finish(args: argparse.Namespace, store: FileStore, view: View, interrupt: Interrupt) -> Credential:
    from codex_oauth.transport.httpx_messages import check_settings

    pending = PendingSignIns(store.home)
    with pending.claimed(args.id) as claimed:
        kept = claimed.load()
        flow = _restored(claimed, kept)
        check_settings(flow.provider)
        store.prepare()
        with PromptedWorld(
            interrupt.cancels(told(_world(view), view, args)), Guide(view, args).prompt
        ) as world:
            outcome = _go_on(flow, world, _saving(claimed, kept, view))
            if isinstance(outcome, SignInError):
                raise _left(claimed, outcome)
            try:
                signed_in = finish_sign_in(outcome, store, flow.provider, world, revoke_old=args.revoke_old)
            finally:
                claimed.discard()
        if signed_in.replaced_revoked is False:
            from codex_oauth.sign_in import NOT_CONFIRMED

            view.note(NOT_CONFIRMED)
    return outcome


def _restored(claimed: Claimed, kept: Kept) -> DeviceFlow | BrowserFlow:
    """The flow that was put down. Its issuer was named when it was started."""
    try:
        return restore(kept.checkpoint, CODEX.at(str(kept.checkpoint.get("issuer"))))
    except CheckpointError as error:
        raise claimed.damaged(error.reason) from None
    except ValueError:  # no issuer
        raise claimed.damaged("malformed") from None


def _go_on(
    flow: DeviceFlow | BrowserFlow, world: World, save: Callable[[DeviceFlow | BrowserFlow, World], None]
) -> Credential | SignInError:
    effect = flow.receive(Resumed(*world.now()))
    while not isinstance(effect, Finished):
        save(flow, world)
        effect = flow.receive(world.perform(effect))
    assert isinstance(effect.outcome, Credential | SignInError)
    return effect.outcome


def _saving(claimed: Claimed, kept: Kept, view: View) -> Callable[[DeviceFlow | BrowserFlow, World], None]:
    """Saves the flow before each effect; where that fails, the sign-in is worth more than its checkpoint."""
    failed = False

    def save(flow: DeviceFlow | BrowserFlow, world: World) -> None:
        nonlocal failed
        at, wall = world.now()
        try:
            claimed.save(attrs.evolve(kept, checkpoint=flow.checkpoint(at=at, wall=wall)))
        except SignInError:
            if not failed:
                view.note(_UNSAVED)
            failed = True

    return save


def _left(claimed: Claimed, error: SignInError) -> SignInError:
    """How a sign-in that failed is left: one that was cancelled here can be finished later, and
    one that a setting of this machine stops, too.
    """
    later = f"Finish the sign-in later: codex-oauth login finish {claimed.id}"
    if error.kind is ErrorKind.MISCONFIGURED:
        return attrs.evolve(error, next_actions=(*error.next_actions, later))
    if error.kind is not ErrorKind.CANCELLED:
        claimed.discard()
        return error
    return attrs.evolve(error, message="The sign-in is still pending.", next_actions=(later,))


def _world(view: View | None) -> World:
    from codex_oauth.worlds.httpx_world import HttpxWorld

    return HttpxWorld() if view is None else HttpxWorld(on_wait=view.wait, on_tick=view.tick)
