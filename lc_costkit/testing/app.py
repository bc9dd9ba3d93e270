"""Which path leads to which endpoint?"""

from __future__ import annotations

import secrets
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lc_costkit.testing.anthropic_messages import AnthropicMessages
from lc_costkit.testing.endpoints import Chat, CountTokens, Endpoint, State
from lc_costkit.testing.exchange import Exchanges
from lc_costkit.testing.openai_chat import OpenAIChat
from lc_costkit.testing.openai_embeddings import Embeddings
from lc_costkit.testing.openai_responses import OpenAIResponses
from lc_costkit.testing.provider_errors import error_payload, headers_for
from lc_costkit.testing.records import Provider
from lc_costkit.testing.wire import WireError


def build_app(state: State) -> Starlette:
    """The application that serves both providers."""
    endpoints: dict[str, Endpoint] = {
        "/v1/chat/completions": Chat(OpenAIChat()),
        "/v1/responses": Chat(OpenAIResponses()),
        "/v1/embeddings": Embeddings(),
        "/v1/messages": Chat(AnthropicMessages()),
        "/v1/messages/count_tokens": CountTokens(),
    }
    models = _Models(state)
    return Starlette(
        routes=[
            *(Route(path, Exchanges(state, endpoint)) for path, endpoint in endpoints.items()),
            Route("/v1/models", models.list, methods=["GET"]),
            Route("/v1/models/{model}", models.one, methods=["GET"]),
        ],
        exception_handlers={404: _not_found},
    )


class _Models:
    """The models with a rate, in the format of whoever asks; not logged, as it costs nothing."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def list(self, request: Request) -> JSONResponse:
        provider = _provider_of(request)
        found = [_model(provider, name) for name in self._state.rates if _belongs(provider, name)]
        body: dict[str, Any] = {"object": "list", "data": found}
        if provider == "anthropic":
            ends = {"first_id": found[0]["id"], "last_id": found[-1]["id"]} if found else {}
            body = {"data": found, "has_more": False, **ends}
        return _answer(provider, body)

    async def one(self, request: Request) -> JSONResponse:
        provider = _provider_of(request)
        name = request.path_params["model"]
        if name not in self._state.rates:
            message = f"The model '{name}' does not exist or you do not have access to it."
            return _refusal(provider, WireError(message, status=404, code="model_not_found"))
        return _answer(provider, _model(provider, name))


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    message = f"Unknown request URL: {request.method} {request.url.path}."
    return _refusal(_provider_of(request), WireError(message, status=404, code="unknown_url"))


def _provider_of(request: Request) -> Provider:
    return "anthropic" if "anthropic-version" in request.headers else "openai"


def _belongs(provider: Provider, model: str) -> bool:
    return model.startswith("claude") == (provider == "anthropic")


def _model(provider: Provider, name: str) -> dict[str, Any]:
    if provider == "anthropic":
        return {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "system"}


def _answer(provider: Provider, body: dict[str, Any]) -> JSONResponse:
    return JSONResponse(body, headers=headers_for(provider, f"req_{secrets.token_hex(16)}"))


def _refusal(provider: Provider, error: WireError) -> JSONResponse:
    request_id = f"req_{secrets.token_hex(16)}"
    body = error_payload(provider, error, request_id)
    return JSONResponse(body, status_code=error.status, headers=headers_for(provider, request_id))
