"""Settings of this machine that cannot be used: each ends a request at once, and is named; no value is told.

Rules of this file: rows of inputs; every transport that reads the settings is asked for every row.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import anyio
import certifi
import pytest

from codex_oauth.doctor import certificates as doctors_certificates
from codex_oauth.doctor import proxy as doctors_proxy
from codex_oauth.doctor.context import Verdict
from codex_oauth.transport.aiohttp_poll_transport import AiohttpPollTransport
from codex_oauth.transport.aiohttp_transport import AiohttpTransport
from codex_oauth.transport.async_httpx_transport import AsyncHttpxTransport
from codex_oauth.transport.httpx_transport import HttpxTransport
from codex_oauth.transport.tls import DIRECTORY, FILES, KEYLOG, named, tls_context
from codex_oauth.worlds.urllib_world import UrllibTransport
from codex_oauth_core import Cause, Phase, RequestFailed, SendRequest
from codex_oauth_core.settings import SettingFault
from tests.cli.doctoring import case, found
from tests.transport.servers import VARIABLES, at_most, no_new_sockets, post

F: Final = SettingFault
Variables = Mapping[str, str]
URL: Final = "https://auth.openai.com/"


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *map(str.lower, VARIABLES), *FILES, DIRECTORY, KEYLOG):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("codex_oauth.transport.httpx_messages.find_spec", _not_installed)
    monkeypatch.setattr(doctors_proxy, "find_spec", _not_installed)
    monkeypatch.setattr(socket, "getaddrinfo", _nobody_asks)


def _not_installed(name: str) -> None:
    del name


def _nobody_asks(*asked: object, **how: object) -> None:
    raise AssertionError("somebody was looked up")


def httpx_says(effect: SendRequest) -> object:
    return HttpxTransport()(effect)


def urllib_says(effect: SendRequest) -> object:
    return UrllibTransport()(effect)


def async_httpx_says(effect: SendRequest) -> object:
    async def send() -> object:
        transport = AsyncHttpxTransport()
        try:
            return await transport(effect)
        finally:
            await transport.aclose()

    return anyio.run(send)


def aiohttp_says(effect: SendRequest) -> object:
    async def send() -> object:
        return await AiohttpTransport()(effect)

    return anyio.run(send)


def polls_say(effect: SendRequest) -> object:
    async def send() -> object:
        transport = AiohttpPollTransport()
        try:
            return await transport(effect)
        finally:
            await transport.aclose()

    return anyio.run(send)


TRANSPORTS: Final[Mapping[str, Callable[[SendRequest], object]]] = {
    "httpx": httpx_says,
    "urllib": urllib_says,
    "async httpx": async_httpx_says,
    "aiohttp": aiohttp_says,
    "aiohttp, polls": polls_say,
}
HTTP_ONLY: Final = ("urllib", "aiohttp", "aiohttp, polls")

SECRET: Final = "me:pass-canary"
PROXIES: Final[Mapping[str, tuple[str, SettingFault]]] = {
    "no bracket": (f"http://{SECRET}@[::1", F.NOT_A_URL),
    "a control character": (f"http://{SECRET}@proxy\x01.test:1", F.NOT_A_URL),
    "a path instead of a host": ("http/proxy.test/x", F.NOT_A_URL),
    "an @ in the password": ("http://me:pass/canary@proxy.test:1", F.UNENCODED),
    "a # in the password": ("http://me:1#pass-canary@proxy.test:1", F.UNENCODED),
    "a ? in the password": ("http://me:1?pass-canary@proxy.test:1", F.UNENCODED),
    "another scheme": (f"gopher://{SECRET}@proxy.test", F.UNKNOWN_SCHEME),
    "SOCKS 4": ("socks4://127.0.0.1:1", F.UNKNOWN_SCHEME),
    "no host": ("http://", F.NO_HOST),
    "no host but a port": ("http://:3128", F.NO_HOST),
    "no host behind a user": (f"http://{SECRET}@", F.NO_HOST),
    "a blank in the host": ("http://pro xy.test:1", F.NO_HOST),
    "a host that IDNA refuses": ("http://" + "\u00e4" * 70 + ".test:1", F.NO_HOST),
    "a port of letters": (f"http://{SECRET}@proxy.test:99x", F.BAD_PORT),
    "port 0": ("http://proxy.test:0", F.BAD_PORT),
    "port 65536": ("http://proxy.test:65536", F.BAD_PORT),
    "a negative port": ("http://proxy.test:-1", F.BAD_PORT),
    "two ports": ("proxy.test:1:2", F.BAD_PORT),
}
SOCKS: Final = ("socks5://127.0.0.1:9", f"socks5h://{SECRET}@127.0.0.1:9", "socks://127.0.0.1:9", "SOCKS://h")


def refused(transport: str, variable: str, fault: SettingFault) -> None:
    with at_most(3), no_new_sockets():
        event = TRANSPORTS[transport](post(URL))
    assert isinstance(event, RequestFailed)
    assert (event.phase, event.cause) == (Phase.NOT_SENT, Cause.MISCONFIGURED)
    assert event.setting is not None
    assert (event.setting.name, event.setting.fault) == (variable, fault)
    assert str(event.setting).startswith(variable)
    assert "canary" not in f"{event!r}{event.setting}"


def found_by_doctor(variable: str) -> None:
    """`doctor` has a problem of that name, and tells no secret."""
    rows = [*found(doctors_proxy.check, case()), *found(doctors_certificates.check, case())]
    bad = [row for row in rows if row.verdict is Verdict.PROBLEM and row.subject == variable]
    assert bad
    assert all(row.advice for row in bad)
    assert "pass-canary" not in repr(rows)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_setting_that_cannot_be_used_ends_it_at_once(
    transport: str, name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, fault = PROXIES[name]
    monkeypatch.setenv(variable, f" '{text}'\r")
    refused(transport, variable, fault)
    found_by_doctor(variable)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("text", SOCKS)
def test_a_socks_proxy_that_cannot_be_spoken_to_ends_it_at_once(
    transport: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", text)
    refused(transport, "ALL_PROXY", F.HTTP_ONLY if transport in HTTP_ONLY else F.SOCKSIO_MISSING)
    found_by_doctor("ALL_PROXY")


# -- certificates ---------------------------------------------------------------------------------------


def file(path: Path, content: bytes | None) -> Path:
    if content is not None:
        path.write_bytes(content)
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def folder(path: Path, **files: bytes) -> Path:
    path.mkdir()
    for name, content in files.items():
        (path / name.replace("_", ".")).write_bytes(content)
    return path


def _torn() -> bytes:
    """Half of a certificate."""
    whole = Path(certifi.where()).read_bytes()
    begin, end = whole.index(b"-----BEGIN"), whole.index(b"-----END")
    return whole[begin : (begin + end) // 2]


BUNDLES: Final[Mapping[str, tuple[Callable[[Path], Path], SettingFault]]] = {
    "missing": (lambda at: file(at, None), F.NOT_THERE),
    "below a file": (lambda at: file(at, b"x") / "ca.pem", F.NOT_THERE),
    "empty": (lambda at: file(at, b""), F.EMPTY),
    "garbage": (lambda at: file(at, b"\x00canary"), F.NO_CERTIFICATE),
    "a text": (lambda at: file(at, b"no certificate"), F.NO_CERTIFICATE),
    "torn": (lambda at: file(at, _torn()), F.NO_CERTIFICATE),
    "a directory": (folder, F.NOT_A_FILE),
    "a pipe": (pipe, F.NOT_A_FILE),
}
FOLDERS: Final[Mapping[str, tuple[Callable[[Path], Path], SettingFault]]] = {
    "missing": (lambda at: file(at, None), F.NOT_THERE),
    "empty": (folder, F.EMPTY),
    "a file": (lambda at: file(at, b"x"), F.NOT_A_DIRECTORY),
    "no hashed name": (lambda at: folder(at, ca_pem=b"x"), F.NO_CERTIFICATE),
    "garbage": (lambda at: folder(at, **{"0a1b2c3d_0": b"x"}), F.NO_CERTIFICATE),
    "an empty certificate": (lambda at: folder(at, **{"0a1b2c3d_0": b""}), F.EMPTY),
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("variable", FILES)
@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_that_cannot_be_used_ends_it_at_once(
    transport: str, variable: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, fault = BUNDLES[name]
    monkeypatch.setenv(variable, str(make(tmp_path / "canary")))
    refused(transport, variable, fault)
    found_by_doctor(variable)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", FOLDERS)
def test_a_directory_of_certificates_that_cannot_be_used_ends_it_at_once(
    transport: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, fault = FOLDERS[name]
    monkeypatch.setenv(DIRECTORY, str(make(tmp_path / "canary")))
    refused(transport, DIRECTORY, fault)
    found_by_doctor(DIRECTORY)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_file_that_may_not_be_read_ends_it_at_once(
    transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = file(tmp_path / "canary", Path(certifi.where()).read_bytes())
    stat = os.stat

    def denied(looked_at: object, **how: bool) -> os.stat_result:
        if looked_at == str(path):
            raise PermissionError(13, "denied", str(path))
        return stat(looked_at, **how)  # type: ignore[arg-type]  # whatever it was called with

    monkeypatch.setenv(FILES[1], str(path))
    monkeypatch.setattr(os, "stat", denied)
    refused(transport, FILES[1], F.UNREADABLE)
    found_by_doctor(FILES[1])


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("where", ["gone/keys", ""])
def test_a_log_of_keys_that_cannot_be_written_ends_it_at_once(
    transport: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYLOG, str(tmp_path / where))
    refused(transport, KEYLOG, F.NOT_WRITABLE)
    found_by_doctor(KEYLOG)


def test_the_codex_clis_variable_goes_before_openssls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = (file(tmp_path / "one.pem", Path(certifi.where()).read_bytes().split(b"\n\n", 1)[0]),)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone"))
    monkeypatch.setenv("CODEX_CA_CERTIFICATE", f"  {one}\r")
    assert tls_context().cert_store_stats()["x509"] == 1
    rows = found(doctors_certificates.check, case())
    assert [(row.verdict, row.subject) for row in rows] == [
        (Verdict.OK, "CODEX_CA_CERTIFICATE"),
        (Verdict.OK, "SSL_CERT_FILE"),
    ]
    assert "is passed over" in rows[1].found


def test_directories_beside_a_good_file_are_no_reason_to_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "gone"))
    assert tls_context().cert_store_stats()["x509"] > 50
    rows = found(doctors_certificates.check, case())
    assert [(row.verdict, row.subject) for row in rows] == [
        (Verdict.OK, "SSL_CERT_FILE"),
        (Verdict.WARN, DIRECTORY),
    ]


def test_a_path_that_really_ends_with_a_blank_is_taken_as_it_is(tmp_path: Path) -> None:
    path = file(tmp_path / "ca.pem ", b"x")
    assert named({"SSL_CERT_FILE": str(path)}).file == str(path)
    assert named({"SSL_CERT_FILE": f"{tmp_path / 'other.pem'}\r\n"}).file == str(tmp_path / "other.pem")
    assert not named({"SSL_CERT_FILE": " \r", "SSL_CERT_DIR": "''"}).any


def test_a_setting_that_was_mended_counts_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ca.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    refused("httpx", "SSL_CERT_FILE", F.NOT_THERE)
    path.write_bytes(Path(certifi.where()).read_bytes())
    assert tls_context().cert_store_stats()["x509"] > 50
