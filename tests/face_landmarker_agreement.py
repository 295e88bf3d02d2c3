"""How well our face tracking agrees with the mediapipe package's: a table per channel.

    python tests/face_landmarker_agreement.py write TASK VIDEO LABELS.csv
    python tests/face_landmarker_agreement.py compare TASK VIDEO LABELS.csv --frames 1500

`write` makes the labels with the mediapipe package, wherever that is installed (with OpenCV;
TensorFlow is not needed). `compare` tracks the video with utils/face_landmarker.py. A CSV of
the same layout (time, then channels by name; one row a frame) from elsewhere does as well.
"""
import argparse
import csv
import itertools
import os
import sys
import time

import numpy as np

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, REPOSITORY)

MOVING_STD = 0.01                   # a channel that varies less does not move


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("write", "compare"))
    parser.add_argument("task", help="face_landmarker.task")
    parser.add_argument("video")
    parser.add_argument("labels", help="CSV")
    parser.add_argument("--frames", type=int, help="only the first so many")
    args = parser.parse_args()
    (write if args.command == "write" else compare)(args)


def write(args):
    names, rows = None, []
    for time_s, weights in package_weights(args.task, args.video, args.frames):
        names = names or sorted(weights)
        rows.append(["%.6f" % time_s] + ["%.6f" % weights.get(name, np.nan) for name in names])
    with open(args.labels, "w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([["time"] + list(names)] + rows)


def package_weights(task_path, video_path, num_frames=None):
    """Yield (time_s, {channel: weight}, empty without a face) as mediapipe gives them."""
    import cv2
    import mediapipe
    from mediapipe.tasks import python as tasks
    options = tasks.vision.FaceLandmarkerOptions(
        base_options=tasks.BaseOptions(model_asset_path=task_path),
        running_mode=tasks.vision.RunningMode.VIDEO, output_face_blendshapes=True)
    capture = cv2.VideoCapture(video_path)
    with tasks.vision.FaceLandmarker.create_from_options(options) as landmarker:
        for _ in itertools.count() if num_frames is None else range(num_frames):
            is_read, frame = capture.read()
            if not is_read:
                return
            time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB,
                                    data=np.ascontiguousarray(frame[:, :, ::-1]))
            faces = landmarker.detect_for_video(image, int(round(1000 * time_s))).face_blendshapes
            yield time_s, {shape.category_name: shape.score for face in faces[:1]
                           for shape in face if shape.category_name != "_neutral"}


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


def compare(args):
    from utils.channels import reorder
    from utils.face_landmarker import FaceLandmarker
    from utils.video import video_frames
    reference, names = read_labels(args.labels)
    landmarker = FaceLandmarker(args.task)
    start_s = time.time()
    rows = [np.full(len(landmarker.names), np.nan) if tracked.weights is None
            else tracked.weights for tracked in landmarker.track(
                itertools.islice(video_frames(args.video), args.frames or len(reference)))]
    taken_s = time.time() - start_s
    weights = np.array(rows)
    reference = reorder(reference[:len(weights)], names, landmarker.names)
    difference, correlation, moves = agreement(weights, reference)
    print("%-20s %8s %8s" % ("channel", "mean |d|", "r"))
    for i, name in enumerate(landmarker.names):
        print("%-20s %8.4f %8s" % (name, difference[i],
                                   "%.4f" % correlation[i] if moves[i] else "at rest"))
    print("%d frames (%.0f a second); %d lost here, %d there; largest mean |d| %.4f; smallest r "
          "of the %d that move %.4f"
          % (len(weights), len(weights) / taken_s, np.isnan(weights[:, 0]).sum(),
             np.isnan(reference[:, 0]).sum(), difference.max(), moves.sum(),
             correlation[moves].min()))


if __name__ == "__main__":
    main()
