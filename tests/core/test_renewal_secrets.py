"""No secret is in any text form of a flow about a stored login, of what it asks, is told, and ends with."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, Final

import attrs
import pytest

from codex_oauth.testing import Lost, Reply
from codex_oauth_core.codex import CODEX
from codex_oauth_core.effect_unions import Effect
from codex_oauth_core.effects import Finished, SendRequest
from codex_oauth_core.errors import IllegalEvent, SignInError
from codex_oauth_core.events import CallbackReceived, Started
from codex_oauth_core.flows.finish_sign_in import FinishSignIn
from codex_oauth_core.flows.machine import Flow
from codex_oauth_core.flows.renewal import Renewal
from codex_oauth_core.flows.revoke_login import Revocation
from codex_oauth_core.flows.store_login import StoreLogin
from codex_oauth_core.outcomes import Adopted, LoginStored, NotRenewed, Renewed, SignedIn
from codex_oauth_core.record import Intent, Record
from codex_oauth_core.secret import Secret
from codex_oauth_core.storage import Conflict, Save
from tests.core.storing import CURRENT, EXPIRED, MANDATORY, MAYBE_SENT, NOT_SENT, StoreWorld, failed, login
from tests.support import T0, account_token, as_json, code, page, tokens

HIDDEN: Final = tuple(
    text
    for token in (
        *(EXPIRED.credential.access_token.reveal(), account_token(), account_token("acct_other")),
        *(account_token(marker="id"), account_token(marker="old-id")),
    )
    for text in (token, token.split(".")[1])
) + ("canary",)
BESIDE: Final = "canary-in-an-unknown-field"

Make = Callable[[], Flow[Any, Any]]
Row = tuple[Make, Record | None, list[Reply | Lost]]

DOUBTED: Final = login(-60.0, uncertain_at=1.0, intent=Intent(1, "there", 2.0), unknown={"later": BESIDE})
KNOWN: Final = login(9e5, number=2, parent=EXPIRED.fingerprint, generation=8)
ROWS: Final[dict[str, Row]] = {
    "known": (lambda: Renewal(known=KNOWN), EXPIRED, []),
    "saved later": (lambda: Renewal(keep_saving=True), EXPIRED, [tokens()]),
    "revoked again": (lambda: Revocation(provider=CODEX), EXPIRED, [as_json(503, {}), as_json(200, {})]),
    "renewed": (Renewal, EXPIRED, [tokens()]),
    "kept": (Renewal, CURRENT, []),
    "retried": (Renewal, EXPIRED, [NOT_SENT, as_json(429, {}), tokens()]),
    "rejected": (lambda: Renewal(rejected=CURRENT.credential.access_token), CURRENT, [tokens()]),
    "adopted": (lambda: Renewal(rejected=Secret("canary-refused")), CURRENT, []),
    "lost": (Renewal, MANDATORY, [MAYBE_SENT]),
    "noise": (Renewal, EXPIRED, [Reply(200, b"canary-noise")]),
    "echo": (Renewal, EXPIRED, [code("canary-old-refresh-1", 401)]),
    "echo in an unknown code": (Renewal, EXPIRED, [code("x.canary-old-refresh-1", 400)]),
    "prose": (Renewal, EXPIRED, [as_json(400, {"error": "canary prose of a server"})]),
    "dead, with a history": (Renewal, DOUBTED, [code("refresh_token_reused", 401)]),
    "another account": (Renewal, EXPIRED, [tokens(access_token=account_token("acct_other"))]),
    "unusable": (Renewal, EXPIRED, [tokens(access_token="canary with spaces")]),
    "page": (Renewal, EXPIRED, [page(403)]),
    "deposited": (lambda: StoreLogin(record=CURRENT), DOUBTED, []),
    "deposited, contended": (lambda: StoreLogin(record=CURRENT), EXPIRED, []),
    "signed in": (
        lambda: FinishSignIn(record=KNOWN, provider=CODEX, revoke_old=True),
        DOUBTED,
        [as_json(200, {})] * 2,
    ),
    "revoked": (lambda: Revocation(provider=CODEX), DOUBTED, [as_json(200, {})]),
    "not revoked": (lambda: Revocation(provider=CODEX), EXPIRED, [code("canary-old-refresh-1", 400)]),
    "unstored": (
        lambda: Revocation(provider=CODEX, credential=CURRENT.credential),
        None,
        [as_json(200, {})],
    ),
}


CALLBACK: Final = CallbackReceived(T0, Secret("code=canary-code"))


def texts_of(thing: object) -> list[str]:
    texts = [repr(thing), str(thing), f"{thing}", f"{thing!r:.10000}"]
    if isinstance(thing, SignInError):
        texts += [repr(thing.to_dict()), repr(thing.details), repr(thing.args), *thing.next_actions]
    if isinstance(thing, Finished):
        texts += texts_of(thing.outcome)
    if isinstance(thing, NotRenewed | Renewed):
        texts += texts_of(thing.error if isinstance(thing, NotRenewed) else thing.unsaved)
    if isinstance(thing, Adopted | NotRenewed | Renewed | LoginStored | SignedIn):
        texts += texts_of(thing.record)
    if isinstance(thing, SendRequest):
        texts += [thing.request.url, repr(thing.request.headers)]
    return texts


@pytest.mark.parametrize("save", ["saved", "conflict", "failed", "failed for long"])
@pytest.mark.parametrize(("make", "stored", "server"), ROWS.values(), ids=ROWS.keys())
def test_no_text_form_shows_a_secret(
    make: Make, stored: Record | None, server: list[Reply | Lost], save: str
) -> None:
    flow = make()
    answer = {"saved": None, "conflict": Conflict(CURRENT)}.get(save, failed())
    world = StoreWorld(stored, server, answers={Save: [answer] * (20 if save == "failed for long" else 1)})
    seen = texts_of(flow)
    event: Any = Started(*world.net.now())
    while True:
        effect: Effect = flow.receive(event)
        seen += [*texts_of(flow), *texts_of(effect), *texts_of(_illegal(flow))]
        seen += texts_of(getattr(flow, "meanwhile", None))
        if isinstance(effect, Finished):
            break
        event = world.perform(effect)
        seen += texts_of(event)
    assert len(seen) > 20
    assert [(text, hidden) for text in seen for hidden in HIDDEN if hidden in text] == []


def _illegal(flow: Flow[Any, Any]) -> str:
    """What is told of an event that is no answer, with the frames that a traceback shows."""
    with pytest.raises(IllegalEvent) as raised:
        flow.receive(CALLBACK)
    return "".join(traceback.format_exception(raised.value))


def test_the_canaries_are_where_they_would_be_seen() -> None:
    assert all(attrs.evolve(record).credential.refresh_token for record in (EXPIRED, CURRENT, DOUBTED))
    for record in (EXPIRED, DOUBTED):
        token = record.credential.refresh_token
        assert token is not None
        assert "canary" in token.reveal()
    assert HIDDEN[0] == EXPIRED.credential.access_token.reveal()
