"""Every op in guises that its samples may lack: memory layouts, repeated arguments, and more."""

import numpy as np
import pytest

import gradx as gx
from gradx.core.op import COMPOSED, OPS, Composed
from gradx.testing import check_derivatives
from tests.test_declarations import INTERNAL
from tests.test_ops import bound, drawing, flat, xp_numpy
from tests.variations import guises, layouts, plainest, precisions, repeated

ALL = [*OPS.values(), *COMPOSED.values()]
every_op = pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
# Internal ops are called by rules only, which keep to what their samples show.
every_public_op = pytest.mark.parametrize(
    "op", [op for op in ALL if op.name not in INTERNAL], ids=lambda op: op.name
)
NOT_COMPARED = {
    ("svd", "complex"): "singular vectors are determined up to a phase",
    ("eigvals", "complex"): "the eigenvalues come in no order",
}


def samples_of(op):
    return list(op.samples(drawing(seed=0)))


# Of nothing NumPy finds a mean, a variance and a maximum with warnings, or not at all.
@every_public_op
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_derivatives_in_every_guise(op):
    for name, sample in guises(op, samples_of(op)):
        function, arrays = bound(op, sample, xp_numpy())
        if arrays and (op.name, name) not in NOT_COMPARED:
            check_derivatives(function, *arrays, order=2)


@every_op
def test_repeated_argument_receives_all_of_its_derivative(op):
    found = repeated(op, samples_of(op))
    if found is not None and (isinstance(op, Composed) or any(op.vjp)):
        check_derivatives(*found, order=2)


@every_op
def test_layout_in_memory_changes_nothing(op):
    expected = values_and_gradients(op, plainest(samples_of(op)))

    for sample in layouts(plainest(samples_of(op))):
        actual = values_and_gradients(op, sample)
        for a, e in zip(actual, expected, strict=True):
            np.testing.assert_allclose(a, e, rtol=1e-12, atol=1e-14)


# Overflow is no matter here.
@every_public_op
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_precision_is_kept_to_second_order(op):
    for sample in precisions(plainest(samples_of(op))):
        function, arrays = bound(op, sample, xp_numpy())
        try:
            expected = flat(xp_numpy(), function(*arrays))
        except TypeError:  # LAPACK has no half precision
            continue
        everything = tuple(range(len(arrays)))
        loss = lambda *xs, f=function: total_of(f(*xs))
        slopes = lambda *xs, loss=loss, by=everything: total_of(gx.grad(loss, by)(*xs))

        for found in (gx.vjp(function, *arrays)[0], gx.jvp(function, arrays, arrays)[0]):
            assert dtypes_of(found) == dtypes_of(expected)
        for derivative in (loss, slopes) if arrays and varies(expected) else ():
            gradients = gx.grad(derivative, everything)(*arrays)
            assert dtypes_of(gradients) == dtypes_of(arrays)


def dtypes_of(parts):
    return [part.dtype for part in flat(xp_numpy(), parts)]


def varies(parts):
    return any(part.dtype.kind in "fc" for part in parts)


def total_of(parts):
    """Add up what has derivatives of all that a function returned, as one real number."""
    parts = [part for part in gx.core.tree.leaves(parts) if varies([np.empty(0, part.dtype)])]
    return sum(gx.sum(gx.real(part)) for part in parts)


def values_and_gradients(op, sample):
    function, arrays = bound(op, sample, xp_numpy())
    if not arrays:
        return flat(xp_numpy(), function())
    out, pullback = gx.vjp(function, *arrays)
    return flat(xp_numpy(), [out, list(pullback(out))])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_guises_are_many():
    counts = {}
    for op in ALL:
        if op.name not in INTERNAL:
            for name, _ in guises(op, samples_of(op)):
                counts[name] = counts.get(name, 0) + 1

    # Fewer would say that ops began to refuse what they took.
    least = {"no axes": 120, "no elements": 140, "complex": 130, "negative axis": 35}
    least |= {"several axes": 6, "kept axes": 13}
    assert all(counts[name] >= number for name, number in least.items()), counts
