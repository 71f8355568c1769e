"""Every answer that the receiver can give, as bytes that are built once.

Rules of this file: an answer depends on nothing in the request, so nothing can be reflected; every one
has the same headers; the connection ends with it. There is no `Date`: the core has no clock
(RFC 9110 §6.6.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from codex_oauth_core.receiver.style import SCRIPT, SCRIPT_HASH, STYLE, STYLE_HASH

__all__ = ["ALREADY_USED", "FAILED", "NOT_FOR_YOU", "RECEIVED", "SILENCE", "Answer"]

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
class Answer:
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


def _answer(status: int, page: _Page) -> Answer:
    body = page.html()
    fields = {**_HEADERS, "Content-Length": str(len(body))}
    if status == 405:
        fields["Allow"] = "GET"  # RFC 9110 §15.5.6
    lines = (f"HTTP/1.1 {status} {_REASONS[status]}", *(f"{name}: {text}" for name, text in fields.items()))
    return Answer("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"), body)


_STRANGER: Final = _Page(
    title="This page is not for you",
    text="This address waits for one sign-in, and this request is not part of it. Nothing was changed. "
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

NOT_FOR_YOU: Final[Mapping[int, Answer]] = {status: _answer(status, _STRANGER) for status in _REFUSALS}
"""By status: what is refused. The sign-in goes on waiting."""

SILENCE: Final = Answer(b"", b"")
"""Nothing is sent, the connection is closed: the peer does not speak HTTP/1.1 here."""
