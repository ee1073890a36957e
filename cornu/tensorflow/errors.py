"""`tensorflow.errors`: TensorFlow's exceptions; each is also the closest built-in exception."""

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
    return type(name, (OpError, closest), {"__doc__": f"Raised by TensorFlow {what}.", "__module__": __name__})


AbortedError = _error("AbortedError", RuntimeError, "if an operation was aborted")
AlreadyExistsError = _error("AlreadyExistsError", FileExistsError, "if a file already exists")
CancelledError = _error("CancelledError", RuntimeError, "if an operation was cancelled")
DeadlineExceededError = _error("DeadlineExceededError", TimeoutError, "on a timeout")
FailedPreconditionError = _error("FailedPreconditionError", RuntimeError, "if a precondition is not met")
InternalError = _error("InternalError", RuntimeError, "for an internal error")
NotFoundError = _error("NotFoundError", FileNotFoundError, "if a file does not exist")
OutOfRangeError = _error("OutOfRangeError", IndexError, "at the end of a dataset")
PermissionDeniedError = _error("PermissionDeniedError", PermissionError, "if a file is not accessible")
ResourceExhaustedError = _error("ResourceExhaustedError", MemoryError, "if memory is exhausted")
UnauthenticatedError = _error("UnauthenticatedError", PermissionError, "if the caller is not authenticated")
UnavailableError = _error("UnavailableError", ConnectionError, "if a service is unavailable")
UnimplementedError = _error("UnimplementedError", NotImplementedError, "if an operation is not implemented")
UnknownError = _error("UnknownError", RuntimeError, "for an unknown error")


class InvalidArgumentError(OpError, ValueError):
    """Raised by TensorFlow for an invalid value."""


class DataLossError(OpError, ValueError):
    """Raised by TensorFlow for a corrupt file."""


(
    OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED,
    RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS,
    UNAUTHENTICATED,
) = range(17)  # fmt: skip


class OperatorNotAllowedInGraphError(TypeError):
    """Raised by TensorFlow for Python's `if` on a symbolic tensor."""


__getattr__ = within(__name__)
