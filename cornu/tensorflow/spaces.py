"""The small namespaces of TensorFlow: devices, logging, checks, strategies. Most of them have no effect."""

import contextlib
import importlib
import inspect
import logging as python_logging
import os
from collections.abc import Iterator
from time import time as timestamp
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cornu import ops, tree
from cornu.core.dtypes import result_type
from cornu.core.typing import AnyFunction, Args, Axes, Kwargs, Nested, Tensor
from cornu.tensorflow import tensors, testing
from cornu.tensorflow.errors import InvalidArgumentError
from cornu.tensorflow.function import functions_run_eagerly, run_functions_eagerly
from cornu.tensorflow.random import numpy_random
from cornu.tensorflow.seeds import set_seed
from cornu.tensorflow.served import Namespace, functions, nothing, refuse
from cornu.tensorflow.types import DTYPES, DType, as_dtype

__all__ = [
    "UnconnectedGradients",
    "VariableAggregation",
    "VariableSynchronization",
    "autograph",
    "bitwise",
    "compat",
    "config",
    "control_dependencies",
    "debugging",
    "device",
    "distribute",
    "dtypes",
    "executing_eagerly",
    "experimental",
    "get_current_name_scope",
    "get_logger",
    "guarantee_const",
    "init_scope",
    "inside_function",
    "logging",
    "name_scope",
    "nest",
    "no_op",
    "profiler",
    "sysconfig",
    "test",
    "timestamp",
    "version",
]  # fmt: skip

# ---------------------------------------------------------------- devices


class PhysicalDevice(NamedTuple):
    """A processor that JAX computes on."""

    name: str
    device_type: str


def _devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """JAX's devices, all but CPUs reported as GPUs, as scripts expect."""
    kinds = ["CPU", *("GPU" for device in jax.devices() if device.platform != "cpu")]
    named = [PhysicalDevice(f"/physical_device:{kind}:{kinds[:at].count(kind)}", kind) for at, kind in enumerate(kinds)]
    return [device for device in named if device_type in (None, device.device_type)]


def _has_gpu(*args: object, **kwargs: object) -> bool:
    return bool(_devices("GPU"))


def _memory(device: object) -> dict[str, int]:
    """The current and the peak memory usage in bytes, if JAX reports them."""
    stats = jax.devices()[0].memory_stats() or {}
    return {"current": stats.get("bytes_in_use", 0), "peak": stats.get("peak_bytes_in_use", 0)}


def _gpu_name() -> str:
    return "/device:GPU:0" if _has_gpu() else ""


@contextlib.contextmanager
def device(name: object) -> Iterator[None]:
    """Context that names a device; ignored, since JAX places arrays."""
    yield


name_scope = control_dependencies = device
no_op = nothing


@contextlib.contextmanager
def init_scope() -> Iterator[None]:
    """Context that escapes tracing; objects created in it are created once."""
    yield


def get_current_name_scope() -> str:
    """The current name scope, which has no effect."""
    return ""


def guarantee_const(input: Tensor, name: str | None = None) -> Tensor:
    """The tensor as it is."""
    return input


def inside_function() -> bool:
    """Whether the current code is being traced."""
    return not executing_eagerly()


_devices_named = {"list_physical_devices": _devices, "list_logical_devices": _devices}
_settings = dict.fromkeys(
    ["set_memory_growth", "set_visible_devices", "set_logical_device_configuration", "set_soft_device_placement",
     "set_virtual_device_configuration", "enable_op_determinism", "enable_tensor_float_32_execution"],
    nothing,
)  # fmt: skip

