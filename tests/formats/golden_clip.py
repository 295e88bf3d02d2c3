"""An asymmetric clip for round trips, and how near to it each format can hold it."""
import numpy as np

from utils.common.channels import MODEL_CHANNELS

RATES = (24, 25, 29.97, 30, 59.94, 60)
WHOLE_ONLY, THIRTY_ONLY, WRITTEN_ONLY = ("audio2face",), ("vmd",), ("vrma_presets",)
# How far a weight may be from the one written: half a unit of the last decimal, or float32's own.
# Times: half a 60000th of a second of Live Link's, half a microsecond of Rokoko's.
WEIGHT_WITHIN = dict(csv=6e-8, npz=0.0, json=1.1e-7, audio2face=6e-8, audio2face_csv=6e-8,
                     beat=6e-8, table=6e-8, vmd=0.0, vrma=6e-8, glb=6e-8)
TIME_WITHIN_S = dict(csv=0.51 / 60000, npz=0.0, json=0.51e-6, audio2face=0.0, audio2face_csv=0.0,
                     beat=0.0, table=0.0, vmd=0.0, vrma=1e-6, glb=1e-6)
READ_BACK = tuple(WEIGHT_WITHIN)


def golden_clip(num_frames=150):
    """Weights [frames, 52], names: no two curves are alike; left and right are far apart."""
    names = np.random.RandomState(3).permutation(MODEL_CHANNELS).tolist()
    frames = np.arange(num_frames)
    clip = np.zeros((num_frames, 52))
    for place, name in enumerate(names):
        rank = MODEL_CHANNELS.index(name)
        level = 0.1 if name.endswith("Left") else 0.6
        clip[:, place] = level + 0.3 * np.abs(np.sin(0.05 * frames * (1 + rank / 10.0) + rank))
    # Both ends of the range. A row of zeros alone would be a lost face to a table's reader.
    clip[3], clip[4] = 0.0, 1.0
    clip[3:5, names.index("jawOpen")] = 1.0, 0.0
    return clip.astype(np.float32), tuple(names)


def can_hold(name, fps):
    """Whether a clip at a rate comes back from a format."""
    return (name not in WRITTEN_ONLY and (name not in WHOLE_ONLY or fps == int(fps))
            and (name not in THIRTY_ONLY or fps == 30))
