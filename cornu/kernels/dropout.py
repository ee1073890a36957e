"""Dropout with random bits from a counter: each element hashes its own index together with the seed.

A cryptographic generator such as threefry costs more than the layer that it serves. A mask needs much less: an exact
keep rate, and no correlation between neighbors, steps or seeds. The hash is a Weyl sequence passed through the integer
mixer `lowbias32` (C. Wellons, 2018); the second word of the seed enters between its two multiplications, so that two
streams that coincide at one index are unrelated at the next.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from cornu.core import placement
from cornu.core.typing import ArrayLike

_GOLDEN = 0x9E3779B9  # 2**32 divided by the golden ratio: the increment of a Weyl sequence
_GOLDEN_INVERSE = pow(_GOLDEN, -1, 2**32)
_MULTIPLIERS = (0x7FEB352D, 0x846CA68B)


def random_bits(seed: jax.Array, shape: Sequence[int], offset: ArrayLike = 0) -> jax.Array:
    """One random uint32 for each element of `shape`, a function of its flat index and the two words of `seed`.

    Args:
        seed: uint32 array of shape (2,).
        shape: shape of the result.
        offset: the flat index of the first element, if these are some rows of a larger array.
    """
    first, second = _mix(seed[0], jnp.uint32(_GOLDEN)), _mix(seed[1], jnp.uint32(_MULTIPLIERS[0]))
    index = lax.iota("uint32", math.prod(shape)) + jnp.asarray(offset, "uint32")
    # A stream's start in the sequence and its salt both depend on both words. The start is added before the product:
    # XLA would hoist a product of the index alone out of a loop over steps, and read it back from memory in each.
    start = (first + second * jnp.uint32(_MULTIPLIERS[1])) * jnp.uint32(_GOLDEN_INVERSE)
    bits = _mix((index + start) * jnp.uint32(_GOLDEN), first ^ second)
    return bits.reshape(tuple(shape))


def _mix(x: jax.Array, salt: jax.Array) -> jax.Array:
    """lowbias32 with `salt` added halfway through."""
    x = (x ^ (x >> 16)) * jnp.uint32(_MULTIPLIERS[0])
    x = ((x ^ (x >> 15)) + salt) * jnp.uint32(_MULTIPLIERS[1])
    return x ^ (x >> 16)


def keep_mask(seed: jax.Array, shape: Sequence[int], rate: float, offset: ArrayLike = 0) -> jax.Array:
    """True with probability `1 - rate`, exact to 2**-32.

    Args:
        seed: uint32 array of shape (2,), as `SeedGenerator.next` returns it.
        shape: shape of the mask.
        rate: probability of False, from 0 to 1.
        offset: as in `random_bits`.
    """
    threshold = round(rate * 2**32)
    if threshold >= 2**32:
        return jnp.zeros(shape, bool)
    return random_bits(seed, shape, offset) >= jnp.uint32(threshold)


def dropout(x: jax.Array, rate: float, seed: jax.Array, noise_shape: Sequence[int | None] | None = None) -> jax.Array:
    """Zero with probability `rate`, else `x / (1 - rate)`, which keeps the mean (Srivastava et al., 2014).

    Args:
        x: array of floats.
        rate: probability of zero, from 0 to 1.
        seed: uint32 array of shape (2,).
        noise_shape: shape of the mask, which is broadcast to that of `x`: 1 for an axis whose elements are kept or
            dropped together, None for the size of `x`.
    """
    if rate <= 0:
        return x
    shape = x.shape if noise_shape is None else _resolved(noise_shape, x.shape)
    offset = 0 if shape[:1] == (1,) else placement.first_own(math.prod(shape))  # 1: one mask for all rows
    keep = jnp.broadcast_to(keep_mask(seed, shape, rate, offset), x.shape)
    scale = jnp.asarray(1 / (1 - rate) if rate < 1 else 0, x.dtype)
    return jnp.where(keep, x * scale, jnp.zeros_like(x))


def _resolved(noise_shape: Sequence[int | None], shape: Sequence[int]) -> tuple[int, ...]:
    if len(noise_shape) != len(shape):
        raise ValueError(
            f"dropout: noise_shape must have one entry for each of the {len(shape)} axes of the input. "
            f"Received: noise_shape={tuple(noise_shape)}, input shape={tuple(shape)}."
        )
    return tuple(full if n is None else n for n, full in zip(noise_shape, shape, strict=True))
