"""Sign in from a web application, where no process waits for a person.

    POST /sign-in           starts a sign-in: the page to open, and the code to type there
    GET  /sign-in/status    polls once, if that is due, and says where it stands; ask every few seconds

Between two requests a sign-in is a sealed checkpoint in a table, so that any worker can answer the next one.
Run it with `uvicorn --factory web_app:create_app`, behind HTTPS: the cookie is sent over nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from codex_oauth import (
    CODEX,
    AsyncHttpxWorld,
    BrowserFlow,
    CheckpointError,
    Credential,
    DeviceFlow,
    DevicePrompt,
    Finished,
    Provider,
    Resumed,
    Secret,
    SendRequest,
    SignInEffect,
    SignInError,
    Started,
    TimeReached,
    Wait,
    new_key,
    restore,
    seal,
    unseal,
)

PENDING = {"status": "pending"}
Flow = DeviceFlow | BrowserFlow


def _busy_for(effect: SignInEffect) -> float:
    """Seconds after which another worker may take over what this one has begun."""
    return (effect.timeout if isinstance(effect, SendRequest) else 0.0) + 5


@attrs.frozen
class Row:
    """A sign-in. Until `busy_until` (Unix seconds) a worker waits for an answer: others leave it alone."""

    seq: int
    sealed: bytes
    busy_until: float = 0.0


@attrs.define
class Table:
    """Stands in for a table of your database, which also deletes rows that are older than 15 minutes."""

    rows: dict[str, Row] = attrs.field(factory=dict[str, Row])

    def put(self, name: str, row: Row, instead_of: Row) -> bool:
        """`UPDATE ... WHERE id = ? AND seq = ?`: False if another worker was first."""
        if won := name in self.rows and self.rows[name].seq == instead_of.seq:
            self.rows[name] = row
        return won


@attrs.define
class SignIns:
    """`signed_in` gets each new credential: store it (`finish_sign_in`), and remember whose it is."""

    signed_in: Callable[[Credential], None]
    provider: Provider = CODEX
    key: Secret[bytes] = attrs.field(factory=new_key)  # yours comes from where your other keys are
    make_world: Callable[[], AsyncHttpxWorld] = AsyncHttpxWorld
    table: Table = attrs.field(factory=Table)

    async def start(self, request: Request) -> Response:
        """Obtain a code. The cookie is what tells this browser's sign-in from all others."""
        name, flow = secrets.token_urlsafe(32), DeviceFlow(provider=self.provider)
        async with self.make_world() as world:
            effect = flow.receive(Started(*world.now()))
            while not isinstance(effect, Finished) and not (isinstance(effect, Wait) and effect.prompt):
                effect = flow.receive(await world.perform(effect))
            if isinstance(effect, Finished):
                return self._end(effect)
            self.table.rows[name] = self._row(name, flow, world)
        assert isinstance(effect.prompt, DevicePrompt)
        response = JSONResponse({**PENDING, **attrs.asdict(effect.prompt)})
        response.set_cookie("sign-in", name, max_age=900, secure=True, httponly=True, samesite="strict")
        return response

    async def status(self, request: Request) -> Response:
        """Poll if that is due, exchange the code if it is approved, and say where the sign-in stands."""
        row = self.table.rows.get(name := request.cookies.get("sign-in", ""))
        async with self.make_world() as world:
            if row is None or world.now()[1] < row.busy_until:
                return JSONResponse(PENDING if row else {"status": "unknown"}, 200 if row else 404)
            try:
                flow = restore(unseal(row.sealed, self.key, belongs_to=name), self.provider)
            except CheckpointError as error:
                return JSONResponse({"status": "unknown", "reason": error.reason}, 404)
            effect = flow.receive(Resumed(*world.now()))
            while not isinstance(effect, Finished):
                if not isinstance(effect, Wait):
                    # Claimed before it is performed: of two workers one polls, and one exchanges the code.
                    claim = self._row(name, flow, world, busy_for=_busy_for(effect))
                    if not self.table.put(name, claim, instead_of=row):
                        return JSONResponse(PENDING)
                    row, effect = claim, flow.receive(await world.perform(effect))
                elif world.now()[0] >= effect.until:
                    effect = flow.receive(TimeReached(world.now()[0]))
                else:  # a later request goes on
                    self.table.put(name, self._row(name, flow, world), instead_of=row)
                    return JSONResponse(PENDING)
        self.table.rows.pop(name, None)
        return self._end(effect)

    def _row(self, name: str, flow: Flow, world: AsyncHttpxWorld, busy_for: float = 0.0) -> Row:
        at, wall = world.now()
        checkpoint = flow.checkpoint(at=at, wall=wall)
        return Row(checkpoint["seq"], seal(checkpoint, self.key, belongs_to=name), wall + busy_for)

    def _end(self, end: Finished) -> Response:
        if not isinstance(end.outcome, Credential):
            assert isinstance(end.outcome, SignInError)
            return JSONResponse({"status": "failed", **end.outcome.to_dict()})
        self.signed_in(end.outcome)
        return JSONResponse({"status": "signed_in", "account_id": end.outcome.account_id})


def create_app(sign_ins: SignIns | None = None) -> Starlette:
    """The application; by default it forgets who signed in."""
    its = sign_ins or SignIns(signed_in=lambda credential: None)
    start, status = Route("/sign-in", its.start, methods=["POST"]), Route("/sign-in/status", its.status)
    return Starlette(routes=(start, status))
