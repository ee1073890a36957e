"""What differs from Keras on purpose: how it shows when both run, and the reason (`docs/differences.md`)."""

import ast
import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.differential.compare import Found

_Seen = Callable[[Found], bool]
_END = "'end of data'"
_SHAPES = re.compile(r"\[0\]\[\d+\]\[1\]$")  # the place of an output's shape in a summary
_LEADING = re.compile(r"\[0\]\[\d+\]\[3\]$")  # the place of what leads to a part in a summary
_NUMBER = re.compile(r"_\d+\b")  # of an automatic name
_CALL = re.compile(r"\[\d+\]")  # the number of a call in a summary
# The place of what leads to a call, or out of a model, in a config.
_HISTORY = re.compile(r"(\.keras_history\[\d\]|\.output_layers(\[\d+\])+)( \(value\))?$")
_CAST = re.compile(r"cast(_\d+)?")  # the automatic names of `ops.cast`
_COUNTED = re.compile(r"(Total|Optimizer) params: ([\d,]+) \(.*\)")
_NUMBERED = re.compile(r"has (\['\w+_\d+'(, '\w+_\d+')*\])$")
_LEFT_OUT = ("has ['delta']", "has ['axis']", "has ['from_sorted_ids']")
_NOTED = ("has ['mask']", "has ['training']", "has ['mask', 'training']")
_CANNOT_LOAD = (
    "Unknown layer", "positional argument", "passed to stage at position 0", "Could not deserialize 'keras.metrics.",
    "Received: score_mode=<function dot",
)  # fmt: skip
_GONE = ("has been deleted", "'NoneType' object is not callable")  # what Keras says of a weight
# A batch that is begun, and none that ends.
_BEGUN = re.compile(r"'hook on_(\w+)_batch_begin', (?=(?:'lambda', )?'hook on_(?:\1_end|test_begin|epoch_end))")


def _called(seen: str) -> str:
    """What was seen, without how often a data set heard of the end of an epoch."""
    return seen.replace(f"{_END}, ", "").replace(f", {_END}", "").replace(_END, "")


