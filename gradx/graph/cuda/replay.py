"""A graph of equations as one CUDA graph: captured once, replayed by a single call.

Inputs are copied into buffers that stay where they are, and results out of them, so that a
result which is kept is never overwritten. What was given up (``donate=``) and is updated stays
in its buffer: the result is that buffer, and the next step that is given it copies nothing.
Memory comes from a pool of the program's own: addresses are baked into the CUDA graph, and
nobody else may ever be given them. What cannot be captured runs op by op, after one warning
that names it.
"""

import gc
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib import import_module
from typing import Any

from gradx.backends import backend_for_device
from gradx.backends.cuda_kernels.copies import Copies
from gradx.backends.cuda_kernels.launching import contiguous, rehearsing
from gradx.backends.cuda_memory import ProgramPool
from gradx.backends.settings import current_matmul_precision, is_deterministic
from gradx.core.arrays import PYTHON_SCALARS
from gradx.errors import GradxError
from gradx.graph.cuda.calls import Call
from gradx.graph.cuda.group import compile_group
from gradx.graph.cuda.in_place import results_in_place
from gradx.graph.cuda.lowering import lowered
from gradx.graph.cuda.numbers import Held, Numbers
from gradx.graph.cuda.packing import Pack, compile_pack
from gradx.graph.equations import Equation, Group, Variable
from gradx.graph.executors.by_op import compile_by_op, function_of
from gradx.graph.executors.source import last_uses
from gradx.graph.ir import Graph, Own, Program
from gradx.graph.moving import moved

WARM_UPS = 2  # runs that compile kernels, choose algorithms and fill the pool
MOST_WARM_UPS = 8  # a pool that finds other places for the next run's arrays may grow again
MOST_CAPTURES = 4
KEPT = 8  # captures with different settings, and Python numbers that are part of one


class NotCapturedError(Exception):
    """The CUDA graph of a program could not be made: the message says why."""


def compile_cuda(graph: Graph) -> Program:
    """Return a program for arrays of one GPU."""
    devices = {x.device for x in _variables(graph) if not x.weak and x.device != "cpu"}
    if len(devices) != 1:
        return compile_by_op(graph)
    # Keys live on the CPU; their copies on the GPU make the same numbers there.
    return CudaProgram(graph, moved(graph, {"cpu": devices.pop()}))


class CudaProgram:
    """A program, and its captures: one for each set of what is part of a capture."""

    copies_inputs = True  # what it writes to is its own

    def __init__(self, graph: Graph, on_device: Graph) -> None:
        self._graph = lowered(on_device)
        self._by_op = compile_by_op(graph)
        self._numbers = Numbers(self._graph)
        self._given = [(i, x) for i, x in enumerate(self._graph.inputs) if x.weak]
        # Keys that are results go back to the CPU, which waits for them.
        self._to_cpu = [
            i
            for i, x in enumerate(graph.outputs)
            if type(x) is Variable and x.device == "cpu" and not x.weak
        ]
        self._refused = False
        self._in_place = results_in_place(self._graph)
        self._captures: OrderedDict[Any, Replay] = OrderedDict()
        self._evicted = 0
        self._lock = threading.Lock()

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        numbers = self._numbers_of(arrays)
        results = None
        if numbers is not None:
            with self._lock:
                replay = None if self._refused else self._replay(arrays, numbers)
                results = None if replay is None else replay(arrays, numbers)
        if results is None:
            return self._by_op(*arrays)
        for i in self._to_cpu:
            results[i] = results[i].get()
        return Own(results)

    def _numbers_of(self, arrays: tuple[Any, ...]) -> dict[Variable, Any] | None:
        """Compute what is a Python number; None where Python cannot, which is said op by op."""
        try:
            return self._numbers.computed({x: arrays[i] for i, x in self._given})
        except ArithmeticError:
            return None

    def _replay(self, arrays: tuple[Any, ...], numbers: dict[Variable, Any]) -> "Replay | None":
        baked = [(type(numbers[x]), numbers[x]) for x in self._numbers.baked]
        key = (*baked, current_matmul_precision(), is_deterministic())
        replay = self._captures.get(key)
        if replay is not None and replay.would_overwrite(arrays):
            # A result is kept that was not given up: from now on all are copied.
            self._in_place = {}
            self._captures.clear()
            replay = None
        if replay is not None:
            self._captures.move_to_end(key)
            return replay
        try:
            self._require_few_captures()
            replay = self._captures[key] = self._captured(arrays, numbers)
        except GradxError:
            return None  # what is wrong with the arguments is said op by op
        except NotCapturedError as error:
            self._refused = True
            warnings.warn(f"{self._graph.name}: {error}; it runs op by op", stacklevel=4)
        return replay

    def _captured(self, arrays: tuple[Any, ...], numbers: dict[Variable, Any]) -> "Replay":
        try:
            return Replay(self._graph, self._numbers, arrays, numbers, self._in_place)
        except MemoryError:
            self._captures.clear()
        import_module("cupy").get_default_memory_pool().free_all_blocks()
        try:
            return Replay(self._graph, self._numbers, arrays, numbers, self._in_place)
        except MemoryError as error:
            reason = f"its own memory does not fit beside the rest ({error})"
        raise NotCapturedError(reason)  # without the arrays that the error holds

    def _require_few_captures(self) -> None:
        if len(self._captures) < KEPT:
            return
        self._captures.popitem(last=False)
        self._evicted += 1
        if self._evicted > KEPT:
            names = ", ".join(self._graph.inputs[i].name or f"input {i}" for i, _ in self._given)
            raise NotCapturedError(
                f"Python numbers ({names}) differ from call to call and are part of a CUDA graph: "
                "pass them as arrays of the device"
            )


