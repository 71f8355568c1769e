"""A whole application in which people sign in: web pages, a database, two workers, and who watches over them.

    export CODEX_OAUTH_DSN=postgresql://app@db.internal/app CODEX_OAUTH_KEYS="$(codex-oauth fleet new-key)"
    python docs/examples/fleet_app.py    # http://127.0.0.1:8000; the extras postgres, aiohttp, authority

Without an account: `codex-oauth authority --port 8123` beside it, and CODEX_OAUTH_ISSUER=http://127.0.0.1:8123.
It listens on APP_PORT of this machine; behind a proxy that speaks HTTPS, and says so (X-Forwarded-Proto), the
cookie is sent over nothing else.

The web process obtains a code, shows it, and reads where the sign-in stands. The workers poll, and exchange
the code once. Each may be killed and is started again: sessions, sign-ins and logins are in the database. A
session is a random id in a cookie, of which the database has a hash alone; that hash owns the login.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from html import escape
from pathlib import Path
from typing import Any, Final

import attrs
import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from codex_oauth import (
    CODEX,
    AiohttpPollTransport,
    DeviceFlow,
    DevicePrompt,
    ErrorKind,
    HttpxWorld,
    Provider,
    Revocation,
    Secret,
    SignInError,
    StoringWorld,
    TokenSources,
    profile_of,
    run,
)
from codex_oauth.fleet import (
    Database,
    FleetPool,
    Keys,
    PostgresStore,
    cancel_sign_in,
    migrate,
    sign_in_state,
    start_sign_in,
)

HERE: Final = Path(__file__).resolve()
COOKIE: Final = "session"
DAY: Final = 86_400
SESSIONS: Final = "CREATE TABLE IF NOT EXISTS example_session (owner text PRIMARY KEY, sign_in text NOT NULL)"


@attrs.frozen
class Settings:
    """What the environment says. `keys`: the one that seals, then older ones, as for `codex-oauth fleet`."""

    dsn: str = attrs.field(repr=False)
    keys: Keys
    provider: Provider = CODEX
    port: int = 8000

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises KeyError and ValueError for what is missing or no key."""
        keys = Keys(*(_key(each) for each in os.environ["CODEX_OAUTH_KEYS"].split()))
        issuer, port = os.environ.get("CODEX_OAUTH_ISSUER"), int(os.environ.get("APP_PORT", "8000"))
        return cls(os.environ["CODEX_OAUTH_DSN"], keys, CODEX.at(issuer) if issuer else CODEX, port)


# -- the web process -----------------------------------------------------------------------------------


