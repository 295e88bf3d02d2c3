"""The Live Link Face app's CSV: written as the app writes it, read in all its forms.

63 columns: Timecode, BlendshapeCount (61), 52 shapes, 9 angles. The timecode is
HH:MM:SS:FF.mmm whose FF.mmm counts SIXTIETHS of a second at any frame rate, since Unreal's
importer divides by 60 always; a 30 fps file steps FF by 2.

Also read: `BlendShapeCount`; files with fewer shapes (the source lacks the others); the older
AppleARKit writer's form (`Timecode, FrameRate, ...`, CRLF), whose FF counts frames of its own
FrameRate column; other programs' files whose FF counts frames of the file's own rate, which
shows at every new second; NeuroSync's, with seven emotions after the angles and the number of
the frame, 60 a second, for a timecode; seconds for a timecode. A row whose count is 0 was
written while the app saw no face; its values, often empty cells, mean nothing.
"""
import collections
import os
import re

import numpy as np

from utils.common.channels import LIVE_LINK_CSV_CHANNELS, reorder
from utils.common.errors import UserError, print_warning
from utils.common.files import written_aside
from utils.formats.csv_text import csv_rows, number
from utils.formats.face_kinds import LIVE_LINK
from utils.formats.face_rows import FaceRows, in_unit_range, unit_blocks

ANGLES = ("HeadYaw", "HeadPitch", "HeadRoll", "LeftEyeYaw", "LeftEyePitch", "LeftEyeRoll",
          "RightEyeYaw", "RightEyePitch", "RightEyeRoll")
SIXTIETHS = 60
TICKS_PER_S = 1000 * SIXTIETHS          # the timecode's finest unit, a thousandth of a sixtieth
S_PER_DAY = 24 * 3600
NUMBER = r"[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?$"
TIMECODE = r"(\d{1,6}):(\d{1,6}):(\d{1,6})[:;](\d{1,6}[.,]?\d*)$"
EMOTIONS = ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")   # NeuroSync's

# FF of a file's own rate: at a new second it falls by the rate. In sixtieths it falls by 60, less
# what dropped frames leave out, so that the step there is about as long as the others.
MIN_NEW_SECONDS = 2             # where rows of one second follow rows of the second before
MIN_SAME_RATE = 0.75            # of those say the same rate, to a frame
SIXTIETHS_RATES = (54, 66)      # a rate in between is sixtieths, written with some jitter
MIN_LEAP = 2.5                  # of the step at a new second, read as sixtieths, to the usual ones
# Drop-frame timecode, SMPTE 12M: it counts to 30 and leaves out two numbers a minute.
DROP_FRAME_RATE, DROPPED, DROP_FRAME_FPS = 30, 2, 30000 / 1001.0
SECONDS_STEP_S = 0.5            # timecodes without colons that step by less are seconds

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


def write_live_link_csv(path, weights, names, fps, angles=None, start_s=0.0):
    """The clip as a Live Link Face take.

    weights: [frames, len(names)] in [0, 1]; the 52 names in any order.
    angles: [frames, 9] radians, in the order ANGLES; None: all 0.
    start_s: time of day of the first row, in seconds.
    Raises ValueError for a missing channel, NaN, or weights out of range.
    """
    def takes():
        for first, shapes in unit_blocks(weights, names, LIVE_LINK_CSV_CHANNELS):   # [n, 52]
            yield LiveLinkTake(
                start_s, np.arange(first, first + len(shapes)) / float(fps), shapes,
                LIVE_LINK_CSV_CHANNELS, np.zeros((len(shapes), len(ANGLES))) if angles is None
                else angles[first:first + len(shapes)], ANGLES, np.ones(len(shapes), bool))

    _write_takes(path, takes())


def write_live_link_take(path, take):
    """A whole take, angles and time of day included; read_live_link_take's inverse."""
    _write_takes(path, [take])


def _write_takes(path, takes):
    """The rows of LiveLinkTakes, one take after the other."""
    row_format = ",".join(["%s", "%d"] + ["%.10f"] * (len(HEADER) - 2)) + "\n"
    with written_aside(path) as aside, open(aside, "w", newline="\n") as stream:
        stream.write(",".join(HEADER) + "\n")
        for take in takes:
            shapes = reorder(take.weights, take.names, LIVE_LINK_CSV_CHANNELS)      # [n, 52]
            angles = reorder(take.angles, take.angle_names, ANGLES)                 # [n, 9]
            rows = np.concatenate([shapes, angles], axis=1) + 0.0                   # no "-0.0"
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


