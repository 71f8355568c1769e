"""What the readers of all endpoints share: what kind of thing an answer is, before what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from codex_oauth_core.codex.codes import REGION_BLOCKED, error_code
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import TryAgain
from codex_oauth_core.reading.json_body import UNREADABLE, as_object, read_json
from codex_oauth_core.reading.times import header, retry_after
from codex_oauth_core.secret import Secret, shares_text, unseen

__all__ = ["Answer", "is_success", "no_answer", "says_nothing", "usable_secret"]

_SECRET_FIELDS: Final = frozenset(
    {
        "device_auth_id",
        "authorization_code",
        "code_verifier",
        "access_token",
        "refresh_token",
        "id_token",
    }
)
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


def _strictly(response: ResponseReceived) -> object:
    return read_json(response.body.reveal())


class Answer:
    """One response, with its body read once: `body` is what `read` finds, a JSON value or `UNREADABLE`.

    `fields` are its members if it is an object.
    """

    __slots__ = ("body", "code", "fields", "response", "status")

    def __init__(
        self, response: ResponseReceived, read: Callable[[ResponseReceived], object] = _strictly
    ) -> None:
        self.response = response
        self.status = response.status
        self.body = unseen(lambda: read(response))
        self.fields = as_object(self.body)
        self.code = _unless_echoed(error_code(self.body), self.fields)

    @property
    def readable(self) -> bool:
        """Whether the body is JSON."""
        return self.body is not UNREADABLE

    @property
    def empty(self) -> bool:
        """Whether there is no body."""
        return not self.response.body.reveal().strip()

    @property
    def is_page(self) -> bool:
        """Whether a web page came instead of an answer: from a portal, a proxy, a firewall."""
        if self.header("cf-mitigated") is not None:
            return True
        html = "html" in (self.header("content-type") or "").lower()
        return not self.readable and (html or self.response.body.reveal().lstrip()[:1] == b"<")

    @property
    def region_blocked(self) -> bool:
        """Whether the service refuses this country, region or territory."""
        return self.code == REGION_BLOCKED

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks us to wait."""
        return retry_after(self.response.headers, self.response.wall)

    def header(self, name: str) -> str | None:
        """A header by its lower-case name."""
        return header(self.response.headers, name)


def _unless_echoed(code: str | None, fields: Mapping[str, object]) -> str | None:
    """The error code, unless it repeats a secret that the same answer hands out."""
    if not code or _SECRET_FIELDS.isdisjoint(fields):
        return code
    secrets = (Secret(value) for name in _SECRET_FIELDS if isinstance(value := fields.get(name), str))
    return "other" if any(shares_text(code, secret) for secret in secrets) else code


def is_success(status: int) -> bool:
    """Whether a status is 2xx."""
    return 200 <= status < 300


def says_nothing(answer: Answer) -> bool:
    """Whether a response is no real answer: a page, a redirect, a server's or proxy's failure, noise."""
    silent = answer.empty and answer.status == 429
    if answer.is_page or not (answer.readable or silent):
        return True
    return 300 <= answer.status < 400 or answer.status >= 500 or answer.status in (407, 408)


def no_answer(answer: Answer) -> TryAgain:
    """The fact of a response that says nothing, with the cause to show if it stays so.

    A failing server and noise may hide an approval; a page in between does not.
    """
    kind = _silence(answer)
    lost = kind in (ErrorKind.NETWORK, ErrorKind.INVALID_RESPONSE)
    return TryAgain(kind, lost, answer.retry_after, answer.code, answer.status)


def _silence(answer: Answer) -> ErrorKind:
    if answer.status == 429:
        return ErrorKind.RATE_LIMITED
    if answer.header("cf-mitigated") is None and (answer.status >= 500 or answer.status == 408):
        return ErrorKind.NETWORK
    if answer.is_page or 300 <= answer.status < 400 or answer.status == 407:
        return ErrorKind.BLOCKED
    return ErrorKind.INVALID_RESPONSE


def usable_secret(value: object, longest: int) -> Secret[str] | None:
    """`value` as a secret if it is printable ASCII without white space, at most `longest` characters."""
    if isinstance(value, str) and len(value) <= longest and _PRINTABLE.fullmatch(value):
        return Secret(value)
    return None
