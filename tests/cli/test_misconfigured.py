"""A setting of this machine that cannot be used, as a person and a program are told: exit code 2, at once.

Rules of this file: real commands; nothing here contacts anybody, and no login is lost by it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from codex_oauth import FileStore, SignInError, alogin, login
from codex_oauth.cli import errors
from codex_oauth_core import ErrorKind
from tests.cli.commands import Done, run_command
from tests.cli.schemas import validate
from tests.cli.test_commands import hold, key_of, stored
from tests.cli.test_exit_codes import PAST, both

AWAY: Final = "https://issuer.invalid"
SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "HTTPS_PROXY": {"HTTPS_PROXY": "http://me:pass-canary@proxy.test:x"},
    "ALL_PROXY": {"ALL_PROXY": "gopher://me:pass-canary@proxy.test"},
    "CODEX_CA_CERTIFICATE": {"CODEX_CA_CERTIFICATE": "/nowhere/ca.pem"},
    "SSL_CERT_FILE": {"SSL_CERT_FILE": "/nowhere/ca.pem"},
    "SSL_CERT_DIR": {"SSL_CERT_DIR": "/nowhere"},
    "SSLKEYLOGFILE": {"SSLKEYLOGFILE": "/nowhere/keys"},
}
BARE: Final = {"HTTPS_PROXY": ""}
"""Without the proxy that commands of tests have."""


def told(variable: str, person: Done, program: Done) -> None:
    """Both are told the variable, and no secret."""
    assert (person.code, program.code) == (errors.USAGE, 2)
    error = program.documents[-1]["error"]
    assert (error["kind"], error["details"]["setting"]) == ("misconfigured", variable)
    assert not error["retryable"]
    assert person.err.startswith(f"codex-oauth: {variable} ")
    assert "canary" not in f"{person}{program}"


@pytest.mark.parametrize("variable", SETTINGS)
@pytest.mark.parametrize("way", [("--device",), ("--browser", "--no-open")], ids=["device", "browser"])
def test_a_sign_in_ends_before_a_person_is_asked_for_anything(
    variable: str, way: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = ("login", *way, "--issuer", AWAY)
    settings = {**BARE, **SETTINGS[variable]}
    begun = time.monotonic()
    person = run_command(tmp_path, *arguments, **settings)
    program = run_command(tmp_path, *arguments, "--json", **settings)
    told(variable, person, program)
    assert time.monotonic() - begun < 20  # two interpreters; a sign-in that waits takes ten minutes


@pytest.mark.parametrize("variable", SETTINGS)
def test_an_expired_login_is_not_renewed_and_stays(variable: str, tmp_path: Path) -> None:
    hold(tmp_path, expires_at=PAST, issuer=AWAY)
    told(variable, *both(tmp_path, "token", **{**BARE, **SETTINGS[variable]}))
    assert stored(tmp_path).names() == (key_of("acct_1", issuer=AWAY),)


@pytest.mark.parametrize("variable", SETTINGS)
def test_a_logout_deletes_nothing_unless_it_is_local(variable: str, tmp_path: Path) -> None:
    settings = {**BARE, **SETTINGS[variable]}
    hold(tmp_path, issuer=AWAY)
    person, program = both(tmp_path, "logout", **settings)
    told(variable, person, program)
    assert "logout --local" in person.err
    assert stored(tmp_path).names() == (key_of("acct_1", issuer=AWAY),)
    assert run_command(tmp_path, "logout", "--local", **settings).code == 0
    assert stored(tmp_path).names() == ()


@pytest.mark.parametrize("variable", SETTINGS)
def test_doctor_finds_each(variable: str, tmp_path: Path) -> None:
    done = run_command(tmp_path, "doctor", "--json", "--issuer", AWAY, **{**BARE, **SETTINGS[variable]})
    (document,) = done.documents
    validate("doctor", document)
    bad = [row for row in document["findings"] if row["verdict"] == "problem"]
    assert variable in [row["subject"] for row in bad]
    (server,) = [row for row in bad if row["name"] == "server"]
    assert variable in server["found"]
    assert "canary" not in done.out + done.err


def _in_a_library(call: Any, monkeypatch: pytest.MonkeyPatch) -> SignInError:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", SETTINGS["HTTPS_PROXY"]["HTTPS_PROXY"])
    with pytest.raises(SignInError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("device", [True, False])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_the_front_doors_raise_it_before_a_prompt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, device: bool, asynchronous: bool
) -> None:
    prompts: list[object] = []
    options: dict[str, Any] = {
        "on_prompt": prompts.append,
        "device": device,
        "open_browser": False,
        "store": FileStore(tmp_path),
    }

    async def main() -> None:
        await alogin(**options)

    def call() -> None:
        if asynchronous:
            anyio.run(main)
        else:
            login(**options)

    error = _in_a_library(call, monkeypatch)
    assert (error.kind, error.details["setting"], prompts) == (ErrorKind.MISCONFIGURED, "HTTPS_PROXY", [])
