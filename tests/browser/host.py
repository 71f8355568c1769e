"""A program with a sign-in in it: run as a child in a terminal, it waits for a paste and then goes on.

Its argument says how it ends: `goes-on` reads a line of its own, whatever ended the wait; `crashes` raises
without stopping the source; `exits` forgets the source.
"""

from __future__ import annotations

import sys
import threading

from codex_oauth import PasteSource
from codex_oauth.browser.paste import EXPLANATIONS
from codex_oauth_core.callback import Accepted, Reason
from tests.browser.redirects import RULE


def say(text: str) -> None:
    print(text, flush=True)


def explain(reason: Reason) -> None:
    say(EXPLANATIONS[reason])


def main(ending: str) -> None:
    done = threading.Event()

    def accept(accepted: Accepted) -> None:
        done.set()

    source = PasteSource(explain)
    source.start(RULE, accept)
    say("paste:")
    if ending == "crashes":
        raise RuntimeError("on purpose")
    if ending == "exits":
        return
    try:
        while not done.wait(0.05):
            pass
        say("signed in")
    except KeyboardInterrupt:
        say("interrupted")
    finally:
        source.stop()
    say(f"got {input('> ')!r}")


if __name__ == "__main__":
    main(sys.argv[1])
