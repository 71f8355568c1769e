"""`codex-oauth token` of logins of every client: the fast way prints what the usual way does, or leaves it to that."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_oauth import CODEX
from codex_oauth.cli.fast import _PLAIN_ISSUER, current_token  # pyright: ignore[reportPrivateUsage]
from codex_oauth.cli.main import main
from codex_oauth_core.registered import CLIENT_ID, ISSUER, PLAN_USE_SCOPE
from tests.cli.test_commands import hold


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path / "logins-of-the-test"))
    return tmp_path


ELSEWHERE = "https://elsewhere.example"
ISSUERS = (
    ISSUER,
    ELSEWHERE,
    f"{ELSEWHERE}:8443",
    f"{ELSEWHERE}:65536",
    f"{ELSEWHERE}:0",
    f"{ELSEWHERE}/",
    f"{ELSEWHERE}/path",
    f"{ELSEWHERE}?x",
    "https://\u00e9.example",
    "https://ELSEWHERE.example",
    "https://a..example",
    "https://-a-",
    "https://[::1]",
    "http://127.0.0.1:8080",
    "http://localhost",
    "http://elsewhere.example",
    "no issuer",
)
CLIENT_IDS = (CLIENT_ID, "another", "dynamic_agent_client", "two words", "a" * 201)
SCOPES = (None, (), (PLAN_USE_SCOPE,), ("openid", PLAN_USE_SCOPE), ("openid",))
FAST = {
    (ISSUER, CLIENT_ID, None),
    (ELSEWHERE, "another", None),
    (ELSEWHERE, CLIENT_ID, None),
    (ELSEWHERE, "another", (PLAN_USE_SCOPE,)),
    (ISSUER, "another", ("openid", PLAN_USE_SCOPE)),
    (f"{ELSEWHERE}:8443", "another", None),
    ("http://127.0.0.1:8080", CLIENT_ID, None),
    ("http://localhost", CLIENT_ID, None),
}


@pytest.mark.parametrize("issuer", ISSUERS)
def test_the_fast_way_prints_what_the_usual_way_does(
    home: Path, issuer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for client_id, scopes in product(CLIENT_IDS, SCOPES):
        hold(home, issuer=issuer, client_id=client_id, scopes=scopes)
        fast = current_token(["--json"])
        code = main(["token", "--quiet", "--json"])
        usual = capsys.readouterr().out
        assert fast is None or (code, usual) == (0, f"{fast}\n"), (client_id, scopes)
        assert fast is not None or (issuer, client_id, scopes) not in FAST, (client_id, scopes)
        assert current_token([]) == (None if fast is None else json.loads(fast)["access_token"])


def test_a_copy_of_another_programs_login_takes_the_fast_way(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hold(home, refresh_token=None)
    fast = current_token(["--json"])
    assert (main(["token", "--quiet", "--json"]), capsys.readouterr().out) == (0, f"{fast}\n")
    assert fast is not None


HOST = st.from_regex(r"[a-z0-9]{1,20}([.-][a-z0-9]{1,20}){0,3}", fullmatch=True)
PORT = st.one_of(st.just(""), st.integers(0, 99_999).map(":{}".format))


@given(st.builds("{}://{}{}".format, st.sampled_from(("https", "http")), HOST, PORT))
@example("https://" + "a" * 62)
@example("https://" + "a" * 64)
@example("http://localhost:9999")
def test_a_plain_issuer_is_one(issuer: str) -> None:
    if re.fullmatch(_PLAIN_ISSUER, issuer):
        assert CODEX.at(issuer).issuer == issuer
