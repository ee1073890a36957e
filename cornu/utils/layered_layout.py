"""Layered layout of directed graphs, by the method of Sugiyama: positions of boxes and routes of edges.

Each box is assigned to a layer below those of its predecessors; an edge that spans layers has a bend of size zero in
each; the order within layers is chosen to have few crossings; and the coordinates keep chains straight. So an edge runs
straight down through layers, bends only between them, and never crosses a box. Cycles are broken: an edge against the
order of the boxes is laid out in reverse.

Layers: Sugiyama, Tagawa and Toda, 1981, https://doi.org/10.1109/TSMC.1981.4308636. Coordinates: Brandes and Köpf, 2002,
https://doi.org/10.1007/3-540-45848-4_3.
"""

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

_SWEEPS = 8  # sweeps over all layers, each sorting every layer by its neighbors
_TRACK = 7.0  # distance of parallel lines between layers


class Edge(NamedTuple):
    """An edge from one box to another; `leaves` and `enters` are offsets from the middle of the box's side."""

    source: int
    target: int
    leaves: float = 0.0
    enters: float = 0.0


class Bend(NamedTuple):
    """A segment of an edge between layers: from x at `top` to `to_x` at `bottom`, horizontal at `track`."""

    x: float
    top: float
    track: float
    to_x: float
    bottom: float


class Layout(NamedTuple):
    """All positions: the upper left corner of each box, the bends of each edge, and the total size."""

    corners: list[tuple[float, float]]
    routes: list[list[Bend]]  # from the top down, even if an edge points upwards
    width: float
    height: float


class _Link(NamedTuple):
    """A segment of an edge between adjacent layers."""

    upper: int
    leaves: float
    lower: int
    enters: float


def layered(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[Edge],
    first: Iterable[int] = (),
    last: Iterable[int] = (),
    apart: float = 16.0,
    gap: float = 18.0,
) -> Layout:
    """Lay out a graph from the top down.

    Args:
        sizes: width and height of each box.
        edges: edges between boxes, by index, and never from a box to itself. Earlier boxes are placed higher.
        first: boxes of the top layer.
        last: boxes of the bottom layer.
        apart: distance between boxes in a layer.
        gap: distance between layers without horizontal lines between them.
    """
    down = [e if e.source < e.target else Edge(e.target, e.source, e.enters, e.leaves) for e in edges]
    ranks = _ranks(len(sizes), down, set(first), set(last))
    chains = _chains(down, ranks)
    links = list(dict.fromkeys(link for chain in chains for link in chain))
    layers = _ordered(ranks, links)
    widths = {item: sizes[item][0] if item < len(sizes) else 0.0 for layer in layers for item in layer}
    xs = _across(layers, links, widths, len(sizes), apart)
    tracks, counts = _tracks(links, ranks, xs)
    heights = [max((sizes[i][1] for i in layer if i < len(sizes)), default=0.0) for layer in layers]
    tops, bottoms = _levels(heights, counts, gap)
    corners = [
        (xs[i] - width / 2, tops[ranks[i]] + (heights[ranks[i]] - height) / 2)
        for i, (width, height) in enumerate(sizes)
    ]

    def bend(link: _Link) -> Bend:
        rank = ranks[link.upper]
        step = (tops[rank + 1] - bottoms[rank]) / (counts[rank] + 1)
        track = bottoms[rank] + step * (tracks[link.upper, link.leaves] + 1)
        return Bend(xs[link.upper] + link.leaves, bottoms[rank], track, xs[link.lower] + link.enters, tops[rank + 1])

    width = max((x + size[0] for (x, _), size in zip(corners, sizes, strict=True)), default=0.0)
    routes = [[bend(link) for link in chain] for chain in chains]
    return Layout(corners, routes, max([width, *(xs.values())]), bottoms[-1] if bottoms else 0.0)


def _ranks(count: int, edges: list[Edge], first: set[int], last: set[int]) -> dict[int, int]:
    """The layer of each box: as high as possible, then lower if that does not make edges longer."""
    above, below = defaultdict(list), defaultdict(list)
    for edge in edges:
        above[edge.target].append(edge.source)
        below[edge.source].append(edge.target)
    ranks: dict[int, int] = {}
    for i in range(count):
        ranks[i] = 0 if i in first else max((ranks[j] + 1 for j in above[i]), default=1 if first else 0)
    lowest = max(ranks.values(), default=0)
    ranks.update(dict.fromkeys(last, max([lowest, *(ranks[i] for i in last)])))
    for i in reversed(range(count)):
        if i not in first and i not in last and len(set(below[i])) >= len(set(above[i])) and below[i]:
            ranks[i] = min(ranks[j] for j in below[i]) - 1
    return ranks


