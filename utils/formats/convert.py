"""From one face file to another format: its rate found, resampled, edited, moved in time."""
import os

import numpy as np

from utils.common.channels import UNREAL_CHANNELS
from utils.common.errors import UserError, print_warning
from utils.common.resample import num_frames_of, resample_frames
from utils.common.timecode import seconds_of_timecode
from utils.formats.exporters import FORMATS, write_face
from utils.formats.face_files import read_rows_to_show
from utils.formats.face_kinds import BY_NAME, LIVE_LINK

# Times are even where each stands this near to its frame's: Live Link's unit is a 60000th of a
# second; trackers write whole milliseconds, rounded or cut.
EVEN_S = (2e-5, 1.1e-3)
STILL_RADIANS = 1e-6            # angles of a head that turns less are not missed


def format_of_name(path):
    """The key of FORMATS that a file's name means, or None where several are called so."""
    name = os.path.basename(path).lower()
    for key, exporter in FORMATS.items():
        if name == exporter.file_name:
            return key
    fitting = formats_of_extension(path)
    return fitting[0] if len(fitting) == 1 else None


def formats_of_extension(path):
    """The keys of FORMATS whose files end as `path` does."""
    extension = os.path.splitext(path)[1].lower()
    return [key for key, exporter in FORMATS.items()
            if os.path.splitext(exporter.file_name)[1] == extension]


def convert(in_path, out_path, to_name, fps=None, offset_s=0.0, live_link_sides=BY_NAME,
            warn=print_warning, avatar_path=None, edit=None, start_timecode=None):
    """Write the face of one file as another; (frames, fps) of what was written.

    The file written begins at start_timecode, whatever the time of day of the one read.

    Args:
      to_name: a key of FORMATS.
      fps: of the file written; None keeps the rate of the one read.
      offset_s: how much later the face moves; the first frame is held meanwhile. Below 0, so much
        is cut from the beginning.
      avatar_path: the head of a .glb; None is the repository's own.
      live_link_sides, warn: as utils.formats.face_files.read_face.
      edit: called with (weights float32 [frames, 52], names, fps, angles float32 [frames, 9] in
        radians or None, timecode_s of the file read or None); gives weights, angles and a record
        of what was changed, or None. Before the offset.
      start_timecode: of formats with a time of day, see utils.common.timecode; None is midnight.
    Raises UserError for a file that cannot be read, whose rate is uneven while no `fps` is given,
    or that the other format cannot hold.
    """
    refuse_overwriting(in_path, out_path)
    name = os.path.basename(in_path)
    rows = read_rows_to_show(in_path, name, warn, live_link_sides)
    weights = _all_channels(name, rows, warn)                               # [rows, 52]
    fps = _rate(in_path, rows, fps)
    start_s = start_seconds(start_timecode, fps)
    weights = _evenly(rows, np.clip(weights, 0.0, 1.0), fps)                # [frames, 52]
    has_turned = np.abs(rows.angles[rows.has_face]).max(initial=0.0) > STILL_RADIANS
    angles = _evenly(rows, rows.angles, fps) if has_turned else None        # [frames, 9]
    record = None
    if edit is not None:
        timecode_s = rows.start_s if rows.kind == LIVE_LINK and rows.start_s > 0 else None
        weights, angles, record = edit(weights, UNREAL_CHANNELS, fps, angles, timecode_s)
    if offset_s:
        record = dict(record or {}, offset_s=offset_s)
        num_frames = num_frames_of(len(weights) / float(fps) + offset_s, fps)
        if num_frames <= 0:
            raise UserError("%s lasts %.2f s; --offset %g leaves nothing of it"
                            % (in_path, len(weights) / float(fps), offset_s))
        weights = later(weights, fps, offset_s, num_frames)
        angles = None if angles is None else later(angles, fps, offset_s, num_frames)
    if angles is not None and "angles" not in FORMATS[to_name].takes:
        warn("%s has no place for the angles of head and eyes, which are left out; --to csv keeps "
             "them" % os.path.basename(out_path))
    write_face(out_path, to_name, weights, UNREAL_CHANNELS, fps, avatar_path, warn, record, angles,
               start_s)
    return len(weights), fps


