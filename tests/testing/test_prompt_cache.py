"""Are the providers' prompt-cache rules applied, and billed to the last digit?"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from anthropic import Anthropic, BadRequestError
from anthropic.types import Usage
from hypothesis import given
from hypothesis import strategies as st
from openai import BadRequestError as OpenAIBadRequestError
from openai import OpenAI
from openai.types import CompletionUsage

from lc_costkit.errors import ConfigurationError
from lc_costkit.testing import FakeProvider
from lc_costkit.testing.prompt_cache import CACHE_RULES, Block, CacheRule, PromptCache, find_rule
from tests.testing.support import MILLION, hello_world, words

EPHEMERAL = {"type": "ephemeral"}
ONE_HOUR = {"type": "ephemeral", "ttl": "1h"}


class Chat:
    """Asks the OpenAI endpoint and tells how many tokens were cached."""

    def __init__(self, provider: FakeProvider, model: str) -> None:
        self.client = OpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0)
        self.model = model

    def usage(self, system: str, question: str = "Hello", **options: Any) -> CompletionUsage:
        messages: list[Any] = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        answer = self.client.chat.completions.create(model=self.model, messages=messages, **options)
        assert answer.usage is not None
        return answer.usage

    def cached(self, system: str, question: str = "Hello", **options: Any) -> int:
        details = self.usage(system, question, **options).prompt_tokens_details
        assert details is not None and details.cached_tokens is not None
        return details.cached_tokens

    def written_and_read(self, system: Any, question: Any = "Hello", **options: Any) -> tuple[int, int]:
        details = self.usage(system, question, **options).prompt_tokens_details
        assert details is not None
        return details.cache_write_tokens or 0, details.cached_tokens or 0


def test_openai_caches_by_itself_in_steps_of_128() -> None:
    with hello_world() as provider:
        chat = Chat(provider, "gpt-4o-mini")
        system = words(2000)
        assert chat.cached(system) == 0
        # 2,003 tokens of system message, 4 of the question, 3 that prime the answer and are not cached
        assert chat.usage(system).prompt_tokens == 2010
        assert chat.cached(system) == 1920 == 2007 // 128 * 128
        assert chat.cached(system, "World") == 1920, "the system message is shared"
        assert chat.cached("Another " + system) == 0, "not from the start"
    first, second = provider.log[:2]
    assert first.usd == (2010 * Decimal("0.15") + 2 * Decimal("0.60")) / MILLION == Decimal("0.0003027")
    assert second.usd == (90 * Decimal("0.15") + 1920 * Decimal("0.075") + 2 * Decimal("0.60")) / MILLION
    assert second.usd == Decimal("0.0001587")


@pytest.mark.parametrize(("system_tokens", "cached"), [(1000, 0), (1016, 0), (1017, 1024), (1144, 1024), (1145, 1152)])
def test_openai_minimum_and_steps(system_tokens: int, cached: int) -> None:
    """Around the prefix (system + 3 for its message + 4 for the question) lie the limits 1,024 and 1,152."""
    with hello_world() as provider:
        chat = Chat(provider, "gpt-4o")
        chat.cached(words(system_tokens))
        assert chat.cached(words(system_tokens)) == cached


def test_openai_prefix_that_ends_inside_a_message() -> None:
    with hello_world() as provider:
        chat = Chat(provider, "gpt-4.1")
        chat.cached(words(1400) + " " + words(600, "pear"))
        shared = chat.cached(words(1400) + " " + words(600, "orange"))
        assert shared == 1280, "1,403 tokens are shared, less at most 64 characters"


def test_openai_forgets_after_five_idle_minutes_and_renews_on_use() -> None:
    with hello_world() as provider:
        chat = Chat(provider, "gpt-4o")
        chat.cached(words(2000))
        for _ in range(3):
            provider.clock.advance(290)
            assert chat.cached(words(2000)) == 1920
        provider.clock.advance(301)
        assert chat.cached(words(2000)) == 0
        chat.cached(words(1500, "pear"), prompt_cache_retention="24h")
        provider.clock.advance(86_000)
        assert chat.cached(words(1500, "pear")) == 1408


def test_openai_models_do_not_share() -> None:
    with hello_world() as provider:
        Chat(provider, "gpt-4o").cached(words(2000))
        assert Chat(provider, "gpt-4o-mini").cached(words(2000)) == 0


def test_gpt_5_6_bills_writes_at_breakpoints() -> None:
    with hello_world() as provider:
        chat = Chat(provider, "gpt-5.6-sol")
        assert chat.written_and_read(words(2000)) == (2007, 0)
        assert chat.written_and_read(words(2000)) == (0, 2007)
        # another question: matched at breakpoints only, and the only one stood after the question
        assert chat.written_and_read(words(2000), "World") == (2007, 0)
        provider.clock.advance(1801)
        assert chat.written_and_read(words(2000)) == (2007, 0)
    first, second = provider.log[:2]
    assert first.usd == (3 * Decimal(4) + 2007 * Decimal(5) + 2 * Decimal(20)) / MILLION == Decimal("0.010087")
    assert second.usd == (3 * Decimal(4) + 2007 * Decimal("0.4") + 2 * Decimal(20)) / MILLION == Decimal("0.0008548")


def test_gpt_5_6_explicit_breakpoints() -> None:
    with hello_world() as provider:
        chat = Chat(provider, "gpt-5.6-sol")
        marked: Any = [{"type": "text", "text": words(2000), "prompt_cache_breakpoint": {"mode": "explicit"}}]
        explicit = {"prompt_cache_options": {"mode": "explicit"}}
        assert chat.written_and_read(marked, **explicit) == (2003, 0)
        assert chat.written_and_read(marked, "World", **explicit) == (0, 2003)
        assert chat.written_and_read(marked, "Moon") == (4, 2003), "and the implicit one after the question"
        assert chat.written_and_read(words(2000, "pear"), **explicit) == (0, 0)
        with pytest.raises(OpenAIBadRequestError, match="Only one of"):
            chat.cached("x", prompt_cache_retention="24h", prompt_cache_options={"ttl": "30m"})


class Messages:
    """Asks the Anthropic endpoint."""

    def __init__(self, provider: FakeProvider, model: str = "claude-sonnet-5") -> None:
        self.client = Anthropic(api_key="test", base_url=provider.anthropic_base_url, max_retries=0)
        self.model = model

    def usage(self, system: Any, messages: Any = "Hello", **options: Any) -> Usage:
        turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        return self.client.messages.create(
            model=self.model, max_tokens=9, system=system, messages=turns, **options
        ).usage

    def split(self, system: Any, messages: Any = "Hello", **options: Any) -> tuple[int, int, int, int]:
        """Uncached, read, written for 5 minutes, written for 1 hour."""
        usage = self.usage(system, messages, **options)
        assert usage.cache_creation is not None
        five, hour = usage.cache_creation.ephemeral_5m_input_tokens, usage.cache_creation.ephemeral_1h_input_tokens
        assert usage.cache_creation_input_tokens == five + hour
        return usage.input_tokens, usage.cache_read_input_tokens or 0, five, hour


def system_of(tokens: int, control: Any = EPHEMERAL, word: str = "apple") -> list[dict[str, Any]]:
    return [{"type": "text", "text": words(tokens, word), "cache_control": control}]


def test_anthropic_writes_then_reads() -> None:
    with hello_world() as provider:
        ask = Messages(provider)
        # 3 + 1 tokens of question and 4 that prime the answer are never cached
        assert ask.split(system_of(1500)) == (8, 0, 1500, 0)
        assert ask.split(system_of(1500), "World") == (8, 1500, 0, 0)
        assert ask.split(words(1500)) == (1508, 0, 0, 0), "without a breakpoint nothing is looked up"
        assert ask.split(system_of(1500, ONE_HOUR, "pear")) == (8, 0, 0, 1500)
    bills = [call.usd for call in provider.log]
    output = 2 * Decimal(10)
    assert bills[0] == (8 * Decimal(2) + 1500 * Decimal("2.5") + output) / MILLION == Decimal("0.003786")
    assert bills[1] == (8 * Decimal(2) + 1500 * Decimal("0.2") + output) / MILLION == Decimal("0.000336")
    assert bills[3] == (8 * Decimal(2) + 1500 * Decimal(4) + output) / MILLION == Decimal("0.006036")


def test_anthropic_entries_expire_and_reads_renew_them() -> None:
    with hello_world() as provider:
        ask = Messages(provider)
        ask.split(system_of(1500))
        ask.split(system_of(1500, ONE_HOUR, "pear"))
        for _ in range(3):
            provider.clock.advance(290)
            assert ask.split(system_of(1500)) == (8, 1500, 0, 0)
        provider.clock.advance(301)
        assert ask.split(system_of(1500)) == (8, 0, 1500, 0)
        assert ask.split(system_of(1500, ONE_HOUR, "pear")) == (8, 1500, 0, 0)
        provider.clock.advance(3601)
        assert ask.split(system_of(1500, ONE_HOUR, "pear")) == (8, 0, 0, 1500)


@pytest.mark.parametrize(
    ("model", "minimum"),
    [("claude-opus-5", 512), ("claude-sonnet-5", 1024), ("claude-sonnet-4-6", 2048), ("claude-haiku-4-5", 4096)],
)
def test_anthropic_minimum_prefix(model: str, minimum: int) -> None:
    with hello_world() as provider:
        ask = Messages(provider, model)
        assert ask.split(system_of(minimum - 1)) == (minimum + 7, 0, 0, 0)
        assert ask.split(system_of(minimum)) == (8, 0, minimum, 0)


def test_anthropic_conversation_with_an_automatic_breakpoint() -> None:
    with hello_world() as provider:
        ask = Messages(provider)
        turns: list[Any] = [{"role": "user", "content": "Hello"}]
        assert ask.split(words(1500), turns, cache_control=EPHEMERAL) == (4, 0, 1504, 0)
        turns += [{"role": "assistant", "content": "Hello world"}, {"role": "user", "content": "Hello"}]
        assert ask.split(words(1500), turns, cache_control=EPHEMERAL) == (4, 1504, 5 + 4, 0)


def test_anthropic_looks_back_over_20_blocks() -> None:
    def turns(number: int) -> list[Any]:
        blocks: list[Any] = [{"type": "text", "text": "Hello"} for _ in range(number)]
        blocks[-1] = {**blocks[-1], "cache_control": EPHEMERAL}
        return [{"role": "user", "content": blocks}]

    with hello_world() as provider:
        ask = Messages(provider)
        assert ask.usage(words(1500), turns(1)).cache_creation_input_tokens == 1504
        assert ask.usage(words(1500), turns(20)).cache_read_input_tokens == 1504
        provider.reset()
        assert ask.usage(words(1500), turns(1)).cache_creation_input_tokens == 1504
        assert ask.usage(words(1500), turns(22)).cache_read_input_tokens == 0


def test_anthropic_mixed_lifetimes_and_tools() -> None:
    tool: Any = {"name": "look_up", "description": words(1200), "input_schema": {"type": "object"}}
    with hello_world() as provider:
        ask = Messages(provider)
        marked = [{**tool, "cache_control": ONE_HOUR}]
        _, read, five, hour = ask.split(system_of(300), tools=marked)
        assert read == 0 and five == 300 and hour > 1200
        assert ask.split(system_of(300), tools=marked)[1] == five + hour
        # another system prompt leaves the tools in the cache
        assert ask.split(system_of(300, word="pear"), tools=marked)[1:] == (hour, 300, 0)
        with pytest.raises(BadRequestError, match="must not come after"):
            ask.split(system_of(300, ONE_HOUR), tools=[{**tool, "cache_control": EPHEMERAL}])


def test_anthropic_takes_four_breakpoints_at_most() -> None:
    def blocks(number: int) -> list[Any]:
        return [{"type": "text", "text": "Hello", "cache_control": EPHEMERAL} for _ in range(number)]

    with hello_world() as provider:
        ask = Messages(provider)
        assert ask.split(blocks(4))[0] > 0
        with pytest.raises(BadRequestError, match=r"maximum of 4 blocks with cache_control .* Found 5"):
            ask.split(blocks(5))
        with pytest.raises(BadRequestError, match="Found 5"):
            ask.split(blocks(4), cache_control=EPHEMERAL)


def test_rules_of_ones_own() -> None:
    rule = CacheRule(style="steps", minimum_tokens=8, step_tokens=8, lifetimes={"in_memory": 60.0})
    with FakeProvider(cache_rules={"my-llm": rule}, answer=lambda request: "Hello") as provider:
        chat = Chat(provider, "my-llm-large")
        chat.cached(words(20))
        assert chat.cached(words(20)) == 24


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"style": "magic"}, "style must be"),
        ({"minimum_tokens": 0}, "minimum_tokens must be >= 1"),
        ({"step_tokens": 0}, "step_tokens must be >= 1"),
        ({"lookback": 0}, "lookback must be >= 1"),
    ],
)
def test_bad_rules(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CacheRule(**{"style": "steps", "minimum_tokens": 1, "lifetimes": {"in_memory": 1.0}, **options})


def test_models_without_a_rule_cache_nothing() -> None:
    assert find_rule(CACHE_RULES, "gpt-3.5-turbo") is None
    assert find_rule(CACHE_RULES, "gpt-4o-2024-08-06") is find_rule(CACHE_RULES, "gpt-4.1")


prompts = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c" * 100]), st.integers(0, 900), st.sampled_from([None, "5m", "1h"])),
    min_size=1,
    max_size=6,
)


@given(st.sampled_from(["gpt-4o", "gpt-5.6-sol", "claude-sonnet-5"]), st.lists(prompts, max_size=6))
def test_every_token_is_counted_once(model: str, calls: list[list[tuple[str, int, str | None]]]) -> None:
    cache = PromptCache(CACHE_RULES)
    for now, prompt in enumerate(calls):
        blocks = [Block(kind="text", text=text, tokens=tokens, lifetime=mark) for text, tokens, mark in prompt]
        metered = cache.meter(model, blocks, now=now * 120.0, count=len)
        assert metered.input == sum(block.tokens for block in blocks)
        assert min(metered.uncached, metered.cache_read, metered.cache_write, metered.cache_write_1h) >= 0
