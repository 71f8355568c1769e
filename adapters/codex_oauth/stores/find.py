"""Which of the logins in a store is meant: by what people call it, or by whose it is.

Rules of this file: a name that fits several logins is never decided here, but a whole key names its own login
alone; two places of the very same login, one of them under a former name, count as one, under its key. What
cannot be read is known by its name alone. Nothing is locked, and a sign-in may move a login from its former
name to its key between two looks: what is gone at the second look is looked for once more.
"""

from __future__ import annotations

import attrs

from codex_oauth.stores.failures import shown
from codex_oauth.stores.store import Store
from codex_oauth_core.credential import Credential
from codex_oauth_core.errors import ErrorKind, SignInError
from codex_oauth_core.identity import Identity, Profile, folded, is_called
from codex_oauth_core.providers import identified, provider_of
from codex_oauth_core.record import Record

__all__ = [
    "KeptLogin",
    "find_logins",
    "kept_as",
    "kept_login",
    "kept_logins",
    "login_in_use",
    "named_login",
    "one_login",
    "profile_of",
    "same_place",
]


@attrs.frozen
class KeptLogin:
    """A login of a store: `place` is the name that it is kept under, `found` its record, why it cannot be
    read, or None if it is deleted meanwhile.
    """

    place: str
    found: Record | SignInError | None

    @property
    def credential(self) -> Credential | None:
        """Its tokens, with all that they say of whose they are; None of what cannot be read."""
        return identified(self.found.credential) if isinstance(self.found, Record) else None

    @property
    def own_key(self) -> str:
        """The key that its record says by itself, of which less may be known than its tokens say."""
        return self.found.credential.key if isinstance(self.found, Record) else self.place

    @property
    def key(self) -> str:
        """What names it: its own key, also where it is kept under a former name."""
        credential = self.credential
        return self.place if credential is None else credential.key

    @property
    def profile(self) -> Profile:
        """What to call its person."""
        credential = self.credential
        return Profile() if credential is None else profile_of(credential)

    def is_called(self, named: str) -> bool:
        """Whether it is called so: see `identity.is_called`."""
        credential = self.credential
        if credential is None:
            return named == self.place
        return named == self.own_key or is_called(named, credential.identity, self.profile.email)

    def begins_with(self, named: str) -> bool:
        """Whether one of the names that people call it by begins so."""
        credential = self.credential
        if credential is None:
            return self.place.startswith(named)
        names = (credential.key, credential.account_id, credential.user_id)
        email = self.profile.email or ""
        return any(name.startswith(named) for name in names if name) or folded(email).startswith(
            folded(named)
        )


def profile_of(credential: Credential) -> Profile:
    """How to address the person of a login. These are the server's own words."""
    provider = provider_of(credential)
    return Profile() if provider is None else provider.dialect.profile(credential)


def kept_login(store: Store, place: str) -> KeptLogin:
    """The login that is kept under a name. Raises ValueError for what is no key."""
    slot = store.slot(place)
    try:
        return KeptLogin(place, slot.load())
    except SignInError as error:
        return KeptLogin(place, error)


def kept_logins(store: Store) -> tuple[KeptLogin, ...]:
    """Every login, once, and rather where it can be read. Raises SignInError: `auth_read_failed`, if it is
    not known which there are.
    """
    by_key: dict[str, KeptLogin] = {}
    for login in _all_places(store):
        if login.key not in by_key or _is_rather(login, by_key[login.key]):
            by_key[login.key] = login
    return tuple(by_key.values())


def _all_places(store: Store) -> list[KeptLogin]:
    """What is kept. Where a name was listed and is gone when it is read, the names are listed again."""
    names, found = None, list[KeptLogin]()
    while (listed := store.names()) != names:
        names, found = listed, [kept_login(store, place) for place in listed]
        if all(login.found is not None for login in found):
            break
    return [login for login in found if login.found is not None]


