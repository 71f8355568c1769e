"""What reaches the terminal, and what happens where nothing can."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import attrs
import pytest

from codex_oauth import Credential, ErrorKind, FileStore, Secret, SignInError
from codex_oauth.authority import Account, Approve, Authority, Policy, serve
from codex_oauth.authority.grants import mint
from codex_oauth.cli.account import describe
from codex_oauth.cli.accounts import name_of
from codex_oauth.cli.observing import Interrupt
from codex_oauth.cli.output import clock, left, moment, printable
from codex_oauth.cli.process import ENDING
from codex_oauth.cli.report import report
from codex_oauth_core import Record
from tests.cli.commands import COMMAND, environment, run_command
from tests.cli.test_commands import hold

EVIL = "a\x1b]0;x\x07\x9b31m\u202e"
BAD = set("\x1b\x07\x9b\u202e")


@attrs.define(eq=False)
class Counting:
    """A world of which only cancels matter."""

    cancels: int = 0

    def cancel(self) -> None:
        self.cancels += 1


@pytest.mark.parametrize("number", ENDING)
def test_the_interrupt_handler_comes_back(number: int) -> None:
    def mine(*args: object) -> None:
        """Somebody's own."""

    before = signal.signal(number, mine)
    try:
        with Interrupt():
            assert signal.getsignal(number) is not mine
        assert signal.getsignal(number) is mine
    finally:
        signal.signal(number, before)


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with Interrupt():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.fixture
def heard() -> Generator[None, None, None]:
    """No signal is ignored, even where the tests themselves run under nohup."""
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", ENDING)
def test_the_second_signal_interrupts(number: int) -> None:
    with Interrupt() as interrupt:
        world = interrupt.cancels(Counting())
        signal.raise_signal(number)
        assert world.cancels == 1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert world.cancels == 1


def test_ctrl_c_before_there_is_a_world_interrupts() -> None:
    with Interrupt(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_details_of_an_error_are_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    report(SignInError.of(ErrorKind.NETWORK, code=EVIL), as_json=False)
    assert not BAD & set(capsys.readouterr().err)


# J6
def test_whatever_a_credential_says_is_filtered(tmp_path: Path) -> None:
    account = Account(plan=EVIL, email=EVIL)
    access, refresh, identity = mint(
        Policy(account=account), issuer="x", client_id="c", scope="openid", wall=1e9, entropy=os.urandom
    )
    credential = Credential(
        access, refresh, "acct_1", f"https://a/{EVIL}", "c", EVIL, identity, expires_at=4_000_000_000_000
    )
    text = "".join(describe(Record(credential), FileStore(tmp_path), credential.key)) + name_of(credential)
    assert "x9b31m" in text
    assert not BAD & set(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本", "plain é 日本"),
        ("a\tb\r\n", r"a\tb\r\n"),
        ("\u200b\u2028\u2066\ufeff", r"\u200b\u2028\u2066\ufeff"),
        ("\ud800", r"\ud800"),
        ("x" * 301, "x" * 297 + "..."),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_times_in_words() -> None:
    assert [clock(seconds) for seconds in (-1, 0.4, 59.6, 845)] == ["0:00", "0:00", "1:00", "14:05"]
    assert [left(s) for s in (-5, 1, 59, 60, 754, 3599, 6900, 7199, 86400, 863_999.9)] == [
        "0 seconds",
        "1 second",
        "59 seconds",
        "1 minute",
        "12 minutes",
        "1 hour",
        "1 hour",
        "2 hours",
        "1 day",
        "10 days",
    ]
    assert moment(1_800_000_000_000) == "2027-01-15T08:00:00Z"
    assert moment(None) is None
    assert moment(10**18) is None


@pytest.mark.parametrize(("encoding", "name"), [("ascii", r"\xe9@example.com"), ("utf-8", "é@example.com")])
def test_a_name_that_the_terminal_cannot_show_is_escaped(tmp_path: Path, encoding: str, name: str) -> None:
    policy = Policy(
        approve=Approve.AUTO, interval=1, strict_pace=False, account=Account(email="é@example.com")
    )
    with serve(Authority(policy=policy)) as server:
        done = run_command(tmp_path, "login", "--device", "--issuer", server.url, PYTHONIOENCODING=encoding)
    assert done.code == 0
    assert name in done.out


@pytest.mark.parametrize("where", ["closed", "full", "nobody reads"])
def test_a_result_that_nobody_can_read_is_an_error(tmp_path: Path, where: str) -> None:
    hold(tmp_path)
    redirection = {"closed": ">&-", "full": "> /dev/full", "nobody reads": ""}[where]
    done = subprocess.run(
        ["bash", "-c", f"exec {' '.join(COMMAND)} token {redirection}"],
        env=environment(tmp_path),
        stdout=broken_pipe(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert ("the output could not be written" in done.stderr) is (where != "nobody reads")
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


def broken_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_a_command_that_holds_a_login_leaves_no_core(tmp_path: Path) -> None:
    hold(tmp_path)
    code = (
        "import resource, sys, ctypes\n"
        "from codex_oauth.cli.main import main\n"
        "main(['status'])\n"
        "dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if sys.platform == 'linux' else 0\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0], dumpable)\n"
    )
    before = resource.getrlimit(resource.RLIMIT_CORE)
    done = subprocess.run(
        [COMMAND[0], "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 0"
    assert resource.getrlimit(resource.RLIMIT_CORE) == before


def test_logout_leaves_no_pointer(tmp_path: Path) -> None:
    hold(tmp_path)
    pointer = tmp_path / "logins-of-the-test" / "current"
    assert pointer.exists()
    assert run_command(tmp_path, "logout", "--local").code == 0
    assert not pointer.exists()


def test_a_hostile_faults_file_is_filtered(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('{"faults":[{"endpoint":"poll","\\u001b]0;pwned\\u0007":1}]}')
    done = run_command(tmp_path, "authority", "--faults", str(faults))
    assert done.code == 2
    assert not BAD & set(done.err)


def test_a_secret_never_comes_from_a_reveal_by_accident(tmp_path: Path) -> None:
    credential = hold(tmp_path, access_token=Secret("canary-access"))
    assert "canary" not in "".join(describe(Record(credential), FileStore(tmp_path), credential.key))
