"""`codex-oauth login`: sign in with the browser or with a device code.

Rules of this file: whatever is wrong with the command line is known before anything starts; who is signed in
already, who was asked for and who signed in are named.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

import attrs

from codex_oauth.cli.account import still_signed_in, summary, tell_of_the_variable
from codex_oauth.cli.accounts import name_of, signing_in
from codex_oauth.cli.fast import ACCOUNT_VARIABLE
from codex_oauth.cli.guide import Guide, view_for
from codex_oauth.cli.observing import Interrupt, observed
from codex_oauth.cli.output import (
    NoOutput,
    complain,
    detail,
    emit,
    hint,
    printable,
    result,
    say_action,
)
from codex_oauth.cli.pasteable import as_pasted, command
from codex_oauth.cli.providers import chosen_provider, no_device_code
from codex_oauth.cli.report import report
from codex_oauth.cli.trace import tracing
from codex_oauth.cli.views import View
from codex_oauth.provider_names import APP_NAME, is_official, plan_use, sign_in_again
from codex_oauth.sign_in import login
from codex_oauth.stores.file_store import FileStore
from codex_oauth.stores.find import find_logins, kept_logins
from codex_oauth.worlds.callbacks import CallbackSource
from codex_oauth.worlds.world import World
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import OTHER_PERSON, ErrorKind, SignInError
from codex_oauth_core.provider import Provider
from codex_oauth_core.providers import is_of_provider, provider_of
from codex_oauth_core.record import Record

__all__ = ["named_both", "run_login", "say_signed_in"]


# -- who signed in -------------------------------------------------------------------------------------


def named_both(error: SignInError, asked: str | None) -> SignInError:
    """The error, which names who was asked for and who signed in, if it is that. Without a name, it is who
    signed in here before.
    """
    if error.kind is ErrorKind.WORKSPACE_RESTRICTED and asked is not None:
        text = f"You asked for {printable(asked, 130)}. {error.message} Nothing was stored."
        return attrs.evolve(error, message=text, next_actions=_other_account())
    if error.details.get("reason") != OTHER_PERSON:
        return error
    who = printable(str(error.details.get("signed_in_as") or "another account"), 130)
    if asked is None:
        text = f"{who} signed in, and not the account that signed in here before. Nothing was stored."
        anew = f"Or sign in as another account: {command('login', '--register-anew')}"
        return attrs.evolve(error, message=text, next_actions=(_other_account()[0], anew))
    text = f"You asked for {printable(asked, 130)}, and {who} signed in. Nothing was stored."
    return attrs.evolve(error, message=text, next_actions=_other_account())


def _other_account() -> tuple[str, str]:
    """What to do after the wrong account signed in."""
    return (
        "In the browser sign out of that account, and then sign in again.",
        f"Or store the login of any account: {command('login', account=None)}",
    )


# -- the command ---------------------------------------------------------------------------------------


def run_login(args: argparse.Namespace) -> int:
    """Sign in, and keep the login. Raises SignInError, UsageError."""
    from codex_oauth.transport.httpx_messages import check_settings
    from codex_oauth.worlds.httpx_world import HttpxWorld

    _refuse_without_a_person(named=args.device or args.browser)
    store = FileStore(args.store)
    provider = chosen_provider(args)
    if args.device and provider.device_authorization_endpoint is None:
        raise no_device_code(provider)
    account, workspaces = signing_in(args, store, provider)
    before = still_signed_in()
    used_a_plan = _plans_in_use(store) if is_official(provider) else frozenset[str]()
    interrupt = Interrupt()

    with tracing(args.trace, complain) as record:
        view = view_for(args)
        guide = Guide(view, args, provider)

        def make_world(callbacks: Sequence[CallbackSource]) -> World:
            world = HttpxWorld(on_wait=view.wait, on_tick=view.tick, callbacks=callbacks)
            return interrupt.cancels(observed(world, view, args))

        try:
            check_settings(provider)
            if before is not None:
                view.note(_what_becomes_of(before, provider, revoke_old=args.revoke_old))
            with interrupt:
                credential = login(
                    device=True if args.device else False if args.browser else None,
                    on_prompt=guide.prompt,
                    on_note=guide.note,
                    provider=provider,
                    store=store,
                    revoke_old=args.revoke_old,
                    workspaces=workspaces,
                    account=account,
                    open_browser=not args.no_open,
                    ports=None if args.port is None else (args.port,),
                    callbacks=_pastes(view) if args.paste else (),
                    make_world=make_world,
                    record=record,
                    app_name=args.app_name or APP_NAME,
                    enable_plan=args.enable_plan,
                    register_anew=args.register_anew,
                )
                view.done()
        except SignInError as failed:
            error = named_both(failed, args.account)
            if not args.json:
                raise error from None
            from codex_oauth.cli.errors import EXIT_CODES

            report(error, as_json=True, event="error")
            return EXIT_CODES[error.kind]
        finally:
            guide.close()
            view.close()
    try:
        say_signed_in(args, credential, store, new_plan=credential.key not in used_a_plan)
    except NoOutput:
        hint("codex-oauth: you are signed in, but the result could not be printed.")
        raise
    return 0


def _what_becomes_of(before: Credential, provider: Provider, *, revoke_old: bool) -> str:
    """Who is signed in, and what the new sign-in means for that login: only one of the same account replaces
    it.
    """
    who = f"You are signed in as {name_of(before)}."
    if not is_of_provider(before, provider):
        return f"{who} That login stays here, and the new one becomes the one in use."
    replaces = f"{who} A new sign-in of this account replaces that login"
    return f"{replaces}, and ends it." if revoke_old else f"{replaces}; --revoke-old also ends it."


def say_signed_in(
    args: argparse.Namespace, credential: Credential, store: FileStore, *, new_plan: bool = False
) -> None:
    """Describe the login that is now stored. `new_plan`: nobody was told yet that it uses a plan. Raises
    NoOutput.
    """
    if args.json:
        emit({"event": "done", "ok": True, **summary(Record(credential), store, credential.key)})
        return
    result(f"Signed in as {name_of(credential)}.")
    uses = plan_use(credential)
    if uses is not None:
        for line in _about_the_plan(credential, store, uses=uses, new=new_plan):
            result(line)
    detail(f"Stored in {printable(str(store.slot(credential.key).path), 4096)}.")
    if uses is not False:
        say_action(f"See the login: {command('status', account=None)}", hint)
    named = os.environ.get(ACCOUNT_VARIABLE)
    if named and credential.key not in {each.key for each in find_logins(store, named)}:
        tell_of_the_variable()


def _about_the_plan(credential: Credential, store: FileStore, *, uses: bool, new: bool) -> tuple[str, ...]:
    """What requests with the login use: told in full once."""
    provider = provider_of(credential)
    if provider is None:
        return ()
    service = provider.texts.service
    if not uses:
        ask = sign_in_again(credential, store, "--enable-plan")
        return (
            f"This application may not use your {service} plan, and can make no request yet.",
            as_pasted(f"Ask for it again: {ask}"),
        )
    if not new:
        return (f"{provider.texts.in_use}.",)
    told = f"Requests use your {service} plan."
    return (told, f"Manage usage: {provider.texts.usage_page}") if provider.texts.usage_page else (told,)


def _plans_in_use(store: FileStore) -> frozenset[str]:
    """The keys of the logins whose people know that a plan is used."""
    try:
        credentials = [login.credential for login in kept_logins(store)]
    except SignInError:  # the sign-in says what is wrong with the store
        return frozenset()
    return frozenset(each.key for each in credentials if each is not None and plan_use(each))


def _pastes(view: View) -> tuple[CallbackSource, ...]:
    from codex_oauth.browser.paste import EXPLANATIONS, PasteSource

    return (PasteSource(lambda reason: view.warn(f"{EXPLANATIONS[reason]} Try again.")),)


def _refuse_without_a_person(*, named: bool) -> None:
    """In CI a login that nobody asked for by name would wait for nobody."""
    if os.environ.get("CI", "").lower() in ("", "0", "false") or named:
        return
    text = "This looks like CI, where no one can approve a sign-in."
    ways = (
        "Use a login that was made elsewhere: set CODEX_OAUTH_HOME to its directory.",
        f"Or copy the access token of the Codex CLI: {command('import', '--from-codex')}",
        f"If someone watches and can approve it: {command('login', '--device')}",
    )
    raise attrs.evolve(SignInError.of(ErrorKind.LOGIN_REQUIRED, text), next_actions=ways)
