"""`login start` and `login finish`: one sign-in in two processes, and what may happen between and during them."""

from __future__ import annotations

import json
import signal
import stat
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import FileStore
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.cli import login_steps as pending_module
from codex_oauth.cli.login_steps import PENDING_DIRECTORY, PendingRecord, PendingSignIns, run_finish
from codex_oauth.cli.parser import parsed
from codex_oauth.sign_in import NOT_CONFIRMED
from codex_oauth_core import ErrorKind, SignInError
from tests.cli.commands import Done, run_command, start_command
from tests.cli.running import Running

AT_ONCE = Policy(approve=Approve.AUTO, interval=1, strict_pace=False)
LIMIT = 120.0
"""Seconds that a process may take on a busy machine."""
NEVER = attrs.evolve(AT_ONCE, approve=Approve.NEVER)


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=AT_ONCE)) as running:
        yield running


def home_of(base: Path) -> Path:
    return base / "logins-of-the-test"


def files(base: Path) -> list[Path]:
    return sorted((home_of(base) / PENDING_DIRECTORY).glob("*"))


def start(base: Path, server: AuthorityServer) -> dict[str, Any]:
    done = run_command(base, "login", "start", "--device", "--issuer", server.url, "--json")
    assert (done.code, done.err) == (0, "")
    (document,) = done.documents
    return document


def finish(base: Path, made: str, *more: str) -> Done:
    return run_command(base, "login", "finish", made, *more)


@contextmanager
def finishing(base: Path, made: str) -> Generator[Running]:
    """`login finish` under way."""
    with start_command(base, "login", "finish", made) as process:
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def until(what: Callable[[], object], limit: float = LIMIT) -> None:
    end = time.monotonic() + limit
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def change(base: Path, made: str, edit: Callable[[dict[str, Any]], object]) -> None:
    path = home_of(base) / PENDING_DIRECTORY / f"{made}.json"
    content = json.loads(path.read_bytes())
    edit(content)
    path.write_text(json.dumps(content))


def seconds_later(seconds: float) -> Callable[[dict[str, Any]], object]:
    """As if that time had passed since then."""

    def edit(content: dict[str, Any]) -> None:
        content["checkpoint"]["wall"] -= seconds
        content["expires_at"] -= seconds

    return edit


def test_started_in_one_process_and_finished_in_another(tmp_path: Path, server: AuthorityServer) -> None:
    started = start(tmp_path, server)
    assert started["verification_uri"] == f"{server.url}/codex/device"
    assert started["expires_at"].endswith("Z")
    assert (started["ok"], started["interval"], started["issuer"]) == (True, 1.0, server.url)
    assert started["schema_version"] == 1
    (kept,) = files(tmp_path)
    assert kept.name == f"{started['id']}.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert FileStore(home_of(tmp_path)).names() == ()
    assert server.authority.received("poll") == []

    done = finish(tmp_path, started["id"])
    assert done.code == 0, done.err
    assert done.out.startswith("Signed in as somebody@example.com (")
    assert f"    {started['user_code']}" in done.err.splitlines()
    assert files(tmp_path) == []
    assert run_command(tmp_path, "token").code == 0
    assert len(server.authority.received("usercode")) == 1
    assert len(server.authority.received("exchange")) == 1

    again = finish(tmp_path, started["id"])
    assert (again.code, again.out) == (3, "")
    assert "No sign-in with this id" in again.err


def test_for_a_person_the_id_alone_is_on_stdout(tmp_path: Path, server: AuthorityServer) -> None:
    done = run_command(tmp_path, "login", "start", "--issuer", server.url)
    assert done.code == 0
    made = done.out.strip()
    assert done.out == f"{made}\n"
    assert f"Then finish the sign-in: codex-oauth login finish {made}" in done.err
    assert f"    {server.url}/codex/device" in done.err.splitlines()
    assert "Only go on if you started this sign-in yourself." in done.err


def test_finished_as_json_it_says_what_login_says(tmp_path: Path, server: AuthorityServer) -> None:
    done = finish(tmp_path, start(tmp_path, server)["id"], "--json")
    assert (done.code, done.err) == (0, "")
    assert [each["event"] for each in done.documents] == ["device_code", "waiting", "done"]
    assert done.documents[-1]["ok"] is True


def test_no_secret_is_printed(tmp_path: Path, server: AuthorityServer) -> None:
    done = run_command(tmp_path, "login", "start", "--device", "--issuer", server.url, "--json")
    (kept,) = files(tmp_path)
    secret = json.loads(kept.read_bytes())["checkpoint"]["fields"]["device"]["device_auth_id"]
    end = finish(tmp_path, done.documents[0]["id"], "--json")
    assert len(secret) > 20
    assert secret not in done.out + done.err + end.out + end.err


