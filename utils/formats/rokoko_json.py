"""Rokoko Studio Live JSON, version 3."""
import json

import numpy as np

from utils.common.channels import UNREAL_CHANNELS, reorder
from utils.common.files import written_aside

ROKOKO_VERSION = "3,0"
ROKOKO_ACTOR = "voca"
ROKOKO_FULL = 100.0                     # Rokoko's face values run 0..100


def write_rokoko_json(path, weights, names, fps):
    """The clip as Rokoko Studio Live JSON v3: one file, an array of packets, one a frame.

    Each element is word for word what Studio streams for that frame (so a sender takes them
    one by one, and the plugins' own recordings are such lists): version, fps, scene.timestamp
    in seconds from the clip's start, and one actor with a face and no body, whose 52 keys are
    camelCase in Unreal's order, 0..100. One line a frame.

    weights: [frames, len(names)] in [0, 1].
    """
    faces = reorder(weights, names, UNREAL_CHANNELS).astype(np.float64) * ROKOKO_FULL
    with written_aside(path) as aside, open(aside, "w", newline="\n") as stream:
        stream.write("[")
        for frame, values in enumerate(np.round(faces, 5)):         # an hour as lists is 0.2 GB
            packet = _rokoko_packet(frame / float(fps), fps, values.tolist())
            stream.write((",\n" if frame else "\n") + json.dumps(packet, separators=(",", ":")))
        stream.write("\n]\n")


def _rokoko_packet(time_s, fps, values):
    face = {"faceId": ROKOKO_ACTOR}
    face.update(zip(UNREAL_CHANNELS, values))
    actor = {
        "name": ROKOKO_ACTOR,
        "color": [248, 248, 248],
        "meta": {"hasGloves": False, "hasLeftGlove": False, "hasRightGlove": False,
                 "hasBody": False, "hasFace": True},
        "dimensions": {"totalHeight": 1.8, "hipHeight": 0.95},
        "face": face,
    }
    return {"version": ROKOKO_VERSION, "fps": float(fps),
            "scene": {"timestamp": round(time_s, 6), "actors": [actor], "props": []}}
