"""What the processes of `test_launch.py` do: train with backups, and fail on the way.

launched.py train FOLDER VICTIM    the process VICTIM is killed in the fourth epoch; -1 for none
launched.py hang                   the last process does not come to a computation of all
"""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

import cornu
from cornu import callbacks, distribution, layers
from cornu.core import peers

random = np.random.default_rng(0)
X, Y = random.normal(size=(32, 4)).astype("float32"), random.normal(size=(32, 2)).astype("float32")
EPOCHS = 6


def trained(folder, *more):
    """The history and the weights of a training that goes on from the folder's backup."""
    cornu.utils.set_random_seed(1)
    model = cornu.Sequential([cornu.Input((4,)), layers.Dense(2, name="end")], name="net")
    model.compile("adam", "mse")
    backup = callbacks.BackupAndRestore(folder, save_freq="epoch", delete_checkpoint=False)
    history = model.fit(X, Y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=[backup, *more])
    return {"epochs": history.epoch, "loss": history.history["loss"], "weights": model.get_weights()}


class Killed(callbacks.Callback):
    """Ends this process as a lack of memory would."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGKILL)


def train(folder, victim):
    rank = peers_rank()
    distribution.set_distribution(distribution.DataParallel())
    found = trained(folder, *[Killed()] * (rank == int(victim)))
    if rank == 0:
        found["weights"] = [weight.tolist() for weight in found["weights"]]
        Path(folder, "answer.json").write_text(json.dumps(found))


def hang():
    if peers_rank() == peers.count() - 1:
        signal.pause()
    peers.highest(1)


def peers_rank():
    import jax

    return jax.process_index()


if __name__ == "__main__":
    distribution.initialize()
    {"train": train, "hang": hang}[sys.argv[1]](*sys.argv[2:])
