"""Every optimizer against Keras: five steps from the same weights and gradients, with all its state."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

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


def assert_same(ours, theirs, tolerance=2e-6):
    for number, (mine, reference) in enumerate(zip(ours, theirs, strict=True)):
        for kind, a, b in zip(("weights", "state"), mine, reference, strict=True):
            for i, (x, y) in enumerate(zip(a, b, strict=True)):
                assert x.dtype == y.dtype, (number, kind, i)
                np.testing.assert_allclose(x, y, rtol=1e-5, atol=tolerance, err_msg=f"step {number}, {kind} {i}")


@pytest.mark.parametrize(("name", "settings"), CASES, ids=lambda x: x if isinstance(x, str) else "-".join(x) or "plain")
def test_five_steps(name, settings):
    values, gradients = drawn()
    tolerance = 2e-5 if name == "Muon" else 2e-6  # the iteration amplifies the rounding of products
    histories, configs, listings = [], [], []
    for package in (cornu, keras):
        optimizer = getattr(package.optimizers, name)(**{"learning_rate": 0.05, "name": "trainer", **settings})
        histories.append(run(optimizer, make_variables(package, values), gradients))
        configs.append(optimizer.get_config())
        listings.append([(v.path, v.shape, v.dtype) for v in optimizer.variables])
    assert_same(*histories, tolerance)
    assert configs[0] == configs[1]
    if name == "Nadam":  # Keras's running product has an automatic name
        assert listings[0].pop()[1:] == listings[1].pop()[1:]
    if name == "Adafactor":  # and so have the places of moments that vectors do not have
        listings = [[item[1:] for item in listing] for listing in listings]
    assert listings[0] == listings[1]


@pytest.mark.parametrize("name", ["Adam", "Adafactor", "Muon"])
def test_kernels_of_four_dimensions_and_scalars(name):
    values, gradients = drawn(OTHER_SHAPES)
    histories = []
    for package in (cornu, keras):
        optimizer = getattr(package.optimizers, name)(learning_rate=0.05)
        variables = make_variables(package, values, weights=OTHER_SHAPES)
        histories.append(run(optimizer, variables, gradients[:2]))
    assert_same(*histories)


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_default_names_and_configs(name):
    keras.utils.clear_session()
    ours = getattr(cornu.optimizers, name)().get_config()
    theirs = getattr(keras.optimizers, name)().get_config()
    assert ours.pop("name").startswith(theirs.pop("name"))  # the counter behind the name may stand elsewhere
    assert ours == theirs


@pytest.mark.parametrize("name", ["SGD", "Adam", "Lamb"])
def test_half_precision_keeps_its_dtypes(name):
    values, gradients = drawn()
    histories = []
    for package in (cornu, keras):
        optimizer = getattr(package.optimizers, name)(learning_rate=0.05)
        histories.append(run(optimizer, make_variables(package, values, "float16"), gradients))
    for mine, reference in zip(*histories, strict=True):
        for a, b in zip(mine, reference, strict=True):
            assert [x.dtype for x in a] == [y.dtype for y in b]
            for x, y in zip(a, b, strict=True):
                np.testing.assert_allclose(x, y, rtol=2e-2, atol=2e-2)


def test_constraints_and_averages():
    values, gradients = drawn()
    histories = []
    for package in (cornu, keras):
        variables = make_variables(package, values)
        variables[0].constraint = package.constraints.MaxNorm(0.5)
        variables[1].constraint = package.constraints.NonNeg()
        optimizer = package.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
        histories.append(run(optimizer, variables, gradients))
    assert_same(*histories)


def test_weight_decay_exclusions():
    values, gradients = drawn()
    histories = []
    for package in (cornu, keras):
        variables = make_variables(package, values)
        optimizer = package.optimizers.AdamW(0.05, weight_decay=0.3)
        optimizer.exclude_from_weight_decay(var_list=[variables[0]], var_names=["bias", "^emb"])
        histories.append(run(optimizer, variables, gradients))
    assert_same(*histories)


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 2}])
def test_schedule_in_an_optimizer(settings):
    values, gradients = drawn()
    histories = []
    for package in (cornu, keras):
        schedule = package.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
        histories.append(run(package.optimizers.SGD(schedule, **settings), make_variables(package, values), gradients))
    assert_same(*histories)


@pytest.mark.parametrize("settings", [{}, {"gradient_accumulation_steps": 3}, {"loss_scale_factor": 4.0}])
def test_variables_that_take_their_gradient_as_value(settings):
    values, gradients = drawn()
    histories = []
    for package in (cornu, keras):
        variables = make_variables(package, values)
        variables[1].overwrite_with_gradient = True
        optimizer = package.optimizers.Adam(0.05, weight_decay=0.1, global_clipnorm=0.5, use_ema=True, **settings)
        histories.append(run(optimizer, variables, gradients))
    assert_same(*histories)


def test_loss_scale_optimizer():
    values, gradients = drawn()
    gradients = [[8 * g for g in gradient] for gradient in gradients * 2]
    gradients[2][0] = gradients[2][0] * np.inf
    gradients[7][3] = gradients[7][3] * np.nan
    histories, listings = [], []
    for package in (cornu, keras):
        variables = make_variables(package, values)
        inner = package.optimizers.Adam(0.05, name="inner")
        optimizer = package.optimizers.LossScaleOptimizer(
            inner, initial_scale=8.0, dynamic_growth_steps=2, name="scaler"
        )
        histories.append(run(optimizer, variables, gradients))
        listings.append([(v.path, v.shape, v.dtype) for v in optimizer.variables])
        listings[-1].append(optimizer.get_config())
    assert listings[0] == listings[1]
    assert_same(*histories)


@pytest.mark.parametrize("loss_scale_factor", [None, 2.0])
def test_multi_optimizer(loss_scale_factor):
    values, gradients = drawn()
    histories, listings = [], []
    for package in (cornu, keras):
        choice = package.optimizers.OptimizerMap(
            package.optimizers.SGD(0.1, name="rest"),
            {
                "dense/.*": package.optimizers.Adam(0.05, name="dense"),
                "out": package.optimizers.Lion(name="none"),
                "embedding/embeddings": package.optimizers.SGD(0.2, use_ema=True, name="embedding"),
            },
        )
        config = package.optimizers.MultiOptimizer(choice, name="all").get_config()
        optimizer = package.optimizers.MultiOptimizer(choice, loss_scale_factor=loss_scale_factor, name="all")
        histories.append(run(optimizer, make_variables(package, values), gradients))
        listings.append([config, *((v.path, v.shape, v.dtype) for v in optimizer.variables)])
    assert listings[0] == listings[1]
    assert_same(*histories)


@pytest.mark.parametrize("name", ["Adam", "RMSprop", "Nadam", "Adafactor"])
def test_state_moves_between_the_two(name):
    values, gradients = drawn()
    stores = {}
    for package in (cornu, keras):
        optimizer = getattr(package.optimizers, name)(0.05)
        variables = make_variables(package, values)
        optimizer.apply([jnp.asarray(g) for g in gradients[0]], variables)
        stores[package.__name__] = store = {}
        optimizer.save_own_variables(store)
    assert stores["cornu"].keys() == stores["keras"].keys()
    fresh = getattr(cornu.optimizers, name)(0.5)
    fresh.build(make_variables(cornu, values))
    fresh.load_own_variables(stores["keras"])
    for i, variable in enumerate(fresh.variables):
        np.testing.assert_array_equal(variable.numpy(), stores["keras"][str(i)])
        np.testing.assert_allclose(stores["cornu"][str(i)], stores["keras"][str(i)], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_configs_move_between_the_two(name):
    ours = getattr(cornu.optimizers, name)(learning_rate=0.25, name="mover")
    theirs = getattr(keras.optimizers, name).from_config(cornu.optimizers.serialize(ours)["config"])
    assert theirs.get_config() == ours.get_config()
    back = cornu.optimizers.deserialize(keras.optimizers.serialize(theirs))
    assert type(back) is type(ours)
    assert back.get_config() == ours.get_config()
