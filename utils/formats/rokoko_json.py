"""Rokoko Studio Live JSON, version 3, written and read."""
import json
import os

import numpy as np

from utils.common.channels import UNREAL_CHANNELS
from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.formats.face_kinds import ROKOKO
from utils.formats.face_rows import (CHANNEL_OF, even_times_s, face_rows, seconds_of,
                                     unit_blocks)
from utils.formats.json_text import read_json

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
    with written_aside(path) as aside, open(aside, "w", newline="\n") as stream:
        stream.write("[")
        for first, faces in unit_blocks(weights, names, UNREAL_CHANNELS):
            for frame, values in enumerate(np.round(faces * ROKOKO_FULL, 5), first):
                packet = rokoko_packet(frame / float(fps), fps, values.tolist())
                stream.write((",\n" if frame else "\n")
                             + json.dumps(packet, separators=(",", ":")))
        stream.write("\n]\n")


def rokoko_packet(time_s, fps, values, actor_name=ROKOKO_ACTOR):
    """One frame as Studio streams it; values: 52 floats in 0..100, UNREAL_CHANNELS order."""
    face = {"faceId": ROKOKO_ACTOR}
    face.update(zip(UNREAL_CHANNELS, values))
    actor = {
        "name": actor_name,
        "color": [248, 248, 248],
        "meta": {"hasGloves": False, "hasLeftGlove": False, "hasRightGlove": False,
                 "hasBody": False, "hasFace": True},
        "dimensions": {"totalHeight": 1.8, "hipHeight": 0.95},
        "face": face,
    }
    return {"version": ROKOKO_VERSION, "fps": float(fps),
            "scene": {"timestamp": round(time_s, 6), "actors": [actor], "props": []}}


def read_rokoko_json(path, warn):
    """The FaceRows of packets of v3, one or a list of them; the first actor with a face counts.

    A packet without a face is a frame without one. Times are the scenes' own where they rise,
    else they follow from fps.
    """
    packets = read_json(path)
    packets = [packets] if isinstance(packets, dict) else packets
    try:
        scenes = [packet["scene"] for packet in packets]
        faces = [[actor["face"] for actor in scene["actors"] if actor.get("face")]
                 for scene in scenes]
        names = [name for name in max(faces, key=len)[0] if name.lower() in CHANNEL_OF]
        has_face = np.array([bool(of_frame) for of_frame in faces])
        weights = np.array([[float(of_frame[0][name]) for name in names] if of_frame
                            else [0.0] * len(names) for of_frame in faces])     # [frames, shapes]
        times = np.array([float(scene["timestamp"]) for scene in scenes])
        even_s = even_times_s(len(packets), packets[0]["fps"])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UserError("%s is not Rokoko's JSON v3 (packets of fps and scene, with timestamp and "
                        "actors that have a face): %.200r" % (path, error))
    if max(len(of_frame) for of_frame in faces) > 1:
        warn("%s: several actors have a face; the first is taken" % os.path.basename(path))
    is_rising = (np.diff(times) > 0).all()
    times_s = seconds_of(path, "timestamp", times, None, warn) if is_rising else even_s
    return face_rows(path, ROKOKO, times_s, weights / ROKOKO_FULL, names, warn, has_face)
