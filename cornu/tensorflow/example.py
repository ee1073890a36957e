"""`tf.train.Example` and its parts: a dictionary of lists, as stored in TFRecord files."""

from cornu.tensorflow.messages import MANY_BYTES, MANY_FLOAT, MANY_INT64, Many, Message, Named, One

__all__ = [
    "BytesList", "Example", "Feature", "FeatureList", "FeatureLists", "Features", "FloatList", "Int64List",
    "SequenceExample",
]  # fmt: skip


class BytesList(Message):
    """Bytes: `value`."""

    FIELDS = {"value": (1, MANY_BYTES)}


class FloatList(Message):
    """32-bit floats: `value`."""

    FIELDS = {"value": (1, MANY_FLOAT)}


class Int64List(Message):
    """Integers: `value`."""

    FIELDS = {"value": (1, MANY_INT64)}


class Feature(Message):
    """One of three lists: `bytes_list`, `float_list` or `int64_list`."""

    FIELDS = {"bytes_list": (1, One(BytesList)), "float_list": (2, One(FloatList)), "int64_list": (3, One(Int64List))}


class Features(Message):
    """Lists by name: `feature`."""

    FIELDS = {"feature": (1, Named(Feature))}


class Example(Message):
    """One example: `features`.

    Example:

        number = tf.train.Feature(int64_list=tf.train.Int64List(value=[3]))
        example = tf.train.Example(features=tf.train.Features(feature={"label": number}))
        print(tf.train.Example.FromString(example.SerializeToString()))
    """

    FIELDS = {"features": (1, One(Features))}


class FeatureList(Message):
    """A list of lists: `feature`."""

    FIELDS = {"feature": (1, Many(Feature))}


class FeatureLists(Message):
    """Lists of lists by name: `feature_list`."""

    FIELDS = {"feature_list": (1, Named(FeatureList))}


class SequenceExample(Message):
    """An example with steps: lists in `context`, and lists of lists in `feature_lists`."""

    FIELDS = {"context": (1, One(Features)), "feature_lists": (2, One(FeatureLists))}
