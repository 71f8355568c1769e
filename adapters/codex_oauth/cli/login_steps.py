"""`codex-oauth login start` and `login finish`: one sign-in in two processes.

Rules of this file: between the two, and after every event, the sign-in is a checkpoint in a file of the
store's home; whoever finishes it has its lock, so a process that was killed is simply run again; what is
over is deleted. The file is ours alone (0600) and holds secrets.

    <home>/pending/<id>.json   a checkpoint, and when it expires
    <home>/pending/<id>.lock   held while somebody finishes it
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, cast

import attrs

from codex_oauth.cli.accounts import name_of, signing_in
from codex_oauth.cli.guide import Guide, view_for
from codex_oauth.cli.login import named_both, say_signed_in
from codex_oauth.cli.observing import Interrupt, observed
from codex_oauth.cli.output import NoOutput, complain, emit, hint, result, say_action
from codex_oauth.cli.pasteable import command
from codex_oauth.cli.providers import chosen_provider, no_device_code
from codex_oauth.cli.report import report
from codex_oauth.cli.views import View, prompt_lines
from codex_oauth.stored_login import finish_sign_in
from codex_oauth.stores.failures import reporting, shown
from codex_oauth.stores.file_checks import directory_place, file_place
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.files import Directory, is_temporary, read_file, remove_name, stage
from codex_oauth.stores.find import find_logins
from codex_oauth.stores.locks import take_lock
from codex_oauth.stores.names import CUT_OFF, PENDING_DIRECTORY
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
from codex_oauth_core.reading.strict_json import NotStrictJsonError, read_object
from codex_oauth_core.reading.times import rfc3339
from codex_oauth_core.secret import Secret

__all__ = ["PENDING_DIRECTORY", "ClaimedSignIn", "PendingRecord", "PendingSignIns", "run_finish", "run_start"]


_ID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)
_SUFFIX: Final = ".json"
_LOCK: Final = ".lock"
_VERSION: Final = 1
_LONGEST: Final = 256 * 1024
_START: Final = ("Start a sign-in: codex-oauth login start",)


@attrs.frozen
class PendingRecord:
    """What a file holds: a flow's checkpoint, and when it expires, in Unix seconds."""

    checkpoint: Mapping[str, Any] = attrs.field(repr=False)
    expires_at: float


