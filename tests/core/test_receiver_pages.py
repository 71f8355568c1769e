"""The receiver's pages: headers, hashes, fixed texts, and an address bar without a code."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from codex_oauth_core.receiver.pages import ALREADY_USED, FAILED, NOT_FOR_YOU, RECEIVED, STYLE, PageAnswer
from tests.fuzz.callback_requests import GENUINE, TARGET, answer, gate, request
from tests.house.tree import ROOT, libraries

OURS = {"received": RECEIVED, "failed": FAILED, "already used": ALREADY_USED}
ALL = {**OURS, **{f"not for you, {status}": one for status, one in NOT_FOR_YOU.items()}}
EACH = pytest.mark.parametrize("one", ALL.values(), ids=ALL)


class Reader(HTMLParser):
    """The elements of a page, in order, and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self._open = [""]
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text[self._open[-1]] = self.text.get(self._open[-1], "") + data


def headers(one: PageAnswer) -> dict[str, str]:
    lines = one.head.decode("ascii").split("\r\n")
    assert lines[-2:] == ["", ""]
    pairs = [line.partition(": ") for line in lines[1:-2]]
    assert len({name for name, _, _ in pairs}) == len(pairs)
    return {name: value for name, _, value in pairs}


def source(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


@EACH
def test_every_answer_has_exactly_these_headers(one: PageAnswer) -> None:
    # the received page holds both inline elements: its hashes are everybody's
    inline = Reader(RECEIVED.body).text
    expected = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": f"default-src 'none'; style-src {source(inline['style'])}; "
        f"script-src {source(inline['script'])}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Connection": "close",
        "Content-Length": str(len(one.body)),
    }
    if one is NOT_FOR_YOU[405]:
        expected["Allow"] = "GET"
    assert headers(one) == expected


@EACH
def test_every_inline_element_is_one_that_the_policy_allows(one: PageAnswer) -> None:
    page = Reader(one.body)
    policy = headers(one)["Content-Security-Policy"]
    tags = [tag for tag, _ in page.elements]
    assert tags.count("style") == 1
    assert source(page.text["style"]) in policy
    assert tags.count("script") == (1 if one in OURS.values() else 0)
    assert source(page.text.get("script", Reader(RECEIVED.body).text["script"])) in policy
    assert not re.search(rb"\son\w+=|\sstyle=|javascript:", one.body)


@EACH
def test_a_page_loads_nothing_and_leads_nowhere(one: PageAnswer) -> None:
    names = {name for _, attributes in Reader(one.body).elements for name in attributes}
    assert names & {"src", "href", "action", "srcset", "data", "http-equiv", "ping"} == set()
    assert not re.search(r"url\(|@import|@font-face", STYLE)


@EACH
def test_a_page_is_readable_by_everybody(one: PageAnswer) -> None:
    page = Reader(one.body)
    assert one.body.startswith(b'<!doctype html>\n<html lang="en">')
    assert [tag for tag, _ in page.elements if tag in ("main", "h1", "title")] == ["title", "main", "h1"]
    assert page.text["title"].split(" · ") == [page.text["h1"].rstrip("."), "codex-oauth"]
    marks = [attributes for tag, attributes in page.elements if tag == "span"]
    assert [mark["aria-hidden"] for mark in marks] == ["true"]
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (RECEIVED, "Sign-in received. You can close this page; the result is in the application."),
        (FAILED, "The sign-in was not completed. You can close this page; the reason is in the application."),
        (
            ALREADY_USED,
            "This sign-in was already used. It counts once, and nothing is left to do here. "
            "You can close this page; the result is in the application.",
        ),
        *(
            (
                each,
                "This request is not part of a sign-in. This address waits for one sign-in. Nothing was changed. "
                "If you are signing in, go on in the page that the application opened.",
            )
            for each in NOT_FOR_YOU.values()
        ),
    ],
)
def test_a_page_says_this(one: PageAnswer, text: str) -> None:
    page = Reader(one.body)
    assert f"{page.text['h1']} {page.text['p']}" == text


def test_only_a_page_of_ours_takes_the_query_out_of_the_address_bar() -> None:
    """A redirect that went astray can still be copied and pasted."""
    for one in OURS.values():
        assert Reader(one.body).text["script"] == 'history.replaceState(null,"",location.pathname)'
    assert all(b"<script" not in one.body for one in NOT_FOR_YOU.values())


MARKED = "canary%3Cscript%3E"


@pytest.mark.parametrize(
    "data",
    [
        GENUINE,
        request(f"{TARGET}&scope={MARKED}&error_description=javascript:canary"),
        request(f"{TARGET}&error=access_denied&error_description={MARKED}"),
        request(f"/auth/callback?state=canary&error={MARKED}"),
        request(f"/canary?{MARKED}"),
        request(host="canary.example"),
        request(method="CANARY"),
        request(TARGET, "Canary : canary"),
        request(TARGET, "Canary: canary", "Upgrade-Insecure-Requests: 1", version="HTTP/1.0"),
    ],
)
def test_nothing_of_a_request_is_in_its_answer(data: bytes) -> None:
    sent = answer(data)
    fixed = [one.head + one.body for one in ALL.values()]
    assert sent in fixed
    assert b"canary" not in sent.lower()
    one = gate()
    answer(GENUINE, one)
    assert answer(data, one) in fixed


def test_the_pages_are_the_same_bytes_in_every_process() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from codex_oauth_core.receiver.pages import RECEIVED, NOT_FOR_YOU\n"
        "sys.stdout.buffer.write(RECEIVED.head + RECEIVED.body + NOT_FOR_YOU[421].head)"
    )
    paths = [str(ROOT / "core"), str(libraries())]
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, *paths], capture_output=True, check=True)
    assert done.stdout == RECEIVED.head + RECEIVED.body + NOT_FOR_YOU[421].head


def _luminance(colour: str) -> float:
    full = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    parts = [int(full[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["text", "soft", "good", "bad"])
def test_every_text_colour_has_a_contrast_of_seven_to_one(scheme: int, name: str) -> None:
    colours = dict(re.findall(r"--(\w+):#(\w+)", STYLE.split("@media")[scheme]))
    dark, light = sorted(_luminance(colours[one]) for one in (name, "card"))
    assert (light + 0.05) / (dark + 0.05) >= 7
