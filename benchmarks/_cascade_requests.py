"""What is asked of the models of ``cascade_tasks.py``, and what is right?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _routing_sets import lines
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from lc_costkit.routing.answer import Check
from lc_costkit.routing.checks import GENERAL_CHECKS, SchemaValid, ToolsValid
from lc_costkit.routing.given import ValuesGiven

Values = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a user asks, and the right answer.

    Attributes:
        text: of the user.
        right: the values of the answer.
        tool: that must be called with them; empty where the answer is JSON.
        pieces: parts of the text that a wrong value may be taken from.
    """

    text: str
    right: Values
    tool: str = ""
    pieces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Requests of one kind, and what an application knows of their answers.

    Attributes:
        name: of the task.
        requests: all there are.
        checks: of its answers.
        system: the prompt.
        schemas: of the arguments of each tool, or of the answer (under an empty name).
        tools: to be bound.
    """

    name: str
    requests: tuple[Request, ...]
    checks: tuple[Check, ...]
    system: str
    schemas: Mapping[str, Mapping[str, Any]]
    tools: tuple[type[BaseModel], ...] = field(default=())

    def prompt(self, request: Request) -> list[Any]:
        """Return what the models are sent."""
        return [SystemMessage(self.system), HumanMessage(request.text)]

    def is_right(self, request: Request, answer: AIMessage) -> bool:
        """Tell whether an application that reads the answer gets the right values."""
        if request.tool:
            calls = answer.tool_calls
            return len(calls) == 1 and calls[0]["name"] == request.tool and _same(calls[0]["args"], request.right)
        return _same(_read(str(answer.text)), request.right)


# -- extraction ----------------------------------------------------------------------------------

_COPIED = ("date", "time", "person", "company", "category")
_SLOTS = {
    "date": "date", "date_period": "date", "date_from": "date", "date_to": "until", "time": "time",
    "time_from": "time", "person_name": "person", "company_name": "company", "shopping_category": "category",
}  # fmt: skip
_CURRENCIES = ("GBP", "EUR", "USD")
_FIELDS: dict[str, Mapping[str, Any]] = {
    "amount": {"type": ["number", "null"], "minimum": 0},
    "currency": {"enum": [*_CURRENCIES, None]},
    "until": {"type": ["string", "null"]},
    **{name: {"type": ["string", "null"]} for name in _COPIED},
}
EXTRACTED: Mapping[str, Any] = {
    "type": "object",
    "properties": _FIELDS,
    "required": list(_FIELDS),
    "additionalProperties": False,
}


def extraction(folder: Path) -> Task:
    """Return what bank customers say, with the slots that people marked in it (NLU++, PolyAI, CC BY 4.0)."""
    requests: dict[str, Request] = {}
    for row in lines(folder / "cache" / "nlupp_banking.jsonl.gz"):
        found: Values = dict.fromkeys(_FIELDS)
        for name, slot in (row.get("slots") or {}).items():
            if name == "amount_of_money":
                value = slot.get("value") or {}
                found["amount"] = value.get("amount")
                found["currency"] = value["currency"] if value.get("currency") in _CURRENCIES else None
            elif name in _SLOTS and found[_SLOTS[name]] is None:
                found[_SLOTS[name]] = slot["text"]
        if any(value is not None for value in found.values()):
            words = row["text"].split()
            pieces = tuple(" ".join(words[at : at + 2]).strip(" ,.?!") for at in range(len(words)))
            requests[row["text"]] = Request(text=row["text"], right=found, pieces=pieces)
    return Task(
        name="JSON extraction",
        requests=tuple(requests.values()),
        checks=(*GENERAL_CHECKS, SchemaValid(EXTRACTED), ValuesGiven(fields=("amount", "until", *_COPIED))),
        system=f"Answer with JSON of this schema alone, texts copied from the message: {json.dumps(EXTRACTED)}",
        schemas={"": EXTRACTED},
    )


# -- tool calls ----------------------------------------------------------------------------------


class transfer_money(BaseModel):
    """Send money to a person."""

    amount: float = Field(gt=0)
    currency: str = Field(pattern="^(GBP|EUR|USD)$")
    recipient: str
    when: str


class find_payments(BaseModel):
    """List payments to a shop in a time."""

    shop: str
    since: str
    least: float = Field(ge=0, description="of how much at least; 0 for all")


class block_card(BaseModel):
    """Block a card."""

    last_digits: str = Field(pattern="^[0-9]{4}$")
    reason: str = Field(pattern="^(lost|stolen|damaged)$")


class book_appointment(BaseModel):
    """Book an appointment in a branch."""

    branch: str
    day: str
    people: int = Field(ge=1, le=9)


TOOLS: tuple[type[BaseModel], ...] = (transfer_money, find_payments, block_card, book_appointment)

_PEOPLE = ("Rosa Lind", "Kenji Abe", "Maeve Doyle", "Tariq Aziz", "Ines Prado", "Jon Berg", "Mina Seo", "Paul Ode")
_SHOPS = ("Corner Bakery", "Hill Books", "Metro Gym", "Blue Taxi", "Farm Box", "Night Cinema", "Iron Tools")
_DAYS = ("tomorrow", "next Friday", "on 3 May", "the day after tomorrow", "on Monday", "on the 21st", "in two weeks")
_SINCE = ("last week", "January", "the 4th of June", "yesterday", "last Tuesday", "the start of the year")
_BRANCHES = ("Old Town", "Harbour Street", "Market Square", "North Gate", "Station Road")
_SIGNS = {"GBP": "£", "EUR": "€", "USD": "$"}
_FORMS: Mapping[str, tuple[str, ...]] = {
    "transfer_money": (
        "Please send {money} to {recipient} {when}.",
        "{recipient} needs {money} from me, can you arrange that {when}?",
        "Can you set up a payment {when}? {money} for {recipient}.",
    ),
    "find_payments": (
        "What did I pay to {shop} since {since}? Only from {least} up.",
        "Show me everything of {least} or more that went to {shop} since {since}",
        "Since {since}, which payments over {least} did {shop} get?",
    ),
    "block_card": (
        "My card ending in {last_digits} was {reason}, please block it; the one ending in {other} is here.",
        "Not {other}: block the {reason} card, the last digits are {last_digits}",
        "Hi, {reason} card here: {last_digits}. Stop it right away! {other} stays open.",
    ),
    "book_appointment": (
        "I would like to come to {branch} {day}, we are {people}.",
        "Can {people} of us see someone at {branch} {day}?",
        "Book us in at {branch} {day} for {people} people please",
    ),
}


def tool_calls(seed: int, count: int) -> Task:
    """Return requests to a bank's assistant, made up from ``seed``; the words of all slots stand in them."""
    chance = np.random.default_rng([seed, 1])
    requests: dict[str, Request] = {}
    while len(requests) < count:
        tool = str(chance.choice(list(_FORMS)))
        said, right = _slots(tool, chance)
        text = str(chance.choice(_FORMS[tool])).format(**said)
        pieces = tuple(str(one) for one in said.values())
        requests[text] = Request(text=text, right=right, tool=tool, pieces=pieces)
    schemas = {tool.__name__: tool.model_json_schema() for tool in TOOLS}
    copied = ("amount", "recipient", "when", "shop", "since", "least", "last_digits", "branch", "day", "people")
    return Task(
        name="tool calls",
        requests=tuple(requests.values()),
        checks=(*GENERAL_CHECKS, ToolsValid(schemas, required=True), ValuesGiven(fields=copied)),
        system="You are a bank's assistant. Call the tool that does what the customer wants, with their own words.",
        schemas=schemas,
        tools=TOOLS,
    )


