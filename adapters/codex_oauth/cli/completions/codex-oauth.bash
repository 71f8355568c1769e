# Completes codex-oauth in bash. Written by docs/command/write.py; do not edit.

_codex_oauth_trace_subparsers=(show replay)
_codex_oauth_fleet_subparsers=(new-key migrate check sweep reseal sign-ins)
_codex_oauth_subparsers=(login whoami status token header exec refresh logout list switch doctor import export trace fleet completion demo authority)

_codex_oauth_login_option_strings=(-h --help --provider --enable-plan --register-anew --app-name --device --browser --no-open --paste --port --issuer --account --yes --revoke-old --trace --qr --copy --accessible --color --store --json -q --quiet -v --verbose)
_codex_oauth_whoami_option_strings=(-h --help --account --store --json -q --quiet -v --verbose)
_codex_oauth_status_option_strings=(-h --help --check --account --store --json -q --quiet -v --verbose)
_codex_oauth_token_option_strings=(-h --help --account --store --json -q --quiet -v --verbose)
_codex_oauth_header_option_strings=(-h --help --all --curl --account --store --json -q --quiet -v --verbose)
_codex_oauth_exec_option_strings=(-h --help --env --account --store --json -q --quiet -v --verbose)
_codex_oauth_refresh_option_strings=(-h --help --if-due --account --store --json -q --quiet -v --verbose)
_codex_oauth_logout_option_strings=(-h --help --local --all --account --store --json -q --quiet -v --verbose)
_codex_oauth_list_option_strings=(-h --help --store --json -q --quiet -v --verbose)
_codex_oauth_switch_option_strings=(-h --help --store --json -q --quiet -v --verbose)
_codex_oauth_doctor_option_strings=(-h --help --offline --issuer --color --store --json -q --quiet -v --verbose)
_codex_oauth_import_option_strings=(-h --help --from-codex --move --force --yes --store --json -q --quiet -v --verbose)
_codex_oauth_export_option_strings=(-h --help --to-codex --include-refresh --force --yes --account --store --json -q --quiet -v --verbose)
_codex_oauth_trace_show_option_strings=(-h --help --html --json)
_codex_oauth_trace_replay_option_strings=(-h --help --json)
_codex_oauth_trace_option_strings=(-h --help)
_codex_oauth_fleet_new_key_option_strings=(-h --help --json -q --quiet -v --verbose)
_codex_oauth_fleet_migrate_option_strings=(-h --help --dsn --json -q --quiet -v --verbose)
_codex_oauth_fleet_check_option_strings=(-h --help --dsn --keys --json -q --quiet -v --verbose)
_codex_oauth_fleet_sweep_option_strings=(-h --help --max-per-second --every --tenant --spool --dsn --keys --json -q --quiet -v --verbose)
_codex_oauth_fleet_reseal_option_strings=(-h --help --dsn --keys --json -q --quiet -v --verbose)
_codex_oauth_fleet_sign_ins_option_strings=(-h --help --room --max-requests --issuer --dsn --keys --json -q --quiet -v --verbose)
_codex_oauth_fleet_option_strings=(-h --help)
_codex_oauth_completion_option_strings=(-h --help)
_codex_oauth_demo_option_strings=(-h --help --approve --json)
_codex_oauth_authority_option_strings=(-h --help --provider --port --url-file --approve --approve-after --interval --lifetime --faults --models --json)
_codex_oauth_option_strings=(-h --help -V --version)

_codex_oauth_login___trace_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_login___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_whoami___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_status___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_token___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_header___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_exec_pos_0_COMPGEN=_codex_oauth_command_or_file
_codex_oauth_exec___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_refresh___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_logout___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_list___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_switch___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_doctor___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_import___from_codex_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_import___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_export___to_codex_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_export___store_COMPGEN=_codex_oauth_compgen_dirs
_codex_oauth_trace_show_pos_0_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_trace_show___html_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_trace_replay_pos_0_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_fleet_check___keys_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_fleet_sweep___spool_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_fleet_sweep___keys_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_fleet_reseal___keys_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_fleet_sign_ins___keys_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_authority___url_file_COMPGEN=_codex_oauth_compgen_files
_codex_oauth_authority___faults_COMPGEN=_codex_oauth_compgen_files

