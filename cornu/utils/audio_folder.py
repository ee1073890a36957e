"""A directory of audio files as a dataset of waveforms."""

import math
import os
from collections.abc import Sequence

import numpy as np

from cornu import lazy, validate
from cornu.data import Dataset
from cornu.utils import labelled_files

signal = lazy.module("scipy.signal")

__all__ = ["audio_dataset_from_directory"]

_OWNER = "audio_dataset_from_directory"
_ENDINGS = (".wav",)


def audio_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: object = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Dataset | list[Dataset]:
    """A dataset of the audio files (.wav) in a directory, whose subdirectories are the classes.

    The files are read lazily with the package soundfile.

    Args:
        directory: path of the directory.
        labels: `"inferred"` from the subdirectories, a list of labels in the order of the sorted paths, or None for
            none.
        label_mode: `"int"` for int32 of shape `(batch,)`, `"categorical"` for float32 of shape `(batch, classes)`,
            `"binary"` for float32 of shape `(batch, 1)`, 0 or 1, or None for none.
        class_names: the subdirectories to use, in the order of their labels; None uses all, in alphabetical order.
        batch_size: number of files in a batch; None yields single ones. Defaults to 32.
        sampling_rate: rate in Hz to which audio is resampled, with a polyphase filter; None keeps the original rates.
        output_sequence_length: number of samples to which audio is truncated or zero-padded at the end; None pads to
            the longest of a batch.
        ragged: must be False, since there are no ragged arrays: `batch_size=None` yields audio of the original length.
        shuffle: whether to shuffle the files in each epoch; otherwise they are sorted by path. Defaults to True.
        seed: seed of the shuffling; None draws one from NumPy's global generator.
        validation_split: fraction of the files, the last ones after shuffling, reserved for validation. None by
        default.
        subset: `"training"`, `"validation"`, or `"both"` for a list of both datasets. Needs
            `validation_split`; None by default.
        follow_links: whether to follow symbolic links to subdirectories. Defaults to False.
        verbose: whether to print the number of files. Defaults to True.

    Returns:
        A dataset of float32 waveforms from -1 to 1 of shape `(batch, samples, channels)`, or of pairs with labels. Its
        `class_names` and `file_paths` attributes list what was found.

    Raises:
        FileNotFoundError: if the directory does not exist.
        ValueError: if it contains no audio files, or the arguments are inconsistent.

    Example:

        import os, soundfile

        for name in ("high/1.wav", "low/1.wav"):
            os.makedirs(os.path.dirname(name))
            soundfile.write(name, np.zeros(100), 8000)
        for waves, labels in cornu.utils.audio_dataset_from_directory(".", verbose=False):
            print(waves.shape, labels.shape)  # (2, 100, 1) (2,)
    """
    validate.one_of(ragged, (False,), "ragged", _OWNER)
    rate = None if sampling_rate is None else validate.positive_int(sampling_rate, "sampling_rate", _OWNER)
    length = output_sequence_length
    if length is not None:
        length = validate.positive_int(length, "output_sequence_length", _OWNER)
    soundfile = validate.optional_import("soundfile", extra="audio", purpose=_OWNER)

    def read(path: str) -> np.ndarray:
        wave, found = soundfile.read(path, dtype="float32", always_2d=True)
        if rate is not None and found != rate:
            wave = _resampled(wave, found, rate)
        return wave if length is None else _of_length(wave, length)

    asked = labelled_files.Request(
        _OWNER, "sounds", _ENDINGS, directory, labels, label_mode, class_names, batch_size, shuffle, seed,
        validation_split, subset, follow_links, verbose,
    )  # fmt: skip
    return labelled_files.datasets(asked, read, Dataset.padded_batch if length is None else None)


def _resampled(wave: np.ndarray, before: int, after: int) -> np.ndarray:
    """A waveform of shape (samples, channels) resampled to another rate."""
    common = math.gcd(before, after)
    return signal.resample_poly(wave, after // common, before // common, axis=0).astype("float32")


def _of_length(wave: np.ndarray, length: int) -> np.ndarray:
    """The first samples of a waveform, or all of them followed by zeros."""
    return np.pad(wave[:length], [(0, max(0, length - len(wave))), (0, 0)])
