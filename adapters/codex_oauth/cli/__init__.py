"""The command line, `codex-oauth`: it begins in `main`, and `commands` is the table of what there is."""
