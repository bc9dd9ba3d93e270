"""Is what is told of attempts the same from run to run?"""

from __future__ import annotations

from lc_costkit.routing.answer import Answer, ToolCall
from lc_costkit.routing.attempts import Attempt
from lc_costkit.routing.trail import draft_note, told


def test_a_trail_holds_nothing_that_differs_from_run_to_run() -> None:
    attempts = [
        Attempt(target="cheap", passed=False, reasons=("no",), seconds=1.5),
        Attempt(target="strong", passed=None, error="TimeoutError", seconds=2.5),
    ]
    assert told(attempts) == [
        {"target": "cheap", "passed": False, "reasons": ["no"]},
        {"target": "strong", "passed": None, "error": "TimeoutError"},
    ]


def test_a_note_shows_the_tools_that_a_draft_calls() -> None:
    note = draft_note(Answer(text="", tool_calls=(ToolCall(name="search", arguments={"q": "서울"}),)), [])
    assert '"search"' in note
    assert "서울" in note