config = Namespace(
    "config",
    **_devices_named,
    **_settings,
    LogicalDeviceConfiguration=nothing,
    functions_run_eagerly=functions_run_eagerly,
    get_soft_device_placement=lambda: True,
    get_visible_devices=_devices,
    LogicalDevice=PhysicalDevice,
    PhysicalDevice=PhysicalDevice,
    run_functions_eagerly=run_functions_eagerly,
    experimental_run_functions_eagerly=run_functions_eagerly,
    experimental_functions_run_eagerly=functions_run_eagerly,
    get_logical_device_configuration=nothing,
    experimental=Namespace(
        "config.experimental",
        **_devices_named,
        **_settings,
        VirtualDeviceConfiguration=nothing,
        get_device_details=lambda device: {},
        get_memory_growth=lambda device: False,
        get_memory_info=_memory,
        get_visible_devices=_devices,
        get_memory_usage=lambda device: _memory(device)["current"],
        get_synchronous_execution=lambda: True,
        set_synchronous_execution=nothing,
        enable_mlir_bridge=nothing,
        disable_mlir_bridge=nothing,
        reset_memory_stats=nothing,
    ),
    optimizer=Namespace("config.optimizer", set_jit=nothing, set_experimental_options=nothing),
    threading=Namespace(
        "config.threading",
        set_inter_op_parallelism_threads=nothing,
        set_intra_op_parallelism_threads=nothing,
        get_inter_op_parallelism_threads=lambda: 0,
        get_intra_op_parallelism_threads=lambda: 0,
    ),
)
sysconfig = Namespace("sysconfig", get_build_info=dict)
test = Namespace(
    "test",
    TestCase=testing.TestCase,
    main=testing.main,
    is_cpu_target_available=lambda target: target == "x86",
    is_built_with_rocm=lambda: False,
    is_built_with_xla=lambda: True,
    gpu_device_name=_gpu_name,
    is_built_with_cuda=_has_gpu,
    is_built_with_gpu_support=_has_gpu,
    is_gpu_available=_has_gpu,
)


def executing_eagerly() -> bool:
    """Whether the current code runs eagerly."""
    return not isinstance(jnp.zeros(()) + 1, jax.core.Tracer)


# ---------------------------------------------------------------- logging


def get_logger() -> python_logging.Logger:
    """The logger called "tensorflow"."""
    return python_logging.getLogger("tensorflow")


