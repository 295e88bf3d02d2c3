"""curves.png drawn by a process of its own, which imports matplotlib while TensorFlow is imported.

    with CurvesProcess() as curves:             # it starts
        ...
        curves.begin(path, weights, names, fps, audio_envelope)
        ...
        curves.finish()
"""
import os
import pickle
import subprocess
import sys
import tempfile

from utils.common.constants import REPOSITORY
from utils.common.errors import UserError
from utils.common.quick_exit import quick_exit


class CurvesProcess:
    """Draws one picture as utils.preview.curve_pictures.write_curves_png does."""

    def __enter__(self):
        self._complaints = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "utils.preview.curves_process"], cwd=REPOSITORY,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._complaints)
        return self

    def begin(self, path, *arguments):
        """Let it draw: the arguments of write_curves_png. It says nothing before finish()."""
        try:
            with self._process.stdin as pipe:
                pickle.dump((os.path.abspath(path),) + arguments, pipe, protocol=4)
        except BrokenPipeError:
            pass                                # it has ended; finish() says why

    def finish(self):
        """Wait for the picture; UserError where it could not be drawn or written."""
        status = self._process.wait()
        if status:
            self._complaints.seek(0)
            said = self._complaints.read().decode("utf-8", "replace").strip().splitlines()
            raise UserError(said[-1] if said else "the process that draws the curves ended with "
                            "status %d; run it again" % status)

    def __exit__(self, *_):
        if not self._process.stdin.closed:      # nothing is begun that could be left half-written
            self._process.kill()
            self._process.stdin.close()
        self._process.wait()
        self._complaints.close()


def main():
    from utils.preview.curve_pictures import empty_panels, write_curves_png     # for half a second
    panels = empty_panels()
    arguments = pickle.load(sys.stdin.buffer)
    try:
        write_curves_png(*arguments, panels=panels)
    except UserError as error:
        sys.exit(str(error))
    quick_exit()


if __name__ == "__main__":
    main()
