"""Wrong arguments that cornu takes on purpose where Keras refuses, and why."""

from typing import Any


def reason(found: Any) -> str:
    """Why a disagreement is there on purpose; empty if it is not."""
    return ""
