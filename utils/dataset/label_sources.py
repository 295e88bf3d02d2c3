"""Where a subject's labels come from: what lies beside its video, or the video itself.

    kind            file beside NAME.mp4
    live_link       NAME.csv, NAME_cal.csv, NAME_iPhone_cal.csv (before _raw, before _neutral)
    audio2face      NAME.json of its solver; NAME.csv, its animation_frames.csv
    beat            NAME.json of BEAT or LAM
    rokoko          NAME.json of this project, Rokoko Studio Live's v3
    mediapipe_csv   NAME.csv, NAME_mediapipe52.csv: times and columns called as ARKit calls them
    npz             NAME.npz of this project
    debugout        debugout-*.txt with a section for NAME.mp4, or NAME.txt: the log of the
                    tracker that the published labels came from
    tracker         nothing: the face in the video is tracked (utils/tracking/tracker.py)

Which kind a .csv or .json is, its content says. Each is read into the same LabelTrack, on its
own time stamps; nothing is resampled, clipped, calibrated or smoothed here. Weights in 0..100 are
divided by 100.

An .npz of many clips (labels [clips, frames, names]) is no take of one video and is refused:
write each clip as its own CLIP.npz (weights [frames, names], names, fps) beside CLIP.wav.
"""
import collections
import os
import re

import numpy as np

from utils.common.errors import UserError, print_warning
from utils.common.files import folder_and_stem, sha256_of_file
from utils.dataset.label_kinds import DEBUGOUT, KINDS, TRACKER
from utils.dataset.recordings import MEDIA_EXTENSIONS
from utils.formats.face_files import kind_of_face_file, read_face_rows
from utils.formats.face_kinds import BY_NAME, FACE_FILE_EXTENSIONS, LIVE_LINK
from utils.formats.tracker_log import log_lines, stem_of_section, is_tracker_log, read_tracker_log
from utils.media.video import VIDEO_EXTENSIONS
from utils.tracking.tracker import track_faces

NO_FACE, TWO_FACES = "no face", "two faces"
FROZEN_S = 0.1                          # a capture that repeats itself so long has lost the face
CLOCK_S = 1e6                           # times from there on are a calendar's, not the recording's

TAKE_SUFFIX = r"(?:_[^_]+)?_(cal|raw|neutral)\.csv$"
TABLE_SUFFIX = r"_mediapipe\d*\.csv$"

# kind, path, sha256: of the label file (tracker: of the video).
# times_s: float64 [n], rising, 0 first. weights: float32 [n, k] as the source has them, 0 where
# valid, bool [n], is False; names: k of the 52 channels.
# reasons: OrderedDict {why: bool [n]} of the rows that are not valid.
# start_s: where in the media times_s[0] stands; None: to be found by timecode or search.
# notes: {what: string or number} for a manifest; "timecode_s", the first row's time of day.
LabelTrack = collections.namedtuple(
    "LabelTrack", "kind path sha256 times_s weights names valid reasons start_s notes")


# ---- which

def find_label_source(media_path, forced_kind=None):
    """(kind, path) of the labels that belong to a video or sound file.

    forced_kind: one of KINDS, where several lie beside it or the video shall be tracked in spite
    of them. The path of a label file gives that file itself. Raises UserError: two candidates;
    none for a sound without a picture, or of the kind forced; a NAME.csv or NAME.json that is no
    face.
    """
    media_path = os.fspath(media_path)
    if media_path.lower().endswith(FACE_FILE_EXTENSIONS):
        return kind_of_face_file(media_path), media_path
    if media_path.lower().endswith(".txt"):
        return DEBUGOUT, media_path
    name = os.path.basename(media_path)
    if forced_kind is not None and forced_kind not in KINDS:
        raise UserError("labels of the kind %r; expected one of %s"
                        % (forced_kind, ", ".join(KINDS)))
    has_picture = media_path.lower().endswith(VIDEO_EXTENSIONS)
    found = [] if forced_kind == TRACKER else _files_beside(media_path, forced_kind)
    if len(found) > 1:
        raise UserError("%s: two label sources lie beside it, %s; remove one, or force one by "
                        "--labels KIND" % (name, " and ".join(
                            "%s (%s)" % (os.path.basename(path), kind) for kind, path in found)))
    if found:
        return found[0]
    if forced_kind not in (TRACKER, None):
        raise UserError("%s: no labels of the kind %s lie beside it; put them there under its "
                        "name" % (name, forced_kind))
    if not has_picture:
        raise UserError("%s: no labels lie beside it and it has no picture to track; put a "
                        "label file of its name there, or give the video" % name)
    return TRACKER, media_path


