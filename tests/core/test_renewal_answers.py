"""What a renewal makes of the server's answer: saved first, judged after (R3, R7, F21 to F31, F37)."""

from __future__ import annotations

from typing import Any, Final

import attrs
import pytest

from codex_oauth.testing import Reply
from codex_oauth_core.codex import CODEX
from codex_oauth_core.codex.codes import LOGIN_OVER
from codex_oauth_core.errors import ErrorKind
from codex_oauth_core.events import ResponseReceived
from codex_oauth_core.facts import Granted, RefreshFact, Refusal, Tokens, TryAgain
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.renewed_record import UNUSABLE
from codex_oauth_core.outcomes import NotRenewed, NotRenewedReason, Renewed
from codex_oauth_core.provider import Provider
from codex_oauth_core.reading.times import rfc3339
from codex_oauth_core.record import OWN_WORDS, Record, read_record, write_record
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Rescue
from tests.core.storing import (
    ACCOUNT,
    DAY,
    EXPIRED,
    LIFE,
    MANDATORY,
    StoreWorld,
    error_of,
    failed,
    login,
)
from tests.support import W0, account_token, as_json, code, page, tokens

E = ErrorKind
SENT: Final = W0
ANSWERED: Final = W0 + 0.25
OLD: Final = EXPIRED.credential


def renewed(reply: Reply, stored: Record = EXPIRED) -> tuple[Any, Record]:
    """The outcome, and what was saved; it must have been saved before anything was said."""
    world = StoreWorld(stored, [reply])
    outcome = world.run(Renewal())
    assert world.order == ["Load", "Lock", "Reserve", "SendRequest", "Save", "Release"]
    assert world.stored is not None
    return outcome, world.stored


def reading(fact: RefreshFact) -> Provider:
    """A provider whose dialect finds this fact in every answer."""

    def read(provider: Provider, response: ResponseReceived) -> RefreshFact:
        return fact

    return attrs.evolve(CODEX, dialect=attrs.evolve(CODEX.dialect, read_refresh=read))


# -- what is stored afterwards (F31) -------------------------------------------------------------------


def test_f31_a_whole_answer_makes_a_whole_new_record() -> None:
    date = "Fri, 15 Jan 2027 08:00:17 GMT"
    moment = round((W0 + DAY) * 1000)
    whole = tokens(earliest_refresh_at=moment)
    stored = attrs.evolve(
        EXPIRED,
        uncertain_at=W0 - 600,
        server_offset=99.0,
        unknown={"later": 1},
        credential=attrs.evolve(OLD, earliest_refresh_at=5),
    )
    outcome, record = renewed(attrs.evolve(whole, headers={**whole.headers, "date": date}), stored)
    assert outcome == Renewed(record)
    assert record == Record(
        credential=attrs.evolve(
            OLD,
            access_token=Secret(account_token()),
            refresh_token=Secret("canary-refresh-token-5566"),
            id_token=Secret(account_token(marker="id")),
            expires_at=round((SENT + 864_000) * 1000),
            earliest_refresh_at=moment,
            obtained_at=rfc3339(ANSWERED),
        ),
        generation=8,
        parent=EXPIRED.fingerprint,
        server_offset=1_800_000_017 - ANSWERED,
        unknown={"later": 1},
    )


def test_f31_without_a_refresh_token_the_old_one_stays() -> None:
    outcome, record = renewed(tokens(refresh_token=...))
    assert isinstance(outcome, Renewed)
    assert record.credential.refresh_token == OLD.refresh_token
    assert record.credential.access_token != OLD.access_token
    assert (record.generation, record.parent) == (8, EXPIRED.fingerprint)


@pytest.mark.parametrize("value", ["", "a b", "x" * 17_000, ["canary"], {}, 7, "ä"])
@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_f31_a_refresh_token_of_no_use_means_that_the_old_one_is_spent(value: Any, stored: Record) -> None:
    outcome, record = renewed(tokens(refresh_token=value), attrs.evolve(stored, uncertain_at=W0 - 600))
    assert outcome == Renewed(record)
    assert record.credential.access_token == Secret(account_token())
    assert (record.spent, record.is_renewable, record.uncertain_at) == (True, False, None)
    assert (record.fingerprint, record.generation) == (stored.fingerprint, stored.generation + 1)
    assert read_record(write_record(record)) == record


