"""Learning-rate schedules against Keras at many steps, eagerly and compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

import cornu

STEPS = (0, 1, 3, 4, 7, 10, 11, 20, 21, 30, 31, 99, 123_456)
CASES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.96, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 2.0, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [3, 10, 30], "values": [1.0, 0.5, 0.1, 0.01]}),
    ("PiecewiseConstantDecay", {"boundaries": [2.5, 20.5], "values": [1.0, 0.5, 0.1]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 20}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "end_learning_rate": 0.01, "power": 2.5}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "power": 0.5, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 20, "warmup_target": 0.5, "warmup_steps": 10}),
    (
        "CosineDecay",
        {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.2, "warmup_target": 0.05, "warmup_steps": 7},
    ),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "warmup_target": 0.5}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "warmup_steps": 5}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10, "t_mul": 1.0, "m_mul": 0.9}),
    (
        "CosineDecayRestarts",
        {"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1},
    ),
]


def made(library, name, settings):
    return getattr(library.optimizers.schedules, name)(**settings)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_values(name, settings):
    ours = made(cornu, name, settings)
    compiled = jax.jit(ours)
    values = ask(lambda keras: [np.asarray(made(keras, name, settings)(step)) for step in STEPS])
    for step, expected in zip(STEPS, values, strict=True):
        assert ours(step).dtype == jnp.float32
        np.testing.assert_allclose(ours(step), expected, rtol=2e-5, atol=1e-7, err_msg=f"step {step}")
        np.testing.assert_allclose(compiled(jnp.asarray(step, "int32")), ours(step), rtol=1e-4, atol=1e-6)


def test_compiled_stairs_stand_at_exact_multiples():
    """A compiler that divides by multiplying with a reciprocal puts some stairs one step late."""

    def stairs(length):
        schedule = cornu.optimizers.schedules.ExponentialDecay(1.0, length, 0.5, staircase=True)
        return jax.jit(jax.vmap(schedule))

    for length in (7, 41, 47, 55, 61, 82, 83, 94, 97):
        steps = length * np.arange(1, 13)
        np.testing.assert_array_equal(stairs(length)(jnp.asarray(steps)), 0.5 ** np.arange(1.0, 13.0))
        np.testing.assert_array_equal(stairs(length)(jnp.asarray(steps - 1)), 0.5 ** np.arange(0.0, 12.0))


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_configs_move_between_the_two(name, settings):
    def question(library):
        schedule = made(library, name, settings)
        return schedule.get_config(), library.optimizers.schedules.serialize(schedule)

    ours, theirs = both(question)
    assert ours == theirs
    assert cornu.optimizers.schedules.deserialize(theirs[1]).get_config() == ours[0]


@pytest.mark.parametrize(("name", "settings"), CASES[::6])
def test_inside_an_optimizers_config(name, settings):
    config, expected = both(lambda k: k.optimizers.SGD(made(k, name, settings), name="a").get_config())
    assert config == expected
    ours = cornu.optimizers.SGD(made(cornu, name, settings), name="a")
    again = cornu.optimizers.SGD.from_config(ours.get_config())
    assert again.get_config() == ours.get_config()
    assert float(again.learning_rate) == float(ours.learning_rate)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 0, "decay_rate": 0.5}),
        ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": -1, "decay_rate": 0.5}),
        ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 0}),
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 0}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 0}),
        ("PiecewiseConstantDecay", {"boundaries": [3], "values": [1.0]}),
    ],
)
def test_what_both_refuse(name, settings):
    def question(library):
        with pytest.raises(ValueError, match=r"must be > 0|must be greater than 0|boundaries"):
            made(library, name, settings)
        return "refused"

    assert both(question) == ("refused", "refused")
