"""The 1-euro filter (Casiez, Roussel, Vogel, CHI 2012): still where still, quick where quick.

A low pass whose cut-off rises with the speed of what it filters.
"""
import math

import numpy as np

# MediaPipe smooths the landmarks of a single face in a video; speeds are in face sizes.
SMOOTHING = dict(min_cutoff_hz=0.05, beta=80.0, speed_cutoff_hz=1.0)


class OneEuroFilter(object):
    """Filters arrays of one shape, element by element, as they come.

    min_cutoff_hz: the cut-off at rest. beta: how much it rises, in Hz per unit of speed (a
    second). speed_cutoff_hz: the low pass that the speed itself goes through.
    """

    def __init__(self, min_cutoff_hz, beta, speed_cutoff_hz):
        self._min_cutoff_hz = min_cutoff_hz
        self._beta = beta
        self._speed_cutoff_hz = speed_cutoff_hz
        self.reset()

    def reset(self):
        """Forget what came before: the next values pass as they are."""
        self._time_s = None

    def filter(self, time_s, values, scale=1.0):
        """`values` at `time_s`, filtered. Speeds are measured in units of `scale`."""
        values = np.asarray(values, np.float64)
        if self._time_s is None:
            self._speed, self._filtered = np.zeros_like(values), values
        else:
            step_s = time_s - self._time_s
            speed = (values - self._raw) / (scale * step_s)
            self._speed = self._speed + (
                _share(self._speed_cutoff_hz, step_s) * (speed - self._speed))
            cutoff_hz = self._min_cutoff_hz + self._beta * np.abs(self._speed)
            self._filtered = self._filtered + (
                _share(cutoff_hz, step_s) * (values - self._filtered))
        self._time_s, self._raw = time_s, values
        return self._filtered


def _share(cutoff_hz, step_s):
    """How much of the new value a first-order low pass takes at a step."""
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff_hz * step_s))
