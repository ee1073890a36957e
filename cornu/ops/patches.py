"""Rearranging images: patches to columns and back, blocks to channels and back, named axes."""

import math
import re
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from cornu import validate
from cornu.core.operation import Tensor, op
from cornu.core.typing import Sizes
from cornu.ops.elementwise import floating
from cornu.ops.filtering import keeping_integers, windows


def _pair(value: Sizes, name: str, owner: str, minimum: int = 1) -> tuple[int, ...]:
    return validate.int_tuple(value, 2, name, owner, minimum=minimum)


def _columns(
    x: Tensor, kernel_size: Sequence[int], dilation: Sequence[int], padding: Sequence[int], stride: Sequence[int]
) -> jax.Array:
    pads = [(p, p) for p in padding]
    patches = windows(x, kernel_size, stride, pads, rhs_dilation=dilation)
    return patches.reshape(*patches.shape[:2], math.prod(patches.shape[2:]))  # (batch, channels * kernel, places)


@op
def unfold(x: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> jax.Array:
    """Sliding blocks of an image as columns.

    Args:
        x: shape `(batch, channels, height, width)`.
        kernel_size: size of the blocks; an int or a pair.
        dilation: spacing of a block's pixels; an int or a pair. Defaults to 1.
        padding: pixels of zeros around the image; an int or a pair. Defaults to 0.
        stride: distance between the blocks; an int or a pair. Defaults to 1.

    Returns:
        Shape `(batch, channels * kernel_height * kernel_width, blocks)`.

    Example:

        print(cornu.ops.unfold(np.ones((1, 2, 4, 4)), 3).shape)  # (1, 18, 4)
    """
    if jnp.ndim(x) != 4:
        raise ValueError(f"unfold: x must have 4 axes. Received: x.shape={jnp.shape(x)}.")
    return keeping_integers(
        _columns,
        x,
        _pair(kernel_size, "kernel_size", "unfold"),
        _pair(dilation, "dilation", "unfold"),
        _pair(padding, "padding", "unfold", minimum=0),
        _pair(stride, "stride", "unfold"),
    )


@op
def fold(
    x: Tensor, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> jax.Array:
    """Columns put back as blocks of an image, summed where they overlap: the transpose of `unfold`.

    Args:
        x: shape `(batch, channels * kernel_height * kernel_width, blocks)`.
        output_size: height and width of the image.
        kernel_size: size of the blocks; an int or a pair.
        dilation: spacing of a block's pixels; an int or a pair. Defaults to 1.
        padding: pixels of zeros around the image; an int or a pair. Defaults to 0.
        stride: distance between the blocks; an int or a pair. Defaults to 1.

    Returns:
        Shape `(batch, channels, height, width)`.

    Example:

        print(cornu.ops.fold(np.ones((1, 4, 1)), (2, 2), 2)[0, 0])  # [[1. 1.] [1. 1.]]
    """
    size, kernel = _pair(output_size, "output_size", "fold"), _pair(kernel_size, "kernel_size", "fold")
    apart, step = _pair(dilation, "dilation", "fold"), _pair(stride, "stride", "fold")
    border = _pair(padding, "padding", "fold", minimum=0)
    given, x = jnp.asarray(x).dtype, floating(x)
    blocks = math.prod(
        (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in zip(size, kernel, apart, border, step, strict=True)
    )
    if x.ndim != 3 or x.shape[1] % math.prod(kernel) or x.shape[2] != blocks:
        raise ValueError(
            f"fold: x must have shape (batch, channels * {math.prod(kernel)}, {blocks}). Received: x.shape={x.shape}."
        )
    channels = x.shape[1] // math.prod(kernel)

    def back(columns: Tensor) -> jax.Array:  # one image: (channels * kernel, blocks) -> (channels, height, width)
        image = jax.ShapeDtypeStruct((1, channels, *size), x.dtype)
        transpose = jax.linear_transpose(lambda i: _columns(i, kernel, apart, border, step), image)
        return transpose(columns[None])[0][0]

    return jax.vmap(back)(x).astype(given)


@op
def reconstruct_patches(
    patches: Tensor,
    size: Sizes,
    output_size: Sizes | None = None,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """Images put together from their patches: the inverse of `extract_patches` without overlap.

    Args:
        patches: shape `(batch, rows, columns, patch_height * patch_width * channels)` or without the batch, or with the
            channels first; for volumes with one more axis of places.
        size: height and width of a patch, or one int; depth, height and width for volumes.
        output_size: that of the images, which `"same"` needs to remove the zeros that it added; by default what the
            patches cover.
        strides: distances between patches: their size, which is the default.
        padding: that of the extraction, `"valid"` or `"same"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Returns:
        Shape `(batch, height, width, channels)`, without the batch or with the channels first as in `patches`.

    Example:

        image = np.random.rand(1, 4, 4, 3)
        patches = cornu.ops.image.extract_patches(image, 2)
        print(np.allclose(cornu.ops.image.reconstruct_patches(patches, 2), image))  # True
    """
    name, x = "reconstruct_patches", jnp.asarray(patches)
    rank = len(size) if isinstance(size, Sequence) else 2
    size = validate.int_tuple(size, rank, "size", name, minimum=1)
    if strides is not None and validate.int_tuple(strides, rank, "strides", name) != size:
        raise ValueError(f"{name}: patches must not overlap. Received: strides={strides}, size={size}.")
    if x.ndim not in (rank + 1, rank + 2):
        raise ValueError(f"{name}: patches must have {rank + 1} or {rank + 2} axes. Received: shape={x.shape}.")
    last = validate.data_format(data_format, name) == "channels_last"
    batch = x if x.ndim == rank + 2 else x[None]
    images = _joined(batch if last else jnp.moveaxis(batch, 1, -1), size)
    images = _uncovered(images, size, output_size, validate.padding(padding, name))
    images = images if last else jnp.moveaxis(images, -1, 1)
    return images if x.ndim == rank + 2 else images[0]


def _joined(patches: jax.Array, size: tuple[int, ...]) -> jax.Array:
    batch, *places, values = patches.shape
    _check_multiple("reconstruct_patches", "the number of values in a patch", values, math.prod(size))
    rank, covered = len(size), [n * s for n, s in zip(places, size, strict=True)]
    apart = patches.reshape(batch, *places, *size, values // math.prod(size))
    pairs = [axis for place in range(1, rank + 1) for axis in (place, place + rank)]
    return apart.transpose(0, *pairs, 2 * rank + 1).reshape(batch, *covered, -1)


def _uncovered(images: jax.Array, size: tuple[int, ...], output_size: Sizes | None, padding: str) -> jax.Array:
    name, covered = "reconstruct_patches", images.shape[1:-1]
    if output_size is None and padding == "same":
        raise ValueError(f'{name}: padding="same" needs output_size, the size of the images.')
    wanted = covered if output_size is None else validate.int_tuple(output_size, len(size), "output_size", name)
    added = [c - w for c, w in zip(covered, wanted, strict=True)]
    if not all(0 <= a < (s if padding == "same" else 1) for a, s in zip(added, size, strict=True)):
        raise ValueError(f"{name}: the patches cover {covered}. Received: output_size={wanted}, padding={padding!r}.")
    kept = (slice(a // 2, a // 2 + w) for a, w in zip(added, wanted, strict=True))
    return images[:, *kept]


@op
def depth_to_space(x: Tensor, block_size: int, data_format: str = "channels_last") -> jax.Array:
    """Groups of `block_size²` channels rearranged as spatial blocks.

    Args:
        x: shape `(batch, height, width, channels)`, or with the channels first.
        block_size: side of a block, at least 2.
        data_format: `"channels_last"`, with the channels of the result as the fastest varying part of those of `x`, or
            `"channels_first"`, with them as the slowest varying part.

    Example:

        print(cornu.ops.depth_to_space(np.ones((1, 2, 2, 8)), 2).shape)  # (1, 4, 4, 2)
    """
    x, b, last = _blocks("depth_to_space", x, block_size, data_format)
    if not last:
        n, c, h, w = x.shape
        _check_multiple("depth_to_space", "channels", c, b * b)
        x = x.reshape(n, c // (b * b), b, b, h, w).transpose(0, 1, 4, 2, 5, 3)  # (n, c, h, b, w, b)
        return x.reshape(n, c // (b * b), h * b, w * b)
    n, h, w, c = x.shape
    _check_multiple("depth_to_space", "channels", c, b * b)
    x = x.reshape(n, h, w, b, b, c // (b * b)).transpose(0, 1, 3, 2, 4, 5)  # (n, h, b, w, b, c)
    return x.reshape(n, h * b, w * b, c // (b * b))


@op
def space_to_depth(x: Tensor, block_size: int, data_format: str = "channels_last") -> jax.Array:
    """Spatial blocks rearranged as channels: the inverse of `depth_to_space`.

    Args:
        x: images, of shape `(batch, height, width, channels)`, or with the channels first.
        block_size: side of a block, which divides height and width.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to `"channels_last"`.

    Example:

        print(cornu.ops.space_to_depth(np.ones((1, 4, 4, 2)), 2).shape)  # (1, 2, 2, 8)
    """
    x, b, last = _blocks("space_to_depth", x, block_size, data_format)
    if not last:
        n, c, h, w = x.shape
        _check_multiple("space_to_depth", "height and width", math.gcd(h, w), b)
        x = x.reshape(n, c, h // b, b, w // b, b).transpose(0, 1, 3, 5, 2, 4)  # (n, c, b, b, h, w)
        return x.reshape(n, c * b * b, h // b, w // b)
    n, h, w, c = x.shape
    _check_multiple("space_to_depth", "height and width", math.gcd(h, w), b)
    x = x.reshape(n, h // b, b, w // b, b, c).transpose(0, 1, 3, 2, 4, 5)  # (n, h, w, b, b, c)
    return x.reshape(n, h // b, w // b, b * b * c)


def _blocks(name: str, x: Tensor, block_size: int, data_format: str | None) -> tuple[jax.Array, int, bool]:
    x = jnp.asarray(x)
    block_size = validate.positive_int(block_size, "block_size", name)
    if x.ndim != 4 or block_size < 2:
        raise ValueError(
            f"{name}: x must have 4 axes and block_size be at least 2. "
            f"Received: x.shape={x.shape}, block_size={block_size}."
        )
    return x, block_size, validate.data_format(data_format, name) == "channels_last"


def _check_multiple(name: str, what: str, size: int, divisor: int) -> None:
    if size % divisor:
        raise ValueError(f"{name}: {what} must be a multiple of {divisor}. Received: {size}.")


# ---- named axes ----


@op
def rearrange(tensor: Tensor, pattern: str, **axes_lengths: int) -> jax.Array:
    """Reshape and transpose by named axes.

    Args:
        tensor: any tensor.
        pattern: `"old axes -> new axes"`; parentheses merge axes into one, `...` stands for any axes, `1` for an axis
            of size 1.
        axes_lengths: sizes of named axes that cannot be inferred.

    Example:

        x = np.ones((2, 6, 4))
        print(cornu.ops.rearrange(x, "b (h w) c -> b h w c", h=2).shape)  # (2, 2, 3, 4)
    """
    x = jnp.asarray(tensor)
    before, after = _sides(pattern, x.ndim)
    sizes = _axis_sizes(before, x.shape, axes_lengths, pattern)
    names, wanted = ([n for group in side for n in group] for side in (before, after))
    if sorted(names) != sorted(wanted) or len(set(names)) != len(names):
        raise ValueError(f'rearrange: both sides must name the same axes, each once. Received: pattern="{pattern}".')
    x = x.reshape([sizes[n] for n in names]).transpose([names.index(n) for n in wanted])
    return x.reshape([math.prod([sizes[n] for n in group]) for group in after])


def _sides(pattern: str, rank: int) -> tuple[list[list[str]], list[list[str]]]:
    """`"b (h w) ... -> ..."` as two lists of groups of names, with the ellipsis expanded."""
    sides = [re.findall(r"\([^()]*\)|\S+", side) for side in pattern.split("->")]
    if len(sides) != 2:
        raise ValueError(f'rearrange: the pattern must have the form "old -> new". Received: pattern="{pattern}".')
    extra = rank - sum(token != "..." for token in sides[0])
    ellipsis = [f"...{i}" for i in range(extra)]

    def groups(tokens: list[str]) -> list[list[str]]:
        spelled: list[list[str]] = []
        for token in tokens:
            names = [] if token == "1" else token.strip("()").split()
            spelled += [[name] for name in ellipsis] if token == "..." else [names]
        return spelled

    return groups(sides[0]), groups(sides[1])


def _axis_sizes(
    groups: list[list[str]], shape: Sequence[int], known: Mapping[str, int], pattern: str
) -> dict[str, int]:
    if len(groups) != len(shape):
        raise ValueError(f'rearrange: the pattern "{pattern}" does not match a tensor of shape {shape}.')
    sizes = dict(known)
    for group, size in zip(groups, shape, strict=True):
        open_names = [name for name in group if name not in sizes]
        rest = math.prod(sizes[name] for name in group if name in sizes)
        if len(open_names) > 1:
            raise ValueError(f"rearrange: give the sizes of all but one of {', '.join(open_names)}.")
        if open_names:
            sizes[open_names[0]] = size // rest if rest != 1 else size
        if math.prod(sizes[name] for name in group) != size:
            raise ValueError(f'rearrange: an axis of size {size} cannot be split as "{" ".join(group)}" with {known}.')
    return sizes
