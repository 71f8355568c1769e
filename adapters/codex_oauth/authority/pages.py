"""The authority's pages: where a person types a code, and says yes or no; and their one style sheet.

Rules of this file: every value is escaped; a page needs no script and loads nothing; each says that this is
a test authority; none may be put into a frame, and forms may lead anywhere, because an approval leads to
the client's redirect URI. System fonts, no image, no motion; text contrast is at least 4.5 to 1 in both
colour schemes, and borders of controls 3 to 1 (WCAG 2.2 §1.4.3 and §1.4.11).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from codex_oauth.authority.messages import Answer
from codex_oauth.authority.policy import Account
from codex_oauth_core.secret import Secret

__all__ = [
    "CARE",
    "FAVICON",
    "NOBODY",
    "SCOPES",
    "STYLE",
    "ask_for_code",
    "consent",
    "decided",
    "favicon",
    "hidden_fields",
    "message",
    "redirect",
    "whole_page",
]


STYLE: Final = """
:root{color-scheme:light dark;
--ground:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#57606a;--line:#d8dce1;--edge:#7d8590;
--accent:#0b5cad;--on-accent:#fff;--accent-deep:#084a8c;
--warn:#fff4d6;--warn-text:#5c4300;--warn-line:#e6c667;--bad:#a8071a;--good:#116329}
@media (prefers-color-scheme:dark){:root{
--ground:#0f1216;--card:#181c22;--text:#e8ebef;--soft:#a5aeb9;--line:#2d343d;--edge:#7a8591;
--accent:#7db7ff;--on-accent:#06203d;--accent-deep:#a3cdff;
--warn:#2b2410;--warn-text:#f3dc9c;--warn-line:#6b5a22;--bad:#ff9a9a;--good:#7fdc9a}}
*{box-sizing:border-box}
html{font:100%/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
body{margin:0;min-height:100vh;background:var(--ground);color:var(--text);overflow-wrap:anywhere}
.banner{margin:0;padding:.55rem 1rem;background:var(--warn);color:var(--warn-text);
border-bottom:1px solid var(--warn-line);text-align:center;font-size:.9rem}
main{max-width:28rem;margin:clamp(1rem,8vh,5rem) auto 2rem;padding:clamp(1.25rem,6vw,2.25rem);
background:var(--card);border:1px solid var(--line);border-radius:14px;width:calc(100% - 1.5rem)}
h1{margin:0 0 .75rem;font-size:1.45rem;line-height:1.25;letter-spacing:-.01em;text-wrap:balance}
p{margin:0 0 1rem}
main>:last-child{margin-bottom:0}
.soft{color:var(--soft)}
.problem{color:var(--bad);font-weight:600}
.mark{display:block;margin:0 0 1rem;width:2.5rem;height:2.5rem;border-radius:50%;
border:2px solid currentColor;text-align:center;line-height:2.25rem;font-size:1.25rem;font-weight:700}
.good{color:var(--good)}.bad{color:var(--bad)}
label{display:block;margin:0 0 .35rem;font-weight:600}
input{display:block;width:100%;min-height:3.25rem;padding:.5rem .75rem;margin:0 0 .4rem;
font:600 1.35rem/1.2 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
letter-spacing:.14em;text-align:center;text-transform:uppercase;
color:inherit;background:transparent;border:1px solid var(--edge);border-radius:9px}
input[aria-invalid]{border-color:var(--bad);border-width:2px}
.hint{margin:0 0 1.25rem;font-size:.9rem;color:var(--soft)}
dl{margin:0 0 1.25rem;border-top:1px solid var(--line)}
dl div{padding:.6rem 0;border-bottom:1px solid var(--line)}
dt{font-size:.85rem;color:var(--soft)}
dd{margin:0;font-weight:500}
dd small{display:block;overflow-wrap:anywhere;font-size:.85rem;font-weight:400;color:var(--soft)}
code{font:600 1.1rem/1.4 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
letter-spacing:.08em}
.care{margin:0 0 1.25rem;padding:.75rem .9rem;border-left:4px solid var(--warn-line);
background:var(--warn);color:var(--warn-text);border-radius:0 9px 9px 0}
.choice{display:flex;flex-wrap:wrap;gap:.75rem}
button{flex:1 1 8rem;width:100%;min-height:2.9rem;padding:.5rem 1rem;font:inherit;font-weight:600;
border-radius:9px;border:1px solid var(--edge);background:transparent;color:inherit;cursor:pointer}
button.main{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
button.main:hover{background:var(--accent-deep);border-color:var(--accent-deep)}
button:not(.main):hover{background:var(--ground)}
a{color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
""".strip()

FAVICON: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    b'<circle cx="16" cy="16" r="14" fill="#0b5cad"/>'
    b'<path d="M10 16.5l4.2 4.2L22.5 12" fill="none" stroke="#fff" stroke-width="3.2"'
    b' stroke-linecap="round" stroke-linejoin="round"/></svg>'
)


# -- the pages -----------------------------------------------------------------------------------------


def _headers(style: str) -> tuple[tuple[str, str], ...]:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )
    return (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", policy),
        ("X-Frame-Options", "DENY"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    )


_BANNER: Final = "<strong>Test authority.</strong> Its tokens are fake and open nothing."
CARE: Final = (
    '<p class="care"><strong>Only approve if you started this sign-in yourself just now.</strong> '
    "If somebody sent you here, deny it.</p>"
)
SCOPES: Final[Mapping[str, str]] = {
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
{hidden_fields(csrf=csrf.reveal())}
<label for="user_code">Code</label>
<input id="user_code" name="user_code" value="{escape(typed)}" required maxlength="40" autofocus
 autocomplete="off" autocapitalize="characters" spellcheck="false" aria-describedby="{described}"{wrong}>
<p class="hint" id="hint">Eight letters. Upper or lower case and the dash do not matter.</p>
<button class="main">Continue</button>
</form>"""
    return whole_page(
        "Enter the code" if problem is None else "Code not accepted", body, 404 if problem else 200
    )


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
        "Account": _whose(account),
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
{CARE}{_choice(action, hidden) if can_approve else NOBODY}"""
    return whole_page("Approve this sign-in?", body)


def _whose(account: Account) -> str:
    who = escape(account.email or account.name or "somebody without an email address")
    return who if account.plan is None else f"{who} <small>{escape(account.plan)} plan</small>"


def _meaning(scopes: Sequence[str]) -> str:
    meaning = ", ".join(SCOPES.get(scope, scope) for scope in scopes)
    return f"{escape(meaning)} <small>{escape(' '.join(scopes))}</small>"


NOBODY: Final = '<p class="problem">This authority was told that nobody may decide.</p>'


def _choice(action: str, hidden: Mapping[str, str]) -> str:
    return f"""<form method="post" action="{escape(action)}">
{hidden_fields(**hidden)}
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
    return whole_page(
        title, f'<span class="mark {kind}" aria-hidden="true">{mark}</span><h1>{title}</h1><p>{text}</p>'
    )


def message(title: str, text: str, status: int, *, start_over: bool = False) -> Answer:
    """A page that only says something: an error, mostly."""
    again = '<p><a href="/codex/device">Enter a code</a></p>' if start_over else ""
    return whole_page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>{again}", status)


def redirect(location: str, delay: float = 0.0) -> Answer:
    """On to `location`, after `delay` seconds. As a GET, even from a form (RFC 9700 §4.12)."""
    headers = (*_headers(STYLE), ("Location", location))
    return Answer(status=303, headers=headers, delay=delay)


def favicon() -> Answer:
    """The little picture in the browser's tab."""
    headers = (("Content-Type", "image/svg+xml"), ("Content-Security-Policy", "default-src 'none'"))
    return Answer(status=200, headers=headers, body=Secret(FAVICON))


def hidden_fields(**fields: str) -> str:
    """The hidden fields of a form, as HTML."""
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )


def whole_page(title: str, body: str, status: int = 200, style: str = STYLE) -> Answer:
    """A page around `body` (HTML), with one style sheet: ours, or one that begins with it."""
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)} · codex-oauth test authority</title>
<link rel="icon" href="/favicon.ico" type="image/svg+xml">
<style>{style}</style>
</head>
<body>
<header><p class="banner">{_BANNER}</p></header>
<main>{body}
</main>
</body>
</html>
"""
    return Answer(status=status, headers=_headers(style), body=Secret(text.encode()))
