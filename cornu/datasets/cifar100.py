"""CIFAR-100: 60,000 small photographs in a hundred classes and twenty superclasses."""

from cornu import validate
from cornu.datasets import cifar
from cornu.datasets.partition import Table
from cornu.datasets.published import fetched

__all__ = ["load_data"]


def load_data(label_mode: str = "fine") -> tuple[Table, Table]:
    """Load small color photographs: 50,000 for training and 10,000 for testing.

    Args:
        label_mode: `"fine"` for the hundred classes, `"coarse"` for the twenty superclasses. Defaults to `"fine"`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape `(n, 32, 32, 3)`, or `(n, 3, 32, 32)` if
        `config.image_data_format()` is "channels_first", uint8 from 0 to 255, and labels, int64 of shape `(n, 1)`.

    Raises:
        OSError: if the files are missing and cannot be downloaded.

    Example:

        (x_train, y_train), (x_test, y_test) = cornu.datasets.cifar100.load_data()
        print(x_train.shape, y_train.max())  # (50000, 32, 32, 3) 99

    Reference:
        [Krizhevsky, 2009](https://www.cs.toronto.edu/~kriz/cifar.html)
    """
    validate.one_of(label_mode, ("fine", "coarse"), "label_mode", "cifar100.load_data")
    folder = fetched("cifar100") / "cifar-100-python"
    train, test = (cifar.batch(folder / name, f"{label_mode}_labels") for name in ("train", "test"))
    return (cifar.in_order(train[0]), train[1]), (cifar.in_order(test[0]), test[1])
