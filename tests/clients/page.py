"""The blocks of docs/consumers.md, and a login at the model stub with which one is run.

Rules of this file: a block is run as it stands, with the names that the page gives to all of them.

Run as a program it runs the blocks of one mark, and prints what came of each, as JSON: version 2 of `openai`
lives in a directory of its own.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from codex_oauth import CODEX, MemoryStore, TokenSource, login
from codex_oauth.authority import (
    Authority,
    AuthorityServer,
    CatalogModel,
    ModelFault,
    ModelPolicy,
    Policy,
    serve,
)
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth_core.codex import CODEX_API
from tests.house.tree import ROOT

__all__ = ["BLOCKS", "MODEL", "PAGE", "QUESTION", "TEXT", "Block", "Run", "of", "run", "stub"]

PAGE: Final = (ROOT / "docs" / "consumers.md").read_text(encoding="utf-8")
MODEL, QUESTION, TEXT = "gpt-5.5-codex", "How are you?", "Quite well, thank you."
_BLOCK: Final = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


@attrs.frozen
class Block:
    """A block of the page. `mark` is what stands above it."""

    line: int
    mark: str
    code: str

    @property
    def runs_in(self) -> str | None:
        """What it needs to run; None if it is not run."""
        _, found, name = self.mark.partition("runs in: ")
        return name if found else None


BLOCKS: Final = [
    Block(PAGE.count("\n", 0, found.start("code")) + 1, found["mark"] or "", found["code"])
    for found in _BLOCK.finditer(PAGE)
]


def of(*marks: str) -> list[Block]:
    """The blocks that run there."""
    return [block for block in BLOCKS if block.runs_in in marks]


@contextmanager
def stub(*faults: ModelFault, **policy: Any) -> Generator[tuple[AuthorityServer, TokenSource]]:
    """The model stub, and the source of a login at it. The sign-in itself costs no time."""
    given: dict[str, Any] = {"text": TEXT, "models": (CatalogModel(slug=MODEL, display_name="C"),), **policy}
    models = ModelPolicy(**given)
    rules = Authority(policy=Policy(approve="auto"), faults=faults, models=models)
    with serve(rules) as server:
        store, world = MemoryStore(), FakeWorld(answered_by(rules), wall=time.time())
        provider = attrs.evolve(
            CODEX.at(server.url),
            hosts=(f"127.0.0.1:{server.port}",),
            model_api=attrs.evolve(CODEX_API, base_url=server.codex_base_url),
        )
        login(
            device=True, provider=provider, store=store, on_prompt=lambda _: None, make_world=lambda _: world
        )
        with TokenSource(store, provider=provider) as source:
            yield server, source


@attrs.frozen
class Run:
    """What came of a block. `statuses` are those of its requests for an answer, `elsewhere` the names of the
    login's headers that came to the stub's other name, `refreshes` those at the authority.
    """

    printed: str
    failed: str
    statuses: list[int]
    elsewhere: list[str]
    refreshes: int
    user_agents: list[str]


_OURS: Final = ("authorization", "chatgpt-account-id", "originator")


def run(block: Block, *faults: ModelFault, **policy: Any) -> Run:
    """Run a block, with a login and a stub of its own."""
    out, failed = io.StringIO(), ""
    code = compile("\n" * (block.line - 1) + block.code, "docs/consumers.md", "exec")
    with stub(*faults, **policy) as (server, source):
        names = {
            "__name__": "block",
            "source": source,
            "url": server.codex_base_url,
            "model": MODEL,
            "question": QUESTION,
        }
        with contextlib.redirect_stdout(out):
            try:
                exec(code, names)
            except Exception as error:  # noqa: BLE001  # it is told
                failed = type(error).__name__
        seen = server.authority
        asked = [*seen.received("responses"), *seen.received("websocket")]
        away = [each for each in seen.requests if each.headers.get("host", "").startswith("localhost")]
        return Run(
            printed=out.getvalue(),
            failed=failed,
            statuses=[each.status for each in asked if each not in away],
            elsewhere=[
                name
                for each in away
                for name in _OURS
                if name in each.headers or (name == "authorization" and each.token)
            ],
            refreshes=len(seen.received("refresh")),
            user_agents=[each.headers.get("user-agent", "") for each in asked],
        )


FAULTS: Final[dict[str, tuple[ModelFault, ...]]] = {
    "": (),
    "401": (ModelFault(answer="token_invalidated", requests=1),),
    "redirect": (ModelFault(answer="redirect"),),
    "long": (ModelFault(answer="huge_event"),),
    "quirks": (ModelFault(answer="no_content_type"), ModelFault(answer="unknown_events")),
}


def main(mark: str) -> None:
    """Print what came of every block of a mark under every fault."""
    runs = [
        [block.line, name, attrs.asdict(run(block, *faults))]
        for block in of(mark)
        for name, faults in FAULTS.items()
    ]
    print(json.dumps(runs))


if __name__ == "__main__":
    main(sys.argv[1])
