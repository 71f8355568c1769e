"""One connection to the loopback port, as bytes in and bytes out (RFC 8252 §7.3).

Rules of this file: whatever arrives, however it is cut, nothing is raised; one request is read and no
body; every byte string ends in an answer or in a close.
"""

from __future__ import annotations

import attrs

from codex_oauth_core.callback import Accepted, read_redirect
from codex_oauth_core.receiver.checks import first_failure
from codex_oauth_core.receiver.framing import HeadReader
from codex_oauth_core.receiver.gate import CallbackGate
from codex_oauth_core.receiver.head import parse
from codex_oauth_core.receiver.pages import FAILED, NOT_FOR_YOU, RECEIVED, SILENCE, Answer

__all__ = ["CallbackReceiver"]


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

    def _answer(self, head: bytes) -> Answer:
        request = parse(head)
        if request is None:
            return NOT_FOR_YOU[400]
        refusal = first_failure(request, self._gate)
        if refusal is not None:
            return refusal
        accepted = self._gate.admit(request.target)
        return NOT_FOR_YOU[400] if accepted is None else _page_after(accepted)

    def _end(self, answer: Answer) -> bytes:
        without_body = self._reader.wants_no_body
        self.closed = True
        self._reader = HeadReader()  # the request may have held a code: forget it
        return answer.head if without_body else answer.head + answer.body


def _page_after(accepted: Accepted) -> Answer:
    """The code is not exchanged yet, so a page cannot say more than what the redirect said."""
    return FAILED if read_redirect(accepted.query).code is None else RECEIVED
