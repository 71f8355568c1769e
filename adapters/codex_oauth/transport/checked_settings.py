"""Whether this machine's settings can be used at all, looked at before a person is asked for anything.

Rules of this file: nobody is asked; what is looked at is what a request of the usual worlds would use.
"""

from __future__ import annotations

import httpx

from codex_oauth.transport.bad_settings import UnusableSettingError
from codex_oauth.transport.exchange import tls_for, usable_proxy
from codex_oauth_core.flows.machine import error_of, refusal_of, transient_of
from codex_oauth_core.provider import Provider

__all__ = ["check_settings"]


def check_settings(provider: Provider) -> None:
    """Raises SignInError, `misconfigured`, if a setting keeps every request to a provider from being sent."""
    try:
        for url in (httpx.URL(provider.issuer), httpx.URL(provider.token_endpoint)):
            tls_for(url, usable_proxy(url))
    except UnusableSettingError as error:
        found = error
    else:
        return
    raise error_of(refusal_of(transient_of(found.failed(0.0))))
