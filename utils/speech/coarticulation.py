"""From phones with their times to 52 blendshape curves: the labels of the synthetic corpus.

Coarticulation is the dominance-function model of

    M. M. Cohen and D. W. Massaro, "Modeling coarticulation in synthetic visual speech",
    in Models and Techniques in Computer Animation, Springer 1993, pp. 139-156:

each phone s has a target T and, for each articulator p, a dominance over time that is greatest
in the phone and falls off on both sides, D(t) = a * exp(-|t / theta| ** c); the curve of p is the
mean of all targets weighted by their dominances, sum(D T) / sum(D). Here c = 2 and the time is
measured from the phone's core rather than from its middle, so curves are smooth (C1) and a long
pause holds its target; theta is greater before the phone than after it, and greatest for
rounding, which starts earliest.

Averages alone never close the lips in fast speech. So, as in

    P. Edwards, C. Landreth, E. Fiume, K. Singh, "JALI: an animator-centric viseme model for
    expressive lip synchronization", ACM Transactions on Graphics 35(4), 2016,

some phones are constraints: P B M shut the lips completely, F V bring the lower lip to the teeth,
SH CH bring the teeth together and round, W rounds, at any rate. (S Z are none: a real jaw stays
near where their neighbours have it.) The constraint of a phone is a window that is 1 around its
closure and falls smoothly to 0 within the neighbours.

Blinks and brows are not in the sound; they come from a seeded generator
(utils/animation/eye_motion.py).
"""
import numpy as np

from utils.animation.eye_motion import add_eye_motion, smootherstep
from utils.common.channels import MODEL_CHANNELS
from utils.speech.phone_shapes import (ATTAINED, DOMINANCE, GLIDES, GROUPS, GROUP_COLUMNS,
                                       LIPS_SHUT, TARGETS, table_phone)
from utils.speech.phones import SILENCE

# Reach of a phone's dominance before it (anticipation) and after it (carry-over), seconds.
REACH_S = {"jaw": (0.075, 0.065), "round": (0.115, 0.085), "spread": (0.085, 0.075),
           "lips": (0.065, 0.060), "tongue": (0.055, 0.050)}
CORE_MARGIN_S = 0.040               # from a phone's edge to its core, at most a quarter of it
SETTLE_S, PART_S = 0.020, 0.090     # into a pause lips settle, before its end they part
SHORT_PAUSE_S, LONG_PAUSE_S = 0.08, 0.30    # a pause below the first does not move the face
SHUT_HALF_S = 0.022                 # lips stay shut for at least twice this: one frame at 24 fps
RAMP_S = (0.035, 0.075)             # shortest and longest way into and out of a constraint
LEFT_GAIN, RIGHT_GAIN = 1.03, 0.97  # no face is symmetric to the digit