class Replay:
    """A CUDA graph, the buffers that it reads and writes, and the pool that they lie in."""

    def __init__(
        self,
        graph: Graph,
        numbers: Numbers,
        arrays: tuple[Any, ...],
        values: dict[Variable, Any],
        in_place: dict[Variable, Variable],
    ) -> None:
        cupy = import_module("cupy")
        self._empty = cupy.empty
        self._current_stream = cupy.cuda.get_current_stream
        self._last_stream: Any = None
        outputs = enumerate(graph.outputs)
        self._weak = {i: x for i, x in outputs if type(x) is Variable and x.weak}
        self._device = graph.backend.native_device(_device(graph))
        with self._device:
            self._device.synchronize()  # what is read was written on other streams
            self._done = cupy.cuda.Event(disable_timing=True)  # of this device
            stream = cupy.cuda.Stream(non_blocking=True)
            self._pool = ProgramPool()
            with stream, cupy.cuda.using_allocator(self._pool.malloc):
                self._held = Held(numbers.on_device, values)
                known = values | self._held.arrays
                self._inputs = [
                    known[x] if x.weak else _buffer_for(cupy, a)
                    for x, a in zip(graph.inputs, arrays, strict=True)
                ]
                # They hold the constants that kernels read.
                self._steps = Steps(graph, known, in_place)
                self._capture(cupy, stream, self._steps)
        self._plan_copies(cupy, graph, arrays, in_place)

    def _plan_copies(
        self, cupy: Any, graph: Graph, arrays: Any, in_place: dict[Variable, Variable]
    ) -> None:
        given = [i for i, x in enumerate(graph.inputs) if not x.weak]
        self._taken = [i for i in given if isinstance(arrays[i], cupy.ndarray)]
        self._from_host = [i for i in given if i not in self._taken]
        # Which of the inputs are copied -> what does it.
        self._copies: dict[tuple[int, ...], Copies] = {}
        results = [i for i, x in enumerate(self._outputs) if type(x) not in PYTHON_SCALARS]
        self._copied = [i for i in results if graph.outputs[i] not in in_place]
        self._copies_out = Copies([self._outputs[i].nbytes for i in self._copied])
        self._updated = [i for i, x in enumerate(graph.inputs) if x in in_place.values()]
        self._references = [_references(self._inputs, i) for i in self._updated]

    def _capture(self, cupy: Any, stream: Any, steps: "Steps") -> None:
        """Capture the steps, once the pool holds all that they take.

        Which of two free places an array gets is chance, and another one may leave no room for
        the next: if the pool grows when what failed runs again, it is captured again.
        """
        held, reason = self._warm_up(steps), ""
        for _ in range(MOST_CAPTURES):
            reason = self._captured(cupy, stream, steps, held)
            if not reason:
                self._graph.upload()
                return
            before, held = held, self._warm_up(steps)
            if held == before:
                break
        raise NotCapturedError(reason)

    def _captured(self, cupy: Any, stream: Any, steps: "Steps", held: int) -> str:
        """Capture the steps; return why that failed, without the arrays that an error holds."""
        stream.synchronize()
        with _no_collection():
            stream.begin_capture(cupy.cuda.runtime.streamCaptureModeThreadLocal)
            try:
                self._outputs = steps.run(self._inputs)
            except NotCapturedError as error:
                _end_quietly(stream)
                return str(error)
            except BaseException:
                _end_quietly(stream)
                raise
            self._graph = stream.end_capture()
        if self._pool.total_bytes() == held:
            return ""
        self._outputs = ()
        return "it took more memory while it was captured than before"

    def _warm_up(self, steps: "Steps") -> int:
        """Run until the pool has all that a run takes; return how many bytes that is.

        The first run looks at labels and places, the others do as the capture will.
        """
        held = 0
        for run in range(MOST_WARM_UPS):
            with rehearsing() if run else nullcontext():
                steps.run(self._inputs)
            before, held = held, self._pool.total_bytes()
            if held == before and run + 1 >= WARM_UPS:
                break
        return held

    def __del__(self) -> None:
        device, pool = (self.__dict__.get(name) for name in ("_device", "_pool"))
        self.__dict__.clear()  # arrays go back to the pool before that gives them back
        if device is not None and pool is not None and not sys.is_finalizing():
            with device:
                pool.close()

    def __call__(self, arrays: tuple[Any, ...], numbers: dict[Variable, Any]) -> list[Any]:
        with self._device:
            stream = self._current_stream()
            if self._last_stream not in (None, stream.ptr):
                stream.wait_event(self._done)  # another stream may still use the buffers
            self._held.update(numbers, stream)
            self._take(arrays, stream)
            self._graph.launch(stream)
            results = self._handed_out()
            self._done.record(stream)
            self._last_stream = stream.ptr
        for i, x in self._weak.items():
            results[i] = numbers[x]
        return results

    def would_overwrite(self, arrays: tuple[Any, ...]) -> bool:
        """Tell whether a replay would write to a result that is still held, and not given up."""
        inputs = self._inputs
        return any(
            arrays[i] is not inputs[i] and _references(inputs, i) > own
            for i, own in zip(self._updated, self._references, strict=True)
        )

    def _take(self, arrays: tuple[Any, ...], stream: Any) -> None:
        """Copy arguments into the buffers that the graph reads, unless they lie there."""
        inputs = self._inputs
        for i in self._from_host:
            inputs[i].set(arrays[i], stream=stream)
        places = tuple([i for i in self._taken if arrays[i] is not inputs[i]])
        copies = self._copies.get(places)
        if copies is None:
            if len(self._copies) == KEPT:
                self._copies.clear()
            copies = self._copies[places] = Copies([inputs[i].nbytes for i in places])
        copies([inputs[i] for i in places], [contiguous(arrays[i]) for i in places])

    def _handed_out(self) -> list[Any]:
        """Copy results out of the buffers that the next replay writes."""
        results = list(self._outputs)
        kept = [results[i] for i in self._copied]
        copied = [self._empty(x.shape, x.dtype) for x in kept]
        self._copies_out(copied, kept)
        for i, x in zip(self._copied, copied, strict=True):
            results[i] = x
        return results


