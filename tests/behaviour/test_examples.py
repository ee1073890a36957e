"""The programs in `examples/`, on little data."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import cornu
from cornu.applications import pretrained

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name):
    """The module `examples/NAME.py`."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_are_classified_from_the_command_line(tmp_path, monkeypatch, capsys):
    cornu.utils.set_random_seed(0)
    cornu.utils.save_img(tmp_path / "noise.png", np.random.default_rng(0).random((20, 30, 3)))
    cornu.applications.MobileNet(weights=None).save_weights(tmp_path / "random.weights.h5")
    (tmp_path / "classes.json").write_text(json.dumps({str(i): [f"n{i}", f"class_{i}"] for i in range(1000)}))
    monkeypatch.setattr(pretrained, "class_index", lambda: str(tmp_path / "classes.json"))
    monkeypatch.chdir(tmp_path)
    arguments = ["--model", "MobileNet", "--weights", "random.weights.h5", "--top", "2", "noise.png"]
    monkeypatch.setattr(sys, "argv", ["classify.py", *arguments])
    example("classify").main()
    first, *best = capsys.readouterr().out.splitlines()
    assert first == "noise.png"
    assert len(best) == 2
    assert all("%  class " in line for line in best)


def test_heat_is_drawn_over_digits(tmp_path):
    example("grad_cam").of_digits(tmp_path / "heat.png", count=2, epochs=1)
    assert cornu.utils.load_img(tmp_path / "heat.png").size[1] > 100


def test_a_head_learns_on_frozen_features_which_stay_as_they_are(capsys):
    fine_tune = example("fine_tune_digits")
    (pictures, labels), held_out = fine_tune.digits()
    assert pictures.shape == (1198, 64, 64, 3)
    assert len(held_out[1]) == 599
    base = cornu.Sequential(
        [
            cornu.Input((64, 64, 3)),
            cornu.layers.AveragePooling2D(8),
            cornu.layers.Conv2D(8, 3, activation="relu"),
            cornu.layers.Flatten(),
        ]
    )
    base.trainable = False
    before = base.get_weights()
    model = fine_tune.with_head(base)
    model.compile(cornu.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    fine_tune.report("A new head", model, (pictures[:320], labels[:320]), (pictures[320:420], labels[320:420]), 3)
    for old, new in zip(before, base.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    shown = capsys.readouterr().out
    trained = sum(v.numpy().size for v in model.trainable_variables)
    assert f"A new head: {trained:,} of {model.count_params():,} parameters are trained." in shown
    assert float(shown.rsplit("accuracy ", 1)[1].split("%")[0]) > 50


def test_the_pictures_to_classify_must_be_named(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["classify.py"])
    with pytest.raises(SystemExit):
        example("classify").main()
