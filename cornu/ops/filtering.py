"""Operations on image windows: patches, blurring, edges, and the structural similarity based on blurring."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cornu import validate
from cornu.core import budget
from cornu.core.operation import Tensor, op
from cornu.core.typing import AnyFunction, Sizes
from cornu.ops.elementwise import floating


@op
def extract_patches(
    images: Tensor,
    size: Sizes,
    strides: Sizes | None = None,
    dilation_rate: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """The patches of images, each flattened to channels.

    Args:
        images: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        size: height and width of a patch, or one int.
        strides: distances between patches, by default their size, so that they do not overlap.
        dilation_rate: spacing of the pixels of a patch. Defaults to 1.
        padding: `"valid"`, or `"same"` to pad with zeros.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Returns:
        Shape `(batch, rows, columns, patch_height * patch_width * channels)`.

    Example:

        print(cornu.ops.image.extract_patches(np.ones((1, 4, 4, 3)), 2).shape)  # (1, 2, 2, 12)
    """
    return _patches(images, 2, size, strides, dilation_rate, padding, data_format, "extract_patches")


@op(class_name="ExtractPatches")
def extract_patches_3d(
    volumes: Tensor,
    size: Sizes,
    strides: Sizes | None = None,
    dilation_rate: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> jax.Array:
    """`extract_patches` for volumes.

    Args:
        volumes: shape `(batch, depth, height, width, channels)` or without the batch, or with the channels first.
        size: size of a patch, an int or one per axis.
        strides: distance between patches, likewise; None is `size`.
        dilation_rate: spacing of a patch's voxels, likewise. Defaults to 1.
        padding: `"valid"` or `"same"`. Defaults to `"valid"`.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        print(cornu.ops.image.extract_patches_3d(np.ones((1, 4, 4, 4, 1)), 2).shape)  # (1, 2, 2, 2, 8)
    """
    return _patches(volumes, 3, size, strides, dilation_rate, padding, data_format, "extract_patches_3d")


def keeping_integers(move: AnyFunction, x: Tensor, *args: object) -> jax.Array:
    """Apply `move` to a tensor in a dtype that window operations support, and convert back."""
    x = jnp.asarray(x)
    wide = x if x.dtype.itemsize == 4 or jnp.issubdtype(x.dtype, jnp.floating) else x.astype("int32")
    return move(wide, *args).astype(x.dtype)


def windows(x: Tensor, *args: Any, **kwargs: Any) -> jax.Array:
    """The pixels of each window, as channels; empty for no images, where JAX would divide by zero."""
    if x.shape[0] == 0:
        return lax.conv_general_dilated_patches(jnp.zeros((1, *x.shape[1:]), x.dtype), *args, **kwargs)[:0]
    return lax.conv_general_dilated_patches(x, *args, **kwargs)


def _patches(images: Tensor, *args: object) -> jax.Array:
    return keeping_integers(_moved_patches, images, *args)


def _moved_patches(
    images: Tensor,
    rank: int,
    size: Sizes,
    strides: Sizes | None,
    dilation_rate: Sizes,
    padding: str,
    data_format: str | None,
    name: str,
) -> jax.Array:
    size = validate.int_tuple(size, rank, "size", name)
    strides = size if strides is None else validate.int_tuple(strides, rank, "strides", name)
    dilation = validate.int_tuple(dilation_rate, rank, "dilation_rate", name)
    padding = validate.padding(padding, name).upper()
    last = validate.data_format(data_format, name) == "channels_last"
    if images.ndim not in (rank + 1, rank + 2):
        raise ValueError(f"{name}: expected {rank + 1} or {rank + 2} axes. Received: shape={images.shape}.")
    batch = images if images.ndim == rank + 2 else images[None]
    batch = jnp.moveaxis(batch, -1, 1) if last else batch
    patches = windows(batch, size, strides, padding, rhs_dilation=dilation)
    # JAX orders the channels of a patch as (channel, position); Keras as (position, channel).
    n, channels, *places = patches.shape
    patches = patches.reshape(n, batch.shape[1], math.prod(size), *places).swapaxes(1, 2)
    patches = patches.reshape(n, channels, *places)
    patches = jnp.moveaxis(patches, 1, -1) if last else patches
    return patches if images.ndim == rank + 2 else patches[0]


def _each_channel(images: Tensor, kernels: np.ndarray, padding: str) -> jax.Array:
    """Correlate every channel of `(batch, height, width, channels)` with each kernel `(height, width, n)`."""
    n, h, w, c = images.shape
    flat = jnp.moveaxis(images, -1, 1).reshape(n * c, h, w, 1)
    weights = jnp.asarray(kernels, images.dtype)[:, :, None, :]
    result = lax.conv_general_dilated(flat, weights, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return jnp.moveaxis(result.reshape(n, c, *result.shape[1:]), 1, 3)  # (batch, height, width, channels, n)


def _gaussian(size: int, sigma: float) -> np.ndarray:
    place = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * np.square(place / sigma))
    return weights / weights.sum()


def _as_batch(images: Tensor, data_format: str | None, name: str) -> tuple[jax.Array, bool, bool]:
    images = floating(images)
    if images.ndim not in (3, 4):
        raise ValueError(f"{name}: images must have 3 or 4 axes. Received: images.shape={images.shape}.")
    last = validate.data_format(data_format, name) == "channels_last"
    batch = images if images.ndim == 4 else images[None]
    return (batch if last else jnp.moveaxis(batch, 1, -1)), last, images.ndim == 4


def _restored(batch: Tensor, last: bool, batched: bool, channels: int = -1) -> jax.Array:
    batch = batch if last else jnp.moveaxis(batch, channels, 1)
    return batch if batched else batch[0]


@op
def gaussian_blur(
    images: Tensor,
    kernel_size: Sizes = (3, 3),
    sigma: float | Sequence[float] = (1.0, 1.0),
    data_format: str | None = None,
) -> jax.Array:
    """Gaussian blur: every pixel is replaced by a Gaussian-weighted average of its neighborhood.

    Args:
        images: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        kernel_size: height and width of the kernel; pixels beyond the border are 0. Defaults to `(3, 3)`.
        sigma: standard deviations of the kernel along height and width, in pixels. Defaults to `(1.0, 1.0)`.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Example:

        print(cornu.ops.image.gaussian_blur(np.ones((1, 4, 4, 3))).shape)  # (1, 4, 4, 3)
    """
    batch, last, batched = _as_batch(images, data_format, "gaussian_blur")
    kernel_size = validate.int_tuple(kernel_size, 2, "kernel_size", "gaussian_blur")
    sigma = tuple(sigma) if hasattr(sigma, "__iter__") else (sigma, sigma)
    budget.take("numbers", 8 * math.prod(kernel_size), "gaussian_blur")
    kernel = np.outer(*(_gaussian(k, s) for k, s in zip(kernel_size, sigma, strict=True)))
    return _restored(_each_channel(batch, kernel[..., None], "SAME")[..., 0], last, batched)


_SOBEL = np.array([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]])


@op
def sobel_edges(images: Tensor, data_format: str | None = None) -> jax.Array:
    """Vertical and horizontal image gradients, computed with Sobel filters.

    Args:
        images: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Returns:
        The shape of `images` with a last axis of size 2: (vertical, horizontal).

    Example:

        print(cornu.ops.image.sobel_edges(np.ones((1, 4, 4, 3))).shape)  # (1, 4, 4, 3, 2)
    """
    batch, last, batched = _as_batch(images, data_format, "sobel_edges")
    edges = _each_channel(batch, np.stack([-_SOBEL, -_SOBEL.T], axis=-1), "SAME")
    return _restored(edges, last, batched, channels=-2)


@op(class_name="SSIM")
def ssim(
    image1: Tensor,
    image2: Tensor,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> jax.Array:
    """Structural similarity of images, from means, variances and covariances in small windows (Wang et al., 2004).

    Args:
        image1, image2: shape `(batch, height, width, channels)` or without the batch, or with the channels first.
        max_val: the difference between the largest and the smallest possible value. Defaults to 1.0.
        filter_size: side of the Gaussian window, in pixels. Defaults to 11.
        filter_sigma: its standard deviation in pixels. Defaults to 1.5.
        k1, k2: small factors that stabilize the divisions. Default to 0.01 and 0.03.
        data_format: `"channels_last"`, `"channels_first"` or None for the global default.

    Returns:
        A number up to 1 (equal) for each image.

    Example:

        image = np.eye(16).reshape(1, 16, 16, 1)
        print(cornu.ops.image.ssim(image, image))  # [1.]
    """
    one, _, batched = _as_batch(image1, data_format, "ssim")
    two = _as_batch(image2, data_format, "ssim")[0]
    if one.shape != two.shape:
        raise ValueError(f"ssim: both images must have the same shape. Received: {one.shape} and {two.shape}.")
    weights = _gaussian(filter_size, filter_sigma)
    kernel = np.outer(weights, weights)[..., None]

    def local(x: Tensor) -> jax.Array:
        return _each_channel(x, kernel, "VALID")[..., 0]

    mean1, mean2 = local(one), local(two)
    spread = local(one * one + two * two) - mean1 * mean1 - mean2 * mean2
    shared = local(one * two) - mean1 * mean2
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    brightness = (2 * mean1 * mean2 + c1) / (mean1 * mean1 + mean2 * mean2 + c1)
    score = jnp.mean(brightness * (2 * shared + c2) / (spread + c2), axis=(1, 2, 3))
    return score if batched else score[0]
