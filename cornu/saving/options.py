"""The options of `load_model`, as passed to all formats."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class LoadOptions(NamedTuple):
    """The arguments of `load_model` other than the path."""

    custom_objects: Mapping[str, Any]
    compile: bool
    safe_mode: bool
