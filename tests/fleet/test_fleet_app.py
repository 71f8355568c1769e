"""The example application of docs/fleet.md: its pages over ASGI, and its processes.

Rules of this file: a person is a client with cookies that sends what a browser sends; the authority counts. What a
person sees in a browser is looked at in test_fleet_app_in_a_browser.py.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import attrs
import httpx
import pytest

from codex_oauth import CODEX
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.fleet import FleetPool
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from tests.fleet.cluster import Cluster, sql
from tests.fleet.example_app import Application, example, until
from tests.fleet.logins import KEYS, store_in

ASK = Policy(approve=Approve.ASK, interval=1, strict_pace=False)
ORIGIN = "http://app.example"
PATIENCE = 60.0


@attrs.define
class Visit:
    """A person's browser, the application, and the authority."""

    dsn: str
    server: AuthorityServer
    browser: httpx.AsyncClient

    async def post(self, path: str) -> str:
        """Press a button: the page after it."""
        answer = await self.browser.post(path, headers={"Origin": ORIGIN}, follow_redirects=True)
        assert answer.status_code == 200
        return answer.text

    async def home(self) -> str:
        answer = await self.browser.get("/")
        assert answer.status_code == 200
        return answer.text

    async def over(self) -> str:
        """Ask as the script does, until there is something else to show."""
        with anyio.fail_after(PATIENCE):
            while (await self.browser.get("/state")).json() == {"state": "pending"}:  # noqa: ASYNC110  # others change a database
                await anyio.sleep(0.1)
        return await self.home()

    def decide(self, page: str, *, approve: bool = True) -> None:
        assert self.server.decide(code_of(page), approve=approve)


def code_of(page: str) -> str:
    found = re.search("<code>(.+?)</code>", page)
    assert found
    return found[1]


@pytest.fixture
def dsn(migrated: str) -> str:
    sql(migrated, example("fleet_app").SESSIONS)
    return migrated


@asynccontextmanager
async def visiting(
    dsn: str, *, faults: tuple[Fault, ...] = (), policy: Policy = ASK, works: bool = True
) -> AsyncGenerator[Visit]:
    app = example("fleet_app")
    with serve(Authority(policy=policy, faults=faults)) as server:
        provider, send = CODEX.at(server.url), AsyncHttpxTransport()
        pages = app.create_app(app.Settings(dsn, KEYS, provider))
        pool = FleetPool(dsn, send, keys=KEYS, providers=[provider])
        async with anyio.create_task_group() as tasks:
            if works:
                tasks.start_soon(pool.run)
            transport = httpx.ASGITransport(pages)
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as browser:
                yield Visit(dsn, server, browser)
            pool.stop()
        await send.aclose()


def test_a_person_signs_in_uses_the_login_and_signs_out(dsn: str) -> None:
    async def main() -> None:
        async with visiting(dsn) as visit:
            assert "Sign in with your ChatGPT account" in await visit.home()
            page = await visit.post("/sign-in")
            assert f"{visit.server.url}/codex/device" in page
            assert (await visit.browser.get("/state")).json() == {"state": "pending"}
            assert code_of(await visit.home()) == code_of(page)
            visit.decide(page)
            page = await visit.over()
            assert "<h1>Signed in as somebody@example.com</h1>" in page
            assert "it gave an access token" in page
            assert len(visit.server.authority.received("exchange")) == 1
            assert "Your login has ended, here and at the provider." in await visit.post("/sign-out")
            assert len(visit.server.authority.received("revoke")) == 1
            assert sql(dsn, "SELECT key FROM codex_oauth_login WHERE body IS NOT NULL") == []
            assert sql(dsn, "SELECT owner FROM example_session") == []
            assert "Sign in with your ChatGPT account" in await visit.home()

    anyio.run(main)


def test_the_cookie_is_no_ones_but_the_browsers(dsn: str) -> None:
    async def main() -> None:
        async with visiting(dsn, works=False) as visit:
            answer = await visit.browser.post("/sign-in", headers={"Origin": ORIGIN})
            cookie = answer.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            value = visit.browser.cookies["session"]
            ((owner, name),) = sql(dsn, "SELECT owner, sign_in FROM example_session")
            assert value not in (owner, name)
            page = await visit.home()
            assert all(secret not in page + cookie for secret in (owner, name))
            visit.browser.cookies.set("session", owner)  # who reads the database has no session
            assert "<code>" not in await visit.home()

    anyio.run(main)


