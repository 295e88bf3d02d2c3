"""utils/training/subjects.py on a dataset of process_data.py: names, parts, fingerprint, memory."""
import collections
import os
import subprocess
import sys
import types

import numpy as np
import pytest

from tests.helpers.datasets import GRAPH, put_subject
from tests.helpers.paths import REPOSITORY
from utils.common.errors import UserError
from utils.dataset.store import write_manifest
from utils.training.batches import Batches
from utils.training.subjects import data_fingerprint, load_subjects, subject_names

pytestmark = pytest.mark.usefixtures("fake_features")


@pytest.fixture
def config(tmp_path):
    """Subjects s1_1 (with a held-out part), s1_2, s2_1 in tmp_path/data/dataset."""
    path = str(tmp_path / "data" / "dataset")
    made = {name: put_subject(path, name, 60, seed)[0]
            for seed, name in enumerate(("s1_1", "s1_2", "s2_1"))}
    write_manifest(path, collections.OrderedDict([
        ("s1_1", dict(made["s1_1"], rows=[0, 30])),
        ("s1_1_held_out", dict(made["s1_1"], rows=[30, 60])),
        ("s1_2", made["s1_2"]), ("s2_1", dict(made["s2_1"], mask={"tongueOut": "absent"}))]), 1)
    return types.SimpleNamespace(
        raw_audio_path=str(tmp_path / "data" / "raw_audio_fixed.pkl"), verts_mmaps_path="",
        data2array_verts_path="", processed_audio_path="", augmented_copies=0,
        training_data_path=path, feature_profile="deepspeech", window_future_frames=7,
        checkpoint_dir=str(tmp_path / "training"),
        subject_for_training=["s1_*"], subject_for_validation=["*_held_out"])


def load(config, *names):
    return load_subjects(config, names, GRAPH, progress=False)


def test_subjects_are_maps_with_their_valid_frames(config, capsys):
    second, held = load_subjects(config, ("s1_2.mp4", "s1_1_held_out"), GRAPH)
    assert "2 of the 4 subjects of the dataset" in capsys.readouterr().out
    assert second.name == "s1_2.mp4"                # as the config has it
    assert (len(second.targets), len(held.targets)) == (60, 30)
    for subject in (second, held):
        assert isinstance(subject.targets, np.memmap) and isinstance(subject.windows, np.memmap)
        assert len(subject.windows) == len(subject.targets) == len(subject.valid)
        assert 0 < subject.valid.sum() < len(subject.valid)
    whole, _, valid, audio = put_subject(os.path.dirname(config.training_data_path), "s1_1", 60, 0)
    np.testing.assert_array_equal(held.valid, valid[30:])
    levels = [np.abs(part / 32768.0).mean() for part in np.array_split(audio[16000:], 30)]
    np.testing.assert_allclose(held.windows[:, 8, 3], levels, rtol=1e-4)    # its own sound


def test_a_channel_that_is_masked(config):
    assert load(config, "s2_1")[0].mask.sum() == 51 and load(config, "s1_2")[0].mask.all()


def test_the_dataset_of_a_folder_of_videos_is_taken(config):
    config.training_data_path = os.path.dirname(config.training_data_path)
    assert len(load(config, "s1_2")[0].targets) == 60


def test_published_files_come_before_a_dataset_that_is_not_named_itself(config):
    with open(config.raw_audio_path, "wb") as stream:
        stream.write(b"no pickle")
    assert len(load(config, "s1_2")[0].targets) == 60           # the config names the dataset
    config.training_data_path = os.path.dirname(config.training_data_path)
    with pytest.raises(UserError, match="raw_audio_fixed.pkl"):
        load(config, "s1_2")


