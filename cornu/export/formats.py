"""The formats to which a model can be exported."""

import enum
import os

from cornu import validate

_ELSEWHERE = {
    "tf_saved_model": "TensorFlow",
    "saved_model": "TensorFlow",
    "litert": "TensorFlow Lite",
    "tflite": "TensorFlow Lite",
    "openvino": "OpenVINO",
    "torch": "PyTorch",
}


# Endings of files of other kinds, which are not opened as what `export` writes, and where such files come from.
_WRITTEN_BY = {
    ".keras": "model.save(...)",
    ".h5": "model.save(...)",
    ".safetensors": "model.save_weights(...)",
    ".onnx": 'model.export(..., format="onnx")',
    ".stablehlo": 'model.export(..., format="stablehlo")',
    ".pb": "TensorFlow",
    ".tflite": "TensorFlow Lite",
    ".pt": "PyTorch",
}


class Format(enum.Enum):
    """A format by its name in `model.export(format=...)`."""

    STABLEHLO = "stablehlo"
    ONNX = "onnx"

    @classmethod
    def of(cls, value: object, owner: object) -> "Format":
        """The format named `value`, or an error that lists the formats."""
        if value in cls._value2member_map_ or isinstance(value, cls):
            return cls(value)
        names = " or ".join(f'"{member.value}"' for member in cls)
        why = f" {value!r} is a format of {_ELSEWHERE[value]}, which cornu does not use." if value in _ELSEWHERE else ""
        raise ValueError(
            f"{validate.describe(owner)}: format must be {names}. Received: format={validate.shown(value)}.{why}"
        )

    def check_ending(self, filepath: str | os.PathLike[str], owner: object) -> None:
        """Raise if the name of a file says that it is of another kind."""
        path = str(filepath)
        ending = os.path.splitext(path)[1].lower()
        if ending in _WRITTEN_BY and ending != f".{self.value}":
            raise ValueError(
                f'{validate.describe(owner)}: export(format="{self.value}") writes .{self.value} files. Received: '
                f"filepath={validate.shown(path)}; {ending} files are written by {_WRITTEN_BY[ending]}."
            )
