"""What is checked on eight virtual devices, in one process for all of it: `test_distribution.py` starts it.

A check is a function whose name is a sentence; what it raises is the answer, as text.
"""

import functools
import json
import math
import re
import sys
import tempfile
import traceback
import warnings
from contextlib import nullcontext, suppress
from functools import cache
from pathlib import Path

# Behind everything else, as in `conftest.py`.
sys.path += [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "contracts")]

import numpy as np

import cornu
from cornu import distribution, layers
from cornu.core import placement
from cornu.core.variable import functional
from cornu.layers.rows import mixes_rows
from tests.lowering import lower_quickly

random = np.random.default_rng(0)
X = random.normal(size=(44, 6)).astype("float32")
Y = random.integers(0, 3, 44)
WEIGHTS = random.random(44).astype("float32")
ROWS = 16  # of a batch; the last one has 12, which eight devices cannot share


WITHOUT_WEIGHTS = {"MelSpectrogram", "MaxPooling2D", "Dropout"}
MORE = {
    "TimeDistributed Conv2D": (lambda: layers.TimeDistributed(layers.Conv2D(4, 3)), (5, 6, 6, 3)),
    "Conv2D in groups": (lambda: layers.Conv2D(6, 3, groups=3), (6, 7, 3)),
}


def data_parallel():
    return distribution.DataParallel()


def model_parallel():
    mesh = distribution.DeviceMesh((2, 4), ["batch", "model"])
    layouts = distribution.LayoutMap(mesh)
    layouts["(net/)?wide/kernel"] = (None, "model")
    layouts["(net/)?wide/bias"] = ("model",)
    layouts["net/wide/output"] = ("batch", "model")
    layouts[".*narrow/kernel"] = distribution.TensorLayout(["model", None])
    return distribution.ModelParallel(layout_map=layouts)


def fully_sharded():
    return distribution.DataParallel(shard_weights=True)


def net(optimizer=None, accumulates=None, **arguments):
    cornu.utils.set_random_seed(3)
    optimizer = optimizer or cornu.optimizers.Adam(epsilon=1e-3, gradient_accumulation_steps=accumulates)
    model = cornu.Sequential(
        [
            cornu.Input((6,)),
            layers.Dense(256, activation="relu", name="wide"),
            layers.Dropout(0.3, seed=5, name="dropped"),
            layers.Dense(4, use_bias=False, name="narrow"),
            layers.BatchNormalization(name="normal"),
            layers.Dense(3, activation="softmax", name="end"),
        ],
        name="net",
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", weighted_metrics=["accuracy"], **arguments)
    return model


def numbers(model):
    """What a user sees of a training: losses and metrics, predictions, weights, the optimizer's state."""
    history = model.fit(
        X, Y, sample_weight=WEIGHTS, batch_size=ROWS, epochs=2, validation_data=(X[:20], Y[:20]), verbose=0
    )
    return {
        "history": np.array([history.history[name] for name in sorted(history.history)]),
        "evaluated": np.array(model.evaluate(X, Y, sample_weight=WEIGHTS, batch_size=ROWS, verbose=0)),
        "predicted": model.predict(X, batch_size=ROWS, verbose=0),
        "on a batch": np.array(model.train_on_batch(X[:ROWS], Y[:ROWS])),
        "weights": np.concatenate([weight.ravel() for weight in model.get_weights()]),
        "state": np.concatenate([variable.numpy().ravel() for variable in model.optimizer.variables]),
    }


@cache
def of_one_device():
    return numbers(net())


def agree(found, expected, tolerance=1e-5):
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=tolerance, atol=tolerance, err_msg=name)


def spec(variable):
    """For each axis of a variable the axis of the mesh along which it is split."""
    axes = tuple(variable.value.sharding.spec)
    return axes + (None,) * (variable.ndim - len(axes))


def devices(variable):
    return len(variable.value.devices())


# ---------------------------------------------------------------- training


def data_parallel_training_gives_the_numbers_of_one_device():
    with data_parallel().scope():
        model = net()
        agree(numbers(model), of_one_device())
    assert {devices(variable) for variable in model.variables + model.optimizer.variables} == {8}


