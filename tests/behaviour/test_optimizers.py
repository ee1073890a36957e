"""What a user does with optimizers: apply them, steer them, write one, use one from optax, save and resume."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import cornu
from cornu import ops

NAMES = [
    "SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion", "Lamb", "Adafactor",
    "Muon", "ScheduleFreeAdamW",
]  # fmt: skip


def weights():
    return [
        cornu.Variable(np.ones((2, 3), "float32"), name="kernel"),
        cornu.Variable(np.ones(3, "float32"), name="bias"),
    ]


def gradients(scale=1.0):
    return [scale * jnp.arange(1.0, 7.0).reshape(2, 3), scale * jnp.arange(1.0, 4.0)]


def values(variables):
    return [v.numpy() for v in variables]


def assert_all_close(ours, theirs, **tolerance):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 1e-6, **tolerance})


# ---------------------------------------------------------------- taking steps


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_step_is_the_eager_step_with_no_mixing_of_dtypes(name):
    settings = {"weight_decay": 0.1, "global_clipnorm": 1.0, "use_ema": True, "gradient_accumulation_steps": 2}
    variables = weights()
    optimizer = getattr(cornu.optimizers, name)(learning_rate=0.05, **(settings if name in ("Adam", "Nadam") else {}))
    optimizer.build(variables)
    state, arrays = [v.value for v in optimizer.variables], [v.value for v in variables]
    step = jax.jit(optimizer.stateless_apply)
    for scale in (1.0, 2.0):
        given = gradients(scale)
        with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"), jax.checking_leaks():
            arrays, state = step(state, given, arrays)
        optimizer.apply(given, variables)
    assert_all_close(arrays, values(variables), rtol=2e-5, atol=1e-6)
    assert_all_close(state, values(optimizer.variables), rtol=2e-5, atol=1e-6)
    assert step._cache_size() == 1


@pytest.mark.parametrize("name", NAMES)
def test_descending_a_parabola(name):
    settings = {"learning_rate": 1.0, "epsilon": 1e-2} if name == "Adadelta" else {"learning_rate": 0.1}
    variable = cornu.Variable(np.array([[3.0, -2.0], [1.0, 4.0]], "float32"))
    optimizer = getattr(cornu.optimizers, name)(**settings)
    start = float(jnp.sum(variable.value**2))
    for _ in range(60):
        optimizer.apply([2 * variable.value], [variable])
    assert float(jnp.sum(variable.value**2)) < 0.8 * start


def test_apply_counts_and_returns_nothing_but_apply_gradients_returns_the_count():
    optimizer, variables = cornu.optimizers.SGD(0.5), weights()
    assert optimizer.apply(gradients(), variables) is None
    assert int(optimizer.apply_gradients(zip(gradients(), variables, strict=True))) == 2
    np.testing.assert_allclose(variables[1].numpy(), 1 - np.arange(1.0, 4.0))


def test_a_subset_of_the_variables_may_be_updated():
    optimizer, variables = cornu.optimizers.Adam(0.1), weights()
    optimizer.build(variables)
    optimizer.apply(gradients()[1:], variables[1:])
    assert np.all(variables[0].numpy() == 1)
    assert np.all(variables[1].numpy() < 1)


def test_a_missing_gradient_is_said_aloud_and_leaves_the_variable_alone():
    optimizer, variables = cornu.optimizers.SGD(0.1), weights()
    with pytest.warns(UserWarning, match=r"does not depend on the variables \['kernel'\]"):
        optimizer.apply([None, gradients()[1]], variables)
    assert np.all(variables[0].numpy() == 1)
    with pytest.raises(ValueError, match="no variable has a gradient"):
        optimizer.apply([None, None], variables)


def test_stateless_apply_changes_nothing():
    optimizer, variables = cornu.optimizers.Adam(0.1), weights()
    optimizer.build(variables)
    before = values(optimizer.variables), values(variables)
    optimizer.stateless_apply([v.value for v in optimizer.variables], gradients(), [v.value for v in variables])
    assert_all_close(values(optimizer.variables), before[0])
    assert_all_close(values(variables), before[1])


def test_a_deep_model_traces_quickly_and_compactly():
    variables = [cornu.Variable(np.zeros(4, "float32"), name=f"w{i}") for i in range(160)]
    optimizer = cornu.optimizers.Adam()
    optimizer.build(variables)
    jaxpr = jax.make_jaxpr(optimizer.stateless_apply)(
        [v.value for v in optimizer.variables], [v.value for v in variables], [v.value for v in variables]
    )
    assert len(jaxpr.eqns) < 20 + 20 * len(variables)


# ---------------------------------------------------------------- the learning rate


def test_the_learning_rate_is_read_and_set_between_steps():
    optimizer = cornu.optimizers.SGD(0.1)
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    optimizer.learning_rate = 0.5
    assert optimizer.learning_rate.dtype == "float32"
    assert optimizer.get_config()["learning_rate"] == 0.5
    assert any(v is optimizer.learning_rate for v in optimizer.variables)
    variables = weights()
    optimizer.apply(gradients(), variables)
    np.testing.assert_allclose(variables[1].numpy(), 1 - 0.5 * np.arange(1.0, 4.0))


def test_a_learning_rate_set_between_compiled_steps_needs_no_new_compilation():
    optimizer, variables = cornu.optimizers.SGD(0.1), weights()
    optimizer.build(variables)
    step = jax.jit(optimizer.stateless_apply)
    for rate in (0.1, 0.3):
        optimizer.learning_rate = rate
        arrays, _ = step([v.value for v in optimizer.variables], gradients(), [v.value for v in variables])
        np.testing.assert_allclose(arrays[1], 1 - rate * np.arange(1.0, 4.0), rtol=1e-6)
    assert step._cache_size() == 1


def test_a_schedule_steers_the_rate_and_refuses_a_number():
    optimizer = cornu.optimizers.SGD(cornu.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5))
    variables = weights()
    for expected in (1.0, 0.5, 0.25):
        assert float(optimizer.learning_rate) == expected
        optimizer.apply(gradients(), variables)
    with pytest.raises(TypeError, match="follows the schedule ExponentialDecay"):
        optimizer.learning_rate = 0.1
    assert [v.name for v in optimizer.variables] == ["iteration"]


def test_a_schedule_may_take_the_place_of_a_number():
    optimizer = cornu.optimizers.SGD(0.1)
    optimizer.learning_rate = cornu.optimizers.schedules.CosineDecay(0.5, 10)
    assert float(optimizer.learning_rate) == 0.5
    assert [v.name for v in optimizer.variables] == ["iteration"]


def test_a_function_without_arguments_as_learning_rate():
    optimizer, variables = cornu.optimizers.SGD(lambda: 0.5), weights()
    optimizer.apply(gradients(), variables)
    np.testing.assert_allclose(variables[1].numpy(), 1 - 0.5 * np.arange(1.0, 4.0))


def test_a_schedule_of_ones_own():
    class Noam(cornu.optimizers.schedules.LearningRateSchedule):
        def __init__(self, scale):
            self.scale = scale

        def __call__(self, step):
            return self.scale * ops.rsqrt(ops.cast(step, "float32") + 1)

    optimizer = cornu.optimizers.SGD(Noam(0.5))
    with cornu.saving.custom_object_scope({"Noam": Noam}):
        again = cornu.optimizers.deserialize(cornu.optimizers.serialize(optimizer))
    variables = weights()
    for _ in range(4):
        again.apply(gradients(), variables)
    assert float(again.learning_rate) == pytest.approx(0.5 / 5**0.5)


# ---------------------------------------------------------------- what surrounds a step


def test_constraints_hold_after_a_step():
    variables = weights()
    variables[0].constraint = cornu.constraints.MaxNorm(0.1)
    variables[1].constraint = lambda w: ops.maximum(w, 0.0)
    cornu.optimizers.SGD(1.0).apply(gradients(), variables)
    assert np.all(np.linalg.norm(variables[0].numpy(), axis=0) <= 0.1 + 1e-6)
    assert np.all(variables[1].numpy() >= 0)


def test_averages_take_the_place_of_weights_at_the_end():
    optimizer, variables = cornu.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), weights()
    optimizer.apply(gradients(), variables)
    optimizer.apply(gradients(), variables)
    bias = 1 - 0.1 * np.arange(1.0, 4.0) * np.array([[1], [2]])
    np.testing.assert_allclose(variables[1].numpy(), bias[1], rtol=1e-6)
    optimizer.finalize_variable_values(variables)
    np.testing.assert_allclose(variables[1].numpy(), bias.mean(axis=0), rtol=1e-6)


def test_variables_that_take_their_gradient_as_value_have_no_average():
    optimizer, variables = cornu.optimizers.SGD(0.1, use_ema=True), weights()
    variables[1].overwrite_with_gradient = True
    optimizer.finalize_variable_values(variables)
    optimizer.apply(gradients(), variables)
    optimizer.finalize_variable_values(variables)
    np.testing.assert_array_equal(variables[1].numpy(), gradients()[1])


def test_accumulated_gradients_make_one_update_of_their_mean():
    optimizer, variables = cornu.optimizers.Adam(0.1, gradient_accumulation_steps=2), weights()
    whole, reference = cornu.optimizers.Adam(0.1), weights()
    for scale in (1.0, 3.0, 2.0, 4.0):
        optimizer.apply(gradients(scale), variables)
    for scale in (2.0, 3.0):
        whole.apply(gradients(scale), reference)
    assert_all_close(values(variables), values(reference))
    assert int(optimizer.iterations) == int(whole.iterations) == 2


def test_a_scaled_loss_gives_the_same_step():
    plain, scaled = cornu.optimizers.Adam(0.1), cornu.optimizers.Adam(0.1, loss_scale_factor=64.0)
    ours, theirs = weights(), weights()
    assert scaled.scale_loss(2.0) == 128.0
    assert plain.scale_loss(2.0) == 2.0
    plain.apply(gradients(), ours)
    scaled.apply(gradients(64.0), theirs)
    assert_all_close(values(ours), values(theirs))


def test_overflow_is_skipped_and_halves_the_scale():
    inner, variables = cornu.optimizers.Adam(0.1), weights()
    optimizer = cornu.optimizers.LossScaleOptimizer(inner, initial_scale=4.0, dynamic_growth_steps=2)
    optimizer.build(variables)
    assert float(optimizer.scale_loss(1.0)) == 4.0
    optimizer.apply([jnp.full((2, 3), jnp.inf), gradients()[1]])
    assert float(optimizer.dynamic_scale) == 2.0
    assert int(optimizer.iterations) == 0
    assert_all_close(values(variables), values(weights()))
    optimizer.apply(gradients(2.0))
    optimizer.apply(gradients(2.0))
    assert float(optimizer.dynamic_scale) == 4.0
    reference, plain = weights(), cornu.optimizers.Adam(0.1)
    plain.apply(gradients(), reference)
    plain.apply(gradients(), reference)
    assert_all_close(values(variables), values(reference))
    optimizer.learning_rate = 0.5
    assert float(inner.learning_rate) == 0.5


def test_a_large_scale_does_not_overflow_float16_gradients():
    optimizer = cornu.optimizers.LossScaleOptimizer(cornu.optimizers.SGD(1.0), initial_scale=2.0**17)
    variable = cornu.Variable(np.zeros(1, "float32"))
    optimizer.apply([jnp.array([2.0**10], "float16")], [variable])
    np.testing.assert_allclose(variable.numpy(), [-(2.0**-7)])


def test_each_variable_by_an_optimizer_of_its_choice():
    variables = weights()
    choice = {"kernel": cornu.optimizers.SGD(0.1), "bias": cornu.optimizers.SGD(1.0)}
    optimizer = cornu.optimizers.MultiOptimizer(lambda variable: choice[variable.name])
    optimizer.apply(gradients(), variables)
    np.testing.assert_allclose(variables[0].numpy(), 1 - 0.1 * np.asarray(gradients()[0]), rtol=1e-6)
    np.testing.assert_allclose(variables[1].numpy(), 1 - np.asarray(gradients()[1]), rtol=1e-6)
    assert optimizer.optimizers == list(choice.values())
    optimizer.learning_rate = 0.05  # half of the first one's, so half of every one's
    assert [float(one.learning_rate) for one in optimizer.optimizers] == pytest.approx([0.05, 0.5])


def test_several_optimizers_share_one_loss_scale_and_apply_a_constraint_once():
    variables = weights()
    variables[1].constraint = lambda w: w * 0.5
    rates = cornu.optimizers.OptimizerMap(cornu.optimizers.SGD(1.0))
    optimizer = cornu.optimizers.MultiOptimizer(rates, loss_scale_factor=4.0)
    assert optimizer.scale_loss(1.0) == 4.0
    optimizer.apply(gradients(4.0), variables)
    np.testing.assert_allclose(variables[1].numpy(), (1 - np.arange(1.0, 4.0)) * 0.5)
    rates["kernel"] = cornu.optimizers.SGD(loss_scale_factor=2.0)
    with pytest.raises(ValueError, match="pass loss_scale_factor only to the MultiOptimizer"):
        cornu.optimizers.MultiOptimizer(rates, loss_scale_factor=4.0).build(weights())
    del rates["kernel"]
    assert list(rates) == []


# ---------------------------------------------------------------- optimizers of one's own


class KerasStyle(cornu.optimizers.Optimizer):
    """Momentum, written as Keras's guide shows it."""

    def __init__(self, learning_rate=0.1, momentum=0.9, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.moves = [self.add_variable_from_reference(v, name="move") for v in variables]
        self.calls = self.add_variable((), dtype="int32", name="calls")

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = ops.cast(learning_rate, variable.dtype)
        move = self.moves[self._get_variable_index(variable)]
        self.assign(move, ops.subtract(ops.multiply(move, self.momentum), ops.multiply(gradient, learning_rate)))
        self.assign_add(variable, move)
        self.assign_add(self.calls, 1)


class PureStyle(cornu.optimizers.Optimizer):
    """The same as a pure function of one tensor."""

    slots = ("move",)

    def __init__(self, learning_rate=0.1, momentum=0.9, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum

    def step(self, gradient, weight, rate, t, move):
        move = self.momentum * move - rate * gradient
        return weight + move, move


@pytest.mark.parametrize("own", [KerasStyle, PureStyle])
def test_both_ways_to_write_an_optimizer(own):
    settings = {"weight_decay": 0.1, "clipnorm": 1.0, "gradient_accumulation_steps": 2}
    optimizer, variables = own(0.1, **settings), weights()
    builtin, reference = cornu.optimizers.SGD(0.1, momentum=0.9, **settings), weights()
    optimizer.build(variables)
    step = jax.jit(optimizer.stateless_apply)
    state, arrays = [v.value for v in optimizer.variables], [v.value for v in variables]
    for scale in (1.0, 2.0, 3.0, 4.0):
        arrays, state = step(state, gradients(scale), arrays)
        optimizer.apply(gradients(scale))
        builtin.apply(gradients(scale), reference)
    assert_all_close(arrays, values(reference), rtol=1e-5)
    assert_all_close(values(variables), values(reference), rtol=1e-5)
    assert_all_close(state, values(optimizer.variables), rtol=1e-5, atol=1e-6)
    with cornu.saving.custom_object_scope({own.__name__: own}):
        again = cornu.optimizers.deserialize(cornu.optimizers.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()


def test_variables_that_an_optimizer_keeps_as_attributes_are_part_of_its_state():
    class Counting(cornu.optimizers.SGD):
        def build(self, variables):
            super().build(variables)
            self.largest = cornu.Variable(np.zeros((), "float32"), name="largest")

        def update_step(self, gradient, variable, learning_rate):
            self.largest.assign(ops.maximum(self.largest, ops.max(gradient)))
            super().update_step(gradient, variable, learning_rate)

    optimizer, variables = Counting(0.1), weights()
    optimizer.apply(gradients(), variables)
    assert float(optimizer.largest) == 6.0
    assert optimizer.variables[-1] is optimizer.largest
    np.testing.assert_allclose(variables[1].numpy(), 1 - 0.1 * np.arange(1.0, 4.0), rtol=1e-6)


def test_variables_that_an_optimizer_keeps_in_containers_are_part_of_its_state():
    class Tallying(cornu.optimizers.SGD):
        tallies = ()

        def build(self, variables):
            super().build(variables)
            self.tallies = []
            for i in range(2):
                self.tallies.append({"steps": cornu.Variable(0.0, name=f"tally_{i}")})

        def apply(self, *args):
            super().apply(*args)
            for tally in self.tallies:
                tally["steps"].assign_add(1.0)

    optimizer, variables = Tallying(0.1), weights()
    optimizer.build(variables)
    assert [v.name for v in optimizer.variables] == ["iteration", "learning_rate", "tally_0", "tally_1"]
    _, state = optimizer.stateless_apply(optimizer.variables, gradients(), variables)
    assert [float(value) for value in state[2:]] == [1.0, 1.0]
    assert [float(tally["steps"]) for tally in optimizer.tallies] == [0.0, 0.0]


def test_an_optimizer_without_arithmetic_says_what_to_write():
    with pytest.raises(TypeError, match=r"must define step\(gradient, weight, rate, t, \*slots\) or update_step"):
        cornu.optimizers.Optimizer(0.1).apply(gradients(), weights())


# ---------------------------------------------------------------- optax


@pytest.mark.parametrize(
    "make",
    [
        lambda: optax.adam(0.1),
        lambda: optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9)),
        lambda: optax.adamw(optax.exponential_decay(0.1, 2, 0.5), weight_decay=0.1),
        lambda: optax.inject_hyperparams(optax.adam)(learning_rate=0.1),
        lambda: optax.chain(optax.add_noise(0.1, 0.5, 0), optax.sgd(0.1)),
        lambda: optax.sgd(0.1),
    ],
)
def test_an_optax_transformation_is_an_optimizer(make):
    transformation = make()
    optimizer, variables = cornu.optimizers.get(make()), weights()
    optimizer.build(variables)
    step = jax.jit(optimizer.stateless_apply)
    state, arrays = [v.value for v in optimizer.variables], [v.value for v in variables]
    expected = [v.value for v in variables]
    optax_state = transformation.init(expected)
    for scale in (1.0, 2.0, 3.0):
        arrays, state = step(state, gradients(scale), arrays)
        optimizer.apply(gradients(scale))
        updates, optax_state = transformation.update(gradients(scale), optax_state, expected)
        expected = optax.apply_updates(expected, updates)
    assert_all_close(arrays, expected, rtol=1e-5)
    assert_all_close(values(variables), expected, rtol=1e-5)
    store = {}
    optimizer.save_own_variables(store)
    assert int(store["0"]) == 3
    assert len(store) == 2 + len(jax.tree_util.tree_leaves(optax_state))


def test_an_optax_transformation_takes_the_settings_of_every_optimizer():
    ours, theirs = weights(), weights()
    cornu.optimizers.OptaxOptimizer(optax.sgd(1.0), learning_rate=0.1, clipvalue=2.0).apply(gradients(), ours)
    cornu.optimizers.SGD(0.1, clipvalue=2.0).apply(gradients(), theirs)
    assert_all_close(values(ours), values(theirs))


def test_an_optax_transformation_says_what_it_cannot_do():
    optimizer, variables = cornu.optimizers.OptaxOptimizer(optax.adam(0.1)), weights()
    optimizer.build(variables)
    with pytest.raises(ValueError, match="updates all 2 variables at once"):
        optimizer.apply(gradients()[1:], variables[1:])
    with pytest.raises(ValueError, match="cannot be saved in a file"):
        optimizer.get_config()
    with pytest.raises(ValueError, match="transformation must have init"):
        cornu.optimizers.OptaxOptimizer("adam")


# ---------------------------------------------------------------- saving and resuming


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_optimizer_goes_on_exactly(name):
    optimizer, variables = getattr(cornu.optimizers, name)(0.1, use_ema=True), weights()
    optimizer.apply(gradients(), variables)
    store = {}
    optimizer.save_own_variables(store)
    resumed = cornu.optimizers.deserialize(cornu.optimizers.serialize(optimizer))
    copies = [cornu.Variable(v.numpy(), name=v.name) for v in variables]
    resumed.build(copies)
    resumed.load_own_variables(store)
    for each, own in ((optimizer, variables), (resumed, copies)):
        each.apply(gradients(2.0), own)
    for a, b in zip([*variables, *optimizer.variables], [*copies, *resumed.variables], strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_state_saved_before_it_was_built_holds_the_start_only():
    store = {}
    cornu.optimizers.Adam(0.25).save_own_variables(store)
    optimizer = cornu.optimizers.Adam(0.1)
    optimizer.build(weights())
    optimizer.load_own_variables(store)
    assert float(optimizer.learning_rate) == 0.25


def test_a_state_of_another_optimizer_is_refused():
    adam, sgd = cornu.optimizers.Adam(), cornu.optimizers.SGD(momentum=0.9)
    store = {}
    adam.build(weights())
    sgd.build(weights())
    adam.save_own_variables(store)
    with pytest.raises(ValueError, match="has 4 variables but the saved one has 6"):
        sgd.load_own_variables(store)
    with pytest.raises(ValueError, match="not built"):
        cornu.optimizers.Adam().load_own_variables(store)


def test_set_weights():
    optimizer = cornu.optimizers.SGD(0.1)
    optimizer.set_weights([7, 0.5])
    assert int(optimizer.iterations) == 7
    with pytest.raises(ValueError, match="there must be 2 values"):
        optimizer.set_weights([7])


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", NAMES)
def test_names_are_read_without_regard_to_case(name):
    cls = getattr(cornu.optimizers, name)
    for spelled in (name, name.lower(), name.upper()):
        assert type(cornu.optimizers.get(spelled)) is cls
        assert type(cornu.optimizers.deserialize({"class_name": spelled, "config": {}})) is cls
    assert type(cornu.optimizers.get(cls)) is cls


def test_identifiers():
    optimizer = cornu.optimizers.SGD()
    assert cornu.optimizers.get(optimizer) is optimizer
    assert cornu.optimizers.get(None) is None
    assert cornu.optimizers.legacy.Adam is cornu.optimizers.Adam
    with pytest.raises(ValueError, match=r"Unknown optimizer 'adma'. Closest valid names: .*'adam'"):
        cornu.optimizers.get("adma")
    for wrong in (3, np.abs):
        with pytest.raises(ValueError, match=r"An? optimizer must be"):
            cornu.optimizers.get(wrong)


def test_names_count_up_and_lead_the_paths_of_variables():
    first, second = cornu.optimizers.RMSprop(), cornu.optimizers.RMSprop()
    assert second.name != first.name
    assert first.name.startswith("rm_sprop")
    with cornu.name_scope("encoder"):
        weight = cornu.Variable(np.ones(2, "float32"), name="kernel")
        named = cornu.optimizers.RMSprop(name="mine")
        named.build([weight])
    assert [v.path for v in named.variables] == ["mine/iteration", "mine/learning_rate", "mine/encoder_kernel_velocity"]


def test_variables_of_ones_own_making():
    optimizer, (kernel, bias) = cornu.optimizers.SGD(), weights()
    columns = optimizer.add_optimizer_variables([kernel, bias], ["a", "b"], initializer=["ones", "zeros"])
    assert [[v.name for v in column] for column in columns] == [["kernel_a", "bias_a"], ["kernel_b", "bias_b"]]
    assert columns[0][0].numpy().sum() == 6
    assert [v.name for v in optimizer.add_optimizer_variables([kernel, bias], "c")] == ["kernel_c", "bias_c"]
    assert optimizer.add_variable_from_reference(kernel, initializer=kernel.value).name == "kernel_var"
    assert len(optimizer.variables) == 2 + 4 + 2 + 1
    with pytest.raises(ValueError, match="one initializer for each name"):
        optimizer.add_optimizer_variables([kernel], ["a", "b"], initializer=["ones"])


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "only one of clipnorm, clipvalue and global_clipnorm"),
        ({"clipnorm": -1.0}, "must be greater than 0. Received: clipnorm=-1.0"),
        ({"global_clipnorm": 0.0}, "must be greater than 0. Received: global_clipnorm=0.0"),
        ({"use_ema": True, "ema_momentum": 2}, "ema_momentum must be from 0 to 1"),
        ({"use_ema": True, "ema_momentum": -0.1}, "ema_momentum must be from 0 to 1"),
        ({"use_ema": True, "ema_overwrite_frequency": 1.5}, "ema_overwrite_frequency must be a positive integer"),
        ({"gradient_accumulation_steps": 1}, "gradient_accumulation_steps must be 2 or more"),
        ({"momentum": 1.5}, "momentum must be from 0 to 1"),
        ({"lr": 0.1}, "unknown argument 'lr'"),
        ({"clip_norm": 0.1}, "unknown argument 'clip_norm'. Closest: 'clipnorm'"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"learning_rate": None}, "learning_rate must be a number"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number"),
    ],
)
def test_wrong_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        cornu.optimizers.SGD(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"clipnorm": 0.1}, {"use_ema": True, "ema_momentum": 0}, {"use_ema": True, "ema_momentum": 1},
     {"ema_momentum": 2}, {"gradient_accumulation_steps": 2}, {"momentum": 0.0}, {"momentum": 1.0}],
    ids=str,
)  # fmt: skip
def test_the_ends_of_a_range_belong_to_it_and_what_is_not_used_is_not_looked_at(settings):
    config = cornu.optimizers.SGD(**settings).get_config()
    assert {name: config[name] for name in settings} == settings


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda o: o.AdamW(weight_decay=None), ValueError),
        (lambda o: o.Lion(beta_1=0), ValueError),
        (lambda o: o.Ftrl(learning_rate_power=1.0), ValueError),
        (lambda o: o.Ftrl(l1_regularization_strength=-1.0), ValueError),
        (lambda o: o.Adagrad(initial_accumulator_value=-1.0), ValueError),
        (lambda o: o.RMSprop(momentum=2.0), ValueError),
        (lambda o: o.ScheduleFreeAdamW(warmup_steps=-1), ValueError),
        (lambda o: o.LossScaleOptimizer("sgd"), ValueError),
        (lambda o: o.LossScaleOptimizer(o.SGD(), initial_scale=0.0), ValueError),
        (lambda o: o.LossScaleOptimizer(o.SGD(), dynamic_growth_steps=0), ValueError),
        (lambda o: o.LossScaleOptimizer(o.SGD(), clipnorm=1.0), TypeError),
        (lambda o: o.MultiOptimizer("sgd"), TypeError),
        (lambda o: o.OptimizerMap("sgd"), TypeError),
        (lambda o: o.OptimizerMap(o.SGD(), [("a", o.SGD())]), TypeError),
        (lambda o: o.OptimizerMap(o.SGD(), {"a": "sgd"}), ValueError),
        (lambda o: o.schedules.PiecewiseConstantDecay([3, 2], [1.0, 2.0, 3.0]), ValueError),
        (lambda o: o.schedules.LearningRateSchedule(), TypeError),
    ],
)
def test_wrong_arguments_of_one_kind(make, error):
    with pytest.raises(error):
        make(cornu.optimizers)


