"""The module of `import keras`: cornu's names, and the Keras version they correspond to.

Libraries check `keras.__version__`, so it is Keras's; `cornu.__version__` is cornu's own.
"""

from typing import Any

import cornu
from cornu._version import KERAS as __version__  # noqa: N811

__all__ = cornu.__all__


def version() -> str:
    """The Keras version whose API this is."""
    return __version__


def __getattr__(name: str) -> Any:
    return getattr(cornu, name)


def __dir__() -> list[str]:
    return [*cornu.__all__, "__version__"]
