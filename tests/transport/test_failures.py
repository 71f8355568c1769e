"""Every exception class of httpx and httpcore has its place: a failure of the network, or a bug."""

from __future__ import annotations

import inspect
import socket
import ssl

import httpcore
import httpx
import pytest

from codex_oauth.transport.deadline import TimeUp
from codex_oauth.transport.failures import BUGS, FAILURES, classify
from codex_oauth.transport.progress import Progress, Stage
from codex_oauth_core import Cause, Phase

NOT_SENT, MAYBE_SENT = Phase.NOT_SENT, Phase.MAYBE_SENT


def _exceptions_of(library: object) -> list[type[Exception]]:
    found = (value for _, value in inspect.getmembers(library, inspect.isclass))
    return [kind for kind in found if issubclass(kind, Exception)]


EXPECTED: dict[str, tuple[Phase, Cause] | None] = {
    "httpx.CloseError": (MAYBE_SENT, Cause.RESET),
    "httpx.ConnectError": (NOT_SENT, Cause.CONNECT),
    "httpx.ConnectTimeout": (NOT_SENT, Cause.TIMEOUT),
    "httpx.CookieConflict": None,
    "httpx.DecodingError": (MAYBE_SENT, Cause.RESET),
    "httpx.HTTPError": (MAYBE_SENT, Cause.RESET),
    "httpx.HTTPStatusError": (MAYBE_SENT, Cause.RESET),
    "httpx.InvalidURL": None,
    "httpx.LocalProtocolError": None,
    "httpx.NetworkError": (MAYBE_SENT, Cause.RESET),
    "httpx.PoolTimeout": (NOT_SENT, Cause.TIMEOUT),
    "httpx.ProtocolError": (MAYBE_SENT, Cause.RESET),
    "httpx.ProxyError": (NOT_SENT, Cause.PROXY),
    "httpx.ReadError": (MAYBE_SENT, Cause.RESET),
    "httpx.ReadTimeout": (MAYBE_SENT, Cause.TIMEOUT),
    "httpx.RemoteProtocolError": (MAYBE_SENT, Cause.RESET),
    "httpx.RequestError": (MAYBE_SENT, Cause.RESET),
    "httpx.RequestNotRead": None,
    "httpx.ResponseNotRead": None,
    "httpx.StreamClosed": None,
    "httpx.StreamConsumed": None,
    "httpx.StreamError": None,
    "httpx.TimeoutException": (MAYBE_SENT, Cause.TIMEOUT),
    "httpx.TooManyRedirects": (MAYBE_SENT, Cause.RESET),
    "httpx.TransportError": (MAYBE_SENT, Cause.RESET),
    "httpx.UnsupportedProtocol": None,
    "httpx.WriteError": (MAYBE_SENT, Cause.RESET),
    "httpx.WriteTimeout": (MAYBE_SENT, Cause.TIMEOUT),
    "httpcore.ConnectError": (NOT_SENT, Cause.CONNECT),
    "httpcore.ConnectTimeout": (NOT_SENT, Cause.TIMEOUT),
    "httpcore.ConnectionNotAvailable": None,
    "httpcore.LocalProtocolError": None,
    "httpcore.NetworkError": (MAYBE_SENT, Cause.RESET),
    "httpcore.PoolTimeout": (NOT_SENT, Cause.TIMEOUT),
    "httpcore.ProtocolError": (MAYBE_SENT, Cause.RESET),
    "httpcore.ProxyError": (NOT_SENT, Cause.PROXY),
    "httpcore.ReadError": (MAYBE_SENT, Cause.RESET),
    "httpcore.ReadTimeout": (MAYBE_SENT, Cause.TIMEOUT),
    "httpcore.RemoteProtocolError": (MAYBE_SENT, Cause.RESET),
    "httpcore.TimeoutException": (MAYBE_SENT, Cause.TIMEOUT),
    "httpcore.UnsupportedProtocol": None,
    "httpcore.WriteError": (MAYBE_SENT, Cause.RESET),
    "httpcore.WriteTimeout": (MAYBE_SENT, Cause.TIMEOUT),
}
KINDS = {
    f"{library.__name__}.{kind.__name__}": kind
    for library in (httpx, httpcore)
    for kind in _exceptions_of(library)
}


def made(kind: type[Exception]) -> Exception:
    """An instance without its constructor, which differs from class to class."""
    return kind.__new__(kind, "text")


