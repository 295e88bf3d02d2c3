"""utils/training/subjects.py, feature_cache.py: both sources, the cache, hostile data."""
import os
import pickle
import shutil
import subprocess
import types

import imageio_ffmpeg
import numpy as np
import pytest
from scipy.io import wavfile

from tests.helpers.datasets import GRAPH
from tests.helpers.faces import random_weights
from tests.helpers.fake_features import FakeStream
from utils.common.channels import (CHANNELS_BEYOND_TRACKER, MODEL_CHANNELS, TRACKER_CHANNELS,
                                   UNREAL_CHANNELS, reorder)
from utils.common.constants import SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.common.resample import resample_frames
from utils.formats.live_link_csv import write_live_link_csv
from utils.media.audio import mono_of_array, read_audio, resample_array, write_wav
from utils.training import feature_cache
from utils.training.subjects import data_fingerprint, load_subjects


pytestmark = pytest.mark.usefixtures("fake_features")


@pytest.fixture
def config(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    return types.SimpleNamespace(
        raw_audio_path=str(data / "raw_audio_fixed.pkl"),
        verts_mmaps_path=str(data / "data_verts.npy"),
        data2array_verts_path=str(data / "subj_seq_to_idx.pkl"),
        processed_audio_path="", training_data_path=str(data),
        feature_profile="deepspeech", window_future_frames=7,
        checkpoint_dir=str(tmp_path / "training"))


def sound(num_samples, seed=0):
    return (np.random.RandomState(seed).randn(num_samples) * 0.1).astype(np.float32)


def load(config, names=("1.mp4",), graph=GRAPH):
    return load_subjects(config, names, graph, progress=False)


def refusal(config, *names, **options):
    with pytest.raises(UserError) as caught:
        load(config, names or ("1.mp4",))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def cache_files(config):
    folder = os.path.join(config.checkpoint_dir, "features")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


# ---- videos with CSVs

def put_take(config, stem="1", seconds=2.0, fps=60, extension=".wav", seed=0):
    """A recording with its CSV in the folder; gives the CSV's weights in UNREAL_CHANNELS order."""
    path = os.path.join(config.training_data_path, stem)
    write_wav(path + ".wav", sound(int(seconds * SAMPLE_RATE_HZ), seed))
    if extension != ".wav":
        video = ["-f", "lavfi", "-i", "testsrc=d=%g:s=64x64:r=10" % seconds]
        subprocess.check_call([imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error"]
                              + video + ["-i", path + ".wav", path + extension])
        os.remove(path + ".wav")
    weights = random_weights(int(seconds * fps), seed=seed)
    write_live_link_csv(path + ".csv", weights, UNREAL_CHANNELS, fps)
    return weights


@pytest.mark.parametrize("fps", [30, 60, 25])
def test_wav_with_csv(config, fps):
    weights = put_take(config, fps=fps)
    (subject,) = load(config)
    assert subject.name == "1.mp4" and len(subject.windows) == len(subject.targets) == 60
    assert isinstance(subject.windows, np.memmap)
    assert subject.windows.dtype == subject.targets.dtype == subject.mask.dtype == np.float32
    expected = reorder(resample_frames(weights, fps, 30), UNREAL_CHANNELS, MODEL_CHANNELS)
    np.testing.assert_allclose(subject.targets, expected, atol=1e-3 if fps == 25 else 1e-6)
    np.testing.assert_array_equal(subject.mask, np.ones(52))
    samples = read_audio(os.path.join(config.training_data_path, "1.wav"))
    levels = [np.abs(part).mean() for part in np.array_split(samples, 60)]
    np.testing.assert_allclose(subject.windows[:, 8, 5], levels, rtol=1e-5)


@pytest.mark.parametrize("extension", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_every_container(config, extension):
    put_take(config, extension=extension)
    (subject,) = load(config)
    assert abs(len(subject.targets) - 60) <= 1


def test_less_look_ahead_pairs_each_target_with_an_earlier_window(config):
    weights = put_take(config, fps=30)
    usual, = load(config)
    config.window_future_frames = -1
    sooner, = load(config)
    assert len(usual.targets) == 60 and len(sooner.targets) == len(sooner.valid) == 52
    np.testing.assert_array_equal(sooner.windows, usual.windows[:52])
    np.testing.assert_array_equal(sooner.targets, usual.targets[8:])
    assert len(weights) == 60


def test_shorter_of_sound_and_labels_decides(config):
    put_take(config, "long_labels", seconds=2)
    write_wav(os.path.join(config.training_data_path, "long_labels.wav"), sound(16000))
    put_take(config, "long_sound", seconds=1)
    write_wav(os.path.join(config.training_data_path, "long_sound.wav"), sound(40000))
    for subject in load(config, ("long_labels", "long_sound")):
        assert len(subject.windows) == len(subject.targets) == 30


def test_dropped_rows_are_bridged_by_their_timecode(config):
    """A take that lost every fourth row (never the first or last) still lies in time."""
    put_take(config, seconds=1, fps=60)
    path = os.path.join(config.training_data_path, "1.csv")
    ramp = np.tile(np.linspace(0, 1, 60)[:, np.newaxis], (1, 52))
    write_live_link_csv(path, ramp, UNREAL_CHANNELS, 60)
    with open(path) as stream:
        lines = stream.readlines()
    with open(path, "w") as stream:
        stream.writelines(line for number, line in enumerate(lines) if number % 4 != 3)
    (subject,) = load(config)
    np.testing.assert_allclose(subject.targets[:29, 0], np.arange(29) / 29.5, atol=1e-4)


def test_a_csv_of_another_program_is_read_as_it_is_meant(config, capsys):
    """FF counts frames of the file's own rate, weights are 0..100, semicolons, decimal commas."""
    put_take(config, seconds=3)
    with open(os.path.join(config.training_data_path, "1.csv"), "w") as stream:
        stream.write("Timecode;BlendshapeCount;JawOpen\n")
        for frame in range(90):
            stream.write("00:00:%02d:%02d,000;1;%s\n" % (
                frame // 30, frame % 30, ("%.1f" % (frame + 1)).replace(".", ",")))
    (subject,) = load(config)
    jaw = subject.targets[:, MODEL_CHANNELS.index("jawOpen")]
    np.testing.assert_allclose(jaw, (np.arange(90) + 1) / 100.0, atol=1e-6)
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 2 and all(line.startswith("warning: 1.csv: ") for line in warnings)


def test_a_column_that_is_absent_is_masked_and_others_clipped(config):
    put_take(config, seconds=1)
    with open(os.path.join(config.training_data_path, "1.csv"), "w") as stream:
        stream.write("Timecode,BlendshapeCount,JawOpen,MouthClose\n")
        stream.write("00:00:00:00.0,2,1.5,-0.25\n00:00:01:00.0,2,1.5,0.5\n")
    (subject,) = load(config)
    present = [MODEL_CHANNELS[place] for place in np.flatnonzero(subject.mask)]
    assert sorted(present) == ["jawOpen", "mouthClose"]
    assert subject.targets[0, MODEL_CHANNELS.index("jawOpen")] == 1.0
    assert subject.targets[0, MODEL_CHANNELS.index("mouthClose")] == 0.0
    assert not subject.targets[:, subject.mask == 0].any()


def test_order_of_subjects_is_the_configs(config):
    for stem in ("1", "2", "10"):
        put_take(config, stem, seconds=0.5)
    names = ("10.mp4", "1.mp4", "2.mp4")
    assert tuple(subject.name for subject in load(config, names)) == names


def test_folder_errors(config):
    assert "no video in the folder" in refusal(config)
    put_take(config)
    assert "twice" in refusal(config, "1.mp4", "1.mp4")
    message = refusal(config, "1.mp4", "2.mp4", "3.mp4")
    assert "2.mp4, 3.mp4" in message and config.training_data_path in message
    os.remove(os.path.join(config.training_data_path, "1.csv"))
    assert "1.csv" in refusal(config)
    shutil.rmtree(config.training_data_path)
    message = refusal(config)
    assert config.raw_audio_path in message and config.training_data_path in message
    assert not cache_files(config)


@pytest.mark.parametrize("content, told", [(b"words\n" * 9, "1.wav is not audio"),
                                           (b"", "1.wav is empty")])
def test_a_subject_without_sound(config, content, told):
    put_take(config)
    with open(os.path.join(config.training_data_path, "1.wav"), "wb") as stream:
        stream.write(content)
    assert told in refusal(config)
    assert not cache_files(config)


def test_a_subject_with_nan_in_its_sound_leaves_no_cache(config):
    put_take(config)
    samples = sound(32000)
    samples[30000] = np.nan
    wavfile.write(os.path.join(config.training_data_path, "1.wav"), 16000, samples)
    assert "NaN" in refusal(config)
    assert not cache_files(config)


def test_a_subject_with_nan_in_its_labels(config):
    put_take(config)
    path = os.path.join(config.training_data_path, "1.csv")
    with open(path) as stream:
        text = stream.read()
    with open(path, "w") as stream:
        stream.write(text[:-13] + "nan\n")
    assert "1.csv line 121: column RightEyeRoll is 'nan'" in refusal(config)
    assert not FakeStream.made


# ---- the cache

def test_cache_is_used_again_and_made_anew_when_stale(config):
    put_take(config)
    first = np.array(load(config)[0].windows)
    stamp = os.stat(os.path.join(config.checkpoint_dir, "features", cache_files(config)[0]))
    np.testing.assert_array_equal(load(config)[0].windows, first)
    assert len(FakeStream.made) == 1 and len(cache_files(config)) == 1
    assert os.stat(os.path.join(config.checkpoint_dir, "features",
                                cache_files(config)[0])).st_mtime_ns == stamp.st_mtime_ns
    other_graph = types.SimpleNamespace(sha256="1" * 64)
    load(config, graph=other_graph)                                     # another graph
    assert len(FakeStream.made) == 2
    config.feature_profile = "reference"                                # another profile
    load(config, graph=other_graph)
    assert FakeStream.made[2:] == [("reference", 16000)]
    write_wav(os.path.join(config.training_data_path, "1.wav"), sound(32000, seed=9))
    assert not np.array_equal(load(config, graph=other_graph)[0].windows, first)    # other sound
    assert len(FakeStream.made) == 4 and len(cache_files(config)) == 1


def test_new_labels_need_no_new_features(config):
    put_take(config)
    load(config)
    write_live_link_csv(os.path.join(config.training_data_path, "1.csv"),
                        random_weights(120, seed=5), UNREAL_CHANNELS, 60)
    load(config)
    assert len(FakeStream.made) == 1


@pytest.mark.parametrize("damage", [
    lambda content: content[:len(content) // 2], lambda content: b"", lambda content: b"words",
    lambda content: content.replace(b", 29)", b", 28)")])
def test_a_damaged_cache_is_made_anew(config, damage):
    put_take(config)
    whole = np.array(load(config)[0].windows)
    path = os.path.join(config.checkpoint_dir, "features", cache_files(config)[0])
    with open(path, "rb") as stream:
        content = stream.read()
    with open(path, "wb") as stream:
        stream.write(damage(content))
    np.testing.assert_array_equal(load(config)[0].windows, whole)
    assert len(FakeStream.made) == 2


def test_an_interrupted_extraction_goes_on(config, monkeypatch):
    for stem in ("1", "2", "3"):
        put_take(config, stem, seconds=1, seed=int(stem))
    names = ("1.mp4", "2.mp4", "3.mp4")
    finish = FakeStream.finish

    def interrupted(stream):
        if len(FakeStream.made) == 2:
            raise KeyboardInterrupt
        return finish(stream)

    monkeypatch.setattr(FakeStream, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(config, names)
    assert len(cache_files(config)) == 1                                # and nothing half-written
    monkeypatch.setattr(FakeStream, "finish", finish)
    load(config, names)
    assert len(FakeStream.made) == 2 + 2 and len(cache_files(config)) == 3


def test_cache_file_is_a_plain_npy_written_piece_by_piece(tmp_path):
    pieces = [np.full((n, 16, 29), n, np.float32) for n in (3, 0, 5)]
    path = str(tmp_path / "features" / "a-0.npy")
    feature_cache.write_cached(os.path.dirname(path), [(path, iter(pieces))])
    np.testing.assert_array_equal(np.load(path), np.concatenate(pieces))
    np.testing.assert_array_equal(feature_cache.read_cached(path), np.concatenate(pieces))


@pytest.mark.parametrize("sizes", [(40,), (1, 0, 5, 34), (0, 1)])
def test_rows_that_windows_share_are_stored_once(tmp_path, sizes):
    rows = np.random.RandomState(0).randn(sum(sizes) + 15, 29).astype(np.float32)
    windows = np.stack([rows[frame:frame + 16] for frame in range(sum(sizes))])
    path = str(tmp_path / "a-0.npy")
    pieces = np.split(windows, np.cumsum(sizes)[:-1])
    feature_cache.write_cached(str(tmp_path), [(path, pieces)], share_rows=True)
    np.testing.assert_array_equal(np.load(path), rows)
    found = feature_cache.read_cached(path)
    np.testing.assert_array_equal(found, windows)
    assert found.dtype == np.float32 and not found.flags.writeable
    windows[-1, 3] += 1.0
    if len(windows) > 1:
        with pytest.raises(ValueError, match="do not share"):
            feature_cache.write_cached(str(tmp_path), [(path, [windows])], share_rows=True)


def test_cache_removes_only_this_subjects_old_files_and_abandoned_parts(tmp_path):
    folder = str(tmp_path)
    window = np.zeros((1, 16, 29), np.float32)
    old, new, other = [feature_cache.cache_path(folder, name, digit * 64)
                       for name, digit in (("1.mp4", "a"), ("1.mp4", "b"), ("11.mp4", "a"))]
    for name in (".part-1-00000000-x.npy", ".part-2-00000000-y.npy", "notes.npy"):
        (tmp_path / name).write_bytes(b"x")
    os.utime(str(tmp_path / ".part-1-00000000-x.npy"), (0, 0))
    for paths in ([old, other], [new]):
        feature_cache.write_cached(folder, [(path, [window]) for path in paths])
    assert sorted(os.listdir(folder)) == sorted(
        [os.path.basename(other), os.path.basename(new), ".part-2-00000000-y.npy", "notes.npy"])


def test_a_file_of_another_name_removes_none(tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("kept")
    for name in ("0-features.npy", "1-features.npy"):
        feature_cache.write_cached(str(tmp_path), [
            (str(tmp_path / name), [np.zeros((2, 16, 29), np.float32)])])
    assert sorted(os.listdir(str(tmp_path))) == ["0-features.npy", "1-features.npy", "notes.txt"]


def test_names_of_cache_files_are_safe_and_told_apart(tmp_path):
    names = ["1.mp4", "a/b", "a_b", "../x", u"\u4f60.mp4", u"\u597d.mp4", ".."]
    paths = {feature_cache.cache_path(str(tmp_path), name, "0" * 64) for name in names}
    assert len(paths) == len(names)
    assert {os.path.dirname(path) for path in paths} == {str(tmp_path)}


# ---- the published files

NUM_ROWS = 200


def put_published(config, width=40, audio=None, **changes):
    """The three published files for 1.mp4 (rows 100..159, 2 s) and 2.mp4 (rows 0..29, 1 s)."""
    first = (sound(44100) * 32768).astype(np.int16) if audio is None else audio
    files = {
        "sounds": {"1.mp4": {"audio": first, "sample_rate": 22050},
                   "2.mp4": {"audio": (sound(16000, 1) * 32768).astype(np.int16),
                             "sample_rate": 16000}},
        "rows": {"1.mp4": {frame: 100 + frame for frame in range(60)},
                 "2.mp4": {frame: frame for frame in range(30)}},
        "labels": random_weights(NUM_ROWS, width)[:, :, np.newaxis]}
    files.update(changes)
    for path, content in ((config.raw_audio_path, files["sounds"]),
                          (config.data2array_verts_path, files["rows"])):
        with open(path, "wb") as stream:
            pickle.dump(content, stream, protocol=2)
    np.save(config.verts_mmaps_path, files["labels"])
    return files


@pytest.mark.parametrize("width", [40, 52])
def test_published_files(config, width, capsys):
    files = put_published(config, width)
    subjects = load_subjects(config, ("2.mp4", "1.mp4"), GRAPH)
    assert "published files" in capsys.readouterr().out
    second, first = subjects
    assert (len(first.targets), len(second.targets)) == (60, 30)
    np.testing.assert_array_equal(first.targets[:, :width], files["labels"][100:160, :, 0])
    np.testing.assert_array_equal(second.targets[:, :width], files["labels"][:30, :, 0])
    np.testing.assert_array_equal(first.mask, [1.0] * width + [0.0] * (52 - width))
    assert not first.targets[:, width:].any()
    samples = resample_array(files["sounds"]["1.mp4"]["audio"], 22050)
    levels = [np.abs(part).mean() for part in np.array_split(samples, 60)]
    np.testing.assert_allclose(first.windows[:, 8, 0], levels, rtol=1e-5)


def test_published_40_filled_up_with_zeros_is_masked(config):
    labels = np.zeros((NUM_ROWS, 52, 1), np.float32)
    labels[:, :40, 0] = random_weights(NUM_ROWS, 40)
    put_published(config, labels=labels)
    (subject,) = load(config)
    masked = [MODEL_CHANNELS[place] for place in np.flatnonzero(subject.mask == 0)]
    assert tuple(masked) == CHANNELS_BEYOND_TRACKER
    assert len(TRACKER_CHANNELS) == subject.mask.sum()


def test_published_sound_reaches_the_reference_profile_at_its_own_rate(config):
    files = put_published(config)
    config.feature_profile = "reference"
    (subject,) = load(config)
    assert FakeStream.made == [("reference", 22050)]
    samples = mono_of_array(files["sounds"]["1.mp4"]["audio"])
    levels = [np.abs(part).mean() for part in np.array_split(samples, 60)]
    np.testing.assert_allclose(subject.windows[:, 8, 0], levels, rtol=1e-5)


def test_published_values_are_clipped_and_gaps_bridged(config):
    labels = np.linspace(-1, 3, NUM_ROWS * 40, dtype=np.float32).reshape(NUM_ROWS, 40, 1)
    put_published(config, labels=labels, rows={"1.mp4": {0: 0, np.int64(2): 100, "4": 50}})
    (subject,) = load(config)
    raw = labels[:, 7, 0]
    expected = [raw[0], (raw[0] + raw[100]) / 2, raw[100], (raw[100] + raw[50]) / 2, raw[50]]
    np.testing.assert_allclose(subject.targets[:, 7], np.clip(expected, 0, 1), atol=1e-6)


def test_processed_cache_stands_in_for_features(config):
    put_published(config)
    windows = np.random.RandomState(0).rand(58, 16, 29)
    config.processed_audio_path = config.raw_audio_path.replace("raw_audio_fixed", "processed")
    with open(config.processed_audio_path, "wb") as stream:
        pickle.dump({"1.mp4": {"audio": windows, "sample_rate": 16000}}, stream, protocol=2)
    assert "feature_profile = reference" in refusal(config)
    config.feature_profile = "reference"
    (subject,) = load(config)
    np.testing.assert_array_equal(subject.windows, windows.astype(np.float32))
    assert len(subject.targets) == 58 and not FakeStream.made and not cache_files(config)
    assert "lacks the subject 2.mp4" in refusal(config, "2.mp4")
    with open(config.processed_audio_path, "wb") as stream:
        pickle.dump({"1.mp4": {"audio": windows[:, :15]}}, stream, protocol=2)
    assert "expected float [frames, 16, 29]" in refusal(config)
    config.processed_audio_path += ".none"                              # not there: made
    assert len(load(config)[0].windows) == 60 and FakeStream.made


def nan_at(row, channel):
    labels = random_weights(NUM_ROWS, 40)[:, :, np.newaxis]
    labels[row, channel] = np.nan
    return labels


@pytest.mark.parametrize("changes, told", [
    ({"sounds": [1, 2]}, "expected {subject"),
    ({"sounds": {"9.mp4": {}}}, "lacks the subject 1.mp4; it has 9.mp4"),
    ({"sounds": {"1.mp4": {"audio": np.zeros(9)}}}, "subject 1.mp4: expected {'audio'"),
    ({"sounds": {"1.mp4": 7}}, "subject 1.mp4: expected {'audio'"),
    ({"sounds": {"1.mp4": {"audio": np.zeros(9), "sample_rate": 0}}}, "sample rate of 0"),
    ({"sounds": {"1.mp4": {"audio": np.zeros(9), "sample_rate": float("inf")}}},
     "subject 1.mp4: expected {'audio'"),
    ({"sounds": {"1.mp4": {"audio": np.zeros(0), "sample_rate": 16000}}}, "subject 1.mp4: the"),
    ({"sounds": {"1.mp4": {"audio": np.array([0, np.nan]), "sample_rate": 16000}}}, "sample 1"),
    ({"rows": {"1.mp4": [0, 1]}}, "expected {frame number: row"),
    ({"rows": {"1.mp4": {float("inf"): 0}}}, "expected {frame number: row"),
    ({"rows": {"1.mp4": {}}}, "frame numbers start at nothing"),
    ({"rows": {"1.mp4": {-1: 0}}}, "frame numbers start at -1"),
    ({"rows": {"1.mp4": {0: NUM_ROWS}}}, "row 200 is not among the 200"),
    ({"rows": {"1.mp4": {0: -1}}}, "row -1 is not among the 200"),
    ({"rows": {"2.mp4": {0: 1}}}, "lacks the subject 1.mp4"),
    ({"labels": np.zeros((5, 41, 1), np.float32)}, "expected float32 [frames, 40 or 52, 1]"),
    ({"labels": np.zeros((5, 40, 2), np.float32)}, "expected float32 [frames, 40 or 52, 1]"),
    ({"labels": np.zeros((5, 40, 1), complex)}, "expected float32 [frames, 40 or 52, 1]"),
    ({"labels": nan_at(110, 20)}, "row 110, channel jawOpen is nan"),
])
def test_published_files_with_mistakes(config, changes, told):
    put_published(config, **changes)
    assert told in refusal(config)
    assert not cache_files(config) and not FakeStream.made


def test_nan_in_rows_of_another_subject_is_not_this_ones(config):
    put_published(config, labels=nan_at(10, 20))
    assert len(load(config)) == 1
    assert "row 10" in refusal(config, "2.mp4")


def test_published_files_missing_or_torn(config):
    put_published(config)
    with open(config.data2array_verts_path, "rb") as stream:
        content = stream.read()
    with open(config.data2array_verts_path, "wb") as stream:
        stream.write(content[:-20])
    assert "subj_seq_to_idx.pkl is truncated" in refusal(config)
    os.remove(config.data2array_verts_path)
    assert "subj_seq_to_idx.pkl" in refusal(config)
    put_published(config)
    for size in (500, 0):
        with open(config.verts_mmaps_path, "r+b") as stream:
            stream.truncate(size)
        assert "data_verts.npy" in refusal(config)
    os.remove(config.verts_mmaps_path)
    assert "data_verts.npy" in refusal(config)


def test_pickles_that_call_functions_are_refused(config):
    put_published(config)
    with open(config.raw_audio_path, "wb") as stream:
        pickle.dump({"1.mp4": os.getcwd, "2.mp4": shutil.rmtree}, stream)
    message = refusal(config)
    assert "getcwd" in message and "raw_audio_fixed.pkl" in message


def test_a_gigantic_frame_number_costs_nothing(config):
    put_published(config, rows={"1.mp4": {0: 0, 10 ** 12: 1}})
    assert len(load(config)[0].targets) == 60


# ---- the fingerprint

def test_fingerprint_follows_sound_labels_masks_names_and_order(config):
    put_take(config, "1", seconds=1, seed=1)
    put_take(config, "2", seconds=1, seed=2)
    names = ("1.mp4", "2.mp4")
    fingerprint = data_fingerprint(load(config, names))
    assert len(fingerprint) == 64 and fingerprint == data_fingerprint(load(config, names))
    seen = {fingerprint, data_fingerprint(load(config, names[::-1])),
            data_fingerprint(load(config, names[:1]))}
    write_wav(os.path.join(config.training_data_path, "1.wav"), sound(16000, seed=7))
    seen.add(data_fingerprint(load(config, names)))
    write_live_link_csv(os.path.join(config.training_data_path, "1.csv"),
                        random_weights(60, seed=8), UNREAL_CHANNELS, 60)
    subjects = load(config, names)
    seen.add(data_fingerprint(subjects))
    subjects[0].mask[3] = 0.0                       # another channel that is not learnt
    seen.add(data_fingerprint(subjects))
    assert len(seen) == 6


# ---- with the acoustic network itself

def test_with_a_real_graph(config, monkeypatch, reference_vectors):
    from utils.deepspeech.acoustic_graph import load_acoustic_graph
    from utils.deepspeech.windows import speech_windows
    monkeypatch.undo()
    graph = load_acoustic_graph(os.path.join(reference_vectors, "deepspeech_64",
                                             "output_graph.tflite"))
    recording = os.path.join(reference_vectors, "speech_22k.wav")
    expected = speech_windows(graph, read_audio(recording), "deepspeech")
    shutil.copy(recording, os.path.join(config.training_data_path, "1.wav"))
    write_live_link_csv(os.path.join(config.training_data_path, "1.csv"),
                        random_weights(2 * len(expected)), UNREAL_CHANNELS, 60)
    (subject,) = load(config, graph=graph)
    np.testing.assert_allclose(subject.windows, expected, atol=1e-5)
    config.feature_profile = "reference"
    (subject,) = load(config, graph=graph)
    vectors = np.load(os.path.join(reference_vectors, "vectors.npz"))["features_0.5"]
    np.testing.assert_allclose(subject.windows, vectors, atol=1e-4)
