"""Random draws against Keras on JAX: equal seeds give equal numbers, and generators advance alike."""

import inspect

import numpy as np
import pytest
from oracle import both

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
    ours, theirs = both(lambda library: getattr(library.random, name)(*args, seed=5))
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(np.asarray(ours, "float64"), np.asarray(theirs, "float64"))


def test_every_draw_is_covered():
    def question(library):
        draws = [n for n in dir(library.random) if inspect.isfunction(getattr(library.random, n)) and n in CALLS]
        everything = [n for n in dir(library.random) if inspect.isfunction(getattr(library.random, n))]
        return sorted(everything), {name: parameters(getattr(library.random, name)) for name in draws}

    (_, ours), (draws, theirs) = both(question)
    assert set(draws) - {"dropout"} == set(CALLS)  # dropout has its own bits and its own tests
    assert ours == theirs


def parameters(function):
    """[(name, default)] of a function, with the defaults as text."""
    return [(p.name, repr(p.default)) for p in inspect.signature(function).parameters.values()]


def test_generators_advance_alike():
    def question(library):
        generator = library.random.SeedGenerator(9)
        seeds = [generator.next(ordered=ordered) for ordered in (True, True, False, False, True)]
        return [*seeds, generator.state.value, library.random.normal((3,), seed=generator)]

    for mine, reference in zip(*both(question), strict=True):
        assert mine.dtype == reference.dtype
        np.testing.assert_array_equal(mine, reference)
    state = cornu.random.SeedGenerator(9).state
    assert state.dtype == "uint32" and state.path.endswith("/seed_generator_state") and not state.trainable


def test_configs_agree():
    ours, theirs = both(lambda library: library.random.SeedGenerator(3, name="s").get_config())
    assert ours == theirs
    again = cornu.random.SeedGenerator.from_config(ours)
    np.testing.assert_array_equal(again.state.value, [3, 0])


def test_the_global_seed_gives_generators_and_draws_the_seeds_of_keras():
    def question(library):
        library.utils.set_random_seed(3)
        first = library.random.SeedGenerator().state.value
        library.utils.set_random_seed(3)
        return first, library.random.normal((2,))

    for mine, reference in zip(*both(question), strict=True):
        np.testing.assert_array_equal(mine, reference)