def _names(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def _without_numbered(found: Found) -> list[str]:
    """The names of a list in cornu, less those that are a name of Keras's list with a number."""
    theirs = _names(found.theirs)
    return [name for name in _names(found.ours) if name in theirs or re.sub(r"_\d+$", "", name) not in theirs]


def _named_at_last(found: Found) -> bool:
    """Whether cornu's names are Keras's, in which one word stands for all metrics, and then those of the metrics."""
    ours, theirs = found.ours.split(), found.theirs.split()
    outer = [name for name in theirs if name != "compile_metrics"]
    return "compile_metrics" in theirs and ours[: len(outer)] == outer


def _once(found: Found) -> bool:
    """Whether Keras's numbers are cornu's in their order, some of which come again."""
    ours, theirs = ([float(n) for n in re.findall(r"[^][, ]+", text)[1:]] for text in (found.ours, found.theirs))
    near = functools.partial(math.isclose, rel_tol=6e-2 if "float16" in found.text else 1e-3, abs_tol=1e-6)
    left = iter(theirs)
    return all(any(near(a, b) for b in left) for a in ours) and all(any(near(a, b) for a in ours) for b in theirs)


def _counted(totals: str) -> tuple[int, list[str]]:
    """The total under a summary without the optimizer's part, and the other words."""
    counts = {kind: int(count.replace(",", "")) for kind, count in _COUNTED.findall(totals)}
    return counts["Total"] - counts.get("Optimizer", 0), _COUNTED.sub("", totals).split()


def _tells_more(ours: str, theirs: str) -> bool:
    """Whether shapes are the same but for sizes that Keras shows as `None`, or whole shapes as `?`."""
    ours, theirs = (re.findall(r"None|\d+|\?", shapes) for shapes in (ours, theirs))
    same = len(ours) == len(theirs) and all(b in (a, "None") for a, b in zip(ours, theirs, strict=True))
    return same or "?" in theirs


def _alike(found: Found) -> bool:
    """Whether two pieces of text are the same but for the numbers in automatic names."""
    return not found.place.endswith(")") and _NUMBER.sub("", found.ours) == _NUMBER.sub("", found.theirs)


def _renumbered(found: Found) -> bool:
    """Whether two lists of what leads to a part are the same but for which call of a layer gave it."""
    if found.label == "summary" and _LEADING.search(found.place):
        return _CALL.sub("", found.ours) == _CALL.sub("", found.theirs)
    return found.label in ("config", "json") and bool(_HISTORY.search(found.place))


def _parts(seen: str) -> list[str]:
    """The names of a model's parts in the layers of a config or the rows of a summary."""
    return [part["name"] if isinstance(part, dict) else part[0] for part in ast.literal_eval(seen.partition(" ")[2])]


def _shows_masks(found: Found) -> bool:
    """Whether cornu's summary or config is Keras's, but for operations that Keras leaves out, which make masks."""
    if found.label in ("summary", "config", "json") and _alike(found):
        return True
    if found.label == "summary" and _LEADING.search(found.place):
        return set(found.theirs.split(", ")) < set(found.ours.split(", "))
    if not ((found.label == "summary" and found.place == "[0] (length)") or found.place.endswith(".layers (length)")):
        return False
    ours, theirs = _parts(found.ours), _parts(found.theirs)
    return [name for name in ours if name in theirs] == theirs


@dataclass(frozen=True)
class Row:
    """A difference on purpose.

    Args:
        name: what the page says in bold.
        reason: the rest of what it says.
        seen: whether a disagreement is this one; None where programs show nothing of it.
        ends: whether nothing after it can be compared.
    """

    name: str
    reason: str
    seen: _Seen | None = None
    ends: bool = False


TABLE = [
    Row(
        "Labels that would only broadcast are refused.",
        "Keras's `mse` on labels of shape `(n,)` and predictions of shape `(n, 3)` trains on nonsense; cornu says "
        "which of the two is wrong.",
    ),
    Row(
        "`evaluate` returns every number once,",
        "in the order of `metrics_names`: the loss, the outputs' losses, the metrics. Keras's `metrics_names` say "
        "`compile_metrics` for all metrics, and of two with one name its list has the first twice.",
        lambda f: (
            (f.label == "state" and f.place == ".metrics" and _named_at_last(f))
            or (f.label == "evaluate" and f.place == "[0] (length)" and _once(f))
        ),
    ),
    Row(
        "Batches depend only on the seed and the epoch,",
        "so training resumed at epoch 7 sees what an uninterrupted run would have seen.",
    ),
    Row(
        "Changing `trainable` after `compile` is an error",
        "until `compile` is called again, instead of taking effect only in part.",
        lambda f: f.ours_refuse("After changing `trainable`"),
    ),
    Row(
        "`compile` starts afresh:",
        "Keras keeps showing the metrics of an earlier `compile` if the new one names none.",
    ),
    Row(
        "Weights of a model that was trained with a different optimizer load,",
        "with a warning; an optimizer that has not been used yet takes the state from the file.",
    ),
    Row("", 'Off a terminal, `verbose="auto"` writes one line an epoch.'),
    Row(
        "What could not be read back is not written:",
        "Keras saves models of custom classes as `.h5`, and then cannot load them.",
        lambda f: f.ours_refuse(".h5 files support Sequential and functional models"),
    ),
    Row(
        "More files load:",
        "`.h5` files of models with operations, for example, or with weights in bfloat16.",
        lambda f: f.verb in ("save", "checkpoint") and any(map(f.theirs_refuse, _CANNOT_LOAD)),
    ),
    Row(
        "Operations in `.h5` files stay operations;",
        "Keras reads them as layers of the same name if such layers exist.",
        lambda f: f.verb == "save" and f.label == "state" and f.place.startswith(".layers"),
    ),
    Row(
        'Files say `jit_compile="auto"`',
        "if that was requested, and so leave the choice to the machine that loads the model.",
        lambda f: f.place.endswith("compile_config.jit_compile (kind)") and f.ours == "str auto",
    ),
    Row(
        "Files record the default mode and the mask of a call",
        "also where a mask is passed by hand, or where a call converts its input, whose mask is then in the summary, "
        "too; Keras reads such files like its own.",
        lambda f: (
            (f.place.endswith(".kwargs (keys)") and f.ours in _NOTED and f.theirs == "has []")
            or ("float16" in f.text and _shows_masks(f))
        ),
    ),
    Row(
        "Models nest without leaks:",
        "several ways of nesting models with state end in JAX's UnexpectedTracerError in Keras.",
        lambda f: f.theirs_refuse("UnexpectedTracerError"),
    ),
    Row(
        "Models can be cut at any layer,",
        "including at a nested model, whose output Keras considers disconnected; and unknown sizes pass through "
        "recurrent layers in subclassed models.",
        lambda f: f.theirs_refuse("is not connected to `inputs`") or f.theirs_refuse("Could not automatically infer"),
    ),
    Row(
        "The optimizer's state in `.h5` files is read in full,",
        "where Keras leaves the momenta behind, and the steps of the optimizer in a `LossScaleOptimizer`, and refuses "
        "to train a model that was saved before its first step.",
        lambda f: (
            (f.verb == "save" and f.place == ".optimizer (length)" and f.theirs.startswith("2 "))
            or (f.verb == "save" and f.ours == "has ['optimizer']" and "LossScaleOptimizer(" in f.text)
            or f.theirs_refuse("the optimizer was built with 0 variables")
        ),
    ),
    Row(
        "Every output's loss and metric is shown:",
        "of two with the same name the second gets a number, where Keras shows only the last.",
        lambda f: (
            (f.place.endswith("(keys)") and bool(_NUMBERED.match(f.ours)) and f.theirs == "has []")
            or (
                f.label.startswith(("history", "hook ", "lambda"))
                and f.place == "[1] (length)"
                and _without_numbered(f) == _names(f.theirs)
            )
        ),
    ),
    Row(
        "A time-step mask blanks steps in `Softmax`;",
        "Keras refuses it, or applies it to the features.",
        lambda f: f.theirs_refuse("must be broadcastable to `inputs`"),
    ),
    Row(
        "Operations look up the default dtype when they run:",
        "a graph with `ops.one_hot` follows `floatx`, which Keras writes into its file.",
        lambda f: f.place.endswith(":OneHot.config.dtype (kind)") and f.ours == "NoneType None",
    ),
    Row(
        "A `Sequential` without an `Input` takes the dtype of its first batch,",
        "integers included, which Keras records as floats.",
        lambda f: f.place.endswith("layers[0]:InputLayer.config.dtype") and "int32" in (f.ours, f.theirs),  # whose file
    ),
    Row(
        "A `Sequential` of one built model is built at once,",
        "like one with more layers; Keras waits for its first call, and records its rows as the batch size.",
    ),
    Row(
        "A dataset's `on_epoch_end` is called once per epoch,",
        "and not when a first batch is inspected before training, as in Keras.",
        lambda f: (
            f.label == "order" and _called(f.theirs) == _called(f.ours) and f.theirs.count(_END) > f.ours.count(_END)
        ),
    ),
    Row(
        "The gradient at a vector of zeros that is normalized is finite,",
        "in `UnitNormalization`, `ops.normalize`, `Dot(normalize=True)` and cosine similarity; in Keras it is NaN, and "
        "so are the weights after the step.",
        lambda f: any(map(f.theirs_is_nan, ("UnitNormalization(", "normalize=True", "cosine_similarity"))),
        ends=True,
    ),
    Row(
        "`BatchNormalization` takes a mask with a single channel;",
        "on JAX, Keras fails on one in training.",
        lambda f: f.theirs_refuse("calling BatchNormalization.call") and "tuple index out of range" in f.theirs,
    ),
    Row(
        "Metrics keep their names through `.h5` files,",
        'such as "mae", so that callbacks that watch `val_mae` still find it; Keras then shows `mean_absolute_error`.',
    ),
    Row(
        "Callbacks are called only for batches that exist;",
        "Keras announces one more at the end of a generator.",
        lambda f: (
            f.label == "order"
            and _BEGUN.sub("", _called(f.theirs)) == _called(f.ours)
            and f.theirs.count(_END) >= f.ours.count(_END)
        ),
    ),
    Row(
        "Sample weights combine with time-step masks:",
        "in Keras their shapes clash, or the weights fall on the steps if there are as many of those.",
        lambda f: f.theirs_refuse("Incompatible shapes for broadcasting"),
    ),
    Row(
        "A mask of another length than the steps is refused when a model is built;",
        "Keras builds it, and fails on the first batch.",
    ),
    Row(
        "`SpatialDropout1D`, `2D` and `3D` keep a mixed dtype policy in their configs,",
        "where Keras writes float32.",
    ),
    Row(
        "`CategoryEncoding` gives the dtype that it says,",
        "bfloat16 under a mixed policy, where Keras says bfloat16 and gives float32.",
    ),
    Row(
        "Half-precision weights are initialized like others:",
        "Keras cannot make orthogonal ones in bfloat16.",
        lambda f: f.theirs_refuse("Unsupported dtype bfloat16") or f.theirs_refuse("is already initialized"),
    ),
    Row(
        "A loaded model's weights keep their paths,",
        "including the names of the enclosing parts; Keras omits those for parts that a file builds one by one.",
        lambda f: f.label == "state" and f.place.startswith(".paths") and f.ours.endswith(f"/{f.theirs}"),
    ),
    Row(
        "The calls of a layer keep their order in a copy,",
        "and so their numbers in summaries and configs; Keras's `clone_model` may number them anew.",
        lambda f: "clone_model(" in f.text and _renumbered(f),
    ),
    Row(
        "A frozen `Sequential` is read back frozen,",
        "as its file or config says; in Keras it is trainable, though none of its layers is.",
        lambda f: (
            (f.place.endswith(":Sequential.config.trainable") and (f.ours, f.theirs) == ("False", "True"))
            or (f.label == "summary" and (f.ours, f.theirs) == ("N", "Y") and "K.Sequential(" in f.text)
        ),
    ),
    Row(
        "`RMSNormalization` passes masks on,",
        "as the other normalizations do, and `MultiHeadAttention` respects a `query_mask` passed by hand; Keras "
        "drops both.",
    ),
    Row(
        "`TimeDistributed` passes on the masks of the layer inside,",
        "such as that of an `Embedding(mask_zero=True)`; Keras 3 drops them, so that a recurrent layer reads the "
        "padding.",
    ),
    Row(
        "`a == b` of two symbolic tensors compares values in the graph;",
        "only as a truth value, as in `a in tensors`, does it compare the objects, which is all it does in Keras.",
    ),
    Row(
        "`class_weight` and `sample_weight` may both be given,",
        "and are multiplied; Keras refuses the two at once.",
    ),
    Row(
        "A `TimeDistributed` in bfloat16 computes in bfloat16,",
        "as it says, also where the layer inside keeps float32 weights; Keras then gives float32, and reports "
        "bfloat16. The same holds for the other wrappers.",
    ),
    Row(
        "`training=False` in a graph holds in `fit`,",
        "as the guide to transfer learning says; Keras updates the moving averages of such a `BatchNormalization` "
        "unless it is frozen.",
    ),
    Row(
        "`training=True` passed to one layer applies to that layer only,",
        "and later layers follow the model's mode; Keras lets it spread to them.",
    ),
    Row(
        "`class_weight` works with Python generators as well,",
        "which Keras refuses.",
        lambda f: f.theirs_refuse("`class_weight` is not supported for Python generator"),
    ),
    Row(
        "A slice along an unknown axis has a known length if it says so:",
        "`x[:, :1]` has one step, where Keras knows none.",
        lambda f: (
            "[:, :1]" in f.text
            and (
                (f.ours.startswith("int ") and f.theirs == "NoneType None" and "shape" in f.label + f.place)
                or f.theirs_refuse("must be fully-defined (no `None` dimensions)")
            )
        ),
    ),
    Row(
        "The length of a mask fixes an unknown number of steps,",
        "in the shape of what a recurrent layer gives; Keras leaves it open.",
    ),
    Row(
        "Each output of a layer is its own",
        "where its `compute_output_spec` names one symbolic tensor for several; Keras gives the last for all.",
    ),
    Row(
        "A `validation_split` of a folder that leaves no files for validation is refused;",
        "Keras then validates on all of them.",
    ),
    Row(
        "A generator that is exhausted ends the training,",
        "with a warning; Keras continues with its very first batch alone, epoch after epoch.",
    ),
    Row(
        "Every epoch has `steps_per_epoch` steps,",
        "even if the data end in the middle of one, which then continues from their start; Keras's epoch ends there.",
    ),
    Row(
        "`steps_per_epoch` is not rounded up",
        "to a multiple of `steps_per_execution`, as it is in Keras.",
    ),
    Row(
        "An interrupted training leaves what its last step gave,",
        "from which it goes on; Keras puts the moving averages of `use_ema` in the place of the weights.",
    ),
    Row(
        "Every call of a layer adds its activity penalty to the loss,",
        "in training as in `losses`; Keras trains on that of the last call alone.",
    ),
    Row(
        "A summary shows every shape that is known,",
        "including those of layers without weights and of models inside subclassed ones, where Keras shows `?` or "
        "`None`.",
        lambda f: f.label == "summary" and bool(_SHAPES.match(f.place)) and _tells_more(f.ours, f.theirs),
    ),
    Row(
        "Automatic names count what a script makes:",
        "in Keras, casts of layers' inputs count as well, so that the first `ops.cast` of a graph may be `cast_1`.",
        lambda f: (
            (f.label in ("config", "json") and all(map(_CAST.fullmatch, (f.ours, f.theirs))))
            or (f.label == "summary" and _CAST.sub("cast", f.ours) == _CAST.sub("cast", f.theirs))
        ),
    ),
    Row(
        "An optimizer creates its variables in the first training step,",
        "which summaries show; in Keras, `evaluate` creates them.",
        lambda f: f.label == "totals" and _counted(f.ours) == _counted(f.theirs),
    ),
    Row(
        "Stateful recurrent layers keep their state from batch to batch",
        "in `fit`, `evaluate` and `predict`; on JAX, Keras loses it.",
    ),
    Row(
        "Symbolic integer tensors keep their dtype",
        "through `ReLU`, pooling, `Dropout` and the like, as the values do; Keras reports float32 for them.",
        lambda f: f.place.endswith(".dtype") and f.theirs == "float32" and "int" in str(f.ours),
    ),
    Row(
        "Attributes remain the objects that were assigned:",
        "Keras replaces lists and dictionaries by copies, which do not follow later changes of the original.",
    ),
    Row(
        "Configs hold every argument,",
        "`Huber`'s `delta`, the `axis` of `CosineSimilarity` and `SparseCategoricalCrossentropy`, `RandomGrayscale`'s "
        "`seed` and `MaxNumBoundingBoxes`' `fill_value` too, and `RandomShear`'s factors as the class takes them.",
        lambda f: f.place.endswith(".config (keys)") and f.ours in _LEFT_OUT and f.theirs == "has []",
    ),
    Row(
        "Configs of custom layers leave out the defaults of `Layer`,",
        "where Keras writes `activity_regularizer` and `autocast` for a class without a constructor.",
        lambda f: f.place.endswith(".config (keys)") and f.theirs == "has ['activity_regularizer', 'autocast']",
    ),
    Row(
        "Boxes stay around their objects:",
        "`utils.bounding_boxes.affine_transform` of Keras has a wrong sign where `shear_x` is combined with a "
        "rotation or `shear_y`.",
    ),
    Row(
        "Masks are drawn up to the highest class,",
        "as documented; Keras's `draw_segmentation_masks` leaves it out.",
    ),
    Row(
        "`MultiHeadAttention` takes a `value_dim` other than its `key_dim`;",
        "on JAX, Keras fails on one.",
        lambda f: f.theirs_refuse("calling MultiHeadAttention.call") and "cannot reshape array" in f.theirs,
    ),
    Row(
        "What cannot work is refused before training starts,",
        "and callbacks are not called; Keras notices labels of a wrong size in the first step.",
        lambda f: f.label == "order" and f.place == ".refused early",
    ),
    Row(
        "Whatever stops a training run destroys nothing:",
        "on JAX, Keras's weights and optimizer may be gone after an error or Ctrl-C.",
        lambda f: f.place == ".lost" or any(map(f.theirs_refuse, _GONE)),
    ),
    Row(
        "A batch of any size is computed on several devices:",
        "one that they cannot share evenly, such as the last, is computed whole on each of them, with the "
        "numbers of one device; in Keras it ends in an error of JAX.",
    ),
    Row(
        "Distributions refuse what they would not use:",
        "unknown arguments, a `batch_dim_name` that is no axis of the mesh, a mesh other than that of the "
        "`LayoutMap`, and anything but a distribution in `set_distribution`, all of which Keras accepts.",
    ),
    Row(
        "A `LayoutMap` tells which paths it knows:",
        "`path in layouts` asks for a key, and `layouts.get(path, default)` gives the default if no key "
        "matches; in Keras every path is in the map, and the default is ignored.",
    ),
    Row(
        "NumPy integers are accepted wherever an integer is,",
        "and True and False nowhere; Keras refuses the former as `units` and accepts the latter.",
    ),
    Row(
        "The seed of an initializer or a `Dropout` draws other values,",
        "of the same distribution and the same at every run: initial weights come from NumPy's generator, for which "
        "nothing is compiled. The functions of `keras.random` draw Keras's values, except for `dropout`.",
    ),
]


def on_purpose(found: Found) -> Row | None:
    """The row of the table that a disagreement is, if any."""
    return next((row for row in TABLE if row.seen is not None and row.seen(found)), None)


def told() -> str:
    """The list that the page holds."""
    return "\n".join(f"- **{row.name}** {row.reason}" if row.name else f"- {row.reason}" for row in TABLE)
