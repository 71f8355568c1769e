"""pyright's language server, asked as an editor asks it: where is this defined, and what is it.

Rules of this file: one server, one file, and nothing is written outside the folder that is given.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from tests.house.tree import ROOT

__all__ = ["LanguageServer"]

_SETTINGS = {"extraPaths": [str(ROOT / "core"), str(ROOT / "adapters")], "pythonVersion": "3.11"}


class LanguageServer:
    """The server, with `code` open in a file of its own in `folder`."""

    def __init__(self, folder: Path, code: str) -> None:
        (folder / "pyrightconfig.json").write_text(json.dumps(_SETTINGS), encoding="utf-8")
        self._file, self._code, self._ids = folder / "opened.py", code, count(1)
        self._file.write_text(code, encoding="utf-8")
        command = [str(Path(sys.executable).parent / "pyright-langserver"), "--stdio"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        where = {"uri": folder.as_uri(), "name": "opened"}
        self._ask(
            "initialize",
            {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}, "workspaceFolders": [where]},
        )
        self._send({"method": "initialized", "params": {}})
        opened = {"uri": self._file.as_uri(), "languageId": "python", "version": 1, "text": code}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": opened}})

    def definition(self, name: str) -> Path | None:
        """The file that the last mention of `name` leads to; None if it leads nowhere."""
        found = self._ask("textDocument/definition", self._at(name))
        return Path(unquote(urlsplit(str(found[0]["uri"])).path)) if found else None

    def hover(self, name: str) -> str:
        """What the editor shows of the last mention of `name`."""
        found = self._ask("textDocument/hover", self._at(name))
        return str(found["contents"]["value"]) if found else ""

    def _at(self, name: str) -> dict[str, Any]:
        before = self._code[: self._code.rindex(name)]
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        return {"textDocument": {"uri": self._file.as_uri()}, "position": position}

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the language server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        mine = next(self._ids)
        self._send({"id": mine, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == mine and "method" not in message:
                return message["result"]
            if "id" in message:  # the server asks us; we have no settings
                asked: list[object] = message["params"].get("items", []) if message.get("params") else []
                self._send({"id": message["id"], "result": [{} for _ in asked] if asked else None})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
