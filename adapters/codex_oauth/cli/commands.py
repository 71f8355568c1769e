"""Every command of `codex-oauth`, as data: its name, what is said about it, and what loads to run it.

Rules of this file: rows only, in the order in which help shows them; a module is named and not imported, so
that a command loads nothing of another one.
"""

from __future__ import annotations

from codex_oauth_core.registered import SERVICE

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = ["COMMANDS", "EXAMPLES", "EXIT_CODES_IN_HELP", "Command"]


class Command:
    """A command. `arguments`, `run` and `check` are `module:function`; `check` says what is wrong with the
    arguments together. `takes_command`: what follows `--` is a command of the person's own.
    """

    __slots__ = ("about", "arguments", "check", "examples", "help", "name", "run", "takes_command")

    def __init__(  # noqa: PLR0917  # rows of a table
        self,
        name: str,
        help: str,  # noqa: A002  # argparse's name
        about: str,
        examples: tuple[str, ...],
        arguments: str,
        run: str,
        check: str | None = None,
        *,
        takes_command: bool = False,
    ) -> None:
        self.name, self.help, self.about, self.examples = name, help, about, examples
        self.arguments, self.run, self.check = arguments, run, check
        self.takes_command = takes_command


EXAMPLES: Final = (
    "codex-oauth login            sign in, in the way that suits this machine",
    "codex-oauth login --device   sign in with a code, on any device with a browser",
    "codex-oauth status           who is signed in, and until when",
    'curl -H "$(codex-oauth header)" ...   call the API with the login',
    "codex-oauth exec -- CMD      run CMD with the token in CODEX_OAUTH_TOKEN",
    "codex-oauth logout           sign out, here and at the server",
)

EXIT_CODES_IN_HELP: Final = """\
exit codes:
  0 ok   1 unexpected   2 usage   3 denied, expired or refused   4 sign in first
  5 temporary, try again   6 storage   130 interrupted
"""

_ARGUMENTS: Final = "codex_oauth.cli.arguments"
_ACCOUNT: Final = "codex_oauth.cli.account"