def _slots(tool: str, chance: np.random.Generator) -> tuple[dict[str, str], Values]:
    """Return what is said of each slot, and what the right call holds."""
    amount = round(float(chance.integers(5, 4000)) + float(chance.choice([0, 0, 0.5, 0.99])), 2)
    shown = f"{amount:,.2f}" if amount % 1 else f"{amount:,.0f}"
    day = str(chance.choice(_DAYS))
    if tool == "transfer_money":
        currency, person = str(chance.choice(_CURRENCIES)), str(chance.choice(_PEOPLE))
        right: Values = {"amount": amount, "currency": currency, "recipient": person, "when": day}
        return {"money": f"{_SIGNS[currency]}{shown}", "recipient": person, "when": day}, right
    if tool == "find_payments":
        right = {"shop": str(chance.choice(_SHOPS)), "since": str(chance.choice(_SINCE)), "least": amount}
        return {"shop": right["shop"], "since": right["since"], "least": shown}, right
    if tool == "block_card":
        digits, other = (f"{number:04d}" for number in chance.choice(10_000, 2, replace=False))
        right = {"last_digits": digits, "reason": str(chance.choice(["lost", "stolen"]))}
        return {**right, "other": other}, right
    right = {"branch": str(chance.choice(_BRANCHES)), "day": day, "people": int(chance.integers(2, 9))}
    return {**right, "people": str(right["people"])}, right


def _read(text: str) -> Any:
    """Read JSON, alone or in one code block, as most applications do."""
    blocks = text.split("```")
    inner = blocks[1].partition("\n")[2] if len(blocks) == 3 else text
    try:
        return json.loads(inner)
    except ValueError:
        return None


def _same(found: Any, right: Values) -> bool:
    return isinstance(found, Mapping) and _comparable(found) == _comparable(right)


def _comparable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Let texts be the same that hold the same words."""
    return {
        name: tuple(sorted(re.findall(r"\w+", value.casefold()))) if isinstance(value, str) else value
        for name, value in values.items()
    }
