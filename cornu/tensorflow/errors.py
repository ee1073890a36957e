"""`tensorflow.errors`: what TensorFlow raises; each is also the error of Python's that comes closest."""

from cornu.tensorflow.served import within

__all__ = [
    "AbortedError", "AlreadyExistsError", "CancelledError", "DataLossError", "DeadlineExceededError",
    "FailedPreconditionError", "InternalError", "InvalidArgumentError", "NotFoundError", "OpError",
    "OperatorNotAllowedInGraphError", "OutOfRangeError", "PermissionDeniedError", "ResourceExhaustedError",
    "UnauthenticatedError", "UnavailableError", "UnimplementedError", "UnknownError",
]  # fmt: skip


class OpError(Exception):
    """An error of an operation."""

    @property
    def message(self) -> str:
        """What it says."""
        return str(self)


def _error(name: str, closest: type[Exception], what: str) -> type[OpError]:
    return type(name, (OpError, closest), {"__doc__": f"What TensorFlow raises {what}.", "__module__": __name__})


AbortedError = _error("AbortedError", RuntimeError, "where work was given up")
AlreadyExistsError = _error("AlreadyExistsError", FileExistsError, "for a file that is there already")
CancelledError = _error("CancelledError", RuntimeError, "where work was called off")
DeadlineExceededError = _error("DeadlineExceededError", TimeoutError, "where something took too long")
FailedPreconditionError = _error("FailedPreconditionError", RuntimeError, "where something was not ready")
InternalError = _error("InternalError", RuntimeError, "where it is broken itself")
NotFoundError = _error("NotFoundError", FileNotFoundError, "for a file that is not there")
OutOfRangeError = _error("OutOfRangeError", IndexError, "at the end of a data set")
PermissionDeniedError = _error("PermissionDeniedError", PermissionError, "for a file that may not be touched")
ResourceExhaustedError = _error("ResourceExhaustedError", MemoryError, "where memory is short")
UnauthenticatedError = _error("UnauthenticatedError", PermissionError, "for a caller that it does not know")
UnavailableError = _error("UnavailableError", ConnectionError, "for a machine that does not answer")
UnimplementedError = _error("UnimplementedError", NotImplementedError, "for what it does not have")
UnknownError = _error("UnknownError", RuntimeError, "for what it cannot name")


class InvalidArgumentError(OpError, ValueError):
    """What TensorFlow raises for a value that does not fit."""


class DataLossError(OpError, ValueError):
    """What TensorFlow raises for a broken file."""


(
    OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED,
    RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS,
    UNAUTHENTICATED,
) = range(17)  # fmt: skip


class OperatorNotAllowedInGraphError(TypeError):
    """What TensorFlow raises for Python's `if` over a tensor that has no value yet."""


__getattr__ = within(__name__)