_logger = get_logger()
logging = Namespace(
    "logging",
    **{level: getattr(python_logging, level) for level in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")},
    debug=_logger.debug, info=_logger.info, warning=_logger.warning, warn=_logger.warning, error=_logger.error,
    set_verbosity=_logger.setLevel, get_verbosity=lambda: _logger.level,
)  # fmt: skip
autograph = Namespace(
    "autograph",
    to_code=lambda entity, *how, **more: inspect.getsource(entity),  # there is no AutoGraph to switch off
    set_verbosity=nothing,
    experimental=Namespace("autograph.experimental", do_not_convert=lambda func=None, *args: func or (lambda f: f)),
)

# ---------------------------------------------------------------- checks


def _checked(holds: AnyFunction, what: str) -> AnyFunction:
    def check(
        *values: object, message: str | None = None, summarize: object = None, name: str | None = None, **more: object
    ) -> None:
        """Raise InvalidArgumentError unless the condition holds; compiled functions are not checked."""
        arrays = [*values, *more.values()]
        if any(isinstance(value, jax.core.Tracer) for value in arrays):
            return
        if not bool(np.all(holds(*map(np.asarray, arrays)))):
            shown = ", ".join(str(np.asarray(value)) for value in arrays)
            raise InvalidArgumentError(
                f"{message or 'The condition does not hold'}: expected {what}. Received: {shown}."
            )

    return check


def assert_that(condition: Tensor, data: Tensor = None, summarize: object = None, name: str | None = None) -> None:
    """Raise InvalidArgumentError unless a condition holds."""
    _checked(lambda held: held, "true")(condition, message=None if data is None else str(data))


def _assert_near(
    x: Tensor, y: Tensor, rtol: float = 1e-5, atol: float = 1e-5, message: str | None = None, summarize: object = None,
    name: str | None = None,
) -> None:  # fmt: skip
    near = _checked(lambda x, y: np.abs(x - y) <= atol + rtol * np.abs(y), "near values")
    near(x, y, message=message)


def _assert_type(tensor: Tensor, tf_type: DType, message: str | None = None, name: str | None = None) -> None:
    found = as_dtype(jnp.asarray(tensor).dtype)
    if found != tf_type:
        raise TypeError(f"{message or 'assert_type'}: expected {tf_type!r}. Received: {found!r}.")


def _assert_shapes(
    shapes: Any, data: object = None, summarize: object = None, message: str | None = None, name: str | None = None
) -> None:
    known: dict[Any, int] = {}
    for tensor, expected in shapes.items() if isinstance(shapes, dict) else shapes:
        found = np.shape(tensor)
        fits = len(found) == len(expected)
        for size, wanted in zip(found, expected, strict=False):
            wanted = size if wanted is None else known.setdefault(wanted, size) if isinstance(wanted, str) else wanted
            fits = fits and size == wanted
        if not fits:
            raise ValueError(f"{message or 'assert_shapes'}: expected {tuple(expected)}. Received: {tuple(found)}.")


CHECKS = {
    "assert_equal": _checked(lambda x, y: x == y, "equal values"),
    "assert_none_equal": _checked(lambda x, y: x != y, "different values"),
    "assert_greater": _checked(lambda x, y: x > y, "greater values first"),
    "assert_greater_equal": _checked(lambda x, y: x >= y, "greater or equal values first"),
    "assert_less": _checked(lambda x, y: x < y, "smaller values first"),
    "assert_less_equal": _checked(lambda x, y: x <= y, "smaller or equal values first"),
    "assert_positive": _checked(lambda x: x > 0, "positive values"),
    "assert_non_negative": _checked(lambda x: x >= 0, "no negative values"),
    "assert_negative": _checked(lambda x: x < 0, "negative values"),
    "assert_near": _assert_near,
    "assert_integer": _checked(lambda x: x.dtype.kind in "iu", "whole numbers"),
    "assert_non_positive": _checked(lambda x: x <= 0, "no positive values"),
    "assert_rank": _checked(lambda x, rank: x.ndim == rank, "this rank"),
    "assert_rank_at_least": _checked(lambda x, rank: x.ndim >= rank, "at least this rank"),
    "assert_rank_in": _checked(lambda x, ranks: x.ndim in ranks, "one of these ranks"),
    "assert_scalar": _checked(lambda x: x.ndim == 0, "no axes"),
    "assert_shapes": _assert_shapes,
    "assert_type": _assert_type,
    "Assert": assert_that,
}


def _check_numerics(tensor: Tensor, message: str, name: str | None = None) -> jax.Array:
    if not isinstance(tensor, jax.core.Tracer) and not bool(ops.all(ops.isfinite(tensor))):
        raise InvalidArgumentError(f"{message}: the tensor contains nonfinite values.")
    return tensor


def _assert_iterable(values: object) -> None:
    if isinstance(values, (str, bytes, jax.Array, np.ndarray)) or not hasattr(values, "__iter__"):
        raise TypeError(f"assert_proper_iterable: expected a list or another iterable. Received: {values!r}.")


debugging = Namespace(
    "debugging",
    **CHECKS,
    assert_all_finite=lambda x, message, name=None: _check_numerics(jnp.asarray(x), message),
    assert_proper_iterable=_assert_iterable,
    check_numerics=_check_numerics,
    disable_check_numerics=nothing,
    disable_traceback_filtering=nothing,
    enable_traceback_filtering=nothing,
    get_log_device_placement=lambda: False,
    set_log_device_placement=nothing,
    enable_check_numerics=nothing,
    is_numeric_tensor=lambda tensor: isinstance(tensor, jax.Array),
)

# ---------------------------------------------------------------- strategies


class Strategy:
    """A strategy with a single replica, with the methods of TensorFlow's strategies."""

    num_replicas_in_sync = 1

    def __init__(self, *args: Any, **kwargs: Any):
        """All arguments name devices."""

    @contextlib.contextmanager
    def scope(self) -> Iterator["Strategy"]:
        """Scope in which models are built."""
        yield self

    def run(self, fn: AnyFunction, args: Args = (), kwargs: Kwargs | None = None, options: object = None) -> Nested:
        """The result of `fn(*args, **kwargs)`."""
        return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op: object, value: Tensor, axis: Axes = None) -> jax.Array:
        """The value of the single replica, or its sum or mean along `axis`."""
        if axis is None:
            return value
        return (ops.mean if "MEAN" in str(reduce_op).upper() else ops.sum)(value, axis)

    def experimental_distribute_dataset(self, dataset: object, options: object = None) -> object:
        """The dataset itself."""
        return dataset

    def distribute_datasets_from_function(self, dataset_fn: AnyFunction, options: object = None) -> Any:
        """The dataset that a function creates for the single process."""
        return dataset_fn(InputContext())

    def gather(self, value: Tensor, axis: int) -> Tensor:
        """The value of the single replica."""
        return value

    def experimental_local_results(self, value: Tensor) -> tuple[Nested, ...]:
        """The value of the single replica."""
        return (value,)


