"""What comes in to the authority, read strictly, and what it answers.

Rules of this file: the authority tells a client about every mistake it makes: nothing is guessed or
repaired; a parameter is there once and not empty (RFC 6749 §3.1); a request that breaks a rule becomes
`Rejected`, with the code and the status to answer. An answer says how it travels: late, cut short, or not
at all.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import attrs

from codex_oauth_core.codex.render import Rendered
from codex_oauth_core.effects import Request
from codex_oauth_core.events import Cause, Phase, RequestFailed, ResponseReceived
from codex_oauth_core.secret import Secret

__all__ = ["FORM", "JSON", "Answer", "Call", "Rejected", "StreamPart", "require"]


FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
MAX_BODY: Final = 64 * 1024
_MAX_FIELDS: Final = 64


class Rejected(Exception):  # a client's mistake, not an error of ours
    """The request breaks a rule. `code` is an error code (RFC 6749 §5.2), `why` is for a person."""

    def __init__(
        self, code: str, why: str, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(why)
        self.code = code
        self.why = why
        self.status = status
        self.headers = tuple((headers or {}).items())


@attrs.frozen(kw_only=True)
class Call:
    """A request taken apart. `origin` is the base of its URL: to its sender, the issuer.

    `now` is monotonic and `wall` is Unix time, in seconds.
    """

    method: str
    origin: str
    path: str
    query: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    repeated: frozenset[str]
    """Names of headers that came more than once."""
    now: float
    wall: float

    @classmethod
    def of(cls, request: Request, now: float, wall: float) -> Call:
        """Take a request apart. Header names become lower case; of repeated ones the last counts."""
        parts = urlsplit(request.url)
        names = [name.lower() for name, _ in request.headers]
        return cls(
            method=request.method,
            origin=f"{parts.scheme}://{parts.netloc}",
            path=parts.path,
            query=parts.query,
            headers={name.lower(): value for name, value in request.plain_headers()},
            body=request.body.reveal(),
            repeated=frozenset(name for name in names if names.count(name) > 1),
            now=now,
            wall=wall,
        )

    def query_fields(self) -> dict[str, str]:
        """The parameters of the URL. `Rejected` if one is repeated or empty."""
        return _strict(_pairs(self.query))

    def body_fields(self, types: Collection[str]) -> dict[str, str]:
        """The parameters of a body of one of `types`, all of them strings.

        `Rejected` for another type, for a repeated or empty parameter, and for parameters in the URL.
        """
        if self.query:
            raise Rejected("invalid_request", "parameters belong into the body, not into the URL")
        kind = self._content_type()
        if kind not in types:
            raise Rejected("invalid_request", f"the body must be {' or '.join(types)}", 415)
        if len(self.body) > MAX_BODY:
            raise Rejected("invalid_request", "the body is too large", 413)
        return _strict(_json_pairs(self.body) if kind == JSON else _pairs(_text(self.body)))

    def typed_fields(self) -> dict[str, str]:
        """The fields of a page's form: some may be empty, because a person filled it in."""
        if self._content_type() != FORM or self.query or len(self.body) > MAX_BODY:
            raise Rejected("invalid_request", "this is no form of these pages")
        pairs = _pairs(_text(self.body))
        return _once(pairs)

    def _content_type(self) -> str:
        if "content-type" in self.repeated:
            raise Rejected("invalid_request", "more than one Content-Type")
        kind, _, parameters = self.headers.get("content-type", "").partition(";")
        charset = parameters.strip().lower().replace('"', "")
        if charset not in ("", "charset=utf-8"):
            raise Rejected("invalid_request", "the body must be UTF-8", 415)
        return kind.strip().lower()


def require(fields: Mapping[str, str], *names: str) -> tuple[str, ...]:
    """The values of `names`. `Rejected` if one is missing."""
    missing = [name for name in names if name not in fields]
    if missing:
        raise Rejected("invalid_request", f"missing: {', '.join(missing)}")
    return tuple(fields[name] for name in names)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected("invalid_request", "the body is not UTF-8") from None


def _pairs(text: str) -> list[tuple[str, str]]:
    if not text:
        return []
    try:
        return parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        raise Rejected("invalid_request", "the parameters are no form encoding") from None


class _Members(list[tuple[str, object]]):
    """The members of a JSON object in their order, repeated ones too."""


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        members: object = json.loads(_text(body), object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, _Members):
        raise Rejected("invalid_request", "the body is no JSON object")
    wrong = [name for name, value in members if not isinstance(value, str)]
    if wrong:
        raise Rejected("invalid_request", f"not a string: {', '.join(wrong)}")
    return [(name, str(value)) for name, value in members]


def _once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Rejected("invalid_request", "a parameter is repeated")
    return fields


def _strict(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields = _once(pairs)
    empty = [name for name, value in pairs if not value]
    if empty:
        raise Rejected("invalid_request", f"empty: {', '.join(empty)}")
    return fields


# -- what is answered ----------------------------------------------------------------------------------


@attrs.frozen
class StreamPart:
    """So many bytes of a body, sent at once, after a silence of `after` seconds."""

    size: int
    after: float = 0.0


@attrs.frozen(kw_only=True)
class Answer:
    """A status, headers and a body, and the faults on the way to the client.

    `delay` is the number of seconds before the first byte. `parts` are the pieces of a streamed body, which
    has no Content-Length. `truncate` is the number of bytes of the body that are sent: fewer than its
    Content-Length, or than the whole stream. `reset`: the connection is reset after that, or before any byte
    without `truncate`. The body is secret, because it may hold tokens; a Location may hold a code.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    body: Secret[bytes] = attrs.field(factory=lambda: Secret(b""))
    delay: float = 0.0
    reset: bool = False
    truncate: int | None = None
    parts: tuple[StreamPart, ...] = ()

    @classmethod
    def of(cls, rendered: Rendered) -> Answer:
        """The answer that a dialect rendered, as an `Answer`."""
        return cls(status=rendered.status, headers=rendered.headers, body=rendered.body)

    def header(self, name: str) -> str | None:
        """The value of a header, by its name in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def duration(self) -> float:
        """Seconds until its last byte is sent."""
        return self.delay + sum(part.after for part in self.parts)

    def received(self, sent_at: float, at: float, wall: float) -> ResponseReceived | RequestFailed:
        """The event for a client that began its request at `sent_at` and received the last byte at `at`."""
        if self.reset or self.truncate is not None:
            return RequestFailed(at, Phase.MAYBE_SENT, Cause.RESET if self.reset else Cause.TRUNCATED)
        headers = {name.lower(): value for name, value in self.headers}
        return ResponseReceived(sent_at, at, wall, self.status, headers, self.body)
