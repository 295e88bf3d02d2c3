"""utils/dataset/store.py, with npy_stream.py and worker_processes.py: whole or absent, always."""
import collections
import json
import os
import time

import numpy as np
import pytest

from tests.helpers.datasets import put_subject
from utils.common import npy_stream
from utils.common.channels import MODEL_CHANNELS
from utils.common.errors import UserError
from utils.common.worker_processes import run_tasks
from utils.dataset import store
from utils.dataset.store import (ABSENT, STILL, Dataset, find_dataset, folder_key, folder_name,
                                 natural_order, only_writer, read_dataset, read_record,
                                 remove_leftovers, write_manifest)


# ---- the arrays

def test_what_is_written_is_read_as_memory_maps(tmp_path):
    path = str(tmp_path / "dataset")
    record, targets, valid, audio = put_subject(path, mask={"tongueOut": ABSENT, "jawLeft": STILL})
    assert write_manifest(path, collections.OrderedDict(a=record), 1)
    arrays = Dataset(path).arrays("a")
    for read, written in zip((arrays.targets, arrays.valid, arrays.audio),
                             (targets, valid, audio)):
        assert isinstance(read, np.memmap) and read.dtype == written.dtype
        np.testing.assert_array_equal(read, written)
    masked = [MODEL_CHANNELS[place] for place in np.flatnonzero(arrays.mask == 0)]
    assert sorted(masked) == ["jawLeft", "tongueOut"] and arrays.mask.dtype == np.float32
    np.testing.assert_array_equal(np.load(os.path.join(
        path, "subjects", record["folder"], "targets.npy")), targets)       # plain numpy reads it


def test_a_part_of_a_recording_is_a_subject(tmp_path):
    path = str(tmp_path)
    record, targets, valid, audio = put_subject(path)
    parts = collections.OrderedDict(
        (name, dict(record, rows=rows)) for name, rows in (("a", [0, 21]), ("b", [21, 30])))
    write_manifest(path, parts, 1)
    first, second = (Dataset(path).arrays(name) for name in ("a", "b"))
    np.testing.assert_array_equal(np.concatenate([first.targets, second.targets]), targets)
    np.testing.assert_array_equal(np.concatenate([first.valid, second.valid]), valid)
    np.testing.assert_array_equal(np.concatenate([first.audio, second.audio]), audio)
    assert len(first.audio) == 21 * 16000 // 30


def test_a_dataset_is_found_in_its_folder_and_beside_the_videos(tmp_path):
    path = str(tmp_path / "dataset")
    assert find_dataset(str(tmp_path)) is None
    record = put_subject(path)[0]
    write_manifest(path, collections.OrderedDict(a=record), 1)
    assert find_dataset(path) == path and find_dataset(str(tmp_path)) == path
    assert list(read_dataset(str(tmp_path)).subjects) == ["a"]


@pytest.mark.parametrize("damage, told", [
    (lambda text: text[:-40], "is damaged"),
    (lambda text: text.replace('"format_version": 1', '"format_version": 9'), "version 9"),
    (lambda text: text.replace("voca-52 dataset", "other"), "other"),
    (lambda text: text.replace('"fps": 30', '"fps": 25'), "other channels or rates"),
    (lambda text: "[]", "expected"),
])
def test_a_damaged_manifest_is_refused_in_one_line(tmp_path, damage, told):
    path = str(tmp_path)
    write_manifest(path, collections.OrderedDict(a=put_subject(path)[0]), 1)
    manifest = tmp_path / "dataset.json"
    manifest.write_text(damage(manifest.read_text()))
    with pytest.raises(UserError, match=told) as caught:
        Dataset(path)
    assert "\n" not in str(caught.value) and "process_data.py" in str(caught.value)


