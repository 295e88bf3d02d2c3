"""One recording, a video or a sound with its labels, to the arrays of a dataset.

It goes through: sound to 16 kHz mono; labels by their
source (utils/dataset/label_sources.py); jumps marked invalid; alignment of labels and sound; 30
fps by time stamps; the neutral pose taken off; light smoothing; a mask for channels that are
absent or stand still; a look for swapped sides. utils/dataset/store.py says what is written.
"""
import collections
import os
import platform

import imageio_ffmpeg
import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import (ANIMATION_FPS, AUDIO_BLOCK_S, INT16_SCALE,
                                    PROFILE_DEEPSPEECH, SAMPLE_RATE_HZ)
from utils.common.errors import UserError
from utils.common.pcm import to_int16
from utils.common.resample import num_frames_of
from utils.dataset import av_offset, label_cleaning, label_sources
from utils.dataset.alignment import (aligned, check_coverage, check_in_step,
                                     measured_offset)
from utils.dataset.label_kinds import PUBLISHED
from utils.dataset.plausibility import check_mouth, check_valid_share, check_weights
from utils.dataset.published_files import published_recording
from utils.dataset.store import ABSENT, STILL, new_folder, write_audio, write_labels, write_record
from utils.dataset.track_cache import json_ready, read_track, write_track
from utils.formats.face_kinds import BY_NAME, FACE_FILE_KINDS, LIVE_LINK, TABLE
from utils.media.audio import is_silent, open_audio
from utils.media.ffmpeg import media_timecode_s
from utils.media.loudness import long_speech_envelope

PROCESSING_VERSION = 2                  # raised when the same source gives other arrays
MIN_VALID_S = 0.5                       # of frames to learn from; with less, there is no subject
# A face at rest is not 0 in these, nor in a _raw take of Live Link Face.
CALIBRATED_KINDS = (label_sources.TRACKER, TABLE)

# labels: a kind of label_sources.KINDS, or None; calibrate: True, False or None (by the source);
# live_link_sides: see utils.formats.face_files.read_face.
Options = collections.namedtuple("Options", "labels landmarker_path fix_offset neutral_path "
                                 "calibrate smooth force live_link_sides")
Options.__new__.__defaults__ = (BY_NAME,)

# One recording: its file, and where its labels are. key and folder: see utils/dataset/store.py.
# landmarker_sha256: of the model file, where one is needed.
# tracked_in: a folder of the dataset that has the face of this very video tracked, or None.
Source = collections.namedtuple(
    "Source", "name media_path media_sha256 kind label_path label_sha256 key folder "
    "landmarker_sha256 tracked_in")


def process_recording(report, source, options, dataset_path):
    """Make the folder of one Source; returns its record.

    report: called with the seconds of media done so far.
    Raises UserError with all that is wrong with this recording, in one line.
    """
    with new_folder(dataset_path, source.folder) as aside:
        record = _process(report, source, options, dataset_path, aside)
        write_record(aside, record)
    return record


