"""What both front doors share, the blocking one and the asynchronous one: what they decide and say.

Rules of this file: nothing here blocks for long or performs an effect; a note is one plain line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from codex_oauth.browser.choose import Choice

from codex_oauth.entropy import new_pkce, new_state
from codex_oauth.loading import loading
from codex_oauth_core.credential import Credential
from codex_oauth_core.effects import BrowserPrompt, SendRequest, Wait
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.browser import BrowserFlow
from codex_oauth_core.flows.machine import Drivable
from codex_oauth_core.flows.sign_in import SignInFlow
from codex_oauth_core.provider import Provider

__all__ = [
    "NOT_CONFIRMED",
    "Recording",
    "browser_flow",
    "choose",
    "falls_back",
    "noted",
    "only_a_paste",
    "open_page",
    "unrecorded",
    "unsaid",
    "with_a_device_code",
]

NOT_CONFIRMED: Final = "The server did not confirm that it ended the login that was replaced."

Recording = Callable[[SignInFlow], Drivable[SendRequest | Wait, Credential]]
"""Makes the flow that is driven in place of another: a `codex_oauth_core.traces.Recorder` of it."""

_WAYS: Final = {"device": "a device code", "browser": "the browser"}


def choose() -> Choice:
    """How to sign in on this machine."""
    with loading("codex_oauth.browser.choose"):
        from codex_oauth.browser.choose import choose_here

    return choose_here()


def noted(choice: Choice) -> str:
    """The choice, for a person."""
    return f"Signing in with {_WAYS[choice.flow]}: {choice.reason}."


def falls_back(error: SignInError, device: bool | None) -> bool:
    """Whether a device code is the way out, after the browser could not be used."""
    return device is not False and error.kind is ErrorKind.CALLBACK_PORT_UNAVAILABLE


def with_a_device_code(error: SignInError) -> str:
    """Why the browser is not used, for a person."""
    return f"Signing in with a device code: {error.message}"


def only_a_paste(error: SignInError) -> str:
    """Why nobody listens, for a person."""
    return f"{error.message} Only a paste can finish this sign-in."


def browser_flow(provider: Provider, workspaces: tuple[str, ...], redirect_uri: str) -> BrowserFlow:
    """A new sign-in with the browser."""
    return BrowserFlow(
        redirect_uri=redirect_uri,
        pkce=new_pkce(),
        state=new_state(),
        provider=provider,
        workspaces=workspaces,
    )


def open_page(prompt: BrowserPrompt, provider: Provider) -> str | None:
    """Open the page in a browser, within a second; a note if that failed. Never raises.

    The page is on the provider's authorization endpoint, which need not be on its issuer (RFC 8414 §2).
    """
    with loading("codex_oauth.browser.open_browser"):
        from codex_oauth.browser.open_browser import NotOpened, open_url

    endpoint = urlsplit(provider.authorization_endpoint)
    outcome = open_url(prompt.authorize_url, origin=f"{endpoint.scheme}://{endpoint.netloc}")
    if not isinstance(outcome, NotOpened):
        return None
    return f"The browser was not opened: {outcome.reason}. Open the page yourself."


def unrecorded(flow: SignInFlow) -> Drivable[SendRequest | Wait, Credential]:
    """Nobody asked for a trace."""
    return flow


def unsaid(note: str) -> None:
    """Nobody asked for notes."""
