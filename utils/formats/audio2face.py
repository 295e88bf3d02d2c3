"""NVIDIA Audio2Face's exports: its solver's JSON, and animation_frames.csv."""
import numpy as np

from utils.common.errors import UserError
from utils.formats.face_kinds import AUDIO2FACE
from utils.formats.face_rows import even_times_s, face_rows
from utils.formats.json_text import read_json
from utils.formats.shape_table import read_shape_table


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
        raise UserError("%s is not Audio2Face's JSON (facsNames, weightMat, exportFps): %r"
                        % (path, error))
    return face_rows(path, AUDIO2FACE, times_s, weights, names, warn)
