"""A live face kept as a file, in any format that run_voca.py writes."""
import numpy as np

from utils.formats.convert import format_of_name
from utils.formats.exporters import FORMATS, write_face


def recording_format(path):
    """The key of FORMATS that a file's name means; ValueError in words."""
    name = format_of_name(path)
    if name is None:
        raise ValueError("%s: which format? Call it one of %s" % (
            path, ", ".join(exporter.file_name for exporter in FORMATS.values())))
    return name


class RecordingSink(object):
    """Keeps the frames, 0.2 kB each, and writes them when it is closed.

    The file's row i is frame i, those that came too late for the other sinks included. Where sound
    was left out, the frame before is held.
    """

    keeps_all = True

    def __init__(self, names, fps, path, format_name):
        self.name = "recording to %s" % path
        self.num_frames = 0
        self.path, self._names, self._fps, self._format_name = path, names, fps, format_name
        self._numbers, self._rows = [], []

    def send(self, frame):
        self._numbers.append(frame.number)
        self._rows.append(np.array(frame.weights, np.float32))

    def reset(self):
        pass

    def close(self):
        """Write the file; UserError where that cannot be. Without a frame none is written."""
        if self._rows:
            numbers = np.array(self._numbers) - self._numbers[0]
            held = np.searchsorted(numbers, np.arange(numbers[-1] + 1), side="right") - 1
            weights = np.stack(self._rows)[held]                    # [frames, 52]
            self.num_frames = len(weights)
            write_face(self.path, self._format_name, weights, self._names, self._fps)
        self._numbers, self._rows = [], []
