"""A plan as a table, for a terminal or a page."""

from collections.abc import Mapping, Sequence
from typing import Any

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_KINDS = ("all-gather", "reduce-scatter", "all-reduce")


def text(plan: Any) -> str:
    """The table, with a line above it that says what it is of, and one below that says which layout to take."""
    rows = [["A device", *(one.layout for one in plan.layouts)]]
    rows += [[label, *(cell(one) for one in plan.layouts)] for label, cell in _ROWS.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    rule = "-" * len(lines[0])
    return "\n".join([_title(plan), "", lines[0], rule, *lines[1:], "", advice(plan)])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = row
    return "  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])])


def _title(plan: Any) -> str:
    device = plan.device
    links = device.link_bandwidth if isinstance(device.link_bandwidth, Mapping) else {"": device.link_bandwidth}
    speeds = ", ".join(f"{size(speed)}/s {axis}".strip() for axis, speed in links.items())
    return (
        f"{count(plan.parameters)} trained weights, {plan.batch_size:,} rows a step. "
        f"A device has {size(device.memory)}, {device.flops / 1e12:,.4g} TFLOP/s, "
        f"{size(device.memory_bandwidth)}/s of memory and links of {speeds}."
    )


def advice(plan: Any) -> str:
    """Which layout to take, and why."""
    best = plan.best
    if not best.fits:
        return (
            f"No layout fits: the smallest, {best.layout}, takes {size(best.memory)} of {size(plan.device.memory)} a "
            "device. Take more devices, a smaller batch, or a RematScope."
        )
    slowest = max(best.seconds, key=best.seconds.__getitem__)
    return f"Take {best.layout}: {duration(best.bound)} a step at least, held up by {_HELD[slowest]}."


_HELD = {"compute": "computing", "memory": "its memory", "links": "the links"}


def mesh(sizes: Any) -> str:
    """A mesh in a few letters."""
    return " × ".join(f"{number} {name}" for name, number in sizes.items())


def size(number: float) -> str:
    """Bytes with three digits."""
    power = 0
    while number >= 999.5 and power < len(_UNITS) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.3g} {_UNITS[power]}"


def count(number: float) -> str:
    """A number of things with three digits."""
    for value, name in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if number >= value:
            return f"{number / value:.3g}{name}"
    return f"{number:,}"


def duration(seconds: float) -> str:
    """Seconds with three digits."""
    for value, name in _TIMES:
        if seconds >= value or name == "µs":
            return f"{seconds / value:.3g} {name}"
    return ""


_ROWS: dict[str, Any] = {
    "mesh": lambda one: mesh(one.mesh),
    "weights": lambda one: size(one.weights),
    "gradients": lambda one: size(one.gradients),
    "optimizer's state": lambda one: size(one.optimizer_state),
    "new values beside old": lambda one: size(one.new_values),
    "activations": lambda one: size(one.activations),
    "memory at the worst moment": lambda one: size(one.memory) + ("" if one.fits else " (too much)"),
    **{f"sent by {kind}": lambda one, kind=kind: size(one.traffic.get(kind, 0)) for kind in _KINDS},
    "operations": lambda one: f"{one.flops / 1e12:.3g} T",
    "computing": lambda one: duration(one.seconds["compute"]),
    "memory": lambda one: duration(one.seconds["memory"]),
    "links": lambda one: duration(one.seconds["links"]),
    "a step at least": lambda one: duration(one.bound),
}
