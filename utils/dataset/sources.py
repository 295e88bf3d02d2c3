"""Where a config's subjects come from: a dataset, the published files, or a folder of videos."""
import collections
import hashlib
import os

import numpy as np

from utils.common.channels import in_model_order
from utils.common.constants import (ANIMATION_FPS, AUDIO_BLOCK_S, INT16_SCALE,
                                    PROFILE_REFERENCE, SAMPLE_RATE_HZ)
from utils.common.errors import UserError
from utils.common.files import allow_open_files, sha256_of_file
from utils.common.resample import resample_frames
from utils.dataset.label_kinds import PUBLISHED
from utils.dataset.published_files import published_recordings, subjects_of_pickle
from utils.dataset.recordings import MEDIA_EXTENSIONS, Recording
from utils.dataset.store import MANIFEST_NAME, Dataset, find_dataset, natural_order
from utils.formats.face_files import read_face
from utils.media.audio import open_audio

DATASET, VIDEOS = "dataset", "videos"
MAPS_PER_SUBJECT = 2                    # targets and windows


def recordings_of_config(config, names, progress):
    names = [str(name) for name in names]
    repeated = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if repeated:
        raise UserError("the subject %s is named twice; name each once" % ", ".join(repeated))
    recordings_of = {DATASET: _dataset_recordings, PUBLISHED: published_recordings,
                     VIDEOS: _folder_recordings}[_source(config)]
    return recordings_of(config, names, progress)


def _source(config):
    """Where the subjects come from: DATASET, PUBLISHED or VIDEOS."""
    if os.path.isfile(os.path.join(config.training_data_path, MANIFEST_NAME)):
        return DATASET                              # named itself: nothing beside it is meant
    if os.path.isfile(config.raw_audio_path):
        return PUBLISHED
    return DATASET if find_dataset(config.training_data_path) else VIDEOS


def available_names(config):
    """The subjects of a config's source, 2 before 10."""
    source = _source(config)
    if source == DATASET:
        names = Dataset(find_dataset(config.training_data_path)).subjects
    elif source == PUBLISHED:
        names = [str(name) for name in subjects_of_pickle(config.data2array_verts_path, ())]
    else:
        _check_folder(config)
        names = {stem_of_name(entry) for entry in os.listdir(config.training_data_path)
                 if entry.lower().endswith(MEDIA_EXTENSIONS)}
        names = [name for name in names if os.path.isfile(
            os.path.join(config.training_data_path, name + ".csv"))]
    return sorted(names, key=natural_order)


# ---- a dataset of process_data.py

def _dataset_recordings(config, names, progress):
    dataset = Dataset(find_dataset(config.training_data_path))
    # A dataset's subjects are called without the extension that configs have had.
    subjects = {name: name if name in dataset.subjects else stem_of_name(name) for name in names}
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
        step = int(AUDIO_BLOCK_S * SAMPLE_RATE_HZ)
        return ((samples[i:i + step] / np.float32(INT16_SCALE)
                 for i in range(0, len(samples), step)), SAMPLE_RATE_HZ)

    record, arrays = dataset.subjects[subject], dataset.arrays(subject)
    rows = "%d-%d" % tuple(record["rows"])          # a held-out part has a sound of its own
    digests = [hashlib.sha256(("%s %s" % (record[of], rows)).encode("ascii")).hexdigest()
               for of in ("audio_sha256", "targets_sha256")]
    # Of what training holds for each subject only targets and windows stay maps.
    return Recording(name, digests[0], len(arrays.audio) / float(SAMPLE_RATE_HZ), sound,
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
    csv_paths = {name: os.path.join(folder, stem_of_name(name) + ".csv") for name in names}
    missing = ([name for name in names if media_paths[name] is None]
               + [os.path.basename(csv_paths[name]) for name in names
                  if media_paths[name] and not os.path.isfile(csv_paths[name])])
    if missing:
        raise UserError("missing in %s: %s; each subject needs NAME.mp4 (or another video, or a "
                        "sound) with NAME.csv beside it (subjects are named in the config's Data "
                        "Setup)" % (folder, ", ".join(missing)))
    if progress:
        print("training data: %d subjects from the videos and Live Link CSVs in %s"
              % (len(names), folder))
    return [_folder_recording(name, media_paths[name], csv_paths[name]) for name in names]


def _folder_recording(name, media_path, csv_path):
    audio = open_audio(media_path)

    def sound(profile):
        if profile == PROFILE_REFERENCE:
            return audio.blocks(AUDIO_BLOCK_S, resampler="none"), audio.sample_rate_hz
        return audio.blocks(AUDIO_BLOCK_S), SAMPLE_RATE_HZ

    times_s, weights, channels = read_face(csv_path)
    weights = resample_frames(weights, times_s, ANIMATION_FPS)      # [frames, channels]
    targets, mask = in_model_order(weights, channels)
    return Recording(name, sha256_of_file(media_path), audio.duration_s, sound, targets, mask,
                      windows=None)


def _media_path(folder, name):
    """The subject's video: the very file named, else its stem with another extension."""
    candidates = [name] if name.lower().endswith(MEDIA_EXTENSIONS) else []
    candidates += [stem_of_name(name) + extension for extension in MEDIA_EXTENSIONS]
    for candidate in candidates:
        path = os.path.join(folder, candidate)
        if os.path.isfile(path):
            return path
    return None


def stem_of_name(name):
    return os.path.splitext(name)[0] if name.lower().endswith(MEDIA_EXTENSIONS) else name
