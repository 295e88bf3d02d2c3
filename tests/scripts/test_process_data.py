"""process_data.py: sources to one dataset; hostile inputs; death at any moment."""
import collections
import contextlib
import csv
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.io import wavfile

from tests.helpers.disks import make_read_only, mounted
from tests.helpers.media import ffmpeg
from tests.helpers.paths import REPOSITORY
from tests.helpers.scripts import run_here, run_process
from utils.common.channels import LIVE_LINK_CSV_CHANNELS, MODEL_CHANNELS, mouth_opening, reorder
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.dataset import av_offset, label_cleaning, make_dataset, make_subject
from utils.dataset.make_subject import Options
from utils.dataset.store import Dataset
from utils.dataset.summary import passed_over_text
from utils.formats.live_link_csv import (read_live_link_csv, read_live_link_take, timecode,
                                         write_live_link_csv)
from utils.formats.npz import write_npz
from utils.media.audio import read_audio, write_wav
from utils.media.loudness import long_speech_envelope, speech_envelope
from utils.training import dataset_config
from utils.training.config import read_config

OPTIONS = Options(labels=None, landmarker_path="face_landmarker.task", fix_offset=False,
                  neutral_path=None, calibrate=None, smooth=False, force=False)
EMBEDDED = os.path.join(REPOSITORY, "training_data", "11")


def noise(seconds, seed=0):
    return np.random.RandomState(seed).randn(int(seconds * SAMPLE_RATE_HZ)) * 0.1


def random_walk(num_frames, seed=0):
    """Weights [num_frames, 52] that move smoothly, as no jump detector minds."""
    steps = np.random.RandomState(seed).randn(num_frames, 52) * 0.02
    return np.clip(0.5 + np.cumsum(steps, axis=0), 0.0, 1.0).astype(np.float32)


def put_npz(folder, name, seconds=2.0, fps=30, seed=0):
    """NAME.wav with NAME.npz, which needs no search and no tracker; returns the weights."""
    weights = random_walk(int(round(seconds * fps)), seed)
    write_wav(os.path.join(str(folder), name + ".wav"), noise(seconds, seed))
    write_npz(os.path.join(str(folder), name + ".npz"), weights, MODEL_CHANNELS, fps)
    return weights


def source_of(folder, name, options=OPTIONS):
    sources, failures, _ = make_dataset.find_sources(str(folder), options)
    if name in failures:
        raise UserError(failures[name])
    return [source for source in sources if source.name == name][0]


def process(folder, name, options=OPTIONS):
    """(record, Arrays) of one recording, in this process."""
    path = str(folder / "dataset")
    record = make_subject.process_recording(
        lambda done_s: None, source_of(folder, name, options), options, path)
    return record, recording_arrays(path, record)


def recording_arrays(path, record):
    from utils.dataset.store import read_arrays, subject_path
    return read_arrays(subject_path(path, record), record)


def state_of(path):
    """{file: (size, time of change)} below a folder."""
    return {os.path.join(folder, name): (os.path.getsize(os.path.join(folder, name)),
                                         os.stat(os.path.join(folder, name)).st_mtime_ns)
            for folder, _, names in os.walk(str(path)) for name in names}


# ---- one recording

@pytest.mark.parametrize("fps", [25, 29.97, 30, 60])
def test_labels_of_any_rate_come_to_30(tmp_path, fps):
    weights = put_npz(tmp_path, "a", 2.0, fps)
    record, arrays = process(tmp_path, "a")
    assert record["frames"] == len(arrays.targets) == 60
    times_s = np.arange(len(weights)) / fps
    inside = np.arange(60) / 30.0 <= times_s[-1] + 1e-9
    for place in (0, 20, 51):
        np.testing.assert_allclose(arrays.targets[inside, place], np.interp(
            np.arange(60)[inside] / 30.0, times_s, weights[:, place]), atol=1e-5)
    np.testing.assert_array_equal(arrays.valid, inside)
    samples = read_audio(str(tmp_path / "a.wav"))
    np.testing.assert_array_equal(arrays.audio, np.rint(samples * 32768).astype(np.int16))


def test_a_jump_is_no_valid_frame(tmp_path):
    weights = put_npz(tmp_path, "a")
    weights[20, MODEL_CHANNELS.index("jawOpen")] = 1.0
    weights[19:22:2, MODEL_CHANNELS.index("jawOpen")] = 0.0
    write_npz(str(tmp_path / "a.npz"), weights, MODEL_CHANNELS, 30)
    record, arrays = process(tmp_path, "a")
    assert not arrays.valid[20] and arrays.valid[:15].all() and arrays.valid[26:].all()
    assert record["valid"]["counts"]["jump"] >= 1
    assert record["valid"]["share"] == pytest.approx(arrays.valid.mean(), abs=1e-4)


def test_absent_and_still_channels_are_masked(tmp_path):
    weights = put_npz(tmp_path, "a")
    weights[:, MODEL_CHANNELS.index("cheekPuff")] = 0.3
    names = [name for name in MODEL_CHANNELS if name != "tongueOut"]
    write_npz(str(tmp_path / "a.npz"), reorder(weights, MODEL_CHANNELS, names), names, 30)
    record, arrays = process(tmp_path, "a")
    assert record["mask"] == {"tongueOut": "absent", "cheekPuff": "still"}
    masked = {MODEL_CHANNELS[place] for place in np.flatnonzero(arrays.mask == 0)}
    assert masked == {"tongueOut", "cheekPuff"}
    assert not arrays.targets[:, MODEL_CHANNELS.index("tongueOut")].any()