def test_patterns(config):
    assert subject_names(config) == (["s1_1", "s1_2"], ["s1_1_held_out"])
    config.subject_for_training, config.subject_for_validation = ["*"], ["s2_1.mp4"]
    assert subject_names(config) == (["s1_1", "s1_1_held_out", "s1_2"], ["s2_1.mp4"])
    config.subject_for_training = ["s1_2", "s[1]_*"]
    assert subject_names(config)[0] == ["s1_2", "s1_1", "s1_1_held_out"]
    config.subject_for_training = ["absent"]        # told by load_subjects
    assert subject_names(config)[0] == ["absent"]
    config.subject_for_training = ["s3_*"]
    with pytest.raises(UserError, match=r"no subject matches s3_\*.*s1_1, s1_1_held_out, s1_2"):
        subject_names(config)


def test_patterns_without_a_dataset(tmp_path, config):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("10.mp4", "10.csv", "9.wav", "9.csv", "8.mp4", "notes.csv"):
        (folder / name).write_text("x")
    config.training_data_path = str(folder)
    config.subject_for_training, config.subject_for_validation = ["*"], ["10"]
    assert subject_names(config) == (["9"], ["10"])


def test_missing_subjects_are_told_with_those_there(config):
    with pytest.raises(UserError, match="lacks the subject x, 7.mp4; it has s1_1, s1_1_held_out"):
        load(config, "x", "s1_2", "7.mp4")


def test_fingerprint_follows_labels_sound_and_part(config):
    first = data_fingerprint(load(config, "s1_1", "s1_2"))
    assert data_fingerprint(load(config, "s1_1", "s1_2")) == first
    assert data_fingerprint(load(config, "s1_2", "s1_1")) != first
    assert data_fingerprint(load(config, "s1_1_held_out", "s1_2")) != first
    path = config.training_data_path
    other = put_subject(path, "s1_2", 60, 9)[0]
    write_manifest(path, collections.OrderedDict(
        s1_1=put_subject(path, "s1_1", 60, 0)[0], s1_2=other), 1)
    assert data_fingerprint(load(config, "s1_1", "s1_2")) != first


def test_no_index_holds_a_frame_that_is_not_valid(config):
    (subject,) = load(config, "s1_2")
    batches = Batches([subject], 8, 2)
    assert batches.num_indices == np.sum(subject.valid[:-1] & subject.valid[1:])


# ---- more data than memory

MEMORY_PROBE = """
import sys
import resource
import numpy as np
from utils.training import batches, subjects        # before the limit: they take memory, too
from tests.helpers.datasets import big_dataset
config, names, graph, num_bytes = big_dataset(sys.argv[1])
limit = int(sys.argv[2])
used = [int(line.split()[1]) * 1024 for line in open("/proc/self/status")
        if line.startswith("VmData")][0]
resource.setrlimit(resource.RLIMIT_DATA, (used + limit, used + limit))
assert num_bytes > 8 * limit
try:
    np.ones(2 * limit, np.uint8)
    sys.exit("the limit does not hold here")
except MemoryError:
    pass
loaded = subjects.load_subjects(config, names, graph, progress=False)
print(subjects.data_fingerprint(loaded)[:8])
made = batches.Batches(loaded, 64, 2)
for step in range(300):
    windows, targets, mask = made.of_step(step)[:3]
    assert windows.shape == (128, 16, 29) and np.isfinite(targets).all()
print("steps done", made.num_indices)
"""


def test_a_dataset_larger_than_memory_makes_batches(tmp_path):
    """940 MB of arrays with 40 MB to take: loaded, fingerprinted, shuffled, 300 batches."""
    pytest.importorskip("resource", reason="the system has no such limit")
    if not os.path.isfile("/proc/self/status"):
        pytest.skip("needs /proc to know the memory that is taken already")
    process = subprocess.Popen(
        [sys.executable, "-c", MEMORY_PROBE,
         str(tmp_path), str(40 << 20)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        universal_newlines=True, cwd=REPOSITORY, env=dict(os.environ, OPENBLAS_NUM_THREADS="1"))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and "steps done" in out, err
