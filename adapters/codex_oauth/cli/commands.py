"""Every command of `codex-oauth`, as data: its name, what is said about it, and what loads to run it.

Rules of this file: rows only, in the order in which help shows them; a module is named and not imported, so
that a command loads nothing of another one.
"""

from __future__ import annotations

from codex_oauth_core.registered import SERVICE

TYPE_CHECKING = False  # as typing's, without loading typing
if TYPE_CHECKING:
    from typing import Final

__all__ = ["COMMANDS", "EXAMPLES", "EXIT_CODES_IN_HELP", "STEPS", "Command"]


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
    "codex-oauth status           show who is signed in, and until when",
    "codex-oauth header --curl | curl -K - URL   send a request with the login",
    "codex-oauth exec -- CMD      run CMD with the token in CODEX_OAUTH_TOKEN",
    "codex-oauth logout           sign out, here and at the server",
)

EXIT_CODES_IN_HELP: Final = """\
`codex-oauth help COMMAND` shows the help of a command.

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
        "Sign in with the browser, or with a code that you type on any device. Without a\n"
        "flag codex-oauth chooses what suits this machine. The login is stored for the\n"
        "other commands.",
        (
            "codex-oauth login",
            "codex-oauth login --device",
            "codex-oauth login start --json   print an id, the page and the code, and end",
            "codex-oauth login finish ID      wait for the approval, and store the login",
        ),
        f"{_ARGUMENTS}:login_arguments",
        f"{_ARGUMENTS}:run_login_or_step",
        f"{_ARGUMENTS}:check_login",
    ),
    Command(
        "whoami",
        "print the name of the account",
        "Print the email address and the plan of the account that is signed in. No network\n"
        "is used. Exit code 4 if the login cannot be used, or there is none.",
        ("codex-oauth whoami", "codex-oauth whoami --json"),
        f"{_ARGUMENTS}:account_command",
        "codex_oauth.cli.stored:run_whoami",
    ),
    Command(
        "status",
        "show the login, without a network",
        "Show who is signed in, until when, and where the login is stored. No network is\nused.",
        (
            "codex-oauth status",
            f"codex-oauth status --check   also ask {SERVICE} whether it takes the token",
        ),
        f"{_ARGUMENTS}:status_arguments",
        "codex_oauth.cli.stored:run_status",
    ),
    Command(
        "token",
        "print the access token",
        "Print the access token, and nothing else. It is renewed first if it is about to\nexpire.",
        ("TOKEN=$(codex-oauth token)", "codex-oauth token --json     with the account and the expiry"),
        f"{_ARGUMENTS}:account_command",
        "codex_oauth.cli.stored:run_token",
    ),
    Command(
        "header",
        "print the headers of a request",
        "Print the Authorization header on one line, or all headers that the service wants.\n"
        "The token is renewed first if it is about to expire.",
        (
            'curl -H "$(codex-oauth header)" URL',
            "codex-oauth header --all     also the account and the name of the program",
            "codex-oauth header --curl | curl -K - URL",
        ),
        f"{_ARGUMENTS}:header_arguments",
        "codex_oauth.cli.stored:run_header",
    ),
    Command(
        "exec",
        "run a program with the token in its environment",
        "Run a program with the access token in its environment, and nowhere else.\n"
        "CODEX_OAUTH_TOKEN holds the token. CODEX_OAUTH_ACCOUNT_ID holds the account id, if\n"
        "there is one. The exit code is the one of the program: 127 if it was not found,\n"
        "126 if it could not be run.",
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
        "Renew the login now, and show what happened.",
        ("codex-oauth refresh", "codex-oauth refresh --if-due   only if the token is about to expire"),
        f"{_ARGUMENTS}:refresh_arguments",
        "codex_oauth.cli.renew:run_refresh",
    ),
    Command(
        "logout",
        "sign out, here and at the server",
        "End the login at the server, and delete it here. Other sessions of the account may\nend too.",
        (
            "codex-oauth logout",
            "codex-oauth logout --local   only delete it here",
            "codex-oauth logout --all     every login that is stored here",
        ),
        f"{_ARGUMENTS}:logout_arguments",
        "codex_oauth.cli.logout:run_logout",
        f"{_ARGUMENTS}:check_logout",
    ),
    Command(
        "list",
        "list the stored logins",
        "List the stored logins. `*` marks the one in use.",
        ("codex-oauth list", "codex-oauth list --json"),
        f"{_ARGUMENTS}:store_command",
        f"{_ACCOUNT}:run_list",
    ),
    Command(
        "switch",
        "use another of the stored logins",
        "Use another of the stored logins, from now on.",
        ("codex-oauth switch me@example.com",),
        f"{_ARGUMENTS}:switch_arguments",
        f"{_ACCOUNT}:run_switch",
    ),
    Command(
        "doctor",
        "find out why a sign-in fails",
        "Check the clock, the network settings, the ports, the store and the logins of this\n"
        "machine, and show what to do. One request goes to the sign-in server, without a\n"
        "token. The exit code is 0 without a problem, else the one of the worst problem:\n"
        "6 storage, 4 login, 3 the service is not available here, 5 network, clock or\n"
        "ports, 1 anything else. A warning is no problem.",
        ("codex-oauth doctor", "codex-oauth doctor -v", "codex-oauth doctor --offline"),
        f"{_ARGUMENTS}:doctor_arguments",
        "codex_oauth.cli.doctor:run_doctor",
    ),
    Command(
        "import",
        "take the login of the Codex CLI",
        "Copy the access token of the Codex CLI, which works until it expires. Or take over\n"
        "the whole login.",
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
        "Show or replay the file that `codex-oauth login --trace FILE` wrote.",
        (
            "codex-oauth login --trace FILE    write a trace, which holds no secrets",
            "codex-oauth trace show FILE       show what happened, and when",
            "codex-oauth trace replay FILE     check that this version does the same",
        ),
        f"{_ARGUMENTS}:trace_arguments",
        f"{_ARGUMENTS}:run_trace",
    ),
    Command(
        "fleet",
        "manage the logins of many people in PostgreSQL",
        "Manage the logins of many people in a PostgreSQL database, which many machines\n"
        "share: make its tables, check it, renew logins, and change the key that encrypts\n"
        "them.",
        (
            "codex-oauth fleet new-key              print a new line for a key file",
            "codex-oauth fleet migrate              make or update the tables",
            "codex-oauth fleet check --keys keys    show what is in the database",
            "codex-oauth fleet sweep --keys keys    renew the logins that need it",
        ),
        "codex_oauth.cli.fleet_arguments:fleet_arguments",
        "codex_oauth.cli.fleet_arguments:run_fleet",
    ),
    Command(
        "completion",
        "print a script that completes commands in a shell",
        "Print the script that completes the commands, options and files of codex-oauth in\na shell.",
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
        (
            "codex-oauth authority --approve auto",
            "codex-oauth login --device --issuer http://127.0.0.1:PORT --store fake-logins",
        ),
        "codex_oauth.cli.authority:add_arguments",
        "codex_oauth.cli.authority:main",
    ),
)

COMMANDS: Final = {row.name: row for row in _ROWS}
"""The commands by their names."""

_STEPS: Final = (
    Command(
        "login start",
        "begin a sign-in that another process finishes",
        "Begin a sign-in with a device code, print its id, the page and the code, and end.\n"
        "Another process finishes it: codex-oauth login finish ID.",
        ("codex-oauth login start", "codex-oauth login start --json"),
        f"{_ARGUMENTS}:start_arguments",
        f"{_ARGUMENTS}:run_login_or_step",
    ),
    Command(
        "login finish",
        "wait for the approval, and store the login",
        "Wait until the sign-in that `codex-oauth login start` began is approved, and store\nthe login.",
        ("codex-oauth login finish ID", "codex-oauth login finish ID --json"),
        f"{_ARGUMENTS}:finish_arguments",
        f"{_ARGUMENTS}:run_login_or_step",
    ),
)

STEPS: Final = {row.name: row for row in _STEPS}
"""The two steps of `login`, which have a page of help each."""
