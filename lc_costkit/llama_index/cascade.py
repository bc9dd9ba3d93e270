"""How does a LlamaIndex application ask a dear model only where a cheap one was not good enough?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from decimal import Decimal

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms import LLM

from lc_costkit.llama_index.answered import in_one_piece
from lc_costkit.llama_index.cached_call import aone, one
from lc_costkit.llama_index.cascade_call import CascadeCall
from lc_costkit.llama_index.delegating import R, Request
from lc_costkit.llama_index.many_llms import ManyFunctionCallingLLMs, ManyLLMs, checked_llms, made
from lc_costkit.llama_index.streaming import abegun, begun
from lc_costkit.pricing import PriceBook
from lc_costkit.routing.answer import Check
from lc_costkit.routing.attempts import Settled
from lc_costkit.routing.choose import OnError, named_targets
from lc_costkit.routing.escalation import Escalation
from lc_costkit.routing.offered_tools import DEFAULT_CHECKS
from lc_costkit.routing.policy import Policy
from lc_costkit.switch import Mode, disabled


def cascade_llm(
    targets: Mapping[str, LLM] | Iterable[tuple[str, LLM]],
    checks: Sequence[Check] = DEFAULT_CHECKS,
    *,
    policy: Policy | None = None,
    strong: str | None = None,
    mode: Mode = "on",
    pass_draft: bool = False,
    stream_first: bool = False,
    max_usd: Decimal | int | float | str | None = None,
    max_seconds: float | None = None,
    on_error: OnError = "next",
    prices: PriceBook | None = None,
) -> CascadeLLM:
    """Return an LLM that asks its cheapest target first, and a dearer one where a check finds fault with the answer.

    It is a ``FunctionCallingLLM`` when all targets are, so that agents can use it; each target that is asked
    gets tools in its own provider's format. A draft that calls no tool where one is required, or that breaks the
    schema that is asked for, is not good enough. The last target's answer is given whatever it is.

    Nobody is given a draft before it has passed: a stream is returned once it is known whose answer it is; an
    accepted draft comes in one piece, the last target's answer as it is made. Drafts are asked for whole, so that
    they show in no event of a stream; each attempt has its own start and end event, with a ``RouteMark`` in the
    tags, and all are of one trace.

    The trail is in the response's ``additional_kwargs["lc_costkit"]["route"]``: who answered, why, and each
    attempt. ``with instrument_tags({"route": "strong"})`` names the only target. Faults of checks, targets and the
    policy are counted in ``faults``.

    Args:
        targets: LLMs by name, cheapest first and the strongest last; or pairs of name and LLM.
        checks: callables on a ``RouteRequest`` and an ``Answer`` that return a ``Verdict``, asked in this order: the
            free ones first. By default ``DEFAULT_CHECKS``: ``GENERAL_CHECKS``, which need not know the task, and
            ``tools_as_offered``.
        policy: names the target to begin with; by default the cheapest.
        strong: the target that is asked last, and the one savings are counted against; by default the one called
            ``strong``, else the last.
        mode: ``observe`` sends everything to the strong target alone. It claims no saving: which drafts would have
            been good enough is not known without making them.
        pass_draft: show the next target the answer that was thrown away, and why.
        stream_first: a stream gives the answer of the target that ``policy`` (``Rules()`` if there is none) names,
            unchecked, as it is made.
        max_usd: what a request may cost (USD) for a further target to be asked. It never leaves a request without an
            answer: the last draft is given where the next call, as estimated, would go past it. Drafts, samples, and
            this package's ``LLMClassifier`` and ``AnswerJudge`` are counted.
        max_seconds: how long a request may have taken for a further target to be asked. No call is broken off.
        on_error: ``next`` asks another target where one fails, and gives the last draft where none is left; ``raise``
            raises the error. A budget's refusal is always raised.
        prices: what ``max_usd`` is reckoned by; the public price list by default.

    Raises:
        ConfigurationError: no targets, an empty name or one used twice, a target that is no LLM, ``strong`` or a name
            the policy declares not among them, no checks or one that is not callable, a limit below 0, ``max_usd`` and
            a model without a price, an unknown mode or ``on_error``.
    """
    named = named_targets(targets)
    plan = Escalation(
        list(named),
        checks,
        policy=policy,
        strong=strong,
        mode=mode,
        pass_draft=pass_draft,
        stream_first=stream_first,
        max_usd=max_usd,
        max_seconds=max_seconds,
        on_error=on_error,
        prices=prices,
    )
    kind = CascadeFunctionCallingLLM if checked_llms(named) else CascadeLLM
    cascade = made(kind, named, plan.chooser)
    plan.check_models(cascade._models({}))
    cascade._escalation = plan
    return cascade


class CascadeLLM(ManyLLMs):
    """An LLM that asks one of several after the other; made by ``cascade_llm``.

    Its methods emit no model events of their own: those of the targets it asks do.
    """

    _escalation: Escalation = PrivateAttr()

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "CascadeLLM"

    @property
    def escalation(self) -> Escalation:
        """What decides who is asked next."""
        return self._escalation

    def _deciders(self) -> Sequence[object]:
        plan = self._escalation
        limits = (plan.max_usd and str(plan.max_usd), plan.max_seconds)
        return [*super()._deciders(), *plan.checks, plan.stream_chooser.policy, plan.pass_draft, limits]

    def _send(self, request: Request[R]) -> R:
        if disabled():
            target, asked = self._for_target(self.strong, request)
            return asked.send(target)
        return CascadeCall(self, request).answer()

    async def _asend(self, request: Request[R]) -> R:
        if disabled():
            target, asked = self._for_target(self.strong, request)
            return await asked.asend(target)
        return await CascadeCall(self, request).aanswer()

    def _stream(self, request: Request[R]) -> Generator[R, None, None]:
        if disabled():
            target, asked = self._for_target(self.strong, request)
            return asked.stream(target)
        call = CascadeCall(self, request, streaming=True)
        walk = call.begin()
        while not isinstance(step := call.to_live(walk), Settled):
            try:
                return begun(call.stream(walk, step))
            except Exception as error:
                walk.throw(error)
        return one(in_one_piece(call.settled(step)))

    async def _astream(self, request: Request[R]) -> AsyncGenerator[R, None]:
        if disabled():
            target, asked = self._for_target(self.strong, request)
            return await asked.astream(target)
        call = CascadeCall(self, request, streaming=True)
        walk = await call.abegin()
        while not isinstance(step := await call.ato_live(walk), Settled):
            try:
                return await abegun(await call.astream(walk, step))
            except Exception as error:
                walk.throw(error)
        return aone(in_one_piece(call.settled(step)))


class CascadeFunctionCallingLLM(CascadeLLM, ManyFunctionCallingLLMs):
    """A ``CascadeLLM`` whose targets all call tools; made by ``cascade_llm``."""

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "CascadeFunctionCallingLLM"
