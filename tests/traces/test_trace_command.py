"""`login --trace`, `trace show` and `trace replay`, as a person runs them."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs
import pytest

from codex_oauth import run
from codex_oauth.authority import Approve, Authority, AuthorityServer, Fault, Policy, serve
from codex_oauth.cli import trace as trace_file
from codex_oauth.cli.trace_page import page_of as page_about
from codex_oauth.cli.trace_rows import WIDTH, timeline
from codex_oauth.testing import FakeWorld, scripted
from codex_oauth_core import Credential, DeviceFlow, Secret
from codex_oauth_core.traces import read_trace, replay
from tests.adapters.browsing import browse
from tests.cli.commands import Done, run_command, start_command
from tests.cli.test_browser_login import page_of
from tests.support import SIGN_IN
from tests.traces.hostile import unfolded
from tests.traces.record import CORPUS

AT_ONCE = Policy(approve=Approve.AUTO, interval=1, strict_pace=False, any_redirect_port=True)
GROWING = CORPUS / "slow-down-adds-five-seconds-for-good.jsonl"
DENIED = CORPUS / "denied.jsonl"


@pytest.fixture
def server() -> Generator[AuthorityServer]:
    with serve(Authority(policy=AT_ONCE)) as running:
        yield running


def login(home: Path, server: AuthorityServer, *more: str) -> Done:
    return run_command(home, "login", "--device", "--issuer", server.url, *more)


def issued_texts(server: AuthorityServer, home: Path) -> set[str]:
    """What the authority handed out, as its client sent it back and the store keeps it."""
    found = {
        value.reveal() if isinstance(value, Secret) else value
        for request in server.authority.requests
        for name, value in request.fields.items()
        if isinstance(value, Secret) or name == "user_code"
    }
    (path,) = (home / "logins-of-the-test" / "logins").glob("*.json")
    credential = json.loads(path.read_bytes())["credential"]
    return {
        *found,
        *(credential[name] for name in ("access_token", "refresh_token", "id_token", "account_id")),
    }


# -- writing ----------------------------------------------------------------------------------------


def test_a_login_leaves_a_trace_that_replays(tmp_path: Path, server: AuthorityServer) -> None:
    path = tmp_path / "sign-in.jsonl"
    before = os.umask(0)
    try:
        done = login(tmp_path, server, "--trace", str(path))
    finally:
        os.umask(before)
    assert done.code == 0, done.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = path.read_text(encoding="ascii").splitlines()
    trace = read_trace(lines)
    assert (trace.gap, trace.header.issuer, trace.steps[-1].state) == (None, "loopback", "signed_in")
    assert replay(lines).same
    assert run_command(tmp_path, "trace", "replay", str(path)).code == 0


def test_a_trace_holds_nothing_that_the_server_issued(tmp_path: Path, server: AuthorityServer) -> None:
    path = tmp_path / "sign-in.jsonl"
    assert login(tmp_path, server, "--trace", str(path)).code == 0
    texts = issued_texts(server, tmp_path)
    assert len(texts) >= 8  # device id, user code, code, verifier, three tokens, account
    trace = unfolded(path.read_text(encoding="ascii"))
    assert {text for text in texts if text.lower() in trace} == set()
    assert server.url not in trace


def test_a_browser_login_leaves_a_trace_too(tmp_path: Path, server: AuthorityServer) -> None:
    path = tmp_path / "sign-in.jsonl"
    arguments = [
        "login",
        "--browser",
        "--no-open",
        "--port",
        "0",
        "--issuer",
        server.url,
        "--trace",
        str(path),
    ]
    child = start_command(tmp_path, *arguments)
    with child:
        browse(page_of(child))
        _, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    shown = run_command(tmp_path, "trace", "show", str(path))
    assert "the browser came back: callback_accepted -> exchanging" in shown.out
    assert "end: signed in" in shown.out
    assert run_command(tmp_path, "trace", "replay", str(path)).code == 0


def test_a_login_that_fails_leaves_its_trace(tmp_path: Path) -> None:
    path = tmp_path / "sign-in.jsonl"
    denying = Authority(
        policy=attrs.evolve(AT_ONCE, approve=Approve.DENY),
        faults=(Fault(endpoint="poll", requests="1", status=502, body="<html>canary"),),
    )
    with serve(denying) as server:
        done = login(tmp_path, server, "--trace", str(path), "--json")
    assert done.code == 3
    text = path.read_text(encoding="ascii")
    assert "canary" not in text
    assert [step.state for step in read_trace(text.splitlines()).steps][-1] == "denied"


@pytest.mark.parametrize(
    "place", ["there already", "missing/trace", "x" * 5000], ids=["file", "folder", "name"]
)
def test_a_trace_that_cannot_be_made_is_told_before_anything_starts(
    tmp_path: Path, server: AuthorityServer, place: str
) -> None:
    path = tmp_path / place
    if place == "there already":
        path.write_text("kept")
    done = login(tmp_path, server, "--trace", str(path))
    assert (done.code, done.out) == (2, "")
    assert server.authority.requests == []
    assert ("exists already" if place == "there already" else "cannot be written") in " ".join(
        done.err.split()
    )
    assert place != "there already" or path.read_text() == "kept"
    assert place == "there already" or not (tmp_path / "missing").exists()


def test_a_disk_that_is_full_stops_no_login_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_file, "_NEW", os.O_WRONLY)
    notes: list[str] = []
    with trace_file.tracing("/dev/full", notes.append) as recording:
        assert recording is not None
        outcome = run(recording(DeviceFlow()), FakeWorld(scripted(SIGN_IN)))
    assert isinstance(outcome, Credential)
    assert notes == ["The trace /dev/full is not complete: No space left on device."]


# -- showing ----------------------------------------------------------------------------------------


def test_the_timeline_shows_what_happened(tmp_path: Path) -> None:
    done = run_command(tmp_path, "trace", "show", str(GROWING))
    assert (done.code, done.err) == (0, "")
    for line in (
        "Sign-in with a device code, at the usual server",
        "     0.000  send device_authorization (up to 15 s) -> requesting_code",
        "     5.500  answer 400 after 0.250 s: slow_down -> waiting",
        "     5.500  wait 10.000 s (slow_down), 5.000 s longer",
        "    15.750  wait 10.000 s (pending)",
        "    26.000  wait 15.000 s (slow_down), 5.000 s longer",
        "    41.250  send exchange (up to 15 s, once)",
        "    41.500  end: signed in",
    ):
        assert line in done.out.splitlines()


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_kept_trace_can_be_shown_in_80_columns(path: Path) -> None:
    trace = read_trace(path.read_text(encoding="ascii").splitlines())
    lines = timeline(trace)
    assert max(map(len, lines)) <= WIDTH
    assert len([line for line in lines if "  end: " in line]) == 1
    page = page_about(trace)
    assert page.count("<tr class=") == len([line for line in lines if re.match(r" {3,}\d", line)])


def test_as_json_the_rows_are_data(tmp_path: Path) -> None:
    (document,) = run_command(tmp_path, "trace", "show", str(DENIED), "--json").documents
    assert document["ok"] is True
    assert document["trace"]["flow"] == "device"
    assert document["trace"]["steps"] == 4
    assert document["rows"][-1] == {
        "at": 5.5,
        "kind": "bad",
        "text": "end: denied (code: access_denied, status: 403)",
        "state": "denied",
    }


def test_a_page_is_whole_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = run_command(tmp_path, "trace", "show", str(GROWING), "--html", str(out))
    assert (done.code, done.out) == (0, f"Written to {out}.\n")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    page = out.read_text(encoding="utf-8")
    assert "prefers-color-scheme:dark" in page
    assert not re.search(r"<script|\b(?:src|href)=|url\((?!#)|@import|https?:", page)
    marked = set(re.findall(r'<g class="state visited[^"]*"><rect[^>]*/><text[^>]*>(\w+)', page))
    assert marked == {"idle", "requesting_code", "waiting", "polling", "exchanging", "signed_in"}
    states = set(re.findall(r'<g class="state[^"]*"><rect[^>]*/><text[^>]*>(\w+)', page))
    assert states > marked
    assert page.count('marker-end="url(#marked)"') == 6


def test_a_page_never_takes_the_place_of_its_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(DENIED.read_bytes())
    done = run_command(tmp_path, "trace", "show", str(path), "--html", "t.jsonl")
    assert (done.code, done.out) == (2, "")
    assert path.read_bytes() == DENIED.read_bytes()
    done = run_command(tmp_path, "trace", "show", str(path), "--html", "missing/page.html")
    assert done.code == 1
    assert done.err == "codex-oauth: missing/page.html could not be written: No such file or directory.\n"


def test_a_trace_without_a_step_is_not_the_same_as_today(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(DENIED.read_bytes().splitlines(keepends=True)[0])
    done = run_command(tmp_path, "trace", "replay", str(path))
    assert (done.code, done.out) == (2, "")
    assert "The trace has no step that could be replayed." in done.err


HOSTILE = "\x1b[31m<script>alert(1)</script>\u202e"


def hostile(path: Path) -> Path:
    lines = [json.loads(line) for line in DENIED.read_text().splitlines()]
    lines[0] |= {"library": HOSTILE, "issuer": HOSTILE}
    for line in lines[1:]:
        line |= {"trigger": HOSTILE, "state": HOSTILE}
        inside: dict[str, Any] = line["effect"]
        inside |= {name: HOSTILE for name in ("request", "why", "cause", "error") if name in inside}
        if "details" in inside:
            inside["details"] = {HOSTILE: HOSTILE}
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path


def test_no_text_of_a_file_reaches_the_terminal_or_the_page_as_an_order(tmp_path: Path) -> None:
    path, out = hostile(tmp_path / "hostile.jsonl"), tmp_path / "page.html"
    shown = run_command(tmp_path, "trace", "show", str(path))
    replayed = run_command(tmp_path, "trace", "replay", str(path))
    assert run_command(tmp_path, "trace", "show", str(path), "--html", str(out)).code == 0
    assert (shown.code, replayed.code) == (0, 1)
    for text in (shown.out, shown.err, replayed.out, replayed.err, page := out.read_text(encoding="utf-8")):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


# -- replaying --------------------------------------------------------------------------------------


def other(path: Path) -> Path:
    path.write_text(GROWING.read_text().replace('"until":15.5', '"until":12.5'))
    return path


def test_a_replay_that_differs_says_where(tmp_path: Path) -> None:
    path = other(tmp_path / "t.jsonl")
    done = run_command(tmp_path, "trace", "replay", str(path))
    assert done.code == 1
    assert done.out.splitlines() == [
        "Today's code acts differently in 1 place:",
        "line 5, effect.until:",
        "    in the trace: 12.5",
        "    today:        15.5",
    ]
    (document,) = run_command(tmp_path, "trace", "replay", str(path), "--json").documents
    assert (document["ok"], document["differences"]) == (
        False,
        [{"line": 5, "field": "effect.until", "recorded": 12.5, "today": 15.5}],
    )


def test_a_replay_that_is_the_same_says_so(tmp_path: Path) -> None:
    done = run_command(tmp_path, "trace", "replay", str(GROWING))
    assert (done.code, done.out, done.err) == (0, "Today's code does the same at all 11 steps.\n", "")
    (document,) = run_command(tmp_path, "trace", "replay", str(GROWING), "--json").documents
    assert (document["ok"], document["differences"]) == (True, [])


def test_a_trace_that_was_cut_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_bytes(GROWING.read_bytes()[:-20])
    shown = run_command(tmp_path, "trace", "show", str(path))
    assert shown.code == 0
    assert "the last line of the trace is not complete" in shown.err
    assert shown.out.splitlines()[-1].endswith("the trace stops here: its program was ended, or still runs")
    assert run_command(tmp_path, "trace", "replay", str(path)).code == 0
    path.write_bytes(GROWING.read_bytes()[:-1])
    assert run_command(tmp_path, "trace", "show", str(path)).err == ""


def test_a_gap_is_told(tmp_path: Path) -> None:
    path = tmp_path / "gap.jsonl"
    path.write_text("\n".join([*GROWING.read_text().splitlines()[:4], '{"gap":"differs"}', ""]))
    shown = run_command(tmp_path, "trace", "show", str(path))
    assert "the trace stops here: without the server's text the sign-in takes" in shown.out
    replayed = run_command(tmp_path, "trace", "replay", str(path))
    assert (replayed.code, replayed.err) == (
        0,
        "codex-oauth: the trace ends before its sign-in does.\n",
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file or directory."),
        (b"", "It is empty."),
        (b"\xff\n", "The file is not UTF-8 text."),
        (b"{}\n", "The file is no trace of codex-oauth."),
        (b'{"format":"codex-oauth-trace","version":2}\n', "It was written by a newer codex-oauth"),
    ],
)
@pytest.mark.parametrize("action", ["show", "replay"])
def test_a_file_that_is_no_trace_is_a_usage_error(
    tmp_path: Path, content: bytes | None, says: str, action: str
) -> None:
    path = tmp_path / "t.jsonl"
    if content is not None:
        path.write_bytes(content)
    done = run_command(tmp_path, "trace", action, str(path))
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "Traceback" not in done.err
    as_json = run_command(tmp_path, "trace", action, str(path), "--json")
    assert (as_json.code, as_json.err) == (2, "")
    (document,) = as_json.documents
    assert document["ok"] is False
    assert document["error"]["kind"] == "unusable_trace"
    assert says in document["error"]["message"]


def test_the_bare_command_says_how_it_is_used(tmp_path: Path) -> None:
    done = run_command(tmp_path, "trace")
    assert (done.code, done.out) == (2, "")
    assert "ACTION" in done.err
