"""Where in a text that somebody pasted the address of a redirect may be.

Rules of this file: it only cuts and joins, and judges nothing; what it yields first is what the text most
plainly says, and the number of its guesses is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

__all__ = ["guesses"]

_ESCAPES: Final = r"\\+"  # a shell's: none is legal in a URL
_QUOTES: Final = "\"'`<>()"
_CUTS: Final = '["`<>\u2018-\u201f\u00ab\u00bb]'  # end an address: no browser leaves one in it
_TRAILING: Final = ".,;:!?'()[]{}*_~|\u2026"
_SCHEME: Final = r"https?:/{1,2}"
_HOST: Final = r"(?<![\w.@/%-])(?:localhost|127\.0\.0\.1|\[::1\]):\d"
_QUERY: Final = r"(?<![\w.@/%&=?#+-])(?:/[\w/.-]*)?\??(?:code|state|error|scope|iss)="
_BEGINNING: Final = f"{_SCHEME}|{_HOST}|{_QUERY}"
_ADDRESS: Final = f"[\"'`<(\\[]*(?:{_SCHEME}|{_HOST})"
_MOST_BEGINNINGS: Final = 16
_MOST_WORDS: Final = 48
"""Words that one address is put together from at most: a terminal wraps a long one into so many lines."""


class _Word(NamedTuple):
    text: str
    begins_line: bool


def guesses(text: str) -> Iterator[str]:
    """What may be the address, a query string or `code#state`, most likely first: the whole text, then
    everything in it that begins as such a thing does, also where it is wrapped, quoted, encoded, or followed
    by other words.
    """
    words = _words(text)
    whole = "".join(word.text for word in words)
    if all(word.begins_line for word in words):  # blanks within a line are more than a wrap
        yield whole.strip(_QUOTES)
    yield from _within(words)
    plain = (unquote(text) if "%3d" in text.lower() else text).replace("&amp;", "&")
    if plain != text:
        yield from _within(_words(plain))
    yield whole.strip(_QUOTES)


def _words(text: str) -> list[_Word]:
    lines = (re.sub(_ESCAPES, "", line).split() for line in text.splitlines())
    return [_Word(word, number == 0) for line in lines for number, word in enumerate(line)]


def _within(words: list[_Word]) -> Iterator[str]:
    beginnings = 0
    for number, word in enumerate(words):
        if "#" in word.text:
            yield word.text.strip(_QUOTES + _TRAILING)
        for match in re.finditer(_BEGINNING, word.text, re.IGNORECASE):
            beginnings += 1
            if beginnings > _MOST_BEGINNINGS:
                return
            yield from _from(words[number : number + _MOST_WORDS], match.start())


def _from(words: list[_Word], offset: int) -> Iterator[str]:
    """What begins at `offset` in the first word, and goes on over as many words as belong to it. A line that
    follows is more likely a part of it than a word that follows, and the next address never is.
    """
    end = next(
        (at for at, word in enumerate(words) if at and re.match(_ADDRESS, word.text, re.IGNORECASE)),
        len(words),
    )
    begin = 1
    while begin <= end:
        stop = next((at for at in range(begin, end) if not words[at].begins_line), end)
        for last in range(stop, begin - 1, -1):
            yield _trimmed("".join(word.text for word in words[:last])[offset:])
        begin = stop + 1


def _trimmed(text: str) -> str:
    """Without what stands around an address in a sentence, in brackets or in quotes."""
    return re.split(_CUTS, text, maxsplit=1)[0].rstrip(_TRAILING)
