"""A plain RFC 8628 provider is one more dialect: no flow changes for it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode

import attrs
import pytest

from codex_oauth import run
from codex_oauth.testing import FakeWorld, Reply, scripted
from codex_oauth_core import (
    CODEX,
    Credential,
    DeviceAuthorization,
    DeviceFlow,
    ErrorKind,
    Request,
    ResponseReceived,
    Secret,
    SignInError,
)
from codex_oauth_core.facts import DeviceFact, Granted, Issued, Pending, PollFact, Refusal, SlowDown, Tokens
from codex_oauth_core.provider import Provider
from codex_oauth_core.reading.json_body import as_object, read_json
from tests.support import account_token, as_json, there

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def body(response: ResponseReceived) -> Any:
    return as_object(read_json(response.body.reveal()))


def ask(provider: Provider) -> Request:
    form = urlencode({"client_id": provider.client_id, "scope": " ".join(provider.scopes)})
    return Request(
        "POST", there(provider.device_authorization_endpoint), provider.headers, Secret(form.encode())
    )


def issue(provider: Provider, response: ResponseReceived) -> DeviceFact:
    fields = body(response)
    return Issued(
        DeviceAuthorization(
            Secret(fields["device_code"]),
            fields["user_code"],
            fields.get("interval", 5),
            fields["verification_uri"],
            fields["expires_in"],
        )
    )


def poll(provider: Provider, device: DeviceAuthorization) -> Request:
    form = {
        "grant_type": GRANT,
        "device_code": device.device_auth_id.reveal(),
        "client_id": provider.client_id,
    }
    return Request("POST", there(provider.token_endpoint), provider.headers, Secret(urlencode(form).encode()))


def read(provider: Provider, response: ResponseReceived) -> PollFact:
    fields = body(response)
    match fields.get("error"):
        case None:
            account = fields.get("account")
            return Granted(
                Tokens(
                    Secret(fields["access_token"]),
                    Secret(fields["refresh_token"]) if "refresh_token" in fields else None,
                    account_id=account,
                )
            )
        case "authorization_pending":
            return Pending()
        case "slow_down":
            return SlowDown()
        case error:
            return Refusal(
                ErrorKind.DENIED if error == "access_denied" else ErrorKind.DEVICE_AUTH_FAILED, error
            )


PLAIN = attrs.evolve(
    CODEX.at("https://plain.example"),
    dialect=attrs.evolve(
        CODEX.dialect,
        device_authorization_request=ask,
        read_device_authorization=issue,
        poll_request=poll,
        read_poll=read,
    ),
)
ISSUED = as_json(
    200,
    {
        "device_code": "canary-device-code",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://plain.example/device",
        "expires_in": 1800,
    },
)
GRANTED = as_json(200, {"access_token": account_token(), "refresh_token": "r1", "account": "acct_1"})


def sign_in(*replies: Reply) -> tuple[Any, FakeWorld]:
    world = FakeWorld(scripted((ISSUED, *replies)))
    return run(DeviceFlow(provider=PLAIN), world), world


def test_a_poll_that_grants_signs_in_without_an_exchange() -> None:
    outcome, world = sign_in(
        as_json(400, {"error": "authorization_pending"}), as_json(400, {"error": "slow_down"}), GRANTED
    )
    assert isinstance(outcome, Credential)
    assert (outcome.issuer, outcome.account_id) == ("https://plain.example", "acct_1")
    form = parse_qs(world.requests[-1].request.body.reveal().decode())
    assert form["grant_type"] == [GRANT]
    assert [wait.until - at for at, wait in world.performed if wait in world.waits] == [5.0, 5.0, 10.0]


def test_a_grant_that_is_not_kept_is_revoked_from_the_poll() -> None:
    incomplete = as_json(200, {"access_token": "x"})
    outcome, world = sign_in(incomplete, as_json(200, {}))
    assert isinstance(outcome, SignInError)
    assert (outcome.kind, outcome.details) == (
        ErrorKind.INVALID_RESPONSE,
        {"reason": "refresh_token", "revoked": True},
    )
    assert world.requests[-1].once


@pytest.mark.parametrize(
    ("error", "kind"), [("access_denied", "denied"), ("invalid_client", "device_auth_failed")]
)
def test_its_refusals_end_the_login(error: str, kind: str) -> None:
    outcome, _ = sign_in(as_json(400, {"error": error}))
    assert isinstance(outcome, SignInError)
    assert (outcome.kind.value, outcome.details["code"]) == (kind, error)
