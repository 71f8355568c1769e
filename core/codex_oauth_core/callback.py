"""What a genuine redirect back from the browser looks like: one judgement for every way it can come in.

Rules of this file: `state` decides before anything else in a redirect is believed, in constant time;
whatever the text is, the answer is `Accepted` or `Rejected` and never an exception. A refusal changes
nothing: anybody may send anything to a loopback port.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum, unique
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import attrs

from codex_oauth_core.callback_text import guesses
from codex_oauth_core.secret import Secret

__all__ = ["Accepted", "CallbackRule", "Reason", "Redirect", "Rejected", "read_client_id", "read_redirect"]

LONGEST: Final = 16 * 1024
"""Characters of a pasted text or a request target that are looked at."""

_SINGLE: Final = ("state", "code", "error", "iss", "client_id")
_TOKENS: Final = frozenset({"access_token", "id_token", "token"})
"""Never taken from a URL, whoever sent it (RFC 9700 §2.1.2)."""

_URL: Final = r"[A-Za-z][A-Za-z0-9+.-]*://|/"  # compiled by the first redirect, and not by each import (P1)
_NO_SCHEME: Final = r"(localhost|127\.0\.0\.1|\[::1\]):\d+/"
_A_QUERY: Final = r"[?&]*[\w.~%+-]+="
_CODE_AND_STATE: Final = r"([^#&=?/]+)#([^#&=?/]+)"
_CODE: Final = r"[\x21-\x7e]{1,2048}"
_WORD: Final = r"[a-z0-9][a-z0-9_.:-]{0,63}"
_MOST_FIELDS: Final = 100


@unique
class Reason(StrEnum):
    """Why a text is not the redirect of this sign-in."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    UNREADABLE = "unreadable"
    OTHER_ADDRESS = "other_address"
    REPEATED = "repeated"
    NO_STATE = "no_state"
    WRONG_STATE = "wrong_state"
    WRONG_ISSUER = "wrong_issuer"
    """It names another one, or none where the server promises to name itself."""
    TOKEN = "token"  # noqa: S105  # what is in it
    NO_CODE = "no_code"


@attrs.frozen
class Accepted:
    """The genuine redirect. `query` is its query string: feed it to the flow as `CallbackReceived`."""

    query: Secret[str]


@attrs.frozen
class Rejected:
    """The text is not the redirect of this sign-in. Go on waiting."""

    reason: Reason


@attrs.frozen
class Redirect:
    """What a genuine redirect says: an error code, or an authorization code, or neither.

    `description` is the server's prose beside an error (RFC 6749 §4.1.2.1): for a dialect, never to be shown.
    `client_id` is the client id that it names beside a code, whatever it looks like.
    """

    code: Secret[str] | None
    error: str | None
    description: Secret[str] | None = None
    client_id: str | None = None


