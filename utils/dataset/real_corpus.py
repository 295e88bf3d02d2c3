"""Subjects made from real recordings whose faces were captured or tracked.

What the faces say differs: in range, in what stands still, in where closed lips show. Each teaches
only the channels in which its source is consistent and it moves itself, on one scale: at rest 0,
and in speech as far as the teacher of the synthetic speech goes, whose amplitudes are those of
Live Link Face takes of unexaggerated speech (utils/speech/phone_shapes.py).

The folder is laid out as tests/measure/real_clips.py says. model/make_default_checkpoint.py uses
this.
"""
import collections
import csv
import glob
import hashlib
import os

import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS
from utils.common.errors import UserError
from utils.common.files import sha256_of_file
from utils.common.pcm import to_int16
from utils.common.resample import resample_frames
from utils.dataset.store import (ABSENT, Dataset, find_dataset, folder_key, folder_name,
                                 write_manifest, write_subject)
from utils.media.audio import read_audio
from utils.media.loudness import silent_frames, speech_envelope

VERSION = 3                         # raised when the labels change
REACH_PERCENTILE = 98.0             # of the frames in speech

# How far the teacher's face goes in speech, at that percentile.
OPENING_REACH = 0.315               # of jawOpen - mouthClose
REACH = {"mouthFunnel": 0.30, "mouthPucker": 0.50, "mouthUpperUpLeft": 0.14,
         "mouthUpperUpRight": 0.14, "mouthLowerDownLeft": 0.23, "mouthLowerDownRight": 0.23,
         "mouthRollUpper": 0.10, "mouthSmileLeft": 0.17, "mouthSmileRight": 0.17}
MOVING_DEVIATION = 0.02             # of a channel of the labels; one that moves less is noise

# piece_s: pieces that the recordings were joined from; no run of frames crosses their borders.
# rests: in silence his face teaches, too.
Source = collections.namedtuple("Source", "channels piece_s rests")
SOURCES = collections.OrderedDict([
    # A rig solved from video: its mouthClose is 0 throughout (the lips close with the jaw), and
    # its mouthPucker is used in some takes only.
    ("facegood", Source(("jawOpen", "mouthFunnel", "mouthUpperUpLeft", "mouthUpperUpRight",
                         "mouthLowerDownLeft", "mouthLowerDownRight"), None, True)),
    # MediaPipe on GRID's s1: his lips close in mouthClose; funnel, lips up and down are dead, and
    # pressing goes against what is heard. In silence his mouth is on its way to the next word: it
    # taught a mouth to stand open (leak on another speaker 0.02 -> 0.07).
    ("grid_s1", Source(("jawOpen", "mouthClose", "mouthPucker", "mouthRollUpper"), 3.0,
                        False)),
    # MediaPipe on nine more of GRID, a sentence to fifty of each: which of these move differs.
    ("grid_many", Source(("jawOpen", "mouthClose", "mouthPucker", "mouthRollUpper",
                          "mouthSmileLeft", "mouthSmileRight", "mouthUpperUpLeft",
                          "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight"), 3.0,
                         False)),
])

# face: whose it is. samples: float32, 16 kHz; weights: [frames, k] at ANIMATION_FPS; names: its k
# channels.
_Recording = collections.namedtuple("_Recording", "name face samples weights names")


def write_real_corpus(folder, realdata, speakers):
    """Write the recordings of `speakers` as a dataset; returns {speaker: [subject names]}.

    A speaker whose recordings are not in the folder `realdata` is left out. What stands there
    already, made of the same labels by these tables, is kept. Raises UserError where there are
    no recordings.
    """
    made_of = _made_of(realdata, speakers)
    names_of_speaker, records = collections.OrderedDict(), collections.OrderedDict()
    if find_dataset(folder):
        for name, record in Dataset(folder).subjects.items():
            if record.get("made_of") == made_of:
                names_of_speaker.setdefault(record["speaker"], []).append(name)
        if names_of_speaker:
            return names_of_speaker
    recordings_of = {"facegood": _facegood, "grid_s1": _grid_s1, "grid_many": _grid_many}
    for speaker in speakers:
        source = SOURCES[speaker]
        for of_face in _by_face(recordings_of[speaker](realdata, source)):
            channels = _moving(of_face, source.channels)
            for recording, targets in zip(of_face, calibrated(of_face, channels)):
                names_of_speaker.setdefault(speaker, []).append(recording.name)
                valid = np.ones(len(targets), bool)
                if source.piece_s:
                    length = int(source.piece_s * ANIMATION_FPS)
                    valid[length - 1::length] = False
                if not source.rests:
                    valid &= ~_silent(recording)
                mask = {name: ABSENT for name in MODEL_CHANNELS if name not in channels}
                records[recording.name] = write_subject(
                    folder, folder_name(recording.name, folder_key(recording.name, made_of)),
                    {"frames": len(targets), "mask": mask, "speaker": speaker,
                     "made_of": made_of},
                    targets, valid, to_int16(recording.samples))
    if not records:
        raise UserError("%s has no recordings of %s (pairs, grid_s1_video, grid_s1_clips or "
                        "faces_many); give another --real_data" % (realdata, ", ".join(speakers)))
    write_manifest(folder, records, VERSION)
    return names_of_speaker


