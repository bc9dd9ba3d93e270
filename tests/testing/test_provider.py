"""Does a provider start, stop, keep its log and refuse bad settings?"""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from anthropic import Anthropic
from openai import APIConnectionError, AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError, OpenAI

from lc_costkit.errors import ConfigurationError
from lc_costkit.testing import FakeAnswer, FakeClock, FakeProvider, FakeRequest, Fault, ModelRate
from tests.testing.support import MILLION, hello_world


def client_of(provider: FakeProvider, api_key: str = "test") -> OpenAI:
    return OpenAI(api_key=api_key, base_url=provider.openai_base_url, max_retries=0)


def ask(client: OpenAI, question: str = "Hello", model: str = "gpt-4o-mini") -> str:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
    return answer.choices[0].message.content or ""


def test_it_starts_and_stops_again_and_again() -> None:
    provider = FakeProvider()
    for _ in range(20):
        with provider:
            assert urllib.request.urlopen(f"{provider.url}/v1/models").status == 200  # noqa: S310
    assert not [thread for thread in threading.enumerate() if thread.name == "FakeProvider"]


async def test_it_is_an_asynchronous_context_manager_too() -> None:
    async with FakeProvider() as provider:
        client = AsyncOpenAI(api_key="test", base_url=provider.openai_base_url)
        answer = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
        assert answer.choices[0].message.content
    assert provider.calls == 1


def test_stopping_ends_requests_that_are_under_way() -> None:
    arrived = threading.Event()

    def matches(request: FakeRequest) -> bool:
        arrived.set()
        return True

    with FakeProvider() as provider, ThreadPoolExecutor() as pool:
        provider.fail_next(Fault.timeout(60), match=matches)
        with client_of(provider) as client:
            waiting = pool.submit(ask, client)
            assert arrived.wait(10)
            provider.stop()
            assert isinstance(waiting.exception(), APIConnectionError)


def test_the_bill_is_the_sum_by_hand() -> None:
    """``Hello`` is 1 token: 3 + 1 for the message and 3 that prime the answer; the answer is 2."""
    with hello_world() as provider:
        with client_of(provider) as client:
            for model in ("gpt-4o-mini", "gpt-4o", "gpt-5-mini-2025-08-07", "gpt-5.6-sol"):
                ask(client, model=model)
            client.embeddings.create(model="text-embedding-3-large", input=["Hello", "Hello world"])
        with Anthropic(api_key="test", base_url=provider.anthropic_base_url) as anthropic:
            # 3 + 1 for the message and 4 that prime the answer
            anthropic.messages.create(
                model="claude-haiku-4-5", max_tokens=9, messages=[{"role": "user", "content": "Hello"}]
            )
    assert [call.usd * MILLION for call in provider.log if call.usd is not None] == [
        7 * Decimal("0.15") + 2 * Decimal("0.60"),
        7 * Decimal("2.50") + 2 * Decimal("10"),
        7 * Decimal("0.25") + 2 * Decimal("2"),
        7 * Decimal("4") + 2 * Decimal("20"),
        3 * Decimal("0.13"),
        8 * Decimal("1") + 2 * Decimal("5"),
    ]
    assert provider.billed_usd == provider.billed_usd_reported == Decimal("0.00013189")


def test_the_log_says_what_was_asked_and_answered(provider: FakeProvider, openai_client: OpenAI) -> None:
    answer = openai_client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "Hello"}], user="u42"
    )
    [call] = provider.log
    assert answer.usage is not None and call.usage is not None
    assert (call.number, call.path, call.provider) == (1, "POST /v1/chat/completions", "openai")
    assert (call.model, call.model_answered) == ("gpt-4o", answer.model)
    assert call.body == {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "user": "u42"}
    assert call.usage["prompt_tokens"] == answer.usage.prompt_tokens
    assert (call.status, call.streamed, call.cut, call.usage_reached, call.fault) == (200, False, False, True, None)
    assert call.request_id == answer._request_id
    assert call.at.tzinfo is not None


def test_a_model_without_a_rate_answers_and_is_not_billed(provider: FakeProvider, openai_client: OpenAI) -> None:
    assert ask(openai_client, model="my-private-llm")
    ask(openai_client)
    assert provider.log[0].usd is None
    assert provider.unpriced_calls == 1
    assert provider.billed_usd == provider.log[1].usd


def test_a_rate_of_ones_own() -> None:
    rates = {"my-private-llm": ModelRate(input=Decimal(1), output=Decimal(10))}
    with FakeProvider(rates=rates, answer=lambda request: "Hello world") as provider, client_of(provider) as client:
        ask(client, model="my-private-llm")
    assert provider.billed_usd == Decimal("0.000027")


def test_reset_forgets_calls_faults_and_cached_prompts(provider: FakeProvider, openai_client: OpenAI) -> None:
    ask(openai_client, "apple " * 2000)
    provider.fail_next(Fault.server_error(), times=3)
    assert (provider.calls, provider.pending_faults) == (1, 3)
    provider.reset()
    assert (provider.calls, provider.billed_usd, provider.pending_faults) == (0, 0, 0)
    ask(openai_client, "apple " * 2000)
    usage = provider.log[0].usage
    assert usage is not None and usage["prompt_tokens_details"]["cached_tokens"] == 0


