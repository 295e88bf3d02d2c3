"""Faces in the files that captures, trackers and other systems write.

    .csv    Live Link Face (utils/formats/live_link_csv.py); Audio2Face's animation_frames.csv, with
            timeCode and blendShapes.EyeBlinkLeft ...; tables with time and camelCase columns
    .npz    this project's (utils/formats/npz.py)
    .json   Audio2Face's solver export (facsNames, weightMat, exportFps); BEAT's and LAM's
            (names, frames of weights and time)

A row of a table whose shapes are all empty, or all NaN, was written while there was no face.
"""
import collections
import csv
import json
import os

import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.errors import UserError
from utils.formats.live_link_csv import read_live_link_take
from utils.formats.npz import read_npz

BEAT_FPS = 60                           # of frames without times
TIME_COLUMNS = ("time", "timecode", "time_s")
LIVE_LINK, AUDIO2FACE, BEAT, TABLE, NPZ = FACE_FILE_KINDS = (
    "live_link", "audio2face", "beat", "mediapipe_csv", "npz")
FACE_FILE_EXTENSIONS = (".csv", ".json", ".npz")
AUDIO2FACE_PREFIX = "blendshapes."      # of its CSV's columns
SEARCHED_BYTES = 1 << 20
_CHANNEL_OF = {name.lower(): name for name in MODEL_CHANNELS}
# What stands beside the 52 shapes: MediaPipe's rest class, angles, Audio2Face's tongue shapes.
_BESIDE = ("_neutral", "head", "lefteye", "righteye", "tongue")


# start_s: the file's own time of its first row (0 where it has none; a Live Link Face take's
# time of day). times_s float64 [frames] from there, rising. weights float32 [frames, k], 0
# where has_face, bool [frames], is False. angles [frames, n]: a Live Link Face take's.
FaceRows = collections.namedtuple("FaceRows", "kind start_s times_s weights names has_face angles")


def read_face(path):
    """(times_s float64 [frames], weights float32 [frames, k], names tuple of k) of a face file.

    Times begin at 0 and rise; names are those of the 52 channels that the file has. What is beside
    them (angles, a rest class, tongue shapes) is left out, and so are rows without a face. Raises
    UserError for other columns, for what cannot be read, and for numbers that are not finite.
    """
    rows = read_face_rows(path)
    if not rows.has_face.any():
        raise UserError("%s: no row of %d has a face; give one that shows a face"
                        % (path, len(rows.has_face)))
    return rows.times_s[rows.has_face], rows.weights[rows.has_face], rows.names


def read_face_rows(path):
    """The FaceRows of a face file, rows without a face among them; errors as read_face."""
    kind = kind_of_face_file(path)
    if kind == LIVE_LINK:
        take = read_live_link_take(path)
        return FaceRows(kind, take.start_s, take.times_s, take.weights, take.names,
                        take.has_face, take.angles)
    if kind == NPZ:
        weights, names, fps = read_npz(path)
        times_s = np.arange(len(weights)) / fps
    elif kind == TABLE or path.lower().endswith(".csv"):
        times_s, weights, names = _read_table(path)
    else:
        times_s, weights, names = _read_json(path)
    return _checked(path, kind, times_s, weights, names)


def kind_of_face_file(path):
    """Which of FACE_FILE_KINDS a file is, by its name and beginning; UserError for another."""
    path = os.fspath(path)
    extension = os.path.splitext(path)[1].lower()
    if extension == ".npz":
        return NPZ
    if extension == ".json":
        return AUDIO2FACE if _has_text(path, b'"facsNames"') else BEAT
    if extension != ".csv":
        raise UserError("%s: a face is read from .csv, .npz or .json" % path)
    header = _header(path)
    if header[:1] == ["timecode"] and header[1:2] in (["blendshapecount"], ["framerate"]):
        return LIVE_LINK
    if not set(header) & set(TIME_COLUMNS):
        raise UserError("%s line 1: expected a Live Link Face header, or a column `time` in "
                        "seconds with the shapes beside it" % path)
    return AUDIO2FACE if any(cell.startswith(AUDIO2FACE_PREFIX) for cell in header) else TABLE