def _made_of(realdata, speakers):
    """Hex digest of all that decides what the labels are."""
    tables = (VERSION, REACH_PERCENTILE, OPENING_REACH, MOVING_DEVIATION, sorted(REACH.items()),
              [(speaker, SOURCES[speaker]) for speaker in speakers])
    digest = hashlib.sha256(repr(tables).encode("utf-8"))
    for pattern in ("pairs/*.csv", "grid_s1_video/*_mediapipe52.csv", "grid_s1_clips/labels.npz",
                    "faces_many/*/labels.npz"):
        for path in sorted(glob.glob(os.path.join(realdata, pattern))):
            digest.update(sha256_of_file(path).encode("ascii"))
    return digest.hexdigest()


def _by_face(recordings):
    of_face = collections.OrderedDict()
    for recording in recordings:
        of_face.setdefault(recording.face, []).append(recording)
    return of_face.values()


def _moving(recordings, channels):
    """Those of `channels` that move in one face, on either side; the jaw always."""
    deviation = np.concatenate([_columns(one, channels) for one in recordings]).std(axis=0)
    shapes = [channel.replace("Left", "").replace("Right", "") for channel in channels]
    moving = {shape for shape, moved in zip(shapes, deviation) if moved >= MOVING_DEVIATION}
    return tuple(channel for channel, shape in zip(channels, shapes)
                 if shape in moving or channel == "jawOpen")


def calibrated(recordings, channels):
    """Targets float32 [frames, 52] of each recording of one face, `channels` filled in.

    Each channel is 0 where the face rests in silence, and reaches in speech what REACH says.
    jawOpen and mouthClose are scaled alike: lips meet where the two agree.
    """
    silent = np.concatenate([_silent(recording) for recording in recordings])
    weights = np.concatenate([_columns(recording, channels) for recording in recordings])
    rest = np.median(weights[silent], axis=0) if silent.any() else weights.min(axis=0)
    weights = np.maximum(weights - rest, 0.0)                           # [frames, k]
    opening = weights[:, channels.index("jawOpen")]
    if "mouthClose" in channels:
        opening = opening - weights[:, channels.index("mouthClose")]
    targets = np.zeros([len(weights), len(MODEL_CHANNELS)], np.float32)
    for column, channel in enumerate(channels):
        if channel in ("jawOpen", "mouthClose"):
            scale = OPENING_REACH / _reach(opening[~silent])
        else:
            scale = REACH[channel] / _reach(weights[~silent, column])
        targets[:, MODEL_CHANNELS.index(channel)] = np.clip(scale * weights[:, column], 0.0, 1.0)
    borders = np.cumsum([len(recording.weights) for recording in recordings])
    return np.split(targets, borders[:-1])


def _silent(recording):
    return silent_frames(speech_envelope(recording.samples))[:len(recording.weights)]


def _reach(values):
    return max(np.percentile(values, REACH_PERCENTILE), 1e-3)


def _columns(recording, channels):
    return recording.weights[:, [recording.names.index(channel) for channel in channels]]


def _facegood(realdata, source):
    del source
    recordings = []
    for path in sorted(glob.glob(os.path.join(realdata, "pairs", "*.flac"))):
        weights, names = _table(path[:-len(".flac")] + ".csv")
        recordings.append(_recording(_stem(path), "facegood", read_audio(path), weights, names))
    return recordings


def _grid_s1(realdata, source):
    recordings = []
    for path in sorted(glob.glob(os.path.join(realdata, "grid_s1_video", "*.mp4"))):
        weights, names = _table(path[:-len(".mp4")] + "_mediapipe52.csv")
        recordings.append(_recording("grid_s1_video_" + _stem(path), "grid_s1", read_audio(path),
                                     _pieces(weights, 25, source.piece_s), names))
    joined = os.path.join(realdata, "grid_s1_clips")
    if os.path.isdir(joined):
        recordings.append(_joined_clips(joined, "grid_s1_clips", "grid_s1", source))
    return recordings


def _grid_many(realdata, source):
    return [_joined_clips(folder, os.path.basename(folder), os.path.basename(folder), source)
            for folder in sorted(glob.glob(os.path.join(realdata, "faces_many", "grid_*")))]


def _joined_clips(folder, name, face, source):
    """The sentences of one face back to back: audio.flac and labels.npz in `folder`."""
    labels = np.load(os.path.join(folder, "labels.npz"))
    weights = labels["labels"].astype(np.float32)               # [clips, frames, 52]
    return _recording(
        name, face, read_audio(os.path.join(folder, "audio.flac")),
        _pieces(weights.reshape(-1, weights.shape[2]), int(labels["fps"]), source.piece_s),
        [str(channel) for channel in labels["names"]])


def _recording(name, face, samples, weights, names):
    """As long as both the sound and the labels."""
    num_frames = min(len(weights), len(speech_envelope(samples)))
    return _Recording(name, face, samples, weights[:num_frames], list(names))


def _pieces(weights, fps, piece_s):
    """[n, k] at `fps` brought to ANIMATION_FPS, nothing interpolated across pieces."""
    length = int(piece_s * fps)
    return np.concatenate([
        resample_frames(weights[start:start + length], float(fps), ANIMATION_FPS,
                        int(piece_s * ANIMATION_FPS))
        for start in range(0, len(weights) // length * length, length)])


def _table(path):
    """(weights float32 [rows, k], names of the k channels) of a csv of time and channels."""
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    return np.array(rows[1:], np.float32)[:, 1:], rows[0][1:]


def _stem(path):
    return os.path.splitext(os.path.basename(path))[0]
