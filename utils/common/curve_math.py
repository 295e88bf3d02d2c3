"""Curves in time: whether one moves at all, and the runs in which a condition holds."""
import numpy as np

STILL_DEVIATION = 1e-4          # a curve that moves less than this has no correlation


def moves(curve):
    """Whether `curve` [frames] moves enough to be correlated with anything."""
    return bool(np.std(np.asarray(curve, np.float64)) >= STILL_DEVIATION)


def runs(marked):
    """(starts, ends) of the stretches of True in `marked` [frames] bool; ends are exclusive."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(marked, int), [0]])))
    return edges[::2], edges[1::2]