def read_live_link_take(path, warn=print_warning):
    """The LiveLinkTake in `path`; errors as read_live_link_csv.

    warn: called with a line where the timecode was read in another way than the app's.
    """
    lines = csv_rows(path)
    _, columns = next(lines, (1, []))
    has_frame_rate, shapes, angles = _read_header(path, columns)
    timecodes, units_per_s, rows, has_face = [], [], [], []
    for line, cells in lines:
        has_face.append(has_frame_rate or not _is_zero(cells[1:2]))
        if not has_face[-1]:
            cells = cells[:2] + ["0"] * (len(columns) - 2)
        if len(cells) != len(columns):
            raise UserError("%s line %d: %d cells where the header has %d"
                            % (path, line, len(cells), len(columns)))
        values = _numbers(path, line, columns, cells)
        timecodes.append((line, cells[0]))
        units_per_s.append(values[0] if has_frame_rate else SIXTIETHS)
        rows.append(values[1:].astype(np.float32))
    if not rows:
        raise UserError("%s: no rows below the header; expected one for each frame" % path)
    if re.match(NUMBER, timecodes[0][1]):
        times_s = _counted_times_s(path, timecodes, warn)
    else:
        times_s = _times_of_day_s(path, timecodes, units_per_s, has_frame_rate, warn)
    rows = np.stack(rows)                               # [frames, shapes and angles]
    return LiveLinkTake(
        float(times_s[0]), _times_from_start(path, times_s),
        rows[:, [place for place, _ in shapes]], tuple(name for _, name in shapes),
        rows[:, [place for place, _ in angles]], tuple(name for _, name in angles),
        np.array(has_face))


def read_live_link_rows(path, warn):
    """The FaceRows of a take: weights in 0..1, start_s its time of day, the nine ANGLES."""
    take = read_live_link_take(path, warn)
    weights = in_unit_range(path, take.weights, warn).astype(np.float32)
    angles = np.zeros((len(weights), len(ANGLES)), np.float32)  # 0 where the file lacks one
    angles[:, [ANGLES.index(name) for name in take.angle_names]] = take.angles
    return FaceRows(LIVE_LINK, take.start_s, take.times_s, weights, take.names, take.has_face,
                    angles)


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
            elif key not in EMOTIONS:
                raise UserError("%s line 1: the column %.80r is none of the 52 ARKit shapes and 9 "
                                "angles; rename or remove it" % (path, column))
        if shapes:
            return second == "framerate", shapes, angles
    raise UserError("%s line 1: not a Live Link Face CSV; expected a header Timecode,"
                    "BlendshapeCount,EyeBlinkLeft,... and found %r"
                    % (path, ",".join(columns)[:60]))


def _numbers(path, line, columns, cells):
    """float64 [columns - 1], all but the timecode; UserError names the first that is none."""
    try:
        values = np.array([float(cell) for cell in cells[1:]])
    except ValueError:
        values = _with_decimal_commas(cells[1:])
    if values is not None and np.isfinite(values).all():
        return values
    for column, cell in zip(columns[1:], cells[1:]):
        if not re.match(NUMBER, cell):
            raise UserError("%s line %d: column %.80s is %.80r; expected a finite number"
                            % (path, line, column, cell))
    raise UserError("%s line %d: a number is too large" % (path, line))


def _with_decimal_commas(cells):
    try:
        return np.array([number(cell) for cell in cells])
    except ValueError:
        return None


def _counted_times_s(path, timecodes, warn):
    """[frames] seconds of timecodes without colons: frame numbers, or seconds."""
    counted = np.empty(len(timecodes))
    for row, (line, text) in enumerate(timecodes):
        if not re.match(NUMBER, text):
            raise UserError("%s line %d: %.80r is a timecode and those above are numbers; give one "
                            "take" % (path, line, text))
        counted[row] = number(text)
    steps = np.diff(counted)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    if (counted == np.floor(counted)).all():
        warn("%s: the timecode is the number of the frame: taken as %d a second"
             % (os.path.basename(path), SIXTIETHS))
        return counted / SIXTIETHS
    if not 0.0 < usual < SECONDS_STEP_S:
        raise UserError("%s line %d: %.80r is not a timecode HH:MM:SS:FF.mmm"
                        % (path, timecodes[0][0], timecodes[0][1]))
    warn("%s: the timecode steps by %.4g: taken as seconds" % (os.path.basename(path), usual))
    return counted


