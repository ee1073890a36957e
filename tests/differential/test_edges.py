"""A few operations at the edges of their arguments, and that the search finds faults that are put back."""

import jax.numpy as jnp
import pytest
from oracle import ask

from cornu import ops
from tests.differential import edges


def asked(probe):
    """What Keras makes of a probe; of a symbolic one also what it computes, which one version of JAX needs to know."""
    if probe.way == "symbolic":
        asked(probe._replace(way="traced", unknown=False))
    return edges.Outcome(*ask(lambda keras: edges.outcome(keras, probe), str(probe)))


def compared(probe):
    return edges.compare(probe, asked)


def test_types_and_shapes_at_the_edges_are_those_of_keras():
    found = filter(None, map(compared, edges.drawn(seed=11, count=100)))
    assert not [f"{f.probe}: {f.what}" for f in found]


def test_what_is_made_from_a_shape_is_that_of_keras():
    probes = [p for name in ("initializers.Identity", "constraints.NonNeg") for p in edges.probes(name)]
    assert len(probes) > 200
    found = filter(None, map(compared, probes[::15]))
    assert not [f"{f.probe}: {f.what}" for f in found]


FAULTS = {
    "a type of its own": ("divide_no_nan", lambda a, b: jnp.divide(a, jnp.asarray(b, "float32")), "dtype"),
    "a weak type": ("arctan2", jnp.arctan2, "weakly typed"),
    "another shape": ("maximum", lambda a, b: jnp.maximum(a, b)[None], "shape"),
    "a refusal": ("cdist", lambda a, b: a @ b, "refused with TypeError"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_is_put_in_is_found(fault, monkeypatch):
    name, function, what = FAULTS[fault]
    monkeypatch.setattr(ops, name, function)
    probes = [p for p in edges.probes(name) if p.way == "traced"]
    assert any((found := compared(probe)) and found.what == what for probe in probes)
