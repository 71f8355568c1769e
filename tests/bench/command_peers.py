"""The same command by others: it prints a fresh token out of a JSON file, as short as each library allows.

Rules of this file: each text is a whole program that takes `token --store FILE` and does nothing else.
"""

from __future__ import annotations

from typing import Final

__all__ = ["PROGRAMS"]

_SHOW: Final = """
def show(path):
    with open(path) as file:
        login = json.load(file)["credential"]
    if time.time() * 1000 >= login["expires_at"]:
        raise SystemExit(4)
    print(login["access_token"])
"""

_BY_HAND: Final = f"""
import json, sys, time
{_SHOW}
show(sys.argv[sys.argv.index("--store") + 1])
"""

_ARGPARSE: Final = f"""
import argparse, json, time
{_SHOW}
parser = argparse.ArgumentParser()
commands = parser.add_subparsers(dest="command", required=True)
commands.add_parser("token", help="print the token").add_argument("--store")
show(parser.parse_args().store)
"""

_CLICK: Final = f"""
import json, time
import click
{_SHOW}
@click.group()
def main(): pass
@main.command()
@click.option("--store")
def token(store):
    "Print the token."
    show(store)
main()
"""

_TYPER: Final = f"""
import json, time
import typer
{_SHOW}
app = typer.Typer()
@app.callback()
def main(): pass
@app.command()
def token(store: str = ""):
    "Print the token."
    show(store)
app()
"""

PROGRAMS: Final = (
    ("argv by hand, JSON", None, _BY_HAND),
    ("argparse, JSON", None, _ARGPARSE),
    ("click, JSON", "click", _CLICK),
    ("typer, JSON", "typer", _TYPER),
)
"""Name, the package that it needs, text."""
