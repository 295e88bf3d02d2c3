"""How well one moving face agrees with another, and with the sound: numpy in, one number out.

Curves are [frames], weights [frames, channels] in [0, 1], both at the rate `fps`. A measure that
has no value (a curve that stands still has no correlation) is None, never 0 or NaN. What a mesh
would be needed for (lip vertex error and its kin) is not here.
"""
import numpy as np

from utils.common.channels import mouth_opening, region, reorder
from utils.common.curve_math import STILL_DEVIATION, moves, runs

REGIONS = ("jaw", "lips", "eyes", "brows")
MAX_LAG_S = 0.34                # searched to both sides
CLOSED_SHARE = 0.25             # of the clip's 90th percentile of opening: below it, shut
NEAR_PHONE_S = 0.04             # a closure may come that much before or after its phone
BLINK_RISE = 0.25               # of full closure, above the clip's median
BLINK_MAX_S = 0.5               # longer is closed eyes or a look down
# The channels whose mean is a signal of the mouth; its opening is utils.channels' own.
SIGNAL_CHANNELS = {
    "rounding": ("mouthFunnel", "mouthPucker"),
    "spreading": ("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    "pressing": ("mouthPressLeft", "mouthPressRight", "mouthRollLower", "mouthRollUpper"),
}
SIGNALS = ("opening", "rounding", "spreading", "pressing")


def mean_absolute_error(first, second):
    """Mean of |first - second| over all their values, in units of weight (0 best, 1 worst)."""
    return float(np.mean(np.abs(np.asarray(first, np.float64) - np.asarray(second, np.float64))))


def correlation(first, second):
    """Pearson's r of two curves [frames], -1 to 1, or None where one of them stands still."""
    if not (moves(first) and moves(second)):
        return None
    first = np.asarray(first, np.float64) - np.mean(first, dtype=np.float64)
    second = np.asarray(second, np.float64) - np.mean(second, dtype=np.float64)
    return float(np.mean(first * second) / (first.std() * second.std()))


def mean_of_known(values):
    """Mean of those of `values` that are not None; None where none is."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def region_means(values_by_name):
    """{region: mean over its channels that have a value} of {channel: value or None}."""
    means = {}
    for part in REGIONS:
        mean = mean_of_known(value for name, value in values_by_name.items()
                             if region(name) == part)
        if mean is not None:
            means[part] = mean
    return means


def mouth_signals(weights, names, among=None):
    """{signal: curve [frames]} of the mouth: what lip readers read, as the shapes allow.

    opening is jawOpen - mouthClose, floored at 0 (a file without mouthClose is taken to have 0
    there); rounding, spreading and pressing are the means of SIGNAL_CHANNELS' shapes.

    Args:
      weights: [frames, len(names)].
      among: the shapes that may enter the means (so that two faces are compared on the shapes
        that both have); all by default. A signal with none of its shapes is left out.
    """
    signals = {}
    if "jawOpen" in names:
        if "mouthClose" in names:
            signals["opening"] = mouth_opening(weights, names)
        else:
            signals["opening"] = np.maximum(reorder(weights, names, ("jawOpen",))[:, 0], 0.0)
    for signal, shapes in SIGNAL_CHANNELS.items():
        usable = [name for name in shapes if name in names and (among is None or name in among)]
        if usable:
            signals[signal] = reorder(weights, names, usable).mean(axis=1)      # [frames]
    return signals


def best_lag(predicted, true, fps, max_lag_s=MAX_LAG_S):
    """(lag in s, r there): the shift within +- max_lag_s at which the curves correlate best.

    Positive: `predicted` comes late. The frames that every shift leaves in are compared, nothing
    is wrapped round. (None, None) where a curve stands still or is shorter than twice the search.
    Source: the argmax of cross-correlation that lip-sync benches use; ITU-R BT.1359 has viewers
    notice sound that is 45 ms early or 125 ms late.
    """
    most = int(max_lag_s * fps)
    kept = len(true) - 2 * most
    if kept < 2:
        return None, None
    middle = true[most:most + kept]
    # From the smallest shift outwards: of equals, the first is taken.
    lags = sorted(range(-most, most + 1), key=abs)
    scores = [(correlation(predicted[most + lag:most + lag + kept], middle), lag) for lag in lags]
    scores = [(r, lag) for r, lag in scores if r is not None]
    if not scores:
        return None, None
    r, lag = max(scores, key=lambda score: score[0])
    return lag / float(fps), r


def velocity_correlation(predicted, true):
    """Pearson's r of the first differences of two curves [frames]; catches over-smoothing.

    Source: the velocity terms of VOCA and its successors, as a correlation.
    """
    return correlation(np.diff(predicted), np.diff(true))


def jitter_ratio(predicted, true):
    """Mean absolute third difference (jerk) of `predicted` as a part of that of `true`.

    Both [frames] or [frames, channels]. 1 is as lively as the truth, above it trembles, below it
    floats. None where `true` has no jerk.
    """
    jerk_true = np.abs(np.diff(np.asarray(true, np.float64), n=3, axis=0))
    jerk_ours = np.abs(np.diff(np.asarray(predicted, np.float64), n=3, axis=0))
    if not jerk_true.size or jerk_true.mean() < 1e-9:
        return None
    return float(jerk_ours.mean() / jerk_true.mean())


def silence_leak(opening, silent):
    """(mean, 95th percentile) of the opening in silence, as parts of the clip's 95th percentile.

    0 is a mouth shut in silence, 1 one as open as in its loudest speech. (None, None) where there
    is no silence or the mouth never opens.

    Args:
      opening: [frames]; silent: [frames] bool, see utils.media.loudness.silent_frames.
    """
    wide = float(np.percentile(opening, 95))
    if not np.any(silent) or wide < STILL_DEVIATION:
        return None, None
    inside = np.asarray(opening)[silent]
    return float(inside.mean() / wide), float(np.percentile(inside, 95) / wide)


def blink_rate(weights, names, fps):
    """Blinks a minute: times that the eyelids (mean of both) rise BLINK_RISE above their median.

    A rise of more than BLINK_MAX_S is no blink. None where the file has no eyelids. People blink
    17 times a minute at rest, 26 in talk (Bentivoglio et al. 1997).
    """
    eyelids = ("eyeBlinkLeft", "eyeBlinkRight")
    if not set(eyelids) <= set(names):
        return None
    shut = reorder(weights, names, eyelids).mean(axis=1)            # [frames]
    starts, ends = runs(shut > np.median(shut) + BLINK_RISE)
    num_blinks = int(np.sum(ends - starts <= BLINK_MAX_S * fps))
    return num_blinks * 60.0 * fps / len(shut)


def closed_share(opening, spans, fps):
    """(share of `spans` at which the mouth is closed, how many spans lie in the clip).

    Closed: in some frame of the span, widened by NEAR_PHONE_S at both ends, the opening is below
    CLOSED_SHARE of its own 90th percentile, so that neither a small nor a large face is favoured.
    Over the spans of p b m this is the closure recall (1 best), over those of open vowels the
    false-closure rate (0 best); each alone can be had by a mouth that never opens or never shuts.
    (None, 0) without spans.

    Args:
      opening: [frames]; spans: [(start_s, end_s)], see utils.timings.
    """
    closed = np.asarray(opening) < CLOSED_SHARE * np.percentile(opening, 90)
    hits = []
    for start_s, end_s in spans:
        # A millionth of a frame: 0.1 s at 30 fps is frame 3, whatever floats make of it.
        first = max(int(np.ceil((start_s - NEAR_PHONE_S) * fps - 1e-6)), 0)
        last = int(np.floor((end_s + NEAR_PHONE_S) * fps + 1e-6))
        if first < len(closed) and last >= 0:
            hits.append(bool(closed[first:last + 1].any()))
    return (float(np.mean(hits)) if hits else None), len(hits)
