"""A model is drawn to a file: its layers as boxes with what I ask for, every edge, and nothing on top of anything."""

import importlib.util
import itertools
import shutil
import sys
import types
import xml.etree.ElementTree as ElementTree

import model_zoo
import numpy as np
import pytest

import cornu
from cornu import layers
from cornu.errors import MissingPackageError

SVG = "{http://www.w3.org/2000/svg}"
needs_pydot = pytest.mark.skipif(importlib.util.find_spec("pydot") is None, reason="pydot is not installed")
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


@pytest.fixture
def without_graphviz(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)


@pytest.fixture
def drawn(tmp_path, without_graphviz):
    """Draws a model as SVG and reads it."""

    def draw(model, **arguments):
        cornu.utils.plot_model(model, tmp_path / "model.svg", **arguments)
        return Picture(ElementTree.parse(tmp_path / "model.svg").getroot())

    return draw


class Picture:
    """What is in an SVG: texts, boxes and frames as (left, top, right, bottom), and edges as lists of points."""

    def __init__(self, root):
        self.width, self.height = (float(x) for x in root.get("viewBox").split()[2:])
        self.texts = ["".join(text.itertext()).replace("\xa0", " ") for text in root.iter(SVG + "text")]
        outlines = [rect for rect in root.iter(SVG + "rect") if rect.get("stroke")]
        self.frames = [corners(rect) for rect in outlines if rect.get("stroke-dasharray")]
        self.boxes = [corners(rect) for rect in outlines if not rect.get("stroke-dasharray")]
        self.edges = [points(path.get("d")) for path in root.iter(SVG + "path")]
        self.arrows = len(list(root.iter(SVG + "polygon")))


def corners(rect):
    x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def points(path):
    numbers = [float(x) for x in path.replace("M", " ").replace("L", " ").replace("C", " ").split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def dense(units, name, *more, **arguments):
    return layers.Dense(units, *more, name=name, **arguments)


def two_towers():
    """Two inputs, a shared layer, a model inside, two outputs."""
    a, b = cornu.Input((4,), name="a"), cornu.Input((4,), name="b")
    shared = dense(3, "shared", "relu")
    joined = layers.Concatenate(name="join")([shared(a), shared(b)])
    inner = cornu.Sequential([cornu.Input((6,)), dense(2, "first"), dense(5, "second")], name="inner")
    inner.trainable = False
    x = inner(joined)
    return cornu.Model([a, b], [dense(1, "p", "sigmoid")(x), layers.Dropout(0.1, name="q")(x)])


def test_boxes_have_the_class_and_with_names_the_name(drawn):
    assert drawn(two_towers()).texts == [
        "InputLayer", "InputLayer", "Dense", "Concatenate", "Sequential", "Dense", "Dropout",
    ]  # fmt: skip
    assert drawn(two_towers(), show_layer_names=True).texts[2:4] == ["shared (Dense)", "join (Concatenate)"]


def test_shapes_dtypes_activations_and_what_is_trained_are_shown_where_i_ask(drawn):
    texts = drawn(
        two_towers(), show_shapes=True, show_dtype=True, show_layer_activations=True, show_trainable=True
    ).texts
    assert texts[:3] == ["InputLayer", "Output shape: (None, 4)", "Output dtype: float32"]
    assert texts[6:12] == [
        "Dense", "Activation: relu", "Input shape: (None, 4)", "Output shape: (None, 3)", "Output dtype: float32",
        "Trainable",
    ]  # fmt: skip
    assert texts[12:14] == ["Concatenate", "Input shape: [(None, 3), (None, 3)]"]
    assert texts.count("Non-trainable") == 1
    assert drawn(two_towers(), show_dtype=True).texts.count("Output dtype: float32") == 7


def test_every_call_of_a_shared_layer_is_an_edge(drawn):
    picture = drawn(two_towers())
    assert (len(picture.boxes), len(picture.edges), picture.arrows) == (7, 6, 6)


def test_models_inside_are_frames_where_i_ask(drawn):
    picture = drawn(two_towers(), expand_nested=True, show_layer_names=True)
    assert "first (Dense)" in picture.texts and "inner" in picture.texts
    (frame,) = picture.frames
    assert sum(inside(box, frame) for box in picture.boxes) == 2
    assert drawn(two_towers()).frames == []


def inside(box, frame):
    return frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] and box[3] <= frame[3]


