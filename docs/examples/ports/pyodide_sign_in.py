"""What the page of pyodide_page.py runs in the browser: a sign-in by device code.

Rules of this file: it tells JavaScript what a person must see, and no token.
"""

from __future__ import annotations

from collections.abc import Callable

from pyodide_world import PyodideWorld

from codex_oauth import CODEX, Credential, DeviceFlow, DevicePrompt, Wait, arun

__all__ = ["cancel", "sign_in"]

_WORLDS: list[PyodideWorld] = []
"""The one of the sign-in that goes on."""


async def sign_in(issuer: str, show: Callable[[str, str], None]) -> str:
    """What came of it, in words. `show` gets the page to open and the code to type there."""
    shown: list[DevicePrompt] = []

    def on_wait(wait: Wait) -> None:
        prompt = wait.prompt
        if isinstance(prompt, DevicePrompt) and prompt not in shown:
            shown.append(prompt)
            show(prompt.verification_uri, prompt.user_code)

    async with PyodideWorld(on_wait=on_wait) as world:
        _WORLDS[:] = [world]
        outcome = await arun(DeviceFlow(provider=CODEX.at(issuer)), world)
    if isinstance(outcome, Credential):
        return f"You are signed in, with the account {outcome.account_id}."
    return f"{outcome.message}"


def cancel() -> None:
    """The person gives up."""
    for world in _WORLDS:
        world.cancel()