def model_parallel_training_gives_the_numbers_of_one_device():
    with model_parallel().scope():
        model = net()
        agree(numbers(model), of_one_device())
    state = {variable.path.partition("/")[2]: variable for variable in model.optimizer.variables}
    for name, layout in {
        "wide_kernel": (None, "model"),
        "wide_bias": ("model",),
        "narrow_kernel": ("model", None),
    }.items():
        weight = getattr(model.get_layer(name.split("_")[0]), name.split("_")[1])
        assert spec(weight) == spec(state[f"net_{name}_momentum"]) == spec(state[f"net_{name}_velocity"]) == layout
    assert model.get_layer("wide").kernel.value.addressable_shards[0].data.shape == (6, 64)


def fully_sharded_training_gives_the_numbers_of_one_device():
    with fully_sharded().scope():
        model = net()
        agree(numbers(model), of_one_device())
    (wide, *_), (narrow, *_) = (model.get_layer(name).weights for name in ("wide", "narrow"))
    followers = [v for v in model.optimizer.variables if v.follows is wide]
    assert {spec(variable) for variable in (wide, *followers)} == {(None, "batch")}
    assert spec(narrow) == ("batch", None)
    assert len(followers) == 2
    assert {spec(v) for v in model.get_layer("normal").weights} == {(None,)}  # too small to be worth it
    assert narrow.value.addressable_shards[0].data.shape == (32, 4)


def program(model, x=X[:ROWS], y=Y[:ROWS]):
    """The compiled training step of a model that was trained on this batch."""
    step = model._computations["train"].compiled(model)
    return step.function.lower(step._state(None), placement.batch((x, y)), None).compile()


def moved(program):
    """(operation, elements) of all that the devices exchange, in order."""
    found = re.findall(
        r"= (.*?) (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)\(", program.as_text()
    )
    return sorted(
        (operation, math.prod(int(size) for size in shape.split(",") if size))
        for shapes, operation in found
        for shape in re.findall(r"[a-z]+\d+\[([\d,]*)\]", shapes)
    )


def weights_gradients_and_state_take_an_eighth_of_the_memory():
    sizes, exchanged = {}, {}
    for kind in (data_parallel, fully_sharded):
        for accumulates in (None, 2):
            with kind().scope():
                model = deep(accumulates)
                model.train_on_batch(X[:ROWS], Y[:ROWS])
                found = program(model)
                sizes[kind, accumulates] = found.memory_analysis()
                exchanged[kind, accumulates] = moved(found)
    for accumulates in (None, 2):
        whole, split = (sizes[kind, accumulates] for kind in (data_parallel, fully_sharded))
        assert split.argument_size_in_bytes < whole.argument_size_in_bytes / 7
        assert split.output_size_in_bytes < whole.output_size_in_bytes / 7
    # Each weight is gathered for the forward pass, and once more for the gradient of what comes before it.
    gathered = [size for operation, size in exchanged[fully_sharded, None] if operation == "all-gather"]
    assert gathered == [128 * 8] * 2 + [128 * 128] * 6
    for kind in (data_parallel, fully_sharded):
        reduced = [size for operation, size in exchanged[kind, None] if operation == "all-reduce" and size >= 1024]
        assert reduced == [128 * 8, *[128 * 128] * 3]
        assert exchanged[kind, 2] == exchanged[kind, None]  # to gather gradients costs nothing


def layers_of_sequences_send_gradients_and_no_activations():
    """What merges the axes of time and rows, or halves the rows, would have the devices exchange these."""
    words, frames = random.normal(size=(64, 5, 6)).astype("float32"), random.normal(size=(8, 3, 4, 4, 1))
    for x, inner in (
        (words, [layers.LSTM(64, return_sequences=True), layers.GRU(72)]),
        (frames.astype("float32"), [layers.ConvLSTM2D(2, 3), layers.Flatten()]),
    ):
        with data_parallel().scope():
            model = cornu.Sequential([*inner, layers.Dense(3, activation="softmax")])
            model.compile("sgd", "sparse_categorical_crossentropy")
            y = np.resize(Y, len(x))
            model.train_on_batch(x, y)
            assert {operation for operation, _ in moved(program(model, x, y))} == {"all-reduce"}


