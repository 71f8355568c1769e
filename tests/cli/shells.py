"""Asks bash, zsh and fish what they would complete, each through its own machinery, set up as help says.

A shell that is not there fails the test that needs it; CODEX_OAUTH_NO_SHELLS=1 leaves such tests out.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from codex_oauth.cli.commands import COMMANDS
from tests.cli.commands import environment

__all__ = ["SHELLS", "Home", "needs"]

SHELLS = ("bash", "zsh", "fish")
_LIMIT = 30

_BASH = """\
{setup}
read -ra COMP_WORDS <<< "$1"
[[ $1 == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
read -r _ _ _ _ function _ < <(complete -p codex-oauth)
$function 2>/dev/null
printf '%s\\n' "${{COMPREPLY[@]}}"
"""

_FISH = "{setup}\ncomplete -C $argv[1]\n"

_ZSH = """\
PROMPT= RPROMPT=
autoload -Uz compinit && compinit -u -d "$HOME/.zcompdump"
{setup}
compadd() {{
  if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -O hits "$@"
  (( $#hits )) && print -rl -- $hits >> "$HOME/hits"
  builtin compadd "$@"
}}
ended() {{ print -n "@@""ended" }}
zle -N ended
bindkey '^I' complete-word
bindkey '^X' ended
print "@@""ready"
"""


def needs(shell: str) -> str:
    """The path of a shell. Fails the test where there is none."""
    if os.environ.get("CODEX_OAUTH_NO_SHELLS") == "1":
        pytest.skip("CODEX_OAUTH_NO_SHELLS=1")
    found = shutil.which(shell)
    if found is None:
        pytest.fail(f"{shell} is not installed; set CODEX_OAUTH_NO_SHELLS=1 to go without")
    return found


class Home:
    """A person's home, with `codex-oauth` on the path, which notes each call, and a folder with files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / "folder"
        self.folder.mkdir()
        (path / "bin").mkdir()
        self._command(path / "bin" / "codex-oauth")
        self.environment = environment(path, TERM="dumb", CODEX_OAUTH_ACCOUNT="acct_of_the_environment")
        self.environment["PATH"] = f"{path / 'bin'}:{self.environment['PATH']}"

    def _command(self, path: Path) -> None:
        call = shlex.join([sys.executable, "-m", "codex_oauth.cli.main"])
        path.write_text(
            f'#!/bin/sh\necho "$*" >> {shlex.quote(str(self.path / "calls"))}\nexec {call} "$@"\n'
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def calls(self) -> list[str]:
        """The arguments of each run of `codex-oauth`."""
        return (self.path / "calls").read_text().splitlines()

    def complete(self, shell: str, line: str, setup: str | None = None) -> set[str]:
        """What `shell` offers at the end of `line`, after the line that help tells to put into its settings."""
        program = needs(shell)
        setup = setup_of(shell) if setup is None else setup
        if shell == "zsh":
            return self._zsh(program, line, setup)
        script = {"bash": _BASH, "fish": _FISH}[shell].format(setup=setup)
        options = {
            "bash": ("--noprofile", "--norc", "-c", script, "bash"),
            "fish": ("--no-config", "-c", script),
        }
        done = subprocess.run(
            [program, *options[shell], line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        assert done.stderr == ""
        return {offer.split("\t")[0] for offer in done.stdout.splitlines() if offer}

    def _zsh(self, program: str, line: str, setup: str) -> set[str]:
        hits = self.path / "hits"
        hits.write_text("")
        (self.path / ".zshrc").write_text(_ZSH.format(setup=setup))
        own = {**self.environment, "ZDOTDIR": str(self.path)}
        child: pexpect.spawn[bytes] = pexpect.spawn(
            program, ["-d", "-i"], cwd=str(self.folder), env=own, timeout=_LIMIT
        )
        child.expect_exact("@@ready")
        assert child.before == b""
        child.send(f"{line}\t\x18")
        child.expect_exact("@@ended")
        child.close(force=True)
        return set(hits.read_text().splitlines())


def setup_of(shell: str) -> str:
    """The line for a shell's settings, as the help of `codex-oauth completion` has it."""
    (example,) = (line for line in COMMANDS["completion"].examples if f" {shell}" in line)
    return example.rpartition("  in ")[0].rstrip()
