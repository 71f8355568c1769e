"""The authority of the official sign-in where it is used: on loopback, in a fake world, beside the Codex one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import httpx2
import openai
import pytest

from codex_oauth.authority import (
    HOSTILE_ANSWERS,
    Authority,
    BothAuthorities,
    ChatGptAuthority,
    ChatGptFault,
    ChatGptPolicy,
    Fault,
    HostileAnswer,
    Policy,
    read_both_faults,
    serve,
)
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth_core import CODEX, Request, RequestFailed, ResponseReceived, Secret, SendRequest
from tests.authority.chatgpt_client import (
    API,
    ASKED,
    AUTHORIZE,
    DISCOVERY,
    FIRST,
    ISSUER,
    KEYS,
    MODEL,
    RESOURCE,
    TOKEN,
    URI,
    VERIFIER,
)
from tests.authority.peer import USERCODE
from tests.authority.test_command import finished, running

ROOT = Path(__file__).parents[2]


def automatic() -> ChatGptAuthority:
    return ChatGptAuthority(policy=ChatGptPolicy(approve="auto"))


def sign_in(client: httpx.Client) -> dict[str, str]:
    query = {**ASKED, "client_id": FIRST, "agent_name_hint": "Example"}
    there = client.get(f"{AUTHORIZE}?{urlencode(query)}").headers["location"]
    way = {name: value for name, [value] in parse_qs(urlsplit(there).query).items()}
    form = {
        "grant_type": "authorization_code",
        "client_id": way["client_id"],
        "code": way["code"],
        "code_verifier": VERIFIER,
        "redirect_uri": URI,
        "resource": RESOURCE,
    }
    tokens: dict[str, str] = client.post(TOKEN, data=form).raise_for_status().json()
    return tokens


def test_a_sign_in_and_a_model_request_over_http() -> None:
    authority = automatic()
    with serve(authority) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.get(DISCOVERY).json()["issuer"] == server.url
        bearer = {"Authorization": f"Bearer {sign_in(client)['access_token']}"}
        assert client.get("/v1/models", headers=bearer).json()["models"]
        answer = client.post("/v1/responses", headers=bearer, json=MODEL)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "response.completed" in answer.text
        long = {**MODEL, "input": [{"role": "user", "content": "x" * 1_000_000}]}
        assert client.post("/v1/responses", headers=bearer, json=long).status_code == 200
    assert authority.client_faults == []


@pytest.mark.parametrize("empty_output", [True, False])
def test_the_library_of_openai_reads_an_answer(empty_output: bool) -> None:
    authority = automatic()
    authority.policy.empty_output = empty_output
    with serve(authority) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        token = sign_in(client)["access_token"]
        api = openai.OpenAI(
            api_key=token,
            base_url=f"{server.url}/v1",
            max_retries=0,
            http_client=httpx2.Client(trust_env=False),
        )
        with api, api.responses.stream(model="gpt-5.5-codex", input=[], store=False) as stream:
            deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
            final = stream.get_final_response()
    assert "".join(deltas) == authority.policy.model_text
    assert final.status == "completed"
    assert final.output_text == ("" if empty_output else authority.policy.model_text)
    assert authority.client_faults == []


def test_the_library_of_openai_reads_a_refusal() -> None:
    authority = automatic()
    authority.policy.plan_refusal = "subscription_sharing_usage_limit_exceeded"
    with serve(authority) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        token = sign_in(client)["access_token"]
        api = openai.OpenAI(
            api_key=token,
            base_url=f"{server.url}/v1",
            max_retries=0,
            http_client=httpx2.Client(trust_env=False),
        )
        with api, pytest.raises(openai.RateLimitError) as refused:
            api.responses.create(model="gpt-5.5-codex", input=[], store=False, stream=True)
    assert refused.value.code == "subscription_sharing_usage_limit_exceeded"
    assert authority.counts["responses"] == 1


def test_only_its_loopback_name_is_answered() -> None:
    with serve(automatic()) as server:
        answer = httpx.get(server.url + KEYS, headers={"Host": "auth.openai.com"}, trust_env=False)
    assert answer.status_code == 421


def test_in_a_fake_world_the_issuer_and_the_api_are_one_authority() -> None:
    authority = ChatGptAuthority(faults=[ChatGptFault(endpoint="keys", requests=2, reset=True)])
    world = FakeWorld(answered_by(authority))

    def get(url: str) -> object:
        return world.perform(SendRequest(Request("GET", url, (), Secret(b"")), 30.0))

    keys = get(ISSUER + KEYS)
    assert isinstance(keys, ResponseReceived)
    assert keys.status == 200
    assert isinstance(get(ISSUER + KEYS), RequestFailed)
    models = get(f"{API}/v1/models")
    assert isinstance(models, ResponseReceived)
    assert models.status == 401
    assert authority.received("keys")[0].at == pytest.approx(1_000_003.25)


def test_its_rules_take_no_time_of_their_own() -> None:
    """Whatever the clock says is what counts."""
    authority = automatic()
    request = Request("GET", ISSUER + KEYS, (), Secret(b""))
    assert authority.handle(request, 5.0, 0.0).header("Date") == "Thu, 01 Jan 1970 00:00:00 GMT"


# -- both at one address ------------------------------------------------------------------------------


def test_both_keep_their_own_paths_and_rules() -> None:
    both = BothAuthorities(codex=Authority(policy=Policy(approve="auto")), chatgpt=automatic())
    with serve(both) as server, httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.post(USERCODE, json={"client_id": CODEX.client_id}).status_code == 200
        assert client.get("/codex/device").status_code == 200
        assert client.get("/").status_code == 303
        assert client.get("/nothing").status_code == 404
        assert client.get("/oauth/authorize").status_code == 400
        sign_in(client)
        assert client.post("/v1/nothing").status_code == 403
    asked = [request.endpoint for request in both.codex.requests]
    assert asked == ["usercode", "device", "other", "other", "authorize"]
    assert [request.endpoint for request in both.chatgpt.requests] == ["authorize", "exchange", "other"]


def test_one_file_has_the_faults_of_both() -> None:
    rows = [
        {"provider": "codex", "endpoint": "poll", "status": 502},
        {"provider": "chatgpt", "endpoint": "keys", "status": 503},
        {"provider": "chatgpt", "answer": "alg_none"},
    ]
    assert read_both_faults(json.dumps({"faults": rows})) == (
        (Fault(endpoint="poll", status=502),),
        (ChatGptFault(endpoint="keys", status=503), HostileAnswer(name="alg_none")),
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"endpoint": "poll"}, r"faults\[0\].provider: codex or chatgpt"),
        ({"provider": "x", "endpoint": "poll"}, r"faults\[0\].provider"),
        ({"provider": "codex", "endpoint": "keys"}, r"faults\[0\].endpoint"),
        ({"provider": "chatgpt", "endpoint": "poll"}, r"faults\[0\].endpoint"),
        ({"provider": "codex", "answer": "alg_none"}, r"faults\[0\].answer: one of token_invalidated, "),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_row_is_named(row: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_both_faults(json.dumps({"faults": [row]}))


# -- the command --------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["chatgpt", "both"])
def test_the_command_serves_it(provider: str, tmp_path: Path) -> None:
    row = {"endpoint": "keys", "requests": 1, "status": 503}
    faults = tmp_path / "faults.json"
    faults.write_text(
        json.dumps({"faults": [row if provider == "chatgpt" else {"provider": "chatgpt", **row}]})
    )
    options = ("--provider", provider, "--approve", "auto", "--faults", str(faults))
    with running(*options) as (process, url), httpx.Client(base_url=url, trust_env=False) as client:
        assert [client.get(KEYS).status_code for _ in range(2)] == [503, 200]
        sign_in(client)
        assert client.get("/codex/device").status_code == (404 if provider == "chatgpt" else 200)
        process.terminate()
        rest, hints = process.communicate(timeout=120)
    assert (process.returncode, rest) == (0, "")
    assert f"Model API:  {url}/v1" in hints
    assert ("codex-oauth login" in hints) is (provider == "both")


def test_without_the_option_it_is_the_codex_one_and_says_what_it_said() -> None:
    with running() as (process, url):
        assert httpx.get(url + KEYS, trust_env=False).status_code == 404
        process.terminate()
        _, hints = process.communicate(timeout=120)
    assert hints.splitlines() == [
        "This is a test authority: its tokens are fake. Only this machine can reach it.",
        "Sign in:",
        f"  codex-oauth login --device --issuer {url} --store fake-logins",
        f"Enter code: {url}/codex/device",
        "Ctrl-C stops it.",
    ]


@pytest.mark.parametrize(
    ("provider", "row"),
    [
        ("codex", {"answer": "alg_none"}),
        ("chatgpt", {"endpoint": "poll"}),
        ("chatgpt", {"provider": "chatgpt", "endpoint": "keys"}),
        ("both", {"endpoint": "keys"}),
    ],
    ids=str,
)
def test_faults_of_another_provider_are_a_usage_error(
    provider: str, row: dict[str, str], tmp_path: Path
) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"faults": [row]}))
    done = finished("--provider", provider, "--faults", str(faults))
    assert (done.returncode, done.stdout) == (2, "")
    assert "faults[0]" in done.stderr


def test_a_provider_is_one_of_three() -> None:
    assert finished("--provider", "other").returncode == 2


# -- the documentation --------------------------------------------------------------------------------


def test_the_page_for_testers_names_every_hostile_answer() -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert rows == [
        (str(kind.row), name.value, kind.stage, kind.meaning) for name, kind in HOSTILE_ANSWERS.items()
    ]