@cache
def layers_of_the_contracts():
    """By name a layer, built under a distribution, and a batch for it."""
    import jax
    from test_layer_contract import MADE, arrays, call

    with data_parallel().scope():
        made = {name: (make(), arrays(shapes, ROWS)) for name, (make, shapes) in (MADE | MORE).items()}
        for layer, x in made.values():
            jax.eval_shape(functools.partial(call, layer, training=False), x)
    return made


def layers_that_treat_each_row_alone_exchange_no_rows():
    """Of layers of the contracts that have weights, and of some that XLA would split otherwise, in one program."""
    import jax
    from test_layer_contract import call

    made = {
        name: (layer, x)
        for name, (layer, x) in layers_of_the_contracts().items()
        if (layer.trainable_weights or name in WITHOUT_WEIGHTS)
        and not mixes_rows(layer, training=True)
        and "3D" not in name  # these are as those of 2D
    }
    with data_parallel().scope():
        variables = [variable for layer, _ in made.values() for variable in layer.variables]

        def loss_of(values, data):
            def run():
                outputs = [call(layer, x, training=True) for (layer, _), x in zip(made.values(), data, strict=True)]
                return sum(cornu.ops.sum(cornu.ops.sin(y)) for y in cornu.tree.flatten(outputs) if y.dtype == "float32")

            return functional(run, variables)(values)[0]

        data = [placement.batch(x) for _, x in made.values()]
        step = jax.jit(jax.grad(loss_of, argnums=(0, 1), allow_int=True))
        found = moved(step.lower([variable.value for variable in variables], data).compile())
    assert len(made) > 30
    assert {operation for operation, _ in found} == {"all-reduce"}
    assert max(size for _, size in found) <= max(variable.size for variable in variables)


def gradients_are_summed_by_each_device_and_exchanged_once_an_update():
    def trained(scope):
        with scope():
            cornu.utils.set_random_seed(3)
            model = cornu.Sequential(
                [
                    cornu.Input((6,)),
                    layers.Dense(32, kernel_regularizer="l2", name="wide"),
                    layers.Dropout(0.3, seed=5),
                    layers.Reshape((4, 8)),
                    layers.LSTM(8, dropout=0.2, seed=3),
                    layers.Dense(3, activation="softmax", name="end"),
                ]
            )
            optimizer = cornu.optimizers.Adam(epsilon=1e-3, clipnorm=1.0, gradient_accumulation_steps=3)
            model.compile(
                optimizer, "sparse_categorical_crossentropy", steps_per_execution=4
            )  # some calls end within an update
            x, y, weights = (np.resize(a, (112, *a.shape[1:])) for a in (X, Y, WEIGHTS))
            model.fit(x, y, sample_weight=weights, batch_size=ROWS, epochs=2, verbose=0)
            kept = [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]
            if scope is nullcontext:
                return kept, ""
            step = model._computations["train"].compiled(model, several=True)
            chunk = [np.resize(a, (8, *a[:ROWS].shape)) for a in (X, Y, WEIGHTS)]
            span = None, np.int32(0), np.int32(8)
            data = placement.batch(tuple(chunk), stacked=True)
            return kept, step.function.lower(step._state(None), data, span).compile().as_text()

    (alone, _), (split, program) = map(trained, (nullcontext, data_parallel().scope))
    agree(dict(enumerate(split)), dict(enumerate(alone)))
    conditional = [line for line in program.splitlines() if " conditional(" in line]
    branches = re.findall(r"%[\w.]+", " ".join(line.split("conditional(")[1] for line in conditional))
    for name, body in re.findall(r"^(%[\w.]+) .*?\{\n(.*?)^\}", program, re.MULTILINE | re.DOTALL):
        sums = re.findall(r"= (.*?) all-reduce\(", body)
        assert name in branches or not any(re.search(r"\[\d", one) for one in sums), (name, sums)  # or only scalars
    assert len(re.findall(r"all-reduce\(", program)) == 3  # of an update, of what is left over, of the loss and metrics


