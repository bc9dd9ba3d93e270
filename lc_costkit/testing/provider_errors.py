"""How does each provider say that something went wrong, and which headers does it send?"""

from __future__ import annotations

from typing import Any

from lc_costkit.testing.records import Provider
from lc_costkit.testing.wire import WireError

_OPENAI_TYPES = {
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
    502: ("server_error", None),
    503: ("service_unavailable_error", None),
    504: ("server_error", None),
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_payload(provider: Provider, error: WireError, request_id: str) -> dict[str, Any]:
    """The body of an error answer in the provider's format."""
    if provider == "anthropic":
        kind = _ANTHROPIC_TYPES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": error.message}, "request_id": request_id}
    kind, code = _OPENAI_TYPES.get(
        error.status, ("server_error" if error.status >= 500 else "invalid_request_error", None)
    )
    return {
        "error": {"message": error.message, "type": kind, "param": error.parameter, "code": error.code or code},
    }


def headers_for(provider: Provider, request_id: str) -> dict[str, str]:
    """The headers each answer of the provider has."""
    if provider == "anthropic":
        return {
            "request-id": request_id,
            "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
            "anthropic-ratelimit-requests-limit": "4000",
            "anthropic-ratelimit-requests-remaining": "3999",
        }
    return {
        "x-request-id": request_id,
        "openai-organization": "lc-costkit-testing",
        "openai-version": "2020-10-01",
        "openai-processing-ms": "1",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
    }
