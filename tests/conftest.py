"""How hypothesis searches: `make test` is quick and repeatable, `make props` goes on for longer.

Rules of this file: the quick profile draws the same examples in every run, so that a red run is red
again on another machine; the long one draws new ones, and keeps what it falsified in `.hypothesis/`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW_MACHINES = (HealthCheck.too_slow,)

settings.register_profile(
    "default",
    max_examples=100,
    stateful_step_count=40,
    derandomize=True,
    deadline=None,  # a busy machine is no failure
    suppress_health_check=_SLOW_MACHINES,
)
settings.register_profile(
    "long",
    max_examples=1000,
    stateful_step_count=80,
    deadline=None,
    print_blob=True,
    suppress_health_check=_SLOW_MACHINES,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