@pytest.mark.parametrize(
    ("policy", "kind", "code"),
    [
        (attrs.evolve(AT_ONCE, approve=Approve.DENY), "denied", 3),
        (attrs.evolve(NEVER, lifetime=2.0), "expired", 3),
    ],
)
def test_a_sign_in_that_fails_has_the_exit_code_of_login_and_is_over(
    tmp_path: Path, policy: Policy, kind: str, code: int
) -> None:
    with serve(Authority(policy=policy)) as server:
        made = start(tmp_path, server)["id"]
        done = finish(tmp_path, made, "--json")
    assert done.code == code
    assert (done.documents[-1]["event"], done.documents[-1]["error"]["kind"]) == ("error", kind)
    assert files(tmp_path) == []


def test_a_start_that_fails_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    fault = Fault(endpoint="usercode", status=404, body="{}")
    with serve(Authority(policy=AT_ONCE, faults=[fault])) as server:
        done = run_command(tmp_path, "login", "start", "--issuer", server.url, "--json")
    assert done.code == 3
    assert done.documents[0]["error"]["kind"] == "device_code_unsupported"
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "made", ["0123456789abcdef", "unknown", "../current", "..", "0123456789abcdef/x", ""]
)
def test_an_id_that_nobody_knows(tmp_path: Path, made: str) -> None:
    for_people, for_programs = finish(tmp_path, made), finish(tmp_path, made, "--json")
    assert (for_people.code, for_programs.code) == (3, 3)
    assert "No sign-in with this id" in for_people.err
    assert "codex-oauth login start\n" in for_people.err
    error = for_programs.documents[0]["error"]
    assert (error["kind"], error["details"]) == ("expired", {"reason": "unknown_id"})
    assert not home_of(tmp_path).exists()


def test_a_code_that_expired_meanwhile_is_not_polled_for(tmp_path: Path, server: AuthorityServer) -> None:
    made = start(tmp_path, server)["id"]
    change(tmp_path, made, seconds_later(901))
    done = finish(tmp_path, made, "--json")
    assert (done.code, done.documents[-1]["error"]["kind"]) == (3, "expired")
    assert server.authority.received("poll") == []
    assert files(tmp_path) == []


def test_of_two_that_finish_one_wins_and_the_other_says_so(tmp_path: Path) -> None:
    with serve(Authority(policy=attrs.evolve(AT_ONCE, approve=Approve.ASK))) as server:
        started = start(tmp_path, server)
        made = started["id"]
        with finishing(tmp_path, made) as first:
            until(lambda: server.authority.received("poll"))
            other = finish(tmp_path, made)
            assert other.code == 5
            assert "Another process is finishing this sign-in." in other.err
            assert server.authority.decide(started["user_code"], time.monotonic(), approve=True)
            first.communicate(timeout=LIMIT)
            assert first.returncode == 0
    assert len(server.authority.received("exchange")) == 1
    assert files(tmp_path) == []


def test_killed_and_started_again_it_goes_on(tmp_path: Path) -> None:
    policy = attrs.evolve(AT_ONCE, approve=Approve.ASK)
    with serve(Authority(policy=policy)) as server:
        started = start(tmp_path, server)
        with finishing(tmp_path, started["id"]) as process:
            until(lambda: server.authority.received("poll"))
            process.kill()
        assert server.authority.decide(started["user_code"], time.monotonic(), approve=True)
        assert finish(tmp_path, started["id"]).code == 0
    assert len(server.authority.received("usercode")) == 1
    assert files(tmp_path) == []


def test_killed_in_the_exchange_it_ends_as_uncertain_and_sends_the_code_once(tmp_path: Path) -> None:
    slow = Fault(endpoint="exchange", delay=2.0)
    with serve(Authority(policy=AT_ONCE, faults=[slow])) as server:
        made = start(tmp_path, server)["id"]
        with finishing(tmp_path, made) as process:
            until(lambda: server.authority.received("exchange"))
            process.kill()
        done = finish(tmp_path, made, "--json")
    assert done.code == 3
    error = done.documents[-1]["error"]
    assert (error["kind"], error["details"]["uncertain"]) == ("token_request_failed", True)
    assert len(server.authority.received("exchange")) == 1
    assert files(tmp_path) == []


def test_interrupted_it_can_be_finished_later(tmp_path: Path) -> None:
    with serve(Authority(policy=attrs.evolve(AT_ONCE, approve=Approve.ASK))) as server:
        started = start(tmp_path, server)
        with finishing(tmp_path, started["id"]) as process:
            until(lambda: server.authority.received("poll"))
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=LIMIT)
            assert process.returncode == 130
        assert f"Finish it later: codex-oauth login finish {started['id']}" in err
        assert server.authority.decide(started["user_code"], time.monotonic(), approve=True)
        assert finish(tmp_path, started["id"]).code == 0


def test_a_start_forgets_what_is_over_and_nothing_else(tmp_path: Path, server: AuthorityServer) -> None:
    live, over = start(tmp_path, server)["id"], start(tmp_path, server)["id"]
    change(tmp_path, over, seconds_later(901))
    inside = home_of(tmp_path) / PENDING_DIRECTORY
    for name, content in (
        ("00000000000000aa.json", "{torn"),
        ("00000000000000bb.lock", ""),
        (f"{over}.json.0123456789abcdef.tmp", "{}"),
        ("somebody's.txt", "kept"),
    ):
        (inside / name).write_text(content)
        (inside / name).chmod(0o600)
    new = start(tmp_path, server)["id"]
    assert {path.name for path in files(tmp_path)} == {f"{live}.json", f"{new}.json", "somebody's.txt"}


