"""Runs in the environment of one consumer: does what its lines of stdin say, and says on stdout what came of each.

Rules of this file: it needs nothing but codex-oauth and the consumer; a way of use is a function of
`tests/consumers/uses/NAME.py`, or a block of docs/consumers.md; the answer to a line is one line, JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import sys
import warnings
from typing import Any

import attrs

from codex_oauth import FileStore, TokenSource
from codex_oauth_core import CODEX, Provider

__all__ = ["Stub", "main"]


@attrs.define(eq=False)
class Stub:
    """What a way of use is given: a source of a login, and where the model stub is."""

    source: TokenSource
    url: str
    """The base URL of the Codex backend."""
    official: str
    """The base URL of the public API."""
    model: str
    question: str


def provider_at(url: str) -> Provider:
    """The Codex provider, with everything at the authority that is at `url`."""
    api = CODEX.model_api
    assert api is not None
    return attrs.evolve(
        CODEX.at(url),
        hosts=(url.partition("://")[2],),
        model_api=attrs.evolve(api, base_url=f"{url}/backend-api/codex"),
    )


def answered(job: dict[str, Any]) -> dict[str, str]:
    """What came of one job: what the consumer said, or how it failed."""
    url, printed = str(job["url"]), io.StringIO()
    source = TokenSource(FileStore(job["home"]), provider=provider_at(url))
    with source, contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        stub = Stub(source, f"{url}/backend-api/codex", f"{url}/v1", job["model"], job["question"])
        try:
            if "block" in job:
                exec(
                    compile(job["block"], "docs/consumers.md", "exec"),
                    {"__name__": "block", **attrs.asdict(stub, recurse=False)},
                )
                return {"said": printed.getvalue()}
            module, _, name = str(job["way"]).partition(".")
            return {
                "said": str(getattr(importlib.import_module(f"tests.consumers.uses.{module}"), name)(stub))
            }
        except BaseException as error:  # noqa: BLE001  # whatever it is, the parent is told
            causes: list[BaseException] = [error]
            while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and len(causes) < 9:
                causes.append(cause)
            return {"failed": " <- ".join(f"{type(one).__name__}: {one}" for one in causes)}


def main() -> None:
    """Answer every line."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library writes past Python's stdout is no answer
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        answers.write(json.dumps(answered(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
