"""Threads that share the units of a loop of machine code, and find them without Python.

A loop is ``run(arrays, geometry, first unit, unit after the last)``. Who shares one writes down
what it is and in how many chunks its units are, and takes chunks until there are none; a helper
that is awake takes some of them. Nobody waits for a helper to come, only for the chunks that one
has taken, so a helper that sleeps or has no processor costs nothing. What a unit computes does
not depend on who takes it.

One number, the ticket, says which loop it is and how many chunks are left. Who counts it down by
one in one step has the chunk, and knows that what it read of the loop before belongs to it: what
is written down changes only when all chunks are done, and then the ticket has changed too.

For a moment helpers go on looking, as the next loop of a step comes soon, but leave their
processor to whoever else wants it at each look; then they wait for Python to wake them.
"""

import ctypes
from contextlib import suppress
from functools import cache
from threading import Lock, Thread
from typing import Any

from gradx.backends.native import compiler
from gradx.backends.native.library import YIELD
from gradx.backends.native.storage import user_store

Address = ctypes.c_ssize_t
LINE = 16  # words: what one thread writes and others read has two lines of the cache to itself
TICKET, DONE, FAILED, TAKEN, STOPPED, JOB = (LINE * i for i in range(6))  # in words of 8 bytes
WORDS, WORD = LINE * 6, 8
RUN, ARRAYS, GEOMETRY, UNITS, CHUNK, CHUNKS = (JOB + i for i in range(6))
LOOKS = 4000  # at the ticket, before a helper sleeps: one or two thousandths of a second
CHUNKS_OF_EACH = 8  # of units that are taken together: as few as share well between unequals
QUICK_LOOKS = 200  # before it leaves its processor to others


def _at(word: int) -> str:
    return f"getelementptr i64, ptr %state, i64 {word}"


TEXT = f"""
declare i32 @{YIELD}()

define internal void @help(ptr %state) noinline {{
entry:
  %ticket = {_at(TICKET)}
  %done = {_at(DONE)}
  %failed = {_at(FAILED)}
  %run_at = {_at(RUN)}
  %arrays_at = {_at(ARRAYS)}
  %geometry_at = {_at(GEOMETRY)}
  %units_at = {_at(UNITS)}
  %chunk_at = {_at(CHUNK)}
  %chunks_at = {_at(CHUNKS)}
  br label %look
look:
  %found = load atomic i64, ptr %ticket seq_cst, align 8
  %left = and i64 %found, 4294967295
  %none = icmp eq i64 %left, 0
  br i1 %none, label %end, label %take
take:
  %run_word = load atomic i64, ptr %run_at monotonic, align 8
  %arrays_word = load atomic i64, ptr %arrays_at monotonic, align 8
  %geometry_word = load atomic i64, ptr %geometry_at monotonic, align 8
  %units = load atomic i64, ptr %units_at monotonic, align 8
  %chunk = load atomic i64, ptr %chunk_at monotonic, align 8
  %chunks = load atomic i64, ptr %chunks_at monotonic, align 8
  %less = sub i64 %found, 1
  %pair = cmpxchg ptr %ticket, i64 %found, i64 %less seq_cst seq_cst
  %mine = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %mine, label %work, label %look
work:
  %run = inttoptr i64 %run_word to ptr
  %arrays = inttoptr i64 %arrays_word to ptr
  %geometry = inttoptr i64 %geometry_word to ptr
  %place = sub i64 %chunks, %left
  %first = mul i64 %place, %chunk
  %next = add i64 %first, %chunk
  %inside = icmp ult i64 %next, %units
  %last = select i1 %inside, i64 %next, i64 %units
  %result = call i32 %run(ptr %arrays, ptr %geometry, i64 %first, i64 %last)
  %wrong = icmp ne i32 %result, 0
  br i1 %wrong, label %fail, label %count
fail:
  store atomic i64 1, ptr %failed monotonic, align 8
  br label %count
count:
  %before = atomicrmw add ptr %done, i64 1 seq_cst
  br label %look
end:
  ret void
}}

define i32 @share(ptr %state, i64 %run, i64 %arrays, i64 %geometry, i64 %units, i64 %chunk) {{
entry:
  %whole_chunks = udiv i64 %units, %chunk
  %rest = urem i64 %units, %chunk
  %some = icmp ne i64 %rest, 0
  %one_more = zext i1 %some to i64
  %chunks = add i64 %whole_chunks, %one_more
  %ticket = {_at(TICKET)}
  %done = {_at(DONE)}
  %failed = {_at(FAILED)}
  %taken = {_at(TAKEN)}
  %pair = cmpxchg ptr %taken, i64 0, i64 1 seq_cst seq_cst
  %mine = extractvalue {{ i64, i1 }} %pair, 1
  br i1 %mine, label %write, label %alone
alone:
  %function = inttoptr i64 %run to ptr
  %arrays_at = inttoptr i64 %arrays to ptr
  %geometry_at = inttoptr i64 %geometry to ptr
  %whole = call i32 %function(ptr %arrays_at, ptr %geometry_at, i64 0, i64 %units)
  ret i32 %whole
write:
  %to_run = {_at(RUN)}
  %to_arrays = {_at(ARRAYS)}
  %to_geometry = {_at(GEOMETRY)}
  %to_units = {_at(UNITS)}
  %to_chunk = {_at(CHUNK)}
  %to_chunks = {_at(CHUNKS)}
  store atomic i64 %run, ptr %to_run monotonic, align 8
  store atomic i64 %arrays, ptr %to_arrays monotonic, align 8
  store atomic i64 %geometry, ptr %to_geometry monotonic, align 8
  store atomic i64 %units, ptr %to_units monotonic, align 8
  store atomic i64 %chunk, ptr %to_chunk monotonic, align 8
  store atomic i64 %chunks, ptr %to_chunks monotonic, align 8
  store atomic i64 0, ptr %done monotonic, align 8
  store atomic i64 0, ptr %failed monotonic, align 8
  %old = load atomic i64, ptr %ticket seq_cst, align 8
  %number = add i64 %old, 4294967296
  %new = or i64 %number, %chunks
  store atomic i64 %new, ptr %ticket seq_cst, align 8
  call void @help(ptr %state)
  br label %wait
wait:
  %turn = phi i64 [ 0, %write ], [ %following, %again ]
  %count = load atomic i64, ptr %done seq_cst, align 8
  %complete = icmp eq i64 %count, %chunks
  br i1 %complete, label %end, label %patient
patient:
  %following = add i64 %turn, 1
  %long = icmp ugt i64 %turn, {QUICK_LOOKS}
  br i1 %long, label %give, label %again
give:
  %given = call i32 @{YIELD}()
  br label %again
again:
  br label %wait
end:
  %any = load atomic i64, ptr %failed monotonic, align 8
  %result = trunc i64 %any to i32
  store atomic i64 0, ptr %taken seq_cst, align 8
  ret i32 %result
}}

define void @serve(ptr %state) {{
entry:
  %ticket = {_at(TICKET)}
  %stopped = {_at(STOPPED)}
  br label %look
look:
  %turn = phi i64 [ 0, %entry ], [ 0, %work ], [ %following, %again ]
  %found = load atomic i64, ptr %ticket seq_cst, align 8
  %left = and i64 %found, 4294967295
  %none = icmp eq i64 %left, 0
  br i1 %none, label %idle, label %work
work:
  call void @help(ptr %state)
  br label %look
idle:
  %stop = load atomic i64, ptr %stopped seq_cst, align 8
  %over = icmp ne i64 %stop, 0
  br i1 %over, label %end, label %stay
stay:
  %following = add i64 %turn, 1
  %bored = icmp ugt i64 %turn, {QUICK_LOOKS + LOOKS}
  br i1 %bored, label %end, label %patient
patient:
  %long = icmp ugt i64 %turn, {QUICK_LOOKS}
  br i1 %long, label %give, label %again
give:
  %given = call i32 @{YIELD}()
  br label %again
again:
  br label %look
end:
  ret void
}}
"""