def _process(report, source, options, dataset_path, aside):
    warnings = []                       # of the readers, and of what is doubtful
    warn = warnings.append
    samples, audio_sha256 = write_audio(
        aside, (to_int16(block) for block in _sound(source, warn)))
    if _is_silent(samples) and not options.force:
        raise UserError("%s: its sound is silent from end to end; check the microphone and the "
                        "track, or take it by --force" % os.path.basename(source.media_path))
    duration_s = len(samples) / float(SAMPLE_RATE_HZ)
    num_frames = num_frames_of(duration_s, ANIMATION_FPS)
    envelope = long_speech_envelope(samples)
    track = read_track(source, dataset_path)
    if source.kind == PUBLISHED:
        track = _published_track(source)
    elif track is None:
        track = label_sources.read_label_track(
            source.kind, source.label_path, options.landmarker_path,
            progress=lambda done_s, total_s: report(min(done_s, duration_s)),
            media_path=source.media_path, warn=warn, live_link_sides=options.live_link_sides)
    if source.kind == label_sources.TRACKER:
        write_track(aside, track)
    if not track.valid.any():
        raise UserError("%s: %s" % (os.path.basename(source.label_path), _why_none(track)))
    if track.valid.sum() < 2:
        raise UserError("%s: 1 of %d rows of labels can be learnt from; give a longer take"
                        % (os.path.basename(source.label_path), len(track.valid)))
    jumps = label_cleaning.jumps(track.weights, track.times_s, track.names) & track.valid
    valid_rows = track.valid & ~jumps
    label_name = os.path.basename(source.label_path)
    if track.kind not in FACE_FILE_KINDS:           # whose readers have judged their range
        check_weights(track.weights, track.valid, label_name, options.force, warn)

    alignment = aligned(track, valid_rows, envelope, _media_timecode_s(source, track),
                        options.force, warn)
    start_s = alignment["start_s"]
    check_coverage(track, start_s, duration_s, alignment["method"], options.force, warn)
    weights, valid = label_cleaning.to_animation_frames(
        track.times_s, track.weights, valid_rows, num_frames, start_s)
    offset = measured_offset(weights, track.names, valid, envelope)
    if options.fix_offset and offset and offset["confidence"] >= av_offset.MIN_CONFIDENCE:
        weights, valid = label_cleaning.to_animation_frames(
            track.times_s, track.weights, valid_rows, num_frames,
            start_s - offset["offset_s"])
        offset["corrected"] = True
    elif options.fix_offset and offset:
        warn("offset left as it is: confidence %.2f is below %.2f"
                        % (offset["confidence"], av_offset.MIN_CONFIDENCE))
    if valid.sum() < MIN_VALID_S * ANIMATION_FPS:
        raise UserError("%s: %d of %d frames can be learnt from, at least %d are needed%s"
                        % (label_name, valid.sum(), num_frames, MIN_VALID_S * ANIMATION_FPS,
                           _reasons_text(track)))
    check_valid_share(valid, _reasons_text(track), label_name, options.force, warn)
    check_mouth(weights, track.names, valid, label_name, options.force, warn)
    if alignment["confidence"] is None:             # else a search has had its say
        check_in_step(weights, track.names, valid, envelope, warn)

    neutral = _neutral(track, weights, valid, source, options, warn)
    if neutral is not None:
        weights = label_cleaning.calibrated(weights, neutral)
    if options.smooth:
        weights = label_cleaning.smoothed(weights, valid, ANIMATION_FPS)
    targets, mask = _in_model_order(weights, track.names, valid)
    sides = label_cleaning.swapped_sides(targets[:, [MODEL_CHANNELS.index(name)
                                                     for name in track.names]],
                                         track.names, valid)
    warnings += [finding.words for finding in sides]
    targets_sha256 = write_labels(aside, targets, valid)
    report(duration_s)
    counts = collections.OrderedDict(
        (reason, int(np.sum(rows))) for reason, rows in track.reasons.items())
    counts["jump"] = int(jumps.sum())
    return collections.OrderedDict([
        ("folder", source.folder), ("rows", [0, num_frames]), ("frames", num_frames),
        ("duration_s", round(duration_s, 6)),
        ("media", {"name": os.path.basename(source.media_path), "sha256": source.media_sha256}),
        ("labels", collections.OrderedDict([
            ("kind", track.kind), ("name", os.path.basename(track.path)),
            ("sha256", source.label_sha256), ("rows", len(track.times_s)),
            ("notes", json_ready(track.notes))])),
        ("alignment", alignment), ("offset", offset), ("mask", mask),
        ("neutral", None if neutral is None else collections.OrderedDict(
            (name, round(float(value), 5)) for name, value in zip(track.names, neutral))),
        ("valid", {"share": round(float(valid.mean()), 4), "counts": counts}),
        ("sides", [json_ready(finding._asdict()) for finding in sides]), ("warnings", warnings),
        ("audio_sha256", audio_sha256), ("targets_sha256", targets_sha256),
        ("options", options_record(options)),
        ("versions", {"processing": PROCESSING_VERSION, "python": platform.python_version(),
                      "numpy": np.__version__,
                      "ffmpeg": imageio_ffmpeg.get_ffmpeg_version()})])


def _sound(source, warn):
    """The blocks of 16 kHz float32 of a recording."""
    if source.kind != PUBLISHED:
        return open_audio(source.media_path, warn).blocks(AUDIO_BLOCK_S)
    return published_recording(os.path.dirname(source.media_path), source.name).sound(
        PROFILE_DEEPSPEECH)[0]


