"""What is shown of a training and of a model: pictures of curves, and pages of a notebook."""

import json
import pickle
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.callbacks import History

LOSSES = [4.0, 2.0, 1.0]
HOSTILE = "$\\frac{ <script>alert('x')</script> & \x1b[2J"


def trained(epochs, start=0):
    """The history of a training whose logs were `epochs`, a dictionary each."""
    history = History()
    history.on_train_begin()
    for number, logs in enumerate(epochs, start):
        history.on_epoch_end(number, logs)
    return history


def curves(axes):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.links, self.open = set(), [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attributes)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] != "style":
            self.texts.append(data)


# ---------------------------------------------------------------- history.plot()


def test_each_metric_has_a_panel_with_training_and_validation_by_epoch_from_1():
    validated = [{"accuracy": 0.5, "loss": loss} | ({"val_loss": loss + 1} if loss != 2 else {}) for loss in LOSSES]
    figure = trained(validated).plot()
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    assert curves(figure.axes[0]) == {"training": ([1, 2, 3], LOSSES), "validation": ([1, 3], [5.0, 2.0])}
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["training", "validation"]
    assert figure.axes[1].get_xlabel() == "epoch"


def test_a_training_that_goes_on_later_counts_on():
    assert curves(trained([{"loss": 1.0}], start=4).plot().axes[0]) == {"training": ([5], [1.0])}


def test_epochs_before_a_training_was_resumed_are_drawn_too():
    before = trained([{"loss": 3.0}, {"loss": 2.0, "val_loss": 2.5}]).get_state()
    history = trained([{"loss": 1.0, "val_loss": 1.5}], start=2)
    history.set_state(before)
    assert curves(history.plot().axes[0]) == {
        "training": ([1, 2, 3], [3.0, 2.0, 1.0]), "validation": ([2, 3], [2.5, 1.5]),
    }  # fmt: skip
    assert history.get_state()["epochs"] == {"loss": [0, 1, 2], "val_loss": [1, 2]}


def test_values_that_i_joined_by_hand_are_counted():
    history = trained([{"loss": 2.0}, {"loss": 1.0}])
    history.history["loss"] += [0.5]
    assert curves(history.plot().axes[0]) == {"training": ([1, 2, 3], [2.0, 1.0, 0.5])}


@pytest.mark.parametrize(("losses", "log", "scale"), [
    (LOSSES, None, "linear"), ([4.0, 0.3, 0.03], None, "log"), ([0.01, 0.5, 1.0], None, "linear"),
    ([4.0, 0.3, 0.0], None, "linear"), (LOSSES, True, "log"), ([4.0, 0.3, 0.03], False, "linear"),
])  # fmt: skip
def test_the_scale_is_logarithmic_where_values_fall_far_or_where_i_say_so(losses, log, scale):
    assert trained([{"loss": loss} for loss in losses]).plot(log=log).axes[0].get_yscale() == scale


def test_i_choose_which_metrics_are_drawn():
    history = trained([{"loss": 1.0, "accuracy": 0.5, "auc": 0.6}])
    assert [axes.get_title() for axes in history.plot(names="auc").axes] == ["auc"]
    assert [axes.get_title() for axes in history.plot(names=["auc", "loss"]).axes] == ["auc", "loss"]
    with pytest.raises(ValueError, match=r'names must be "loss" or "accuracy" or "auc"\. Received: names="f1"'):
        history.plot(names=["f1"])


def test_what_is_no_number_is_left_out_and_a_gap_stands_for_what_is_not_finite():
    logs = [{"loss": loss, "per_class": np.ones(3), "note": "fine"} for loss in (1.0, float("nan"), float("inf"))]
    (axes,) = trained(logs).plot().axes
    np.testing.assert_array_equal(curves(axes)["training"][1], [1.0, np.nan, np.nan])


def test_nothing_to_draw_is_said():
    with pytest.raises(ValueError, match="there is nothing to draw: no epoch has numeric metrics"):
        trained([]).plot()
    with pytest.raises(ValueError, match="nothing to draw"):
        History().plot()


@pytest.mark.parametrize(("name", "start"), [
    ("a.png", b"\x89PNG"), ("b.svg", b"<?xml"), ("c.PDF", b"%PDF"), ("folder/d", b"\x89PNG"),
])  # fmt: skip
def test_the_picture_goes_to_the_file_that_i_name(tmp_path, name, start):
    trained([{"loss": 1.0}]).plot(tmp_path / name)
    written = tmp_path / name if "." in name else tmp_path / f"{name}.png"
    assert written.read_bytes().startswith(start)
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_a_kind_of_file_that_there_is_not_is_refused_with_those_that_there_are(tmp_path):
    with pytest.raises(ValueError, match=r'the extension of path must be .*"pdf" or .*"png".*Received.*"docx"'):
        trained([{"loss": 1.0}]).plot(tmp_path / "a.docx")
    assert list(tmp_path.iterdir()) == []