def test_smoothing_is_on_unless_refused(tmp_path):
    put_npz(tmp_path, "a")
    rough = process(tmp_path, "a")[1]
    smooth = process(tmp_path, "a", OPTIONS._replace(smooth=True))[1]
    expected = label_cleaning.smoothed(np.array(rough.targets), rough.valid, ANIMATION_FPS)
    np.testing.assert_allclose(smooth.targets, expected, atol=1e-6)
    assert np.abs(np.diff(smooth.targets, 2, axis=0)).mean() < 0.9 * np.abs(
        np.diff(rough.targets, 2, axis=0)).mean()


def write_table(path, weights, names, fps):
    """A CSV as MediaPipe's users write it: a face at rest is not zero in it."""
    with open(str(path), "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["time"] + list(names))
        writer.writerows([["%.6f" % (i / float(fps))] + ["%.6f" % value for value in row]
                          for i, row in enumerate(weights)])


def test_neutral_pose(tmp_path):
    """Of tracked weights a low quantile is zero; or a given take; or nothing is taken off."""
    write_wav(str(tmp_path / "a.wav"), noise(2.0))
    weights = 0.2 + 0.5 * random_walk(60)
    write_table(tmp_path / "a.csv", weights, MODEL_CHANNELS, 30)
    record, arrays = process(tmp_path, "a")
    low = np.quantile(np.float32(weights), label_cleaning.NEUTRAL_QUANTILE, axis=0)
    np.testing.assert_allclose([record["neutral"][name] for name in MODEL_CHANNELS], low,
                               atol=1e-4)
    np.testing.assert_allclose(arrays.targets, np.clip((weights - low) / (1 - low), 0, 1),
                               atol=1e-4)
    record, arrays = process(tmp_path, "a", OPTIONS._replace(calibrate=False))
    assert record["neutral"] is None
    np.testing.assert_allclose(arrays.targets, weights, atol=1e-5)
    (tmp_path / "rest").mkdir()
    write_wav(str(tmp_path / "rest" / "n.wav"), noise(1.0))
    write_npz(str(tmp_path / "rest" / "n.npz"), np.full((30, 1), 0.25, np.float32), ["jawOpen"], 30)
    options = OPTIONS._replace(neutral_path=str(tmp_path / "rest" / "n.wav"))
    record, arrays = process(tmp_path, "a", options)
    jaw = MODEL_CHANNELS.index("jawOpen")
    np.testing.assert_allclose(arrays.targets[:, jaw], np.clip(
        (weights[:, jaw] - 0.25) / 0.75, 0, 1), atol=1e-5)
    assert record["neutral"]["jawOpen"] == 0.25 and record["neutral"]["jawLeft"] == 0.0


def test_the_envelope_of_a_long_sound_is_made_in_pieces(monkeypatch):
    samples = np.rint(noise(9.53) * 32768).astype(np.int16)
    monkeypatch.setattr("utils.media.loudness.BLOCK_S", 3)
    whole = speech_envelope(samples / 32768.0)
    np.testing.assert_allclose(long_speech_envelope(samples), whole, rtol=2e-3)
    np.testing.assert_allclose(long_speech_envelope(samples[:9 * 16000 + 100]),
                               speech_envelope(samples[:9 * 16000 + 100] / 32768.0), rtol=2e-3)


def test_the_published_files_become_a_dataset(tmp_path):
    rows = random_walk(90, seed=3)[:, :40]
    with open(str(tmp_path / "raw_audio_fixed.pkl"), "wb") as stream:
        pickle.dump({name: {"audio": (noise(2.0, seed) * 32768).astype(np.int16),
                            "sample_rate": 16000}
                     for seed, name in enumerate(("10.mp4", "2.mp4"))}, stream)
    with open(str(tmp_path / "subj_seq_to_idx.pkl"), "wb") as stream:
        pickle.dump({"10.mp4": {i: i for i in range(60)},
                     "2.mp4": {i: 30 + i for i in range(60)}}, stream)
    np.save(str(tmp_path / "data_verts.npy"), rows[:, :, np.newaxis])
    options = OPTIONS._replace(labels="published")
    sources, _, _ = make_dataset.find_sources(str(tmp_path), options)
    assert [source.name for source in sources] == ["2.mp4", "10.mp4"]
    record, arrays = process(tmp_path, "2.mp4", options)
    np.testing.assert_allclose(arrays.targets[:60, :40], rows[30:90], atol=1e-6)
    assert arrays.valid.all() and sum(why == "absent" for why in record["mask"].values()) == 12
    np.testing.assert_array_equal(
        arrays.audio, (noise(2.0, 1) * 32768).astype(np.int16))


# ---- labels in time

def put_take(folder, dropped_s, timecode_from_s=None):
    """The embedded subject with the first `dropped_s` of its capture cut off.

    timecode_from_s: the time of day that both would have, the video's in its container.
    """
    take = read_live_link_take(EMBEDDED + ".csv")
    from_s = timecode_from_s or 0.0
    with open(EMBEDDED + ".csv") as stream:
        header, rows = stream.readline(), stream.read().splitlines()
    with open(str(folder / "a.csv"), "w") as stream:
        stream.write(header)
        for time_s, row in zip(take.times_s, rows):
            if time_s >= dropped_s:
                stream.write(timecode(from_s + time_s) + row[row.index(","):] + "\n")
    if timecode_from_s is None:
        shutil.copy(EMBEDDED + ".mp4", str(folder / "a.mp4"))
    else:
        ffmpeg("-i", EMBEDDED + ".mp4", "-c", "copy", "-timecode",
               timecode(from_s).split(".")[0][:9] + "00", folder / "a.mov")


def test_a_capture_is_searched_for_in_the_sound(tmp_path):
    put_take(tmp_path, 0.7)
    record, arrays = process(tmp_path, "a")
    alignment = record["alignment"]
    assert alignment["method"] == "searched" and alignment["confidence"] > 0.95
    assert alignment["start_s"] == pytest.approx(0.7, abs=0.04)
    assert not arrays.valid[:20].any() and arrays.valid[23:-1].all()
    assert abs(record["offset"]["offset_s"]) < 0.03 and not record["offset"]["corrected"]


def test_a_capture_with_a_timecode_is_not_searched_for(tmp_path):
    put_take(tmp_path, 0.7, timecode_from_s=7200.0)
    record, _ = process(tmp_path, "a")
    assert record["alignment"]["method"] == "timecode"
    assert record["alignment"]["start_s"] == pytest.approx(0.7, abs=1.0 / 30)


def test_a_capture_of_another_take_is_refused_unless_forced(tmp_path):
    put_take(tmp_path, 0.0)
    shutil.copy(os.path.join(REPOSITORY, "training_data", "3.csv"), str(tmp_path / "a.csv"))
    with pytest.raises(UserError, match="a.csv: its place in the sound.*not sure.*--force"):
        process(tmp_path, "a")
    record, _ = process(tmp_path, "a", OPTIONS._replace(force=True))
    assert "not sure" in record["warnings"][0]
    assert record["alignment"]["confidence"] < av_offset.MIN_CONFIDENCE


def test_a_capture_as_long_as_its_sound_is_in_step_where_the_search_is_not_sure(tmp_path):
    for extension in (".mp4", ".csv"):
        shutil.copy(os.path.join(REPOSITORY, "training_data", "1" + extension), str(tmp_path))
    record, _ = process(tmp_path, "1")
    assert record["alignment"]["confidence"] < av_offset.MIN_CONFIDENCE
    assert (record["alignment"]["method"], record["alignment"]["start_s"]) == ("in step", 0.0)
    assert "as long as the sound" in record["warnings"][0]


def test_an_offset_is_told_and_corrected_on_demand(tmp_path):
    _, weights, names = read_live_link_csv(EMBEDDED + ".csv")
    late = np.concatenate([np.repeat(weights[:1], 3, axis=0), weights[:-3]])
    shutil.copy(EMBEDDED + ".mp4", str(tmp_path / "a.mp4"))
    write_npz(str(tmp_path / "a.npz"), late, names, 30)
    told = process(tmp_path, "a")[0]["offset"]
    assert told["offset_s"] == pytest.approx(3 / 30.0, abs=0.02) and told["confidence"] > 0.95
    record, arrays = process(tmp_path, "a", OPTIONS._replace(fix_offset=True))
    assert record["offset"]["corrected"]
    opening = mouth_opening(arrays.targets, MODEL_CHANNELS)
    lag = av_offset.search_lag(opening, arrays.valid, long_speech_envelope(arrays.audio), 30, 0.5)
    assert abs(lag.lag_s) < 0.02


@pytest.mark.parametrize("label_s, told", [
    (0.6, "a.npz: the labels cover 0.6 of 2.0 s of sound"),
    (5.0, "a.npz: the labels last 5.0 s and the sound 2.0 s")])
def test_labels_of_another_length(tmp_path, label_s, told):
    put_npz(tmp_path, "a", 2.0)
    write_npz(str(tmp_path / "a.npz"), random_walk(int(label_s * 30) + 1), MODEL_CHANNELS, 30)
    with pytest.raises(UserError, match=told.replace(".", r"\.")):
        process(tmp_path, "a")
    record, _ = process(tmp_path, "a", OPTIONS._replace(force=True))
    assert record["frames"] == 60 and told.split(": ")[1] in record["warnings"][0]


# ---- a folder, by the script: what it writes, and what a second run does

@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder, stdout) of three subjects made by one run."""
    folder = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(("2", "10", "a b")):
        put_npz(folder, name, 2.0, seed=seed)
    status, out, err = run_process("process_data.py", "--training_data_path", folder,
                                   "--processes", 2)
    assert status == 0, err
    return folder, out


@pytest.fixture
def copy(made, tmp_path):
    """The folder of `made` to do as one likes with."""
    folder = tmp_path / "me"
    shutil.copytree(str(made[0]), str(folder))
    return folder


def renew(folder, **changes):
    """A second run, in this process."""
    options = OPTIONS._replace(smooth=True, **{
        key: changes.pop(key) for key in list(changes) if key in OPTIONS._fields})
    return make_dataset.process_folder(str(folder), str(folder / "dataset"), options, 2,
                                     progress=False, **changes)


def test_a_dataset_made_by_dask_is_the_same(tmp_path):
    pytest.importorskip("distributed", reason="distributed is not installed "
                        "(pip install -r requirements-cluster.txt)")
    made = []
    for flags in ((), ("--scheduler", "local", "--processes", "2")):
        folder = tmp_path / ("cluster" if flags else "processes") / "me"
        folder.mkdir(parents=True)
        for name in "ab":
            put_npz(folder, name)
        (folder / "bad.wav").write_bytes(b"no sound" * 99)
        # Relative paths: workers stand elsewhere.
        status, out, err = run_here("process_data.py", "--training_data_path", "me", *flags,
                                    folder=str(folder.parent))
        assert status == 1 and err.endswith("error: 1 of 3 subjects failed; the others are "
                                            "written\n"), err
        path = folder / "dataset"
        made.append({file[len(str(path)):]: open(file, "rb").read() for file in state_of(path)})
    assert len(made[0]) == 10 and made[0] == made[1]


def test_the_script_writes_dataset_config_and_summary(made):
    folder, out = made
    dataset = Dataset(str(folder / "dataset"))
    assert list(dataset.subjects) == ["2", "10", "a b"]
    assert dataset.subjects["2"]["labels"]["kind"] == "npz"
    assert re.search(r"^2 +npz +60 +\d+\.\d % .*52 of 52$", out, re.MULTILINE)
    config_path = str(folder / "dataset" / "training_config.cfg")
    assert out.splitlines()[-1] == "python run_training.py --config %s" % config_path
    config = read_config(config_path)
    assert config.subject_for_training == ["2", "10"]
    assert config.subject_for_validation == ["a b"]
    assert config.training_data_path == str(folder / "dataset")
    assert config.checkpoint_dir == str(folder / "dataset" / "training")
    assert sorted(os.listdir(str(folder / "dataset"))) == [
        "dataset.json", "subjects", "training_config.cfg"]


def test_a_second_run_redoes_only_what_changed(copy):
    before = state_of(copy / "dataset")
    summary = renew(copy)
    assert not summary.redone and state_of(copy / "dataset") == before
    put_npz(copy, "10", 2.0, seed=7)
    put_npz(copy, "11", 1.0, seed=8)
    os.remove(str(copy / "a b.wav"))
    summary = renew(copy)
    assert sorted(summary.redone) == ["10", "11"] and summary.dropped == ["a b"]
    assert list(summary.subjects) == list(Dataset(str(copy / "dataset")).subjects) == [
        "2", "10", "11"]
    after = state_of(copy / "dataset")
    assert all(after[name] == before[name] for name in before
               if os.sep + "2-" in name) and len(os.listdir(str(copy / "dataset/subjects"))) == 3


@pytest.mark.parametrize("change", [
    {"smooth": False}, {"calibrate": False}, {"fix_offset": True}, {"live_link_sides": "app"}])
def test_other_options_are_other_data(made, change):
    folder = str(made[0])
    options = OPTIONS._replace(smooth=True)
    assert source_of(folder, "2", options).folder in os.listdir(
        os.path.join(folder, "dataset", "subjects"))
    assert source_of(folder, "2", options._replace(**change)).folder \
        != source_of(folder, "2", options).folder


def test_held_out_parts(copy):
    summary = renew(copy, hold_out=0.5)
    assert not summary.redone                       # nothing is made anew for that
    assert list(summary.subjects) == ["2", "2_held_out", "10", "10_held_out", "a b",
                                      "a b_held_out"]
    dataset = Dataset(str(copy / "dataset"))
    assert [len(dataset.arrays(name).targets) for name in ("2", "2_held_out")] == [30, 30]
    assert dataset_config.training_and_validation(summary.subjects) == (
        ["2", "10", "a b"], ["2_held_out", "10_held_out", "a b_held_out"])
    summary = renew(copy)
    assert list(summary.subjects) == ["2", "10", "a b"] and not summary.redone


def test_of_a_single_subject_a_part_is_held_out(copy):
    for name in ("10", "a b"):
        os.remove(str(copy / (name + ".wav")))
    put_npz(copy, "2", 12.0)
    summary = renew(copy)
    assert [(name, record["rows"]) for name, record in summary.subjects.items()] == [
        ("2", [0, 324]), ("2_held_out", [324, 360])]
    put_npz(copy, "2", 1.0)
    with pytest.raises(UserError, match="too short to hold a part"):
        dataset_config.training_and_validation(renew(copy).subjects)


def test_an_edited_config_is_left_alone(copy):
    path = copy / "dataset" / "training_config.cfg"
    dataset_path = str(copy / "dataset")
    first = collections.OrderedDict((name, {"frames": 900}) for name in ("1", "2"))
    second = collections.OrderedDict((name, {"frames": 900}) for name in ("1", "2", "3"))
    assert dataset_config.write_training_config(dataset_path, first)[1] == "written"
    assert dataset_config.write_training_config(dataset_path, first)[1] == "unchanged"
    assert dataset_config.write_training_config(dataset_path, second)[1] == "written"
    # The recipe, and 4000 steps of 64 from 1800 frames.
    config = read_config(str(path))
    assert (config.epoch_num, config.opening_weight, config.learning_rate) == (143, 1.0, 2e-3)
    path.write_text(path.read_text().replace("epoch_num = 143", "epoch_num = 7"))
    edited = path.read_text()
    assert dataset_config.write_training_config(dataset_path, first)[1] == "edited"
    assert path.read_text() == edited


# ---- hostile inputs: one line each, status 1, nothing half-written, the rest done

@pytest.fixture(scope="module")
def hostile(made, tmp_path_factory):
    """(folder, files of the dataset before, status, stdout, stderr) of a second run."""
    folder = tmp_path_factory.mktemp("hostile") / "me"
    shutil.copytree(str(made[0]), str(folder))
    before = state_of(folder / "dataset")
    picture = ["-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=25"]
    ffmpeg(*picture + ["-an", folder / "mute.mp4"])
    ffmpeg(*picture + ["-i", folder / "2.wav", "-shortest", folder / "truncated.mp4"])
    with open(str(folder / "truncated.mp4"), "r+b") as stream:
        stream.truncate(os.path.getsize(str(folder / "truncated.mp4")) * 2 // 3)
    for name in ("mute", "truncated"):
        shutil.copy(str(folder / "2.npz"), str(folder / (name + ".npz")))
    for name in ("nan_csv", "nan_npz", "short_csv", "long_csv", "no_labels", "now_broken"):
        shutil.copy(str(folder / "2.wav"), str(folder / (name + ".wav")))
    weights = random_walk(60)
    weights[30, 7] = np.nan
    write_npz(str(folder / "nan_npz.npz"), weights, MODEL_CHANNELS, 30)
    write_live_link_csv(str(folder / "nan_csv.csv"), random_walk(60), LIVE_LINK_CSV_CHANNELS, 30)
    with open(str(folder / "nan_csv.csv")) as stream:
        text = stream.read()
    with open(str(folder / "nan_csv.csv"), "w") as stream:
        stream.write(text[:-13] + "nan\n")
    write_table(folder / "short_csv.csv", random_walk(10), MODEL_CHANNELS, 30)
    write_table(folder / "long_csv.csv", random_walk(300), MODEL_CHANNELS, 30)
    (folder / "now_broken.npz").write_bytes(b"PK no more")
    (folder / "10.npz").write_bytes(b"PK no more")      # was good when the dataset was made
    status, out, err = run_here("process_data.py", "--training_data_path", folder)
    return folder, before, status, out, err


@pytest.mark.parametrize("name, told", [
    ("mute", "no audio stream is in it"),
    ("truncated", "is not audio that ffmpeg can read"),
    ("nan_csv", r"nan_csv.csv line 61: column RightEyeRoll is 'nan'"),
    ("nan_npz", "nan_npz.npz holds NaN or infinity"),
    ("short_csv", "the labels cover 0.3 of 2.0 s"),
    ("long_csv", "the labels last 10.0 s and the sound 2.0 s"),
    ("no_labels", "no labels lie beside it"),
    ("now_broken", "is not an .npz of weights")])
def test_a_bad_recording_is_one_line(hostile, name, told):
    folder, _, status, _, err = hostile
    lines = [line for line in err.splitlines() if line.startswith("failed: %s: " % name)]
    assert status == 1 and len(lines) == 1, err
    assert told in lines[0]
    assert name not in Dataset(str(folder / "dataset")).subjects


def test_bad_recordings_leave_the_others_and_the_dataset_before(hostile):
    folder, before, status, out, err = hostile
    assert "Traceback" not in err and status == 1
    assert err.splitlines()[-1] == "error: 9 of 9 subjects failed; the others are written"
    assert "as an earlier run made it" in [
        line for line in out.splitlines() if line.startswith("10 ")][0]
    after = state_of(folder / "dataset")
    config_path = str(folder / "dataset" / "training_config.cfg")   # says the folder's new place
    assert after.pop(config_path) and before.pop(config_path) and after == before


def test_nothing_usable_makes_no_dataset(tmp_path):
    write_wav(str(tmp_path / "a.wav"), noise(1.0))
    with pytest.raises(UserError, match="^a: a.wav: no labels lie beside it"):
        renew(tmp_path)
    assert os.listdir(str(tmp_path)) == ["a.wav"]
    for folder, told in ((tmp_path / "absent", "there is no folder"),
                         (tmp_path / "empty", "no video .* and no sound")):
        if told.startswith("no video"):
            folder.mkdir()
        with pytest.raises(UserError, match=told):
            make_dataset.process_folder(str(folder), str(tmp_path / "dataset"), OPTIONS, 1,
                                      progress=False)
        assert not os.path.exists(str(tmp_path / "dataset"))


def test_two_files_of_one_name_fail_alone(copy):
    shutil.copy(str(copy / "2.wav"), str(copy / "2.flac"))
    put_npz(copy, "new", 2.0, seed=9)
    summary = renew(copy)
    assert list(summary.failures) == ["2"] and summary.redone == ["new"]
    assert summary.failures["2"].startswith("2.flac, 2.wav would all be the subject 2; rename")
    assert list(summary.subjects) == ["2", "10", "a b", "new"]         # 2 as it was


BAD_NAMES = (
    ("take 1, again", "commas"), ("take ", "begins or ends with a space"),
    (" take", "begins or ends"), (u"take\u00a01", "wide space"), ("take\t1", "a tab"),
    (u"take\u3000", "begins or ends"), ("a_held_out", "held-out"))
GOOD_NAMES = ("a b", "a  b", u"m\u00fc\u4f60", "a=b", "#1", "[x]", "50%", "-x",
              u"\u0645\u06cc\u200c\u062e", "a.mp4", ";c", "other")


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """The Summary of a folder with a recording of each name."""
    folder = tmp_path_factory.mktemp("named")
    for seed, name in enumerate(GOOD_NAMES + tuple(name for name, _ in BAD_NAMES)):
        put_npz(folder, name, 2.0, seed=seed)
    return renew(folder)


@pytest.mark.parametrize("name, told", BAD_NAMES)
def test_a_bad_name_fails_alone(named, name, told):
    assert told in named.failures[name]
    assert sorted(named.failures) == sorted(bad for bad, _ in BAD_NAMES)
    assert sorted(named.redone) == sorted(named.subjects) == sorted(GOOD_NAMES)


@pytest.mark.parametrize("name", GOOD_NAMES[:-1])
def test_a_name_that_is_taken_is_the_configs(named, tmp_path, name):
    """As the only subject to learn from, and as the only one to measure on."""
    for names in ([name, "other"], ["other", name]):
        path, _ = dataset_config.write_training_config(str(tmp_path), collections.OrderedDict(
            (one, named.subjects[one]) for one in names))
        config = read_config(path)
        assert config.subject_for_training + config.subject_for_validation == names


def test_files_that_belong_to_nothing_are_named(tmp_path):
    put_npz(tmp_path, "a", 4.0)
    for name in ("a_words.csv", "a_note.txt", "README.md", "b.csv", "c.xyz", ".hidden", "10.aup3",
                 "9.aup3"):
        (tmp_path / name).write_text("x")
    status, out, err = run_here("process_data.py", "--training_data_path", tmp_path)
    assert status == 0, err
    (line,) = [line for line in out.splitlines() if line.startswith("passed over")]
    assert line.split(": ")[1] == "9.aup3, 10.aup3, b.csv, c.xyz"
    assert passed_over_text(["f%d" % number for number in range(12)]).endswith("f9 and 2 more")


@pytest.mark.parametrize("name", ["a.mp3", "a.M4A", "a.ogg", "a.opus", "a.aac", "a.aiff", "a.m4v",
                                  "a.mts", "a.mpg", "a.wmv", "a.3gp", "a.flv"])
def test_other_containers_with_labels_are_taken(tmp_path, name):
    put_npz(tmp_path, "a", 2.0)
    video = name[2:].lower() in ("m4v", "mts", "mpg", "wmv", "3gp", "flv")
    codecs = {"3gp": ["-c:v", "mpeg4", "-c:a", "aac"], "mts": ["-c:v", "libx264"],
              "flv": ["-ar", "44100"]}
    ffmpeg("-i", tmp_path / "a.wav", *((["-f", "lavfi", "-i", "testsrc=d=2:s=176x144:r=25"]
                                        if video else []) + codecs.get(name[2:], [])
                                       + [tmp_path / name]))
    os.remove(str(tmp_path / "a.wav"))
    record, arrays = process(tmp_path, "a")
    assert record["labels"]["kind"] == "npz" and arrays.valid.mean() > 0.9


# ---- doubtful sound and labels

def warnings_of(record):
    """A record's warnings but for those on sides, which random faces have at random."""
    return [warning for warning in record["warnings"] if "look swapped" not in warning]