@attrs.define
class Web:
    """The pages. What they do takes a statement or two of the database, on a thread of Starlette's."""

    settings: Settings
    sources: TokenSources = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sources = TokenSources(self.store_of, provider=self.settings.provider)

    def store_of(self, owner: str) -> PostgresStore:
        """The logins of a session."""
        return PostgresStore(self.settings.dsn, keys=self.settings.keys, owner=owner)

    def home(self, request: Request) -> Response:
        """The one page: what it shows is where this session's sign-in stands."""
        dsn, keys = self.settings.dsn, self.settings.keys
        owner = _owner(request)
        name = self._sign_in_of(owner)
        state = name and sign_in_state(dsn, name, keys=keys)
        if state and state.prompt:
            return _waiting(state.prompt)
        if state and state.error:
            return _failed(state.error)
        if name and (key := self.store_of(owner).current()):
            return self._signed_in(owner, key)
        return _page("Example Notes", _START)

    def _signed_in(self, owner: str, key: str) -> Response:
        token = self.sources.of(owner).token()  # renewed if that is due, by one process of all
        record = self.store_of(owner).slot(key).load()
        who = (record and profile_of(record.credential).email) or key
        used = f"The login works: it gave an access token of {len(token)} characters."
        return _page(f"Signed in as {who}", f"<p>{used}</p>{_button('/sign-out', 'Sign out')}")

    def state(self, request: Request) -> Response:
        """What the script asks: pending, or something else to show."""
        name = self._sign_in_of(_owner(request))
        found = name and sign_in_state(self.settings.dsn, name)
        return JSONResponse({"state": found.state if found else "none"}, headers=_HEADERS)

    def sign_in(self, request: Request) -> Response:
        """Obtain a code, for a new session: nobody else can have set this one's cookie."""
        its, cookie = self.settings, secrets.token_urlsafe(32)
        self._end_session(_owner(request))
        with HttpxWorld() as world:
            flow = DeviceFlow(provider=its.provider)
            started = start_sign_in(its.dsn, flow, world, keys=its.keys, owner=_hash(cookie))
        self._query("INSERT INTO example_session VALUES (%s, %s)", _hash(cookie), started.name)
        answer, secure = RedirectResponse("/", 303), request.url.scheme == "https"
        answer.set_cookie(COOKIE, cookie, 30 * DAY, httponly=True, samesite="strict", secure=secure)
        return answer

    def cancel(self, request: Request) -> Response:
        """Give a sign-in up; one whose code is being exchanged ends by itself."""
        if name := self._sign_in_of(_owner(request)):
            cancel_sign_in(self.settings.dsn, name)
        return RedirectResponse("/", 303)

    def sign_out(self, request: Request) -> Response:
        """End the login at the provider, then here."""
        confirmed = self._end_session(_owner(request))
        answer = RedirectResponse("/signed-out" if confirmed else "/signed-out?here", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    def signed_out(self, request: Request) -> Response:
        """Whether the provider knows of it, too."""
        here = "You are signed out here. The provider did not confirm that it ended the login."
        there = "Your login has ended, here and at the provider."
        return _page(
            "Signed out", f"<p>{here if 'here' in request.query_params else there}</p>{_START_AGAIN}"
        )

    def _end_session(self, owner: str) -> bool:
        """End what a session has: whether the provider confirmed it. Of no session: nothing."""
        its, store = self.settings, self.store_of(owner)
        name = self._sign_in_of(owner)
        for _ in range(30):  # while its code is being exchanged a login may come, and it ends here, too
            state = name and sign_in_state(its.dsn, name)
            if not state or state.state != "pending" or cancel_sign_in(its.dsn, name):
                break
            time.sleep(1)
        self.sources.forget(owner)
        confirmed = True
        with HttpxWorld() as world:
            for key in store.names():
                with StoringWorld(world, store, key) as storing:
                    ended = run(Revocation(provider=its.provider), storing)
                if isinstance(ended, SignInError):
                    raise ended
                confirmed = confirmed and ended.confirmed is True
        self._query("DELETE FROM example_session WHERE owner = %s", owner)
        return confirmed

    def _sign_in_of(self, owner: str) -> str:
        found = self._query("SELECT sign_in FROM example_session WHERE owner = %s", owner)
        return found[0][0] if found else ""

    def _query(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings.dsn, autocommit=True, prepare_threshold=None) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


def beside(request: Request) -> Response:
    """The style sheet, and the script, which stand beside this file."""
    return FileResponse(HERE.with_suffix(Path(request.url.path).suffix))


def create_app(settings: Settings) -> Starlette:
    """The application."""
    web = Web(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with web.sources:  # at the end what was renewed is stored
            yield

    async def guarded(request: Request, call_next: Any) -> Response:
        """A form of another site changes nothing here (CSRF): its browser says where it comes from."""
        origin = request.headers.get("origin") == f"{request.url.scheme}://{request.url.netloc}"
        if request.method == "POST" and not origin:
            return _page("Not done", "<p>This form came from another site.</p>", 403)
        answer: Response = await call_next(request)
        return answer

    async def failed(request: Request, error: Exception) -> Response:
        """The provider or the database failed: look at the page again, and send no form again."""
        text = error.message if isinstance(error, SignInError) else "The database could not be reached."
        again = _AGAIN if getattr(error, "kind", None) is ErrorKind.LOGIN_REQUIRED else _LOOK_AGAIN
        return _page("That did not work", f"<p>{escape(text)}</p>{again}", 503)

    app = Starlette(
        routes=[
            Route("/", web.home),
            Route("/state", web.state),
            Route("/signed-out", web.signed_out),
            Route("/sign-in", web.sign_in, methods=["POST"]),
            Route("/cancel", web.cancel, methods=["POST"]),
            Route("/sign-out", web.sign_out, methods=["POST"]),
            Route("/page.css", beside),
            Route("/page.js", beside),
        ],
        exception_handlers={SignInError: failed, psycopg.Error: failed},
        lifespan=lifespan,
    )
    app.add_middleware(BaseHTTPMiddleware, dispatch=guarded)
    return app


# -- what the pages say --------------------------------------------------------------------------------

FAILURES: Final = {
    "denied": ("You denied the sign-in", "Nothing was signed in."),
    "expired": ("The code expired", "Nobody approved the sign-in in time."),
    "cancelled": ("You cancelled the sign-in", "Nothing was signed in."),
    "put_down": ("The sign-in was interrupted", "It stopped at its last step, and nothing was kept here."),
}


def _failed(error: dict[str, Any]) -> Response:
    """How a sign-in ended, by its reason or kind."""
    which = (error["details"].get("reason"), error["kind"])
    unknown = ("The sign-in failed", error["message"])
    title, text = next((FAILURES[each] for each in which if each in FAILURES), unknown)
    return _page(title, f"<p>{escape(text)}</p>{_AGAIN}")


def _waiting(prompt: DevicePrompt) -> Response:
    page, minutes = escape(prompt.verification_uri), max(1, round((prompt.expires_at - time.time()) / 60))
    where = page.partition("://")[2].partition("/")[0]
    return _page(
        "Enter this code",
        f"""<p class="code"><code>{escape(prompt.user_code)}</code></p>
<p><a class="main" href="{page}" target="_blank" rel="noopener noreferrer">Open {where}</a></p>
<p>Sign in there and enter the code. It expires in {minutes} minute{"s" * (minutes > 1)}.</p>
<p class="care">Never share this code. No one from OpenAI or this application will ask for it.</p>
<p id="said" class="soft" role="status">Waiting for your approval.</p>
<noscript><p><a href="/">I have approved it</a></p></noscript>
{_button("/cancel", "Cancel")}<script src="/page.js"></script>""",
    )


def _page(title: str, body: str, status: int = 200) -> Response:
    """A page around `body` (HTML)."""
    text = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css"></head>
<body><main><h1>{escape(title)}</h1>
{body}
</main></body></html>"""
    return HTMLResponse(text, status, headers=_HEADERS)


def _button(path: str, text: str, kind: str = "") -> str:
    return f'<form method="post" action="{path}"><button class="{kind}">{text}</button></form>'


_START: Final = "<p>Sign in with your ChatGPT account.</p>" + _button("/sign-in", "Sign in", "main")
_AGAIN: Final = _button("/sign-in", "Try again", "main")
_START_AGAIN: Final = _button("/sign-in", "Sign in again", "main")
_LOOK_AGAIN: Final = '<p><a class="main" href="/">Try again</a></p>'
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


# -- the session ---------------------------------------------------------------------------------------


def _owner(request: Request) -> str:
    """Whose logins these are: the hash of the session's id. Nobody has the one of no session."""
    return _hash(request.cookies.get(COOKIE, ""))


def _hash(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _key(text: str) -> Secret[bytes]:
    if len(text) == 64:
        return Secret(bytes.fromhex(text))
    return Secret(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


# -- a worker, and who watches over all ----------------------------------------------------------------


async def work(settings: Settings) -> None:
    """Drive sign-ins until SIGTERM; then hand over those that wait for a person."""
    async with aclosing(AiohttpPollTransport()) as send:
        pool = FleetPool(settings.dsn, send, keys=settings.keys, providers=[settings.provider])
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, pool.stop)
        await pool.run()


def supervise(*parts: str) -> None:
    """Run each part as a process, start it again when it dies, and end all on SIGTERM or Ctrl-C."""
    ending = list[int]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: ending.append(signum))
    running = dict[int, subprocess.Popen[bytes]]()
    while not ending:
        for place, part in enumerate(parts):
            if place not in running or running[place].poll() is not None:
                running[place] = subprocess.Popen([sys.executable, __file__, part])
                print(f"{part} is process {running[place].pid}", flush=True)
        time.sleep(1)  # so one that cannot begin does not keep the machine busy
    for process in running.values():
        process.terminate()
    for process in running.values():
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)  # an exchange in flight is finished first
        process.kill()


def main(part: str = "") -> None:
    """Run one part, or all under the supervisor."""
    settings = Settings.from_environment()
    if part == "web":
        uvicorn.run(create_app(settings), port=settings.port, log_level="warning")
    elif part == "worker":
        asyncio.run(work(settings))
    else:
        database = Database.shared(settings.dsn)
        migrate(database)
        database.run(ErrorKind.AUTH_WRITE_FAILED, SESSIONS)
        supervise("web", "worker", "worker")


if __name__ == "__main__":
    main(*sys.argv[1:])
