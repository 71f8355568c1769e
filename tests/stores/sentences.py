"""Each sentence of docs/stores.md that a store of one's own must keep, and the checks that hold it to that.

Rules of this file: a sentence is quoted from the page as it stands there; one that no check can hold has a row in the
page's own list of what is not checked.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SENTENCES"]

SENTENCES: Final[dict[str, tuple[str, ...]]] = {
    # -- a store
    "The names under which a login is kept, readable or not, or a rescued sign-in; in order.": (
        "a_new_store_is_empty",
        "accounts_are_separate_and_in_order",
        "names_that_look_alike_are_separate",
        "a_login_that_is_over_is_still_kept",
        "a_place_that_was_only_looked_at_is_not_there",
        "a_rescued_sign_in_is_seen_where_nothing_is_stored",
        "a_rescued_renewal_of_nothing_is_no_login",
    ),
    "The name of the login in use. None if no login was selected, or if that login is gone.": (
        "a_new_store_is_empty",
        "a_pointer_to_a_login_that_is_gone_points_to_nothing",
        "a_selection_makes_no_login",
    ),
    "Put this login in use. With None, no login is in use.": (
        "the_pointer_follows_the_last_selection",
        "a_selection_makes_no_login",
    ),
    "It changes nothing that can be seen.": ("preparing_changes_nothing_and_can_be_repeated",),
    "ValueError if it is not a key: letters, digits, `_` and `-`, at most 128.": (
        "what_is_no_account_id_is_refused",
        "an_account_id_has_up_to_128_characters",
    ),
    # -- a slot
    "It keeps no state: any number may exist, in any thread.": (
        "two_slots_of_one_account_are_one_place",
        "a_login_is_the_same_for_every_thread",
    ),
    "It takes a record that has this name among its `credential.identity.names`; any other is a ValueError.": (
        "a_slot_tells_whose_it_is",
        "a_record_of_another_account_is_refused",
        "a_login_has_a_place_under_each_of_its_names",
        "two_people_of_one_account_are_two_logins",
        "a_login_without_an_account_is_kept",
    ),
    "The stored record, or the record that was rescued beside it and will take its place (`best_leftover`).": (
        "a_rescued_sign_in_is_seen_by_readers_at_once",
        "a_rescued_renewal_is_seen_by_readers_at_once",
        "a_rescued_sign_in_is_seen_where_the_login_is_over",
    ),
    "It takes no lock, changes nothing, and never returns half a record.": (
        "reading_needs_no_lock",
        "readers_change_nothing",
        "readers_keep_the_lock_from_nobody",
        "nobody_ever_sees_half_a_record",
    ),
    "A `LockedLogin`, or None if another caller holds the lock": (
        "the_lock_is_exclusive_and_never_waited_for",
        "the_lock_of_another_account_is_free",
        "one_of_many_gets_the_lock",
        "no_update_is_lost_in_a_race",
        "logins_saved_at_once_are_all_kept",
    ),
    "or has left an `intent` that is younger than 105 s (`INTENT_LIFE`) and may still be acted on.": (
        "a_living_processs_young_intent_is_busy",
        "an_intent_keeps_others_out_for_its_life",
        "an_intent_is_forgotten_after_its_life",
        "a_lock_that_an_intent_refused_is_free_after_it",
    ),
    "An intent with another `owner` belongs to another caller, also if it is of another thread or of an earlier hold;": (
        "a_living_processs_young_intent_is_busy",
        "an_intent_of_another_hold_has_another_owner",
    ),
    "It always answers at once.": (
        "the_lock_is_exclusive_and_never_waited_for",
        "an_intent_keeps_others_out_for_its_life",
    ),
    "A rescued record is now put in its place, or dropped; a renewal of nothing stays.": (
        "a_rescued_sign_in_can_be_saved_over",
        "a_rescued_sign_in_is_stored_for_whoever_locks_next",
        "a_rescued_renewal_of_something_else_is_dropped",
        "a_rescued_renewal_waits_for_what_it_was_exchanged_for",
        "what_was_rescued_counts_once",
    ),
    "Keep a record beside the login, without the lock, for the next holder of the lock.": (
        "a_rescue_needs_no_lock_and_waits_for_the_next_one",
        "a_rescue_is_kept_while_a_reservation_is_taken_back",
        "a_rescue_touches_no_other_account",
        "sign_ins_rescued_at_once_are_all_seen",
    ),
    # -- the lock
    "the lock, held until `release()` or the end of a `with` block, however the block ends.": (
        "a_with_block_gives_the_lock_back_however_it_ends",
        "what_was_given_back_changes_nothing_any_more",
        "the_lock_holds_for_other_threads_and_moves_between_them",
    ),
    "Until this holder changes it, that is the record that was found when the lock was taken, by the same look that"
    " dealt with the rescued records.": (
        "a_rescue_needs_no_lock_and_waits_for_the_next_one",
        "the_login_under_the_lock_follows_each_change",
        "readers_change_nothing",
    ),
    "make room for the answer, and mark an `Intent` in the stored record, both durably.": (
        "a_reservation_announces_the_renewal",
        "a_reservation_may_be_repeated",
    ),
    "Refuse with `auth_write_failed` and the reason `changed` if another record is stored, `lock_lost` if the lock"
    " was lost.": (
        "a_reservation_for_something_else_is_refused",
        "what_was_given_back_changes_nothing_any_more",
    ),
    "Each hold draws an owner of its own for its intent.": ("an_intent_of_another_hold_has_another_owner",),
    "False without a reservation, later than 5 s (`SEND_BY`) after the reservation was asked for, and if the lock is lost.": (
        "a_request_may_go_out_after_its_reservation_only",
        "a_request_does_not_go_out_late",
    ),
    "Store exactly `record`, if the fingerprint of what is stored is `expected` (None: nothing is stored);": (
        "what_is_saved_is_loaded",
        "unknown_fields_survive",
        "a_login_without_a_refresh_token_is_kept",
        "a_save_replaces_what_the_caller_expects",
        "the_same_refresh_token_may_be_saved_with_other_marks",
        "a_save_after_a_reservation_stores_exactly_the_record",
        "a_save_over_an_old_intent_stores_exactly_the_record",
    ),
    "else answer `Conflict` with the stored record, and change nothing.": (
        "a_save_over_something_else_is_a_conflict_and_changes_nothing",
        "a_save_over_nothing_that_expects_something_is_a_conflict",
        "a_deleted_login_is_not_saved_again_by_who_still_expects_it",
        "an_intent_that_nothing_was_saved_over_is_taken_back",
    ),
    "The same save once more is `Saved` again.": ("a_save_that_is_repeated_is_saved",),
    "Likewise, delete the login and all records that were rescued.": (
        "what_is_deleted_is_gone",
        "deleting_nothing_is_done_if_nothing_is_expected",
        "deleting_something_else_is_a_conflict_and_keeps_it",
        "a_deletion_after_a_reservation_is_final",
        "a_deletion_drops_what_was_rescued",
    ),
    "A sign-in that was rescued since the lock was taken is a `Conflict`.": (
        "a_sign_in_rescued_since_the_lock_was_taken_is_not_deleted",
        "a_sign_in_rescued_after_a_deletion_is_kept",
    ),
    "Give the lock back, and take back an intent, unless a save was tried and has failed": (
        "an_intent_that_nothing_was_saved_over_is_taken_back",
        "a_reservation_may_be_repeated",
    ),
    "A doubt that an earlier holder left stays.": ("an_old_doubt_outlives_a_reservation_that_is_taken_back",),
    "A second call does nothing, and no call raises.": (
        "a_lock_given_back_twice_is_given_back_once",
        "a_former_holder_takes_nothing_from_the_next",
    ),
    "after an exception the intent stays, because it is not known what was sent.": (
        "an_intent_stays_after_an_exception",
    ),
    # -- all of them
    "**Records are values.**": ("a_stored_record_is_a_value_of_its_own", "unknown_fields_survive"),
    "A sign-in wins over an older one and over a renewal;": (
        "the_newest_rescued_sign_in_wins",
        "an_older_rescued_sign_in_changes_nothing",
        "a_rescued_sign_in_wins_over_a_renewal_of_the_old_login",
    ),
    "a renewal wins only over exactly the login that it was exchanged for.": (
        "a_rescued_renewal_of_what_is_stored_wins",
        "a_rescued_renewal_at_another_server_is_dropped",
        "a_rescued_renewal_follows_its_rescued_sign_in",
    ),
    "not in a `repr`, not in an error, not in a log.": (
        "nothing_shows_a_secret",
        "no_error_shows_a_secret",
        "nothing_that_is_logged_or_printed_shows_a_secret",
    ),
    # -- registrations
    "Every `Registration` (issuer, client id, redirect path, application, time), the oldest first.": (
        "a_new_store_has_no_registrations",
        "registrations_are_in_the_order_of_their_time",
        "a_registration_is_no_login",
    ),
    "Keep one, durably, in place of one with the same client id.": (
        "what_is_registered_is_kept",
        "one_client_id_is_registered_once",
    ),
    "ValueError for a client id that is not 1 to 200 letters, digits, `_` and `-`.": (
        "what_is_no_client_id_is_refused",
    ),
    "made at the first call, the same for every process from then on.": (
        "a_machine_keeps_its_name",
        "all_who_ask_get_one_name_of_the_machine",
    ),
    "it stays after a sign-out.": ("a_registration_outlives_its_login",),
}
"""By the sentence, in the order of the page."""
