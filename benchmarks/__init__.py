"""Speed, measured from the sources: the benchmark, its figures, how it scales, and how to take it to a GPU.

What is timed and how is in `cornu/cli/benchmark`, so that an installed cornu can measure itself: `cornu bench`.
"""