def deep(accumulates):
    cornu.utils.set_random_seed(3)
    model = cornu.Sequential(
        [
            cornu.Input((6,)),
            layers.Dense(8, name="begin"),
            *(layers.Dense(128, name=f"deep{number}") for number in range(4)),
            layers.Dense(3, activation="softmax", name="end"),
        ],
        name="deep",
    )
    optimizer = cornu.optimizers.Adam(gradient_accumulation_steps=accumulates)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def masks_mixed_precision_and_steps_of_ones_own_go_with_weights_in_parts():
    class Own(cornu.Model):
        def __init__(self):
            super().__init__(name="own")
            self.inner = [layers.Masking(), layers.LSTM(32, dtype="mixed_bfloat16"), layers.Dense(3, dtype="float32")]

        def call(self, inputs):
            for layer in self.inner:
                inputs = layer(inputs)
            return inputs

        def train_step(self, data):
            import jax

            x, y = data

            def loss_of(values):
                pure = cornu.core.variable.functional(lambda: self.compute_loss(x, y, self(x)), variables)
                return pure(values)[0]

            variables = self.trainable_variables
            loss, gradients = jax.value_and_grad(loss_of)([v.value for v in variables])
            self.optimizer.apply(gradients, variables)
            return {"loss": loss}

    x = np.where(np.arange(5)[:, None] < 3 + np.arange(44)[:, None, None] % 3, X[:, None], 0)
    found = []
    for scope in (nullcontext, fully_sharded().scope):
        with scope():
            cornu.utils.set_random_seed(2)
            model = Own()
            model.compile("sgd", cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
            found.append(model.fit(x, Y, batch_size=ROWS, verbose=0).history["loss"])
    np.testing.assert_allclose(found[1], found[0], rtol=2e-3)  # bfloat16
    assert {spec(v) for v in model.weights if v.size >= 1024} == {(None, "batch")}


def a_training_goes_on_from_its_backup_on_other_devices():
    class Stop(cornu.callbacks.Callback):
        def __init__(self, epoch):
            super().__init__()
            self.epoch = epoch

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == self.epoch:
                raise KeyboardInterrupt

    def train(folder, *callbacks):
        model = net()
        backup = cornu.callbacks.BackupAndRestore(folder, save_freq=1)
        history = model.fit(X, Y, batch_size=ROWS, epochs=4, verbose=0, callbacks=[backup, *callbacks])
        assert history.epoch == [2, 3]  # a backup is of before the end of its epoch
        return state(model)

    def state(model):
        return dict(enumerate([*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]))

    four = distribution.DataParallel(devices=distribution.list_devices()[:4], shard_weights=True)
    with tempfile.TemporaryDirectory() as folder:
        for end, chosen in enumerate((None, fully_sharded(), four), 1):
            distribution.set_distribution(chosen)
            with suppress(KeyboardInterrupt):
                train(folder, Stop(end))
        distribution.set_distribution(None)
        found = train(folder)
    model = net()
    model.fit(X, Y, batch_size=ROWS, epochs=4, verbose=0)
    agree(found, state(model))


def several_steps_a_call_that_sum_gradients_give_the_same_numbers():
    found = []
    for scope in (nullcontext, fully_sharded().scope, model_parallel().scope):
        with scope():
            model = net(steps_per_execution=2, accumulates=2)
            model.fit(X[:32], Y[:32], batch_size=8, verbose=0)
            found.append(model.get_weights())
            step = model._computations["train"].compiled(model, several=True)
            assert step.function._cache_size() == 1  # layouts that change would add to it
            for variable in (*model.variables, *model.optimizer.variables) if len(found) > 1 else ():
                told = variable._layout.backend_layout
                assert variable.value.sharding.is_equivalent_to(told, variable.ndim), variable.path
    for split in found[1:]:
        agree(dict(enumerate(split)), dict(enumerate(found[0])))


def each_device_works_on_its_part_of_a_batch():
    seen = set()

    class Look(cornu.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.add(batch)

    parts = []

    class Spy(layers.Layer):
        def call(self, inputs):
            import jax

            jax.debug.inspect_array_sharding(inputs, callback=lambda sharding: parts.append(sharding.spec))
            return inputs

    with data_parallel().scope():
        for callbacks in ([], [Look()]):  # several steps a call, and one
            model = cornu.Sequential([cornu.Input((6,)), Spy(name="spy"), layers.Dense(1, name="end")], name="seen")
            model.compile("sgd", "mse")
            model.fit(X[:32], Y[:32, None], batch_size=8, verbose=0, callbacks=callbacks)
    assert seen == {0, 1, 2, 3}
    assert len(parts) >= 2
    assert {part[0] for part in parts} == {"batch"}


def a_train_step_of_ones_own_is_split_too():
    import jax
    import jax.numpy as jnp

    class Own(cornu.Model):
        def __init__(self):
            super().__init__(name="own")
            self.inner = layers.Dense(2, name="wide")

        def call(self, inputs):
            return self.inner(inputs)

        def train_step(self, state, data):
            x, y = data
            trainable, rest, optimizer, metrics = state

            def loss_of(trainable):
                outputs, _ = self.stateless_call(trainable, rest, x)
                return jnp.mean((outputs - y[:, None]) ** 2)

            loss, gradients = jax.value_and_grad(loss_of)(trainable)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
            return {"own": loss}, (trainable, rest, optimizer, metrics)

    found = []
    for scope in (nullcontext, data_parallel().scope):
        with scope():
            cornu.utils.set_random_seed(1)
            model = Own()
            model.compile("sgd")
            found.append(model.fit(X, Y.astype("float32"), batch_size=ROWS, shuffle=False, verbose=0).history["own"])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    assert devices(model.inner.kernel) == 8


def generators_and_eager_steps_work_too():
    def batches():
        for start in range(0, 44, ROWS):
            yield X[start : start + ROWS], Y[start : start + ROWS]

    found = []
    for scope in (nullcontext, model_parallel().scope):
        with scope():
            model = net("sgd")
            model.fit(batches(), verbose=0)
            model.run_eagerly = True
            found.append(
                np.concatenate([model.evaluate(X[:12], Y[:12], verbose=0), model.predict(X[:5], verbose=0).ravel()])
            )
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)


def dropout_does_not_depend_on_how_a_batch_is_split():
    layer = layers.Dropout(0.5, seed=1, name="dropped")
    mesh = distribution.DeviceMesh((8,), ["batch"])
    drawn = []
    for axes in ((None, None), ("batch", None), (None, "batch")):
        layer.seed_generator.state.assign(np.array([1, 0], "uint32"))
        x = distribution.distribute_tensor(np.ones((16, 8), "float32"), distribution.TensorLayout(axes, mesh))
        drawn.append(np.asarray(layer(x, training=True)))
        layer.seed_generator.state.assign(np.array([1, 0], "uint32"))
        drawn.append(np.asarray(cornu.random.normal((16, 8), seed=1) * x))
    for one in drawn[2:]:
        assert any(np.array_equal(one, first) for first in drawn[:2])


def layers_that_draw_are_one_program_however_a_batch_is_split():
    """Which then draws the same numbers, as JAX's generator is one that can be split."""
    import jax
    from test_layer_contract import call

    assert jax.config.jax_threefry_partitionable

    def program(layer, x):
        def run(values, x):
            return functional(lambda: call(layer, x, training=True), layer.variables)(values)

        text = str(jax.make_jaxpr(run)([variable.value for variable in layer.variables], x))
        return re.sub(r"0x[0-9a-f]+", "", text)

    drawing = 0
    for name, (layer, x) in layers_of_the_contracts().items():
        if any("seed" in variable.path for variable in layer.variables):
            alone = program(layer, x)
            with data_parallel().scope():
                assert program(layer, x) == alone, name
            drawing += 1
    assert drawing > 30


def a_step_whose_gradients_overflow_is_skipped_on_all_devices():
    found = []
    for scope in (nullcontext, data_parallel().scope, fully_sharded().scope):
        with scope():
            cornu.utils.set_random_seed(3)
            half = {"dtype": "mixed_float16"}
            model = cornu.Sequential(
                [cornu.Input((6,)), layers.Dense(256, "relu", **half), layers.Dense(8, **half), layers.Dense(3)]
            )
            optimizer = cornu.optimizers.SGD(0.05, momentum=0.9)
            optimizer = cornu.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**22, dynamic_growth_steps=3)
            model.compile(optimizer, cornu.losses.SparseCategoricalCrossentropy(from_logits=True))
            model.fit(X[:32], Y[:32], batch_size=8, epochs=3, verbose=0)
            told = int(optimizer.inner_optimizer.iterations.numpy()), float(optimizer.dynamic_scale.numpy())
            found.append((told, model.get_weights()))
    assert 0 < found[0][0][0] < 12
    for told, weights in found[1:]:
        assert told == found[0][0]
        for one, other in zip(weights, found[0][1], strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)


