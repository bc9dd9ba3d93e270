"""What do most tests need: a provider over HTTP and real clients that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from lc_costkit.testing import FakeProvider

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic
    from langchain_anthropic import ChatAnthropic
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings
    from openai import AsyncOpenAI, OpenAI

    from tests.support.llama_openai import OpenAIFunctionLLM

# How long an example takes says nothing on a machine that does other things, too.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

OPENAI_MODEL = "gpt-4o-mini"
ANTHROPIC_MODEL = "claude-haiku-4-5"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider of its own for each test."""
    with FakeProvider() as running:
        yield running


@pytest.fixture
def make_chat_openai(provider: FakeProvider) -> Callable[..., ChatOpenAI]:
    """``make(model=..., **options)``: a ``ChatOpenAI`` that talks to ``provider``."""
    return lambda model=OPENAI_MODEL, **options: chat_openai(provider, model, **options)


@pytest.fixture
def make_chat_anthropic(provider: FakeProvider) -> Callable[..., ChatAnthropic]:
    """``make(model=..., **options)``: a ``ChatAnthropic`` that talks to ``provider``."""
    return lambda model=ANTHROPIC_MODEL, **options: chat_anthropic(provider, model, **options)


@pytest.fixture
def make_llama_llm(provider: FakeProvider) -> Callable[..., OpenAIFunctionLLM]:
    """``make(model=..., **options)``: a LlamaIndex function-calling LLM that talks to ``provider``."""
    from tests.support.llama_openai import OpenAIFunctionLLM

    def make(model: str = OPENAI_MODEL, **options: Any) -> OpenAIFunctionLLM:
        return OpenAIFunctionLLM(**{"model": model, "base_url": provider.openai_base_url, **options})

    return make


@pytest.fixture
def openai_client(provider: FakeProvider) -> Iterator[OpenAI]:
    """The real client, without retries."""
    from openai import OpenAI

    with OpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def async_openai_client(provider: FakeProvider) -> AsyncOpenAI:
    """The real asynchronous client, without retries."""
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0)


@pytest.fixture
def anthropic_client(provider: FakeProvider) -> Iterator[Anthropic]:
    """The real client, without retries."""
    from anthropic import Anthropic

    with Anthropic(api_key="test", base_url=provider.anthropic_base_url, max_retries=0) as client:
        yield client


@pytest.fixture
def async_anthropic_client(provider: FakeProvider) -> AsyncAnthropic:
    """The real asynchronous client, without retries."""
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(api_key="test", base_url=provider.anthropic_base_url, max_retries=0)


def chat_openai(provider: FakeProvider, model: str = OPENAI_MODEL, **options: Any) -> ChatOpenAI:
    """A ``ChatOpenAI`` against ``provider``; streams carry usage, nothing is retried unless asked."""
    from langchain_openai import ChatOpenAI

    defaults = {"api_key": "test", "base_url": provider.openai_base_url, "max_retries": 0, "stream_usage": True}
    return ChatOpenAI(model=model, **{**defaults, **options})


def chat_anthropic(provider: FakeProvider, model: str = ANTHROPIC_MODEL, **options: Any) -> ChatAnthropic:
    """A ``ChatAnthropic`` against ``provider``; nothing is retried unless asked."""
    from langchain_anthropic import ChatAnthropic

    defaults = {"api_key": "test", "base_url": provider.anthropic_base_url, "max_retries": 0, "max_tokens": 1024}
    return ChatAnthropic(model=model, **{**defaults, **options})


def openai_embeddings(
    provider: FakeProvider, model: str = "text-embedding-3-small", **options: Any
) -> OpenAIEmbeddings:
    """``OpenAIEmbeddings`` against ``provider``; texts are sent as they are, so no vocabulary is downloaded."""
    from langchain_openai import OpenAIEmbeddings

    defaults = {"api_key": "test", "base_url": provider.openai_base_url, "max_retries": 0}
    return OpenAIEmbeddings(model=model, check_embedding_ctx_length=False, **{**defaults, **options})
