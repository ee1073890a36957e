"""A model as an ONNX file, by the converter jax2onnx, with the outputs verified after every export.

The converter receives the model's inference with plain kernels and a symbol for each dynamic size. Its result is run
against the model on random inputs of two sizes, and the file is written only if the outputs are equal.
"""

import functools
import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from cornu import validate
from cornu.core.typing import AnyFunction, Tensor
from cornu.export import signature as signatures, stablehlo
from cornu.export.archive import target
from cornu.layers.embedding import Embedding
from cornu.saving.atomic import replacing

if TYPE_CHECKING:
    from cornu.models.model import Model

_EXTRA = {"extra": "onnx", "purpose": "ONNX export"}
_SIZES = (7, 19, 67, 259)  # tried in turn for dynamic sizes: some windows need long inputs
_TOLERANCE = 1e-4  # of the largest output, but at least 32 units of its dtype's precision
_LARGEST_WINDOW = 3  # axes of a pooling window that runtimes support


def write(
    model: Any,
    filepath: str | os.PathLike[str],
    verbose: bool = True,
    input_signature: object = None,
    opset_version: int | None = None,
) -> None:
    """Write `model` to `filepath`.

    Args:
        model: a built model or layer.
        filepath: by convention with the extension `.onnx`.
        verbose: whether to print what was written.
        input_signature: as for `Model.export`.
        opset_version: version of ONNX's operators; None uses the converter's default.

    Raises:
        ValueError: if the converter cannot express the model, or the outputs differ.
    """
    path = target(filepath)
    if opset_version is not None:
        opset_version = validate.positive_int(opset_version, "opset_version", model)
    jax2onnx = validate.optional_import("jax2onnx", **_EXTRA)
    signature = signatures.for_layer(model, input_signature)
    specs, _ = stablehlo.trace(model, signature, model)
    flat, structure = jax.tree.flatten(specs)

    def run(*arrays: Tensor) -> list[Tensor]:
        with stablehlo.ambient():
            return jax.tree.leaves(model(*jax.tree.unflatten(structure, arrays)))

    names = signatures.input_names(signature)
    converted = _convert(jax2onnx, model, run, flat, names, opset_version)
    _compare(model, run, flat, names, converted)
    with replacing(path) as temporary:
        temporary.write_bytes(_serialized(model, converted))
    if verbose:
        print(f"Exported to {str(path)!r} as ONNX, opset {converted.opset_import[0].version}.")


def _convert(
    jax2onnx: ModuleType,
    model: "Model",
    run: AnyFunction,
    specs: list[jax.ShapeDtypeStruct],
    names: list[str],
    opset: int | None,
) -> Any:
    outputs = jax.eval_shape(run, *specs)
    options = {} if opset is None else {"opset": opset}
    try:
        with _quiet():
            converted = jax2onnx.to_onnx(
                run, specs, model_name=model.name, input_names=names, output_names=_output_names(model, outputs, names),
                **options,
            )  # fmt: skip
    except Exception as error:
        raise ValueError(
            f"{validate.describe(model)}: the converter jax2onnx cannot express it in ONNX: "
            f"{type(error).__name__}: {_first_line(error)}"
        ) from error
    _lower_windows(converted.graph)
    return converted


