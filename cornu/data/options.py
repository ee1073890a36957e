"""`Options`: the options that scripts set on TensorFlow datasets, and their meaning here."""

from types import SimpleNamespace

_GROUPS = ("autotune", "threading", "experimental_distribute", "experimental_optimization", "experimental_threading")


class Options:
    """Options of a dataset; none of them changes its elements.

    Attributes:
        deterministic: whether to preserve the order; it always is. Also `experimental_deterministic`.
        autotune, threading, experimental_optimization: how TensorFlow's runtime distributes and rewrites its graph,
            which does not exist here: threads are those of `map(num_parallel_calls=...)` and `prefetch`.
        experimental_distribute: how TensorFlow splits data for its strategies; use `shard` to do it explicitly.
        experimental_slack, experimental_warm_start, framework_type: further hints for that runtime.

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
            raise AttributeError(f"Options: there is no option {name!r}. Available: {', '.join(self._NAMES)}.")
        super().__setattr__(name, value)
