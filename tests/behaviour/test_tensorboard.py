"""What TensorBoard finds of a training: the tags and folders that it finds of Keras's."""

import io
import struct
import sys

import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.callbacks import BackupAndRestore, Callback, TensorBoard
from cornu.callbacks.callback import overrides

X = np.random.default_rng(0).random((12, 8, 8, 1)).astype("float32")
Y = np.zeros((12, 2), "float32")


def make_model():
    model = cornu.Sequential([
        cornu.Input((8, 8, 1)), layers.Conv2D(3, 3, name="conv"), layers.Flatten(), layers.Dense(2, name="top"),
    ], name="net")  # fmt: skip
    model.compile("adam", "mse", metrics=["mae"])
    return model


def train(board, model=None, **kwargs):
    kwargs = {"epochs": 2, "batch_size": 4, "verbose": 0, "callbacks": [board]} | kwargs
    return (model or make_model()).fit(X, Y, **kwargs)


def events(folder):
    """The values in the event files of a folder, as (tag, step) -> value."""
    from tensorboardX.proto import event_pb2

    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in records(path, event_pb2):
            found += [((value.tag, event.step), value) for value in event.summary.value]
    return found


def records(path, event_pb2):
    """The events in a file."""
    file = io.BytesIO(path.read_bytes())
    while header := file.read(12):
        yield event_pb2.Event.FromString(file.read(struct.unpack("Q", header[:8])[0]))
        file.read(4)