@attrs.frozen
class ClaimedSignIn:
    """A pending sign-in that this process alone has."""

    directory: Directory
    id: str

    def load(self) -> PendingRecord:
        """What is kept. Raises SignInError: `corrupt_auth`, `auth_read_failed`, `expired` if it is gone."""
        with reporting(ErrorKind.AUTH_READ_FAILED, self.path):
            content = read_file(self.directory, self.id + _SUFFIX, _LONGEST)
        if content is None:
            raise _unknown()
        kept = _read(content)
        if kept is None:
            raise self.damaged("unreadable")
        return kept

    def save(self, kept: PendingRecord) -> None:
        """Keep this, in place of what is kept. Raises SignInError."""
        content = {"schema_version": _VERSION, "expires_at": kept.expires_at, "checkpoint": kept.checkpoint}
        with (
            reporting(ErrorKind.AUTH_WRITE_FAILED, self.path),
            stage(self.directory, self.id + _SUFFIX, Secret(json.dumps(content).encode())) as staged,
        ):
            staged.commit()

    def discard(self) -> None:
        """Forget it: it is over. Raises SignInError."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.path):
            for name in self.directory.names():
                if is_temporary(name, self.id + _SUFFIX):
                    remove_name(self.directory, name)
            for suffix in (_SUFFIX, _LOCK):
                remove_name(self.directory, self.id + suffix)
            self.directory.sync()

    def damaged(self, reason: str) -> SignInError:
        """The error for what cannot be read. `reason` is a word for programs."""
        text = "The started sign-in cannot be read."
        error = SignInError.of(ErrorKind.CORRUPT_AUTH, text, reason=reason, path=shown(self.path))
        return attrs.evolve(error, next_actions=_START)

    @property
    def path(self) -> Path:
        """Its file."""
        return self.directory.path / (self.id + _SUFFIX)


@attrs.frozen
class PendingSignIns:
    """The pending sign-ins of one home."""

    home: Path

    def add(self, kept: PendingRecord) -> str:
        """Keep a new one, and return its id. Raises SignInError."""
        made = os.urandom(8).hex()
        path = self.home / PENDING_DIRECTORY / (made + _SUFFIX)
        with reporting(ErrorKind.AUTH_WRITE_FAILED, path):
            directory = file_place(self.home, PENDING_DIRECTORY, path.name, follow=False).writable()
        with directory:
            ClaimedSignIn(directory, made).save(kept)
        return made

    @contextmanager
    def claimed(self, wanted: str) -> Generator[ClaimedSignIn]:
        """The pending sign-in of that id, for this process alone within the block.

        Raises SignInError: `expired` (`details.reason`: `unknown_id`) if there is none; `network`
        (`lock_busy`) while another process has it; storage errors.
        """
        path = self.home / PENDING_DIRECTORY / f"{wanted}{_SUFFIX}"
        if not _ID.fullmatch(wanted) or path.name not in self._names():
            raise _unknown()
        with reporting(ErrorKind.AUTH_WRITE_FAILED, path):
            directory = file_place(self.home, PENDING_DIRECTORY, path.name, follow=False).writable()
        with directory:
            with reporting(ErrorKind.AUTH_WRITE_FAILED, path):
                lock = take_lock(directory, wanted + _LOCK, soft=False)
            if lock is None:
                raise _busy()
            try:
                claimed = ClaimedSignIn(directory, wanted)
                if directory.lstat(path.name) is None:  # over, just now
                    claimed.discard()
                    raise _unknown()
                yield claimed
            finally:
                lock.give_back()

    def sweep(self, wall: float) -> None:
        """Forget what has expired at the Unix time `wall`, or cannot be read, unless somebody has it. What
        cannot be removed stays.
        """
        with contextlib.suppress(SignInError):
            names = self._names()
            for wanted in {name.removesuffix(_SUFFIX).removesuffix(_LOCK) for name in names}:
                if _ID.fullmatch(wanted):
                    with contextlib.suppress(SignInError):
                        self._forget_if_over(wanted, wall)
            for name in names:
                if _is_temporary(name):
                    with contextlib.suppress(SignInError):
                        self._forget_if_cut_off(name, wall)

    def _forget_if_over(self, wanted: str, wall: float) -> None:
        name = wanted + _SUFFIX
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / PENDING_DIRECTORY):
            directory = file_place(self.home, PENDING_DIRECTORY, name, follow=False).writable()
            with directory:
                if not _is_over(directory, name, wall):  # looked at first: a lock would keep others out
                    return
                if (lock := take_lock(directory, wanted + _LOCK, soft=False)) is None:
                    return
                try:
                    if _is_over(directory, name, wall):
                        ClaimedSignIn(directory, wanted).discard()
                finally:
                    lock.give_back()

    def _forget_if_cut_off(self, name: str, wall: float) -> None:
        """Of a start that was killed: it may hold what the server issued. Nobody has a lock to write it."""
        with reporting(ErrorKind.AUTH_WRITE_FAILED, self.home / PENDING_DIRECTORY):
            directory = file_place(self.home, PENDING_DIRECTORY, name, follow=False).writable()
            with directory:
                found = directory.lstat(name)
                if found is not None and abs(wall - found.st_mtime) >= CUT_OFF:
                    remove_name(directory, name)

    def _names(self) -> list[str]:
        place = directory_place(self.home, PENDING_DIRECTORY, follow=False)
        with (
            reporting(ErrorKind.AUTH_READ_FAILED, self.home / PENDING_DIRECTORY),
            place.reading() as directory,
        ):
            return [] if directory is None else directory.names()


def _read(content: Secret[bytes]) -> PendingRecord | None:
    """What a file holds; None if it cannot be read."""
    try:
        fields = read_object(content.reveal(), _LONGEST)
    except NotStrictJsonError:
        return None
    checkpoint, expires_at = fields.get("checkpoint"), fields.get("expires_at")
    if fields.get("schema_version") != _VERSION or not isinstance(checkpoint, dict):
        return None
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        return None
    return PendingRecord(cast("dict[str, Any]", checkpoint), expires_at)


def _is_temporary(name: str) -> bool:
    """Whether it is a temporary file of a pending sign-in."""
    kept = name[:16] + _SUFFIX
    return _ID.fullmatch(name[:16]) is not None and is_temporary(name, kept)


def _is_over(directory: Directory, name: str, wall: float) -> bool:
    content = read_file(directory, name, _LONGEST)
    kept = None if content is None else _read(content)
    return kept is None or not wall < kept.expires_at


def _unknown() -> SignInError:
    text = "No sign-in with this id: it is over, has expired, or was started with another store."
    return attrs.evolve(SignInError.of(ErrorKind.EXPIRED, text, reason="unknown_id"), next_actions=_START)


def _busy() -> SignInError:
    text = "Another process is finishing this sign-in."
    error = SignInError.of(ErrorKind.NETWORK, text, reason="lock_busy")
    return attrs.evolve(error, next_actions=("Wait until it is done, or end it and try again.",))


# -- the two commands ----------------------------------------------------------------------------------


_UNSAVED: Final = "The sign-in could not be saved. It goes on, but no other process can finish it."


def run_start(args: argparse.Namespace) -> int:
    """Begin a sign-in with a device code, keep it, and say how to go on. Raises SignInError."""
    provider = chosen_provider(args)
    if provider.device_authorization_endpoint is None:
        raise no_device_code(provider)
    store = FileStore(args.store)
    store.prepare()
    pending = PendingSignIns(store.home)
    pending.sweep(time.time())
    account, workspaces = signing_in(args, store, provider)
    flow = DeviceFlow(provider=provider, workspaces=workspaces, account=account)
    interrupt = Interrupt()
    with interrupt, interrupt.cancels(_world(None)) as world:
        prompt = _begin(flow, world)
        at, wall = world.now()
    kept = PendingRecord(flow.checkpoint(at=at, wall=wall, handed_over=True), prompt.expires_at)
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
        if prompt.verification_uri_complete is not None:
            about["verification_uri_complete"] = prompt.verification_uri_complete
        emit({"ok": True, **about})
        return
    for line in prompt_lines(prompt):
        complain(line)  # the person needs it, however quiet it is to be
    say_action(f"Then finish the sign-in: {command('login', 'finish', made)}", hint)
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
        from codex_oauth.cli.errors import EXIT_CODES

        report(error, as_json=True, event="error")
        return EXIT_CODES[error.kind]
    finally:
        view.close()
        PendingSignIns(store.home).sweep(time.time())
    try:
        say_signed_in(args, credential, store)
    except NoOutput:
        hint("codex-oauth: you are signed in, but the result could not be printed.")
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
        guide = Guide(view, args, flow.provider)
        world = interrupt.cancels(observed(_world(view), view, args))
        with closing(guide), PromptedWorld(world, guide.prompt) as world:
            outcome = _go_on(flow, world, _saving(claimed, kept, view))
            if isinstance(outcome, SignInError):
                raise _left(claimed, named_both(outcome, _asked(flow, store)))
            try:
                signed_in = finish_sign_in(outcome, store, flow.provider, world, revoke_old=args.revoke_old)
            finally:
                claimed.discard()
        if signed_in.replaced_revoked is False:
            from codex_oauth.sign_in import NOT_CONFIRMED

            view.note(NOT_CONFIRMED)
    return outcome


def _restored(claimed: ClaimedSignIn, kept: PendingRecord) -> DeviceFlow | BrowserFlow:
    """The flow that was put down. Its issuer was named when it was started."""
    try:
        return restore(kept.checkpoint, CODEX.at(str(kept.checkpoint.get("issuer"))))
    except CheckpointError as error:
        raise claimed.damaged(error.reason) from None
    except ValueError:  # no issuer
        raise claimed.damaged("malformed") from None


def _asked(flow: DeviceFlow | BrowserFlow, store: FileStore) -> str | None:
    """Whom the sign-in was started for."""
    account = flow.account
    if account is None or isinstance(account, str):
        return account
    with contextlib.suppress(SignInError):
        if len(kept := find_logins(store, account.key)) == 1 and (credential := kept[0].credential):
            return name_of(credential)
    return account.account_id or account.user_id or account.key


def _go_on(
    flow: DeviceFlow | BrowserFlow,
    world: World,
    save: Callable[[DeviceFlow | BrowserFlow, World], None],
) -> Credential | SignInError:
    effect = flow.receive(Resumed(*world.now()))
    while not isinstance(effect, Finished):
        save(flow, world)
        effect = flow.receive(world.perform(effect))
    assert isinstance(effect.outcome, Credential | SignInError)
    return effect.outcome


def _saving(
    claimed: ClaimedSignIn, kept: PendingRecord, view: View
) -> Callable[[DeviceFlow | BrowserFlow, World], None]:
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


def _left(claimed: ClaimedSignIn, error: SignInError) -> SignInError:
    """How a sign-in that failed is left: one that was cancelled here can be finished later, and
    one that a setting of this machine stops, too.
    """
    later = f"Finish it later: {command('login', 'finish', claimed.id)}"
    if error.kind is ErrorKind.MISCONFIGURED:
        return attrs.evolve(error, next_actions=(*error.next_actions, later))
    if error.kind is not ErrorKind.CANCELLED:
        claimed.discard()
        return error
    return attrs.evolve(error, message="The sign-in is still pending.", next_actions=(later,))


def _world(view: View | None) -> World:
    from codex_oauth.worlds.httpx_world import HttpxWorld

    return HttpxWorld() if view is None else HttpxWorld(on_wait=view.wait, on_tick=view.tick)