_codex_oauth_login_pos_0_choices=(start finish)
_codex_oauth_login___provider_choices=(codex chatgpt)
_codex_oauth_login___color_choices=(auto always never)
_codex_oauth_doctor___color_choices=(auto always never)
_codex_oauth_trace_pos_0_choices=(show replay)
_codex_oauth_fleet_pos_0_choices=(new-key migrate check sweep reseal sign-ins)
_codex_oauth_completion_pos_0_choices=(bash zsh fish)
_codex_oauth_demo___approve_choices=(ask auto)
_codex_oauth_authority___provider_choices=(codex chatgpt both)
_codex_oauth_authority___approve_choices=(ask auto deny never)
_codex_oauth_authority___models_choices=(lenient usual exact)
_codex_oauth_pos_0_choices=(login whoami status token header exec refresh logout list switch doctor import export trace fleet completion demo authority)

_codex_oauth_login__h_nargs=0
_codex_oauth_login___help_nargs=0
_codex_oauth_login___enable_plan_nargs=0
_codex_oauth_login___register_anew_nargs=0
_codex_oauth_login___device_nargs=0
_codex_oauth_login___browser_nargs=0
_codex_oauth_login___no_open_nargs=0
_codex_oauth_login___paste_nargs=0
_codex_oauth_login___yes_nargs=0
_codex_oauth_login___revoke_old_nargs=0
_codex_oauth_login___qr_nargs=0
_codex_oauth_login___copy_nargs=0
_codex_oauth_login___accessible_nargs=0
_codex_oauth_login___json_nargs=0
_codex_oauth_login__q_nargs=0
_codex_oauth_login___quiet_nargs=0
_codex_oauth_login__v_nargs=0
_codex_oauth_login___verbose_nargs=0
_codex_oauth_whoami__h_nargs=0
_codex_oauth_whoami___help_nargs=0
_codex_oauth_whoami___json_nargs=0
_codex_oauth_whoami__q_nargs=0
_codex_oauth_whoami___quiet_nargs=0
_codex_oauth_whoami__v_nargs=0
_codex_oauth_whoami___verbose_nargs=0
_codex_oauth_status__h_nargs=0
_codex_oauth_status___help_nargs=0
_codex_oauth_status___check_nargs=0
_codex_oauth_status___json_nargs=0
_codex_oauth_status__q_nargs=0
_codex_oauth_status___quiet_nargs=0
_codex_oauth_status__v_nargs=0
_codex_oauth_status___verbose_nargs=0
_codex_oauth_token__h_nargs=0
_codex_oauth_token___help_nargs=0
_codex_oauth_token___json_nargs=0
_codex_oauth_token__q_nargs=0
_codex_oauth_token___quiet_nargs=0
_codex_oauth_token__v_nargs=0
_codex_oauth_token___verbose_nargs=0
_codex_oauth_header__h_nargs=0
_codex_oauth_header___help_nargs=0
_codex_oauth_header___all_nargs=0
_codex_oauth_header___curl_nargs=0
_codex_oauth_header___json_nargs=0
_codex_oauth_header__q_nargs=0
_codex_oauth_header___quiet_nargs=0
_codex_oauth_header__v_nargs=0
_codex_oauth_header___verbose_nargs=0
_codex_oauth_exec_pos_0_nargs='*'
_codex_oauth_exec__h_nargs=0
_codex_oauth_exec___help_nargs=0
_codex_oauth_exec___json_nargs=0
_codex_oauth_exec__q_nargs=0
_codex_oauth_exec___quiet_nargs=0
_codex_oauth_exec__v_nargs=0
_codex_oauth_exec___verbose_nargs=0
_codex_oauth_refresh__h_nargs=0
_codex_oauth_refresh___help_nargs=0
_codex_oauth_refresh___if_due_nargs=0
_codex_oauth_refresh___json_nargs=0
_codex_oauth_refresh__q_nargs=0
_codex_oauth_refresh___quiet_nargs=0
_codex_oauth_refresh__v_nargs=0
_codex_oauth_refresh___verbose_nargs=0
_codex_oauth_logout__h_nargs=0
_codex_oauth_logout___help_nargs=0
_codex_oauth_logout___local_nargs=0
_codex_oauth_logout___all_nargs=0
_codex_oauth_logout___json_nargs=0
_codex_oauth_logout__q_nargs=0
_codex_oauth_logout___quiet_nargs=0
_codex_oauth_logout__v_nargs=0
_codex_oauth_logout___verbose_nargs=0
_codex_oauth_list__h_nargs=0
_codex_oauth_list___help_nargs=0
_codex_oauth_list___json_nargs=0
_codex_oauth_list__q_nargs=0
_codex_oauth_list___quiet_nargs=0
_codex_oauth_list__v_nargs=0
_codex_oauth_list___verbose_nargs=0
_codex_oauth_switch__h_nargs=0
_codex_oauth_switch___help_nargs=0
_codex_oauth_switch___json_nargs=0
_codex_oauth_switch__q_nargs=0
_codex_oauth_switch___quiet_nargs=0
_codex_oauth_switch__v_nargs=0
_codex_oauth_switch___verbose_nargs=0
_codex_oauth_doctor__h_nargs=0
_codex_oauth_doctor___help_nargs=0
_codex_oauth_doctor___offline_nargs=0
_codex_oauth_doctor___json_nargs=0
_codex_oauth_doctor__q_nargs=0
_codex_oauth_doctor___quiet_nargs=0
_codex_oauth_doctor__v_nargs=0
_codex_oauth_doctor___verbose_nargs=0
_codex_oauth_import__h_nargs=0
_codex_oauth_import___help_nargs=0
_codex_oauth_import___from_codex_nargs='?'
_codex_oauth_import___move_nargs=0
_codex_oauth_import___force_nargs=0
_codex_oauth_import___yes_nargs=0
_codex_oauth_import___json_nargs=0
_codex_oauth_import__q_nargs=0
_codex_oauth_import___quiet_nargs=0
_codex_oauth_import__v_nargs=0
_codex_oauth_import___verbose_nargs=0
_codex_oauth_export__h_nargs=0
_codex_oauth_export___help_nargs=0
_codex_oauth_export___include_refresh_nargs=0
_codex_oauth_export___force_nargs=0
_codex_oauth_export___yes_nargs=0
_codex_oauth_export___json_nargs=0
_codex_oauth_export__q_nargs=0
_codex_oauth_export___quiet_nargs=0
_codex_oauth_export__v_nargs=0
_codex_oauth_export___verbose_nargs=0
_codex_oauth_trace_show__h_nargs=0
_codex_oauth_trace_show___help_nargs=0
_codex_oauth_trace_show___json_nargs=0
_codex_oauth_trace_replay__h_nargs=0
_codex_oauth_trace_replay___help_nargs=0
_codex_oauth_trace_replay___json_nargs=0
_codex_oauth_trace_pos_0_nargs=A...
_codex_oauth_trace__h_nargs=0
_codex_oauth_trace___help_nargs=0
_codex_oauth_fleet_new_key__h_nargs=0
_codex_oauth_fleet_new_key___help_nargs=0
_codex_oauth_fleet_new_key___json_nargs=0
_codex_oauth_fleet_new_key__q_nargs=0
_codex_oauth_fleet_new_key___quiet_nargs=0
_codex_oauth_fleet_new_key__v_nargs=0
_codex_oauth_fleet_new_key___verbose_nargs=0
_codex_oauth_fleet_migrate__h_nargs=0
_codex_oauth_fleet_migrate___help_nargs=0
_codex_oauth_fleet_migrate___json_nargs=0
_codex_oauth_fleet_migrate__q_nargs=0
_codex_oauth_fleet_migrate___quiet_nargs=0
_codex_oauth_fleet_migrate__v_nargs=0
_codex_oauth_fleet_migrate___verbose_nargs=0
_codex_oauth_fleet_check__h_nargs=0
_codex_oauth_fleet_check___help_nargs=0
_codex_oauth_fleet_check___json_nargs=0
_codex_oauth_fleet_check__q_nargs=0
_codex_oauth_fleet_check___quiet_nargs=0
_codex_oauth_fleet_check__v_nargs=0
_codex_oauth_fleet_check___verbose_nargs=0
_codex_oauth_fleet_sweep__h_nargs=0
_codex_oauth_fleet_sweep___help_nargs=0
_codex_oauth_fleet_sweep___json_nargs=0
_codex_oauth_fleet_sweep__q_nargs=0
_codex_oauth_fleet_sweep___quiet_nargs=0
_codex_oauth_fleet_sweep__v_nargs=0
_codex_oauth_fleet_sweep___verbose_nargs=0
_codex_oauth_fleet_reseal__h_nargs=0
_codex_oauth_fleet_reseal___help_nargs=0
_codex_oauth_fleet_reseal___json_nargs=0
_codex_oauth_fleet_reseal__q_nargs=0
_codex_oauth_fleet_reseal___quiet_nargs=0
_codex_oauth_fleet_reseal__v_nargs=0
_codex_oauth_fleet_reseal___verbose_nargs=0
_codex_oauth_fleet_sign_ins__h_nargs=0
_codex_oauth_fleet_sign_ins___help_nargs=0
_codex_oauth_fleet_sign_ins___json_nargs=0
_codex_oauth_fleet_sign_ins__q_nargs=0
_codex_oauth_fleet_sign_ins___quiet_nargs=0
_codex_oauth_fleet_sign_ins__v_nargs=0
_codex_oauth_fleet_sign_ins___verbose_nargs=0
_codex_oauth_fleet_pos_0_nargs=A...
_codex_oauth_fleet__h_nargs=0
_codex_oauth_fleet___help_nargs=0
_codex_oauth_completion__h_nargs=0
_codex_oauth_completion___help_nargs=0
_codex_oauth_demo__h_nargs=0
_codex_oauth_demo___help_nargs=0
_codex_oauth_demo___json_nargs=0
_codex_oauth_authority__h_nargs=0
_codex_oauth_authority___help_nargs=0
_codex_oauth_authority___models_nargs='?'
_codex_oauth_authority___json_nargs=0
_codex_oauth_pos_0_nargs=A...
_codex_oauth__h_nargs=0
_codex_oauth___help_nargs=0
_codex_oauth__V_nargs=0
_codex_oauth___version_nargs=0


