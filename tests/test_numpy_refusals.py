"""What NumPy's functions refuse of Tensors: what NumPy refuses of arrays, and what gradx lacks."""

import warnings

import numpy as np
import pytest

import gradx as gx
from gradx.errors import DTypeError, GradxError, TrackedError
from tests.test_numpy_functions import X


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: np.packbits(t), r"no derivative for np\.packbits: write it with"),
        (lambda t: np.lcm(t, 2), r"no derivative for np\.lcm"),
        (lambda t: np.lcm.reduce(t), r"no derivative for np\.lcm\.reduce"),
        (lambda t: np.sin(t, where=[True, False]), r"no derivative for np\.sin with where"),
        (lambda t: np.add(t, 1.0, out=np.zeros(2)), r"np\.add\(\.\.\., out=\.\.\.\)"),
        (lambda t: np.sum(t, out=np.zeros(())), r"np\.sum\(\.\.\., out=\.\.\.\)"),
        (lambda t: np.reshape(t, (2, 1), order="B"), r"np\.reshape with order='B'"),
        (lambda t: np.pad(t, 1, "wrap", reflect_type="odd"), r"np\.pad with reflect_type"),
        (lambda t: np.pad(t, 1, "mean", end_values=2.0), r"np\.pad with end_values"),
        (lambda t: np.asarray(t), r"np\.asarray\(\) of a Tensor"),
    ],
)
def test_numpy_call_that_gradx_lacks_is_refused_by_name(call, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TrackedError, match=message):
            call(gx.tensor([1.0, 2.0]))


NO_ARGUMENTS_OF_NUMPYS = {
    "complex deg2rad": lambda x: np.deg2rad(x * 1j),
    "complex degrees": lambda x: np.degrees(x * 1j),
    "complex fabs": lambda x: np.fabs(x * 1j),
    "complex fmod": lambda x: np.fmod(x * 1j, 2.0),
    "complex heaviside": lambda x: np.heaviside(x * 1j, 0.5),
    "complex quantile": lambda x: np.quantile(x * 1j, 0.5),
    "corrcoef of a stack": lambda x: np.corrcoef(x[None]),
    "cov of a stack": lambda x: np.cov(x[None]),
    "diag of a stack": lambda x: np.diag(x[None]),
    "eigvalsh of a vector": lambda x: np.linalg.eigvalsh(x[0]),
    "gradient of one element": lambda x: np.gradient(x[:, :1], axis=1),
    "gradient at other places": lambda x: np.gradient(x, np.arange(4.0), axis=1),
    "gradient of few, bent": lambda x: np.gradient(x, axis=0, edge_order=2),
    "interp, more values": lambda x: np.interp(0.5, x[0, :2], x[1]),
    "interp of nothing": lambda x: np.interp(0.5, x[0, :0], x[1, :0]),
    "argpartition beyond": lambda x: np.argpartition(x, -4),
    "pad by the largest of none": lambda x: np.pad(x, 1, "maximum", stat_length=0),
    "pad nothing by a mean": lambda x: np.pad(x[:, :0], 1, "mean"),
    "partition beyond": lambda x: np.partition(x, 3),
    "percentile below 0": lambda x: np.percentile(x, -3),
    "polyfit below degree 0": lambda x: np.polyfit(x[0], x[1], -1),
    "polyfit of nothing": lambda x: np.polyfit(x[0, :0], x[1, :0], 1),
    "polyfit of rows": lambda x: np.polyfit(x, x[0], 1),
    "polyfit, other weights": lambda x: np.polyfit(x[0], x[1], 1, w=np.ones(2)),
    "polyfit, other values": lambda x: np.polyfit(x[0], x[1, :2], 1),
    "polyfit and its covariance of few": lambda x: np.polyfit(x[0], x[1], 2, cov=True),
    "quantile above 1": lambda x: np.quantile(x, [0.5, 1.5]),
    "quantile at a level below 0": lambda x: np.quantile(x, x[0, 1]),
    "quantile at no level": lambda x: np.quantile(x, np.nan),
    "trapezoid of a number": lambda x: np.trapezoid(x[0, 0]),
    "all, where longer": lambda x: np.all(x > 0, where=np.ones((2, 2, 4), bool)),
    "max, where longer": lambda x: np.max(x, where=np.ones((2, 2, 4), bool), initial=0.0),
    "mean, where longer": lambda x: np.mean(x, where=np.ones((2, 2, 4), bool)),
    "nansum, where longer": lambda x: np.nansum(x, where=np.ones((2, 2, 4), bool)),
    "nanmean, where longer": lambda x: np.nanmean(x, where=np.ones((2, 2, 4), bool)),
    "sum, where longer": lambda x: np.sum(x, where=np.ones((2, 2, 4), bool)),
    "var, where longer": lambda x: np.var(x[:1], where=np.ones((2, 4), bool)),
}


@pytest.mark.parametrize("f", NO_ARGUMENTS_OF_NUMPYS.values(), ids=NO_ARGUMENTS_OF_NUMPYS)
def test_what_numpy_refuses_is_refused(f):
    with pytest.raises((TypeError, ValueError, IndexError)):
        f(X)
    with pytest.raises(GradxError):
        gx.vjp(f, X)


BEYOND_ALL_AXES = {
    "apply_over_axes": lambda x: np.apply_over_axes(np.sum, x, [2]),
    "gradient": lambda x: np.gradient(x, axis=2),
    "hypot.reduce": lambda x: np.hypot.reduce(x, axis=2),
    "median": lambda x: np.median(x, axis=2),
    "nanmedian": lambda x: np.nanmedian(x, axis=(0, -3)),
    "of a number": lambda x: np.median(x[0, 0], axis=0),
    "quantile": lambda x: np.quantile(x, 0.5, axis=-3),
    "rollaxis": lambda x: np.rollaxis(x, 2),
}


@pytest.mark.parametrize("f", BEYOND_ALL_AXES.values(), ids=BEYOND_ALL_AXES)
def test_axis_that_does_not_exist_is_an_error_as_in_numpy(f):
    for x in (X, gx.tensor(X)):
        with pytest.raises(np.exceptions.AxisError.__bases__, match="out of bounds"):
            f(x)


def test_list_that_is_no_array_is_named():
    with pytest.raises(DTypeError, match="not_equal: expected an array, got 'list'"):
        gx.grad(lambda x: np.sum(np.where([[True], [True, False]], x, 0.0)))(X)
