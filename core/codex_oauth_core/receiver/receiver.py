"""One connection to the loopback port, as bytes in and bytes out (RFC 8252 §7.3).

Rules of this file: whatever arrives, however it is cut, nothing is raised; one request is read and no
body; every byte string ends in an answer or in a close. A line is judged when it is complete, so that the
cuts in which bytes arrive change no answer; a line that may not end in time is refused at the limit; nothing
past the head is kept. The checks stand in the order in which they count. Only the genuine redirect changes a
gate, and only once (RFC 9700 §4.7.1). The target may hold a code and the state, and headers may hold cookies,
so no repr shows either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlsplit

import attrs
import h11

from codex_oauth_core.callback import Accepted, CallbackRule, read_redirect
from codex_oauth_core.receiver.pages import ALREADY_USED, FAILED, NOT_FOR_YOU, RECEIVED, SILENCE, PageAnswer
from codex_oauth_core.secret import Secret

__all__ = [
    "CHECKS",
    "CallbackGate",
    "CallbackReceiver",
    "Check",
    "Head",
    "HeadReader",
    "first_failure",
    "parse",
]


# -- what all connections of one sign-in share ---------------------------------------------------------


_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_HTTP_PORT: Final = 80
_AS_SENT: Final = "!#$%&*+,/:;=?@[]^{|}"
"""What a target holds besides letters, digits and `-._~`. A paste may hold other characters as well, from
a terminal's wraps and quotes, and there they do not count; in a target everything counts.
"""


@attrs.define(eq=False)
class CallbackGate:
    """One sign-in's gate, shared by its connections. Not thread-safe by itself.

    `accepted` is the genuine redirect once it has come; afterwards nothing is judged any more.
    Raises ValueError for a rule whose redirect URI is no URI.
    """

    rule: CallbackRule = attrs.field(on_setattr=attrs.setters.frozen)
    accepted: Accepted | None = attrs.field(default=None, init=False)
    path: bytes = attrs.field(init=False, repr=False)
    hosts: frozenset[bytes] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        uri = urlsplit(self.rule.redirect_uri)
        port = uri.port or _HTTP_PORT
        names = [f"{name}:{port}" for name in _LOOPBACK]
        names += _LOOPBACK if port == _HTTP_PORT else ()
        self.path = uri.path.encode()
        self.hosts = frozenset(name.encode() for name in names)

    def admit(self, target: Secret[bytes]) -> Accepted | None:
        """The redirect that a request target is, the first time it is the genuine one; else None."""
        if self.accepted is not None:
            return None
        verdict = self.rule.judge_redirect(quote(target.reveal(), safe=_AS_SENT))
        if isinstance(verdict, Accepted):
            self.accepted = verdict
        return self.accepted


# -- a request's head as values ------------------------------------------------------------------------


@attrs.frozen
class Head:
    """A request's method, target, HTTP version and header fields, their names in lower case."""

    method: bytes
    target: Secret[bytes]
    version: bytes
    fields: tuple[tuple[bytes, bytes], ...] = attrs.field(repr=False)

    def all(self, *names: bytes) -> list[bytes]:
        """The values of the fields with these names, in lower case."""
        return [value.lower() for name, value in self.fields if name in names]


def parse(head: bytes) -> Head | None:
    """Read a whole head, the empty line included (RFC 9112). None if it is malformed."""
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(head)
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Request):
        return None
    return Head(event.method, Secret(event.target), event.http_version, tuple(event.headers))


# -- where the head ends, and what is refused before h11 parses it -------------------------------------


LONGEST_LINE: Final = 8 * 1024
"""Bytes of the request line, its end included."""

LONGEST_FIELDS: Final = 16 * 1024
"""Bytes of all header lines, the empty one included."""

MOST_FIELDS: Final = 100

_TOKEN: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
"""What a method can begin with (RFC 9110 §5.6.2). TLS begins with 0x16, SOCKS with 4 or 5."""

_HTTP_2: Final = b"PRI * HTTP/2.0\r\n"  # RFC 9113 §3.4


@attrs.frozen
class _Rule:
    """A line that `breaks` it, `number` lines into the head, gets the answer."""

    breaks: Callable[[bytes, int], bool]
    answer: PageAnswer


