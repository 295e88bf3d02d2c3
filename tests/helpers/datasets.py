"""Small and large datasets of process_data.py's form, without process_data.py."""
import collections
import os
import types

import numpy as np

from utils.dataset.sources import recordings_of_config
from utils.dataset.store import folder_key, folder_name, write_manifest, write_subject
from utils.training.feature_cache import cache_key, cache_path

FRAMES_PER_SUBJECT = 100000
GRAPH = types.SimpleNamespace(sha256="0" * 64)      # of no acoustic graph: features are cached


def put_subject(path, name="a", num_frames=30, seed=0, mask=None):
    """A recording's folder with random arrays; returns (record, targets, valid, audio)."""
    random = np.random.RandomState(seed)
    targets = random.rand(num_frames, 52).astype(np.float32)
    valid = random.rand(num_frames) > 0.3
    audio = random.randint(-32768, 32768, num_frames * 16000 // 30).astype(np.int16)
    record = collections.OrderedDict([("frames", num_frames), ("mask", mask or {})])
    folder = folder_name(name, folder_key(name, seed))
    return write_subject(path, folder, record, targets, valid, audio), targets, valid, audio


def big_dataset(folder, graph=GRAPH, num_frames=FRAMES_PER_SUBJECT):
    """(config, names, acoustic graph, bytes) of a dataset whose features lie in the cache.

    The files are sparse: they take no disk, but would take memory if they were held.
    """
    path, names = os.path.join(folder, "dataset"), ("a", "b", "c")
    config = types.SimpleNamespace(
        raw_audio_path="", verts_mmaps_path="", data2array_verts_path="",
        processed_audio_path="", augmented_copies=0, training_data_path=path,
        feature_profile="deepspeech", window_future_frames=7,
        checkpoint_dir=os.path.join(folder, "training"))
    subjects, num_bytes = collections.OrderedDict(), 0
    for name in names:
        subjects[name] = put_subject(path, name, 30)[0]
        record = dict(subjects[name], frames=num_frames, rows=[0, num_frames])
        subjects[name] = record
        folder_path = os.path.join(path, "subjects", record["folder"])
        for array, dtype, shape in (
                ("targets", np.float32, (num_frames, 52)),
                ("valid", np.bool_, (num_frames,)),
                ("audio", np.int16, (num_frames * 16000 // 30,))):
            array = np.lib.format.open_memmap(
                os.path.join(folder_path, array + ".npy"), "w+", dtype, shape)
            if dtype == np.bool_:
                array[:] = True
            num_bytes += array.nbytes
    write_manifest(path, subjects, 1)
    for recording in recordings_of_config(config, names, False):
        key = cache_key(recording.audio_sha256, graph.sha256, "deepspeech")
        cached = cache_path(
            os.path.join(config.checkpoint_dir, "features"), recording.name, key)
        os.makedirs(os.path.dirname(cached), exist_ok=True)
        windows = np.lib.format.open_memmap(cached, "w+", np.float32,
                                            (num_frames, 16, 29))
        num_bytes += windows.nbytes
    return config, names, graph, num_bytes