def numbers(folder):
    """The numbers among them."""
    return {
        place: np.frombuffer(value.tensor.tensor_content, "float32").item()
        for place, value in events(folder) if value.metadata.plugin_data.plugin_name == "scalars"
    }  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of a training with everything that is written each epoch, and its history."""
    folder = tmp_path_factory.mktemp("logs")
    board = TensorBoard(folder, histogram_freq=1, write_images=True, write_steps_per_second=True)
    return folder, train(board, validation_data=(X, Y)).history


def test_tensorboard_itself_reads_what_is_written(written):
    multiplexer = pytest.importorskip("tensorboard.backend.event_processing.plugin_event_multiplexer")
    graphs = pytest.importorskip("tensorboard.plugins.graph.keras_util")
    import json

    runs = multiplexer.EventMultiplexer().AddRunsFromDirectory(str(written[0]))
    runs.Reload()
    assert set(runs.Runs()) == {"train", "validation"}
    plugins = {plugin: set(tags) for plugin, tags in (
        (plugin, runs.PluginRunToTagToContent(plugin)["train"]) for plugin in ("scalars", "histograms", "images")
    )}  # fmt: skip
    assert plugins["scalars"] == {"epoch_loss", "epoch_mae", "epoch_learning_rate", "epoch_steps_per_second"}
    paths = {"net/conv/kernel", "net/conv/bias", "net/top/kernel", "net/top/bias"}
    assert plugins["histograms"] == {f"{path}/histogram" for path in paths}
    assert plugins["images"] == {f"{path}/image" for path in paths}
    (loss, _) = runs.Tensors("train", "epoch_loss")
    assert loss.tensor_proto.tensor_content == np.float32(written[1]["loss"][0]).tobytes()
    (model,) = runs.Tensors("train", "keras")
    graph = graphs.keras_model_to_graph_def(json.loads(model.tensor_proto.string_val[0]))
    assert [node.name.rpartition("/")[2] for node in graph.node][1:] == ["conv", "flatten", "top"]


def test_metrics_of_each_epoch_lie_where_those_of_keras_lie(written):
    folder, history = written
    of_training, of_validation = numbers(folder / "train"), numbers(folder / "validation")
    assert {name for name, _ in of_validation} == {
        "epoch_loss", "epoch_mae", "evaluation_loss_vs_iterations", "evaluation_mae_vs_iterations",
    }  # fmt: skip
    for epoch in range(2):
        assert of_training["epoch_loss", epoch] == np.float32(history["loss"][epoch])
        assert of_training["epoch_learning_rate", epoch] == np.float32(0.001)
        assert of_training["epoch_steps_per_second", epoch] > 0
        assert of_validation["epoch_mae", epoch] == np.float32(history["val_mae"][epoch])
        assert of_validation["evaluation_mae_vs_iterations", 3 * (epoch + 1)] == np.float32(history["val_mae"][epoch])


def test_a_histogram_counts_every_value_and_an_image_has_the_pixels_of_the_weight(written):
    found = {tag: value.tensor for (tag, step), value in events(written[0] / "train") if step == 1}
    buckets = np.frombuffer(found["net/top/kernel/histogram"].tensor_content, "float64").reshape(30, 3)
    assert buckets[:, 2].sum() == 6 * 6 * 3 * 2
    assert (buckets[:-1, 1] == buckets[1:, 0]).all()
    width, height, *images = found["net/conv/kernel/image"].string_val
    assert (width, height, len(images)) == (b"3", b"3", 3)
    assert found["net/top/kernel/image"].string_val[:2] == [b"108", b"2"]


@pytest.mark.parametrize(("update_freq", "steps"), [("batch", [1, 2, 3, 4, 5, 6]), (2, [2, 4, 6])])
def test_metrics_of_batches_are_written_as_often_as_asked(tmp_path, update_freq, steps):
    train(TensorBoard(tmp_path, update_freq=update_freq, write_steps_per_second=True))
    found = numbers(tmp_path / "train")
    assert [step for name, step in found if name == "batch_loss"] == steps
    assert all(found["batch_steps_per_second", step] > 0 for step in steps)
    assert [step for name, step in found if name == "epoch_loss"] == [0, 1]


def test_fit_takes_many_steps_in_a_call_unless_batches_are_asked_for(tmp_path):
    hooks = ("on_train_batch_begin", "on_train_batch_end")
    assert not any(overrides(TensorBoard(tmp_path, histogram_freq=1), hook) for hook in hooks)
    assert all(overrides(TensorBoard(tmp_path, update_freq=10), hook) for hook in hooks)
    assert all(overrides(TensorBoard(tmp_path, profile_batch=2), hook) for hook in hooks)


def test_steps_go_on_from_a_backup(tmp_path):
    class Stop(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if self.model.optimizer.iterations == 4:
                raise KeyError("power")

    def callbacks(*more):
        backup = BackupAndRestore(tmp_path / "backup", save_freq=2)
        return [TensorBoard(tmp_path / "logs", update_freq=1), backup, *more]

    with pytest.raises(KeyError):
        train(None, callbacks=callbacks(Stop()))
    train(None, callbacks=callbacks())
    steps = [step for (name, step), _ in events(tmp_path / "logs/train") if name == "batch_loss"]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_an_evaluation_alone_is_written(tmp_path):
    model = make_model()
    model.evaluate(X, Y, callbacks=[TensorBoard(tmp_path)], verbose=0)
    assert set(numbers(tmp_path / "validation")) == {
        ("evaluation_loss_vs_iterations", 0), ("evaluation_mae_vs_iterations", 0),
    }  # fmt: skip


def test_a_profile_of_a_few_batches(tmp_path, monkeypatch):
    import jax

    said = []
    monkeypatch.setattr(jax.profiler, "start_trace", lambda folder: said.append(("start", folder)))
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: said.append(("stop", board.batches)))
    board = TensorBoard(tmp_path, profile_batch=(2, 4))
    train(board)
    assert said == [("start", str(tmp_path / "train")), ("stop", 4)]
    board = TensorBoard(tmp_path, profile_batch=(2, 9))
    train(board, epochs=1)
    assert said[2:] == [("start", str(tmp_path / "train")), ("stop", 3)]


def test_embeddings_come_with_what_the_projector_asks_for(tmp_path):
    model = cornu.Sequential([cornu.Input((2,), dtype="int32"), layers.Embedding(5, 3, name="words"), layers.Flatten()])
    model.compile("sgd", "mse")
    board = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"words": "words.tsv"})
    model.fit(np.ones((2, 2)), np.zeros((2, 6)), verbose=0, callbacks=[board])
    table = np.loadtxt(tmp_path / "train/words.tsv", delimiter="\t")
    np.testing.assert_allclose(table, model.layers[0].embeddings, rtol=1e-6)
    config = (tmp_path / "projector_config.pbtxt").read_text()
    for line in ('tensor_name: "words"', 'tensor_path: "train/words.tsv"', 'metadata_path: "words.tsv"'):
        assert line in config
    wrong = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"word": "words.tsv"})
    with pytest.raises(ValueError, match=r"names 'word', which is not an Embedding layer of the model.*'words'"):
        model.fit(np.ones((2, 2)), np.zeros((2, 6)), verbose=0, callbacks=[wrong])


def test_values_of_ones_own_are_written_beside_them(tmp_path):
    class Own(Callback):
        def on_epoch_end(self, epoch, logs=None):
            board.summary.scalar("mine", [1.0, 2.0], epoch)
            board.summary.text("words", "some", epoch)
            board.summary.image("picture", np.zeros((1, 2, 3, 3)), epoch)
            board.summary.histogram("spread", [1.0, np.nan], epoch)

    board = TensorBoard(tmp_path, write_graph=False)
    train(board, callbacks=[board, Own()], epochs=1)
    found = {tag: value for (tag, _), value in events(tmp_path / "train")}
    assert {"mine/0", "mine/1", "words", "picture", "spread"} <= set(found)
    assert found["picture"].tensor.string_val[:2] == [b"3", b"2"]
    assert np.frombuffer(found["spread"].tensor.tensor_content).reshape(30, 3)[:, 2].sum() == 1


def test_the_graph_has_a_node_for_each_call_of_a_layer(tmp_path):
    x = cornu.Input((8, 8, 1), name="picture")
    shared, flat = layers.Conv2D(1, 1, name="shared"), layers.Flatten(name="flat")
    model = cornu.Model(x, layers.Dense(2, name="top")(flat(shared(shared(x)) + x)), name="net")
    model.compile("sgd", "mse")
    train(TensorBoard(tmp_path), model, epochs=1)
    from tensorboardX.proto import event_pb2, graph_pb2

    (path,) = (tmp_path / "train").glob("events.out.tfevents.*")
    graphs = [event.graph_def for event in records(path, event_pb2) if event.graph_def]
    nodes = {node.name: (node.op, list(node.input)) for node in graph_pb2.GraphDef.FromString(*graphs).node}
    assert nodes.pop("picture") == ("InputLayer", [])
    assert nodes.pop("shared") == ("Conv2D", ["picture"])
    assert nodes.pop("shared_1") == ("Conv2D", ["shared"])
    assert nodes.pop("top") == ("Dense", ["flat"])
    (total,) = nodes.pop("flat")[1]
    assert nodes[total][1] == ["shared_1", "picture"]


def test_a_subclassed_model_has_no_graph(tmp_path):
    class Own(cornu.Model):
        def __init__(self, function):
            super().__init__()
            self.top, self.own = layers.Dense(2), function

        def call(self, x):
            return self.top(x[:, 0, :, 0])

    model = Own(len)
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="the model is not written, because it has no config"):
        train(TensorBoard(tmp_path), model, epochs=1)
    assert "keras" not in {tag for (tag, _), _ in events(tmp_path / "train")}


@pytest.mark.parametrize("wrong", [
    {"update_freq": "never"}, {"update_freq": 0}, {"profile_batch": (3, 2)}, {"profile_batch": -1},
    {"histogram_freq": -1}, {"embeddings_freq": -1},
])  # fmt: skip
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TensorBoard("logs", **wrong)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX.event_file_writer", None)
    with pytest.raises(ImportError, match=r"TensorBoard needs the package 'tensorboardX'.*pip install"):
        TensorBoard("logs")