def refusal_and_record(folder, told):
    """The record of the forced subject a, refused with `told` otherwise and warned of then."""
    with pytest.raises(UserError, match="%s.*--force" % told):
        process(folder, "a")
    record, _ = process(folder, "a", OPTIONS._replace(force=True))
    assert any(re.search(told, warning) for warning in record["warnings"]), record["warnings"]
    return record


def test_a_silent_sound_is_refused(tmp_path):
    put_npz(tmp_path, "a")
    write_wav(str(tmp_path / "a.wav"), np.zeros(32000))
    record = refusal_and_record(tmp_path, "silent from end to end")
    assert len(warnings_of(record)) == 1


def test_what_a_reader_warns_of_is_in_the_record(tmp_path, capfd):
    put_npz(tmp_path, "a")
    samples = np.rint(noise(2.0) * 32768).astype(np.int16)
    wavfile.write(str(tmp_path / "a.wav"), SAMPLE_RATE_HZ, np.stack([samples, -samples], axis=1))
    record, arrays = process(tmp_path, "a")
    (warning,) = warnings_of(record)
    assert "channels cancel" in warning and not capfd.readouterr().err
    np.testing.assert_array_equal(arrays.audio, samples)


def check_judgement(folder, told, refused):
    """That the subject `a` is refused for what `told` matches, warned of it, or taken in silence.

    refused: True, False, or None in this order.
    """
    if refused:
        refusal_and_record(folder, told)
    else:
        warnings = warnings_of(process(folder, "a")[0])
        assert [bool(re.match(told, warning)) for warning in warnings] == (
            [] if refused is None else [True])


