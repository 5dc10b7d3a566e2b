"""Plant faults in every derivative and batching rule, and count how many the tests catch.

    python -m tests.faults [NAME ...]

A rule is scaled by 1 + 1e-6, dropped, or made flat: right, but constant when it is
itself differentiated. Each fault is planted alone, and what ``test_ops.py`` checks
is run on the op's samples until it fails. A batching rule is made to return its
batch in reverse; ``test_batching.py`` must see it. Faults that nothing catches are
listed; the exit status tells whether 95 % were caught.
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import gradx
from gradx.core import tree
from gradx.core.op import OPS, Op
from gradx.core.rules import Rule, compile_all_edges
from gradx.ops.creation import stop_gradient
from gradx.ops.moving import flip
from gradx.testing import check_derivatives
from gradx.transforms.batching_rules import RULES
from gradx.transforms.boundary import is_differentiable
from gradx.transforms.structural import MOVING, SELECTING
from tests.test_batching import (
    test_vmap_of_an_op_equals_a_loop,
    test_vmap_of_an_op_without_derivative_equals_a_loop,
    test_vmap_over_one_input_alone_equals_a_loop,
)
from tests.test_ops import bound, drawing, varies, xp_numpy

WANTED = 0.95
PIECEWISE_LINEAR = SELECTING | MOVING | {"copysign", "remainder"}  # their derivatives are flat


def _leaves(value: Any, function: Any) -> Any:
    """Apply ``function`` to what a rule returned, which is a tuple for several outputs."""
    if isinstance(value, tuple):
        return type(value)(None if part is None else function(part) for part in value)
    return function(value)


def scaled(rule: Rule) -> Rule:
    """Return the rule times 1 + 1e-6."""
    apply = lambda g, *saved: _leaves(rule.apply(g, *saved), lambda part: part * (1 + 1e-6))
    return rule.replaced(apply)


def dropped(rule: Rule) -> Rule:
    """Return a rule that gives 0."""
    apply = lambda g, *saved: _leaves(rule.apply(g, *saved), lambda part: 0 * part)
    return rule.replaced(apply)


def flat(rule: Rule) -> Rule:
    """Return the rule with what it keeps held constant."""
    hold = lambda value: stop_gradient(value) if is_differentiable(value) else value
    apply = lambda g, *saved: rule.apply(g, *[_leaves(value, hold) for value in saved])
    return rule.replaced(apply)


def of_symmetric(op: Op, draw: Any) -> tuple[Any, Any]:
    """Return an op as a function of a matrix made symmetric: of others its samples are 1 x 1."""
    return lambda x: op.call(x + x.mT), draw(3, 3)


# Beside their samples, what ``test_linalg.py`` does with them.
SYMMETRIC = {"eigvalsh"}
# A batch of equal elements is the same in reverse.
EQUAL = {"empty_like", "ones_like", "zeros_like"}
KINDS = {"scaled": scaled, "dropped": dropped, "flat": flat}


class Fault(NamedTuple):
    """A place for a fault, and its kind."""

    op: Op
    mode: str  # "vjp" or "jvp"
    position: int
    kind: str

    def __str__(self) -> str:
        return (
            f"{self.op.name}, {self.mode} by {self.op.signature.inputs[self.position]}: {self.kind}"
        )


def faults(names: list[str]) -> Iterator[Fault]:
    """Name every fault that changes something."""
    for op in list(OPS.values()):
        if names and op.name not in names:
            continue
        for mode in ("vjp", "jvp"):
            for position, rule in enumerate(getattr(op, mode)):
                for kind in KINDS if varies(op, position) else ():
                    if kind != "flat" or keeps_values(op, rule):
                        yield Fault(op, mode, position, kind)


def keeps_values(op: Op, rule: Rule) -> bool:
    """Tell whether the rule depends on an input or the output: if not, it is flat anyway."""
    if op.name in PIECEWISE_LINEAR:
        return False
    kept = {name.strip() for name in rule.saved.strip("()").split(",")}
    varied = [name for name, rule in zip(op.signature.inputs, op.vjp, strict=True) if rule]
    return bool(kept & {"out", *varied})


def is_caught(fault: Fault) -> bool:
    """Plant the fault, run the checks, and take it out again."""
    op, mode = fault.op, fault.mode
    sound = getattr(op, mode)
    planted = list(sound)
    planted[fault.position] = KINDS[fault.kind](sound[fault.position])
    edges = op.all_edges
    if edges is not None and mode == "vjp":
        op.all_edges = compile_all_edges(tuple(planted), op.signature)
    setattr(op, mode, tuple(planted))
    try:
        return not _passes(op)
    finally:
        setattr(op, mode, sound)
        op.all_edges = edges


def _passes(op: Op) -> bool:
    for sample in op.samples(drawing(seed=0)):
        function, arrays = bound(op, sample, xp_numpy())
        if arrays and not _passes_on(function, *arrays):
            return False
    return op.name not in SYMMETRIC or _passes_on(*of_symmetric(op, drawing(seed=0)))


def _passes_on(function: Any, *arrays: Any) -> bool:
    try:
        check_derivatives(function, *arrays, order=2)
    except Exception:  # a wrong derivative may show as any error
        return False
    return True


def is_reversed_batch_caught(name: str) -> bool:
    """Let a batching rule return its batch in reverse, and run the tests of batches."""
    sound = RULES[name]
    RULES[name] = lambda *call: tree.map(lambda leaf: flip(leaf, axis=0), sound(*call))
    try:
        test_vmap_of_an_op_equals_a_loop(OPS[name])
        if not any(OPS[name].vjp):
            test_vmap_of_an_op_without_derivative_equals_a_loop(OPS[name])
        test_vmap_over_one_input_alone_equals_a_loop(OPS[name])
    except Exception:  # a wrong batch may show as any error
        return True
    finally:
        RULES[name] = sound
    return False


def main() -> None:
    """Plant, count and list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="ops; all, if none is named")
    warnings.simplefilter("ignore")
    names = parser.parse_args().names
    planted, caught = Counter(), Counter()

    def count(kind, was_caught, fault):
        planted[kind] += 1
        caught[kind] += was_caught
        if not was_caught:
            print("not caught:", fault)

    for fault in faults(names):
        count(fault.kind, is_caught(fault), fault)
    for name in [name for name in RULES if name not in EQUAL and (not names or name in names)]:
        count("batching", is_reversed_batch_caught(name), f"{name}, its batching rule: reversed")
    for kind in planted:
        print(f"{kind:<8} {caught[kind]:5} of {planted[kind]} caught")
    share = caught.total() / max(planted.total(), 1)
    print(f"{100 * share:.1f} % of {planted.total()} faults caught; {100 * WANTED:.0f} % wanted")
    sys.exit(share < WANTED)


if __name__ == "__main__":
    print(f"gradx {gradx.__version__}")
    main()