def test_many_clients_at_once() -> None:
    with FakeProvider(answer=lambda request: request.question, latency_seconds=0.005) as provider:
        with client_of(provider) as client, ThreadPoolExecutor(16) as pool:
            questions = [f"question number {number}" for number in range(200)]
            assert list(pool.map(lambda question: ask(client, question), questions)) == questions
        assert provider.calls == 200
        assert sorted(call.number for call in provider.log) == list(range(1, 201))
        assert provider.billed_usd == sum(call.usd or 0 for call in provider.log)


def test_connections_can_be_kept() -> None:
    with FakeProvider(keep_alive=True) as provider, client_of(provider) as client:
        answer = client.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Hello"}]
        )
        assert "connection" not in answer.headers
        assert ask(client)


def test_keys(provider: FakeProvider) -> None:
    with urllib.request.urlopen(f"{provider.url}/v1/models") as answer:  # noqa: S310
        assert answer.status == 200
    with FakeProvider(api_key="right") as strict:
        with client_of(strict, "wrong") as wrong, pytest.raises(AuthenticationError, match="Incorrect API key"):
            ask(wrong)
        with client_of(strict, "right") as right:
            assert ask(right)
    assert [call.status for call in strict.log] == [401, 200]


def test_models_are_listed_for_both_providers(openai_client: OpenAI, anthropic_client: Anthropic) -> None:
    assert "gpt-4o-mini" in [model.id for model in openai_client.models.list()]
    assert "claude-haiku-4-5" in [model.id for model in anthropic_client.models.list()]
    assert openai_client.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(NotFoundError, match="no-such-model"):
        openai_client.models.retrieve("no-such-model")


def test_a_path_that_is_not_there(provider: FakeProvider, openai_client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="Unknown request URL"):
        openai_client.moderations.create(input="x")


@pytest.mark.parametrize("answer", [lambda request: 42, lambda request: 1 / 0])
def test_an_answer_function_that_fails_is_shown_and_not_retried(answer: Callable[[FakeRequest], str]) -> None:
    with FakeProvider(answer=answer) as provider:
        client = OpenAI(api_key="test", base_url=provider.openai_base_url)
        with client, pytest.raises(BadRequestError, match="the answer function failed: "):
            ask(client)
    assert provider.calls == 1
    assert provider.billed_usd == 0


def test_an_answer_function_sees_the_request() -> None:
    seen: list[FakeRequest] = []

    def answer(request: FakeRequest) -> FakeAnswer:
        seen.append(request)
        return FakeAnswer("Paris", reasoning_tokens=64)

    with FakeProvider(answer=answer) as provider, client_of(provider) as client:
        result = client.chat.completions.create(
            model="gpt-5",
            messages=[
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": [{"type": "text", "text": "Capital of France?"}]},
            ],
            stop=["\n"],
            max_completion_tokens=100,
        )
    [request] = seen
    assert (request.question, request.system) == ("Capital of France?", "Be short.")
    assert (request.model, request.stop, request.max_tokens, request.stream) == ("gpt-5", ("\n",), 100, False)
    assert [message.role for message in request.messages] == ["system", "user"]
    assert result.usage is not None and result.usage.completion_tokens_details is not None
    assert result.usage.completion_tokens_details.reasoning_tokens == 64
    assert result.usage.completion_tokens == 65


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"answer": "text"}, "answer must be a function"),
        ({"latency_seconds": -1}, "latency_seconds must be a number of seconds >= 0, got -1"),
        ({"latency_seconds": float("nan")}, "latency_seconds must be"),
        ({"chunk_seconds": "fast"}, "chunk_seconds must be"),
        ({"rates": [("gpt-4o", 1)]}, "rates must map model names to ModelRate"),
        ({"rates": {"": ModelRate(input=Decimal(1))}}, "rates must have model names as keys"),
        ({"rates": {"gpt-4o": 2.5}}, "must be a ModelRate, got 2.5"),
        ({"cache_rules": {"gpt-4o": 1024}}, "must be a CacheRule, got 1024"),
        ({"cache_rules": []}, "cache_rules must map"),
        ({"port": 70000}, "port must be a whole number from 0 to 65535"),
        ({"clock": 0}, "clock must be a FakeClock"),
    ],
)
def test_bad_settings(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        FakeProvider(**options)


def test_use_at_the_wrong_time(provider: FakeProvider) -> None:
    with pytest.raises(ConfigurationError, match="already serves on port"):
        provider.start()
    with pytest.raises(ConfigurationError, match="no address before it serves"):
        _ = FakeProvider().url
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        FakeProvider(port=int(provider.url.rsplit(":", 1)[1])).start()
    provider.stop()
    provider.stop()


def test_the_clock_only_moves_forward() -> None:
    clock = FakeClock()
    before = clock.now()
    clock.advance(60)
    assert (clock.now() - before).total_seconds() >= 60
    with pytest.raises(ConfigurationError, match="forward only"):
        clock.advance(-1)


def test_nothing_is_loaded_before_it_is_used_and_a_missing_extra_says_so() -> None:
    program = """
import sys
import lc_costkit.testing
assert not {"starlette", "uvicorn", "tiktoken"} & set(sys.modules)
sys.modules["uvicorn"] = None
from lc_costkit.errors import MissingDependency
try:
    lc_costkit.testing.FakeProvider
except MissingDependency as error:
    assert "lc_costkit[testing]" in str(error), error
else:
    raise AssertionError("no error")
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)
