"""What users do with films: ConvLSTM1D, 2D and 3D."""

import json

import numpy as np
import pytest

import cornu
from cornu import layers

RNG = np.random.default_rng(0)
FILMS = RNG.normal(size=(2, 4, 5, 6, 1)).astype("float32")
WHOLE = {"padding": "same", "return_sequences": True}


def close(a, b, tolerance=1e-6):
    np.testing.assert_allclose(a, b, atol=tolerance)


def test_it_learns_to_foretell_the_next_picture():
    """A point walks over a ring of eight places, one step to the right or to the left; its course tells where next."""
    start, step = RNG.integers(8, size=64), RNG.choice([-1, 1], 64)
    places = (start[:, None] + step[:, None] * np.arange(5)) % 8
    films = np.eye(8, dtype="float32")[places][..., None]
    cornu.utils.set_random_seed(0)
    model = cornu.Sequential(
        [layers.ConvLSTM1D(8, 5, padding="same"), layers.Flatten(), layers.Dense(8, activation="softmax")]
    )
    model.compile(cornu.optimizers.Adam(0.03), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(films[:, :4], places[:, 4], epochs=25, batch_size=16, verbose=0)
    assert model.evaluate(films[:, :4], places[:, 4], verbose=0)[1] > 0.95


def test_films_of_any_size_go_through_one_model():
    inputs = cornu.Input((None, None, None, 1))
    model = cornu.Model(inputs, layers.ConvLSTM2D(2, 3, **WHOLE)(inputs))
    assert model.output_shape == (None, None, None, None, 2)
    assert model.predict(FILMS, verbose=0).shape == (2, 4, 5, 6, 2)
    close(model.predict(FILMS[:, :2, :4], verbose=0), model(FILMS[:, :2, :4]))


def test_steps_of_padding_change_nothing():
    layer = layers.ConvLSTM2D(2, 3, **WHOLE, return_state=True, zero_output_for_mask=True)
    outputs, *states = layer(FILMS, mask=np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool))
    alone, *last = layer(FILMS[1:, :2])
    close(outputs[1, :2], alone[0])
    close(outputs[1, 2:], np.zeros((2, 5, 6, 2)))
    for state, wanted in zip(states, last, strict=True):
        close(state[1], wanted[0])


def test_masks_hold_the_states_in_a_loop_as_in_one_written_out():
    mask = np.array([[0, 1, 0, 1], [1, 0, 1, 0]], bool)
    loop, written_out = layers.ConvLSTM2D(2, 3), layers.ConvLSTM2D(2, 3, unroll=True)
    wanted = written_out(FILMS, mask=mask)
    loop.build(FILMS.shape)
    loop.set_weights(written_out.get_weights())
    close(loop(FILMS, mask=mask), wanted)


def test_the_cell_runs_step_by_step_as_the_layer_at_once():
    layer = layers.ConvLSTM2D(2, 3, strides=2, data_format="channels_first", return_sequences=True)
    films = np.moveaxis(FILMS, -1, 2)
    wanted = layer(films)
    close(layers.RNN(layer.cell, return_sequences=True)(films), wanted)


def test_a_stateful_layer_goes_on_where_the_last_batch_ended():
    whole, parts = layers.ConvLSTM2D(2, 3), layers.ConvLSTM2D(2, 3, stateful=True)
    wanted = whole(FILMS)
    parts.build((2, 2, 5, 6, 1))
    parts.set_weights(whole.get_weights())
    parts(FILMS[:, :2])
    close(parts(FILMS[:, 2:]), wanted)
    parts.reset_state()
    close(parts(FILMS[:, :2]), whole(FILMS[:, :2]))


def test_a_model_of_keras_2_is_read():
    config = {
        "class_name": "Sequential",
        "keras_version": "2.11.0",
        "config": {"name": "s", "layers": [{
            "class_name": "ConvLSTM2D",
            "config": {
                "name": "c", "trainable": True, "batch_input_shape": [None, None, 5, 6, 1], "dtype": "float32",
                "return_sequences": True, "return_state": False, "go_backwards": False, "stateful": False,
                "unroll": False, "time_major": False, "filters": 2, "kernel_size": [3, 3], "strides": [1, 1],
                "padding": "same", "data_format": "channels_last", "dilation_rate": [1, 1], "activation": "tanh",
                "recurrent_activation": "hard_sigmoid", "unit_forget_bias": True, "dropout": 0.0,
            },
        }]},
    }  # fmt: skip
    with pytest.warns(UserWarning, match="hard_sigmoid is that of Keras 1 and 2"):
        model = cornu.models.model_from_json(json.dumps(config))
    assert model.layers[0].kernel_size == (3, 3)
    assert model.predict(FILMS, verbose=0).shape == (2, 4, 5, 6, 2)


MISTAKES = [
    (lambda: layers.ConvLSTM2D(0, 3), "filters must be a positive integer"),
    (lambda: layers.ConvLSTM2D(2, (3, 3, 3)), "kernel_size"),
    (lambda: layers.ConvLSTM2D(2, 3, padding="causal"), 'padding must be "valid" or "same"'),
    (lambda: layers.ConvLSTM2D(2, 3, strides=2, dilation_rate=2), "cannot both be greater than 1"),
    (lambda: layers.ConvLSTM2D(2, 3, implementation=2), "implementation"),
    (lambda: layers.ConvLSTM2D(2, 7)(FILMS), "does not fit"),
    (lambda: layers.ConvLSTM2D(2, 3)(FILMS[..., 0]), r"x\[..., None\]"),
    (lambda: cornu.Sequential([cornu.Input((4, 5, 6, 1)), layers.ConvLSTM2D(2, 3), layers.ConvLSTM2D(2, 3)]),
     "return_sequences=True"),
    (lambda: layers.ConvLSTM2D(2, 3)(cornu.Input((4, 5, 6, None))), "channels, axis 3"),
    (lambda: layers.ConvLSTM2D(2, 3)(FILMS, initial_state=[FILMS[:, 0]]), "initial_state must have 2"),
    (lambda: layers.ConvLSTM2D(2, 3, stateful=True)(cornu.Input(batch_shape=(2, 4, None, 6, 1))), "must be known"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "told"), MISTAKES)
def test_mistakes_are_told(mistake, told):
    with pytest.raises((ValueError, TypeError), match=told):
        mistake()


def test_another_number_of_channels_is_refused():
    layer = layers.ConvLSTM2D(2, 3)
    layer(FILMS)
    with pytest.raises(ValueError, match="size 1 on axis 4"):
        layer(np.repeat(FILMS, 3, -1))
