"""The ways to a derivative that tests/fuzz.py compares.

A way takes a case and gives the derivative along its direction. Those of first order
must agree with reverse mode; those of higher order are mixes of two modes, such as
"forward over reverse", and must agree with one another.
"""

from collections.abc import Callable
from contextlib import contextmanager
from functools import reduce
from itertools import product
from typing import Any, NamedTuple

import numpy as np

import gradx as gx
from gradx.graph.executors import numpy as numpy_executor
from tests.programs import DEPENDENT, LONG, PARTIAL, Program, run

# Of finite differences: one may cross a kink, or be large beside what the program turns about.
STEPS = (1e-6, 1e-5, 1e-4, 1e-7, 1e-8)


# Their results have as many elements as there are different numbers, which no graph allows.
SIZES_VARY = {"op unique_all", "op unique_counts", "op unique_inverse", "op unique_places"}
SIZES_VARY.add("op unique_values")


class Case(NamedTuple):
    """A program as a function, where it is differentiated, and along which direction."""

    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    along: tuple[Any, ...]

    @property
    def everything(self) -> tuple[int, ...]:
        """Return the positions of all inputs, as ``gx.grad`` takes them."""
        return tuple(range(len(self.inputs)))


def case_of(program: Program, rng: np.random.Generator) -> Case:
    """Draw a direction for a program."""
    along = tuple([_direction(x, rng) for x in program.inputs])
    return Case(lambda *xs: run(program.steps, xs), tuple(program.inputs), along)


def _direction(x, rng):
    along = rng.normal(size=x.shape)
    if np.iscomplexobj(x):
        along = along + 1j * rng.normal(size=x.shape)
    return np.asarray(along, dtype=x.dtype)


def pairing(gradients: Any, along: Any) -> Any:
    """Return the derivative along a direction that a gradient, which is conjugated, gives."""
    return sum(np.sum(np.real(np.conj(g) * a)) for g, a in zip(gradients, along, strict=True))


def _pairing_of_tensors(gradients, along):
    parts = [gx.sum(gx.real(gx.conj(g) * a)) for g, a in zip(gradients, along, strict=True)]
    return sum(parts[1:], parts[0])


def _forward(case):
    return gx.jvp(case.function, case.inputs, case.along)[1]


def _linearized(case):
    return gx.linearize(case.function, *case.inputs)[1](*case.along)


def _through_a_checkpoint(case):
    return _gradient_of(gx.checkpoint(case.function), case)


def _gradient_of(function, case):
    return pairing(gx.grad(function, case.everything)(*case.inputs), case.along)


def _on_the_tape(case):
    leaves = [gx.tensor(x) for x in case.inputs]
    case.function(*leaves).backward()
    return pairing([np.zeros(t.shape) if t.grad is None else t.grad for t in leaves], case.along)


def _jacobian(case):
    return pairing(gx.jacobian(case.function, case.everything)(*case.inputs), case.along)


def _mapped(case):
    gradients = gx.vmap(gx.grad(case.function, case.everything))(*_twice(case))
    return pairing([g[1] for g in gradients], case.along)


def _of_a_map(case):
    summed = lambda *xs: gx.sum(gx.vmap(case.function)(*xs))
    gradients = gx.grad(summed, case.everything)(*_twice(case))
    return pairing([g[0] for g in gradients], case.along)


def _twice(case):
    return [np.stack([x, x]) for x in case.inputs]


def _compiled(case):
    with numpys_own_bits():
        gradients = gx.compile(gx.grad(case.function, case.everything))(*case.inputs)
    return pairing(gradients, case.along)


def _of_a_compiled_function(case):
    with numpys_own_bits():
        return _gradient_of(gx.compile(case.function), case)


@contextmanager
def numpys_own_bits():
    """Run compiled graphs by NumPy: the last bit, which decides at a tie, is then eager's."""
    compiler = numpy_executor.group_compiler
    numpy_executor.group_compiler = lambda: None
    try:
        yield
    finally:
        numpy_executor.group_compiler = compiler


def difference(case: Case, step: float) -> Any:
    """Return the finite difference of a program along its direction."""
    at = lambda t: case.function(*[x + t * a for x, a in zip(case.inputs, case.along, strict=True)])
    return (at(step) - at(-step)) / (2 * step)


# Beside reverse mode, to whose derivative they are compared.
FIRST: dict[str, Callable[[Case], Any]] = {
    "forward": _forward,
    "linearize": _linearized,
    "checkpoint": _through_a_checkpoint,
    "tape": _on_the_tape,
    "jacobian": _jacobian,
    "mapped": _mapped,
    "of a map": _of_a_map,
    "compiled": _compiled,
    "of a compiled function": _of_a_compiled_function,
}

MIXES = {
    f"order {order}": [tuple(mix) for mix in product(("reverse", "forward"), repeat=order)]
    for order in (2, 3)
}


def higher_derivative(case: Case, mix: tuple[str, ...]) -> Any:
    """Return the derivative along the direction, as often as ``mix`` names a mode, outer first."""
    modes = {
        "forward": lambda f: lambda *xs: gx.jvp(f, xs, case.along)[1],
        "reverse": lambda f: (
            lambda *xs: _pairing_of_tensors(gx.grad(f, case.everything)(*xs), case.along)
        ),
    }
    derivative = reduce(lambda f, mode: modes[mode](f), reversed(mix), case.function)
    return np.asarray(derivative(*case.inputs))


def possible_ways(program: Program) -> list[str]:
    """Return the ways, beside reverse and forward mode, in which a program can be differentiated.

    "differences" and the names in ``MIXES`` are among them.
    """
    names = {step.name for step in program.steps}
    dtypes = {x.dtype.char for x in program.inputs}
    left_out = {"forward"}
    if names & DEPENDENT:
        left_out |= {"jacobian", "mapped", "of a map"}
    if names & (DEPENDENT | SIZES_VARY):
        left_out |= {"compiled", "of a compiled function"}
    if "D" in dtypes:
        left_out.add("jacobian")  # is of a holomorphic function
    if "f" in dtypes or program.hard or names & PARTIAL:
        left_out.add("differences")
    if len(program.steps) >= LONG:
        left_out.add("order 3")
    return [way for way in (*FIRST, "differences", *MIXES) if way not in left_out]
