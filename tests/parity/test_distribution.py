"""Meshes, layouts and distributions say what Keras's say; they are descriptions, for which no device need be there."""

from oracle import both

NAMES = [f"cpu:{number}" for number in range(8)]


def mesh_of(keras):
    return keras.distribution.DeviceMesh((2, 4), ["batch", "model"], NAMES)


def axes(layout):
    return None if layout is None else layout.axes


def test_meshes():
    def question(keras):
        mesh = mesh_of(keras)
        return repr(mesh), mesh.shape, mesh.axis_names, mesh.devices.tolist()

    ours, keras = both(question)
    assert ours == keras


def test_layouts():
    def question(keras):
        made = keras.distribution.TensorLayout(["batch", None])
        before = repr(made)
        made.device_mesh = mesh_of(keras)
        one = keras.distribution.DeviceMesh((1, 1), ["a", "b"], ["cpu:0"])
        sharding = keras.distribution.TensorLayout((None, "b"), one).backend_layout
        return before, repr(made), made.axes, str(sharding.spec), dict(sharding.mesh.shape)

    ours, keras = both(question)
    assert ours == keras


def test_layout_maps():
    paths = (
        "wide/kernel", "net/wide/kernel", "narrow/kernel", "a/narrow_1/kernel", "a/narrow_1/kernel/b", "x/bias",
        "narrow/kernels", "nothing",
    )  # fmt: skip

    def question(keras):
        layouts = keras.distribution.LayoutMap(mesh_of(keras))
        layouts["wide/kernel"] = (None, "model")
        layouts[".*narrow.*kernel"] = keras.distribution.TensorLayout(["model", None])
        layouts[".*wide.*"] = ("batch",)
        layouts[".*bias"] = ("model",)
        found = [axes(layouts[path]) for path in paths]
        del layouts[".*bias"]
        return found, list(layouts), len(layouts), axes(layouts.get("x/bias")), repr(layouts["wide/kernel"])

    ours, keras = both(question)
    assert ours == keras


def test_a_path_that_matches_two_keys_is_refused():
    def question(keras):
        layouts = keras.distribution.LayoutMap(mesh_of(keras))
        layouts["a.*"] = layouts[".*b"] = ("model",)
        try:
            return axes(layouts["ab"])
        except ValueError:
            return "refused"

    ours, keras = both(question)
    assert ours == keras == "refused"


def test_distributions():
    def told(made):
        return (
            repr(made), made.batch_dim_name, made.num_model_replicas, made.num_processes, made.data_shard_id,
            made.auto_shard_dataset, made.get_data_layout((8, 3)).axes, made.get_data_layout((5,)).axes,
            axes(made.get_tensor_layout("net/wide/output")), made.distribute_dataset(3),
        )  # fmt: skip

    def question(keras):
        layouts = keras.distribution.LayoutMap(mesh_of(keras))
        layouts[".*wide.*"] = (None, "model")
        variables = [keras.Variable([[0.0] * 4] * 4, name=name) for name in ("wide", "narrow")]
        own = keras.Variable([[0.0] * 4] * 4, name="own")
        line = keras.distribution.DeviceMesh((8,), ["all"], NAMES)
        made = (
            keras.distribution.DataParallel(devices=NAMES),
            keras.distribution.DataParallel(line, auto_shard_dataset=False),
            keras.distribution.ModelParallel(layout_map=layouts),
            keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="model"),
        )
        return [(told(one), [one.get_variable_layout(v).axes for v in (*variables, own)]) for one in made]

    ours, keras = both(question)
    assert ours == keras


def test_the_distribution_that_is_set():
    def question(keras):
        one = keras.distribution.DataParallel(devices=["cpu:0"])
        seen = [keras.distribution.distribution()]
        keras.distribution.set_distribution(one)
        seen.append(repr(keras.distribution.distribution()))
        with keras.distribution.DataParallel(keras.distribution.DeviceMesh((1,), ["in"], ["cpu:0"])).scope():
            seen.append(repr(keras.distribution.distribution()))
        seen.append(repr(keras.distribution.distribution()))
        keras.distribution.set_distribution(None)
        return seen, keras.distribution.list_devices("CPU")[0], keras.distribution.distribution()

    ours, keras = both(question)
    assert ours == keras
