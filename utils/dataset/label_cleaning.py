"""What a face source wrote, made into labels: frames at the animation rate, noise and rest removed.

Arrays in, arrays out; weights are [frames, channels] in [0, 1]. The numbers were measured on real
captures of three kinds (MediaPipe at 25 frames a second, a solved rig at 30, Live Link at 60).
"""
import collections

import numpy as np
import scipy.signal

from utils.common.channels import MOUTH_REGIONS, SCORED_DEVIATION, region
from utils.common.constants import ANIMATION_FPS
from utils.common.curve_math import runs
from utils.common.resample import resample_frames

# The quickest any mouth of 70 minutes of captures moved is 18.7 a second; 0.7 of a full movement
# from one frame to the next at 30 a second is 20.
IMPOSSIBLE_SPEED_PER_S = 20.0
SPIKE = 0.25                    # up and down again within two steps: less than 0.1 % of frames
MAX_SPIKE_S = 0.15              # what goes away and comes back in less is one jump
MAX_GAP_S = 0.1                 # between source frames; a mouth may close and open in a longer one
NEUTRAL_QUANTILE = 0.05
# Savitzky-Golay: a parabola through 5 frames. It takes off a third of the jerk and no closure,
# where a Gaussian that calms as much takes 2 to 4 of 100 closures.
SMOOTHING_S, SMOOTHING_ORDER = 1.0 / 15, 2      # to both sides: 2 + 1 + 2 frames at 30 a second
# Pairs whose left-right differences go together (+1) or against each other (-1) in every capture
# looked at: looking aside turns one eye in and the other out; one-sided smiles dimple that side.
RELATED_SIDES = (
    ("eyeLookIn", "eyeLookOut", -1), ("mouthSmile", "mouthDimple", 1),
    ("mouthDimple", "mouthPress", 1), ("mouthSmile", "mouthUpperUp", 1),
    ("mouthFrown", "mouthStretch", 1), ("cheekSquint", "noseSneer", 1),
    ("cheekSquint", "mouthSmile", 1), ("jaw", "mouth", 1), ("jaw", "mouthStretch", -1),
    ("browDown", "browOuterUp", -1))
SIDES_DEVIATION = 0.002         # a pair whose difference moves less says nothing
SIDES_R = 0.3                   # against the expectation by that much: suspicious

# pair, against: what was compared ("eyeLookIn": eyeLookInLeft and eyeLookInRight). r: of their
# left-right differences. words: for people.
SidesFinding = collections.namedtuple("SidesFinding", "pair against r words")


def jumps(weights, times_s, names=None):
    """[frames] bool: the mouth or jaw jumps there as none can; a cut, or the tracker's slip.

    Marked are both frames of a step faster than IMPOSSIBLE_SPEED_PER_S, what lies between two
    such steps that are MAX_SPIKE_S apart at most, and a frame that stands out from both its
    neighbours by SPIKE in the same direction. Rows whose times nearly coincide (a jittering clock,
    a row written late) count as far apart as the rows usually are.

    Args:
      weights: [frames, k]; times_s: [frames], rising.
      names: of the k channels, so that only those of mouth and jaw count (eyelids may well close
        for one frame); all of them without names.
    """
    weights, times_s = np.asarray(weights, np.float64), np.asarray(times_s, np.float64)
    if names is not None:
        weights = weights[:, [region(name) in MOUTH_REGIONS for name in names]]
    marked = np.zeros(len(weights), bool)
    if len(weights) < 2 or not weights.shape[1]:
        return marked
    steps = np.diff(weights, axis=0)                                        # [frames - 1, k]
    steps_s = _at_least_usual(np.diff(times_s))                             # [frames - 1]
    fast = np.flatnonzero(np.abs(steps).max(axis=1) > IMPOSSIBLE_SPEED_PER_S * steps_s)
    marked[fast] = marked[fast + 1] = True
    for first, second in zip(fast[:-1], fast[1:]):
        if times_s[second] - times_s[first] <= MAX_SPIKE_S:
            marked[first:second + 1] = True
    out, back = steps[:-1], -steps[1:]                                      # [frames - 2, k]
    standing_out = np.where(out * back > 0, np.minimum(np.abs(out), np.abs(back)), 0.0)
    brief = times_s[2:] - times_s[:-2] <= MAX_SPIKE_S
    marked[1:-1] |= (standing_out.max(axis=1) > SPIKE) & brief
    return marked


def _at_least_usual(steps_s):
    """Times between rows [n], none shorter than the mean of those that are no gaps."""
    usual = steps_s[steps_s <= MAX_GAP_S]
    return np.maximum(steps_s, usual.mean()) if len(usual) else steps_s


