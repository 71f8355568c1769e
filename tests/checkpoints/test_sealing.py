"""Sealed checkpoints: what leaves memory shows nothing, and only its key, and its owner, get it back."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_oauth.sealing import new_key, seal, unseal
from codex_oauth_core import CheckpointError, Resumed, Secret, restore
from tests.checkpoints.journeys import JOURNEYS
from tests.support import T0, W0

JOURNEY = JOURNEYS[1]
MAPPING = JOURNEY.after(2).checkpoint(at=T0 + 1, wall=W0 + 1)
KEY = new_key()
SEALED = seal(MAPPING, KEY, belongs_to="session 1")


def reason(work: Callable[[], object]) -> str:
    with pytest.raises(CheckpointError) as raised:
        work()
    seen = "".join(traceback.format_exception(raised.value)) + repr(vars(raised.value))
    assert "canary" not in seen
    assert repr(KEY.reveal()) not in seen
    return raised.value.reason


def test_what_was_sealed_comes_back_and_can_be_restored() -> None:
    back = unseal(SEALED, KEY, belongs_to="session 1")
    assert back == MAPPING
    flow = restore(back, JOURNEY.provider)
    assert flow.receive(Resumed(0.0, W0 + 1)) is flow.effect


def test_nothing_of_it_can_be_read() -> None:
    assert b"canary" not in SEALED
    assert b"device" not in SEALED
    assert b"session" not in SEALED


def test_a_key_seals_anew_each_time() -> None:
    assert seal(MAPPING, KEY) != seal(MAPPING, KEY)
    assert new_key() != new_key()
    assert len(new_key().reveal()) == 32


@given(where=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_a_single_bit_that_changed_is_noticed(where: int, bit: int) -> None:
    damaged = bytearray(SEALED)
    damaged[where] ^= 1 << bit
    expected = {"sealed_wrong", "other_key", "not_a_checkpoint", "too_new"}
    assert reason(lambda: unseal(bytes(damaged), KEY, belongs_to="session 1")) in expected


@pytest.mark.parametrize("length", [40, 60, len(SEALED) - 1])
def test_a_part_of_it_is_noticed(length: int) -> None:
    assert reason(lambda: unseal(SEALED[:length], KEY, belongs_to="session 1")) == "sealed_wrong"


def test_another_key_is_told_from_damage() -> None:
    assert reason(lambda: unseal(SEALED, new_key(), belongs_to="session 1")) == "other_key"


@pytest.mark.parametrize("somebody", ["", "session 2", "session 1 "])
def test_it_cannot_be_put_in_another_sessions_place(somebody: str) -> None:
    assert reason(lambda: unseal(SEALED, KEY, belongs_to=somebody)) == "sealed_wrong"


@given(st.binary(max_size=200))
@example(b"codex-oauth checkpoint ")
@example(SEALED[:40])
def test_any_bytes_are_no_checkpoint(data: bytes) -> None:
    looks_sealed = data.startswith(b"codex-oauth checkpoint ")
    wanted = {"too_new", "sealed_wrong", "other_key"} if looks_sealed else {"not_a_checkpoint"}
    assert reason(lambda: unseal(data, KEY)) in wanted


def test_a_newer_seal_is_told_as_such() -> None:
    assert reason(lambda: unseal(b"codex-oauth checkpoint 2\nwhatever", KEY)) == "too_new"


def test_more_than_a_checkpoint_can_have_is_not_decrypted() -> None:
    big = seal({"a": "b" * 2_000_000}, KEY)
    assert reason(lambda: unseal(big, KEY)) == "sealed_wrong"


def test_a_sealed_text_that_is_no_mapping() -> None:
    assert reason(lambda: unseal(seal([1], KEY), KEY)) == "sealed_wrong"  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # on purpose


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length(length: int) -> None:
    with pytest.raises(ValueError, match="a key has 32 bytes"):
        seal(MAPPING, Secret(bytes(length)))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    assert reason(lambda: seal(MAPPING, KEY)) == "extra_missing"
    assert reason(lambda: unseal(SEALED, KEY)) == "extra_missing"
