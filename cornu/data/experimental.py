"""Names in `tf.data.experimental` that scripts still use; each is available elsewhere, too."""

from collections.abc import Callable

from cornu.data.dataset import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from cornu.data.elements import DataArray
from cornu.data.threads import AUTOTUNE

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "assert_cardinality", "cardinality"]


def cardinality(dataset: Dataset) -> DataArray:
    """The number of elements; see `Dataset.cardinality`.

    Args:
        dataset: a `Dataset`.

    Example:

        dataset = cornu.data.Dataset.range(5).batch(2)
        print(cornu.data.experimental.cardinality(dataset))  # 3
    """
    return dataset.cardinality()


def assert_cardinality(expected_cardinality: int) -> Callable[[Dataset], Dataset]:
    """A function for `Dataset.apply` that declares the number of elements; a different number is an error when read.

    Args:
        expected_cardinality: number of elements.

    Example:

        dataset = cornu.data.Dataset.range(5).filter(lambda x: x > 1)
        dataset = dataset.apply(cornu.data.experimental.assert_cardinality(3))
        print(dataset.cardinality())  # 3
    """
    return lambda dataset: dataset._of_size(int(expected_cardinality))
