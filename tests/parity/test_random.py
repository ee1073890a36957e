"""Random draws against Keras on JAX: equal seeds give equal numbers, and generators advance alike."""

import inspect

import keras
import numpy as np
import pytest

import cornu

LOGITS = np.log(np.array([[0.1, 0.2, 0.7], [0.4, 0.4, 0.2]], "float32"))
A = np.array([0.5, 2.0, 9.0], "float32")

CALLS = {
    "normal": [((2, 3),), ((3,), 1.0, 2.0), ((2, 3), A), ((4,), 0.0, 1.0, "float16")],
    "truncated_normal": [((2, 3),), ((3,), 1.0, 2.0)],
    "uniform": [((2, 3),), ((3,), -1.0, 4.0), ((2, 3), 0.0, A), ((4,), 0.0, 1.0, "bfloat16")],
    "randint": [((2, 3), 0, 10), ((5,), -3, 3, "int8")],
    "categorical": [(LOGITS, 5), (LOGITS, 1, "uint8")],
    "shuffle": [(np.arange(7),), (np.arange(12).reshape(3, 4), 1), (np.arange(12).reshape(3, 4), 0)],
    "gamma": [((2, 3), A)],
    "beta": [((2, 3), A, 1.0)],
    "binomial": [((2, 3), A.round(), 0.2)],
}
CASES = [(name, args) for name, calls in CALLS.items() for args in calls]


@pytest.mark.parametrize(("name", "args"), CASES)
def test_equal_seeds_give_the_numbers_of_keras(name, args):
    ours, theirs = (getattr(package.random, name)(*args, seed=5) for package in (cornu, keras))
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(np.asarray(ours, "float64"), np.asarray(theirs, "float64"))


def test_every_draw_is_covered():
    draws = {n for n in dir(keras.random) if inspect.isfunction(getattr(keras.random, n))}
    assert draws - {"dropout"} == set(CALLS)  # dropout has its own bits and its own tests
    for name in draws:
        ours, theirs = (inspect.signature(getattr(package.random, name)) for package in (cornu, keras))
        assert list(ours.parameters) == list(theirs.parameters)
        defaults = [[p.default for p in s.parameters.values()] for s in (ours, theirs)]
        assert defaults[0] == defaults[1]


def test_generators_advance_alike():
    mine, reference = cornu.random.SeedGenerator(9), keras.random.SeedGenerator(9)
    for _ in range(3):
        np.testing.assert_array_equal(mine.next(), reference.next())
    np.testing.assert_array_equal(mine.state.value, reference.state.value)
    assert mine.state.dtype == reference.state.dtype == "uint32"
    assert mine.state.path.endswith("/seed_generator_state") and not mine.state.trainable
    np.testing.assert_array_equal(cornu.random.normal((3,), seed=mine), keras.random.normal((3,), seed=reference))


def test_configs_agree():
    ours, theirs = (package.random.SeedGenerator(3, name="s").get_config() for package in (cornu, keras))
    assert ours == theirs
    again = cornu.random.SeedGenerator.from_config(ours)
    np.testing.assert_array_equal(again.state.value, [3, 0])


def test_the_global_seed_gives_generators_and_draws_the_seeds_of_keras():
    results = []
    for package in (cornu, keras):
        package.utils.set_random_seed(3)
        first = package.random.SeedGenerator().state.value
        package.utils.set_random_seed(3)
        results.append((first, package.random.normal((2,))))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
