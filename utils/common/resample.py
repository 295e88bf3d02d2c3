"""Curves at another frame rate, or from uneven time stamps to an even rate; linear."""
import math

import numpy as np


def num_frames_of(duration_s, fps):
    """Frames that cover `duration_s` at `fps`: the ceiling, deaf to float noise."""
    return int(math.ceil(round(duration_s * fps, 6)))


def resample_frames(values, times_s_or_fps, to_fps, num_frames=None):
    """`values` at 0, 1 / to_fps, 2 / to_fps ... seconds, held beyond both ends.

    values: [n, k], n >= 1.
    times_s_or_fps: the rows' rising times in seconds [n], or their even rate.
    num_frames: how many to make; by default those that cover the rows, the last row
        lasting as long as the usual (median) step.
    Returns float32 [num_frames, k].
    """
    values = np.asarray(values, dtype=np.float32)
    if values.ndim != 2 or not len(values):
        raise ValueError("values are %s, not [n >= 1, k]" % (values.shape,))
    if np.ndim(times_s_or_fps) == 0:
        from_fps = float(times_s_or_fps)
        positions_s = np.arange(len(values)) / from_fps
        duration_s = len(values) / from_fps
    else:
        positions_s = np.asarray(times_s_or_fps, dtype=np.float64)
        if positions_s.shape != (len(values),) or (np.diff(positions_s) < 0).any():
            raise ValueError("the times are not %d rising numbers" % len(values))
        step_s = np.median(np.diff(positions_s)) if len(values) > 1 else 1.0 / to_fps
        duration_s = positions_s[-1] + step_s
    if num_frames is None:
        num_frames = num_frames_of(duration_s, to_fps)
    if num_frames == len(values) and np.ndim(times_s_or_fps) == 0 and from_fps == to_fps:
        return values.copy()
    wanted_s = np.arange(num_frames) / float(to_fps)
    after = np.searchsorted(positions_s, wanted_s, side="right")        # [num_frames]
    after = np.clip(after, 1, max(1, len(values) - 1))
    before = after - 1
    after = np.minimum(after, len(values) - 1)                          # one row only
    gap_s = positions_s[after] - positions_s[before]
    share = np.where(gap_s > 0,
                     (wanted_s - positions_s[before]) / np.where(gap_s > 0, gap_s, 1.0), 0.0)
    share = np.clip(share, 0.0, 1.0).astype(np.float32)[:, np.newaxis]  # [num_frames, 1]
    return values[before] * (1 - share) + values[after] * share         # [num_frames, k]
