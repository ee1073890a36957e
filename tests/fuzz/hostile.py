"""Well-formed changes of a config that ask for much: numbers, sizes, nesting, sharing and repetition.

A config is changed where a file keeps it, and the file is put together again as it should be: what a load refuses here
it refuses for what the file asks, not for damage. `hostile_bytes` does the same with what is not JSON.
"""

import copy
import io
import json
import random
import zipfile
from typing import Any

_NUMBERS = (10**6, 10**8, 10**9, 10**12, 2**31 - 1, 2**63 - 1, -(10**9), 1e9, [10**9], [10**6, 10**6], [10**4] * 4)
_DTYPES = ("U300000000", "S100000000", "(10000,10000)f4", "V99999999", "str", "object", "float64", "int4")
_MOST = 300  # entries that a list grows to
STEERING = ("\x1b[2J", "\x9b1m", "a\rb", "\u202e", "\x07", "\x1b]0;x\x07")  # what a terminal obeys
_TEXTS = (
    *STEERING, "{0.__class__}", "%s" * 99, "${HOME}", "~/x", "a" * 10**5, "ab,bc->ac" + "a" * 999, "...->" * 200,
    "\n" * 999, "é" * 300, "/x", "../x", "x/y", "keras>x", "__main__", "os.system", "float8_e4m3fn", "mixed_float16",
    "1" * 5000, "NaN",
)  # fmt: skip


def json_asking_much(data: Any, rng: random.Random) -> Any:
    """A changed copy of a config."""
    data = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(_CHANGES)(data, rng)
    return data


