"""Is all that a LlamaIndex call may take seen before it is made?"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    DocumentBlock,
    ImageBlock,
    LLMMetadata,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.llms import MockLLM
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import BaseModel, Field

from lc_costkit.budget.ceiling import ceiling_of
from lc_costkit.budget.claim import Claim
from lc_costkit.budget.media import audio_tokens, file_tokens, image_tokens, video_tokens
from lc_costkit.llama_index.budget_claim import model_of, read_request
from lc_costkit.llama_index.delegating import ChatRequest, CompletionRequest
from lc_costkit.metering import OpenCall
from lc_costkit.pricing import PriceBook
from lc_costkit.testing import FakeProvider
from tests.support.llama_anthropic import AnthropicFunctionLLM
from tests.support.llama_openai import OpenAIFunctionLLM


class Anthropic(OpenAIFunctionLLM):
    """Named and with fields as integrations have them."""

    model: str = "claude-haiku-4-5"
    base_url: str = "http://127.0.0.1:1"
    max_tokens: int | None = 512
    additional_kwargs: dict[str, Any] = Field(default_factory=dict)
    service_tier: str | None = None

    @classmethod
    def class_name(cls) -> str:
        return "Anthropic_LLM"


def openai(**options: Any) -> OpenAIFunctionLLM:
    return OpenAIFunctionLLM(base_url="http://127.0.0.1:1/v1", **options)


def chat(*messages: ChatMessage, llm: Any = None, **options: Any) -> Claim:
    return read_request(llm or openai(), ChatRequest(messages=messages, options=options))[0]


def said(*blocks: Any, role: str = "user", **extras: Any) -> ChatMessage:
    return ChatMessage(role=role, blocks=list(blocks), additional_kwargs=extras)


# -- who and what --------------------------------------------------------------------


def test_model_provider_and_whom_it_is_for() -> None:
    tags = {"user": "ann", "feature": "chat", "team": "b2b", "tenant": 7, "tags": ["x"], "lc_costkit": {"cache": {}}}
    with instrument_tags(tags):
        claim, call = read_request(openai(), ChatRequest(messages=[ChatMessage("hi")]))
    assert (claim.model, claim.provider) == ("gpt-4o-mini", "openai")
    assert claim.metadata == {"user": "ann", "feature": "chat", "team": "b2b", "tenant": 7}
    assert isinstance(call, OpenCall)
    assert (call.model_asked, call.provider, call.framework, call.operation) == (
        "gpt-4o-mini",
        "openai",
        "llama_index",
        "chat",
    )
    assert (call.user, call.feature, call.team, call.tags) == ("ann", "chat", "b2b", ("x",))
    assert (chat(ChatMessage("hi"), llm=Anthropic()).model, chat(llm=Anthropic()).provider) == (
        "claude-haiku-4-5",
        "anthropic",
    )
    assert chat(ChatMessage("hi"), model="gpt-4o").model == "gpt-4o"


class Newer(MockLLM):
    """An integration that does not know its own model."""

    model: str = "gpt-9"
    max_tokens: int | None = None

    @property
    def metadata(self) -> LLMMetadata:
        raise ValueError("Unknown model 'gpt-9'")


def test_a_model_without_a_name_and_one_that_the_integration_does_not_know() -> None:
    assert model_of(MockLLM()) is None
    assert model_of(Newer(max_tokens=1)) == "gpt-9"
    assert chat(said(DocumentBlock(data=b"x")), llm=Newer(max_tokens=1)).model == "gpt-9"


# -- the output ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "options", "limit"),
    [
        ({}, {}, None),
        ({"max_tokens": 100}, {}, 100),
        ({"max_tokens": 100}, {"max_tokens": 50}, 50),
        ({"max_tokens": 100}, {"max_completion_tokens": 5_000}, 5_000),
        ({"max_tokens": 100}, {"max_tokens": None}, None),
        ({}, {"extra_body": {"max_tokens": 70}}, 70),
        ({}, {"max_tokens": "many"}, None),
        ({}, {"max_tokens": True}, None),
        ({}, {"max_tokens": -1}, None),
    ],
)
def test_the_limit_of_the_output(fields: dict[str, Any], options: dict[str, Any], limit: int | None) -> None:
    claim = chat(ChatMessage("hi"), llm=openai(**fields), **options)
    assert claim.max_output_tokens == limit
    assert claim.output_limit is None, "num_output is no limit"


def test_settings_that_an_integration_puts_into_each_request() -> None:
    llm = Anthropic(
        additional_kwargs={"max_tokens": 2_000, "n": 3, "speed": "fast", "inference_geo": "us"},
        service_tier="priority",
    )
    claim = chat(ChatMessage("hi"), llm=llm)
    assert (claim.max_output_tokens, claim.choices, claim.speed, claim.inference_geo) == (2_000, 3, "fast", "us")
    assert claim.service_tier == "priority"
    assert chat(ChatMessage("hi"), llm=llm, service_tier="flex", n=1).service_tier == "flex"
    assert chat(ChatMessage("hi"), llm=llm, n=1).choices == 1


# -- the prompt ----------------------------------------------------------------------


def test_tools_and_schemas_are_part_of_the_prompt() -> None:
    class City(BaseModel):
        """A city."""

        name_of_the_city: str

    tool = FunctionTool.from_defaults(lambda town: town, name="look_up", description="Looks up.")
    prepared = openai()._prepare_chat_with_tools([tool], user_msg="hi")
    claim = chat(*prepared.pop("messages"), **prepared)
    assert "look_up" in claim.prompt.tools
    assert "town" in claim.prompt.tools
    assert "name_of_the_city" in chat(ChatMessage("hi"), response_format=City).prompt.tools
    assert chat(ChatMessage("hi"), temperature=0.1, user="ann").prompt.tools == ""


def test_calls_results_thoughts_and_sources_are_part_of_the_prompt() -> None:
    function = {"id": "call_1", "function": {"name": "add", "arguments": '{"a": 22}'}}
    claim = chat(
        said(ToolCallBlock(tool_name="look_up", tool_kwargs={"town": "Oslo"}, tool_call_id="1"), role="assistant"),
        said(TextBlock(text="sure"), role="assistant", tool_calls=[function]),
        said(TextBlock(text="44"), role="tool", tool_call_id="call_1"),
        said(ThinkingBlock(content="a thought"), role="assistant"),
        said(CitableBlock(title="Title", source="Source", content=[TextBlock(text="quoted")])),
    )
    texts = [text for _, text in claim.prompt.turns]
    assert texts[0] == 'look_up({"town": "Oslo"})'
    assert texts[1] == 'sure\nadd({"a": 22})'
    assert texts[2] == "44\ncall_1"
    assert texts[3] == "a thought"
    assert all(word in texts[4] for word in ("Title", "Source", "quoted"))
    assert [role for role, _ in claim.prompt.turns] == ["assistant", "assistant", "tool", "assistant", "user"]


def test_a_completion_is_taken_as_its_template_makes_it() -> None:
    llm = MockLLM(completion_to_prompt=lambda prompt: f"<instruction>{prompt}</instruction>")
    raw = read_request(llm, CompletionRequest(prompt="hi", formatted=True))[0]
    framed = read_request(llm, CompletionRequest(prompt="hi"))[0]
    assert raw.prompt.turns == (("user", "hi"),)
    assert framed.prompt.turns == (("user", "<instruction>hi</instruction>"),)
    assert not framed.prompt.framed


@pytest.mark.parametrize(
    ("blocks", "options", "ttl"),
    [
        ((TextBlock(text="hi"),), {}, None),
        ((CachePoint(cache_control=CacheControl(type="ephemeral")),), {}, "5m"),
        ((CachePoint(cache_control=CacheControl(type="ephemeral", ttl="1h")),), {}, "1h"),
        (
            (CachePoint(cache_control=CacheControl(type="ephemeral")),),
            {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
            "1h",
        ),
    ],
)
def test_the_longest_lifetime_in_the_prompt_cache(blocks: Any, options: dict[str, Any], ttl: str | None) -> None:
    assert chat(said(*blocks), **options).cache_ttl == ttl


def test_a_lifetime_may_stand_beside_a_message() -> None:
    assert chat(said(TextBlock(text="hi"), cache_control={"type": "ephemeral"})).cache_ttl == "5m"


def test_searches_of_the_web() -> None:
    claim = chat(ChatMessage("hi"), tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 4}])
    assert claim.paid_tools == {"web_search": 4}
    assert chat(ChatMessage("hi")).paid_tools == {}


# -- what is no text -----------------------------------------------------------------


class Wide(OpenAIFunctionLLM):
    """Does not say its window."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name=self.model, is_chat_model=True, is_function_calling_model=True)


