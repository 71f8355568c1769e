"""The dialect of the official "Sign in with ChatGPT" for open-source tools.

`requests` writes what we send; `token_answers` reads what the token endpoint answers, by the error codes in
`codes`; `id_token` judges ID tokens, with the keys that `keys` reads; `render` is the inverse of the readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codex_oauth_core.chatgpt import codes, keys, requests, token_answers
from codex_oauth_core.chatgpt.texts import TEXTS
from codex_oauth_core.codex.token_answers import read_revocation
from codex_oauth_core.model_api import ModelApi
from codex_oauth_core.provider import Dialect, Provider, Required
from codex_oauth_core.registered import ISSUED_CLIENT_IDS, ISSUER, PLAN_USE_SCOPE

if TYPE_CHECKING:
    from codex_oauth_core.rendering import Renderers

__all__ = ["CHATGPT", "CHATGPT_API", "CHATGPT_DIALECT"]


def _renderers() -> Renderers:
    from codex_oauth_core.chatgpt.render import RENDERERS  # for traces and servers: no sign-in needs them

    return RENDERERS


CHATGPT_DIALECT: Final = Dialect(
    why_not=requests.why_not,
    metadata_request=requests.metadata_request,
    read_metadata=keys.read_metadata,
    keys_request=requests.keys_request,
    read_keys=keys.read_keys,
    authorize_url=requests.authorize_url,
    issued_client_id=requests.issued_client_id,
    exchange_request=requests.exchange_request,
    read_exchange=token_answers.read_exchange,
    refresh_request=requests.refresh_request,
    read_refresh=token_answers.read_refresh,
    login_over_message=codes.LOGIN_OVER.get,
    revocation_request=requests.revocation_request,
    read_revocation=read_revocation,
    identify=token_answers.identify,
    profile=token_answers.profile,
    render=_renderers,
)

CHATGPT_API: Final = ModelApi(
    base_url="https://api.openai.com/v1",
    refused=frozenset(
        {
            "background",
            "max_output_tokens",
            "max_tool_calls",
            "metadata",
            "moderation",
            "prompt_cache_retention",
            "safety_identifier",
            "service_tier",
            "temperature",
            "top_logprobs",
            "top_p",
            "truncation",
            "user",
        }
    ),
)
"""`conversation`, `multi_agent`, `prompt` and `previous_response_id` are refused, too: without them it would
be another question.
"""

CHATGPT: Final = Provider(
    issuer=ISSUER,
    client_id="dynamic_agent_client",
    scopes=(
        "openid",
        "profile",
        "email",
        "offline_access",
        "resource.invoke",
        PLAN_USE_SCOPE,
    ),
    authorization_endpoint=f"{ISSUER}/api/accounts/authorize",
    token_endpoint=f"{ISSUER}/api/accounts/oauth/token",
    revocation_endpoint=f"{ISSUER}/api/accounts/oauth/revoke",
    metadata_endpoint=f"{ISSUER}/.well-known/openid-configuration",
    jwks_uri=f"{ISSUER}/.well-known/jwks.json",
    redirect_host="127.0.0.1",
    redirect_path="/auth/callback",
    must_grant=frozenset({Required.ACCESS_TOKEN}),
    issued_client_ids=ISSUED_CLIENT_IDS,
    hosts=("api.openai.com",),
    has_nonce=True,
    resource="https://api.openai.com/v1",
    use_scope=PLAN_USE_SCOPE,
    model_api=CHATGPT_API,
    texts=TEXTS,
    token_check_url="https://api.openai.com/v1/models",  # noqa: S106  # no token
    dialect=CHATGPT_DIALECT,
).called("CHATGPT")
"""The official sign-in. Its client id begins a first registration; for a program that has one,
`CHATGPT.registered(client_id)`. A sign-in needs `application`, `host_id` and `verify_signature`, too.
"""
