"""What the face looks like at each key phone of real speech: one picture, and a table of shapes.

    python -m tests.measure.phone_montage --data REALDATA --out montage.png

A row is a phone. Its first picture, framed, is the shape that the teacher of the synthetic corpus
has for it (utils/speech/phone_shapes.py), so that what the drawing cannot show is not held against
the network; the others are frames of the checkpoint's animation at the middle of such phones in
speech_phones/*.wav, evenly drawn from all of 40 ms or more, and at word beginnings and letter names
of grid_s1_video/1.mp4. The table has the mean weights over all of them, left and right averaged.
"""
import argparse
import collections
import os

import cv2
import numpy as np

from tests.measure.real_clips import add_data_flags, face_of, print_table, unlabelled_clips
from utils.animation.animator import SpeechAnimator
from utils.common.channels import MODEL_CHANNELS, mouth_opening, reorder
from utils.common.errors import run_script
from utils.formats.timings import read_timings
from utils.media.audio import read_audio
from utils.preview.face import render_face
from utils.speech.phone_shapes import TARGETS

# row: (phones of the aligner, {GRID word: part of it at which the phone is}, the teacher's shape)
ROWS = collections.OrderedDict([
    ("p b m", (("P", "B", "M"), {"bin": 0.15, "place": 0.1, "blue": 0.1}, "M")),
    ("f v", (("F", "V"), {"four": 0.2, "five": 0.2}, "F")),
    ("th", (("TH", "DH"), {"three": 0.2}, "TH")),
    ("s z", (("S", "Z"), {"six": 0.15, "set": 0.2, "seven": 0.15}, "S")),
    ("sh ch", (("SH", "CH", "ZH", "JH"), {"j": 0.2, "h": 0.8}, "SH")),
    ("o", (("AO", "OW"), {"o": 0.5}, "AO")),
    ("u", (("UW", "W"), {"two": 0.6, "u": 0.7}, "UW")),
    ("a", (("AA", "AE"), {"r": 0.5}, "AA")),
    ("e", (("EH",), {"red": 0.5, "x": 0.3, "s": 0.3}, "EH")),
    ("i", (("IY",), {"e": 0.5, "green": 0.55}, "IY")),
    ("silence", (("", "SIL"), {"sil": 0.5}, "sil")),
])
SHORTEST_S = 0.04
# Of the table: jawOpen - mouthClose, then shapes.
SHAPES = ("mouthPress", "mouthRollLower", "mouthRollUpper", "mouthFunnel", "mouthPucker",
          "mouthSmile", "mouthStretch", "mouthUpperUp", "mouthLowerDown", "tongueOut")
FACE_SIZE, CROP = 448, (slice(258, 368), slice(154, 294))     # the mouth and what is around it
CELL_HEIGHT, CELL_WIDTH, LABEL_WIDTH = 110, 140, 74


def phone_frames(timings, weights, fps):
    """{row: weights [n, 52]} at the middles of its phones."""
    found = collections.OrderedDict()
    for row, (phones, _, _) in ROWS.items():
        middles_s = [0.5 * (start_s + end_s) for name, start_s, end_s in timings.phones
                     if name in phones and end_s - start_s >= SHORTEST_S]
        found[row] = weights[_frames(middles_s, fps, len(weights))]
    return found


def word_frames(timings, weights, fps):
    """{row: weights [n, 52]} at the stated part of GRID's words."""
    found = collections.OrderedDict()
    for row, (_, words, _) in ROWS.items():
        places_s = [start_s + words[word.lower()] * (end_s - start_s)
                    for word, start_s, end_s in timings.words if word.lower() in words]
        found[row] = weights[_frames(places_s, fps, len(weights))]
    return found


def _frames(times_s, fps, num_frames):
    return np.minimum(np.round(np.array(times_s) * fps).astype(int), num_frames - 1)


def evenly(values, count):
    """`count` of `values` [n, ...] or all of them, evenly drawn."""
    return values[np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(int)]


def cell(weights):
    """The mouth, uint8 [CELL_HEIGHT, CELL_WIDTH, 3]."""
    return render_face(weights, MODEL_CHANNELS, FACE_SIZE)[CROP].copy()


def montage_row(name, target, frames_of_sources, num_cells):
    """One row: its name, the teacher's shape, then num_cells of each source, or grey."""
    label = np.full((CELL_HEIGHT, LABEL_WIDTH, 3), 255, np.uint8)
    cv2.putText(label, name, (6, CELL_HEIGHT // 2 + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1,
                cv2.LINE_AA)
    framed = cell(target)
    framed[[0, 1, -1, -2]] = framed[:, [0, 1, -1, -2]] = (0, 140, 0)
    cells = [label, framed]
    for frames in frames_of_sources:
        cells += [cell(weights) for weights in evenly(frames, num_cells)]
        cells += [np.full_like(framed, 230)] * (num_cells - len(frames))
    return np.hstack(cells)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_flags(parser)
    parser.add_argument("--out", required=True, metavar="PNG")
    parser.add_argument("--cells", type=int, default=4, help="of each recording (%(default)s)")
    args = parser.parse_args()
    animator = SpeechAnimator(args.checkpoint, args.graph, tta_copies=args.tta_copies)
    sources = collections.OrderedDict()
    for clip in unlabelled_clips(args.data):
        if clip.timings is not None:
            sources[clip.name] = phone_frames(
                clip.timings, face_of(animator, clip.samples).weights, animator.fps)
    stem = os.path.join(args.data, "grid_s1_video", "1")
    grid = face_of(animator, read_audio(stem + ".mp4"))
    sources["grid_s1"] = word_frames(
        read_timings(stem + "_words.csv"), grid.weights, animator.fps)

    rows, table = [], []
    for row, (_, _, phone) in ROWS.items():
        rows.append(montage_row(row, TARGETS[phone], [found[row] for found in sources.values()],
                                args.cells))
        for source, weights in [("teacher", TARGETS[phone][np.newaxis])] + [
                (name, found[row]) for name, found in sources.items()]:
            if not len(weights):
                continue
            both = [[name for name in (shape, shape + "Left", shape + "Right")
                     if name in MODEL_CHANNELS] for shape in SHAPES]
            table.append([row, source, len(weights),
                          float(mouth_opening(weights, MODEL_CHANNELS).mean())] + [
                float(reorder(weights, MODEL_CHANNELS, names).mean()) for names in both])
    cv2.imwrite(args.out, np.vstack(rows))
    print("pictures, %d of each: %s\n" % (args.cells, ", ".join(sources)))
    print_table(("phone", "of", "n", "opening") + SHAPES, table)


if __name__ == "__main__":
    run_script(main)
