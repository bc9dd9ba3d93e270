"""What does a policy get to see of a LlamaIndex call?"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from llama_index.core import PromptTemplate
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    LLMMetadata,
    TextBlock,
    ToolCallBlock,
)
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation.dispatcher import instrument_tags
from pydantic import BaseModel

from lc_costkit.budget.budget import Budget
from lc_costkit.cache import Cache
from lc_costkit.errors import ConfigurationError
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index import budgeted_llm, cached_llm, cascade_llm, instrument, routed_llm
from lc_costkit.llama_index.route_request import identify
from lc_costkit.marks import MARK, ROUTE_KEY
from lc_costkit.routing import Cheapest, RouteRequest, sticky
from lc_costkit.routing.answer import PASSED
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.testing import FakeProvider
from tests.support.llama_anthropic import AnthropicFunctionLLM
from tests.support.llama_openai import OpenAIFunctionLLM

WORKFLOWS = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""LlamaIndex's workflows use what pydantic has deprecated."""

Make = Callable[..., OpenAIFunctionLLM]


def weather(city: str) -> str:
    """Say what the weather is in a city."""
    return f"Sunny in {city}."


WEATHER = FunctionTool.from_defaults(weather)


class City(BaseModel):
    """A city."""

    name: str


class Notes:
    """A policy that keeps what it was asked; asynchronous calls must await ``acall``."""

    def __init__(self) -> None:
        self.seen: list[RouteRequest] = []
        self.awaited = 0
        self.models: dict[str, TargetModel] = {}

    def __call__(self, request: RouteRequest) -> str:
        self.seen.append(request)
        return "cheap"

    async def acall(self, request: RouteRequest) -> str:
        self.awaited += 1
        return self(request)

    def check_models(self, models: dict[str, TargetModel]) -> None:
        self.models = models


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def llm(provider: FakeProvider, make_llama_llm: Make, notes: Notes) -> Any:
    claude = AnthropicFunctionLLM(model="claude-sonnet-4-6", base_url=provider.anthropic_base_url)
    return routed_llm({"cheap": make_llama_llm("gpt-4o-mini"), "strong": claude}, notes)


async def test_every_asynchronous_way_awaits_a_policy_that_waits(llm: Any, notes: Notes) -> None:
    await llm.achat([ChatMessage("hi")])
    await llm.acomplete("hi")
    _ = [chunk async for chunk in await llm.astream_chat([ChatMessage("hi")])]
    _ = [chunk async for chunk in await llm.astream_complete("hi")]
    await llm.achat_with_tools([WEATHER], user_msg="hi")
    _ = [chunk async for chunk in await llm.astream_chat_with_tools([WEATHER], user_msg="hi")]
    await llm.apredict(PromptTemplate("hi {name}"), name="Ann")
    await llm.astructured_predict(City, PromptTemplate("Where is {name}?"), name="Ann")
    await llm.apredict_and_call([WEATHER], user_msg="use weather")
    assert notes.awaited == len(notes.seen) == 9
    llm.chat([ChatMessage("hi")])
    llm.chat_with_tools([WEATHER], user_msg="hi")
    assert notes.awaited == 9
    assert len(notes.seen) == 11


def test_the_policy_sees_tools_as_they_are_sent(llm: Any, notes: Notes) -> None:
    llm.chat_with_tools([WEATHER], user_msg="hi", chat_history=[ChatMessage("Be brief.", role="system")], max_tokens=77)
    (request,) = notes.seen
    assert request.tools == ("weather",)
    assert '"city"' in request.tool_text
    assert (request.question, request.system, request.max_output_tokens) == ("hi", "Be brief.", 77)
    assert not request.structured
    assert not request.media
    assert not request.cache_marked
    llm.chat([ChatMessage("hi")])
    assert (notes.seen[-1].tools, notes.seen[-1].tool_text, notes.seen[-1].max_output_tokens) == ((), "", None)


def test_the_policy_sees_that_a_schema_is_asked_for(llm: Any, notes: Notes) -> None:
    llm.structured_predict(City, PromptTemplate("Where is {name}?"), name="Ann")
    llm.as_structured_llm(City).chat([ChatMessage("hi")])
    assert list(llm.stream_structured_predict(City, PromptTemplate("Where is {name}?"), name="Ann"))
    llm.chat([ChatMessage("hi")], response_format={"type": "json_object"})
    assert [request.structured for request in notes.seen] == [True] * 4


