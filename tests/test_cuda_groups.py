"""Groups of equations as generated CUDA kernels: compiled by NVRTC, run by g++ against float64."""

import re
from importlib import import_module

import numpy as np
import pytest

import gradx as gx
from gradx.core.op import OPS
from gradx.graph.cuda import expressions, group, lowering, packing
from gradx.ops import elementwise as ops
from tests import nvrtc
from tests.cuda_emulation import needs_compiler
from tests.test_cuda_kernels import assert_close, every
from tests.test_cuda_kernels import cuda as cuda

rng = np.random.default_rng(0)


def drawn(*shape, dtype="float32"):
    return rng.normal(size=shape).astype(dtype)


def run(cuda, f, *arrays):
    """Run ``f``, all of it one group, on the device that g++ plays."""
    with np.errstate(all="ignore"):
        graph = gx.capture(f)(*arrays)
    compile_group = cuda.module("gradx.graph.cuda.group").compile_group
    kernel = compile_group(graph)
    assert kernel is not None, graph
    outs = [cuda.put(np.full(x.shape, 77, dtype=x.dtype)) for x in graph.outputs]
    kernel(*[cuda.put(x) if isinstance(x, np.ndarray) else x for x in arrays], *outs)
    return tuple(map(cuda.get, outs))


def exact(f, *arrays):
    wide = [
        x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x
        for x in arrays
    ]
    with np.errstate(all="ignore"):
        out = f(*wide)
    return out if isinstance(out, tuple) else (out,)


def assert_computed(cuda, f, *arrays):
    for actual, expected in zip(run(cuda, f, *arrays), exact(f, *arrays), strict=True):
        if actual.dtype.kind == "f":
            assert_close(actual, expected)
        else:
            assert np.array_equal(actual, expected)


# Every expression

UNARY = [
    name
    for name in (*expressions.TEMPLATES, *expressions.COMPARISONS, *expressions.SPECIAL)
    if name in OPS and len(OPS[name].signature.inputs) == 1 and not OPS[name].signature.params
]
BINARY = [
    name
    for name in (*expressions.TEMPLATES, *expressions.COMPARISONS)
    if name in OPS and len(OPS[name].signature.inputs) == 2
]
SPECIAL_VALUES = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -2.5, 2.5, 3.75]


def every_unary(x):
    return tuple([OPS[name].call(x) for name in UNARY])


def every_binary(x, y):
    return tuple([OPS[name].call(x, y) for name in BINARY if name != "nextafter"])


def test_table_names_ops():
    import_module("gradx.nn.targets")  # which declares one of them
    names = {*expressions.TEMPLATES, *expressions.COMPARISONS, *expressions.SPECIAL}

    assert names <= set(OPS)
    assert {"exp", "tanh", "isnan"} <= set(UNARY)
    assert {"add", "maximum", "less"} <= set(BINARY)


@needs_compiler
@every("dtype", ["float64", "float32"])
def test_every_expression_of_one_is_the_op(dtype, cuda):
    x = np.concatenate([np.linspace(-3, 3, 40), SPECIAL_VALUES]).astype(dtype)

    found = run(cuda, every_unary, x)

    for name, actual, expected in zip(UNARY, found, exact(every_unary, x), strict=True):
        with_name = f"{name}: {actual} {expected}"
        assert np.array_equal(np.isnan(actual), np.isnan(expected)), with_name
        if actual.dtype.kind == "f":
            assert_close(actual, expected)
        else:
            assert np.array_equal(actual, expected), with_name


@needs_compiler
@every("dtype", ["float64", "float32"])
def test_every_expression_of_two_is_the_op(dtype, cuda):
    values = np.asarray(SPECIAL_VALUES, dtype=dtype)
    x, y = map(np.ascontiguousarray, np.broadcast_arrays(values[:, None], values))
    names = [name for name in BINARY if name != "nextafter"]

    found = run(cuda, every_binary, x, y)

    for name, actual, expected in zip(names, found, exact(every_binary, x, y), strict=True):
        assert np.array_equal(np.isnan(actual), np.isnan(expected)), name
        if actual.dtype.kind == "f":
            assert_close(actual, expected)
        else:
            assert np.array_equal(actual, expected), name


