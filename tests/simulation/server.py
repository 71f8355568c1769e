"""The authority in virtual time: its own grants and its own token endpoint, and an eye on every token.

Rules of this file: what a token is worth is decided by `codex_oauth.authority`, never here; here is only noted
what came and why a family died. Tokens are named by labels (`r2.1`: family 2, after one renewal).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from codex_oauth.authority import Answer, Policy
from codex_oauth.authority.authority import Protocol
from codex_oauth.authority.grants import Devices, Grants, _Family
from codex_oauth.authority.messages import FORM, JSON, Call, Rejected
from codex_oauth_core import CODEX, Credential, Record, Secret
from codex_oauth_core.codex.render import render_error
from codex_oauth_core.facts import Granted
from codex_oauth_core.pkce import s256
from codex_oauth_core.reading.times import rfc3339

__all__ = ["ACCOUNT", "ANNA", "BERT", "LIFETIME", "WALL", "Server"]

LIFETIME: Final = 3600
"""Seconds for which an access token is good."""

WALL: Final = 1_800_000_000.0
"""Unix time at the instant 0, by the server's clock."""

POLICY: Final = Policy(access_lifetime=LIFETIME)
ACCOUNT: Final = str(POLICY.account.account_id)
ANNA: Final = "user-anna"
BERT: Final = "user-bert"
"""Two people of one workspace."""
_VERIFIER: Final = "v" * 43
_REDIRECT: Final = "http://localhost/callback"


@attrs.define(eq=False)
class Server:
    """One authority, one account of two people, any number of sign-ins."""

    rng: random.Random
    labels: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    """The label of every token that was ever issued, by its fingerprint."""
    deaths: dict[int, str] = attrs.field(factory=dict[int, str], init=False)
    """Why a family ended first, by its number."""
    refused: set[str] = attrs.field(factory=set[str], init=False)
    """Fingerprints of access tokens that the API rejects although nothing is wrong with them."""
    _grants: dict[str, Grants] = attrs.field(factory=dict[str, Grants], init=False)
    _protocols: dict[str, Protocol] = attrs.field(factory=dict[str, Protocol], init=False)
    _people: list[str] = attrs.field(factory=list[str], init=False)
    _numbers: dict[int, int] = attrs.field(factory=dict[int, int], init=False)
    _families: list[_Family] = attrs.field(factory=list[_Family], init=False)
    _issued: list[int] = attrs.field(factory=list[int], init=False)
    _expires: dict[str, float] = attrs.field(factory=dict[str, float], init=False)

    def __attrs_post_init__(self) -> None:
        entropy: Callable[[int], bytes] = self.rng.randbytes
        for person in (ANNA, BERT):
            policy = attrs.evolve(POLICY, account=attrs.evolve(POLICY.account, user_id=person))
            grants = self._grants[person] = Grants(policy, CODEX.client_id, entropy)
            self._protocols[person] = Protocol(CODEX.client_id, Devices(policy, entropy), grants, entropy)

    # -- what clients do --------------------------------------------------------------------------------

    def sign_in(self, now: float, wall: float, person: str = ANNA, *, earlier: bool = False) -> Record:
        """A finished sign-in, as a client with the clock `wall` would store it; an `earlier` release notes no
        person.
        """
        grants = self._grants[person]
        code = grants.issue_code([_REDIRECT], s256(_VERIFIER), " ".join(CODEX.scopes), now)
        fact = grants.exchange(code, Secret(_VERIFIER), _REDIRECT, CODEX.issuer, now=now, wall=WALL + now)
        assert isinstance(fact, Granted)
        access, refresh = fact.tokens.access_token, fact.tokens.refresh_token
        assert access is not None
        assert refresh is not None
        self._learn(refresh.fingerprint(), now, person)
        return Record(
            Credential(
                access_token=access,
                refresh_token=refresh,
                account_id=ACCOUNT,
                user_id=None if earlier else person,
                issuer=CODEX.issuer,
                client_id=CODEX.client_id,
                obtained_at=rfc3339(wall),
                expires_at=round((wall + LIFETIME) * 1000),
            )
        )

    def refresh(self, call: Call, fields: Mapping[str, str]) -> Answer:
        """The token endpoint's answer to a refresh."""
        presented = Secret(fields["refresh_token"]).fingerprint()
        person = self.person_of(presented)
        answer = _answered(lambda: self._protocols[person].token(call, fields))
        if answer.status == 200:
            self._learn(presented, call.now, person)
        return answer

    def revoke(self, call: Call, fields: Mapping[str, str]) -> Answer:
        """The revocation endpoint's answer."""
        presented = Secret(fields["token"]).fingerprint()
        self.dies(self.family_of(presented), "logout")
        return _answered(lambda: self._protocols[self.person_of(presented)].revoke(call, fields))

    def honours(self, access: str, now: float) -> bool:
        """Whether the API takes the access token with this fingerprint."""
        known = next(each for grants in self._grants.values() if (each := grants._by_access.get(access)))
        return not known.family.revoked and now < self._expires[access] and access not in self.refused

    # -- what befalls it --------------------------------------------------------------------------------

    def end_family(self, number: int) -> None:
        """Revoke a sign-in for reasons of the server's own."""
        self._families[number].revoked = True
        self.dies(number, "server")

    def dies(self, number: int, why: str) -> None:
        """Note why a family ended; the first reason stays."""
        self.deaths.setdefault(number, why)

    # -- what there is to know --------------------------------------------------------------------------

    def family_of(self, fingerprint: str) -> int:
        """The number of the sign-in that a refresh token belongs to."""
        return self._numbers[id(self._family(fingerprint))]

    def person_of(self, fingerprint: str) -> str:
        """Whose sign-in a refresh token belongs to."""
        return self._people[self.family_of(fingerprint)]

    def _family(self, fingerprint: str) -> _Family:
        found = (grants._by_refresh.get(fingerprint) for grants in self._grants.values())
        return next(family for family in found if family is not None)

    def is_dead(self, number: int) -> bool:
        """Whether no token of a sign-in is worth anything."""
        return self._families[number].revoked

    def summary(self) -> tuple[tuple[str, bool], ...]:
        """All that decides what the server will answer."""
        return tuple((self.labels[family.current], family.revoked) for family in self._families)

    def _learn(self, presented: str, now: float, person: str) -> None:
        """Give labels to what was issued last for the family of a refresh token."""
        family = self._family(presented)
        if id(family) not in self._numbers:
            self._numbers[id(family)] = len(self._families)
            self._families.append(family)
            self._issued.append(0)
            self._people.append(person)
        number = self._numbers[id(family)]
        access = next(reversed(self._grants[person]._by_access))
        self.labels[family.current] = f"r{number}.{self._issued[number]}"
        self.labels[access] = f"a{number}.{self._issued[number]}"
        self._issued[number] += 1
        self._expires[access] = now + LIFETIME


def read_fields(call: Call) -> dict[str, str]:
    """The parameters of a request to the token or the revocation endpoint."""
    return call.body_fields((FORM, JSON))


def _answered(answer: Callable[[], Answer]) -> Answer:
    try:
        return answer()
    except Rejected as mistake:
        return Answer.of(render_error(mistake.code, mistake.status, mistake.headers, mistake.why))
