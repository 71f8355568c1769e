"""What a dialect from outside finds in a grant, and must not: ids that no store can keep, a secret as a code, a page that
nobody can be shown.
"""

from __future__ import annotations

from typing import Final

import attrs
import pytest

from codex_oauth_core import (
    CODEX,
    Credential,
    DeviceAuthorization,
    DeviceFact,
    DeviceFlow,
    Finished,
    Issued,
    Provider,
    Renewal,
    ResponseReceived,
    Secret,
    Started,
    Wait,
)
from codex_oauth_core.facts import Granted, Refusal, Tokens
from codex_oauth_core.outcomes import Renewed
from codex_oauth_core.record import read_record, write_record
from tests.core.storing import EXPIRED, StoreWorld
from tests.core.test_provider_contract import OK, E, by_device, failed, granting, speaking
from tests.support import CODE, T0, W0, approved, response


@pytest.mark.parametrize("part", ["canary-access-part", "canary-renewal-part", "canary-identity-part", CODE])
def test_a_code_of_a_refused_grant_that_repeats_a_secret_is_not_repeated(part: str) -> None:
    names = ("access_token", "refresh_token", "id_token")
    held = {name: Secret(f"{part}-{name}") for name in names}
    provider = granting(**held, refusal=Refusal(E.INVALID_RESPONSE, code=part))
    outcome, _ = by_device(provider, approved(), OK, OK)
    assert failed(outcome).details == {"code": "other", "revoked": True}
    said = granting(refusal=Refusal(E.INVALID_RESPONSE, code="no_audience"))
    assert failed(by_device(said, approved(), OK, OK)[0]).details["code"] == "no_audience"


PAGE: Final = CODEX.verification_uri or ""

UNUSABLE_IDS: Final = ("\u00fcte", "two words", "x" * 256, "a\x1b[31m")


@pytest.mark.parametrize("name", ["account_id", "user_id"])
@pytest.mark.parametrize("named", UNUSABLE_IDS)
def test_an_id_that_no_store_can_keep_is_refused_and_not_made_somebody_unknown(name: str, named: str) -> None:
    outcome, _ = by_device(granting(**{name: named}), approved(), OK, OK)
    assert failed(outcome).details == {"reason": name, "revoked": True}
    longest, _ = by_device(granting(**{name: "x" * 255}), approved(), OK)
    assert isinstance(longest, Credential)
    nobody, _ = by_device(granting(**{name: ""}), approved(), OK)
    assert isinstance(nobody, Credential)
    assert getattr(nobody, name) is None


@pytest.mark.parametrize("named", ["", *UNUSABLE_IDS])
def test_a_renewal_is_saved_although_it_names_a_person_that_no_store_can_keep(named: str) -> None:
    def read(provider: Provider, answer: ResponseReceived) -> Granted:
        return Granted(Tokens(Secret("new-at"), Secret("new-rt"), expires_in=3600.0, user_id=named))

    unnamed = attrs.evolve(
        EXPIRED,
        credential=attrs.evolve(EXPIRED.credential, user_id=None, access_token=Secret("old"), id_token=None),
    )
    world = StoreWorld(unnamed, [OK])
    outcome = world.run(Renewal(provider=speaking(read_refresh=read)))
    assert isinstance(outcome, Renewed)
    assert (outcome.record.credential.user_id, world.stored) == (None, outcome.record)
    assert read_record(write_record(outcome.record)) == outcome.record


@pytest.mark.parametrize("length", [2048, 2049])
def test_a_page_that_is_too_long_is_not_shown(length: int) -> None:
    page = f"{PAGE}?user_code=".ljust(length, "a")
    device = DeviceAuthorization(Secret("device"), "ABCD-EFGH", 5.0, PAGE, 900.0, page)

    def read(provider: Provider, answer: ResponseReceived) -> DeviceFact:
        return Issued(device)

    flow = DeviceFlow(provider=speaking(read_device_authorization=read))
    flow.receive(Started(T0, W0))
    effect = flow.receive(response(OK, T0 + 1))
    assert isinstance(effect, Wait) is (length == 2048)
    if isinstance(effect, Finished):
        assert failed(effect.outcome).details["reason"] == "verification_uri_complete"
