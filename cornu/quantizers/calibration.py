"""Rounding weights by what they are multiplied with: GPTQ and AWQ.

Both make the error of a layer's outputs small, `sum((x @ rounded - x @ weight) ** 2)` over the inputs that were seen.
All that they need to know of the inputs is the matrix `H = x.T @ x`, for AWQ also the mean magnitude of each input.
"""

from typing import Any

import numpy as np

from cornu.quantizers.schemes import Awq, Form, Gptq

_ROWS_AT_ONCE = 128  # after which the errors reach the rows behind


class Inputs:
    """What was seen of a layer's inputs.

    Args:
        rows: how many numbers one input has.
    """

    def __init__(self, rows: int):
        self.products = np.zeros((rows, rows))
        self.magnitudes = np.zeros(rows)
        self.count = 0

    def add(self, x: np.ndarray) -> None:
        """Look at more inputs, (count, rows)."""
        x = x.astype("float64")
        self.products += x.T @ x
        self.magnitudes += np.abs(x).sum(0)
        self.count += len(x)


def fitted(weight: np.ndarray, inputs: Inputs, scheme: Gptq, form: Form, config: object) -> dict[str, Any]:
    """What a scheme keeps of a weight, fitted to the inputs that were seen.

    Args:
        weight: the layer's weight.
        inputs: what was seen, of the rows of the scheme's matrix.
        scheme: the scheme that is to keep the weight.
        form: what the layer says of the weight.
        config: a `GPTQConfig` or `AWQConfig`, as the scheme is.
    """
    matrix = scheme.matrix(weight, form).astype("float64")
    if isinstance(scheme, Awq):
        return _scaled(matrix, inputs, scheme, form, config)
    return scheme.stored_matrix(*_compensated(matrix, inputs, scheme, form, config))


def _compensated(matrix: np.ndarray, inputs: Inputs, scheme: Gptq, form: Form, config: Any) -> tuple:
    """(matrix of rounded numbers, form, scales, zero points): each row makes up for the errors of those before it.

    Cholesky's factor of the inverse of H tells how: for row i, the rows behind it change by its error times the
    factor's row i, divided by its diagonal.
    """
    matrix, products = matrix.copy(), 2 * inputs.products / max(inputs.count, 1)
    unseen = np.diag(products) == 0
    products[unseen, unseen] = 1
    matrix[unseen] = 0
    size, rows = scheme.group(form), len(matrix)
    order = np.argsort(-np.diag(products), kind="stable") if config.activation_order else np.arange(rows)
    products += config.hessian_damping * np.mean(np.diag(products)) * np.eye(rows)
    factor = np.linalg.cholesky(np.linalg.inv(products[np.ix_(order, order)])).T
    scale, zero = (values.astype("float64") for values in scheme.grid(matrix, form, config))
    work, rounded = matrix[order], np.empty_like(matrix)
    for start in range(0, rows, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, rows)
        errors = np.zeros((stop - start, matrix.shape[1]))
        for i in range(start, stop):
            group = order[i] // size
            if not config.activation_order and i % size == 0:  # the rows as they have become
                behind = _behind(work, errors, factor, start, stop, i, size)
                scale[:, group], zero[:, group] = scheme.span(behind, config)
            rounded[order[i]] = scheme.rounded(work[i], scale[:, group], zero[:, group])
            errors[i - start] = (work[i] - rounded[order[i]]) / factor[i, i]
            work[i + 1 : stop] -= np.outer(factor[i, i + 1 : stop], errors[i - start])
        work[stop:] -= factor[start:stop, stop:].T @ errors
    return rounded, form, scale, zero


def _behind(
    work: np.ndarray, errors: np.ndarray, factor: np.ndarray, start: int, stop: int, first: int, size: int
) -> np.ndarray:
    """The rows of the group that begins at `first`, those whose turn has not come yet made up for what is done."""
    group = work[first : first + size].copy()
    late = max(stop - first, 0)
    if late < len(group):
        group[late:] -= factor[start:stop, first + late : first + len(group)].T @ errors
    return group


def _scaled(matrix: np.ndarray, inputs: Inputs, scheme: Gptq, form: Form, config: Any) -> dict[str, Any]:
    """Rows multiplied with a power of their inputs' mean magnitude, that which makes the error the smallest."""
    magnitudes = np.maximum(inputs.magnitudes / max(inputs.count, 1), 1e-8)
    best, values = np.inf, {}
    for step in range(config.num_grid_points):
        factors = magnitudes ** (step / config.num_grid_points)
        factors = factors / np.sqrt(factors.max() * factors.min())
        scaled = matrix * factors[:, None]
        scale, zero = (found.astype("float64") for found in scheme.grid(scaled, form, config))
        group = np.arange(len(matrix)) // scheme.group(form)
        error = scheme.rounded(scaled, scale.T[group], zero.T[group]) / factors[:, None] - matrix
        size = np.sum((inputs.products @ error) * error)
        if size < best:
            best, values = size, scheme.stored_matrix(scaled, form, scale, zero) | {"awq_scales": factors}
    return values