def test_a_layer_that_takes_its_own_output_has_an_edge_to_itself(drawn):
    again = dense(4, "again")
    x = cornu.Input((4,))
    picture = drawn(cornu.Model(x, again(again(x))))
    assert len(picture.boxes) == 2 and len(picture.edges) == 2
    inner = cornu.Sequential([cornu.Input((4,)), dense(4, "one"), dense(4, "two")])
    assert drawn(cornu.Model(x, inner(inner(x))), expand_nested=True).arrows == 3


def test_a_circle_of_shared_layers_is_drawn(drawn):
    x, there, back = cornu.Input((4,)), dense(4, "there"), dense(4, "back")
    picture = drawn(cornu.Model(x, there(back(there(x)))))
    assert len(picture.edges) == picture.arrows == 3


def test_several_inputs_of_a_model_inside_are_told_apart_by_key(drawn):
    u, v = cornu.Input((4,), name="u"), cornu.Input((5,), name="v")
    inner = cornu.Model({"v": v, "u": u}, {"o": dense(2, "d")(u), "r": v})
    x, y = cornu.Input((4,), name="x"), cornu.Input((5,), name="y")
    picture = drawn(cornu.Model([y, x], inner({"u": x, "v": y})["o"]), expand_nested=True, show_layer_names=True)
    place = {text.split(" ")[0]: box for text, box in zip(picture.texts[1:], picture.boxes, strict=True)}
    assert any(starts_at(edge, place["x"]) and abs(edge[-1][0] - middle(place["x"])) < 200 for edge in picture.edges)
    assert any(touches(edge[-1], place["u"]) for edge in picture.edges)


def middle(box):
    return (box[0] + box[2]) / 2


def starts_at(edge, box):
    return touches(edge[0], box)


def touches(point, box):
    return box[0] - 0.2 <= point[0] <= box[2] + 0.2 and box[1] - 0.2 <= point[1] <= box[3] + 0.2


@pytest.mark.parametrize("build", model_zoo.MODELS, ids=lambda build: build.__name__)
def test_no_box_lies_on_another_and_no_edge_crosses_one(build, drawn):
    model = model_zoo.make(build, cornu)
    for rankdir in ("TB", "RL"):
        picture = drawn(model, rankdir=rankdir, expand_nested=True, show_shapes=True, show_layer_names=True)
        assert_clear(picture)


def assert_clear(picture):
    for i, box in enumerate(picture.boxes):
        assert box[0] > 0 and box[1] > 0 and box[2] < picture.width and box[3] < picture.height
        assert not any(overlap(box, other) for other in picture.boxes[i + 1 :])
        for edge in picture.edges:
            for (x0, y0), (x1, y1) in itertools.pairwise(edge):
                line = min(x0, x1) - 0.5, min(y0, y1) - 0.5, max(x0, x1) + 0.5, max(y0, y1) + 0.5
                assert not overlap(box, line)
    assert all(0 < x < picture.width and 0 < y < picture.height for edge in picture.edges for x, y in edge)


def overlap(a, b):
    return min(a[2], b[2]) - max(a[0], b[0]) > 0.75 and min(a[3], b[3]) - max(a[1], b[1]) > 0.75


def test_the_directions_are_those_of_the_data(drawn):
    model = cornu.Sequential([cornu.Input((3,)), dense(2, "one"), dense(2, "two"), dense(2, "three")])
    for rankdir, (start, end) in {"TB": (1, 1), "BT": (1, -1), "LR": (0, 1), "RL": (0, -1)}.items():
        first, _, last = drawn(model, rankdir=rankdir).boxes
        assert (last[start] - first[start]) * end > 0
        assert abs(last[1 - start] - first[1 - start]) < 30


