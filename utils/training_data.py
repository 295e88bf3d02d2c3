"""Training subjects from any source, as windows of features and target weights.

A dataset of process_data.py; or the published files (raw_audio_path, verts_mmaps_path,
data2array_verts_path and perhaps processed_audio_path); or a folder (training_data_path) of
NAME.mp4 with NAME.csv beside it. training_data/README.md describes all. Channels that a source
lacks are masked, never zero.
"""
import collections
import fnmatch
import hashlib
import os

import numpy as np
from tqdm import tqdm

from utils.augmentation import altered_frames, altered_sound, altered_valid, alteration_of
from utils.audio import mono_of_array, open_audio, resample_array
from utils.channels import MODEL_CHANNELS, TRACKER_CHANNELS
from utils.config import Config
from utils.constants import (ANIMATION_FPS, INT16_SCALE, PROFILE_DEEPSPEECH, PROFILE_REFERENCE,
                             SAMPLE_RATE_HZ)
from utils.dataset import MANIFEST_NAME, Dataset, find_dataset, natural_order
from utils.errors import UserError
from utils.feature_cache import (WINDOW_SHAPE, cache_key, cache_path, read_cached,
                                 write_cached)
from utils.files import allow_open_files, sha256_of_file
from utils.live_link_csv import read_live_link_csv
from utils.resample import num_frames_of, resample_frames
from utils.restricted_pickle import load_pickle

MEDIA_EXTENSIONS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".wav")
DATASET, PUBLISHED, VIDEOS = "dataset", "published", "videos"
FEATURES_FOLDER = "features"            # in checkpoint_dir
BLOCK_S = 10.0                          # of sound held at a time
MAPS_PER_SUBJECT = 2                    # targets and windows

# What a source says of one subject before features are made of it.
# sound(profile) gives (an iterator of sample blocks, their rate in Hz); windows are the
# features themselves where the source brings them, else None. valid None: every frame is.
_Recording = collections.namedtuple(
    "_Recording", "name audio_sha256 duration_s sound targets mask windows valid labels_sha256")
_Recording.__new__.__defaults__ = (None, None)


class Subject(object):
    """One speaker's recording, ready for batches.

    Attributes:
      name: as the config has it.
      windows: float32 [frames, 16, 29], memory-mapped from the cache.
      targets: float32 [frames, 52] in [0, 1], MODEL_CHANNELS order; row i stands at i / 30 s;
        memory-mapped where they come from a dataset.
      mask: float32 [52], 1 where the source has the channel and it moves, else 0 (the targets
        there mean nothing).
      audio_sha256: of the sound, hex.
      labels_sha256: of all that the targets come from, hex; None where nobody has told.
      valid: bool [frames], False where the targets mean nothing (no face, two faces, a jump).
      sound: function of a feature profile: (iterator of float32 sample blocks, their rate in Hz);
        None where nobody has told.
    """

    def __init__(self, name, windows, targets, mask, audio_sha256, valid=None,
                 labels_sha256=None, sound=None):
        self.name = name
        self.windows = windows
        self.targets = targets
        self.mask = mask
        self.audio_sha256 = audio_sha256
        self.valid = np.ones(len(targets), bool) if valid is None else valid
        self.labels_sha256 = labels_sha256
        self.sound = sound


def subject_names(config):
    """(subjects to learn from, subjects to measure on) of a config, shell patterns spelt out.

    A pattern (`*`, `s1_*`, `[0-9]*`) stands for the subjects of the source that it matches and
    that are not named otherwise; a name for itself, whether it exists or not.
    """
    lists = [[str(name) for name in names]
             for names in (config.subject_for_training, config.subject_for_validation)]
    available = None
    taken = {_stem(name) for names in lists for name in names}
    for which in (1, 0):                            # what validates is not learnt from
        spelt_out = []
        for name in lists[which]:
            if not any(character in name for character in "*?["):
                spelt_out.append(name)
                continue
            if available is None:
                available = _available_names(config)
            if _stem(name) in {_stem(subject) for subject in available}:
                spelt_out.append(name)              # a name that looks like a pattern
                continue
            matching = [subject for subject in available if _stem(subject) not in taken
                        and fnmatch.fnmatchcase(_stem(subject), _stem(name))]
            if not matching:
                raise UserError("no subject matches %s (in the config's Data Setup) besides those "
                                "named otherwise; there are %s"
                                % (name, ", ".join(available) or "none"))
            taken |= {_stem(subject) for subject in matching}
            spelt_out += matching
        lists[which] = spelt_out
    return lists[0], lists[1]


