"""As whom a sign-in asks: the registration of the person's login, the only free one, or a first one."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from codex_oauth import FileStore, MemoryStore, alogin, login
from codex_oauth.sign_in_client import SignInClient, client_for
from codex_oauth.stores.store import KeepsRegistrations
from codex_oauth_core import CHATGPT, CODEX, Credential, ErrorKind, Record, Registration, Secret, SignInError
from codex_oauth_core.codex.render import unsigned_token

APP = "Example Notes"
FIRST = "dynamic_agent_client"


def login_of(client_id: str, user: str = "user-1", **fields: Any) -> Credential:
    email = f"{user}@example.com"
    given: dict[str, Any] = {
        "access_token": Secret(f"access-{client_id}-{user}"),
        "refresh_token": Secret(f"refresh-{client_id}-{user}"),
        "id_token": unsigned_token({"sub": user, "email": email, "email_verified": True}),
        "account_id": None,
        "user_id": user,
        "issuer": CHATGPT.issuer,
        "client_id": client_id,
        "obtained_at": "2027-01-15T08:00:00Z",
        "scopes": CHATGPT.scopes,
        **fields,
    }
    return Credential(**given)


def registration(client_id: str, **fields: str) -> Registration:
    given = {
        "issuer": CHATGPT.issuer,
        "client_id": client_id,
        "redirect_path": "/auth/callback",
        "application": APP,
        "registered_at": "2027-01-15T08:00:00Z",
        **fields,
    }
    return Registration(**given)


def keep(store: MemoryStore, credential: Credential) -> None:
    held = store.slot(credential.key).lock()
    assert held is not None
    with held:
        held.save(Record(credential), None)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def client(store: KeepsRegistrations | None, **options: Any) -> SignInClient:
    given: dict[str, Any] = {"app_name": APP, **options}
    return client_for(CHATGPT, store, **given)


def client_id(store: KeepsRegistrations, **options: Any) -> str:
    return client(store, **options).provider.client_id


# -- a first registration ------------------------------------------------------------------------------


def test_a_first_sign_in_has_a_name_a_machine_and_a_check_of_signatures(store: MemoryStore) -> None:
    made = client(store)
    assert (made.provider.client_id, made.provider.application) == (FIRST, APP)
    assert made.provider.host_id == store.host_id()
    assert made.provider.verify_signature is not None
    assert (made.id_token_hint, made.login_hint, made.prompt, made.account) == (None, None, None, None)
    assert made.store is store


def test_what_the_caller_gave_the_provider_stays(store: MemoryStore) -> None:
    def verify(*_: object) -> bool:
        return False

    own = attrs.evolve(CHATGPT, application="Mine", host_id="did:key:z6Mk", verify_signature=verify)
    made = client_for(own, store).provider
    assert (made.application, made.host_id, made.verify_signature) == ("Mine", "did:key:z6Mk", verify)


def test_without_a_store_the_machine_has_the_name_of_the_usual_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("CODEX_OAUTH_HOME", str(tmp_path))
    assert client(None).provider.host_id == FileStore(tmp_path).host_id()
    assert client(None).store is None


# -- which registration --------------------------------------------------------------------------------


def test_the_login_in_use_is_signed_in_again_with_its_client_and_its_hints(store: MemoryStore) -> None:
    credential = login_of("oaiapp_1")
    keep(store, login_of("oaiapp_2", "user-2"))
    keep(store, credential)
    store.select(credential.key)
    made = client(store)
    assert made.provider.client_id == "oaiapp_1"
    assert made.account == credential.identity
    assert made.id_token_hint == credential.id_token
    assert made.login_hint == "user-1@example.com"
    assert made.prompt is None


@pytest.mark.parametrize("named", ["user-2@example.com", "user-2", "the identity", "the key"])
def test_the_login_that_is_named_goes_before_the_one_in_use(store: MemoryStore, named: str) -> None:
    first, second = login_of("oaiapp_1"), login_of("oaiapp_2", "user-2")
    for credential in (first, second):
        keep(store, credential)
    store.select(first.key)
    account: Any = {"the identity": second.identity, "the key": second.key}.get(named, named)
    made = client(store, account=account)
    assert (made.provider.client_id, made.account) == ("oaiapp_2", second.identity)


def test_where_a_login_of_another_provider_is_in_use_the_only_one_of_this_is_taken(
    store: MemoryStore,
) -> None:
    codex = login_of(CODEX.client_id, account_id="acct_1", scopes=None)
    for credential in (codex, login_of("oaiapp_1")):
        keep(store, credential)
    store.select(codex.key)
    assert client_id(store) == "oaiapp_1"
    keep(store, login_of("oaiapp_2", "user-2"))
    assert client_id(store) == FIRST  # nobody says which


def test_a_login_of_another_server_is_not_of_this_one(store: MemoryStore) -> None:
    keep(store, login_of("oaiapp_1", issuer="http://127.0.0.1:8765"))
    store.select(store.names()[0])
    assert client_id(store) == FIRST
    there = client_for(CHATGPT.at("http://127.0.0.1:8765"), store, app_name=APP)
    assert there.provider.client_id == "oaiapp_1"


def test_after_a_sign_out_the_only_registration_is_used_without_hints(store: MemoryStore) -> None:
    store.register(registration("oaiapp_1"))
    made = client(store, account="somebody@example.com")
    assert made.provider.client_id == "oaiapp_1"
    assert (made.id_token_hint, made.login_hint, made.account) == (None, None, "somebody@example.com")


def test_of_two_registrations_without_a_login_none_is_guessed(store: MemoryStore) -> None:
    store.register(registration("oaiapp_1"))
    store.register(registration("oaiapp_2"))
    assert client_id(store) == FIRST
    keep(store, login_of("oaiapp_2"))
    store.select(store.names()[0])
    assert client_id(store) == "oaiapp_2"
    assert client_id(store, account="another@example.com") == "oaiapp_1"  # that nobody uses


@pytest.mark.parametrize(
    "fields", [{"application": "Another Program"}, {"issuer": "https://auth.example"}], ids=str
)
def test_a_registration_of_another_application_or_server_is_passed_over(
    store: MemoryStore, fields: dict[str, str]
) -> None:
    store.register(registration("oaiapp_1", **fields))
    assert client_id(store) == FIRST


def test_a_login_of_another_application_is_passed_over(store: MemoryStore) -> None:
    store.register(registration("oaiapp_1", application="Another Program"))
    keep(store, login_of("oaiapp_1"))
    store.select(store.names()[0])
    assert client_id(store) == FIRST


def test_a_registration_without_a_name_is_anybodys(store: MemoryStore) -> None:
    store.register(registration("oaiapp_1", application=""))
    assert client_id(store) == "oaiapp_1"


def test_the_path_of_the_registration_stays(store: MemoryStore) -> None:
    store.register(registration("oaiapp_1", redirect_path="/elsewhere"))
    assert client(store).provider.redirect_path == "/elsewhere"
    keep(store, login_of("oaiapp_1"))
    assert client(store).provider.redirect_path == "/elsewhere"


def test_a_login_that_came_from_elsewhere_needs_no_registration_here(store: MemoryStore) -> None:
    keep(store, login_of("oaiapp_1"))
    made = client(store)
    assert (made.provider.client_id, made.provider.redirect_path) == ("oaiapp_1", CHATGPT.redirect_path)


def test_who_registers_anew_is_nobody_yet(store: MemoryStore) -> None:
    store.register(registration("oaiapp_1"))
    keep(store, login_of("oaiapp_1"))
    made = client(store, register_anew=True)
    assert (made.provider.client_id, made.account, made.id_token_hint) == (FIRST, None, None)


@pytest.mark.parametrize("kept", [True, False])
def test_only_a_returning_person_is_asked_for_the_plan_once_more(store: MemoryStore, kept: bool) -> None:
    assert client(store, enable_plan=True).prompt is None
    store.register(registration("oaiapp_1"))
    if kept:
        keep(store, login_of("oaiapp_1"))
    assert client(store, enable_plan=True).prompt == "consent"
    assert client(store).prompt is None


# -- what is refused -----------------------------------------------------------------------------------


class Earlier:
    """A store of an earlier release: it keeps logins alone."""

    def prepare(self) -> None:
        return

    def names(self) -> tuple[str, ...]:
        return ()

    def current(self) -> str | None:
        return None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"store": Earlier(), "app_name": APP}, "keeps no registrations"),
        ({"store": MemoryStore()}, "name your application"),
        ({"store": MemoryStore(), "app_name": ""}, "name your application"),
        ({"store": MemoryStore(), "provider": CODEX, "enable_plan": True}, "issues client ids"),
        ({"store": MemoryStore(), "provider": CODEX, "register_anew": True}, "issues client ids"),
    ],
    ids=["an earlier store", "no name", "an empty name", "enable_plan", "register_anew"],
)
@pytest.mark.parametrize("front_door", ["login", "alogin"])
def test_what_cannot_be_is_told_before_anything_is_shown(
    options: dict[str, Any], said: str, front_door: str
) -> None:
    import anyio

    def never(_: object) -> Any:
        raise AssertionError("it was shown, or sent")

    given: dict[str, Any] = {"provider": CHATGPT, "on_prompt": never, "make_world": never, **options}
    with pytest.raises(ValueError, match=said):
        login(**given) if front_door == "login" else anyio.run(lambda: alogin(**given))


@pytest.mark.parametrize("front_door", ["login", "alogin"])
def test_a_device_code_is_refused_before_anything_is_prepared(front_door: str) -> None:
    import anyio

    def never(_: object) -> Any:
        raise AssertionError("it was shown, or sent")

    given: dict[str, Any] = {"provider": CHATGPT, "on_prompt": never, "make_world": never, "device": True}
    with pytest.raises(SignInError) as caught:
        login(**given) if front_door == "login" else anyio.run(lambda: alogin(**given))
    assert caught.value.kind is ErrorKind.DEVICE_CODE_UNSUPPORTED


def _missing(_: str) -> None:
    return None


def test_without_the_extra_nothing_is_shown(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from codex_oauth.testing import FakeWorld, scripted

    monkeypatch.setattr("codex_oauth.signatures.find_spec", _missing)

    def never(_: object) -> None:
        raise AssertionError("it was shown")

    with pytest.raises(SignInError) as caught:
        login(
            provider=CHATGPT,
            on_prompt=never,
            store=store,
            app_name=APP,
            make_world=lambda _: FakeWorld(scripted(())),
        )
    assert (caught.value.kind, caught.value.details["reason"]) == (ErrorKind.MISCONFIGURED, "extra_missing")
    assert "codex-oauth[chatgpt]" in " ".join(caught.value.next_actions)


def test_codex_is_as_it_was(store: MemoryStore) -> None:
    assert client_for(CODEX, store, account="a") == SignInClient(provider=CODEX, account="a")