def test_f31_after_that_the_access_token_is_used_while_it_lives_and_then_the_reason_is_told() -> None:
    _, record = renewed(tokens(refresh_token="a b", expires_in=3600))
    world = StoreWorld(record)
    fresh = world.run(Renewal())
    assert isinstance(fresh, NotRenewed)
    assert fresh.error is None
    for at, usable in ((W0 + 3400, True), (W0 + 3700, False)):
        world.net.wall = at
        for asked in (Renewal(), Renewal(forced=True)):
            outcome = world.run(asked)
            assert isinstance(outcome, NotRenewed) is usable
            error = error_of(outcome)
            assert (error.kind, error.details) == (E.LOGIN_REQUIRED, {"code": "refresh_token_unusable"})
            assert error.message == OWN_WORDS["refresh_token_unusable"]
    assert set(world.order) == {"Load"}


def test_f31_another_accounts_tokens_with_a_refresh_token_of_no_use_spend_ours_too() -> None:
    reply = tokens(access_token=account_token("acct_other"), id_token=..., refresh_token="a b")
    outcome, record = renewed(reply)
    assert outcome.kind is E.ACCOUNT_CHANGED
    assert record == attrs.evolve(EXPIRED, spent=True)


def test_f31_the_same_refresh_token_again_is_a_renewal_too() -> None:
    outcome, record = renewed(tokens(refresh_token="canary-old-refresh-1"))
    assert isinstance(outcome, Renewed)
    assert record.fingerprint == EXPIRED.fingerprint == record.parent
    assert record.generation == 8


def test_f31_without_an_id_token_the_old_one_stays() -> None:
    _, record = renewed(tokens(id_token=...))
    assert record.credential.id_token == OLD.id_token


def test_f31_what_the_server_wants_to_be_refreshed_when_is_not_kept_from_before() -> None:
    _, record = renewed(tokens(), login(-60.0, earliest_refresh_at=5))
    assert record.credential.earliest_refresh_at is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"access_token": ...}, "access_token"),
        ({"access_token": "a b"}, "access_token"),
        ({"access_token": None}, "access_token"),
        ({"token_type": "mac"}, "token_type"),
    ],
)
@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_f31_a_refresh_token_is_saved_although_the_access_token_is_unusable(
    changes: dict[str, Any], problem: str, stored: Record
) -> None:
    outcome, record = renewed(tokens(**changes), stored)
    assert (outcome.kind, outcome.details) == (E.INVALID_RESPONSE, {"reason": problem})
    assert record.credential.refresh_token == Secret("canary-refresh-token-5566")
    assert (record.credential.access_token, record.credential.expires_at) == (UNUSABLE, 0)
    again = StoreWorld(record, [tokens()])
    assert again.run(Renewal()).details == {"reason": "expired_token"}  # not within a minute
    again.net.wall += 120
    assert isinstance(again.run(Renewal()), Renewed)


@pytest.mark.parametrize(
    ("expires_in", "left"),
    [
        (3600, 3600.0),
        ("3600", 3600.0),
        (3600.5, 3600.5),
        (..., None),
        (0, None),
        (-5, None),
        (True, None),
        ("soon", None),
        (10**12, None),
    ],
)
def test_f31_odd_lifetimes_count_from_the_request_or_not_at_all(expires_in: Any, left: float | None) -> None:
    outcome, record = renewed(tokens(expires_in=expires_in))
    assert isinstance(outcome, Renewed)
    expected = None if left is None else round((SENT + left) * 1000)
    assert record.credential.expires_at == expected


