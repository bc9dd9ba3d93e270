"""What is left of a store when its process is killed in the middle of writing?"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path


def killed_while_writing(program: str, *arguments: str | Path, seed: int, longest_seconds: float = 0.3) -> list[str]:
    """Run ``program``, kill it at a random moment, and return what it had said by then.

    The program prints ``ready`` when it has set up, and then one line for each thing that it
    was told is safe. The moment is drawn from the time after ``ready``. A line that the kill
    cut short is left out.

    Args:
        program: Python source; finds ``arguments`` in ``sys.argv[1:]`` and writes for ever.
        arguments: given to it as text.
        seed: of the moment.
        longest_seconds: the latest moment, after ``ready``.

    Raises:
        AssertionError: it ended by itself, or never was ready.
    """
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        first = child.stdout.readline()
        killer = threading.Timer(random.Random(seed).uniform(0, longest_seconds), child.kill)
        killer.start()
        said = child.stdout.read()
        errors = child.stderr.read()
        killer.join()
        status = child.wait()
    assert first == "ready\n", f"the child never was ready: {errors}"
    assert status < 0, f"the child ended by itself ({status}): {errors}"
    lines = said.split("\n")
    return lines[:-1]