# What follows `--`: a command, and then files.
_codex_oauth_command_or_file() {
  local at
  for ((at = 2; at < COMP_CWORD; at++)); do
    [[ ${COMP_WORDS[at]} == -- ]] || continue
    if ((at + 1 == COMP_CWORD)); then compgen -c -- "$1"; else compgen -f -- "$1"; fi
    return
  done
  compgen -W "--" -- "$1"
}


# $1=COMP_WORDS[1]
_codex_oauth_compgen_files() {
  compgen -f -- $1  # files
}

# $1=COMP_WORDS[1]
_codex_oauth_compgen_dirs() {
  compgen -d -- $1  # recurse into subdirs
}

# $1=COMP_WORDS[1]
_codex_oauth_replace_nonword() {
  echo "${1//[^[:word:]]/_}"
}

# set default values (called for the initial parser & any subparsers)
_codex_oauth_set_parser_defaults() {
  local subparsers_var="${prefix}_subparsers[@]"
  sub_parsers=${!subparsers_var-}

  local current_option_strings_var="${prefix}_option_strings[@]"
  current_option_strings=${!current_option_strings_var}

  completed_positional_actions=0

  _codex_oauth_set_new_action "pos_$completed_positional_actions" true
}

# $1=action identifier
# $2=positional action (bool)
# set all identifiers for an action's parameters
_codex_oauth_set_new_action() {
  current_action="${prefix}_$(_codex_oauth_replace_nonword $1)"

  local current_action_compgen_var=${current_action}_COMPGEN
  current_action_compgen="${!current_action_compgen_var-}"

  local current_action_choices_var="${current_action}_choices[@]"
  current_action_choices="${!current_action_choices_var-}"

  local current_action_nargs_var="${current_action}_nargs"
  if [ -n "${!current_action_nargs_var-}" ]; then
    current_action_nargs="${!current_action_nargs_var}"
  else
    current_action_nargs=1
  fi

  current_action_args_start_index=$(( $word_index + 1 - $pos_only ))

  current_action_is_positional=$2
}

