# Completes codex-oauth in fish. Written by docs/command/write.py; do not edit.


# Parse current commandline:
# - _codex_oauth_cmdpath=(sub)command path seen so far
# - _codex_oauth_npos=number of positional arguments given after it
# - options are skipped based on _codex_oauth_opts_with_value & _codex_oauth_commands lists
function _codex_oauth_scan
  set -g _codex_oauth_cmdpath ''
  set -g _codex_oauth_npos 0
  set -l tokens (commandline -opc)
  set -e tokens[1]
  set -l expect_value 0
  for t in $tokens
    if test $expect_value -eq 1
      set expect_value 0
      continue
    end
    switch "$t"
      case '--*=*'
        continue
      case '-*'
        if contains -- $t $_codex_oauth_opts_with_value
          set expect_value 1
        end
        continue
      case '*'
        if test $_codex_oauth_npos -eq 0
          set -l candidate $t
          if test -n "$_codex_oauth_cmdpath"
            set candidate "$_codex_oauth_cmdpath $t"
          end
          if contains -- $candidate $_codex_oauth_commands
            set -g _codex_oauth_cmdpath $candidate
            continue
          end
        end
        set -g _codex_oauth_npos (math $_codex_oauth_npos + 1)
    end
  end
end

# Condition helper: true if the current (sub)command path equals the given one.
function _codex_oauth_using
  _codex_oauth_scan
  test "$_codex_oauth_cmdpath" = "$argv"
end

set -g _codex_oauth_commands login whoami status token header exec refresh logout list switch doctor import export trace 'trace show' 'trace replay' fleet 'fleet new-key' 'fleet migrate' 'fleet check' 'fleet sweep' 'fleet reseal' 'fleet sign-ins' completion demo authority
set -g _codex_oauth_opts_with_value --account --app-name --approve --approve-after --color --dsn --env --every --faults --from-codex --html --interval --issuer --keys --lifetime --max-per-second --max-requests --models --port --provider --room --spool --store --tenant --to-codex --trace --url-file

complete -c codex-oauth -e
complete -c codex-oauth -f