@pytest.mark.parametrize("num_lost, refused", [(5, None), (18, False), (40, True)])
def test_few_frames_to_learn_from(tmp_path, num_lost, refused):
    weights = put_npz(tmp_path, "a").astype(float)
    weights[10:10 + num_lost] = np.nan                              # MediaPipe saw no face
    write_table(tmp_path / "a.csv", weights, MODEL_CHANNELS, 30)
    os.remove(str(tmp_path / "a.npz"))
    told = r"\d\d %% of the sound's frames can be learnt from \(no face in %d rows\)" % num_lost
    check_judgement(tmp_path, told, refused)


@pytest.mark.parametrize("moves, refused", [(0.3, None), (0.06, False), (0.01, True)])
def test_a_mouth_that_hardly_moves(tmp_path, moves, refused):
    weights = put_npz(tmp_path, "a")
    mouth = [place for place, name in enumerate(MODEL_CHANNELS)
             if name.startswith(("mouth", "jaw", "tongue", "cheek"))]
    weights[:, mouth] = moves * (0.5 + 0.5 * np.sin(np.arange(len(weights)) * 0.6))[:, np.newaxis]
    write_npz(str(tmp_path / "a.npz"), weights, MODEL_CHANNELS, 30)
    told = r"the mouth hardly moves, by 0\.\d\d\d of full scale at most"
    check_judgement(tmp_path, told, refused)


