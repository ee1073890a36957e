"""Well-known libraries that take a Keras model do their main job under `cornu run`: each where it is installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cornu

ROOT = Path(cornu.__file__).parents[1]

START = """
import numpy as np
import keras

def model(classes=0):
    last = keras.layers.Dense(classes, activation="softmax") if classes else keras.layers.Dense(1)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="relu"), last])

keras.utils.set_random_seed(1)
x = np.random.rand(20, 3).astype("float32")
y = x.sum(1)
"""

# What a user of each library writes; every program ends with what must hold.
PROGRAMS = {
    "keras_tuner": """
import keras_tuner

def build(hp):
    made = model()
    made.compile(keras.optimizers.Adam(hp.Float("rate", 1e-3, 1e-1, sampling="log")), "mse", metrics=["mae"])
    return made

tuner = keras_tuner.RandomSearch(build, objective="val_loss", max_trials=2, directory=".", seed=1)
tuner.search(x, y, epochs=2, validation_data=(x, y), verbose=0)
best = tuner.get_best_models()[0]
assert 1e-3 <= tuner.get_best_hyperparameters()[0]["rate"] <= 1e-1
assert np.isclose(best.evaluate(x, y, verbose=0)[0], tuner.oracle.get_best_trials()[0].score, rtol=1e-4)
""",
    "scikeras": """
import pickle
from scikeras.wrappers import KerasClassifier
from sklearn.model_selection import cross_val_score

made = KerasClassifier(model, model__classes=2, loss="sparse_categorical_crossentropy", epochs=2, verbose=0)
labels = (y > 1.5).astype(int)
assert cross_val_score(made, x, labels, cv=2).shape == (2,)
made.fit(x, labels)
again = pickle.loads(pickle.dumps(made))
assert np.allclose(again.predict_proba(x), made.predict_proba(x), atol=1e-6)
""",
    "tcn": """
from tcn import TCN

made = keras.Sequential([keras.Input((8, 2)), TCN(3, kernel_size=2, dilations=(1, 2)), keras.layers.Dense(1)])
made.compile("adam", "mse")
series = np.random.rand(4, 8, 2)
made.fit(series, series.sum((1, 2)), verbose=0)
made.save("tcn.keras")
again = keras.models.load_model("tcn.keras", custom_objects={"TCN": TCN})
assert np.allclose(again.predict(series, verbose=0), made.predict(series, verbose=0))
""",
    "hgq": """
from hgq.layers import QConv2D, QDense

made = keras.Sequential([keras.Input((6, 6, 1)), QConv2D(2, 3, activation="relu"), keras.layers.Flatten(), QDense(1)])
made.compile("adam", "mse")
images = np.random.rand(4, 6, 6, 1)
assert np.isfinite(made.fit(images, np.ones(4), verbose=0).history["loss"][0])
made.save("hgq.keras")
again = keras.models.load_model("hgq.keras")
assert np.allclose(again.predict(images, verbose=0), made.predict(images, verbose=0))
""",
    "shap": """
import shap

made = model()
found = shap.KernelExplainer(lambda rows: made.predict(rows, verbose=0)[:, 0], x[:4])
values = found.shap_values(x[:2], nsamples=20, silent=True)
assert np.allclose(values.sum(1) + found.expected_value, made.predict(x[:2], verbose=0)[:, 0], atol=1e-4)
""",
    "wandb": """
import wandb
from wandb.integration.keras import WandbMetricsLogger, WandbModelCheckpoint

run = wandb.init(project="tests", mode="offline", dir=".")
made = model()
made.compile("adam", "mse", metrics=["mae"])
made.fit(x, y, verbose=0, callbacks=[WandbMetricsLogger(log_freq=1), WandbModelCheckpoint("wandb.keras")])
assert {"batch/loss", "epoch/mae"} <= set(run.summary.keys())
run.finish()
assert keras.models.load_model("wandb.keras").count_params() == made.count_params()
""",
    "mlflow": """
import mlflow

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.keras.autolog(log_datasets=False)
made = model()
made.compile("adam", "mse", metrics=["mae"])
with mlflow.start_run() as run:
    made.fit(x, y, verbose=0)
    stored = mlflow.keras.log_model(made, name="model")
assert {"loss", "mae"} <= set(mlflow.get_run(run.info.run_id).data.metrics)
again = mlflow.keras.load_model(stored.model_uri)
assert np.allclose(again.predict(x, verbose=0), made.predict(x, verbose=0))
""",
    "optuna_integration": """
import optuna
from optuna_integration import KerasPruningCallback

def objective(trial):
    made = model()
    made.compile(keras.optimizers.Adam(trial.suggest_float("rate", 1e-4, 1e-1, log=True)), "mse")
    pruning = KerasPruningCallback(trial, "val_loss")
    return made.fit(x, y, epochs=4, validation_data=(x, y), verbose=0, callbacks=[pruning]).history["val_loss"][-1]

pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
study = optuna.create_study(pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=1))
study.optimize(objective, n_trials=12)
assert {trial.state.name for trial in study.trials} == {"COMPLETE", "PRUNED"}
""",
    "lime": """
from lime.lime_tabular import LimeTabularExplainer

made = model(classes=2)
made.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
rows = np.random.rand(200, 3).astype("float32")
made.fit(rows, (rows[:, 1] > 0.5).astype(int), epochs=20, verbose=0)
explainer = LimeTabularExplainer(rows, random_state=0)
found = explainer.explain_instance(rows[0], lambda rows: made.predict(rows, verbose=0), num_features=3)
assert found.as_map()[1][0][0] == 1  # the feature that decides comes first
""",
    "keras_rs": """
import keras_rs

made = keras.Sequential([keras.Input((5,)), keras.layers.Dense(5)])
made.compile("adam", keras_rs.losses.ListMLELoss(), metrics=[keras_rs.metrics.NDCG(k=3, name="ndcg")])
rows, grades = np.random.rand(8, 5), np.random.randint(0, 3, (8, 5)).astype("float32")
assert 0 < made.fit(rows, grades, verbose=0).history["ndcg"][0] <= 1

start = keras.Input((6,))
crossed = keras_rs.layers.FeatureCross(projection_dim=2)(start, keras_rs.layers.FeatureCross()(start))
made = keras.Model(start, keras.layers.Dense(1)(crossed))
made.save("cross.keras")
rows = np.random.rand(4, 6)
assert np.allclose(keras.models.load_model("cross.keras").predict(rows, verbose=0), made.predict(rows, verbose=0))

users = keras.layers.Embedding(10, 4)
users.build((None,))
search = keras_rs.layers.BruteForceRetrieval(users.embeddings, k=3)
scores, best = search(np.ones((2, 4), "float32"))
assert np.allclose(scores, np.sort(np.asarray(users.embeddings).sum(1))[::-1][:3], atol=1e-6) and best.shape == (2, 3)
""",
    "autokeras": """
import autokeras

entry = autokeras.ImageInput()
block = autokeras.ImageBlock(block_type="vanilla", normalize=True, augment=False)(entry)
search = autokeras.AutoModel(entry, autokeras.RegressionHead()(block), max_trials=1, directory=".")
images, wanted = np.random.rand(16, 8, 8, 3), np.random.rand(16)
search.fit(images, wanted, epochs=1, verbose=0, validation_data=(images, wanted))
made = search.export_model()
made.save("found.keras")
again = keras.models.load_model("found.keras", custom_objects=autokeras.CUSTOM_OBJECTS)
assert np.allclose(again.predict(images, verbose=0), made.predict(images, verbose=0), atol=1e-6)
""",
    "keras_hub": """
import keras_hub

made = keras_hub.models.BertBackbone(
    vocabulary_size=30, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16, max_sequence_length=6
)
words = {name: np.ones((2, 6), "int32") for name in ("token_ids", "segment_ids", "padding_mask")}
assert made(words)["sequence_output"].shape == (2, 6, 8)
made.save("bert.keras")
again = keras.models.load_model("bert.keras")
assert np.allclose(again(words)["pooled_output"], made(words)["pooled_output"])

task = keras_hub.models.BertTextClassifier(made, num_classes=2, preprocessor=None)
task.save_to_preset("bert")
again = keras_hub.models.TextClassifier.from_preset("./bert")
assert np.allclose(again.predict(words, verbose=0), task.predict(words, verbose=0), atol=1e-6)

writer = keras_hub.models.GPT2CausalLM(keras_hub.models.GPT2Backbone(30, 1, 2, 8, 16, max_sequence_length=6), None)
writer.compile(sampler="greedy")
prompt = {"token_ids": np.array([[3, 4, 0, 0, 0, 0]]), "padding_mask": np.array([[1, 1, 0, 0, 0, 0]])}
told = np.asarray(writer.generate(prompt, stop_token_ids=None)["token_ids"])
for length in range(2, 6):  # what the model says without a cache
    shown = {"token_ids": told[:, :length], "padding_mask": np.ones((1, length))}
    assert told[0, length] == np.argmax(writer.predict(shown, verbose=0)[0, -1])
""",
}


@pytest.mark.parametrize("library", PROGRAMS)
def test_a_library_does_its_main_job(library, tmp_path):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    (tmp_path / "program.py").write_text(START + PROGRAMS[library])
    done = subprocess.run(
        [sys.executable, "-m", "cornu", "run", "program.py"], check=False, capture_output=True, text=True, timeout=600,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *sys.path)), "WANDB_SILENT": "true"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
