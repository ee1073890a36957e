"""What differs from Keras on purpose: what is seen of it when both run, and the reason (`docs/differences.md`)."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.differential.compare import Found

_Seen = Callable[[Found], bool]
_END = "'end of data', "
_SHAPE = re.compile(r"\((None|\d+)[^)]*\)|\?|[\[\](), │┃━─]")  # in a table, with the space around it
_COUNTED = re.compile(r" *(Total|Optimizer) params:.*")
_NUMBERED = re.compile(r"has (\['\w+_\d+'(, '\w+_\d+')*\])$")
_LEFT_OUT = ("has ['delta']", "has ['axis']", "has ['from_sorted_ids']")
_NOTED = ("has ['mask']", "has ['training']", "has ['mask', 'training']")
_BEGUN = re.compile(r"'hook on_(\w+)_batch_begin', (?='hook on_(?:\1_end|test_begin|epoch_end))")  # and none ended


@dataclass(frozen=True)
class Row:
    """A difference on purpose.

    Args:
        name: what the page says in bold.
        reason: the rest of what it says.
        seen: whether a disagreement is this one; None where programs show nothing of it.
    """

    name: str
    reason: str
    seen: _Seen | None = None


TABLE = [
    Row(
        "Labels that would only broadcast are refused.",
        "Keras's `mse` on labels of shape `(n,)` and predictions of shape `(n, 3)` trains on nonsense; cornu says "
        "which of the two is wrong.",
    ),
    Row(
        "`evaluate` returns every number once,",
        "in the order of `metrics_names`: the loss, the outputs' losses, the metrics.",
        lambda f: f.label == "state" and f.place.startswith(".metrics"),
    ),
    Row(
        "Batches depend on the seed and the epoch alone,",
        "so a training that goes on at epoch 7 sees what an unbroken one would have seen.",
    ),
    Row(
        "Changing `trainable` after `compile` is an error",
        "until `compile` is called again, instead of being half obeyed.",
        lambda f: f.ours_refuse("trainable"),
    ),
    Row(
        "`compile` starts afresh:",
        "Keras goes on showing the metrics of an earlier `compile` where the new one names none.",
    ),
    Row(
        "Weights of a model that was trained with another optimizer load,",
        "with a warning; an optimizer that was not used yet takes the state that the file holds.",
    ),
    Row("", 'Off a terminal, `verbose="auto"` writes one line an epoch.'),
    Row(
        "What could not be read back is not written:",
        "Keras saves models of one's own classes as `.h5`, and then does not load them.",
        lambda f: f.ours_refuse("an .h5 file holds Sequential and functional models"),
    ),
    Row(
        "More files open:",
        "`.h5` files of models with operations, for one.",
        lambda f: f.verb == "save" and (f.theirs_refuse("Unknown layer") or f.theirs_refuse("positional arguments")),
    ),
    Row(
        "Operations in `.h5` files stay operations;",
        "Keras reads them as the layers of the same name, where there are any.",
        lambda f: f.verb == "save" and f.label == "state" and f.place.startswith(".layers"),
    ),
    Row(
        'Files say `jit_compile="auto"`',
        "where that was asked for, and so leave the choice to where the model is loaded.",
        lambda f: f.place.endswith("compile_config.jit_compile (kind)") and f.ours == "str auto",
    ),
    Row(
        "Files note the default mode of a call",
        "also where a mask is given by hand, or where a call converts what it takes; Keras reads it as it reads its "
        "own.",
        lambda f: f.place.endswith(".kwargs (keys)") and f.ours in _NOTED and f.theirs == "has []",
    ),
    Row(
        "Models nest without leaks:",
        "several ways of putting models with state into one another end in JAX's UnexpectedTracerError in Keras.",
        lambda f: f.theirs_refuse("UnexpectedTracerError"),
    ),
    Row(
        "Models come apart at any layer,",
        "also at a model inside, whose output Keras finds disconnected; and sizes that are not known pass through "
        "recurrent layers in subclassed models.",
        lambda f: f.theirs_refuse("is not connected to `inputs`") or f.theirs_refuse("Could not automatically infer"),
    ),
    Row(
        "What `.h5` files hold of an optimizer is read,",
        "where Keras leaves the momenta behind.",
        lambda f: f.verb == "save" and f.place == ".optimizer (length)" and f.theirs.startswith("2 "),
    ),
    Row(
        "Every output's loss and metric is shown:",
        "of two by one name the second has a number, where Keras shows the last alone.",
        lambda f: f.place.endswith("(keys)") and bool(_NUMBERED.match(f.ours)) and f.theirs == "has []",
    ),
    Row(
        "A mask of time steps blanks steps in `Softmax`;",
        "Keras refuses it, or lays it on the features.",
        lambda f: f.theirs_refuse("must be broadcastable to `inputs`"),
    ),
    Row(
        "Operations ask for the default type when they run:",
        "a graph with `ops.one_hot` follows `floatx`, which Keras writes into its file.",
        lambda f: f.place.endswith(".config.dtype (kind)") and f.ours == "NoneType None",
    ),
    Row(
        "A `Sequential` without an `Input` takes what its first batch held,",
        "whole numbers too, which Keras writes down as floats.",
        lambda f: f.place.endswith("layers[0].config.dtype") and f.ours in ("int32", "float32"),
    ),
    Row(
        "A data set hears of the end of each epoch once,",
        "and not when a first batch is looked at before training, as in Keras.",
        lambda f: (
            f.label == "order"
            and f.theirs.replace(_END, "") == f.ours.replace(_END, "")
            and f.theirs.count(_END) > f.ours.count(_END)
        ),
    ),
    Row(
        "Callbacks hear of the batches that are there;",
        "Keras announces one more at the end of a generator.",
        lambda f: f.label == "order" and _BEGUN.sub("", f.theirs.replace(_END, "")) == f.ours.replace(_END, ""),
    ),
    Row(
        "Weights of rows go with masks of time steps:",
        "in Keras they do not fit together, or fall on the steps where there are as many of those.",
        lambda f: f.theirs_refuse("Incompatible shapes for broadcasting"),
    ),
    Row(
        "Weights of half precision start as others do:",
        "Keras cannot make orthogonal ones in bfloat16.",
        lambda f: f.theirs_refuse("Unsupported dtype bfloat16") or f.theirs_refuse("is already initialized"),
    ),
    Row(
        "A loaded model's weights have the paths that they had,",
        "with the names of the parts around; Keras leaves those out of parts that a file builds one by one.",
        lambda f: f.label == "state" and f.place.startswith(".paths") and f.ours.endswith(f"/{f.theirs}"),
    ),
    Row(
        "`RMSNormalization` passes masks on,",
        "as the other normalizations do, and `MultiHeadAttention` heeds a `query_mask` that is given by hand; Keras "
        "drops both.",
    ),
    Row(
        "`training=False` in a graph holds in `fit`,",
        "as the guide to transfer learning says; Keras trains the moving averages of such a `BatchNormalization` as "
        "long as it is not frozen.",
    ),
    Row(
        "`training=True` given to one layer is that layer's,",
        "and what comes after it in the model does as the model was told; Keras lets it reach on.",
    ),
    Row(
        "A `validation_split` of a folder that leaves no file to validate with is refused;",
        "Keras then validates with all.",
    ),
    Row(
        "A generator that has run out ends the training,",
        "with a warning; Keras goes on with its very first batch alone, epoch after epoch.",
        lambda f: (
            (f.label == "history" and f.place.endswith("(length)") and f.ours.startswith("1 "))
            or (f.label == "order" and f.theirs.count("on_epoch_begin") > f.ours.count("on_epoch_begin") == 1)
        ),
    ),
    Row(
        "A summary shows the shapes that are known,",
        "also of layers without weights and of models inside subclassed ones, where Keras shows `?` or `None`.",
        lambda f: f.label == "summary" and _SHAPE.sub("", f.ours) == _SHAPE.sub("", f.theirs),
    ),
    Row(
        "An optimizer has its variables from the first step of training on,",
        "in summaries as well; `evaluate` of Keras makes them.",
        lambda f: f.label == "summary" and _COUNTED.sub("", f.ours).split() == _COUNTED.sub("", f.theirs).split(),
    ),
    Row(
        "Stateful recurrent layers keep their state from batch to batch",
        "in `fit`, `evaluate` and `predict`; on JAX, Keras loses it.",
    ),
    Row(
        "Symbolic tensors of whole numbers keep their type",
        "through `ReLU`, pooling, `Dropout` and their like, as the numbers do; Keras says float32 of them.",
        lambda f: f.place.endswith(".dtype") and f.theirs == "float32" and "int" in str(f.ours),
    ),
    Row(
        "Attributes stay the objects that they are:",
        "Keras puts copies in the place of lists and dictionaries, in which a later change of the original does not "
        "show.",
    ),
    Row(
        "Configs hold every argument,",
        "`Huber`'s `delta`, the `axis` of `CosineSimilarity` and `SparseCategoricalCrossentropy`, `RandomGrayscale`'s "
        "`seed` and `MaxNumBoundingBoxes`' `fill_value` too, and `RandomShear`'s factors as the class takes them.",
        lambda f: f.place.endswith(".config (keys)") and f.ours in _LEFT_OUT and f.theirs == "has []",
    ),
    Row(
        "Boxes stay around what they were around:",
        "`utils.bounding_boxes.affine_transform` of Keras has a sign wrong where `shear_x` meets a rotation or "
        "`shear_y`.",
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
        "What stops a training takes nothing with it:",
        "on JAX, Keras's weights and optimizer may be gone after an error or Ctrl-C.",
        lambda f: f.place == ".lost" or f.theirs_refuse("has been deleted"),
    ),
    Row(
        "NumPy's integers are taken wherever an integer is,",
        "and True and False nowhere; Keras refuses the one as `units` and takes the other.",
    ),
]


def on_purpose(found: Found) -> Row | None:
    """The row of the table that a disagreement is, if any."""
    return next((row for row in TABLE if row.seen is not None and row.seen(found)), None)


def told() -> str:
    """The list that the page holds."""
    return "\n".join(f"- **{row.name}** {row.reason}" if row.name else f"- {row.reason}" for row in TABLE)
