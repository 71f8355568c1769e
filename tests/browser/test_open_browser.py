"""Opening a page: by argument list, never blocking, never raising, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from codex_oauth.browser import open_browser
from codex_oauth.browser.choose import GRAPHICAL
from codex_oauth.browser.open_browser import NotOpened, Opened, open_url
from codex_oauth_core import Secret
from tests.browser.fakes import HANGS, Programs, until
from tests.browser.test_programs import TEXT_BROWSERS
from tests.transport.servers import BUSY

URL = "https://auth.openai.com/oauth/authorize?state=canary-state&scope=a+b%20c&x=1"
SOON = 1.0 + BUSY


@pytest.fixture
def programs(tmp_path: Path) -> Generator[Programs]:
    made = Programs(tmp_path)
    yield made
    made.end()
    until(lambda: not reapers())


def reapers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "codex-oauth-browser"]


def opened(programs: Programs, url: Secret[str] | str = URL, **more: str) -> Opened | NotOpened:
    begun = time.monotonic()
    outcome = open_url(url, environ=programs.environ(**more), platform="linux")
    assert time.monotonic() - begun < SOON
    return outcome


def is_gone(pid: int) -> bool:
    """Whether not even a zombie is left."""
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("url", [URL, Secret(URL)])
def test_the_url_is_one_argument_as_it_is(programs: Programs, url: Secret[str] | str) -> None:
    path = programs.add("xdg-open")
    assert opened(programs, url) == Opened(str(path))
    assert programs.argv("xdg-open") == [URL]


def test_a_browser_that_hangs_holds_nobody_and_leaves_no_zombie(programs: Programs) -> None:
    programs.add("firefox", HANGS)
    assert isinstance(opened(programs), Opened)
    pid = int(programs.noted("firefox", "pid"))
    assert not is_gone(pid)
    programs.end()
    until(lambda: is_gone(pid))


def test_a_browser_that_ends_leaves_no_zombie(programs: Programs) -> None:
    programs.add("firefox", "exit 0")
    assert isinstance(opened(programs), Opened)
    until(lambda: is_gone(int(programs.noted("firefox", "pid"))))


def test_the_browser_has_a_session_of_its_own_and_no_part_of_the_terminal(programs: Programs) -> None:
    programs.add("firefox", HANGS)
    opened(programs)
    pid = int(programs.noted("firefox", "pid"))
    assert os.getsid(pid) == pid
    assert {str(Path(f"/proc/{pid}/fd/{fd}").readlink()) for fd in (0, 1, 2)} == {"/dev/null"}
    assert str(Path(f"/proc/{pid}/cwd").readlink()) == "/"


def test_one_that_fails_at_once_gives_way_to_the_next(programs: Programs) -> None:
    programs.add("xdg-open", "exit 3")
    path = programs.add("chromium")
    assert opened(programs) == Opened(str(path))
    assert programs.started() == {"xdg-open", "chromium"}


def test_one_that_fails_a_little_later_gives_way_in_the_background(programs: Programs) -> None:
    programs.add("xdg-open", "/bin/sleep 0.4; exit 3")
    programs.add("chromium")
    assert isinstance(opened(programs), Opened)
    assert programs.argv("chromium") == [URL]


def test_one_that_fails_after_the_page_was_there_is_not_made_up_for(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_browser, "LATE", 0.3)
    programs.add("firefox", "/bin/sleep 0.5; exit 1")
    programs.add("chromium")
    assert isinstance(opened(programs), Opened)
    until(lambda: not reapers())
    assert programs.started() == {"firefox"}


def test_only_the_first_that_works_is_started(programs: Programs) -> None:
    for name in ("xdg-open", "firefox", "chosen"):
        programs.add(name)
    opened(programs, BROWSER="chosen")
    until(lambda: not reapers())
    assert programs.started() == {"chosen"}


def test_a_browser_that_cannot_be_executed_is_a_reason(programs: Programs) -> None:
    programs.add("firefox").write_text("#!/nowhere/interpreter\n", encoding="utf-8")
    assert opened(programs) == NotOpened("the browser could not be started")


def test_browsers_that_all_fail_are_a_reason(programs: Programs) -> None:
    programs.add("firefox", "exit 1")
    assert opened(programs) == NotOpened("the browser could not be started")


def test_no_browser_at_all_is_a_reason(programs: Programs) -> None:
    assert opened(programs) == NotOpened("no graphical browser was found")


@pytest.mark.parametrize("chosen", ["", "w3m", "w3m %s:lynx:links -g %s &", "www-browser"])
def test_text_browsers_are_never_started(programs: Programs, chosen: str) -> None:
    for name in TEXT_BROWSERS:
        programs.add(name)
    (programs.bin / "x-www-browser").symlink_to(programs.bin / "www-browser")
    assert opened(programs, BROWSER=chosen) == NotOpened("no graphical browser was found")
    assert programs.started() == set()


def test_an_opener_is_told_of_graphical_browsers_only(programs: Programs) -> None:
    programs.add("xdg-open")
    opened(programs, BROWSER="w3m")
    assert programs.noted("xdg-open", "BROWSER") == ":".join(GRAPHICAL)


@pytest.mark.parametrize("name", ["SUDO_UID", "SUDO_USER", "DOAS_USER", "PKEXEC_UID"])
def test_nothing_is_started_under_sudo(programs: Programs, name: str) -> None:
    programs.add("firefox")
    assert opened(programs, **{name: "me"}) == NotOpened("no browser is started under sudo")
    assert programs.started() == set()


def test_nothing_is_started_by_a_setuid_program(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.add("firefox")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert opened(programs) == NotOpened("no browser is started under sudo")
    assert programs.started() == set()


@pytest.mark.parametrize(
    "url", ["--help", "file:///etc/passwd", "http://evil.test/", f"{URL} x", f"{URL}%action"]
)
def test_nothing_is_started_for_a_url_that_is_refused(programs: Programs, url: str) -> None:
    programs.add("firefox")
    outcome = opened(programs, url)
    assert isinstance(outcome, NotOpened)
    assert "canary" not in repr(outcome)
    assert programs.started() == set()


def test_the_provider_is_the_only_one_whose_page_opens(programs: Programs) -> None:
    programs.add("firefox")
    outcome = open_url(URL, origin="https://evil.test", environ=programs.environ(), platform="linux")
    assert outcome == NotOpened("its address is not the provider's")
    assert programs.started() == set()


def test_an_environment_that_no_child_can_have_is_a_reason(programs: Programs) -> None:
    programs.add("firefox")
    assert opened(programs, WITH_NUL="a\0b") == NotOpened("the browser could not be started")


def test_a_start_that_takes_long_is_not_waited_for(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(command: list[str], environ: Mapping[str, str]) -> None:
        time.sleep(0.3)

    programs.add("firefox")
    monkeypatch.setattr(open_browser, "BROWSER_PATIENCE", 0.05)
    monkeypatch.setattr(open_browser, "_start", slow)
    assert opened(programs) == NotOpened("no browser has started so far")


def test_a_process_without_threads_left_gets_a_reason(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert opened(programs) == NotOpened("this process cannot start another thread")


def test_a_program_that_ends_leaves_its_browser_running(programs: Programs) -> None:
    programs.add("firefox", HANGS)
    code = "from codex_oauth.browser.open_browser import open_url\nimport sys\nprint(open_url(sys.argv[1]))"
    environ = {**programs.environ(), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, URL],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Opened" in done.stdout
    assert done.stderr == ""
    assert not is_gone(int(programs.noted("firefox", "pid")))


def test_it_is_loaded_without_webbrowser_and_subprocess() -> None:
    code = (
        "import codex_oauth.browser.open_browser, sys; print({'webbrowser', 'subprocess'} & set(sys.modules))"
    )
    environ = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
