"""The one style sheet of the authority's pages, and the hash by which their policy allows it.

Rules of this file: system fonts, no image, no script, no motion; text contrast is at least 4.5 to 1 in
both colour schemes, and borders of controls 3 to 1 (WCAG 2.2 §1.4.3 and §1.4.11).
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

__all__ = ["FAVICON", "STYLE", "STYLE_HASH"]

STYLE: Final = """
:root{color-scheme:light dark;
--ground:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#57606a;--line:#d8dce1;--edge:#7d8590;
--accent:#0b5cad;--on-accent:#fff;--accent-deep:#084a8c;
--warn:#fff4d6;--warn-text:#5c4300;--warn-line:#e6c667;--bad:#a8071a;--good:#116329}
@media (prefers-color-scheme:dark){:root{
--ground:#0f1216;--card:#181c22;--text:#e8ebef;--soft:#a5aeb9;--line:#2d343d;--edge:#7a8591;
--accent:#7db7ff;--on-accent:#06203d;--accent-deep:#a3cdff;
--warn:#2b2410;--warn-text:#f3dc9c;--warn-line:#6b5a22;--bad:#ff9a9a;--good:#7fdc9a}}
*{box-sizing:border-box}
html{font:100%/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
body{margin:0;min-height:100vh;background:var(--ground);color:var(--text);overflow-wrap:anywhere}
.banner{margin:0;padding:.55rem 1rem;background:var(--warn);color:var(--warn-text);
border-bottom:1px solid var(--warn-line);text-align:center;font-size:.9rem}
main{max-width:28rem;margin:clamp(1rem,8vh,5rem) auto 2rem;padding:clamp(1.25rem,6vw,2.25rem);
background:var(--card);border:1px solid var(--line);border-radius:14px;width:calc(100% - 1.5rem)}
h1{margin:0 0 .75rem;font-size:1.45rem;line-height:1.25;letter-spacing:-.01em;text-wrap:balance}
p{margin:0 0 1rem}
main>:last-child{margin-bottom:0}
.soft{color:var(--soft)}
.problem{color:var(--bad);font-weight:600}
.mark{display:block;margin:0 0 1rem;width:2.5rem;height:2.5rem;border-radius:50%;
border:2px solid currentColor;text-align:center;line-height:2.25rem;font-size:1.25rem;font-weight:700}
.good{color:var(--good)}.bad{color:var(--bad)}
label{display:block;margin:0 0 .35rem;font-weight:600}
input{display:block;width:100%;min-height:3.25rem;padding:.5rem .75rem;margin:0 0 .4rem;
font:600 1.35rem/1.2 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
letter-spacing:.14em;text-align:center;text-transform:uppercase;
color:inherit;background:transparent;border:1px solid var(--edge);border-radius:9px}
input[aria-invalid]{border-color:var(--bad);border-width:2px}
.hint{margin:0 0 1.25rem;font-size:.9rem;color:var(--soft)}
dl{margin:0 0 1.25rem;border-top:1px solid var(--line)}
dl div{padding:.6rem 0;border-bottom:1px solid var(--line)}
dt{font-size:.85rem;color:var(--soft)}
dd{margin:0;font-weight:500}
dd small{display:block;overflow-wrap:anywhere;font-size:.85rem;font-weight:400;color:var(--soft)}
code{font:600 1.1rem/1.4 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
letter-spacing:.08em}
.care{margin:0 0 1.25rem;padding:.75rem .9rem;border-left:4px solid var(--warn-line);
background:var(--warn);color:var(--warn-text);border-radius:0 9px 9px 0}
.choice{display:flex;flex-wrap:wrap;gap:.75rem}
button{flex:1 1 8rem;width:100%;min-height:2.9rem;padding:.5rem 1rem;font:inherit;font-weight:600;
border-radius:9px;border:1px solid var(--edge);background:transparent;color:inherit;cursor:pointer}
button.main{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
button.main:hover{background:var(--accent-deep);border-color:var(--accent-deep)}
button:not(.main):hover{background:var(--ground)}
a{color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
""".strip()

STYLE_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

FAVICON: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    b'<circle cx="16" cy="16" r="14" fill="#0b5cad"/>'
    b'<path d="M10 16.5l4.2 4.2L22.5 12" fill="none" stroke="#fff" stroke-width="3.2"'
    b' stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
