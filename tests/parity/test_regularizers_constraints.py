"""Regularizers and constraints against Keras: values, gradients, configs and names."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

import cornu

PENALTIES = [
    ("L1", {}),
    ("L1", {"l1": 0.3}),
    ("L2", {}),
    ("L2", {"l2": 0.3}),
    ("L1L2", {}),
    ("L1L2", {"l1": 0.2}),
    ("L1L2", {"l1": 0.2, "l2": 0.3}),
    ("OrthogonalRegularizer", {}),
    ("OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
]
CONSTRAINTS = [
    ("MaxNorm", {}),
    ("MaxNorm", {"max_value": 0.5, "axis": 1}),
    ("MaxNorm", {"max_value": 1, "axis": [0, 1]}),
    ("MinMaxNorm", {}),
    ("MinMaxNorm", {"min_value": 3.0, "max_value": 4.0, "rate": 0.3}),
    ("MinMaxNorm", {"min_value": 0.5, "max_value": 1.0, "axis": [0, 1]}),
    ("NonNeg", {}),
    ("UnitNorm", {}),
    ("UnitNorm", {"axis": -1}),
]


def matrix():
    values = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    values[1, 2] = 0.0
    return values


@pytest.mark.parametrize(("name", "settings"), PENALTIES)
def test_penalty_and_gradient(name, settings):
    def question(library):
        penalty = getattr(library.regularizers, name)(**settings)
        return jax.jit(jax.value_and_grad(lambda x: jnp.asarray(penalty(x))))(jnp.asarray(matrix()))

    (value, gradient), (expected_value, expected_gradient) = both(question)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, expected_value, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-6)
    ours = getattr(cornu.regularizers, name)(**settings)
    assert ours(cornu.Variable(matrix())) == ours(matrix())
    np.testing.assert_allclose(ours(matrix().astype("float16")).astype("float32"), value, rtol=1e-2)


@pytest.mark.parametrize(("name", "settings"), CONSTRAINTS)
def test_constrained_values(name, settings):
    def question(library):
        constraint = getattr(library.constraints, name)(**settings)
        return [constraint(jnp.asarray(values)) for values in (matrix(), 10 * matrix(), 0 * matrix())]

    for found, expected in zip(*both(question), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    ours = getattr(cornu.constraints, name)(**settings)
    assert ours(matrix().astype("float16")).dtype == jnp.float16
    np.testing.assert_array_equal(ours(cornu.Variable(matrix())), ours(matrix()))


@pytest.mark.parametrize(("name", "settings"), PENALTIES)
def test_regularizer_configs(name, settings):
    def question(library):
        penalty = getattr(library.regularizers, name)(**settings)
        return penalty.get_config(), library.regularizers.serialize(penalty)

    (ours, _), (theirs, written) = both(question)
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():  # Keras rounds some factors to float32
        assert value == (pytest.approx(theirs[key]) if isinstance(value, float) else theirs[key])
    again = cornu.regularizers.deserialize(written)
    np.testing.assert_allclose(again(matrix()), getattr(cornu.regularizers, name)(**settings)(matrix()), rtol=1e-6)


@pytest.mark.parametrize(("name", "settings"), CONSTRAINTS)
def test_constraint_configs(name, settings):
    def question(library):
        constraint = getattr(library.constraints, name)(**settings)
        return constraint.get_config(), library.constraints.serialize(constraint)

    ours, theirs = both(question)
    assert ours == theirs
    assert cornu.constraints.deserialize(theirs[1]).get_config() == ours[0]


@pytest.mark.live
@pytest.mark.parametrize(("name", "settings"), PENALTIES)
def test_keras_reads_a_config_of_cornu(name, settings):
    ours = getattr(cornu.regularizers, name)(**settings)
    written = cornu.regularizers.serialize(ours)
    penalty = ask(lambda keras: np.asarray(keras.regularizers.deserialize(written)(jnp.asarray(matrix()))))
    np.testing.assert_allclose(penalty, ours(matrix()), rtol=1e-5)


@pytest.mark.parametrize("kind", ["regularizers", "constraints"])
def test_names(kind):
    names = [
        "l1", "l2", "L1", "L2", "L1L2", "l1l2", "orthogonal_regularizer", "OrthogonalRegularizer", "max_norm",
        "MaxNorm", "min_max_norm", "MinMaxNorm", "non_neg", "NonNeg", "unit_norm", "UnitNorm", "no_such_name",
    ]  # fmt: skip

    def question(library):
        found = {}
        for name in names:
            try:
                found[name] = type(getattr(library, kind).get(name)).__name__
            except ValueError as error:
                found[name] = None
                assert library is not cornu or "Closest valid names" in str(error)
        return found

    ours, theirs = both(question)
    assert ours == theirs
    assert sum(name is not None for name in ours.values()) == 8


def test_identifiers_that_are_no_names():
    for namespace, cls in ((cornu.regularizers, cornu.regularizers.L2), (cornu.constraints, cornu.constraints.NonNeg)):
        instance = cls()
        assert namespace.get(None) is None
        assert namespace.get(instance) is instance
        assert isinstance(namespace.get(cls), cls)
        assert isinstance(namespace.get({"class_name": cls.__name__, "config": {}}), cls)
        assert namespace.get(np.abs) is np.abs
        with pytest.raises(ValueError, match="must be a name"):
            namespace.get(3)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "much"])
def test_factors_that_both_refuse(value):
    def question(library):
        said = []
        for name in ("L1", "L2", "L1L2", "OrthogonalRegularizer"):
            with pytest.raises(ValueError) as caught:
                getattr(library.regularizers, name)(value)
            said.append(str(caught.value))
        return said

    for answers in both(question):
        assert all(re.search(r"[Nn]on-negative|zero or more", said) for said in answers)


def test_orthogonal_regularizer_refuses_what_is_no_matrix():
    with pytest.raises(ValueError, match=r"must be a matrix. Received: shape=\(2, 3, 4\)"):
        cornu.regularizers.OrthogonalRegularizer()(np.ones((2, 3, 4), "float32"))
    with pytest.raises(ValueError, match='mode must be "rows" or "columns"'):
        cornu.regularizers.OrthogonalRegularizer(mode="diagonals")


def test_nan_stays_to_be_seen_under_non_neg():
    weights = np.array([np.nan, -1.0, 2.0], "float32")
    for kept in both(lambda library: library.constraints.NonNeg()(weights)):
        np.testing.assert_array_equal(kept, [np.nan, 0.0, 2.0])
