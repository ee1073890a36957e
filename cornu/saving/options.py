"""What the caller of `load_model` asks for, as all formats are told it."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class LoadOptions(NamedTuple):
    """The arguments of `load_model` beside the path."""

    custom_objects: Mapping[str, Any]
    compile: bool
    safe_mode: bool
