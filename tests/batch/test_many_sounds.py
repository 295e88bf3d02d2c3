"""run_voca.py on a folder: each sound's files are those of a single run, to the bit."""
import contextlib
import glob
import json
import os
import shutil
import threading
import time

import numpy as np
import pytest

from tests.helpers.cluster import Cluster
from tests.helpers.paths import REPOSITORY
from tests.helpers.scripts import run_here
from utils.batch import many_sounds
from utils.batch.made_record import RECORD_NAME
from utils.common.constants import DEFAULT_AUDIO
from utils.common.worker_processes import Event
from utils.media.audio import read_audio, write_wav

FLAGS = ("--no_preview", "--formats", "csv,npz")


@pytest.fixture(scope="module")
def samples():
    return read_audio(os.path.join(REPOSITORY, DEFAULT_AUDIO))[8000:24000]


@pytest.fixture
def in_this_process(monkeypatch):
    use_this_process(monkeypatch)


def use_this_process(monkeypatch):
    """run_tasks without processes, which take seconds to import TensorFlow."""
    def run(function, tasks, num_processes, num_tries):
        for number, task in enumerate(tasks):
            try:
                yield Event(number, "done", function(None, *task))
            except many_sounds.UserError as error:
                yield Event(number, "failed", str(error))
    monkeypatch.setattr(many_sounds, "run_tasks", run)
    monkeypatch.setattr(many_sounds, "_loaded", {})


def contents(folder, with_records=False):
    """{path below folder: bytes} of all its files."""
    found = {}
    for place, _, names in os.walk(str(folder)):
        for name in names:
            if with_records or name != RECORD_NAME:
                path = os.path.join(place, name)
                with open(path, "rb") as stream:
                    found[os.path.relpath(path, str(folder))] = stream.read()
    return found


def run_many(tmp_path, *flags):
    return run_here("run_voca.py", "--audio_fname", tmp_path / "in", "--out_path",
                    tmp_path / "out", *(FLAGS + flags))


def test_many_sounds_are_as_single_ones_and_one_that_fails_stops_none(tmp_path, samples):
    """In processes, as a user runs it."""
    os.makedirs(str(tmp_path / "in" / "sub"))
    for name, part in (("a", samples[:6000]), ("sub/a", samples[9000:])):
        write_wav(str(tmp_path / "in" / name) + ".wav", part)
    (tmp_path / "in" / "bad.wav").write_bytes(b"\0\1\2\3" * 100)
    status, out, err = run_many(tmp_path, "--jobs", "1")
    assert status == 1 and "2 of 3 sounds made" in out and "3/3  " in out
    assert "failed: bad.wav: %s is not audio" % (tmp_path / "in" / "bad.wav") in err
    assert err.endswith("error: 1 of 3 sounds failed; the others are written, and the same command "
                        "tries these again\n")
    for name in ("a", "sub/a"):
        single = run_here("run_voca.py", "--audio_fname", tmp_path / "in" / (name + ".wav"),
                          "--out_path", tmp_path / "single" / name, *FLAGS)
        assert single[0] == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "single")
    assert RECORD_NAME not in str(contents(tmp_path / "single").keys())
    os.remove(str(tmp_path / "in" / "bad.wav"))
    status, out, err = run_many(tmp_path)
    assert (status, err) == (0, "")
    assert "2 of the sounds are done" in out and "0 of 2 sounds made" in out


def test_a_cluster_whose_worker_is_killed_makes_the_same_files(tmp_path, samples, monkeypatch):
    """Three worker processes; one is killed at its first sound, in the middle of it."""
    for number in range(9):
        write_wav(str(tmp_path / "in" / ("%d.wav" % number)), samples[1000 * number:][:6000])
    killed = []

    def kill_first(workers):
        """The worker that has written the record of a sound that is not whole yet."""
        while not killed:
            for lock in glob.glob(str(tmp_path / "out" / "*" / ".lock")):
                with contextlib.suppress(OSError, ValueError), open(lock) as stream:
                    pid = json.load(stream)["pid"]
                    for process in workers:
                        if process.pid == pid:
                            process.kill()
                            killed.append(os.path.basename(os.path.dirname(lock)))
                            return
            time.sleep(0.005)

    with Cluster(tmp_path) as cluster:
        workers = [cluster.add_worker() for _ in range(3)]
        thread = threading.Thread(target=kill_first, args=(workers,), daemon=True)
        thread.start()
        status, out, err = run_many(tmp_path, "--scheduler", cluster.address)
        thread.join(10.0)
        assert killed and [process.poll() for process in workers].count(-9) == 1
    assert (status, "9 of 9 sounds made" in out) == (0, True), (out, err)
    assert err.count("\n") == 1 and err.startswith(
        "warning: %s.wav: its worker tcp://" % killed[0]) and "it is tried again" in err
    in_cluster = contents(tmp_path / "out", with_records=True)
    shutil.rmtree(str(tmp_path / "out"))
    use_this_process(monkeypatch)
    assert run_many(tmp_path)[0] == 0
    assert in_cluster == contents(tmp_path / "out", with_records=True)


