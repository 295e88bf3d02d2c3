"""The published system's training data: its sounds, labels and index, read safely."""
import collections
import hashlib
import os

import numpy as np

from utils.common.channels import MODEL_CHANNELS, TRACKER_CHANNELS, in_model_order
from utils.common.constants import (ANIMATION_FPS, AUDIO_BLOCK_S, PROFILE_REFERENCE,
                                    SAMPLE_RATE_HZ, WINDOW_SHAPE)
from utils.common.errors import UserError
from utils.common.resample import num_frames_of, resample_frames
from utils.dataset.recordings import Recording
from utils.dataset.restricted_pickle import load_pickle
from utils.dataset.store import natural_order
from utils.media.audio import mono_of_array, resample_array


# What the published system calls its files.
RAW_AUDIO_NAME, LABELS_NAME = "raw_audio_fixed.pkl", "data_verts.npy"
INDEX_NAME = "subj_seq_to_idx.pkl"

# The paths of one set of such files, named as the keys of a config are; processed_audio_path "":
# features are made anew.
PublishedPaths = collections.namedtuple(
    "PublishedPaths", "raw_audio_path verts_mmaps_path data2array_verts_path processed_audio_path")


def published_subjects(folder):
    """(names, path of the sounds, path of the labels) of the published files in a folder."""
    paths = paths_in_folder(folder)
    names = subjects_of_pickle(paths.data2array_verts_path, ())
    return (sorted((str(name) for name in names), key=natural_order), paths.raw_audio_path,
            paths.verts_mmaps_path)


def published_recording(folder, name):
    """One subject of the published files in a folder: what it says before features are made."""
    return published_recordings(paths_in_folder(folder), [name], False)[0]


def paths_in_folder(folder):
    """The PublishedPaths of a folder that holds the files under their own names."""
    return PublishedPaths(*[os.path.join(folder, name) for name in (
        RAW_AUDIO_NAME, LABELS_NAME, INDEX_NAME)] + [""])


def published_recordings(paths, names, progress):
    """The Recordings called `names` of the published files at `paths`.

    paths: a PublishedPaths, or a config, which has the same attributes. progress: say what is read.
    Raises UserError for what is missing or damaged, by its path.
    """
    sounds = subjects_of_pickle(paths.raw_audio_path, names)
    rows_of_subject = subjects_of_pickle(paths.data2array_verts_path, names)
    labels = _published_labels(paths.verts_mmaps_path)             # [rows, 40 or 52]
    channels = MODEL_CHANNELS[:labels.shape[1]]
    if labels.shape[1] == len(MODEL_CHANNELS) and not labels[:, len(TRACKER_CHANNELS):].any():
        # 40 columns that were filled up to 52 with zeros: those twelve are no measurements.
        labels, channels = labels[:, :len(TRACKER_CHANNELS)], TRACKER_CHANNELS
    processed = _processed_features(paths, names)
    if progress:
        print("training data: %d subjects from the published files beside %s, %d of %d channels"
              % (len(names), paths.raw_audio_path, len(channels), len(MODEL_CHANNELS))
              + (", features from %s" % paths.processed_audio_path if processed else ""))
    recordings = []
    for name in names:
        samples, rate_hz = _published_sound(paths.raw_audio_path, name, sounds[name])
        num_frames = num_frames_of(len(samples) / float(rate_hz), ANIMATION_FPS)
        targets, mask = in_model_order(
            _published_targets(paths, name, rows_of_subject[name], labels, num_frames), channels)
        digest = hashlib.sha256(("%s %d\n" % (samples.dtype.str, rate_hz)).encode("ascii"))
        digest.update(np.ascontiguousarray(samples).tobytes())
        recordings.append(Recording(
            name, digest.hexdigest(), len(samples) / float(rate_hz),
            _array_sound(samples, rate_hz), targets, mask, processed.get(name)))
    return recordings


def _array_sound(samples, rate_hz):
    def sound(profile):
        if profile == PROFILE_REFERENCE:
            sound_rate_hz, whole = rate_hz, mono_of_array(samples)
        else:
            sound_rate_hz, whole = SAMPLE_RATE_HZ, resample_array(samples, rate_hz)
        step = int(AUDIO_BLOCK_S * sound_rate_hz)
        return (whole[i:i + step] for i in range(0, len(whole), step)), sound_rate_hz
    return sound


