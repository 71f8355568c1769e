"""llm (Datasette) with a login: a model of a plugin of one's own."""

from __future__ import annotations

from typing import Any

from llm.default_plugins.openai_models import Responses

from codex_oauth import openai_client
from tests.consumers.child import Stub


def model(stub: Stub, *, dialect: bool) -> Any:
    class CodexModel(Responses):
        needs_key = None
        key_env_var = None

        def get_client(self, key: Any, *, async_: bool = False) -> Any:
            return openai_client(stub.source, dialect=dialect)

    return CodexModel(stub.model)


def ask(stub: Stub, *, stream: bool, dialect: bool) -> str:
    answer = model(stub, dialect=dialect).prompt(stub.question, system="Be brief.", stream=stream)
    return "".join(answer)


def streamed(stub: Stub) -> str:
    return ask(stub, stream=True, dialect=False)


def streamed_with_dialect(stub: Stub) -> str:
    return ask(stub, stream=True, dialect=True)


def plain(stub: Stub) -> str:
    return ask(stub, stream=False, dialect=True)


def plain_without_dialect(stub: Stub) -> str:
    return ask(stub, stream=False, dialect=False)
