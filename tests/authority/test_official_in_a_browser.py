"""The whole official sign-in with the real commands and a real browser: in, again, renewed, without a plan, out.

Rules of this file: a machine without Chromium fails these tests, unless CODEX_OAUTH_NO_BROWSER=1 says that this is
known. `$BROWSER` is a program that hands the page to Chromium.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from playwright.sync_api import Page, expect

from codex_oauth import FileStore
from tests.authority.conftest import fits
from tests.authority.test_command import running

pytestmark = pytest.mark.skipif(
    os.environ.get("CODEX_OAUTH_NO_BROWSER") == "1", reason="CODEX_OAUTH_NO_BROWSER=1"
)
COMMAND: Final = (sys.executable, "-m", "codex_oauth.cli.main")
PATIENCE: Final = 30.0


@attrs.define(eq=False)
class Machine:
    """A person's machine: a store, and the browser that commands open."""

    issuer: str
    place: Path
    pages: int = 0

    @property
    def store(self) -> FileStore:
        return FileStore(self.place / "store")

    def environment(self) -> dict[str, str]:
        program = self.place / "browser"
        if not program.exists():
            program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {self.place}/pages\n')
            program.chmod(0o700)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CODEX_OAUTH_")}
        return {**kept, "BROWSER": str(program), "DISPLAY": ":0", "COLUMNS": "80"}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that needs no browser."""
        return subprocess.run(
            [*COMMAND, *arguments, "--store", str(self.place / "store")],
            capture_output=True, text=True, timeout=PATIENCE, env=self.environment(), check=False,
        )  # fmt: skip

    def login(self, *more: str) -> subprocess.Popen[str]:
        """A sign-in that opens its page."""
        where = ("--issuer", self.issuer, "--store", str(self.place / "store"))
        return self.start("login", "--provider", "chatgpt", *where, *more)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on while the browser does."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment(),
        )  # fmt: skip

    def page(self) -> str:
        """The next page that was opened."""
        self.pages += 1
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            found = (self.place / "pages").read_text().splitlines() if (self.place / "pages").exists() else []
            if len(found) >= self.pages:
                return found[self.pages - 1]
            time.sleep(0.05)
        raise AssertionError("no page was opened")


@pytest.fixture
def machine(tmp_path: Path) -> Generator[Machine]:
    with running("--provider", "chatgpt") as (_, url):
        yield Machine(url, tmp_path)


def said(process: subprocess.Popen[str]) -> tuple[str, str]:
    """stdout and stderr of a sign-in that succeeded."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out, err


def query_of(url: str) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}


def test_the_whole_way(page: Page, machine: Machine, complaints: list[str]) -> None:
    signing_in = machine.login()
    url = machine.page()
    page.goto(url)
    expect(page.get_by_label("Name of the program")).to_have_value("codex-oauth")
    page.get_by_role("button", name="Sign in and use my plan").click()
    expect(page).to_have_title(re.compile("Sign-in received"))
    assert fits(page)
    out, err = said(signing_in)
    assert out.startswith("Signed in as somebody@example.com")
    assert "Requests use your ChatGPT plan.\nManage usage: https://chatgpt.com/settings/usage\n" in out
    assert query_of(url)["client_id"] == "dynamic_agent_client"
    assert "id_token_hint" not in url
    (registration,) = machine.store.registrations()

    again = machine.login()
    url = machine.page()
    assert query_of(url)["client_id"] == registration.client_id
    assert "id_token_hint" in url  # and so nothing is asked
    page.goto(url)
    expect(page).to_have_title(re.compile("Sign-in received"))
    out, err = said(again)
    assert "id_token_hint" not in out + err
    assert "Manage usage" not in out
    assert "Using ChatGPT plan." in out
    assert machine.store.registrations() == (registration,)

    before = machine.run("token").stdout
    assert machine.run("refresh").stdout.startswith(("Renewed.", "Not renewed"))
    assert len(machine.run("token").stdout) == len(before)

    done = machine.run("logout")
    assert (done.returncode, done.stdout) == (0, "Signed out, here and at the server.\n")
    assert machine.store.names() == ()
    assert machine.store.registrations() == (registration,)
    assert complaints == []


def test_a_plan_that_is_off_and_enabled_later(page: Page, machine: Machine, complaints: list[str]) -> None:
    signing_in = machine.login("--app-name", "Example Notes")
    page.goto(machine.page())
    expect(page.get_by_label("Name of the program")).to_have_value("Example Notes")
    page.get_by_role("button", name="Sign in, but no plan use").click()
    out, _ = said(signing_in)
    assert "may not use your ChatGPT plan" in out
    ask = out.rstrip().rpartition(": ")[2]
    refused = machine.run("token")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "--enable-plan" in refused.stderr
    assert ask.startswith("codex-oauth login --provider chatgpt --enable-plan ")

    enabling = machine.start(*shlex.split(ask)[1:])
    url = machine.page()
    assert query_of(url)["prompt"] == "consent"
    page.goto(url)
    page.get_by_role("button", name="Sign in and use my plan").click()
    out, _ = said(enabling)
    assert "Requests use your ChatGPT plan." in out
    assert machine.run("token").returncode == 0
    assert len(machine.store.registrations()) == 1
    assert complaints == []


def test_who_denies_is_told_and_nothing_is_kept(page: Page, machine: Machine) -> None:
    signing_in = machine.login()
    page.goto(machine.page())
    page.get_by_role("button", name="Deny").click()
    _, err = signing_in.communicate(timeout=PATIENCE)
    assert signing_in.returncode == 3
    assert machine.store.names() == ()
    assert machine.store.registrations() == ()
    assert "Traceback" not in err
