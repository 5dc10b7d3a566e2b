"""Segments and scattered additions at their edges: ties, NaN, empty segments, wrong arguments.

That values and derivatives agree with finite differences is tested with all ops.
"""

import numpy as np
import pytest

import gradx as gx

SEGMENTS = np.asarray([2, 0, 2, 2])
X = np.asarray([1.0, 5.0, 3.0, 3.0])


def place(array, backend):
    return backend.from_numpy(array, backend.devices()[0])


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (gx.segment_sum, [5.0, 0.0, 7.0]),
        (gx.segment_mean, [5.0, 0.0, 7 / 3]),
        (gx.segment_max, [5.0, -np.inf, 3.0]),
        (gx.segment_min, [5.0, np.inf, 1.0]),
    ],
)
def test_empty_segment_is_the_result_of_nothing(function, expected, backend):
    out = function(place(X, backend), place(SEGMENTS, backend), num_segments=3)

    np.testing.assert_allclose(backend.to_numpy(out), expected, rtol=1e-15)


def test_ties_in_a_segment_share_its_derivative_evenly():
    first = lambda x: gx.sum(gx.segment_max(x, SEGMENTS, num_segments=3)[2])

    assert gx.grad(first)(X).tolist() == [0.0, 0.0, 0.5, 0.5]
    assert gx.jvp(first, (X,), (np.asarray([7.0, 7.0, 1.0, 2.0]),))[1] == 1.5


def test_empty_segment_has_no_derivative_to_give():
    f = lambda x: gx.segment_max(x, SEGMENTS, num_segments=3)

    assert gx.vjp(f, X)[1](np.asarray([0.0, 9.0, 0.0]))[0].tolist() == [0.0] * 4
    assert gx.jvp(f, (X,), (X,))[1].tolist() == [5.0, 0.0, 3.0]


def test_nan_stays_in_its_segment():
    x = np.asarray([1.0, 5.0, np.nan, 3.0])

    out, pullback = gx.vjp(lambda x: gx.segment_min(x, SEGMENTS, num_segments=3), x)

    np.testing.assert_array_equal(out, [5.0, np.inf, np.nan])
    np.testing.assert_array_equal(pullback(np.ones(3))[0], [0.0, 1.0, 1.0, 0.0])


def test_loser_of_a_segment_is_a_structural_zero():
    # The square root has an infinite derivative at 0, where it loses.
    f = lambda x: gx.sum(gx.segment_max(gx.sqrt(x), np.asarray([0, 0]), num_segments=1))

    assert gx.grad(f)(np.asarray([0.0, 4.0])).tolist() == [0.0, 0.25]


def test_segments_are_what_a_loop_would_find():
    rng = np.random.default_rng(0)
    x, segments = rng.normal(size=(3, 50, 2)), rng.integers(0, 7, 50)
    pick = [x[:, segments == k] for k in range(8)]

    run = lambda function: function(x, segments, num_segments=8, axis=1)

    np.testing.assert_allclose(run(gx.segment_sum), np.stack([p.sum(1) for p in pick], 1))
    largest = np.stack([p.max(1, initial=-np.inf) for p in pick], 1)
    np.testing.assert_array_equal(run(gx.segment_max), largest)
    smallest = np.stack([p.min(1, initial=np.inf) for p in pick], 1)
    np.testing.assert_array_equal(run(gx.segment_min), smallest)


# name: (call, words of the error)
WRONG = {
    "segments of another length": (
        lambda f: f(X, SEGMENTS[:2], num_segments=3),
        r"one segment for each of the 4 slices along axis 0 of \(4,\), got .* \(2,\)",
    ),
    "segments that are no integers": (
        lambda f: f(X, X, num_segments=3),
        r"an array and its integer segments, got float64 \(4,\) and float64 \(4,\)",
    ),
    "a list": (lambda f: f([1.0], [0], num_segments=1), r"an array and its integer segments"),
    "a number of segments that is none": (
        lambda f: f(X, SEGMENTS, num_segments=-1),
        r"num_segments is an integer of 0 or more, got -1",
    ),
    "a segment beyond the last": (
        lambda f: f(X, SEGMENTS, num_segments=2),
        r"index 2 is out of bounds",
    ),
    "an axis that is not there": (
        lambda f: f(X, SEGMENTS, num_segments=3, axis=1),
        r"axis 1 is out of bounds",
    ),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize(
    "function", [gx.segment_sum, gx.segment_mean, gx.segment_max, gx.segment_min]
)
def test_wrong_segments_are_explained(function, name):
    call, words = WRONG[name]

    with pytest.raises(gx.GradxError, match=words):
        call(function)


def test_scattered_addition_is_that_of_numpy_at_repeated_places():
    key = (np.asarray([1, 1, 0]), slice(None, 2))
    expected = np.ones((2, 3))
    np.add.at(expected, key, X[:2])

    assert gx.scatter_add(np.ones((2, 3)), X[:2], key).tolist() == expected.tolist()
    assert gx.scatter_add(np.ones(2, np.float32), 2.5, [0, 0]).tolist() == [6.0, 1.0]


def test_every_addition_to_a_place_has_a_derivative():
    f = lambda x, value: gx.sum(gx.scatter_add(x, value, np.asarray([0, 0, 1])) ** 2)

    by_x, by_value = gx.grad(f, (0, 1))(np.asarray([1.0, 2.0]), np.asarray([1.0, 2.0, 4.0]))

    assert by_x.tolist() == [8.0, 12.0]
    assert by_value.tolist() == [8.0, 8.0, 12.0]
