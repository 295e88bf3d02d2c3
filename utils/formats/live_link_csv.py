"""The Live Link Face app's CSV: written as the app writes it, read in all its forms.

63 columns: Timecode, BlendshapeCount (61), 52 shapes, 9 angles. The timecode is
HH:MM:SS:FF.mmm whose FF.mmm counts SIXTIETHS of a second at any frame rate, since Unreal's
importer divides by 60 always; a 30 fps file steps FF by 2.

Also read: `BlendShapeCount`; files with fewer shapes (the source lacks the others); and the
older AppleARKit writer's form (`Timecode, FrameRate, ...`, CRLF), whose FF counts frames of
its own FrameRate column. A row whose count is 0 was written while the app saw no face; its
values, often empty cells, mean nothing.
"""
import collections
import re

import numpy as np

from utils.common.channels import LIVE_LINK_CSV_CHANNELS, reorder
from utils.common.errors import UserError
from utils.common.files import written_aside

ANGLES = ("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
          "RightEyeYaw", "RightEyePitch", "RightEyeRoll")
SIXTIETHS = 60
TICKS_PER_S = 1000 * SIXTIETHS          # the timecode's finest unit, a thousandth of a sixtieth
S_PER_DAY = 24 * 3600
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
TIMECODE = r"(\d+):(\d+):(\d+)[:;](\d+\.?\d*)$"

# start_s: time of day of the first row. times_s [frames] from there. weights float32
# [frames, len(names)]. angles float32 [frames, len(angle_names)], radians. has_face: bool
# [frames]; without a face, weights and angles are 0.
LiveLinkTake = collections.namedtuple(
    "LiveLinkTake", "start_s times_s weights names angles angle_names has_face")


def _pascal(name):
    return name[0].upper() + name[1:]


HEADER = ("Timecode", "BlendshapeCount") + tuple(
    _pascal(name) for name in LIVE_LINK_CSV_CHANNELS) + ANGLES
_SHAPE_OF_COLUMN = {name.lower(): name for name in LIVE_LINK_CSV_CHANNELS}
_ANGLE_OF_COLUMN = {name.lower(): name for name in ANGLES}


def write_live_link_csv(path, weights, names, fps):
    """The clip as a Live Link Face take that starts at 00:00:00:00.000.

    weights: [frames, len(names)] in [0, 1]; the 52 names in any order. Head and eye angles
    are 0. Raises ValueError for a missing channel, NaN, or weights out of range.
    """
    weights = np.asarray(weights)
    if not ((weights >= 0) & (weights <= 1)).all():
        raise ValueError("weights lie outside 0..1 (or are NaN)")
    frame_times_s = np.arange(len(weights)) / float(fps)
    write_live_link_take(path, LiveLinkTake(
        0.0, frame_times_s, weights, names, np.zeros((len(weights), len(ANGLES))), ANGLES,
        np.ones(len(weights), bool)))


def write_live_link_take(path, take):
    """A whole take, angles and time of day included; read_live_link_take's inverse."""
    shapes = reorder(take.weights, take.names, LIVE_LINK_CSV_CHANNELS)      # [frames, 52]
    angles = reorder(take.angles, take.angle_names, ANGLES)                 # [frames, 9]
    rows = np.concatenate([shapes, angles], axis=1) + 0.0                   # no "-0.0"
    row_format = ",".join(["%s", "%d"] + ["%.10f"] * rows.shape[1]) + "\n"
    with written_aside(path) as aside, open(aside, "w", newline="\n") as stream:
        stream.write(",".join(HEADER) + "\n")
        for time_s, row, has_face in zip(take.times_s, rows, take.has_face):
            stream.write(row_format % (
                (timecode(take.start_s + time_s), len(row) if has_face else 0)
                + tuple(row.tolist())))


def timecode(time_s):
    """HH:MM:SS:FF.mmm of a time of day in seconds, FF.mmm in sixtieths of a second."""
    ticks = int(round(time_s * TICKS_PER_S)) % (S_PER_DAY * TICKS_PER_S)
    seconds, ticks = divmod(ticks, TICKS_PER_S)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return "%02d:%02d:%02d:%02d.%03d" % ((hours, minutes, seconds) + divmod(ticks, 1000))


def read_live_link_csv(path):
    """(times_s, weights, names) of a take.

    times_s: float64 [frames], 0 at the first row, rising (midnight is crossed rightly).
    weights: float32 [frames, len(names)], as they stand in the file, not clipped.
    names: the channels the file has, camelCase, in the file's order.
    Rows without a face are left out; the times of the others stay as they are.
    Raises UserError naming file, line and what is wrong there.
    """
    take = read_live_link_take(path)
    if not take.has_face.any():
        raise UserError("%s: no row of %d has a face; give a take that shows one"
                        % (path, len(take.has_face)))
    return take.times_s[take.has_face], take.weights[take.has_face], take.names


