"""A local provider that speaks the OpenAI and Anthropic wire formats and bills like them.

``FakeProvider`` needs the extra ``testing``; nothing is imported before a name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_HOME = {
    "BilledCall": "lc_costkit.testing.records",
    "CacheRule": "lc_costkit.testing.prompt_cache",
    "FakeAnswer": "lc_costkit.testing.records",
    "FakeClock": "lc_costkit.testing.clock",
    "FakeIteration": "lc_costkit.testing.records",
    "FakeMessage": "lc_costkit.testing.records",
    "FakeProvider": "lc_costkit.testing.provider",
    "FakeRequest": "lc_costkit.testing.records",
    "FakeTool": "lc_costkit.testing.records",
    "FakeToolCall": "lc_costkit.testing.records",
    "Fault": "lc_costkit.testing.faults",
    "ModelRate": "lc_costkit.testing.rates",
    "default_answer": "lc_costkit.testing.answers",
}

__all__ = [
    "BilledCall",
    "CacheRule",
    "FakeAnswer",
    "FakeClock",
    "FakeIteration",
    "FakeMessage",
    "FakeProvider",
    "FakeRequest",
    "FakeTool",
    "FakeToolCall",
    "Fault",
    "ModelRate",
    "default_answer",
]

if TYPE_CHECKING:
    from lc_costkit.testing.answers import default_answer
    from lc_costkit.testing.clock import FakeClock
    from lc_costkit.testing.faults import Fault
    from lc_costkit.testing.prompt_cache import CacheRule
    from lc_costkit.testing.provider import FakeProvider
    from lc_costkit.testing.rates import ModelRate
    from lc_costkit.testing.records import (
        BilledCall,
        FakeAnswer,
        FakeIteration,
        FakeMessage,
        FakeRequest,
        FakeTool,
        FakeToolCall,
    )
else:

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
