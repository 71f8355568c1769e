"""No text form of a secret says anything about it."""

from __future__ import annotations

import copy
import pickle

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.credential import Credential
from codex_oauth_core.secret import Secret, unseen, without_traceback

texts = st.text(min_size=12)


@given(texts)
def test_every_text_form_is_constant(value: str) -> None:
    secret = Secret(value)
    assert {repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{secret!r}"} == {"Secret('***')"}
    assert value not in f"{[secret]}{({'a': secret},)}"
    assert secret.reveal() == value


def test_comparing_is_deliberate() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != Secret(b"a")
    assert Secret("a") != "a"
    assert Secret(b"\xff") == Secret(b"\xff")
    assert Secret("\ud800") != Secret("x")


def test_it_has_no_hash_no_dict_and_no_pickle() -> None:
    secret = Secret("canary")
    with pytest.raises(TypeError):
        hash(secret)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret, protocol)
    with pytest.raises(TypeError, match="not pickled"):
        secret.__getstate__()
    assert not hasattr(secret, "__dict__")


def test_copies_share_it() -> None:
    secret = Secret("canary")
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_a_fingerprint_tells_apart_without_showing() -> None:
    assert Secret("abc").fingerprint() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Secret("abc").fingerprint() == Secret(b"abc").fingerprint()


def test_a_credential_shows_none_of_its_tokens() -> None:
    credential = Credential(
        Secret("canary-a"),
        Secret("canary-r"),
        "acct",
        "https://i.example",
        "client",
        "2027-01-15T08:00:00Z",
        Secret("canary-i"),
    )
    assert "canary" not in repr(credential) + str(attrs.asdict(credential)) + str(attrs.astuple(credential))


@pytest.mark.parametrize(
    ("expires_at", "wall", "stale"),
    [(None, 0.0, None), (1_000_000, 699.9, False), (1_000_000, 700.0, True), (1_000_000, 2000.0, True)],
)
def test_staleness_has_a_skew_of_five_minutes(
    expires_at: int | None, wall: float, stale: bool | None
) -> None:
    credential = Credential(Secret("a"), Secret("r"), "acct", "i", "c", "t", expires_at=expires_at)
    assert credential.is_stale(wall) is stale
    if stale is not None:
        assert credential.is_stale(wall, skew=0.0) is (wall >= 1000)


def test_the_old_name_of_without_traceback_is_the_same_function() -> None:
    assert unseen is without_traceback
