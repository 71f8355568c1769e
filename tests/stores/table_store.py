"""The store of docs/stores.md, as a module: for broken ones to be made of."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any, Final

from tests.house.tree import ROOT

__all__ = ["TABLE"]


def _example() -> Any:
    page = (ROOT / "docs" / "stores.md").read_text(encoding="utf-8")
    (code,) = (
        block
        for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        if "class TableStore" in block
    )
    module = ModuleType("table_store_of_the_page")
    exec(compile(code, "docs/stores.md", "exec"), module.__dict__)  # the page's own code
    return module


TABLE: Final = _example()