def test_labels_in_step_by_their_own_times_that_do_not_go_with_the_sound(tmp_path):
    """Warned of: labels of another take, and labels that the sound places elsewhere."""
    _, weights, names = read_live_link_csv(EMBEDDED + ".csv")
    shutil.copy(EMBEDDED + ".mp4", str(tmp_path / "a.mp4"))
    write_npz(str(tmp_path / "a.npz"), weights, names, 30)
    assert warnings_of(process(tmp_path, "a")[0]) == []
    late = np.concatenate([np.repeat(weights[:1], 60, axis=0), weights[:-60]])
    write_npz(str(tmp_path / "a.npz"), late, names, 30)
    (warning,) = warnings_of(process(tmp_path, "a")[0])
    assert re.match(r"by the sound the labels are [12]\.\d\d s late \(confidence", warning)
    write_npz(str(tmp_path / "a.npz"), random_walk(len(weights), 7), MODEL_CHANNELS, 30)
    (warning,) = warnings_of(process(tmp_path, "a")[0])
    assert re.match("mouth and sound do not go together at any place within 5 s", warning)


@pytest.mark.parametrize("length_s", [0.0, 20.0])
def test_a_timecode_of_another_clock_is_searched_instead(tmp_path, length_s):
    """An editor's 01:00:00:00 on the video; the capture's time of day, 20 s longer or as long."""
    take = read_live_link_take(EMBEDDED + ".csv")
    with open(EMBEDDED + ".csv") as stream:
        header, rows = stream.readline(), stream.read().splitlines()
    step_s = take.times_s[1]
    with open(str(tmp_path / "a.csv"), "w") as stream:
        stream.write(header)
        # Before the clip the face rests: the capture ran already.
        for number in range(int(length_s / step_s)):
            stream.write(timecode(43200.0 + number * step_s) + rows[0][rows[0].index(","):] + "\n")
        for time_s, row in zip(take.times_s, rows):
            stream.write(timecode(43200.0 + length_s + time_s) + row[row.index(","):] + "\n")
    ffmpeg("-i", EMBEDDED + ".mp4", "-c", "copy", "-timecode", "01:00:00:00", tmp_path / "a.mov")
    record, arrays = process(tmp_path, "a")
    assert record["alignment"]["method"] == "searched"
    assert record["alignment"]["start_s"] == pytest.approx(-length_s, abs=0.04)
    (warning,) = warnings_of(record)
    assert "the timecodes of labels and sound are of different clocks" in warning
    assert arrays.valid.mean() > 0.95


