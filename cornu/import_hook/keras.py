"""What `import keras` gives: cornu's names, and the version of Keras that they are those of.

Libraries ask `keras.__version__` which Keras they meet, so that is Keras's; `cornu.__version__` is cornu's own.
"""

from typing import Any

import cornu
from cornu._version import KERAS as __version__  # noqa: N811

__all__ = cornu.__all__


def version() -> str:
    """The version of Keras whose names these are."""
    return __version__


def __getattr__(name: str) -> Any:
    return getattr(cornu, name)


def __dir__() -> list[str]:
    return [*cornu.__all__, "__version__"]
