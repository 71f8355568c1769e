"""Shows a page that signs in from Pyodide, on loopback: the page, Pyodide and the authority have one address.

Rules of this file: nothing is loaded from anywhere else; Pyodide and the libraries are those that `make
ports` has put into `.venv/ports/pyodide`.

    python docs/examples/ports/pyodide_page.py
"""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import attrs

from codex_oauth import Request, Secret
from codex_oauth.authority import Answer, Authority, Policy, serve

__all__ = ["PageAndAuthority"]

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PYODIDE = ROOT / ".venv" / "ports" / "pyodide"
PAGE = "/pyodide-page/"
FILES = {
    "": (HERE / "pyodide.html", "text/html; charset=utf-8"),
    "pyodide_page.css": (HERE / "pyodide_page.css", "text/css; charset=utf-8"),
    "pyodide_page.mjs": (HERE / "pyodide_page.mjs", "text/javascript; charset=utf-8"),
    **{
        f"pyodide/{name}": (PYODIDE / "node_modules" / "pyodide" / name, kind)
        for name, kind in {
            "pyodide.mjs": "text/javascript; charset=utf-8",
            "pyodide.asm.mjs": "text/javascript; charset=utf-8",
            "pyodide.asm.wasm": "application/wasm",
            "pyodide-lock.json": "application/json",
            "python_stdlib.zip": "application/zip",
        }.items()
    },
}
"""By what follows `PAGE` in a URL."""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'"
)
"""The page loads from its own address alone, and runs no text as a script."""


def python_files() -> Iterator[tuple[str, Path]]:
    """What the page imports: the libraries, the core, the adapters, and the port."""
    for folder in (PYODIDE / "python", ROOT / "core", ROOT / "adapters"):
        for path in sorted(folder.rglob("*.py")):
            yield str(path.relative_to(folder)), path
    for name in ("pyodide_world.py", "pyodide_sign_in.py"):
        yield name, HERE / name


def packed() -> bytes:
    """All of them in one archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packing:
        for name, path in python_files():
            packing.write(path, name)
    return archive.getvalue()


@attrs.define(eq=False)
class PageAndAuthority:
    """The files of the page; all other requests go to the authority."""

    max_body: ClassVar[int] = Authority.max_body
    authority: Authority
    python: bytes = attrs.field(factory=packed, repr=False)

    def handle(self, request: Request, now: float, wall: float) -> Answer:
        """The answer to a request that came at `now` (monotonic) and `wall` (Unix time), in seconds."""
        path = urlsplit(request.url).path
        if request.method != "GET" or not path.startswith(PAGE):
            return self.authority.handle(request, now, wall)
        name = path.removeprefix(PAGE)
        if name == "python.zip":
            return answer(self.python, "application/zip")
        if name not in FILES:
            return Answer(status=404)
        file, kind = FILES[name]
        return answer(file.read_bytes(), kind)


def answer(body: bytes, kind: str) -> Answer:
    """A file of the page."""
    headers = (
        ("Content-Type", kind),
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )
    return Answer(status=200, headers=headers, body=Secret(body))


def main() -> None:
    """Serve it until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A page that signs in from Pyodide, on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    port: int = parser.parse_args().port
    if not (PYODIDE / "node_modules").exists():
        parser.exit(1, "Pyodide is missing: run `make ports`.\n")
    with serve(
        PageAndAuthority(Authority(policy=Policy(interval=1, strict_pace=False))), port=port
    ) as server:
        print(f"Open {server.url}{PAGE} in a browser. Ctrl-C ends it.", flush=True)
        try:
            while True:
                input()
        except (KeyboardInterrupt, EOFError):
            return


if __name__ == "__main__":
    main()
