"""What an interrupted process left beside a stored login, and what becomes of it: R10 and R11."""

from __future__ import annotations

import itertools
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_oauth_core.leftovers import best_leftover, is_worth_keeping, succeeds
from codex_oauth_core.record import Record
from codex_oauth_core.secret import Secret
from tests.core.storing import borrowed, login

STORED: Final = login(5.0, number=1)


def child(parent: Record, number: int, **changes: Any) -> Record:
    """The renewal of `parent`."""
    return login(
        5.0, number=number, parent=parent.fingerprint, **{"generation": parent.generation + 1, **changes}
    )


def sign_in(number: int, day: int = 2, **changes: Any) -> Record:
    return login(5.0, number=number, obtained_at=f"2027-02-{day:02}T00:00:00Z", generation=0, **changes)


RENEWED: Final = child(STORED, 2)

# -- a renewal -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rescued", "strays"])
def test_r10_r11_a_renewal_of_what_is_stored_is_adopted(kind: str) -> None:
    assert best_leftover(STORED, **{kind: [RENEWED]}) is RENEWED


WRONG: Final[dict[str, Record]] = {
    "another parent": child(login(number=9), 2),
    "its own parent": attrs.evolve(RENEWED, parent=RENEWED.fingerprint),
    "the parent's parent": attrs.evolve(RENEWED, parent="0" * 64),
    "the access token as parent": attrs.evolve(RENEWED, parent=STORED.credential.access_token.fingerprint()),
    "another issuer": child(STORED, 2, issuer="https://else.example"),
    "another client": child(STORED, 2, client_id="app_else"),
    "another account": child(STORED, 2, account_id="acct_other"),
}


@pytest.mark.parametrize("record", [*WRONG.values(), STORED, sign_in(2)])
def test_r6a_only_a_renewal_of_what_is_stored_succeeds_it(record: Record) -> None:
    assert succeeds(RENEWED, STORED)
    assert not succeeds(record, STORED)
    assert not succeeds(RENEWED, None)
    assert not succeeds(STORED, RENEWED)


