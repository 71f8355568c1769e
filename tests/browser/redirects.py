"""A sign-in that waits, and its redirect in the shapes that people paste."""

from __future__ import annotations

from typing import Final

from codex_oauth_core import CallbackRule, Secret

STATE: Final = "canary-state-0123456789-0123456789-012345678"
CODE: Final = "canary-code"
RULE: Final = CallbackRule(
    "http://localhost:1455/auth/callback", Secret(STATE), (), "https://auth.openai.com"
)
QUERY: Final = f"code={CODE}&state={STATE}"
URL: Final = f"http://localhost:1455/auth/callback?{QUERY}"
WRONG: Final = "http://localhost:1455/auth/callback?code=x&state=of-another"

SHAPES: Final = {
    "a URL": f"{URL}\n",
    "a query string": f"{QUERY}\n",
    "code#state": f"{CODE}#{STATE}\n",
    "CRLF": f"{URL}\r\n",
    "CR only": f"{URL}\r",
    "quotes": f"  '{URL}'  \n",
    "wrapped": f"{URL[:30]}\n{URL[30:60]}\r\n  {URL[60:]}\n",
    "bracketed": f"\x1b[200~{URL}\x1b[201~\n",
    "bracketed and wrapped": f"\x1b[200~{URL[:50]}\n{URL[50:]}\n\x1b[201~\n",
    "blank lines around it": f"\n\n{URL}\n\n",
    "5 kB": f"{URL}&scope={'x' * 5000}\n",
    "corrected by hand": f"oops\x7f\x7f\x7f\x7f{URL}z\x08\n",
    "begun anew": f"something else\x15{URL}\n",
    "without its scheme": f"localhost:1455/auth/callback?{QUERY}\n",
    "in a sentence": f"here it is: {URL}.\n",
    "a command": f"curl '{URL}'\n",
    "with https": f"{URL.replace('http:', 'https:')}\n",
    "after an arrow key": f"\x1b[A\x1bOB{URL}\n",
}
"""Each ends as a person ends it, with Enter."""
