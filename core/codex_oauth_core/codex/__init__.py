"""The Codex dialect: how "Sign in with ChatGPT (Codex)" speaks OAuth.

`requests` writes what we send; `answers` and `token_answers` read what comes back, by the error codes in
`codes`; `render` is their inverse and writes a server's answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_oauth_core.codex import answers, claims, codes, requests, token_answers
from codex_oauth_core.codex.texts import TEXTS
from codex_oauth_core.model_api import ModelApi
from codex_oauth_core.provider import Dialect, Provider, Required
from codex_oauth_core.registered import CLIENT_ID, ISSUER

if TYPE_CHECKING:
    from codex_oauth_core.rendering import Renderers

__all__ = ["CODEX", "CODEX_API", "CODEX_DIALECT"]


def _renderers() -> Renderers:
    from codex_oauth_core.codex.render import RENDERERS  # for traces and servers: no sign-in needs them

    return RENDERERS


CODEX_DIALECT: Final = Dialect(
    device_authorization_request=requests.device_authorization_request,
    read_device_authorization=answers.read_device_authorization,
    poll_request=requests.poll_request,
    read_poll=answers.read_poll,
    exchange_request=requests.exchange_request,
    read_exchange=token_answers.read_exchange,
    refresh_request=requests.refresh_request,
    read_refresh=token_answers.read_refresh,
    login_over_message=codes.LOGIN_OVER.get,
    revocation_request=requests.revocation_request,
    read_revocation=token_answers.read_revocation,
    authorize_url=requests.authorize_url,
    headers=claims.headers,
    identify=token_answers.identify,
    profile=claims.read_profile,
    why_denied=codes.why_denied,
    render=_renderers,
)

CODEX_API: Final = ModelApi(
    base_url="https://chatgpt.com/backend-api/codex",
    needs_instructions=True,
    refused=frozenset(
        {
            "max_completion_tokens",
            "max_output_tokens",
            "max_tokens",
            "metadata",
            "prompt_cache_breakpoint",
            "prompt_cache_options",
            "stream_options",
            "temperature",
            "top_p",
        }
    ),
)

CODEX: Final = Provider(
    issuer=ISSUER,
    client_id=CLIENT_ID,
    scopes=("openid", "profile", "email", "offline_access"),
    authorization_endpoint=f"{ISSUER}/oauth/authorize",
    token_endpoint=f"{ISSUER}/oauth/token",
    revocation_endpoint=f"{ISSUER}/oauth/revoke",
    device_authorization_endpoint=f"{ISSUER}/api/accounts/deviceauth/usercode",
    device_token_endpoint=f"{ISSUER}/api/accounts/deviceauth/token",
    verification_uri=f"{ISSUER}/codex/device",
    device_redirect_uri=f"{ISSUER}/deviceauth/callback",
    redirect_host="localhost",
    redirect_ports=(1455, 1457),
    redirect_path="/auth/callback",
    state_suffixes=(".onboarding_entrypoint=life_sciences",),
    authorize_parameters=(("id_token_add_organizations", "true"), ("codex_cli_simplified_flow", "true")),
    hosts=("chatgpt.com",),
    token_check_url="https://chatgpt.com/backend-api/wham/usage",  # noqa: S106  # no token
    model_api=CODEX_API,
    texts=TEXTS,
    must_grant=frozenset({Required.ACCESS_TOKEN, Required.REFRESH_TOKEN}),
    dialect=CODEX_DIALECT,
).called("CODEX")
