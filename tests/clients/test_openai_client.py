"""`openai_client()` and `async_openai_client()` with both versions of the library, and what they say of misuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import attrs
import openai
import pytest

from codex_oauth import CODEX, TokenSource, async_openai_client, openai_client
from codex_oauth_core.codex import CODEX_API
from tests.clients.model_backend import ModelBackend, blocking
from tests.clients.openai_clients import HTTP, MAJOR, ROWS, WAYS, outcome, threads
from tests.tokens.rig import rig
from tests.tokens.test_openai import OPENAI_2, ROOT

EIGHT_THREADS = [True, 16, 1]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings for another key of the same person's."""
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://of-another-key.example")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Of-Another-Key: secret\nOpenAI-Project: of-another-key")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ROWS)
def test_openai_3(name: str, way: str) -> None:
    assert MAJOR == "3"
    assert outcome(name, way) == ROWS[name][1]


def test_eight_threads_renew_once() -> None:
    assert threads() == EIGHT_THREADS


def test_openai_2() -> None:
    path = os.pathsep.join((str(OPENAI_2), *sys.path))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.clients.openai_clients"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["version"], told["threads"]) == ("2", EIGHT_THREADS)
    for name, (_, expected) in ROWS.items():
        assert told["outcomes"][name] == dict.fromkeys(WAYS, expected), name


@pytest.mark.parametrize("make", [openai_client, async_openai_client])
def test_an_option_that_the_login_decides_is_refused_with_what_to_do(make: Any) -> None:
    with pytest.raises(TypeError, match="api_key: leave it out"):
        make(rig().source(), api_key="x")
    with pytest.raises(TypeError, match="http_client: leave it out, and give transport="):
        make(rig().source(), http_client="x")
    with pytest.raises(ValueError, match=r"example-notes/1\.2"):
        make(rig().source(), app="notes")


def test_a_provider_of_somebody_s_own_says_where_to_ask_or_the_caller_does() -> None:
    made = rig()
    nowhere = attrs.evolve(CODEX, model_api=None)
    source = made.source(provider=nowhere)
    with pytest.raises(ValueError, match="base_url: "):
        openai_client(source)
    with openai_client(
        source, base_url="https://chatgpt.com/x", dialect=True, transport=blocking(HTTP, ModelBackend())
    ) as client:
        assert client.responses.create(model="m", input="hi").output_text
    there = attrs.evolve(
        CODEX,
        model_api=attrs.evolve(CODEX_API, base_url="https://there.example/v9"),
        hosts=("there.example",),
    )
    with openai_client(made.source(provider=there)) as client:
        assert str(client.base_url) == "https://there.example/v9/"


def test_the_name_is_the_provider_s_own_where_the_program_gives_none() -> None:
    made, backend = rig(), ModelBackend()
    provider = attrs.evolve(CODEX, originator="example-notes")
    with openai_client(made.source(provider=provider), transport=blocking(HTTP, backend)) as client:
        client.models.list()
    (sent,) = backend.headers
    assert (sent["originator"], sent["user-agent"].partition("/")[0]) == ("example-notes",) * 2


def test_a_token_source_says_whose_the_login_is_and_renews_nothing() -> None:
    made = rig()
    made.make_due(-60.0)
    source: TokenSource = made.source()
    assert source.provider() == CODEX
    assert made.refreshes == 0
    source.token()
    assert (source.provider(), made.refreshes) == (CODEX, 1)


def test_the_client_closes_its_connections() -> None:
    backend = ModelBackend()
    with openai_client(rig().source(), transport=blocking(HTTP, backend)) as client:
        client.models.list()
    with pytest.raises((RuntimeError, openai.APIConnectionError)):
        client.models.list()