def test_as_long_as_the_sound_is_no_proof(tmp_path):
    """A capture of another take, cut to the sound's length: refused, and taken by --force."""
    shutil.copy(EMBEDDED + ".mp4", str(tmp_path / "a.mp4"))
    take = read_live_link_take(EMBEDDED + ".csv")
    write_live_link_csv(str(tmp_path / "a.csv"), random_walk(len(take.times_s), 7), MODEL_CHANNELS,
                        30)
    record = refusal_and_record(tmp_path, "as long as the sound, which proves nothing")
    assert record["alignment"]["method"] == "in step"


@pytest.mark.parametrize("case, taken, failed", [
    ("07", ["take"], []), ("15", ["a", "b", "c"], []), ("18", ["other"], ["take "]),
    ("23", ["good"], ["take 1, again"]), ("31_ok", ["take"], [])])
def test_the_shared_cases(shared_cases, tmp_path, case, taken, failed):
    folder = tmp_path / "case"
    shutil.copytree(os.path.join(shared_cases, case), str(folder))
    os.chmod(str(folder), 0o755)
    summary = renew(folder)
    assert list(summary.failures) == failed and sorted(summary.redone) == taken
    assert all(record["valid"]["share"] > 0.95 for record in summary.subjects.values())


def test_a_video_needs_the_model_file(copy):
    before = state_of(copy / "dataset")
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=1:s=64x64:r=25", "-i", copy / "2.wav", "-shortest",
           copy / "new.mp4")
    with pytest.raises(UserError, match=r"there is no face_landmarker\.task; download it from "
                                        r"https://\S+ \(sha256 64184e22"):
        renew(copy)
    assert state_of(copy / "dataset") == before


