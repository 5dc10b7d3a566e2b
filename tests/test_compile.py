"""``gx.compile``: what goes in, what comes out, and nothing frozen on the way."""

import io
import threading

import numpy as np
import pytest

import gradx as gx
from gradx.core import tree

X = np.asarray([1.0, 2.0, 3.0])


class Counted:
    """A function that counts how often Python runs it, where no guard looks."""

    def __init__(self, function):
        self.function, self.log = function, io.StringIO()

    def __call__(self, *args, **kwargs):
        self.log.write(".")
        return self.function(*args, **kwargs)

    @property
    def runs(self):
        return len(self.log.getvalue())


def test_second_call_does_not_run_the_function():
    counted = Counted(lambda x: x * 2)
    compiled = gx.compile(lambda x: counted(x))

    outs = [compiled(X), compiled(X + 1)]

    np.testing.assert_array_equal(outs, [X * 2, (X + 1) * 2])
    assert counted.runs == 1


@pytest.mark.parametrize("other", [np.ones(4), np.ones(3, np.float32), np.ones((1, 3)), 2.0, 2])
def test_another_kind_of_argument_is_captured_anew(other):
    compiled = gx.compile(lambda x: x * 2)
    compiled(X)

    out = compiled(other)

    assert np.shape(out) == np.shape(other)
    np.testing.assert_array_equal(out, other * 2)
    assert type(out) is type(other * 2)


def test_python_numbers_may_differ_from_call_to_call():
    counted = Counted(lambda x, rate: x * rate)
    compiled = gx.compile(lambda x, rate: counted(x, rate))

    assert compiled(X, 2.0)[0] == 2.0
    assert compiled(X, 5.0)[0] == 5.0
    assert counted.runs == 1


def test_python_number_leaves_single_precision_single():
    f = lambda x, rate: x * rate**2 + (1 - rate) / 3
    x = np.ones(2, np.float32)

    out = gx.compile(f)(x, 0.3)

    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, f(x, 0.3))


