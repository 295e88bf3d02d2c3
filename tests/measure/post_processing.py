"""Would a step after the network make its mouth better? A table in Markdown on stdout.

    python -m tests.measure.post_processing --data REALDATA [--checkpoint P --graph G]

Columns as in tests/measure/default_checkpoint.py, means over the clips of one speaker; the last
three columns are p b m, open vowels and silence of the recordings without a captured face. Every
step can stream; its look-ahead stands at the end of its line, none where nothing does.

    smooth N        symmetric binomial FIR of N frames on all channels; (N - 1) / 2 frames
    savgol N        --smooth N of run_voca.py: Savitzky-Golay; (N - 1) / 2 frames
    gate            the opening fades out once the sound has been 30 dB below its loudest for 0.13 s
    sharpen K       the opening plus K times what it differs from its mean over 5 frames; 2 frames
    toe A           the part A of the widest opening lately is taken off it; the rest is stretched
    later N         everything N frames later; N frames
"""
import argparse
import collections

import numpy as np
import scipy.signal

from tests.measure.real_clips import (add_data_flags, face_of, labelled_clips, mean_rows,
                                      print_table, rows_of, unlabelled_clips)
from utils.animation.animator import SpeechAnimator
from utils.common.channels import mouth_opening
from utils.common.constants import ANIMATION_FPS
from utils.common.errors import run_script
from utils.dataset.label_cleaning import smoothed
from utils.media.loudness import loudness_envelope, silent_frames, speech_envelope
from utils.scoring import metrics
from utils.scoring.phone_spans import bilabial_spans, open_spans
from utils.scoring.scorecard import Face

BINOMIAL = {3: (0.25, 0.5, 0.25), 5: (0.0625, 0.25, 0.375, 0.25, 0.0625)}
QUIET_DB, QUIET_FRAMES, FADE_FRAMES = -30.0, 4, 3
HALF_LIFE_S = 10.0
SHOWN = ("opening r", "in speech", "lag ms", "rounding r", "closures", "false", "leak", "jitter",
         "mouth r")