def _output_names(model: object, outputs: list[Tensor], taken: Sequence[str]) -> list[str]:
    names = signatures.named(outputs, getattr(model, "output_names", None), "output")
    return [f"{name}_output" if name in taken else name for name in names]


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the converter's log, and restore the program's logging configuration."""
    silent = logging.NullHandler()
    root = logging.getLogger()
    root.addHandler(silent)
    try:
        yield
    finally:
        root.removeHandler(silent)


def _serialized(model: object, converted: Any) -> bytes:
    try:
        return converted.SerializeToString()
    except ValueError as error:
        raise ValueError(
            f"{validate.describe(model)}: it is larger than one ONNX file can be, 2 GiB. Export to StableHLO instead."
        ) from error


# ---------------------------------------------------------------- unsupported by runtimes


def _lower_windows(graph: Any) -> None:
    """Pooling over (1, *space, 1) of (1, 1, batch, *space, channels) as pooling over space only, channels first.

    The converter keeps all axes of JAX's windows, but runtimes support at most three.
    """
    onnx = validate.optional_import("onnx", **_EXTRA)
    helper = validate.optional_import("onnx.helper", **_EXTRA)
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _lower_windows(attribute.g)
        settings = {a.name: list(a.ints) for a in node.attribute if a.ints}
        window = settings.get("kernel_shape", [])
        if node.op_type != "MaxPool" or len(window) <= _LARGEST_WINDOW or window[0] != 1 or window[-1] != 1:
            graph.node.append(node)
            continue
        rank, base = len(window), node.output[0]
        names = [f"{base}_{step}" for step in ("batch", "first", "pooled", "last")]
        axes = f"{base}_axes"
        graph.initializer.append(helper.make_tensor(axes, onnx.TensorProto.INT64, [2], [0, 1]))
        inner = {key: _of_space(value, rank) for key, value in settings.items() if key != "storage_order"}
        graph.node.extend(
            [
                helper.make_node("Squeeze", [node.input[0], axes], names[:1]),
                helper.make_node("Transpose", names[:1], names[1:2], perm=[0, rank - 1, *range(1, rank - 1)]),
                helper.make_node("MaxPool", names[1:2], names[2:3], name=node.name, **inner),
                helper.make_node("Transpose", names[2:3], names[3:], perm=[0, *range(2, rank), 1]),
                helper.make_node("Unsqueeze", [names[3], axes], [base]),
            ]
        )


def _of_space(values: list[int], rank: int) -> list[int]:
    """The numbers for the spatial axes, of one or two numbers (before and after) for each axis."""
    return [n for start in range(0, len(values), rank) for n in values[start + 1 : start + rank - 1]]


# ---------------------------------------------------------------- the comparison


def _compare(
    model: "Model", run: AnyFunction, specs: list[jax.ShapeDtypeStruct], names: list[str], converted: object
) -> None:
    """Raise unless the converted model's outputs equal the model's at two choices of the unknown sizes."""
    runner = _runnable(model, functools.partial(_runner, converted))
    random = np.random.default_rng(0)
    limit = min([layer.input_dim for layer in model._flatten_layers() if isinstance(layer, Embedding)], default=2)
    base = _base_size(run, specs)
    for batch, step in ((2, 1), (1, 3)):
        arrays = [_random(random, x, limit) for x in _sized(specs, batch, base, step)]
        with jax.default_matmul_precision("highest"):
            wanted = jax.jit(run)(*arrays)
        feeds = dict(zip(names, arrays, strict=True))
        found = _runnable(model, functools.partial(runner.run, None, feeds))
        for number, (expected, got) in enumerate(zip(wanted, found, strict=True)):
            _check_equal(model, number, np.asarray(expected), np.asarray(got))


def _runnable(model: object, action: AnyFunction) -> Any:
    try:
        return action()
    except Exception as error:
        raise ValueError(
            f"{validate.describe(model)}: the output of the converter jax2onnx does not run: {_first_line(error)} "
            "No file was written. Export to StableHLO instead."
        ) from error


def _runner(converted: Any) -> Any:
    """A runner of the converted model: onnxruntime, or the slower evaluator of the onnx package."""
    if importlib.util.find_spec("onnxruntime") is None:
        return validate.optional_import("onnx.reference", **_EXTRA).ReferenceEvaluator(converted)
    onnxruntime = validate.optional_import("onnxruntime", **_EXTRA)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised
    content = converted.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _base_size(run: AnyFunction, specs: list[jax.ShapeDtypeStruct]) -> int:
    """The first size that is large enough for the model's dynamic sizes."""
    for size in _SIZES[:-1]:
        try:
            jax.eval_shape(run, *_sized(specs, 2, size, 1))
        except Exception:
            continue
        return size
    return _SIZES[-1]


def _sized(specs: list[jax.ShapeDtypeStruct], batch: int, base: int, step: int) -> list[jax.ShapeDtypeStruct]:
    """The specs with numbers for their symbols: `batch` on the first axis, else each symbol another size."""
    symbols = dict.fromkeys(str(d) for x in specs for d in x.shape if not isinstance(d, int))
    sizes = {name: batch if name.startswith("batch") else base + step * n for n, name in enumerate(symbols)}
    return [jax.ShapeDtypeStruct([d if isinstance(d, int) else sizes[str(d)] for d in x.shape], x.dtype) for x in specs]


def _random(random: np.random.Generator, spec: Any, limit: int) -> np.ndarray:
    if jnp.issubdtype(spec.dtype, jnp.floating):
        return random.normal(size=spec.shape).astype(spec.dtype)
    return random.integers(0, limit if jnp.issubdtype(spec.dtype, jnp.integer) else 2, spec.shape).astype(spec.dtype)


def _check_equal(model: object, number: int, expected: np.ndarray, got: np.ndarray) -> None:
    if expected.shape != got.shape:
        found = f"shape {got.shape} instead of {expected.shape}"
    else:
        exact = not jnp.issubdtype(expected.dtype, jnp.floating)
        wide = np.float64
        size = np.max(np.abs(expected.astype(wide)), initial=0.0, where=np.isfinite(expected.astype(wide)))
        share = 0.0 if exact else max(_TOLERANCE, 32 * float(jnp.finfo(expected.dtype).eps))
        if np.allclose(got.astype(wide), expected.astype(wide), rtol=0, atol=share * max(size, 1.0), equal_nan=True):
            return
        found = f"values that differ by up to {np.nanmax(np.abs(got.astype(wide) - expected.astype(wide))):.3g}"
    raise ValueError(
        f"{validate.describe(model)}: the output of the converter jax2onnx is not equivalent: on random inputs, output "
        f"{number} "
        f"has {found}. No file was written. Export to StableHLO instead."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:400]