@needs_compiler
def test_integers_and_truth_values_are_computed_as_numpy_does(cuda):
    x, y = np.arange(-6, 6), np.arange(12)[::-1].copy()
    mask = x % 3 == 0

    def f(x, y, mask):
        return (
            x + y * 3 - abs(x),
            ops.where(mask, x, y),
            ops.logical_and(mask, x > y),
            ops.maximum(x, 2),
            gx.sign(x),
            x == 2,
            gx.astype(x, "float64") / 4,
            gx.astype(gx.astype(x, "float32") * 1.5, "int32"),
        )

    for actual, expected in zip(run(cuda, f, x, y, mask), f(x, y, mask), strict=True):
        assert actual.dtype == expected.dtype
        assert np.array_equal(actual, expected)


# Shapes

SHAPES = [
    *([(3, 4, 5), (4, 5)], [(3, 4, 5), (4, 1)], [(3, 4, 5), (3, 1, 5)], [(3, 1), (1, 4)]),
    *([(), ()], [(0, 3), (3,)], [(1000,), ()], [(2, 3), (1, 1)]),
]


@needs_compiler
@every("shapes", SHAPES)
def test_inputs_broadcast(shapes, cuda):
    x, y = (drawn(*shape) for shape in shapes)

    assert_computed(cuda, lambda x, y: (gx.tanh(x + y) * y, x * y), x, y)


@needs_compiler
def test_inputs_in_other_orders_are_copied_first(cuda):
    x = drawn(5, 3)
    graph = gx.capture(lambda x: gx.exp(x) * 2)(x.T)
    kernel = cuda.module("gradx.graph.cuda.group").compile_group(graph)
    out = cuda.put(np.empty((3, 5), np.float32))

    kernel(cuda.put(x).T, out)

    assert_close(cuda.get(out), np.exp(x.astype(float)).T * 2)


@needs_compiler
@every("number", [2, 2.5])
def test_python_numbers_stay_weak(number, cuda):
    x = drawn(4)

    (out,) = run(cuda, lambda x, n: x * n + n, x, number)

    assert out.dtype == np.float32
    assert_close(out, x.astype(float) * number + number)


@needs_compiler
def test_output_may_be_written_over_an_input(cuda):
    x, y = drawn(1000), drawn(1000)
    kernel = cuda.module("gradx.graph.cuda.group").compile_group(
        gx.capture(lambda x, y: x * y + gx.sin(x))(x, y)
    )
    array = cuda.put(x)

    kernel(array, cuda.put(y), array)

    assert_close(cuda.get(array), x.astype(float) * y + np.sin(x.astype(float)))


# Rows

ROWS = [(1, 1), (3, 7), (9, 32), (2, 1500), (2, 3, 40)]


def composed_softmax(x):
    powers = gx.exp(x - gx.max(x, axis=-1, keepdims=True))
    return powers / gx.sum(powers, axis=-1, keepdims=True)


def composed_layer_norm(x):
    deviation = x - gx.mean(x, axis=-1, keepdims=True)
    variance = gx.mean(deviation * deviation, axis=-1, keepdims=True)
    return deviation / gx.sqrt(variance + 1e-5), variance


@needs_compiler
@every("dtype", ["float64", "float32", "float16"])
@every("shape", ROWS)
def test_reductions_and_what_follows_are_one_kernel(shape, dtype, cuda):
    x = drawn(*shape, dtype=dtype)

    assert_computed(cuda, composed_softmax, x)
    assert_computed(cuda, composed_layer_norm, x)


