"""A replay finds where today's code acts differently, and stands any file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_oauth_core.flows import pace
from codex_oauth_core.reading.json_body import as_object
from codex_oauth_core.traces import VERSION, Difference, TraceError, read_trace, replay
from codex_oauth_core.traces.format import LONGEST_TRACE_LINE, Ended, Sent, Waited
from tests.strategies import json_values
from tests.traces.record import CORPUS

TRACES = {path.stem: path.read_text(encoding="ascii").splitlines() for path in CORPUS.glob("*.jsonl")}
PLAIN = TRACES["approved-after-a-pending"]
BROWSER = TRACES["browser-approved"]


def changed(lines: list[str], number: int, **members: Any) -> list[str]:
    """The trace with members of a line changed: `effect_until=1` changes `until` in `effect`."""
    fields = json.loads(lines[number - 1])
    for path, value in members.items():
        *outer, name = path.split("__")
        inner = fields
        for each in outer:
            inner = inner[each]
        inner[name] = value
    return [*lines[: number - 1], json.dumps(fields, separators=(",", ":")), *lines[number:]]


def test_a_replay_is_the_same_where_nothing_has_changed() -> None:
    again = replay(PLAIN)
    assert (again.same, again.differences, list(again.lines)) == (True, (), PLAIN)


def test_line_ends_make_no_difference() -> None:
    assert replay(f"{line}\n" for line in PLAIN).same
    assert replay(f"{line}\r\n" for line in PLAIN).same


@pytest.mark.parametrize(
    ("line", "members", "difference"),
    [
        (3, {"effect__until": 5.0}, Difference(3, "effect.until", 5.0, 5.25)),
        (3, {"effect__why": "retry"}, Difference(3, "effect.why", "retry", "pending")),
        (3, {"state": "polling"}, Difference(3, "state", "polling", "waiting")),
        (3, {"trigger": None}, Difference(3, "trigger", None, "code_issued")),
        (3, {"trigger": "due"}, Difference(3, "trigger", "due", "code_issued")),
        (4, {"effect__once": True}, Difference(4, "effect.once", True, False)),
        (4, {"more": 1}, Difference(4, "more", 1, None)),
        (-1, {"effect__account": "x"}, Difference(0, "effect.account", "x", "fake-account-0005")),
    ],
)
def test_a_difference_says_where_and_what(line: int, members: dict[str, Any], difference: Difference) -> None:
    number = line if line > 0 else len(PLAIN)
    again = replay(changed(PLAIN, number, **members))
    assert not again.same
    assert again.differences == (Difference(number, difference.field, difference.recorded, difference.today),)


def test_another_error_than_recorded_is_every_part_of_its_end() -> None:
    end = json.dumps({"kind": "finished", "outcome": "error", "error": "denied", "details": {"status": 403}})
    again = replay(changed(PLAIN, len(PLAIN), effect=json.loads(end)))
    fields = {each.field: (each.recorded, each.today) for each in again.differences}
    assert fields["effect.outcome"] == ("error", "credential")
    assert fields["effect.error"] == ("denied", None)


def test_an_event_that_has_no_place_any_more_ends_the_comparison() -> None:
    again = replay([*PLAIN[:3], *PLAIN[4:]])
    (difference,) = again.differences
    assert (difference.line, difference.field) == (4, "event")
    assert (difference.recorded, difference.today) == ("response", "no such event in state waiting")
    assert list(again.lines) == PLAIN[:3]


def test_a_changed_rule_of_the_flow_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = TRACES["slow-down-adds-five-seconds-for-good"]
    monkeypatch.setattr(pace, "SLOW_DOWN_STEP", 6.0)
    first, *_ = replay(lines).differences
    assert (first.field, first.recorded, first.today) == ("effect.until", 15.5, 16.5)


def test_a_fault_of_todays_code_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(pace.Pace, "answered", broken)
    *_, last = replay(PLAIN).differences
    assert last.today == "ZeroDivisionError in state polling"


def test_a_trace_is_read_into_types() -> None:
    trace = read_trace(PLAIN)
    kinds = [type(step.asked) for step in trace.steps]
    assert kinds == [Sent, Waited, Sent, Waited, Sent, Sent, Ended]
    assert [step.number for step in trace.steps] == list(range(2, 9))
    assert (trace.header.flow, trace.header.lifetime, trace.gap) == ("device", 900.0, None)


# -- broken files -----------------------------------------------------------------------------------

HEADER = PLAIN[0]
DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "It is empty"),
        ([""], "Line 1: it is not JSON"),
        (["nonsense"], "Line 1: it is not JSON"),
        ([DEEP], "Line 1: it is no flat JSON object"),
        (["[]"], "Line 1: it is no flat JSON object"),
        (['{"a":[[[[[1]]]]]}'], "Line 1: it is no flat JSON object"),
        (["{}"], "The file is no trace of codex-oauth"),
        (['{"format":"codex-oauth-trace","version":true}'], "The file is no trace of codex-oauth"),
        (changed(PLAIN, 1, version=VERSION + 1), f"a newer codex-oauth: this one reads version {VERSION}"),
        (changed(PLAIN, 1, version=0), "There is no such version"),
        (changed(PLAIN, 1, flow="renewal"), "Line 1: there is no such flow here"),
        (changed(PLAIN, 1, dialect="other"), "It was recorded in another dialect"),
        (changed(PLAIN, 1, lifetime=0), "Its header has limits that no flow takes"),
        (changed(PLAIN, 1, request_timeout=301), "Its header has limits that no flow takes"),
        (changed(PLAIN, 1, lifetime="x"), "Line 1: lifetime is no number"),
        (changed(PLAIN, 1, lifetime=10**4000), "Line 1: lifetime is out of bounds"),
        (changed(PLAIN, 1, workspaces="abc"), "Line 1: workspaces is no list"),
        (changed(PLAIN, 1, workspaces=[1]), "Line 1: workspaces has no texts"),
        (['{"gap":"begun"}'], "Nothing was recorded: begun"),
        ([HEADER, '{"gap":"else"}'], "Line 2: the gap has no reason that is known"),
        ([HEADER, '{"gap":{}}'], "Line 2: the gap has no reason that is known"),
        ([HEADER, '{"gap":"failed"}', PLAIN[1]], "Line 3: there is nothing after a gap"),
        ([HEADER, "{}"], "Line 2: it has no event"),
        (changed(PLAIN, 2, event__kind="locked"), "Line 2: there is no such event here"),
        (changed(PLAIN, 2, effect__kind="load"), "Line 2: there is no such effect here"),
        (changed(PLAIN, 2, event__wall=1e12), "Line 2: wall is out of bounds"),
        (changed(PLAIN, 2, state=1), "Line 2: state is no text"),
        (changed(PLAIN, 2, effect__once=1), "Line 2: once is neither true nor false"),
        (changed(PLAIN, 3, event__status=200.5), "Line 3: status is no whole number"),
        (changed(PLAIN, 3, event__headers=[]), "Line 3: it has no headers"),
        (changed(PLAIN, 3, event__headers={"a": 1}), "Line 3: a is no text"),
        (changed(PLAIN, 3, event__body="\xe9"), "Line 3: body is not plain ASCII"),
        ([HEADER, PLAIN[1].replace('"at":0.0', '"at":NaN')], "Line 2: it is not JSON"),
        ([HEADER, PLAIN[1].replace('"at":0.0', '"at":1e999')], "Line 2: it is not JSON"),
        ([f'{{"a":"{"x" * LONGEST_TRACE_LINE}"}}'], "Line 1: it is too long"),
        ([HEADER, *['{"gap":"failed"}'] * 2], "nothing after a gap"),
    ],
)
def test_what_is_no_trace_says_so(lines: list[str], says: str) -> None:
    with pytest.raises(TraceError, match=says):
        replay(lines)


def test_a_trace_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_oauth_core.traces.format.MOST_LINES", 5)
    with pytest.raises(TraceError, match="more than 5 lines"):
        replay(PLAIN)


def test_a_failed_request_needs_a_phase_and_a_cause_that_exist() -> None:
    lines = TRACES["back-off-is-capped-at-a-minute"]
    for name in ("phase", "cause"):
        with pytest.raises(TraceError, match=f"Line 5: there is no such {name} here"):
            replay(changed(lines, 5, **{f"event__{name}": "other"}))


def try_replay(lines: list[str]) -> None:
    told = ""
    try:
        assert replay(lines).lines
    except TraceError as error:
        told = str(error)
    assert "canary" not in told


@given(st.lists(st.text(max_size=60).map(lambda text: f"canary {text}") | st.sampled_from(PLAIN), max_size=6))
def test_any_text_is_a_trace_or_an_error(lines: list[str]) -> None:
    try_replay(lines)


def _paths(fields: object, way: str = "") -> list[str]:
    found: list[str] = []
    for name, value in as_object(fields).items():
        found += [f"{way}{name}", *_paths(value, f"{way}{name}__")]
    return found


ANY = [
    *PLAIN,
    *BROWSER,
    *TRACES["back-off-is-capped-at-a-minute"],
    *TRACES["another-workspace-than-asked-for"],
]
NUMBERS = st.sampled_from([0, -1, 1e12, -1e12, 2.5e11, 10**4000, True, 1e-300, 9_999_999_999_999])


@given(st.data(), st.sampled_from([PLAIN, BROWSER, TRACES["no-account-in-the-token"]]), json_values | NUMBERS)
def test_any_change_of_a_trace_is_a_replay_or_an_error(
    data: st.DataObject, lines: list[str], value: Any
) -> None:
    number = data.draw(st.integers(1, len(lines)))
    path = data.draw(st.sampled_from(_paths(json.loads(lines[number - 1]))))
    try_replay(changed(lines, number, **{path: value}))


@given(st.lists(st.sampled_from(ANY), max_size=12), st.sampled_from([PLAIN[0], BROWSER[0]]))
@example([PLAIN[2], PLAIN[1]], PLAIN[0])
def test_any_order_of_lines_is_a_replay_or_an_error(lines: list[str], header: str) -> None:
    try_replay([header, *lines])


@given(st.sampled_from(list(TRACES.values())), st.text(max_size=300))
def test_any_body_and_any_redirect_is_a_replay(lines: list[str], text: str) -> None:
    plain = text.encode("ascii", "replace").decode()
    for number, line in enumerate(lines, 1):
        for name in ("body", "query"):
            if name in json.loads(line).get("event", {}):
                assert replay(changed(lines, number, **{f"event__{name}": plain})).lines
