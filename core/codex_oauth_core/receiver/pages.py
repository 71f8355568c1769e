"""Every answer that the receiver can give, as bytes that are built once.

Rules of this file: an answer depends on nothing in the request, so nothing can be reflected; every one
has the same headers; the connection ends with it. There is no `Date`: the core has no clock
(RFC 9110 §6.6.1).

The style and the script of the pages, and the hashes by which their policy allows both.

Rules of this file: system fonts, no image, no motion, nothing loaded; text contrast is at least 7 to 1 in
both colour schemes (WCAG 2.2 §1.4.6), and the page fits 320 CSS pixels (§1.4.10).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

import attrs

__all__ = [
    "ALREADY_USED",
    "FAILED",
    "NOT_FOR_YOU",
    "RECEIVED",
    "SCRIPT",
    "SCRIPT_HASH",
    "SILENCE",
    "STYLE",
    "STYLE_HASH",
    "PageAnswer",
]


STYLE: Final = """
:root{color-scheme:light dark;
--ground:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#434b54;--line:#d8dce1;--good:#0f5425;--bad:#8f0616}
@media (prefers-color-scheme:dark){:root{
--ground:#0f1216;--card:#181c22;--text:#e8ebef;--soft:#b9c1cb;--line:#2d343d;--good:#8ce0a5;--bad:#ffb0b0}}
*{box-sizing:border-box}
html{font:100%/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
body{margin:0;min-height:100vh;background:var(--ground);color:var(--text);overflow-wrap:anywhere}
main{width:calc(100% - 1.5rem);max-width:28rem;margin:clamp(.75rem,14vh,9rem) auto;
padding:clamp(1.25rem,6vw,2.25rem);background:var(--card);border:1px solid var(--line);border-radius:14px}
.mark{display:block;width:2.5rem;height:2.5rem;margin:0 0 1rem;border:2px solid;border-radius:50%;
color:var(--soft);text-align:center;line-height:2.25rem;font-size:1.25rem;font-weight:700}
.good{color:var(--good)}.bad{color:var(--bad)}
h1{margin:0 0 .75rem;font-size:1.45rem;line-height:1.25;letter-spacing:-.01em;text-wrap:balance}
p{margin:0;color:var(--soft)}
""".strip()

SCRIPT: Final = 'history.replaceState(null,"",location.pathname)'
"""Takes the query, and with it the code and the state, out of the address bar and the history
(RFC 9700 §4.3).
"""


def _hash(text: str) -> str:
    """The source expression that allows an inline element (CSP level 3 §2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


STYLE_HASH: Final = _hash(STYLE)
SCRIPT_HASH: Final = _hash(SCRIPT)


# -- pages ---------------------------------------------------------------------------------------------


_POLICY: Final = (
    f"default-src 'none'; style-src '{STYLE_HASH}'; script-src '{SCRIPT_HASH}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Connection": "close",
}
_REASONS: Final[Mapping[int, str]] = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    410: "Gone",
    414: "URI Too Long",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
_REFUSALS: Final = (400, 403, 404, 405, 414, 421, 431, 503)


@attrs.frozen
class PageAnswer:
    """A response in two parts: to HEAD only the first is sent (RFC 9110 §9.3.2)."""

    head: bytes
    body: bytes


@attrs.frozen
class _Page:
    """What a person reads: the outcome, then what to do. `ours` pages tidy the address bar; the others
    leave a redirect that went astray where it can still be copied.
    """

    title: str
    text: str
    mark: str
    kind: str
    ours: bool = True

    def html(self) -> bytes:
        script = f"<script>{SCRIPT}</script>\n" if self.ours else ""
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{self.title} · codex-oauth</title>
<style>{STYLE}</style>
{script}</head>
<body>
<main>
<span class="mark {self.kind}" aria-hidden="true">{self.mark}</span>
<h1>{self.title}.</h1>
<p>{self.text}</p>
</main>
</body>
</html>
""".encode()


def _answer(status: int, page: _Page) -> PageAnswer:
    body = page.html()
    fields = {**_HEADERS, "Content-Length": str(len(body))}
    if status == 405:
        fields["Allow"] = "GET"  # RFC 9110 §15.5.6
    lines = (f"HTTP/1.1 {status} {_REASONS[status]}", *(f"{name}: {text}" for name, text in fields.items()))
    return PageAnswer("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"), body)


_STRANGER: Final = _Page(
    title="This request is not part of a sign-in",
    text="This address waits for one sign-in. Nothing was changed. "
    "If you are signing in, go on in the page that the application opened.",
    mark="i",
    kind="",
    ours=False,
)

RECEIVED: Final = _answer(
    200,
    _Page(
        title="Sign-in received",
        text="You can close this page; the result is in the application.",
        mark="✓",
        kind="good",
    ),
)
"""The genuine redirect with a code. The code is not exchanged yet, so it says no more."""

FAILED: Final = _answer(
    200,
    _Page(
        title="The sign-in was not completed",
        text="You can close this page; the reason is in the application.",
        mark="✕",
        kind="bad",
    ),
)
"""The genuine redirect with an error, or with no code."""

ALREADY_USED: Final = _answer(
    410,
    _Page(
        title="This sign-in was already used",
        text="It counts once, and nothing is left to do here. You can close this page; "
        "the result is in the application.",
        mark="i",
        kind="",
    ),
)
"""Whatever comes after the genuine redirect, a reload of its page included."""

NOT_FOR_YOU: Final[Mapping[int, PageAnswer]] = {status: _answer(status, _STRANGER) for status in _REFUSALS}
"""By status: what is refused. The sign-in goes on waiting."""

SILENCE: Final = PageAnswer(b"", b"")
"""Nothing is sent, the connection is closed: the peer does not speak HTTP/1.1 here."""