def to_animation_frames(times_s, weights, valid, num_frames, start_s):
    """(weights float32 [num_frames, k], valid bool [num_frames]) at i / ANIMATION_FPS of the media.

    Linear between the source's frames, by their time stamps, however uneven. A frame is valid
    where both its neighbours are valid and at most MAX_GAP_S apart (one that falls upon a source
    frame needs only that); before the first and after the last none is. Others hold finite values
    without meaning.

    Args:
      times_s: [n], rising; weights [n, k]; valid [n] bool.
      start_s: where in the media the source's time 0 stands.
    """
    valid = np.asarray(valid, bool)
    media_s = np.asarray(times_s, np.float64) + start_s                     # [n]
    values = resample_frames(weights, media_s, ANIMATION_FPS, num_frames)   # [num_frames, k]
    # A hundredth of a frame: time stamps are written in milliseconds, sixtieths or microseconds.
    near_s = 0.01 / ANIMATION_FPS
    wanted_s = np.arange(num_frames) / float(ANIMATION_FPS)
    after = np.clip(np.searchsorted(media_s, wanted_s, side="right"), 1, max(len(media_s) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(media_s) - 1)
    on_before = np.abs(wanted_s - media_s[before]) <= near_s
    on_after = np.abs(wanted_s - media_s[after]) <= near_s
    between = ((wanted_s > media_s[before]) & (wanted_s < media_s[after])
               & (media_s[after] - media_s[before] <= MAX_GAP_S + near_s)
               & valid[before] & valid[after])
    return values, np.where(on_before, valid[before], np.where(on_after, valid[after], between))


def neutral_pose(weights, valid, quantile=NEUTRAL_QUANTILE):
    """[k] what each channel rests at: a low quantile of the valid frames (0 without any).

    Of a neutral take, quantile=0.5 is the pose itself.
    """
    weights, valid = np.asarray(weights, np.float64), np.asarray(valid, bool)
    if not valid.any():
        return np.zeros(weights.shape[1], np.float32)
    return np.quantile(weights[valid], quantile, axis=0).astype(np.float32)


def calibrated(weights, neutral):
    """Weights from the neutral pose [k] up: 0 there, 1 still 1; float32, clipped to [0, 1]."""
    neutral = np.asarray(neutral, np.float32)
    room = np.maximum(1.0 - neutral, 1e-3)          # a channel that rests at 1 cannot rise
    return np.clip((np.asarray(weights, np.float32) - neutral) / room, 0.0, 1.0)


def smoothed(weights, valid, fps, smoothing_s=SMOOTHING_S):
    """Weights with less of a tracker's trembling, zero-phase, float32 in [0, 1].

    Each run of valid frames by itself; runs shorter than the filter, and frames that are not
    valid, stay as they are. Rows are even, `fps` a second; smoothing_s: of the filter's window, to
    both sides of a row.
    """
    weights = np.array(weights, np.float32)
    num_frames = 2 * max(int(round(smoothing_s * fps)), 1) + 1
    for start, end in zip(*runs(valid)):
        if end - start >= num_frames:
            weights[start:end] = np.clip(scipy.signal.savgol_filter(
                weights[start:end], num_frames, SMOOTHING_ORDER, axis=0), 0.0, 1.0)
    return weights


def moving(weights, valid):
    """[k] bool: the channels that move in the valid frames; others were not captured."""
    weights, valid = np.asarray(weights), np.asarray(valid, bool)
    if not valid.any():
        return np.zeros(weights.shape[1], bool)
    return weights[valid].std(axis=0, dtype=np.float64) >= SCORED_DEVIATION


def swapped_sides(weights, names, valid):
    """[SidesFinding] of pairs whose left and right disagree with another pair's of the same face.

    A face mirrored as a whole agrees with itself and is not found.
    """
    differences = _side_differences(weights, names, valid)
    found = []
    for pair, against, sign in RELATED_SIDES:
        if pair in differences and against in differences:
            r = _r(differences[pair], differences[against])
            if sign * r < -SIDES_R:
                found.append(SidesFinding(pair, against, r, (
                    "left and right of %s or of %s look swapped: where one is stronger on the "
                    "left, the other is so on the %s (r %.2f)"
                    % (pair, against, "left" if r > 0 else "right", r))))
    return found


def _side_differences(weights, names, valid):
    """{pair: left - right [valid frames]} of the pairs whose difference moves."""
    weights, valid = np.asarray(weights, np.float64), np.asarray(valid, bool)
    column = {name: place for place, name in enumerate(names)}
    differences = collections.OrderedDict()
    for name in names:
        if name.endswith("Left") and name[:-4] + "Right" in column and valid.any():
            pair = name[:-4]
            difference = (weights[valid, column[name]] - weights[valid, column[pair + "Right"]])
            if difference.std() >= SIDES_DEVIATION:
                differences[pair] = difference
    return differences


def _r(first, second):
    return float(np.corrcoef(first, second)[0, 1])
