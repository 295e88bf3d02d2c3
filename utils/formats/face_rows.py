"""What every reader of a face file gives, and what is checked of all of them alike."""
import collections
import os

import numpy as np

from utils.common.channels import MODEL_CHANNELS, reorder
from utils.common.errors import UserError

# start_s: the file's own time of its first row (0 where it has none; a Live Link Face take's
# time of day). times_s float64 [frames] from there, rising. weights float32 [frames, k], 0
# where has_face, bool [frames], is False. angles [frames, 9]: a Live Link Face take's, in
# radians; of others [frames, 0].
FaceRows = collections.namedtuple("FaceRows", "kind start_s times_s weights names has_face angles")

CHANNEL_OF = {name.lower(): name for name in MODEL_CHANNELS}
# What stands beside the 52 shapes: MediaPipe's rest class, angles, Audio2Face's tongue shapes.
_BESIDE = ("_neutral", "neutral", "head", "lefteye", "righteye", "tongue")

BLOCK_FRAMES = 1024             # written at once: of hours, a copy in another form is much memory

HIGHEST_WEIGHT = 1.5            # a little above 1 is a solver's overshoot, and is cut to 1
# Of weights in 0..100. Nearly every frame has a shape above 1.5 of 100; of weights in 0..1 that
# jump, or were amplified, few have one above 1.5.
PERCENT = 100.0
PERCENT_HIGHEST = (10.0, 150.0)         # where their largest weight lies
PERCENT_FRAMES = 0.5                    # of the frames where any shape is above the next
STILL_PERCENT = 0.1
# Of weights in 0..1 whose peaks may be cut; so far below 0 they are of another range, too.
OVERSHOOT_HIGHEST, OVERSHOOT_SHARE = 3.0, 0.01
LOWEST_WEIGHT = -0.1            # a little below 0 is noise, and is cut to 0
# A row of zeros is a lost face in a table of noisy numbers only: every other row has that share
# of its shapes above zero, and there are enough of them.
NOISY_SHARE, NOISY_SHAPES = 0.25, 10

# The units that a column of times may have, and the steps from row to row (in the unit) by which
# one is told from another: 1 to 1000 frames a second each.
UNITS_PER_S = collections.OrderedDict([
    ("seconds", 1.0), ("milliseconds", 1e3), ("microseconds", 1e6), ("nanoseconds", 1e9)])
FASTEST_FPS = 1000.0
MIN_COUNTED = 8                 # steps of 1 in a row are frame numbers, not seconds


def face_rows(path, kind, times_s, weights, names, warn, has_face=None):
    """The FaceRows of what a file holds, checked.

    Args:
      times_s: [frames] seconds; weights: [frames, columns] as they stand in the file, in 0..1 or
        0..100; names: of the columns, in any case, others than the 52 shapes among them.
      has_face: bool [frames]; None: all. Rows without a face may hold anything.
    Raises UserError for rows of another length, times that go backwards, numbers that are not
    finite, names that are no shapes or stand there twice, and weights of another range.
    """
    if not isinstance(names, (list, tuple)):
        raise UserError("%s: the names of its shapes are %.80r; expected a list" % (path, names))
    names = [str(name) for name in names]
    times_s, weights = np.asarray(times_s, np.float64), np.asarray(weights, np.float64)
    if weights.ndim != 2 or not len(weights) or weights.shape[1] != len(names):
        raise UserError("%s: weights are %s for %d names; expected a row for each frame"
                        % (path, list(weights.shape), len(names)))
    has_face = np.ones(len(weights), bool) if has_face is None else np.array(has_face, bool)
    weights = np.where(has_face[:, np.newaxis], weights, 0.0)               # [frames, columns]
    if not (np.isfinite(weights).all() and np.isfinite(times_s).all()):
        raise UserError("%s holds NaN or infinity; expected finite numbers" % path)
    if (np.diff(times_s) < 0).any():
        raise UserError("%s: the times go backwards; give one clip in its own order" % path)
    places, channels = channel_places(path, names)
    weights = in_unit_range(path, weights[:, places], warn)                 # [frames, k]
    return FaceRows(kind, float(times_s[0]), times_s - times_s[0], weights.astype(np.float32),
                    channels, has_face, np.zeros((len(weights), 0)))


def unit_weights(weights, names, to_names):
    """What a writer writes: float64 [frames, len(to_names)] in the order `to_names`.

    weights: [frames, len(names)]. Raises ValueError for a channel that is missing, NaN, and what
    lies outside 0..1.
    """
    weights = reorder(weights, names, to_names).astype(np.float64)
    if not ((weights >= 0) & (weights <= 1)).all():
        raise ValueError("weights lie outside 0..1 (or are NaN)")
    return weights


