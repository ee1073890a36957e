"""The formats to which a model can be exported."""

import enum

from cornu import validate

_ELSEWHERE = {
    "tf_saved_model": "TensorFlow",
    "saved_model": "TensorFlow",
    "litert": "TensorFlow Lite",
    "tflite": "TensorFlow Lite",
    "openvino": "OpenVINO",
    "torch": "PyTorch",
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