def _times_of_day_s(path, timecodes, units_per_s, has_frame_rate, warn):
    """[frames] seconds of timecodes HH:MM:SS:FF.mmm."""
    seconds, units = np.empty(len(timecodes), np.int64), np.empty(len(timecodes))
    for row, (line, text) in enumerate(timecodes):
        found = re.match(TIMECODE, text)
        if not found:
            raise UserError("%s line %d: %.80r is not a timecode HH:MM:SS:FF.mmm"
                            % (path, line, text))
        if not units_per_s[row] > 0:
            raise UserError("%s line %d: a FrameRate of %g" % (path, line, units_per_s[row]))
        hours, minutes, whole_s, frame = found.groups()
        seconds[row] = int(hours) * 3600 + int(minutes) * 60 + int(whole_s)
        units[row] = number(frame)
    own_rate, is_sure = (None, True) if has_frame_rate else _own_rate(seconds, np.floor(units))
    if not is_sure:
        warn("%s: FF of the timecode runs to %d and leaps at the new second, as if it counted "
             "frames; the take is too short to tell and is read as sixtieths"
             % (os.path.basename(path), np.floor(units).max()))
    if own_rate is None or not is_sure:
        return seconds + units / np.array(units_per_s, np.float64)
    warn("%s: FF of the timecode runs to %d and leaps at every new second: it counts frames, "
         "taken as %d a second" % (os.path.basename(path), np.floor(units).max(), own_rate))
    frames = _steadier(seconds, units, own_rate)
    if own_rate == DROP_FRAME_RATE and _drops_frames(seconds, np.floor(units)):
        minutes = seconds // 60
        count = seconds * own_rate + frames - DROPPED * (minutes - minutes // 10)   # [frames]
        return seconds[0] + frames[0] / own_rate + (count - count[0]) / DROP_FRAME_FPS
    return seconds + frames / own_rate


def _drops_frames(seconds, frames):
    """Whether the numbers 0 and 1 are left out at each minute but the tenth, as at 29.97 fps."""
    starts = (np.diff(seconds) == 1) & (seconds[1:] % 60 == 0) & (seconds[1:] // 60 % 10 != 0)
    return starts.any() and (frames[1:][starts] >= DROPPED).all()


def _own_rate(seconds, frames):
    """(rate, is_sure) at which `frames`, FF as whole numbers [rows], are counted.

    The rate is None of sixtieths. It is not sure where the rows see one new second only.
    """
    later_s, steps = np.diff(seconds) % S_PER_DAY, np.diff(frames)          # [rows - 1]
    inside = steps[(later_s == 0) & (steps > 0)]
    at_new_second = steps[later_s == 1]
    if not len(at_new_second) or not len(inside):
        return None, True
    usual = np.median(inside)
    rates = usual - at_new_second
    rate = int(round(float(np.median(rates))))
    if (frames.max() >= rate or SIXTIETHS_RATES[0] < rate < SIXTIETHS_RATES[1]
            or np.mean(np.abs(rates - rate) <= 1) < MIN_SAME_RATE):
        return None, True
    leap = SIXTIETHS - rate + usual
    if rate < SIXTIETHS and leap < MIN_LEAP * np.percentile(inside, 90):
        return None, True
    return rate, len(at_new_second) >= MIN_NEW_SECONDS


def _steadier(seconds, units, rate):
    """FF [rows], with what stands behind its point only where it steps more evenly so.

    Behind the point some programs write milliseconds, or number the rows.
    """
    def uneven(frames):
        steps = np.diff(seconds * rate + frames)
        return np.sum(np.abs(steps - np.median(steps)) > 0.5)
    whole = np.floor(units)
    return units if uneven(units) < uneven(whole) else whole


def _times_from_start(path, day_times_s):
    times_s = day_times_s - day_times_s[0]
    steps_s = np.diff(times_s)
    times_s[1:] += S_PER_DAY * np.cumsum(steps_s < -S_PER_DAY / 2)
    backwards = np.flatnonzero(np.diff(times_s) < 0)
    if len(backwards):
        raise UserError("%s: the timecode goes backwards after row %d of %d; give one take in "
                        "its own order" % (path, backwards[0] + 1, len(times_s)))
    return times_s
