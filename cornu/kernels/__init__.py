"""Kernels: arrays in, arrays out, each in its fast form for the platform that runs it.

A kernel is a pure function of JAX arrays. It knows nothing of variables, layers or symbolic tensors, so that the
layers above need not know how something is computed, and this folder is free to change it. Most kernels have two forms:
a *plain* one, the shortest correct way to express it in XLA, and a *fast* one, written for the platforms where the
plain one is slow. `cornu.kernels.platform` holds the one table that chooses. The tests compare the two.
"""
