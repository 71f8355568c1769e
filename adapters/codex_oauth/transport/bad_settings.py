"""A setting of this machine that cannot be used, before anybody is asked.

Rules of this file: an error knows the setting by its name, and nothing of its value.
"""

from __future__ import annotations

from codex_oauth_core.events import Cause, Phase, RequestFailed
from codex_oauth_core.settings import BadSetting, SettingFault

__all__ = ["UnusableSettingError", "wants_credentials"]


class UnusableSettingError(Exception):
    """A setting cannot be used. Its text names the setting, not the value."""

    def __init__(self, setting: BadSetting) -> None:
        super().__init__(str(setting))
        self.setting = setting

    def failed(self, at: float) -> RequestFailed:
        """The event of a request that was not sent for it."""
        return RequestFailed(at, Phase.NOT_SENT, Cause.MISCONFIGURED, self.setting)


def wants_credentials(variable: str | None, at: float) -> RequestFailed:
    """The event of a request for which a proxy asks for credentials, or refuses those that it got."""
    setting = None if variable is None else BadSetting(variable, SettingFault.CREDENTIALS)
    return RequestFailed(at, Phase.NOT_SENT, Cause.PROXY_AUTH, setting)
