"""Does every Python example of the README run, in order, as a new user would type them?"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lc_costkit.testing import FakeProvider

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def python_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(python_blocks())))
def test_example_runs(number: int, tmp_path: Path) -> None:
    """Each block runs by itself, against the fake provider by the clients' own environment variables."""
    script = tmp_path / "example.py"
    script.write_text(python_blocks()[number], encoding="utf-8")
    with FakeProvider() as provider:
        environment = os.environ | {
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": provider.openai_base_url,
            "OPENAI_API_BASE": provider.openai_base_url,
            "ANTHROPIC_API_KEY": "test",
            "ANTHROPIC_BASE_URL": provider.anthropic_base_url,
            "ANTHROPIC_API_URL": provider.anthropic_base_url,
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:lc_costkit", str(script)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr[-3000:]


def test_there_are_examples() -> None:
    assert len(python_blocks()) >= 4


def test_the_readme_names_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", README.read_text(encoding="utf-8")))
    assert named
    assert named <= targets


def test_the_readme_shows_the_two_commands_first() -> None:
    text = README.read_text(encoding="utf-8")
    first = re.search(r"```(?:bash|sh|console)\n(.*?)```", text, flags=re.DOTALL)
    assert first is not None
    assert "make demo" in first[1]
    assert "make test" in first[1]
