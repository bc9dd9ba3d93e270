"""How does the demo run from start to end, here or against the real provider?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.prompt import Confirm

from lc_costkit.demo.data import Article, Question, load_articles, load_questions, traffic
from lc_costkit.errors import ConfigurationError, MissingDependency
from lc_costkit.ledger import Ledger
from lc_costkit.pricing import PriceBook
from lc_costkit.switch import DISABLE_VARIABLE, disabled
from lc_costkit.tokens import TokenCounter
from lc_costkit.usage import TokenUsage

if TYPE_CHECKING:
    from lc_costkit.demo.chains import Endpoint
    from lc_costkit.demo.compare import Comparison, Outcome
    from lc_costkit.testing import FakeProvider

KEY_VARIABLE = "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What was asked for on the command line; ``max_usd`` is USD and counts with ``live`` only."""

    requests: int = 400
    seed: int = 0
    html: Path | None = None
    live: bool = False
    max_usd: float = 0.50
    base_url: str | None = None
    confirmed: bool = False

    def __post_init__(self) -> None:
        if self.requests < 1:
            raise ConfigurationError(f"--requests must be at least 1, not {self.requests}")
        if not self.max_usd > 0:
            raise ConfigurationError(f"--max-usd must be above 0, not {self.max_usd}")
        if not self.live and self.base_url is not None:
            raise ConfigurationError("--base-url names the endpoint of a live run: add --live")
        if self.live and not os.environ.get(KEY_VARIABLE):
            raise ConfigurationError(f"--live needs an API key in the environment variable {KEY_VARIABLE}")
        if self.html is not None and not self.html.absolute().parent.is_dir():
            raise ConfigurationError(f"--html: there is no folder {self.html.absolute().parent}")
        if self.html is not None and self.html.is_dir():
            raise ConfigurationError(
                f"--html: {self.html} is a folder; name a file in it, such as {self.html / 'demo.html'}"
            )


def run_demo(options: DemoOptions, console: Console) -> Outcome | None:
    """Run the comparison and show it; ``None`` where the user declined to spend.

    Ctrl-C stops asking and shows what has been measured so far.

    Raises:
        MissingDependency: a part that the demo uses is not installed.
        ConfigurationError: the models have no known price, so that no limit could hold; or the kit
            is switched off, so that there is nothing to compare.
    """
    if disabled():
        raise ConfigurationError(f"the kit is switched off by {DISABLE_VARIABLE}; unset it to see the demo")
    _require_parts()
    from lc_costkit.demo.compare import summarise
    from lc_costkit.demo.page import write_page
    from lc_costkit.demo.screen import show

    questions, articles = load_questions(), load_articles()
    requests = traffic(questions, options.requests, seed=options.seed)
    with ExitStack() as stack:
        plain_end, kit_end, providers = _endpoints(options, stack)
        ceiling = call_ceiling(plain_end, articles, questions) if options.live else None
        if ceiling is not None and not _agreed(options, ceiling, console):
            return None
        comparison = stack.enter_context(_comparison(plain_end, kit_end, articles, questions))
        limit = Decimal(str(options.max_usd)) if options.live else None
        stopped = _ask_all(comparison, requests, console, ceiling=ceiling, limit=limit)
        if stopped and options.live:
            stopped += f" Spent in all: {comparison.spent():.4f} USD."
        if not len(comparison):
            console.print(stopped or "Nothing was asked.")
            return None
        asked = comparison.asked()
        outcome = summarise(asked)
        show(outcome, console, live=options.live)
        for line in [stopped] if stopped else _audit(outcome, providers):
            console.print(line)
        if options.html is not None:
            path = write_page(options.html, asked, outcome, live=options.live)
            console.print(f"The same with a chart: {escape(str(path))}")
    return outcome


def call_ceiling(endpoint: Endpoint, articles: tuple[Article, ...], questions: tuple[Question, ...]) -> Decimal:
    """Return the most that one request can cost, both chains together, USD.

    The prompt is bounded by the longest articles and the longest question, the answer by
    ``max_tokens``; both chains are taken to ask the strong model. Where its vocabulary is not on
    this machine, a byte counts as a token: no text has more.

    Raises:
        ConfigurationError: a model has no known price.
    """
    from lc_costkit.demo.chains import ARTICLES, SYSTEM

    counter = TokenCounter(endpoint.strong)
    count = counter.count if counter.exact else lambda text: len(text.encode())
    longest = sorted((count(f"{a.title}\n{a.text}\n\n") for a in articles), reverse=True)[:ARTICLES]
    framing = 60 if counter.exact else 100  # roles, separators and the words of the template
    prompt = count(SYSTEM) + sum(longest) + max(count(q.text) for q in questions) + framing
    usage = TokenUsage(input_tokens=prompt, output_tokens=endpoint.max_tokens)
    costs = [PriceBook().cost(model, usage).usd for model in (endpoint.strong, endpoint.cheap)]
    if None in costs:
        raise ConfigurationError(f"no price is known for {endpoint.strong} or {endpoint.cheap}: no limit could hold")
    return 2 * max(cost for cost in costs if cost is not None)