def a_batch_that_devices_cannot_share_is_told_of_once():
    with data_parallel().scope():
        model = cornu.Sequential([cornu.Input((6,)), layers.Dense(1, name="end")], name="told")
        model.compile("sgd", "mse")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(2):
                model.fit(X, Y[:, None], batch_size=12, verbose=0)
    (one,) = caught
    assert "a batch of 12 rows cannot be split into 8 equal parts" in str(one.message)
    assert "such as 16" in str(one.message)


# ---------------------------------------------------------------- models that come from elsewhere


def a_model_made_before_is_laid_out_when_it_is_used():
    model = net()
    with model_parallel().scope():
        agree(numbers(model), of_one_device())
    assert spec(model.get_layer("wide").kernel) == (None, "model")
    assert [spec(v) for v in model.optimizer.variables if v.path.endswith("wide_kernel_velocity")] == [(None, "model")]
    with distribution.DataParallel(devices=distribution.list_devices()[:4]).scope():
        model.fit(X, Y, batch_size=ROWS, verbose=0)
    assert {devices(variable) for variable in model.variables + model.optimizer.variables} == {4}


def files_hold_whole_weights_and_load_on_any_devices():
    with tempfile.TemporaryDirectory() as folder, model_parallel().scope():
        model = net()
        model.fit(X, Y, batch_size=ROWS, verbose=0)
        model.save(file := Path(folder, "whole.keras"))
        model.save_weights(weights := Path(folder, "whole.weights.h5"))
        loaded = cornu.saving.load_model(file)
        assert spec(loaded.get_layer("wide").kernel) == (None, "model")
        other = net()
        other.load_weights(weights)
        assert spec(other.get_layer("narrow").kernel) == ("model", None)
        distribution.set_distribution(None)
        alone = cornu.saving.load_model(file)
    assert devices(alone.get_layer("wide").kernel) == 1
    for one in (loaded, other, alone):
        agree(dict(enumerate(one.get_weights())), dict(enumerate(model.get_weights())), 0)
    expected = [variable.numpy() for variable in model.optimizer.variables]
    for one in (loaded, alone):
        agree(dict(enumerate(v.numpy() for v in one.optimizer.variables)), dict(enumerate(expected)), 0)