def refuse_overwriting(in_path, out_path):
    """UserError where what is read is the file to be written, too."""
    if (os.path.exists(in_path) and os.path.exists(out_path)
            and os.path.samefile(in_path, out_path)):
        raise UserError("%s would be written over itself; choose another name" % in_path)


def later(values, fps, offset_s, num_frames):
    """Values [n, k] at an even rate as float32 [num_frames, k], offset_s later, ends held."""
    return resample_frames(values, np.arange(len(values)) / float(fps) + offset_s, fps, num_frames)


def start_seconds(start_timecode, fps):
    """The time of day in seconds of a timecode, 0 of None; UserError for none at that rate."""
    try:
        return seconds_of_timecode(start_timecode, fps) if start_timecode else 0.0
    except ValueError as error:
        raise UserError("--start_timecode %s" % error)


def even_rate(times_s):
    """The rate of rising times [frames] that begin at 0, or None where they are not even.

    A usual rate where one fits: a whole number, one of two or three decimals, 1000/1001 of a whole
    number.
    """
    if len(times_s) < 2 or not times_s[-1] > 0:
        return None
    mean = (len(times_s) - 1) / float(times_s[-1])
    usual = (round(mean), round(mean, 2), round(mean, 3), np.ceil(mean) * 1000 / 1001.0, mean)
    frames = np.arange(len(times_s))
    for within_s in EVEN_S:
        for rate in usual:
            if rate > 0 and np.abs(times_s - frames / float(rate)).max() <= within_s:
                return int(rate) if rate == int(rate) else float(rate)
    return None


def _all_channels(name, rows, warn):
    """Weights [rows, 52] in Unreal's order; channels that the file lacks are 0, and told."""
    weights = np.zeros((len(rows.weights), len(UNREAL_CHANNELS)), np.float32)
    for column, channel in enumerate(rows.names):
        weights[:, UNREAL_CHANNELS.index(channel)] = rows.weights[:, column]
    missing = [channel for channel in UNREAL_CHANNELS if channel not in rows.names]
    if missing:
        warn("%s lacks %d of the 52 shapes, written as 0: %s"
             % (name, len(missing), ", ".join(missing)))
    return weights


def _amplified(weights, gains, warn):
    factors = np.ones(len(UNREAL_CHANNELS), np.float32)
    for gain in gains:
        factors[_matching(gain, UNREAL_CHANNELS)] *= gain.factor
    amplified = weights * factors                                           # [rows, 52]
    above = (amplified > 1.0) & (weights <= 1.0)
    if above.any():
        warn("the gain brings %.2g %% of the amplified values above 1, most of them of %s; they "
             "are cut to 1" % (100.0 * above[:, factors > 1.0].mean(),
                           UNREAL_CHANNELS[above.sum(axis=0).argmax()]))
    return amplified


def _rate(path, rows, fps):
    """The rate to write at: fps, or the file's own; UserError where it has none."""
    own = even_rate(rows.times_s)
    if fps is None and own is None:
        steps_s = np.diff(rows.times_s)
        about = (", about %.4g a second" % (1.0 / np.median(steps_s[steps_s > 0]))
                 if (steps_s > 0).any() else "")
        raise UserError("%s: its %d frames have no even rate%s; say by --fps at which rate to write"
                        % (path, len(rows.times_s), about))
    return own if fps is None else fps


def _evenly(rows, values, fps):
    """Values [rows, k] as float32 [frames, k] at an even rate, bridged where there is no face."""
    own = even_rate(rows.times_s)
    if own == fps and rows.has_face.all():
        return values
    times_s = rows.times_s if own is None else np.arange(len(values)) / float(own)
    step_s = (1.0 / own if own else np.median(np.diff(times_s)) if len(times_s) > 1 else 1.0 / fps)
    return resample_frames(values[rows.has_face], times_s[rows.has_face], fps,
                           num_frames_of(times_s[-1] + step_s, fps))
