"""`Options`: what scripts set on a data set of TensorFlow's, and what becomes of it here."""

from types import SimpleNamespace

_GROUPS = ("autotune", "threading", "experimental_distribute", "experimental_optimization", "experimental_threading")


class Options:
    """Options of a data set; none of them changes what it gives.

    Attributes:
        deterministic: whether the order must be kept; it is in any case. Also `experimental_deterministic`.
        autotune, threading, experimental_optimization: how TensorFlow's runtime spreads and rewrites its graph, of
            which there is none here: threads are those of `map(num_parallel_calls=...)` and `prefetch`.
        experimental_distribute: how TensorFlow cuts data for its strategies; `shard` says that in the open.
        experimental_slack, experimental_warm_start, framework_type: hints to that runtime as well.

    Example:

        options = cornu.data.Options()
        options.deterministic = True
        data = cornu.data.Dataset.range(3).with_options(options)
    """

    _NAMES = (
        "deterministic", "experimental_deterministic", "experimental_external_state_policy", "experimental_slack",
        "experimental_symbolic_checkpoint", "experimental_warm_start", "framework_type", "dataset_name", *_GROUPS,
    )  # fmt: skip

    def __init__(self) -> None:
        for name in self._NAMES:
            setattr(self, name, SimpleNamespace() if name in _GROUPS else None)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self._NAMES:
            raise AttributeError(f"Options: there is no option {name!r}. There are: {', '.join(self._NAMES)}.")
        super().__setattr__(name, value)