def neutral_take_of(media_path):
    """The Live Link Face app's NAME_..._neutral.csv beside a video; None where there is none."""
    takes = _takes_beside(os.fspath(media_path))
    return takes.get("neutral")


def _files_beside(media_path, forced_kind):
    """[(kind, path)], of forced_kind only where that is given."""
    folder, stem = folder_and_stem(media_path)
    takes = _takes_beside(media_path)
    paths = [takes[suffix] for suffix in ("cal", "raw", "neutral") if suffix in takes][:1]
    for name in _names_of_stem(folder, stem):
        rest = name[len(stem):].lower()
        if rest in FACE_FILE_EXTENSIONS or re.match(TABLE_SUFFIX, rest):
            paths.append(os.path.join(folder, name))
    found = []
    for path in paths:
        try:
            found.append((kind_of_face_file(path), path))
        except UserError as error:
            if forced_kind is None:         # else it is not what is asked for
                raise UserError("%s; or take it away, or force another source by --labels KIND"
                                % error)
    found += [(DEBUGOUT, path) for path in _logs_beside(folder, stem)]
    return [one for one in found if forced_kind in (None, one[0])]


def _names_of_stem(folder, stem):
    """File names in `folder` that begin with `stem` and belong to no video of a longer stem."""
    names = sorted(os.listdir(folder))
    longer = [os.path.splitext(name)[0] for name in names
              if name.lower().endswith(MEDIA_EXTENSIONS)]
    longer = tuple(other + end for other in longer for end in "._"
                   if other.startswith(stem) and len(other) > len(stem))
    return [name for name in names if name.startswith(stem)
            and not (longer and name.startswith(longer))]


def _takes_beside(media_path):
    """{"cal", "raw" or "neutral": path} of a Live Link Face take."""
    folder, stem = folder_and_stem(media_path)
    takes = {}
    for name in _names_of_stem(folder, stem):
        found = re.match(TAKE_SUFFIX, name[len(stem):], re.IGNORECASE)
        if found:
            takes.setdefault(found.group(1).lower(), os.path.join(folder, name))
    return takes


def _logs_beside(folder, stem):
    paths = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.lower() == stem.lower() + ".txt":
            if is_tracker_log(path):
                paths.append(path)
        elif re.match(r"debugout.*\.txt$", name, re.IGNORECASE):
            if stem in (stem_of_section(line) for line in log_lines(path)):
                paths.append(path)
    return paths


# ---- what is in them

