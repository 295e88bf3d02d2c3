"""How well face tracking agrees between Pythons: the mediapipe package's, TensorFlow's, 1.15's.

    python -m tests.measure.tracker_agreement face_landmarker.task take.mp4 \\
        /venvs/mediapipe/bin/python /venvs/tf2/bin/python /venvs/tf115/bin/python

tracks the video with each of these interpreters (utils/tracking/tracker.py, "auto": the mediapipe
package where it is installed, which needs numpy and imageio-ffmpeg beside it, else TensorFlow)
and compares the others with the first. --frames: only so many; --channels: a line for each.
"""
import argparse
import csv
import itertools
import json
import os
import subprocess
import tempfile
import time

import numpy as np

from tests.helpers.paths import REPOSITORY

MOVING_STD = 0.01                   # a channel that varies less does not move


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", help="face_landmarker.task")
    parser.add_argument("video")
    parser.add_argument("pythons", nargs="*", help="interpreters; the first is the reference")
    parser.add_argument("--frames", type=int, help="only the first so many")
    parser.add_argument("--channels", action="store_true", help="a line for each channel")
    parser.add_argument("--write", metavar="FILE", help="track with this Python, into an .npz")
    args = parser.parse_args()
    if args.write:
        write(args.task, args.video, args.frames, args.write)
    elif len(args.pythons) < 2:
        parser.error("two interpreters or more are compared")
    else:
        compare(args)


def write(task_path, video_path, num_frames, path):
    """What this Python's tracker makes of the video, for `compare`."""
    from utils.tracking import tracker
    frames_of = tracker.video_frames
    tracker.video_frames = lambda video, warn: itertools.islice(frames_of(video, warn), num_frames)
    clock_s = []                    # of the processor: what else runs does not matter
    track = tracker.track_faces(
        video_path, task_path, progress=lambda *_: clock_s.append(time.process_time()))
    with open(path, "wb") as stream:
        np.savez(stream, weights=track.weights, num_faces=track.num_faces,
                 names=np.array(track.names), notes=json.dumps(track.notes),
                 frames_per_s=(len(clock_s) - 1) / (clock_s[-1] - clock_s[0]))


def compare(args):
    tracks = []
    with tempfile.TemporaryDirectory() as folder:
        for number, python in enumerate(args.pythons):
            path = os.path.join(folder, "%d.npz" % number)
            command = [python, "-m", "tests.measure.tracker_agreement",
                       os.path.abspath(args.task), os.path.abspath(args.video), "--write", path]
            subprocess.check_call(command + ["--frames", str(args.frames)] * bool(args.frames),
                                  cwd=REPOSITORY)
            with np.load(path) as arrays:
                tracks.append({key: arrays[key] for key in arrays.files})
    names = [str(name) for name in tracks[0]["names"]]
    print("| tracker | frames per CPU second | frames with 0, 1, 2 faces | largest mean abs diff | mean | "
          "smallest r of those that move |\n|---|---|---|---|---|---|")
    for track in tracks:
        notes = json.loads(str(track["notes"]))
        cells = ["%s %s" % (notes["tracker"], notes["tracker_version"]),
                 "%.0f" % track["frames_per_s"],
                 " / ".join(str(int((track["num_faces"] == n).sum())) for n in range(3))]
        if track is tracks[0]:
            cells += ["reference", "", ""]
        else:
            difference, correlation, moves = agreement(seen(track), seen(tracks[0]))
            r = np.where(moves, correlation, np.inf)
            cells += ["%.4f %s" % (difference.max(), names[difference.argmax()]),
                      "%.5f" % difference.mean(),
                      "%.4f %s (of %d)" % (r.min(), names[r.argmin()], moves.sum())]
        print("| %s |" % " | ".join(cells))
        if args.channels and track is not tracks[0]:
            for i, name in enumerate(names):
                print("%-20s %8.4f %8s" % (name, difference[i], "%.4f" % correlation[i]
                                           if moves[i] else "at rest"))


def seen(track):
    """The weights [frames, channels], NaN where there was no face."""
    return np.where(track["num_faces"][:, np.newaxis] > 0, track["weights"], np.nan)


def read_labels(path):
    """(weights float [frames, channels], names) of a CSV with a time column."""
    with open(path, newline="") as stream:
        rows = list(csv.reader(stream))
    return np.array(rows[1:], np.float64)[:, 1:], rows[0][1:]


def agreement(weights, reference):
    """Per channel of two arrays [frames, channels]: mean absolute difference, correlation
    (nan: at rest), and whether the reference moves."""
    together = np.isfinite(weights).all(axis=1) & np.isfinite(reference).all(axis=1)
    weights, reference = weights[together], reference[together]
    difference = np.abs(weights - reference).mean(axis=0)
    spread = weights.std(axis=0) * reference.std(axis=0)
    shared = ((weights - weights.mean(axis=0)) * (reference - reference.mean(axis=0))).mean(axis=0)
    correlation = np.where(spread > 0, shared / np.where(spread > 0, spread, 1.0), np.nan)
    return difference, correlation, reference.std(axis=0) > MOVING_STD


if __name__ == "__main__":
    main()
