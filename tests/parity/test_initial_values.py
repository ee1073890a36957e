"""The first value of every weight of every layer against Keras: mean, spread and range, at two sizes."""

import numpy as np
import pytest
from oracle import both

L = "layer"
# name -> (arguments from a size, shapes of the inputs from a size)
TABLE = {
    "AdditiveAttention": (lambda n: {}, lambda n: ([(None, 3, n), (None, 5, n)],)),
    "Attention": (lambda n: {"use_scale": True, "score_mode": "concat"}, lambda n: ([(None, 3, n), (None, 5, n)],)),
    "BatchNormalization": (lambda n: {"renorm": True}, lambda n: ((None, n),)),
    "Bidirectional": (lambda n: {L: lambda k: k.layers.LSTM(n)}, lambda n: ((None, 3, 2 * n),)),
    "Conv1D": (lambda n: {"filters": n, "kernel_size": 3}, lambda n: ((None, 9, 2 * n),)),
    "Conv1DTranspose": (lambda n: {"filters": n, "kernel_size": 3}, lambda n: ((None, 9, 3 * n),)),
    "Conv2D": (lambda n: {"filters": n, "kernel_size": 3, "groups": 2}, lambda n: ((None, 9, 9, 2 * n),)),
    "Conv2DTranspose": (lambda n: {"filters": n, "kernel_size": 3}, lambda n: ((None, 9, 9, 3 * n),)),
    "Conv3D": (lambda n: {"filters": n, "kernel_size": 2}, lambda n: ((None, 9, 9, 9, n),)),
    "ConvLSTM2D": (lambda n: {"filters": n, "kernel_size": 3}, lambda n: ((None, 3, 9, 9, 2 * n),)),
    "Dense": (lambda n: {"units": 2 * n, "kernel_initializer": "he_normal"}, lambda n: ((None, 3 * n),)),
    "DepthwiseConv1D": (lambda n: {"kernel_size": 30, "depth_multiplier": 2}, lambda n: ((None, 99, n),)),
    "DepthwiseConv2D": (lambda n: {"kernel_size": 5, "depth_multiplier": 2}, lambda n: ((None, 9, 9, 2 * n),)),
    "EinsumDense": (
        lambda n: {"equation": "abc,cde->abde", "output_shape": (None, 7, n), "bias_axes": "de"},
        lambda n: ((None, 4, 2 * n),),
    ),
    "EinsumDense ": (
        lambda n: {"equation": "abc,bcd->abd", "output_shape": (n, 5), "kernel_initializer": "lecun_normal"},
        lambda n: ((None, n, 2 * n),),
    ),
    "Embedding": (lambda n: {"input_dim": 50, "output_dim": n}, lambda n: ((None, 3),)),
    "GRU": (lambda n: {"units": 2 * n}, lambda n: ((None, 3, n),)),
    "GroupNormalization": (lambda n: {"groups": 2}, lambda n: ((None, n),)),
    "GroupQueryAttention": (
        lambda n: {"head_dim": n, "num_query_heads": 6, "num_key_value_heads": 3},
        lambda n: ((None, 3, 5 * n), (None, 4, 5 * n)),
    ),
    "LSTM": (lambda n: {"units": n}, lambda n: ((None, 3, 2 * n),)),
    "LayerNormalization": (lambda n: {}, lambda n: ((None, n),)),
    "MultiHeadAttention": (
        lambda n: {"num_heads": 6, "key_dim": n, "value_dim": 7},
        lambda n: ((None, 3, 5 * n), (None, 4, 3 * n)),
    ),
    "PReLU": (lambda n: {"alpha_initializer": "glorot_uniform"}, lambda n: ((None, 30, n),)),
    "RMSNormalization": (lambda n: {}, lambda n: ((None, n),)),
    "SeparableConv1D": (lambda n: {"filters": 50, "kernel_size": 20}, lambda n: ((None, 99, n),)),
    "SeparableConv2D": (lambda n: {"filters": 50, "kernel_size": 4}, lambda n: ((None, 9, 9, n),)),
    "SimpleRNN": (lambda n: {"units": 2 * n}, lambda n: ((None, 3, n),)),
    "SpectralNormalization": (lambda n: {L: lambda k: k.layers.Dense(20 * n)}, lambda n: ((None, 9),)),
    "TimeDistributed": (lambda n: {L: lambda k: k.layers.Dense(2 * n)}, lambda n: ((None, 3, 3 * n),)),
}


def first_values(library, name, size):
    """(name, shape) and (spread, mean, range) of each weight, of one layer built for a size."""
    arguments, shapes = (make(size) for make in TABLE[name])
    given = {key: value(library) if callable(value) else value for key, value in arguments.items()}
    library.utils.set_random_seed(3)
    layer = getattr(library.layers, name.strip())(**given)
    layer.build(*shapes)
    values = [np.asarray(w) for w in layer.weights]
    names = [(w.name, x.shape) for w, x in zip(layer.weights, values, strict=True)]
    return names, [(float(x.std()), float(x.mean()), float(np.ptp(x))) for x in values]


@pytest.mark.parametrize("size", [20, 32])
@pytest.mark.parametrize("name", TABLE)
def test_weights_start_as_in_keras(name, size):
    (names, ours), (wanted, theirs) = both(lambda library: first_values(library, name, size))
    assert names == wanted
    for (weight, shape), mine, reference in zip(names, ours, theirs, strict=True):
        error = 5 / np.sqrt(np.prod(shape))  # of estimates from so many numbers
        (spread, mean, width), (wanted_spread, wanted_mean, wanted_width) = mine, reference
        assert abs(spread - wanted_spread) <= error * wanted_spread, weight
        assert abs(mean - wanted_mean) <= error * wanted_spread, weight
        # normal values have a range of chance; all others reach their limits
        assert width <= 1.5 * wanted_width + 1e-6 and wanted_width <= 1.5 * width + 1e-6, weight