def _chains(edges: list[Edge], ranks: dict[int, int]) -> list[list[_Link]]:
    """The links of each edge; edges from the same port share their bends. `ranks` is extended by those of the bends."""
    bends: dict[tuple[int, float, int], int] = {}
    chains = []
    for edge in edges:
        chain, upper, leaves = [], edge.source, edge.leaves
        for rank in range(ranks[edge.source] + 1, ranks[edge.target]):
            bend = bends.setdefault((edge.source, edge.leaves, rank), len(ranks))
            ranks[bend] = rank
            chain.append(_Link(upper, leaves, bend, 0.0))
            upper, leaves = bend, 0.0
        chains.append([*chain, _Link(upper, leaves, edge.target, edge.enters)])
    return chains


def _neighbours(links: Iterable[_Link]) -> tuple[Mapping[int, list[int]], Mapping[int, list[int]]]:
    above, below = defaultdict(list), defaultdict(list)
    for link in links:
        above[link.lower].append(link.upper)
        below[link.upper].append(link.lower)
    return above, below


def _ordered(ranks: dict[int, int], links: list[_Link]) -> list[list[int]]:
    """The layers, each in the order with the fewest crossings found by barycenter sweeps."""
    layers: list[list[int]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for item, rank in sorted(ranks.items()):
        layers[rank].append(item)
    above, below = _neighbours(links)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, below)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        for layer, fixed in zip(*_pairs(layers, downwards), strict=True):
            place = {item: i for i, item in enumerate(fixed)}
            own = {item: i for i, item in enumerate(layer)}
            layer.sort(key=lambda v: statistics.fmean(place[u] for u in neighbours[v]) if neighbours.get(v) else own[v])
        count = _crossings(layers, below)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    return best


def _pairs(layers: list[list[int]], downwards: bool) -> tuple[list[list[int]], list[list[int]]]:
    """Layers in the order of a sweep, each with the previous one."""
    return (layers[1:], layers[:-1]) if downwards else (layers[-2::-1], layers[:0:-1])


def _crossings(layers: list[list[int]], below: Mapping[int, list[int]]) -> int:
    """The number of crossing pairs of links."""
    total = 0
    for upper, lower in itertools.pairwise(layers):
        place = {item: i for i, item in enumerate(lower)}
        ends = [end for item in upper for end in sorted(place[v] for v in below.get(item, ()))]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def _across(
    layers: list[list[int]], links: list[_Link], widths: dict[int, float], real: int, apart: float
) -> dict[int, float]:
    """The middle of each item: the median of four placements, aligned left or right, from above or below."""
    above, below = _neighbours(links)
    crossing = _beside_long(layers, above, real)
    placed = []
    for neighbours, rows in ((above, layers), (below, layers[::-1])):
        for mirror in (False, True):
            turned = [row[::-1] for row in rows] if mirror else rows
            xs = _compact(turned, _aligned(turned, neighbours, crossing), widths, apart)
            placed.append({v: -x for v, x in xs.items()} if mirror else xs)
    spans = [
        (min(x - widths[v] / 2 for v, x in xs.items()), max(x + widths[v] / 2 for v, x in xs.items()))
        for xs in placed
        if xs
    ]
    left, right = min(
        spans, key=lambda span: span[1] - span[0], default=(0.0, 0.0)
    )  # extent of the narrowest placement
    moves = [right - high if i % 2 else left - low for i, (low, high) in enumerate(spans)]
    middles = {v: sorted(xs[v] + move for xs, move in zip(placed, moves, strict=True))[1:3] for v in widths}
    xs = {v: sum(pair) / 2 for v, pair in middles.items()}
    left = min((x - widths[v] / 2 for v, x in xs.items()), default=0.0)
    return {v: x - left for v, x in xs.items()}


def _beside_long(layers: list[list[int]], above: Mapping[int, list[int]], real: int) -> set[tuple[int, int]]:
    """The links that cross a segment between two bends of an edge, which takes precedence in being straight."""
    found = set()
    for upper, lower in itertools.pairwise(layers):
        place = {item: i for i, item in enumerate(upper)}
        links = [(place[u], i, u, v) for i, v in enumerate(lower) for u in above.get(v, ())]
        inner = [(a, b) for a, b, u, v in links if u >= real and v >= real]
        for a, b, u, v in links:
            if not (u >= real and v >= real) and any((a - c) * (b - d) < 0 for c, d in inner):
                found.add((min(u, v), max(u, v)))
    return found