def test_only_what_changed_is_made_again(tmp_path, samples, in_this_process):
    for number in range(2):
        write_wav(str(tmp_path / "in" / ("%d.wav" % number)), samples[:3000 + 1000 * number])
    assert run_many(tmp_path)[0] == 0
    before = contents(tmp_path / "out")
    write_wav(str(tmp_path / "in" / "1.wav"), samples[4000:9000])
    status, out, _ = run_many(tmp_path)
    assert status == 0 and "1 of the sounds are done" in out and "1/1  1.wav -> " in out
    after = contents(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {
        os.path.join("1", name) for name in ("blendshapes.csv", "blendshapes.npz", "curves.png")}
    status, out, _ = run_many(tmp_path, "--seed", "5", "--modified_only")
    assert status == 0 and "left as they are" in out and "0 of 2 sounds made" in out
    assert contents(tmp_path / "out") == after
    status, out, _ = run_many(tmp_path, "--seed", "5")
    assert status == 0 and "they are made again" in out and "2 of 2 sounds made" in out


def test_what_a_sound_is_warned_of_bears_its_name(tmp_path, in_this_process):
    write_wav(str(tmp_path / "in" / "still.wav"), np.zeros(4000, np.float32))
    status, out, err = run_many(tmp_path)
    assert status == 0 and err.startswith("still.wav: warning: ") and "silent" in err


def test_a_process_that_is_killed_is_told_and_its_sound_tried_again(tmp_path, samples, monkeypatch):
    for name in "ab":
        write_wav(str(tmp_path / "in" / (name + ".wav")), samples[:3000])
    seen = []

    def run(function, tasks, num_processes, num_tries):
        seen.append(num_tries)
        yield Event(0, "again", "its process was killed by signal 9")
        yield Event(1, "done", many_sounds.Outcome([], [], None))
        yield Event(0, "failed", "its process was killed by signal 9")
    monkeypatch.setattr(many_sounds, "run_tasks", run)
    status, out, err = run_many(tmp_path)
    assert status == 1 and seen == [2] and "1 of 2 sounds made" in out
    assert "warning: a.wav: its process was killed by signal 9; it is tried again\n" in err
    assert "failed: a.wav: its process was killed by signal 9\n" in err


def test_what_no_sound_can_be_animated_with_is_told_once(tmp_path, samples, in_this_process):
    for name in "ab":
        write_wav(str(tmp_path / "in" / (name + ".wav")), samples[:3000])
    status, out, err = run_many(tmp_path, "--tf_model_fname", "none.model")
    assert status == 1 and err.count("\n") == 1 and "checkpoint none.model is missing" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flags, told", [
    (("--jobs", "2"), "are of a folder or a pattern"),
    (("--scheduler", "local"), "are of a folder or a pattern"),
    (("--scheduler", "head"), "expected local, tcp://host:port"),
    (("--modified_only",), "is neither"),
    (("--audio_fname", "audio", "--merge", "x.csv"), "--merge is of one take"),
    (("--jobs", "0"), "0 is not 1 or more")])
def test_flags_that_do_not_fit(flags, told):
    status, out, err = run_here("run_voca.py", *flags)
    assert (status, out) == (2, "") and told in err


def test_one_run_at_a_time_writes_there(tmp_path, samples, in_this_process):
    write_wav(str(tmp_path / "in" / "a.wav"), samples[:3000])
    with many_sounds.folder_lock(str(tmp_path / "out"), "run_voca.py", ""):
        status, _, err = run_many(tmp_path)
    assert status == 1 and "is in use" in err and "another --out_path" in err
