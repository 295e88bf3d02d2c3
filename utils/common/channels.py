"""The 52 ARKit blendshape names and the orders they stand in.

Apple gives no numeric order, so every array of weights travels with its names and is
mapped by name (`reorder`). Left and right are the subject's own.
"""
import numpy as np

# The order of a published checkpoint's 52 outputs, and of ours: the 40 columns of its
# tracker, then the 12 that the tracker lacks.
TRACKER_CHANNELS = tuple(
    "browInnerUp browDownLeft eyeBlinkLeft eyeSquintLeft eyeWideLeft eyeLookUpLeft "
    "eyeLookOutLeft eyeLookInLeft eyeLookDownLeft noseSneerLeft mouthUpperUpLeft "
    "mouthSmileLeft mouthLeft mouthFrownLeft mouthLowerDownLeft jawLeft cheekPuff "
    "mouthShrugUpper mouthFunnel mouthRollLower jawOpen tongueOut mouthPucker "
    "mouthRollUpper jawRight mouthLowerDownRight mouthFrownRight mouthRight "
    "mouthSmileRight mouthUpperUpRight noseSneerRight eyeLookDownRight eyeLookInRight "
    "eyeLookOutRight eyeLookUpRight eyeWideRight eyeSquintRight eyeBlinkRight "
    "browDownRight browOuterUpRight".split())
CHANNELS_BEYOND_TRACKER = tuple(
    "jawForward mouthClose mouthDimpleLeft mouthDimpleRight mouthStretchLeft "
    "mouthStretchRight mouthShrugLower mouthPressLeft mouthPressRight browOuterUpLeft "
    "cheekSquintLeft cheekSquintRight".split())
MODEL_CHANNELS = TRACKER_CHANNELS + CHANNELS_BEYOND_TRACKER

# Unreal's EARFaceBlendShape order, which the Live Link wire and Rokoko's list use.
UNREAL_CHANNELS = tuple(
    "eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft "
    "eyeSquintLeft eyeWideLeft eyeBlinkRight eyeLookDownRight eyeLookInRight "
    "eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight jawForward jawLeft "
    "jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight "
    "mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight mouthDimpleLeft "
    "mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower mouthRollUpper "
    "mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft "
    "mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight browDownLeft browDownRight "
    "browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft "
    "cheekSquintRight noseSneerLeft noseSneerRight tongueOut".split())


def _swapped(names, first, second):
    swap = {first: second, second: first}
    return tuple(swap.get(name, name) for name in names)


# The Live Link Face app's CSV differs from Unreal's order in these two pairs.
LIVE_LINK_CSV_CHANNELS = _swapped(
    _swapped(UNREAL_CHANNELS, "jawLeft", "jawRight"), "mouthLeft", "mouthRight")

# The order in which MediaPipe's face landmarker gives them: by name, without tongueOut.
LANDMARKER_CHANNELS = tuple(sorted(set(MODEL_CHANNELS) - {"tongueOut"}))


def region(name):
    """The part of the face a channel moves: 'jaw', 'lips', 'eyes', 'brows' or 'other'."""
    if name.startswith("jaw"):
        return "jaw"
    if name.startswith("mouth"):
        return "lips"
    if name.startswith("eye"):
        return "eyes"
    if name.startswith("brow"):
        return "brows"
    return "other"                  # cheeks, nose, tongue


def reorder(weights, names, to_names):
    """Columns of `weights` [frames, len(names)] in the order `to_names`.

    Raises ValueError naming the channels of `to_names` that `names` lacks.
    """
    missing = [name for name in to_names if name not in names]
    if missing:
        raise ValueError("channels %s are not among the %d given (%s ...)"
                         % (", ".join(missing), len(names), ", ".join(names[:3])))
    column = {name: i for i, name in enumerate(names)}
    return np.asarray(weights)[:, [column[name] for name in to_names]]


def mouth_opening(weights, names):
    """jawOpen - mouthClose, floored at 0: [frames] for `weights` [frames, len(names)]."""
    jaw_open, mouth_close = reorder(weights, names, ("jawOpen", "mouthClose")).T
    return np.maximum(jaw_open - mouth_close, 0.0)


SCORED_DEVIATION = 0.005        # a label channel that moves less is noise or was not captured
MOUTH_REGIONS = ("jaw", "lips")


# ---- both

def in_model_order(weights, channels):
    """(targets float32 [frames, 52] in [0, 1], mask float32 [52]) of columns called `channels`."""
    targets = np.zeros((len(weights), len(MODEL_CHANNELS)), np.float32)
    mask = np.zeros(len(MODEL_CHANNELS), np.float32)
    for column, channel in enumerate(channels):
        place = MODEL_CHANNELS.index(channel)
        targets[:, place] = np.clip(weights[:, column], 0.0, 1.0)
        mask[place] = 1.0
    return targets, mask
