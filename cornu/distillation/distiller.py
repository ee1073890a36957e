"""The model that trains a student, with a loss from labels and from the teacher."""

import numbers
from collections.abc import Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp

from cornu import tree, validate
from cornu.core.configurable import deserialize_keras_object, serialize_keras_object
from cornu.core.typing import Config, ConfigDict, CustomObjects, Data, Nested, Tensor
from cornu.distillation.losses import DistillationLoss, outputs_of
from cornu.layers.options import UnnamedOptions
from cornu.metrics.reduction import Mean
from cornu.models.model import Model


class Distiller(Model):
    """Trains a student on labels and on a teacher's outputs for the same inputs.

    The loss is `student_loss_weight * S + (1 - student_loss_weight) * sum(weight * D)`, where `S` is the loss of
    `compile` and each `D` that of one of `distillation_losses`. Predictions are the student's.

    Args:
        teacher: a trained model, which is frozen.
        student: the model to train.
        distillation_losses: a `DistillationLoss`, or several.
        distillation_loss_weights: one factor per loss. None, the default, uses 1 for each.
        student_loss_weight: weight of the loss of the labels, from 0 to 1. Defaults to 0.5.
        name: name of the model. Defaults to `"distiller"`.
        **kwargs: further arguments of a `Model`.

    Attributes:
        student: the student, which can be used on its own after training.
        teacher: the teacher.

    Hinton, Vinyals & Dean, Distilling the knowledge in a neural network, 2015.

    Example:

        make = lambda width: cornu.Sequential(
            [cornu.Input((4,)), cornu.layers.Dense(width, "relu"), cornu.layers.Dense(3, "softmax")]
        )
        distiller = cornu.distillation.Distiller(make(32), make(4), cornu.distillation.LogitsDistillation())
        distiller.compile("adam", "sparse_categorical_crossentropy")
        distiller.fit(np.ones((8, 4)), np.arange(8) % 3, verbose=0)
        print(distiller.student.predict(np.ones((1, 4)), verbose=0).shape)  # (1, 3)
    """

    _hidden = Model._hidden | {"_features"}

    def __init__(
        self,
        teacher: Model,
        student: Model,
        distillation_losses: DistillationLoss | Sequence[DistillationLoss],
        distillation_loss_weights: Sequence[float] | None = None,
        student_loss_weight: float = 0.5,
        name: str = "distiller",
        **kwargs: Unpack[UnnamedOptions],
    ):
        super().__init__(name=name, **kwargs)
        several: Any = distillation_losses if isinstance(distillation_losses, (list, tuple)) else [distillation_losses]
        self.distillation_losses: list[DistillationLoss] = list(several)
        count = len(self.distillation_losses)
        self.distillation_loss_weights = (
            [1.0] * count if distillation_loss_weights is None else list(distillation_loss_weights)
        )
        self.student_loss_weight = student_loss_weight
        self._check(teacher, student)
        teacher.trainable = False
        self.teacher, self.student = teacher, student
        self._trackers = [Mean(name=f"{part}_loss") for part in ("student", "distillation", "total")]
        self._features = [self._extractors(loss) for loss in self.distillation_losses]

    def _check(self, teacher: Model, student: Model) -> None:
        who = validate.describe(self)
        for role, model in (("teacher", teacher), ("student", student)):
            if not isinstance(model, Model):
                raise ValueError(f"{who}: {role} must be a model. Received: {validate.shown(model)}.")
        losses, weights = self.distillation_losses, self.distillation_loss_weights
        if not losses or not all(isinstance(loss, DistillationLoss) for loss in losses):
            raise ValueError(
                f"{who}: distillation_losses must be a DistillationLoss or a list of them, such as "
                f"LogitsDistillation(). Received: {validate.shown(losses)}."
            )
        if len(losses) != len(weights):
            raise ValueError(
                f"{who}: distillation_loss_weights must have as many entries as distillation_losses. "
                f"Received: {len(weights)} for {len(losses)}."
            )
        share = self.student_loss_weight
        if not isinstance(share, numbers.Real) or not 0 <= share <= 1:
            raise ValueError(f"{who}: student_loss_weight must be from 0 to 1. Received: {validate.shown(share)}.")
        for loss in losses:
            loss.validate_model_compatibility(teacher, student)

    def _extractors(self, loss: DistillationLoss) -> list[Model | None]:
        """For teacher and student, a model from the inputs to the layer that a loss compares; None for the outputs."""
        named = ((self.teacher, loss.teacher_layer_name), (self.student, loss.student_layer_name))
        roles = ("teacher", "student")
        return [
            None if name is None else Model(model.inputs, outputs_of(model, name, role))
            for (model, name), role in zip(named, roles, strict=True)
        ]

    def build(self, input_shape: Nested = None) -> None:
        """Build the teacher and the student if necessary."""
        for model in (self.teacher, self.student):
            if not model.built:
                model.build(input_shape)

    def compile(  # type: ignore[override]  # other defaults, as Keras has them
        self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any
    ) -> None:
        """Configure the training of the student.

        Args:
            optimizer: name, instance, or optax transformation. Defaults to `"adam"`.
            loss: loss of the student's outputs and the labels; required.
            metrics: metrics of the student's outputs. None by default.
            **kwargs: further arguments of `Model.compile`.
        """
        if loss is None:
            raise ValueError(f"{validate.describe(self)}: compile requires the student's loss. Received: loss=None.")
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def call(self, inputs: Nested, training: bool | None = None, mask: Nested = None) -> Nested:
        """The student's outputs for the inputs."""
        return self.student(inputs, training=training, mask=mask)

    def compute_loss(
        self,
        x: Data = None,
        y: Data = None,
        y_pred: Tensor = None,
        sample_weight: Data = None,
        training: bool = True,
    ) -> Nested:
        """The loss of a batch, from the labels and the teacher.

        Args:
            x, y, sample_weight: the batch; the weights apply to the loss of the labels.
            y_pred: the student's predictions for `x`.
            training: whether this is a training step.
        """
        student_loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        told = jax.lax.stop_gradient(self.teacher(x, training=False))
        distillation_loss = jnp.zeros(())
        pairs = zip(self.distillation_losses, self.distillation_loss_weights, self._features, strict=True)
        for loss, weight, (of_teacher, of_student) in pairs:
            teacher = told if of_teacher is None else jax.lax.stop_gradient(of_teacher(x, training=False))
            student = y_pred if of_student is None else of_student(x, training=training)
            distillation_loss += weight * loss.compute_loss(teacher, student)
        share = self.student_loss_weight
        total = share * student_loss + (1 - share) * distillation_loss
        rows = len(next(leaf for leaf in tree.flatten(x) if leaf is not None))
        for tracker, value in zip(self._trackers, (student_loss, distillation_loss, total), strict=True):
            tracker.update_state(value, sample_weight=rows)
        return total

    def get_config(self) -> ConfigDict:
        """The constructor's arguments, including teacher and student, as plain data."""
        parts = {
            key: serialize_keras_object(getattr(self, key)) for key in ("teacher", "student", "distillation_losses")
        }
        config = {key: value for key, value in super().get_config().items() if key in ("name", "trainable", "dtype")}
        weights = {key: getattr(self, key) for key in ("distillation_loss_weights", "student_loss_weight")}
        return {**config, **parts, **weights}

    @classmethod
    def from_config(cls, config: Config, custom_objects: CustomObjects | None = None) -> "Distiller":
        """A distiller from the config returned by `get_config`."""
        return cls(**{key: deserialize_keras_object(value) for key, value in config.items()})
