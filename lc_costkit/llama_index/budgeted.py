"""How does a LlamaIndex application stop spending at a limit?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Any, Literal

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata
from llama_index.core.bridge.pydantic import Field, PrivateAttr, SerializeAsAny
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.tools import BaseTool

from lc_costkit.budget.gate import CHEAPEST, Gate
from lc_costkit.budget.limits import Limits
from lc_costkit.errors import BudgetExceeded, ConfigurationError
from lc_costkit.faults import Faults
from lc_costkit.ledger import Ledger
from lc_costkit.llama_index.budgeted_call import BudgetedCall
from lc_costkit.llama_index.cached_call import aone, one
from lc_costkit.llama_index.delegating import DelegatingFunctionCallingLLM, DelegatingLLM, R, Request, settings_of
from lc_costkit.llama_index.llm import CachedLLM
from lc_costkit.llama_index.many_llms import ManyLLMs
from lc_costkit.llama_index.stand_ins import PREPARED, WithTools, answered_by, name_of, without_tools
from lc_costkit.pricing import PriceBook
from lc_costkit.switch import disabled

Role = Literal["asked", "cheapest", "function's"]
"""``asked``: the application calls it; else it stands in, as the cheapest or because ``on_exceeded`` says so."""


def budgeted_llm(
    llm: LLM,
    budgets: Limits,
    ledger: Ledger,
    *,
    prices: PriceBook | None = None,
    cheapest: LLM | None = None,
) -> LLM:
    """Return an LLM that reserves the most each call can cost before it is made, and settles what it took.

    It is a ``FunctionCallingLLM`` when ``llm`` is, so that agents can use it. What does not fit raises
    ``BudgetExceeded`` before the provider is called. Query engines, workflows and agents raise it as it is;
    a chat engine that streams does so where its answer is read; a tool that is refused is an error the agent
    is told of. Whom a call is for comes from ``instrument_tags`` (``user``, ``feature``, ``team``, any other).

    Of an LLM made by ``cached_llm``, a copy is returned whose misses are held to the budgets: what the
    cache answers is free. Of one made by ``routed_llm`` or ``cascade_llm``, a copy whose targets share one gate;
    its first target is the cheapest. ``as_structured_llm`` is treated likewise.

    A call that is broken off counts in full, but for a stream that is left early of a model that shows all it
    writes. So does a stream that nobody begins to read: whether its request was sent, nobody can tell. Tries that
    the client makes by itself after a timeout (``max_retries``) may each be billed, and are one call here.

    Args:
        llm: the LLM to call.
        budgets: one or several ``Budget`` or ``RateLimit``.
        ledger: beside whose calls the accounts are kept. The calls are recorded by ``instrument(ledger)``.
        prices: how calls are priced; the public price list by default.
        cheapest: the LLM that answers where a budget says ``on_exceeded="cheapest"``. Such an answer says so
            in ``additional_kwargs["lc_costkit"]["budget"]``, and no cache keeps it.

    Raises:
        ConfigurationError: ``llm`` or ``cheapest`` is no LlamaIndex LLM, only the first of them calls tools,
            or what ``Budget`` and the gate refuse.
        StoreError: the ledger's database cannot be opened.
    """
    for name, value in (("llm", llm), ("cheapest", cheapest)):
        if not isinstance(value, LLM) and (value is not None or name == "llm"):
            raise ConfigurationError(f"{name} must be a LlamaIndex LLM, not {value!r:.200}")
    if isinstance(llm, FunctionCallingLLM) and cheapest is not None and not isinstance(cheapest, FunctionCallingLLM):
        raise ConfigurationError(f"cheapest must call tools, as llm does; {name_of(cheapest)} is no FunctionCallingLLM")
    gate = Gate(budgets, ledger, prices=prices, can_degrade=cheapest is not None or _has_targets(llm))
    answering: dict[str, LLM] = {}
    stand_in = None if cheapest is None else _guarded(cheapest, gate, answering, role="cheapest")
    return _guarded(llm, gate, answering, cheapest=stand_in)


class BudgetedLLM(DelegatingLLM):
    """An LLM whose calls are held to budgets; made by ``budgeted_llm``.

    Its methods emit no model events of their own: the LLM that answers does, once. A refused call emits a
    ``BudgetExceededEvent``.
    """

    llm: SerializeAsAny[LLM] = Field(description="The LLM to call.")
    cheapest: SerializeAsAny[LLM] | None = Field(default=None, description="What answers past a budget.")

    _gate: Gate = PrivateAttr()
    _role: Role = PrivateAttr(default="asked")
    _answering: dict[str, LLM] = PrivateAttr(default_factory=dict)

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "BudgetedLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """The wrapped LLM's."""
        return self.llm.metadata

    @property
    def answers_as(self) -> LLM:
        """The wrapped LLM: what was stored without a budget is served with one."""
        return self.llm

    @property
    def faults(self) -> Faults:
        """What went wrong in the gate so far; what did in the store is in ``ledger.faults``."""
        return self._gate.faults

    def _send(self, request: Request[R]) -> R:
        if disabled():
            return without_tools(request)[0].send(self.llm)
        call = self._call(request)
        if (answer := call.admit()) is not None:
            return answer
        with call.calling() as llm:
            response = call.request.send(llm)
        return call.keep(response)

    async def _asend(self, request: Request[R]) -> R:
        if disabled():
            return await without_tools(request)[0].asend(self.llm)
        call = self._call(request)
        if (answer := await call.aadmit()) is not None:
            return answer
        async with call.acalling() as llm:
            response = await call.request.asend(llm)
        return await call.akeep(response)

    def _stream(self, request: Request[R]) -> Generator[R, None, None]:
        if disabled():
            return without_tools(request)[0].stream(self.llm)
        call = self._call(request, streamed=True)
        if (answer := call.admit()) is not None:
            return one(answer)
        with call.calling() as llm:
            chunks = call.request.stream(llm)
        return call.watch(chunks)

    async def _astream(self, request: Request[R]) -> AsyncGenerator[R, None]:
        if disabled():
            return await without_tools(request)[0].astream(self.llm)
        call = self._call(request, streamed=True)
        if (answer := await call.aadmit()) is not None:
            return aone(answer)
        async with call.acalling() as llm:
            chunks = await call.request.astream(llm)
        return await call.awatch(chunks)

    def _call(self, request: Request[R], *, streamed: bool = False) -> BudgetedCall[R]:
        cheapest = self._role != "asked"
        return BudgetedCall(self._gate, self.llm, request, other=self._stand_in, cheapest=cheapest, streamed=streamed)

    def _stand_in(self, instead: object) -> LLM | None:
        """Return the LLM that is to answer; ``None`` where what ``on_exceeded`` returned is the answer."""
        if instead is CHEAPEST and self.cheapest is not None:
            found = self.cheapest
        elif not isinstance(instead, LLM):
            return None
        elif self._role == "function's":
            raise BudgetExceeded(f"a budget does not allow {name_of(self.llm)} either, which its on_exceeded chose")
        else:
            plain = instead.llm if isinstance(instead, BudgetedLLM) and instead._gate is self._gate else instead
            found = _guarded(plain, self._gate, self._answering, role="function's")
        self._answering[name_of(found)] = found
        return found


