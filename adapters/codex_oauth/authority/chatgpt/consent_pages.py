"""The pages of the official sign-in: who asks for what, in which account, and with the plan or without it.

Rules of this file: those of `pages`; the first button of a form is the one that gives nothing away, because
the Enter key presses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from codex_oauth.authority import pages
from codex_oauth.authority.chatgpt.plan_grants import Registration
from codex_oauth.authority.chatgpt.settings import PLAN_SCOPE, Person, Workspace
from codex_oauth.authority.messages import Answer

__all__ = ["AUTHORIZE_PATH", "choose_account", "plan_consent"]

AUTHORIZE_PATH: Final = "/api/accounts/authorize"

_STYLE: Final = (
    pages.STYLE
    + """
fieldset{margin:0 0 1.25rem;padding:0;border:0;min-width:0}
legend{margin:0 0 .35rem;padding:0;font-weight:600}
.pick{display:flex;gap:.75rem;align-items:center;margin:0 0 .5rem;padding:.6rem .75rem;
border:1px solid var(--edge);border-radius:9px;font-weight:500;cursor:pointer}
.pick:has(:checked){border-color:var(--accent);box-shadow:inset 0 0 0 1px var(--accent)}
.pick small{display:block;font-size:.85rem;font-weight:400;color:var(--soft)}
input[type=radio]{flex:none;width:1.15rem;min-height:1.15rem;height:1.15rem;margin:0;accent-color:var(--accent)}
input.name{font:inherit;font-weight:500;letter-spacing:normal;text-align:left;text-transform:none}
.choice.stacked{flex-direction:column}
.choice.stacked button{flex:none}
"""
)
_WHAT: Final = {
    PLAN_SCOPE: "use your ChatGPT plan for its requests",
    "resource.invoke": "send requests for you",
}


def plan_consent(
    *,
    hidden: dict[str, str],
    name: str,
    people: Sequence[Person],
    registration: Registration | None,
    scopes: Sequence[str],
    returns_to: str,
    can_approve: bool,
) -> Answer:
    """The consent page. Without a `registration` the name may be changed, and an account is chosen."""
    if registration is None:
        who = f"""<label for="agent_name">Name of the program</label>
<input class="name" id="agent_name" name="agent_name" value="{escape(name)}" required maxlength="100"
 autocomplete="off" spellcheck="false">
<p class="hint">This is how it will stand in your settings.</p>
{_accounts("Account and workspace", _places(people))}"""
        told: dict[str, str] = {}
    else:
        person, workspace = registration.person, registration.workspace
        who = ""
        told = {
            "Program": f"{escape(registration.name)} <small>{escape(registration.client_id)}</small>",
            "Account": f"{escape(person.email)} <small>{escape(workspace.name)}</small>",
        }
    rows = {**told, "It may": _scopes(scopes), "Returns to": escape(returns_to)}
    table = "".join(f"<div><dt>{key}</dt><dd>{value}</dd></div>" for key, value in rows.items())
    buttons = """<div class="choice stacked">
<button name="decision" value="deny">Deny</button>
<button name="decision" value="no_plan">Sign in, but no plan use</button>
<button class="main" name="decision" value="approve">Sign in and use my plan</button>
</div>"""
    body = f"""
<h1>Continue with ChatGPT?</h1>
<form method="post" action="{AUTHORIZE_PATH}">
{pages.hidden_fields(**hidden)}
{who}<dl>{table}</dl>
{pages.CARE}{buttons if can_approve else pages.NOBODY}
</form>"""
    return pages.whole_page("Continue with ChatGPT?", body, style=_STYLE)


def choose_account(*, hidden: dict[str, str], people: Sequence[Person], can_approve: bool) -> Answer:
    """The page of a returning program that did not say who is signing in."""
    picks = [(person.subject, person.email, person.name) for person in people]
    buttons = """<div class="choice">
<button name="decision" value="deny">Cancel</button>
<button class="main" name="decision" value="approve">Continue</button>
</div>"""
    body = f"""
<h1>Choose an account</h1>
<form method="post" action="{AUTHORIZE_PATH}">
{pages.hidden_fields(**hidden)}
{_accounts("Account", picks)}{buttons if can_approve else pages.NOBODY}
</form>"""
    return pages.whole_page("Choose an account", body, style=_STYLE)


def _places(people: Sequence[Person]) -> list[tuple[str, str, str]]:
    def place(person: Person, workspace: Workspace) -> tuple[str, str, str]:
        return f"{person.subject} {workspace.workspace_id}", person.email, workspace.name

    return [place(person, workspace) for person in people for workspace in person.workspaces]


def _accounts(legend: str, picks: Sequence[tuple[str, str, str]]) -> str:
    rows = "".join(
        f'<label class="pick"><input type="radio" name="account" value="{escape(value)}"'
        f"{' checked' if place == 0 else ''}><span>{escape(text)}<small>{escape(more)}</small></span></label>"
        for place, (value, text, more) in enumerate(picks)
    )
    return f"<fieldset><legend>{legend}</legend>{rows}</fieldset>"


def _scopes(scopes: Sequence[str]) -> str:
    meaning = [_WHAT.get(scope, pages.SCOPES.get(scope, scope)) for scope in scopes]
    return f"{escape(', '.join(meaning))} <small>{escape(' '.join(scopes))}</small>"