def load_subjects(config, names, acoustic_graph, progress=True):
    """The Subjects called `names`, in that order; features come from the cache where it has them.

    Args:
      config: attributes raw_audio_path, verts_mmaps_path, data2array_verts_path,
        processed_audio_path, training_data_path, feature_profile, checkpoint_dir.
      acoustic_graph: with `sha256`; used only where features must be made.
      progress: say which source is used, and show a bar while features are made.
    Raises UserError for missing files and subjects, unusable audio or labels (by name).
    """
    return _with_features(config, _recordings(config, names, progress), acoustic_graph, progress)


def load_altered_copies(config, names, acoustic_graph, progress=True):
    """Subjects that are altered copies of those called `names`, config.altered_copies of each.

    Sound and labels are those of utils/augmentation.py; the features come from the cache where
    it has them. Raises as load_subjects does.
    """
    if not config.altered_copies:
        return []
    copies = [_altered(recording, number) for recording in _recordings(config, names, False)
              for number in range(1, config.altered_copies + 1)]
    allow_open_files(MAPS_PER_SUBJECT * (len(names) + len(copies)))
    return _with_features(config, copies, acoustic_graph, progress)


def _recordings(config, names, progress):
    names = [str(name) for name in names]
    repeated = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if repeated:
        raise UserError("the subject %s is named twice; name each once" % ", ".join(repeated))
    recordings_of = {DATASET: _dataset_recordings, PUBLISHED: _published_recordings,
                     VIDEOS: _folder_recordings}[_source(config)]
    return recordings_of(config, names, progress)


def _with_features(config, recordings, acoustic_graph, progress):
    folder = os.path.join(config.checkpoint_dir, FEATURES_FOLDER)
    paths = [cache_path(folder, recording.name, cache_key(
        recording.audio_sha256, acoustic_graph.sha256, config.feature_profile))
        for recording in recordings]
    to_make = [(recording, path) for recording, path in zip(recordings, paths)
               if recording.windows is None and read_cached(path) is None]
    _make_features(to_make, acoustic_graph, config.feature_profile, progress)
    return [_subject(recording, path) for recording, path in zip(recordings, paths)]


def published_subjects(folder):
    """(names, path of the sounds, path of the labels) of the published files in a folder."""
    config = _published_config(folder)
    names = _subjects_of_pickle(config.data2array_verts_path, ())
    return (sorted((str(name) for name in names), key=natural_order), config.raw_audio_path,
            config.verts_mmaps_path)


def published_recording(folder, name):
    """One subject of the published files in a folder: what it says before features are made."""
    return _published_recordings(_published_config(folder), [name], False)[0]


def _published_config(folder):
    defaults = Config()
    return Config(**{key: os.path.join(folder, os.path.basename(getattr(defaults, key)))
                     for key in ("raw_audio_path", "verts_mmaps_path", "data2array_verts_path")})


def data_fingerprint(subjects):
    """Hex sha256 over the subjects' names, sound, targets and masks, in their order."""
    digest = hashlib.sha256()
    for subject in subjects:
        digest.update(("%s\n%s\n%s\n" % (
            subject.name, subject.audio_sha256, list(subject.targets.shape))).encode("utf-8"))
        if subject.labels_sha256:                   # else a dataset would be read through
            digest.update(subject.labels_sha256.encode("ascii"))
        else:
            digest.update(np.ascontiguousarray(subject.targets, dtype="<f4").tobytes())
            if not subject.valid.all():
                digest.update(np.ascontiguousarray(subject.valid, dtype="|b1").tobytes())
        digest.update(np.ascontiguousarray(subject.mask, dtype="<f4").tobytes())
    return digest.hexdigest()


def _source(config):
    """Where the subjects come from: DATASET, PUBLISHED or VIDEOS."""
    if os.path.isfile(os.path.join(config.training_data_path, MANIFEST_NAME)):
        return DATASET                              # named itself: nothing beside it is meant
    if os.path.isfile(config.raw_audio_path):
        return PUBLISHED
    return DATASET if find_dataset(config.training_data_path) else VIDEOS


def _available_names(config):
    """The subjects of a config's source, 2 before 10."""
    source = _source(config)
    if source == DATASET:
        names = Dataset(find_dataset(config.training_data_path)).subjects
    elif source == PUBLISHED:
        names = [str(name) for name in _subjects_of_pickle(config.data2array_verts_path, ())]
    else:
        _check_folder(config)
        names = {_stem(entry) for entry in os.listdir(config.training_data_path)
                 if entry.lower().endswith(MEDIA_EXTENSIONS)}
        names = [name for name in names if os.path.isfile(
            os.path.join(config.training_data_path, name + ".csv"))]
    return sorted(names, key=natural_order)


