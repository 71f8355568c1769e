"""Ctrl-C leaves a wait and a request within a second, and leaves no socket open."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.transport.servers import Server, at_most, silent, trickling

PROGRAM = """
import os, socket, sys, time
from codex_oauth.clock import instant
from codex_oauth.worlds.httpx_world import HttpxWorld
from codex_oauth_core import Request, Secret, SendRequest, Wait, Why

def sockets():
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            pass
    return sum(name.startswith("socket:") or "eventpoll" in name for name in names)

effect = {
    "wait": lambda: Wait(instant() + 60, Why.PENDING),
    "request": lambda: SendRequest(Request("POST", sys.argv[2], (), Secret(b"{}")), 60.0),
    "name": lambda: SendRequest(Request("POST", "http://slow.test/", (), Secret(b"{}")), 60.0),
    "once": lambda: SendRequest(Request("POST", sys.argv[2], (), Secret(b"{}")), 60.0, once=True),
}[sys.argv[1]]()
if sys.argv[1] == "name":
    socket.getaddrinfo = lambda *args, **kwargs: time.sleep(60)
before = sockets()
try:
    with HttpxWorld() as world:
        print("ready", flush=True)
        world.perform(effect)
except KeyboardInterrupt:
    print(f"interrupted, left {sockets() - before}", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts /proc/self/fd, and sends SIGINT")
@pytest.mark.parametrize("effect", ["wait", "request", "once", "request, trickled", "name"])
def test_ctrl_c(effect: str) -> None:
    peer = trickling(b"HTTP/1.1 200 OK\r\nX: ", b"x") if "trickled" in effect else silent
    with Server(peer) as server:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM, effect.partition(",")[0], server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        while effect not in {"wait", "name"} and not server.connections:
            time.sleep(0.01)
        time.sleep(0.1)
        with at_most(1):
            process.send_signal(signal.SIGINT)
            line = process.stdout.readline()
        out, err = process.communicate(timeout=120)
    assert (line, out, err) == ("interrupted, left 0\n", "", "")
    assert process.returncode == 0