class InputContext(NamedTuple):
    """The single process that reads data."""

    num_input_pipelines: int = 1
    input_pipeline_id: int = 0
    num_replicas_in_sync: int = 1

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        """The whole batch."""
        return global_batch_size


class _NoTPU:
    """A TPU resolver that finds none; JAX detects TPUs itself."""

    def __init__(self, *args: object, **kwargs: object):
        raise ValueError("Please provide a TPU Name to connect to: there is none that TensorFlow could connect to.")

    connect = classmethod(lambda cls, *args: cls(*args))


class ReplicaContext(NamedTuple):
    """The single replica."""

    replica_id_in_sync_group: int = 0
    num_replicas_in_sync: int = 1

    def all_reduce(self, reduce_op: object, value: object, options: object = None) -> Any:
        """The value of the single replica."""
        return value


distribute = Namespace(
    "distribute",
    get_replica_context=ReplicaContext,
    in_cross_replica_context=lambda: False,
    **dict.fromkeys(
        ("MirroredStrategy", "MultiWorkerMirroredStrategy", "OneDeviceStrategy", "Strategy", "TPUStrategy"), Strategy
    ),
    **dict.fromkeys(("HierarchicalCopyAllReduce", "NcclAllReduce", "ReductionToOneDevice", "RunOptions"), nothing),
    InputContext=InputContext,
    InputOptions=nothing,
    cluster_resolver=Namespace("distribute.cluster_resolver", TPUClusterResolver=_NoTPU),
    ReduceOp=Namespace("distribute.ReduceOp", SUM="SUM", MEAN="MEAN"),
    experimental=Namespace(
        "distribute.experimental",
        **dict.fromkeys(("CentralStorageStrategy", "MultiWorkerMirroredStrategy", "TPUStrategy"), Strategy),
        **dict.fromkeys(("CollectiveHints", "CommunicationOptions"), nothing),
    ),
    get_strategy=Strategy,
    has_strategy=lambda: False,
)

# ---------------------------------------------------------------- further names

dtypes = Namespace(
    "dtypes", complex=tensors.TABLE["complex"], **DTYPES, DType=DType, as_dtype=as_dtype, cast=tensors.TABLE["cast"],
    saturate_cast=tensors.TABLE["saturate_cast"],
    experimental_result_type=result_type,
)  # fmt: skip
_jnp_names = {name: value for name, value in vars(jnp).items() if not name.startswith("_")}
experimental = Namespace(
    "experimental",
    async_clear_error=nothing,
    async_scope=init_scope,
    numpy=Namespace(
        "experimental.numpy", **_jnp_names, experimental_enable_numpy_behavior=nothing, random=numpy_random
    ),
    register_filesystem_plugin=nothing,
)


@contextlib.contextmanager
def _profile(logdir: str | os.PathLike[str], options: object = None) -> Iterator[None]:
    with jax.profiler.trace(os.fspath(logdir)):
        yield


