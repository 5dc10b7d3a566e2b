"""Random numbers: known bits, the arithmetic on them, and the distributions that result."""

import math
from threading import Thread

import numpy as np
import pytest

import gradx as gx
from gradx import backends, random
from gradx.device import to_device
from gradx.random import draws, philox

MASK = 2**64 - 1
DRAWS = [
    lambda key, shape, **where: random.uniform(key, shape, **where),
    lambda key, shape, **where: random.uniform(key, shape, dtype="float32", **where),
    lambda key, shape, **where: random.normal(key, shape, **where),
    lambda key, shape, **where: random.normal(key, shape, dtype="float32", **where),
    lambda key, shape, **where: random.bernoulli(key, 0.3, shape, **where),
    lambda key, shape, **where: random.integers(key, 0, 10, shape, **where),
    lambda key, shape, **where: random.integers(key, 0, 2**50, shape, **where),
]


def reference_philox(counter, key):
    """Philox4x64-10, word by word, from Salmon et al. (2011), section 3.3."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (
            (second >> 64) ^ c1 ^ k0,
            second & MASK,
            (first >> 64) ^ c3 ^ k1,
            first & MASK,
        )
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return [c0, c1, c2, c3]


def reference_words(key, count, domain=0, first=0):
    blocks = [reference_philox((first + i, 0, 0, domain), key.tolist()) for i in range(count)]
    return np.array(blocks, dtype=np.uint64).reshape(-1)


# Bits


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        # From kat_vectors of the authors' library, Random123.
        (
            (0, 0, 0, 0),
            (0, 0),
            [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B],
        ),
        (
            (MASK, MASK, MASK, MASK),
            (MASK, MASK),
            [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0],
        ),
        (
            (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
            (0x452821E638D01377, 0xBE5466CF34E90C6C),
            [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6],
        ),
    ],
)
def test_philox_gives_the_known_answers(counter, key, words):
    first = sum(word << shift for word, shift in zip(counter, (0, 64, 128, 192), strict=True))

    with philox.stream(np.array(key, dtype=np.uint64), 0, first) as generator:
        found = generator.random_raw(4).tolist()

    assert reference_philox(counter, key) == words
    assert found == words


def test_stream_begins_at_its_block_and_domain():
    key = random.key(2**100 + 17)

    with philox.stream(key, philox.FOLD, 5) as generator:
        words = generator.random_raw(12)

    assert np.array_equal(words, reference_words(key, 3, philox.FOLD, 5))


def test_stream_inside_a_stream_does_not_disturb_it():
    key, other = random.split(random.key(0))

    with philox.stream(key) as generator:
        first = generator.random_raw(4)
        with philox.stream(other) as inner:
            inner.random_raw(3)
        second = generator.random_raw(4)

    assert np.array_equal(np.concatenate([first, second]), reference_words(key, 2))


def test_children_are_half_blocks_of_their_parent():
    key = random.key(3)

    blocks = reference_words(key, 3, philox.SPLIT).reshape(3, 4)
    folded = reference_words(key, 1, philox.FOLD, 9)

    assert np.array_equal(random.split(key, 3), blocks[:, :2])
    assert np.array_equal(random.fold_in(key, 9), folded[:2])


# Numbers from bits


def test_uniform_is_the_top_53_bits():
    key = random.key(1)

    expected = [(int(word) >> 11) / 2**53 for word in reference_words(key, 2)]

    assert random.uniform(key, 8).tolist() == expected


def test_uniform_float32_is_the_top_24_bits_of_halves():
    key = random.key(1)

    words = reference_words(key, 1).tolist()
    halves = [half for word in words for half in (word & (2**32 - 1), word >> 32)]

    assert random.uniform(key, 8, dtype="float32").tolist() == [
        h / 2**8 // 1 / 2**24 for h in halves
    ]


def test_uniform_is_scaled_to_its_range():
    key = random.key(1)

    x = random.uniform(key, 8, low=-3.0, high=5.0)

    assert np.allclose(x, -3 + 8 * random.uniform(key, 8), rtol=1e-15, atol=1e-15)


def test_normal_is_box_muller_of_pairs():
    key = random.key(1)

    words = [int(word) for word in reference_words(key, 2)]
    expected = []
    for first, second in zip(words[::2], words[1::2], strict=True):
        radius = math.sqrt(-2 * math.log(((first >> 11) + 1) / 2**53))
        angle = 2 * math.pi * (second >> 11) / 2**53
        expected += [radius * math.cos(angle), radius * math.sin(angle)]

    assert np.allclose(random.normal(key, 8), expected, rtol=1e-12, atol=1e-14)


def test_normal_float32_is_box_muller_of_halves():
    key = random.key(1)

    halves = reference_words(key, 2).astype("<u8").view("<u4").astype(float)
    radius = np.sqrt(-2 * np.log((halves[::2] + 0.5) / 2**32))
    angle = 2 * np.pi * halves[1::2] / 2**32
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)

    assert np.allclose(random.normal(key, 16, dtype="float32"), expected, rtol=1e-4, atol=2e-6)


def test_normal_is_finite_at_the_extreme_words():
    words = np.array([0, 0, MASK, MASK, 0, MASK, MASK, 0], dtype=np.uint64)

    for dtype, fill, count in ((float, draws._fill_normal64, 8), ("f4", draws._fill_normal32, 16)):
        out = np.full(count, np.nan, dtype=dtype)
        fill(words, out)
        assert np.all(np.isfinite(out))
        assert np.max(np.abs(out)) > 6.6


def test_normal_is_moved_and_scaled():
    key = random.key(1)

    x = random.normal(key, 8, mean=3.0, std=0.5)

    assert np.allclose(x, 3 + 0.5 * random.normal(key, 8), rtol=1e-15)
    assert random.normal(key, 3, mean=2, std=0).tolist() == [2, 2, 2]


@pytest.mark.parametrize("count", [1, 3, 10, 2**31, 2**32 - 1, 2**32])
def test_integers_are_the_high_part_of_a_product(count):
    key = random.key(1)

    expected = [int(word) * count >> 64 for word in reference_words(key, 16)]

    assert random.integers(key, 0, count, 64).tolist() == expected


@pytest.mark.parametrize("count", [2**32 + 1, 2**40 - 3, 2**63 - 1, 2**63 + 5, 2**64 - 1, 2**64])
def test_integers_of_a_wide_range_use_two_words(count):
    key = random.key(1)

    words = [int(word) for word in reference_words(key, 16)]
    pairs = [high << 64 | low for high, low in zip(words[::2], words[1::2], strict=True)]
    low = -(2**63) if count > 2**63 else 0
    expected = [(pair * count >> 128) + low for pair in pairs]

    assert random.integers(key, low, low + count, 32).tolist() == expected


def test_integers_carry_between_their_two_words():
    count = 2**33 + 1
    # The middle word is then as large as can be, and anything added to it carries.
    high = -pow(count, -1, 2**64) % 2**64
    pair = np.array([high, MASK], dtype=np.uint64)
    total = (high << 64 | MASK) * count

    assert draws._scale_two_words(pair, count).tolist() == [total >> 128]
    wide = np.random.default_rng(0).integers(0, 2**64, (2000, 2), dtype=np.uint64).reshape(-1)
    for factor in (2**33 + 1, 2**64 - 1, 2**64 - 2**32 + 1):
        exact = [
            ((int(high) << 64 | int(low)) * factor) >> 128
            for high, low in zip(wide[::2], wide[1::2], strict=True)
        ]
        assert draws._scale_two_words(wide, factor).tolist() == exact


@pytest.mark.parametrize(
    "dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
)
def test_integers_fill_their_dtype(dtype):
    held = np.iinfo(dtype)

    x = random.integers(random.key(0), held.min, int(held.max) + 1, 4000, dtype=dtype)

    assert x.dtype == dtype
    quarter = (int(held.max) - int(held.min)) // 4
    assert x.min() < int(held.min) + quarter
    assert x.max() > int(held.max) - quarter


def test_bernoulli_compares_halves_with_its_probability():
    key = random.key(1)

    halves = reference_words(key, 2).astype("<u8").view("<u4")

    assert random.bernoulli(key, 0.3, 16).tolist() == (halves < round(0.3 * 2**32)).tolist()
    assert not random.bernoulli(key, 0.0, 1000).any()
    assert random.bernoulli(key, 1.0, 1000).all()


# What every draw promises


@pytest.mark.parametrize("draw", DRAWS)
def test_same_key_gives_the_same_numbers(draw):
    key = random.key(5)

    first, again = draw(key, (3, 5)), draw(random.key(5), (3, 5))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, draw(random.key(6), (3, 5)))


@pytest.mark.parametrize("draw", DRAWS)
def test_longer_draw_begins_with_a_shorter_one(draw):
    key, size = random.key(5), draws.BLOCK + 7

    longest = draw(key, 2 * draws.BLOCK + 9)

    for shorter in (0, 1, 2, 5, draws.BLOCK, size):
        assert np.array_equal(draw(key, shorter), longest[:shorter])


@pytest.mark.parametrize("draw", DRAWS)
def test_blocks_do_not_repeat(draw):
    x = draw(random.key(5), 3 * draws.BLOCK).reshape(3, -1)

    assert not np.array_equal(x[0], x[1])
    assert not np.array_equal(x[1], x[2])


def test_blocks_use_the_words_of_one_stream():
    key, size = random.key(5), 2 * draws.BLOCK + 8

    with philox.stream(key) as generator:
        words = generator.random_raw(size)

    assert np.array_equal(random.uniform(key, size), (words >> 11) * 2.0**-53)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3), 3, [2, 3], np.int64(4)])
def test_draw_has_the_shape_asked_for(draw, shape):
    x = draw(random.key(0), shape)

    expected = tuple(shape) if isinstance(shape, list | tuple) else (int(shape),)
    assert type(x) is np.ndarray
    assert x.shape == expected
    assert backends.backend_of(np.ndarray).owns_memory(x)


@pytest.mark.parametrize("draw", DRAWS)
def test_draw_lands_on_the_device_asked_for(draw, backend):
    name = backend.devices()[-1] if backend.name != "strict" else "strict:device2"

    x = draw(random.key(0), (2, 3), device=name)

    assert backends.device_of(x) == name
    assert np.array_equal(backend.to_numpy(x), draw(random.key(0), (2, 3)))


def test_draw_lands_on_the_default_device():
    pytest.importorskip("array_api_strict")

    with backends.default_device("strict:device1"):
        made = [random.normal(random.key(0), 3), random.permutation(random.key(0), 3)]

    assert [backends.device_of(x) for x in made] == ["strict:device1"] * 2


def test_key_may_live_on_any_device():
    pytest.importorskip("array_api_strict")
    key = random.key(3)

    elsewhere = to_device(key, "strict:device1")

    assert np.array_equal(random.normal(elsewhere, 3), random.normal(key, 3))
    assert np.array_equal(random.split(elsewhere), random.split(key))


def test_draw_does_not_change_its_key():
    key = random.key(3)

    random.normal(key, 100)
    random.split(key)

    assert key.tolist() == [3, 0]


def test_threads_draw_what_one_thread_draws():
    keys = random.split(random.key(0), 8)
    found = [None] * 8

    def draw(i):
        found[i] = [random.normal(keys[i], 20_000) for _ in range(5)]

    threads = [Thread(target=draw, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for key, drawn in zip(keys, found, strict=True):
        expected = random.normal(key, 20_000)
        assert all(np.array_equal(x, expected) for x in drawn)


def test_defaults_are_numpys():
    key = random.key(0)

    assert random.uniform(key).dtype == random.normal(key).dtype == np.float64
    assert random.integers(key, 0, 5).dtype == random.permutation(key, 5).dtype == np.int64
    assert random.bernoulli(key).dtype == np.bool_
    assert random.normal(key, (2,), dtype=np.float32).dtype == np.float32


# Keys


def test_children_are_all_different():
    key = random.key(21)
    steps = [*range(1000), 2**32, 2**64 - 1, 2**64, 2**64 + 1, 2**127, 2**128 - 1]

    keys = [*random.split(key, 1000), *(random.fold_in(key, step) for step in steps)]

    assert len({tuple(child.tolist()) for child in keys}) == 1000 + len(steps)


def test_first_children_do_not_depend_on_how_many_there_are():
    key = random.key(22)

    assert np.array_equal(random.split(key, 2), random.split(key, 7)[:2])
    assert random.split(key, 0).shape == (0, 2)


def test_key_is_plain_data():
    key = random.key(2**64 + 5)

    assert type(key) is np.ndarray
    assert key.dtype == np.uint64
    assert key.tolist() == [5, 1]


# Permutations


@pytest.mark.parametrize("n", [0, 1, 2, np.int64(3), 1000])
def test_permutation_is_a_permutation(n):
    order = random.permutation(random.key(30), n)

    assert sorted(order.tolist()) == list(range(n))
    assert n < 1000 or not np.array_equal(order, np.arange(n))


def test_permutation_shuffles_the_rows_of_an_array(backend):
    values = np.arange(20).reshape(10, 2)
    for name in backend.devices():
        rows = backend.from_numpy(values, name)

        shuffled = random.permutation(random.key(32), rows)

        assert backends.device_of(shuffled) == name
        order = random.permutation(random.key(32), 10)
        assert np.array_equal(backend.to_numpy(shuffled), values[order])


def test_permutation_moves_rows_where_it_is_told():
    pytest.importorskip("array_api_strict")

    rows = random.permutation(random.key(33), np.arange(4.0), device="strict:device1")

    assert backends.device_of(rows) == "strict:device1"


def test_draws_are_mapped_over_keys_and_over_what_is_folded_into_them():
    keys, numbers = random.split(random.key(0), 3), np.arange(3)

    drawn = gx.vmap(lambda key, number: random.normal(random.fold_in(key, number), (4,)))(
        keys, numbers
    )

    expected = [random.normal(random.fold_in(keys[i], i), (4,)) for i in range(3)]
    np.testing.assert_array_equal(drawn, expected)
