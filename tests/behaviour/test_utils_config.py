"""`utils.Config`, and `utils.get_source_inputs`."""

import copy
import json
import pickle

import pytest

import cornu
from cornu.utils import Config, get_source_inputs


def test_values_are_attributes_and_keys():
    config = Config(rate=0.1)
    config.seed = 1
    config["momentum"] = 0.9
    assert (config["rate"], config.seed, config.momentum, config.get("other", 3)) == (0.1, 1, 0.9, 3)
    assert list(config) == list(config.keys()) == ["rate", "seed", "momentum"]
    assert dict(config.items()) == config.as_dict() == json.loads(config.to_json())
    assert "seed" in config and len(config) == 3
    assert config.pop("seed") == 1
    config.update({"a": 1}, b=2)
    del config.a
    assert repr(config) == "<Config {'rate': 0.1, 'momentum': 0.9, 'b': 2}>"
    for again in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert again.as_dict() == config.as_dict()


def test_an_unknown_value_is_named():
    config = Config(rate=0.1)
    with pytest.raises(AttributeError, match=r"no value 'rte'.*It has: rate"):
        _ = config.rte
    with pytest.raises(KeyError, match="rte"):
        _ = config["rte"]


@pytest.mark.parametrize("change", [
    lambda c: setattr(c, "rate", 1), lambda c: c.update(rate=1), lambda c: c.pop("rate"), lambda c: delattr(c, "rate"),
    lambda c: c.__setitem__("rate", 1),
])  # fmt: skip
def test_a_frozen_config_stays_as_it_is(change):
    config = Config(rate=0.1)
    config.freeze()
    with pytest.raises(ValueError, match="frozen"):
        change(config)
    assert config.frozen and config.rate == 0.1
    config.unfreeze()
    change(config)


def test_source_inputs_are_found_once_each():
    a, b, c = (cornu.Input((2,), name=name) for name in "abc")
    inner = cornu.Sequential([cornu.Input((2,)), cornu.layers.Dense(2)])
    shared = inner(a) + b
    assert get_source_inputs(shared * shared + b) == [a, b]
    assert get_source_inputs(c) == [c]


def test_a_map_of_policies_converts_inputs_as_its_default_does():
    policies = cornu.dtype_policies.DTypePolicyMap(default_policy="mixed_bfloat16")
    assert policies.convert_input([1.0], True, "bfloat16").dtype == "bfloat16"
    assert policies.convert_input([1], True, "bfloat16").dtype == "int32"
