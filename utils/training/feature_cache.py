"""Windows of speech features on disk: computed once a recording, memory-mapped after.

One .npy per subject, float32 [frames, 16, 29], named <subject>-<key>.npy. The key says from
what it was made, so a cache of other audio, graph or profile is not found and made anew; the
subject's older files are then removed. A file appears under its name only when it is whole, so
an interrupted extraction goes on with the first subject that has none.
"""
import hashlib
import os
import re

from utils.common.constants import WINDOW_SHAPE
from utils.common.files import written_aside
from utils.common.npy_stream import read_npy, write_npy

CACHE_VERSION = 1                       # raised when features or layout change


def cache_key(audio_sha256, acoustic_sha256, profile):
    """Hex key of the features of one recording."""
    parts = [audio_sha256, acoustic_sha256, profile, str(CACHE_VERSION)]
    return hashlib.sha256("\n".join(parts).encode("ascii")).hexdigest()


def cache_path(folder, subject_name, key):
    return os.path.join(folder, "%s-%s.npy" % (_file_stem(subject_name), key[:16]))


def read_cached(path):
    """The windows float32 [frames, 16, 29] at `path`, memory-mapped; None if it holds none."""
    windows = read_npy(path, "<f4", WINDOW_SHAPE)
    return windows if windows is not None and len(windows) else None


def write_cached(path, pieces):
    """Write `pieces` (an iterable of float32 [n, 16, 29]) one after another; never all held."""
    with written_aside(path) as aside:
        write_npy(aside, pieces, "<f4", WINDOW_SHAPE)
    _remove_older(path)


def _file_stem(subject_name):
    """A file name of the subject's own: readable, and safe whatever the name holds."""
    readable = re.sub(r"[^A-Za-z0-9._]", "_", subject_name)
    if readable == subject_name:
        return readable
    return "%s-%s" % (readable, hashlib.sha256(subject_name.encode("utf-8")).hexdigest()[:8])


def _remove_older(path):
    stem = os.path.basename(path).rsplit("-", 1)[0]
    of_this_subject = re.compile(re.escape(stem) + r"-[0-9a-f]{16}\.npy$")
    for other in os.listdir(os.path.dirname(path)):
        if of_this_subject.match(other) and other != os.path.basename(path):
            _remove_unless_in_use(os.path.join(os.path.dirname(path), other))


def _remove_unless_in_use(path):
    try:
        os.remove(path)
    except OSError:
        pass    # Windows keeps a file that another run has mapped; it only takes space