def _require_parts() -> None:
    for module, extra in (("langchain_openai", "openai"), ("uvicorn", "testing"), ("matplotlib", "report")):
        try:
            __import__(module)
        except ImportError as error:
            raise MissingDependency("costkit demo", extra) from error


def _endpoints(options: DemoOptions, stack: ExitStack) -> tuple[Endpoint, Endpoint, list[FakeProvider]]:
    from lc_costkit.demo.chains import Endpoint

    if options.live:
        real = Endpoint(base_url=options.base_url, api_key=os.environ[KEY_VARIABLE], retries=0)
        return real, real, []
    from lc_costkit.testing import FakeProvider

    providers = [stack.enter_context(FakeProvider(keep_alive=True)) for _ in range(2)]
    plain, kit = (Endpoint(base_url=p.openai_base_url, api_key="not-needed") for p in providers)
    return plain, kit, providers


@contextmanager
def _comparison(
    plain_end: Endpoint, kit_end: Endpoint, articles: tuple[Article, ...], questions: tuple[Question, ...]
) -> Iterator[Comparison]:
    from lc_costkit.demo.chains import article_retriever, kit_chain, plain_chain
    from lc_costkit.demo.compare import Comparison, Side
    from lc_costkit.langchain.cache import SemanticCache

    retriever = article_retriever(articles)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        database = Path(folder) / "costkit.db"
        cache = stack.enter_context(SemanticCache(database))
        plain_ledger = stack.enter_context(Ledger())
        kit_ledger = stack.enter_context(Ledger(database))
        yield Comparison(
            Side(chain=plain_chain(plain_end, retriever), ledger=plain_ledger),
            Side(chain=kit_chain(kit_end, retriever, cache), ledger=kit_ledger),
            cache,
            questions,
        )


def _agreed(options: DemoOptions, ceiling: Decimal, console: Console) -> bool:
    console.print(
        f"This asks the real provider up to {options.requests} questions twice. One question can cost at most "
        f"${ceiling:.4f}, all of them ${ceiling * options.requests:.2f}; it stops before ${options.max_usd:.2f}."
    )
    try:
        return options.confirmed or Confirm.ask("Spend it?", console=console, default=False)
    except EOFError:  # nobody is there to answer
        return False


def _ask_all(
    comparison: Comparison,
    requests: list[Question],
    console: Console,
    *,
    ceiling: Decimal | None,
    limit: Decimal | None,
) -> str | None:
    """Ask until done, interrupted, or the next request could pass the limit; say why it ended early."""
    columns = (TextColumn("asking both chains"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(requests))
        try:
            for request in requests:
                if ceiling is not None and limit is not None:
                    spent = comparison.spent_at_most(ceiling)
                    if spent + ceiling > limit:
                        return (
                            f"Stopped after {len(comparison)} requests: they cost up to {spent:.4f} USD, and the next "
                            f"could cost {ceiling:.4f}, which would pass {limit}."
                        )
                comparison.ask(request)
                progress.advance(task)
        except KeyboardInterrupt:
            return f"Interrupted after {len(comparison)} requests; the figures are of those."
        except Exception as error:
            if limit is None:  # the provider is ours: a fault to be seen whole
                raise
            reason = escape(str(error).partition("\n")[0][:300])
            return f"Stopped after {len(comparison)} requests by the provider ({type(error).__name__}: {reason})."
    return None


def _audit(outcome: Outcome, providers: list[FakeProvider]) -> list[str]:
    """Compare the ledgers with what the provider says it billed."""
    if not providers:
        return []
    billed = sum((p.billed_usd for p in providers), Decimal(0))
    recorded = outcome.plain_usd + outcome.kit_usd - outcome.side_usd
    if billed == recorded:
        return [f"The provider billed ${billed}; the two ledgers say the same, to the last digit."]
    return [f"[red]The provider billed ${billed}, the two ledgers say ${recorded}.[/red]"]
