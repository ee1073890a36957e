"""The counter hash behind dropout: as good as coin flips for what a mask needs."""

import jax
import numpy as np
import pytest

from cornu.kernels import dropout

SIZE = 1 << 20
SEEDS = [(0, 0), (0, 1), (1, 0), (1, 1), (7, 123456), (255512576, 3), (2**32 - 1, 2**32 - 1)]
keep_mask = jax.jit(dropout.keep_mask, static_argnums=(1, 2))
random_bits = jax.jit(dropout.random_bits, static_argnums=1)


def mask(words, rate=0.5, shape=(SIZE,)):
    return np.asarray(keep_mask(np.array(words, "uint32"), shape, rate))


def bits(words, size=SIZE):
    return np.asarray(random_bits(np.array(words, "uint32"), (size,)))


def correlation(a, b):
    """Correlation of two masks in standard errors: beyond 5 is not an accident."""
    a, b = a - a.mean(), b - b.mean()
    return (a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean()) * np.sqrt(a.size)


def plain_bits(words, size):
    """The hash once more, in NumPy's own 64-bit arithmetic."""

    def mix(x, salt):
        x = (x ^ (x >> 16)) * 0x7FEB352D & 0xFFFFFFFF
        x = ((x ^ (x >> 15)) + salt) * 0x846CA68B & 0xFFFFFFFF
        return x ^ (x >> 16)

    first, second = mix(np.uint64(words[0]), 0x9E3779B9), mix(np.uint64(words[1]), 0x7FEB352D)
    start = (first + second * 0x846CA68B) & 0xFFFFFFFF
    index = np.arange(size, dtype="uint64")
    return mix((index * 0x9E3779B9 + start) & 0xFFFFFFFF, first ^ second)


def test_the_hash_is_the_one_described():
    for words in SEEDS:
        np.testing.assert_array_equal(bits(words, 1000), plain_bits(words, 1000))


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_the_keep_rate_is_exact(rate):
    kept = np.array([mask(words, rate).mean() for words in SEEDS])
    error = np.sqrt(rate * (1 - rate) / SIZE)
    assert np.all(np.abs(kept - (1 - rate)) < 5 * error)


def test_the_ends_of_the_rate():
    assert mask((1, 2), 0.0).all() and not mask((1, 2), 1.0).any()


@pytest.mark.parametrize("words", SEEDS)
def test_neighbours_are_not_correlated(words):
    kept = mask(words).astype("float64")
    for lag in (1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 64, 100, 128, 256, 512, 784, 1000, 1024, 4096, 65536):
        assert abs(correlation(kept[:-lag], kept[lag:])) < 5


def test_steps_seeds_and_swapped_words_are_not_correlated():
    start = (255512576, 40)
    others = [(start[0], start[1] + step) for step in (1, 2, 3, 10, 1000, 2**16, 2**31)]
    others += [(start[0] + step, start[1]) for step in (1, 2, 3, 10, 1000, 2**16, 2**31)]
    others += [start[::-1], (start[0] ^ 1, start[1] ^ 1), (start[0] + 1, start[1] - 1)]
    first = mask(start).astype("float64")
    for words in others:
        other = mask(words).astype("float64")
        for lag in (0, 1, 2, 64, 1024):
            assert abs(correlation(first[lag:], other[: SIZE - lag])) < 5


def test_many_steps_keep_each_element_alike():
    """Over the steps of a training run, an element is kept as often as a fair coin says, no more and no less."""
    steps, size = 4096, 1024
    words = np.stack([np.full(steps, 11), np.arange(steps)], axis=1).astype("uint32")
    masks = np.asarray(jax.jit(jax.vmap(lambda w: dropout.keep_mask(w, (size,), 0.5)))(words))
    deviations = (masks.mean(axis=0) - 0.5) / (0.5 / np.sqrt(steps))
    assert 0.8 < deviations.std() < 1.2 and np.abs(deviations).max() < 5
    rows = (masks.mean(axis=1) - 0.5) / (0.5 / np.sqrt(size))
    assert 0.9 < rows.std() < 1.1 and np.abs(rows).max() < 5
    consecutive = correlation(masks[:-1].ravel().astype("float64"), masks[1:].ravel().astype("float64"))
    assert abs(consecutive) < 5


def test_every_bit_is_fair_and_bytes_are_uniform():
    for words in SEEDS:
        drawn = bits(words)
        share = (drawn[:, None] >> np.arange(32, dtype="uint32") & 1).mean(axis=0)
        assert np.all(np.abs(share - 0.5) < 5 * 0.5 / np.sqrt(SIZE))
        for shift in (0, 8, 16, 24):
            counts = np.bincount(drawn >> np.uint32(shift) & 255, minlength=256)
            chi_square = ((counts - SIZE / 256) ** 2 / (SIZE / 256)).sum()
            assert abs(chi_square - 255) < 6 * np.sqrt(2 * 255)


def test_runs_are_as_long_as_those_of_a_coin():
    kept = mask((3, 4))
    changes = np.flatnonzero(np.diff(kept))
    lengths = np.bincount(np.diff(changes), minlength=12)[1:9]
    expected = (len(changes) - 1) * 0.5 ** np.arange(1, 9)
    assert np.all(np.abs(lengths - expected) < 6 * np.sqrt(expected))


def test_dropout_keeps_the_mean_and_scales_what_it_keeps():
    x = np.full((64, 1024), 3.0, "float32")
    y = np.asarray(dropout.dropout(x, 0.25, np.array([1, 2], "uint32")))
    assert set(np.unique(y)) == {0.0, 4.0}
    assert abs(y.mean() - 3.0) < 0.05


def test_a_noise_shape_shares_decisions():
    x = np.ones((8, 5, 16), "float32")
    y = np.asarray(dropout.dropout(x, 0.5, np.array([1, 2], "uint32"), (None, 1, None)))
    assert (y == y[:, :1]).all() and 0 < y[:, 0].mean() < 2
    with pytest.raises(ValueError, match="one entry for each of the 3 axes"):
        dropout.dropout(x, 0.5, np.array([1, 2], "uint32"), (8, 1))


def test_the_gradient_passes_through_what_is_kept():
    x, seed = np.ones((4, 8), "float32"), np.array([5, 6], "uint32")
    slope = jax.grad(lambda v: dropout.dropout(v, 0.5, seed).sum())(x)
    np.testing.assert_array_equal(slope, dropout.dropout(x, 0.5, seed))


def test_half_precision_stays_half_precision():
    y = dropout.dropout(np.ones((8,), "float16"), 0.1, np.array([5, 6], "uint32"))
    assert y.dtype == "float16"
