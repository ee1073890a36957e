"""One peer, in its own process: prepares one piece of work, then times an epoch each time a line comes in.

Run by `python -m benchmarks`; prints one JSON object a line.
"""

import importlib
import importlib.util
import json
import sys
import time
from pathlib import Path


def main(engine: str, work: str) -> None:
    """Warm up, say so, and time an epoch for each line on standard input."""
    started = time.perf_counter()
    keras = importlib.import_module(engine)
    spec = importlib.util.spec_from_file_location("work", Path(__file__).with_name("work.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    keras.utils.set_random_seed(0)
    model, x, y, batch_size = module.WORK[work](keras)
    model.fit(x[:batch_size], y[:batch_size], batch_size=batch_size, epochs=1, verbose=0)
    first = time.perf_counter() - started
    model.fit(x, y, batch_size=batch_size, epochs=1, verbose=0)
    say(first_step_s=first, version=keras.__version__)
    for _ in sys.stdin:
        began = time.perf_counter()
        model.fit(x, y, batch_size=batch_size, epochs=1, verbose=0)
        say(ms_per_step=(time.perf_counter() - began) / -(-len(x) // batch_size) * 1e3)


def say(**values: object) -> None:
    """One line of JSON for the driver."""
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
