"""A tracked face on disk, since tracking takes minutes."""
import collections
import json
import os

import numpy as np

from utils.dataset import label_sources
from utils.dataset.store import SUBJECTS_FOLDER

TRACK_NAME = "track.npz"


# ---- tracking takes minutes: what it found is kept, for the day when other options are tried

def write_track(aside, track):
    np.savez(os.path.join(aside, TRACK_NAME), times_s=track.times_s, weights=track.weights,
             names=np.array(track.names), valid=track.valid, start_s=np.float64(track.start_s),
             reasons=np.array(list(track.reasons)), rows=np.array(list(track.reasons.values())),
             notes=np.array(json.dumps(json_ready(track.notes))))


def read_track(source, dataset_path):
    """The LabelTrack of an earlier run over the same video, or None."""
    if source.tracked_in is None:
        return None
    try:
        with np.load(os.path.join(dataset_path, SUBJECTS_FOLDER, source.tracked_in, TRACK_NAME),
                     allow_pickle=False) as held:
            return label_sources.LabelTrack(
                label_sources.TRACKER, source.label_path, source.label_sha256, held["times_s"],
                held["weights"], tuple(str(name) for name in held["names"]), held["valid"],
                collections.OrderedDict(zip((str(name) for name in held["reasons"]),
                                            held["rows"])),
                float(held["start_s"]), json.loads(str(held["notes"])))
    except Exception:                   # absent or damaged: the video is there to be tracked
        return None


def json_ready(value):
    """`value` with numpy's numbers and tuples as JSON knows them."""
    if isinstance(value, dict):
        return collections.OrderedDict((str(key), json_ready(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    if isinstance(value, np.ndarray):
        return json_ready(value.tolist())
    return value.item() if isinstance(value, np.generic) else value
