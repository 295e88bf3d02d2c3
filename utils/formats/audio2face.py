"""NVIDIA Audio2Face's exports: its solver's JSON, and its service's animation_frames.csv."""
import json

import numpy as np

from utils.common.channels import UNREAL_CHANNELS
from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.formats.face_kinds import AUDIO2FACE
from utils.formats.face_rows import even_times_s, face_rows, unit_weights
from utils.formats.json_text import read_json
from utils.formats.shape_table import read_shape_table

HEAD = ("HeadRoll", "HeadPitch", "HeadYaw")     # the last columns of animation_frames.csv, in order


def write_audio2face_json(path, weights, names, fps, edits=None):
    """The clip as the solver's JSON: facsNames, and one row of weightMat a frame.

    weights: [frames, len(names)] in [0, 1]. edits: what was changed, JSON-able; it stands at the
    end, where readers that want the solver's own keys pass it over. Raises UserError for a rate
    that is no whole number: Unreal importers read exportFps as an integer.
    """
    if fps != int(fps):
        raise UserError("Audio2Face's JSON counts a whole number of frames a second, and these are "
                        "%g; give a whole rate, as --fps %d" % (fps, round(fps)))
    rows = np.round(unit_weights(weights, names, UNREAL_CHANNELS), 8)   # [frames, 52]
    with written_aside(path) as aside, open(aside, "w", newline="\n") as stream:
        stream.write('{"exportFps": %d,\n"trackPath": "",\n"numPoses": %d,\n"numFrames": %d,\n'
                     '"facsNames": %s,\n"weightMat": ['
                     % (fps, len(UNREAL_CHANNELS), len(rows), json.dumps(UNREAL_CHANNELS)))
        for frame, row in enumerate(rows):                  # an hour as lists is 0.2 GB
            stream.write((",\n" if frame else "\n") + json.dumps(row.tolist()))
        stream.write("\n]%s}\n" % ("" if edits is None else ',\n"edits": ' + json.dumps(edits)))


def write_audio2face_csv(path, weights, names, fps):
    """The clip as animation_frames.csv: the frame, timeCode in seconds, 52 shapes, 3 head angles.

    weights: [frames, len(names)] in [0, 1]. The head's angles are 0.
    """
    rows = unit_weights(weights, names, UNREAL_CHANNELS)                    # [frames, 52]
    columns = [name[0].upper() + name[1:] for name in UNREAL_CHANNELS] + list(HEAD)
    row_format = "%d,%r" + ",%.8f" * len(UNREAL_CHANNELS) + ",0.0" * len(HEAD) + "\n"
    with written_aside(path) as aside, open(aside, "w", newline="\n") as stream:
        stream.write(",timeCode," + ",".join("blendShapes." + name for name in columns) + "\n")
        for frame, row in enumerate(rows):
            stream.write(row_format % tuple([frame, frame / float(fps)] + row.tolist()))


def read_audio2face(path, warn):
    """The FaceRows of either; errors as utils.formats.face_files.read_face."""
    if path.lower().endswith(".csv"):
        return read_shape_table(path, AUDIO2FACE, warn)
    content = read_json(path)
    try:
        weights = np.array(content["weightMat"], np.float64)                # [frames, shapes]
        times_s = even_times_s(len(weights), content["exportFps"])
        names = content["facsNames"]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError("%s is not Audio2Face's JSON (facsNames, weightMat, exportFps): %.200r"
                        % (path, error))
    return face_rows(path, AUDIO2FACE, times_s, weights, names, warn)
