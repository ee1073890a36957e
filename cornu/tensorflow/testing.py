"""`tensorflow.test`: test cases that compare tensors."""

import contextlib
import tempfile
import unittest
from collections.abc import Iterable, Iterator, Mapping, Sized

import numpy as np

from cornu import tree
from cornu.core.typing import Nested, Tensor


def _array(value: Nested) -> np.ndarray:
    return np.asarray(value.to_tensor() if hasattr(value, "to_tensor") else value)


class TestCase(unittest.TestCase):
    """A case of `unittest` with TensorFlow's checks of tensors."""

    def evaluate(self, tensors: Nested) -> Nested:
        """The values as NumPy arrays."""
        return tree.map_structure(lambda value: np.asarray(value)[()], tensors)

    @contextlib.contextmanager
    def session(self, *args: object, **kwargs: object) -> Iterator["TestCase"]:
        """Scope in which all is as outside of it."""
        yield self

    cached_session = session

    def get_temp_dir(self) -> str:
        """A folder for this test alone, which goes at its end."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def assertAllEqual(self, a: Tensor, b: Tensor, msg: str | None = None) -> None:  # noqa: N802
        """Fail unless shapes and values are the same."""
        np.testing.assert_array_equal(_array(a), _array(b), err_msg=msg or "")

    def assertNotAllEqual(self, a: Tensor, b: Tensor, msg: str | None = None) -> None:  # noqa: N802
        """Fail where shapes and values are the same."""
        self.assertFalse(np.array_equal(_array(a), _array(b)), msg)

    def assertAllClose(  # noqa: N802
        self, a: Nested, b: Nested, rtol: float = 1e-6, atol: float = 1e-6, msg: str | None = None
    ) -> None:
        """Fail unless shapes are the same and values near, also in lists and dictionaries."""
        nested = isinstance(a, (list, tuple)) and any(np.ndim(each) for each in a)
        if isinstance(a, Mapping):
            self.assertEqual(sorted(a), sorted(b), msg)
        if nested:
            self.assertEqual(len(a), len(b), msg)
        if nested or isinstance(a, Mapping):
            for key in a if isinstance(a, Mapping) else range(len(a)):
                self.assertAllClose(a[key], b[key], rtol, atol, msg)
        else:
            self.assertEqual(np.shape(_array(a)), np.shape(_array(b)), msg)
            np.testing.assert_allclose(_array(a), _array(b), rtol, atol, err_msg=msg or "")

    def assertNotAllClose(self, a: Tensor, b: Tensor, rtol: float = 1e-6, atol: float = 1e-6) -> None:  # noqa: N802
        """Fail where values are near."""
        self.assertFalse(np.allclose(_array(a), _array(b), rtol, atol))

    def assertNear(self, f1: float, f2: float, err: float, msg: str | None = None) -> None:  # noqa: N802
        """Fail unless two numbers differ by `err` at most."""
        self.assertLessEqual(abs(float(f1) - float(f2)), err, msg)

    def assertShapeEqual(self, input_a: Tensor, input_b: Tensor, msg: str | None = None) -> None:  # noqa: N802
        """Fail unless both have one shape."""
        self.assertEqual(tuple(np.shape(input_a)), tuple(np.shape(input_b)), msg)

    def assertDTypeEqual(self, target: Tensor, expected_dtype: object) -> None:  # noqa: N802
        """Fail unless the values are of a type."""
        self.assertEqual(str(np.asarray(target).dtype), getattr(expected_dtype, "name", str(expected_dtype)))

    def assertAllGreater(self, a: Tensor, comparison_target: float) -> None:  # noqa: N802
        """Fail unless all values are greater."""
        self.assertGreater(_array(a).min(), comparison_target)

    def assertAllGreaterEqual(self, a: Tensor, comparison_target: float) -> None:  # noqa: N802
        """Fail unless all values are greater or equal."""
        self.assertGreaterEqual(_array(a).min(), comparison_target)

    def assertAllLess(self, a: Tensor, comparison_target: float) -> None:  # noqa: N802
        """Fail unless all values are less."""
        self.assertLess(_array(a).max(), comparison_target)

    def assertAllLessEqual(self, a: Tensor, comparison_target: float) -> None:  # noqa: N802
        """Fail unless all values are less or equal."""
        self.assertLessEqual(_array(a).max(), comparison_target)

    def assertAllInRange(  # noqa: N802
        self, target: Tensor, lower_bound: float, upper_bound: float, open_lower_bound: bool = False,
        open_upper_bound: bool = False,
    ) -> None:  # fmt: skip
        """Fail unless all values are between two numbers."""
        (self.assertAllGreater if open_lower_bound else self.assertAllGreaterEqual)(target, lower_bound)
        (self.assertAllLess if open_upper_bound else self.assertAllLessEqual)(target, upper_bound)

    def assertAllInSet(self, target: Tensor, expected_set: Iterable[object]) -> None:  # noqa: N802
        """Fail unless all values are among those named."""
        self.assertLessEqual(set(_array(target).ravel().tolist()), set(expected_set))

    def assertEmpty(self, container: Sized, msg: str | None = None) -> None:  # noqa: N802
        """Fail unless nothing is in it."""
        self.assertEqual(len(container), 0, msg)

    def assertNotEmpty(self, container: Sized, msg: str | None = None) -> None:  # noqa: N802
        """Fail where nothing is in it."""
        self.assertGreater(len(container), 0, msg)

    def assertLen(self, container: Sized, expected_len: int, msg: str | None = None) -> None:  # noqa: N802
        """Fail unless so many things are in it."""
        self.assertEqual(len(container), expected_len, msg)


def main(argv: list[str] | None = None) -> None:
    """Run the tests of the script."""
    unittest.main(argv=argv)