def _subject(recording, path):
    windows = recording.windows if recording.windows is not None else read_cached(path)
    num_frames = min(len(windows), len(recording.targets))
    if num_frames < 1:
        raise UserError("subject %s: %d frames of sound and %d of labels; at least one of both "
                        "is needed" % (recording.name, len(windows), len(recording.targets)))
    valid = None if recording.valid is None else recording.valid[:num_frames]
    return Subject(recording.name, windows[:num_frames], recording.targets[:num_frames],
                   recording.mask, recording.audio_sha256, valid, recording.labels_sha256,
                   recording.sound)


def _altered(recording, number):
    """Copy `number` of a recording, as a recording."""
    alteration = alteration_of(recording.name, number)

    def sound(profile):
        del profile                                 # either takes 16 kHz
        blocks, _ = recording.sound(PROFILE_DEEPSPEECH)
        # Whole: what stretches and echoes has no blocks.
        samples = altered_sound(np.concatenate(list(blocks)), alteration)
        step = int(BLOCK_S * SAMPLE_RATE_HZ)
        return (samples[i:i + step] for i in range(0, len(samples), step)), SAMPLE_RATE_HZ

    digest = hashlib.sha256(("%s %r" % (recording.audio_sha256, alteration)).encode("ascii"))
    return _Recording(
        "%s, altered %d" % (recording.name, number), digest.hexdigest(),
        (recording.duration_s or 0.0) / alteration.speed, sound,
        altered_frames(recording.targets, alteration), recording.mask, None,
        None if recording.valid is None else altered_valid(recording.valid, alteration))


# ---- features

def _make_features(recordings_and_paths, acoustic_graph, profile, progress):
    if not recordings_and_paths:
        return
    total_s = sum(recording.duration_s or 0.0 for recording, _ in recordings_and_paths)
    with tqdm(total=round(total_s, 1), unit="s", disable=not progress or None, leave=True,
              desc="speech features of %d subjects" % len(recordings_and_paths),
              bar_format="{desc}: {n:.0f} of {total:.0f} s of sound, {remaining} left") as bar:
        for recording, path in recordings_and_paths:
            write_cached(path, _windows_of(recording, acoustic_graph, profile, bar))


def _windows_of(recording, acoustic_graph, profile, bar):
    """Yield float32 [n, 16, 29] as the recording's sound goes through the acoustic network."""
    blocks, rate_hz = recording.sound(profile)
    stream = _feature_stream(acoustic_graph, profile, rate_hz)
    for samples in blocks:
        yield stream.feed(samples)
        bar.update(len(samples) / float(rate_hz))
    yield stream.finish()


def _feature_stream(acoustic_graph, profile, rate_hz):
    # Here, since it brings TensorFlow, which reading labels and caches does without.
    from utils.speech_features import SpeechFeatureStream
    return SpeechFeatureStream(acoustic_graph, profile, sample_rate_hz=rate_hz)


# ---- a dataset of process_data.py

def _dataset_recordings(config, names, progress):
    dataset = Dataset(find_dataset(config.training_data_path))
    # A dataset's subjects are called without the extension that configs have had.
    subjects = {name: name if name in dataset.subjects else _stem(name) for name in names}
    missing = [name for name in names if subjects[name] not in dataset.subjects]
    if missing:
        raise UserError("the dataset %s lacks the subject %s; it has %s (subjects are named in "
                        "the config's Data Setup)"
                        % (dataset.path, ", ".join(missing), ", ".join(dataset.subjects)))
    if progress:
        print("training data: %d of the %d subjects of the dataset %s"
              % (len(names), len(dataset.subjects), dataset.path))
    allow_open_files(MAPS_PER_SUBJECT * len(names))
    return [_dataset_recording(name, dataset, subjects[name]) for name in names]


