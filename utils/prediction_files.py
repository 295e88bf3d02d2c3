"""Faces in the files that captures, trackers and other systems write.

    .csv    Live Link Face (utils/live_link_csv.py); Audio2Face's animation_frames.csv, with
            timeCode and blendShapes.EyeBlinkLeft ...; tables with time and camelCase columns
    .npz    this project's (utils/animation_files.py)
    .json   Audio2Face's solver export (facsNames, weightMat, exportFps); BEAT's and LAM's
            (names, frames of weights and time)
"""
import csv
import json
import os

import numpy as np

from utils.animation_files import read_npz
from utils.channels import MODEL_CHANNELS
from utils.errors import UserError
from utils.live_link_csv import read_live_link_csv

BEAT_FPS = 60                           # of frames without times
TIME_COLUMNS = ("time", "timecode", "time_s")
_CHANNEL_OF = {name.lower(): name for name in MODEL_CHANNELS}
# What stands beside the 52 shapes: MediaPipe's rest class, angles, Audio2Face's tongue shapes.
_BESIDE = ("_neutral", "head", "lefteye", "righteye", "tongue")


def read_face(path):
    """(times_s float64 [frames], weights float32 [frames, k], names tuple of k) of a face file.

    Times begin at 0 and rise; names are those of the 52 channels that the file has. What is beside
    them (angles, a rest class, tongue shapes) is left out. Raises UserError for other columns, for
    what cannot be read, and for numbers that are not finite.
    """
    extension = os.path.splitext(path)[1].lower()
    if extension == ".npz":
        weights, names, fps = read_npz(path)
        times_s = np.arange(len(weights)) / fps
    elif extension == ".json":
        times_s, weights, names = _read_json(path)
    elif extension == ".csv":
        header = _header(path)
        if header[:1] == ["timecode"] and header[1:2] in (["blendshapecount"], ["framerate"]):
            return read_live_link_csv(path)
        times_s, weights, names = _read_table(path)
    else:
        raise UserError("%s: a face is read from .csv, .npz or .json" % path)
    return _checked(path, times_s, weights, names)


def _header(path):
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as stream:
            return [cell.strip().lower() for cell in stream.readline().split(",")]
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))


def _read_table(path):
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as stream:
        rows = [row for row in csv.reader(stream) if row]
    columns = [cell.strip() for cell in rows[0]] if rows else []
    time = next((i for i, name in enumerate(columns) if name.lower() in TIME_COLUMNS), None)
    if time is None:
        raise UserError("%s line 1: expected a Live Link Face header, or a column `time` in "
                        "seconds with the shapes beside it" % path)
    values = np.empty((len(rows) - 1, len(columns)))
    for number, row in enumerate(rows[1:], start=2):
        try:
            values[number - 2] = [float(cell) for cell in row]
        except ValueError:
            raise UserError("%s line %d: expected %d numbers" % (path, number, len(columns)))
    # A column without a name is Audio2Face's frame number.
    places = [i for i, name in enumerate(columns) if i != time and name]
    return values[:, time], values[:, places], [columns[i].split(".")[-1] for i in places]


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


def _checked(path, times_s, weights, names):
    names = [str(name) for name in names]
    if weights.ndim != 2 or not len(weights) or weights.shape[1] != len(names):
        raise UserError("%s: weights are %s for %d names; expected a row for each frame"
                        % (path, list(weights.shape), len(names)))
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
    return times_s - times_s[0], weights[:, places].astype(np.float32), tuple(channels)
