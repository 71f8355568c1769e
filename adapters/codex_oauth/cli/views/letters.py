"""Large letters for the code: five by seven dots each, as displays of old have them.

Rules of this file: only what a code of capitals, digits and hyphens needs; a code with anything else is not
drawn large, for what looks like another code is worse than a small one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["large"]

_HEIGHT: Final = 7
_FONT: Final[Mapping[str, str]] = {  # each pair of digits is a column, its lowest bit the top dot
    "0": "3E5149453E", "1": "00427F4000", "2": "4261514946", "3": "2141454B31", "4": "1814127F10",
    "5": "2745454539", "6": "3C4A494930", "7": "0171090503", "8": "3649494936", "9": "064949291E",
    "A": "7E1111117E", "B": "7F49494936", "C": "3E41414122", "D": "7F4141221C", "E": "7F49494941",
    "F": "7F09090901", "G": "3E4149497A", "H": "7F0808087F", "I": "00417F4100", "J": "2040413F01",
    "K": "7F08142241", "L": "7F40404040", "M": "7F020C027F", "N": "7F0408107F", "O": "3E4141413E",
    "P": "7F09090906", "Q": "3E4151215E", "R": "7F09192946", "S": "4649494931", "T": "01017F0101",
    "U": "3F4040403F", "V": "1F2040201F", "W": "3F4038403F", "X": "6314081463", "Y": "0708700807",
    "Z": "6151494543", "-": "0808080808",
}  # fmt: skip
_HALVES: Final = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def large(code: str, *, utf8: bool) -> list[str]:
    """The lines that show `code` large, all of one width; none if it cannot be shown so."""
    if not code or any(char not in _FONT for char in code):
        return []
    columns = [column for char in code for column in (*bytes.fromhex(_FONT[char]), 0)][:-1]
    dots = [[bool(column >> row & 1) for column in columns] for row in range(_HEIGHT)]
    if not utf8:
        return ["".join("#" if dot else " " for dot in row) for row in dots]
    dots.append([False] * len(columns))
    pairs = zip(dots[::2], dots[1::2], strict=True)
    return ["".join(_HALVES[pair] for pair in zip(above, below, strict=True)) for above, below in pairs]
