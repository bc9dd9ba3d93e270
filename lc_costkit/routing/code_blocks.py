"""Which code stands in an answer, and can it be read?"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass
from typing import Any

LONGEST = 100_000
"""Characters of a block that is parsed; a longer one passes."""

_FENCE = re.compile(r"([^`]*)(`{3,})([^\s`]*)([^`]*)")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*+"')
_ABRIDGED = re.compile(r"//|/\*|#|\.\.\.|…")
_SESSION = (">>> ", "... ")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code between fences: in which language, and whether its end is there."""

    language: str
    source: str
    closed: bool


def blocks(text: str) -> list[Block]:
    """Return the blocks of a text in order.

    >>> blocks("So:\\n```py\\nx = 1\\n```\\nDone.")
    [Block(language='py', source='x = 1', closed=True)]
    """
    found: list[Block] = []
    fence, language, inside = "", "", list[str]()
    for line in text.split("\n"):
        if not fence:
            opened = _FENCE.fullmatch(line)
            # Amid a line it opens a block only if nothing but the language follows: "Type ``` to open one."
            if opened and (not opened[1].strip() or not opened[4].strip()):
                fence, language, inside = opened[2], opened[3].casefold(), []
        elif line.lstrip().startswith(fence) or line.rstrip().endswith(fence):
            last = line.rstrip().removesuffix(fence)
            found.append(Block(language, "\n".join([*inside, *([last] if last.strip(" `") else [])]), True))
            fence = ""
        else:
            inside.append(line)
    return [*found, Block(language, "\n".join(inside), False)] if fence else found


def fault(block: Block) -> str | None:
    """Return what is wrong with a block of Python or JSON as an answer shows it; ``None`` for all others.

    Lines for a notebook, a header without its body at the end, several values and what is marked as left out pass.
    """
    if len(block.source) > LONGEST:
        return None
    if block.language in ("python", "py", "python3"):
        return _python_fault(block.source)
    return _shown_json_fault(block.source) if block.language == "json" else None


def read_json(text: str) -> tuple[Any, str | None]:
    """Return the value of a JSON text, and what is wrong with it."""
    try:
        return json.loads(text), None
    except RecursionError:
        return None, "it is nested too deeply"
    except ValueError as error:
        place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        return None, f"not valid{place}"


def _shown_json_fault(source: str) -> str | None:
    wrong = read_json(source)[1]
    if wrong is None or _ABRIDGED.search(_STRING.sub("", source)):
        return None
    lines = [line for line in source.splitlines() if line.strip()]
    if len(lines) > 1 and all(read_json(line)[1] is None for line in lines):
        return None
    part = source.strip().removesuffix(",")
    return None if part.startswith('"') and read_json(f"{{{part}}}")[1] is None else wrong


def _python_fault(source: str) -> str | None:
    lines = source.splitlines()
    if any(line.startswith(_SESSION) for line in lines):
        lines = [line[4:] for line in lines if line.startswith(_SESSION)]
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    lines = [line[margin:] for line in lines]
    lines = ["" if line.startswith(("!", "%")) else line for line in lines]
    last = next((line for line in reversed(lines) if line.strip() and not line.lstrip().startswith("#")), "")
    around = last[: len(last) - len(last.lstrip())]
    if last.rstrip().endswith(":"):
        lines.append(f"{around} pass")
    elif last.lstrip().startswith("@"):
        lines.append(f"{around}def shown(): pass")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse("\n".join(lines))
    except SyntaxError as error:
        wrong = (error.text or "").lstrip()
        # A later Python may read it: quotes within an f-string, "type X = int".
        newer = "f-string" in error.msg or wrong.startswith("type ")
        return None if newer else f"line {error.lineno}"
    except (ValueError, RecursionError, MemoryError):
        return "it cannot be read"
    return None