@contextlib.contextmanager
def _traced(name: str, **facts: Any) -> Iterator[None]:
    with jax.profiler.TraceAnnotation(name, **facts):
        yield


profiler = Namespace(
    "profiler",
    experimental=Namespace(
        "profiler.experimental",
        Profile=_profile,
        ProfilerOptions=nothing,
        Trace=_traced,
        start=lambda logdir, options=None: jax.profiler.start_trace(os.fspath(logdir)),
        stop=lambda save=True: jax.profiler.stop_trace(),
    ),
)
version = Namespace("version", VERSION="2.21.0", GIT_VERSION="unknown", COMPILER_VERSION="none")
nest = Namespace(
    "nest",
    assert_same_structure=lambda first, second, *how, **more: tree.assert_same_structure(first, second),
    flatten=lambda structure, expand_composites=False: tree.flatten(structure),
    is_nested=tree.is_nested,
    map_structure=lambda func, *structures, **how: tree.map_structure(func, *structures),
    pack_sequence_as=lambda structure, flat_sequence, *how, **more: tree.pack_sequence_as(structure, flat_sequence),
)
bitwise = Namespace(
    "bitwise",
    **functions(
        """
        bitwise_and bitwise_and         x y
        bitwise_or  bitwise_or          x y
        bitwise_xor bitwise_xor         x y
        invert      bitwise_not         x
        left_shift  bitwise_left_shift  x y
        right_shift bitwise_right_shift x y
        """,
        vars(ops),
        "bitwise.",
    ),
)


class Session:
    """A TensorFlow 1 session, which scripts create to configure devices; it has no effect."""

    def __init__(self, target: str = "", graph: object = None, config: object = None):
        """The arguments are ignored."""

    run = property(lambda self: refuse("Session.run"))

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to undo."""

    close = nothing


class ConfigProto:
    """Session settings: all are ignored."""

    def __init__(self, **settings: object):
        self.__dict__.update(settings)

    def __getattr__(self, name: str) -> "ConfigProto":
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__.setdefault(name, ConfigProto())


class _Older(Namespace):
    """TensorFlow 1 names that still exist."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module("cornu.tensorflow"), name)


compat = Namespace(
    "compat",
    as_str_any=lambda value, encoding="utf-8": value.decode(encoding) if isinstance(value, bytes) else str(value),
    forward_compatible=lambda *date: True,
    dimension_at_index=lambda shape, index: shape[index],
    dimension_value=lambda dimension: dimension,
    path_to_str=os.fspath,
    as_bytes=lambda value, encoding="utf-8": value if isinstance(value, bytes) else value.encode(encoding),
    as_str=lambda value, encoding="utf-8": value.decode(encoding) if isinstance(value, bytes) else value,
    as_text=lambda value, encoding="utf-8": value.decode(encoding) if isinstance(value, bytes) else value,
    v2=_Older("compat.v2"),
    v1=_Older(
        "compat.v1",
        **dict.fromkeys(("ConfigProto", "GPUOptions", "OptimizerOptions", "RunOptions"), ConfigProto),
        **dict.fromkeys(("InteractiveSession", "Session"), Session),
        **dict.fromkeys(
            (
                "disable_eager_execution",
                "disable_v2_behavior",
                "enable_eager_execution",
                "enable_v2_behavior",
                "enable_v2_tensorshape",
                "reset_default_graph",
            ),
            nothing,
        ),
        executing_eagerly=executing_eagerly,
        get_logger=get_logger,
        logging=logging,
        random=Namespace("compat.v1.random", set_random_seed=set_seed),
        set_random_seed=set_seed,
    ),
)
UnconnectedGradients = Namespace("UnconnectedGradients", NONE="none", ZERO="zero")
VariableAggregation = Namespace(
    "VariableAggregation", NONE="none", SUM="sum", MEAN="mean", ONLY_FIRST_REPLICA="only_first_replica"
)
VariableSynchronization = Namespace(
    "VariableSynchronization", AUTO="auto", NONE="none", ON_READ="on_read", ON_WRITE="on_write"
)