@cache
def _functions() -> tuple[Any, Any]:
    share, serve = compiler.addresses(TEXT, ("share", "serve"), user_store())
    arguments = [Address, Address, Address, Address, ctypes.c_int64, ctypes.c_int64]
    return (
        ctypes.CFUNCTYPE(ctypes.c_int32, *arguments)(share),
        ctypes.CFUNCTYPE(None, Address)(serve),
    )


class Team:
    """The thread that asks, and ``helpers`` more."""

    def __init__(self, helpers: int) -> None:
        self._share, self._serve = _functions()
        self._words = (ctypes.c_int64 * (WORDS + LINE))()  # all 0
        first = ctypes.addressof(self._words)
        self._state = first + -first % (WORD * LINE)
        self._stopped = ctypes.c_int64.from_address(self._state + WORD * STOPPED)
        self._chunks = CHUNKS_OF_EACH * (helpers + 1)
        self._asleep: list[Any] = []  # what each helper that sleeps waits for
        self._helpers: list[Thread] = []
        with suppress(RuntimeError):  # the system, or a Python that ends, allows no more threads
            for i in range(helpers):
                helper = Thread(target=self._help, name=f"gradx-{i + 1}", daemon=True)
                helper.start()
                self._helpers.append(helper)

    @property
    def helpers(self) -> int:
        """How many threads help."""
        return len(self._helpers)

    def share(self, run: int, arrays: int, geometry: int, units: int) -> int:
        """Run all units of a loop, and return what is not 0 if one of them did.

        Who finds the helpers busy with another loop runs its own alone.
        """
        if self._asleep:
            self._wake()
        chunk = max(1, units // self._chunks)
        return self._share(self._state, run, arrays, geometry, units, chunk)

    def _wake(self) -> None:
        while self._asleep:
            # Popping and appending are atomic: each helper is woken once, by whoever it may be.
            with suppress(IndexError):
                self._asleep.pop().release()

    def _help(self) -> None:
        alarm = Lock()
        alarm.acquire()
        while True:
            self._serve(self._state)
            self._asleep.append(alarm)
            if self._stopped.value:
                return
            alarm.acquire()

    def stop(self) -> None:
        """Send the helpers home, and wait until they have gone."""
        self._stopped.value = 1
        self._wake()
        for helper in self._helpers:
            helper.join()
