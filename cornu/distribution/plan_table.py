"""A plan as a table, as text or HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_KINDS = ("all-gather", "reduce-scatter", "all-reduce")


def text(plan: Any) -> str:
    """The table, with a title above it and a recommendation below it."""
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
        f"{count(plan.parameters)} trainable weights, {plan.batch_size:,} rows per step. "
        f"A device has {size(device.memory)}, {device.flops / 1e12:,.4g} TFLOP/s, "
        f"{size(device.memory_bandwidth)}/s memory bandwidth and links of {speeds}."
    )


def advice(plan: Any) -> str:
    """The recommended layout, with the reason."""
    best = plan.best
    if not best.fits:
        return (
            f"No layout fits: the smallest, {best.layout}, needs {size(best.memory)} of {size(plan.device.memory)} per "
            "device. Use more devices, a smaller batch, or a RematScope."
        )
    slowest = max(best.seconds, key=best.seconds.__getitem__)
    return f"Use {best.layout}: at least {duration(best.bound)} per step, limited by {_HELD[slowest]}."


_HELD = {"compute": "computation", "memory": "memory bandwidth", "links": "the links"}


def mesh(sizes: Any) -> str:
    """A short description of a mesh."""
    return " × ".join(f"{number} {name}" for name, number in sizes.items())


def size(number: float) -> str:
    """Bytes with three significant digits."""
    power = 0
    while number >= 999.5 and power < len(_UNITS) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.3g} {_UNITS[power]}"


def count(number: float) -> str:
    """A number with three significant digits."""
    for value, name in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if number >= value:
            return f"{number / value:.3g}{name}"
    return f"{number:,}"


def duration(seconds: float) -> str:
    """Seconds with three significant digits."""
    for value, name in _TIMES:
        if seconds >= value or name == "µs":
            return f"{seconds / value:.3g} {name}"
    return ""


_ROWS: dict[str, Any] = {
    "mesh": lambda one: mesh(one.mesh),
    "weights": lambda one: size(one.weights),
    "gradients": lambda one: size(one.gradients),
    "optimizer state": lambda one: size(one.optimizer_state),
    "new values before release": lambda one: size(one.new_values),
    "activations": lambda one: size(one.activations),
    "peak memory": lambda one: size(one.memory) + ("" if one.fits else " (too much)"),
    **{f"sent by {kind}": lambda one, kind=kind: size(one.traffic.get(kind, 0)) for kind in _KINDS},
    "operations": lambda one: f"{one.flops / 1e12:.3g} T",
    "computation": lambda one: duration(one.seconds["compute"]),
    "memory": lambda one: duration(one.seconds["memory"]),
    "links": lambda one: duration(one.seconds["links"]),
    "lower bound of a step": lambda one: duration(one.bound),
}
