"""Plant faults in every derivative rule, and count how many the tests of ops catch.

    python -m tests.faults [NAME ...]

A rule is scaled by 1 + 1e-6, dropped, or made flat: right, but constant when it is
itself differentiated. Each fault is planted alone, and what ``test_ops.py`` checks
is run on the op's samples until it fails. Those that pass are listed; the exit
status tells whether 95 % were caught.
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import gradx
from gradx.core.op import OPS, Op
from gradx.core.rules import Rule
from gradx.ops.creation import stop_gradient
from gradx.testing import check_derivatives
from gradx.transforms.boundary import is_differentiable
from gradx.transforms.structural import MOVING, SELECTING
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
    return Rule(apply, rule.pick, rule.saved)


def dropped(rule: Rule) -> Rule:
    """Return a rule that gives 0."""
    apply = lambda g, *saved: _leaves(rule.apply(g, *saved), lambda part: 0 * part)
    return Rule(apply, rule.pick, rule.saved)


def flat(rule: Rule) -> Rule:
    """Return the rule with what it keeps held constant."""
    hold = lambda value: stop_gradient(value) if is_differentiable(value) else value
    apply = lambda g, *saved: rule.apply(g, *[_leaves(value, hold) for value in saved])
    return Rule(apply, rule.pick, rule.saved)


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
    edges = op.both_edges
    if edges is not None and mode == "vjp":
        op.both_edges = lambda x, y, out, *inputs: tuple(
            (node, rule, rule.pick(out, *inputs))
            for node, rule in zip((x, y), planted, strict=True)
        )
    setattr(op, mode, tuple(planted))
    try:
        return not _passes(op)
    finally:
        setattr(op, mode, sound)
        op.both_edges = edges


def _passes(op: Op) -> bool:
    for sample in op.samples(drawing(seed=0)):
        function, arrays = bound(op, sample, xp_numpy())
        if not arrays:
            continue
        try:
            check_derivatives(function, *arrays, order=2)
        except Exception:  # a wrong derivative may show as any error
            return False
    return True


def main() -> None:
    """Plant, count and list."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="ops; all, if none is named")
    warnings.simplefilter("ignore")
    planted, caught = Counter(), Counter()
    for fault in faults(parser.parse_args().names):
        planted[fault.kind] += 1
        if is_caught(fault):
            caught[fault.kind] += 1
        else:
            print("not caught:", fault)
    for kind in KINDS:
        print(f"{kind:<8} {caught[kind]:5} of {planted[kind]} caught")
    share = caught.total() / max(planted.total(), 1)
    print(f"{100 * share:.1f} % of {planted.total()} faults caught; {100 * WANTED:.0f} % wanted")
    sys.exit(share < WANTED)


if __name__ == "__main__":
    print(f"gradx {gradx.__version__}")
    main()
