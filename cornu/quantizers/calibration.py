"""Calibrated rounding of weights: GPTQ and AWQ.

Both minimize the error of a layer's outputs, `sum((x @ rounded - x @ weight) ** 2)` over the inputs that were seen.
All they need from the inputs is the matrix `H = x.T @ x`, for AWQ also the mean magnitude of each input.
"""

from typing import Any

import numpy as np

from cornu.quantizers.schemes import Awq, Form, Gptq

_ROWS_AT_ONCE = 128  # after which errors are propagated to later rows


class Inputs:
    """Statistics of a layer's inputs.

    Args:
        rows: size of one input.
    """

    def __init__(self, rows: int):
        self.products = np.zeros((rows, rows))
        self.magnitudes = np.zeros(rows)
        self.count = 0

    def add(self, x: np.ndarray) -> None:
        """Add more inputs, of shape (count, rows)."""
        x = x.astype("float64")
        self.products += x.T @ x
        self.magnitudes += np.abs(x).sum(0)
        self.count += len(x)


def fitted(weight: np.ndarray, inputs: Inputs, scheme: Gptq, form: Form, config: object) -> dict[str, Any]:
    """The stored form of a weight, calibrated on the observed inputs.

    Args:
        weight: the layer's weight.
        inputs: statistics of the inputs, for the rows of the scheme's matrix.
        scheme: the quantization scheme of the weight.
        form: the layer's description of the weight.
        config: a `GPTQConfig` or `AWQConfig`, matching the scheme.
    """
    matrix = scheme.matrix(weight, form).astype("float64")
    if isinstance(scheme, Awq):
        return _scaled(matrix, inputs, scheme, form, config)
    return scheme.stored_matrix(*_compensated(matrix, inputs, scheme, form, config))


def _compensated(
    matrix: np.ndarray, inputs: Inputs, scheme: Gptq, form: Form, config: Any
) -> tuple[np.ndarray, Form, np.ndarray, np.ndarray]:
    """(matrix of rounded numbers, form, scales, zero points): each row compensates the errors of those before it.

    The Cholesky factor of the inverse of H determines how: for row i, the later rows change by its error times row i of
    the factor, divided by its diagonal.
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
            if not config.activation_order and i % size == 0:  # the rows with compensated errors
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
    """The rows of the group that starts at `first`, with the errors so far compensated in those not yet rounded."""
    group = work[first : first + size].copy()
    late = max(stop - first, 0)
    if late < len(group):
        group[late:] -= factor[start:stop, first + late : first + len(group)].T @ errors
    return group


def _scaled(matrix: np.ndarray, inputs: Inputs, scheme: Gptq, form: Form, config: Any) -> dict[str, Any]:
    """Rows scaled by the power of their inputs' mean magnitude that minimizes the error."""
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