def test_over_https_the_cookie_is_sent_over_nothing_else(dsn: str) -> None:
    async def main() -> None:
        async with visiting(dsn, works=False) as visit:
            secure = "https://app.example"
            visit.browser.base_url = httpx.URL(secure)
            answer = await visit.browser.post("/sign-in", headers={"Origin": secure})
            assert "Secure" in answer.headers["set-cookie"]

    anyio.run(main)


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "null"}, {"Origin": "http://evil.example"}, {"Origin": "https://app.example"}]
)
@pytest.mark.parametrize("path", ["/sign-in", "/cancel", "/sign-out"])
def test_a_form_of_another_site_changes_nothing(dsn: str, path: str, headers: dict[str, str]) -> None:
    async def main() -> None:
        async with visiting(dsn, works=False) as visit:
            page = await visit.post("/sign-in")
            answer = await visit.browser.post(path, headers=headers)
            assert answer.status_code == 403
            assert code_of(await visit.home()) == code_of(page)
            assert len(sql(dsn, "SELECT name FROM codex_oauth_sign_in")) == 1
            assert (await visit.browser.get(path)).status_code == 405

    anyio.run(main)


def test_who_denies_is_told_and_tries_again(dsn: str) -> None:
    async def main() -> None:
        async with visiting(dsn) as visit:
            first = await visit.post("/sign-in")
            visit.decide(first, approve=False)
            page = await visit.over()
            assert "<h1>You denied the sign-in</h1>" in page
            assert 'action="/sign-in"' in page
            again = await visit.post("/sign-in")
            assert code_of(again) != code_of(first)
            visit.decide(again)
            assert "Signed in as" in await visit.over()

    anyio.run(main)


def test_who_cancels_is_told(dsn: str) -> None:
    async def main() -> None:
        async with visiting(dsn) as visit:
            page = await visit.post("/sign-in")
            assert "<h1>You cancelled the sign-in</h1>" in await visit.post("/cancel")
            visit.decide(page)
            await anyio.sleep(1.5)
            assert len(visit.server.authority.received("exchange")) == 0

    anyio.run(main)


def test_a_second_sign_in_takes_the_place_of_the_first(dsn: str) -> None:
    async def main() -> None:
        async with visiting(dsn, works=False) as visit:
            await visit.post("/sign-in")
            await visit.post("/sign-in")
            rows = sql(dsn, "SELECT state FROM codex_oauth_sign_in ORDER BY created_at")
            assert rows == [("failed",), ("pending",)]
            assert len(sql(dsn, "SELECT owner FROM example_session")) == 1

    anyio.run(main)


def test_who_signs_out_while_the_code_is_exchanged_has_no_login_afterwards(dsn: str) -> None:
    async def main() -> None:
        async with visiting(dsn, faults=(Fault(endpoint="exchange", delay=2.0),)) as visit:
            visit.decide(await visit.post("/sign-in"))
            with anyio.fail_after(PATIENCE):
                while not visit.server.authority.received("exchange"):  # noqa: ASYNC110  # a server's thread
                    await anyio.sleep(0.05)
            assert "here and at the provider" in await visit.post("/sign-out")
            assert len(visit.server.authority.received("revoke")) == 1
            assert sql(dsn, "SELECT key FROM codex_oauth_login WHERE body IS NOT NULL") == []

    anyio.run(main)


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ("deadline = clock_timestamp()", "The code expired"),
        ("state = 'failed', error = '{}', checkpoint = NULL, key_id = NULL", "The sign-in was interrupted"),
    ],
)
def test_an_end_that_is_nobodys_fault_is_told_in_plain_words(dsn: str, change: str, title: str) -> None:
    put_down = '{"kind": "token_request_failed", "message": "m", "details": {"reason": "put_down"}}'

    async def main() -> None:
        async with visiting(dsn, works=False) as visit:
            await visit.post("/sign-in")
            sql(dsn, f"UPDATE codex_oauth_sign_in SET {change.replace('{}', put_down)}")
            assert f"<h1>{title}</h1>" in await visit.over()

    anyio.run(main)


