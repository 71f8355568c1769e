"""The verdict on a stored login, for every combination of what is stored and what was asked for.

The oracle is a list of rules in the words of R3 to R7 and F2, F15, F32 and F37: the first one that fits
decides. It looks at the case only, and never at a record.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from codex_oauth_core.codex import CODEX
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.flows.renewal_policy import RenewalPolicy, RenewalRequest, freshness
from codex_oauth_core.outcomes import Adopted, NotRenewed
from codex_oauth_core.reading.times import rfc3339
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.secret import Secret
from tests.core.storing import DAY, LIFE, login
from tests.support import W0

NOW: Final = float(int(W0))
LEFT: Final = {"current": 5 * DAY, "advisory": 0.5 * DAY, "mandatory": 200.0, "expired": -100.0}
OTHER: Final = Secret("canary-another-access-token")


@attrs.frozen
class Case:
    """One combination: all that a verdict may depend on."""

    freshness: str
    rejected: str
    """`no`; `this` one is the token that a server refused; `other`: another one is."""
    forced: bool
    doubt: str
    mark: str
    look: str
    """`first`; `same` as at first; `moved`: another access token than at first."""
    fresh: bool
    """The tokens were obtained less than a minute ago."""

    @property
    def alive(self) -> bool:
        return self.rejected != "this" and self.freshness != "expired"

    @property
    def pressing(self) -> bool:
        return self.rejected == "this" or self.freshness in ("mandatory", "expired")

    @property
    def told(self) -> str:
        """What an error of a login that cannot be renewed looks like."""
        return {"borrowed": "borrowed", "spent": "account_changed", "dead": "refresh_token_reused"}[self.mark]


STANDS: Final = tuple(LEFT)
REJECTED: Final = ("no", "this", "other")
DOUBTS: Final = ("none", "intent live", "intent old", "uncertain fresh", "uncertain old", "both fresh")
MARKS: Final = ("none", "dead", "spent", "borrowed")
LOOKS: Final = ("first", "same", "moved")
CASES: Final = [
    Case(*parts)
    for parts in itertools.product(STANDS, REJECTED, (False, True), DOUBTS, MARKS, LOOKS, (False, True))
    if not (parts[0] == "expired" and parts[-1])  # a token born expired: see below
]

_Rule = tuple[str, Callable[[Case], bool], Callable[[Case], str]]

RULES: Final[tuple[_Rule, ...]] = (
    (
        "R6: a token was refused, and another one is stored: use that",
        lambda c: c.rejected == "other" and c.alive,
        lambda c: "adopted",
    ),
    (
        "R1: since the first look somebody else has renewed it",
        lambda c: c.look == "moved" and c.rejected == "no" and c.freshness == "current",
        lambda c: "adopted",
    ),
    (
        "R4: nothing is due, nothing was asked for",
        lambda c: c.freshness == "current" and c.rejected != "this" and not c.forced,
        lambda c: "kept current",
    ),
    (
        "R7, F37: there is nothing to renew it with: the old token while it lives, and always the reason",
        lambda c: c.mark != "none" and c.alive,
        lambda c: f"kept failed {c.told}",
    ),
    (
        "R7, F37: and without a living token the reason alone, without network",
        lambda c: c.mark != "none",
        lambda c: f"error login_required {c.told}",
    ),
    (
        "R3, F8: somebody is at it right now, and the token is good for longer",
        lambda c: c.doubt in ("intent live", "both fresh") and not c.pressing,
        lambda c: "kept busy",
    ),
    (
        "R3, F2: the refresh token may be spent: not before it must be, even if forced",
        lambda c: c.doubt != "none" and not c.pressing,
        lambda c: "kept uncertain",
    ),
    (
        "R3, F32: the answer was lost less than a minute ago: the old token while it lives",
        lambda c: c.doubt in ("uncertain fresh", "both fresh") and c.alive,
        lambda c: "kept spaced",
    ),
    (
        "R3, F32: and without one an error for as long",
        lambda c: c.doubt in ("uncertain fresh", "both fresh"),
        lambda c: "error network uncertain",
    ),
    (
        "R4: a refused token waits for no other spacing",
        lambda c: c.rejected == "this",
        lambda c: "renew",
    ),
    (
        "F32: renewed less than a minute ago",
        lambda c: c.fresh and c.alive,
        lambda c: "kept spaced",
    ),
    ("all else is renewed", lambda c: True, lambda c: "renew"),
)


def expected(case: Case) -> str:
    return next(outcome(case) for _, fits, outcome in RULES if fits(case))


DOUBTFUL: Final[dict[str, dict[str, Any]]] = {
    "none": {},
    "intent live": {"intent": Intent(1, "there", NOW - 104.5)},
    "intent old": {"intent": Intent(1, "there", NOW - 105.5)},
    "uncertain fresh": {"uncertain_at": NOW - 59.5},
    "uncertain old": {"uncertain_at": NOW - 60.5},
    "both fresh": {"intent": Intent(1, "there", NOW - 1), "uncertain_at": NOW - 30},
}
MARKED: Final[dict[str, dict[str, Any]]] = {
    "none": {},
    "dead": {"dead_code": "refresh_token_reused"},
    "spent": {"spent": True},
    "borrowed": {"refresh_token": None},
}
FRESH_LEFT: Final = {"current": 5 * DAY, "advisory": 6.7, "mandatory": 3.0}
"""Seconds left to a token that was obtained 59 seconds ago, so that it stands like this."""


def record_of(case: Case) -> Record:
    left = FRESH_LEFT[case.freshness] if case.fresh else LEFT[case.freshness]
    obtained = NOW - 59 if case.fresh else NOW + left - LIFE
    return login(
        expires_at=round((NOW + left) * 1000),
        obtained_at=rfc3339(obtained),
        **DOUBTFUL[case.doubt],
        **MARKED[case.mark],
    )


def asked(case: Case, record: Record) -> RenewalRequest:
    rejected = {"no": None, "this": record.credential.access_token, "other": OTHER}[case.rejected]
    return RenewalRequest(
        provider=CODEX, policy=RenewalPolicy(), jitter=0.5, rejected=rejected, forced=case.forced
    )


def described(verdict: NotRenewed | Adopted | SignInError | None) -> str:
    if verdict is None:
        return "renew"
    if isinstance(verdict, Adopted):
        return "adopted"
    if isinstance(verdict, SignInError):
        return f"error {_error(verdict)}"
    failed = "" if verdict.error is None else f" {_error(verdict.error).partition(' ')[2]}"
    return f"kept {verdict.why}{failed}"


def _error(error: SignInError) -> str:
    return f"{error.kind} {error.details.get('reason') or error.details.get('code')}"


def verdict_of(case: Case) -> Any:
    record = record_of(case)
    elsewhere = attrs.evolve(record, credential=attrs.evolve(record.credential, access_token=Secret("x")))
    first = {"first": None, "same": record, "moved": elsewhere}[case.look]
    verdict = asked(case, record).decide(record, NOW, first)
    if isinstance(verdict, NotRenewed | Adopted):
        assert verdict.record is record
    return verdict


@pytest.mark.parametrize("freshness", STANDS)
@pytest.mark.parametrize("rejected", REJECTED)
@pytest.mark.parametrize("doubt", DOUBTS)
@pytest.mark.parametrize("mark", MARKS)
def test_every_case_is_judged_by_the_first_rule_that_fits(
    freshness: str, rejected: str, doubt: str, mark: str
) -> None:
    chosen = [
        case
        for case in CASES
        if (case.freshness, case.rejected, case.doubt, case.mark) == (freshness, rejected, doubt, mark)
    ]
    assert chosen
    wrong = {case: said for case in chosen if (said := described(verdict_of(case))) != expected(case)}
    assert wrong == {}, [expected(case) for case in wrong]


def test_every_rule_decides_some_case() -> None:
    deciding = {next(name for name, fits, _ in RULES if fits(case)) for case in CASES}
    assert deciding == {name for name, _, _ in RULES}


def test_the_table_is_whole() -> None:
    assert len(CASES) == (4 * 2 - 1) * 3 * 2 * 6 * 4 * 3
    for case in CASES:
        found = freshness(record_of(case), NOW, RenewalPolicy(), 0.5)
        assert found.value == case.freshness


# -- what has no place in the table --------------------------------------------------------------------


def judged(record: Record | None, *, wall: float = NOW, first: Record | None = None, **changes: Any) -> Any:
    values: dict[str, Any] = {
        "provider": CODEX,
        "policy": RenewalPolicy(),
        "jitter": 0.5,
        "rejected": None,
        "forced": False,
    }
    return RenewalRequest(**{**values, **changes}).decide(record, wall, first)


@pytest.mark.parametrize("first", [None, login(5 * DAY)], ids=["first look", "logged out meanwhile"])
def test_f17_where_nothing_is_stored_nobody_is_signed_in(first: Record | None) -> None:
    verdict = judged(None, first=first, forced=True)
    assert (verdict.kind, verdict.message) == (ErrorKind.LOGIN_REQUIRED, "No one is signed in.")


@pytest.mark.parametrize("change", [{"issuer": "https://else.example"}, {"client_id": "app_else"}])
@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT.keys())
def test_a_login_of_another_server_or_client_is_an_error_and_never_used(left: float, change: Any) -> None:
    verdict = judged(login(left, **change), forced=True)
    assert described(verdict) == "error client_rejected other_issuer"
    assert verdict.details["issuer"] == change.get("issuer", CODEX.issuer)


@pytest.mark.parametrize("old", [0.0, 30.0, 59.0])
def test_f31_f32_a_token_born_expired_is_not_renewed_again_within_a_minute(old: float) -> None:
    record = login(expires_at=round((NOW - old - 5) * 1000), obtained_at=rfc3339(NOW - old))
    assert described(judged(record)) == "error invalid_response expired_token"
    assert judged(record).message.endswith("The clock of this machine may be wrong.")
    assert judged(record, wall=NOW + 61) is None


def test_f31_a_token_that_expires_the_moment_it_was_obtained_was_born_expired() -> None:
    record = login(expires_at=round(NOW * 1000), obtained_at=rfc3339(NOW))
    assert described(judged(record)) == "error invalid_response expired_token"


def test_a_short_lived_token_that_has_expired_is_renewed_within_the_minute() -> None:
    """It was good when it was issued: there is no loop to fear."""
    record = login(expires_at=round((NOW - 1) * 1000), obtained_at=rfc3339(NOW - 30))
    assert judged(record) is None


def test_f31_a_refused_token_born_expired_is_renewed_at_once() -> None:
    record = login(expires_at=round((NOW - 5) * 1000), obtained_at=rfc3339(NOW))
    assert judged(record, rejected=record.credential.access_token) is None


@pytest.mark.parametrize(
    ("since", "says"),
    [
        (0.0, "kept spaced"),
        (59.9, "kept spaced"),
        (60.0, "renew"),
        (-1.0, "kept spaced"),
        (-59.9, "kept spaced"),
        (-60.0, "renew"),
        (-7200.0, "renew"),
    ],
)
def test_f32_the_spacing_after_a_lost_answer_has_two_ends(since: float, says: str) -> None:
    """A moment in the near future is that of another host's clock; one in the far future tells nothing: the clock
    was set back.
    """
    assert described(judged(login(200.0, uncertain_at=NOW - since))) == says


@pytest.mark.parametrize(
    ("since", "says"),
    [
        (0.0, "kept busy"),
        (104.9, "kept busy"),
        (105.0, "kept uncertain"),
        (-104.9, "kept busy"),
        (-105.0, "kept uncertain"),
    ],
)
def test_f32_an_intent_lives_for_as_long_in_both_directions(since: float, says: str) -> None:
    """Two machines that share a home do not share a clock."""
    assert described(judged(login(0.5 * DAY, intent=Intent(1, "there", NOW - since)))) == says


def test_f32_tokens_obtained_in_the_future_are_not_spaced() -> None:
    record = login(0.5 * DAY, obtained_at=rfc3339(NOW + 7200))
    assert judged(record, forced=True) is None


def test_r5_a_token_of_unknown_expiry_is_renewed_by_its_age_alone() -> None:
    assert judged(login(None, obtained_at=rfc3339(NOW - 9 * DAY))) is None
    assert described(judged(login(None, obtained_at=rfc3339(NOW - 7 * DAY)))) == "kept current"
    doubted = login(None, obtained_at=rfc3339(NOW - 9 * DAY), uncertain_at=NOW - 3600)
    assert described(judged(doubted)) == "kept uncertain"
    assert judged(doubted, rejected=doubted.credential.access_token) is None


@pytest.mark.parametrize("spacing", [1.0, 3600.0])
def test_the_spacing_is_the_policys(spacing: float) -> None:
    policy = RenewalPolicy(spacing=spacing)
    record = login(200.0, uncertain_at=NOW - spacing + 0.5)
    assert described(judged(record, policy=policy)) == "kept spaced"
    assert judged(record, wall=NOW + 0.5, policy=policy) is None


def test_r7_each_dead_code_is_told_in_its_own_words() -> None:
    for code, words in (("refresh_token_reused", "already used"), ("account_deleted", "deleted")):
        verdict = judged(login(-60.0, dead_code=code))
        assert (verdict.kind, verdict.details) == (ErrorKind.LOGIN_REQUIRED, {"code": code})
        assert words in verdict.message
    unknown = judged(login(-60.0, dead_code="unauthorized"))
    assert unknown.message == "There is no usable login."


def test_r1_another_token_that_is_due_itself_is_not_adopted() -> None:
    """Only the first look tells whether somebody else was faster; what he left may be old by now."""
    first = login(-10.0, number=1)
    assert judged(login(-5.0, number=2), first=first) is None
    assert judged(login(200.0, number=2), first=first) is None
    assert isinstance(judged(login(5 * DAY, number=2), first=first), Adopted)