def _dataset_recording(name, dataset, subject):
    def sound(profile):
        del profile                                 # either takes 16 kHz
        samples = dataset.arrays(subject).audio
        step = int(BLOCK_S * SAMPLE_RATE_HZ)
        return ((samples[i:i + step] / np.float32(INT16_SCALE)
                 for i in range(0, len(samples), step)), SAMPLE_RATE_HZ)

    record, arrays = dataset.subjects[subject], dataset.arrays(subject)
    rows = "%d-%d" % tuple(record["rows"])          # a held-out part has a sound of its own
    digests = [hashlib.sha256(("%s %s" % (record[of], rows)).encode("ascii")).hexdigest()
               for of in ("audio_sha256", "targets_sha256")]
    # Of what training holds for each subject only targets and windows stay maps.
    return _Recording(name, digests[0], len(arrays.audio) / float(SAMPLE_RATE_HZ), sound,
                      arrays.targets, arrays.mask, None, np.array(arrays.valid), digests[1])


# ---- a folder of NAME.mp4 with NAME.csv

def _check_folder(config):
    folder = config.training_data_path
    how = ("put NAME.mp4 with NAME.csv (Live Link Face) there, or the published files; see "
           "training_data/README.md")
    if not os.path.isdir(folder):
        raise UserError("no training data: neither the file %s (raw_audio_path) nor the folder "
                        "%s (training_data_path) exists; %s"
                        % (config.raw_audio_path, folder, how))
    if not any(name.lower().endswith(MEDIA_EXTENSIONS) for name in os.listdir(folder)):
        raise UserError("no training data: there is no file %s (raw_audio_path) and no video in "
                        "the folder %s (training_data_path); %s"
                        % (config.raw_audio_path, folder, how))


def _folder_recordings(config, names, progress):
    folder = config.training_data_path
    _check_folder(config)
    media_paths = {name: _media_path(folder, name) for name in names}
    csv_paths = {name: os.path.join(folder, _stem(name) + ".csv") for name in names}
    missing = ([name for name in names if media_paths[name] is None]
               + [os.path.basename(csv_paths[name]) for name in names
                  if media_paths[name] and not os.path.isfile(csv_paths[name])])
    if missing:
        raise UserError("missing in %s: %s; each subject needs NAME%s with NAME.csv beside it "
                        "(subjects are named in the config's Data Setup)"
                        % (folder, ", ".join(missing), "/".join(MEDIA_EXTENSIONS)))
    if progress:
        print("training data: %d subjects from the videos and Live Link CSVs in %s"
              % (len(names), folder))
    return [_folder_recording(name, media_paths[name], csv_paths[name]) for name in names]


def _folder_recording(name, media_path, csv_path):
    audio = open_audio(media_path)

    def sound(profile):
        if profile == PROFILE_REFERENCE:
            return audio.blocks(BLOCK_S, resampler="none"), audio.sample_rate_hz
        return audio.blocks(BLOCK_S), SAMPLE_RATE_HZ

    times_s, weights, channels = read_live_link_csv(csv_path)
    weights = resample_frames(weights, times_s, ANIMATION_FPS)      # [frames, channels]
    targets, mask = _in_model_order(weights, channels)
    return _Recording(name, sha256_of_file(media_path), audio.duration_s, sound, targets, mask,
                      windows=None)


def _media_path(folder, name):
    """The subject's video: the very file named, else its stem with another extension."""
    candidates = [name] if name.lower().endswith(MEDIA_EXTENSIONS) else []
    candidates += [_stem(name) + extension for extension in MEDIA_EXTENSIONS]
    for candidate in candidates:
        path = os.path.join(folder, candidate)
        if os.path.isfile(path):
            return path
    return None


def _stem(name):
    return os.path.splitext(name)[0] if name.lower().endswith(MEDIA_EXTENSIONS) else name


# ---- the published files

def _published_recordings(config, names, progress):
    sounds = _subjects_of_pickle(config.raw_audio_path, names)
    rows_of_subject = _subjects_of_pickle(config.data2array_verts_path, names)
    labels = _published_labels(config.verts_mmaps_path)             # [rows, 40 or 52]
    channels = MODEL_CHANNELS[:labels.shape[1]]
    if labels.shape[1] == len(MODEL_CHANNELS) and not labels[:, len(TRACKER_CHANNELS):].any():
        # 40 columns that were filled up to 52 with zeros: those twelve are no measurements.
        labels, channels = labels[:, :len(TRACKER_CHANNELS)], TRACKER_CHANNELS
    processed = _processed_features(config, names)
    if progress:
        print("training data: %d subjects from the published files beside %s, %d of %d channels"
              % (len(names), config.raw_audio_path, len(channels), len(MODEL_CHANNELS))
              + (", features from %s" % config.processed_audio_path if processed else ""))
    recordings = []
    for name in names:
        samples, rate_hz = _published_sound(config.raw_audio_path, name, sounds[name])
        num_frames = num_frames_of(len(samples) / float(rate_hz), ANIMATION_FPS)
        targets, mask = _in_model_order(
            _published_targets(config, name, rows_of_subject[name], labels, num_frames), channels)
        digest = hashlib.sha256(("%s %d\n" % (samples.dtype.str, rate_hz)).encode("ascii"))
        digest.update(np.ascontiguousarray(samples).tobytes())
        recordings.append(_Recording(
            name, digest.hexdigest(), len(samples) / float(rate_hz),
            _array_sound(samples, rate_hz), targets, mask, processed.get(name)))
    return recordings


