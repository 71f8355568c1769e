"""P11: what the children do, and the same by hand with a blocking lock.

Rules of this file: a child waits for a word before it begins; the hand-written one locks, reads again, and
refreshes only if it still has to.
"""

from __future__ import annotations

import fcntl
import json
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from codex_oauth_core import CODEX, Secret
from tests.storm.nursery import Link
from tests.support import there

__all__ = ["by_hand", "post_refresh"]


def post_refresh(issuer: str, refresh_token: str) -> bytes:
    """One refresh, with http.client."""
    request = there(CODEX.dialect.refresh_request(CODEX.at(issuer), Secret(refresh_token)))
    parts = urlsplit(request.url)
    connection = HTTPConnection(parts.hostname or "", parts.port)
    try:
        connection.request(request.method, parts.path, request.body.reveal(), dict(request.plain_headers()))
        return connection.getresponse().read()
    finally:
        connection.close()


def by_hand(link: Link, path: Path, issuer: str) -> str:
    """A token, by a program that somebody wrote in ten minutes: nothing is durable, and nothing is checked."""
    link.send(("said", "ready"))
    link.recv()
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        login = json.loads(path.read_text())
        if login["expires_at"] <= time.time():
            answer = json.loads(post_refresh(issuer, login["refresh_token"]))
            login = {**answer, "expires_at": time.time() + 86_400}
            path.write_text(json.dumps(login))
    return str(login["access_token"])
