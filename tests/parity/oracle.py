"""What real Keras answers, kept in files: `ask(question)` reads the answer, so that a run of the tests needs no Keras.

A question is a function of the library, `question(keras)`, that returns plain data: arrays, bytes, numbers, strings,
lists, tuples, dictionaries. Its answer stands in `answers/`, one compressed file for each test module, under the name
of the test and the number of the question in it.

Questions that count automatic names start with `clear_session(free_memory=False)`: a collection of garbage takes a
second in a process that has run thousands of tests.

    pytest             # compare with the stored answers
    pytest --live      # ask the installed Keras instead (pip install '.[live]'), and run what needs it, marked `live`
    pytest --record    # the same, and write the answers that have changed
"""

import base64
import json
import lzma
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

FOLDER = Path(__file__).with_name("answers")
TAG = "~"  # the key by which a dictionary in a file stands for something that JSON does not have


class Oracle:
    """The test that asks, how many questions it has asked, and the answers of its module."""

    def __init__(self):
        self.live = False
        self.answers: dict[str, dict[str, Any]] = {}  # module -> key -> encoded answer
        self.fresh: dict[str, dict[str, Any]] = {}  # the same, of what was asked in this run

    def begin(self, module: str, test: str, keep: bool) -> None:
        """Say which test asks next, and whether its answers are to be kept, which those of a `live` test are not."""
        self.module, self.test, self.keep, self.count = module, test, keep, 0

    def ask(self, question: Callable[[Any], Any], key: str | None = None) -> Any:
        """What `question` of Keras is answered: from the file, or live.

        Args:
            question: function of the library that returns plain data.
            key: the answer's name where several tests share it; by default the test's name and a number.
        """
        if key is None:
            self.count += 1
            key = f"{self.test}#{self.count}"
        if self.live:
            import keras

            answer = encoded(question(keras))
            if self.keep:
                self.fresh.setdefault(self.module, {})[key] = answer
            return decoded(answer)
        stored = self.stored(self.module)
        assert key in stored, f"{file_of(self.module)} has no answer for {key!r}: run pytest with --record"
        return decoded(stored[key])

    def both(self, question: Callable[[Any], Any], key: str | None = None) -> tuple[Any, Any]:
        """(cornu's answer, Keras's answer), both as plain data."""
        import cornu

        return decoded(encoded(question(cornu))), self.ask(question, key)

    def stored(self, module: str) -> dict[str, Any]:
        """The encoded answers of a module, by their keys."""
        if module not in self.answers:
            file = file_of(module)
            self.answers[module] = json.loads(lzma.decompress(file.read_bytes()))["answers"] if file.exists() else {}
        return self.answers[module]

    def write(self, module: str, whole: bool) -> None:
        """Write a module's file if an answer has changed; a module that asked nothing has none.

        Args:
            module: its name.
            whole: whether all of its tests ran, so that answers nobody asked for can go.
        """
        fresh = self.fresh.get(module, {})
        answers = fresh if whole else self.stored(module) | fresh
        if not fresh or answers == self.stored(module):
            return
        made_with = {name: metadata.version(name) for name in ("keras", "jax")}
        text = json.dumps({"made_with": made_with, "answers": dict(sorted(answers.items()))}, separators=(",", ":"))
        FOLDER.mkdir(exist_ok=True)
        file_of(module).write_bytes(lzma.compress(text.encode(), preset=9))


def file_of(module: str) -> Path:
    """Where a module's answers stand."""
    return FOLDER / f"{module}.json.xz"


def encoded(x: Any) -> Any:
    """Plain data as JSON holds it."""
    if x is None or (isinstance(x, (bool, int, float, str)) and not isinstance(x, np.generic)):
        return x
    if isinstance(x, bytes):
        return {TAG: "bytes", "of": base64.b64encode(x).decode()}
    if isinstance(x, tuple):
        return {TAG: "tuple", "of": [encoded(value) for value in x]}
    if isinstance(x, list):
        return [encoded(value) for value in x]
    if isinstance(x, dict):
        if all(isinstance(key, str) for key in x) and TAG not in x:
            return {key: encoded(value) for key, value in x.items()}
        return {TAG: "dict", "of": [[encoded(key), encoded(value)] for key, value in x.items()]}
    if hasattr(x, "dtype"):
        x = np.asarray(x)
        data = base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()
        return {TAG: "array", "dtype": str(x.dtype), "shape": list(x.shape), "of": data}
    raise TypeError(f"An answer must be plain data (arrays, bytes, numbers, strings, lists, ...), not {type(x)}: {x!r}")


def decoded(x: Any) -> Any:
    """The plain data that `encoded` was given, arrays as those of NumPy."""
    if isinstance(x, list):
        return [decoded(value) for value in x]
    if not isinstance(x, dict):
        return x
    match x.get(TAG):
        case None:
            return {key: decoded(value) for key, value in x.items()}
        case "bytes":
            return base64.b64decode(x["of"])
        case "tuple":
            return tuple(decoded(value) for value in x["of"])
        case "dict":
            return {decoded(key): decoded(value) for key, value in x["of"]}
        case "array":
            flat = np.frombuffer(base64.b64decode(x["of"]), jnp.dtype(x["dtype"]))
            return flat.reshape(x["shape"]).copy()
    raise ValueError(f"An answer's file holds {x[TAG]!r}, which is not a kind of data that is known")


ORACLE = Oracle()
ask, both = ORACLE.ask, ORACLE.both
