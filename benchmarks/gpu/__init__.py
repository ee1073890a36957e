"""The benchmark on a GPU machine without network: collect wheels here, install and run them there.

    python -m benchmarks.gpu.collect wheels --python 3.12      # with network; --dry-run only lists (needs pip 23.2)
    python -m benchmarks.gpu.install wheels environments       # there, with the Python named above; needs no network
    environments/cornu/bin/python -m benchmarks.gpu.run environments

Take this folder's repository and `wheels` along. The first two need nothing but Python and pip.
"""