def test_decay_of_old_keras_is_pointed_out():
    with pytest.warns(UserWarning, match="decay is an argument of older Keras and has no effect"):
        cornu.optimizers.SGD(0.1, decay=1e-4)


def test_wrong_calls():
    optimizer, variables = cornu.optimizers.SGD(0.1, name="mine"), weights()
    with pytest.raises(ValueError, match='SGD "mine": apply\\(grads\\) requires a built optimizer'):
        optimizer.apply(gradients())
    with pytest.raises(ValueError, match="stateless_apply requires a built optimizer"):
        optimizer.stateless_apply([], [], [])
    optimizer.build(variables)
    with pytest.raises(ValueError, match=r"one gradient for each variable. Received: 1 gradients for 2 variables"):
        optimizer.apply(gradients()[:1])
    with pytest.raises(ValueError, match='the variable "stranger" is not among the 2 variables'):
        optimizer.apply([jnp.ones(2)], [cornu.Variable([1.0, 2.0], name="stranger")])
    with pytest.raises(ValueError, match="optimizer_variables must have 2 values"):
        optimizer.stateless_apply([], gradients(), [v.value for v in variables])
    with pytest.raises(ValueError, match="trainable_variables must have 2 values"):
        optimizer.stateless_apply([v.value for v in optimizer.variables], gradients(), [])
    with pytest.raises(ValueError, match="at least one"):
        optimizer.apply_gradients([])
