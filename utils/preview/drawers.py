"""Processes that draw the preview's faces, on several cores, while this one does other things."""
import contextlib
import multiprocessing
import os
import signal

import cv2
import numpy as np

from utils.common.errors import UserError
from utils.preview.face import Face, moving_box

# Frames that follow each other are drawn by one process, as an eye at rest is drawn once by each.
RUN_FRAMES = 4
RUNS_AHEAD = 8                      # that each process may draw while ffmpeg is started
BLAS_THREADS = "OPENBLAS_NUM_THREADS"
MOST_PROCESSES = 8                  # more draw faster than ffmpeg encodes


class Drawers:
    """Draws one clip; a context manager, whose end stops the processes.

        with Drawers(512, num_processes=2) as drawers:      # they begin to import
            for picture in drawers.pictures(weights):
    """

    def __init__(self, size, num_processes):
        # Spawned: a fork would copy TensorFlow's threads' locks, as they are at that moment.
        context = multiprocessing.get_context("spawn")
        num_processes = min(num_processes, MOST_PROCESSES)
        self._workers = []                  # (process, connection, pictures it draws into)
        with _one_blas_thread():
            for _ in range(num_processes):
                ours, theirs = context.Pipe()
                shared = context.RawArray("B", int(np.prod(_shape(size))))
                process = context.Process(target=_draw, args=(theirs, shared, size), daemon=True)
                process.start()
                theirs.close()
                self._workers.append((process, ours, _as_pictures(shared, size)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        for _, connection, _ in self._workers:
            connection.close()

    def stop(self):
        """End the processes; pictures(), in another thread, then raises."""
        for process, _, _ in self._workers:
            _kill(process)
        for process, _, _ in self._workers:
            process.join()

    def pictures(self, weights):
        """Yield Face.draw_moving of each row of `weights`, good until the next.

        weights: what ordered_weights gave. Raises UserError where a process ends.
        """
        num_processes = len(self._workers)
        runs = [weights[start:start + RUN_FRAMES] for start in range(0, len(weights), RUN_FRAMES)]
        ahead = num_processes * RUNS_AHEAD
        for i in range(len(runs) + ahead):
            # Run i is drawn by process i % n, into the place of its own that is free again.
            process, connection, pictures = self._workers[i % num_processes]
            place = i // num_processes % RUNS_AHEAD
            try:
                if i >= ahead:
                    connection.recv_bytes()
                    for picture in pictures[place][:len(runs[i - ahead])]:
                        yield picture
                if i < len(runs):
                    connection.send((place, runs[i]))
            except (EOFError, OSError):
                process.join()
                raise UserError("a process that draws the preview ended with exit code %s; run it "
                                "again, or without the preview" % process.exitcode)


def _kill(process):
    # SIGTERM is lost where it comes before the new process has begun: until then that has this
    # one's handlers.
    if hasattr(process, "kill"):
        process.kill()
    elif process.is_alive():                            # Python 3.6
        os.kill(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _one_blas_thread():
    """For the processes started meanwhile: numpy's other threads would wait by spinning."""
    before = os.environ.get(BLAS_THREADS)
    os.environ[BLAS_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[BLAS_THREADS]
        if before is not None:
            os.environ[BLAS_THREADS] = before


def _shape(size):
    """Of the pictures that a process draws into."""
    left, top, right, bottom = moving_box(size)
    return RUNS_AHEAD, RUN_FRAMES, bottom - top, right - left, 3


def _as_pictures(shared, size):
    return np.frombuffer(shared, np.uint8).reshape(_shape(size))


def _draw(connection, shared, size):
    """Of a process: draw what is asked for, until the one that started it closes or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)        # the one that started it decides on Ctrl-C
    cv2.setNumThreads(1)                                # each core has a process
    face, pictures = Face(size), _as_pictures(shared, size)
    try:
        while True:
            place, run = connection.recv()
            for weights, picture in zip(run, pictures[place]):
                face.draw_moving(weights, picture)
            connection.send_bytes(b"drawn")
    except (EOFError, OSError):
        pass