@pytest.mark.parametrize(
    ("splines", "bends"), [("ortho", 4), ("line", 4), ("polyline", 4), ("spline", 6), ("curved", 6)]
)
def test_edges_run_as_i_say(drawn, splines, bends):
    x = cornu.Input((4,))
    picture = drawn(cornu.Model(x, [dense(1, "one")(x), dense(1, "two")(x)]), splines=splines)
    assert {len(edge) for edge in picture.edges} == {bends}
    straight = all(x0 == x1 or y0 == y1 for edge in picture.edges for (x0, y0), (x1, y1) in itertools.pairwise(edge))
    assert straight == (splines in ("ortho", "spline", "curved"))  # of curves these are the points they bend by


def test_a_deep_wide_model_is_drawn_whole(drawn):
    x = first = cornu.Input((4,))
    for _ in range(9):
        branches = [x, x, x, x]
        for depth, branch in enumerate(branches):
            for _ in range(depth):
                branch = layers.Dropout(0.1)(branch)
            branches[depth] = branch
        x = layers.Add()([*branches, first])
    model = cornu.Model(first, x)
    picture = drawn(model, show_shapes=True)
    assert len(picture.boxes) == len(model.operations) == 64
    assert_clear(picture)


def test_long_names_and_strange_ones_are_whole(drawn):
    name = "a_name_of_more_letters_than_anybody_ought_to_give_to_a_layer" * 2
    model = cornu.Sequential([cornu.Input((3,)), dense(2, name), dense(2, "a<b>&c"), dense(2, "層")], name="m")
    texts = drawn(model, show_layer_names=True).texts
    assert "".join(texts).startswith(name) and "a<b>&c (Dense)" in texts and "層 (Dense)" in texts
    assert max(map(len, texts)) < 45


def test_a_subclassed_model_is_one_box_with_what_is_known(drawn):
    class Own(cornu.Model):
        def __init__(self):
            super().__init__(name="own")
            self.inner = dense(2, "inside")

        def call(self, x):
            return self.inner(x)

    model = Own()
    with pytest.raises(ValueError, match=r"plot_model: the model 'own' is not built.*build"):
        drawn(model)
    model(np.ones((3, 4), "float32"))
    assert drawn(model, show_shapes=True, expand_nested=True).texts == [
        "Own", "Input shape: ?", "Output shape: (3, 2)"
    ]  # fmt: skip
    x = cornu.Input((4,))
    assert drawn(cornu.Model(x, model(x)), show_shapes=True).texts[2:] == [
        "Own", "Input shape: (None, 4)", "Output shape: (None, 2)",
    ]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), [
    ({"rankdir": "XX"}, 'rankdir must be "TB" or "BT" or "LR" or "RL". Received: rankdir="XX"'),
    ({"dpi": 0}, "dpi must be a positive number. Received: dpi=0"),
    ({"splines": "wavy"}, 'splines must be "ortho"'),
    ({"layer_range": ["a", "b"]}, "layer_range is an argument of older Keras"),
])  # fmt: skip
def test_what_cannot_be_drawn_by_is_refused(tmp_path, arguments, message):
    model = cornu.Sequential([cornu.Input((3,)), dense(2, "d")])
    for function in (lambda **a: cornu.utils.plot_model(model, tmp_path / "m.svg", **a), dot_of(model)):
        with pytest.raises(ValueError) as error:
            function(**arguments)
        assert message in str(error.value)
    assert list(tmp_path.iterdir()) == []


def dot_of(model):
    return lambda **arguments: cornu.utils.model_to_dot(model, **arguments)


def test_what_is_no_built_model_is_refused(tmp_path, without_graphviz):
    with pytest.raises(TypeError, match=r"model must be a model\. Received: Dense"):
        cornu.utils.plot_model(dense(2, "d"), tmp_path / "m.svg")
    with pytest.raises(ValueError, match=r"is not built, .* Start it with an Input"):
        cornu.utils.plot_model(cornu.Sequential([dense(2, "d")]), tmp_path / "m.svg")
    with pytest.raises(ValueError, match="has no layers"):
        cornu.utils.plot_model(cornu.Sequential([cornu.Input((3,))]), tmp_path / "m.svg")
    with pytest.raises(TypeError, match="unknown argument 'colour'"):
        cornu.utils.plot_model(two_towers(), tmp_path / "m.svg", colour="red")