class Steps:
    """The equations of a graph one after another; each says where it failed."""

    def __init__(
        self,
        graph: Graph,
        numbers: dict[Variable, Any] | None = None,
        in_place: dict[Variable, Variable] | None = None,
    ) -> None:
        given = in_place or {}
        self._graph = graph
        self._known = {variable: _laid_out(value) for variable, value in graph.constants}
        self._known |= numbers or {}
        equations = tuple([e for e in graph.equations if e.outputs[0] not in self._known])
        dead = last_uses(equations, [*graph.outputs, *given.values(), *self._known])
        places = [{out: given[out] for out in e.outputs if out in given} for e in equations]
        functions = map(_function_of, equations)
        self._steps = list(zip(equations, functions, places, dead, strict=True))

    def run(self, arrays: list[Any]) -> tuple[Any, ...]:
        """Run on one array for each input; the results are the graph's outputs."""
        known: dict[Any, Any] = dict(zip(self._graph.inputs, arrays, strict=True))
        known |= self._known
        for equation, call, places, dead in self._steps:
            values = [known[x] if type(x) is Variable else x for x in equation.inputs]
            memory = {out: known[x] for out, x in places.items()}
            try:
                results = call(values, memory)
            except (GradxError, MemoryError):
                raise
            except Exception as error:
                place = f" at {equation.line}" if equation.line else ""
                name = equation.op.name
                raise NotCapturedError(f"{name}{place} cannot be captured ({error})") from error
            known.update(zip(equation.outputs, results, strict=True))
            for x in dead:
                del known[x]
        outputs = [known[x] if type(x) is Variable else x for x in self._graph.outputs]
        return tuple([x if type(x) in PYTHON_SCALARS else contiguous(x) for x in outputs])


