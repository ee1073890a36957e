"""Distillation losses: the distance of the student's outputs, or those of one of its layers, from the teacher's.

A distillation loss compares tensors, or structures of them with a loss for each. Whether these are the outputs of
the models or of layers is set by `teacher_layer_name` and `student_layer_name`.
"""

import numbers
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from cornu import losses, tree
from cornu.core.configurable import Configurable
from cornu.core.typing import AnyDict, AnyFunction, AnyList, Leaves, Nested
from cornu.models.model import Model


class DistillationLoss(Configurable):
    """Base class of distillation losses; subclasses implement `compute_loss`.

    Example:

        class Distance(cornu.distillation.DistillationLoss):
            def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
                return cornu.ops.mean(cornu.ops.abs(teacher_outputs - student_outputs))
    """

    teacher_layer_name: str | None = None  # the layers whose outputs are compared; None uses those of the models
    student_layer_name: str | None = None

    def compute_loss(self, teacher_outputs: Nested, student_outputs: Nested, **kwargs: Any) -> jax.Array:
        """The distance of the student from the teacher, a scalar.

        Args:
            teacher_outputs: the teacher's tensor or structure of tensors.
            student_outputs: the student's, likewise.
            **kwargs: for custom losses; a `Distiller` passes none.
        """
        raise NotImplementedError(f"{type(self).__name__}: define compute_loss(teacher_outputs, student_outputs).")

    def validate_outputs(self, teacher_outputs: Nested, student_outputs: Nested) -> None:
        """Check that the outputs can be compared.

        Raises:
            ValueError: if their structures differ.
        """
        try:
            tree.assert_same_structure(teacher_outputs, student_outputs)
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__}: teacher and student must have outputs of the same structure. {error}"
            ) from error

    def validate_model_compatibility(self, teacher: Model, student: Model) -> None:
        """Check that this loss can compare the models; the base class accepts all.

        Raises:
            ValueError: otherwise.
        """


class _Comparison(DistillationLoss):
    """Base class of losses that use losses of `cornu.losses`, one for each compared output."""

    loss: Any

    def _keep(self, loss: object) -> None:
        """Validate the loss, or structure of losses, and store it as `loss`."""
        self.loss = _resolved(loss)
        if not any(callable(one) for one in _leaves(self.loss)):
            raise ValueError(f"{type(self).__name__}: at least one loss must be given. Received: loss={loss!r}.")

    def _total(self, teacher: Nested, student: Nested) -> jax.Array:
        """The sum of the losses of all outputs that have one."""
        self.validate_outputs(teacher, student)
        given, wanted = _leaves(student), _leaves(teacher)
        chosen = _leaves(self.loss)
        if _shape_of(self.loss) != _shape_of(student):
            raise ValueError(
                f"{type(self).__name__}: loss must have the structure of the outputs, with a loss or None for each. "
                f"Received: {len(chosen)} losses in {type(self.loss).__name__} for {len(given)} outputs in "
                f"{type(student).__name__}."
            )
        pairs = zip(chosen, wanted, given, strict=True)
        return sum((jnp.mean(loss(a, b)) for loss, a, b in pairs if loss is not None), jnp.zeros(()))

    def _refuse_other_shapes(self, teacher: Nested, student: Nested, what: str) -> None:
        """Reject compared symbolic outputs of different shapes."""
        self.validate_outputs(teacher, student)
        for a, b in zip(_leaves(teacher), _leaves(student), strict=True):
            if len(a.shape) != len(b.shape) or any(m != n for m, n in zip(a.shape, b.shape, strict=True) if m and n):
                raise ValueError(
                    f"{type(self).__name__}: {what} must have the same shapes. "
                    f"Received: {tuple(a.shape)} of the teacher and {tuple(b.shape)} of the student."
                )


