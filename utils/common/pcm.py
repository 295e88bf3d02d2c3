"""Sound as 16-bit integers."""
import numpy as np

from utils.common.constants import INT16_SCALE


def to_int16(samples):
    """int16 of sound in [-1, 1), any shape: the nearest step, halves to the even one, clipped."""
    steps = np.round(np.asarray(samples) * INT16_SCALE)
    return np.clip(steps, -INT16_SCALE, INT16_SCALE - 1).astype(np.int16)
