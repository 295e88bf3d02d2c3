"""Training subjects from any source, as windows of features and target weights.

A dataset of process_data.py; or the published files (raw_audio_path, verts_mmaps_path,
data2array_verts_path and perhaps processed_audio_path); or a folder (training_data_path) of
NAME.mp4 with NAME.csv beside it. docs/training.md and docs/formats.md describe all. Channels that a source
lacks are masked, never zero.
"""
import fnmatch
import hashlib
import os

import numpy as np
from tqdm import tqdm

from utils.common.constants import (AUDIO_BLOCK_S, PROFILE_DEEPSPEECH, SAMPLE_RATE_HZ,
                                    WINDOW_FUTURE_FRAMES)
from utils.common.errors import UserError
from utils.common.files import allow_open_files
from utils.dataset.recordings import Recording
from utils.dataset.sources import (MAPS_PER_SUBJECT, available_names, recordings_of_config,
                                   stem_of_name)
from utils.training.augmentation import (augmentation_of, augmented_frames, augmented_sound,
                                         augmented_valid)
from utils.training.feature_cache import cache_key, cache_path, read_cached, write_cached

FEATURES_FOLDER = "features"            # in checkpoint_dir


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
      labels_sha256: of all that the targets come from, hex; None where it is not known.
      valid: bool [frames], False where the targets mean nothing (no face, two faces, a jump).
      sound: function of a feature profile: (iterator of float32 sample blocks, their rate in Hz);
        None where it is not known.
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
    taken = {stem_of_name(name) for names in lists for name in names}
    for which in (1, 0):                            # what validates is not learnt from
        spelt_out = []
        for name in lists[which]:
            if not any(character in name for character in "*?["):
                spelt_out.append(name)
                continue
            if available is None:
                available = available_names(config)
            if stem_of_name(name) in {stem_of_name(subject) for subject in available}:
                spelt_out.append(name)              # a name that looks like a pattern
                continue
            matching = [subject for subject in available if stem_of_name(subject) not in taken
                        and fnmatch.fnmatchcase(stem_of_name(subject), stem_of_name(name))]
            if not matching:
                raise UserError("no subject matches %s (in the config's Data Setup) besides those "
                                "named otherwise; there are %s"
                                % (name, ", ".join(available) or "none"))
            taken |= {stem_of_name(subject) for subject in matching}
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
    return _with_features(config, recordings_of_config(config, names, progress), acoustic_graph,
                          progress)


def load_augmented_copies(config, names, acoustic_graph, progress=True):
    """Subjects that are augmented copies of those called `names`, config.augmented_copies of each.

    Sound and labels are those of utils/training/augmentation.py; the features come from the cache
    where it has them. Raises as load_subjects does.
    """
    if not config.augmented_copies:
        return []
    copies = [_augmented(recording, number)
              for recording in recordings_of_config(config, names, False)
              for number in range(1, config.augmented_copies + 1)]
    allow_open_files(MAPS_PER_SUBJECT * (len(names) + len(copies)))
    return _with_features(config, copies, acoustic_graph, progress)


def _with_features(config, recordings, acoustic_graph, progress):
    folder = os.path.join(config.checkpoint_dir, FEATURES_FOLDER)
    paths = [cache_path(folder, recording.name, cache_key(
        recording.audio_sha256, acoustic_graph.sha256, config.feature_profile))
        for recording in recordings]
    to_make = [(recording, path) for recording, path in zip(recordings, paths)
               if recording.windows is None and read_cached(path) is None]
    _make_features(to_make, acoustic_graph, config.feature_profile, progress)
    return [_subject(recording, path, WINDOW_FUTURE_FRAMES - config.window_future_frames)
            for recording, path in zip(recordings, paths)]


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


def _subject(recording, path, later_frames):
    """later_frames: each target goes with the window of so many frames before it."""
    windows = recording.windows if recording.windows is not None else read_cached(path)
    num_frames = min(len(windows), len(recording.targets) - later_frames)
    if num_frames < 1:
        raise UserError("subject %s: %d frames of sound and %d of labels; at least one of both "
                        "is needed" % (recording.name, len(windows), len(recording.targets)))
    frames = slice(later_frames, later_frames + num_frames)
    valid = None if recording.valid is None else recording.valid[frames]
    return Subject(recording.name, windows[:num_frames], recording.targets[frames],
                   recording.mask, recording.audio_sha256, valid, recording.labels_sha256,
                   recording.sound)


def _augmented(recording, number):
    """Copy `number` of a recording, as a recording."""
    augmentation = augmentation_of(recording.name, number)

    def sound(profile):
        del profile                                 # either takes 16 kHz
        blocks, _ = recording.sound(PROFILE_DEEPSPEECH)
        # Whole: what stretches and echoes has no blocks.
        samples = augmented_sound(np.concatenate(list(blocks)), augmentation)
        step = int(AUDIO_BLOCK_S * SAMPLE_RATE_HZ)
        return (samples[i:i + step] for i in range(0, len(samples), step)), SAMPLE_RATE_HZ

    digest = hashlib.sha256(("%s %r" % (recording.audio_sha256, augmentation)).encode("ascii"))
    return Recording(
        "%s, augmented %d" % (recording.name, number), digest.hexdigest(),
        (recording.duration_s or 0.0) / augmentation.speed, sound,
        augmented_frames(recording.targets, augmentation), recording.mask, None,
        None if recording.valid is None else augmented_valid(recording.valid, augmentation))


# ---- features

def _make_features(recordings_and_paths, acoustic_graph, profile, progress):
    if not recordings_and_paths:
        return
    total_s = sum(recording.duration_s or 0.0 for recording, _ in recordings_and_paths)
    with tqdm(total=round(total_s, 1), unit="s", disable=not progress or None, leave=True,
              desc="speech features of %d subjects" % len(recordings_and_paths),
              bar_format="{desc}: {n:.0f} of {total:.0f} s of sound, {remaining} left") as bar:
        write_cached(os.path.dirname(recordings_and_paths[0][1]), (
            (path, _windows_of(recording, acoustic_graph, profile, bar))
            for recording, path in recordings_and_paths), profile == PROFILE_DEEPSPEECH)


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
    from utils.deepspeech.windows import SpeechFeatureStream
    return SpeechFeatureStream(acoustic_graph, profile, sample_rate_hz=rate_hz)
