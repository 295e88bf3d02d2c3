"""Damaged files of every format: read, or refused in a line; quickly and in little memory.

    python -m pytest -q tests                   a few hundred of each
    python -m pytest -q -m slow tests/formats   5,000 of each
"""
import io
import zipfile

import numpy as np
import pytest

from tests.formats.golden_clip import golden_clip
from tests.helpers.avatar import avatar
from tests.helpers.fuzzing import (FEW, FEWER, MANY, fuzz, little_memory, one_line,
                                   read_or_refused)
from tests.helpers.glb import glb_bytes
from utils.formats.exporters import FORMATS, write_face
from utils.formats.face_files import read_face_rows
from utils.formats.glb import read_glb
from utils.formats.gltf import write_glb
from utils.formats.npz import write_npz
from utils.formats.timings import read_timings
from utils.formats.tracker_log import read_tracker_log

TEXT_GRID = """File type = "ooTextFile"
Object class = "TextGrid"
xmin = 0
xmax = 1
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 1
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "hello"
        intervals [2]:
            xmin = 0.5
            xmax = 1
            text = "you"
"""
TIMINGS = {
    "a.TextGrid": TEXT_GRID,
    "a.json": '{"words": [{"start": 0.0, "end": 0.5, "word": "a"}], "phones": [[0, 0.5, "AA1"]]}',
    "b.json": '{"segments": [{"words": [{"start": 0, "end": 1, "word": "a"}, {"word": "b"}]}]}',
    "a.csv": "start_s,end_s,word\n0.1,0.4,hello\n0.4,0.5,you\n"}


def exported(name):
    def content(folder):
        weights, names = golden_clip(8)
        path = folder / FORMATS[name].file_name
        (folder / "avatar.glb").write_bytes(glb_bytes(*avatar()))
        write_face(str(path), name, weights, names, 30, folder / "avatar.glb", lambda line: None)
        return path.name, path.read_bytes()
    return content, read_face


def text(name, content, read):
    return lambda folder: (name, content.encode("utf-8")), read


def read_face(path):
    rows = read_face_rows(path, one_line)
    assert rows.weights.shape == (len(rows.times_s), len(rows.names)) and len(rows.times_s)
    assert np.isfinite(rows.weights).all() and np.isfinite(rows.times_s).all()
    assert (np.diff(rows.times_s) >= 0).all()


def read_words(path):
    timings = read_timings(str(path), one_line)
    assert all(np.isfinite(part[1:]).all() for part in timings.phones + timings.words)


def read_log(path):
    times_s, weights, names = read_tracker_log(path, None)
    assert weights.shape == (len(times_s), len(names))
    assert np.isfinite(weights).all() and np.isfinite(times_s).all()


def use_avatar(path):
    write_glb(path.parent / "out.glb", np.ones((2, 1)), ["jawOpen"], 30, path, one_line)
    read_glb(path.parent / "out.glb")


# What is damaged: how the whole file is made, and who reads it.
READ = {name: exported(name) for name in FORMATS}
READ.update({"timings " + name: text(name, content, read_words)
             for name, content in TIMINGS.items()})
READ.update({
    "avatar": (lambda folder: ("avatar.glb", glb_bytes(*avatar())), use_avatar),
    "tracker log": text("debugout-1.txt", "[1.mp4]\n0.04\n[%s]\n0.08\n[%s]\n" % (
        ", ".join(["0.25"] * 40), ", ".join(["0.5"] * 40)), read_log),
    "older live link": text("a.csv", "Timecode, FrameRate, JawOpen, HeadYaw\r\n" + "".join(
        "00:00:00:%02d, 30, 0.%d, 0\r\n" % (frame, frame) for frame in range(8)), read_face),
    "table of milliseconds": text("a.csv", "sep=;\n;timestamp_ms;jawOpen;_neutral\n" + "".join(
        "%d;%d;0,%d;1\n" % (frame, 40 * frame, frame) for frame in range(8)), read_face),
    "BEAT without times": text("a.json", '{"names": ["jawOpen"], "frames": [{"weights": [0.5]}, '
                                         '{"weights": [0.1]}]}', read_face)})


@pytest.mark.parametrize("name", sorted(READ))
def test_damaged_files(tmp_path, name):
    make, read = READ[name]
    fuzz(tmp_path, make, read, FEW if name in FORMATS else FEWER)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(READ))
def test_many_damaged_files(tmp_path, name):
    make, read = READ[name]
    fuzz(tmp_path, make, read, MANY)


@pytest.mark.parametrize("header", ["time\n", "time\n0\n0.1\n", "time,jawOpen\n", "timeCode,"
                                    "blendShapes.JawOpen\n", "time,frame\n0,1\n"])
def test_tables_without_rows_or_shapes(tmp_path, header):
    (tmp_path / "a.csv").write_text(header)
    assert read_or_refused(tmp_path / "a.csv", read_face)


@pytest.mark.parametrize("shape", [(10 ** 12, 52), (2 ** 62, 52), (0, 52), (-1, 52)])
def test_an_npz_that_claims_to_be_huge(tmp_path, shape):
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        held, {"descr": "<f4", "fortran_order": False, "shape": shape})
    write_npz(tmp_path / "whole.npz", golden_clip(12)[0], golden_clip(12)[1], 30)
    with zipfile.ZipFile(str(tmp_path / "whole.npz")) as whole, \
            zipfile.ZipFile(str(tmp_path / "a.npz"), "w") as written:
        for name in whole.namelist():
            written.writestr(name, held.getvalue() if name == "weights.npy" else whole.read(name))
    assert read_or_refused(tmp_path / "a.npz", read_face)


def test_a_small_npz_of_a_gigabyte_of_zeros(tmp_path):
    write_npz(tmp_path / "whole.npz", golden_clip(12)[0], golden_clip(12)[1], 30)
    with zipfile.ZipFile(str(tmp_path / "whole.npz")) as whole, zipfile.ZipFile(
            str(tmp_path / "a.npz"), "w", zipfile.ZIP_DEFLATED) as written:
        for name in whole.namelist():
            written.writestr(name, whole.read(name))
    # The zip's own list of its parts says how much each is unpacked.
    content = (tmp_path / "a.npz").read_bytes()
    entry = content.index(b"PK\1\2")
    size = entry + 24
    (tmp_path / "a.npz").write_bytes(
        content[:size] + (3 << 29).to_bytes(4, "little") + content[size + 4:])
    with little_memory():
        assert "its arrays have 1610612736 bytes" in read_or_refused(tmp_path / "a.npz", read_face)


@pytest.mark.parametrize("name", ["a.vmd", "a.glb", "a.vrma"])
def test_a_file_larger_than_any_face(tmp_path, name):
    """It is sparse: it takes no room."""
    with open(str(tmp_path / name), "wb") as stream:
        stream.truncate((1 << 30) + 1)
    with little_memory():
        assert "1073741825 bytes; at most" in read_or_refused(tmp_path / name, read_face)


@pytest.mark.parametrize("name, read", [("a.csv", read_face), ("debugout-1.txt", read_log),
                                        ("a.csv", read_words)])
def test_a_line_without_an_end(tmp_path, name, read):
    (tmp_path / name).write_bytes(b"time,jawOpen\n" + b"0," * (20 << 20))
    with little_memory():
        assert read_or_refused(tmp_path / name, read)


def test_many_values_one_after_another_in_a_json(tmp_path):
    """A recogniser's stream: the time to read it grows with its length only."""
    (tmp_path / "a.json").write_text("0 " * 500000)
    assert read_or_refused(tmp_path / "a.json", read_words)
