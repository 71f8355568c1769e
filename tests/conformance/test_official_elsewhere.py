"""The official sign-in beside the usual front door: asynchronous, sealed, traced, pasted, and as its page says."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from codex_oauth import AsyncHttpxWorld, FileStore, PasteSource, SealedFileStore, TokenSource, alogin
from codex_oauth.authority import Hostile, HostileAnswer
from codex_oauth.cli.main import main
from codex_oauth.sign_in_client import client_for
from codex_oauth.stores.store import SaveFailed
from codex_oauth.testing import FakeWorld, answered_by
from codex_oauth.worlds.registering import AsyncRegisteringWorld, RegisteringWorld
from codex_oauth_core import BrowserPrompt, ErrorKind, Registration, SendRequest, SignInError
from codex_oauth_core.events import StoreAnswered
from codex_oauth_core.storage import Register, Registered, StoreFailed
from tests.conformance.official import APP, Desk, desk, secrets_of
from tests.house.tree import ROOT
from tests.stores.fake_keyrings import WorkingKeyring

H = Hostile
BACKENDS = ("asyncio", "trio")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


# -- with await ----------------------------------------------------------------------------------------


def asynchronously(there: Desk, backend: str, **options: Any) -> Any:
    async def see(prompt: Any) -> None:
        assert prompt.open_url is None
        if not options.get("open_browser"):
            there.see(prompt)

    async def main() -> Any:
        given: dict[str, Any] = {"app_name": APP, "open_browser": False, "on_prompt": see, **options}
        return await alogin(provider=there.provider, store=there.store, **given)

    return anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_alogin_registers_once_and_returns(home: Path, backend: str) -> None:
    with desk(home) as there:
        first, again = (asynchronously(there, backend) for _ in range(2))
        assert first.client_id == again.client_id
        assert [each.client_id for each in there.store.registrations()] == [first.client_id]
        with there.source() as source:
            assert anyio.run(source.atoken, backend=backend) == again.access_token.reveal()
    assert there.authority.client_faults == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_alogin_gives_the_hint_to_the_browser_that_it_opens_alone(
    home: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_url(url: Any, *, origin: str) -> None:
        opened.append(url.reveal())
        there.open(url.reveal())

    monkeypatch.setattr("codex_oauth.browser.open_browser.open_url", open_url)
    with desk(home) as there:
        for _ in range(2):
            asynchronously(there, backend, open_browser=True)
    assert ["id_token_hint" in url for url in opened] == [False, True]


@pytest.mark.parametrize("backend", BACKENDS)
def test_alogin_refuses_a_bad_id_token_and_keeps_what_was_there(home: Path, backend: str) -> None:
    with desk(home, HostileAnswer(name=H.OTHER_NONCE, requests="2-")) as there:
        asynchronously(there, backend)
        before = there.files()
        with pytest.raises(SignInError) as caught:
            asynchronously(there, backend)
        assert there.files() == before
    assert caught.value.details["reason"] == "nonce"


# -- stores --------------------------------------------------------------------------------------------


def test_a_sealed_store_seals_the_login_and_not_the_registration(home: Path) -> None:
    with desk(home) as there:
        there.store = SealedFileStore(home, keyring=WorkingKeyring())
        credential = there.sign_in()
        kept = there.files()
        assert there.sign_in().client_id == credential.client_id
    assert not any(
        token.reveal().encode() in content for token in secrets_of(credential) for content in kept.values()
    )
    assert FileStore(home).registrations() == there.store.registrations()


class Full(FileStore):
    """A store that has room for logins, and for no registration."""

    def register(self, registration: Registration) -> None:
        raise SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full")


@pytest.mark.parametrize("way", ["login", *BACKENDS])
def test_a_registration_that_cannot_be_kept_ends_it_before_the_exchange(home: Path, way: str) -> None:
    with desk(home) as there:
        there.store = Full(home)
        with pytest.raises(SignInError) as caught:
            there.sign_in() if way == "login" else asynchronously(there, way)
        assert there.count("exchange") == 0
    assert (caught.value.kind, caught.value.details["reason"]) == (ErrorKind.AUTH_WRITE_FAILED, "disk_full")


REGISTERED = Registration("https://auth.example", "oaiapp_1", "/auth/callback", APP, "2027-01-15T08:00:00Z")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kept", [True, False])
def test_a_registering_world_keeps_what_it_is_asked_to(home: Path, asynchronous: bool, kept: bool) -> None:
    from codex_oauth.testing import Awaited

    store, world = (FileStore if kept else Full)(home), FakeWorld(answered_by(_nobody()))

    async def perform() -> Any:
        return await AsyncRegisteringWorld(Awaited(world), store).perform(Register(REGISTERED))

    answer = (
        anyio.run(perform) if asynchronous else RegisteringWorld(world, store).perform(Register(REGISTERED))
    )
    assert isinstance(answer, StoreAnswered)
    assert isinstance(answer.answer, Registered if kept else StoreFailed)
    assert store.registrations() == ((REGISTERED,) if kept else ())


def test_without_a_store_the_world_within_answers(home: Path) -> None:
    world = FakeWorld(answered_by(_nobody()))
    answer = RegisteringWorld(world, None).perform(Register(REGISTERED))
    assert isinstance(answer, StoreAnswered)
    assert answer.answer == Registered()
    assert not home.exists()


def _nobody() -> Any:
    from codex_oauth.authority import Authority

    return Authority()


def test_a_sign_in_without_a_store_leaves_the_name_of_the_machine_alone(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path / "usual"))
    with desk(home) as there:
        there.sign_in(store=None)
    assert not home.exists()
    assert [path.name for path in (tmp_path / "usual").iterdir() if path.suffix != ".lock"] == ["host-id"]


# -- paste ---------------------------------------------------------------------------------------------


def test_the_address_of_the_last_page_may_be_pasted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a browser elsewhere, which cannot show the page that it is led to."""
    import os

    reading, writing = os.pipe()
    with desk(home) as there:

        def elsewhere(prompt: Any) -> None:
            assert isinstance(prompt, BrowserPrompt)
            there_to = httpx.get(prompt.authorize_url.reveal(), trust_env=False).headers["location"]
            threading.Timer(0.2, lambda: os.write(writing, f"{there_to}\n".encode())).start()

        paste = PasteSource(lambda reason: None, fd=reading)
        credential = there.sign_in(on_prompt=elsewhere, callbacks=(paste,))
        assert there.visits == []
    for end in (reading, writing):
        os.close(end)
    assert [each.client_id for each in there.store.registrations()] == [credential.client_id]


