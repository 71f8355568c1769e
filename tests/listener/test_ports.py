"""Which port is bound, in which families, with which options, and what is said when none can be had."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest

from codex_oauth import CallbackListener
from codex_oauth.doctor import ports as doctors_ports
from codex_oauth.doctor.context import Context, Verdict
from codex_oauth.listener import ports
from codex_oauth.listener.connection import accept
from codex_oauth.listener.ports import Bound, bind
from codex_oauth.sign_in import only_a_paste, with_a_device_code
from codex_oauth_core import CODEX, ErrorKind, SignInError
from tests.listener.loopback import V4, V6, free_ports, listening_addresses, registered_ports, taken
from tests.listener.sign_ins import ask, connect, genuine, sign_in
from tests.transport.servers import no_new_sockets

PATH = "/auth/callback"
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/net")


def addresses(bound: Bound) -> list[str]:
    return [sock.getsockname()[0] for sock in bound.sockets]


def failing(
    monkeypatch: pytest.MonkeyPatch, codes: Mapping[tuple[str, int], int], times: int = 1000
) -> Callable[[], int]:
    """Let the system refuse these addresses, some times; returns how often it did."""
    real, count = ports._listening, 0

    def listening(address: str, port: int) -> socket.socket:
        nonlocal count
        code = codes.get((address, port), codes.get((address, -1)))
        if code is None or count >= times:
            return real(address, port)
        count += 1
        raise OSError(code, "refused by the test")

    monkeypatch.setattr(ports, "_listening", listening)
    return lambda: count


def error_of(*numbers: int, host: str = "localhost") -> SignInError:
    with no_new_sockets(), pytest.raises(SignInError) as raised:
        bind(numbers, PATH, host)
    return raised.value


# -- which port, and which redirect URI ----------------------------------------------------------------


def test_both_families_are_bound_on_the_first_port() -> None:
    first, second = free_ports(2)
    bound = bind([first, second], PATH)
    assert (addresses(bound), bound.port) == ([V4, V6], first)
    assert bound.redirect_uri == f"http://localhost:{first}/auth/callback"
    bound.close()
    bound.close()


@pytest.mark.parametrize(("host", "only"), [("127.0.0.1", V4), ("[::1]", V6)])
def test_an_ip_literal_binds_its_own_family_alone(host: str, only: str) -> None:
    bound = bind([0], PATH, host)
    assert addresses(bound) == [only]
    assert bound.redirect_uri == f"http://{host}:{bound.port}/auth/callback"
    bound.close()


def test_the_first_port_taken_gives_the_second() -> None:
    first, second = free_ports(2)
    with no_new_sockets(), taken((V4, first)):
        bound = bind([first, second], PATH)
        assert bound.redirect_uri == f"http://localhost:{second}/auth/callback"
        bound.close()


def test_anothers_ipv6_port_is_kept_out_of_the_redirect_uri() -> None:
    first, second = free_ports(2)
    with taken((V6, first)):
        bound = bind([first, second], PATH)
        assert bound.redirect_uri == f"http://127.0.0.1:{first}/auth/callback"
        assert addresses(bound) == [V4]
        bound.close()


def test_both_taken_is_an_error_that_says_so_for_each() -> None:
    first, second = free_ports(2)
    with taken((V4, first), (V4, second)):
        error = error_of(first, second)
    assert error.kind is ErrorKind.CALLBACK_PORT_UNAVAILABLE
    assert error.details == {f"port_{first}": "in_use", f"port_{second}": "in_use"}
    assert error.message == (
        f"Port {first} is in use by another program. Port {second} is in use by another program."
    )


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, 10013])
def test_forbidden_is_told_apart_from_in_use(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = free_ports(2)
    failing(monkeypatch, {(V4, first): code})
    with taken((V4, second)):
        error = error_of(first, second)
    assert error.details == {f"port_{first}": "forbidden", f"port_{second}": "in_use"}
    assert error.message.startswith(
        f"Port {first} is reserved or forbidden by the system. Port {second} is in"
    )


def test_a_port_that_is_forbidden_in_ipv6_alone_is_used_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    failing(monkeypatch, {(V6, port): errno.EACCES})
    bound = bind([port], PATH)
    assert bound.redirect_uri == f"http://127.0.0.1:{port}/auth/callback"
    bound.close()


FORBIDDEN = """
import os
from codex_oauth.listener.ports import bind
from codex_oauth_core import SignInError
from tests.users import NOBODY, become
become(NOBODY if os.geteuid() == 0 else None)
try:
    bind([7], "/auth/callback")
except SignInError as error:
    print(dict(error.details))
