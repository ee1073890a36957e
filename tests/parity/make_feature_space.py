"""What real Keras makes of feature spaces, written to `tests/files/feature_space.zip`; its spaces need TensorFlow.

python tests/parity/make_feature_space.py    # with keras and tensorflow installed
"""

import json
import tempfile
import zipfile
from pathlib import Path

ZIP = Path(__file__).parents[1] / "files" / "feature_space.zip"

TABLE = {
    "number": [0.0, 0.1, 0.2, 0.3],
    "text": ["zero", "one", "two", "three"],
    "integer": [0, 1, 2, 2],
}
WORDS = {"words": ["1st string", "2nd string", "3rd string"]}


def spaces(library):
    """Feature spaces by name, and the tables that they learn from."""
    space = library.utils.FeatureSpace
    layers = library.layers
    learnt = {"number": "float_normalized", "text": "string_categorical", "integer": "integer_categorical"}
    every = {
        "number": space.float_discretized(3), "text": space.string_hashed(5), "integer": space.integer_hashed(4),
    }  # fmt: skip
    few = {
        "number": space.float_rescaled(2.0, 1.0), "text": space.string_categorical(num_oov_indices=2),
        "integer": space.integer_categorical(max_tokens=3),
    }  # fmt: skip
    integers = {
        "number": "float", "text": space.string_categorical(output_mode="int"),
        "integer": space.integer_categorical(output_mode="int"),
    }  # fmt: skip
    pair = ("text", "integer")
    words = {"words": space.feature("string", layers.TextVectorization(output_mode="tf_idf"), "float")}
    return {
        "learnt": (space(learnt, crosses=[pair], crossing_dim=5, name="learnt"), TABLE),
        "hashed": (space(every, name="hashed"), TABLE),
        "few": (space(few, output_mode="dict", crosses=[space.cross(pair, crossing_dim=4)], name="few"), TABLE),
        "integers": (
            space(integers, output_mode="dict", crosses=[space.cross(pair, 32, output_mode="int")], name="integers"),
            TABLE,
        ),
        "words": (space(words, name="words"), WORDS),
    }  # fmt: skip


def plain(outputs):
    """Outputs as lists, by name."""
    outputs = outputs if isinstance(outputs, dict) else {"": outputs}
    return {name: [list(x.shape), x.numpy().astype("float64").tolist()] for name, x in outputs.items()}


def main():
    import keras
    import tensorflow as tf

    answers = {}
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(ZIP, "w", zipfile.ZIP_DEFLATED) as file:
        for name, (space, table) in spaces(keras).items():
            space.adapt(tf.data.Dataset.from_tensor_slices(table))
            one = {column: values[0] for column, values in table.items()}
            answers[name] = {"batch": plain(space(table)), "one": plain(space(one))}
            space.save(Path(folder, f"{name}.keras"))
            file.write(Path(folder, f"{name}.keras"), f"{name}.keras")
        file.writestr("answers.json", json.dumps(answers))


if __name__ == "__main__":
    main()
