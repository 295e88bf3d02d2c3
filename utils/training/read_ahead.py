"""Rows of memory-mapped arrays that are asked of the disk before they are needed.

A batch reads from a hundred places. Where memory does not hold them, each is waited for in turn,
and the system reads tens of kilobytes around it that nobody needs. Asked for a few batches ahead,
all are on their way at once, and no more than they.
"""
import ctypes
import mmap
import os

import numpy as np

try:
    import resource
except ImportError:                     # Windows, which has no advice on memory either
    resource = None

WILL_NEED = 3                           # POSIX_MADV_WILLNEED, on Linux and macOS alike
STEPS_AHEAD = 8                         # more gains nothing
MANY_WAITS = 8                          # for the disk, in one step
PATIENCE_STEPS = 1000                   # with as many waits: by then, what fits in memory is there
STEPS_ON = 1000                         # that the advice goes on after a step with many waits


class ReadAhead:
    """Tells the system which rows come next, where memory does not hold them all.

    Where it does, the system's own reading around each place brings them in soonest, and then the
    advice would only cost: 0.5 ms a batch, a third of a step. So none is given until the waits have
    gone on for PATIENCE_STEPS, and then for STEPS_ON steps after each that had to wait.

    Args:
      arrays: for each kind of row a list of arrays [frames, ...], one for each subject.
      num_frames: consecutive frames that are read at each place.
    """

    def __init__(self, arrays, num_frames):
        self._first_bytes = np.array([[array.__array_interface__["data"][0] for array in of_kind]
                                      for of_kind in arrays])       # [kinds, subjects]
        self._frame_bytes = np.array([[array.strides[0] for array in of_kind]
                                      for of_kind in arrays])       # [kinds, subjects]
        self._num_bytes = np.array([[_span_bytes(array[:num_frames]) for array in of_kind]
                                    for of_kind in arrays])         # [kinds, subjects]
        self._advise = _posix_madvise()
        self._patience, self._steps_left = PATIENCE_STEPS, 0
        self._num_waits = _num_waits()
        self._next_step = 0

    def steps_to_ask(self, step, end):
        """The steps whose rows to ask for now, before `step` is read; none after `end`."""
        if self._advise is None:
            return range(0)
        num_waits = _num_waits()
        if num_waits >= self._num_waits + MANY_WAITS:
            self._patience = max(0, self._patience - 1)
            self._steps_left = STEPS_ON if self._patience == 0 else 0
        self._num_waits = num_waits
        if self._steps_left == 0:
            return range(0)
        self._steps_left -= 1
        is_asked_to_here = step <= self._next_step <= step + STEPS_AHEAD
        first, self._next_step = (self._next_step if is_asked_to_here else step,
                                  min(step + STEPS_AHEAD, end))
        return range(first, self._next_step)

    def ask(self, subjects, first_frames):
        """Ask for the rows from `first_frames` on of `subjects`, both int [places]. No waiting."""
        begins = (self._first_bytes[:, subjects]
                  + first_frames * self._frame_bytes[:, subjects])          # [kinds, places]
        pages = begins // mmap.PAGESIZE * mmap.PAGESIZE
        sizes = begins - pages + self._num_bytes[:, subjects]
        for page, size in zip(pages.ravel().tolist(), sizes.ravel().tolist()):
            self._advise(page, size, WILL_NEED)


def _span_bytes(array):
    """From the first byte of an array to behind its last, whose rows may lie on one another."""
    return array.itemsize + sum((size - 1) * stride
                                for size, stride in zip(array.shape, array.strides))


def _num_waits():
    """How often this thread, or on macOS this process, had to wait for a page from the disk."""
    if resource is None:
        return 0
    return resource.getrusage(getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)).ru_majflt


def _posix_madvise():
    """posix_madvise(address, number of bytes, advice); None where the system has none."""
    function = os.name == "posix" and getattr(ctypes.CDLL(None), "posix_madvise", None)
    if not function:
        return None
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function
