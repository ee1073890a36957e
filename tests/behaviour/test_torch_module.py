"""A module of PyTorch is a layer: the same numbers and gradients, trained by JAX."""

import importlib.util

import jax
import numpy as np
import pytest

import cornu
from cornu.layers import TorchModuleWrapper

HAS_TORCH = importlib.util.find_spec("torch") is not None
X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


@pytest.mark.skipif(HAS_TORCH, reason="PyTorch is installed")
def test_without_pytorch_the_message_says_what_to_install():
    with pytest.raises(ImportError, match="TorchModuleWrapper needs the package 'torch'"):
        TorchModuleWrapper(object())


if HAS_TORCH:
    import torch

    def network():
        torch.manual_seed(0)
        parts = torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.ReLU(), torch.nn.Dropout(0.2)
        return torch.nn.Sequential(*parts, torch.nn.Linear(4, 2))

    def test_outputs_and_gradients_are_those_of_the_module():
        module = network().eval()
        layer = TorchModuleWrapper(module)
        state = [v.value for v in layer.non_trainable_variables]
        total = lambda weights, x: (layer.stateless_call(weights, state, x, training=False)[0] ** 2).sum()
        of_weights, of_x = jax.jit(jax.grad(total, (0, 1)))([v.value for v in layer.trainable_variables], X)
        x = torch.from_numpy(X).requires_grad_()
        outputs = module(x)
        (outputs**2).sum().backward()
        np.testing.assert_allclose(layer(X), outputs.detach(), rtol=1e-5, atol=1e-6)
        for ours, theirs in zip([of_x, *of_weights], [x, *module.parameters()], strict=True):
            np.testing.assert_allclose(ours, theirs.grad, rtol=1e-4, atol=1e-5)

    def test_it_trains_in_a_model_and_its_weights_are_saved(tmp_path):
        layer = TorchModuleWrapper(network(), name="net")
        model = cornu.Sequential([cornu.Input((3,)), layer, cornu.layers.Dense(1)])
        assert model.output_shape == (None, 1)
        model.compile(cornu.optimizers.Adam(0.05), "mse")
        losses = model.fit(X, X[:, :1], epochs=10, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        assert layer.module_buffers["1.num_batches_tracked"].value == 10
        assert len(layer.parameters()) == len(layer.trainable_weights) == 6
        model.save_weights(tmp_path / "model.weights.h5")
        other = cornu.Sequential([cornu.Input((3,)), TorchModuleWrapper(network(), name="net"), cornu.layers.Dense(1)])
        other.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_allclose(other.predict(X, verbose=0), model.predict(X, verbose=0), rtol=1e-5)
        with pytest.raises(NotImplementedError, match="save its weights"):
            model.save(tmp_path / "model.keras")

    def test_a_shape_that_is_given_is_taken():
        layer = TorchModuleWrapper(torch.nn.Linear(3, 2), output_shape=(None, 2))
        assert layer(cornu.Input((3,))).shape == (None, 2)

    def test_what_is_no_module_is_refused():
        with pytest.raises(ValueError, match=r"module must be a torch\.nn\.Module"):
            TorchModuleWrapper(lambda x: x)