def test_what_nobody_foresaw_is_told_in_the_words_of_the_error(dsn: str) -> None:
    async def main() -> None:
        async with visiting(dsn, works=False) as visit:
            await visit.post("/sign-in")
            error = '{"kind": "blocked", "message": "A <b>firewall</b>.", "details": {}}'
            sql(
                dsn,
                f"UPDATE codex_oauth_sign_in SET state = 'failed', error = '{error}', checkpoint = NULL, key_id = NULL",
            )
            assert "A &lt;b&gt;firewall&lt;/b&gt;." in await visit.over()

    anyio.run(main)


def test_a_provider_that_gives_no_code_is_told(dsn: str) -> None:
    async def main() -> None:
        async with visiting(
            dsn, faults=(Fault(endpoint="usercode", status=404, body="{}"),), works=False
        ) as visit:
            answer = await visit.browser.post("/sign-in", headers={"Origin": ORIGIN})
            assert answer.status_code == 503
            assert "That did not work" in answer.text

    anyio.run(main)


def test_a_database_that_is_away_is_told_and_what_was_signed_in_is_there_afterwards(
    dsn: str, cluster: Cluster
) -> None:
    async def main() -> None:
        async with visiting(dsn, works=False) as visit:
            page = await visit.post("/sign-in")
            cluster.stop()
            answer = await visit.browser.get("/")
            assert (answer.status_code, "That did not work" in answer.text) == (503, True)
            assert 'href="/">Try again' in answer.text
            cluster.start()
            assert code_of(await visit.home()) == code_of(page)

    anyio.run(main)


def test_two_people_have_two_logins(dsn: str) -> None:
    async def main() -> None:
        async with visiting(dsn) as visit:
            visit.decide(await visit.post("/sign-in"))
            assert "Signed in as" in await visit.over()
            first = visit.browser.cookies["session"]
            visit.browser.cookies.clear()
            assert "Sign in with your ChatGPT account" in await visit.home()
            visit.decide(await visit.post("/sign-in"))
            assert "Signed in as" in await visit.over()
            owners = [owner for (owner,) in sql(dsn, "SELECT owner FROM example_session")]
            assert [len(store_in(dsn, owner).names()) for owner in owners] == [1, 1]
            await visit.post("/sign-out")
            visit.browser.cookies.set("session", first)
            assert "Signed in as" in await visit.home()

    anyio.run(main)


# -- its processes -------------------------------------------------------------------------------------


@pytest.fixture
def processes(database: str) -> Generator[Application]:
    """In a database without tables: the supervisor makes them."""
    with serve(Authority(policy=ASK)) as server, Application(database, server.url) as application:
        yield application


def test_the_supervisor_begins_again_what_dies_and_ends_all(processes: Application) -> None:
    until(lambda: len(processes.parts("worker")) == 2)
    (web,) = processes.parts("web")
    processes.kill("worker", processes.parts("worker")[0])
    processes.kill("web", web)
    until(processes.answers)
    assert [len(processes.parts(part)) for part in ("web", "worker")] == [2, 3]
    assert processes.end() == 0
    assert [pid for _, pid in processes.began if processes.lives(pid)] == []


def test_ctrl_c_ends_all(processes: Application) -> None:
    until(lambda: len(processes.parts("worker")) == 2)
    os.kill(processes.process.pid, signal.SIGINT)
    assert processes.process.wait(PATIENCE) == 0
    assert [pid for _, pid in processes.began if processes.lives(pid)] == []


@pytest.mark.parametrize("key", ["ff" * 32, "_" * 43, "_" * 42 + "8="])
def test_keys_come_as_the_command_makes_them(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    app: Any = example("fleet_app")
    monkeypatch.setenv("CODEX_OAUTH_DSN", "postgresql://db/app")
    monkeypatch.setenv("CODEX_OAUTH_KEYS", f"{key} {'00' * 32}")
    settings = app.Settings.from_environment()
    assert settings.keys.current.reveal() == bytes([255] * 32)
    assert settings.provider is CODEX
    assert "postgresql" not in repr(settings)
