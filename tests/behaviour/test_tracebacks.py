"""What a user sees of an error: their own lines, then the message; and JAX's errors in plain words."""

import subprocess
import sys
import traceback

import jax
import numpy as np
import pytest

import cornu
from cornu import layers, ops
from cornu.core import tracebacks

X = np.ones((4, 3), "float32")


@pytest.fixture(autouse=True)
def as_for_users():
    cornu.config.enable_traceback_filtering()
    yield
    cornu.config.disable_traceback_filtering()


def model(*parts):
    net = cornu.Sequential([cornu.Input((3,)), *parts, layers.Dense(1)])
    net.compile("sgd", "mse")
    return net


class Own(layers.Layer):
    """A user's layer whose `call` is `function`."""

    def __init__(self, function):
        super().__init__(name="mine")
        self.function = function

    def call(self, x):
        return self.function(x)


def wrong_shape_in_fit():
    model().fit(np.ones((4, 5)), np.ones((4, 1)), verbose=0)


def wrong_shape_in_predict():
    model().predict(np.ones((4, 5)), verbose=0)


def wrong_shape_in_a_call():
    model()(np.ones((4, 5)))


def wrong_shape_in_a_layer():
    layers.Conv2D(2, 3)(X)


def wrong_shape_in_an_operation():
    ops.matmul(X, X)


def wrong_symbols():
    layers.Concatenate(axis=1)([cornu.Input((2, 3)), cornu.Input((2, 4))])


def wrong_layers_in_a_row():
    cornu.Sequential([cornu.Input((3,)), layers.Dense(2), layers.Conv2D(2, 3)])


def no_such_file():
    cornu.models.load_model("nowhere.keras")


def no_such_loss():
    model().compile(loss="no such loss")


def a_generator_that_fails():
    def batches():
        yield X, X[:, :1]
        raise RuntimeError("the disk is gone")

    model().fit(batches(), verbose=0)


MISTAKES = [
    wrong_shape_in_fit, wrong_shape_in_predict, wrong_shape_in_a_call, wrong_shape_in_a_layer,
    wrong_shape_in_an_operation, wrong_symbols, wrong_layers_in_a_row, no_such_file, no_such_loss,
    a_generator_that_fails,
]  # fmt: skip


def frames_after(error, function):
    """The frames behind the user's function that made the mistake."""
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    return names[names.index(function.__name__) + 1 :]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda function: function.__name__)
def test_nothing_stands_between_the_users_line_and_the_message(mistake):
    with pytest.raises(Exception) as caught:
        mistake()
    inner = [name for name in frames_after(caught.value, mistake) if name != "batches"]
    assert not inner
    shown = "".join(traceback.format_exception(caught.value))
    last = shown.strip().splitlines()[-1]
    assert "JAX has removed" not in shown
    assert last in str(caught.value) or last.startswith("Raised in") or str(caught.value) in last


def test_all_frames_are_there_when_filtering_is_off():
    cornu.config.disable_traceback_filtering()
    with pytest.raises(ValueError, match="expected input of shape") as caught:
        wrong_shape_in_fit()
    assert len(frames_after(caught.value, wrong_shape_in_fit)) > 6


def test_the_users_own_lines_inside_a_call_stay():
    def halves(x):
        return ops.matmul(x, np.ones((7, 7)))

    with pytest.raises(Exception) as caught:
        model(Own(halves))
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-2:] == ["call", "halves"]


# what a user does in call() -> words of the message
TRACED = {
    "if": (lambda x: x if ops.sum(x) > 0 else -x, r"ops\.cond"),
    "numpy": (np.sin, "function of the same name in ops"),
    "index": (lambda x: [1.0, 2.0][x[0, 0].astype("int32")] * x, r"ops\.take"),
    "float": (lambda x: float(ops.sum(x)) * x, r"Compute with ops"),
    "boolean mask": (lambda x: x[x > 0], r"ops\.where\(mask, x, 0\)"),
    ".numpy()": (lambda x: x.numpy(), r"Compute with ops"),
}


@pytest.mark.parametrize("name", TRACED)
def test_python_on_traced_values_is_told_with_layer_and_line(name, monkeypatch):
    monkeypatch.delattr(jax.core.Tracer, "numpy", raising=False)  # which the stand-in for TensorFlow adds
    function, cure = TRACED[name]
    with pytest.raises(Exception, match=rf'Own "mine": line \d+ of test_tracebacks.py, ".*": .*{cure}'):
        model(Own(function))


def test_python_on_traced_values_in_a_loss_is_told_with_its_line():
    def loss(y_true, y_pred):
        return ops.mean(y_pred) if ops.mean(y_true) > 0 else ops.mean(y_true)

    net = model()
    net.compile("sgd", loss)
    with pytest.raises(Exception, match=r'(?i)line \d+ of test_tracebacks.py, "return ops.mean.*ops\.cond'):
        net.fit(X, X[:, :1], verbose=0)


def test_a_warning_points_at_the_users_line():
    namespace = {"warn": tracebacks.warn}
    exec(compile("def library():\n    warn('look here')", tracebacks.__file__, "exec"), namespace)
    with pytest.warns(UserWarning, match="look here") as seen:
        namespace["library"]()
    assert seen[0].filename == __file__


def test_a_script_run_by_the_command_shows_its_own_lines_alone(tmp_path):
    script = tmp_path / "train.py"
    script.write_text("raise ValueError('rely')\n")
    done = subprocess.run(
        [sys.executable, "-m", "cornu", "run", str(script)], check=False, capture_output=True, text=True
    )
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert "train.py" in lines[1]
    assert "rely" in lines[-1]