def _array_sound(samples, rate_hz):
    def sound(profile):
        if profile == PROFILE_REFERENCE:
            sound_rate_hz, whole = rate_hz, mono_of_array(samples)
        else:
            sound_rate_hz, whole = SAMPLE_RATE_HZ, resample_array(samples, rate_hz)
        step = int(BLOCK_S * sound_rate_hz)
        return (whole[i:i + step] for i in range(0, len(whole), step)), sound_rate_hz
    return sound


def _subjects_of_pickle(path, names):
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
    except (KeyError, TypeError, ValueError, IndexError):
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
    except (OSError, ValueError, EOFError) as error:
        raise UserError("cannot read the labels %s (verts_mmaps_path): %s" % (path, error))
    if labels.ndim == 3 and labels.shape[2] == 1:
        labels = labels[:, :, 0]
    widths = (len(TRACKER_CHANNELS), len(MODEL_CHANNELS))
    if labels.ndim != 2 or labels.shape[1] not in widths or labels.dtype.kind not in "fiu":
        raise UserError("%s is %s %s; expected float32 [frames, %d or %d, 1]"
                        % ((path, labels.dtype, list(labels.shape)) + widths))
    return labels


def _published_targets(config, name, row_of_frame, labels, max_frames):
    """float32 [frames, 40 or 52]: row i is frame i; frames that have no row are interpolated."""
    try:
        frames = sorted((int(frame), int(row)) for frame, row in row_of_frame.items())
    except (AttributeError, TypeError, ValueError):
        raise UserError("%s, subject %s: expected {frame number: row of %s}"
                        % (config.data2array_verts_path, name, config.verts_mmaps_path))
    if not frames or frames[0][0] < 0:
        raise UserError("%s, subject %s: frame numbers start at %s; expected them from 0"
                        % (config.data2array_verts_path, name,
                           frames[0][0] if frames else "nothing"))
    numbers, rows = np.array(frames).T
    outside = rows[(rows < 0) | (rows >= len(labels))]
    if len(outside):
        raise UserError("%s, subject %s: row %d is not among the %d of %s"
                        % (config.data2array_verts_path, name, outside[0], len(labels),
                           config.verts_mmaps_path))
    values = np.asarray(labels[rows], dtype=np.float32)             # [frames, 40 or 52]
    bad = ~np.isfinite(values)
    if bad.any():
        row, channel = np.argwhere(bad)[0]
        raise UserError("%s, subject %s: row %d, channel %s is %s; expected a number in 0..1"
                        % (config.verts_mmaps_path, name, rows[row], MODEL_CHANNELS[channel],
                           values[row, channel]))
    return resample_frames(values, numbers / float(ANIMATION_FPS), ANIMATION_FPS,
                           num_frames=min(numbers[-1] + 1, max_frames))


def _processed_features(config, names):
    """{subject: windows} of the processed cache, empty where none is named or there."""
    path = config.processed_audio_path
    if not path or not os.path.isfile(path):
        return {}
    if config.feature_profile != PROFILE_REFERENCE:
        raise UserError("%s (processed_audio_path) holds features of the published pipeline and "
                        "feature_profile is %s; set feature_profile = %s, or leave "
                        "processed_audio_path empty to have features made"
                        % (path, config.feature_profile, PROFILE_REFERENCE))
    content = _subjects_of_pickle(path, names)
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


# ---- both

def _in_model_order(weights, channels):
    """(targets float32 [frames, 52] in [0, 1], mask float32 [52]) of columns called `channels`."""
    targets = np.zeros((len(weights), len(MODEL_CHANNELS)), np.float32)
    mask = np.zeros(len(MODEL_CHANNELS), np.float32)
    for column, channel in enumerate(channels):
        place = MODEL_CHANNELS.index(channel)
        targets[:, place] = np.clip(weights[:, column], 0.0, 1.0)
        mask[place] = 1.0
    return targets, mask
