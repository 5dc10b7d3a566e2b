"""Groups as machine code: the same numbers as eager, in every layout, on any number of threads."""

import threading

import numpy as np
import pytest

import gradx as gx
from gradx.backends.native import threads
from gradx.core.op import OPS
from gradx.graph.capture import capture
from gradx.graph.native.analysis import REDUCTIONS
from gradx.graph.native.launch import compile_group, reason
from gradx.graph.native.operations import SUPPORTED
from tests.test_ops import drawing

INF, NAN = np.inf, np.nan
PLAIN = (np.ndarray, int, float, bool, type(None))
TOLERANCE = {np.dtype("float32"): 4e-6, np.dtype("float64"): 1e-14}


def group(f, *arrays):
    """Return the graph of a function, which is to be one group."""
    return capture(f)(*arrays)


def run(graph, *arrays):
    """Run a graph as one loop of machine code."""
    kernel = compile_group(graph)
    assert kernel is not None, reason(graph)
    outputs = [np.empty(out.shape, out.dtype) for out in graph.outputs]
    kernel(*arrays, *outputs)
    return outputs


def compiled(f, *arrays):
    return run(group(f, *arrays), *arrays)


def assert_same(actual, expected, rtol=None):
    for found, wanted in zip(actual, expected, strict=True):
        wanted = np.asarray(wanted)
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        allowed = TOLERANCE.get(wanted.dtype, 0) if rtol is None else rtol
        np.testing.assert_allclose(found, wanted, rtol=allowed)


def samples(op, dtype, most):
    """Yield an op as a function of the arrays in a sample, and those."""
    for sample in list(op.samples(drawing(seed=0, dtype=dtype)))[:most]:
        arrays = [a for a in sample.arrays if isinstance(a, np.ndarray)]
        if not arrays or not all(isinstance(a, PLAIN) for a in sample.arrays):
            continue

        def function(*given, sample=sample):
            left = iter(given)
            inputs = [next(left) if isinstance(a, np.ndarray) else a for a in sample.arrays]
            return op.call(*inputs, **sample.params)

        yield function, arrays


def agree(function, arrays, rtol=None):
    """Compare with eager; return whether there is a loop for it."""
    graph = group(function, *arrays)
    if reason(graph):
        return False
    found = run(graph, *arrays)
    expected = function(*arrays)
    assert_same(found, expected if isinstance(expected, tuple) else (expected,), rtol)
    return True


OWN = [op for op in OPS.values() if op.name in SUPPORTED | REDUCTIONS]
every_own_op = pytest.mark.parametrize("op", OWN, ids=lambda op: op.name)
# Of nothing, complex, or of an axis in the middle: everything else has a loop.
NO_LOOP = {"expand_dims", "reshape", "squeeze", "sum", "mean", "max", "min", "astype"}
NO_LOOP |= {"clip_between", "copysign"}  # of numbers that make a constant


@every_own_op
@pytest.mark.parametrize(("dtype", "most"), [(np.float64, 6), (np.float32, 2)])
def test_an_op_gives_what_it_gives_eagerly(op, dtype, most):
    for function, arrays in samples(op, dtype, most):
        fused = agree(function, arrays)

        odd = any(a.dtype.kind == "c" or a.size == 0 for a in arrays)
        assert fused or odd or op.name in NO_LOOP or function(*arrays).size in (0, 1)


@every_own_op
def test_a_gradient_is_what_it_is_eagerly(op):
    if not any(op.vjp):
        return
    for function, arrays in samples(op, np.float32, 2):
        loss = lambda *given, f=function: gx.sum(f(*given) * 1.5)
        if function(*arrays).dtype.kind != "f":
            continue
        places = tuple(i for i, a in enumerate(arrays) if a.dtype.kind == "f")
        gradient = lambda *given, f=loss, places=places: gx.grad(f, places)(*given)

        agree(gradient, arrays, rtol=1e-5)


def test_arithmetic_is_bitwise_that_of_numpy():
    rng = np.random.default_rng(0)
    p, g, m, v = (rng.random((300, 7), dtype=np.float32) for _ in range(4))

    def update(p, g, m, v, rate):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * (g * g)
        return p - rate * m / (gx.sqrt(v) + 1e-8), m, v

    found = compiled(update, p, g, m, v, np.float32(0.001))

    for actual, expected in zip(found, update(p, g, m, v, np.float32(0.001)), strict=True):
        np.testing.assert_array_equal(actual, expected)


LENGTHS = [1, 7, 8, 15, 16, 17, 33, 1000, 16_384, 16_385, 100_003]


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_length_is_computed_to_its_last_element(n, dtype):
    x = np.linspace(-3, 3, n).astype(dtype)
    guarded = np.full(n + 2, 7.0, dtype)
    graph = group(lambda x: gx.tanh(x) + x, x)

    compile_group(graph)(x, guarded[1:-1])

    np.testing.assert_allclose(guarded[1:-1], np.tanh(x) + x, rtol=2e-6)
    assert guarded[0] == guarded[-1] == 7.0


