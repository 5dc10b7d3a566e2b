"""Streams, events, pools of memory and CUDA graphs of the device that ``fake_cupy`` plays."""

from contextlib import nullcontext
from types import SimpleNamespace


class FakeRuntimeError(RuntimeError):
    """Stand in for ``CUDARuntimeError``."""


def add_streams(cuda, runtime, machine) -> None:
    """Add streams, events, pools of memory, and CUDA graphs that run what was recorded."""

    class Stream:
        ptr = 0

        def __init__(self, non_blocking=False, name="copy"):
            self.before, self.name = [], name

        def __enter__(self):
            self.before.append(machine.stream)
            machine.stream = self
            return self

        def __exit__(self, *error):
            machine.stream = self.before.pop()

        def is_capturing(self):
            return machine.capturing

        def begin_capture(self, mode):
            machine.recorded, machine.launches = [], []

        def end_capture(self):
            commands, machine.recorded = machine.recorded, None
            return SimpleNamespace(upload=no_effect, launch=lambda stream: run_all(commands))

        synchronize = no_effect

        def wait_event(self, event):
            machine.log.append((self.name, "waits for", event.number))

    class Event:
        def __init__(self, disable_timing):
            self.number, self.device = None, machine.current

        def record(self, stream):
            if self.device != machine.current:
                raise FakeRuntimeError("cudaErrorInvalidResourceHandle: invalid resource handle")
            self.number = machine.events = machine.events + 1
            machine.log.append((stream.name, "records", self.number))

        def synchronize(self):
            machine.log.append(("host", "waits for", self.number))

    class MemoryPool:
        __slots__ = ("limit",)  # as in CuPy there is no weak reference to one

        def __init__(self):
            self.limit = 0

        def malloc(self, size):
            raise NotImplementedError

        def total_bytes(self):
            return machine.pool_bytes

        def used_bytes(self):
            return machine.used

        def get_limit(self):
            return self.limit

        def set_limit(self, size=None, fraction=None):
            self.limit = size if fraction is None else int(fraction * (8 << 30))
            machine.capacity = self.limit or None

        def free_all_blocks(self):
            machine.log.append(("pool", "frees", machine.used))

    legacy = Stream(name="compute")
    cuda.Stream, cuda.MemoryPool, cuda.Event = Stream, MemoryPool, Event
    cuda.default_pool = MemoryPool()
    cuda.using_allocator = lambda malloc: nullcontext()
    cuda.get_current_stream = lambda: machine.stream or legacy
    runtime.streamCaptureModeThreadLocal = 1


def no_effect(*arguments):
    """Stand in for what orders or waits: all is done when a call returns."""


def run_all(commands):
    for command in commands:
        command()
