"""Programs written for Keras or `tensorflow.keras`, and libraries that reach into Keras, on cornu."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

import cornu
from cornu.core import masks
from cornu.import_hook import private

ROOT = Path(cornu.__file__).parents[1]

PROGRAM = """
import cornu.as_keras
import cornu, keras, pytest

# what a program asks of the packages themselves
assert keras.layers is cornu.layers and keras.Model is cornu.Model
assert keras.__version__.startswith("3.") and keras.version() == keras.__version__
assert cornu.__version__ != keras.__version__
import tensorflow as tf
from tensorflow import keras as tf_keras
from tensorflow.keras import backend as K
from tensorflow.keras.layers import Dense
assert tf.keras is tf_keras and tf_keras.__version__ == keras.__version__ and int(tf.__version__[0]) == 2
assert Dense is keras.layers.Dense and tf_keras.backend is K and keras.backend is not K
tf.random.set_seed(3)
first = keras.random.uniform((2,))
tf.random.set_seed(3)
assert (keras.random.uniform((2,)) == first).all()
from tensorflow.keras.preprocessing.text import Tokenizer
from tf_keras.preprocessing.sequence import pad_sequences, TimeseriesGenerator
from tensorflow.keras.preprocessing import image
assert image.img_to_array is keras.utils.img_to_array

# what libraries take from Keras's own modules
import keras.src
from keras.src import backend, layers, ops, tree
from keras.src.layers.layer import Layer
from keras.src.layers.core.dense import Dense as Inner
from keras.src.layers.normalization.batch_normalization import BatchNormalization
from keras.src.backend.config import epsilon
from keras.src.saving import serialization_lib
from keras.src.losses.losses import LossFunctionWrapper
from keras.src.models.functional import Functional
assert layers.Dense is Inner is keras.layers.Dense and Layer is keras.Layer and ops.add is keras.ops.add
assert keras.src.backend.numpy.add is keras.ops.add and backend.random.uniform is keras.random.uniform
assert serialization_lib.deserialize_keras_object is keras.saving.deserialize_keras_object
assert issubclass(keras.losses.MeanSquaredError, LossFunctionWrapper)
assert isinstance(keras.Sequential([keras.Input((2,)), Inner(1)]), keras.Model) and epsilon() == 1e-7
for line in (
    "from keras.src.layers import nonsense", "import keras.src.engine", "keras.src.backend.jax",
    "from keras.src.trainers.trainer import Trainer",
):
    with pytest.raises((ImportError, AttributeError), match="private to Keras"):
        exec(line)
assert not hasattr(backend, "nonsense")
for line in ("keras.src.layers", "keras.src.ops.numpy", "keras.src.backend"):
    exec(f"from {line} import *")
with pytest.raises(AttributeError, match="keras.ops"):
    tf.nonsense
assert isinstance(first, tf.Tensor) and not isinstance(first, (tf.Variable, tf.data.Dataset, tf.RaggedTensor))
assert isinstance(first.numpy(), __import__("numpy").ndarray)
from keras import distribution
import keras.distribution, io
assert distribution.DataParallel is cornu.distribution.DataParallel
from keras.src.saving.saving_lib import load_model, save_model
model = keras.Sequential([keras.Input((2,)), Inner(1)])
save_model(model, file := io.BytesIO())
assert (load_model(io.BytesIO(file.getvalue())).get_weights()[0] == model.get_weights()[0]).all()
class Plain(keras.Model):
    @keras.src.utils.tracking.no_automatic_dependency_tracking
    def note(self):
        self.noted = [Inner(1)]

plain = Plain()
plain.note()
plain.kept = [Inner(2)]
assert plain.layers == plain.kept and plain.noted[0].units == 1
assert keras.src.backend.compute_output_spec(Inner(3), keras.KerasTensor((2, 4))).shape == (2, 3)
with pytest.raises(ImportError, match="runs on cornu"):
    import tensorflow.lite
"""


def test_a_program_for_keras_and_libraries_that_reach_into_it_find_their_names():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


INSTALLED = """
import importlib

__version__ = "9.9"


def __getattr__(name):
    if name == "keras":  # as TensorFlow finds Keras 3
        return importlib.import_module("keras._tf_keras.keras")
    raise AttributeError(name)
