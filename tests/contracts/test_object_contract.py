"""What holds of every loss, metric, optimizer, schedule, initializer, regularizer, constraint and activation."""

import importlib

import jax
import numpy as np
import pytest

import cornu
from cornu import initializers, losses, metrics, optimizers, saving
from cornu.core.configurable import Configurable, constructor_parameters

NAMESPACES = (
    "activations", "constraints", "initializers", "losses", "metrics", "optimizers", "optimizers.schedules",
    "quantizers", "regularizers",
)  # fmt: skip

# Arguments for the classes that cannot be made without any.
ARGUMENTS = {
    "FBetaScore": {}, "IoU": {"num_classes": 2, "target_class_ids": [0]}, "MeanIoU": {"num_classes": 2},
    "OneHotIoU": {"num_classes": 2, "target_class_ids": [0]}, "OneHotMeanIoU": {"num_classes": 2},
    "BinaryIoU": {}, "PrecisionAtRecall": {"recall": 0.5}, "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5}, "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "MeanMetricWrapper": {"fn": losses.mean_squared_error},
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 10},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [5], "values": [0.1, 0.01]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 10},
    "LossScaleOptimizer": {"inner_optimizer": optimizers.SGD()},
    "AWQConfig": {"dataset": None, "tokenizer": None}, "GPTQConfig": {"dataset": None, "tokenizer": None},
    "MultiOptimizer": {"optimizer_map": optimizers.OptimizerMap(optimizers.SGD())},
}  # fmt: skip
BASES = {
    "Constraint", "Initializer", "LearningRateSchedule", "Loss", "Metric", "Optimizer", "QuantizationConfig",
    "Quantizer", "Regularizer",
}  # fmt: skip
WRAPPERS = {"LossFunctionWrapper", "OptaxOptimizer", "OptimizerMap"}  # made by cornu around what a user gave


def classes(namespace):
    module = importlib.import_module(f"cornu.{namespace}")
    found = {getattr(module, name) for name in module.__all__ if isinstance(getattr(module, name), type)}
    return sorted((c for c in found if c.__name__ not in BASES | WRAPPERS), key=lambda c: c.__name__)


def make(cls):
    return cls(**ARGUMENTS.get(cls.__name__, {}))


EVERY = [c for namespace in NAMESPACES for c in classes(namespace) if issubclass(c, Configurable)]
LOSSES = [c for c in classes("losses") if c.__name__ not in ("CTC",)]


@pytest.mark.parametrize("cls", EVERY, ids=lambda c: f"{c.__module__}.{c.__name__}")
def test_config_makes_an_equal_object(cls):
    made = make(cls)
    assert cls.from_config(made.get_config()).get_config() == made.get_config()
    plain = saving.serialize_keras_object(made)
    assert plain["class_name"] == cls.__name__
    again = saving.deserialize_keras_object(plain)
    assert type(again) is cls
    assert again.get_config() == made.get_config()


@pytest.mark.parametrize("namespace", [n for n in NAMESPACES if n != "optimizers.schedules"])
def test_every_name_is_understood_and_a_mistyped_one_is_helped(namespace):
    module = importlib.import_module(f"cornu.{namespace}")
    for name, found in module.catalogue.objects.items():
        if not isinstance(found, type) or found.__name__ not in ARGUMENTS:
            assert module.get(name) is not None
    name = max((n for n in module.catalogue.objects if n.islower()), key=len)
    with pytest.raises(ValueError, match=f"(?i){name}"):
        module.get(name[:-2] + "x" + name[-2:])


@pytest.mark.parametrize("cls", LOSSES, ids=lambda c: c.__name__)
def test_a_loss_compiles_to_what_it_gives_eagerly(cls):
    random = np.random.default_rng(0)
    labels = np.eye(3, dtype="float32")[[0, 2, 1, 1]]
    if cls.__name__ in (
        "Circle",
        "CategoricalGeneralizedCrossEntropy",
        "SparseCategoricalCrossentropy",
        "SparseCategoricalFocalCrossentropy",
    ):
        labels = np.array([0, 2, 1, 1])
    predictions = random.dirichlet(np.ones(3), 4).astype("float32")
    loss = make(cls)
    eager = loss(labels, predictions)
    assert eager.shape == () and eager.dtype == "float32"
    np.testing.assert_allclose(jax.jit(loss.__call__)(labels, predictions), eager, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cls", classes("metrics"), ids=lambda c: c.__name__)
def test_a_metric_is_pure_when_asked_and_starts_afresh(cls):
    random = np.random.default_rng(0)
    metric = make(cls)
    if cls.__name__ in ("Mean", "Sum"):
        data = (random.random(4).astype("float32"),)
    elif cls.__name__.startswith("Sparse"):
        data = (np.array([0, 2, 1, 1]), random.dirichlet(np.ones(3), 4).astype("float32"))
    elif cls.__name__ in ("IoU", "MeanIoU"):
        data = (np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
    else:
        classes_ = 2 if "OneHot" in cls.__name__ else 3
        data = (
            np.eye(classes_, dtype="float32")[[0, 1, 1, 0]],
            random.dirichlet(np.ones(classes_), 4).astype("float32"),
        )
    metric.update_state(*data)
    eager = metric.result()
    metric.reset_state()
    fresh = [np.asarray(v.value) for v in metric.variables]
    state = jax.jit(metric.stateless_update_state)(fresh, *data)
    np.testing.assert_allclose(metric.stateless_result(state), eager, rtol=1e-5, atol=1e-6)
    for variable, value in zip(metric.variables, fresh, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert saving.deserialize_keras_object(saving.serialize_keras_object(metric)).name == metric.name


@pytest.mark.parametrize("cls", classes("initializers"), ids=lambda c: c.__name__)
def test_an_initializer_gives_the_shape_and_type_asked_for(cls):
    initializer = make(cls)
    shape = (4, 1, 10) if "STFT" in cls.__name__ else (4, 4)
    dtype = "float32" if "STFT" in cls.__name__ or "Orthogonal" in cls.__name__ else "bfloat16"
    value = initializers.get(initializer)(shape, dtype=dtype)
    assert value.shape == shape and value.dtype == dtype
    if "seed" in constructor_parameters(cls):
        one, other = (cls(**ARGUMENTS.get(cls.__name__, {}), seed=3)(shape) for _ in range(2))
        np.testing.assert_array_equal(one, other)


def test_names_that_keras_scripts_use():
    assert type(metrics.get("mse")) is cornu.metrics.MeanSquaredError or callable(metrics.get("mse"))
    assert losses.get("mse") is losses.mean_squared_error
    assert type(optimizers.get("adam")) is optimizers.Adam
