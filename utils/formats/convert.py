"""From one face file to another format: its rate found, resampled, amplified, moved in time."""
import collections
import fnmatch
import os

import numpy as np

from utils.common.channels import MODEL_CHANNELS, UNREAL_CHANNELS
from utils.common.errors import UserError, print_warning
from utils.common.resample import num_frames_of, resample_frames
from utils.formats.exporters import FORMATS, write_face
from utils.formats.face_files import read_face_rows
from utils.formats.face_kinds import BY_NAME

# Times are even where each stands this near to its frame's: Live Link's unit is a 60000th of a
# second; trackers write whole milliseconds, rounded or cut.
EVEN_S = (2e-5, 1.1e-3)
STILL_RADIANS = 1e-6            # angles of a head that turns less are not missed
MAX_GAIN = 100.0

# pattern: of channel names, as in a shell, in any case. factor: >= 0.
Gain = collections.namedtuple("Gain", "pattern factor")


def parse_gain(text):
    """The Gain that `mouthSmile*=0.8` stands for; ValueError in words for what is none."""
    pattern, equals, factor = text.rpartition("=")
    try:
        factor = float(factor if equals else "")
    except ValueError:
        raise ValueError("%r; expected NAME=FACTOR, as mouthSmile*=0.8" % text)
    if not 0 <= factor <= MAX_GAIN:
        raise ValueError("a factor of %g; expected 0 to %g" % (factor, MAX_GAIN))
    gain = Gain(pattern.strip(), factor)
    if not _matching(gain, MODEL_CHANNELS):
        raise ValueError("%r is the name of none of the 52 shapes; as jawOpen, mouthSmile*"
                         % gain.pattern)
    return gain


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


def convert(in_path, out_path, to_name, fps=None, gains=(), offset_s=0.0, live_link_sides=BY_NAME,
            warn=print_warning, avatar_path=None):
    """Write the face of one file as another; (frames, fps) of what was written.

    The file written begins at 0 s, whatever the time of day of the one read.

    Args:
      to_name: a key of FORMATS.
      fps: of the file written; None keeps the rate of the one read.
      gains: Gains; factors on one channel multiply. What comes above 1 is cut to 1, and told.
      offset_s: how much later the face moves; the first frame is held meanwhile. Below 0, so much
        is cut from the beginning.
      avatar_path: the head of a .glb; None is the repository's own.
      live_link_sides, warn: as utils.formats.face_files.read_face.
    Raises UserError for a file that cannot be read, whose rate is uneven while no `fps` is given,
    or that the other format cannot hold.
    """
    if (os.path.exists(in_path) and os.path.exists(out_path)
            and os.path.samefile(in_path, out_path)):
        raise UserError("%s would be written over itself; choose another name" % in_path)
    rows = read_face_rows(in_path, warn, live_link_sides)
    name = os.path.basename(in_path)
    if not rows.has_face.any():
        raise UserError("%s: no row of %d has a face; give one that shows a face"
                        % (in_path, len(rows.has_face)))
    if not rows.has_face.all():
        warn("%s: %d of %d rows have no face; the face is drawn across them in straight lines"
             % (name, np.sum(~rows.has_face), len(rows.has_face)))
    if np.abs(rows.angles[rows.has_face]).max(initial=0.0) > STILL_RADIANS:
        warn("%s: the angles of its head and eyes are left out" % name)
    weights = _all_channels(name, rows, warn)                               # [rows, 52]
    weights = _amplified(weights, gains, warn)
    weights, fps = _evenly(in_path, rows, np.clip(weights, 0.0, 1.0), fps, offset_s)
    write_face(out_path, to_name, weights, UNREAL_CHANNELS, fps, avatar_path, warn)
    return len(weights), fps


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


def _matching(gain, names):
    return [place for place, name in enumerate(names)
            if fnmatch.fnmatchcase(name.lower(), gain.pattern.lower())]


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


def _evenly(path, rows, weights, fps, offset_s):
    """(weights float32 [frames, 52], fps) at an even rate, moved by offset_s."""
    own = even_rate(rows.times_s)
    if own is None and fps is None:
        steps_s = np.diff(rows.times_s)
        about = (", about %.4g a second" % (1.0 / np.median(steps_s[steps_s > 0]))
                 if (steps_s > 0).any() else "")
        raise UserError("%s: its %d frames have no even rate%s; say by --fps at which rate to write"
                        % (path, len(weights), about))
    fps = own if fps is None else fps
    if own == fps and not offset_s and rows.has_face.all():
        return weights, fps
    times_s = rows.times_s if own is None else np.arange(len(weights)) / float(own)
    step_s = (1.0 / own if own else np.median(np.diff(times_s)) if len(times_s) > 1 else 1.0 / fps)
    duration_s = times_s[-1] + step_s + offset_s
    if not duration_s > 0:
        raise UserError("%s lasts %.2f s; --offset %g leaves nothing of it"
                        % (path, duration_s - offset_s, offset_s))
    has_face = rows.has_face
    return resample_frames(weights[has_face], times_s[has_face] + offset_s, fps,
                           num_frames_of(duration_s, fps)), fps