def test_a_full_disk(copy, tmp_path):
    """A dataset on a disk of 600 kB, to which a recording of 20 s is added (640 kB of sound)."""
    with mounted(tmp_path / "small", "size=600k") as small:
        run_on_full_disk(copy, small, {})


def test_a_write_that_fails_part_way(copy, tmp_path):
    """As a full disk, where none can be mounted: the system lets no file grow beyond 300 kB."""
    resource = pytest.importorskip("resource", reason="the system has no such limit")
    run_on_full_disk(copy, tmp_path, {"preexec_fn": lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, (300000, 300000))})


def run_on_full_disk(copy, place, options):
    shutil.copytree(str(copy / "dataset"), str(place / "dataset"))
    before = state_of(place / "dataset")
    put_npz(copy, "long", 20.0)
    status, out, err = run_process("process_data.py", "--training_data_path", copy,
                                   "--dataset_path", place / "dataset", **options)
    assert status == 1 and "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert re.match("failed: long: cannot write to .*dataset: (No space left on device|File too "
                    "large); free the space or choose another place", line)
    after = state_of(place / "dataset")
    changed = {os.path.basename(name) for name in after if after[name] != before.get(name)}
    assert set(before) <= set(after) and changed <= {"training_config.cfg"}
    for name in ("2", "10", "a b"):
        assert len(Dataset(str(place / "dataset")).arrays(name).targets) == 60


def test_an_unwritable_folder(copy, tmp_path):
    if os.geteuid() == 0:               # whom permissions do not stop
        with mounted(tmp_path / "fixed", "size=600k") as fixed:
            shutil.copytree(str(copy / "dataset"), str(fixed / "dataset"))
            make_read_only(fixed)
            refused_as_unwritable(copy, fixed / "dataset")
        return
    os.chmod(str(copy / "dataset"), 0o555)
    try:
        refused_as_unwritable(copy, copy / "dataset")
    finally:
        os.chmod(str(copy / "dataset"), 0o755)


def refused_as_unwritable(copy, path):
    before = state_of(path)
    put_npz(copy, "new", 1.0)
    with pytest.raises(UserError, match="^cannot write to the folder .*dataset: (Read-only|Perm)"):
        make_dataset.process_folder(str(copy), str(path), OPTIONS, 1, progress=False)
    assert state_of(path) == before


# ---- death