def smooth(face, samples, num_taps):
    padded = np.pad(face.weights, ((num_taps // 2,) * 2, (0, 0)), mode="edge")
    taps = np.array(BINOMIAL[num_taps])[:, np.newaxis]
    return Face(scipy.signal.convolve(padded, taps, mode="valid"), face.names)


def savgol(face, samples, num_frames):
    return Face(smoothed(face.weights, np.ones(len(face.weights), bool), ANIMATION_FPS,
                         (num_frames - 1) / 2.0 / ANIMATION_FPS), face.names)


def gate(face, samples):
    level = loudness_envelope(samples, 1.0 / ANIMATION_FPS)[:len(face.weights)]
    quiet = 20 * np.log10(np.maximum(level, 1e-9) / np.maximum(running_widest(level), 1e-6))
    quiet_frames, kept, factors = 0, 1.0, np.ones(len(face.weights))
    for i, is_quiet in enumerate(quiet < QUIET_DB):
        quiet_frames = quiet_frames + 1 if is_quiet else 0
        step = -1.0 if quiet_frames > QUIET_FRAMES else 1.0
        kept = min(max(kept + step / FADE_FRAMES, 0.0), 1.0)
        factors[i] = kept
    return with_opening(face, factors * mouth_opening(face.weights, face.names))


def sharpen(face, samples, gain):
    opening = mouth_opening(face.weights, face.names)
    mean = smooth(Face(opening[:, np.newaxis], ("opening",)), samples, 5).weights[:, 0]
    return with_opening(face, np.maximum(opening + gain * (opening - mean), 0.0))


def toe(face, samples, share):
    opening = mouth_opening(face.weights, face.names)
    widest = np.maximum(running_widest(opening), 0.1)
    return with_opening(face, np.maximum(opening - share * widest, 0.0) / (1.0 - share))


def later(face, samples, num_frames):
    places = np.clip(np.arange(len(face.weights)) - num_frames, 0, len(face.weights) - 1)
    return Face(face.weights[places], face.names)


def running_widest(curve):
    """The largest value so far of `curve` [frames], each fading with HALF_LIFE_S."""
    keep = 0.5 ** (1.0 / (HALF_LIFE_S * ANIMATION_FPS))
    widest, value = np.empty(len(curve)), 0.0
    for i, now in enumerate(curve):
        value = max(now, value * keep)
        widest[i] = value
    return widest


def with_opening(face, opening):
    """`face` with its jaw moved so that jawOpen - mouthClose is `opening` [frames]."""
    weights = face.weights.copy()
    jaw, close = face.names.index("jawOpen"), face.names.index("mouthClose")
    weights[:, jaw] = np.clip(np.minimum(weights[:, close], weights[:, jaw]) + opening, 0.0, 1.0)
    return Face(weights, face.names)


STEPS = collections.OrderedDict([
    ("network alone", ()),
    ("smooth 3", ((smooth, 3),)), ("smooth 5", ((smooth, 5),)), ("savgol 5", ((savgol, 5),)),
    ("savgol 7", ((savgol, 7),)), ("savgol 9", ((savgol, 9),)), ("savgol 11", ((savgol, 11),)),
    ("gate", ((gate,),)),
    ("sharpen 0.5", ((sharpen, 0.5),)), ("sharpen 1", ((sharpen, 1.0),)),
    ("toe 0.05", ((toe, 0.05),)), ("toe 0.1", ((toe, 0.1),)), ("toe 0.15", ((toe, 0.15),)),
    ("toe 0.2", ((toe, 0.2),)),
    ("smooth 3, toe 0.1", ((smooth, 3), (toe, 0.1))),
    ("smooth 3, sharpen 1", ((smooth, 3), (sharpen, 1.0))),
    ("later 1", ((later, 1),)), ("smooth 3, later 1", ((smooth, 3), (later, 1))),
])


def stepped(face, samples, steps):
    for step in steps:
        face = step[0](face, samples, *step[1:])
    return face


def closures_and_leak(clips_and_faces):
    """[closures, false, leak], each the mean over the clips that have it."""
    recalls, falses, leaks = [], [], []
    for clip, face in clips_and_faces:
        opening = mouth_opening(face.weights, face.names)
        leaks.append(metrics.silence_leak(
            opening, silent_frames(speech_envelope(clip.samples)))[0])
        if clip.timings is not None:
            for found, spans in ((recalls, bilabial_spans(clip.timings)),
                                 (falses, open_spans(clip.timings))):
                found.append(metrics.closed_share(opening, spans, ANIMATION_FPS)[0])
    return [metrics.mean_of_known(found) for found in (recalls, falses, leaks)]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_flags(parser)
    args = parser.parse_args()
    animator = SpeechAnimator(args.checkpoint, args.graph, tta_copies=args.tta_copies)
    others = [(clip, face_of(animator, clip.samples)) for clip in unlabelled_clips(args.data)]
    labelled = [(clip, face_of(animator, clip.samples))
                for clip in labelled_clips(args.data, num_grid_clips=0)]
    for speaker in sorted({clip.speaker for clip, _ in labelled}):
        rows = mean_rows([
            rows_of(clip, collections.OrderedDict(
                (name, stepped(face, clip.samples, steps)) for name, steps in STEPS.items()))
            for clip, face in labelled if clip.speaker == speaker])
        print("**%s**\n" % speaker)
        print_table(("step",) + SHOWN, [
            [name] + [row[column] for column in SHOWN] for name, row in rows.items()])
    print("**Recordings without a captured face**\n")
    print_table(("step", "closures", "false", "leak"), [
        [name] + closures_and_leak([(clip, stepped(face, clip.samples, steps))
                                    for clip, face in others])
        for name, steps in STEPS.items()])


if __name__ == "__main__":
    run_script(main)