@pytest.mark.parametrize(("name", "start"), [
    ("a.png", b"\x89PNG"), ("b.PDF", b"%PDF"), ("c.svg", b"<svg"), ("folder/d", b"\x89PNG"),
])  # fmt: skip
def test_the_picture_goes_to_the_file_that_i_name(tmp_path, without_graphviz, name, start):
    assert cornu.utils.plot_model(two_towers(), tmp_path / name, expand_nested=True) is None
    written = tmp_path / name if "." in name else tmp_path / f"{name}.png"
    assert written.read_bytes().startswith(start)
    with pytest.raises(ValueError, match=r'the extension of path must be .*"png".*Received.*"docx"'):
        cornu.utils.plot_model(two_towers(), tmp_path / "a.docx")


def test_the_resolution_is_dots_per_inch(tmp_path, without_graphviz):
    from PIL import Image

    sizes = []
    for dpi in (50, 100):
        cornu.utils.plot_model(two_towers(), tmp_path / "m.png", dpi=dpi)
        with Image.open(tmp_path / "m.png") as image:
            sizes.append(image.width)
    assert sizes[1] == pytest.approx(2 * sizes[0], abs=2)


def test_svg_needs_no_package_and_the_rest_says_what_it_needs(tmp_path, without_graphviz, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    cornu.utils.plot_model(two_towers(), tmp_path / "m.svg")
    with pytest.raises(MissingPackageError, match=r"plot_model, other than for an \.svg file, needs .*'matplotlib'"):
        cornu.utils.plot_model(two_towers(), tmp_path / "m.png")
    monkeypatch.setitem(sys.modules, "pydot", None)
    with pytest.raises(MissingPackageError, match=r"model_to_dot needs the package 'pydot'.*pip install"):
        cornu.utils.model_to_dot(two_towers())


def test_a_notebook_shows_the_picture(tmp_path, without_graphviz, monkeypatch):
    made = types.SimpleNamespace(
        Image=lambda filename: ("image", filename), SVG=lambda filename: ("svg", filename)
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=made))
    monkeypatch.setitem(sys.modules, "IPython.display", made)
    for name, kind in (("m.png", "image"), ("m.svg", "svg")):
        assert cornu.utils.plot_model(two_towers(), tmp_path / name) == (kind, str(tmp_path / name))
    assert cornu.utils.plot_model(two_towers(), tmp_path / "m.pdf") is None


@needs_pydot
def test_pydot_gets_a_node_for_each_layer_and_the_edges(tmp_path):
    dot = cornu.utils.model_to_dot(two_towers(), show_shapes=True, rankdir="LR", dpi=96)
    labels = {node.get_name(): node.get_label() for node in dot.get_nodes() if node.get_label()}
    names = [next(n for n in ("shared", "join", "inner", "a", "b", "p", "q") if f"<b>{n}</b>" in text)
             for text in labels.values()]  # fmt: skip
    by_node = dict(zip(labels, names, strict=True))
    assert [(by_node[edge.get_source()], by_node[edge.get_destination()]) for edge in dot.get_edges()] == [
        ("a", "shared"), ("b", "shared"), ("shared", "join"), ("join", "inner"), ("inner", "p"), ("inner", "q"),
    ]  # fmt: skip
    assert (dot.get_rankdir(), dot.get_dpi()) == ("LR", 96)
    expanded = cornu.utils.model_to_dot(two_towers(), expand_nested=True)
    assert [cluster.get_name() for cluster in expanded.get_subgraphs()] == ["cluster_inner"]
    assert cornu.utils.model_to_dot(two_towers(), subgraph=True).get_name().startswith("cluster_")


@needs_pydot
@needs_dot
def test_with_graphviz_the_picture_is_its(tmp_path):
    cornu.utils.plot_model(two_towers(), tmp_path / "m.svg", expand_nested=True)
    assert b"Generated by graphviz" in (tmp_path / "m.svg").read_bytes()
    with pytest.raises(ValueError, match="Graphviz failed to draw the diagram as 'xyz'"):
        cornu.utils.plot_model(two_towers(), tmp_path / "m.xyz")
    assert [path.name for path in tmp_path.iterdir()] == ["m.svg"]