def read_label_track(kind, path, landmarker_path, progress=None, tracker="auto",
                     media_path=None, warn=print_warning, live_link_sides=BY_NAME):
    """The LabelTrack in `path`, as find_label_source gave it.

    Args:
      kind: one of KINDS; path: the label file, or the video for "tracker".
      landmarker_path: face_landmarker.task, which only "tracker" opens.
      progress: called with (seconds done, seconds in all or None) while faces are tracked.
      tracker: "auto", "mediapipe" or "tensorflow", see utils/tracking/tracker.py.
      media_path: whose section of a log of several videos is meant.
      warn: called with a line on each thing that is doubtful, and how it was taken.
      live_link_sides: see utils.formats.face_files.read_face.
    Raises UserError in one line that names the file: missing, damaged, another kind, rows of
    wrong length, NaN, times that go backwards, no rows.
    """
    path = os.fspath(path)
    if kind not in KINDS:
        raise UserError("labels of the kind %r; expected one of %s" % (kind, ", ".join(KINDS)))
    if kind == TRACKER:
        return _tracked(path, landmarker_path, progress, tracker, warn)
    if kind == DEBUGOUT:
        times_s, weights, names = read_tracker_log(path, media_path)
        return _track(kind, path, times_s, weights, names, np.ones(len(times_s), bool),
                      times_s[0], {})
    rows = read_face_rows(path, warn, live_link_sides)
    if rows.kind != kind:
        raise UserError("%s is of the kind %s, not %s; force that by --labels %s"
                        % (path, rows.kind, kind, rows.kind))
    return track_of_rows(path, rows)


def track_of_rows(path, rows):
    """The LabelTrack of the FaceRows of a face file; UserError where none shows a face."""
    if rows.kind != LIVE_LINK:
        start_s = rows.start_s if rows.start_s < CLOCK_S else None
        return _track(rows.kind, path, rows.times_s, rows.weights, rows.names, rows.has_face,
                      start_s, {})
    take = re.search(TAKE_SUFFIX, path, re.IGNORECASE)
    has_face = rows.has_face & ~_frozen(rows)
    return _track(LIVE_LINK, path, rows.times_s, rows.weights, rows.names, has_face, None,
                  {"timecode_s": rows.start_s,
                   "take": take.group(1).lower() if take else "as recorded"})


def _track(kind, path, times_s, weights, names, has_face, start_s, notes):
    """The LabelTrack of a file, without rows that stand at the time of the row before."""
    kept = np.concatenate([[True], np.diff(times_s) > 0])
    times_s, weights, has_face = times_s[kept] - times_s[0], weights[kept], has_face[kept]
    if not has_face.any():
        raise UserError("%s: no row of %d has a face; give a take that shows one"
                        % (path, len(kept)))
    notes = dict(notes, rows=len(kept))
    if not kept.all():
        notes["rows_at_a_time_already_there"] = int((~kept).sum())
    if len(times_s) > 1:
        notes["fps"] = round(1.0 / float(np.median(np.diff(times_s))), 3)
    reasons = collections.OrderedDict()
    if not has_face.all():
        reasons[NO_FACE] = ~has_face
    weights = np.where(has_face[:, np.newaxis], weights, np.float32(0.0))
    return LabelTrack(kind, path, sha256_of_file(path), times_s, weights, tuple(names), has_face,
                      reasons, start_s if start_s is None else float(start_s), notes)


def _frozen(rows):
    """Rows of a Live Link Face take that repeat, to the last digit, one FROZEN_S or more before.

    A camera's noise lets no two frames be equal, so that is the last face seen, held. A file
    without angles was not captured: it may stand still.
    """
    frozen = np.zeros(len(rows.times_s), bool)
    if not rows.angles.any():
        return frozen
    values = np.concatenate([rows.weights, rows.angles], axis=1)
    starts = np.flatnonzero(np.concatenate([[True], (values[1:] != values[:-1]).any(axis=1)]))
    for start, end in zip(starts, np.append(starts[1:], len(values))):
        if rows.times_s[end - 1] - rows.times_s[start] >= FROZEN_S:
            frozen[start + 1:end] = True
    return frozen


def _tracked(path, landmarker_path, progress, tracker, warn):
    track = track_faces(path, landmarker_path, tracker, progress, warn)
    reasons = collections.OrderedDict([
        (NO_FACE, track.num_faces == 0), (TWO_FACES, track.num_faces > 1)])
    valid = track.num_faces == 1
    weights = np.where(valid[:, np.newaxis], track.weights, np.float32(0.0))
    return LabelTrack(TRACKER, path, sha256_of_file(path), track.times_s - track.times_s[0],
                      weights, track.names, valid, reasons, float(track.times_s[0]), track.notes)
