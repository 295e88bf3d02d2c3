"""Windows of speech features on disk: computed once a recording, memory-mapped after.

One .npy per subject, named <subject>-<key>.npy. Where each window is the one before it, moved on
by a row, as in the deepspeech profile, the rows are stored once: float32 [frames + 15, 29], a
sixteenth of the windows; else float32 [frames, 16, 29]. The key says from what a file was made, so
a cache of other audio, graph or profile is not found and made anew; the subject's older files are
then removed. A file appears under its name only when it is whole, so an interrupted extraction
goes on with the first subject that has none.
"""
import collections
import hashlib
import os
import re

import numpy as np

from utils.common.constants import NUM_LETTERS, WINDOW_FRAMES, WINDOW_SHAPE
from utils.common.files import make_folder, written_aside
from utils.common.npy_stream import read_npy, write_npy

CACHE_VERSION = 1                       # raised when features or layout change


def cache_key(audio_sha256, acoustic_sha256, profile):
    """Hex key of the features of one recording."""
    parts = [audio_sha256, acoustic_sha256, profile, str(CACHE_VERSION)]
    return hashlib.sha256("\n".join(parts).encode("ascii")).hexdigest()


def cache_path(folder, subject_name, key):
    return os.path.join(folder, "%s-%s.npy" % (_file_stem(subject_name), key[:16]))


def read_cached(path):
    """The windows float32 [frames, 16, 29] at `path`, memory-mapped, read-only; None if none."""
    windows = read_npy(path, "<f4", WINDOW_SHAPE)
    if windows is None:
        windows = _windows_of_rows(read_npy(path, "<f4", (NUM_LETTERS,)))
    return windows if windows is not None and len(windows) else None


def write_cached(folder, paths_and_pieces, share_rows=False):
    """Write files of windows to `folder`, one after another.

    Args:
      paths_and_pieces: iterable of (path, pieces); pieces: an iterable of float32 [n, 16, 29],
        never all held.
      share_rows: every window is the one before it, moved on by a row; ValueError where it is
        not, to the bit.
    """
    make_folder(folder)
    files_of = collections.defaultdict(list)    # listed once: a folder may hold thousands
    for name in os.listdir(folder):
        if _stem_of_file(name):
            files_of[_stem_of_file(name)].append(name)
    for path, pieces in paths_and_pieces:
        with written_aside(path) as aside:
            if share_rows:
                write_npy(aside, _rows_of(pieces), "<f4", (NUM_LETTERS,))
            else:
                write_npy(aside, pieces, "<f4", WINDOW_SHAPE)
        for older in files_of[_stem_of_file(os.path.basename(path))]:
            if older != os.path.basename(path):
                _remove_unless_in_use(os.path.join(folder, older))


def _rows_of(pieces):
    """Yield float32 [n, 29]: all rows of the first of the windows, the last one of each other."""
    before = None                                   # the window before, [16, 29]
    for windows in pieces:
        if not len(windows):
            continue
        if before is None:
            yield windows[0]
        else:
            windows = np.concatenate([before[np.newaxis], windows])
        bits = np.ascontiguousarray(windows, "<f4").view("<i4")
        if not np.array_equal(bits[1:, :-1], bits[:-1, 1:]):
            raise ValueError("windows that do not share their rows")
        yield windows[1:, -1]
        before = windows[-1]


def _windows_of_rows(rows):
    """A view [frames, 16, 29] of rows [frames + 15, 29], or None."""
    if rows is None or len(rows) < WINDOW_FRAMES:
        return None
    return np.lib.stride_tricks.as_strided(
        rows, (len(rows) - WINDOW_FRAMES + 1,) + WINDOW_SHAPE, rows.strides[:1] + rows.strides,
        subok=True, writeable=False)


def _file_stem(subject_name):
    """A file name of the subject's own: readable, and safe whatever the name holds."""
    readable = re.sub(r"[^A-Za-z0-9._]", "_", subject_name)
    if readable == subject_name:
        return readable
    return "%s-%s" % (readable, hashlib.sha256(subject_name.encode("utf-8")).hexdigest()[:8])


def _stem_of_file(name):
    """What a subject's files have in common, or None for no file of ours."""
    found = re.match(r"(.+)-[0-9a-f]{16}\.npy$", name)
    return found and found.group(1)


def _remove_unless_in_use(path):
    try:
        os.remove(path)
    except OSError:
        pass    # Windows keeps a file that another run has mapped; it only takes space
