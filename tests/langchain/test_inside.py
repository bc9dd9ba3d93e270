"""Is every model inside of a runnable found, and nothing else copied?"""

from __future__ import annotations

from typing import Any

from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda, RunnableParallel, RunnablePassthrough

from lc_costkit.langchain.cascade import Cascade
from lc_costkit.langchain.inside import each_model, whole_answers, without_cache
from lc_costkit.langchain.router import ModelRouter


def says(text: str) -> FakeListChatModel:
    return FakeListChatModel(responses=[text])


def louder(model: Any) -> Any:
    return says(model.responses[0].upper())


def test_every_model_is_changed_wherever_it_stands() -> None:
    field = ConfigurableField(id="which")
    for runnable in (
        says("a"),
        says("a").bind(stop=["x"]),
        says("a").with_retry().with_config(tags=["t"]),
        says("a").configurable_fields(responses=ConfigurableField(id="words")),
        says("a").configurable_alternatives(field, other=says("b"), later=lambda: says("c")),
        says("a").with_fallbacks([says("b")]),
        ModelRouter({"only": says("a")}),
        Cascade({"only": says("a")}),
    ):
        assert each_model(runnable, louder).invoke("hi").content == "A"
        assert runnable.invoke("hi").content == "a"
    alternatives = each_model(
        says("a").configurable_alternatives(field, other=says("b"), later=lambda: says("c")), louder
    )
    for name, said in (("other", "B"), ("later", "C")):
        assert alternatives.invoke("hi", {"configurable": {"which": name}}).content == said
    chain = ChatPromptTemplate.from_template("{q}") | says("a") | StrOutputParser()
    assert each_model(chain, louder).invoke({"q": "hi"}) == "A"
    parallel = RunnableParallel(one=says("a") | StrOutputParser(), two=RunnableLambda(str))
    assert each_model(parallel, louder).invoke("hi") == {"one": "A", "two": "hi"}
    assigned = RunnableParallel(q=RunnablePassthrough()).assign(said=lambda given: given["q"]) | RunnableLambda(str)
    assert each_model(assigned, louder) is assigned
    asks = RunnablePassthrough.assign(said=RunnableLambda(lambda given: given["q"]) | says("a") | StrOutputParser())
    assert each_model(asks, louder).invoke({"q": "hi"}) == {"q": "hi", "said": "A"}


def test_a_runnable_without_models_stays_itself() -> None:
    for runnable in (RunnableLambda(str), StrOutputParser() | RunnableLambda(str), RunnableParallel(a=str)):
        assert each_model(runnable, louder) is runnable


def test_a_model_that_is_not_changed_is_not_copied() -> None:
    chain = says("a").bind(stop=["x"]) | StrOutputParser()
    assert each_model(chain, whole_answers) is chain
    assert each_model(chain, without_cache) is not chain
    assert each_model(says("a"), without_cache).cache is False