_ROWS: Final = (
    Command(
        "login",
        "sign in",
        "Sign in with the browser, or with a code that you type on any device; without a\n"
        "flag, in the way that suits this machine. The login is kept for the other commands.",
        (
            "codex-oauth login",
            "codex-oauth login --device",
            "codex-oauth login start --json   prints an id, the page and the code, and ends",
            "codex-oauth login finish ID      waits for the approval, and keeps the login",
        ),
        f"{_ARGUMENTS}:login_arguments",
        f"{_ARGUMENTS}:run_login_or_step",
        f"{_ARGUMENTS}:check_login",
    ),
    Command(
        "status",
        "say who is signed in, without a network",
        "Say who is signed in, until when, and where the login is kept. No network is used.",
        (
            "codex-oauth status",
            f"codex-oauth status --check   also ask {SERVICE} whether it takes the token",
        ),
        f"{_ARGUMENTS}:status_arguments",
        "codex_oauth.cli.stored:run_status",
    ),
    Command(
        "token",
        "print the access token, and nothing else",
        "Print the access token, and nothing else. It is renewed first if that is due.",
        ("TOKEN=$(codex-oauth token)", "codex-oauth token --json     with the account and the expiry"),
        f"{_ARGUMENTS}:account_command",
        "codex_oauth.cli.stored:run_token",
    ),
    Command(
        "header",
        "print the Authorization header",
        "Print the Authorization header, on one line. The token is renewed first if that\nis due.",
        ('curl -H "$(codex-oauth header)" ...',),
        f"{_ARGUMENTS}:account_command",
        "codex_oauth.cli.stored:run_header",
    ),
    Command(
        "exec",
        "run a command with the token in its environment",
        "Run a command with the access token in its environment, and nowhere else:\n"
        "CODEX_OAUTH_TOKEN holds it, and CODEX_OAUTH_ACCOUNT_ID the account id, if there is\n"
        "one. The exit code is the command's; 127 if it is not there, 126 if it cannot be run.",
        (
            "codex-oauth exec -- python client.py",
            "codex-oauth exec --env OPENAI_API_KEY -- python client.py",
        ),
        f"{_ARGUMENTS}:exec_arguments",
        "codex_oauth.cli.child:run_exec",
        f"{_ARGUMENTS}:check_exec",
        takes_command=True,
    ),
    Command(
        "refresh",
        "renew the login now",
        "Renew the login now, and say what happened.",
        ("codex-oauth refresh", "codex-oauth refresh --if-due   only if the token is near its end"),
        f"{_ARGUMENTS}:refresh_arguments",
        "codex_oauth.cli.renew:run_refresh",
    ),
    Command(
        "logout",
        "end the login at the server, and delete it here",
        "End the login at the server, and delete it here. Other sessions of the account may\nend too.",
        (
            "codex-oauth logout",
            "codex-oauth logout --local   only delete it here",
            "codex-oauth logout --all     every login that is kept here",
        ),
        f"{_ARGUMENTS}:logout_arguments",
        "codex_oauth.cli.logout:run_logout",
        f"{_ARGUMENTS}:check_logout",
    ),
    Command(
        "list",
        "list the logins that are kept here",
        "List the logins that are kept here; `*` marks the one in use.",
        ("codex-oauth list", "codex-oauth list --json"),
        f"{_ARGUMENTS}:store_command",
        f"{_ACCOUNT}:run_list",
    ),
    Command(
        "switch",
        "use another of the logins that are kept here",
        "Use another of the logins that are kept here, from now on.",
        ("codex-oauth switch me@example.com",),
        f"{_ARGUMENTS}:switch_arguments",
        f"{_ACCOUNT}:run_switch",
    ),
    Command(
        "doctor",
        "look for what stands in the way of a sign-in",
        "Look at the clock, the network settings, the ports, the store and the logins on\n"
        "this machine, and say what to do. Only the sign-in server is asked, once, without\n"
        "a token. Exit code: 0 if nothing is a problem, else the gravest problem's: 6\n"
        "storage, 4 login, 3 the server serves nobody here, 5 network, clock or ports, 1\n"
        "anything else. A warning is no problem.",
        ("codex-oauth doctor", "codex-oauth doctor --offline", "codex-oauth doctor --json"),
        f"{_ARGUMENTS}:doctor_arguments",
        "codex_oauth.cli.doctor:run_doctor",
    ),
    Command(
        "import",
        "take the Codex CLI's login",
        "Copy the access token of the Codex CLI, which works until that expires; or take\n"
        "its whole login over.",
        (
            "codex-oauth import --from-codex",
            "codex-oauth import --from-codex --move   the Codex CLI must sign in again",
        ),
        f"{_ARGUMENTS}:import_arguments",
        "codex_oauth.cli.transfer:run_import",
    ),
    Command(
        "export",
        "write the login for the Codex CLI",
        "Write the login as an auth.json of the Codex CLI.",
        ("codex-oauth export --to-codex auth.json",),
        f"{_ARGUMENTS}:export_arguments",
        "codex_oauth.cli.transfer:run_export",
    ),
    Command(
        "trace",
        "show or replay a trace of a login",
        "Show or replay what `codex-oauth login --trace FILE` wrote.",
        (
            "codex-oauth login --trace FILE    write a trace; it holds no secrets",
            "codex-oauth trace show FILE       what happened, and when",
            "codex-oauth trace replay FILE     say whether today's code does the same",
        ),
        f"{_ARGUMENTS}:trace_arguments",
        f"{_ARGUMENTS}:run_trace",
    ),
    Command(
        "fleet",
        "look after the logins of many people in PostgreSQL",
        "Look after the logins of many people in PostgreSQL, which many machines share: make\n"
        "the tables, look at them, renew what is due, and change the key that seals it.",
        (
            "codex-oauth fleet new-key              a key for the end of a key file",
            "codex-oauth fleet migrate              make the tables",
            "codex-oauth fleet check --keys keys    say what is in the database",
            "codex-oauth fleet sweep --keys keys    renew what is due",
        ),
        "codex_oauth.cli.fleet_arguments:fleet_arguments",
        "codex_oauth.cli.fleet_arguments:run_fleet",
    ),
    Command(
        "completion",
        "print the script that completes commands in a shell",
        "Print the script that completes the commands, options and files of codex-oauth\nin a shell.",
        (
            "source <(codex-oauth completion bash)      in ~/.bashrc",
            'eval "$(codex-oauth completion zsh)"       in ~/.zshrc, after compinit',
            "codex-oauth completion fish | source       in ~/.config/fish/config.fish",
        ),
        "codex_oauth.cli.completion:completion",
        "codex_oauth.cli.completion:run_completion",
    ),
    Command(
        "demo",
        "try a sign-in and a model call, with a server of its own",
        "Try it without an account: start a local authorization server, sign in there, make\n"
        "one model call with the login, and delete everything again. It needs the extra\n"
        "authority.",
        ("codex-oauth demo", "codex-oauth demo --approve auto   the server approves by itself"),
        "codex_oauth.cli.demo:demo_arguments",
        "codex_oauth.cli.demo:main",
    ),
    Command(
        "authority",
        "run a local authorization server with fake tokens, for tests and demos",
        "Run a local authorization server with fake tokens, for tests and demos.",
        ("codex-oauth authority --approve auto", "codex-oauth login --device --issuer http://127.0.0.1:PORT"),
        "codex_oauth.cli.authority:add_arguments",
        "codex_oauth.cli.authority:main",
    ),
)

COMMANDS: Final = {row.name: row for row in _ROWS}
"""The commands by their names."""
