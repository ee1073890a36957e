"""Kernels that can be computed in several ways: a table of forms, of which the first that applies is used."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax


class Form(NamedTuple):
    """One way to compute a kernel.

    Attributes:
        name: what it is called in tests and profiles.
        fits: whether to use it, given the kernel's arguments; may depend on shapes and dtypes alone.
        compute: computes the result from the same arguments.
    """

    name: str
    fits: Callable[..., bool]
    compute: Callable[..., jax.Array]


def chosen(forms: Sequence[Form], *args: object) -> Form:
    """The first form that fits the arguments."""
    return next(form for form in forms if form.fits(*args))


def compute(forms: Sequence[Form], *args: object) -> jax.Array:
    """The kernel's result, computed by the first form that fits."""
    return chosen(forms, *args).compute(*args)


def always(*args: object) -> bool:
    """What the last form of a table fits: everything."""
    return True
