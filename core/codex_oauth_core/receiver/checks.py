"""Which request is the browser's own navigation to our redirect URI, and how each other one is answered.

Rules of this file: the table is in order, and the first check that fails answers; no check looks into the
query, and none changes anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from codex_oauth_core.receiver.gate import CallbackGate
from codex_oauth_core.receiver.head import Head
from codex_oauth_core.receiver.pages import ALREADY_USED, NOT_FOR_YOU, SILENCE, Answer

__all__ = ["CHECKS", "Check", "first_failure"]

_PREFETCH: Final = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
_PREFETCHES: Final = (b"prefetch", b"prerender", b"preview")


@attrs.frozen
class Check:
    """Something that must hold for a request, and the answer if it does not."""

    name: str
    holds: Callable[[Head, CallbackGate], bool]
    otherwise: Answer


def _speaks_http(head: Head, gate: CallbackGate) -> bool:
    """A WebSocket or another protocol is not offered here (RFC 9110 §7.8)."""
    return not head.all(b"upgrade")


def _is_get(head: Head, gate: CallbackGate) -> bool:
    """HEAD included: a link checker must not use up the sign-in."""
    return head.method == b"GET"


def _is_http_1_1(head: Head, gate: CallbackGate) -> bool:
    """Every browser sends it, and `Host` is sure only there (RFC 9112 §3.2)."""
    return head.version == b"1.1"


def _has_origin_form(head: Head, gate: CallbackGate) -> bool:
    """A path and a query, no other form and no fragment (RFC 9112 §3.2.1)."""
    target = head.target.reveal()
    return target.startswith(b"/") and b"#" not in target


def _has_our_path(head: Head, gate: CallbackGate) -> bool:
    """Byte for byte: nothing is decoded, resolved or folded first (RFC 9700 §4.1.3)."""
    return head.target.reveal().partition(b"?")[0] == gate.path


def _has_our_host(head: Head, gate: CallbackGate) -> bool:
    """One loopback name with our port: any other name was rebound to this machine by DNS."""
    hosts = head.all(b"host")
    return len(hosts) == 1 and hosts[0] in gate.hosts


def _has_no_body(head: Head, gate: CallbackGate) -> bool:
    return not head.all(b"transfer-encoding") and head.all(b"content-length") in ([], [b"0"])


def _is_a_navigation(head: Head, gate: CallbackGate) -> bool:
    """Not a `fetch` of a page (Fetch Metadata §2.2). Browsers that say nothing are let through."""
    return set(head.all(b"sec-fetch-mode")) <= {b"navigate"}


def _is_for_a_tab(head: Head, gate: CallbackGate) -> bool:
    """Not an image, a script or a frame, which navigates as well (Fetch Metadata §2.1)."""
    return set(head.all(b"sec-fetch-dest")) <= {b"document"}


def _is_wanted_now(head: Head, gate: CallbackGate) -> bool:
    """Not fetched in advance, in case somebody goes there (Fetch §3.8, and older names for it)."""
    return not any(word in value for value in head.all(*_PREFETCH) for word in _PREFETCHES)


def _is_awaited(head: Head, gate: CallbackGate) -> bool:
    return gate.accepted is None


CHECKS: Final = (
    Check("protocol", _speaks_http, SILENCE),
    Check("method", _is_get, NOT_FOR_YOU[405]),
    Check("version", _is_http_1_1, NOT_FOR_YOU[400]),
    Check("target form", _has_origin_form, NOT_FOR_YOU[400]),
    Check("path", _has_our_path, NOT_FOR_YOU[404]),
    Check("host", _has_our_host, NOT_FOR_YOU[421]),
    Check("no body", _has_no_body, NOT_FOR_YOU[400]),
    Check("Sec-Fetch-Mode", _is_a_navigation, NOT_FOR_YOU[403]),
    Check("Sec-Fetch-Dest", _is_for_a_tab, NOT_FOR_YOU[403]),
    Check("no prefetch", _is_wanted_now, NOT_FOR_YOU[503]),
    Check("first use", _is_awaited, ALREADY_USED),
)


def first_failure(head: Head, gate: CallbackGate) -> Answer | None:
    """The answer of the first check that does not hold; None if all hold."""
    return next((check.otherwise for check in CHECKS if not check.holds(head, gate)), None)
