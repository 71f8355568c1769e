"""The command line, `codex-oauth`: one file a command."""
