"""What did one Anthropic message cost the models that worked on it?

A message may take several calls of models: compaction summarizes the conversation first,
an advisor is asked, a fallback takes over after a refusal. ``usage.iterations`` lists them.
The top level counts the answering model's own work and leaves compaction and advisors out.
"""

from __future__ import annotations

from dataclasses import replace

from lc_costkit.payloads import Payload, lifetimes_of, text
from lc_costkit.usage import TokenUsage

SHORTEST_LONG_CONTEXT = 100_000
"""Input tokens above which the first of Anthropic's models (Haiku 5.5) costs more (platform.claude.com, pricing).

Each iteration is a request of its own to that rule, so what exceeds it together is kept apart."""


def answering_model(payload: Payload, model: str | None) -> str | None:
    """Return the model that answered: a fallback says so, and the end of a stream names none else."""
    ended = (text(one.data.get("model")) for one in payload.entries("iterations") if _kind(one) == "fallback_message")
    return next((name for name in ended if name), model)


def anthropic_parts(payload: Payload, model: str | None) -> tuple[TokenUsage, list[tuple[str | None, TokenUsage]]]:
    """Return what is billed at the rates of ``model``, which answered, and what by itself, with its model.

    An attempt without output was declined and is not billed. ``None`` for a model is the answering one.
    """
    top = anthropic_counts(payload)
    own: list[TokenUsage] = []
    beside: list[TokenUsage] = []
    others: list[tuple[str | None, TokenUsage]] = []
    elsewhere = False
    for iteration in payload.entries("iterations"):
        counts = anthropic_counts(iteration)
        name = text(iteration.data.get("model"))
        if not counts.total_output:
            continue
        if name is not None and model is not None and not _same(name, model):
            others.append((name, counts))
            elsewhere = elsewhere or _kind(iteration) == "message"
        elif _kind(iteration) == "compaction":
            beside.append(counts)
        else:
            own.append(counts)
    answer = sum(own, TokenUsage())
    if not own:
        answer = TokenUsage() if elsewhere else top
    elif answer.total_input < top.total_input or answer.total_output < top.total_output:
        # Not all iterations are listed: the top level has them.
        payload.repaired()
        answer, own = top, [top]
    elif (
        answer.cache_write_tokens > top.cache_write_tokens
        and (answer.total_input, answer.total_output) == (top.total_input, top.total_output)
        and (len(own) == 1 or top.total_input <= SHORTEST_LONG_CONTEXT)
    ):
        answer, own = top, [top]  # the same, and only the top level says how long the cache keeps it
    # Only the top level tells how much of the output was reasoning.
    answer = replace(
        answer, reasoning_tokens=min(max(answer.reasoning_tokens, top.reasoning_tokens), answer.output_tokens)
    )
    together = sum(beside, answer)
    if together.total_input <= SHORTEST_LONG_CONTEXT:
        return together, others
    if len(own) > 1:
        last = replace(own[-1], reasoning_tokens=min(answer.reasoning_tokens, own[-1].output_tokens))
        return last, [*((None, counts) for counts in (*beside, *own[:-1])), *others]
    return answer, [*((None, counts) for counts in beside), *others]


def credited_writes(payload: Payload, counts: TokenUsage) -> int:
    """Return how many written tokens a fallback may have at the rate of cache reads.

    What the cache held for the model that declined is billed so, be the retry the provider's own or one with a
    credit of the caller's (platform.claude.com, fallback credit); no page says whether the counts show it.
    """
    written = counts.cache_write_tokens + counts.cache_write_5m_tokens + counts.cache_write_1h_tokens
    if payload.part("fallback_credit").part("status").data.get("type") == "redeemed":
        return written
    iterations = list(payload.entries("iterations"))
    if not any(_kind(one) == "fallback_message" for one in iterations):
        return 0
    declined = [one.count("cache_read_input_tokens") for one in iterations if not one.count("output_tokens")]
    return min(written, max(declined, default=0))


def anthropic_counts(payload: Payload) -> TokenUsage:
    """Count one entry, whose input excludes what was read from or written to the cache."""
    stated = payload.count("cache_creation_input_tokens")
    write, write_5m, write_1h = lifetimes_of(payload, stated, payload.part("cache_creation"))
    output = payload.count("output_tokens")
    return TokenUsage(
        input_tokens=payload.count("input_tokens"),
        cache_read_tokens=payload.count("cache_read_input_tokens"),
        cache_write_tokens=write,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=output,
        reasoning_tokens=payload.at_most(payload.part("output_tokens_details").count("thinking_tokens"), output),
    )


def _kind(iteration: Payload) -> object:
    return iteration.data.get("type")


def _same(name: str, model: str) -> bool:
    """Tell whether two names mean one model: the dated name, or with a provider in front, or without."""
    short, long = sorted((name.rpartition("/")[2].lower(), model.rpartition("/")[2].lower()), key=len)
    rest = long.removeprefix(short)
    return short == long or (
        rest != long and rest[:1] in "-@" and rest[1:].replace("-", "").isdigit() and len(rest) > 8
    )