def test_a_start_leaves_what_somebody_is_finishing(tmp_path: Path) -> None:
    pending = PendingSignIns(tmp_path / "home")
    made = pending.add(PendingRecord({}, 100.0))
    with pending.claimed(made) as claimed:
        pending.sweep(1000.0)
        assert claimed.path.exists()
        with pytest.raises(SignInError) as refused, pending.claimed(made):
            pass
        assert refused.value.details["reason"] == "lock_busy"
    pending.sweep(1000.0)
    assert not claimed.path.exists()


def broken(content: dict[str, Any]) -> None:
    content["checkpoint"]["fields"]["device"]["user_code"] = "CANARY\x1b"


def newer(content: dict[str, Any]) -> None:
    content["checkpoint"]["version"] = 2


def elsewhere(content: dict[str, Any]) -> None:
    content["checkpoint"]["issuer"] = "http://example.com"


def with_other(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content.update(fields)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (broken, "malformed"),
        (newer, "too_new"),
        (elsewhere, "malformed"),
        (with_other(schema_version=2), "unreadable"),
        (with_other(expires_at="soon"), "unreadable"),
        (with_other(expires_at=True), "unreadable"),
        (with_other(checkpoint=[]), "unreadable"),
    ],
)
def test_a_file_that_is_no_pending_sign_in(
    tmp_path: Path, server: AuthorityServer, edit: Callable[[dict[str, Any]], object], reason: str
) -> None:
    made = start(tmp_path, server)["id"]
    change(tmp_path, made, edit)
    done = finish(tmp_path, made, "--json")
    error = done.documents[-1]["error"]
    assert (done.code, error["kind"], error["details"]["reason"]) == (6, "corrupt_auth", reason)
    assert "CANARY" not in done.out + done.err
    assert server.authority.received("poll") == []


def test_a_link_in_the_place_of_a_pending_sign_in_is_refused(tmp_path: Path, server: AuthorityServer) -> None:
    made = start(tmp_path, server)["id"]
    (kept,) = files(tmp_path)
    kept.rename(tmp_path / "elsewhere.json")
    kept.symlink_to(tmp_path / "elsewhere.json")
    done = finish(tmp_path, made, "--json")
    assert (done.code, done.documents[-1]["error"]["details"]["reason"]) == (6, "symlink")


def test_a_checkpoint_that_cannot_be_saved_does_not_end_a_sign_in(
    tmp_path: Path,
    server: AuthorityServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = start(tmp_path, server)["id"]

    def full(*_: object) -> None:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full")

    monkeypatch.setattr(pending_module.ClaimedSignIn, "save", full)
    args = parsed(["login", "finish", made, "--store", str(home_of(tmp_path))])
    assert args is not None
    assert run_finish(args) == 0
    said = capsys.readouterr()
    assert said.err.count("The sign-in could not be saved.") == 1
    assert "Signed in as" in said.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("start", "--browser"), "none of the flags for"),
        (("start", "--port", "1455"), "none of the flags for"),
        (("start", "--paste"), "none of the flags for"),
        (("start", "--trace", "file"), "--trace"),
        (("start", "0123456789abcdef"), "takes no ID"),
        (("start", "--revoke-old"), "--revoke-old"),
        (("finish",), "needs the ID"),
        (("finish", "0123456789abcdef", "--issuer", "https://x.example"), "--issuer"),
        (("finish", "0123456789abcdef", "--no-open"), "none of the flags for"),
        (("middle",), "invalid choice"),
    ],
)
def test_mistakes_in_the_arguments(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    done = run_command(tmp_path, "login", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_the_help_shows_both_steps(tmp_path: Path) -> None:
    done = run_command(tmp_path, "login", "--help")
    assert "codex-oauth login start" in done.out
    assert "codex-oauth login finish ID" in done.out


def test_the_login_that_it_replaces_is_ended_where_that_is_asked(
    tmp_path: Path, server: AuthorityServer
) -> None:
    for options in ((), ("--revoke-old",)):
        done = finish(tmp_path, start(tmp_path, server)["id"], *options)
        assert done.code == 0
        assert NOT_CONFIRMED not in done.err
    assert len(server.authority.received("revoke")) == 1
    assert run_command(tmp_path, "token").code == 0


def test_and_it_is_told_where_the_server_does_not_confirm_that(tmp_path: Path) -> None:
    fault = Fault(endpoint="revoke", status=400, body="{}")
    with serve(Authority(policy=AT_ONCE, faults=[fault])) as server:
        first, second = (finish(tmp_path, start(tmp_path, server)["id"], "--revoke-old") for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert NOT_CONFIRMED not in first.err
    assert NOT_CONFIRMED in second.err
