"""Make a program that disagrees as small as it goes: fewer actions, fewer layers, fewer arguments, a simpler form."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.differential.program import Net, New, Program, Step


def shrink(program: Program, still: Callable[[Program], bool], seconds: float = 120.0) -> Program:
    """The smallest program found within a time of which `still` holds."""
    end = time.monotonic() + seconds
    smaller = True
    while smaller:
        smaller = False
        for candidate in candidates(program):
            if time.monotonic() > end:
                return program
            if _holds(still, candidate):
                program, smaller = candidate, True
                break
    return program


def _holds(still: Callable[[Program], bool], candidate: Program) -> bool:
    try:
        return still(candidate)
    except Exception:  # a candidate that is not a program at all
        return False


def candidates(program: Program) -> Iterator[Program]:
    """Programs that are one step smaller, the largest cuts first."""
    count = len(program.actions)
    if count > 2:
        yield replace(program, actions=program.actions[count // 2 :])
        yield replace(program, actions=program.actions[: count // 2])
    for i in reversed(range(count)):
        yield replace(program, actions=program.actions[:i] + program.actions[i + 1 :])
    if program.policy != "float32":
        yield replace(program, policy="float32")
    for net in smaller_nets(program.net):
        if len(net.outputs) == len(program.net.outputs):
            yield replace(program, net=net)
    if len(program.net.outputs) > 1:
        yield from (_of_one_output(program, i) for i in range(len(program.net.outputs)))
    for i, action in enumerate(program.actions):
        for key in action.arguments:
            if (action.verb, key) not in {("compile", "optimizer"), ("compile", "loss"), ("save", "format")}:
                rest = {k: v for k, v in action.arguments.items() if k != key}
                yield replace(program, actions=_with(program.actions, i, replace(action, arguments=rest)))
            if action.arguments[key] != "sgd" and key == "optimizer":
                plain = action.arguments | {"optimizer": "sgd"}
                yield replace(program, actions=_with(program.actions, i, replace(action, arguments=plain)))


def _of_one_output(program: Program, index: int) -> Program:
    def part(value):
        if isinstance(value, dict):
            return value.get(program.net.outputs[index])
        return value[index] if isinstance(value, list) and len(value) == len(program.net.outputs) else value

    actions = tuple(
        replace(a, arguments={k: part(v) for k, v in a.arguments.items()}) if a.verb == "compile" else a
        for a in program.actions
    )
    net = replace(program.net, outputs=(program.net.outputs[index],), gives="single")
    return replace(program, net=net, labels=(program.labels[index],), actions=actions)


def _with(items: tuple, index: int, item) -> tuple:
    return (*items[:index], item, *items[index + 1 :])


def smaller_nets(net: Net) -> Iterator[Net]:
    """Models that are one step smaller."""
    for i in reversed(range(len(net.steps))):
        yield from _without_step(net, i)
    used = {s.layer for s in net.steps}
    if set(net.layers) - used:
        yield replace(net, layers={n: layer for n, layer in net.layers.items() if n in used})
    taken = {t for s in net.steps for t in s.takes} | set(net.outputs)
    spare = [i for i in net.inputs if i.name not in taken]
    if spare and len(net.inputs) > len(spare) and net.takes in ("list", "dict", "tuple"):
        left = tuple(i for i in net.inputs if i not in spare)
        yield replace(net, inputs=left, takes="single" if len(left) == 1 else net.takes)
    if net.after:
        yield from (replace(net, after=net.after[:i] + net.after[i + 1 :]) for i in range(len(net.after)))
    if net.form == "subclassed":
        yield replace(net, form="functional")
    if net.options:
        yield replace(net, options={})
    if net.late:
        yield replace(net, late=False)
    for i, given in enumerate(net.inputs):
        if given.declared != given.shape:
            yield replace(net, inputs=_with(net.inputs, i, replace(given, declared=given.shape)))
    for name, layer in net.layers.items():
        if isinstance(layer, Net):
            for smaller in smaller_nets(layer):
                if len(smaller.outputs) == len(layer.outputs) and len(smaller.inputs) == len(layer.inputs):
                    yield replace(net, layers=net.layers | {name: smaller})
            continue
        for key in layer.arguments:
            rest = {k: v for k, v in layer.arguments.items() if k != key}
            yield replace(net, layers=net.layers | {name: New(layer.name, rest)})


def _without_step(net: Net, index: int) -> Iterator[Net]:
    """The model without a call: what took its result takes what it took."""
    step = net.steps[index]
    for taken in step.takes:

        def swap(name: str, taken=taken) -> str:
            return taken if name == step.result else name

        rest = tuple(
            Step(s.result, s.layer, tuple(swap(t) for t in s.takes), s.how)
            for i, s in enumerate(net.steps) if i != index
        )  # fmt: skip
        if not rest:
            return
        outputs = tuple(swap(o) for o in net.outputs)
        if len(set(outputs)) < len(outputs) or any(o in {i.name for i in net.inputs} for o in outputs):
            continue
        used = {s.layer for s in rest}
        layers = {n: layer for n, layer in net.layers.items() if n in used}
        yield replace(net, steps=rest, outputs=outputs, layers=layers)
