"""Modules that are loaded on first use: under one lock, so that no child is forked while one is half loaded.

Rules of this file: every way runs in a process of its own, in which nothing is loaded yet; a finder in front
of all others sees what is loaded, and on which thread. It says `unlocked` for what is loaded without a lock
that a fork waits for, and it is slow where a test wants to fork.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from codex_oauth import CODEX, FileStore, login
from codex_oauth.authority import Approve, Authority, Policy, serve

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

_PRELUDE: Final = """
import faulthandler, os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
import asyncio, trio  # of a program that uses them
import codex_oauth
from codex_oauth.loading import LOADING

class Finder:
    slow, inside, go_on = None, threading.Event(), threading.Event()
    def find_spec(self, name, path=None, target=None):
        tls = sys.modules.get("codex_oauth.transport.tls")
        if not LOADING._is_owned() and not (tls and tls._BUILDING._is_owned()):
            print("unlocked", name, flush=True)
        if name == self.slow:
            self.slow = None
            self.inside.set()
            self.go_on.wait(0.5)

finder = Finder()
url, home = sys.argv[1:]
store, provider = codex_oauth.FileStore(home), codex_oauth.CODEX.at(url)

def refuse():
    source = codex_oauth.TokenSource(store)
    return source.rejected(stored()) != old

def arefuse():
    source = codex_oauth.TokenSource(store)
    return source.arejected(stored())

def stored():
    return store.slot(store.current()).load().credential.access_token.reveal()

def listen():
    def enough(prompt):
        raise EOFError
    try:
        codex_oauth.login(on_prompt=enough, device=False, ports=(0,), provider=provider, open_browser=False)
    except EOFError:
        return

old = stored()
sys.meta_path.insert(0, finder)
"""

_WAYS: Final = {
    "rejected()": "assert refuse()",
    "token()": "assert codex_oauth.TokenSource(store).token() == old",
    "atoken() in asyncio": "assert asyncio.run(codex_oauth.TokenSource(store).atoken()) == old",
    "atoken() in trio": "assert trio.run(codex_oauth.TokenSource(store).atoken) == old",
    "arejected() in asyncio": "assert asyncio.run(arefuse()) != old",
    "arejected() in trio": "assert trio.run(arefuse) != old",
    "TokenAuth": "codex_oauth.TokenAuth(codex_oauth.TokenSource(store))",
    "openai_client()": "codex_oauth.openai_client(codex_oauth.TokenSource(store), base_url='https://chatgpt.com/x')",
    "async_openai_client()": """
codex_oauth.async_openai_client(codex_oauth.TokenSource(store), base_url="https://chatgpt.com/x", dialect=True)
""",
    "refresh()": """
record = store.slot(store.current()).load()
codex_oauth.refresh(record.credential.refresh_token, provider)
""",
    "login()": """
codex_oauth.login(on_prompt=lambda prompt: None, device=True, provider=provider, store=store)
""",
    "alogin() in asyncio": """
async def main():
    await codex_oauth.alogin(on_prompt=lambda prompt: None, device=True, provider=provider, store=store)
asyncio.run(main())
""",
    "alogin() in trio": """
async def main():
    await codex_oauth.alogin(on_prompt=lambda prompt: None, device=True, provider=provider, store=store)
trio.run(main)
""",
    "login() in the browser": "listen()",
}

_FORK: Final = """
finder.slow = {slow!r}
def work():
    {work}
thread = threading.Thread(target=work)
thread.start()
assert finder.inside.wait(20)
pid = os.fork()
if pid == 0:
    faulthandler.dump_traceback_later(20, exit=True)
    {work}
    os._exit(0)
finder.go_on.set()
thread.join()
print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

_FORKS: Final = {
    "the look at a login of another issuer": (
        "codex_oauth.elsewhere",
        "codex_oauth.TokenSource(store).token()",
    ),
    "the thread of a look": ("codex_oauth.tokens.flight", "trio.run(codex_oauth.TokenSource(store).atoken)"),
    "a renewal": ("filelock", "refuse()"),
    "what a renewal's request needs": ("httpx", "refuse()"),
    "a name of the package": ("codex_oauth.sign_in", "codex_oauth.login"),
    "what a sign-in listens with": (
        "codex_oauth.listener.sync_listener",
        "listen()",
    ),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where an authority serves that approves by itself."""
    with serve(Authority(policy=Policy(approve=Approve.AUTO, interval=1))) as server:
        yield server.url


@pytest.fixture
def printed(url: str, tmp_path: Path) -> Callable[[str], list[str]]:
    """What a program prints that has a stored login and has loaded nothing."""
    login(on_prompt=lambda _: None, device=True, provider=CODEX.at(url), store=FileStore(tmp_path / "home"))

    def run(code: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", _PRELUDE + code, url, str(tmp_path / "home")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


@pytest.mark.parametrize("way", _WAYS)
def test_whatever_is_loaded_on_first_use_is_loaded_under_a_lock_that_a_fork_waits_for(
    printed: Callable[[str], list[str]], way: str
) -> None:
    assert printed(_WAYS[way]) == []


@needs_fork
@pytest.mark.parametrize("case", _FORKS)
def test_f7_a_child_forked_while_another_thread_loads_modules_can_load_them(
    printed: Callable[[str], list[str]], case: str
) -> None:
    slow, work = _FORKS[case]
    assert "child 0" in printed(_FORK.format(slow=slow, work=work))