def test_images_recordings_films_and_files_are_counted_at_their_most(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF" + b"0" * 996)
    llm = Wide(model="gpt-4o", base_url="http://127.0.0.1:1/v1")
    image, sound = ImageBlock(image=b"aGk="), AudioBlock(audio=b"0" * 1_000)
    film, paper = VideoBlock(video=b"0" * 9_000), DocumentBlock(path=path)

    def tokens(*blocks: Any) -> int:
        return chat(said(*blocks), llm=llm).other_input_tokens

    assert tokens(TextBlock(text="hi")) == 0
    assert tokens(image) == image_tokens("gpt-4o")
    assert tokens(sound) >= audio_tokens(1_000)
    assert tokens(film) >= video_tokens(9_000)
    assert tokens(paper) == file_tokens(1_000)
    assert tokens(DocumentBlock(data=io.BytesIO(b"0" * 500))) >= file_tokens(500)
    assert tokens(CitableBlock(title="t", source="s", content=[image])) == image_tokens("gpt-4o")
    assert tokens(image, image, paper) == 2 * image_tokens("gpt-4o") + file_tokens(1_000)
    assert tokens(AudioBlock(url="http://127.0.0.1:1/a.mp3")) == 128_000, "its length is not known"


def test_nothing_takes_more_than_a_window_that_is_known() -> None:
    huge = VideoBlock(video=b"0" * 9_000_000)
    assert chat(said(huge)).other_input_tokens == openai().metadata.context_window
    assert chat(said(huge), llm=Wide(base_url="http://127.0.0.1:1/v1")).other_input_tokens > 128_000


# -- what it comes to ----------------------------------------------------------------


def look_up(town: str, country: str = "Norway") -> str:
    """Look up how many people live in a town, and since when it has been one."""
    return f"{town} in {country} has 700000 inhabitants."


class Town(BaseModel):
    """A town and its people."""

    name: str
    inhabitants: int


LONG = ChatMessage(
    role="system", content="You help. " * 400, additional_kwargs={"cache_control": {"type": "ephemeral", "ttl": "1h"}}
)
TURNS: list[list[ChatMessage]] = [
    [ChatMessage("hi")],
    [ChatMessage("Wie viele Einwohner hat Tromsø? 트롬쇠에는 몇 명이 살아요?")],
    [LONG, ChatMessage("How many people live in Oslo? Use look_up.")],
]


@pytest.mark.parametrize("counted", [False, True])
def test_what_a_call_costs_is_never_above_what_it_was_thought_to_take(provider: FakeProvider, counted: bool) -> None:
    gpt = OpenAIFunctionLLM(base_url=provider.openai_base_url, max_tokens=200)
    claude = AnthropicFunctionLLM(model="claude-sonnet-4-6", base_url=provider.anthropic_base_url)
    tool = FunctionTool.from_defaults(look_up)
    seen: list[Claim] = []

    def ask(llm: Any, messages: list[ChatMessage], **options: Any) -> Any:
        seen.append(read_request(llm, ChatRequest(messages=messages, options=options))[0])
        return llm.chat(messages, **options)

    for llm in (gpt, claude):
        for turns in TURNS:
            ask(llm, turns)
            ask(llm, turns)  # its prompt is in the provider's cache now
            prepared = llm._prepare_chat_with_tools([tool], chat_history=turns)
            first = ask(llm, **prepared)
            calls = llm.get_tool_calls_from_response(first, error_on_no_tool_call=False)
            if llm is gpt and calls:
                result = ChatMessage(
                    role="tool", content=look_up("Oslo"), additional_kwargs={"tool_call_id": calls[0].tool_id}
                )
                ask(llm, **{**prepared, "messages": [*turns, first.message, result]})
    schema = {"name": "town", "schema": Town.model_json_schema()}
    ask(gpt, TURNS[0], response_format={"type": "json_schema", "json_schema": schema})
    assert len(seen) == provider.calls >= 19
    for claim, billed in zip(seen, provider.log, strict=True):
        ceiling = ceiling_of(claim, PriceBook(), counted=counted)
        assert ceiling.usd is not None
        assert billed.usd is not None
        assert ceiling.usd >= billed.usd > 0, claim
