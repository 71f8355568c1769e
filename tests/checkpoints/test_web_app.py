"""The example web application over ASGI, against the authority over real HTTP, in virtual time."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Self

import anyio
import attrs
import httpx
import pytest

from codex_oauth import CODEX, AsyncHttpxWorld, Credential
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.sealing import new_key
from tests.adapters.virtual_time import SkippingClock
from tests.house.tree import ROOT

ASK = Policy(approve=Approve.ASK, interval=5)


def example() -> Any:
    name = "web_app_of_the_docs"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "examples" / "web_app.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@attrs.define
class Rig:
    """The application, its authority, their one clock, and a browser."""

    server: AuthorityServer
    clock: SkippingClock
    sign_ins: Any
    credentials: list[Credential]
    browser: httpx.AsyncClient

    def later(self, seconds: float) -> None:
        self.clock._skipped += seconds

    def polls(self) -> int:
        return len(self.server.authority.received("poll"))

    def rows(self) -> dict[str, Any]:
        rows: dict[str, Any] = self.sign_ins.table.rows
        return rows

    async def begin(self) -> dict[str, Any]:
        answer = await self.browser.post("/sign-in")
        assert answer.status_code == 200
        begun: dict[str, Any] = answer.json()
        return begun

    async def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.browser.get("/sign-in/status")).json()
        return answer

    def decide(self, begun: dict[str, Any], *, approve: bool = True) -> None:
        assert self.server.decide(begun["user_code"], approve=approve)


@contextmanager
def rigged(policy: Policy = ASK, faults: tuple[Fault, ...] = ()) -> Generator[Rig]:
    clock, web_app, credentials = SkippingClock(), example(), list[Credential]()
    with serve(Authority(policy=policy, faults=faults), clock=clock.instant, wall=clock.wall) as server:
        sign_ins = web_app.SignIns(
            signed_in=credentials.append,
            provider=CODEX.at(server.url),
            make_world=lambda: AsyncHttpxWorld(now=clock.now),
        )
        transport = httpx.ASGITransport(web_app.create_app(sign_ins))
        browser = httpx.AsyncClient(transport=transport, base_url="https://app.example")
        yield Rig(server, clock, sign_ins, credentials, browser)


def test_a_person_signs_in_while_the_page_asks() -> None:
    async def journey(rig: Rig) -> None:
        begun = await rig.begin()
        assert begun["status"] == "pending"
        assert begun["verification_uri"] == f"{rig.server.url}/codex/device"
        for _ in range(3):
            assert await rig.status() == {"status": "pending"}
        assert rig.polls() == 0  # it is not due
        rig.later(6)
        assert await rig.status() == {"status": "pending"}
        assert await rig.status() == {"status": "pending"}
        assert rig.polls() == 1
        rig.decide(begun)
        rig.later(6)
        assert await rig.status() == {"status": "signed_in", "account_id": ASK.account.account_id}
        assert await rig.status() == {"status": "unknown"}

    with rigged() as rig:
        anyio.run(journey, rig)
        assert rig.polls() == 2
        assert [each.status for each in rig.server.authority.requests] == [200, 403, 200, 200]
        (credential,) = rig.credentials
        assert credential.issuer == rig.server.url


def test_the_cookie_is_for_the_browser_alone_and_the_table_shows_nothing() -> None:
    async def journey(rig: Rig) -> None:
        answer = await rig.browser.post("/sign-in")
        cookie = answer.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=strict"))
        assert "fake-deviceauth" not in cookie + answer.text + repr(rig.rows())
        assert answer.json()["user_code"] not in repr(rig.rows())

    with rigged() as rig:
        anyio.run(journey, rig)


class Slow(AsyncHttpxWorld):
    """A world that opens when every other request has loaded its row."""

    async def __aenter__(self) -> Self:
        await anyio.sleep(0.02)
        return await super().__aenter__()


@pytest.mark.parametrize("world", [AsyncHttpxWorld, Slow])
def test_requests_at_the_same_time_poll_once_and_exchange_once(world: type[AsyncHttpxWorld]) -> None:
    async def journey(rig: Rig) -> None:
        begun = await rig.begin()
        rig.sign_ins.make_world = lambda: world(now=rig.clock.now)
        rig.decide(begun)
        rig.later(6)
        said: list[str] = []

        async def ask() -> None:
            said.append((await rig.status())["status"])

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(ask)
        assert sorted(said) == ["pending"] * 9 + ["signed_in"]

    with rigged() as rig:
        anyio.run(journey, rig)
        assert rig.polls() == 1
        assert len(rig.server.authority.received("exchange")) == 1
        assert len(rig.credentials) == 1


@pytest.mark.parametrize(("seconds", "kind"), [(6.0, "denied"), (901.0, "expired")])
def test_an_end_without_a_login_is_said_once(seconds: float, kind: str) -> None:
    async def journey(rig: Rig) -> None:
        rig.decide(await rig.begin(), approve=False)
        rig.later(seconds)
        said = await rig.status()
        assert (said["status"], said["ok"], said["error"]["kind"]) == ("failed", False, kind)
        assert await rig.status() == {"status": "unknown"}

    with rigged() as rig:
        anyio.run(journey, rig)
        assert rig.polls() == (0 if kind == "expired" else 1)
        assert rig.credentials == []


class Died(Exception):
    """A worker was killed."""


@attrs.define
class Mortal:
    """Makes worlds, the next of which dies after it has sent a request to this endpoint."""

    clock: SkippingClock
    endpoint: str | None = None

    def __call__(self) -> AsyncHttpxWorld:
        mortal = self

        class World(AsyncHttpxWorld):
            async def perform(self, effect: Any) -> Any:
                event = await super().perform(effect)
                if mortal.endpoint and str(effect.request.url).endswith(mortal.endpoint):
                    mortal.endpoint = None
                    raise Died
                return event

        return World(now=self.clock.now)


def test_a_worker_that_died_in_a_poll_is_replaced_after_its_time() -> None:
    async def journey(rig: Rig) -> None:
        await rig.begin()
        rig.sign_ins.make_world = Mortal(rig.clock, "/deviceauth/token")
        rig.later(6)
        with pytest.raises(Died):
            await rig.status()
        assert await rig.status() == {"status": "pending"}
        assert rig.polls() == 1
        rig.later(21)
        assert await rig.status() == {"status": "pending"}
        assert rig.polls() == 2

    with rigged() as rig:
        anyio.run(journey, rig)


def test_a_worker_that_died_in_the_exchange_leaves_an_uncertain_end_and_no_second_exchange() -> None:
    async def journey(rig: Rig) -> None:
        rig.decide(await rig.begin())
        rig.sign_ins.make_world = Mortal(rig.clock, "/oauth/token")
        rig.later(6)
        with pytest.raises(Died):
            await rig.status()
        assert await rig.status() == {"status": "pending"}
        rig.later(21)
        error = (await rig.status())["error"]
        assert (error["kind"], error["details"]["uncertain"]) == ("token_request_failed", True)

    with rigged() as rig:
        anyio.run(journey, rig)
        assert len(rig.server.authority.received("exchange")) == 1
        assert rig.credentials == []


def test_a_row_in_another_sessions_place_or_of_an_older_key_is_of_no_use() -> None:
    async def journey(rig: Rig) -> None:
        await rig.begin()
        ((name, row),) = rig.rows().items()
        rig.browser.cookies.clear()
        await rig.begin()
        (other,) = set(rig.rows()) - {name}
        rig.rows()[other] = row
        rig.later(6)
        assert await rig.status() == {"status": "unknown", "reason": "sealed_wrong"}
        rig.sign_ins.key = new_key()
        assert await rig.status() == {"status": "unknown", "reason": "other_key"}
        rig.browser.cookies.clear()
        assert (await rig.browser.get("/sign-in/status")).status_code == 404

    with rigged() as rig:
        anyio.run(journey, rig)
        assert rig.polls() == 0


def test_a_start_that_fails_says_why() -> None:
    async def journey(rig: Rig) -> None:
        said = await rig.begin()
        assert (said["status"], said["error"]["kind"]) == ("failed", "device_code_unsupported")
        assert rig.rows() == {}

    with rigged(faults=(Fault(endpoint="usercode", status=404, body="{}"),)) as rig:
        anyio.run(journey, rig)