def read_live_link_take(path):
    """The LiveLinkTake in `path`; errors as read_live_link_csv."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline=None) as stream:
            return _read_lines(path, stream)
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))


def _read_lines(path, lines):
    columns = [cell.strip() for cell in next(lines, "").split(",")]
    has_frame_rate, shapes, angles = _read_header(path, columns)
    day_times_s, rows, has_face = [], [], []
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        cells = line.split(",")
        has_face.append(has_frame_rate or not _is_zero(cells[1:2]))
        if not has_face[-1]:
            cells = cells[:2] + ["0"] * (len(columns) - 2)
        if len(cells) != len(columns):
            raise UserError("%s line %d: %d cells where the header has %d"
                            % (path, number, len(cells), len(columns)))
        values = _numbers(path, number, columns, cells)
        units_per_s = values[0] if has_frame_rate else SIXTIETHS
        day_times_s.append(_day_time_s(path, number, cells[0], units_per_s))
        rows.append(values[1:].astype(np.float32))
    if not rows:
        raise UserError("%s: no rows below the header; expected one for each frame" % path)
    rows = np.stack(rows)                               # [frames, shapes and angles]
    return LiveLinkTake(
        day_times_s[0], _times_from_start(path, day_times_s),
        rows[:, [place for place, _ in shapes]], tuple(name for _, name in shapes),
        rows[:, [place for place, _ in angles]], tuple(name for _, name in angles),
        np.array(has_face))


def _is_zero(cells):
    return bool(cells) and re.match(r"\s*0+(\.0*)?\s*$", cells[0]) is not None


def _read_header(path, columns):
    """(whether column 1 is FrameRate, [(place, shape)], [(place, angle)]).

    A place counts from column 2, the first value.
    """
    second = columns[1].lower() if len(columns) > 1 else ""
    if columns[:1] and columns[0].lower() == "timecode" and second in (
            "blendshapecount", "framerate"):
        shapes, angles, seen = [], [], set()
        for place, column in enumerate(columns[2:]):
            key = column.lower()
            if key in seen:
                raise UserError("%s line 1: the column %s stands there twice" % (path, column))
            seen.add(key)
            if key in _SHAPE_OF_COLUMN:
                shapes.append((place, _SHAPE_OF_COLUMN[key]))
            elif key in _ANGLE_OF_COLUMN:
                angles.append((place, _ANGLE_OF_COLUMN[key]))
            else:
                raise UserError("%s line 1: the column %r is none of the 52 ARKit shapes and 9 "
                                "angles; rename or remove it" % (path, column))
        if shapes:
            return second == "framerate", shapes, angles
    raise UserError("%s line 1: not a Live Link Face CSV; expected a header Timecode,"
                    "BlendshapeCount,EyeBlinkLeft,... and found %r"
                    % (path, ",".join(columns)[:60]))


def _numbers(path, number, columns, cells):
    """float64 [columns - 1], all but the timecode; UserError names the first that is none."""
    try:
        values = np.array([float(cell) for cell in cells[1:]])
    except ValueError:
        values = None
    if values is not None and np.isfinite(values).all():
        return values
    for column, cell in zip(columns[1:], cells[1:]):
        if not re.match(NUMBER, cell.strip()):
            raise UserError("%s line %d: column %s is %r; expected a finite number"
                            % (path, number, column, cell.strip()))
    raise UserError("%s line %d: a number is too large" % (path, number))


def _day_time_s(path, number, text, units_per_s):
    found = re.match(TIMECODE, text.strip())
    if not found:
        raise UserError("%s line %d: %r is not a timecode HH:MM:SS:FF.mmm"
                        % (path, number, text.strip()))
    if not units_per_s > 0:
        raise UserError("%s line %d: a FrameRate of %g" % (path, number, units_per_s))
    hours, minutes, seconds, units = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(units) / units_per_s


def _times_from_start(path, day_times_s):
    times_s = np.array(day_times_s) - day_times_s[0]
    steps_s = np.diff(times_s)
    times_s[1:] += S_PER_DAY * np.cumsum(steps_s < -S_PER_DAY / 2)
    backwards = np.flatnonzero(np.diff(times_s) < 0)
    if len(backwards):
        raise UserError("%s: the timecode goes backwards after row %d of %d; give one take in "
                        "its own order" % (path, backwards[0] + 1, len(times_s)))
    return times_s