@pytest.mark.parametrize("ago", [1.0, DAY])
def test_f31_f32_a_token_that_has_already_expired_is_saved_and_told(ago: float) -> None:
    old = account_token(exp=W0 - ago)
    outcome, record = renewed(tokens(access_token=old, expires_in=...))
    assert (outcome.kind, outcome.details) == (E.INVALID_RESPONSE, {"reason": "expired_token"})
    assert record.credential.refresh_token == Secret("canary-refresh-token-5566")
    assert record.credential.expires_at == round((W0 - ago) * 1000)


def test_f32_an_expiry_by_the_servers_clock_is_not_taken_for_ours() -> None:
    """Two hours behind us, the server says: it has expired by our clock, and has not by its own."""
    reply = tokens(access_token=account_token(exp=W0 - 3600), expires_in=...)
    date = "Fri, 15 Jan 2027 06:00:07 GMT"
    outcome, record = renewed(attrs.evolve(reply, headers={**reply.headers, "date": date}))
    assert isinstance(outcome, Renewed)
    assert record.credential.expires_at == pytest.approx((W0 + 3600) * 1000, abs=1000)
    assert record.server_offset == pytest.approx(-7200, abs=1)


def test_a_server_that_issues_the_refused_token_again_has_not_renewed_it() -> None:
    same = MANDATORY.credential.access_token
    world = StoreWorld(MANDATORY, [tokens(access_token=same.reveal())])
    outcome = world.run(Renewal(rejected=same))
    assert outcome.kind is E.INVALID_RESPONSE
    assert world.stored is not None
    assert world.stored.credential.refresh_token == Secret("canary-refresh-token-5566")


# -- another account (F31) -----------------------------------------------------------------------------

OTHERS: Final = tokens(access_token=account_token("acct_other"), id_token=...)


@pytest.mark.parametrize("answer", [None, failed()], ids=["rescued", "not even that"])
@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_f31_another_account_is_kept_under_its_own_id_and_ours_is_marked(stored: Record, answer: Any) -> None:
    stored = attrs.evolve(stored, uncertain_at=W0 - 600)
    world = StoreWorld(stored, [OTHERS], answers={Rescue: [answer]})
    outcome = world.run(Renewal())
    assert world.order == ["Load", "Lock", "Reserve", "SendRequest", "Rescue", "Save", "Release"]
    error = error_of(outcome)
    assert error.kind is E.ACCOUNT_CHANGED
    assert isinstance(outcome, NotRenewed) is (stored.credential == MANDATORY.credential)
    assert world.stored == attrs.evolve(stored, spent=True, uncertain_at=None)
    rescue = next(effect.record for effect in world.effects if isinstance(effect, Rescue))
    assert rescue.credential == attrs.evolve(
        OLD,
        account_id="acct_other",
        access_token=Secret(account_token("acct_other")),
        refresh_token=Secret("canary-refresh-token-5566"),
        id_token=None,
        expires_at=round((SENT + 864_000) * 1000),
        obtained_at=rfc3339(ANSWERED),
    )
    assert (rescue.parent, rescue.generation, rescue.spent, rescue.unknown) == (None, 0, False, {})


def test_f31_the_spent_token_is_not_sent_again() -> None:
    world = StoreWorld(attrs.evolve(EXPIRED, spent=True))
    outcome = world.run(Renewal())
    assert (outcome.kind, outcome.details) == (E.LOGIN_REQUIRED, {"reason": "account_changed"})
    assert world.order == ["Load"]


def test_f31_another_accounts_access_token_alone_changes_nothing() -> None:
    """Our refresh token was not replaced: it stays as it is."""
    world = StoreWorld(EXPIRED, [tokens(access_token=account_token("acct_other"), refresh_token=...)])
    assert world.run(Renewal()).kind is E.ACCOUNT_CHANGED
    assert (world.stored, world.beside, world.saves) == (EXPIRED, [], [])


def test_f31_a_login_whose_old_tokens_name_nobody_is_of_its_own_account() -> None:
    mine = tokens(access_token=account_token(ACCOUNT, marker="new"), id_token=...)
    world = StoreWorld(login(access_token=Secret("opaque"), id_token=None), [mine])
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.beside == []