def unit_blocks(weights, names, to_names):
    """Yield (number of the first frame, unit_weights) of BLOCK_FRAMES frames and the next ones."""
    for first in range(0, max(len(weights), 1), BLOCK_FRAMES):
        yield first, unit_weights(weights[first:first + BLOCK_FRAMES], names, to_names)


def even_times_s(num_frames, fps):
    """[num_frames] seconds of frames at an even rate; ValueError for a rate that is none."""
    fps = float(fps)
    if not 0 < fps < np.inf:
        raise ValueError("%g frames a second" % fps)
    return np.arange(num_frames) / fps


def channel_places(path, names):
    """(columns, channels) of the names that are among the 52 shapes."""
    places, channels = [], []
    for place, name in enumerate(names):
        channel = CHANNEL_OF.get(name.lower())
        if channel is None and not name.lower().startswith(_BESIDE):
            raise UserError("%s: %.80r is none of the 52 ARKit shapes; rename or remove it"
                            % (path, name))
        if channel in channels:
            raise UserError("%s: the shape %s stands there twice" % (path, name))
        if channel is not None:
            places.append(place)
            channels.append(channel)
    if not channels:
        raise UserError("%s has none of the 52 ARKit shapes" % path)
    return places, tuple(channels)


def in_unit_range(path, weights, warn):
    """Weights [frames, k] in 0..1: those in 0..100 divided by 100, and told.

    What is a little out of range stays. More than that is told with its figure where it is rare,
    since it will be cut; a UserError where it is not.
    """
    highest, lowest = float(weights.max()), float(weights.min())
    if highest > HIGHEST_WEIGHT:
        peaks = weights.max(axis=1)                                         # [frames]
        moving = peaks > STILL_PERCENT
        share = np.mean(peaks[moving] > HIGHEST_WEIGHT)
        above = np.mean(weights > 1.0)
        if PERCENT_HIGHEST[0] <= highest <= PERCENT_HIGHEST[1] and share >= PERCENT_FRAMES:
            warn("%s: weights go up to %.4g: taken as 0..100 and divided by 100"
                 % (os.path.basename(path), highest))
            weights, lowest = weights / PERCENT, lowest / PERCENT
        elif highest <= OVERSHOOT_HIGHEST and above <= OVERSHOOT_SHARE:
            warn("%s: weights go up to %.4g; the %.2g %% of them above 1 are cut to 1"
                 % (os.path.basename(path), highest, 100.0 * above))
        else:
            raise UserError("%s: weights go up to %.4g, neither those of 0..1 nor, throughout, "
                            "of 0..100; expected 0..1: scale them" % (path, highest))
    if lowest < -OVERSHOOT_HIGHEST:
        raise UserError("%s: weights go down to %.4g; expected 0..1: scale them" % (path, lowest))
    if lowest < LOWEST_WEIGHT:
        warn("%s: weights go down to %.4g; those below 0 are cut to 0"
             % (os.path.basename(path), lowest))
    return weights


def without_zero_rows(weights, has_face):
    """has_face, less the rows that are all zero in a table whose other rows never are near it."""
    zero = has_face & ~weights.any(axis=1)                                  # [frames]
    others = weights[has_face & ~zero]
    if not zero.any() or not len(others) or weights.shape[1] < NOISY_SHAPES:
        return has_face
    is_noisy = np.mean(others != 0, axis=1).min() >= NOISY_SHARE
    return has_face & ~zero if is_noisy else has_face


def seconds_of(path, column, times, named_unit, warn):
    """Times [frames] of a column in seconds.

    named_unit: the key of UNITS_PER_S that the column's name says, or None. The step from row to
    row decides where no unit is named, or the named one cannot be: it is told then.
    """
    named = named_unit or "seconds"
    steps = np.diff(times)
    if not (steps > 0).any():
        return times / UNITS_PER_S[named]
    if named == "seconds" and len(steps) >= MIN_COUNTED and (steps == 1.0).all():
        raise UserError("%s: the column %s counts by 1, as frame numbers do; expected seconds"
                        % (path, column))
    step = float(np.median(steps[steps > 0]))
    unit = next((unit for unit in [named] + list(UNITS_PER_S)
                 if 1.0 / FASTEST_FPS < step / UNITS_PER_S[unit] < 1.0), named)
    if unit != named:
        warn("%s: the column %s steps by %.6g: taken as %s"
             % (os.path.basename(path), column, step, unit))
    return times / UNITS_PER_S[unit]
