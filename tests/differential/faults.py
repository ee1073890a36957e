"""Faults that were once in cornu, put back one at a time: random programs must find each of them again.

python -m tests.differential faults                # each fault, with the program that finds it
python -m tests.differential faults --search 400   # look for such programs, among those in whose text it can show
"""

import argparse
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import jax.numpy as jnp
import numpy as np

from cornu.core.variable import Variable
from cornu.models import cloning, model
from cornu.models.function import Function
from cornu.optimizers import Adafactor
from cornu.training import compile as compiling, loop, outputs, prepare
from cornu.training.data.py_dataset import PyDataset, PyDatasetSource
from tests.differential.draw import Draw
from tests.differential.run import quick, run, stages

SEED = 100


@dataclass(frozen=True)
class Fault:
    """A fault: what it did, how it is put back, what shows it in a program's text, a program that finds it."""

    name: str
    put_back: contextlib.AbstractContextManager
    shows_in: str
    program: int


def _end_twice(self: Any) -> None:
    self.dataset.on_epoch_end()
    self.dataset.on_epoch_end()


def _by_order(self: Any, inputs: Any, owner: Any, line_up: Callable = Function._line_up) -> list:
    swapped = isinstance(self._inputs_struct, dict) and isinstance(inputs, list)
    return list(inputs) if swapped else line_up(self, inputs, owner)


def _not_of_metrics(function: Callable, *args: Any, spec: Callable = prepare.output_spec) -> Any:
    return None if "metrics" in function.__code__.co_freevars else spec(function, *args)


def _read_only(self: Any) -> np.ndarray:
    array = np.array(self.value)
    array.flags.writeable = False
    return array


def _rate_alone(self: Any, rate: Any, t: Any) -> tuple:
    return rate, 1 - jnp.power(t, self.beta_2_decay)


def _no_size(
    x: Any, *rest: Any, batch_size: int | None = None, make: Callable = loop.make_batches, **others: Any
) -> Any:
    if batch_size is not None and isinstance(x, PyDataset):
        raise ValueError("A PyDataset makes batches of its own size.")
    return make(x, *rest, batch_size=batch_size, **others)


def _something(self: Any, batches: Any, stage: str, look: Callable = loop.Trainer._look_at) -> None:
    look(self, batches, stage)
    if stage == "train" and not self.trainable_variables:
        raise ValueError("There is nothing to train.")


_patch = mock.patch.object
FAULTS = [
    Fault(
        "a model that holds a compiled one shows the inner one's loss",
        _patch(compiling.Compilable, "_metrics_for_outer", lambda self: self.metrics),
        r'compile\("sgd", loss(.|\n)*(fit|evaluate|_on_batch)\(',
        6,
    ),
    Fault(
        "metrics that make their variables in the first step count its last batch alone",
        _patch(prepare, "output_spec", _not_of_metrics),
        r"(F1Score|FBetaScore|multi_label)(.|\n)*(fit|evaluate)\(",
        126,
    ),
    Fault(
        "a list given to a model of a dictionary is taken by the order of the keys",
        _patch(Function, "_line_up", _by_order),
        r"K\.Model\({'x1': x1, 'x2': x2.*(.|\n)*'x1': (\w+\(.*?\)), 'x2': \2(.|\n)*\[::-1\]",
        1896,
    ),
    Fault(
        "on_epoch_end of a data set runs twice",
        _patch(PyDatasetSource, "on_epoch_end", _end_twice),
        r"fit\(dataset",
        14,
    ),
    Fault(
        "Adafactor's rate has no bound without relative_step",
        _patch(Adafactor, "prepare", _rate_alone),
        r"Adafactor(.|\n)*(fit|train_on_batch)\(",
        95,
    ),
    Fault("get_weights hands out arrays that cannot be changed", _patch(Variable, "numpy", _read_only), r"held\[", 3),
    Fault(
        "metrics are known in small letters alone",
        _patch(outputs, "_is_shaped", lambda name, table: isinstance(name, str) and name in table),
        r"'Accuracy'(.|\n)*(fit|evaluate|_on_batch)\(",
        6,
    ),
    Fault(
        "fit takes no batch_size beside a PyDataset",
        _patch(loop, "make_batches", _no_size),
        r"fit\(dataset.*batch_size",
        197,
    ),
    Fault(
        "fit refuses a model with nothing to train",
        _patch(loop.Trainer, "_look_at", _something),
        r"\A(?!(.|\n)*(Dense|Embedding|Conv|LSTM|GRU|RNN|Norm|Scaled|Counted|PReLU|Attention))(.|\n)*\.fit\(",
        105,
    ),
    Fault(
        "fit takes no epochs=0", _patch(loop.validate, "non_negative_int", loop.validate.positive_int), r"epochs=0", 13
    ),
    Fault(
        "a model with a list of one output gives a list",
        _patch(model, "_without_lists_of_one", lambda outputs: outputs),
        r"K\.Model\(.*, \[h\d+\]",
        15,
    ),
    Fault(
        "a copy is not compiled",
        _patch(cloning, "compile_config", lambda model: {}),
        r"model\.compile\((.|\n)*clone",
        104,
    ),
]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--search", type=int, default=0, help="look for programs among so many (0: run those known)")


def main(options: argparse.Namespace) -> int:
    """Put each fault back, and say which are found."""
    quick()
    missed = _search(options.search) if options.search else _run_known()
    print(f"{len(FAULTS) - len(missed)} of {len(FAULTS)} faults found; not: {missed}")
    return 1 if missed else 0


def _run_known() -> list[str]:
    missed = []
    for fault in FAULTS:
        program = Draw(SEED, fault.program).program()
        with fault.put_back:
            found = run(program)
        told = found.kind if found is not None and found != run(program) else "not found"
        print(f"{SEED}-{fault.program} {fault.name}: {told}", flush=True)
        if told == "not found":
            missed.append(fault.name)
    return missed


def _search(count: int) -> list[str]:
    left = list(FAULTS)
    for number in range(count):
        program = Draw(SEED, number).program()
        text = "\n".join(text for _, text in stages(program))
        for fault in [f for f in left if re.search(f.shows_in, text)]:
            with fault.put_back:
                found = run(program)
            if found is not None and found != run(program):
                print(f"{number} {fault.name}: {found.kind}", flush=True)
                left.remove(fault)
    return [fault.name for fault in left]
