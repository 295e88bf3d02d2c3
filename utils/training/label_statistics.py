"""What the training labels say of each channel and each frame, for the losses that ask: numpy."""
import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS
from utils.common.curve_math import runs
from utils.scoring.metrics import CLOSED_SHARE

LEAST_DEVIATION = 0.01          # a channel that moves less is mostly its tracker's noise
CLOSURE_MAX_S = 0.3             # p b m last a third of that; longer is silence


def label_means(subjects):
    """Mean weight [52] over the valid frames of the subjects that have the channel; 0 elsewhere."""
    return _mean_of(subjects, np.asarray)


def label_deviations(subjects):
    """Standard deviation [52] over the same frames, at least LEAST_DEVIATION."""
    mean = label_means(subjects)
    mean_square = _mean_of(subjects, lambda targets: np.square(targets, dtype=np.float64))
    return np.maximum(np.sqrt(np.maximum(mean_square - mean ** 2, 0.0)), LEAST_DEVIATION)


def known_channels(subjects):
    """bool [52]: some subject has the channel."""
    return np.any([np.asarray(subject.mask) > 0 for subject in subjects], axis=0)


def _mean_of(subjects, function):
    """Mean [52] of function(targets) over the valid frames of the subjects that have it."""
    total, frames = np.zeros([2, len(MODEL_CHANNELS)])
    for subject in subjects:
        mask = np.asarray(subject.mask, np.float64)
        total += mask * np.sum(function(subject.targets), axis=0, dtype=np.float64,
                               where=subject.valid[:, np.newaxis])
        frames += mask * np.sum(subject.valid)
    return total / np.maximum(frames, 1.0)


def closures(subject):
    """bool [frames]: the lips are closed in speech.

    That is, below CLOSED_SHARE of the subject's own 90th percentile of opening for no longer than
    CLOSURE_MAX_S, and open before and after. The labels alone say so: what is open on both sides
    and shut for so short a time is a p, b or m, or a lip that a fast phone did not part.
    """
    jaw, lips = MODEL_CHANNELS.index("jawOpen"), MODEL_CHANNELS.index("mouthClose")
    opening = subject.targets[:, jaw] - subject.targets[:, lips] * subject.mask[lips]
    found = np.zeros(len(opening), bool)
    if not subject.mask[jaw] or not np.any(subject.valid):
        return found
    opening = np.maximum(opening, 0.0)
    shut = opening < CLOSED_SHARE * np.percentile(opening[subject.valid], 90)
    known = np.concatenate([[False], np.asarray(subject.valid, bool), [False]])
    for start, end in zip(*runs(shut)):
        # `known` stands one later: this asks for the frame before, the run, and the one after.
        if end - start <= CLOSURE_MAX_S * ANIMATION_FPS and known[start:end + 2].all():
            found[start:end] = True
    return found
