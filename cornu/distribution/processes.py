"""How processes on several machines find each other: through JAX's own coordinator."""

import os
import random

import jax

from cornu.core import peers
from cornu.distribution import watching

_VARIABLES = "KERAS_DISTRIBUTION_JOB_ADDRESSES", "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"


def initialize(
    job_addresses: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Connect the processes of one computation, before anything is computed: each then sees all devices.

    If JAX has already connected the processes, a call without arguments does not reconnect them.

    A process that does not report for 50 seconds, or that hangs while the others wait for it, ends all of them, with
    exit status 75 and a message that names it. The environment variable `CORNU_PATIENCE` sets a different number of
    seconds, or 0 to disable this. Use a larger value if one process works alone for longer while the others wait.

    Default seeds are the same in all processes afterwards: Python's `random` is reseeded.

    Args:
        job_addresses: addresses of the processes, separated by commas, of which that of process 0, such as
            `"10.0.0.1:1234"`, is sufficient. None uses the environment variable `KERAS_DISTRIBUTION_JOB_ADDRESSES`, or
            what JAX detects about the cluster.
        num_processes: number of processes, 1 or more; None uses `KERAS_DISTRIBUTION_NUM_PROCESSES`, likewise.
        process_id: index of this process, from 0; None uses `KERAS_DISTRIBUTION_PROCESS_ID`, or in a Kubernetes Indexed
            Job `JOB_COMPLETION_INDEX`, likewise.

    Raises:
        ValueError: if these are inconsistent, or `CORNU_PATIENCE` is not a number of seconds.
        RuntimeError: if JAX has already computed something, or the other processes do not connect.

    Source: <https://docs.jax.dev/en/latest/_autosummary/jax.distributed.initialize.html>
    """
    patience = watching.patience()
    said = [os.environ.get(name) for name in _VARIABLES]
    if said[1] and not said[2]:
        said[2] = os.environ.get("JOB_COMPLETION_INDEX")
    addresses = said[0] if job_addresses is None else job_addresses
    count = _number(said[1] if num_processes is None else num_processes, "num_processes", 1)
    number = _number(said[2] if process_id is None else process_id, "process_id", 0)
    given = [one.strip() for one in addresses.split(",")] if addresses else []
    if len(given) > 1 and count is not None and len(given) != count:
        raise ValueError(
            f"initialize: num_processes must be the number of job_addresses, or job_addresses only that of process 0. "
            f"Received: job_addresses={addresses!r}, num_processes={count}."
        )
    if count is not None and number is not None and number >= count:
        raise ValueError(
            f"initialize: process_id must be less than num_processes. Received: process_id={number}, "
            f"num_processes={count}."
        )
    if given or count or number is not None or not jax.distributed.is_initialized():  # Ray Train does this itself
        jax.distributed.initialize(given[0] if given else None, count, number)
    watching.start(patience)
    if peers.count() > 1:  # without an explicit seed, all draw the same one
        random.seed(peers.highest(random.getrandbits(31))[0])


def _number(value: str | int | None, name: str, lowest: int) -> int | None:
    if value is None:
        return None
    try:
        number = int(value)
    except ValueError:
        number = lowest - 1
    if number < lowest:
        raise ValueError(f"initialize: {name} must be an integer of at least {lowest}. Received: {name}={value!r}.")
    return number