@pytest.mark.parametrize("access", [account_token("acct_other", marker="old"), "opaque"])
def test_f31_a_login_that_is_kept_by_another_workspaces_id_stays_what_it_is(access: str) -> None:
    """As the Codex CLI may have it: the id that is sent is not the one that the tokens name."""
    id_token = Secret(account_token("acct_other", marker="old-id"))
    world = StoreWorld(login(access_token=Secret(access), id_token=id_token), [OTHERS])
    assert isinstance(world.run(Renewal()), Renewed)
    assert world.stored is not None
    assert (world.stored.credential.account_id, world.stored.spent) == (ACCOUNT, False)
    assert world.stored.credential.access_token == Secret(account_token("acct_other"))
    assert world.beside == []


@pytest.mark.parametrize("old", [account_token("acct_third"), account_token(), "opaque"])
def test_f31_tokens_of_a_third_account_are_another_accounts(old: str) -> None:
    id_token = Secret(account_token("acct_other")) if old != "opaque" else None
    world = StoreWorld(login(access_token=Secret(old), id_token=id_token), [OTHERS])
    assert error_of(world.run(Renewal())).kind is E.ACCOUNT_CHANGED


def test_f31_an_answer_that_names_no_account_is_ours() -> None:
    outcome, record = renewed(tokens(access_token="opaque-access-token", id_token=...))
    assert isinstance(outcome, Renewed)
    assert record.credential.account_id == ACCOUNT


# -- the answer was lost, or is noise (R3, F21 to F29) -------------------------------------------------


def test_f31_a_dialect_that_finds_no_token_in_a_grant_leaves_all_open() -> None:
    world = StoreWorld(EXPIRED, [tokens()])
    outcome = world.run(Renewal(provider=reading(Granted(Tokens(None)))))
    assert (outcome.kind, outcome.details) == (E.INVALID_RESPONSE, {"status": 200, "uncertain": True})
    assert world.stored == attrs.evolve(EXPIRED, uncertain_at=ANSWERED)


OPEN: Final[dict[str, tuple[Reply, ErrorKind]]] = {
    "F29 500": (as_json(500, {}), E.NETWORK),
    "F29 502": (page(502), E.NETWORK),
    "F29 503": (as_json(503, {}), E.NETWORK),
    "F29 504": (page(504), E.NETWORK),
    "F26 a portal": (page(200), E.BLOCKED),
    "F26 noise": (Reply(200, b"\xff\x00"), E.INVALID_RESPONSE),
    "F26 empty": (Reply(200, b""), E.INVALID_RESPONSE),
    "F31 nothing in it": (as_json(200, {}), E.INVALID_RESPONSE),
    "F27 a redirect": (Reply(307, b"", {"location": "http://else.example"}), E.BLOCKED),
    "F25 two megabytes": (Reply(200, b'"' + b"x" * 2_000_000 + b'"'), E.INVALID_RESPONSE),
    "408": (as_json(408, {}), E.NETWORK),
}


@pytest.mark.parametrize(("reply", "kind"), OPEN.values(), ids=OPEN.keys())
@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_r3_an_answer_that_leaves_it_open_is_marked_and_not_repeated(
    reply: Reply, kind: ErrorKind, stored: Record
) -> None:
    outcome, record = renewed(reply, stored)
    error = error_of(outcome)
    assert (error.kind, error.details["uncertain"]) == (kind, True)
    assert isinstance(outcome, NotRenewed) is (stored is MANDATORY)
    assert record == attrs.evolve(stored, uncertain_at=ANSWERED)


# -- the server's word (R7, F30, F37) ------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LOGIN_OVER))
def test_r7_f30_the_end_of_a_login_is_remembered_for_this_very_token(name: str) -> None:
    outcome, record = renewed(code(name, 400))
    assert (outcome.kind, outcome.details) == (E.LOGIN_REQUIRED, {"code": name, "status": 400})
    assert outcome.message == LOGIN_OVER[name]
    assert record == attrs.evolve(EXPIRED, dead_code=name)


