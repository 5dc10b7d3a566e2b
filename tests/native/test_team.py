"""Threads that share a loop: each unit is run once, by whoever, and nobody waits for who sleeps."""

import ctypes
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from gradx.backends.native import threads

pytest.importorskip("llvmlite")

from gradx.backends.native.team import Team


@pytest.fixture
def team():
    made = Team(3)
    yield made
    made.stop()


@threads.SIGNATURE
def counting(arrays, geometry, first, end):
    """Add 1 to the numbers of units; ``geometry`` is the unit that is refused."""
    for unit in range(first, end):
        ctypes.c_int64.from_address(arrays + 8 * unit).value += 1
    return int(first <= geometry < end)


RUN = ctypes.cast(counting, ctypes.c_void_p).value
NOTHING = 1 << 40


def shared(team, units, refused=NOTHING):
    counts = np.zeros(units, np.int64)
    result = team.share(RUN, counts.ctypes.data, refused, units)
    return result, counts


@pytest.mark.parametrize("units", [1, 2, 7, 31, 32, 33, 1000])
def test_each_unit_is_run_once(team, units):
    result, counts = shared(team, units)

    assert result == 0
    assert counts.tolist() == [1] * units


@pytest.mark.parametrize("refused", [0, 500, 999])
def test_what_one_unit_refuses_is_told(team, refused):
    result, _ = shared(team, 1000, refused)

    assert result != 0
    assert shared(team, 1000)[0] == 0


def test_where_no_thread_can_be_started_a_loop_is_run_alone(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    made = Team(2)
    _, counts = shared(made, 100)
    made.stop()

    assert counts.tolist() == [1] * 100


def test_several_threads_share_at_once(team):
    found = []
    work = lambda: found.extend(shared(team, units)[1] for units in range(1, 60))

    askers = [threading.Thread(target=work) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()

    assert len(found) == 4 * 59
    assert all(np.all(counts == 1) for counts in found)


def test_helpers_sleep_until_there_is_work_again(team):
    who = set()

    @threads.SIGNATURE
    def slow(arrays, geometry, first, end):
        who.add(threading.get_ident())
        time.sleep(0.01)
        return 0

    deadline = time.monotonic() + 60
    while len(team._asleep) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    used = time.process_time()
    time.sleep(0.2)
    used = time.process_time() - used

    team.share(ctypes.cast(slow, ctypes.c_void_p).value, 0, 0, 64)

    assert used < 0.1
    assert len(who) > 1


def test_who_is_sent_home_goes_awake_or_asleep():
    before = threading.active_count()

    for pause in (0, 0.05):
        made = Team(2)
        shared(made, 10)
        time.sleep(pause)
        made.stop()

    assert threading.active_count() == before


def test_another_limit_sends_the_helpers_home():
    before = threads.limit()
    counts = np.zeros(8, np.int64)
    loop = threads.loop_at(RUN)
    try:
        threads.limit(4)
        threads.run(loop, counts.ctypes.data, NOTHING, 8)
        names = {thread.name for thread in threading.enumerate()}
        threads.limit(1)
        threads.run(loop, counts.ctypes.data, NOTHING, 8)
        left = {thread.name for thread in threading.enumerate()}
    finally:
        threads.limit(before)

    assert counts.tolist() == [2] * 8
    assert {"gradx-1", "gradx-2", "gradx-3"} <= names
    assert not {name for name in left if name.startswith("gradx-")}


ENDING = """
import atexit, threading
import numpy as np
import gradx as gx
from gradx.backends.native import threads
threads.limit(3)
f = gx.compile(lambda x: gx.sum(gx.exp(x) * 2 + 1))
x = np.linspace(0, 1, 3_000_000)
total = f(x)
atexit.register(lambda: f(x) == total or print("wrong"))
threading.Thread(target=lambda: [f(x) for _ in range(50)], daemon=True).start()
"""


def test_a_program_may_end_while_helpers_look_for_work():
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=300, check=False
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