# -- traces --------------------------------------------------------------------------------------------


def test_a_trace_shows_and_replays_and_holds_nothing(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_url(url: Any, *, origin: str) -> None:
        there.open(url.reveal())

    monkeypatch.setattr("codex_oauth.browser.open_browser.open_url", open_url)
    texts: list[str] = []
    with desk(home) as there:
        for number in range(2):
            file = tmp_path / f"{number}.jsonl"
            more = ("--provider", "chatgpt", "--issuer", there.issuer, "--trace", str(file))
            assert there.command("login", *more) == 0
            texts.append(file.read_text())
            assert main(["trace", "show", str(file)]) == 0
            assert main(["trace", "replay", str(file)]) == 0
        credential = there.record().credential
        codes = [form["code"] for form in there.authority.forms("/api/accounts/oauth/token")]
    secrets = [*(token.reveal() for token in secrets_of(credential)), *codes, credential.client_id]
    assert [secret for secret in secrets if any(secret in text for text in texts)] == []
    assert '"dialect": "chatgpt"' in texts[0].replace('":"', '": "')


# -- the page ------------------------------------------------------------------------------------------


PAGE = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")


def test_the_program_of_the_page_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(home))
    with desk(home) as there:
        monkeypatch.setattr("codex_oauth_core.chatgpt.CHATGPT", there.provider)
        monkeypatch.setattr("codex_oauth.CHATGPT", there.provider, raising=False)

        def open_url(url: Any, *, origin: str) -> None:
            there.open(url.reveal())

        monkeypatch.setattr("codex_oauth.browser.open_browser.open_url", open_url)
        exec(compile(block, "docs/providers.md", "exec"), {})
        assert there.store.registrations()[0].application == "Example Notes"
        assert there.store.current() is not None


def test_the_page_names_the_texts_that_are_shown() -> None:
    from codex_oauth_core import CHATGPT

    texts = CHATGPT.texts
    for text in (texts.title, texts.in_use, texts.usage_page):
        assert text is not None
        assert text in PAGE


def test_a_flow_by_hand_has_what_it_needs(home: Path) -> None:
    """For a pool, or a driver of one's own: `client_for` makes the provider ready."""
    with desk(home) as there:
        client = client_for(there.provider, there.store, app_name=APP)
        assert client.provider.verify_signature is not None
        assert client.provider.host_id == there.store.host_id()
        with TokenSource(there.store) as source, pytest.raises(SignInError):
            source.token()


# -- what is given up ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["login", *BACKENDS])
def test_a_login_that_cannot_be_stored_is_ended_as_the_client_that_was_issued(
    home: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SaveFailed(SignInError.of(ErrorKind.AUTH_WRITE_FAILED, reason="disk_full"))

    monkeypatch.setattr("codex_oauth.stores.locked_login.FileLockedLogin.save", full)
    monkeypatch.setattr("codex_oauth.stores.file_store.FileSlot.rescue", full)
    with desk(home) as there:
        with pytest.raises(SignInError):
            there.sign_in() if way == "login" else asynchronously(there, way)
        (registration,) = there.store.registrations()
        revoked = [form["client_id"] for form in there.authority.forms("/api/accounts/oauth/revoke")]
        assert revoked == [registration.client_id]
    assert there.authority.client_faults == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cancelled_task_ends_what_it_cannot_hand_over_as_the_client_that_was_issued(
    home: Path, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path / "usual"))

    async def main(there: Desk) -> None:
        with anyio.CancelScope() as scope:

            class Cut(AsyncHttpxWorld):
                async def perform(self, effect: Any) -> Any:
                    event = await super().perform(effect)
                    if isinstance(effect, SendRequest) and b"code_verifier" in effect.request.body.reveal():
                        scope.cancel()
                    return event

            await alogin(
                provider=there.provider, app_name=APP, open_browser=False, on_prompt=there.see,
                make_world=lambda sources: Cut(callbacks=sources),
            )  # fmt: skip

    with desk(home) as there:
        anyio.run(main, there, backend=backend)
        (form,) = there.authority.forms("/api/accounts/oauth/revoke")
        assert form["client_id"].startswith("oaiapp_")
    assert there.authority.client_faults == []
