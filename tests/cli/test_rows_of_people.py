"""What a new user meets at a terminal, row by row: who is signed in, what went wrong, what to do next."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from codex_oauth.authority import Authority, AuthorityServer, Fault, serve
from codex_oauth.cli.commands import COMMANDS, STEPS
from codex_oauth.cli.main import main
from codex_oauth.project import HOME_URL, ISSUES_URL
from codex_oauth_core import Secret
from tests.cli.commands import COMMAND, environment, run_command, run_in_real_time, start_command
from tests.cli.people import ANNA, ANNA_ELSEWHERE, BERT, document, of, server, sign_in, signs_in
from tests.cli.person import Person
from tests.cli.test_commands import AT_ONCE, expire, hold, login, path_in_use
from tests.cli.test_stopping import AUTO

__all__ = ["server"]  # a fixture

FLAT: Final = re.compile(r"\s+")


def flat(text: str) -> str:
    """Without where a line ends."""
    return FLAT.sub(" ", text)


# -- T3: who is signed in already ------------------------------------------------------------------------------


@signs_in(ANNA, ANNA)
def test_t3_a_second_sign_in_says_who_is_signed_in_and_that_this_takes_its_place(
    tmp_path: Path, server: AuthorityServer
) -> None:
    assert "You are signed in as" not in login(tmp_path, server).err
    again = login(tmp_path, server)
    assert again.code == 0
    told = (
        "You are signed in as anna@example.com (plus). A new sign-in of this account replaces that login; "
        "--revoke-old also ends it."
    )
    assert told in flat(again.err)
    quiet = login(tmp_path, server, "--quiet")
    assert "You are signed in as" not in quiet.err
    asked = login(tmp_path, server, "--revoke-old")
    assert "A new sign-in of this account replaces that login, and ends it." in flat(asked.err)
    events = login(tmp_path, server, "--json").documents
    assert any(told in str(event.get("text")) for event in events)


def test_t3_a_login_that_is_over_is_nobody_who_is_signed_in(tmp_path: Path, server: AuthorityServer) -> None:
    hold(tmp_path, refresh_token=None, expires_at=1000)
    assert "You are signed in as" not in login(tmp_path, server).err


# -- T4: both accounts ---------------------------------------------------------------------------------------


@signs_in(ANNA, ANNA_ELSEWHERE)
def test_t4_another_workspace_of_the_same_person_names_both(tmp_path: Path, server: AuthorityServer) -> None:
    sign_in(tmp_path, server)
    done = login(tmp_path, server, "--account", "acct_team")
    assert done.code == 3
    said = flat(done.err[done.err.index("codex-oauth: ") :])
    assert said.startswith("codex-oauth: You asked for acct_team")
    assert "acct_elsewhere" in said
    assert "Nothing was stored." in said
    assert "sign in again." in said
    assert "codex-oauth login" in said


# -- T5: the host, the reason, the next try ------------------------------------------------------------------


def test_t5_an_error_names_the_host_and_what_the_system_said(tmp_path: Path) -> None:
    hold(tmp_path, issuer="http://127.0.0.1:9", expires_at=1_700_000_000_000)
    assert run_command(tmp_path, "token").err.startswith("codex-oauth: 127.0.0.1 refused the connection.\n")
    error = document_of_error(tmp_path, "token")
    assert (error["message"], error["details"]["cause"]) == (
        "127.0.0.1 refused the connection.",
        "connect",
    )


def document_of_error(home: Path, *arguments: str) -> dict[str, Any]:
    (found,) = run_command(home, *arguments, "--json").documents
    error: dict[str, Any] = found["error"]
    return error


def test_t5_a_server_that_does_not_answer_is_named_with_how_long(tmp_path: Path) -> None:
    fault = Fault(endpoint="usercode", requests="1-", delay=600)
    with serve(Authority(policy=AT_ONCE, faults=[fault])) as server:
        done = login(tmp_path, server)
    assert done.code == 5
    assert "codex-oauth: 127.0.0.1 did not answer in 15 s." in done.err


def test_t5_an_error_of_the_store_names_the_file_and_the_systems_reason(tmp_path: Path) -> None:
    hold(tmp_path)
    path = path_in_use(tmp_path)
    path.unlink()
    path.mkdir()
    done = run_command(tmp_path, "token")
    assert done.code == 6
    assert done.err.splitlines()[1].startswith(f"  {path}")


def test_t5_a_variable_that_names_an_account_in_vain_is_named(tmp_path: Path) -> None:
    hold(tmp_path)
    done = run_command(tmp_path, "token", CODEX_OAUTH_ACCOUNT="nobody")
    assert done.err.startswith(
        "codex-oauth: No login of nobody is stored here (CODEX_OAUTH_ACCOUNT names it).\n"
        "  -> Unset CODEX_OAUTH_ACCOUNT, or set it to one of the logins here.\n"
    )


@signs_in(ANNA, ANNA)
def test_a_sign_in_says_that_a_variable_names_another_login(tmp_path: Path, server: AuthorityServer) -> None:
    said = "CODEX_OAUTH_ACCOUNT is set: commands use nobody while it is."
    assert said in login(tmp_path, server, CODEX_OAUTH_ACCOUNT="nobody").err
    assert "CODEX_OAUTH_ACCOUNT" not in login(tmp_path, server, CODEX_OAUTH_ACCOUNT="anna@example.com").err


# -- T6: Ctrl-C ------------------------------------------------------------------------------------------------


def test_t6_who_stops_while_it_waits_gets_one_word(tmp_path: Path) -> None:
    with serve(Authority(policy=attrs.evolve(AUTO, approve_after=600.0))) as server:
        person = Person(tmp_path, server, "--device")
        person.sees("Waiting for your approval")
        code, _ = person.stops()
    assert code == 130
    after = person.text.rpartition("Waiting for your approval")[2]
    assert [line.strip() for line in after.splitlines() if line.strip()] == ["Cancelled."]


def test_t6_a_sign_in_in_two_steps_says_how_it_goes_on(tmp_path: Path) -> None:
    with serve(Authority(policy=attrs.evolve(AUTO, approve_after=600.0))) as server:
        begun = run_in_real_time(tmp_path, "login", "start", "--issuer", server.url).out.strip()
        with start_command(tmp_path, "login", "finish", begun) as running:
            assert running.stderr is not None
            next(line for line in iter(running.stderr.readline, "") if "Waiting" in line)
            running.terminate()
            said = flat(running.stderr.read())
            assert running.wait() == 130
    assert "Cancelled. The sign-in is still pending." in said
    assert f"Finish it later: codex-oauth login finish {begun}" in said


# -- T8, T9: what is told under an error ------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--verbose", "--json"])
def test_t8_details_for_programs_are_told_only_where_they_are_asked_for(tmp_path: Path, option: str) -> None:
    with serve(Authority(policy=AT_ONCE, faults=[Fault(endpoint="usercode", status=403)])) as server:
        usual, asked = login(tmp_path, server), login(tmp_path, server, option)
    assert usual.code == asked.code == 3
    status = re.compile(r"\b403\b")  # a port may have these digits among its own
    assert not status.search(usual.err)
    assert status.search(asked.err + asked.out)


def test_t9_a_login_is_spoken_of_only_where_there_is_one(tmp_path: Path) -> None:
    with serve(
        Authority(policy=AT_ONCE, faults=[Fault(endpoint="usercode", requests="1", status=403)])
    ) as server:
        alone = login(tmp_path, server)
        assert login(tmp_path, server).code == 0
        server.authority.faults = (Fault(endpoint="usercode", status=403),)
        beside = login(tmp_path, server)
    assert "signed in as" not in alone.err
    assert "  You are still signed in as somebody@example.com (plus).\n" in beside.err
    for done in (alone, beside):
        assert "as good as it was" not in done.err


def test_t9_of_several_it_is_the_one_that_is_meant(tmp_path: Path) -> None:
    with serve(of(ANNA, BERT)) as server:
        sign_in(tmp_path, server, 2)
    expire_all(tmp_path)
    told = {
        name: run_command(tmp_path, "token", "--account", f"{name}@example.com").err
        for name in ("anna", "bert")
    }
    for name, said in told.items():
        assert f"You are still signed in as {name}@example.com (plus)." in said


def expire_all(home: Path) -> None:
    for name in ("anna", "bert"):
        assert run_command(home, "switch", f"{name}@example.com").code == 0
        expire(home)


# -- T11: what is true, rounding and plurals ---------------------------------------------------------------------


def test_t11_a_refresh_right_after_a_sign_in_says_what_is_true(tmp_path: Path) -> None:
    with serve(Authority(policy=AT_ONCE)) as server:
        assert login(tmp_path, server).code == 0
        done = run_command(tmp_path, "refresh")
        assert done.code == 0
        assert done.out.startswith("Nothing to renew: the login was made less than a minute ago.\n")
        assert "valid for 10 days, " in done.out
        assert len(server.authority.received("refresh")) == 0


def test_t11_logout_of_all_says_of_other_sessions_once(tmp_path: Path) -> None:
    with serve(of(ANNA, BERT)) as server:
        sign_in(tmp_path, server, 2)
        done = run_command(tmp_path, "logout", "--all")
    assert len(done.out.splitlines()) == 2
    assert done.err == "Other sessions of the account may have ended too.\n"


# -- T12: all headers ----------------------------------------------------------------------------------------------


def test_t12_all_headers_that_the_service_wants_one_a_line(tmp_path: Path) -> None:
    hold(tmp_path)
    lines = run_command(tmp_path, "header", "--all").out.splitlines()
    assert lines[:3] == [
        "Authorization: Bearer stored-access",
        "ChatGPT-Account-Id: acct_1",
        "originator: codex-oauth",
    ]
    agent = next(line for line in lines if line.startswith("User-Agent: "))
    assert agent.startswith("User-Agent: codex-oauth/")  # its first part is the originator
    assert run_command(tmp_path, "header").out == "Authorization: Bearer stored-access\n"
    (found,) = run_command(tmp_path, "header", "--all", "--json").documents
    assert [f"{name}: {value}" for name, value in found["headers"].items()] == lines


def test_t12_curl_takes_what_is_printed_for_it(tmp_path: Path) -> None:
    """The example of the help, at a server of the test."""
    hold(tmp_path, access_token=Secret('odd"quote\\and-slash'))
    configuration = run_command(tmp_path, "header", "--curl").out
    assert configuration.splitlines()[0] == 'header = "Authorization: Bearer odd\\"quote\\\\and-slash"'
    with serve(Authority(policy=AT_ONCE)) as server:
        done = subprocess.run(
            ["curl", "--silent", "--noproxy", "*", "--dump-header", "-", "-o", os.devnull, "-v", "-K", "-"]
            + [f"{server.url}/codex/device"],
            input=configuration,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0
    assert '> Authorization: Bearer odd"quote\\and-slash' in done.stderr
    assert "> originator: codex-oauth" in done.stderr


def test_t12_all_and_curl_do_not_go_together(tmp_path: Path) -> None:
    assert run_command(tmp_path, "header", "--all", "--curl").code == 2


# -- T13: a trace that exists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["there.jsonl", "no/such/directory.jsonl"])
def test_t13_a_trace_that_cannot_be_made_is_a_mistake_before_anything_starts(
    tmp_path: Path, where: str
) -> None:
    (tmp_path / "there.jsonl").write_text("mine")
    with serve(Authority(policy=AT_ONCE)) as server:
        done = login(tmp_path, server, "--trace", where)
        assert (done.code, done.out) == (2, "")
        assert f"--trace: {where}" in flat(done.err)
        assert not server.authority.requests
    assert (tmp_path / "there.jsonl").read_text() == "mine"
    assert not (tmp_path / "logins-of-the-test" / "logins").exists()


# -- T15: -q and -v ------------------------------------------------------------------------------------------------------

_MORE: Final[dict[str, tuple[str, ...]]] = {
    "whoami": (),
    "status": ("--account", "nobody"),
    "token": (),
    "header": (),
    "exec": ("--", "true"),
    "refresh": (),
    "list": (),
    "switch": ("acct_1",),
    "doctor": ("--offline",),
    "import": ("--from-codex",),
    "export": ("--to-codex", "out.json", "--force"),
    "logout": ("--local",),
}


@pytest.mark.parametrize("name", _MORE)
def test_t15_verbose_says_more(tmp_path: Path, name: str) -> None:
    from tests.cli.transfers import write

    (tmp_path / ".codex").mkdir()
    write(tmp_path / ".codex" / "auth.json")
    rest = _MORE[name]
    at = rest.index("--") if "--" in rest else len(rest)
    hold(tmp_path)
    usual = run_command(tmp_path, name, *rest)
    hold(tmp_path)
    verbose = run_command(tmp_path, name, *rest[:at], "-v", *rest[at:])
    assert verbose.code == usual.code
    assert len(verbose.err + verbose.out) > len(usual.err + usual.out) + 10
    assert "stored-refresh" not in verbose.err + verbose.out


@pytest.mark.parametrize("name", ["list", "switch", "logout", "import", "doctor"])
def test_t15_quiet_leaves_the_result(tmp_path: Path, name: str) -> None:
    from tests.cli.transfers import write

    (tmp_path / ".codex").mkdir()
    write(tmp_path / ".codex" / "auth.json")
    hold(tmp_path)
    hold(tmp_path, account_id="acct_2")
    quiet = run_command(tmp_path, name, *_MORE[name], "-q", CODEX_OAUTH_ACCOUNT="acct_1")
    assert (quiet.code, quiet.err) == (0, "")


# -- T16: help, -V, whoami -------------------------------------------------------------------------------------------------


def test_t16_help_is_a_command_too(tmp_path: Path) -> None:
    whole = run_command(tmp_path, "help")
    assert (whole.code, whole.err) == (0, "")
    assert whole.out == run_command(tmp_path, "--help").out
    for name in ("login", "trace show"):
        said = run_command(tmp_path, "help", *name.split())
        assert said.out == run_command(tmp_path, *name.split(), "--help").out
    mistake = run_command(tmp_path, "help", "logn")
    assert (mistake.code, "Did you mean `login`?" in mistake.err) == (2, True)


@pytest.mark.parametrize("step", STEPS)
def test_t16_each_step_of_a_login_has_a_page_of_its_own(tmp_path: Path, step: str) -> None:
    own = run_command(tmp_path, *step.split(), "--help")
    assert (own.code, own.err) == (0, "")
    assert own.out.startswith(f"usage: codex-oauth {step} [")
    assert "--browser" not in own.out
    assert len(own.out.splitlines()) < 40
    assert own.out == run_command(tmp_path, "help", *step.split()).out


def test_t16_the_version_has_a_short_option(tmp_path: Path) -> None:
    assert run_command(tmp_path, "-V").out == run_command(tmp_path, "--version").out != ""


def test_t16_whoami_is_one_line(tmp_path: Path, server: AuthorityServer) -> None:
    nobody = run_command(tmp_path, "whoami")
    assert (nobody.code, nobody.out) == (4, "")
    sign_in(tmp_path, server)
    done = run_command(tmp_path, "whoami")
    assert (done.code, done.out, done.err) == (0, "anna@example.com (plus)\n", "")
    found = document(tmp_path, "whoami")
    assert (found["email"], found["plan"], found["account_id"]) == ("anna@example.com", "plus", "acct_team")


def test_t16_of_a_login_that_is_over_whoami_says_so(tmp_path: Path) -> None:
    hold(tmp_path, refresh_token=None, expires_at=1000)
    done = run_command(tmp_path, "whoami")
    assert done.code == 4
    assert "has expired" in done.err
    assert "Sign in again: codex-oauth login" in flat(done.err)
    (found,) = run_command(tmp_path, "whoami", "--json").documents
    assert found["ok"] is False


def test_t16_a_mistake_comes_first_and_then_a_short_usage(tmp_path: Path) -> None:
    done = run_command(tmp_path, "login", "--dvice")
    assert done.err.splitlines() == [
        "codex-oauth login: No option `--dvice`.",
        "  -> Did you mean `--device`?",
        "  -> See the help: codex-oauth login --help",
        "usage: codex-oauth login [start|finish] [ID] [options]",
    ]
    assert run_command(tmp_path, "nosuchcmd").err.startswith("codex-oauth: No command `nosuchcmd`.\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_t16_the_short_usage_of_each_command_is_one_line(tmp_path: Path, name: str) -> None:
    last = run_command(tmp_path, name, "--nonsense").err.splitlines()[-1]
    assert last.startswith(f"usage: codex-oauth {name}")
    assert len(last) <= 80


# -- T17: a reader that leaves ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", ["--help", "login --help", "list", "doctor --offline -v", "completion bash"]
)
def test_t17_a_reader_that_leaves_is_no_error_to_tell(tmp_path: Path, words: str) -> None:
    hold(tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *words.split()],
        env=environment(tmp_path),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert "Broken pipe" not in done.stderr
    assert "could not be written" not in done.stderr
    assert "Exception" not in done.stderr


# -- T20: after success ------------------------------------------------------------------------------------------------------


def test_t20_after_a_sign_in_it_is_the_name_and_the_next_command(
    tmp_path: Path, server: AuthorityServer
) -> None:
    done = login(tmp_path, server)
    assert done.out == "Signed in as anna@example.com (plus).\n"
    assert done.err.splitlines()[-1] == "  -> See the login: codex-oauth status"
    assert str(path_in_use(tmp_path)) not in done.out + done.err
    verbose = login(tmp_path, server, "--verbose").err
    assert f"Stored in {path_in_use(tmp_path)}." in verbose


# -- T21: where the project is ---------------------------------------------------------------------------------------------------


def test_t21_help_and_a_crash_name_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"project: {HOME_URL}\n" in capsys.readouterr().out

    def broken(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("codex_oauth.cli.account.kept_logins", broken)
    assert main(["list", "--store", str(tmp_path / "store")]) == 1
    assert f"Report it: {ISSUES_URL}" in flat(capsys.readouterr().err)