def _has_text(path, wanted):
    """Whether the bytes `wanted` stand anywhere in a file."""
    held = b""
    try:
        with open(path, "rb") as stream:
            for piece in iter(lambda: stream.read(SEARCHED_BYTES), b""):
                if wanted in held + piece:
                    return True
                held = piece[-len(wanted):]
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    return False


def _header(path):
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as stream:
            return [cell.strip().lower() for cell in stream.readline().split(",")]
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))


def _read_table(path):
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.reader(stream)
        numbered = [(reader.line_num, row) for row in reader if row]
    columns = [cell.strip() for cell in numbered[0][1]]
    time = next(i for i, name in enumerate(columns) if name.lower() in TIME_COLUMNS)
    # A column without a name is Audio2Face's frame number.
    places = [i for i, name in enumerate(columns) if i != time and name]
    times_s = np.empty(len(numbered) - 1)
    weights = np.empty((len(numbered) - 1, len(places)))                # [frames, columns]
    for row, (line, cells) in enumerate(numbered[1:]):
        if len(cells) != len(columns):
            raise UserError("%s line %d: expected %d numbers, found %d cells"
                            % (path, line, len(columns), len(cells)))
        try:
            times_s[row] = float(cells[time])
            shapes = [cells[i].strip() for i in places]
            weights[row] = np.nan if not any(shapes) else [float(cell) for cell in shapes]
        except ValueError:
            raise UserError("%s line %d: expected %d numbers" % (path, line, len(columns)))
    return times_s, weights, [columns[i].split(".")[-1] for i in places]


def _read_json(path):
    try:
        with open(path, encoding="utf-8-sig") as stream:
            content = json.load(stream)
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    except ValueError as error:
        raise UserError("%s is not JSON: %s" % (path, error))
    try:
        if "facsNames" in content:
            weights = np.array(content["weightMat"], np.float64)
            step_s = 1.0 / float(content["exportFps"])
            return np.arange(len(weights)) * step_s, weights, content["facsNames"]
        frames = content["frames"]
        weights = np.array([frame["weights"] for frame in frames], np.float64)
        times_s = np.array([frame.get("time", i / float(BEAT_FPS))
                            for i, frame in enumerate(frames)], np.float64)
        names = content.get("names") or content["metadata"]["blendshape_names"]
        return times_s, weights, names
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise UserError("%s is neither Audio2Face's JSON (facsNames, weightMat, exportFps) nor "
                        "BEAT's (names, frames of weights and time): %r" % (path, error))


def _checked(path, kind, times_s, weights, names):
    names = [str(name) for name in names]
    if weights.ndim != 2 or not len(weights) or weights.shape[1] != len(names):
        raise UserError("%s: weights are %s for %d names; expected a row for each frame"
                        % (path, list(weights.shape), len(names)))
    has_face = np.ones(len(weights), bool)
    if kind == TABLE:
        has_face = ~np.isnan(weights).all(axis=1)
        weights = np.where(has_face[:, np.newaxis], weights, 0.0)
    if not (np.isfinite(weights).all() and np.isfinite(times_s).all()):
        raise UserError("%s holds NaN or infinity; expected finite numbers" % path)
    if (np.diff(times_s) < 0).any():
        raise UserError("%s: the times go backwards; give one clip in its own order" % path)
    places, channels = [], []
    for place, name in enumerate(names):
        channel = _CHANNEL_OF.get(name.lower())
        if channel is None and not name.lower().startswith(_BESIDE):
            raise UserError("%s: %r is none of the 52 ARKit shapes; rename or remove it"
                            % (path, name))
        if channel in channels:
            raise UserError("%s: the shape %s stands there twice" % (path, name))
        if channel is not None:
            places.append(place)
            channels.append(channel)
    if not channels:
        raise UserError("%s has none of the 52 ARKit shapes" % path)
    return FaceRows(kind, float(times_s[0]), times_s - times_s[0],
                    weights[:, places].astype(np.float32), tuple(channels), has_face,
                    np.zeros((len(weights), 0)))
