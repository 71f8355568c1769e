"""`TokenAuth` and `TokenRequestsAuth` in the real libraries, against a backend on loopback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator

import httpx
import httpx2
import pytest
import requests

from codex_oauth import HostNotAllowed, TokenAuth, TokenRequestsAuth
from codex_oauth.authority import Fault
from codex_oauth_core import ErrorKind, SignInError
from tests.tokens.backend import PAGE, Backend, backends
from tests.tokens.callers import CALLERS, Call, Caller
from tests.tokens.rig import Rig, eventually, rig

HOSTS = ("127.0.0.1",)
REFUSED = Fault(endpoint="refresh", status=401, body={"error": {"code": "refresh_token_expired"}})
everywhere = pytest.mark.parametrize("ask", CALLERS)


@pytest.fixture
def made() -> Rig:
    return rig()


@pytest.fixture
def both() -> Generator[tuple[Backend, Backend]]:
    with backends() as pair:
        yield pair


@pytest.fixture
def here(both: tuple[Backend, Backend]) -> Backend:
    return both[0]


@pytest.fixture
def there(both: tuple[Backend, Backend]) -> Backend:
    return both[1]


@everywhere
def test_a_request_carries_the_token_in_place_of_the_client_s_own(
    ask: Caller, made: Rig, here: Backend
) -> None:
    ((status, _),) = ask(made.source(hosts=HOSTS), [Call(f"{here.url}/ok")])
    (hit,) = here.hits
    account = made.stored.credential.account_id
    assert status == 200
    assert (hit.token, hit.account, hit.originator) == (made.stored_token, account, "codex-oauth")


@everywhere
def test_a_401_is_answered_once_with_another_token(ask: Caller, made: Rig, here: Backend) -> None:
    old = made.stored_token
    here.refused.add(old)
    calls = [Call(f"{here.url}/ok", b"canary-body"), Call(f"{here.url}/ok")]
    assert [status for status, _ in ask(made.source(hosts=HOSTS), calls)] == [200, 200]
    new = made.stored_token
    assert here.tokens == [old, new, new]
    assert [hit.body for hit in here.hits] == [b"canary-body", b"canary-body", b""]
    assert {hit.account for hit in here.hits} == {made.stored.credential.account_id}
    assert made.refreshes == 1
    assert len({hit.port for hit in here.hits}) == 1  # the connection was drained and given back


@everywhere
def test_a_backend_that_always_says_401_sees_each_request_twice_at_most(
    ask: Caller, made: Rig, here: Backend
) -> None:
    old = made.stored_token
    calls = [Call(f"{here.url}/always")] * 5
    assert [status for status, _ in ask(made.source(hosts=HOSTS), calls)] == [401] * 5
    assert here.tokens == [old, *[made.stored_token] * 5]
    assert made.refreshes == 1


@everywhere
@pytest.mark.parametrize("path", ["/403", "/403.html", "/401.html", "/401.mitigated"])
def test_a_403_and_a_page_renew_nothing(ask: Caller, path: str, made: Rig, here: Backend) -> None:
    ((status, body),) = ask(made.source(hosts=HOSTS), [Call(here.url + path)])
    assert status == int(path[1:4])
    assert (body == PAGE) == path.endswith("html")
    assert (len(here.hits), made.refreshes) == (1, 0)


@everywhere
@pytest.mark.parametrize("path", ["/away", "/away-if-good"])
@pytest.mark.parametrize("body", [None, b"canary-body"])
def test_s17_a_redirect_to_another_host_takes_nothing_of_the_login_along(
    ask: Caller, path: str, body: bytes | None, made: Rig, here: Backend, there: Backend
) -> None:
    ((status, _),) = ask(made.source(hosts=HOSTS), [Call(here.url + path, body)])
    assert status == 200
    assert here.tokens == [made.stored_token]
    assert [(hit.token, hit.account, hit.originator) for hit in there.hits] == [(None, None, None)]


@everywhere
def test_s17_nor_does_a_redirect_after_a_renewal(
    ask: Caller, made: Rig, here: Backend, there: Backend
) -> None:
    old = made.stored_token
    here.refused.add(old)
    ((status, _),) = ask(made.source(hosts=HOSTS), [Call(f"{here.url}/away-if-good")])
    assert (status, here.tokens) == (200, [old, made.stored_token])
    assert [(hit.token, hit.account, hit.originator) for hit in there.hits] == [(None, None, None)]


@everywhere
def test_a_401_of_another_host_is_not_about_our_token(
    ask: Caller, made: Rig, here: Backend, there: Backend
) -> None:
    ((status, _),) = ask(made.source(hosts=HOSTS), [Call(f"{here.url}/away-401")])
    assert status == 401
    assert there.tokens == [None]
    assert (len(here.hits), made.refreshes) == (1, 0)


@everywhere
def test_a_redirect_within_the_host_keeps_the_token_and_its_second_chance(
    ask: Caller, made: Rig, here: Backend
) -> None:
    old = made.stored_token
    here.refused.add(old)
    ((status, _),) = ask(made.source(hosts=HOSTS), [Call(f"{here.url}/here")])
    assert status == 200
    assert set(here.tokens) == {old, made.stored_token}
    assert made.refreshes == 1


@everywhere
def test_a_body_that_is_a_stream_is_not_sent_twice(ask: Caller, made: Rig, here: Backend) -> None:
    here.refused.add(made.stored_token)
    ((status, _),) = ask(made.source(hosts=HOSTS), [Call(f"{here.url}/ok", b"canary-body", streamed=True)])
    assert status == 401
    assert [hit.body for hit in here.hits] == [b"canary-body"]


@everywhere
def test_s17_another_host_gets_nothing_at_all(ask: Caller, made: Rig, here: Backend, there: Backend) -> None:
    source = made.source(hosts=HOSTS)
    for url in (f"{there.url}/ok", f"http://user:canary@127.0.0.1:{here.port}/ok", "https://chatgpt.com/x"):
        with pytest.raises(HostNotAllowed):
            ask(source, [Call(url)])
    assert (here.hits, there.hits) == ([], [])


@everywhere
def test_without_a_login_nothing_is_sent(ask: Caller, made: Rig, here: Backend) -> None:
    made.store.select(None)
    with pytest.raises(SignInError) as raised:
        ask(made.source(hosts=HOSTS), [Call(f"{here.url}/ok")])
    assert raised.value.kind is ErrorKind.LOGIN_REQUIRED
    assert here.hits == []


@everywhere
def test_a_401_that_ends_the_login_is_raised_as_what_it_is(ask: Caller, here: Backend) -> None:
    made = rig(REFUSED)
    with pytest.raises(SignInError) as raised:
        ask(made.source(hosts=HOSTS), [Call(f"{here.url}/always")])
    assert raised.value.kind is ErrorKind.LOGIN_REQUIRED
    assert made.refreshes == 1
    eventually(lambda: here.connected == 0)  # although the error still holds its frames


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/ok",
        "//localhost:{port}/ok",
        "HTTP://LOCALHOST:{port}/ok",
        "http://127.0.0.1@localhost:{port}/ok",
        "http://user:pass@localhost:{port}/ok",
    ],
)
def test_s17_requests_takes_nothing_along_however_the_other_host_is_written(
    location: str, made: Rig, here: Backend, there: Backend
) -> None:
    here.elsewhere = location.format(port=there.port).removesuffix("/ok")
    with requests.Session() as session:
        session.trust_env, session.auth = False, TokenRequestsAuth(made.source(hosts=HOSTS))
        assert session.get(f"{here.url}/away", timeout=20).status_code == 200
    assert [(hit.account, hit.originator) for hit in there.hits] == [(None, None)]
    assert made.stored_token not in {hit.token for hit in there.hits}


@pytest.mark.parametrize(
    ("location", "stays"),
    [
        ("/x", True),
        ("https://chatgpt.com/x", True),
        ("https://api.openai.com/v1", False),  # another provider's, and listed by default
        ("http://chatgpt.com/x", False),
        ("https://chatgpt.com.example/x", False),
        ("https://chatgpt.com\\@other.example/", False),
        ("https://chat\tgpt.com/x", False),
        ("//other.example/x", False),
        ("\x00", False),
    ],
)
def test_s17_headers_stay_where_a_redirect_is_to_the_login_s_own_host(
    location: str, stays: bool, made: Rig
) -> None:
    auth = TokenRequestsAuth(made.source())
    response = requests.Response()
    response.status_code, response.url = 307, "https://chatgpt.com/x"
    response.headers["location"] = location
    response.request = auth(requests.Request("GET", response.url).prepare())
    assert auth._after(response) is response
    left = {"authorization", "chatgpt-account-id", "originator"} & {*map(str.lower, response.request.headers)}
    assert len(left) == (3 if stays else 0)


def test_s17_another_provider_s_host_is_no_host_of_the_login(made: Rig) -> None:
    auth = TokenAuth(made.source())
    (keep,) = auth.event_hooks()["request"]
    for url, count in (("https://chatgpt.com/x", 3), ("https://api.openai.com/v1", 0)):
        request = httpx.Request("GET", "https://chatgpt.com/x")
        request = next(auth.sync_auth_flow(request))
        request.url = httpx.URL(url)
        keep(request)
        assert len({"authorization", "chatgpt-account-id", "originator"} & {*request.headers}) == count
    own = httpx.Request("GET", "https://other.example", headers={"Authorization": "Basic canary"})
    keep(own)
    assert own.headers["Authorization"] == "Basic canary"


def test_s17_a_token_stays_here_also_when_another_one_was_had_since(made: Rig) -> None:
    auth = TokenAuth(made.source())
    (keep,) = auth.event_hooks()["request"]
    request = next(auth.sync_auth_flow(httpx.Request("GET", "https://chatgpt.com/x")))
    old = request.headers["Authorization"]
    made.make_due(-1)
    assert (
        next(auth.sync_auth_flow(httpx.Request("GET", "https://chatgpt.com/x"))).headers["Authorization"]
        != old
    )
    request.url = httpx.URL("https://other.example/x")
    keep(request)
    assert not {"authorization", "chatgpt-account-id", "originator"} & {*request.headers}


def test_a_blocking_auth_in_an_asynchronous_session_says_what_to_give(made: Rig) -> None:
    async def send(request: requests.PreparedRequest) -> None:
        raise AssertionError

    auth = TokenRequestsAuth(made.source())
    response = requests.Response()
    response.status_code = 401
    response.request = auth(requests.Request("GET", "https://chatgpt.com/x").prepare())
    vars(response)["connection"] = type("Adapter", (), {"send": staticmethod(send)})
    with pytest.raises(TypeError, match="AsyncTokenRequestsAuth"):
        auth._after(response)


# -- one object in every library -----------------------------------------------------------------------


def test_one_auth_works_in_both_libraries(made: Rig, here: Backend) -> None:
    auth = TokenAuth(made.source(hosts=HOSTS))
    assert isinstance(auth, TokenAuth)
    assert isinstance(auth, httpx.Auth)
    assert isinstance(auth, httpx2.Auth)
    with httpx.Client(auth=auth, trust_env=False) as one, httpx2.Client(auth=auth, trust_env=False) as two:
        assert one.get(f"{here.url}/ok").status_code == two.get(f"{here.url}/ok").status_code == 200
    assert here.tokens == [made.stored_token] * 2


def test_it_can_be_given_for_one_request(made: Rig, here: Backend) -> None:
    auth = TokenAuth(made.source(hosts=HOSTS))
    with httpx.Client(trust_env=False) as client:
        client.get(f"{here.url}/ok", auth=auth)
        client.get(f"{here.url}/ok")
    assert here.tokens == [made.stored_token, None]
    requests.get(f"{here.url}/ok", auth=TokenRequestsAuth(made.source(hosts=HOSTS)), timeout=20)
    assert here.tokens[2:] == [made.stored_token]


def test_it_can_be_subclassed(made: Rig, here: Backend) -> None:
    class Mine(TokenAuth):
        pass

    auth = Mine(made.source(hosts=HOSTS))
    assert isinstance(auth, Mine)
    assert type(auth).__name__ == "Mine"
    with httpx.Client(auth=auth, trust_env=False) as client:
        assert client.get(f"{here.url}/ok").status_code == 200


def test_a_stream_s_answer_is_left_for_the_caller_to_read(made: Rig, here: Backend) -> None:
    auth = TokenAuth(made.source(hosts=HOSTS))
    with (
        httpx.Client(auth=auth, trust_env=False) as client,
        client.stream("GET", f"{here.url}/always") as response,
    ):
        assert response.status_code == 401
        assert not response.is_closed
        assert b"error" in response.read()


@pytest.mark.parametrize("missing", ["httpx2", "httpx", "httpx2 httpx"])
def test_it_needs_neither_library(missing: str) -> None:
    code = f"""
import sys
for name in {missing.split()!r}:
    sys.modules[name] = None
from codex_oauth.stores.memory_store import MemoryStore
from codex_oauth.tokens.auth import TokenAuth
from codex_oauth.tokens.auth import TokenRequestsAuth
from codex_oauth.tokens.token_source import TokenSource
assert not {{"httpx", "httpx2", "requests"}} - set({missing.split()!r}) & set(sys.modules)
TokenRequestsAuth(TokenSource(MemoryStore()))
assert "requests" not in sys.modules
auth = TokenAuth(TokenSource(MemoryStore()))
print(sorted(base.__module__.partition(".")[0] for base in type(auth).__mro__ if base.__name__ == "Auth"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(sorted({"httpx", "httpx2"} - set(missing.split())))
