"""A few wrong arguments, each refused in words of cornu's own, and that the search finds errors that are not."""

from oracle import ask

from cornu import ops
from tests.differential import refusals

NAMES = ("layers.Permute(dims=", "layers.Dense(call=", "initializers.Identity(", "ops.diagflat(k=")


def asked(probe):
    """Whether Keras refuses a probe, and how."""
    return refusals.Outcome(*ask(lambda keras: refusals.outcome(keras, probe)._replace(outputs=[]), str(probe)))


def compared(probe):
    return refusals.compare(probe, asked)


def some():
    return [probe for probe in refusals.probes() if str(probe).startswith(NAMES)]


def test_wrong_arguments_are_refused_in_words():
    raw = [f for f in map(compared, some()) if f is not None and f.what == "raw"]
    assert not [f"{f.probe}: {f.ours}" for f in raw]


def test_an_error_without_words_is_found(monkeypatch):
    monkeypatch.setattr(ops, "diagflat", lambda x, k=0: ops.diag(x[k:]))
    probes = [p for p in some() if p.name == "diagflat" and p.wrong == "text"]
    assert any((found := compared(p)) and found.what == "raw" for p in probes)
