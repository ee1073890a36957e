"""Seeds and draws as a user meets them."""

import random
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

import cornu
from cornu.core.variable import functional
from cornu.random import SeedGenerator
from cornu.random.seed_generator import global_seed_generator


def test_with_a_fixed_seed_everything_drawn_later_repeats():
    def draw():
        cornu.utils.set_random_seed(42)
        generator = SeedGenerator()
        return [
            random.random(),
            np.random.rand(),
            cornu.random.normal((2,)).tolist(),
            cornu.random.uniform((2,)).tolist(),
            cornu.random.normal((2,), seed=generator).tolist(),
            cornu.random.dropout(np.ones(50), 0.5).tolist(),
        ]

    assert draw() == draw()


def test_draws_differ_from_one_another():
    generator = SeedGenerator(1)
    draws = [cornu.random.normal((4,), seed=generator) for _ in range(3)]
    draws += [cornu.random.normal((4,)) for _ in range(3)]
    assert len({tuple(np.asarray(d).tolist()) for d in draws}) == 6


def test_an_int_gives_the_same_numbers_each_time():
    np.testing.assert_array_equal(cornu.random.normal((3,), seed=7), cornu.random.normal((3,), seed=7))


def test_a_generator_inside_a_pure_function_advances_through_the_state():
    generator = SeedGenerator(5)
    pure = jax.jit(functional(lambda: cornu.random.normal((3,), seed=generator), [generator.state]))
    first, state = pure([generator.state.value])
    second, state = pure(state)
    np.testing.assert_array_equal(state[0], [5, 2])
    np.testing.assert_array_equal(generator.state.value, [5, 0])
    np.testing.assert_array_equal(first, cornu.random.normal((3,), seed=5))
    assert not np.array_equal(first, second)


def test_a_draw_without_a_seed_in_compiled_code_is_refused():
    with pytest.raises(ValueError, match="Create a SeedGenerator"):
        jax.jit(lambda: cornu.random.normal((2,)))()


def test_a_draw_without_a_seed_works_again_after_that():
    with pytest.raises(ValueError, match="without a seed"):
        jax.jit(lambda: cornu.random.normal((2,)))()
    assert cornu.random.normal((2,)).shape == (2,)


def test_a_draw_without_a_seed_advances_even_in_an_eager_pure_function():
    pure = functional(lambda: cornu.random.normal((3,)), [])
    assert not np.array_equal(pure([])[0], pure([])[0])


@pytest.mark.parametrize("seed", [-1, 2**32, "7", 1.5, True])
def test_seeds_that_are_none(seed):
    for call in (SeedGenerator, cornu.utils.set_random_seed, lambda s: cornu.random.normal((2,), seed=s)):
        with pytest.raises(ValueError, match="seed must be an integer from 0"):
            call(seed)


def test_what_cannot_be_drawn_is_named():
    with pytest.raises(ValueError, match="normal: dtype must be a float type"):
        cornu.random.normal((2,), dtype="int32")
    with pytest.raises(ValueError, match="randint: dtype must be an integer type"):
        cornu.random.randint((2,), 0, 3, dtype="float32")
    with pytest.raises(ValueError, match="categorical: logits must have shape"):
        cornu.random.categorical(np.zeros(3), 2)
    with pytest.raises(ValueError, match="dropout: rate must be a number from 0 to 1"):
        cornu.random.dropout(np.ones(3), 1.5)
    with pytest.raises(ValueError, match="only seed and name"):
        SeedGenerator(1, colour="red")


def test_symbolic_inputs_keep_their_shape():
    x = cornu.KerasTensor((None, 4))
    assert cornu.random.dropout(x, 0.5, seed=1).shape == (None, 4)
    assert cornu.random.categorical(x, 3, seed=1).shape == (None, 3)
    assert cornu.random.shuffle(x, axis=1, seed=1).shape == (None, 4)


def test_a_generator_saves_and_restores_its_place():
    generator = SeedGenerator(5)
    generator.next()
    other = SeedGenerator.from_config(generator.get_config())
    other.state.assign(generator.state)
    np.testing.assert_array_equal(other.next(), generator.next())


def test_threads_never_draw_the_same_number():
    seeds = cornu.random.SeedGenerator(3)
    for draw in (lambda _: seeds.next().tolist(), lambda _: global_seed_generator().next().tolist()):
        with ThreadPoolExecutor(8) as pool:
            drawn = sorted(map(tuple, pool.map(draw, range(200))))
        assert len(set(drawn)) == 200
        assert drawn[-1][1] - drawn[0][1] == 199