def login_in_use(store: Store) -> KeptLogin | None:
    """The login in use; None if there is none. Raises SignInError: `auth_read_failed`, if it is not known
    which one it is.
    """
    before: str | None = None
    while (place := store.current()) is not None and place != before:
        if (login := kept_login(store, place)).found is not None:
            return login
        before = place
    return None


def _is_rather(login: KeptLogin, other: KeptLogin) -> bool:
    """Of two places of one login, whether it is this one that counts."""
    if (login.credential is None) is not (other.credential is None):
        return other.credential is None
    return login.place == login.key


def find_logins(store: Store, named: str, *, whole: bool = False) -> tuple[KeptLogin, ...]:
    """The logins that people may mean by `named`: the one whose whole key it is, else those that are called
    so, else, unless it is a `whole` name, those of which a name begins so. None if `named` is empty. Raises
    SignInError: `auth_read_failed`.
    """
    logins = kept_logins(store) if named else ()
    found = tuple(login for login in logins if login.key == named)
    found = found or tuple(login for login in logins if login.is_called(named))
    return found if found or whole else tuple(login for login in logins if login.begins_with(named))


def one_login(store: Store, named: str, *, whole: bool = False) -> KeptLogin:
    """The one login that people call so; with `whole`, not only so at its beginning. Raises SignInError:
    `login_required` if there is none, `invalid_request` (`details.reason`: `ambiguous`) if there are several,
    and storage errors.
    """
    found = find_logins(store, named, whole=whole)
    if len(found) == 1:
        return found[0]
    if not found:
        text = "No login of that account is stored here."
        raise SignInError.of(ErrorKind.LOGIN_REQUIRED, text, account=shown(named))
    text = f"{shown(named)} fits {len(found)} logins: name one by its key."
    error = SignInError.of(ErrorKind.INVALID_REQUEST, text, reason="ambiguous", account=shown(named))
    raise attrs.evolve(error, next_actions=tuple(map(_listed, found)))


def _listed(login: KeptLogin) -> str:
    """A line that begins with the key. An address that is not safe to show is left out."""
    email = login.profile.email
    return f"{login.key}  ({email})" if email and email.isprintable() else login.key


def named_login(store: Store, named: str, *, whole: bool = False) -> KeptLogin:
    """The one login that people call so, as `one_login` finds it; its whole key is looked for without reading
    others. Raises SignInError, as `one_login`.
    """
    try:
        login = kept_login(store, named)
    except ValueError:
        login = None
    if login is None or login.credential is None or named not in (login.key, login.own_key):
        login = one_login(store, named, whole=whole)
    return login


def same_place(store: Store, credential: Credential) -> tuple[str, Record] | None:
    """Where a login that was had before is kept now, and its record: under its key, or under a former name.
    None if it is nowhere: one of which less is known may be another person's, or of another account. Raises
    SignInError, if it is not found and a place cannot be read.
    """
    identity = identified(credential).identity
    problem: SignInError | None = None
    for place in _looked_at(identity):
        try:
            found = store.slot(place).load()
        except SignInError as error:
            problem = problem or error
        else:
            if found is not None and identified(found.credential).identity.continues(identity):
                return place, found
    if problem is not None:
        raise problem
    return None


def kept_as(store: Store, credential: Credential) -> KeptLogin | None:
    """The very same login as it is kept, under its key or a former name. Raises SignInError, if the place
    cannot be read.
    """
    identity = identified(credential).identity
    for place in _looked_at(identity):
        found = store.slot(place).load()
        ours = None if found is None else identified(found.credential).identity
        if ours == identity or (ours is not None and place == identity.key):
            return KeptLogin(place, found)
    return None


def _looked_at(identity: Identity) -> tuple[str, ...]:
    """Where a login may be kept, and its key once more at the end: it may be put there between two looks."""
    names = identity.names
    return names if len(names) == 1 else (*names, identity.key)
