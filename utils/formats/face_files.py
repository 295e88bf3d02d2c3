"""Faces in the files that captures, trackers and other systems write.

    .csv    Live Link Face (utils/formats/live_link_csv.py); Audio2Face's animation_frames.csv, with
            timeCode and blendShapes.EyeBlinkLeft ...; tables with times and camelCase columns
    .npz    this project's (utils/formats/npz.py)
    .glb    binary glTF with an animation of ARKit morph targets (utils/formats/gltf.py)
    .vrma   VRM animation whose expressions bear ARKit's names (utils/formats/vrma.py)
    .vmd    MikuMikuDance's morphs, where they bear ARKit's names (utils/formats/vmd.py)
    .json   Audio2Face's solver export (facsNames, weightMat, exportFps); BEAT's and LAM's
            (names, frames of weights and time); Rokoko's v3 (packets of scenes with actors)

Weights in 0..100 are divided by 100. A row of a table whose shapes are all empty, or all NaN, was
written while there was no face.
"""
import os

import numpy as np

from utils.common.errors import UserError, print_warning
from utils.formats.csv_text import csv_header
from utils.formats.exporters import FORMATS
from utils.formats.face_kinds import (AUDIO2FACE, BEAT, BY_APP, BY_NAME, FACE_FILE_KINDS, GLTF,
                                      LIVE_LINK, NPZ, ROKOKO, TABLE, VMD, VRMA)
from utils.formats.shape_table import AUDIO2FACE_PREFIX, time_columns

SEARCHED_BYTES = 1 << 20
JSON_KEYS = ((AUDIO2FACE, "facsNames"), (ROKOKO, "actors"))     # what tells them from BEAT's

# The others hold several kinds.
KIND_OF_EXTENSION = {".npz": NPZ, ".vmd": VMD, ".vrma": VRMA, ".glb": GLTF}

READERS = {exporter.kind: exporter.read for exporter in FORMATS.values()}
assert set(READERS) == set(FACE_FILE_KINDS)

# The Live Link Face app's CSV calls the sideways shapes by the wrong side, as far as the takes at
# hand tell: the mouth that moves to a side goes with the smile, dimple, stretch and raised lip of
# that side in Apple's own values (r 0.8 to 0.98), and against them in the app's CSVs.
SIDEWAYS = ("mouth", "jaw")
SAME_SIDE = ("mouthSmile", "mouthDimple", "mouthStretch", "mouthUpperUp")
SIDEWAYS_RANGE = 0.05           # of mouthLeft - mouthRight; a mouth that moves less says nothing
AGAINST_R = -0.3                # Pearson's r with the shapes of its side: below it, a warning


def read_face(path, warn=print_warning, live_link_sides=BY_NAME):
    """(times_s float64 [frames], weights float32 [frames, k], names tuple of k) of a face file.

    Times begin at 0 and rise; names are those of the 52 channels that the file has. What is beside
    them (angles, a rest class, tongue shapes) is left out, and so are rows without a face.

    Args:
      warn: called with a line on what is doubtful and how it was taken.
      live_link_sides: BY_NAME, or BY_APP: MouthLeft and MouthRight, JawLeft and JawRight of a
        Live Link Face CSV stand for each other.
    Raises UserError for other columns, what cannot be read, and numbers that are not finite.
    """
    rows = read_face_rows(path, warn, live_link_sides)
    if not rows.has_face.any():
        raise UserError("%s: no row of %d has a face; give one that shows a face"
                        % (path, len(rows.has_face)))
    return rows.times_s[rows.has_face], rows.weights[rows.has_face], rows.names


def read_face_rows(path, warn=print_warning, live_link_sides=BY_NAME):
    """The FaceRows of a face file, rows without a face among them; else as read_face.

    live_link_sides None: the sideways shapes are not wanted, and nothing is said of their sides.
    """
    path = os.fspath(path)
    rows = READERS[kind_of_face_file(path)](path, warn)
    if rows.kind == LIVE_LINK and live_link_sides is not None:
        if live_link_sides == BY_APP:
            rows = rows._replace(names=tuple(_other_side(name) for name in rows.names))
        _warn_of_sides(path, rows, warn, live_link_sides)
    return rows


