"""The optimizers under the names used by scripts written for older Keras: `keras.optimizers.legacy.Adam`."""

from cornu.optimizers.adagrad import Adagrad, Ftrl, RMSprop
from cornu.optimizers.adam import Adam
from cornu.optimizers.optimizer import Optimizer
from cornu.optimizers.sgd import SGD

__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop"]
