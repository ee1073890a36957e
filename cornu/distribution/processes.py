"""How processes on several machines find each other: by JAX's own coordinator."""

import os
import random

import jax

from cornu.core import peers
from cornu.distribution import watching

_VARIABLES = "KERAS_DISTRIBUTION_JOB_ADDRESSES", "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"


def initialize(
    job_addresses: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Join the processes of one computation, before anything is computed: each then sees the devices of all.

    Where JAX has joined the processes already, a call without arguments joins nothing anew.

    A process that is not heard of for 50 seconds, or that hangs while the others wait for it, ends all of them, with
    exit status 75 and a message that names it. The environment's `CORNU_PATIENCE` sets another number of seconds, 0 for
    never. Give more where one process works by itself for longer while the others wait.

    Seeds that nobody gives are the same in all of them from then on: Python's `random` is seeded anew.

    Args:
        job_addresses: addresses of the processes, separated by commas, of which that of process 0, such as
            `"10.0.0.1:1234"`, is enough. None takes the environment's `KERAS_DISTRIBUTION_JOB_ADDRESSES`, else what
            JAX finds out of the cluster.
        num_processes: how many processes there are, 1 or more; None takes `KERAS_DISTRIBUTION_NUM_PROCESSES`,
            likewise.
        process_id: which one this is, from 0; None takes `KERAS_DISTRIBUTION_PROCESS_ID`, or in an Indexed Job of
            Kubernetes `JOB_COMPLETION_INDEX`, likewise.

    Raises:
        ValueError: where these do not go together, or `CORNU_PATIENCE` is not a number of seconds.
        RuntimeError: where JAX has computed already, or the other processes do not come.

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
            f"initialize: num_processes must be the number of job_addresses, or job_addresses that of process 0 alone. "
            f"Received: job_addresses={addresses!r}, num_processes={count}."
        )
    if count is not None and number is not None and number >= count:
        raise ValueError(
            f"initialize: process_id must be below num_processes. Received: process_id={number}, num_processes={count}."
        )
    if given or count or number is not None or not jax.distributed.is_initialized():  # as Ray Train does itself
        jax.distributed.initialize(given[0] if given else None, count, number)
    watching.start(patience)
    if peers.count() > 1:  # where nobody gives a seed, all draw the same one
        random.seed(peers.highest(random.getrandbits(31))[0])


def _number(value: str | int | None, name: str, lowest: int) -> int | None:
    if value is None:
        return None
    try:
        number = int(value)
    except ValueError:
        number = lowest - 1
    if number < lowest:
        raise ValueError(f"initialize: {name} must be an integer of {lowest} or more. Received: {name}={value!r}.")
    return number