class LogitsDistillation(_Comparison):
    """Compares the outputs of teacher and student, `loss(teacher / temperature, student / temperature)`.

    Apart from this division the outputs are not changed, as in Keras: for `"kl_divergence"`, both models should end
    with a softmax; for logits, use a distance such as `"mse"`.

    Args:
        temperature: divisor of the outputs, greater than 0. Defaults to 3.0.
        loss: name, function or `Loss`, or a structure of them like the outputs, with None for outputs to ignore.
            Defaults to `"kl_divergence"`.

    Hinton, Vinyals & Dean, Distilling the knowledge in a neural network, 2015.

    Example:

        loss = cornu.distillation.LogitsDistillation(temperature=2.0, loss="mse")
        print(loss.compute_loss(np.array([[4.0, 0.0]]), np.array([[2.0, 0.0]])))  # 0.5
    """

    def __init__(self, temperature: float = 3.0, loss: object = "kl_divergence"):
        if not isinstance(temperature, numbers.Real) or isinstance(temperature, bool) or not temperature > 0:
            raise ValueError(
                f"LogitsDistillation: temperature must be a number greater than 0. Received: {temperature!r}."
            )
        self.temperature: float = temperature
        self._keep(loss)

    def compute_loss(self, teacher_outputs: Nested, student_outputs: Nested, **kwargs: Any) -> jax.Array:
        """The sum of the losses of all outputs.

        Args:
            teacher_outputs, student_outputs: tensors, or structures of them.
            **kwargs: ignored.
        """
        cooler: AnyFunction = lambda outputs: tree.map_structure(lambda x: x / self.temperature, outputs)  # noqa: E731
        return self._total(cooler(teacher_outputs), cooler(student_outputs))

    def validate_model_compatibility(self, teacher: Model, student: Model) -> None:
        """Reject models whose outputs, if known, have different shapes."""
        if teacher.outputs and student.outputs:
            self._refuse_other_shapes(teacher.outputs, student.outputs, "the outputs of teacher and student")


class FeatureDistillation(_Comparison):
    """Compares the outputs of a layer of the teacher with those of a layer of the student.

    Args:
        loss: name, function or `Loss`, or a structure of them like the layers' outputs, with None for those to
            ignore. Defaults to `"mse"`.
        teacher_layer_name: the teacher's layer. None, the default, uses the outputs of the model.
        student_layer_name: the student's layer. None, the default, uses the outputs of the model.

    Romero et al., FitNets: hints for thin deep nets, 2014.

    Example:

        loss = cornu.distillation.FeatureDistillation("mae", "block_4", "block_2")
        print(loss.compute_loss(np.ones((1, 3)), np.zeros((1, 3))))  # 1.0
    """

    def __init__(
        self, loss: object = "mse", teacher_layer_name: str | None = None, student_layer_name: str | None = None
    ):
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name
        self._keep(loss)

    def compute_loss(self, teacher_outputs: Nested, student_outputs: Nested, **kwargs: Any) -> jax.Array:
        """The sum of the losses of all outputs.

        Args:
            teacher_outputs, student_outputs: outputs of the layers, or structures of them.
            **kwargs: ignored.
        """
        return self._total(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher: Model, student: Model) -> None:
        """Reject models without these layers, or whose layers are not in a graph or have different shapes."""
        of_teacher = outputs_of(teacher, self.teacher_layer_name, "teacher")
        of_student = outputs_of(student, self.student_layer_name, "student")
        if of_teacher is not None and of_student is not None:
            self._refuse_other_shapes(of_teacher, of_student, "the compared layers of teacher and student")


def outputs_of(model: Model, layer_name: str | None, role: str) -> Nested:
    """The symbolic outputs of a layer of the model, or of the model itself; None if there is no graph."""
    if layer_name is None:
        outputs = model.outputs
        return outputs[0] if outputs and len(outputs) == 1 else outputs
    layer = model.get_layer(layer_name)
    if not model.outputs:
        raise ValueError(
            f'FeatureDistillation: the layer "{layer_name}" of the {role} has no symbolic output, as the model is '
            "not functional. Create it as Sequential([Input(...), ...]) or Model(inputs, outputs)."
        )
    return layer.output


def _resolved(loss: object) -> Any:
    """A loss, or a structure of losses, with names replaced by the losses."""
    if isinstance(loss, Mapping) and "class_name" not in loss:
        return {key: _resolved(one) for key, one in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_resolved(one) for one in loss]
    return None if loss is None else losses.get(loss)


def _leaves(structure: object) -> Leaves:
    if isinstance(structure, Mapping):
        return [leaf for key in sorted(structure) for leaf in _leaves(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [leaf for one in structure for leaf in _leaves(one)]
    return [structure]


def _shape_of(structure: object) -> AnyDict | AnyList | None:
    """The structure without its leaves, where tuples and lists are equivalent."""
    if isinstance(structure, Mapping):
        return {key: _shape_of(one) for key, one in structure.items()}
    return [_shape_of(one) for one in structure] if isinstance(structure, (list, tuple)) else None