@attrs.frozen
class CallbackRule:
    """What a redirect must match: the redirect URI, our `state` (alone, or followed by one of
    `state_suffixes`), and `issuer`, if the redirect names one. With `names_itself` the server promised to
    name its issuer, and a redirect without one is refused (RFC 9207 §2.4).

    The URI may have a scheme of the application's own, such as `com.example.app:/callback` (RFC 8252 §7.1).
    """

    redirect_uri: str
    state: Secret[str]
    state_suffixes: tuple[str, ...]
    issuer: str
    names_itself: bool = False

    def judge(self, text: str) -> Accepted | Rejected:
        """Look for the redirect in `text`, which a person pasted: a URL with or without its scheme, a request
        target, a query string, or `code#state`. Other words may surround it.

        Quotes, line wraps and terminal escapes around it or in it do not matter (RFC 6749 §4.1.2, §10.12; RFC
        9207 §2.4). A bare code is refused, because nothing shows that it belongs to this sign-in. A redirect
        with neither a code nor an error is refused too: it is incomplete, and the person may paste all of it
        next.
        """
        if len(text) > LONGEST:
            return Rejected(Reason.TOO_LONG)
        reasons: list[Reason] = []
        for guess in guesses(text):
            verdict = self._judged(guess)
            if isinstance(verdict, Accepted) and _says_something(verdict):
                return verdict
            reasons.append(Reason.NO_CODE if isinstance(verdict, Accepted) else verdict.reason)
        return Rejected(Reason.NO_CODE if Reason.NO_CODE in reasons else _plainest(reasons))

    def judge_redirect(self, target: str) -> Accepted | Rejected:
        """Judge a request target, or `?` and a query string, exactly as it came. A redirect with neither a
        code nor an error is accepted here: only a sender that knows `state` could have sent it.
        """
        return Rejected(Reason.TOO_LONG) if len(target) > LONGEST else self._judged(target)

    def _judged(self, text: str) -> Accepted | Rejected:
        query = self._query(text)
        if isinstance(query, Reason):
            return Rejected(query)
        fields = _fields(query)
        if isinstance(fields, Reason):
            return Rejected(fields)
        reason = self._mismatch(fields)
        return Accepted(Secret(query)) if reason is None else Rejected(reason)

    def _query(self, text: str) -> str | Reason:
        """The query string in a text, if the address around it is ours."""
        if not text:
            return Reason.EMPTY
        if re.match(_NO_SCHEME, text, re.IGNORECASE):
            return self._query_of_url(f"http://{text}")
        if re.match(_URL, text) or self._is_of_our_scheme(text):
            return self._query_of_url(text)
        if match := re.fullmatch(_CODE_AND_STATE, text):
            return urlencode({"code": match[1], "state": match[2]})
        return text.removeprefix("?") if re.match(_A_QUERY, text) else Reason.NO_STATE

    def _is_of_our_scheme(self, text: str) -> bool:
        scheme = self.redirect_uri.partition(":")[0]
        return text[: len(scheme) + 2].lower() == f"{scheme.lower()}:/"

    def _query_of_url(self, text: str) -> str | Reason:
        try:
            ours, theirs = urlsplit(self.redirect_uri), urlsplit(text)
            whole = bool(theirs.scheme or theirs.netloc)
            elsewhere = theirs.path != ours.path or (whole and not _same_origin(theirs, ours))
        except ValueError:
            return Reason.UNREADABLE
        return Reason.OTHER_ADDRESS if elsewhere else theirs.query

    def _mismatch(self, fields: Mapping[str, str]) -> Reason | None:
        state = fields.get("state", "")
        if not state:
            return Reason.NO_STATE
        ours = self.state.reveal()
        genuine = [ours, *(ours + suffix for suffix in self.state_suffixes)]
        if not any([Secret(state) == Secret(each) for each in genuine]):  # noqa: C419  # each is compared, always
            return Reason.WRONG_STATE
        unnamed = None if self.names_itself else self.issuer
        if fields.get("iss", unnamed) != self.issuer:
            return Reason.WRONG_ISSUER
        return None if _TOKENS.isdisjoint(fields) else Reason.TOKEN


def _says_something(accepted: Accepted) -> bool:
    redirect = read_redirect(accepted.query)
    return redirect.code is not None or redirect.error is not None


def _plainest(reasons: Sequence[Reason]) -> Reason:
    """What to tell of a text that was taken for several things: of what is nearest to the redirect."""
    told = (Reason.TOKEN, Reason.WRONG_ISSUER, Reason.REPEATED, Reason.WRONG_STATE)
    near = (each for each in told if each in reasons)
    return next(near, reasons[0] if reasons else Reason.EMPTY)


def read_redirect(query: Secret[str]) -> Redirect:
    """What an accepted redirect says. An error counts before a code; a code that is no code is None."""
    fields = _fields(query.reveal())
    if isinstance(fields, Reason):
        return Redirect(None, None)
    if "error" in fields:
        error, prose = fields["error"].lower(), fields.get("error_description")
        return Redirect(
            None, error if re.fullmatch(_WORD, error) else "other", None if prose is None else Secret(prose)
        )
    code = fields.get("code", "")
    usable = Secret(code) if re.fullmatch(_CODE, code) else None
    return Redirect(usable, None, client_id=fields.get("client_id"))


def read_client_id(query: Secret[str]) -> str | None:
    """The client id that an accepted redirect names, whatever it looks like; None if it names none."""
    fields = _fields(query.reveal())
    return None if isinstance(fields, Reason) else fields.get("client_id")


def _fields(query: str) -> Mapping[str, str] | Reason:
    """The query's fields; repeating one that matters is malformed (RFC 6749 §3.1)."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:  # more fields than anybody needs, or no UTF-8
        return Reason.UNREADABLE
    return Reason.REPEATED if _repeats(pairs) else dict(pairs)


def _repeats(pairs: Sequence[tuple[str, str]]) -> bool:
    names = [name for name, _ in pairs]
    return any(names.count(name) > 1 for name in _SINGLE)


def _same_origin(theirs: SplitResult, ours: SplitResult) -> bool:
    """Whether two URLs have one origin, by any name of the loopback interface, where a browser that insists
    on https changes the scheme. Raises ValueError.
    """
    loopback = ("localhost", "127.0.0.1", "::1")
    hosts = theirs.hostname, ours.hostname
    local = all(host in loopback for host in hosts)
    same_scheme = theirs.scheme == ours.scheme or (
        local and {theirs.scheme, ours.scheme} == {"http", "https"}
    )
    return (local or theirs.hostname == ours.hostname) and same_scheme and theirs.port == ours.port
