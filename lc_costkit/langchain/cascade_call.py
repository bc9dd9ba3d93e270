"""How does a cascade call LangChain models for one input?"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from pydantic import ValidationError

from lc_costkit.langchain.answered import answer_of, shown, with_trail
from lc_costkit.langchain.inside import each_model, whole_answers, without_cache
from lc_costkit.langchain.many_models import deciding, within
from lc_costkit.langchain.overhearing import Overheard
from lc_costkit.langchain.preparing import Model
from lc_costkit.langchain.spending import Spending
from lc_costkit.langchain.unstreamed import unstreamed
from lc_costkit.routing.answer import Answer
from lc_costkit.routing.attempts import Attempt, Draw, Drawn, Settled, Tried, Try, Unreadable
from lc_costkit.routing.choose import Choice, TargetChooser
from lc_costkit.routing.drive import Walk, async_drive, sync_drive
from lc_costkit.routing.policy import RouteDecision, RouteRequest
from lc_costkit.routing.trail import shown_tokens, told

if TYPE_CHECKING:
    from lc_costkit.langchain.cascade import Cascade


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A draft in a schema: what ``with_structured_output(include_raw=True)`` gives."""

    raw: Any
    parsed: Any
    error: BaseException | None


class CascadeCall:
    """One input on its way through a cascade's targets.

    Args:
        cascade: whose targets.
        input: what is asked.
        config: of the chain run around all attempts.
        kwargs: of the caller.
    """

    def __init__(
        self, cascade: Cascade, input: LanguageModelInput, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> None:
        self._cascade = cascade
        self._plan = cascade.escalation
        self._input = input
        self._config = config
        self._kwargs = cascade._kwargs(kwargs)
        self._given = kwargs
        self._id = uuid.uuid4().hex
        self._request = RouteRequest(question="", metadata=dict(config.get("metadata") or {}))
        self._choice = Choice(target=self._plan.strong, decision=RouteDecision(target=self._plan.strong))
        self._spending: Spending | None = None
        self._heard: dict[str, Overheard] = {}
        manager = config.get("callbacks")
        if self._plan.max_usd is not None and isinstance(manager, BaseCallbackManager):
            self._spending = Spending(self._plan.prices)
            manager.add_handler(self._spending, inherit=True)

    # -- steps -----------------------------------------------------------------------------------

    def begin(self, *, streaming: bool = False) -> Walk:
        """Decide where to begin."""
        with deciding(self._config):
            return self._begun(self._chooser(streaming).choose(self._read), streaming)

    async def abegin(self, *, streaming: bool = False) -> Walk:
        """Do the same, by the policy's ``acall`` if it has one."""
        with deciding(self._config):
            return self._begun(await self._chooser(streaming).achoose(self._read), streaming)

    def to_live(self, walk: Walk) -> Try | Settled:
        """Carry out steps until the request is settled, or an answer may be streamed."""
        with deciding(self._config):
            return sync_drive(walk, call=self._call, draw=self._draw, until_live=True)

    async def ato_live(self, walk: Walk) -> Try | Settled:
        """Carry out steps until the request is settled, or an answer may be streamed."""
        with deciding(self._config):
            return await async_drive(walk, call=self._acall, draw=self._adraw, until_live=True)

    def answer(self) -> Any:
        """Return what the caller is given."""
        walk = self.begin()
        with deciding(self._config):
            settled = sync_drive(walk, call=self._call, draw=self._draw)
        return self.given(settled)

    async def aanswer(self) -> Any:
        """Return what the caller is given."""
        walk = await self.abegin()
        with deciding(self._config):
            settled = await async_drive(walk, call=self._acall, draw=self._adraw)
        return await self.agiven(settled)

    def stream(self, step: Try) -> Iterator[Any]:
        """Stream the answer of a call that is accepted whatever it is."""
        return self._target(step).stream(self._sent(step), self._marked(step), **self._kwargs)

    def astream(self, step: Try) -> AsyncIterator[Any]:
        """Stream the answer of a call that is accepted whatever it is."""
        return self._target(step).astream(self._sent(step), self._marked(step), **self._kwargs)

    def streamed(self, walk: Walk) -> None:
        """Note that an answer went out as it came."""
        settled = walk.send(Tried(output=None, answer=Answer(text="")))
        if isinstance(settled, Settled):
            self._remember_all(settled)

    def given(self, settled: Settled) -> Any:
        """Return what the caller is given; tell streams of a draft that is.

        Raises:
            Exception: the answer does not parse, and there is no other.
        """
        self._remember_all(settled)
        if settled.target in self._heard:
            self._heard[settled.target].replay()
        return self._output(settled)

    async def agiven(self, settled: Settled) -> Any:
        """Do the same without blocking the event loop."""
        self._remember_all(settled)
        if settled.target in self._heard:
            await self._heard[settled.target].areplay()
        return self._output(settled)

    def _output(self, settled: Settled) -> Any:
        trail = self._trail(settled.target, settled.reasons, settled.attempts, settled.stopped)
        output = settled.output
        if isinstance(output, _Parsed):
            if self._cascade.raw_wanted:
                return self.stamped({"raw": output.raw, "parsed": output.parsed, "parsing_error": output.error}, trail)
            if output.error is not None:
                raise output.error
            return output.parsed
        return self.stamped(output, trail)

    def live_trail(self, step: Try) -> dict[str, Any]:
        """Return what the first chunk of a stream tells."""
        return self._trail(step.target, step.reasons, (*step.attempts, Attempt(target=step.target, passed=None)), None)

    def stamped(self, output: Any, trail: dict[str, Any]) -> Any:
        """Write a trail on what is given, where there is a message to write it on; not where the cascade observes."""
        if self._choice.observed:
            return output
        if isinstance(output, dict) and isinstance(output.get("raw"), BaseMessage):
            made = copy(output)  # chunks of a stream are a kind of their own, which can be added up
            made["raw"] = with_trail(output["raw"], trail)
            return made
        return with_trail(output, trail)

    # -- calling ---------------------------------------------------------------------------------

    def _call(self, step: Try) -> Tried:
        try:
            # A binding adds what surrounds it to the config it is given: that must be the same.
            with within(config := self._marked(step)):
                output = self._target(step).invoke(self._sent(step), config, **self._kwargs)
        except Exception as error:
            if self._is_unreadable(step, error):
                raise Unreadable from error
            raise
        return self._tried(output, live=step.live)

    async def _acall(self, step: Try) -> Tried:
        try:
            with within(config := self._marked(step)):
                output = await self._target(step).ainvoke(self._sent(step), config, **self._kwargs)
        except Exception as error:
            if self._is_unreadable(step, error):
                raise Unreadable from error
            raise
        return self._tried(output, live=step.live)

    def _draw(self, step: Draw) -> Drawn:
        target, config = self._sampled(step)
        configs = [config] * step.samples
        with within(config):
            outputs = target.batch([self._input] * step.samples, configs, **self._kwargs)
        return Drawn(answers=tuple(self._tried(output, live=False).answer for output in outputs))

    async def _adraw(self, step: Draw) -> Drawn:
        target, config = self._sampled(step)
        configs = [config] * step.samples
        with within(config):
            # All are waited for, so that none is still being asked when the next target is.
            outputs = await target.abatch([self._input] * step.samples, configs, return_exceptions=True, **self._kwargs)
        for output in outputs:
            if isinstance(output, BaseException):
                raise output
        return Drawn(answers=tuple(self._tried(output, live=False).answer for output in outputs))

    def _target(self, step: Try) -> Model:
        if step.live:
            return self._cascade._target(step.target)
        quiet: Model = each_model(self._cascade._draft_target(step.target), whole_answers)
        return quiet

    def _sampled(self, step: Draw) -> tuple[Model, RunnableConfig]:
        """Return a target that asks no cache, and the config of a call of which nobody is given the answer."""
        target = each_model(self._cascade._draft_target(step.target), lambda model: without_cache(whole_answers(model)))
        return target, self._config_of(
            step.target, step.attempt, step.rejected, aside=True, reasons=("a sample, to compare the draft with",)
        )

    def _sent(self, step: Try) -> LanguageModelInput:
        if step.draft is None or isinstance(self._input, Mapping):  # what fills a prompt template takes no more
            return self._input
        return shown(self._input, step.draft, step.reasons)

    def _marked(self, step: Try) -> RunnableConfig:
        shown = shown_tokens(step.draft, step.reasons)
        config = self._config_of(step.target, step.attempt, step.rejected, reasons=step.reasons, shown_tokens=shown)
        if step.live:
            return config
        quiet, heard = unstreamed(config), Overheard(self._config)
        manager = quiet.get("callbacks")
        if heard.wanted and isinstance(manager, BaseCallbackManager):
            self._heard[step.target] = heard
            manager.add_handler(heard, inherit=True)
        return quiet

    def _config_of(
        self, target: str, attempt: int, rejected: int, *, reasons: tuple[str, ...], aside: bool = False, **more: Any
    ) -> RunnableConfig:
        decision = replace(self._choice.decision, target=target, reasons=reasons)
        seconds = self._choice.seconds if attempt == 1 and not aside else 0.0
        choice = replace(self._choice, target=target, decision=decision, attempt=attempt, seconds=seconds)
        fields = {"part": "cascade", "request": self._id, "rejected": rejected, "aside": aside, **more}
        if self._choice.observed:  # which drafts would have passed is not known, and so not who was "chosen"
            fields |= {"chosen": None, "chosen_model": None, "chosen_provider": None}
        mark = self._cascade._mark(choice, self._given, self._config, **fields, **({"target": ""} if aside else {}))
        config = self._cascade._marked(self._config, mark)
        return unstreamed(config) if aside else config

    def _is_unreadable(self, step: Try, error: Exception) -> bool:
        """Tell whether a client got an answer that it could not put into the schema that was asked for."""
        structured = self._cascade.bound_structure or "response_format" in self._kwargs
        came = isinstance(error, (OutputParserException, ValidationError)) or hasattr(error, "completion")
        return structured and came and not step.live

    def _tried(self, output: Any, *, live: bool) -> Tried:
        if live or not self._cascade.drafting or not isinstance(output, dict) or "parsing_error" not in output:
            return Tried(output=output, answer=answer_of(output))
        draft = _Parsed(output.get("raw"), output.get("parsed"), output["parsing_error"])
        fault = "" if draft.parsed is not None else "it does not answer in the schema"
        if draft.error is not None:
            fault = f"it does not parse ({type(draft.error).__name__})"
        answer = answer_of(draft.raw) if isinstance(draft.raw, BaseMessage) else Answer(text=str(draft.raw))
        return Tried(output=draft, answer=answer, fault=fault)

    # -- deciding --------------------------------------------------------------------------------

    def _chooser(self, streaming: bool) -> TargetChooser:
        return self._plan.stream_chooser if streaming else self._plan.chooser

    def _read(self) -> RouteRequest:
        request = self._cascade._reader(self._input, self._config, self._given)()
        self._request = replace(request, targets=self._plan.targets)
        return self._request

    def _begun(self, choice: Choice, streaming: bool) -> Walk:
        self._choice = choice
        unchecked = streaming and self._plan.stream_first
        return self._plan.walk(self._request, choice, unchecked=unchecked, spent=self._spending)

    def _remember_all(self, settled: Settled) -> None:
        """Remember whose providers have seen the request; the last of them is the one that answered."""
        seen, asked = self._choice.seen, [one.target for one in settled.attempts]
        if seen is None or self._choice.observed or asked == [settled.target]:
            return  # as it was noted when it began
        for target in (*(name for name in asked[1:] if name != settled.target), settled.target):
            self._plan.chooser.conversations.note(seen, target)

    def _trail(
        self, target: str, reasons: tuple[str, ...], attempts: tuple[Attempt, ...], stopped: str | None
    ) -> dict[str, Any]:
        trail = {"target": target, "score": self._choice.decision.score, "reasons": list(reasons)}
        return {**trail, "attempts": told(attempts), **({"stopped": stopped} if stopped else {})}
