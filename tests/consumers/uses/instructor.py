"""instructor with a login."""

from __future__ import annotations

from typing import Any

import instructor
from pydantic import BaseModel

from codex_oauth import openai_client
from tests.consumers.child import Stub


class City(BaseModel):
    name: str
    people: int


def ask(stub: Stub, *, dialect: bool) -> str:
    client: Any = instructor.from_openai(
        openai_client(stub.source, dialect=dialect), mode=instructor.Mode.RESPONSES_TOOLS
    )
    city = client.responses.create(
        model=stub.model,
        instructions="Be brief.",
        input=[{"role": "user", "content": stub.question}],
        store=False,
        response_model=City,
    )
    assert (city.name, city.people) == ("fake", 1), city
    return stub.question


def plain(stub: Stub) -> str:
    return ask(stub, dialect=True)


def plain_without_dialect(stub: Stub) -> str:
    return ask(stub, dialect=False)