def read_rows_to_show(path, name, warn=print_warning, live_link_sides=BY_NAME):
    """The FaceRows of read_face_rows, of which at least one has a face; a gap is warned of.

    name: what the warning calls the file.
    """
    rows = read_face_rows(path, warn, live_link_sides)
    if not rows.has_face.any():
        raise UserError("%s: no row of %d has a face; give one that shows a face"
                        % (path, len(rows.has_face)))
    if not rows.has_face.all():
        warn("%s: %d of %d rows have no face; the face is drawn across them in straight lines"
             % (name, np.sum(~rows.has_face), len(rows.has_face)))
    return rows


def kind_of_face_file(path):
    """Which of FACE_FILE_KINDS a file is, by its name and beginning; UserError for another."""
    path = os.fspath(path)
    extension = os.path.splitext(path)[1].lower()
    if extension in KIND_OF_EXTENSION:
        return KIND_OF_EXTENSION[extension]
    if extension == ".json":
        return next((kind for kind, key in JSON_KEYS if _has_key(path, key)), BEAT)
    if extension != ".csv":
        raise UserError("%s: a face is read from .csv, .json, .npz, .vmd, .vrma or .glb" % path)
    header = [name.lower() for name in csv_header(path)]
    if header[:1] == ["timecode"] and header[1:2] in (["blendshapecount"], ["framerate"]):
        return LIVE_LINK
    if not time_columns(header):
        raise UserError("%s line 1: expected a Live Link Face header, or a column `time` in "
                        "seconds with the shapes beside it; found %r"
                        % (path, ",".join(header)[:60]))
    return AUDIO2FACE if any(name.startswith(AUDIO2FACE_PREFIX) for name in header) else TABLE


def _has_key(path, key):
    """Whether a key stands anywhere in a JSON file, in UTF-8 or UTF-16."""
    wanted = [('"%s"' % key).encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-16-be")]
    held = b""
    try:
        with open(path, "rb") as stream:
            for piece in iter(lambda: stream.read(SEARCHED_BYTES), b""):
                held += piece
                if any(one in held for one in wanted):
                    return True
                held = held[-len(wanted[-1]):]
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    return False


def _other_side(name):
    for stem in SIDEWAYS:
        if name in (stem + "Left", stem + "Right"):
            return stem + ("Right" if name.endswith("Left") else "Left")
    return name


def sideways_r(weights, names):
    """(range, r) of mouthLeft - mouthRight, r with the shapes of the same side; None without them.

    weights: [frames, k]. r is 0 where either stands still.
    """
    column = {name: place for place, name in enumerate(names)}
    pairs = [stem for stem in SAME_SIDE if stem + "Left" in column and stem + "Right" in column]
    if not pairs or "mouthLeft" not in column or "mouthRight" not in column or not len(weights):
        return None

    def difference(stem):
        return (weights[:, column[stem + "Left"]].astype(np.float64)
                - weights[:, column[stem + "Right"]])

    sideways = difference("mouth")
    side = sum(difference(stem) for stem in pairs)                          # [frames]
    if not (sideways.std() > 0 and side.std() > 0):
        return float(np.ptp(sideways)), 0.0
    return float(np.ptp(sideways)), float(np.corrcoef(sideways, side)[0, 1])


def _warn_of_sides(path, rows, warn, live_link_sides):
    found = sideways_r(rows.weights[rows.has_face], rows.names)
    if found is None or found[0] <= SIDEWAYS_RANGE or found[1] >= AGAINST_R:
        return
    other = BY_APP if live_link_sides == BY_NAME else BY_NAME
    warn("%s: the mouth moves sideways by %.2f, against the smile of that side (r %.2f): "
         "MouthLeft/Right and JawLeft/Right are named crosswise, it seems; process_data.py, "
         "evaluate.py, convert.py and view.py take them so by --live_link_sides %s"
         % (os.path.basename(path), found[0], found[1], other))
