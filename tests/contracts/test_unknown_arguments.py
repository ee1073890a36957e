"""Every public class and function refuses a keyword argument that it does not know, and names it; so do classes text
for a number."""

import importlib
import inspect

import pytest

import cornu

# Whose keyword arguments are data, and what they say.
TAKES_ANY = {
    "callbacks.CallbackList": "parameters of the training, which callbacks read as `self.params`",
    "callbacks.LambdaCallback": "methods of the callback",
    "losses.LossFunctionWrapper": "arguments of the function",
    "metrics.MeanMetricWrapper": "arguments of the function",
    "ops.rearrange": "lengths of named axes",
    "preprocessing.image.save_img": "options of the image's format",
    "quantizers.get": "arguments of the quantizer",
    "utils.Config": "values by name",
    "utils.save_img": "options of the image's format",
}
# Arguments that are looked at before the unknown one.
NEEDED = {
    "layers.Input": {"shape": (2,)},
    "saving.load_weights": {"filepath": "model.weights.h5"},
    "saving.save_weights": {"filepath": "model.weights.h5"},
}


def public(module, path=()):
    """(dotted name, object) of every class and function below `module`."""
    for name in module.__all__:
        found = getattr(module, name)
        if inspect.ismodule(found):
            if found.__name__.startswith("cornu."):
                yield from public(found, (*path, name))
        elif callable(found):
            yield ".".join((*path, name)), found


EVERY = dict(public(cornu))


def required(callable_):
    """The names of the arguments without which `callable_` cannot be called."""
    parameters = inspect.signature(callable_).parameters.values()
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variadic]


def test_an_unknown_argument_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.weights.h5").touch()
    silent = {}
    for name in EVERY.keys() - TAKES_ANY.keys():
        arguments = dict.fromkeys(required(EVERY[name]), 2) | NEEDED.get(name, {})
        try:
            EVERY[name](**arguments, rubbish=3)
        except (TypeError, ValueError) as error:
            if "rubbish" not in str(error) and "takes no arguments" not in str(error):
                silent[name] = str(error)
        else:
            silent[name] = "accepted"
    assert not silent


def numbers(callable_):
    """The names of the arguments that must be numbers or truth values."""
    kinds = (float, int, bool, float | None, int | None, bool | None)
    return [p.name for p in inspect.signature(callable_).parameters.values() if p.annotation in kinds]


def test_text_for_a_number_is_refused_when_an_object_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    accepted, named = [], 0
    for name, made in EVERY.items():
        checks_late = name.startswith("wrappers.")  # scikit-learn wants constructors that only store
        for argument in numbers(made) if isinstance(made, type) and not checks_late else ():
            try:
                made(**dict.fromkeys(required(made), 2) | NEEDED.get(name, {}) | {argument: "many"})
            except (TypeError, ValueError, OSError, ImportError) as error:
                named += argument in str(error)
            else:
                accepted.append(f"{name}: {argument}")
    assert not accepted
    assert named > 700


@pytest.mark.parametrize("name", sorted(TAKES_ANY))
def test_those_that_take_any_argument_still_do(name):
    assert any(p.kind is p.VAR_KEYWORD for p in inspect.signature(EVERY[name]).parameters.values())


def test_every_namespace_is_looked_through():
    assert len(EVERY) > 1000
    assert all(hasattr(importlib.import_module(f"cornu.{namespace}"), "__all__") for namespace in cornu._NAMESPACES)
