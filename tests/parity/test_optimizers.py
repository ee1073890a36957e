"""Every optimizer against Keras: five steps from the same weights and gradients, with all its state."""

import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ask, both

import cornu

STEPS = 5
# (path of the weight, shape): wide and tall matrices, a vector, an embedding. Few shapes: each is compiled for.
WEIGHTS = (
    ("dense/kernel", (3, 4)),
    ("dense/bias", (4,)),
    ("embedding/embeddings", (3, 4)),
    ("out/kernel", (4, 3)),
)
OTHER_SHAPES = (("conv/kernel", (2, 2, 2, 3)), ("conv/scale", ()))
OWN_SETTINGS = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.8, "nesterov": True}],
    "Adam": [{}, {"amsgrad": True}, {"beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3}],
    "AdamW": [{}, {"weight_decay": 0.1, "amsgrad": True}],
    "RMSprop": [
        {},
        {"momentum": 0.9},
        {"centered": True},
        {"momentum": 0.5, "centered": True, "rho": 0.8, "epsilon": 1e-3},
    ],
    "Adagrad": [{}, {"initial_accumulator_value": 0.5, "epsilon": 1e-2}],
    "Adadelta": [{}, {"rho": 0.8, "epsilon": 1e-3}],
    "Adamax": [{}, {"beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3}],
    "Nadam": [{}, {"beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3}],
    "Ftrl": [
        {},
        {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2},
        {"l2_shrinkage_regularization_strength": 0.1, "beta": 0.3, "initial_accumulator_value": 0.2},
        {"learning_rate_power": -0.3},
        {"learning_rate_power": 0.0, "l1_regularization_strength": 0.1},
    ],
    "Lion": [{}, {"beta_1": 0.8, "beta_2": 0.9}],
    "Lamb": [{}, {"beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3}],
    "Adafactor": [
        {},
        {"relative_step": False, "clip_threshold": 0.5},
        {"relative_step": False, "learning_rate": 0.9},
        {"beta_2_decay": -0.5, "epsilon_1": 1e-4, "epsilon_2": 0.5},
    ],
    "Muon": [
        {},
        {"exclude_layers": ["out"], "nesterov": False},
        {"exclude_embeddings": False, "rms_rate": None, "adam_lr_ratio": 0.5, "ns_steps": 3},
        {"adam_weight_decay": None, "weight_decay": 0.1, "momentum": 0.5, "muon_a": 3.0},
    ],
    "ScheduleFreeAdamW": [{}, {"warmup_steps": 3, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}],
}
COMMON_SETTINGS = [
    {"weight_decay": 0.1},
    {"clipnorm": 0.5},
    {"clipvalue": 0.3},
    {"global_clipnorm": 0.7},
    {"use_ema": True, "ema_momentum": 0.7},
    {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2},
    {"loss_scale_factor": 4.0},
    {"gradient_accumulation_steps": 2},
    {"gradient_accumulation_steps": 2, "clipnorm": 0.5, "weight_decay": 0.1, "use_ema": True},
    {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2, "loss_scale_factor": 2.0},
]
COMMON_FOR = ("SGD", "Adam", "Nadam", "Muon")
CASES = [
    *((name, settings) for name, table in OWN_SETTINGS.items() for settings in table),
    *((name, settings) for name in COMMON_FOR for settings in COMMON_SETTINGS),
]


def make_variables(package, values, dtype="float32", weights=WEIGHTS):
    variables = []
    for (path, _), value in zip(weights, values, strict=True):
        scope, name = path.split("/")
        with package.name_scope(scope):
            variables.append(package.Variable(value, dtype=dtype, name=name))
    return variables


def drawn(weights=WEIGHTS):
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype("float32") for _, shape in weights]
    gradients = [[rng.normal(size=shape).astype("float32") for _, shape in weights] for _ in range(STEPS)]
    return values, gradients


def run(optimizer, variables, gradients):
    """The weights and the optimizer's state after each step."""
    optimizer.build(variables)
    step = optimizer.stateless_apply
    state = [jnp.asarray(v.value) for v in optimizer.variables]
    weights = [jnp.asarray(v.value) for v in variables]
    history = []
    for gradient in gradients:
        weights, state = step(state, [jnp.asarray(g) for g in gradient], weights)
        history.append((weights, state))
    return history


def assert_same(ours, theirs, tolerance=2e-6, relative=1e-5):
    for number, (mine, reference) in enumerate(zip(ours, theirs, strict=True)):
        for kind, a, b in zip(("weights", "state"), mine, reference, strict=True):
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                assert x.dtype == y.dtype, (number, kind, i)
                np.testing.assert_allclose(x, y, rtol=relative, atol=tolerance, err_msg=f"step {number}, {kind} {i}")


def listing(optimizer):
    return [(v.path, tuple(v.shape), str(v.dtype)) for v in optimizer.variables]


def compare(steps, *tolerances):
    """Assert that `steps(library, values, gradients)` of the weights above gives the same history in both libraries."""
    assert_same(*both(lambda library: steps(library, *drawn())), *tolerances)


@pytest.mark.parametrize(("name", "settings"), CASES, ids=lambda x: x if isinstance(x, str) else "-".join(x) or "plain")
def test_five_steps(name, settings):
    values, gradients = drawn()
    tolerance = 2e-5 if name == "Muon" else 2e-6  # the iteration amplifies the rounding of products

    def question(library):
        optimizer = getattr(library.optimizers, name)(**{"learning_rate": 0.05, "name": "trainer", **settings})
        history = run(optimizer, make_variables(library, values), gradients)
        return history, optimizer.get_config(), listing(optimizer)

    (ours, config, listed), (theirs, expected, wanted) = both(question)
    assert_same(ours, theirs, tolerance)
    assert config == expected
    if name == "Nadam":  # Keras's running product has an automatic name
        assert listed.pop()[1:] == wanted.pop()[1:]
    if name == "Adafactor":  # and so have the places of moments that vectors do not have
        listed, wanted = ([item[1:] for item in items] for items in (listed, wanted))
    assert listed == wanted


@pytest.mark.parametrize("name", ["Adam", "Adafactor", "Muon"])
def test_kernels_of_four_dimensions_and_scalars(name):
    values, gradients = drawn(OTHER_SHAPES)

    def question(library):
        optimizer = getattr(library.optimizers, name)(learning_rate=0.05)
        return run(optimizer, make_variables(library, values, weights=OTHER_SHAPES), gradients[:2])

    assert_same(*both(question))


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_default_names_and_configs(name):
    def question(library):
        library.utils.clear_session(free_memory=False)
        return getattr(library.optimizers, name)().get_config()

    ours, theirs = both(question)
    assert ours == theirs


@pytest.mark.parametrize("name", ["SGD", "Adam", "Lamb"])
def test_half_precision_keeps_its_dtypes(name):
    def steps(library, values, gradients):
        optimizer = getattr(library.optimizers, name)(learning_rate=0.05)
        return run(optimizer, make_variables(library, values, "float16"), gradients)

    compare(steps, 2e-2, 2e-2)


def test_constraints_and_averages():
    def steps(library, values, gradients):
        variables = make_variables(library, values)
        variables[0].constraint = library.constraints.MaxNorm(0.5)
        variables[1].constraint = library.constraints.NonNeg()
        optimizer = library.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
        return run(optimizer, variables, gradients)

    compare(steps)


def test_weight_decay_exclusions():
    def steps(library, values, gradients):
        variables = make_variables(library, values)
        optimizer = library.optimizers.AdamW(0.05, weight_decay=0.3)
        optimizer.exclude_from_weight_decay(var_list=[variables[0]], var_names=["bias", "^emb"])
        return run(optimizer, variables, gradients)

    compare(steps)


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2}])
def test_schedule_in_an_optimizer(settings):
    def steps(library, values, gradients):
        schedule = library.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
        return run(library.optimizers.SGD(schedule, **settings), make_variables(library, values), gradients)

    compare(steps)


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 3}, {"loss_scale_factor": 4.0}])
def test_variables_that_take_their_gradient_as_value(settings):
    def steps(library, values, gradients):
        variables = make_variables(library, values)
        variables[1].overwrite_with_gradient = True
        optimizer = library.optimizers.Adam(0.05, weight_decay=0.1, global_clipnorm=0.5, use_ema=True, **settings)
        return run(optimizer, variables, gradients)

    compare(steps)