def test_r7_the_old_token_is_used_while_it_lives() -> None:
    outcome, record = renewed(code("refresh_token_reused", 401), MANDATORY)
    assert (outcome.record, outcome.why) == (MANDATORY, NotRenewedReason.FAILED)
    assert outcome.error.kind is E.LOGIN_REQUIRED
    assert record == attrs.evolve(MANDATORY, dead_code="refresh_token_reused")


def test_f30_a_401_in_json_without_a_code_is_remembered_as_unauthorized() -> None:
    outcome, record = renewed(as_json(401, {}))
    assert outcome.kind is E.LOGIN_REQUIRED
    assert record == attrs.evolve(EXPIRED, dead_code="unauthorized")


def test_f37_a_dead_login_is_answered_without_lock_or_network() -> None:
    _, record = renewed(code("refresh_token_reused", 401))
    world = StoreWorld(record)
    outcome = world.run(Renewal(rejected=OLD.access_token, forced=True))
    assert (outcome.kind, outcome.message) == (E.LOGIN_REQUIRED, LOGIN_OVER["refresh_token_reused"])
    assert world.order == ["Load"]


def test_f30_a_code_that_repeats_the_refresh_token_is_not_told() -> None:
    outcome, record = renewed(code("canary-old-refresh-1", 401))
    assert outcome.details == {"code": "other", "status": 401}
    assert record.dead_code == "other"


REFUSED: Final[dict[str, tuple[Reply, ErrorKind]]] = {
    "F30 an unknown code": (code("weird", 400), E.INVALID_RESPONSE),
    "F30 an empty 400": (Reply(400, b""), E.INVALID_RESPONSE),
    "F30 a 403": (as_json(403, {}), E.INVALID_RESPONSE),
    "F30 invalid_client": (code("invalid_client", 401), E.CLIENT_REJECTED),
    "F26 a page with 403": (page(403), E.BLOCKED),
    "F26 a page with 401": (page(401), E.BLOCKED),
    "F30 the region": (code("unsupported_country_region_territory", 403), E.REGION_BLOCKED),
}


@pytest.mark.parametrize(("reply", "kind"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("stored", [MANDATORY, EXPIRED], ids=["alive", "dead"])
def test_f30_any_other_refusal_leaves_the_login_as_it_was(
    reply: Reply, kind: ErrorKind, stored: Record
) -> None:
    world = StoreWorld(stored, [reply])
    outcome = world.run(Renewal())
    error = error_of(outcome)
    assert (error.kind, "uncertain" in error.details) == (kind, False)
    assert isinstance(outcome, NotRenewed) is (stored is MANDATORY)
    assert world.order == ["Load", "Lock", "Reserve", "SendRequest", "Release"]
    assert world.stored == stored


@pytest.mark.parametrize("fact", [Refusal(E.BLOCKED), TryAgain(E.TLS_UNTRUSTED), TryAgain(E.NETWORK, True)])
def test_a_dialect_decides_by_its_facts_alone(fact: Refusal | TryAgain) -> None:
    world = StoreWorld(EXPIRED, [tokens()])
    outcome = world.run(Renewal(provider=reading(fact)))
    assert outcome.kind is fact.kind
    assert (world.stored == EXPIRED) is (fact.kind is not E.NETWORK)


def test_a_login_of_another_server_is_not_renewed() -> None:
    world = StoreWorld(login(-60.0, issuer="https://else.example"))
    outcome = world.run(Renewal())
    assert (outcome.kind, outcome.details["reason"]) == (E.CLIENT_REJECTED, "other_issuer")
    assert world.order == ["Load"]


@pytest.mark.parametrize("left", [LIFE / 2, 200.0])
def test_a_borrowed_login_is_used_and_never_renewed(left: float) -> None:
    stored = login(left, refresh_token=None)
    world = StoreWorld(stored)
    outcome = world.run(Renewal())
    assert (outcome.record, world.order) == (stored, ["Load"])
    dead = StoreWorld(stored).run(Renewal(rejected=stored.credential.access_token))
    assert (dead.kind, dead.details) == (E.LOGIN_REQUIRED, {"reason": "borrowed"})
