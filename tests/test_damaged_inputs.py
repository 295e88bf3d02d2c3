"""Damaged inputs of every kind that is no face file: read, or refused in a line.

    python -m pytest -q tests/test_damaged_inputs.py            a hundred or so of each
    python -m pytest -q -m slow tests/test_damaged_inputs.py    thousands of each

tests/formats/test_damaged_files.py has the face files and the timings. Fewer are tried of what
takes long to read: graphs (each in a process of its own), and sounds (ffmpeg).
"""
import io
import json
import os
import pickle
import shutil
import types
from unittest import mock
import zipfile

import numpy as np
import pytest
from hypothesis import settings

from tests.helpers.datasets import put_subject
from tests.helpers.fuzzing import FEW, MANY, fuzz
from tests.helpers.graphs import write_random_graph
from tests.helpers.paths import REPOSITORY
from utils.batch.made_record import NEW, RECORD_NAME, state_of
from utils.batch.sounds import Sound
from utils.common import folder_lock
from utils.common.errors import UserError
from utils.dataset import published_files, store, track_cache
from utils.dataset.restricted_pickle import load_pickle
from utils.deepspeech import acoustic_graph
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.live.web_socket import _control_message
from utils.media.audio import open_audio, write_wav
from utils.media.wav_header import wav_decoder
from utils.network.checkpoint import (load_variables, read_checkpoint_info,
                                      variable_shapes)
from utils.tracking.task_file import NETWORK_FILES, read_task
from utils.training.config import config_text, read_config
from utils.training.feature_cache import read_cached, write_cached

CHECKPOINT = os.path.join(REPOSITORY, "tests", "network", "cross_stack", "modern.model")
TFLITE = os.path.join(REPOSITORY, "tests", "reference_vectors", "deepspeech_64",
                      "output_graph.tflite")


def content_of(path):
    with open(str(path), "rb") as stream:
        return stream.read()


def wav(folder):
    write_wav(str(folder / "a.wav"), np.sin(np.arange(2000) / 9.0))
    return "a.wav", content_of(folder / "a.wav")


def decode(path):
    open_audio(str(path), lambda line: None)
    list(open_audio(str(path), lambda line: None).blocks())


# ---- published files

def published(which, protocol=2):
    """One of the three published files; the others stay whole beside it."""
    def make(folder):
        labels = np.zeros((12, 40, 1), np.float32)
        np.save(str(folder / "labels.npy"), labels)
        (folder / "sounds.pkl").write_bytes(pickle.dumps({"a": {
            "audio": np.arange(6400, dtype=np.int16), "sample_rate": 16000}}, protocol))
        (folder / "rows.pkl").write_bytes(pickle.dumps({"a": {i: i for i in range(12)}}, protocol))
        return which, content_of(folder / which)
    return make


def read_published(path):
    paths = published_files.PublishedPaths(
        *[str(path if path.name.endswith(name) else path.parent / name)
          for name in ("sounds.pkl", "labels.npy", "rows.pkl")] + [""])
    recording, = published_files.published_recordings(paths, ["a"], False)
    assert recording.targets.shape[1] == 52 and np.isfinite(recording.targets).all()


# ---- checkpoints and graphs

def checkpoint_file(suffix):
    def make(folder):
        for other in (".index", ".data-00000-of-00001", ".json"):
            shutil.copyfile(CHECKPOINT + other, str(folder / ("damaged_a.model" + other)))
        return "a.model" + suffix, content_of(CHECKPOINT + suffix)
    return make


def read_weights(path):
    prefix = str(path.parent / "damaged_a.model")
    assert load_variables(prefix, variable_shapes(prefix)) is not None


def read_info(path):
    read_checkpoint_info(str(path)[:-len(".json")])


def pb(folder):
    write_random_graph(str(folder), width=8)
    return "a.pb", content_of(folder / "output_graph.pb")


def tflite(folder):
    return "a.tflite", content_of(TFLITE)


def run_graph(path):
    graph = load_acoustic_graph(str(path))
    contexts = np.zeros((graph.num_steps, 19, 26), np.float32)
    probabilities, _ = graph.run(contexts, graph.zero_state())
    assert probabilities.shape == (graph.num_steps, 29)


def run_wide_graph(path):
    """As a file of the released width is run."""
    with mock.patch.object(acoustic_graph, "NARROW_FILE_BYTES", 0):
        run_graph(path)


def task(folder):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as written:
        for name in NETWORK_FILES.values():
            written.writestr(name, content_of(TFLITE)[:60000])
    return "a.task", held.getvalue()


# ---- what the project itself has written

def manifest(folder):
    record = put_subject(str(folder / "whole"), "a", 30)[0]
    store.write_manifest(str(folder / "whole"), {"a": record}, 1)
    return "dataset.json", content_of(folder / "whole" / "dataset.json")


def read_manifest(path):
    shutil.copyfile(str(path), str(path.parent / "whole" / "dataset.json"))
    try:
        dataset = store.Dataset(str(path.parent / "whole"))
        for name in dataset.subjects:
            dataset.arrays(name)
    except UserError as error:
        raise UserError("%s: %s" % (path.name, error))


def record_file(folder):
    record = put_subject(str(folder / "whole"), "a", 30)[0]
    return "record.json", content_of(folder / "whole" / "subjects" / record["folder"]
                                     / "record.json")


