"""One thing that was looked at, as data.

Rules of this file: frozen values; no secret enters a finding; texts are as they were found, so whoever shows
them on a terminal filters them.
"""

from __future__ import annotations

from enum import StrEnum, unique

import attrs

__all__ = ["Area", "Finding", "Verdict", "ok", "problem", "skipped", "warn"]


@unique
class Verdict(StrEnum):
    """How something is."""

    OK = "ok"
    WARN = "warn"
    """It works, or will, but somebody should know."""
    PROBLEM = "problem"
    """It stands in the way of a sign-in, or of the login that is in use."""
    SKIPPED = "skipped"
    """It could not be looked at, or there was no need to."""


@unique
class Area(StrEnum):
    """What a problem is about."""

    ITSELF = "itself"
    """This program, and the Python that runs it."""
    NETWORK = "network"
    """The way to the server, the clock, and the ports that the browser comes back to."""
    REFUSED = "refused"
    """The server serves nobody here."""
    LOGIN = "login"
    STORAGE = "storage"


@attrs.frozen
class Finding:
    """What was found about `name`; where there are several of a kind, about its `subject`: a path, a port, an
    account, a variable. `advice` is what to do, most useful first.
    """

    name: str
    area: Area
    verdict: Verdict
    found: str
    advice: tuple[str, ...] = ()
    subject: str | None = None


def ok(name: str, area: Area, found: str, subject: str | None = None) -> Finding:
    """All is well."""
    return Finding(name, area, Verdict.OK, found, (), subject)


def skipped(name: str, area: Area, found: str, subject: str | None = None) -> Finding:
    """It was not looked at; `found` says why."""
    return Finding(name, area, Verdict.SKIPPED, found, (), subject)


def warn(name: str, area: Area, found: str, *advice: str, subject: str | None = None) -> Finding:
    """Somebody should know."""
    return Finding(name, area, Verdict.WARN, found, advice, subject)


def problem(name: str, area: Area, found: str, *advice: str, subject: str | None = None) -> Finding:
    """Something stands in the way."""
    return Finding(name, area, Verdict.PROBLEM, found, advice, subject)