def test_arithmetic_on_python_numbers_is_pythons():
    f = lambda n: (n // 2, n % 3, 2**n, n / 4, -n)

    outs = gx.compile(f)(7)

    assert outs == f(7)
    assert list(map(type, outs)) == list(map(type, f(7)))


def test_division_of_python_numbers_by_zero_raises_as_in_python():
    compiled = gx.compile(lambda x, n: x * (1 / n))
    compiled(X, 2)

    with pytest.raises(ZeroDivisionError):
        compiled(X, 0)


def test_number_that_is_differentiated_is_an_array():
    f = gx.grad(lambda rate, x: gx.sum(x * rate))
    x = np.ones(2, np.float32)

    assert gx.compile(f)(0.5, x).dtype == f(0.5, x).dtype


@pytest.mark.parametrize("flag", [True, False])
def test_truth_values_and_texts_are_part_of_the_kind(flag):
    def f(x, train, mode):
        return x * 2 if train and mode == "twice" else x

    compiled = gx.compile(f)
    compiled(X, not flag, "twice")

    np.testing.assert_array_equal(compiled(X, flag, "twice"), f(X, flag, "twice"))


def test_branches_on_shapes_are_taken_for_each_shape():
    compiled = gx.compile(lambda x: x * 2 if x.shape[0] > 3 else -x)

    assert compiled(X)[0] == -1
    assert compiled(np.ones(5))[0] == 2


def test_same_array_passed_twice_is_two_arguments():
    compiled = gx.compile(lambda x, y: x - y)

    np.testing.assert_array_equal(compiled(X, X), np.zeros(3))
    np.testing.assert_array_equal(compiled(X, X * 2), -X)


def test_views_with_offsets_and_strides_are_read_where_they_are():
    base = np.arange(24.0).reshape(4, 6)
    f = lambda x: gx.sum(x * x, axis=0) + x[0]
    compiled = gx.compile(f)

    for view in (base[1:3, ::2], base[:2, 3:], base[::2, ::-2], base.T[:3, :2].T):
        np.testing.assert_array_equal(compiled(view), f(view))


IDENTITIES = {
    "itself": lambda x: x,
    "twice": lambda x: (x, x),
    "view": lambda x: x[1:],
    "reshaped": lambda x: gx.reshape(x, (3, 1)),
    "transposed": lambda x: gx.reshape(x, (1, 3)).T,
    "two views of a result": lambda x: (lambda y: (y, y[:2], gx.reshape(y, (3, 1))))(x * 2),
    "stopped": gx.stop_gradient,
    "repeated": lambda x: gx.broadcast_to(x, (2, 3)),
    "same type": lambda x: gx.astype(x, "float64", copy=False),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_outputs_share_memory_with_nothing(name):
    compiled = gx.compile(IDENTITIES[name])
    x = X.copy()

    arrays = [x]
    for _ in range(3):
        arrays += tree.leaves(compiled(x))

    for i, array in enumerate(arrays):
        assert array.flags.writeable
        assert not any(np.shares_memory(array, other) for other in arrays[:i])


def test_output_that_is_a_constant_is_a_copy():
    constant = np.ones(3)
    compiled = gx.compile(lambda x: (constant, x * constant))

    out, _ = compiled(X)
    out[...] = 7

    assert constant[0] == 1


def test_kept_output_is_never_overwritten():
    compiled = gx.compile(lambda x: (x * 2 + 1, gx.sum(x)))

    first = compiled(X)
    kept = [np.copy(leaf) for leaf in first]
    for _ in range(3):
        compiled(X * 7)

    for leaf, copy in zip(first, kept, strict=True):
        np.testing.assert_array_equal(leaf, copy)


def test_trees_go_in_and_come_out():
    compiled = gx.compile(lambda t: {"sum": t["a"] + t["b"][0], "none": None, "pair": (t["a"], 3)})

    out = compiled({"a": X, "b": [X * 2]})

    np.testing.assert_array_equal(out["sum"], X * 3)
    assert out["none"] is None
    assert out["pair"][1] == 3


def test_keyword_arguments_are_arguments():
    compiled = gx.compile(lambda x, *, scale, shift=0.0: x * scale + shift)

    assert compiled(X, scale=2.0)[0] == 2
    assert compiled(X, scale=3.0, shift=1.0)[0] == 4
    assert compiled(shift=2.0, scale=3.0, x=X)[0] == 5


def test_static_arguments_are_python_values():
    counted = Counted(lambda x, n: gx.reshape(x, (n, -1)) * n)
    compiled = gx.compile(lambda x, n: counted(x, n), static="n")

    assert compiled(np.ones(6), 2).shape == (2, 3)
    assert compiled(np.ones(6), n=3).shape == (3, 2)
    assert compiled(np.ones(6), 2).shape == (2, 3)
    assert counted.runs == 2


def test_static_values_that_are_equal_but_of_other_types_are_told_apart():
    compiled = gx.compile(lambda x, n: x * (1 if type(n) is int else 2), static=1)

    assert compiled(X, 1)[0] == 1
    assert compiled(X, 1.0)[0] == 2
    assert compiled(X, True)[0] == 2


def test_static_argument_that_has_no_hash_raises():
    with pytest.raises(TypeError, match="a static argument must be hashable"):
        gx.compile(lambda x, n: x, static="n")(X, [1])


def test_static_argument_that_does_not_exist_raises():
    with pytest.raises(ValueError, match="has no parameter 'm', only x, n"):
        gx.compile(lambda x, n: x, static="m")


def test_argument_that_is_neither_array_nor_number_raises():
    with pytest.raises(TypeError, match=r"argument f is .*name it in static="):
        gx.compile(lambda x, f: f(x))(X, gx.sin)


def test_functions_may_be_static():
    compiled = gx.compile(lambda x, f: f(x), static="f")

    np.testing.assert_array_equal(compiled(X, gx.sin), np.sin(X))
    np.testing.assert_array_equal(compiled(X, gx.cos), np.cos(X))


class Scaler:
    def __init__(self, scale):
        self.scale = scale

    @gx.compile
    def apply(self, x):
        return x * self.scale

    @gx.compile(static="power")
    def raised(self, x, power):
        return self.scale * x**power


def test_method_of_two_instances_reads_each_its_own():
    two, three = Scaler(2.0), Scaler(3.0)

    assert [s.apply(X)[0] for s in (two, three, two)] == [2, 3, 2]
    assert three.raised(X, 2)[1] == 12


def test_attribute_that_changes_is_noticed():
    scaler = Scaler(2.0)
    scaler.apply(X)

    scaler.scale = 5.0

    assert scaler.apply(X)[0] == 5


class Layer(gx.nn.Module):
    weight: object

    def __init__(self, weight):
        self.weight = weight

    @gx.compile
    def __call__(self, x):
        return x * self.weight * FACTOR


FACTOR = 1.0


def test_module_is_an_argument_of_its_methods(monkeypatch):
    assert Layer(X)(X)[1] == 4
    assert Layer(X * 2)(X)[1] == 8
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert Layer(X)(X)[1] == 12


def test_decorator_keeps_name_and_docstring():
    @gx.compile
    def step(x):
        """Step."""
        return x

    assert step.__name__ == "step"
    assert step.__doc__ == "Step."
    assert "compiled step" in repr(step)


def test_cache_is_bounded():
    compiled = gx.compile(lambda x: x * 2)

    for n in range(50):
        compiled(np.ones(n))

    assert len(compiled.programs) == 32


def test_exception_while_capturing_leaves_nothing_behind():
    fail = [True]

    def f(x):
        y = x * 2
        if fail[0]:
            raise RuntimeError("user's own")
        return y

    compiled = gx.compile(f)
    with pytest.raises(RuntimeError, match="user's own"):
        compiled(X)
    assert len(compiled.programs) == 0

    fail[0] = False

    np.testing.assert_array_equal(compiled(X), X * 2)
    np.testing.assert_array_equal(gx.grad(lambda x: gx.sum(x))(X), np.ones(3))


def test_exception_in_a_replay_leaves_the_program_as_it_was():
    compiled = gx.compile(lambda x, i: gx.take(x * 2, i))
    compiled(X, np.asarray([0, 1]))

    with pytest.raises(IndexError, match=r"take.*test_compile\.py"):
        compiled(X, np.asarray([0, 9]))

    np.testing.assert_array_equal(compiled(X, np.asarray([2, 0])), [6, 2])


def test_calls_from_two_threads_do_not_mix():
    compiled = gx.compile(lambda x: gx.sum(gx.tanh(x) * x + x * 3))
    wrong = []

    def work(value):
        x = np.full(1000, value)
        expected = (np.tanh(x) * x + x * 3).sum()
        for _ in range(50):
            if abs(compiled(x) - expected) > 1e-9:
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(float(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong
    assert len(compiled.programs) == 1


def test_debug_mode_runs_the_function_itself():
    compiled = gx.compile(gx.grad(lambda x: gx.sum(gx.sqrt(x))))
    compiled(X)

    with gx.debug(), pytest.raises(FloatingPointError, match="sqrt"):
        compiled(np.zeros(3))


def test_function_that_returns_something_else_raises():
    with pytest.raises(TypeError, match="it returned 'text'"):
        gx.compile(lambda x: (x, "text"))(X)


def test_targets_are_looked_at_in_every_replay():
    loss = gx.compile(gx.nn.binary_cross_entropy)
    hinge = gx.compile(gx.nn.hinge)
    loss(X, np.ones(3))
    hinge(np.ones((3, 2)), np.asarray([0, 1, 0]))

    with pytest.raises(ValueError, match=r"target 2\.0, expected 0, 1"):
        loss(X, np.full(3, 2.0))
    with pytest.raises(IndexError, match="label 7, expected 0 to 1"):
        hinge(np.ones((3, 2)), np.asarray([0, 1, 7]))