def test_loss_scale_optimizer():
    values, gradients = drawn()
    gradients = [[8 * g for g in gradient] for gradient in gradients * 2]
    gradients[2][0] = gradients[2][0] * np.inf
    gradients[7][3] = gradients[7][3] * np.nan

    def question(library):
        inner = library.optimizers.Adam(0.05, name="inner")
        optimizer = library.optimizers.LossScaleOptimizer(
            inner, initial_scale=8.0, dynamic_growth_steps=2, name="scaler"
        )
        history = run(optimizer, make_variables(library, values), gradients)
        return history, [listing(optimizer), optimizer.get_config()]

    ours, theirs = both(question)
    assert ours[1] == theirs[1]
    assert_same(ours[0], theirs[0])


@pytest.mark.parametrize("loss_scale_factor", [None, 2.0])
def test_multi_optimizer(loss_scale_factor):
    values, gradients = drawn()

    def question(library):
        optimizers = library.optimizers
        choice = optimizers.OptimizerMap(
            optimizers.SGD(0.1, name="rest"),
            {
                "dense/.*": optimizers.Adam(0.05, name="dense"),
                "out": optimizers.Lion(name="none"),
                "embedding/embeddings": optimizers.SGD(0.2, use_ema=True, name="embedding"),
            },
        )
        config = optimizers.MultiOptimizer(choice, name="all").get_config()
        optimizer = optimizers.MultiOptimizer(choice, loss_scale_factor=loss_scale_factor, name="all")
        history = run(optimizer, make_variables(library, values), gradients)
        return history, [config, listing(optimizer)]

    ours, theirs = both(question)
    assert ours[1] == theirs[1]
    assert_same(ours[0], theirs[0])


