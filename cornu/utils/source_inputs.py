"""`get_source_inputs`: from a symbolic tensor back to the inputs it is computed from."""

from cornu.core.symbolic import KerasTensor, node_of

__all__ = ["get_source_inputs"]


def get_source_inputs(tensor: KerasTensor) -> list[KerasTensor]:
    """The inputs that a symbolic tensor is computed from, each once, in order of discovery.

    Args:
        tensor: a symbolic tensor of a model.

    Example:

        a, b = cornu.Input((2,)), cornu.Input((2,))
        print(cornu.utils.get_source_inputs(a * 2 + b) == [a, b])  # True
    """
    found: list[KerasTensor] = []
    seen: set[int] = set()
    waiting = [tensor]
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        sources = [] if here.history is None else node_of(here).input_tensors
        if sources:
            waiting += reversed(sources)
        else:
            found.append(here)
    return found