def _published_track(source):
    """The labels of a subject of the published files, as training takes them: even at 30 fps."""
    recording = published_recording(os.path.dirname(source.media_path), source.name)
    has = recording.mask > 0
    return label_sources.LabelTrack(
        PUBLISHED, source.label_path, source.label_sha256,
        np.arange(len(recording.targets)) / float(ANIMATION_FPS), recording.targets[:, has],
        tuple(np.array(MODEL_CHANNELS)[has]), np.ones(len(recording.targets), bool),
        collections.OrderedDict(), 0.0, {})


def _is_silent(samples):
    """Whether int16 samples of any length swing nowhere."""
    step = int(AUDIO_BLOCK_S * SAMPLE_RATE_HZ)
    return all(is_silent(samples[start:start + step] / INT16_SCALE)
               for start in range(0, len(samples), step))


def _media_timecode_s(source, track):
    """The media's time of day, where the labels have one to compare; else None."""
    has_timecode = track.notes.get("timecode_s") is not None
    return media_timecode_s(source.media_path) if has_timecode else None


def _why_none(track):
    total = len(track.valid)
    for reason, rows in sorted(track.reasons.items(), key=lambda item: -np.sum(item[1])):
        if np.any(rows):
            return ("%s in %d of %d frames and none to learn from; give a video of one face, "
                    "seen from the front" % (reason, np.sum(rows), total))
    return "none of %d rows is valid" % total


def _reasons_text(track):
    counts = ["%s in %d rows" % (reason, np.sum(rows)) for reason, rows in track.reasons.items()
              if np.any(rows)]
    return " (%s)" % ", ".join(counts) if counts else ""


# ---- the weights

def _neutral(track, weights, valid, source, options, warn):
    """The pose to take off [k], or None."""
    if options.calibrate is False:
        return None
    if options.neutral_path:
        return _neutral_of_take(*neutral_source(options.neutral_path)
                                + (options, track.names, warn))
    is_raw = track.notes.get("take") == "raw"
    own_take = label_sources.neutral_take_of(source.media_path) if is_raw else None
    if own_take:
        return _neutral_of_take(LIVE_LINK, own_take, options, track.names, warn)
    if is_raw or track.kind in CALIBRATED_KINDS:
        return label_cleaning.neutral_pose(weights, valid)
    return None


def _neutral_of_take(kind, path, options, names, warn):
    """[k] the middle of each channel in a take of a face at rest; 0 for what it lacks."""
    take = label_sources.read_label_track(kind, path, options.landmarker_path, warn=warn,
                                          live_link_sides=options.live_link_sides)
    if not take.valid.any():
        raise UserError("%s (the neutral take): %s" % (path, _why_none(take)))
    middle = dict(zip(take.names, label_cleaning.neutral_pose(take.weights, take.valid, 0.5)))
    return np.array([middle.get(name, 0.0) for name in names], np.float32)


def neutral_source(path):
    """(kind, label path) of the file given as --neutral."""
    return label_sources.find_label_source(path)


def _in_model_order(weights, names, valid):
    """(targets float32 [frames, 52] in [0, 1], {channel: why it is masked})."""
    targets = np.zeros((len(weights), len(MODEL_CHANNELS)), np.float32)
    moves = dict(zip(names, label_cleaning.moving(weights, valid)))
    mask = collections.OrderedDict()
    for place, channel in enumerate(MODEL_CHANNELS):
        if channel not in moves:
            mask[channel] = ABSENT
            continue
        targets[:, place] = np.clip(weights[:, names.index(channel)], 0.0, 1.0)
        if not moves[channel]:
            mask[channel] = STILL
    return targets, mask


def options_record(options):
    """What of the Options decides the arrays, JSON-able."""
    record = collections.OrderedDict([
        ("fix_offset", options.fix_offset), ("calibrate", options.calibrate),
        ("neutral", os.path.basename(options.neutral_path) if options.neutral_path else None),
        ("smooth", options.smooth), ("force", options.force)])
    if options.live_link_sides != BY_NAME:
        record["live_link_sides"] = options.live_link_sides
    return record
