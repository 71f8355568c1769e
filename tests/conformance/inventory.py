"""Which checks hold a world to which sentence of docs/porting.md: each sentence of its contract, and each row.

Rules of this file: a row begins as its sentence does. It names checks, or says in words why there is none to name: what
is advice, a reason, or told elsewhere. What cannot be checked is in the page's own list, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CONTRACT", "Checks"]

Checks = tuple[str, ...] | str
"""Names of checks; or why there are none."""

_LATE = ("nothing_goes_out_from_write_by_on", "a_request_that_is_late_after_connecting_is_not_sent")
_READ_LATE = (
    "what_arrived_while_the_machine_slept_is_read",
    "what_arrived_while_the_process_stood_still_is_read",
)
_LIMITS = (
    "every_place_has_the_time_limit",
    "a_handshake_has_the_time_limit",
    "a_once_request_has_the_time_limit_too",
    "the_time_limit_is_one_for_the_whole_exchange",
    "the_time_limit_begins_before_the_lookup",
    "the_time_limit_begins_before_the_handshake",
)
_SENT_TWICE = (
    "nothing_is_sent_twice",
    "no_method_is_repeated",
    "nothing_that_was_lost_is_sent_again",
    "nothing_that_had_no_time_is_sent_again",
    "no_answer_makes_it_send_again",
    "no_other_address_is_tried_after_it_was_sent",
    "nothing_is_sent_again_on_another_connection",
    "a_once_request_has_a_connection_of_its_own",
)
_CUT = (
    "a_cancel_never_cuts_a_once_request",
    "a_cancel_cuts_no_once_request_wherever_it_is",
    "a_cancel_leaves_a_once_request_its_time",
    "a_cancelled_task_never_cuts_a_once_request",
    "a_once_request_outlives_the_cancellation_of_asyncio",
)
_TASKS = (
    "a_cancelled_task_leaves_a_wait",
    "a_cancelled_task_leaves_a_request_and_nothing_open",
    "a_task_that_asyncio_cancels_leaves_an_effect_soon",
    "a_time_limit_of_the_caller_is_one",
    "a_cancel_is_no_cancellation_of_the_task",
)
_BUGS = ("what_is_no_url_is_a_bug", "what_is_no_header_is_a_bug", "what_is_no_method_is_a_bug")
_REDIRECTS = ("a_redirect_is_not_followed", "no_redirect_of_any_kind_is_followed")
_OPEN = (
    "connections_are_closed_at_the_end",
    "an_exception_closes_everything_and_comes_out",
    "nothing_stays_open_at_the_end",
    "a_cancelled_run_leaves_nothing_open",
    "nothing_stays_whatever_was_answered",
    "nothing_stays_of_what_was_not_reached",
    "nothing_stays_of_a_bad_handshake",
    "nothing_stays_of_what_was_cancelled",
)
_LOGGED = (
    "nothing_of_a_request_or_an_answer_is_logged",
    "nothing_of_a_request_that_fails_is_logged",
    "nothing_of_a_bad_handshake_is_logged",
    "nothing_of_a_redirect_is_logged",
)
_NAMES = ("a_name_that_is_not_found_was_not_sent",)
_CERTIFICATES = (
    "an_untrusted_certificate_is_refused",
    "no_certificate_is_taken_for_another",
    "no_certificate_is_trusted_behind_a_proxy",
)
_HANDSHAKES = ("a_failed_handshake_is_no_exception", "nothing_was_sent_where_a_handshake_fails")
_PROXIES = ("a_proxy_that_is_not_reached_was_not_sent", "nothing_was_sent_where_a_proxy_fails")
_REMEMBERED = (
    "a_cancel_beforehand_is_remembered",
    "a_cancel_before_the_run_is_remembered",
    "every_effect_after_a_cancel_is_cancelled",
)
_ADDED = ("the_environment_adds_nothing", "no_cookie_is_kept", "nothing_is_remembered_for_the_next_request")
_BY_ITSELF = "every scenario is driven by this"

CONTRACT: Final[Mapping[str, Mapping[str, Checks]]] = {
    "The contract of `perform`": {
        "| effect | do this": "the head of a table",
        "| `SendRequest(": (
            "a_request_goes_out_as_it_is",
            "a_header_that_is_secret_is_sent",
            "a_request_without_a_body_has_none",
            "every_target_goes_out_as_it_is",
            "a_fragment_stays_here",
            "every_method_goes_out_as_it_is",
            "every_body_goes_out_as_it_is",
            "every_header_goes_out_as_it_is_and_none_is_added",
            "every_status_is_an_answer",
            "odd_statuses_are_answers",
            "every_time_limit_of_an_effect_is_its_own",
            *_LIMITS,
        ),
        "| `Wait(until": (
            "a_wait_ends_at_its_time_and_not_before",
            "one_wait_follows_another",
            "every_wait_is_shown",
            "a_redirect_ends_the_wait",
        ),
        "| `Register(": ("a_registration_is_answered",),
        "| `Load`, `Lock`": "storage needs no port; it has checks of its own, `check_store`",
        "| `Finished(": _BY_ITSELF,
        "What goes into the answers:": "the head of a table",
        "| event | fields": "the head of a table",
        "| `Started(": ("the_clocks_are_the_ones_given",),
        "| `ResponseReceived(": (
            "an_answer_says_when_it_was_sent_and_when_it_came",
            "sent_at_is_before_it_connects",
            "an_answer_came_with_its_last_byte",
            "headers_are_delivered",
            "odd_headers_are_no_exception",
            "every_header_is_delivered",
            "every_body_is_delivered",
            "every_kind_of_answer_is_delivered",
            "a_body_is_delivered_byte_for_byte",
            "a_body_is_not_decoded",
            "a_body_of_the_largest_size_is_delivered",
        ),
        "| `RequestFailed(": ("a_failure_says_when_it_happened", "a_failure_is_told_when_it_happened"),
        "| `TimeReached(": ("a_wait_that_is_over_ends_at_once", "the_same_wait_again_is_as_good"),
        "| `CallbackReceived(": ("a_redirect_ends_the_wait", "a_redirect_that_comes_twice_is_told_once"),
        "| `Cancelled(": ("a_cancel_ends_a_wait",),
        "| `StoreAnswered(": ("a_registration_is_answered",),
        "`perform` raises `ValueError` for a bug": _BUGS,
        "`codex_oauth.transport.writable.check_writable`": "advice",
        "The error shows nothing": _BUGS,
        "`perform` also raises": ("an_exception_stops_the_sources",),
        "It never raises": (*_NAMES, *_PROXIES, *_HANDSHAKES, "what_is_not_http_is_no_answer"),
    },
    "Clocks": {
        "`now()` gives two numbers": ("the_clocks_are_the_ones_given",),
        "**The instant**": "the checks hand over a clock; the page says that it is not checked",
        "`CLOCK_BOOTTIME`": "the same",
        "On these two": "the same",
        "Elsewhere it is": "the same",
        "`codex_oauth.now`": "the same",
        "**Wall-clock time**": ("an_answer_came_with_its_last_byte",),
        "It is compared": "a reason",
        "Take `now` as a parameter": ("the_clocks_are_the_ones_given",),
        "Your stack may *sleep*": "a permission",
        "So sleep in slices": ("a_wait_notices_that_the_machine_slept",),
        "Waits last from": ("a_far_wait_is_no_exception",),
    },
    "The first byte, and the last": {
        "A refresh is sent": "a reason",
        "So such a request": _LATE,
        "**Look at the clock": ("a_request_that_is_late_after_connecting_is_not_sent",),
        "If it is `write_by`": _LATE,
        "Where head and body": "the page says that it is not checked",
        "With `write_by`, **": ("the_time_counts_from_the_first_byte", "write_by_is_no_limit_for_the_answer"),
        "Connecting is limited": ("a_handshake_is_limited_by_write_by_alone",),
        "Without it": _LIMITS,
        "**At the end of": _READ_LATE,
        "A process that was stopped": _READ_LATE,
        "So a blocking world": "advice",
        "`codex_oauth.Deadline`": "advice",
        "`begin()` before": "advice",
    },
    "What must never happen": {
        "| never | because": "the head of a table",
        "| a `once` request is sent twice": _SENT_TWICE,
        "| a byte of a request goes out": _LATE,
        "| a `once` request is cut": _CUT,
        "| `not_sent` is said": (
            "a_reset_connection_may_have_been_sent",
            "a_connection_that_ends_without_an_answer_may_have_been_sent",
            "nothing_that_was_lost_is_sent_again",
            "what_is_lost_in_an_upload_may_have_been_sent",
            "every_place_has_the_time_limit",
        ),
        "| a redirect is followed": _REDIRECTS,
        "| TLS verification is off": (*_CERTIFICATES, "nothing_was_sent_where_a_handshake_fails"),
        "| cookies, `.netrc`": (*_ADDED, "user_information_is_not_sent"),
        "| a loopback address": (
            "this_machine_is_not_asked_for_through_a_proxy",
            "the_environment_adds_nothing",
        ),
        "| an answer is read without": (
            "an_answer_that_does_not_end_is_left",
            "a_larger_body_is_too_big",
            "a_body_is_not_decoded",
            "every_body_is_delivered",
            "a_silent_server_is_left_at_the_time_limit",
            "a_trickling_server_is_left_at_the_time_limit",
        ),
        "| a body, an answer or a redirect is logged": (*_LOGGED, *_BUGS),
        "| `perform` raises because": (
            *_NAMES,
            *_PROXIES,
            *_HANDSHAKES,
            "a_setting_that_cannot_be_used_is_no_exception",
        ),
        "| two clocks are mixed": (
            "the_clocks_are_the_ones_given",
            "a_failure_is_told_when_it_happened",
            "an_answer_came_with_its_last_byte",
        ),
        "| something is open": (*_OPEN, "sources_start_before_the_wait_is_shown_and_stop_at_its_end"),
        "| a prompt is printed": "it is the display's; the world shows every wait: every_wait_is_shown",
    },
    "Failures": {
        "`phase` says whether": "a reason",
        "**In doubt it is": ("nothing_that_was_lost_is_sent_again", *_HANDSHAKES, *_PROXIES),
        "| what happened": "the head of a table",
        "| the name is not found": _NAMES,
        "| refused, no route": ("a_refused_connection_was_not_sent", "what_is_not_reached_was_not_sent"),
        "| the proxy is not reached": _PROXIES,
        "| the proxy asks": ("nothing_was_sent_where_a_proxy_fails",),
        "| a setting of this machine": ("a_setting_that_cannot_be_used_is_no_exception",),
        "| a certificate that": _CERTIFICATES,
        "| the handshake ends otherwise": _HANDSHAKES,
        "| the time is up, before": (*_LIMITS[:2], *_LATE),
        "| the time is up, later": _LIMITS,
        "| the connection ends or is reset": (
            "a_reset_connection_may_have_been_sent",
            "a_connection_that_ends_without_an_answer_may_have_been_sent",
            "what_is_not_http_is_no_answer",
        ),
        "| the body ends too soon": ("a_truncated_body_is_no_answer",),
        "| the body is larger": ("a_larger_body_is_too_big",),
        "`tls_certificate` matters most": _CERTIFICATES,
        "A handshake that fails may be": "a permission",
        "The other causes": (*_NAMES, *_CERTIFICATES, "a_larger_body_is_too_big"),
    },
    "Cancelling, and the `once` rule": {
        "There are two ways": "it leads to what follows",
        "**`world.cancel()`**": (
            *_REMEMBERED,
            "a_cancel_does_not_block",
            "a_cancel_by_the_display_ends_the_wait",
            "a_cancel_after_the_end_does_no_harm",
        ),
        "A wait is answered": (
            "a_cancel_ends_a_wait",
            "a_cancelled_request_ends_by_its_limit",
            "a_cancel_ends_a_request_soon_wherever_it_is",
            "a_cancel_ends_a_handshake_soon",
        ),
        "The world remembers the cancel": _REMEMBERED,
        "A `once` request is finished": _CUT,
        "**Cancelling the task**": _TASKS,
        "It leaves the loop": (*_TASKS, *_OPEN),
        "A `once` request that is under way": _CUT[3:],
        "On asyncio and trio": "advice",
        "Everything else may be cut": (*_TASKS, "other_tasks_go_on_meanwhile"),
        "A poll that was cut": "a reason",
    },
    "Redirects": {
        "A world for device codes": "a permission",
        "For sign-ins in the browser": ("the_first_redirect_of_any_source_counts",),
        "When a `Wait` has a `callback`": (
            "sources_start_before_the_wait_is_shown_and_stop_at_its_end",
            "a_wait_without_a_callback_starts_no_source",
            "a_cancel_stops_the_sources",
            "an_exception_stops_the_sources",
            "a_source_that_cannot_start_is_told_and_the_others_stop",
            "a_redirect_that_comes_late_changes_nothing",
            "a_rule_starts_its_sources_once",
            "a_redirect_ends_the_wait",
        ),
        "`Sources` and `answer_of`": "advice",
    },
}
"""By the heading of a section, and the beginning of a sentence or a row."""
