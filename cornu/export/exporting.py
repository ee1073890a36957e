"""`model.export`: the table of formats and their writers."""

import os
from typing import Any

from cornu import validate
from cornu.core.typing import Kwargs
from cornu.export import onnx, signature as signatures
from cornu.export.archive import ExportArchive
from cornu.export.formats import Format

ENDPOINT = "serve"


def export_model(
    model: object,
    filepath: str | os.PathLike[str],
    format: object,
    verbose: bool | None,
    input_signature: object,
    options: Kwargs,
) -> None:
    """Export `model` in a format; the arguments are those of `Model.export`."""
    write = _WRITERS[Format.of(format, model)]
    write(model, filepath, verbose is None or bool(verbose), input_signature, options)


def _stablehlo(model: object, filepath: Any, verbose: bool, input_signature: object, options: Kwargs) -> None:
    _check_options(options, ("platforms", "is_static"), model, "stablehlo")
    Format.STABLEHLO.check_ending(filepath, model)
    signature = signatures.for_layer(model, input_signature)
    archive = ExportArchive()
    archive.track_and_add_endpoint(ENDPOINT, model, signature, **options)
    archive.write_out(filepath, verbose=verbose)


def _onnx(model: Any, filepath: Any, verbose: bool, input_signature: Any, options: Kwargs) -> None:
    _check_options(options, ("opset_version",), model, "onnx")
    Format.ONNX.check_ending(filepath, model)
    onnx.write(model, filepath, verbose, input_signature, **options)


_WRITERS = {Format.STABLEHLO: _stablehlo, Format.ONNX: _onnx}


def _check_options(options: Kwargs, known: tuple[str, ...], model: object, name: str) -> None:
    unknown = [key for key in options if key not in known]
    if unknown:
        raise ValueError(
            f"{validate.describe(model)}: export to {name} does not accept the argument "
            f"{', '.join(map(repr, unknown))}. "
            f"It accepts: {', '.join(map(repr, known))}."
        )
