"""Layers: the building blocks of models.

Example:

    layer = cornu.layers.Dense(4, activation="relu")
    print(layer(np.ones((2, 3), "float32")).shape)  # (2, 4)
    print([weight.shape for weight in layer.weights])  # [(3, 4), (4,)]
"""

from typing import TYPE_CHECKING

from cornu.absent import explainer as _explainer
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.typing import ConfigDict, CustomObjects
from cornu.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from cornu.layers.attention import AdditiveAttention, Attention
from cornu.layers.bidirectional import Bidirectional
from cornu.layers.category_encoding import CategoryEncoding
from cornu.layers.cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from cornu.layers.conv import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Convolution1D,
    Convolution1DTranspose,
    Convolution2D,
    Convolution2DTranspose,
    Convolution3D,
    Convolution3DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
    SeparableConvolution1D,
    SeparableConvolution2D,
)
from cornu.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from cornu.layers.core import Identity, Lambda
from cornu.layers.cropping import Cropping1D, Cropping2D, Cropping3D
from cornu.layers.dense import Dense
from cornu.layers.discretization import Discretization
from cornu.layers.einsum_dense import EinsumDense
from cornu.layers.embedding import Embedding, ReversibleEmbedding
from cornu.layers.feature_normalization import Normalization
from cornu.layers.hashed_crossing import HashedCrossing
from cornu.layers.hashing import Hashing
from cornu.layers.input import Input, InputLayer
from cornu.layers.input_spec import InputSpec
from cornu.layers.integer_lookup import IntegerLookup
from cornu.layers.intensity import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
    RandomInvert,
    RandomPosterization,
    Solarization,
)
from cornu.layers.jax_layer import FlaxLayer, JaxLayer
from cornu.layers.layer import Layer
from cornu.layers.masking import Masking
from cornu.layers.max_num_bounding_boxes import MaxNumBoundingBoxes
from cornu.layers.merge import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from cornu.layers.mixing import CutMix, MixUp
from cornu.layers.multi_head_attention import GroupedQueryAttention, GroupQueryAttention, MultiHeadAttention
from cornu.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    SpectralNormalization,
    UnitNormalization,
)
from cornu.layers.pipeline import Pipeline
from cornu.layers.pool import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from cornu.layers.rand_augment import AugMix, RandAugment
from cornu.layers.random_affine import RandomRotation, RandomShear, RandomTranslation, RandomZoom
from cornu.layers.random_color import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from cornu.layers.random_erasing import RandomErasing
from cornu.layers.random_filter import RandomGaussianBlur, RandomSharpness
from cornu.layers.random_flip import RandomFlip
from cornu.layers.random_warp import RandomElasticTransform, RandomPerspective
from cornu.layers.recurrent import GRU, LSTM, SimpleRNN
from cornu.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from cornu.layers.rescaling import Rescaling
from cornu.layers.reshape import Flatten, Permute, RepeatVector, Reshape
from cornu.layers.resizing import CenterCrop, RandomCrop, Resizing
from cornu.layers.rnn import RNN
from cornu.layers.spectrogram import MelSpectrogram, STFTSpectrogram
from cornu.layers.string_lookup import StringLookup
from cornu.layers.text_vectorization import TextVectorization
from cornu.layers.time_distributed import TimeDistributed
from cornu.layers.torch_module import TorchModuleWrapper
from cornu.layers.up_sampling import UpSampling1D, UpSampling2D, UpSampling3D
from cornu.layers.wrapper import Wrapper
from cornu.layers.zero_padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D


def serialize(layer: Layer) -> ConfigDict:
    """The layer as plain data.

    Args:
        layer: a layer.

    Example:

        print(cornu.layers.serialize(cornu.layers.Dense(2))["class_name"])  # Dense
    """
    return serialize_keras_object(layer)


def deserialize(config: ConfigDict, custom_objects: CustomObjects | None = None) -> Layer:
    """The layer that `serialize` returned as plain data.

    Args:
        config: plain data.
        custom_objects: dictionary from names to classes or functions. None by default.

    Example:

        config = cornu.layers.serialize(cornu.layers.Dense(2))
        print(cornu.layers.deserialize(config).units)  # 2
    """
    return deserialize_keras_object(config, custom_objects)


__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "ActivityRegularization",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "AugMix",
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNormalization",
    "Bidirectional",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CutMix",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Discretization",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Equalization",
    "Flatten",
    "FlaxLayer",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "GroupQueryAttention",
    "GroupedQueryAttention",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "IntegerLookup",
    "JaxLayer",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxNumBoundingBoxes",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "MelSpectrogram",
    "Minimum",
    "MixUp",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "Pipeline",
    "RMSNormalization",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "Subtract",
    "TextVectorization",
    "TimeDistributed",
    "TorchModuleWrapper",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

if not TYPE_CHECKING:
    __getattr__ = _explainer(__name__)
