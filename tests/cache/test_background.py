"""Is work in the background bounded, and never in anybody's way?"""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
import textwrap
import threading
import weakref

import pytest

from lc_costkit.cache.background import Background, Job
from lc_costkit.faults import Faults


@pytest.fixture
def faults() -> Faults:
    return Faults(logging.getLogger("test"))


class Gate:
    """A job that waits until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.job = Job(run=self.run)

    def run(self) -> None:
        self.begun.set()
        self.go.wait(30)


def test_jobs_are_done_in_order_and_flush_waits_for_them(faults: Faults) -> None:
    done: list[int] = []
    background = Background(faults)
    for number in range(5):
        assert background.submit(Job(run=lambda number=number: done.append(number)))  # type: ignore[misc]
    assert background.flush(30)
    assert done == [0, 1, 2, 3, 4]
    assert background.close(30)


def test_what_finds_no_room_or_no_time_is_given_up(faults: Faults) -> None:
    gate, given_up = Gate(), list[str]()
    background = Background(faults, most_waiting=2)
    background.submit(gate.job)
    assert gate.begun.wait(30)
    taken = [
        background.submit(Job(run=lambda: None, give_up=lambda name=name: given_up.append(name)))  # type: ignore[misc]
        for name in "abc"
    ]
    assert taken == [True, True, False]
    assert given_up == ["c"]
    assert not background.flush(0.05)
    assert not background.close(0.05)
    assert given_up == ["c", "a", "b"]
    assert not background.submit(Job(run=lambda: None, give_up=lambda: given_up.append("late")))
    assert given_up[-1] == "late"
    gate.go.set()


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_job_that_fails_ends_nothing(faults: Faults, error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    done = threading.Event()
    background = Background(faults)
    background.submit(Job(run=fail))
    background.submit(Job(run=done.set))
    assert background.flush(30)
    assert done.is_set()
    assert faults.counts == {f"checking an answer: {error.__name__}": 1}
    background.close(30)


def test_a_job_does_not_wait_for_itself(faults: Faults) -> None:
    background = Background(faults)
    answers: list[bool] = []
    background.submit(Job(run=lambda: answers.append(background.flush(30))))
    assert background.flush(30)
    assert answers == [True]
    background.close(30)


def test_a_waiting_thread_keeps_no_owner_alive(faults: Faults) -> None:
    background = Background(faults)
    background.submit(Job(run=lambda: None))
    background.flush(30)
    line, reference = background._line, weakref.ref(background)
    del background
    gc.collect()
    assert reference() is None
    assert line.thread is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_starts_empty_and_can_work(faults: Faults) -> None:
    gate = Gate()
    background = Background(faults)
    background.submit(gate.job)
    assert gate.begun.wait(30)
    child = os.fork()
    if child == 0:
        done = threading.Event()
        right = background.flush(5) and background.submit(Job(run=done.set)) and done.wait(5)
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    gate.go.set()
    assert background.close(30)


def test_the_interpreter_does_not_wait_for_a_job_that_hangs() -> None:
    code = """
        import logging, time
        from lc_costkit.cache.background import Background, Job
        from lc_costkit.faults import Faults
        background = Background(Faults(logging.getLogger("x")))
        background.submit(Job(run=lambda: time.sleep(600)))
        background.submit(Job(run=lambda: None))
        print("over")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120, check=True
    )
    assert (done.stdout, done.stderr) == ("over\n", "")