@pytest.mark.parametrize("n", LENGTHS)
def test_reductions_of_any_length_leave_nothing_out(n):
    x = np.arange(n) % 13 - 6.0
    # Where nothing is, there is no 0, 1 or 20 either.
    f = lambda x: (gx.sum(gx.exp(x)), gx.max(x - 20), gx.min(x + 20), gx.mean(x), gx.sum(x * x) / 2)

    found = compiled(f, x)

    expected = [np.exp(x).sum(), (x - 20).max(), (x + 20).min(), x.mean(), (x * x).sum() / 2]
    assert_same(found, expected, rtol=1e-13)


SHAPES = [((5, 300), (300,)), ((5, 300), (5, 1)), ((4, 3, 50), (3, 1)), ((4, 3, 50), (4, 1, 50))]
SHAPES += [((2, 3, 4, 5), (3, 1, 5)), ((1, 6, 1), (1, 1, 1)), ((3, 1), (1, 40)), ((), (3, 4))]


@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_broadcasting_is_that_of_numpy(left, right):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=left), rng.normal(size=right)

    found = compiled(lambda x, y: gx.exp(x * y) * y, x, y)

    assert_same(found, [np.exp(x * y) * y])


def test_inputs_in_any_order_of_memory_are_read_right():
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(40, 60))
    transposed, stepped, reversed_ = whole.T[:20, :30], whole[::2, ::2], whole[::-1][:20, :30]
    same = np.broadcast_to(whole[0, :30], (20, 30))
    unaligned = np.frombuffer(b"\0" + whole[:20, :30].tobytes(), offset=1).reshape(20, 30)
    arrays = [transposed, stepped, reversed_, same, unaligned]
    f = lambda a, b, c, d, e: a * b + c * d - e
    graph = group(f, *(np.ascontiguousarray(a) for a in arrays))

    found = run(graph, *arrays)

    np.testing.assert_array_equal(found[0], f(*arrays))


def test_outputs_in_any_order_of_memory_are_written_right():
    x = np.random.default_rng(0).normal(size=(30, 20))
    out, total = np.zeros((20, 30)).T, np.zeros(40)[::2]
    f = lambda x: (x * 2, gx.sum(x, axis=0))

    compile_group(group(f, x))(x, out, total)

    assert_same([out, total], f(x), rtol=1e-12)


def test_inputs_of_the_other_byte_order_are_read_right():
    x = np.linspace(0.5, 2, 40)
    swapped = x.astype(x.dtype.newbyteorder())
    graph = group(lambda x, y: x * 2 + y, x, x)

    found = run(graph, swapped, x)

    np.testing.assert_array_equal(found[0], x * 3)


def test_arrays_without_axes_may_be_numbers_of_numpy_or_python():
    graph = group(lambda x, rate, n: x * rate + n, np.ones(5, np.float32), 0.1, np.float32(2))

    found = run(graph, np.ones(5, np.float32), 0.1, np.float32(2))

    assert found[0].dtype == np.float32
    np.testing.assert_array_equal(found[0], np.ones(5, np.float32) * np.float32(0.1) + 2)


def test_an_output_may_take_the_memory_of_an_input():
    x, y = np.arange(1000.0), np.ones(1000)
    expected = [np.exp(-x) * y, x + y]
    graph = group(lambda x, y: (gx.exp(-x) * y, x + y), x, y)

    compile_group(graph)(x, y, x, y)

    assert_same([x, y], expected)


def test_an_output_may_take_the_memory_of_an_input_that_all_rows_read():
    x, bias = np.random.default_rng(0).normal(size=(2, 40, 40))
    bias = bias[0].copy()
    f = lambda x, bias: gx.sum(x * bias, axis=1)
    expected = f(x, bias)

    compile_group(group(f, x, bias))(x, bias, bias)

    assert_same([bias], [expected], rtol=1e-12)


AXES = [None, 0, 1, 2, (0, 1), (1, 2), (0, 2), (0, 1, 2), (), -1]


@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_reductions_over_axes_are_those_of_numpy(name, axis, keepdims, dtype):
    x = (np.random.default_rng(0).normal(size=(6, 5, 70)) * 9).astype(dtype)
    reduce = getattr(gx, name)
    graph = group(lambda x: reduce(x + 1, axis=axis, keepdims=keepdims), x)
    if axis in (1, (0, 2)):
        assert "in the middle" in reason(graph)
        return

    found = run(graph, x)

    wide = x + np.asarray(1, dtype)
    expected = reduce(wide, axis=axis, keepdims=keepdims)
    exact = wide.astype("float64") if dtype == "float32" else wide
    assert_same(found, [reduce(exact, axis=axis, keepdims=keepdims).astype(expected.dtype)], 1e-7)