complete -c codex-oauth -n _codex_oauth_using -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n _codex_oauth_using -s V -l version -d 'show the version'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a login -d 'sign in'
complete -c codex-oauth -n '_codex_oauth_using login' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using login' -l provider -xka "codex chatgpt" -d 'codex: the sign-in of the Codex CLI, for yourself; chatgpt: the official sign-in, for open-source tools; default: CODEX_OAUTH_PROVIDER, else codex'
complete -c codex-oauth -n '_codex_oauth_using login' -l enable-plan -d 'chatgpt only: ask again whether this application may use the plan'
complete -c codex-oauth -n '_codex_oauth_using login' -l register-anew -d 'chatgpt only: register again, for another person or workspace; the old registration stays'
complete -c codex-oauth -n '_codex_oauth_using login' -l app-name -x -d 'chatgpt only: the name of the application, which the person sees; default: codex-oauth'
complete -c codex-oauth -n '_codex_oauth_using login' -l device -d 'sign in with a code, which you type on any device'
complete -c codex-oauth -n '_codex_oauth_using login' -l browser -d 'sign in with the browser on this machine'
complete -c codex-oauth -n '_codex_oauth_using login' -l no-open -d 'print the address of the page, and do not open it'
complete -c codex-oauth -n '_codex_oauth_using login' -l paste -d 'also accept the address of the last page, pasted here'
complete -c codex-oauth -n '_codex_oauth_using login' -l port -x -d 'the local port for the answer of the browser; with codex only 1455 or 1457'
complete -c codex-oauth -n '_codex_oauth_using login' -l issuer -x -d 'another authorization server: https, or http on this machine; default: CODEX_OAUTH_ISSUER'
complete -c codex-oauth -n '_codex_oauth_using login' -l account -x -d 'the account to sign in: an email address, an account id, a user id, or the beginning of a key'
complete -c codex-oauth -n '_codex_oauth_using login' -l yes -d 'store the login even if it is not the one of --account'
complete -c codex-oauth -n '_codex_oauth_using login' -l revoke-old -d 'end the replaced login at the server; other sessions of its account may end too'
complete -c codex-oauth -n '_codex_oauth_using login' -l trace -xka "(__fish_complete_path (commandline -ct))" -d 'write a trace to this new file, without secrets: see `codex-oauth trace`'
complete -c codex-oauth -n '_codex_oauth_using login' -l qr -d 'also show a QR code of the page, if the terminal can'
complete -c codex-oauth -n '_codex_oauth_using login' -l copy -d 'copy the code, or the address of the page, to the clipboard'
complete -c codex-oauth -n '_codex_oauth_using login' -l accessible -d 'plain lines, for screen readers; also with ACCESSIBLE=1'
complete -c codex-oauth -n '_codex_oauth_using login' -l color -xka "auto always never" -d 'colours: auto, always or never; default: auto, with NO_COLOR and CLICOLOR_FORCE'
complete -c codex-oauth -n '_codex_oauth_using login' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using login' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using login' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using login' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using login; and test $_codex_oauth_npos -eq 0' -ka "start finish" -d 'sign in with a device code in two steps: `start` prints an id, `finish ID` stores the login'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a whoami -d 'print the name of the account'
complete -c codex-oauth -n '_codex_oauth_using whoami' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using whoami' -l account -x -d 'the account: an email address, an account id, a user id, or the beginning of a key; default: CODEX_OAUTH_ACCOUNT, else the account in use'
complete -c codex-oauth -n '_codex_oauth_using whoami' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using whoami' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using whoami' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using whoami' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a status -d 'show the login, without a network'
complete -c codex-oauth -n '_codex_oauth_using status' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using status' -l check -d 'also ask ChatGPT, once, whether it takes the access token'
complete -c codex-oauth -n '_codex_oauth_using status' -l account -x -d 'the account: an email address, an account id, a user id, or the beginning of a key; default: CODEX_OAUTH_ACCOUNT, else the account in use'
complete -c codex-oauth -n '_codex_oauth_using status' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using status' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using status' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using status' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a token -d 'print the access token'
complete -c codex-oauth -n '_codex_oauth_using token' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using token' -l account -x -d 'the account: an email address, an account id, a user id, or the beginning of a key; default: CODEX_OAUTH_ACCOUNT, else the account in use'
complete -c codex-oauth -n '_codex_oauth_using token' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using token' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using token' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using token' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a header -d 'print the headers of a request'
complete -c codex-oauth -n '_codex_oauth_using header' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using header' -l all -d 'every header that the service wants, one a line'
complete -c codex-oauth -n '_codex_oauth_using header' -l curl -d 'the same as a configuration for curl -K -'
complete -c codex-oauth -n '_codex_oauth_using header' -l account -x -d 'the account: an email address, an account id, a user id, or the beginning of a key; default: CODEX_OAUTH_ACCOUNT, else the account in use'
complete -c codex-oauth -n '_codex_oauth_using header' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using header' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using header' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using header' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a exec -d 'run a program with the token in its environment'
complete -c codex-oauth -n '_codex_oauth_using exec' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using exec' -l env -x -d 'the variable for the token; default: CODEX_OAUTH_TOKEN'
complete -c codex-oauth -n '_codex_oauth_using exec' -l account -x -d 'the account: an email address, an account id, a user id, or the beginning of a key; default: CODEX_OAUTH_ACCOUNT, else the account in use'
complete -c codex-oauth -n '_codex_oauth_using exec' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using exec' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using exec' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using exec' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a refresh -d 'renew the login now'
complete -c codex-oauth -n '_codex_oauth_using refresh' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using refresh' -l if-due -d 'only if the token is about to expire'
complete -c codex-oauth -n '_codex_oauth_using refresh' -l account -x -d 'the account: an email address, an account id, a user id, or the beginning of a key; default: CODEX_OAUTH_ACCOUNT, else the account in use'
complete -c codex-oauth -n '_codex_oauth_using refresh' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using refresh' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using refresh' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using refresh' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a logout -d 'sign out, here and at the server'
complete -c codex-oauth -n '_codex_oauth_using logout' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using logout' -l local -d 'only delete it here'
complete -c codex-oauth -n '_codex_oauth_using logout' -l all -d 'every login that is stored here'
complete -c codex-oauth -n '_codex_oauth_using logout' -l account -x -d 'the account: an email address, an account id, a user id, or the beginning of a key; default: CODEX_OAUTH_ACCOUNT, else the account in use'
complete -c codex-oauth -n '_codex_oauth_using logout' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using logout' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using logout' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using logout' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a list -d 'list the stored logins'
complete -c codex-oauth -n '_codex_oauth_using list' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using list' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using list' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using list' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using list' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a switch -d 'use another of the stored logins'
complete -c codex-oauth -n '_codex_oauth_using switch' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using switch' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using switch' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using switch' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using switch' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a doctor -d 'find out why a sign-in fails'
complete -c codex-oauth -n '_codex_oauth_using doctor' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using doctor' -l offline -d 'send no request: skip the server and the clock'
complete -c codex-oauth -n '_codex_oauth_using doctor' -l issuer -x -d 'another authorization server: https, or http on this machine; default: CODEX_OAUTH_ISSUER'
complete -c codex-oauth -n '_codex_oauth_using doctor' -l color -xka "auto always never" -d 'colours: auto, always or never; default: auto, with NO_COLOR and CLICOLOR_FORCE'
complete -c codex-oauth -n '_codex_oauth_using doctor' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using doctor' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using doctor' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using doctor' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a import -d 'take the login of the Codex CLI'
complete -c codex-oauth -n '_codex_oauth_using import' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using import' -l from-codex -xka "(__fish_complete_path (commandline -ct))" -d 'the auth.json of the Codex CLI; default: in CODEX_HOME, else in ~/.codex'
complete -c codex-oauth -n '_codex_oauth_using import' -l move -d 'take over the whole login, and renew it: the Codex CLI must sign in again'
complete -c codex-oauth -n '_codex_oauth_using import' -l force -d 'replace a login of the same account that can be renewed'
complete -c codex-oauth -n '_codex_oauth_using import' -l yes -d 'do not ask'
complete -c codex-oauth -n '_codex_oauth_using import' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using import' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using import' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using import' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a export -d 'write the login for the Codex CLI'
complete -c codex-oauth -n '_codex_oauth_using export' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using export' -l to-codex -xka "(__fish_complete_path (commandline -ct))" -d 'the auth.json to write; it works until the access token expires'
complete -c codex-oauth -n '_codex_oauth_using export' -l include-refresh -d 'also write the refresh token: from then on only that copy may renew the login'
complete -c codex-oauth -n '_codex_oauth_using export' -l force -d 'replace the file if it exists'
complete -c codex-oauth -n '_codex_oauth_using export' -l yes -d 'do not ask'
complete -c codex-oauth -n '_codex_oauth_using export' -l account -x -d 'the account: an email address, an account id, a user id, or the beginning of a key; default: CODEX_OAUTH_ACCOUNT, else the account in use'
complete -c codex-oauth -n '_codex_oauth_using export' -l store -xka "(__fish_complete_directories)" -d 'the directory of the logins; default: CODEX_OAUTH_HOME, else the user'"'"'s state directory'
complete -c codex-oauth -n '_codex_oauth_using export' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using export' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using export' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a trace -d 'show or replay a trace of a login'
complete -c codex-oauth -n '_codex_oauth_using trace' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using trace; and test $_codex_oauth_npos -eq 0' -a show -d 'show what happened, and when'
complete -c codex-oauth -n '_codex_oauth_using trace show' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using trace show' -l html -xka "(__fish_complete_path (commandline -ct))" -d 'write an HTML page with the states and the times to this file instead'
complete -c codex-oauth -n '_codex_oauth_using trace show' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using trace show; and test $_codex_oauth_npos -eq 0' -ka "(__fish_complete_path (commandline -ct))" -d 'the trace to read'
complete -c codex-oauth -n '_codex_oauth_using trace; and test $_codex_oauth_npos -eq 0' -a replay -d 'check that this version does the same'
complete -c codex-oauth -n '_codex_oauth_using trace replay' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using trace replay' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using trace replay; and test $_codex_oauth_npos -eq 0' -ka "(__fish_complete_path (commandline -ct))" -d 'the trace to read'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a fleet -d 'manage the logins of many people in PostgreSQL'
complete -c codex-oauth -n '_codex_oauth_using fleet' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using fleet; and test $_codex_oauth_npos -eq 0' -a new-key -d 'print a new key'
complete -c codex-oauth -n '_codex_oauth_using fleet new-key' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using fleet new-key' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using fleet new-key' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using fleet new-key' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using fleet; and test $_codex_oauth_npos -eq 0' -a migrate -d 'make or update the tables'
complete -c codex-oauth -n '_codex_oauth_using fleet migrate' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using fleet migrate' -l dsn -x -d 'the PostgreSQL database: postgresql://USER@HOST/NAME, or host=... dbname=...; default: CODEX_OAUTH_DSN. Other users can see what you type here: put a password into the variable, or ~/.pgpass'
complete -c codex-oauth -n '_codex_oauth_using fleet migrate' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using fleet migrate' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using fleet migrate' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using fleet; and test $_codex_oauth_npos -eq 0' -a check -d 'check a database, and show what is in it'
complete -c codex-oauth -n '_codex_oauth_using fleet check' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using fleet check' -l dsn -x -d 'the PostgreSQL database: postgresql://USER@HOST/NAME, or host=... dbname=...; default: CODEX_OAUTH_DSN. Other users can see what you type here: put a password into the variable, or ~/.pgpass'
complete -c codex-oauth -n '_codex_oauth_using fleet check' -l keys -xka "(__fish_complete_path (commandline -ct))" -d 'a file with the keys, readable by its owner only: one key a line, of which the first seals, and the others open what they have sealed; default: the keys in CODEX_OAUTH_KEYS'
complete -c codex-oauth -n '_codex_oauth_using fleet check' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using fleet check' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using fleet check' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using fleet; and test $_codex_oauth_npos -eq 0' -a sweep -d 'renew the logins that need it'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -l max-per-second -x -d 'the most logins renewed in a second; default: 5'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -l every -x -d 'look again after so many seconds; default: end when nothing needs renewal'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -l tenant -x -d 'only the logins of this tenant'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -l spool -xka "(__fish_complete_path (commandline -ct))" -d 'the directory where stores of this machine keep what the database does not take'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -l dsn -x -d 'the PostgreSQL database: postgresql://USER@HOST/NAME, or host=... dbname=...; default: CODEX_OAUTH_DSN. Other users can see what you type here: put a password into the variable, or ~/.pgpass'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -l keys -xka "(__fish_complete_path (commandline -ct))" -d 'a file with the keys, readable by its owner only: one key a line, of which the first seals, and the others open what they have sealed; default: the keys in CODEX_OAUTH_KEYS'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using fleet sweep' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using fleet; and test $_codex_oauth_npos -eq 0' -a reseal -d 'encrypt everything with the current key'
complete -c codex-oauth -n '_codex_oauth_using fleet reseal' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using fleet reseal' -l dsn -x -d 'the PostgreSQL database: postgresql://USER@HOST/NAME, or host=... dbname=...; default: CODEX_OAUTH_DSN. Other users can see what you type here: put a password into the variable, or ~/.pgpass'
complete -c codex-oauth -n '_codex_oauth_using fleet reseal' -l keys -xka "(__fish_complete_path (commandline -ct))" -d 'a file with the keys, readable by its owner only: one key a line, of which the first seals, and the others open what they have sealed; default: the keys in CODEX_OAUTH_KEYS'
complete -c codex-oauth -n '_codex_oauth_using fleet reseal' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using fleet reseal' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using fleet reseal' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using fleet; and test $_codex_oauth_npos -eq 0' -a sign-ins -d 'work on the sign-ins that are under way'
complete -c codex-oauth -n '_codex_oauth_using fleet sign-ins' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using fleet sign-ins' -l room -x -d 'the most sign-ins at a time; default: 10000'
complete -c codex-oauth -n '_codex_oauth_using fleet sign-ins' -l max-requests -x -d 'the most requests at a time; default: 64'
complete -c codex-oauth -n '_codex_oauth_using fleet sign-ins' -l issuer -x -d 'also work on the sign-ins at this server, such as a test authority; may be repeated'
complete -c codex-oauth -n '_codex_oauth_using fleet sign-ins' -l dsn -x -d 'the PostgreSQL database: postgresql://USER@HOST/NAME, or host=... dbname=...; default: CODEX_OAUTH_DSN. Other users can see what you type here: put a password into the variable, or ~/.pgpass'
complete -c codex-oauth -n '_codex_oauth_using fleet sign-ins' -l keys -xka "(__fish_complete_path (commandline -ct))" -d 'a file with the keys, readable by its owner only: one key a line, of which the first seals, and the others open what they have sealed; default: the keys in CODEX_OAUTH_KEYS'
complete -c codex-oauth -n '_codex_oauth_using fleet sign-ins' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using fleet sign-ins' -s q -l quiet -d 'print results and errors only'
complete -c codex-oauth -n '_codex_oauth_using fleet sign-ins' -s v -l verbose -d 'print more, but never a secret'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a completion -d 'print a script that completes commands in a shell'
complete -c codex-oauth -n '_codex_oauth_using completion' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using completion; and test $_codex_oauth_npos -eq 0' -ka "bash zsh fish" -d 'bash or zsh or fish'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a demo -d 'try a sign-in and a model call, with a server of its own'
complete -c codex-oauth -n '_codex_oauth_using demo' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using demo' -l approve -xka "ask auto" -d 'who approves: you, on a page of the server (ask), or the server itself; by default you, where there are a terminal and a browser'
complete -c codex-oauth -n '_codex_oauth_using demo' -l json -d 'machine-readable output'
complete -c codex-oauth -n '_codex_oauth_using; and test $_codex_oauth_npos -eq 0' -a authority -d 'run a local authorization server with fake tokens, for tests and demos'
complete -c codex-oauth -n '_codex_oauth_using authority' -s h -l help -d 'show this help message and exit'
complete -c codex-oauth -n '_codex_oauth_using authority' -l provider -xka "codex chatgpt both" -d 'whose rules: codex (default), chatgpt (the official sign-in), or both'
complete -c codex-oauth -n '_codex_oauth_using authority' -l port -x -d 'loopback port; 0 is any free one (default)'
complete -c codex-oauth -n '_codex_oauth_using authority' -l url-file -xka "(__fish_complete_path (commandline -ct))" -d 'also write the base URL to this file'
complete -c codex-oauth -n '_codex_oauth_using authority' -l approve -xka "ask auto deny never" -d 'who decides: a person on the page (ask, default), or the authority itself'
complete -c codex-oauth -n '_codex_oauth_using authority' -l approve-after -x -d 'for auto and deny: decide this long after the sign-in began (default 0)'
complete -c codex-oauth -n '_codex_oauth_using authority' -l interval -x -d 'how long to wait between polls (default 5)'
complete -c codex-oauth -n '_codex_oauth_using authority' -l lifetime -x -d 'how long a code is valid (default 900)'
complete -c codex-oauth -n '_codex_oauth_using authority' -l faults -xka "(__fish_complete_path (commandline -ct))" -d 'a JSON file: {"faults": [{"endpoint": "poll", "requests": "1-3", "status": 502}]}'
complete -c codex-oauth -n '_codex_oauth_using authority' -l models -xka "lenient usual exact" -d 'also be the model backends, which demand these headers: lenient, usual (default) or exact'
complete -c codex-oauth -n '_codex_oauth_using authority' -l json -d 'machine-readable output'

# What follows `--`: a command, completed as fish completes that.
function _codex_oauth_behind
  set -l words (commandline -opc)
  set -l at (contains -i -- -- $words)
  set -e words[1..$at]
  complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end
complete -c codex-oauth -n '_codex_oauth_using exec; and contains -- -- (commandline -opc)' -xa '(_codex_oauth_behind)'