_JAW_OPEN = MODEL_CHANNELS.index("jawOpen")
_MOUTH_CLOSE = MODEL_CHANNELS.index("mouthClose")
_APART = [MODEL_CHANNELS.index(name) for name in (
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")]


def blendshapes_of_phones(phones, duration_s, fps, opening_gain=None, seed=0, blinks=True):
    """The face that speaks these phones.

    Args:
      phones: [(symbol, start_s, end_s), ...] in order, ARPABET (utils/speech/phone_shapes.py),
        silence "sil" or ""; time that no phone covers is silence.
      duration_s: length of the result; row i stands at i / fps seconds.
      fps: rows per second.
      opening_gain: None, or [frames] factors on jaw and lip opening (loudness, stress), about 1.
      seed: of blinks and brows; the same seed gives the same face.
      blinks: False leaves blinks and brows out: eyes open, brows at rest.
    Returns:
      weights float32 [ceil(duration_s * fps), 52] in [0, 1], and their names (MODEL_CHANNELS).
    Raises:
      ValueError: a symbol that is no phone, or times that overlap or run backwards.
    """
    num_frames = int(np.ceil(duration_s * fps - 1e-6))
    times_s = np.arange(num_frames) / float(fps)
    segments = _segments(phones, duration_s)

    weights = _blend(segments, times_s)                                  # [frames, 52]
    if opening_gain is not None:
        gain = np.asarray(opening_gain, dtype=np.float64)[:, np.newaxis]
        weights[:, [_JAW_OPEN] + _APART] *= gain
    _constrain(weights, segments, times_s)
    _skew(weights)
    if blinks:
        add_eye_motion(weights, fps, seed, _vowel_middles(segments))
    return np.clip(weights, 0.0, 1.0).astype(np.float32), MODEL_CHANNELS


def _segments(phones, duration_s):
    """[(table phone, start_s, end_s)]: glides in two parts, gaps and both ends silent."""
    segments, reached_s = [], 0.0
    for symbol, start_s, end_s in phones:
        if end_s < start_s or start_s < reached_s - 1e-3:
            raise ValueError("phone %r at %.3f to %.3f s runs backwards or overlaps the one "
                             "before it, which ends at %.3f s"
                             % (symbol, start_s, end_s, reached_s))
        if start_s > reached_s + 1e-3:
            segments.append((SILENCE, reached_s, start_s))
        name = table_phone(symbol)
        if name in GLIDES:
            first, second, share = GLIDES[name]
            turn_s = start_s + share * (end_s - start_s)
            segments += [(first, start_s, turn_s), (second, turn_s, end_s)]
        else:
            segments.append((name, start_s, end_s))
        reached_s = end_s
    if duration_s > reached_s:
        segments.append((SILENCE, reached_s, duration_s))
    segments = _silences_joined(segments)
    # Silence before the clip and after it: the dominance of a pause does not end with the file.
    if segments[0][0] == SILENCE:
        segments[0] = (SILENCE, segments[0][1] - 1.0, segments[0][2])
    else:
        segments.insert(0, (SILENCE, segments[0][1] - 1.0, segments[0][1]))
    if segments[-1][0] == SILENCE:
        segments[-1] = (SILENCE, segments[-1][1], segments[-1][2] + 1.0)
    else:
        segments.append((SILENCE, segments[-1][2], segments[-1][2] + 1.0))
    return segments


def _silences_joined(segments):
    joined = []
    for name, start_s, end_s in segments:
        if joined and name == SILENCE == joined[-1][0]:
            joined[-1] = (SILENCE, joined[-1][1], end_s)
        else:
            joined.append((name, start_s, end_s))
    return joined or [(SILENCE, 0.0, 0.0)]


def _blend(segments, times_s):
    """Targets weighted by their dominances: [frames, 52]."""
    names = [name for name, _, _ in segments]
    targets = np.array([TARGETS[name] for name in names])                # [phones, 52]
    core_start_s, core_end_s, presence = _cores(segments)
    before_s = np.maximum(core_start_s - times_s[:, np.newaxis], 0.0)    # [frames, phones]
    after_s = np.maximum(times_s[:, np.newaxis] - core_end_s, 0.0)       # [frames, phones]
    weights = np.zeros((len(times_s), len(MODEL_CHANNELS)))
    for group in GROUPS:
        magnitude = presence * np.array([DOMINANCE[name][group] for name in names])
        anticipation_s, carry_over_s = REACH_S[group]
        # The constant keeps frames far from every core (never, by the margins) from 0 / 0.
        dominance = magnitude * np.exp(-(before_s / anticipation_s) ** 2
                                       - (after_s / carry_over_s) ** 2) + 1e-12
        dominance /= dominance.sum(axis=1, keepdims=True)
        columns = GROUP_COLUMNS[group]
        weights[:, columns] = dominance.dot(targets[:, columns])
    return weights


def _cores(segments):
    """Where each phone rules undisturbed, and how much it counts: three arrays [phones]."""
    names = np.array([name for name, _, _ in segments])
    start_s = np.array([start for _, start, _ in segments])
    end_s = np.array([end for _, _, end in segments])
    length_s = end_s - start_s
    silent = names == SILENCE
    most_s = np.where(silent, 0.4, 0.25) * length_s
    first_margin_s, last_margin_s = (
        np.minimum(np.where(silent, of_silence_s, CORE_MARGIN_S), most_s)
        for of_silence_s in (SETTLE_S, PART_S))
    presence = np.where(silent, smootherstep((length_s - SHORT_PAUSE_S)
                                            / (LONG_PAUSE_S - SHORT_PAUSE_S)), 1.0)
    return start_s + first_margin_s, end_s - last_margin_s, presence


def _constrain(weights, segments, times_s):
    """Pull the curves to what a phone must reach; bilabials last, since they must win."""
    for i in range(len(segments)):
        name = segments[i][0]
        if name not in ATTAINED:
            continue
        degree, groups = ATTAINED[name]
        pull = degree * _window(segments, i, 1.0, times_s)[:, np.newaxis]   # [frames, 1]
        for group in groups:
            columns = GROUP_COLUMNS[group]
            weights[:, columns] += pull * (TARGETS[name][columns] - weights[:, columns])

    apart = np.ones(len(times_s))
    for i in range(len(segments)):
        name = segments[i][0]
        if name in LIPS_SHUT:
            shut = _window(segments, i, LIPS_SHUT[name], times_s)
            columns = GROUP_COLUMNS["lips"]
            weights[:, columns] += shut[:, np.newaxis] * (TARGETS[name][columns]
                                                          - weights[:, columns])
            apart *= 1.0 - shut
    # mouthClose undoes the jaw's opening at the lips: equal to jawOpen, the lips meet.
    weights[:, _MOUTH_CLOSE] = weights[:, _JAW_OPEN] * (1.0 - apart)


def _window(segments, i, share, times_s):
    """1 over the first `share` of phone i, smoothly to 0 on both sides: [frames]."""
    _, start_s, end_s = segments[i]
    middle_s = start_s + 0.5 * share * (end_s - start_s)
    half_s = max(0.5 * share * (end_s - start_s) - 0.010, SHUT_HALF_S)
    way_in_s, way_out_s = _ramp_s(segments, i - 1), _ramp_s(segments, i + 1)
    return (smootherstep((times_s - (middle_s - half_s - way_in_s)) / way_in_s)
            * smootherstep(((middle_s + half_s + way_out_s) - times_s) / way_out_s))


def _ramp_s(segments, neighbour):
    """The way into or out of a constraint: most of the neighbouring phone, within limits."""
    _, start_s, end_s = segments[neighbour]
    return float(np.clip(0.8 * (end_s - start_s), *RAMP_S))


def _skew(weights):
    for i, name in enumerate(MODEL_CHANNELS):
        if name.startswith("mouth") and name.endswith("Left"):
            weights[:, i] *= LEFT_GAIN
        elif name.startswith("mouth") and name.endswith("Right"):
            weights[:, i] *= RIGHT_GAIN


def _vowel_middles(segments):
    """Middles of the vowels long enough to bear stress, seconds."""
    return [0.5 * (start_s + end_s) for name, start_s, end_s in segments
            if name[0] in "AEIOU" and end_s - start_s > 0.07]
