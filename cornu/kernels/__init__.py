"""Kernels: arrays in, arrays out, each in its fast form for the platform that runs it.

A kernel is a pure function of JAX arrays. It knows nothing of variables, layers or symbolic tensors, so that the
layers above may forget how a thing is computed, and this folder may change it. Most kernels have two forms: a *plain*
one, the shortest correct way to say it to XLA, and a *fast* one, written for the platforms where the plain one is
slow. `cornu.kernels.platform` holds the one table that chooses. The tests compare the two.
"""