def test_the_table_names_every_exception_of_both_libraries() -> None:
    assert sorted(EXPECTED) == sorted(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_without_a_trace_the_class_decides(name: str) -> None:
    error, expected = made(KINDS[name]), EXPECTED[name]
    assert isinstance(error, FAILURES)
    assert isinstance(error, BUGS) == (expected is None)
    if expected is None:
        with pytest.raises(ValueError, match=KINDS[name].__name__):
            classify(error, Stage.UNTRACED)
    else:
        assert classify(error, Stage.UNTRACED) == expected


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.UNTRACED])
@pytest.mark.parametrize("name", [name for name, verdict in EXPECTED.items() if verdict])
def test_with_a_trace_the_stage_decides_whether_it_was_sent(name: str, stage: Stage) -> None:
    phase, cause = classify(made(KINDS[name]), stage)
    assert phase is (MAYBE_SENT if stage >= Stage.SENT else NOT_SENT)
    named = EXPECTED[name]
    assert (cause is Cause.TIMEOUT) == (named is not None and named[1] is Cause.TIMEOUT)


def because_of(reason: Exception) -> Exception:
    error = httpx.ConnectError("text")
    middle = httpcore.ConnectError("text")
    error.__cause__, middle.__context__ = middle, reason
    return error


@pytest.mark.parametrize(
    ("reason", "stage", "cause"),
    [
        (socket.gaierror("no name"), Stage.CONNECTING, Cause.DNS),
        (ConnectionRefusedError(), Stage.CONNECTING, Cause.CONNECT),
        (socket.gaierror("no name"), Stage.PROXY, Cause.PROXY),
        (ssl.SSLCertVerificationError("bad"), Stage.PROXY, Cause.TLS_CERTIFICATE),
        (ssl.SSLCertVerificationError("bad"), Stage.HANDSHAKE, Cause.TLS_CERTIFICATE),
        (ssl.SSLEOFError("end"), Stage.HANDSHAKE, Cause.TLS_EOF),
        (ConnectionResetError(), Stage.HANDSHAKE, Cause.TLS_EOF),
        (ssl.SSLError("bad record"), Stage.SENT, Cause.RESET),
        (ConnectionResetError(), Stage.ANSWERED, Cause.TRUNCATED),
    ],
)
def test_the_reason_behind_is_more_exact(reason: Exception, stage: Stage, cause: Cause) -> None:
    assert classify(because_of(reason), stage)[1] is cause


def test_an_error_of_the_system_counts_as_one_of_the_network() -> None:
    assert classify(OSError("?"), Stage.UNTRACED) == (MAYBE_SENT, Cause.RESET)
    assert classify(ConnectionResetError(), Stage.UNTRACED) == (MAYBE_SENT, Cause.RESET)
    assert classify(TimeoutError(), Stage.UNTRACED) == (MAYBE_SENT, Cause.TIMEOUT)
    assert classify(TimeUp(), Stage.SENT) == (MAYBE_SENT, Cause.TIMEOUT)


# -- the trace -----------------------------------------------------------------------------------------


class Sent:
    def __init__(self, method: bytes) -> None:
        self.method = method


HEADERS = "http11.send_request_headers.started"
TRACES: list[tuple[bool, list[tuple[str, bytes]], Stage]] = [
    (False, [("connection.connect_tcp.started", b"")], Stage.CONNECTING),
    (False, [("connection.start_tls.started", b"")], Stage.HANDSHAKE),
    (False, [(HEADERS, b"POST")], Stage.SENT),
    (False, [("http2.send_request_headers.started", b"POST")], Stage.SENT),
    (False, [(HEADERS, b"CONNECT")], Stage.PROXY),
    (True, [("connection.connect_tcp.started", b"")], Stage.PROXY),
    (True, [("connection.start_tls.started", b"")], Stage.PROXY),
    (True, [(HEADERS, b"CONNECT"), ("proxy.start_tls.started", b"")], Stage.HANDSHAKE),
    (True, [("socks.connect_tcp.started", b"")], Stage.PROXY),
    (True, [("socks.setup_socks5_connection.started", b"")], Stage.PROXY),
    (True, [("socks.start_tls.started", b"")], Stage.HANDSHAKE),
    (True, [("socks.start_tls.started", b""), (HEADERS, b"POST")], Stage.SENT),
    (False, [(HEADERS, b"POST"), ("connection.connect_tcp.started", b"")], Stage.SENT),
    (False, [("http11.response_closed.complete", b"")], Stage.UNTRACED),
]


@pytest.mark.parametrize(("proxied", "steps", "stage"), TRACES)
def test_a_trace_tells_the_stage(proxied: bool, steps: list[tuple[str, bytes]], stage: Stage) -> None:
    progress = Progress()
    progress.proxied = proxied
    for name, method in steps:
        progress(name, {"request": Sent(method)})
    assert progress.stage is stage
