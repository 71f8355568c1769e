"""No secret leaves the places it is meant for: every flow and every error, everything that can be seen."""

from __future__ import annotations

import copy
import http.client
import json
import logging
import pickle
import sys
import traceback
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import CODEX, FileStore, SignInError, login
from codex_oauth.authority import Authority, Fault, Policy, serve
from codex_oauth.testing import FakeWorld, Lost, Reply, scripted
from codex_oauth_core import DeviceFlow, Effect, Finished, Started
from tests.adapters.virtual_time import SkippingClock, skipping_world
from tests.support import SIGN_IN, approved, as_json, code, issued, page, tokens

ENDS: dict[str, tuple[Reply | Lost, ...]] = {
    "signed in": SIGN_IN,
    "denied": (issued(), code("access_denied")),
    "echoed id": (issued(), code("canary-device-auth-id-7788", 400)),
    "refused exchange": (issued(), approved(), code("invalid_grant", 400)),
    "echoed code": (issued(), approved(), code("canary-authorization-code-9911", 400)),
    "lost exchange": (issued(), approved(), Lost()),
    "unusable tokens": (
        issued(),
        approved(),
        tokens(access_token="canary access with a space"),
        as_json(200, {}),
    ),
    "an unusable token": (issued(), approved(), tokens(access_token="canary two words"), page(500)),
    "challenge": (issued(), approved(code_challenge="canary")),
    "bad user code": (issued(user_code="canary\x1b[31m"),),
    "a page": (page(403),),
}


def seen(value: object) -> str:
    """Everything that a curious person could print of a value, in one text."""
    texts = [repr(value), str(value), f"{value}"]
    if attrs.has(type(value)):
        instance: Any = value
        texts += [str(attrs.asdict(instance)), str(attrs.astuple(instance)), repr(copy.deepcopy(instance))]
        texts += [
            str({name: getattr(instance, name, None) for name in dir(instance) if not name.startswith("__")})
        ]
    try:
        texts.append(str(pickle.dumps(value)))
    except Exception as error:  # noqa: BLE001  # whatever refuses it may say only why
        texts.append(str(error))
    return "\n".join(texts)


@attrs.define(eq=False)
class Curious(FakeWorld):
    """A world that looks at everything that passes."""

    log: list[str] = attrs.field(factory=list[str])

    def perform(self, effect: Any) -> Any:
        event = super().perform(effect)
        self.log += [seen(effect), seen(event)]
        return event


@pytest.mark.parametrize("name", ENDS)
def test_no_secret_in_any_effect_event_error_or_traceback(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world = Curious(scripted(ENDS[name]))
    flow = DeviceFlow()
    effect: Effect = flow.receive(Started(*world.now()))
    while not isinstance(effect, Finished):
        world.log.append(seen(flow))
        effect = flow.receive(world.perform(effect))
    world.log += [seen(flow), seen(effect), seen(effect.outcome)]
    try:
        login(
            device=True,
            on_prompt=print,
            store=FileStore(tmp_path),
            make_world=lambda _: Curious(scripted(ENDS[name])),
        )
    except SignInError as error:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True)
        world.log += ["".join(frames.format()), json.dumps(error.to_dict())]
    out, err = capfd.readouterr()
    for text in (*world.log, out, err):
        assert "canary-" not in text
        assert "canary access" not in text


def markers(authority: Authority, home: Path) -> set[str]:
    """The secrets of one run: what the authority received as secret, and what was stored."""
    found: set[str] = set()
    for request in authority.requests:
        found |= {value.reveal() for value in request.fields.values() if not isinstance(value, str)}
    for path in (home / "logins").glob("*.json"):
        stored = json.loads(path.read_bytes())["credential"]
        found |= {stored[name] for name in ("access_token", "refresh_token", "id_token")}
    return {marker for marker in found if len(marker) > 12}


@pytest.mark.parametrize(
    "faults",
    [
        (),
        (Fault(endpoint="poll", requests="1", status=502, body="<html>"),),
        (Fault(endpoint="exchange", status=500, body="oops"),),
        (Fault(endpoint="exchange", truncate=300),),
        (Fault(endpoint="exchange", reset=True),),
    ],
)
def test_no_secret_in_logs_at_debug_or_in_urls_over_real_http(
    faults: tuple[Fault, ...],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    logging.getLogger("httpcore.http11").debug("the log is looked at")
    clock = SkippingClock()
    authority = Authority(policy=Policy(approve="auto"), faults=faults)
    texts: list[str] = []
    with serve(authority, clock=clock.instant, wall=clock.wall) as server:
        try:
            login(
                device=True,
                on_prompt=lambda prompt: texts.append(seen(prompt)),
                provider=CODEX.at(server.url),
                store=FileStore(tmp_path),
                make_world=lambda _: skipping_world(clock),
            )
        except SignInError as error:
            texts += traceback.format_exception(error) + [seen(error)]
    texts += [record.getMessage() for record in caplog.records] + list(capfd.readouterr())
    texts += [request.path for request in authority.requests] + sys.argv
    secrets = markers(authority, tmp_path)
    assert len(secrets) >= 3
    assert "the log is looked at" in texts
    assert not any("receive_response_headers" in text for text in texts), "httpcore logs answers"
    for secret in secrets:
        assert not any(secret in text for text in texts)
