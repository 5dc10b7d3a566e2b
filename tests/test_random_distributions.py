"""Random numbers: are they distributed as they claim, and independent."""

import math

import numpy as np
import pytest

from gradx import random


def tail_of_chi_square(statistic, degrees):
    """Return the standard normal deviate of a chi-square, by Wilson and Hilferty (1931)."""
    spread = 2 / (9 * degrees)
    return ((statistic / degrees) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)


def kolmogorov_distance(sample, distribution):
    """Return sqrt(n) times the largest distance of the empirical distribution."""
    steps = np.arange(sample.size + 1) / sample.size
    expected = distribution(np.sort(sample))
    return math.sqrt(sample.size) * max(np.max(steps[1:] - expected), np.max(expected - steps[:-1]))


def normal_distribution(x):
    return 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_is_uniform(dtype):
    x = random.uniform(random.key(10), 40_000, dtype=dtype).astype(float)

    assert x.min() >= 0
    assert x.max() < 1
    # 1.95 is exceeded once in a thousand keys.
    assert kolmogorov_distance(x, lambda v: v) < 1.95
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 4 / math.sqrt(x.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_is_normal(dtype):
    x = random.normal(random.key(11), 40_000, dtype=dtype).astype(float)

    standard_error = 1 / math.sqrt(x.size)
    assert abs(x.mean()) < 4 * standard_error
    assert abs((x**2).mean() - 1) < 4 * math.sqrt(2) * standard_error
    assert abs((x**3).mean()) < 4 * math.sqrt(15) * standard_error
    assert abs((x**4).mean() - 3) < 4 * math.sqrt(96) * standard_error
    assert kolmogorov_distance(x, normal_distribution) < 1.95


def test_members_of_a_normal_pair_are_independent():
    x = random.normal(random.key(12), (40_000, 2))

    assert abs(np.mean(x[:, 0] * x[:, 1])) < 4 / math.sqrt(len(x))
    assert abs(np.mean((x[:, 0] ** 2 - 1) * (x[:, 1] ** 2 - 1))) < 4 * 2 / math.sqrt(len(x))


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9])
def test_bernoulli_is_true_with_its_probability(p):
    x = random.bernoulli(random.key(13), p, 40_000)

    assert abs(x.mean() - p) < 4 * math.sqrt(p * (1 - p) / x.size)


@pytest.mark.parametrize(("low", "high"), [(0, 10), (-7, 6), (2**40, 2**40 + 100)])
def test_integers_are_equally_likely(low, high):
    x = random.integers(random.key(14), low, high, 40_000)

    counts = np.bincount(x - low, minlength=high - low)
    expected = x.size / (high - low)
    statistic = np.sum((counts - expected) ** 2) / expected
    assert counts.size == high - low
    assert abs(tail_of_chi_square(statistic, high - low - 1)) < 4


def test_integers_of_a_wide_range_are_equally_likely():
    x = random.integers(random.key(15), 0, 3 * 2**61, 40_000)

    counts = np.bincount(x // 2**57, minlength=48)
    expected = x.size / 48
    statistic = np.sum((counts - expected) ** 2) / expected
    assert counts.size == 48
    assert abs(tail_of_chi_square(statistic, 47)) < 4


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(-1.0, 1.0, "float64"), (1.0, 1.0 + 2**-52, "float64"), (1e8, 1e8 + 64, "float32")]
    + [(-(2.0**-149), 2.0**-149, "float32"), (1e15, 1e15 + 0.5, "float64")],
)
def test_uniform_stays_below_its_limit(low, high, dtype):
    x = random.uniform(random.key(16), 20_000, dtype=dtype, low=low, high=high)

    assert x.dtype == dtype
    assert x.min() >= low
    assert x.max() < high


def test_permutations_are_equally_likely():
    keys = random.split(random.key(31), 6000)

    orders = [tuple(random.permutation(key, 3).tolist()) for key in keys]
    counts = np.array([orders.count(order) for order in set(orders)])

    assert counts.size == 6
    assert abs(tail_of_chi_square(np.sum((counts - 1000) ** 2) / 1000, 5)) < 4


def test_children_are_independent_of_one_another_and_of_their_parent():
    key = random.key(20)
    families = [key, *random.split(key, 3), *(random.fold_in(key, step) for step in range(3))]

    x = np.stack([random.normal(member, 20_000) for member in families])

    correlation = np.corrcoef(x) - np.eye(len(families))
    assert np.max(np.abs(correlation)) < 4.5 / math.sqrt(20_000)


def test_neighbouring_seeds_are_unrelated():
    x = np.stack([random.uniform(random.key(seed), 20_000) for seed in range(8)])

    assert np.max(np.abs(np.corrcoef(x) - np.eye(8))) < 4.5 / math.sqrt(20_000)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_classes_are_drawn_with_the_probabilities_of_their_logits(dtype):
    count, chances = 60_000, np.asarray([0.5, 0.0, 0.3, 0.2])
    with np.errstate(divide="ignore"):
        logits = np.log(chances).astype(dtype) + 7

    drawn = random.categorical(random.key(0), np.broadcast_to(logits, (count, 4)))

    seen = np.bincount(drawn, minlength=4)
    expected = count * chances[[0, 2, 3]]
    assert seen[1] == 0
    assert abs(tail_of_chi_square(np.sum((seen[[0, 2, 3]] - expected) ** 2 / expected), 2)) < 4
