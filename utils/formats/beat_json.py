"""The JSON of BEAT and of LAM: names, and frames of weights and time."""
import json
import os

import numpy as np

from utils.common.channels import UNREAL_CHANNELS
from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.formats.face_kinds import BEAT
from utils.formats.face_rows import even_times_s, face_rows, unit_weights
from utils.formats.json_text import read_json

BEAT_FPS = 60                           # of frames without times, where the file says no rate


def write_beat_json(path, weights, names, fps, edits=None):
    """The clip as LAM writes it, which readers of BEAT's take: names, frames, metadata with fps.

    weights: [frames, len(names)] in [0, 1]. A frame's time is its number / fps, in seconds.
    edits: what was changed, JSON-able; held in the metadata.
    """
    rows = np.round(unit_weights(weights, names, UNREAL_CHANNELS), 8)       # [frames, 52]
    metadata = [("fps", float(fps)), ("frame_count", len(rows)),
                ("blendshape_names", UNREAL_CHANNELS)]
    if edits is not None:
        metadata.append(("edits", edits))
    with written_aside(path) as aside, open(aside, "w", newline="\n") as stream:
        stream.write('{"names": %s,\n"metadata": {%s},\n"frames": [' % (
            json.dumps(UNREAL_CHANNELS),
            ", ".join('"%s": %s' % (key, json.dumps(value)) for key, value in metadata)))
        for frame, row in enumerate(rows):                  # an hour as lists is 0.2 GB
            content = '{"weights": %s, "time": %r, "rotation": []}' % (
                json.dumps(row.tolist()), frame / float(fps))
            stream.write((",\n" if frame else "\n") + content)
        stream.write("\n]}\n")


def read_beat_json(path, warn):
    """The FaceRows of a file; frames without times stand at the rate of `metadata` or `fps`."""
    content = read_json(path)
    try:
        frames = content["frames"]
        weights = np.array([frame["weights"] for frame in frames], np.float64)
        metadata = content.get("metadata") or {}
        timed = sum("time" in frame for frame in frames)
        if 0 < timed < len(frames):
            raise ValueError("%d of %d frames have no time" % (len(frames) - timed, len(frames)))
        if timed:
            times_s = np.array([frame["time"] for frame in frames], np.float64)
        else:
            fps = metadata.get("fps", content.get("fps"))
            if fps is None and len(frames):
                warn("%s: its frames have no times and it says no fps: taken as %d a second"
                     % (os.path.basename(path), BEAT_FPS))
            times_s = even_times_s(len(frames), BEAT_FPS if fps is None else fps)
        names = content.get("names") or metadata["blendshape_names"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError("%s is neither Audio2Face's JSON (facsNames, weightMat, exportFps) nor "
                        "BEAT's (names, frames of weights and time): %.200r" % (path, error))
    return face_rows(path, BEAT, times_s, weights, names, warn)
