"""Each port signs in with a device code, over real HTTP, against the authority."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_oauth import AsyncWorld, World, arun, run
from codex_oauth.authority import Authority, Fault, Policy, serve
from codex_oauth.worlds.aiohttp_world import AiohttpWorld
from codex_oauth.worlds.twisted_world import sign_in
from codex_oauth.worlds.urllib_world import UrllibWorld
from codex_oauth_core import CODEX, Credential, DeviceFlow, ErrorKind, SignInError
from tests.adapters.virtual_time import SkippingClock
from tests.ports.reactors import TurnedReactor
from tests.transport.servers import no_new_sockets

Outcome = Credential | SignInError


def with_urllib(flow: DeviceFlow, clock: SkippingClock) -> Outcome:
    world: World
    with UrllibWorld(now=clock.now, on_wait=clock.skip) as world:
        return run(flow, world)


def with_aiohttp(flow: DeviceFlow, clock: SkippingClock) -> Outcome:
    async def main() -> Outcome:
        world: AsyncWorld
        async with AiohttpWorld(now=clock.now, on_wait=clock.skip) as world:
            return await arun(flow, world)

    return asyncio.run(main())


def with_twisted(flow: DeviceFlow, clock: SkippingClock) -> Outcome:
    turned = TurnedReactor()
    try:
        return turned.result(sign_in(flow, turned.reactor, now=clock.now, on_wait=clock.skip))
    finally:
        turned.close()


PORTS: dict[str, Callable[[DeviceFlow, SkippingClock], Outcome]] = {
    "urllib": with_urllib,
    "aiohttp": with_aiohttp,
    "twisted": with_twisted,
}
SOON = Policy(approve="auto", interval=5, approve_after=12.0)
LATER = Policy(approve="auto", interval=5, approve_after=60.0)


def outcome_of(port: str, authority: Authority) -> Outcome:
    clock = SkippingClock()
    with no_new_sockets(), serve(authority, clock=clock.instant, wall=clock.wall) as server:
        return PORTS[port](DeviceFlow(provider=CODEX.at(server.url)), clock)


@pytest.mark.parametrize("port", PORTS)
def test_a_device_code_is_approved(port: str) -> None:
    authority = Authority(policy=SOON)
    outcome = outcome_of(port, authority)
    assert isinstance(outcome, Credential), outcome
    assert outcome.account_id == SOON.account.account_id
    asked = [request.endpoint for request in authority.requests]
    assert asked == ["usercode", "poll", "poll", "poll", "exchange"]


@pytest.mark.parametrize("port", PORTS)
def test_polls_that_fail_are_repeated_and_the_exchange_is_not(port: str) -> None:
    faults = (
        Fault(endpoint="poll", requests="1", reset=True, act=False),
        Fault(endpoint="poll", requests="2", truncate=3),
        Fault(endpoint="exchange", reset=True),
    )
    authority = Authority(policy=LATER, faults=faults)
    outcome = outcome_of(port, authority)
    assert isinstance(outcome, SignInError)
    assert outcome.kind is ErrorKind.TOKEN_REQUEST_FAILED
    assert [request.endpoint for request in authority.requests].count("exchange") == 1


ALONE = """
import sys
from codex_oauth.worlds.urllib_world import UrllibWorld
from codex_oauth.worlds.world import run
from codex_oauth_core import CODEX, DeviceFlow

skipped = 0.0

def now():
    return 1000.0 + skipped, 1_800_000_000.0 + skipped

def skip(wait):
    global skipped
    skipped = wait.until - 1000.0

with UrllibWorld(now=now, on_wait=skip) as world:
    outcome = run(DeviceFlow(provider=CODEX.at(sys.argv[1])), world)
print(type(outcome).__name__)
places = {name.partition(".")[0]: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(*sorted(name for name, place in places.items() if "site-packages" in place))
"""

OF_THE_CORE = {"attr", "attrs", "h11", "six", "transitions"}
OF_AN_EDITABLE_INSTALL = {"_distutils_hack", "_virtualenv", "sitecustomize"}


def output_of(program: str, folder: Path) -> str:
    """What a program prints that signs in at the URL of its argument; warnings are errors in it."""
    script = folder / "program.py"
    script.write_text(program)
    with serve(Authority(policy=Policy(approve="auto", interval=1))) as server:
        command = [sys.executable, "-W", "error", str(script), server.url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    return done.stdout


def test_the_standard_library_alone_signs_in(tmp_path: Path) -> None:
    outcome, *third_party = output_of(ALONE, tmp_path).split()
    assert outcome == "Credential"
    assert set(third_party) <= OF_THE_CORE | OF_AN_EDITABLE_INSTALL
    assert "attrs" in third_party or "attr" in third_party, "the check sees what is loaded"


REACTOR = """
import sys
from twisted.internet import reactor
from codex_oauth.worlds.twisted_world import sign_in
from codex_oauth_core import CODEX, DeviceFlow

def done(outcome):
    print(type(outcome).__name__)
    reactor.stop()

sign_in(DeviceFlow(provider=CODEX.at(sys.argv[1])), reactor).addBoth(done)
reactor.run()
print(*reactor.getDelayedCalls())
"""


def test_a_twisted_program_signs_in_and_ends(tmp_path: Path) -> None:
    assert output_of(REACTOR, tmp_path).split() == ["Credential"]
