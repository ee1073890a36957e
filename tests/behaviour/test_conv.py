"""Convolution and pooling as a user meets them."""

import jax
import numpy as np
import pytest

import cornu
from cornu import layers


def test_causal_convolution_does_not_see_the_future():
    layer = layers.Conv1D(2, 3, padding="causal", dilation_rate=2)
    x = np.random.normal(size=(1, 10, 3)).astype("float32")
    before = np.asarray(layer(x))
    x[:, 6:] = 0
    np.testing.assert_array_equal(np.asarray(layer(x))[:, :6], before[:, :6])


def test_channels_first_gives_the_transposed_result():
    x = np.random.normal(size=(2, 8, 9, 4)).astype("float32")
    for name, arguments in (("Conv2D", (6, 3)), ("Conv2DTranspose", (6, 3)), ("SeparableConv2D", (6, 3)),
                            ("DepthwiseConv2D", (3,)), ("MaxPooling2D", (2,)), ("AveragePooling2D", (2,))):  # fmt: skip
        last = getattr(layers, name)(*arguments)
        first = getattr(layers, name)(*arguments, data_format="channels_first")
        wanted = last(x)
        first.build((2, 4, 8, 9))
        first.set_weights(last.get_weights())
        np.testing.assert_allclose(first(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1), wanted, rtol=1e-5, atol=1e-5)


def test_a_group_sees_only_its_own_channels():
    layer = layers.Conv2D(6, 3, groups=3, padding="same")
    x = np.random.normal(size=(1, 5, 5, 6)).astype("float32")
    before = np.asarray(layer(x))
    x[..., :2] += 1
    changed = np.abs(np.asarray(layer(x)) - before).max((0, 1, 2)) > 0
    assert changed.tolist() == [True, True, False, False, False, False]


def test_images_of_any_size_go_through_one_layer():
    layer = layers.Conv2D(4, 3, strides=2, padding="same")
    assert [layer(np.ones((1, n, n + 1, 3))).shape for n in (5, 8)] == [(1, 3, 3, 4), (1, 4, 5, 4)]
    assert layers.AdaptiveMaxPooling2D(2)(cornu.Input((None, None, 3))).shape == (None, 2, 2, 3)


def test_a_subclass_may_change_the_kernel_on_its_way_in():
    class Standardised(layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel - kernel.mean((0, 1, 2), keepdims=True))

    layer = Standardised(4, 3, use_bias=False)
    np.testing.assert_allclose(layer(np.full((1, 5, 5, 2), 7.0)), 0, atol=1e-5)


def test_low_rank_adaptation_leaves_the_kernel_alone():
    layer = layers.Conv2D(4, 3)
    x = np.random.normal(size=(1, 6, 6, 3)).astype("float32")
    before = layer(x)
    layer.enable_lora(2)
    np.testing.assert_allclose(layer(x), before, rtol=1e-5, atol=1e-6)
    assert sorted(w.name for w in layer.trainable_weights) == ["bias", "lora_kernel_a", "lora_kernel_b"]
    with pytest.raises(ValueError, match="already"):
        layer.enable_lora(2)


def test_the_mean_of_a_sequence_leaves_padding_out():
    x = layers.Masking()(np.array([[[2.0], [4.0], [0.0]]]))
    assert layers.GlobalAveragePooling1D()(x).tolist() == [[3.0]]


def test_a_pooled_maximum_has_one_winner():

    gradient = jax.grad(lambda x: layers.MaxPooling1D(3)(x).sum())(np.zeros((1, 3, 1), "float32"))
    assert gradient.ravel().tolist() == [1, 0, 0]


MISTAKES = [
    (lambda: layers.Conv2D(8, 3, padding="full", name="stem"),
     'Conv2D "stem": padding must be "valid" or "same". Received: padding="full".'),
    (lambda: layers.Conv2D(8, (3, 3, 3), name="stem"), "kernel_size must be a tuple of 2 integers"),
    (lambda: layers.Conv2D(8, 3, groups=3, name="stem"), "filters=8, groups=3"),
    (lambda: layers.Conv2D(9, 3, groups=3, name="stem")(np.ones((1, 8, 8, 4))), "input channels=4, groups=3"),
    (lambda: layers.Conv2D(8, 9, name="stem")(np.ones((1, 8, 8, 4))), "does not fit in an input of"),
    (lambda: layers.Conv2D(8, 3, name="stem")(np.ones((8, 8, 4))), "expected input with 4 dimensions, got 3"),
    (lambda: layers.Conv2D(8, 3, name="stem")(cornu.Input((8, 8, None))), "number of channels"),
    (lambda: layers.Conv2D(8, 3, strides=2, dilation_rate=2, name="stem"), "cannot both be greater than 1"),
    (lambda: layers.Conv2DTranspose(8, 3, strides=2, output_padding=2, name="stem"), "less than strides"),
    (lambda: layers.MaxPooling2D(2, strides=0, name="stem"), "strides must be"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "message"), MISTAKES)
def test_mistakes_are_explained(mistake, message):
    with pytest.raises(ValueError) as error:
        mistake()
    assert message in str(error.value)
    assert '"stem"' in str(error.value)


def test_another_number_of_channels_is_refused():
    layer = layers.Conv2D(2, 3)
    layer(np.ones((1, 5, 5, 3)))
    with pytest.raises(ValueError, match="expected size 3 on axis 3"):
        layer(np.ones((1, 5, 5, 4)))


OPERATION_MISTAKES = [
    (lambda ops, x: ops.conv(x, np.ones((3, 4, 2))), "as many axes as the inputs"),
    (lambda ops, x: ops.conv(x, np.ones((3, 3, 3, 2))), "Check data_format"),
    (lambda ops, x: ops.conv(x, np.ones((3, 3, 4, 2)), padding="causal"), '"valid" or "same"'),
    (lambda ops, x: ops.depthwise_conv(x, np.ones((3, 3, 3, 2))), "for 3 channels"),
    (lambda ops, x: ops.max_pool(x[0, 0], 2), "spatial axes"),
    (lambda ops, x: ops.average_pool(x, 20), "does not fit"),
]


@pytest.mark.parametrize(("mistake", "message"), OPERATION_MISTAKES)
def test_mistakes_with_operations_are_explained(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake(cornu.ops, np.ones((1, 8, 8, 4)))