def test_the_policy_sees_other_input_than_text(llm: Any, notes: Notes) -> None:
    llm.explain(
        [
            ChatMessage(role="user", blocks=[TextBlock(text="Look."), ImageBlock(image=b"aGk=")]),
            ChatMessage(role="user", blocks=[TextBlock(text="Read."), DocumentBlock(data=b"aGk=", title="x.pdf")]),
        ]
    )
    (request,) = notes.seen
    assert request.media == ("image", "pdf")
    assert request.question == "Read."
    assert request.notes == ("1 parts are not text and were not read",)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        (ChatMessage("hi", additional_kwargs={"cache_control": {"type": "ephemeral"}}), None),
        (ChatMessage("hi", additional_kwargs={"cache_control": {"type": "ephemeral", "ttl": "1h"}}), 3600.0),
        (
            ChatMessage(
                role="user",
                blocks=[TextBlock(text="hi"), CachePoint(cache_control=CacheControl(type="ephemeral", ttl="5m"))],
            ),
            300,
        ),
    ],
)
def test_the_policy_sees_marks_for_the_prompt_cache(llm: Any, notes: Notes, message: Any, seconds: Any) -> None:
    llm.explain([message])
    assert notes.seen[-1].cache_marked
    assert notes.seen[-1].cache_seconds == seconds
    llm.explain("hi")
    assert not notes.seen[-1].cache_marked


def test_the_policy_sees_the_models(llm: Any, notes: Notes) -> None:
    llm.explain("hi")
    assert (
        notes.seen[-1].models
        == notes.models
        == {
            "cheap": TargetModel("gpt-4o-mini", "openai", max_input_tokens=128_000, tool_calling=True),
            "strong": TargetModel("claude-sonnet-4-6", "anthropic", max_input_tokens=200_000, tool_calling=True),
        }
    )


def test_a_model_that_the_call_names_is_the_one_that_answers(
    provider: FakeProvider, make_llama_llm: Make, notes: Notes
) -> None:
    targets = {"cheap": make_llama_llm("gpt-4o-mini"), "strong": make_llama_llm("gpt-4o")}
    with Ledger() as ledger, instrument(ledger):
        routed_llm(targets, notes).chat([ChatMessage("hi")], model="gpt-4.1")
        (record,) = ledger.records()
    assert {model.model for model in notes.seen[-1].models.values()} == {"gpt-4.1"}
    assert [call.model for call in provider.log] == ["gpt-4.1"]
    assert [saved.usd for saved in record.saved if saved.usd] == []