def subjects_of_pickle(path, names):
    """The dict of subjects in the pickle at `path`, sure to hold each of `names`."""
    content = load_pickle(path)
    if not isinstance(content, dict):
        raise UserError("%s holds a %s; expected {subject: ...}"
                        % (path, type(content).__name__))
    missing = [name for name in names if name not in content]
    if missing:
        raise UserError("%s lacks the subject %s; it has %s (subjects are named in the config's "
                        "Data Setup)" % (path, ", ".join(missing),
                                         ", ".join(sorted(str(key) for key in content))))
    return content


def _published_sound(path, name, entry):
    try:
        samples, rate_hz = np.asarray(entry["audio"]), int(entry["sample_rate"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        raise UserError("%s, subject %s: expected {'audio': array, 'sample_rate': Hz}"
                        % (path, name))
    if rate_hz < 1:
        raise UserError("%s, subject %s: a sample rate of %d Hz" % (path, name, rate_hz))
    try:
        mono_of_array(samples)          # bad samples are told now, not after minutes of others
    except UserError as error:
        raise UserError("%s, subject %s: %s" % (path, name, error))
    return samples, rate_hz


def _published_labels(path):
    """float32 [rows, 40 or 52] of data_verts.npy, memory-mapped."""
    try:
        labels = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:          # a damaged header raises a dozen kinds
        raise UserError("cannot read the labels %s (verts_mmaps_path): %.200s" % (path, error))
    if labels.ndim == 3 and labels.shape[2] == 1:
        labels = labels[:, :, 0]
    widths = (len(TRACKER_CHANNELS), len(MODEL_CHANNELS))
    if labels.ndim != 2 or labels.shape[1] not in widths or labels.dtype.kind not in "fiu":
        raise UserError("%s is %s %s; expected float32 [frames, %d or %d, 1]"
                        % ((path, labels.dtype, list(labels.shape)) + widths))
    return labels


def _published_targets(paths, name, row_of_frame, labels, max_frames):
    """float32 [frames, 40 or 52]: row i is frame i; frames that have no row are interpolated."""
    try:
        frames = sorted((int(frame), int(row)) for frame, row in row_of_frame.items())
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise UserError("%s, subject %s: expected {frame number: row of %s}"
                        % (paths.data2array_verts_path, name, paths.verts_mmaps_path))
    if not frames or frames[0][0] < 0:
        raise UserError("%s, subject %s: frame numbers start at %s; expected them from 0"
                        % (paths.data2array_verts_path, name,
                           frames[0][0] if frames else "nothing"))
    numbers, rows = np.array(frames).T
    outside = rows[(rows < 0) | (rows >= len(labels))]
    if len(outside):
        raise UserError("%s, subject %s: row %d is not among the %d of %s"
                        % (paths.data2array_verts_path, name, outside[0], len(labels),
                           paths.verts_mmaps_path))
    values = np.asarray(labels[rows], dtype=np.float32)             # [frames, 40 or 52]
    bad = ~np.isfinite(values)
    if bad.any():
        row, channel = np.argwhere(bad)[0]
        raise UserError("%s, subject %s: row %d, channel %s is %s; expected a number in 0..1"
                        % (paths.verts_mmaps_path, name, rows[row], MODEL_CHANNELS[channel],
                           values[row, channel]))
    return resample_frames(values, numbers / float(ANIMATION_FPS), ANIMATION_FPS,
                           num_frames=min(numbers[-1] + 1, max_frames))


def _processed_features(paths, names):
    """{subject: windows} of the processed cache, empty where none is named or there."""
    path = paths.processed_audio_path
    if not path or not os.path.isfile(path):
        return {}
    if paths.feature_profile != PROFILE_REFERENCE:
        raise UserError("%s (processed_audio_path) holds features of the published pipeline and "
                        "feature_profile is %s; set feature_profile = %s, or leave "
                        "processed_audio_path empty to have features made"
                        % (path, paths.feature_profile, PROFILE_REFERENCE))
    content = subjects_of_pickle(path, names)
    processed = {}
    for name in names:
        entry = content[name]
        windows = np.asarray(entry["audio"] if isinstance(entry, dict) and "audio" in entry
                             else entry)
        if windows.dtype.kind != "f" or windows.ndim != 3 or windows.shape[1:] != WINDOW_SHAPE:
            raise UserError("%s, subject %s: features are %s %s; expected float [frames, %d, %d]"
                            % ((path, name, windows.dtype, list(windows.shape)) + WINDOW_SHAPE))
        if not np.isfinite(windows).all():
            raise UserError("%s, subject %s: features hold NaN or infinity" % (path, name))
        processed[name] = windows.astype(np.float32)
    return processed
