"""Speed, measured from the sources: the benchmark, its figures, how it scales, and how to take it to a GPU.

What is timed and how is in `speed`. An installed cornu measures itself alone: `cornu bench`.
"""