@pytest.mark.parametrize("name", ["targets.npy", "valid.npy", "audio.npy", "record.json"])
def test_a_damaged_folder_is_not_whole(tmp_path, name):
    path = str(tmp_path)
    record = put_subject(path)[0]
    write_manifest(path, collections.OrderedDict(a=record), 1)
    assert read_record(path, record["folder"])["frames"] == 30
    file_path = os.path.join(path, "subjects", record["folder"], name)
    with open(file_path, "r+b") as stream:
        stream.truncate(os.path.getsize(file_path) // 2)
    assert read_record(path, record["folder"]) is None
    if name != "record.json":
        with pytest.raises(UserError, match="missing or damaged"):
            Dataset(path).arrays("a")


def test_a_failing_writer_leaves_nothing(tmp_path):
    path = str(tmp_path)
    with pytest.raises(ZeroDivisionError):
        with store.new_folder(path, "a-0") as aside:
            store.write_audio(aside, (np.zeros(10, np.int16) for _ in range(3)))
            1 / 0
    assert os.listdir(os.path.join(path, "subjects")) == []


def test_two_makers_of_one_folder_do_not_quarrel(tmp_path):
    """An orphan of a killed run and its rerun: the second to end finds the folder there."""
    path = str(tmp_path)
    record = put_subject(path)[0]
    assert put_subject(path)[0]["targets_sha256"] == record["targets_sha256"]
    assert os.listdir(os.path.join(path, "subjects")) == [record["folder"]]


# ---- the manifest and what is not in it

def test_an_unchanged_manifest_is_not_written_again(tmp_path):
    path = str(tmp_path)
    subjects = collections.OrderedDict(a=put_subject(path)[0])
    assert write_manifest(path, subjects, 1)
    stamp = os.stat(str(tmp_path / "dataset.json")).st_mtime_ns
    assert not write_manifest(path, subjects, 1)
    assert os.stat(str(tmp_path / "dataset.json")).st_mtime_ns == stamp


def test_leftovers_go_and_all_else_stays(tmp_path):
    path = str(tmp_path)
    record, old, unfinished = (put_subject(path, name)[0] for name in ("a", "b", "c"))
    write_manifest(path, collections.OrderedDict(a=record), 1)
    (tmp_path / "subjects" / ".part-7-x").mkdir()
    (tmp_path / ".part-7-dataset.json").write_text("x")
    (tmp_path / "training").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    remove_leftovers(path, keep=[unfinished["folder"]])
    assert sorted(os.listdir(path)) == ["dataset.json", "notes.txt", "subjects", "training"]
    assert sorted(os.listdir(os.path.join(path, "subjects"))) == sorted(
        [record["folder"], unfinished["folder"]])
    assert old["folder"] not in os.listdir(os.path.join(path, "subjects"))


def test_one_writer_at_a_time_and_no_folder_made_for_nothing(tmp_path):
    path = str(tmp_path / "dataset")
    with only_writer(path):
        with pytest.raises(UserError, match="in use: process_data.py .process"):
            with only_writer(path):
                pass
    assert not os.path.exists(path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="a file of that name is in the way"):
        with only_writer(str(tmp_path / "file")):
            pass


def test_names_of_folders_are_safe_and_told_apart():
    names = ["1", "a/b", "a_b", "../x", u"\u4f60", u"\u597d", "..", "x" * 300, " "]
    folders = {folder_name(name, folder_key(name, 1)) for name in names}
    assert len(folders) == len(names)
    assert all(os.sep not in folder and len(folder) < 100 for folder in folders)


def test_natural_order():
    assert sorted(["10", "9", "a10", "a9", "s1_2", "s1_11", ""], key=natural_order) == [
        "", "9", "10", "a9", "a10", "s1_2", "s1_11"]


# ---- .npy in pieces

def test_npy_is_written_in_pieces_and_checked(tmp_path):
    path = str(tmp_path / "x.npy")
    pieces = [np.full((n, 3), n, np.float32) for n in (2, 0, 3)]
    assert npy_stream.write_npy(path, iter(pieces), "<f4", (3,)) == 5
    np.testing.assert_array_equal(np.load(path), np.concatenate(pieces))
    assert npy_stream.read_npy(path, "<f4", (3,)).shape == (5, 3)
    for dtype, row_shape in (("<f4", ()), ("<f4", (2,)), ("<i4", (3,))):
        assert npy_stream.read_npy(path, dtype, row_shape) is None
    assert npy_stream.read_npy(str(tmp_path / "absent.npy"), "<f4") is None


# ---- processes

def task(report, number):
    """What the processes of the next test do; of a module, since they are spawned."""
    report(number / 2.0)
    if number == 1:
        raise UserError("two\nlines")
    if number == 2:
        os._exit(3)
    if number == 3:
        os.kill(os.getpid(), 9)
    if number == 4:
        return [][0]
    return number * 10


def test_every_task_ends_in_one_event_whatever_becomes_of_it():
    events = list(run_tasks(task, [(number,) for number in range(6)], 3))
    ends = {event.number: (event.kind, event.value) for event in events
            if event.kind != "progress"}
    assert [event.value for event in sorted(events) if event.kind == "progress"] == [
        0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert len(events) == 12 and ends[0] == ("done", 0) and ends[5] == ("done", 50)
    assert ends[1] == ("failed", "two lines")
    assert ends[2] == ("failed", "its process ended with exit code 3")
    assert ends[3][1].startswith("its process was killed by signal 9")
    assert ends[4][1].startswith("unexpected IndexError: list index out of range (test_store.py")


def die_at_first(report, folder, deaths):
    """Kill the own process as often as `deaths`, then say how many tries there were."""
    tries = len(os.listdir(folder))
    open(os.path.join(folder, str(tries)), "w").close()
    if tries < deaths:
        os.kill(os.getpid(), 9)
    return tries + 1


def test_a_task_whose_process_dies_is_tried_again(tmp_path):
    tasks = []
    for deaths in (1, 2, 0):
        folder = tmp_path / str(deaths)
        folder.mkdir()
        tasks.append((str(folder), deaths))
    events = list(run_tasks(die_at_first, tasks, 2, num_tries=2))
    assert sorted((event.number, event.kind) for event in events) == [
        (0, "again"), (0, "done"), (1, "again"), (1, "failed"), (2, "done")]
    assert {event.value for event in events if event.kind == "done"} == {1, 2}
    assert all("signal 9" in event.value for event in events if event.kind == "again")


def wait_long(report, folder):
    report(os.getpid())
    time.sleep(60)


def test_leaving_early_ends_the_processes(tmp_path):
    events = run_tasks(wait_long, [(str(tmp_path),)], 1)
    process_id = next(events).value
    events.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def test_the_record_is_json(tmp_path):
    path = str(tmp_path)
    record = put_subject(path)[0]
    with open(os.path.join(path, "subjects", record["folder"], "record.json")) as stream:
        assert json.load(stream) == dict(record)