def read_record_file(path):
    subjects = path.parent / "whole" / "subjects"
    folder, = os.listdir(str(subjects))
    shutil.copyfile(str(path), str(subjects / folder / "record.json"))
    store.read_record(str(path.parent / "whole"), folder)


def array(folder):
    write_cached(str(folder), [(str(folder / "a.npy"), [np.zeros((3, 16, 29), np.float32)])])
    return "a.npy", content_of(folder / "a.npy")


def track(folder):
    made = types.SimpleNamespace(times_s=np.arange(9.0), weights=np.zeros((9, 52)), names=["a"],
                                 valid=np.ones(9, bool), start_s=0.0, reasons={"x": 1},
                                 notes={"a": 1})
    track_cache.write_track(str(folder), made)
    return "track.npz", content_of(folder / "track.npz")


def read_track(path):
    place = path.parent / "subjects" / "t"
    os.makedirs(str(place), exist_ok=True)
    shutil.copyfile(str(path), str(place / "track.npz"))
    track_cache.read_track(types.SimpleNamespace(tracked_in="t", label_path="", label_sha256=""),
                           str(path.parent))


def made_record(folder):
    return RECORD_NAME, json.dumps({"sound": "a.wav", "bytes": 5, "changed_ns": 3, "settings": {
        "fps": 60}, "files": ["a.csv"]}).encode()


def read_made_record(path):
    place = path.parent / "made"
    os.makedirs(str(place), exist_ok=True)
    shutil.copyfile(str(path), str(place / RECORD_NAME))
    assert state_of(Sound(str(path.parent / "a.wav"), "a.wav", str(place)), {}) == NEW


def lock(folder):
    return ".lock", json.dumps({"program": "a", "pid": 4194305, "host": "h",
                                "since": "2026-01-01"}).encode()


def read_lock(path):
    folder_lock._holder_is_alive(str(path))
    holder = folder_lock._holder(str(path))
    assert holder is None or isinstance(holder["pid"], int)


def message(folder):
    return "message.json", b'{"type": "sound", "rate_hz": 16000, "channels": 1, "format": "s16"}'


def read_message(path):
    try:
        _control_message(content_of(path).decode("utf-8", "replace"))
    except UserError as error:
        raise UserError("%s: %s" % (path.name, error))


def config(folder):
    return "a.cfg", config_text().encode()


# What is damaged: how the whole file is made, who reads it, how many are tried daily and nightly,
# and the least share that is refused: what the project has written is made anew, not complained of.
A_FEW, THOUSANDS = 100, 5000
READ = {
    "wav header": (wav, wav_decoder, A_FEW, THOUSANDS, 0),
    "wav": (wav, decode, 10, 500, 0.05),
    "pickle of sounds": (published("sounds.pkl"), read_published, A_FEW, THOUSANDS, 0.2),
    "newest pickle of sounds": (published("sounds.pkl", pickle.HIGHEST_PROTOCOL), read_published,
                                A_FEW, THOUSANDS, 0.2),
    "pickle of rows": (published("rows.pkl"), read_published, A_FEW, THOUSANDS, 0.2),
    "labels of published files": (published("labels.npy"), read_published, A_FEW, THOUSANDS, 0.1),
    "pickle alone": (published("sounds.pkl", 0), load_pickle, A_FEW, THOUSANDS, 0.2),
    "checkpoint index": (checkpoint_file(".index"), read_weights, A_FEW, THOUSANDS, 0.2),
    "checkpoint data": (checkpoint_file(".data-00000-of-00001"), read_weights, 30, 1000, 0.2),
    "checkpoint record": (checkpoint_file(".json"), read_info, A_FEW, THOUSANDS, 0.2),
    "pb": (pb, run_graph, 20, 2000, 0.2),
    "tflite": (tflite, run_graph, 20, 2000, 0.02),
    "wide tflite": (tflite, run_wide_graph, 20, 2000, 0.02),
    "task": (task, lambda path: read_task(path), A_FEW, THOUSANDS, 0.2),
    "manifest": (manifest, read_manifest, A_FEW, THOUSANDS, 0.2),
    "record of a recording": (record_file, read_record_file, A_FEW, THOUSANDS, 0),
    "array": (array, lambda path: read_cached(str(path)), A_FEW, THOUSANDS, 0),
    "track": (track, read_track, A_FEW, THOUSANDS, 0),
    "record of a batch": (made_record, read_made_record, A_FEW, THOUSANDS, 0),
    "lock": (lock, read_lock, A_FEW, THOUSANDS, 0),
    "live message": (message, read_message, A_FEW, THOUSANDS, 0.2),
    "config": (config, lambda path: read_config(str(path)), A_FEW, THOUSANDS, 0.1)}


@pytest.mark.parametrize("name", sorted(READ))
def test_damaged_inputs(tmp_path, name):
    make, read, few, _, refused = READ[name]
    fuzz(tmp_path, make, read, settings(FEW, max_examples=few), refused)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(READ))
def test_many_damaged_inputs(tmp_path, name):
    make, read, _, many, refused = READ[name]
    fuzz(tmp_path, make, read, settings(MANY, max_examples=many), refused)
