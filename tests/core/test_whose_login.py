"""Whose login a sign-in and a renewal bring: the one that was asked for, the same person's as before, or nobody's
that is named.
"""

from __future__ import annotations

import json
from typing import Any, Final

import attrs
import pytest

from codex_oauth import run
from codex_oauth.testing import FakeWorld, Reply, scripted
from codex_oauth_core import (
    CODEX,
    Credential,
    DeviceFlow,
    ErrorKind,
    Identity,
    Renewal,
    Renewed,
    Secret,
    SendRequest,
    SignInError,
    Started,
    restore,
)
from codex_oauth_core.checkpoints.codec import CheckpointError
from codex_oauth_core.events import Resumed
from tests.checkpoints.journeys import through_json
from tests.core.storing import ACCOUNT, StoreWorld, error_of, login
from tests.support import CLAIMS, T0, W0, approved, as_json, issued, jwt, tokens

E = ErrorKind


def claims(user: str | None = None, account: str | None = ACCOUNT, **others: Any) -> str:
    ids = {"chatgpt_account_id": account, "chatgpt_user_id": user}
    return jwt({CLAIMS: {name: value for name, value in ids.items() if value is not None}, **others})


def granting(access: str, id_token: Any = ...) -> Reply:
    return tokens(access_token=access, id_token=id_token)


def sign_in(reply: Reply, **options: Any) -> tuple[Any, FakeWorld]:
    world = FakeWorld(scripted((issued(), approved(), reply, as_json(200, {}))))
    return run(DeviceFlow(**options), world), world


# -- a sign-in -------------------------------------------------------------------------------------------


def test_a_personal_account_without_an_account_id_is_signed_in_and_sends_no_account() -> None:
    outcome, world = sign_in(granting(claims("anna", None)))
    assert isinstance(outcome, Credential)
    assert (outcome.account_id, outcome.user_id) == (None, "anna")
    assert len(world.requests) == 3, "nothing was revoked"
    assert "ChatGPT-Account-Id" not in dict(CODEX.dialect.headers(CODEX, outcome))


def test_without_an_account_no_workspace_is_the_one_that_was_asked_for() -> None:
    outcome, world = sign_in(granting(claims("anna", None)), workspaces=[ACCOUNT])
    assert (outcome.kind, outcome.details["revoked"]) == (E.WORKSPACE_RESTRICTED, True)
    assert len(world.requests) == 4


ANNA: Final = Identity(CODEX.issuer, CODEX.client_id, ACCOUNT, "anna")
ID_OF_ANNA: Final = claims("anna", email="Anna@Example.com")


@pytest.mark.parametrize(
    "account",
    [
        ANNA,
        attrs.evolve(ANNA, user_id=None),
        attrs.evolve(ANNA, account_id=None),
        "anna@example.com",
        ACCOUNT,
        "anna",
        ANNA.key,
        ANNA.key[:12],
        None,
    ],
    ids=str,
)
def test_who_was_asked_for_is_signed_in(account: Any) -> None:
    outcome, world = sign_in(granting(claims("anna"), ID_OF_ANNA), account=account)
    assert isinstance(outcome, Credential)
    assert outcome.identity == ANNA
    assert len(world.requests) == 3


@pytest.mark.parametrize(
    "account",
    [
        attrs.evolve(ANNA, user_id="bert"),
        attrs.evolve(ANNA, account_id="acct_other"),
        attrs.evolve(ANNA, client_id="another"),
        attrs.evolve(ANNA, issuer="http://127.0.0.1:1"),
        "bert@example.com",
        "anna@example.co",
        "bert",
        "acct_other",
        "",
    ],
    ids=str,
)
def test_somebody_else_is_refused_and_revoked(account: Any) -> None:
    outcome, world = sign_in(granting(claims("anna"), ID_OF_ANNA), account=account)
    assert isinstance(outcome, SignInError)
    assert outcome.kind is E.ACCOUNT_CHANGED
    assert outcome.details == {
        "reason": "other_person",
        "revoked": True,
        "signed_in_as": f"Anna@Example.com ({ACCOUNT})",
    }
    assert json.loads(world.requests[-1].request.body.reveal())["token"] == "canary-refresh-token-5566"


@pytest.mark.parametrize(
    ("email", "named"),
    [
        ("bert@example.com", f"bert@example.com ({ACCOUNT})"),
        ("b\x1b]52;x\x07@x", ACCOUNT),
        ("x" * 255, ACCOUNT),
        ("", ACCOUNT),
    ],
)
def test_who_signed_in_is_named_by_a_text_that_prints(email: str, named: str) -> None:
    outcome, _ = sign_in(granting(claims("bert"), claims("bert", email=email)), account=ANNA)
    assert outcome.details["signed_in_as"] == named


@pytest.mark.parametrize("account", [ANNA, attrs.evolve(ANNA, user_id=None), "anna@example.com"], ids=str)
def test_who_was_asked_for_is_still_asked_for_when_it_is_picked_up(account: Any) -> None:
    flow = _waiting(DeviceFlow(account=account))
    again = restore(through_json(flow.checkpoint(at=T0 + 1, wall=W0 + 1, handed_over=True)), CODEX)
    assert isinstance(again, DeviceFlow)
    assert again.account == account
    assert again.receive(Resumed(T0 + 2, W0 + 2)) is not None