"""

BESIDE_IT = """
import tensorflow as tf  # before cornu is asked to serve Keras, as in many notebooks
import cornu.as_keras
from tensorflow import keras
from tensorflow.keras.layers import Dense
import tensorflow.keras.backend as K, tensorflow.math, cornu
assert tf.__version__ == "9.9" and tensorflow.math.here
assert tf.keras is keras and Dense is cornu.layers.Dense and K.square and not hasattr(cornu.ops.ones(1), "numpy")
import keras as plain
assert plain.layers.Dense is Dense and plain.__version__.startswith("3.")
"""


def test_where_tensorflow_is_installed_only_its_keras_is_served(tmp_path):
    (tmp_path / "tensorflow" / "math").mkdir(parents=True)
    (tmp_path / "tensorflow" / "__init__.py").write_text(INSTALLED)
    (tmp_path / "tensorflow" / "math" / "__init__.py").write_text("here = True")
    done = subprocess.run(
        [sys.executable, "-c", BESIDE_IT], check=False, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_libraries_write_and_read_arrays_as_files_of_weights_hold_them(tmp_path):
    library = private.Private("keras.src.saving.saving_lib")
    store = library.H5IOStore(tmp_path / "lora.h5", mode="w")
    store.make("lora/0")["kernel"] = cornu.ops.ones((2, 3))
    store.make("lora/1")["kernel"] = cornu.ops.ones((2,), "bfloat16")
    store.close()
    with h5py.File(tmp_path / "lora.h5") as file:  # as Keras lays them out
        assert file["lora/0/vars/kernel"].shape == (2, 3) and file["lora/1/vars/kernel"].attrs["dtype"] == "bfloat16"
    store = library.H5IOStore(tmp_path / "lora.h5")
    assert store.get("lora/0")["kernel"].sum() == 6 and store.get("lora/1")["kernel"].dtype.name == "bfloat16"
    assert store.get("nowhere") == {}
    store.close()


def test_libraries_save_the_weights_of_a_model_without_those_of_one_of_its_parts(tmp_path):
    def task():
        backbone = cornu.Sequential([cornu.Input((3,)), cornu.layers.Dense(2)])
        return backbone, cornu.Sequential([cornu.Input((3,)), backbone, cornu.layers.Dense(1)])

    library = private.Private("keras.src.saving.saving_lib")
    (backbone, model), (other, again) = task(), task()
    library.save_weights_only(model, tmp_path / "head.weights.h5", objects_to_skip=[backbone])
    before = other.get_weights()
    library.load_weights_only(again, tmp_path / "head.weights.h5", objects_to_skip=[other])
    assert (again.layers[1].get_weights()[0] == model.layers[1].get_weights()[0]).all()
    assert (other.get_weights()[0] == before[0]).all()
    with pytest.raises(ValueError, match="Nothing was changed"):
        library.load_weights_only(again, tmp_path / "head.weights.h5", objects_to_skip=[again.layers[1]])


def test_an_unknown_name_is_said_to_be_of_the_kind_that_a_library_asked_for():
    config = {"class_name": "nonsense", "config": {}}
    with pytest.raises(ValueError, match="nonsense") as caught:
        cornu.saving.deserialize_keras_object(config, module_objects={}, printable_module_name="samplers")
    assert "samplers" in caught.value.__notes__[-1]
    found = cornu.saving.deserialize_keras_object("greedy", module_objects={"greedy": dict, "other": len})
    assert found == {} and cornu.saving.deserialize_keras_object("other", module_objects={"other": len}) is len


def test_private_functions_that_libraries_call_give_what_keras_gives():
    base = private.Private("keras.src.layers")
    assert base._build_proj_equation(3, 2, 2) == ("abcde,defg->abcfg", "fg", 5)
    assert base._build_attention_equation(6, (1, 3)) == ("agchef,abcdef->acebdgh", "acebdgh,agchef->abcdef", 7)
    assert base._analyze_einsum_string("ab...,bc->ac...", "c", (None, 8, 3, 3), (16,)) == (
        [8, 16], [16, 1, 1], [None, 16, 3, 3], [0], [1],
    )  # fmt: skip
    assert base.compute_conv_output_shape((2, 9, 3), 5, (3,), 2, "same") == (2, 5, 5)
    assert base.compute_conv_output_shape((None, 8, 8, 3), 5, (3, 3)) == (None, 6, 6, 5)
    assert base.get_keras_mask is masks.get_mask
    layer = base.BaseConv(rank=2, filters=4, kernel_size=3)
    assert tuple(layer(cornu.ops.ones((1, 5, 5, 2))).shape) == (1, 3, 3, 4)