# Notes:
# `COMPREPLY`: what will be rendered after completion is triggered
# `completing_word`: currently typed word to generate completions for
# `${!var}`: evaluates the content of `var` and expand its content as a variable
#     hello="world"
#     x="hello"
#     ${!x} -> ${hello} -> "world"
_codex_oauth() {
  local completing_word="${COMP_WORDS[COMP_CWORD]}"
  local previous_word="${COMP_WORDS[COMP_CWORD-1]}"
  local completed_positional_actions
  local current_action
  local current_action_args_start_index
  local current_action_choices
  local current_action_compgen
  local current_action_is_positional
  local current_action_nargs
  local current_option_strings
  local sub_parsers
  COMPREPLY=()

  local prefix=_codex_oauth
  local word_index=0
  local pos_only=0 # "--" delimiter not encountered yet
  _codex_oauth_set_parser_defaults
  word_index=1

  # determine what arguments are appropriate for the current state
  # of the arg parser
  while [ $word_index -ne $COMP_CWORD ]; do
    local this_word="${COMP_WORDS[$word_index]}"

    if [[ $pos_only = 1 || " $this_word " != " -- " ]]; then
      if [[ -n $sub_parsers && " ${sub_parsers[@]} " == *" $this_word "* ]]; then
        # valid subcommand: add it to the prefix & reset the current action
        prefix="${prefix}_$(_codex_oauth_replace_nonword $this_word)"
        _codex_oauth_set_parser_defaults
      fi

      if [[ " ${current_option_strings[@]} " == *" $this_word "* ]]; then
        # a new action should be acquired (due to recognised option string or
        # no more input expected from current action);
        # the next positional action can fill in here
        _codex_oauth_set_new_action $this_word false
      fi

      if [[ "$current_action_nargs" != "*" ]] && \
         [[ "$current_action_nargs" != "+" ]] && \
         [[ "$current_action_nargs" != "?" ]] && \
         [[ "$current_action_nargs" != *"..." ]] && \
         (( $word_index + 1 - $current_action_args_start_index - $pos_only >= \
            $current_action_nargs )); then
        $current_action_is_positional && let "completed_positional_actions += 1"
        _codex_oauth_set_new_action "pos_$completed_positional_actions" true
      fi
    else
      pos_only=1 # "--" delimiter encountered
    fi

    let "word_index+=1"
  done

  # Generate the completions

  COMPREPLY=()
  if [[ $pos_only = 0 && "$completing_word" == -* &&
        ( -z "$current_action_compgen" || "$current_action_is_positional" = true ) ]]; then
    # optional argument started: use option strings
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
      compgen -W "${current_option_strings[*]}" -- "$completing_word")
  elif [[ "$previous_word" =~ ^[0-9\&]*[\<\>]\>?$ ]]; then
    # handle redirection operators
    compopt -o filenames 2>/dev/null || : # bash>=4
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$completing_word")
  else
    # use choices & compgen
    local action_compgen_word="$completing_word"
    # handle tab-completing in the middle of a line (#248 <- #116)
    [[ -n "$current_action_compgen" && "$completing_word" == -* ]] && action_compgen_word=""
    [ -n "$current_action_compgen" ] && {
      [[ "$current_action_compgen" =~ _(file|dir|glob|FILE|DIR|GLOB)|File|Dir|Glob ]] &&
        compopt -o filenames 2>/dev/null || : # bash>=4
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
        "$current_action_compgen" "$action_compgen_word")
    }
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
      compgen -W "${current_action_choices[*]}" -- "$completing_word")
  fi

  if [[ ${#COMPREPLY[@]} = 0 ]]; then
    # native fallback matches are not necessarily filenames (e.g. variables)
    compopt +o filenames 2>/dev/null || : # bash>=4
  fi

  return 0
}

complete -o bashdefault -F _codex_oauth codex-oauth