_RULES: Final = (
    _Rule(lambda line, number: number == 0 and line == _HTTP_2, SILENCE),
    _Rule(lambda line, number: not line.endswith(b"\r\n"), NOT_FOR_YOU[400]),  # RFC 9112 §2.2 allows it
    _Rule(lambda line, number: b"\r" in line[:-2] or b"\0" in line, NOT_FOR_YOU[400]),
    _Rule(lambda line, number: line.startswith((b" ", b"\t")), NOT_FOR_YOU[400]),  # RFC 9112 §5.2
    _Rule(lambda line, number: number > MOST_FIELDS and line != b"\r\n", NOT_FOR_YOU[431]),
)


@attrs.define(eq=False, repr=False)
class HeadReader:
    """Reads one request's head, however it is cut."""

    _buffer: bytearray = attrs.field(factory=bytearray, init=False)
    _lines: int = attrs.field(default=0, init=False)
    _line_at: int = attrs.field(default=0, init=False)
    """Where the line begins that is not complete yet."""
    _limit: int = attrs.field(default=LONGEST_LINE, init=False)
    """Where that line must end."""

    @property
    def wants_no_body(self) -> bool:
        """Whether the request is HEAD."""
        return self._buffer.startswith(b"HEAD ")

    def receive(self, data: bytes) -> bytes | PageAnswer | None:
        """The whole head, or the answer to what can be none, or None while more must come."""
        self._buffer += data[: LONGEST_LINE + LONGEST_FIELDS - len(self._buffer)]
        if self._buffer[0] not in _TOKEN:
            return SILENCE
        while end := self._buffer.find(b"\n", self._line_at) + 1:
            read = self._line(end)
            if read is not None:
                return read
        return self._too_long() if len(self._buffer) >= self._limit else None

    def _line(self, end: int) -> bytes | PageAnswer | None:
        """The same, after the line that ends at `end`."""
        if end > self._limit:
            return self._too_long()
        line = bytes(self._buffer[self._line_at : end])
        for rule in _RULES:
            if rule.breaks(line, self._lines):
                return rule.answer
        if self._lines == 0:
            self._limit = end + LONGEST_FIELDS
        self._lines, self._line_at = self._lines + 1, end
        return bytes(self._buffer[:end]) if line == b"\r\n" else None

    def _too_long(self) -> PageAnswer:
        return NOT_FOR_YOU[431 if self._lines else 414]


# -- what is refused after that ------------------------------------------------------------------------


_PREFETCH: Final = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
_PREFETCHES: Final = (b"prefetch", b"prerender", b"preview")


@attrs.frozen
class Check:
    """Something that must hold for a request, and the answer if it does not."""

    name: str
    holds: Callable[[Head, CallbackGate], bool]
    otherwise: PageAnswer


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


def first_failure(head: Head, gate: CallbackGate) -> PageAnswer | None:
    """The answer of the first check that does not hold; None if all hold."""
    return next((check.otherwise for check in CHECKS if not check.holds(head, gate)), None)


# -- one connection ------------------------------------------------------------------------------------


@attrs.define(eq=False)
class CallbackReceiver:
    """One connection. Feed it what arrives, send what it returns, and close when it is `closed`.

    `complete` says that a whole request head was read. Time is the caller's: a peer that sends too little
    is closed by whoever holds the socket.
    """

    _gate: CallbackGate = attrs.field(repr=False)
    _reader: HeadReader = attrs.field(factory=HeadReader, init=False, repr=False)
    closed: bool = attrs.field(default=False, init=False)
    complete: bool = attrs.field(default=False, init=False)

    def receive(self, data: bytes) -> bytes:
        """Take bytes, b"" where the peer has closed, and return what to send now. Never raises."""
        if self.closed:
            return b""
        read = self._reader.receive(data) if data else SILENCE
        if read is None:
            return b""
        if isinstance(read, bytes):
            self.complete = True
            read = self._answer(read)
        return self._end(read)

    def _answer(self, head: bytes) -> PageAnswer:
        request = parse(head)
        if request is None:
            return NOT_FOR_YOU[400]
        refusal = first_failure(request, self._gate)
        if refusal is not None:
            return refusal
        accepted = self._gate.admit(request.target)
        return NOT_FOR_YOU[400] if accepted is None else _page_after(accepted)

    def _end(self, answer: PageAnswer) -> bytes:
        without_body = self._reader.wants_no_body
        self.closed = True
        self._reader = HeadReader()  # the request may have held a code: forget it
        return answer.head if without_body else answer.head + answer.body


def _page_after(accepted: Accepted) -> PageAnswer:
    """The code is not exchanged yet, so a page cannot say more than what the redirect said."""
    return FAILED if read_redirect(accepted.query).code is None else RECEIVED