def zip_packed(members: dict[str, bytes]) -> bytes:
    """An archive with its members packed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def text_asking_much(content: bytes, rng: random.Random) -> bytes:
    """An asset with few lines many times."""
    line = rng.choice((b"a\n", b"\n", content[:20] + b"\n", b"\x0c\n"))
    return content + line * rng.choice((1000, 10**5, 10**6))


# ---------------------------------------------------------------- configs


def _number(data: Any, rng: random.Random) -> Any:
    """Another number or size in the place of one."""
    places = [(holder, key) for holder, key in _places(data) if _is_number(holder[key])]
    if places:
        holder, key = rng.choice(places)
        holder[key] = copy.deepcopy(rng.choice(_NUMBERS))
    return data


def _array(data: Any, rng: random.Random) -> Any:
    """An array of a strange type in the place of anything."""
    holder, key = rng.choice(_places(data))
    value = rng.choice((["a", "b"], [1, 2], [[1.0]], 5))
    holder[key] = {
        "class_name": rng.choice(("__numpy__", "__tensor__")),
        "config": {"value": value, "dtype": rng.choice(_DTYPES)},
    }
    return data


def _graphs(data: Any) -> list[dict]:
    graphs = [h for h in holders(data) if isinstance(h, dict) and {"input_layers", "output_layers"} <= h.keys()]
    return [graph for graph in graphs if _begins_with_a_layer(graph.get("layers"))]


def _begins_with_a_layer(entries: Any) -> bool:
    return isinstance(entries, list) and bool(entries) and isinstance(entries[0], dict) and "name" in entries[0]


def _constant(data: Any, rng: random.Random) -> Any:
    """One more call in a graph, on plain values or on a tensor with large settings."""
    for graph in _graphs(data)[:1]:
        name, setting = rng.choice(
            (("Tile", "repeats"), ("Repeat", "repeats"), ("Pad", "pad_width"), ("Full", "shape"), ("Arange", "stop"),
             ("OneHot", "num_classes"), ("ArraySplit", "indices_or_sections"), ("Linspace", "num"))
        )  # fmt: skip
        first = graph["layers"][0]["name"]
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [first, 0, 0]}}
        entry = {"module": "keras.src.ops.numpy", "class_name": name, "name": "asked", "registered_name": name}
        entry["config"] = {setting: copy.deepcopy(rng.choice(_NUMBERS))}
        entry["inbound_nodes"] = [{"args": [rng.choice(([[1.0]], tensor))], "kwargs": {}}]
        graph["layers"].append(entry)
    return data


def _reversed(data: Any, rng: random.Random) -> Any:
    """A graph listed from its end."""
    for graph in _graphs(data):
        graph["layers"].reverse()
    return data


def _repeated(data: Any, rng: random.Random) -> Any:
    """A list that has one of its entries many times, each under a name of its own."""
    lists = [holder for holder in holders(data) if isinstance(holder, list) and holder]
    if lists:
        chosen = rng.choice(lists)
        item = json.dumps(rng.choice(chosen))
        count = min(rng.choice((10, 100, _MOST)), 10**6 // (len(item) + 1))
        name = '"name": "'
        chosen += [json.loads(item.replace(name, f"{name}n{number}")) for number in range(count)]
    return data


def _in_itself(data: Any, rng: random.Random) -> Any:
    """A model inside a model inside a model, each with one more call."""
    for _ in range(rng.choice((1, 3, 9))):
        graphs = _graphs(data)
        if not graphs or len(json.dumps(data)) > 10**6:
            break
        graph = rng.choice(graphs)
        inner = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional"}
        inner |= {"name": "inner", "config": {**copy.deepcopy(graph), "name": "inner"}}
        first = graph["layers"][0]["name"]
        origin = {"class_name": "__keras_tensor__", "config": {"keras_history": [first, 0, 0]}}
        again = {"class_name": "__keras_tensor__", "config": {"keras_history": ["inner", 0, 0]}}
        inner["inbound_nodes"] = [{"args": [tensor], "kwargs": {}} for tensor in (origin, again, again)]
        graph["layers"].append(inner)
    return data


def _wrapped(data: Any, rng: random.Random) -> Any:
    """A layer inside many wrappers."""
    entries = [(h, k) for h, k in _places(data) if isinstance(h[k], dict) and "class_name" in h[k] and "config" in h[k]]
    if entries:
        holder, key = rng.choice(entries)
        kind = rng.choice(("TimeDistributed", "Bidirectional", "SpectralNormalization", "Wrapper"))
        for _ in range(rng.choice((1, 4, 12, 40))):
            layer = {"module": "keras.layers", "class_name": kind, "config": {"layer": holder[key]}}
            holder[key] = layer | {"registered_name": None, **({"name": "w"} if "name" in holder[key] else {})}
    return data


def _patterns(data: Any, rng: random.Random) -> Any:
    """A map of policies with many patterns, or long ones."""
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    part = rng.choice(("[", "(", "a*", "x|", "{1,", "\\\\", "[^", "n"))
    keys = [part * rng.choice((1, 100, 10**5))] if rng.random() < 0.5 else [f"{part}{n}" for n in range(_MOST)]
    layer = {"module": "keras.dtype_policies", "class_name": "DTypePolicyMap", "registered_name": None}
    layer["config"] = {"default_policy": None, "policy_map": dict.fromkeys(keys, policy)}
    configs = [h for h in holders(data) if isinstance(h, dict) and "dtype" in h]
    if configs:
        rng.choice(configs)["dtype"] = layer
    return data


def _steering(data: Any, rng: random.Random) -> Any:
    """Signs that a terminal obeys, in a name."""
    named = [h for h in holders(data) if isinstance(h, dict) and isinstance(h.get("name"), str)]
    if named:
        rng.choice(named)["name"] = rng.choice(STEERING)
    return data


def _text(data: Any, rng: random.Random) -> Any:
    """Another text in the place of one."""
    places = [(holder, key) for holder, key in _places(data) if isinstance(holder[key], str)]
    if places:
        holder, key = rng.choice(places)
        holder[key] = rng.choice(_TEXTS)
    return data


def _all_numbers(data: Any, rng: random.Random) -> Any:
    """One number in the place of all in an object: what is allowed of each by itself multiplies."""
    holder = rng.choice(holders(data))
    number = rng.choice((2, 50, 1000, 10**5, 10**9, 0, -1, 0.5))
    for inner, key in _places(holder):
        if _is_number(inner[key]) and rng.random() < 0.8:
            inner[key] = [number] * len(inner[key]) if isinstance(inner[key], list) else number
    return data


def _shared(data: Any, rng: random.Random) -> Any:
    """One object in the place of several others, said to be the same."""
    entries = [(h, k) for h, k in _places(data) if isinstance(h[k], dict) and "class_name" in h[k]]
    if entries:
        holder, key = rng.choice(entries)
        one = holder[key]
        for other, place in rng.sample(entries, min(len(entries), rng.choice((1, 3, 20)))):
            other[place] = copy.deepcopy(one) | {"shared_object_id": 1}
    return data


def _wide(data: Any, rng: random.Random) -> Any:
    """An object with many keys, or long ones, or a deep one among its values."""
    objects = [holder for holder in holders(data) if isinstance(holder, dict)]
    if objects:
        chosen, kind = rng.choice(objects), rng.randrange(4)
        if kind == 0:
            chosen |= {f"key{number}": number for number in range(rng.choice((10, 5000)))}
        elif kind == 1:
            chosen[rng.choice(_TEXTS)] = 1
        elif kind == 2:
            deep: Any = 1
            for _ in range(rng.choice((50, 400))):
                deep = rng.choice(([deep], {"a": deep}, {"class_name": "__tuple__", "items": [deep]}))
            chosen[rng.choice(list(chosen) or ["a"])] = deep
        else:
            chosen[rng.choice(list(chosen) or ["a"])] = [[0] * 300] * rng.choice((3, 30))
    return data


_CHANGES = (
    _number, _number, _number, _array, _constant, _reversed, _repeated, _in_itself, _wrapped, _patterns, _steering,
    _text, _text, _all_numbers, _all_numbers, _shared, _wide,
)  # fmt: skip


def _is_number(value: Any) -> bool:
    numbers = value if isinstance(value, list) and value else [value]
    return all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)


def holders(data: Any) -> list:
    """The lists and dictionaries in parsed JSON, itself included."""
    found, waiting = [], [data]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (list, dict)):
            found.append(one)
            waiting += one.values() if isinstance(one, dict) else one
    return found


def _places(data: Any) -> list[tuple[Any, Any]]:
    return [(h, key) for h in holders(data) for key in (list(h) if isinstance(h, dict) else range(len(h)))]
