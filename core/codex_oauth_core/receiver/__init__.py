"""The callback receiver: what a loopback port answers, as bytes in and bytes out."""

from __future__ import annotations

from codex_oauth_core.receiver.receiver import CallbackGate, CallbackReceiver

__all__ = ["CallbackGate", "CallbackReceiver"]
