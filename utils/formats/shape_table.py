"""CSV tables with a column of times and one for each shape: MediaPipe's users', Audio2Face's.

The times are seconds, or what the column's name or their step says: `time`, `timestamp`,
`timestamp_ms`, `time_ms`, `Time (s)`, `t`, in any case. Audio2Face's animation_frames.csv calls its
shapes blendShapes.EyeBlinkLeft ... A column `frame`, or one about the picture, is left out.
"""
import re

import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.formats.csv_text import csv_rows, number
from utils.formats.face_kinds import TABLE
from utils.formats.face_rows import (CHANNEL_OF, face_rows, seconds_of, unit_weights,
                                     without_zero_rows)

AUDIO2FACE_PREFIX = "blendshapes."      # of its CSV's columns
CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d*)?)$")     # H:MM:SS.sss, a timedelta
# A name without its signs and spaces: what it is called, and the unit.
TIME_NAME = re.compile(
    r"(?:time|timestamps?|timecode|pts|ptstime|frametime|videotime|t)?(?:in)?"
    r"(?:(seconds?|secs?|s)|(milliseconds?|millis|msecs?|ms)"
    r"|(microseconds?|micros|usecs?|us|[\u00b5\u03bc]s)|(nanoseconds?|nanos|ns))?$")
UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds")
NO_SHAPE = re.compile(
    r"(frame|index|idx|image|img|file|path|video|name$|face($|id|index|num|found|detected)|"
    r"numfaces|success|detected|valid|confidence|score$|fps$|width$|height$|date)")


def write_table(path, weights, names, fps):
    """The clip as a table: `time` in seconds, and the 52 shapes in camelCase, sorted by name.

    weights: [frames, len(names)] in [0, 1].
    """
    columns = sorted(MODEL_CHANNELS)
    row_format = "%r" + ",%.8f" * len(columns) + "\n"
    with written_aside(path) as aside, open(aside, "w", newline="\n") as stream:
        stream.write(",".join(["time"] + columns) + "\n")
        for frame, row in enumerate(unit_weights(weights, names, columns)):
            stream.write(row_format % tuple([frame / float(fps)] + row.tolist()))


def read_table(path, warn):
    """The FaceRows of a table that is not Audio2Face's."""
    return read_shape_table(path, TABLE, warn)


def time_columns(columns):
    """[(place, unit or None)] of the columns of times; those whose name says a unit first."""
    found = []
    for place, name in enumerate(columns):
        plain = _plain(name)
        matched = TIME_NAME.match(plain)
        if plain and matched:
            unit = next((unit for unit, said in zip(UNITS, matched.groups()) if said), None)
            found.append((place, unit))
    return sorted(found, key=lambda one: one[1] is None)


def read_shape_table(path, kind, warn):
    """The FaceRows of a table; a row whose shapes are all empty, NaN or zero has no face.

    Zero only where no other row comes near it: MediaPipe's numbers never are exactly zero.
    """
    rows = csv_rows(path)
    _, columns = next(rows, (1, []))
    times = time_columns(columns)
    time, unit = times[0]
    beside = [place for place, _ in times]
    places = [place for place, name in enumerate(columns)
              if place not in beside and not NO_SHAPE.match(_plain(name))]
    counted, weights = [], []
    for line, cells in rows:
        if len(cells) != len(columns):
            raise UserError("%s line %d: expected %d numbers, found %d cells"
                            % (path, line, len(columns), len(cells)))
        try:
            counted.append(_time(cells[time]))
            shapes = [cells[place] for place in places]
            weights.append(np.array([np.nan] * len(places) if not any(shapes)
                                    else [number(cell) for cell in shapes]))
        except ValueError:
            raise UserError("%s line %d: expected %d numbers" % (path, line, len(columns)))
    names = [columns[place].split(".")[-1] for place in places]
    weights = np.array(weights).reshape(len(weights), len(places))      # [frames, columns]
    has_face = np.ones(len(weights), bool)
    if kind == TABLE:
        has_face = ~np.isnan(weights).all(axis=1)
        shapes = [place for place, name in enumerate(names) if name.lower() in CHANNEL_OF]
        has_face = without_zero_rows(np.nan_to_num(weights[:, shapes]), has_face)
    times_s = seconds_of(path, columns[time], np.array(counted), unit, warn)
    return face_rows(path, kind, times_s, weights, names, warn, has_face)


def _plain(name):
    return re.sub(r"[\W_]", "", name.lower())


def _time(cell):
    clock = CLOCK.match(cell)
    if not clock:
        return number(cell)
    hours, minutes, seconds = clock.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + number(seconds)