@needs_compiler
@every("keepdims", [False, True])
@every("axis", [-1, (1, 2), None])
@every("name", ["sum", "mean", "max", "min"])
def test_each_reduction_along_last_axes(name, axis, keepdims, cuda):
    reduce = getattr(gx, name)
    x, y = drawn(3, 4, 5), drawn(5)

    assert_computed(cuda, lambda x, y: reduce(gx.cos(x) * y, axis=axis, keepdims=keepdims), x, y)


@needs_compiler
@every("name", ["max", "min"])
def test_extremes_of_rows_with_nans_are_nan(name, cuda):
    x = np.asarray([[1.0, np.nan, 3.0], [-np.inf, 2.0, np.inf]])

    (out,) = run(cuda, lambda x: getattr(gx, name)(x + 0.0, axis=-1), x)

    assert np.array_equal(out, getattr(np, name)(x, axis=-1), equal_nan=True)


@needs_compiler
def test_step_of_adam_is_one_kernel(cuda):
    p, g, m, v = drawn(1000), drawn(1000), drawn(1000), drawn(1000) ** 2

    def adam(p, g, m, v, rate):
        m, v = m + 0.1 * (g - m), v + 0.001 * (g * g - v)
        return p - rate * m / (gx.sqrt(v) + 1e-8), m, v

    assert_computed(cuda, adam, p, g, m, v, 0.01)


# What is left to single ops

LEFT = {
    "another axis": lambda x: gx.sum(x * 2, axis=0),
    "two shapes": lambda x: (x * 2, x[0] * 3),
    "no expression": lambda x: gx.special.gammaln(x) * 2,
    "complex": lambda x: x * 1j,
    "a dtype to sum in": lambda x: gx.sum(x * 2, axis=-1, dtype="float64"),
    "a matrix product": lambda x: gx.exp(x @ x),
    "integers": lambda x: gx.astype(x, "int64") / 2,
}


@every("name", LEFT)
def test_group_that_cannot_be_written_has_no_kernel(name):
    assert group.compile_group(gx.capture(LEFT[name])(drawn(3, 3))) is None


# NVIDIA's compiler

needs_nvrtc = pytest.mark.skipif(
    nvrtc.library() is None, reason="NVRTC is not installed: pip install nvidia-cuda-nvrtc"
)


@needs_nvrtc
@every("architecture", ["sm_80", "sm_90"])
@every("dtype", ["float64", "float32", "float16"])
def test_generated_sources_compile_for(architecture, dtype):
    x = drawn(4, 6, dtype=dtype)
    functions = [(every_unary, x), (every_binary, x, x), (composed_softmax, x)]

    for f, *arrays in functions:
        with np.errstate(all="ignore"):
            graph = gx.capture(f)(*arrays)
        source = group.Writer(graph).source()
        assert nvrtc.compiled(source, architecture, ("-std=c++17",))[:4] == b"\x7fELF"


@needs_nvrtc
@every("architecture", ["sm_80", "sm_90"])
@every("count", [2, 60])
def test_source_of_a_pack_compiles_for(architecture, count):
    optimizer = gx.optim.adamw(1e-3)
    params = [drawn(n) for n in range(2, 2 + count)]
    graph = gx.compile(optimizer.update).graph(params, optimizer.init(params), params)
    packs = [e.op for e in lowering.lowered(graph).equations if e.op.name == "pack"]

    assert sum(len(pack.groups) for pack in packs) == count
    for pack in packs:
        source, _ = packing._source([one.graph for one in pack.groups])
        assert nvrtc.compiled(source, architecture, ("-std=c++17",))[:4] == b"\x7fELF"


@needs_nvrtc
def test_thread_loads_several_elements_before_it_stores_the_first():
    x = drawn(1000)
    source = group.Writer(gx.capture(lambda x, y: gx.tanh(x * y + 1) * x)(x, x)).source()

    text = nvrtc.assembly(source, "compute_90", ("-std=c++17",))

    order = "".join(one[0] for one in re.findall(r"\b(ld|st)\.global", text))
    assert max(map(len, order.split("s"))) >= 6  # of three elements, two each