def what_is_exported_runs_on_one_device():
    with tempfile.TemporaryDirectory() as folder, fully_sharded().scope():
        model = net()
        model.export(file := Path(folder, "net.stablehlo"), verbose=False)
        distribution.set_distribution(None)
        np.testing.assert_allclose(cornu.export.load(file)(X), net()(X), rtol=1e-5, atol=1e-6)


def state_that_belongs_to_no_weight_is_whole_on_each_device():
    mesh = distribution.DeviceMesh((2, 4), ["batch", "model"])
    layouts = distribution.LayoutMap(mesh)
    layouts[".*kernel"] = (None, "model")
    with distribution.ModelParallel(layout_map=layouts).scope():
        model = cornu.Sequential([cornu.Input((6,)), layers.Dense(4, name="wide")], name="factored")
        model.compile(cornu.optimizers.Adafactor(), "mse")
        model.fit(X, np.zeros((44, 4)), batch_size=ROWS, verbose=0)
        assert spec(model.get_layer("wide").kernel) == (None, "model")
        assert all(devices(variable) == 8 for variable in model.optimizer.variables)


def a_variable_keeps_the_layout_that_it_was_made_with():
    mesh = distribution.DeviceMesh((2, 4), ["batch", "model"])
    layout = distribution.TensorLayout(("batch", None), mesh)
    with distribution.DataParallel(device_mesh=distribution.DeviceMesh((8,), ["all"])).scope():
        made = cornu.Variable(np.zeros((4, 4)), layout=layout)
    assert spec(made) == ("batch", None)
    made.assign(np.ones((4, 4)))
    assert spec(made) == ("batch", None)