class BudgetedFunctionCallingLLM(BudgetedLLM, DelegatingFunctionCallingLLM):
    """A ``BudgetedLLM`` over an LLM that calls tools; made by ``budgeted_llm``."""

    llm: SerializeAsAny[FunctionCallingLLM] = Field(description="The LLM to call.")

    @classmethod
    def class_name(cls) -> str:
        """Name of the component class."""
        return "BudgetedFunctionCallingLLM"

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        # Whether another LLM stands in is known when the call is made: it may want its tools in another format.
        with_tools = WithTools.of(
            tools,
            user_msg,
            chat_history,
            verbose=verbose,
            allow_parallel_tool_calls=allow_parallel_tool_calls,
            tool_required=tool_required,
            **kwargs,
        )
        prepared = self.llm._prepare_chat_with_tools_compat(
            tools, user_msg=user_msg, chat_history=chat_history, **with_tools.settings
        )
        return {**prepared, PREPARED: with_tools}

    def _answered_by(self, response: ChatResponse) -> FunctionCallingLLM:
        by = answered_by(response)
        found = None if by is None else self._answering.get(by)
        return found if isinstance(found, FunctionCallingLLM) and found is not self else self.llm


def _guarded(
    llm: LLM, gate: Gate, answering: dict[str, LLM], *, role: Role = "asked", cheapest: LLM | None = None
) -> LLM:
    """Return an LLM whose calls ask the gate; what wraps another LLM is copied, and asks it further in."""
    if isinstance(llm, (CachedLLM, StructuredLLM)):
        inner = _guarded(llm.llm, gate, answering, role=role, cheapest=cheapest)
        return llm.model_copy(update={"llm": inner})
    if isinstance(llm, ManyLLMs):
        if cheapest is None and role == "asked":
            cheapest = _guarded(next(iter(llm.targets.values())), gate, answering, role="cheapest")
        targets = {
            name: _guarded(target, gate, answering, role=role, cheapest=cheapest)
            for name, target in llm.targets.items()
        }
        return llm.model_copy(update={"targets": targets})
    kind = BudgetedFunctionCallingLLM if isinstance(llm, FunctionCallingLLM) else BudgetedLLM
    made = kind(
        llm=llm,  # type: ignore[arg-type]  # of the kind that the class wants
        cheapest=cheapest,
        **settings_of(llm),
    )
    made._gate, made._role, made._answering = gate, role, answering
    return made


def _has_targets(llm: LLM) -> bool:
    if isinstance(llm, (CachedLLM, StructuredLLM)):
        return _has_targets(llm.llm)
    return isinstance(llm, ManyLLMs)
