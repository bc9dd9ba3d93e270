"""What do others say a call cost, given all they can be told of it?

Each rival gets the same reading as the kit, in its own shape: every kind of cached token, tier, batch, place,
speed, paid tools and provider, as far as it takes them. It returns USD, or the name of what it raised.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from genai_prices import Usage, calc_price

from lc_costkit.rates import unusual
from lc_costkit.usage import UsageReading

Rival = Callable[[UsageReading, datetime], Decimal | str]

_LITELLM_PROVIDERS = {"google": "gemini", "aws": "bedrock"}


def rivals() -> dict[str, Rival]:
    """Return the rivals that are installed, by name."""
    found: dict[str, Rival] = {"genai-prices": _genai_prices}
    # Its price table comes with the package; nothing is to be fetched for a comparison.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            litellm = importlib.import_module("litellm")
    except ImportError:
        print("litellm is not installed; its column is left out")
    else:
        litellm.suppress_debug_info = True
        found["litellm"] = lambda reading, at: _guarded(lambda: _litellm(litellm, reading))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            community = importlib.import_module("langchain_community.callbacks.openai_info")
    except ImportError:
        print("langchain-community is not installed; its column is left out")
    else:
        found["get_openai_callback"] = lambda reading, at: _guarded(lambda: _openai_callback(community, reading))
    return found


def _genai_prices(reading: UsageReading, at: datetime) -> Decimal | str:
    usage = reading.usage
    tools = {"web_search": "web_searches", "file_search": "storage_searches", "code_execution": "code_executions"}
    written = usage.cache_write_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    counts = {
        "input_tokens": usage.total_input,
        "cache_read_tokens": usage.cache_read_tokens + usage.cache_read_audio_tokens + usage.cache_read_image_tokens,
        "cache_write_tokens": written,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "input_audio_tokens": usage.input_audio_tokens + usage.cache_read_audio_tokens,
        "cache_audio_read_tokens": usage.cache_read_audio_tokens,
        "input_image_tokens": usage.input_image_tokens + usage.cache_read_image_tokens,
        "cache_image_read_tokens": usage.cache_read_image_tokens,
        "output_tokens": usage.total_output,
        "output_reasoning_tokens": usage.reasoning_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
        "output_image_tokens": usage.output_image_tokens,
        **{tools[tool]: count for tool, count in usage.tool_requests if tool in tools},
    }
    return _guarded(
        lambda: (
            calc_price(
                Usage(**{name: count for name, count in counts.items() if count}),
                reading.model or "",
                provider_id=reading.provider,
                genai_request_timestamp=at,
                price_context=unusual(reading) or None,
            ).total_price
        )
    )


def _litellm(litellm: Any, reading: UsageReading) -> Decimal:
    usage, provider = reading.usage, _LITELLM_PROVIDERS.get(reading.provider or "", reading.provider)
    written = usage.cache_write_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    read = usage.cache_read_tokens + usage.cache_read_audio_tokens + usage.cache_read_image_tokens
    lifetimes = {
        "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_tokens,
        "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
    }
    details = {
        "cached_tokens": read,
        "cache_creation_tokens": written,
        "text_tokens": usage.input_tokens,
        "audio_tokens": usage.input_audio_tokens,
        "image_tokens": usage.input_image_tokens,
    }
    searches = dict(usage.tool_requests).get("web_search", 0)
    report = litellm.Usage(
        prompt_tokens=usage.total_input,
        completion_tokens=usage.total_output,
        total_tokens=usage.total,
        prompt_tokens_details={
            **{name: count for name, count in details.items() if count},
            **({"cache_creation_token_details": lifetimes} if written else {}),
            **({"web_search_requests": searches} if searches else {}),
        },
        completion_tokens_details={
            name: count
            for name, count in (
                ("reasoning_tokens", usage.reasoning_tokens),
                ("audio_tokens", usage.output_audio_tokens),
                ("image_tokens", usage.output_image_tokens),
                ("text_tokens", usage.output_tokens - usage.reasoning_tokens),
            )
            if count
        }
        or None,
        **({"cache_read_input_tokens": read} if read else {}),
        **({"cache_creation_input_tokens": written} if written else {}),
        **({"server_tool_use": {"web_search_requests": searches}} if searches else {}),
        **({"inference_geo": reading.inference_geo} if reading.inference_geo else {}),
        **({"speed": reading.speed} if reading.speed else {}),
    )
    if reading.processing == "batch":
        parts = litellm.cost_calculator.batch_cost_calculator(report, reading.model, custom_llm_provider=provider)
        return _decimal(sum(parts))
    response = litellm.ModelResponse(model=reading.model, usage=report)
    embedding = "embed" in (reading.model or "")
    return _decimal(
        litellm.completion_cost(
            completion_response=litellm.EmbeddingResponse(model=reading.model, usage=report) if embedding else response,
            model=reading.model,
            custom_llm_provider=provider,
            service_tier=reading.service_tier,
            call_type="embedding" if embedding else "completion",
        )
    )


def _openai_callback(community: Any, reading: UsageReading) -> Decimal:
    """Give the callback what langchain-openai would: it reads totals, cached tokens and reasoning."""
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, LLMResult

    usage = reading.usage
    message = AIMessage(
        content="",
        usage_metadata={
            "input_tokens": usage.total_input,
            "output_tokens": usage.total_output,
            "total_tokens": usage.total,
            "input_token_details": {"cache_read": usage.cache_read_tokens},
            "output_token_details": {"reasoning": usage.reasoning_tokens},
        },
        response_metadata={"model_name": reading.model},
    )
    handler = community.OpenAICallbackHandler()
    handler.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]))
    return _decimal(handler.total_cost)


def _decimal(amount: float) -> Decimal:
    # Their sums are floats; what is beyond the twelfth place is rounding.
    return Decimal(repr(round(amount, 12)))


def _guarded(price: Callable[[], Decimal]) -> Decimal | str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return price()
    except Exception as error:  # a rival's failure is its result here
        return type(error).__name__