def test_a_checkpoint_of_an_earlier_release_asks_for_nobody() -> None:
    flow = _waiting(DeviceFlow())
    mapping = flow.checkpoint(at=T0 + 1, wall=W0 + 1)
    assert "account" not in mapping["fields"], "an earlier release could not restore it"
    again = restore(mapping, CODEX)
    assert isinstance(again, DeviceFlow)
    assert again.account is None


def _waiting(flow: DeviceFlow) -> DeviceFlow:
    world = FakeWorld(scripted((issued(),)))
    effect = flow.receive(Started(*world.now()))
    assert isinstance(effect, SendRequest)
    flow.receive(world.perform(effect))
    return flow


# -- a renewal -------------------------------------------------------------------------------------------


def stored(access: str, id_token: str | None = None, **changes: Any) -> Any:
    hidden = None if id_token is None else Secret(id_token)
    return login(-60.0, access_token=Secret(access), id_token=hidden, **changes)


def renewal_of(record: Any, reply: Reply) -> tuple[Any, StoreWorld]:
    world = StoreWorld(record, [reply])
    return world.run(Renewal()), world


def test_another_person_of_the_workspace_is_another_account() -> None:
    ours = stored(claims("anna"), user_id="anna")
    outcome, world = renewal_of(ours, granting(claims("bert")))
    assert error_of(outcome).kind is E.ACCOUNT_CHANGED
    assert world.stored == attrs.evolve(ours, spent=True)
    (beside,) = world.beside
    assert beside.credential.identity == attrs.evolve(ANNA, user_id="bert")
    assert beside.parent is None, "a sign-in of his own"


def test_so_it_is_where_an_earlier_release_stored_no_person() -> None:
    outcome, world = renewal_of(stored(claims("anna")), granting(claims("bert")))
    assert error_of(outcome).kind is E.ACCOUNT_CHANGED
    assert [record.credential.user_id for record in world.beside] == ["bert"]


@pytest.mark.parametrize(
    ("access", "id_token", "user_id", "answer"),
    [
        (claims("anna"), None, "anna", granting("opaque")),
        (claims("anna"), None, "anna", granting(claims(None))),
        ("opaque", None, None, granting(claims("anna"))),
        ("opaque", claims("anna"), "anna", granting(claims("anna"))),
        (jwt({"sub": "s"}), claims("anna"), "anna", granting(jwt({"sub": "s"}))),
        (jwt({"sub": "s"}), claims("anna"), None, granting(jwt({"sub": "s"}))),
    ],
)
def test_the_same_person_stays_the_same_whichever_token_names_her(
    access: str, id_token: str | None, user_id: str | None, answer: Reply
) -> None:
    outcome, world = renewal_of(stored(access, id_token, user_id=user_id), answer)
    assert isinstance(outcome, Renewed)
    assert world.stored is not None
    assert world.stored.credential.user_id == "anna"
    assert world.beside == []


def test_an_account_that_was_not_known_may_be_filled_in() -> None:
    outcome, world = renewal_of(stored("opaque", account_id=None), granting(claims("anna")))
    assert isinstance(outcome, Renewed)
    assert world.stored is not None
    assert world.stored.credential.identity == ANNA


def test_of_another_person_nothing_is_made_up() -> None:
    """An answer that names another person and no account leaves the account open."""
    outcome, world = renewal_of(stored(claims("anna"), user_id="anna"), granting(claims("bert", None)))
    assert error_of(outcome).kind is E.ACCOUNT_CHANGED
    assert world.beside[0].credential.account_id is None


def test_a_login_of_nobody_is_renewed() -> None:
    outcome, world = renewal_of(stored("opaque", account_id=None), granting("still-opaque"))
    assert isinstance(outcome, Renewed)
    assert world.stored is not None
    assert world.stored.credential.identity == attrs.evolve(ANNA, account_id=None, user_id=None)


@pytest.mark.parametrize("account", ["a\nb", "\ud800", "x" * 1025], ids=ascii)
def test_what_could_not_be_picked_up_is_refused_before_anybody_approves_it(account: str) -> None:
    with pytest.raises(ValueError, match="account: "):
        DeviceFlow(account=account)
    mapping = _waiting(DeviceFlow(account="anna@example.com")).checkpoint(at=T0 + 1, wall=W0 + 1)
    with pytest.raises(CheckpointError) as raised:
        restore({**mapping, "fields": {**mapping["fields"], "account": account}}, CODEX)
    assert raised.value.reason == "malformed"


def test_whatever_may_be_asked_for_is_still_asked_for_when_it_is_picked_up() -> None:
    longest = "\u00fc" * 1024
    again = restore(
        through_json(_waiting(DeviceFlow(account=longest)).checkpoint(at=T0 + 1, wall=W0 + 1)), CODEX
    )
    assert isinstance(again, DeviceFlow)
    assert again.account == longest