def test_rows_go_on_with_what_was_reduced_of_them():
    x = np.random.default_rng(0).normal(size=(50, 37)) * 10

    def normalized(x):
        shifted = gx.exp(x - gx.max(x, axis=-1, keepdims=True))
        share = shifted / gx.sum(shifted, axis=-1, keepdims=True)
        mean = gx.mean(x, axis=1, keepdims=True)
        scale = gx.sqrt(gx.mean(gx.square(x - mean), axis=1, keepdims=True) + 1e-5)
        return share, (x - mean) / scale, gx.sum(share * x, axis=0), gx.sum(gx.log(share))

    found = compiled(normalized, x)

    assert_same(found, normalized(x), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [4, 8, 16, 32])
def test_rows_of_one_vector_go_on_with_what_was_computed_for_reductions(n, dtype):
    draws = np.random.default_rng(n)
    x, bias = draws.normal(size=(5, 7, n)).astype(dtype), draws.normal(size=n).astype(dtype)
    x[2, 3] = -np.inf
    x[2, 3, 1], x[4, 6, n - 1] = 3, np.nan

    def f(x, bias):
        shifted = x + bias
        away = gx.exp(shifted - gx.max(shifted, axis=-1, keepdims=True))
        kept = away / gx.sum(away, axis=-1, keepdims=True)
        return kept, gx.sum(kept, axis=(0, 1)), gx.sum(kept * shifted, axis=-1)

    with np.errstate(invalid="ignore"):
        found, expected = compiled(f, x, bias), f(x, bias)

    assert_same(found, expected, rtol=1e-5 if dtype == "float32" else 1e-13)


def test_infinities_and_nans_are_those_of_numpy():
    x = np.asarray([[INF, 1.0, -INF], [NAN, 2.0, 3.0], [INF, INF, 1.0]] * 7)
    f = lambda x: (
        gx.sum(x, axis=1),
        gx.max(x, axis=1),
        gx.min(x, axis=0),
        gx.sum(x, axis=0),
        gx.where(x > 0, gx.log(x), 0.0),
        gx.maximum(x, 0.0),
    )

    with np.errstate(all="ignore"):
        assert_same(compiled(f, x), f(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_sums_are_at_least_as_accurate_as_those_of_numpy(dtype, axis):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(700, 1500)) * 10.0 ** rng.integers(-6, 6, (700, 1500))).astype(dtype)
    exact = x.astype(np.longdouble).sum(axis=axis)
    worst = lambda total: float(np.max(np.abs(total - exact)))

    (found,) = compiled(lambda x: gx.sum(x, axis=axis), x)

    rounding = float(np.max(np.spacing(np.abs(exact).astype(dtype)))) / 2
    assert worst(found) <= max(worst(np.add.reduce(x, axis=axis)), rounding)


@pytest.fixture
def thread_limit():
    before = threads.limit()
    yield threads.limit
    threads.limit(before)


def test_no_bit_depends_on_the_number_of_threads(thread_limit):
    x = np.random.default_rng(0).normal(size=(3000, 400)).astype(np.float32)
    f = lambda x: (gx.sum(gx.exp(x)), gx.sum(gx.sin(x), axis=0), gx.mean(x, axis=1), gx.tanh(x))
    graph = group(f, x)
    thread_limit(1)
    alone = run(graph, x)

    for count in (2, 3, 5):
        thread_limit(count)
        for actual, expected in zip(run(graph, x), alone, strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_a_kernel_may_run_in_several_threads_at_once(thread_limit):
    thread_limit(2)
    arrays = [np.random.default_rng(i).normal(size=300_000) for i in range(8)]
    graph = group(lambda x: (gx.exp(x), gx.sum(x)), arrays[0])
    kernel = compile_group(graph)
    outputs = [[np.empty(300_000), np.empty(())] for _ in arrays]
    work = lambda i: [kernel(arrays[i], *outputs[i]) for _ in range(5)]

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    for x, (y, total) in zip(arrays, outputs, strict=True):
        np.testing.assert_allclose(y, np.exp(x), rtol=1e-14)
        assert total == pytest.approx(x.sum(), abs=1e-9)


REFUSED = {
    "complex": (lambda x: x * 2, np.ones(3, complex)),
    "nothing in it": (lambda x: x * 2, np.ones(0)),
    "an op of another kind": (lambda x: gx.sort(x) * 2, np.ones(3)),
    "a float as an integer": (lambda x: gx.astype(x, "int32") + 1, np.ones(3)),
    "an axis in the middle": (lambda x: gx.sum(x, axis=1), np.ones((2, 3, 4))),
    "sums of sums over rows": (lambda x: gx.sum(gx.sum(x, axis=0) ** 2), np.ones((3, 4))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_loop_is_refused_with_a_reason(name):
    f, x = REFUSED[name]
    graph = group(f, x)

    assert compile_group(graph) is None
    assert reason(graph)


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", True])
def test_a_limit_of_threads_is_a_positive_integer(count):
    with pytest.raises(ValueError, match=r"threads, expected a positive integer"):
        threads.limit(count)
