"""Names of a package that load on first use (PEP 562): importing the package costs next to nothing."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, homes: Mapping[str, tuple[str, ...]], extras: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of `package`, from the names that each module is the home of.

    `extras` are homes that need a library which may not be there: their names can be imported, and are not in
    `__all__`, so that `import *` and `help()` need none of these libraries.
    """
    listed = sorted(name for names in homes.values() for name in names)
    home_of = {name: home for each in (homes, extras or {}) for home, names in each.items() for name in names}

    def load(name: str) -> Any:
        from importlib import import_module

        home = home_of.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home), name)
        vars(import_module(package))[name] = value
        return value

    return listed, load, listed.copy
