"""The authority's pages: where a person types a code, and says yes or no.

Rules of this file: every value is escaped; a page needs no script and loads nothing; each says that
this is a test authority; none may be put into a frame, and forms may lead anywhere, because an approval
leads to the client's redirect URI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from codex_oauth.authority.answer import Answer
from codex_oauth.authority.policy import Account
from codex_oauth.authority.style import FAVICON, STYLE, STYLE_HASH
from codex_oauth_core.secret import Secret

__all__ = ["ask_for_code", "consent", "decided", "favicon", "message", "redirect"]

_POLICY: Final = (
    f"default-src 'none'; style-src '{STYLE_HASH}'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE_HEADERS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", _POLICY),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
_BANNER: Final = "<strong>Test authority.</strong> Its tokens are fake and open nothing."
_CARE: Final = (
    '<p class="care"><strong>Only approve if you started this sign-in yourself just now.</strong> '
    "If somebody sent you here, deny it.</p>"
)
_SCOPES: Final[Mapping[str, str]] = {
    "openid": "know who you are",
    "profile": "see your name",
    "email": "see your e-mail address",
    "offline_access": "stay signed in",
}


def ask_for_code(csrf: Secret[str], typed: str = "", problem: str | None = None) -> Answer:
    """The page where a person types the code that the device shows (RFC 8628 §3.3)."""
    alert = f'<p class="problem" id="problem" role="alert">{escape(problem)}</p>' if problem else ""
    wrong = ' aria-invalid="true"' if problem else ""
    described = "problem hint" if problem else "hint"
    body = f"""
<h1>Enter the code from your device</h1>
<p class="soft">The program that is signing in shows you a code.</p>
{alert}<form method="post" action="/codex/device">
{_hidden(csrf=csrf.reveal())}
<label for="user_code">Code</label>
<input id="user_code" name="user_code" value="{escape(typed)}" required maxlength="40" autofocus
 autocomplete="off" autocapitalize="characters" spellcheck="false" aria-describedby="{described}"{wrong}>
<p class="hint" id="hint">Eight letters. Upper or lower case and the dash do not matter.</p>
<button class="main">Continue</button>
</form>"""
    return _page("Enter the code" if problem is None else "Code not accepted", body, 404 if problem else 200)


def consent(
    *,
    action: str,
    hidden: Mapping[str, str],
    client_id: str,
    account: Account,
    scopes: Sequence[str],
    user_code: str | None = None,
    returns_to: str | None = None,
    can_approve: bool = True,
) -> Answer:
    """The page that says who asks for what, with the two answers. `hidden` are its form's own fields."""
    rows = {
        "Client": f"Codex <small>{escape(client_id)}</small>",
        "Account": f"{escape(account.email)} <small>{escape(account.plan)} plan</small>",
        "It may": _meaning(scopes),
    }
    if user_code:
        rows = {"Code": f"<code>{escape(user_code)}</code>", **rows}
    if returns_to:
        rows["Returns to"] = escape(returns_to)
    table = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows.items())
    check = "<p>Check that your device shows the same code.</p>" if user_code else ""
    body = f"""
<h1>Approve this sign-in?</h1>
{check}<dl>{table}</dl>
{_CARE}{_choice(action, hidden) if can_approve else _NOBODY}"""
    return _page("Approve this sign-in?", body)


def _meaning(scopes: Sequence[str]) -> str:
    meaning = ", ".join(_SCOPES.get(scope, scope) for scope in scopes)
    return f"{escape(meaning)} <small>{escape(' '.join(scopes))}</small>"


_NOBODY: Final = '<p class="problem">This authority was told that nobody may decide.</p>'


def _choice(action: str, hidden: Mapping[str, str]) -> str:
    return f"""<form method="post" action="{escape(action)}">
{_hidden(**hidden)}
<div class="choice">
<button name="decision" value="deny">Deny</button>
<button class="main" name="decision" value="approve">Approve</button>
</div></form>"""


def decided(*, approved: bool) -> Answer:
    """The page after a decision."""
    if approved:
        return _end("Sign-in approved", "good", "✓", "You can close this page and go back to your device.")
    return _end("Sign-in denied", "bad", "✕", "Nothing was signed in. You can close this page.")


def _end(title: str, kind: str, mark: str, text: str) -> Answer:
    return _page(
        title, f'<span class="mark {kind}" aria-hidden="true">{mark}</span><h1>{title}</h1><p>{text}</p>'
    )


def message(title: str, text: str, status: int, *, start_over: bool = False) -> Answer:
    """A page that only says something: an error, mostly."""
    again = '<p><a href="/codex/device">Enter a code</a></p>' if start_over else ""
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>{again}", status)


def redirect(location: str, delay: float = 0.0) -> Answer:
    """On to `location`, after `delay` seconds. As a GET, even from a form (RFC 9700 §4.12)."""
    headers = (*_PAGE_HEADERS, ("Location", location))
    return Answer(status=303, headers=headers, delay=delay)


def favicon() -> Answer:
    """The little picture in the browser's tab."""
    headers = (("Content-Type", "image/svg+xml"), ("Content-Security-Policy", "default-src 'none'"))
    return Answer(status=200, headers=headers, body=Secret(FAVICON))


def _hidden(**fields: str) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )


def _page(title: str, body: str, status: int = 200) -> Answer:
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)} · codex-oauth test authority</title>
<link rel="icon" href="/favicon.ico" type="image/svg+xml">
<style>{STYLE}</style>
</head>
<body>
<header><p class="banner">{_BANNER}</p></header>
<main>{body}
</main>
</body>
</html>
"""
    return Answer(status=status, headers=_PAGE_HEADERS, body=Secret(text.encode()))
