"""What --neutral, --eye_motion, --merge, --smooth, --symmetric and --gain do, in that order.

The rest pose comes first, since all others start from a face that rests at 0. A capture comes
before what shall hold for the whole face. The gain comes last: what it says is what is written.
"""
import collections
import os

import numpy as np

from utils.animation.eye_motion import EyeMotion, without_blinks
from utils.common.errors import print_warning
from utils.dataset.label_cleaning import calibrated, neutral_pose, smoothed
from utils.editing.gains import amplified
from utils.editing.merge import merge_line, merged, voice_of_audio, voice_of_face
from utils.formats.face_files import read_face
from utils.formats.face_kinds import BY_NAME

RESTING_MOVES, RESTING_HIGH = 0.3, 0.5  # a rest pose that moves, or lies, beyond it is none
GAZE = ("eyeLookIn", "eyeLookOut")      # looking aside turns one eye in and the other out

# weights: float32 [frames, len(names)] in [0, 1]. angles: [frames, 9] radians, in the order of
# utils.formats.live_link_csv.ANGLES, or None.
Clip = collections.namedtuple("Clip", "weights names fps angles")


def edited(clip, edits, voice, warn):
    """(Clip, record) of a Clip after all of utils.editing.flags.Edits.

    Args:
      voice: called without arguments where a capture is merged; a utils.editing.merge.Voice.
      warn: called with a line on what is doubtful.
    The record is JSON-able, {option: how it was applied}; None where nothing was to do.
    Raises UserError for a file that cannot be used.
    """
    record = collections.OrderedDict()
    rest = None
    if edits.neutral_path:
        record["neutral"] = os.path.basename(edits.neutral_path)
        rest = rest_pose(edits.neutral_path, warn, edits.live_link_sides)
        if not edits.merge_path:
            clip = clip._replace(weights=_rested(clip.weights, clip.names, rest, edits, warn))
    if edits.eye_motion is not None:
        record["eye_motion"] = edits.eye_seed if edits.eye_motion else False
        weights = without_blinks(clip.weights, clip.names)
        if edits.eye_motion:
            weights = EyeMotion(clip.names, clip.fps, edits.eye_seed).feed(weights)
        clip = clip._replace(weights=weights)
    if edits.merge_path:
        def at_rest(weights, names):
            return weights if rest is None else _rested(weights, names, rest, edits, warn)
        clip, record["merge"] = merged(clip, edits.merge_path, edits.merge_offset_s, at_rest,
                                       voice(), warn)
    if edits.smooth_frames:
        record["smooth_frames"] = edits.smooth_frames
        if len(clip.weights) < edits.smooth_frames:
            warn("%d frames are fewer than the %d of --smooth, and stay as they are"
                 % (len(clip.weights), edits.smooth_frames))
        clip = clip._replace(weights=smoothed(
            clip.weights, np.ones(len(clip.weights), bool), clip.fps,
            (edits.smooth_frames - 1) / 2.0 / clip.fps))
    if edits.symmetric:
        record["symmetric"] = True
        clip = clip._replace(weights=symmetric(clip.weights, clip.names))
    if edits.gains:
        record["gain"] = ["%s=%g" % gain for gain in edits.gains]
        clip = clip._replace(weights=amplified(clip.weights, clip.names, edits.gains, warn))
    return clip, record or None


def face_edit(edits, warn=print_warning):
    """What utils.formats.convert.convert takes as `edit`.

    A line on stdout says what was merged, and where.
    """
    def edit(weights, names, fps, angles, timecode_s):
        return _told(edited(Clip(weights, names, fps, angles), edits,
                            lambda: voice_of_face(weights, names, fps, timecode_s), warn))
    return edit


def audio_edit(edits, warn=print_warning):
    """What utils.animation.audio_file.animate_file takes as `edit`; else as face_edit."""
    def edit(weights, names, fps, audio):
        return _told(edited(Clip(weights, names, fps, None), edits,
                            lambda: voice_of_audio(audio), warn))
    return edit


def _told(clip_and_record):
    clip, record = clip_and_record
    if record and "merge" in record:
        print("merged %s" % merge_line(record["merge"]))
    return clip.weights, clip.angles, record


def rest_pose(path, warn, live_link_sides=BY_NAME):
    """{channel: weight} of a face at rest: the middle of each in a face file.

    Warns of a file whose face moves, or holds a shape far from 0: that is no rest.
    """
    _, weights, names = read_face(path, warn, live_link_sides)
    weights = np.clip(weights, 0.0, 1.0)                                    # [frames, k]
    pose = neutral_pose(weights, np.ones(len(weights), bool), 0.5)
    low, high = np.percentile(weights, [5, 95], axis=0)                     # [k] each
    most, highest = int(np.argmax(high - low)), int(np.argmax(pose))
    if high[most] - low[most] > RESTING_MOVES:
        warn("%s: a rest pose should stand still, and %s moves by %.2f; its median is taken"
             % (os.path.basename(path), names[most], high[most] - low[most]))
    if pose[highest] > RESTING_HIGH:
        warn("%s: a rest pose lies near 0, and %s is %.2f"
             % (os.path.basename(path), names[highest], pose[highest]))
    return dict(zip(names, pose.tolist()))


def symmetric(weights, names):
    """Weights [frames, len(names)] in which left and right of each shape are their mean.

    eyeLookIn and eyeLookOut stay: they are where the eyes look, not a trait of the face.
    """
    weights = np.array(weights)
    for place, name in enumerate(names):
        other = name[:-4] + "Right"
        if name.endswith("Left") and name[:-4] not in GAZE and other in names:
            pair = [place, names.index(other)]
            weights[:, pair] = weights[:, pair].mean(axis=1, keepdims=True)
    return weights


def _rested(weights, names, rest, edits, warn):
    """Weights [frames, len(names)] from the rest pose up; channels that it lacks stay."""
    lacking = [name for name in names if name not in rest]
    if lacking:
        warn("%s lacks %d of the shapes, which stay as they are: %s"
             % (os.path.basename(edits.neutral_path), len(lacking), ", ".join(lacking)))
    return calibrated(weights, [rest.get(name, 0.0) for name in names])