def _laid_out(constant: Any) -> Any:
    """Return a constant; one that is a broadcast number as an array that kernels can read."""
    return constant.copy() if constant.size and 0 in constant.strides else constant


def _function_of(equation: Equation) -> Any:
    """Return a function of the inputs' values, and of memory that some results are to lie in."""
    make = MAKERS.get(type(equation.op))
    if make is not None:
        return make(equation)
    function, params = function_of(equation), equation.params
    if getattr(equation.op, "results", None):
        return lambda values, memory: tuple(function(*values, **params))
    return lambda values, memory: (function(*values, **params),)


def _call(equation: Equation) -> Any:
    """Return the function that a library or a module of kernels has."""
    backend, params = backend_for_device(equation.device)[0], equation.params
    function, xp = equation.op.function, backend.xp
    return lambda values, memory: function(xp, *values, **params)


def _group(equation: Equation) -> Any:
    kernel = compile_group(equation.op.graph)
    if kernel is None:
        steps = Steps(equation.op.graph)
        return lambda values, memory: steps.run(values)
    return partial(_launched, kernel, equation)


def _pack(equation: Equation) -> Any:
    kernel = compile_pack(equation.op)
    return partial(_launched, kernel, equation)


MAKERS = {Call: _call, Group: _group, Pack: _pack}


def _launched(
    kernel: Any, equation: Equation, values: list[Any], memory: dict[Variable, Any]
) -> tuple[Any, ...]:
    cupy = import_module("cupy")
    outputs = tuple(
        [memory[x] if x in memory else cupy.empty(x.shape, dtype=x.dtype) for x in equation.outputs]
    )
    kernel(*values, *outputs)
    return outputs


def _variables(graph: Graph) -> Iterator[Variable]:
    yield from graph.inputs
    for equation in graph.equations:
        yield from equation.outputs


def _device(graph: Graph) -> str:
    return next(x.device for x in _variables(graph) if not x.weak)


def _references(arrays: list[Any], i: int) -> int:
    return sys.getrefcount(arrays[i])


def _buffer_for(cupy: Any, array: Any) -> Any:
    buffer = cupy.empty(array.shape, dtype=array.dtype)
    if isinstance(array, cupy.ndarray):
        cupy.copyto(buffer, array)
    else:
        buffer.set(array)
    return buffer


def _end_quietly(stream: Any) -> None:
    # What failed is the error to see; a capture must be ended all the same.
    try:
        stream.end_capture()
    except Exception:
        return


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep finalizers, which may synchronize or free memory, out of a block."""
    gc.collect(1)  # of what is young, as what the steps left behind: all would take long
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