@pytest.mark.parametrize("name", ["Adam", "RMSprop", "Nadam", "Adafactor"])
def test_state_moves_between_the_two(name):
    values, gradients = drawn()

    def question(library):
        optimizer, store = getattr(library.optimizers, name)(0.05), {}
        optimizer.apply([jnp.asarray(g) for g in gradients[0]], make_variables(library, values))
        optimizer.save_own_variables(store)
        return store

    ours, theirs = both(question)
    assert ours.keys() == theirs.keys()
    fresh = getattr(cornu.optimizers, name)(0.5)
    fresh.build(make_variables(cornu, values))
    fresh.load_own_variables(theirs)
    for i, variable in enumerate(fresh.variables):
        np.testing.assert_array_equal(variable.numpy(), theirs[str(i)])
        np.testing.assert_allclose(ours[str(i)], theirs[str(i)], rtol=1e-5, atol=1e-7)


def serialized(library, name):
    return library.optimizers.serialize(getattr(library.optimizers, name)(learning_rate=0.25, name="mover"))


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_a_config_of_keras_is_read_and_is_that_of_cornu(name):
    ours, theirs = both(lambda library: serialized(library, name))
    assert ours == theirs
    back = cornu.optimizers.deserialize(theirs)
    assert type(back) is getattr(cornu.optimizers, name)
    assert cornu.optimizers.serialize(back) == ours


@pytest.mark.live
@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_keras_reads_a_config_of_cornu(name):
    config = serialized(cornu, name)["config"]
    assert ask(lambda keras: getattr(keras.optimizers, name).from_config(config).get_config()) == config
