"""Traces of sign-ins: what happened and when, without a secret, replayed by the code of another day.

`recorder` writes one, around the real flow; `shadow` is the flow that its lines are about, and makes fakes
of what must not be in it; `format` is how it stands in a file, and `replay` takes it up again.
"""

from __future__ import annotations

from codex_oauth_core.traces.format import VERSION, Gap, Header, Step, Trace, TraceError, read_trace
from codex_oauth_core.traces.recorder import Recorder
from codex_oauth_core.traces.replay import Difference, Replay, replay

__all__ = [
    "VERSION",
    "Difference",
    "Gap",
    "Header",
    "Recorder",
    "Replay",
    "Step",
    "Trace",
    "TraceError",
    "read_trace",
    "replay",
]
