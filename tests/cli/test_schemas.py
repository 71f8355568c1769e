"""U13: what every command prints with `--json`, in success and in failure, is what its schema says."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs
import pytest
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]  # it has no types

from codex_oauth.authority import Authority, AuthorityServer, serve
from codex_oauth.cli.commands import COMMANDS
from codex_oauth.cli.views.json_view import JsonView
from tests.cli.commands import Done, run_command, start_command
from tests.cli.fake_terminal import PROMPT
from tests.cli.schemas import FOLDER, NAMES, load, valid, validate
from tests.cli.test_commands import AT_ONCE, expire, hold, login, path_in_use, put, stored
from tests.cli.test_parser import WHOLE
from tests.cli.transfers import write
from tests.house.tree import ROOT

TRACE = ROOT / "tests" / "traces" / "corpus" / "a-code-at-the-third-try.jsonl"


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=AT_ONCE)) as running:
        yield running


def failed(name: str, done: Done, code: int, kind: str) -> dict[str, Any]:
    """The one failure that a command printed, by its own schema and by that of all failures."""
    (document,) = valid(name, done)
    validate("error", document)
    assert (done.code, document["error"]["kind"]) == (code, kind)
    return document


# -- the schemas themselves -------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_a_schema_of_2020_12(name: str) -> None:
    schema = load(name)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["title"]
    assert schema["description"]
    Draft202012Validator.check_schema(schema)


def commands_with_json() -> list[str]:
    return [name for name, parser in WHOLE.items() if "--json" in parser.format_help()]


def test_every_command_that_prints_json_has_a_schema() -> None:
    named = {*commands_with_json(), "fleet", "trace"}  # their --json belongs to their actions
    assert named <= set(NAMES)
    assert set(COMMANDS) - named <= {"completion"}  # which prints a script


@pytest.mark.parametrize("name", NAMES)
def test_every_object_of_a_schema_is_closed(name: str) -> None:
    def look(schema: Any) -> None:
        if isinstance(schema, dict) and "properties" in schema:
            assert schema["additionalProperties"] is False
        inner: list[Any] = list(schema.values() if isinstance(schema, dict) else schema)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]  # JSON
        for each in inner:
            if isinstance(each, dict | list):
                look(each)

    look(load(name))


@pytest.mark.parametrize(
    "document",
    [
        {"schema_version": 1, "version": 1, "access_token": "a", "account_id": "b"},
        {"schema_version": 1, "version": 1, "access_token": "a", "account_id": "b", "expires_at": 1},
        {
            "schema_version": 1,
            "version": 1,
            "access_token": "a",
            "account_id": "b",
            "expires_at": "2026-01-01T00:00:00+00:00",
        },
        {"schema_version": 2, "version": 1, "access_token": "a", "account_id": "b", "expires_at": None},
        {"schema_version": 1, "ok": False, "error": {"kind": "new", "message": "", "details": {}}},
    ],
)
def test_a_schema_refuses_what_is_not_so(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validate("token", document)


@pytest.mark.parametrize("whole", [None, "https://auth.openai.com/codex/device?user_code=ABCD-12345"])
def test_a_page_with_the_code_in_it_is_named_only_where_there_is_one(
    whole: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    JsonView().prompt(attrs.evolve(PROMPT, verification_uri_complete=whole))
    event = json.loads(capsys.readouterr().out)
    validate("login", event)
    assert event.get("verification_uri_complete") == whole
    assert ("verification_uri_complete" in event) is (whole is not None)
    assert event["user_code"] == PROMPT.user_code


# -- every command ----------------------------------------------------------------------------------


def test_login_and_what_is_said_about_it(tmp_path: Path, server: AuthorityServer) -> None:
    events = valid("login", login(tmp_path, server, "--json"))
    assert [event["event"] for event in events] == ["device_code", "waiting", "done"]
    secrets = json.loads(stored(tmp_path).slot(events[-1]["key"]).path.read_bytes())["credential"]
    canaries = [secrets[name] for name in ("access_token", "refresh_token", "id_token")]
    said = events
    for command in ("status", "list"):
        said += valid(command, run_command(tmp_path, command, "--json"))
    said += valid("switch", run_command(tmp_path, "switch", "somebody", "--json"))
    said += valid("refresh", run_command(tmp_path, "refresh", "--json"))
    said += valid("export", run_command(tmp_path, "export", "--to-codex", "auth.json", "--json"))
    said += valid("logout", run_command(tmp_path, "logout", "--json"))
    assert not [canary for canary in canaries if canary in json.dumps(said)]


def test_the_browser_events_are_in_the_schema(tmp_path: Path, server: AuthorityServer) -> None:
    arguments = ("login", "--browser", "--no-open", "--json", "--port", "0", "--issuer", server.url)
    with start_command(tmp_path, *arguments) as process:
        assert process.stdout is not None
        events: list[dict[str, Any]] = []
        while not events or events[-1]["event"] != "waiting":
            events.append(json.loads(process.stdout.readline()))
        process.send_signal(signal.SIGINT)
        events += [json.loads(line) for line in process.stdout]
    assert process.returncode == 130
    for event in events:
        validate("login", event)
    assert {event["event"] for event in events} >= {"browser_url", "waiting", "error"}
    assert events[-1]["error"]["kind"] == "cancelled"


def test_a_login_in_two_steps(tmp_path: Path, server: AuthorityServer) -> None:
    start = run_command(tmp_path, "login", "start", "--device", "--issuer", server.url, "--json")
    (begun,) = valid("login-start", start)
    finish = run_command(tmp_path, "login", "finish", begun["id"], "--json")
    assert valid("login", finish)[-1]["event"] == "done"
    again = run_command(tmp_path, "login", "finish", begun["id"], "--json")
    assert failed("login", again, 3, "expired")["event"] == "error"


@pytest.mark.parametrize("command", ["token", "header"])
def test_the_two_commands_that_print_a_secret(tmp_path: Path, command: str) -> None:
    hold(tmp_path)
    (document,) = valid(command, run_command(tmp_path, command, "--json"))
    assert "stored-access" in json.dumps(document)


def test_a_renewal_and_one_that_failed(tmp_path: Path, server: AuthorityServer) -> None:
    assert login(tmp_path, server).code == 0
    spent = expire(tmp_path)
    (renewed,) = valid("refresh", run_command(tmp_path, "refresh", "--json"))
    assert renewed["outcome"] == "renewed"
    put(tmp_path, spent)
    failed("refresh", run_command(tmp_path, "refresh", "--json"), 4, "login_required")
    (status,) = valid("status", run_command(tmp_path, "status", "--json"))
    assert status["last_failure"] == {"code": "refresh_token_reused", "at": None}
    (listed,) = valid("list", run_command(tmp_path, "list", "--json"))
    assert [row["ok"] for row in listed["accounts"]] == [False]


def test_a_login_that_cannot_be_read(tmp_path: Path) -> None:
    hold(tmp_path)
    path_in_use(tmp_path).write_bytes(b"{")
    (listed,) = valid("list", run_command(tmp_path, "list", "--json"))
    assert listed["accounts"][0]["error"]["kind"] == "corrupt_auth"
    failed("status", run_command(tmp_path, "status", "--json"), 6, "corrupt_auth")


def test_import_export_and_logout_of_all(tmp_path: Path) -> None:
    codex = tmp_path / ".codex"
    codex.mkdir()
    write(codex / "auth.json")
    (taken,) = valid("import", run_command(tmp_path, "import", "--from-codex", "--json"))
    assert taken["obtained_at"] == "2026-11-20T08:09:10Z"  # as it was written, without the fraction
    (given,) = valid("export", run_command(tmp_path, "export", "--to-codex", "x.json", "--json"))
    assert given["path"] == "x.json"
    move = run_command(tmp_path, "import", "--from-codex", "--move", "--json")
    failed("import", move, 2, "invalid_request")
    failed("import", run_command(tmp_path, "import", "--from-codex", "no", "--json"), 4, "login_required")
    export = run_command(tmp_path, "export", "--to-codex", "x.json", "--json")
    failed("export", export, 6, "auth_write_failed")
    (ended,) = valid("logout", run_command(tmp_path, "logout", "--all", "--json"))
    assert [each["account_id"] for each in ended["accounts"]] == ["acct_cli"]


@pytest.mark.parametrize("command", ["status", "token", "header", "refresh", "export", "switch", "exec"])
def test_nobody_is_signed_in(tmp_path: Path, command: str) -> None:
    more = {"export": ("--to-codex", "x"), "switch": ("nobody",), "exec": ("--", "true")}.get(command, ())
    document = failed(command, run_command(tmp_path, command, "--json", *more), 4, "login_required")
    assert document["error"]["next_actions"]


def test_logout_and_list_of_nobody(tmp_path: Path) -> None:
    (document,) = valid("logout", run_command(tmp_path, "logout", "--json"))
    assert document["revoked"] is None
    (document,) = valid("list", run_command(tmp_path, "list", "--json"))
    assert document["accounts"] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_usage_errors(tmp_path: Path, command: str) -> None:
    done = run_command(tmp_path, command, "--json", "--nonsense")
    name = command if command in NAMES else "error"
    document = failed(name, done, 2, "usage")
    assert done.err == ""
    assert document.get("event") == ("error" if command == "login" else None)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    document = failed("error", run_command(tmp_path, "statsu", "--json"), 2, "usage")
    assert "Did you mean `status`?" in document["error"]["next_actions"]


def test_exec_tells_its_own_failures_and_not_those_of_the_command(tmp_path: Path) -> None:
    hold(tmp_path)
    failed("exec", run_command(tmp_path, "exec", "--json", "--", "no-such-command"), 127, "command")
    failed("exec", run_command(tmp_path, "exec", "--json", "--", str(tmp_path)), 126, "command")
    theirs = run_command(tmp_path, "exec", "--", "sh", "-c", "echo theirs; exit 7", "--json")
    assert (theirs.code, theirs.out) == (7, "theirs\n")


def test_ci_is_told_as_an_event(tmp_path: Path) -> None:
    done = run_command(tmp_path, "login", "--json", CI="true")
    assert failed("login", done, 4, "login_required")["event"] == "error"


@pytest.mark.parametrize("action", ["show", "replay"])
def test_traces(tmp_path: Path, action: str) -> None:
    valid("trace", run_command(tmp_path, "trace", action, str(TRACE), "--json"))
    failed("trace", run_command(tmp_path, "trace", action, "no", "--json"), 2, "unusable_trace")


def test_a_trace_that_goes_another_way_today(tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(TRACE.read_text().replace('"until":1.25', '"until":1.75'))
    done = run_command(tmp_path, "trace", "replay", str(other), "--json")
    (document,) = valid("trace", done)
    assert (done.code, document["ok"]) == (1, False)
    assert document["differences"][0]["recorded"] == 1.75


def test_the_start_line_of_the_authority(tmp_path: Path) -> None:
    with start_command(tmp_path, "authority", "--json") as process:
        assert process.stdout is not None
        document = json.loads(process.stdout.readline())
        port = document["url"].rpartition(":")[2]
        taken = run_command(tmp_path, "authority", "--json", "--port", port)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == ""
    assert process.returncode == 0
    validate("authority", document)
    failed("authority", taken, 1, "authority")
    failed("authority", run_command(tmp_path, "authority", "--json", "--faults", "no"), 2, "authority")


@pytest.mark.parametrize("provider", ["chatgpt", "both"])
def test_the_start_line_names_another_provider(tmp_path: Path, provider: str) -> None:
    with start_command(tmp_path, "authority", "--json", "--provider", provider) as process:
        assert process.stdout is not None
        document = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
    validate("authority", document)
    assert document["provider"] == provider
    assert ("verification_uri" in document) is (provider == "both")


def test_doctor(tmp_path: Path) -> None:
    (document,) = valid("doctor", run_command(tmp_path, "doctor", "--json", "--offline"))
    assert document["findings"]


# -- what the documents link to ---------------------------------------------------------------------


def test_the_page_links_every_schema() -> None:
    page = (FOLDER.parent / "cli.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\(schemas/([a-z-]+)\.json\)", page)) == set(NAMES)