# ---------------------------------------------------------------- mistakes


def refused(make, *words):
    try:
        make()
    except ValueError as error:
        assert all(word in str(error) for word in words), error
    else:
        raise AssertionError(f"Nothing was refused where {words} was expected.")


def a_layout_that_does_not_fit_names_the_variable():
    mesh = distribution.DeviceMesh((2, 4), ["batch", "model"])
    layouts = distribution.LayoutMap(mesh)
    layouts["odd/kernel"] = ("model", None)
    layouts["flat/bias"] = (None, "model")
    layouts["deep/output"] = (None, None, "model")
    with distribution.ModelParallel(layout_map=layouts).scope():
        refused(lambda: layers.Dense(4, name="odd").build((None, 6)), '"odd/kernel"', "(6, 4)", "'model': 4")
        refused(lambda: layers.Dense(4, name="flat").build((None, 6)), '"flat/bias"', "(4,)")
        refused(lambda: layers.Dense(4, name="deep")(X), '"deep/output"', "(44, 4)")
    tensor = distribution.TensorLayout(("model",), mesh)
    refused(lambda: distribution.distribute_tensor(np.zeros(6), tensor), "distribute_tensor", "(6,)")
    refused(lambda: distribution.DeviceMesh((2,), ["batch"]), "shape (2,)", "8 devices")


def a_mesh_of_two_axes_for_data_alone_is_told_of():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distribution.DataParallel(distribution.DeviceMesh((2, 4), ["batch", "model"]))
    assert "2 parts for 8 devices" in str(caught[0].message)


CHECKS = [
    data_parallel_training_gives_the_numbers_of_one_device,
    fully_sharded_training_gives_the_numbers_of_one_device,
    weights_gradients_and_state_take_an_eighth_of_the_memory,
    layers_of_sequences_send_gradients_and_no_activations,
    layers_that_treat_each_row_alone_exchange_no_rows,
    gradients_are_summed_by_each_device_and_exchanged_once_an_update,
    masks_mixed_precision_and_steps_of_ones_own_go_with_weights_in_parts,
    a_training_goes_on_from_its_backup_on_other_devices,
    model_parallel_training_gives_the_numbers_of_one_device,
    several_steps_a_call_that_sum_gradients_give_the_same_numbers,
    each_device_works_on_its_part_of_a_batch,
    a_train_step_of_ones_own_is_split_too,
    generators_and_eager_steps_work_too,
    dropout_does_not_depend_on_how_a_batch_is_split,
    layers_that_draw_are_one_program_however_a_batch_is_split,
    a_step_whose_gradients_overflow_is_skipped_on_all_devices,
    a_batch_that_devices_cannot_share_is_told_of_once,
    a_model_made_before_is_laid_out_when_it_is_used,
    files_hold_whole_weights_and_load_on_any_devices,
    what_is_exported_runs_on_one_device,
    state_that_belongs_to_no_weight_is_whole_on_each_device,
    a_variable_keeps_the_layout_that_it_was_made_with,
    a_layout_that_does_not_fit_names_the_variable,
    a_mesh_of_two_axes_for_data_alone_is_told_of,
]


def answer(check):
    """What a check raises, as text; nothing where all is well."""
    try:
        check()
    except Exception:
        return traceback.format_exc()
    finally:
        distribution.set_distribution(None)
    return ""


if __name__ == "__main__":
    lower_quickly()
    warnings.simplefilter("error")
    Path(sys.argv[1]).write_text(json.dumps({check.__name__: answer(check) for check in CHECKS}))