class PlainLLM(MockLLM):
    """Says of itself nothing but its name."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="plain")


def test_what_a_model_does_not_say_is_not_known(make_llama_llm: Make) -> None:
    assert identify(PlainLLM(max_tokens=None)) == TargetModel("plain", None, tool_calling=False)
    assert identify(MockLLM()).model is None


def test_a_model_that_is_wrapped_is_known(make_llama_llm: Make) -> None:
    plain = make_llama_llm("gpt-4o-mini")
    with Ledger() as ledger:
        for llm in (
            budgeted_llm(plain, Budget(usd=1), ledger),
            cached_llm(plain, Cache()),
            routed_llm({"only": plain}),
            plain.as_structured_llm(City),
        ):
            assert (identify(llm).model, identify(llm).provider) == ("gpt-4o-mini", "openai")


def test_a_policy_that_cannot_choose_among_the_models_is_refused(make_llama_llm: Make) -> None:
    class Picky(Notes):
        def check_models(self, models: dict[str, TargetModel]) -> None:
            raise ConfigurationError(f"no price for {models['cheap'].model}")

    with pytest.raises(ConfigurationError, match="no price for gpt-4o-mini"):
        routed_llm({"cheap": make_llama_llm()}, Picky())


def test_a_model_without_a_name_is_a_fault_and_no_more(provider: FakeProvider) -> None:
    class Nameless(OpenAIFunctionLLM):
        broken: bool = False

        @property
        def metadata(self) -> LLMMetadata:
            if self.broken:
                raise RuntimeError("no name")
            return super().metadata

    target = Nameless(base_url=provider.openai_base_url)
    llm = routed_llm({"only": target})
    target.broken = True
    assert llm.explain("hi").target == "only"
    assert set(llm.faults.counts) == {"reading a target's model name: RuntimeError"}


# -- tags ----------------------------------------------------------------------------------------


async def test_tags_are_the_metadata_and_name_the_target(llm: Any, notes: Notes, provider: FakeProvider) -> None:
    with instrument_tags({"user": "u42", MARK: {"other": 1}}):
        llm.chat([ChatMessage("hi")])
    assert notes.seen[-1].metadata == {"user": "u42"}
    with instrument_tags({"route": "strong"}):
        answers = [
            llm.chat([ChatMessage("hi")]),
            await llm.achat([ChatMessage("hi")]),
            list(llm.stream_complete("hi"))[-1],
            await llm.achat_with_tools([WEATHER], user_msg="use weather"),
        ]
    assert len(notes.seen) == 1
    assert [call.model for call in provider.log] == ["gpt-4o-mini"] + ["claude-sonnet-4-6"] * 4
    assert {answer.additional_kwargs[MARK][ROUTE_KEY]["reasons"][0] for answer in answers} == {
        "the caller's metadata says so"
    }


def test_a_name_that_is_no_target_is_a_fault_and_the_policy_decides(llm: Any, provider: FakeProvider) -> None:
    with instrument_tags({"route": "huge"}):
        llm.chat([ChatMessage("hi")])
    assert [call.model for call in provider.log] == ["gpt-4o-mini"]
    assert llm.faults.counts == {'reading metadata["route"]: LookupError': 1}


def test_the_tag_is_for_the_outer_one_of_two_routers(provider: FakeProvider, make_llama_llm: Make) -> None:
    inner = routed_llm({"a": make_llama_llm("gpt-4o-mini"), "b": make_llama_llm("gpt-4.1")}, lambda request: "a")
    outer = routed_llm({"cheap": inner, "strong": make_llama_llm("gpt-4o")}, lambda request: "strong")
    with instrument_tags({"route": "cheap"}):
        outer.chat([ChatMessage("hi")])
    assert [call.model for call in provider.log] == ["gpt-4o-mini"]
    assert not outer.faults.counts
    assert not inner.faults.counts


# -- conversations -------------------------------------------------------------------------------


@WORKFLOWS
async def test_the_steps_of_an_agent_are_one_conversation(llm: Any, notes: Notes) -> None:
    agent = FunctionAgent(tools=[WEATHER], llm=llm)
    memory = ChatMemoryBuffer.from_defaults(token_limit=4000)
    await agent.run("Use weather in Paris, please.", memory=memory)
    await agent.run("And what now?", memory=memory)
    before = [request.conversation for request in notes.seen]
    assert before[0] is None
    assert [one.target for one in before[1:] if one is not None] == ["cheap"] * (len(before) - 1)
    assert len(before) == 3
    assert all(0 < one.share < 1 for one in before[1:] if one is not None)


def test_nothing_is_written_on_messages(llm: Any) -> None:
    """What stands on a message is sent to the provider with the next request."""
    answer = llm.chat([ChatMessage("hi")])
    assert MARK in answer.additional_kwargs
    assert MARK not in answer.message.additional_kwargs


# -- several in one another ----------------------------------------------------------------------


class Wrapped(OpenAIFunctionLLM):
    """Reads tool calls of its own model only."""

    def _validate_chat_with_tools_response(self, response: Any, *args: Any, **kwargs: Any) -> Any:
        assert response.raw["model"].startswith(self.model)
        return response

    def get_tool_calls_from_response(self, response: Any, *args: Any, **kwargs: Any) -> list[Any]:
        assert response.raw["model"].startswith(self.model)
        return super().get_tool_calls_from_response(response, *args, **kwargs)


@pytest.mark.parametrize("mode", ["on", "observe"])
@pytest.mark.parametrize("chosen", ["x", "y"])
async def test_tool_calls_are_read_by_the_innermost_llm_that_wrote_them(
    provider: FakeProvider, mode: Any, chosen: str
) -> None:
    url = provider.openai_base_url
    inner = routed_llm({"x": Wrapped(model="gpt-4o-mini", base_url=url), "y": Wrapped(model="gpt-4.1", base_url=url)})
    inner._chooser.policy = lambda request: chosen
    outer: Any = routed_llm(
        {"x": Wrapped(model="gpt-4o", base_url=url), "strong": inner}, lambda request: "strong", mode=mode
    )
    answers = [
        outer.chat_with_tools([WEATHER], user_msg="use weather"),
        await outer.achat_with_tools([WEATHER], user_msg="use weather"),
        list(outer.stream_chat_with_tools([WEATHER], user_msg="use weather"))[-1],
    ]
    for answer in answers:
        (call,) = outer.get_tool_calls_from_response(answer)
        assert call.tool_name == "weather"
    assert {call.model for call in provider.log} == {"gpt-4o-mini" if chosen == "x" else "gpt-4.1"}


def test_a_budget_and_a_cache_stand_before_and_behind(provider: FakeProvider, make_llama_llm: Make) -> None:
    with Ledger() as ledger:
        llm = routed_llm({"cheap": make_llama_llm("gpt-4o-mini"), "strong": make_llama_llm("gpt-4o")})
        budget = Budget(usd=1)
        held: Any = cached_llm(budgeted_llm(llm, budget, ledger), Cache())
        for _ in range(2):
            assert held.chat_with_tools([WEATHER], user_msg="use weather").message.additional_kwargs["tool_calls"]
            assert held.chat([ChatMessage("When do cards arrive?")]).message.content
        assert budget.status(ledger).spent == provider.billed_usd > Decimal(0)
    assert provider.calls == 2
    sent = [call.body for call in provider.log]
    assert all("lc_costkit" not in str(body) for body in sent)


# -- whole machinery -----------------------------------------------------------------------------


def test_it_can_be_pickled_when_its_policy_can(make_llama_llm: Make, provider: FakeProvider) -> None:
    targets = {"cheap": make_llama_llm("gpt-4o-mini"), "strong": make_llama_llm("gpt-4o")}
    for llm in (routed_llm(targets, on_error="next"), cascade_llm(targets)):
        copy = pickle.loads(pickle.dumps(llm))  # noqa: S301
        assert copy.complete("hi").additional_kwargs[MARK][ROUTE_KEY]["target"] == "cheap"
        assert copy.explain("Prove that there are infinitely many primes.").choice
    for llm in (routed_llm(targets, lambda request: "cheap"), cascade_llm(targets, [lambda request, answer: PASSED])):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(llm)
        assert deepcopy(llm).complete("hi").text
    assert provider.calls == 4


def test_the_cheapest_able_target_is_called(provider: FakeProvider, make_llama_llm: Make, notes: Notes) -> None:
    targets = {"cheap": make_llama_llm("gpt-4o-mini"), "strong": make_llama_llm("gpt-4o")}
    quality = {"cheap": 0.7, "strong": 0.9}
    routed_llm(targets, Cheapest(quality=quality, min_quality=0.6)).complete("hi")
    routed_llm(targets, Cheapest(quality=quality, min_quality=0.8)).complete("hi")
    assert [call.model for call in provider.log] == ["gpt-4o-mini", "gpt-4o"]
    with pytest.raises(ConfigurationError, match="small"):
        routed_llm({"small": PlainLLM(max_tokens=None), **targets}, Cheapest(quality=quality, min_quality=0.6))


@pytest.mark.parametrize(("words", "stays"), [(3000, True), (1, False)])
def test_a_conversation_stays_where_its_cached_prompt_is_worth_more(
    provider: FakeProvider, make_llama_llm: Make, words: int, stays: bool
) -> None:
    claude = AnthropicFunctionLLM(model="claude-haiku-4-5", base_url=provider.anthropic_base_url)
    wanted = iter(["strong", "cheap"])
    llm = routed_llm({"cheap": claude, "strong": make_llama_llm("gpt-4.1")}, sticky(lambda request: next(wanted)))
    history = [ChatMessage("Be very brief. " * words, role="system"), ChatMessage("hi")]
    history.append(llm.chat(history).message)
    llm.chat([*history, ChatMessage("And now?")])
    assert [call.model for call in provider.log] == ["gpt-4.1", "gpt-4.1" if stays else "claude-haiku-4-5"]


def test_tools_that_were_called_are_read_wherever_an_integration_keeps_them() -> None:
    seen: list[RouteRequest] = []

    def policy(request: RouteRequest) -> str:
        seen.append(request)
        return "small"

    kept = {"tool_calls": [{"id": "1", "function": {"name": "weather", "arguments": '{"city": "Köln"}'}}]}
    block = ToolCallBlock(tool_call_id="1", tool_name="weather", tool_kwargs={"city": "Köln"})
    asked = ChatMessage("What is the weather in Köln?")
    for said in (
        ChatMessage(role="assistant", content="", additional_kwargs=kept),
        ChatMessage(role="assistant", blocks=[block]),
        ChatMessage(role="assistant", blocks=[block], additional_kwargs=kept),
    ):
        result = ChatMessage(role="tool", content="Sunny.", additional_kwargs={"tool_call_id": "1"})
        routed_llm({"small": MockLLM()}, policy).chat([asked, said, result])
    assert [[turn.calls for turn in request.turns] for request in seen] == [["", 'weather({"city": "Köln"})', ""]] * 3
