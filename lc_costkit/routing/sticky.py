"""When is it worth moving a conversation to a cheaper model?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from lc_costkit.cost import EXACTLY
from lc_costkit.errors import ConfigurationError
from lc_costkit.pricing import PriceBook
from lc_costkit.report import usd_text
from lc_costkit.routing.able import missing_at
from lc_costkit.routing.around import Around, ask, ask_async
from lc_costkit.routing.expected_cost import ExpectedCall, expected_cost
from lc_costkit.routing.policy import Conversation, Policy, RouteDecision, RouteRequest
from lc_costkit.routing.prompt_tokens import prompt_tokens
from lc_costkit.routing.target_model import TargetModel
from lc_costkit.routing.text_size import quick_tokens

DEFAULT_OUTPUT_TOKENS = 300
"""Length of an answer where the conversation has none to go by, tokens: an assumption."""

ANSWERS = 10
"""Answers of the conversation, the last ones, whose mean length is expected of the next."""


def sticky(
    policy: Policy,
    *,
    prices: PriceBook | None = None,
    expected_calls: float = 1,
    output_tokens: int | None = None,
    keep_runs: bool = True,
) -> Sticky:
    """Return a policy that keeps a conversation where it is while its cached prefix is worth more than a move saves.

    What a conversation sent before is in the prompt cache of the provider that got it, and costs a tenth or so there.
    On another model it is paid in full again. So where ``policy`` asks for another target than answered last:

    * A dearer one is always called: the answer is to be good enough.
    * A cheaper one is called once it saves more than the prefix is worth. Both are worked out for the prompt as it is,
      with what each of the two may still have in its cache (see ``routing.conversations``), at real prices for reading
      and writing the cache. What was not saved on earlier calls, because the conversation was kept, counts too: so
      keeping it costs about as much as the move at most, however long it goes on.
    * Where the conversation's target has nothing of it in its cache any more, or cannot do what is asked now (its
      window is too small, or it takes no images), or breaks a limit of the policy (``Cheapest`` finds it too slow), or
      where a price is not known, the policy decides.

    Dearer and cheaper is the order of the router's targets. An agent's run, the calls between two questions of the
    user, stays where it began: the policy is not asked. The reasons say the sums.

    Args:
        policy: decides where nothing is to be lost.
        prices: how calls are priced; the public price list by default.
        expected_calls: how many of the conversation's calls, this one included, the policy is expected to want at the
            cheaper target while its cache lasts, at least 1. With 1, a move has to pay at once, or for what was not
            saved before.
        output_tokens: how long an answer is expected to be, reasoning included; by default the mean of the
            conversation's last answers, whose reasoning is not seen.
        keep_runs: ``False`` asks the policy about each step of an agent's run.

    Raises:
        ConfigurationError: the policy cannot be called, ``prices`` is no ``PriceBook``, a number is out of range.

    >>> from lc_costkit.routing import Rules
    >>> policy = sticky(Rules())
    >>> policy(RouteRequest(question="Hello!", targets=("small", "large"))).target
    'small'
    """
    return Sticky(
        policy, prices=prices, expected_calls=expected_calls, output_tokens=output_tokens, keep_runs=keep_runs
    )


@dataclass(frozen=True, slots=True)
class _Move:
    """What a move is about, USD for one call.

    Attributes:
        stay: of the call where the conversation is.
        gives_up: what the prefix costs more where it is not in the cache.
        saves: what the call would cost less at the other target, were the prefix there.
    """

    stay: Decimal
    gives_up: Decimal
    saves: Decimal


class Sticky(Around):
    """A policy that weighs what a conversation would lose; see ``sticky``, which makes it."""

    def __init__(
        self,
        policy: Policy,
        *,
        prices: PriceBook | None = None,
        expected_calls: float = 1,
        output_tokens: int | None = None,
        keep_runs: bool = True,
    ) -> None:
        super().__init__(policy)
        if prices is not None and not isinstance(prices, PriceBook):
            raise ConfigurationError(f"prices must be a PriceBook, not {prices!r}")
        if isinstance(expected_calls, bool) or not isinstance(expected_calls, int | float) or expected_calls < 1:
            raise ConfigurationError(f"expected_calls counts this call too: at least 1, not {expected_calls!r}")
        if not math.isfinite(expected_calls):
            raise ConfigurationError(f"expected_calls must be finite, not {expected_calls!r}")
        if output_tokens is not None and (type(output_tokens) is not int or output_tokens < 0):
            raise ConfigurationError(f"output_tokens must be a whole number of tokens, not {output_tokens!r}")
        self.policy = policy
        self.prices = prices if prices is not None else PriceBook()
        self.expected_calls = float(expected_calls)
        self.output_tokens = output_tokens
        self.keep_runs = keep_runs

    def __call__(self, request: RouteRequest, /) -> RouteDecision:
        """Decide as the policy does, or keep the conversation where it is."""
        begun = self._begun(request)
        return begun if begun is not None else self._weighed(request, ask(self.policy, request))

    async def acall(self, request: RouteRequest, /) -> RouteDecision:
        """Do the same, by the policy's ``acall`` if it has one."""
        begun = self._begun(request)
        return begun if begun is not None else self._weighed(request, await ask_async(self.policy, request))

    def __repr__(self) -> str:
        return f"sticky({self.policy!r}, expected_calls={self.expected_calls!r})"

    def _begun(self, request: RouteRequest) -> RouteDecision | None:
        """Return where the agent's run began that a request goes on, if it does."""
        there = request.conversation
        if not self.keep_runs or there is None or there.target not in request.targets:
            return None
        if not request.turns or request.turns[-1].role not in ("tool", "assistant"):
            return None
        tokens, output = prompt_tokens(request), self._output(request)
        if missing_at(there.target, request, input_tokens=tokens, output_tokens=output):
            return None
        reason = f"the run has begun at {there.target}"
        return RouteDecision(target=there.target, reasons=(reason,), waited_usd=there.waited_usd)

    def _weighed(self, request: RouteRequest, decision: RouteDecision) -> RouteDecision:
        there, names = request.conversation, request.targets
        if there is None:
            return decision
        if there.target == decision.target:
            return replace(decision, waited_usd=there.waited_usd)
        current, other = there.target, decision.target
        if current not in names or other not in names:
            return decision
        if names.index(other) > names.index(current):
            return _because(decision, f"up from {current}: a dearer target is always called")
        if current in decision.unfit:
            return _because(decision, f"{current} does not do for the policy")
        tokens, output = prompt_tokens(request), self._output(request)
        if missing := missing_at(current, request, input_tokens=tokens, output_tokens=output):
            return _because(decision, f"{current} lacks {missing}")
        if not there.warm_at.get(current):
            return _because(decision, f"{current} has nothing of the conversation in its prompt cache")
        move = self._move(request, there, other, tokens, output)
        if isinstance(move, str):
            return _because(decision, f"no price is known for {move}, so the policy decides")
        with localcontext(EXACTLY):
            saved = there.waited_usd + move.saves * Decimal(repr(self.expected_calls))
            waited = max(Decimal(0), there.waited_usd + move.saves)
        sums = f"a move gives up {usd_text(move.gives_up)} USD of cached prompt"
        sums += f" and saves {usd_text(move.saves)} USD a call"
        if there.waited_usd:
            sums += f", and {usd_text(there.waited_usd)} USD was not saved so far"
        if saved > move.gives_up:
            return _because(decision, f"down from {current}: {sums}")
        decision = _because(decision, f"stays at {current}: {sums}", f"the policy chose {other}")
        return replace(decision, target=current, expected_cost=move.stay, waited_usd=waited)

    def _move(self, request: RouteRequest, there: Conversation, other: str, tokens: int, output: int) -> _Move | str:
        """Return what a move to ``other`` is about; the target without a known price, if one has none."""
        current = there.target
        held, found = there.warm_at[current], there.warm_at.get(other, 0.0)
        shares = ((current, held), (other, found), (other, max(held, found)))
        costs = [self._cost(request, name, tokens, output, share) for name, share in shares]
        stay, move, later = costs
        if stay is None:
            return current
        if move is None or later is None:
            return other
        with localcontext(EXACTLY):
            return _Move(stay, gives_up=move - later, saves=stay - later)

    def _cost(self, request: RouteRequest, name: str, tokens: int, output: int, share: float) -> Decimal | None:
        model = request.models.get(name, TargetModel())
        call = ExpectedCall.of(request, model, input_tokens=tokens, output_tokens=output, warm_share=share)
        return expected_cost(self.prices, model, call).usd

    def _output(self, request: RouteRequest) -> int:
        expected = self.output_tokens
        if expected is None:
            said = [turn.text for turn in request.turns if turn.role == "assistant" and turn.text][-ANSWERS:]
            expected = round(sum(map(quick_tokens, said)) / len(said)) if said else DEFAULT_OUTPUT_TOKENS
        return expected if request.max_output_tokens is None else min(expected, request.max_output_tokens)


def _because(decision: RouteDecision, *reasons: str) -> RouteDecision:
    return replace(decision, reasons=(*reasons, *decision.reasons))
