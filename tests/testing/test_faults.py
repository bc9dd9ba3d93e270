"""How does each fault look to a real client, and what is billed for it?"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import anthropic
import httpx
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from lc_costkit.errors import ConfigurationError
from lc_costkit.testing import FakeProvider, Fault
from lc_costkit.tokens import TokenCounter

Ask = Callable[..., Any]


@pytest.fixture(params=["openai", "anthropic"])
def ask(request: pytest.FixtureRequest, openai_client: OpenAI, anthropic_client: Anthropic) -> Ask:
    """Asks either provider; streams are read to the end."""

    def ask_openai(**options: Any) -> Any:
        messages: Any = [{"role": "user", "content": "Hello"}]
        answer = openai_client.with_options(timeout=options.pop("timeout", 10)).chat.completions.create(
            model="gpt-4o", messages=messages, **options
        )
        return list(answer) if options.get("stream") else answer

    def ask_anthropic(**options: Any) -> Any:
        messages: Any = [{"role": "user", "content": "Hello"}]
        answer = anthropic_client.with_options(timeout=options.pop("timeout", 10)).messages.create(
            model="claude-haiku-4-5", max_tokens=500, messages=messages, **options
        )
        return list(answer) if options.get("stream") else answer

    return ask_openai if request.param == "openai" else ask_anthropic


CONNECTION_ERRORS = (openai.APIConnectionError, anthropic.APIConnectionError, httpx.RemoteProtocolError)


def connection_errors() -> tuple[type[BaseException], ...]:
    """What a closed connection raises; the clients may bring an HTTP library of their own."""
    found: list[type[BaseException]] = list(CONNECTION_ERRORS)
    try:
        import httpx2
    except ImportError:
        return tuple(found)
    return (*found, httpx2.RemoteProtocolError)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        (Fault.rate_limit(), 429, "RateLimitError"),
        (Fault.server_error(), 500, "InternalServerError"),
        (Fault.server_error(status=502), 502, "InternalServerError"),
        (Fault.overloaded(), None, "(InternalServer|Overloaded)Error"),
        (Fault.refused(), 400, "BadRequestError"),
        (Fault.refused(status=404, message="no such model"), 404, "NotFoundError"),
    ],
)
def test_error_answers(
    provider: FakeProvider, ask: Ask, fault: Fault, status: int | None, error: str, stream: bool
) -> None:
    provider.fail_next(fault)
    with pytest.raises((openai.APIStatusError, anthropic.APIStatusError), match=fault.message) as caught:
        ask(stream=stream)
    assert re.fullmatch(error, type(caught.value).__name__)
    [call] = provider.log
    assert call.status == caught.value.status_code == (status or call.status)
    assert (call.usd, call.usage, call.fault, call.usage_reached) == (0, None, fault.name, False)
    assert provider.billed_usd == 0
    assert ask()


def test_retry_after_is_what_clients_wait_for(provider: FakeProvider) -> None:
    provider.fail_next(Fault.rate_limit(retry_after=0.01), times=2)
    with OpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=2) as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
    assert answer.choices[0].message.content
    assert [call.status for call in provider.log] == [429, 429, 200]
    provider.fail_next(Fault.rate_limit(retry_after=0.25))
    client = OpenAI(api_key="test", base_url=provider.openai_base_url, max_retries=0)
    with client, pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hello"}])
    assert caught.value.response.headers["retry-after"] == "0.25"
    assert caught.value.response.headers["retry-after-ms"] == "250"
    assert caught.value.code == "rate_limit_exceeded"


def test_a_timeout_that_the_client_does_not_wait_for(provider: FakeProvider, ask: Ask) -> None:
    provider.fail_next(Fault.timeout(30))
    with pytest.raises((openai.APITimeoutError, anthropic.APITimeoutError)):
        ask(timeout=0.1)
    assert provider.wait_idle()
    [call] = provider.log
    assert (call.status, call.usd, call.cut) == (0, 0, True)


def test_a_timeout_that_the_client_waits_for(provider: FakeProvider, ask: Ask) -> None:
    provider.fail_next(Fault.timeout(0.01))
    with pytest.raises((openai.InternalServerError, anthropic.InternalServerError)) as caught:
        ask()
    assert caught.value.status_code == 504
    assert provider.billed_usd == 0


def test_a_stream_that_is_cut(provider: FakeProvider, openai_client: OpenAI) -> None:
    provider.fail_next(Fault.cut_stream(after_chunks=4))
    stream = openai_client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Hello"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    received = ""
    with pytest.raises(connection_errors()):
        for chunk in stream:
            received += chunk.choices[0].delta.content or ""
    [call] = provider.log
    assert call.usage is not None
    assert call.usage["completion_tokens"] == TokenCounter("gpt-4o").count(received) == 3
    assert (call.streamed, call.cut, call.usage_reached, call.chunks_sent) == (True, True, False, 4)
    assert call.usd == provider.billed_usd > 0
    assert provider.billed_usd_reported == 0


def test_a_cut_for_either_provider(provider: FakeProvider, ask: Ask) -> None:
    ask(stream=True)
    provider.fail_next(Fault.cut_stream(), times=2)
    for stream in (True, False):
        with pytest.raises(connection_errors()):
            ask(stream=stream)
    whole, cut_stream, cut_body = provider.log
    assert whole.usd is not None and cut_stream.usd is not None
    assert 0 < cut_stream.usd < whole.usd
    assert cut_body.usd == whole.usd, "the answer had been generated"
    assert cut_stream.cut and cut_body.cut
    assert provider.billed_usd == whole.usd + cut_stream.usd + cut_body.usd


@pytest.mark.parametrize("stream", [False, True])
def test_malformed_json(provider: FakeProvider, ask: Ask, stream: bool) -> None:
    provider.fail_next(Fault.malformed_json())
    with pytest.raises(ValueError, match=r"line 1 column"):
        ask(stream=stream)
    assert provider.wait_idle()
    [call] = provider.log
    assert call.status == 200
    assert call.usd is not None and call.usd > 0
    assert provider.billed_usd_reported == 0


def test_a_client_that_leaves_early() -> None:
    with FakeProvider(chunk_seconds=0.01) as provider:
        with OpenAI(api_key="test", base_url=provider.openai_base_url) as client:
            messages: Any = [{"role": "user", "content": "Tell me all about my card"}]
            whole = client.chat.completions.create(model="gpt-4o", messages=messages)
            stream = client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
            for _, _chunk in zip(range(3), stream, strict=False):
                pass
            stream.close()
        assert provider.wait_idle()
    full, left = provider.log
    assert whole.usage is not None and left.usage is not None
    assert left.cut and not left.usage_reached
    assert 0 < left.usage["completion_tokens"] < whole.usage.completion_tokens
    assert full.usd is not None and left.usd is not None
    assert 0 < left.usd < full.usd


def test_only_the_requests_that_match(provider: FakeProvider, openai_client: OpenAI) -> None:
    provider.fail_next(Fault.server_error(), match=lambda request: request.question == "fail")
    provider.fail_next(Fault.refused(), match=lambda request: request.model == "gpt-4o")

    def status(model: str, question: str) -> int:
        try:
            openai_client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
        except openai.APIStatusError as error:
            return error.status_code
        return 200

    assert status("gpt-4o-mini", "work") == 200
    assert provider.pending_faults == 2
    assert status("gpt-4o-mini", "fail") == 500
    assert status("gpt-4o", "fail") == 400
    assert status("gpt-4o", "fail") == 200
    assert provider.pending_faults == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fault.rate_limit(retry_after=-1), "retry_after must be"),
        (lambda: Fault.timeout(float("inf")), "seconds must be"),
        (lambda: Fault.cut_stream(after_chunks=-1), "after_chunks must be"),
        (lambda: Fault.server_error(status=404), "from 500 to 599, not 404"),
        (lambda: Fault.refused(status=500), "from 400 to 499, not 500"),
        (lambda: FakeProvider().fail_next("500"), "must be a Fault"),
        (lambda: FakeProvider().fail_next(Fault.server_error(), times=0), "times must be a whole number >= 1"),
        (lambda: FakeProvider().fail_next(Fault.server_error(), match=5), "match must be a function"),
    ],
)
def test_bad_faults(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()
