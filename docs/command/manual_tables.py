"""What the manual page says that no parser knows: variables, files, exit codes, examples.

Rules of this file: rows only; a name that the code has is taken from the code, and a test finds what is
left out.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from codex_oauth.cli import errors
from codex_oauth.cli.arguments import DEFAULT_VARIABLE, PROVIDER_VARIABLE
from codex_oauth.cli.child import ACCOUNT_ID_VARIABLE
from codex_oauth.cli.fast import ACCOUNT_VARIABLE
from codex_oauth.cli.fleet_arguments import DSN_VARIABLE, KEYS_VARIABLE
from codex_oauth.default_provider import ISSUER_VARIABLE
from codex_oauth.stores.names import CURRENT, HOME_VARIABLE, HOST_ID, LOGINS, REGISTRATIONS

__all__ = ["DESCRIPTION", "EXIT_STATUS", "FILES", "SEE_ALSO", "VARIABLES"]

DESCRIPTION: Final = (
    "codex-oauth signs in with ChatGPT (Codex), stores the login, renews it, and gives its access token to "
    "other programs.",
    "Results are printed on stdout, everything else on stderr. With --json a result, or the error, is one "
    "JSON document a line. A secret is printed by the commands token, header and fleet new-key only.",
)
"""Paragraphs."""

VARIABLES: Final = MappingProxyType(
    {
        HOME_VARIABLE: "The directory of the logins, an absolute path. --store comes first.",
        ACCOUNT_VARIABLE: "The account to use, as with --account, which comes first.",
        ISSUER_VARIABLE: "The authorization server that login signs in at: https, or http on a loopback "
        "address. --issuer comes first.",
        PROVIDER_VARIABLE: "The provider that login signs in at, codex or chatgpt. --provider comes first. "
        "Set by exec: that of the token.",
        DEFAULT_VARIABLE: "Set by exec: the access token, in the environment of the command that it runs.",
        ACCOUNT_ID_VARIABLE: "Set by exec: the account id of that token.",
        DSN_VARIABLE: "The database of the fleet commands. --dsn comes first.",
        KEYS_VARIABLE: "The keys of the fleet commands, with spaces or commas between them: the first "
        "encrypts. --keys comes first.",
        "CODEX_OAUTH_DEBUG": "If set, a fault of this program shows a traceback. Look through it before you "
        "share it.",
        "CODEX_HOME": "The directory of the Codex CLI, for import; default: ~/.codex",
        "XDG_STATE_HOME": "The user's state directory, an absolute path; default on Linux: ~/.local/state",
        "BROWSER": "The programs that login tries to open a page with, before the usual ones.",
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY": "The proxy of a request, and the hosts without one.",
        "CODEX_CA_CERTIFICATE, SSL_CERT_FILE, SSL_CERT_DIR": "Root certificates in place of the system's. "
        "The first comes before the second.",
        "SSLKEYLOGFILE": "A file for the keys of TLS connections, to look into them.",
        "CI": "If set, and neither 0 nor false, login needs --device or --browser.",
        "NO_COLOR, CLICOLOR, CLICOLOR_FORCE": "Whether there are colours. --color comes first.",
        "ACCESSIBLE": "If set, and not 0, login prints plain lines, as with --accessible.",
    }
)
"""Each variable, and what it is for."""

FILES: Final = MappingProxyType(
    {
        "~/.local/state/codex-oauth": "The directory of the logins on Linux, if no other is named. The "
        "command status shows it. Only its owner can read it.",
        f"{LOGINS}/ACCOUNT.json": "In it: a login. It holds secrets.",
        f"{REGISTRATIONS}/CLIENT_ID.json": "In it: a client id that a server issued to this program.",
        HOST_ID: "In it: the name of this machine at such servers. Do not copy it to another machine.",
        CURRENT: "In it: the key of the login in use.",
        "~/.codex/auth.json": "The login of the Codex CLI, which import takes.",
    }
)
"""Each file, and what is in it."""

EXIT_STATUS: Final = MappingProxyType(
    {
        errors.OK: "Done.",
        errors.UNEXPECTED: "A fault of this program, or the output could not be written.",
        errors.USAGE: "An option or argument that the command does not take, or a setting of this "
        "machine that cannot be used.",
        errors.REFUSED: "Denied, expired or refused.",
        errors.LOGIN_REQUIRED: "There is no usable login: sign in (again).",
        errors.TEMPORARY: "No answer, or one that could not be used. Try again later.",
        errors.STORAGE: "The login could not be read from disk or written to it.",
        errors.INTERRUPTED: "Interrupted.",
    }
)
"""Each exit code, and what it says. That of exec is its command's."""

SEE_ALSO: Final = ("curl(1)", "ssh(1)")