def _aligned(
    rows: list[list[int]], neighbours: Mapping[int, list[int]], crossing: set[tuple[int, int]]
) -> dict[int, int]:
    """For each item the first one of its column: each joins its median neighbor if possible."""
    root = {item: item for row in rows for item in row}
    taken: set[int] = set()
    for before, row in itertools.pairwise(rows):
        place, reached = {item: i for i, item in enumerate(before)}, -1
        for item in row:
            found = sorted(neighbours.get(item, ()), key=place.__getitem__)
            for other in found[(len(found) - 1) // 2 : len(found) // 2 + 1]:
                free = other not in taken and place[other] > reached
                if root[item] == item and free and (min(item, other), max(item, other)) not in crossing:
                    root[item] = root[other]
                    taken.add(other)
                    reached = place[other]
    return root


def _compact(rows: list[list[int]], root: dict[int, int], widths: dict[int, float], apart: float) -> dict[int, float]:
    """The middle of each item, with each column as far left as possible, then as close to the right ones as
    possible."""
    left: dict[int, dict[int, float]] = defaultdict(dict)  # column -> columns on its left, with the distance to keep
    right: dict[int, dict[int, float]] = defaultdict(dict)
    for row in rows:
        for a, b in itertools.pairwise(row):
            distance = (widths[a] + widths[b]) / 2 + apart
            for table, one, other in ((left, root[b], root[a]), (right, root[a], root[b])):
                table[one][other] = max(distance, table[one].get(other, 0.0))
    order = _topological(list(dict.fromkeys(root[v] for row in rows for v in row)), left)
    xs: dict[int, float] = {}
    for column in order:
        xs[column] = max((xs[other] + distance for other, distance in left[column].items()), default=0.0)
    for column in reversed(order):
        if right[column]:
            xs[column] = max(xs[column], min(xs[other] - distance for other, distance in right[column].items()))
    return {v: xs[column] for v, column in root.items()}


def _topological(columns: list[int], left: Mapping[int, dict[int, float]]) -> list[int]:
    order: dict[int, None] = {}
    for start in columns:
        waiting = [start]
        while waiting:
            open_ones = [other for other in left.get(waiting[-1], ()) if other not in order]
            waiting.extend(open_ones[:1])
            if not open_ones:
                order.setdefault(waiting.pop())
    return list(order)


_Net: TypeAlias = tuple[int, float]  # the edges that leave an item at a port


def _tracks(links: list[_Link], ranks: dict[int, int], xs: dict[int, float]) -> tuple[dict[_Net, int], list[int]]:
    """The track of the horizontal segments from each port, and the number of tracks below each layer."""
    nets: dict[int, dict[_Net, list[float]]] = defaultdict(lambda: defaultdict(list))
    for link in links:
        nets[ranks[link.upper]][link.upper, link.leaves].append(xs[link.lower] + link.enters)
    tracks: dict[_Net, int] = {}
    counts = [1] * (max(ranks.values(), default=-1) + 1)
    for rank, ends in nets.items():
        found = _tracks_between({net: (xs[net[0]] + net[1], stops) for net, stops in ends.items()})
        tracks |= found
        counts[rank] = max(found.values()) + 1
    return tracks, counts


def _tracks_between(nets: dict[_Net, tuple[float, list[float]]]) -> dict[_Net, int]:
    """The tracks between two layers of nets with their start and end: as high as other nets leave room.

    A line that comes down where another one goes down from its track must be above it, so that they are not confused.
    """
    later = {  # nets that must be below
        net: {other for other, (_, stops) in nets.items() if other != net and any(abs(start - x) < 1 for x in stops)}
        for net, (start, _) in nets.items()
    }
    spans = {net: (min(start, *stops), max(start, *stops)) for net, (start, stops) in nets.items()}
    rows: list[list[tuple[float, float]]] = []
    tracks: dict[_Net, int] = {}
    waiting = sorted(spans, key=spans.__getitem__)
    while waiting:
        net = next((n for n in waiting if not any(n in later[other] for other in waiting)), waiting[0])
        waiting.remove(net)
        track = max((tracks[other] + 1 for other in tracks if net in later[other]), default=0)
        low, high = spans[net]
        if high - low > 0.5:  # otherwise it is straight
            while track < len(rows) and not _is_free(rows[track], low, high):
                track += 1
            rows.extend([] for _ in range(track + 1 - len(rows)))
            rows[track].append((low, high))
        tracks[net] = track if high - low > 0.5 else 0
    return tracks


def _is_free(row: list[tuple[float, float]], low: float, high: float) -> bool:
    return all(high < start - _TRACK or low > end + _TRACK for start, end in row)


def _levels(heights: list[float], counts: list[int], gap: float) -> tuple[list[float], list[float]]:
    """Top and bottom of each layer."""
    tops, bottoms, y = [], [], 0.0
    for height, count in zip(heights, counts, strict=True):
        tops.append(y)
        bottoms.append(y + height)
        y += height + gap + _TRACK * max(0, count - 1)
    return tops, bottoms
