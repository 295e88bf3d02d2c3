"""What each exporter takes for ten minutes of speech, by the format.

    python -m tests.measure.exporters [minutes]

Writes a clip of moving curves at 60 frames a second in every format (vmd at 30), each in a process
of its own. Prints the memory at its peak above that before, the time, and the size of the file.
"""
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

from tests.helpers.paths import REPOSITORY
from utils.common.channels import MODEL_CHANNELS
from utils.formats.exporters import FORMATS, write_face

FPS, VMD_RATE = 60, 30


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print("%-15s %8s %10s %8s %10s" % ("format", "frames", "peak, MB", "s", "file, MB"))
    for name in FORMATS:
        sys.stdout.write(subprocess.check_output(
            [sys.executable, "-m", "tests.measure.exporters", str(minutes), name],
            cwd=REPOSITORY).decode())
        sys.stdout.flush()


def measure(minutes, name):
    fps = VMD_RATE if name == "vmd" else FPS
    num_frames = int(minutes * 60 * fps)
    frames = np.arange(num_frames, dtype=np.float32)[:, np.newaxis]
    weights = 0.5 + 0.5 * np.sin(frames * np.linspace(0.01, 0.3, len(MODEL_CHANNELS),
                                                      dtype=np.float32))    # [frames, 52]
    with tempfile.TemporaryDirectory() as folder:
        write_face(os.path.join(folder, "warm" + FORMATS[name].file_name), name, weights[:2],
                   MODEL_CHANNELS, fps)
        path = os.path.join(folder, FORMATS[name].file_name)
        before, start_s = peak_mb(), time.time()
        write_face(path, name, weights, MODEL_CHANNELS, fps)
        print("%-15s %8d %10.0f %8.1f %10.1f" % (
            name, num_frames, peak_mb() - before, time.time() - start_s,
            os.path.getsize(path) / 1e6))


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000.0


if __name__ == "__main__":
    main() if len(sys.argv) < 3 else measure(float(sys.argv[1]), sys.argv[2])
