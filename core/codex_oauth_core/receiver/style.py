"""The style and the script of the pages, and the hashes by which their policy allows both.

Rules of this file: system fonts, no image, no motion, nothing loaded; text contrast is at least 7 to 1 in
both colour schemes (WCAG 2.2 §1.4.6), and the page fits 320 CSS pixels (§1.4.10).
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

__all__ = ["SCRIPT", "SCRIPT_HASH", "STYLE", "STYLE_HASH"]

STYLE: Final = """
:root{color-scheme:light dark;
--ground:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#434b54;--line:#d8dce1;--good:#0f5425;--bad:#8f0616}
@media (prefers-color-scheme:dark){:root{
--ground:#0f1216;--card:#181c22;--text:#e8ebef;--soft:#b9c1cb;--line:#2d343d;--good:#8ce0a5;--bad:#ffb0b0}}
*{box-sizing:border-box}
html{font:100%/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
body{margin:0;min-height:100vh;background:var(--ground);color:var(--text);overflow-wrap:anywhere}
main{width:calc(100% - 1.5rem);max-width:28rem;margin:clamp(.75rem,14vh,9rem) auto;
padding:clamp(1.25rem,6vw,2.25rem);background:var(--card);border:1px solid var(--line);border-radius:14px}
.mark{display:block;width:2.5rem;height:2.5rem;margin:0 0 1rem;border:2px solid;border-radius:50%;
color:var(--soft);text-align:center;line-height:2.25rem;font-size:1.25rem;font-weight:700}
.good{color:var(--good)}.bad{color:var(--bad)}
h1{margin:0 0 .75rem;font-size:1.45rem;line-height:1.25;letter-spacing:-.01em;text-wrap:balance}
p{margin:0;color:var(--soft)}
""".strip()

SCRIPT: Final = 'history.replaceState(null,"",location.pathname)'
"""Takes the query, and with it the code and the state, out of the address bar and the history
(RFC 9700 §4.3).
"""


def _hash(text: str) -> str:
    """The source expression that allows an inline element (CSP level 3 §2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


STYLE_HASH: Final = _hash(STYLE)
SCRIPT_HASH: Final = _hash(SCRIPT)
