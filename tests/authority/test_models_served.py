"""The model stub over real HTTP on loopback: event by event, cut, silent, over a WebSocket, and as a command."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from codex_oauth import CodexAuth, TokenSource
from codex_oauth.authority import Authority, AuthorityServer, Fault, ModelFault, serve
from tests.authority.model_client import CODEX_BODY, types
from tests.authority.signed_in import signed_in
from tests.authority.test_command import COMMAND, finished, posix, running
from tests.authority.test_models_answer import OF_A_TEXT
from tests.authority.test_models_sockets import CREATE
from tests.transport.servers import BUSY

SILENCE = 1.0


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=BUSY) as one:
        yield one


def ask(server: AuthorityServer, client: httpx.Client, source: TokenSource) -> Any:
    url = f"{server.codex_base_url}/responses"
    return client.stream("POST", url, json=CODEX_BODY, auth=CodexAuth(source))


def events_of(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


# -- over HTTP ------------------------------------------------------------------------------------------


def test_a_client_with_a_login_is_answered(client: httpx.Client) -> None:
    with signed_in() as (server, source), ask(server, client, source) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert "Content-Length" not in answer.headers
        assert answer.headers["x-codex-primary-used-percent"] == "12"
        assert types(list(events_of(answer))) == OF_A_TEXT


def test_events_come_one_by_one(client: httpx.Client) -> None:
    """What comes before a silence is read during it."""
    fault = ModelFault(answer="silence", seconds=SILENCE)
    with signed_in(fault) as (server, source), ask(server, client, source) as answer:
        came = [(event["type"], time.monotonic()) for event in events_of(answer)]
    before = dict(came)["response.content_part.added"]
    first = next(at for name, at in came if name.endswith(".delta"))
    assert first - before > 0.9 * SILENCE


def test_a_401_is_renewed_once_and_answered(client: httpx.Client) -> None:
    with signed_in(ModelFault(answer="token_invalidated", requests=1)) as (server, source):
        with ask(server, client, source) as answer:
            assert types(list(events_of(answer))) == OF_A_TEXT
        first, second = server.authority.received("responses")
    assert (first.status, second.status) == (401, 200)
    assert first.token is not None
    assert second.token is not None
    assert first.token.reveal() != second.token.reveal()
    assert len(server.authority.received("refresh")) == 1


@pytest.mark.parametrize("name", ["unauthorized_page", "firewall_page"])
def test_a_page_renews_nothing(client: httpx.Client, name: str) -> None:
    with signed_in(ModelFault(answer=name)) as (server, source):
        with ask(server, client, source) as answer:
            assert answer.status_code in (401, 403)
            assert answer.read().startswith(b"<!doctype html>")
        assert server.authority.received("refresh") == []


def test_a_stream_that_is_cut_breaks_off(client: httpx.Client) -> None:
    seen: list[dict[str, Any]] = []
    with (
        signed_in(ModelFault(answer="cut")) as (server, source),
        ask(server, client, source) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        seen.extend(events_of(answer))
    # what was sent before the cut may be lost with it, and nothing after it comes
    assert types(seen) == OF_A_TEXT[: len(seen)]
    assert len(seen) <= 6


def test_a_stream_may_be_cut_in_the_middle_of_an_event(client: httpx.Client) -> None:
    seen: list[bytes] = []
    with (
        signed_in(Fault(endpoint="responses", truncate=20)) as (server, source),
        ask(server, client, source) as answer,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        seen.extend(answer.iter_raw())
    assert b"event: response.created".startswith(b"".join(seen))


def test_another_host_is_asked_by_who_follows_and_without_the_login(client: httpx.Client) -> None:
    with signed_in(ModelFault(answer="redirect", requests=1)) as (server, source):
        url = f"{server.codex_base_url}/responses"
        answer = client.post(url, json=CODEX_BODY, auth=CodexAuth(source), follow_redirects=True)
        assert answer.status_code == 401
        first, second = server.authority.received("responses")
    assert (first.headers["host"], second.headers["host"]) == (
        f"127.0.0.1:{server.port}",
        f"localhost:{server.port}",
    )
    assert second.token is None


def test_a_huge_event_is_whole(client: httpx.Client) -> None:
    with (
        signed_in(ModelFault(answer="huge_event")) as (server, source),
        ask(server, client, source) as answer,
    ):
        sizes = [len(json.dumps(event)) for event in events_of(answer)]
    assert max(sizes) > 1024 * 1024
    assert len(sizes) == len(OF_A_TEXT) + 1


def test_a_request_may_be_large(client: httpx.Client) -> None:
    body = {**CODEX_BODY, "input": [{"role": "user", "content": "x" * 2_000_000}]}
    with signed_in() as (server, source):
        url = f"{server.codex_base_url}/responses"
        assert client.post(url, json=body, auth=CodexAuth(source)).status_code == 200


def test_the_server_ends_in_the_middle_of_a_silence(client: httpx.Client) -> None:
    with ExitStack() as stack:
        server, source = stack.enter_context(signed_in(ModelFault(answer="silence", seconds=600)))
        with ask(server, client, source) as answer:
            events = events_of(answer)
            assert next(events)["type"] == "response.created"
            begun = time.monotonic()
            stack.close()
            assert time.monotonic() - begun < BUSY
            with pytest.raises(httpx.RemoteProtocolError):
                list(events)


# -- over a WebSocket -----------------------------------------------------------------------------------


def connected(server: AuthorityServer, source: TokenSource, **changes: str) -> ClientConnection:
    url = f"ws://127.0.0.1:{server.port}/backend-api/codex/responses"
    headers = {**source.headers(server.url), **changes}
    return connect(url, additional_headers=headers, max_size=None, proxy=None, open_timeout=BUSY)


def heard(connection: ClientConnection) -> list[dict[str, Any]]:
    """The events of one answer."""
    connection.send(json.dumps(CREATE))
    events = [json.loads(connection.recv(timeout=BUSY))]
    while events[-1]["type"] not in ("response.completed", "error", "response.failed"):
        events.append(json.loads(connection.recv(timeout=BUSY)))
    return events


def test_a_websocket_answers_again_and_again() -> None:
    with signed_in() as (server, source), connected(server, source) as connection:
        assert connection.response is not None
        assert connection.response.headers["x-codex-plan-type"] == "plus"
        assert types(heard(connection)) == OF_A_TEXT
        assert types(heard(connection)) == OF_A_TEXT


def test_a_websocket_is_silent_for_a_while() -> None:
    with (
        signed_in(ModelFault(answer="silence", endpoint="message", seconds=SILENCE)) as (server, source),
        connected(server, source) as connection,
    ):
        begun = time.monotonic()
        assert types(heard(connection)) == OF_A_TEXT
        assert time.monotonic() - begun > 0.9 * SILENCE


def test_a_refused_token_is_a_401_to_the_upgrade() -> None:
    with signed_in() as (server, source):
        with pytest.raises(InvalidStatus) as refused:
            connected(server, source, Authorization="Bearer unused")
        assert refused.value.response.status_code == 401
        assert json.loads(refused.value.response.body or b"") == {"detail": "Unauthorized"}


def test_an_upgrade_may_be_redirected_to_the_other_name() -> None:
    with signed_in(ModelFault(answer="redirect", endpoint="websocket", requests=1)) as (server, source):
        with pytest.raises(InvalidStatus) as refused:
            connected(server, source)
        first, second = server.authority.received("websocket")
    assert refused.value.response.status_code == 401
    assert (first.status, second.headers["host"]) == (307, f"localhost:{server.port}")
    assert second.token is None


def test_a_websocket_that_is_cut_is_closed() -> None:
    with (
        signed_in(ModelFault(answer="cut", endpoint="message")) as (server, source),
        connected(server, source) as connection,
        pytest.raises(ConnectionClosed),
    ):
        heard(connection)


def test_a_connection_that_is_too_old_is_told_and_closed() -> None:
    with signed_in(socket_lifetime=0.001) as (server, source), connected(server, source) as connection:
        told = json.loads(connection.recv(timeout=BUSY))
        assert told["error"]["code"] == "websocket_connection_limit_reached"
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=BUSY)


def test_another_host_gets_no_websocket() -> None:
    with signed_in() as (server, source), pytest.raises(InvalidStatus) as refused:
        connected(server, source, Host="rebound.example")
    assert refused.value.response.status_code in (400, 421)


def test_an_authority_without_models_has_no_websocket() -> None:
    with serve(Authority()) as server, pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{server.port}/backend-api/codex/responses", proxy=None)
    assert refused.value.response.status_code == 404


def test_the_server_ends_while_a_websocket_is_open() -> None:
    with ExitStack() as stack:
        server, source = stack.enter_context(signed_in())
        with connected(server, source) as connection:
            begun = time.monotonic()
            stack.close()
            assert time.monotonic() - begun < BUSY
            with pytest.raises(ConnectionClosed):
                connection.recv(timeout=BUSY)


# -- as a command ---------------------------------------------------------------------------------------


def pasted(command: str, environment: dict[str, str], where: Path) -> str:
    """What a command prints that was pasted into a shell."""
    shell = ["/bin/sh", "-c", command]
    done = subprocess.run(
        shell, capture_output=True, text=True, env=environment, cwd=where, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@posix
def test_the_command_that_it_prints_works_as_pasted(tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "CODEX_OAUTH_HOME": str(tmp_path / "home"),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    with running("--models", "--approve", "auto", "--interval", "1") as (process, url):
        assert process.stderr is not None
        hints: list[str] = []
        while not (hints and hints[-1].startswith("Ctrl-C")):
            hints.append(process.stderr.readline())
        told = "".join(hints).replace(":\n  codex-oauth", ": codex-oauth").splitlines()
        commands = {name: text.strip() for name, _, text in (hint.partition(":") for hint in told)}
        assert f"{url}/backend-api/codex" in commands["Models"]
        assert any(hint.strip().endswith(f"{url}/v1") for hint in told)
        pasted(commands["Sign in"], environment, tmp_path)
        answer = pasted(commands["Ask one"], environment, tmp_path)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    lines = answer.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert types(events) == OF_A_TEXT
    assert not [part for part in shlex.split(commands["Ask one"]) if "Bearer" in part]


@posix
@pytest.mark.parametrize(
    ("arguments", "status"), [((), 404), (("--models", "lenient"), 401), (("--models",), 401)], ids=str
)
def test_without_the_option_there_are_no_models(arguments: tuple[str, ...], status: int) -> None:
    with running(*arguments) as (_, url):
        answer = httpx.post(f"{url}/backend-api/codex/responses", json=CODEX_BODY, trust_env=False)
    assert answer.status_code == status


@posix
@pytest.mark.parametrize(("provider", "names"), [("codex", 2), ("both", 2), ("chatgpt", 1)])
def test_json_says_where_the_models_are(provider: str, names: int) -> None:
    with running("--models", "--json", "--provider", provider) as (_, line):
        told = json.loads(line)
    assert told["models"]["official"] == f"{told['url']}/v1"
    assert len(told["models"]) == names


def test_what_is_wrong_is_said_before_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('{"faults":[{"answer":"cut"}]}')
    done = finished("--faults", str(file))
    assert (done.returncode, "--models" in done.stderr) == (2, True)
    done = finished("--models", "strict")
    assert (done.returncode, "--models" in done.stderr) == (2, True)
    code = COMMAND[-1].replace(
        "import argparse",
        "import argparse, importlib.util as u; f = u.find_spec; u.find_spec = lambda n, *r: None if n == 'websockets' else f(n, *r)\nimport argparse",
    )
    done = finished("--models", command=(*COMMAND[:-1], code))
    assert (done.returncode, "codex-oauth[authority]" in done.stderr) == (2, True)