def test_nothing_pops_up_and_a_notebook_shows_the_figure(monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.setattr(plt, "show", None)
    figure = trained([{"loss": 1.0}]).plot()
    assert plt.get_fignums() == []
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert len(pickle.loads(pickle.dumps(figure)).axes) == 1


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    history = trained([{"loss": 1.0}])
    with pytest.raises(cornu.errors.MissingPackageError, match=r"history\.plot\(\) needs .*'matplotlib'.*pip install"):
        history.plot()
    page = Page(history._repr_html_())
    assert {"1", "training"} <= set(page.texts) and "img" not in page.tags
    assert any("pip install" in text for text in page.texts)


# ---------------------------------------------------------------- pages of a notebook


def test_a_history_is_a_table_of_last_and_best_values_with_the_picture():
    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["accuracy"])
    x = np.ones((4, 3))
    history = model.fit(x, x[:, :1], epochs=1, validation_data=(x, x[:, :1]), verbose=0)
    history.history["loss"], history.history["accuracy"] = [0.25], [0.75]
    history.on_epoch_end(1, {"loss": 0.5, "accuracy": 0.5, "mine": 3.0})
    page = Page(history._repr_html_())
    assert "History of 2 epochs" in page.texts
    cells = page.texts[page.texts.index("best at epoch") + 1 :]
    assert cells[:5] == ["loss", "training", "0.5", "0.25", "1"]
    assert cells[cells.index("accuracy") :][:5] == ["accuracy", "training", "0.5", "0.75", "1"]
    assert cells[cells.index("mine") :][:3] == ["mine", "training", "3"]  # high or low: nothing says what is better
    assert [link.partition(",")[0] for link in page.links] == ["data:image/png;base64"]


def test_a_history_without_epochs_says_so():
    assert "No epoch was trained." in Page(History()._repr_html_()).texts


def test_no_name_can_put_anything_on_a_page_or_into_a_picture():
    page = Page(trained([{HOSTILE: 1.0, f"val_{HOSTILE}": 1.0}])._repr_html_())
    assert page.tags == {"b", "div", "img", "style", "table", "tbody", "td", "th", "thead", "tr"}
    assert "$\\frac{ <script>alert('x')</script> & \\x1b[2J" in page.texts


def test_a_model_is_the_table_of_its_summary():
    image, number = cornu.Input((4, 4, 1), name="image"), cornu.Input((3,), name="number")
    joined = layers.Concatenate(name="joined")([layers.Flatten(name="<b>flat")(image), number])
    model = cornu.Model([image, number], layers.Dense(2, name="last")(joined), name='<img src="x">')
    page = Page(model._repr_html_())
    assert page.tags == {"b", "div", "style", "table", "tbody", "td", "th", "thead", "tr"}
    assert page.texts == [
        'Model: "<img src="x">" (Functional)',
        "Layer (type)", "Output Shape", "Param #", "Connected to",
        "image (InputLayer)", "(None, 4, 4, 1)", "0", "-",
        "<b>flat (Flatten)", "(None, 16)", "0", "image[0][0]",
        "number (InputLayer)", "(None, 3)", "0", "-",
        "joined (Concatenate)", "(None, 19)", "0", "<b>flat[0][0], number[0][0]",
        "last (Dense)", "(None, 2)", "40", "joined[0][0]",
        "Total params: 40 (160.00 B), Trainable params: 40 (160.00 B), Non-trainable params: 0 (0.00 B)",
    ]  # fmt: skip


def test_a_model_that_is_not_built_is_shown_too():
    model = cornu.Sequential([layers.Dense(2, name="one"), layers.Flatten(name="two")], name="late")
    assert Page(model._repr_html_()).texts[:-1] == [
        'Model: "late" (Sequential)', "Layer (type)", "Output Shape", "Param #",
        "one (Dense)", "?", "0 (unbuilt)", "two (Flatten)", "?", "0",
    ]  # fmt: skip
    assert not model.built


# ---------------------------------------------------------------- a fit that had nothing to do


@pytest.mark.parametrize("arguments", [{"initial_epoch": 5, "epochs": 5}, {"initial_epoch": 5, "epochs": 3}])
def test_no_epoch_is_left_and_that_is_said(arguments, capsys):
    model = cornu.Sequential([cornu.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(np.ones((4, 3)), np.ones((4, 1)), **arguments)
    told = f"epochs={arguments['epochs']} is where training ends, counted from the start, and it starts after "
    assert told + "initial_epoch=5." in capsys.readouterr().out
    with pytest.raises(KeyError, match="'loss': fit did not train any epoch"):
        history.history["loss"][-1]
    assert history.history == {} and history.history.get("loss") is None and "loss" not in history.history
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0, **arguments)
    model.fit(np.ones((4, 3)), np.ones((4, 1)), epochs=0)
    assert capsys.readouterr().out == ""


def test_a_name_that_is_not_in_the_history_gets_the_closest_one():
    history = trained([{"loss": 1.0, "accuracy": 0.5}])
    with pytest.raises(KeyError, match=r"'acc' is not in the history\. Closest: 'accuracy'"):
        history.history["acc"]
    assert json.loads(json.dumps(history.history)) == history.history == pickle.loads(pickle.dumps(history.history))