def kill_when(folder, seen):
    """Start the script and kill -9 it as soon as seen() is true."""
    process = subprocess.Popen(
        [sys.executable, os.path.join(REPOSITORY, "process_data.py"), "--processes", "1",
         "--training_data_path", str(folder)], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while not seen() and process.poll() is None and time.time() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_kill_in_the_middle(copy):
    """Killed while a recording is written, and again after one is finished: all is as before."""
    dataset_path = copy / "dataset"
    before = state_of(dataset_path)
    for seed, name in enumerate(("10", "11", "12")):
        put_npz(copy, name, 12.0 - seed, seed=seed + 20)     # the longest is done first
    subjects = str(dataset_path / "subjects")
    kill_when(copy, lambda: any(name.startswith(".part-") for name in os.listdir(subjects)))
    now = state_of(dataset_path)
    assert all(now.get(name) == state for name, state in before.items())
    assert len(Dataset(str(dataset_path)).arrays("10").targets) == 60
    kill_when(copy, lambda: any(re.match("10-", name) for name in os.listdir(subjects)
                                if not any(name in path for path in before)))
    now = state_of(dataset_path)
    assert all(now.get(name) == state for name, state in before.items())
    summary = renew(copy)
    assert "10" not in summary.redone and "12" in summary.redone     # what was finished stays
    assert list(summary.subjects) == ["2", "10", "11", "12", "a b"]
    assert len(os.listdir(subjects)) == 5 and not summary.failures
    assert len(Dataset(str(dataset_path)).arrays("10").targets) == 360


# ---- videos of faces

@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """(folder, status, stdout, stderr) of a run over a face and videos without one."""
    from tests.helpers.paths import SHARED
    realdata = os.path.join(SHARED, "realdata")
    if not os.path.isdir(realdata):
        pytest.skip("needs ../shared/realdata, which is not part of the repository")
    folder = tmp_path_factory.mktemp("tracked")
    shutil.copy(os.path.join(realdata, "models", "face_landmarker.task"), str(folder))
    take = os.path.join(realdata, "grid_s1_video", "1.mp4")
    sound = ["-ss", "0", "-t", "0.6", "-i", take]
    small = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "12", "-c:a", "aac"]
    ffmpeg("-ss", 0, "-t", 2.4, "-i", take, *small + [folder / "face.mp4"])
    ffmpeg(*sound + ["-vf", "split[a][b];[a][b]hstack"] + small + [folder / "two.mp4"])
    ffmpeg(*sound + ["-f", "lavfi", "-i", "color=black:s=180x144:r=25:d=0.6", "-map", "1:v",
                     "-map", "0:a"] + small + [folder / "black.mp4"])
    ffmpeg(*sound + ["-f", "lavfi", "-i", "testsrc=s=180x144:r=25:d=0.6", "-map", "1:v",
                     "-map", "0:a"] + small + [folder / "no_face.mp4"])
    ffmpeg(*sound + ["-vf", "select=eq(n\\,0)"] + small + [folder / "one_frame.mp4"])
    status, out, err = run_process("process_data.py", "--training_data_path", folder,
                                   "--report")
    return folder, status, out, err


def test_a_face_is_tracked(tracked):
    folder, _, out, err = tracked
    dataset = Dataset(str(folder / "dataset"))
    assert list(dataset.subjects)[0] == "face", err
    record = dataset.subjects["face"]
    assert record["labels"]["kind"] == "tracker" and record["mask"]["tongueOut"] == "absent"
    assert record["valid"]["share"] > 0.9 and record["neutral"]["jawOpen"] >= 0.0
    with open(str(folder / "dataset" / "report.html"), encoding="utf-8") as stream:
        assert stream.read().count("data:image/jpeg") >= 2          # stills of the video


def test_other_options_need_no_new_tracking(tracked, tmp_path, monkeypatch):
    folder = tmp_path / "me"
    folder.mkdir()
    for name in ("face.mp4", "face_landmarker.task"):
        shutil.copy(str(tracked[0] / name), str(folder))
    shutil.copytree(str(tracked[0] / "dataset"), str(folder / "dataset"))
    before = Dataset(str(folder / "dataset")).subjects["face"]
    whole = recording_arrays(str(folder / "dataset"), before)
    options = OPTIONS._replace(landmarker_path=str(folder / "face_landmarker.task"))
    sources, _, _ = make_dataset.find_sources(str(folder), options)
    (source,) = [make_dataset._with_track(source, before) for source in sources]
    assert source.tracked_in == before["folder"] != source.folder
    with monkeypatch.context() as patch:
        patch.setattr(make_subject.label_sources, "read_label_track", None)
        record = make_subject.process_recording(
            lambda done_s: None, source, options, str(folder / "dataset"))
    arrays = recording_arrays(str(folder / "dataset"), record)
    np.testing.assert_allclose(label_cleaning.smoothed(
        np.array(arrays.targets), arrays.valid, ANIMATION_FPS), whole.targets, atol=1e-5)
    assert dict(record["labels"]) == dict(before["labels"])
    other = source._replace(tracked_in=None)
    assert make_dataset._with_track(other, dict(before, labels=dict(
        before["labels"], sha256="0" * 64))).tracked_in is None
    assert make_dataset._with_track(other._replace(landmarker_sha256="0"), before).tracked_in is None


@pytest.mark.parametrize("name, told", [
    ("two", "two faces in"), ("black", "no face in 15 of 15 frames"),
    ("no_face", "no face in 15 of 15 frames"), ("one_frame", "1 of 1 rows")])
def test_a_video_without_one_face_is_one_line(tracked, name, told):
    folder, status, _, err = tracked
    (line,) = [line for line in err.splitlines() if line.startswith("failed: %s: " % name)]
    assert status == 1 and told in line and "Traceback" not in err
    assert name not in Dataset(str(folder / "dataset")).subjects