@pytest.mark.parametrize("record", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("kind", ["rescued", "strays"])
def test_r10_a_renewal_of_anything_else_is_worth_nothing(record: Record, kind: str) -> None:
    assert best_leftover(STORED, **{kind: [record]}) is None
    assert best_leftover(STORED, **{kind: [record, RENEWED, record]}) is RENEWED


@pytest.mark.parametrize("kind", ["rescued", "strays"])
def test_r10_f17_where_nothing_is_stored_a_renewal_does_not_bring_a_login_back(kind: str) -> None:
    assert best_leftover(None, **{kind: [RENEWED]}) is None


def test_r10_the_old_version_of_what_is_stored_is_worth_nothing() -> None:
    """What a slow writer left behind: the record that was renewed, and what is stored itself."""
    assert best_leftover(RENEWED, [], [STORED]) is None
    assert best_leftover(RENEWED, [RENEWED], [RENEWED]) is None


def test_r10_r11_of_two_renewals_of_one_login_the_rescued_one_counts() -> None:
    """Its writer came far enough to use it and to say so."""
    assert best_leftover(STORED, [child(STORED, 3)], [RENEWED]) == child(STORED, 3)
    assert best_leftover(STORED, [RENEWED], [child(STORED, 3)]) is RENEWED


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_r10_r11_a_chain_of_renewals_is_followed_to_its_end(order: tuple[int, ...]) -> None:
    chain = [RENEWED]
    for number in (3, 4, 5):
        chain.append(child(chain[-1], number))
    shuffled = [chain[i] for i in order]
    assert best_leftover(STORED, shuffled[:2], shuffled[2:]) is chain[3]


def test_r10_a_chain_with_a_gap_ends_at_the_gap() -> None:
    third = child(RENEWED, 3)
    fifth = child(child(third, 4), 5)
    assert best_leftover(STORED, [], [fifth, third, RENEWED]) is third


def test_a_borrowed_login_has_no_renewal() -> None:
    lent = borrowed()
    assert best_leftover(lent, [], [child(lent, 2)]) is None


def test_f31_of_two_renewals_with_the_same_refresh_token_the_later_one_counts() -> None:
    """A server that issues the same refresh token again makes parent and child look alike."""
    same = {"refresh_token": STORED.credential.refresh_token}
    second = child(STORED, 2, **same)
    third = child(second, 3, **same)
    for strays in ([second, third], [third, second]):
        assert best_leftover(STORED, [], strays) is third
    assert best_leftover(third, [], [second]) is None
    assert best_leftover(third, [second], [third]) is None


# -- a sign-in -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [STORED, RENEWED, None], ids=["a login", "a renewed one", "nothing"])
def test_r11_a_rescued_sign_in_wins_over_what_is_stored(stored: Record | None) -> None:
    assert best_leftover(stored, [sign_in(7)]) == sign_in(7)
    assert best_leftover(stored, [sign_in(7)], [RENEWED]) == sign_in(7)


@pytest.mark.parametrize("stored", [STORED, None])
def test_r10_a_stray_sign_in_is_worth_nothing(stored: Record | None) -> None:
    """Nobody was told that it is stored, and nobody knows which of the two is the newer one."""
    assert best_leftover(stored, [], [sign_in(7)]) is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_r11_of_several_sign_ins_the_last_one_wins(order: tuple[int, ...]) -> None:
    rescued = [sign_in(6, day=3), sign_in(7, day=9), sign_in(8, day=20)]
    assert best_leftover(STORED, [rescued[i] for i in order]) == rescued[2]


@pytest.mark.parametrize("kind", ["rescued", "strays"])
def test_r11_a_renewal_of_the_rescued_sign_in_comes_after_it(kind: str) -> None:
    first, last = sign_in(6, day=3), sign_in(7, day=9)
    renewed, older = child(last, 8), child(first, 9)
    found = {"rescued": [first, last], "strays": [RENEWED]}
    found[kind] = [older, renewed, *found[kind]]
    assert best_leftover(STORED, **found) is renewed


def test_nothing_left_means_that_all_stays() -> None:
    assert best_leftover(STORED) is None
    assert best_leftover(None) is None


# -- properties ----------------------------------------------------------------------------------------

numbers = st.integers(1, 5)


@st.composite
def records(draw: st.DrawFn) -> Record:
    parent = draw(st.none() | numbers)
    return login(
        number=draw(numbers),
        parent=None if parent is None else Secret(f"canary-old-refresh-{parent}").fingerprint(),
        generation=draw(st.integers(0, 5)),
        obtained_at=f"2027-02-{draw(st.integers(1, 9)):02}T00:00:00Z",
        issuer=draw(st.sampled_from(["https://one.example"] * 5 + ["https://two.example"])),
    )


some = records()


def test_r11_a_sign_in_that_is_stored_and_newer_stays() -> None:
    """Whoever was rescued had waited for the very process that stored it."""
    stored = sign_in(9, day=20)
    assert best_leftover(stored, [sign_in(7, day=9)]) is None
    assert best_leftover(stored, [sign_in(7, day=21)]) == sign_in(7, day=21)


@given(stored=st.none() | some, rescued=st.lists(some, max_size=5), strays=st.lists(some, max_size=5))
def test_r10_r11_only_a_rescued_sign_in_or_a_descendant_of_the_root_is_ever_adopted(
    stored: Record | None, rescued: list[Record], strays: list[Record]
) -> None:
    before = ([*rescued], [*strays])
    found = best_leftover(stored, rescued, strays)
    assert (rescued, strays) == before
    sign_ins = [record for record in rescued if record.parent is None]
    root = max(sign_ins, key=lambda record: record.credential.obtained_at, default=stored)
    if root is not None and stored is not None and stored.parent is None:
        root = stored if stored.credential.obtained_at > root.credential.obtained_at else root
    if found is None:
        assert root is stored
        return
    assert any(found is record for record in [*rescued, *strays])
    assert found is root or found in _descendants(root, [*rescued, *strays])


def _descendants(root: Record | None, records: list[Record]) -> list[Record]:
    """Every record that can be reached from the root, parent by parent."""
    if root is None:
        return []
    reached: list[Record] = []
    todo = [root]
    while todo:
        fingerprint = todo.pop().fingerprint
        children = [
            record
            for record in records
            if record.parent == fingerprint
            and record.credential.issuer == root.credential.issuer
            and record not in reached
        ]
        reached += children
        todo += children
    return reached


def test_r11_what_could_not_be_saved_is_kept_beside_only_where_it_would_be_adopted() -> None:
    """A mark that was kept beside would pass for a sign-in, and an old login would replace a newer one."""
    mark = attrs.evolve(STORED, uncertain_at=1.0)
    assert not is_worth_keeping(mark, STORED.fingerprint)
    assert is_worth_keeping(RENEWED, STORED.fingerprint)
    assert not is_worth_keeping(RENEWED, RENEWED.fingerprint)
    assert not is_worth_keeping(RENEWED, None)
    assert is_worth_keeping(sign_in(7), STORED.fingerprint)
    assert is_worth_keeping(sign_in(7), None)