"""


@linux
def test_a_port_of_the_system_is_forbidden_for_real() -> None:
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as start:  # noqa: PTH123  # one number
        if int(start.read()) <= 7:
            pytest.skip("every port is anybody's here")
    path = os.pathsep.join(each for each in sys.path if each)
    done = subprocess.run(
        [sys.executable, "-c", FORBIDDEN],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert (done.stdout, done.stderr) == ("{'port_7': 'forbidden'}\n", "")


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_a_family_that_does_not_exist_is_not_missed(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for absent, present in ((V6, V4), (V4, V6)):
        with monkeypatch.context() as patch:
            failing(patch, {(absent, -1): code})
            bound = bind([0], PATH)
            assert addresses(bound) == [present]
            assert bound.redirect_uri == f"http://localhost:{bound.port}/auth/callback"
            bound.close()


def test_no_loopback_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, {(V4, -1): errno.EAFNOSUPPORT, (V6, -1): errno.EADDRNOTAVAIL})
    assert error_of(1455).details == {"port_1455": "absent"}
    assert error_of(0).details == {"port_0": "absent"}


def test_any_free_port_is_free_in_both_families(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = failing(monkeypatch, {(V6, -1): errno.EADDRINUSE}, times=3)
    with no_new_sockets():
        bound = bind([0], PATH)
        assert (addresses(bound), bound.host) == ([V4, V6], "localhost")
        assert len({sock.getsockname()[1] for sock in bound.sockets}) == 1
        bound.close()
    assert refusals() == 3


def test_any_free_port_without_ipv6_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, {(V6, -1): errno.EADDRINUSE})
    with no_new_sockets():
        bound = bind([0], PATH)
        assert (addresses(bound), bound.host) == ([V4], "127.0.0.1")
        bound.close()


@pytest.mark.parametrize("address", [V4, V6])
def test_no_sockets_left_is_no_fault_of_a_port(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, {(address, -1): errno.EMFILE})
    error = error_of(0)
    assert (error.kind, error.details) == (ErrorKind.CALLBACK_SERVER_FAILED, {"reason": "EMFILE"})


@pytest.mark.parametrize(
    ("numbers", "path", "host"),
    [([], "/", "localhost"), ([0], "x", "localhost"), ([0], "/", "0.0.0.0"), ([0], "/", "example.com")],
)
def test_what_no_redirect_uri_can_be(numbers: list[int], path: str, host: str) -> None:
    with pytest.raises(ValueError, match="redirect URI"):
        bind(numbers, path, host)


# -- options -------------------------------------------------------------------------------------------


@linux
def test_nothing_listens_beyond_loopback() -> None:
    with CallbackListener((0,)) as listener:
        assert listening_addresses(listener.port) == LOOPBACK
    assert listening_addresses(listener.port) == set()


def test_the_options_of_each_socket() -> None:
    bound = bind([0], PATH)
    for sock in bound.sockets:
        assert sock.proto == socket.IPPROTO_TCP
        assert not sock.get_inheritable()
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
    assert bound.sockets[1].getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    bound.close()


def test_where_the_system_has_an_exclusive_option_it_replaces_reuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_EXCLUSIVE", socket.SO_KEEPALIVE)  # stands for SO_EXCLUSIVEADDRUSE
    bound = bind([0], PATH)
    for sock in bound.sockets:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    bound.close()


def test_an_accepted_connection_is_not_inherited_and_does_not_delay_answers() -> None:
    bound = bind([0], PATH)
    with connect(bound.port):
        sock = accept(bound.sockets[0])
        assert sock is not None
        assert not sock.get_inheritable()
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sock.close()
    assert accept(bound.sockets[0]) is None
    bound.close()


@linux
def test_a_copy_in_a_forked_process_does_not_hold_the_port() -> None:
    bound = bind([0], PATH)
    copies = [sock.dup() for sock in bound.sockets]
    bound.close()
    again = bind([bound.port], PATH)
    assert again.redirect_uri == bound.redirect_uri
    again.close()
    for copy in copies:
        copy.close()


# -- one sign-in after another, and two at once --------------------------------------------------------


def test_the_defaults_are_what_is_registered_for_codex() -> None:
    with registered_ports() as (first, second):
        assert CODEX.redirect_ports == (first, second)
        with CallbackListener() as one, CallbackListener() as two:
            assert one.redirect_uri == CODEX.redirect_uri()
            assert two.redirect_uri == CODEX.redirect_uri(second)
            with no_new_sockets(), pytest.raises(SignInError) as raised:
                CallbackListener()
            assert raised.value.details == {"port_1455": "in_use", "port_1457": "in_use"}
        with sign_in("sync", (first, second)) as waiting:
            assert ask(first, genuine(first)).startswith(b"HTTP/1.1 200")
            assert waiting.port == first


@pytest.mark.parametrize("address", [V4, V6])
def test_a_second_sign_in_right_after_the_first_has_the_same_port(address: str) -> None:
    ours = free_ports(2)
    for _ in range(3):  # the first one's connection is in TIME_WAIT meanwhile, on our side
        with sign_in("sync", ours) as waiting:
            assert waiting.redirect_uri == f"http://localhost:{ours[0]}/auth/callback"
            assert ask(ours[0], genuine(ours[0]), address).startswith(b"HTTP/1.1 200")
            assert waiting.query


def test_two_sign_ins_at_once_have_a_port_each() -> None:
    ours = free_ports(2)
    with sign_in("sync", ours) as one, sign_in("asyncio", ours) as two:
        assert (one.port, two.port) == ours
        for port in reversed(ours):
            assert ask(port, genuine(port)).startswith(b"HTTP/1.1 200")
        assert one.query == two.query


# -- what a person is told -----------------------------------------------------------------------------

SENTENCES = {
    errno.EADDRINUSE: "Port {} is in use by another program.",
    errno.EACCES: "Port {} is reserved or forbidden by the system.",
    errno.EPERM: "Port {} is reserved or forbidden by the system.",
    10013: "Port {} is reserved or forbidden by the system.",
    errno.EAFNOSUPPORT: "Port {} cannot be opened: this machine has no loopback address.",
    errno.EADDRNOTAVAIL: "Port {} cannot be opened: this machine has no loopback address.",
    errno.EPROTONOSUPPORT: "Port {} cannot be opened: this machine has no loopback address.",
}


@pytest.mark.parametrize("second", SENTENCES)
@pytest.mark.parametrize("first", SENTENCES)
def test_of_each_port_the_error_says_why_it_cannot_be_had(
    first: int, second: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = {(family, port): code for family in (V4, V6) for port, code in ((1455, first), (1457, second))}
    failing(monkeypatch, codes)
    error = error_of(1455, 1457)
    said = f"{SENTENCES[first].format(1455)} {SENTENCES[second].format(1457)}"
    assert (error.kind, error.message) == (ErrorKind.CALLBACK_PORT_UNAVAILABLE, said)
    assert error.next_actions == ("Sign in with a device code instead.",)
    assert with_a_device_code(error) == f"Signing in with a device code: {said}"
    assert only_a_paste(error) == f"{said} To finish this sign-in, paste the address of the last page."


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_system_without_sockets_is_another_error_that_says_which(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, {(V4, -1): code})
    error = error_of(1455, 1457)
    assert (error.kind, error.details) == (
        ErrorKind.CALLBACK_SERVER_FAILED,
        {"reason": errno.errorcode[code]},
    )
    assert error.message == "This machine could not listen for the answer of the browser."


IN_USE = "in use by another program"
TOLD_BY_DOCTOR: list[tuple[int, str, str, str]] = [
    (errno.EADDRINUSE, "linux", IN_USE, "See which: ss -ltnp 'sport = :1455'"),
    (errno.EADDRINUSE, "darwin", IN_USE, "See which: lsof -nP -iTCP:1455 -sTCP:LISTEN"),
    (errno.EADDRINUSE, "win32", IN_USE, "See which: netstat -ano | findstr :1455"),
    (errno.EADDRINUSE, "freebsd14", IN_USE, "See which: ss -ltnp 'sport = :1455'"),
    (
        errno.EACCES,
        "linux",
        "the system forbids it",
        "Allow programs to listen there, in the system or the sandbox.",
    ),
]
DEVICE = "Or sign in with a code: codex-oauth login --device"


@pytest.mark.parametrize(("code", "platform", "text", "advice"), TOLD_BY_DOCTOR)
def test_doctor_says_of_each_address_why_it_cannot_be_had_and_what_to_do(
    code: int, platform: str, text: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, {(V4, 1455): code, (V6, -1): errno.EADDRNOTAVAIL})
    monkeypatch.setattr(sys, "platform", platform)
    rows = {row.subject: row for row in doctors_ports.check(Context())}
    row = rows["127.0.0.1:1455"]
    assert row.found == text
    assert advice in row.advice
    assert row.advice[-1] == DEVICE
    assert (text == IN_USE) is any(
        "It may be another sign-in, also one of the Codex CLI." in a for a in row.advice
    )
    absent = rows["[::1]:1455"]
    assert (absent.verdict, absent.found) == (Verdict.SKIPPED, "this machine has no such address")
