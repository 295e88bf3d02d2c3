"""utils/formats/convert.py: any format to any other; rates, time codes, what is doubtful."""
import json
import os

import numpy as np
import pytest

from tests.formats.golden_clip import (RATES, READ_BACK, TIME_WITHIN_S, WEIGHT_WITHIN, can_hold,
                                       golden_clip)
from utils.common.channels import MODEL_CHANNELS, UNREAL_CHANNELS, reorder
from utils.common.errors import UserError
from utils.common.resample import resample_frames
from utils.formats.convert import convert, even_rate, format_of_name
from utils.formats.exporters import FORMATS
from utils.formats.face_files import read_face_rows
from utils.formats.glb import read_glb
from utils.formats.live_link_csv import ANGLES, LiveLinkTake, write_live_link_take
from utils.formats.npz import read_npz, write_npz


def put_npz(path, weights, fps=30, names=MODEL_CHANNELS):
    write_npz(path, np.asarray(weights, np.float32), names, fps)
    return path


def converted(in_path, **options):
    """(weights [frames, 52] in MODEL_CHANNELS' order, fps, warnings) of a file as .npz."""
    warnings, out_path = [], in_path.parent / "out.npz"
    done = convert(str(in_path), str(out_path), "npz", warn=warnings.append, **options)
    weights, names, fps = read_npz(out_path)
    assert done == (len(weights), fps)
    return reorder(weights, names, MODEL_CHANNELS), fps, warnings


def ramp(num_frames=60):
    """jawOpen rises from 0 by 1/100 a frame; mouthSmileLeft is 0.5, mouthSmileRight 0.25."""
    weights = np.zeros((num_frames, 52))
    weights[:, MODEL_CHANNELS.index("jawOpen")] = np.arange(num_frames) / 100.0
    weights[:, MODEL_CHANNELS.index("mouthSmileLeft")] = 0.5
    weights[:, MODEL_CHANNELS.index("mouthSmileRight")] = 0.25
    return weights


def of(weights, name):
    return weights[:, MODEL_CHANNELS.index(name)]


# ---- formats

@pytest.mark.parametrize("to_name", READ_BACK)
@pytest.mark.parametrize("from_name", READ_BACK)
def test_from_every_format_to_every_other(tmp_path, from_name, to_name):
    weights, names = golden_clip()
    paths = [tmp_path / (folder + FORMATS[name].file_name)
             for folder, name in (("from_", from_name), ("to_", to_name))]
    FORMATS[from_name].write(paths[0], weights, names, 30)
    assert convert(str(paths[0]), str(paths[1]), to_name, warn=pytest.fail) == (150, 30)
    rows = read_face_rows(paths[1], pytest.fail)
    assert rows.kind == FORMATS[to_name].kind
    np.testing.assert_allclose(reorder(rows.weights, rows.names, names), weights, rtol=0,
                               atol=WEIGHT_WITHIN[from_name] + WEIGHT_WITHIN[to_name])
    np.testing.assert_allclose(rows.times_s, np.arange(150) / 30.0, rtol=0,
                               atol=TIME_WITHIN_S[to_name])


@pytest.mark.parametrize("fps", RATES)
def test_through_all_formats_and_back(tmp_path, fps):
    """The rate is the same number at the end, and no error adds up."""
    weights, names = golden_clip(400)
    write_npz(tmp_path / "first.npz", weights, names, fps)
    path, within = tmp_path / "first.npz", 0.0
    for name in [name for name in FORMATS if name != "npz" and can_hold(name, fps)] + ["npz"]:
        next_path = tmp_path / FORMATS[name].file_name
        assert convert(str(path), str(next_path), name, warn=pytest.fail) == (400, fps), name
        path, within = next_path, within + WEIGHT_WITHIN[name]
    found, found_names, found_fps = read_npz(path)
    assert found_fps == fps
    np.testing.assert_allclose(reorder(found, found_names, names), weights, rtol=0, atol=within)


def test_names_that_mean_a_format():
    for key, exporter in FORMATS.items():
        assert format_of_name(os.path.join("a.b", exporter.file_name.upper())) == key
    assert format_of_name("x.npz") == "npz" and format_of_name("x.VMD") == "vmd"
    assert not any(map(format_of_name, ("x.csv", "x.json", "x.vrma", "x.txt", "x")))


# ---- rates

@pytest.mark.parametrize(
    "fps", [1, 12.5, 15, 23.976, 24, 25, 29.97, 30, 50, 59.904, 59.94, 60, 120])
@pytest.mark.parametrize("num_frames", [2, 3, 60, 5000, 200000])
@pytest.mark.parametrize("ticks_per_s", [0, 60000, 1000000])
def test_even_rates_are_told_from_the_times(fps, num_frames, ticks_per_s):
    times_s = np.arange(num_frames) / float(fps)
    if ticks_per_s:
        times_s = np.round(times_s * ticks_per_s) / ticks_per_s
    found = even_rate(times_s)
    assert abs(np.arange(num_frames) / found - times_s).max() <= 2e-5
    if num_frames > 3:
        assert found == fps and isinstance(found, int) == isinstance(fps, int)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 59.94, 60])
@pytest.mark.parametrize("to_ms", [np.round, np.floor])
def test_even_rates_in_whole_milliseconds(fps, to_ms):
    assert even_rate(to_ms(np.arange(3000) * 1000.0 / fps) / 1000) == fps


def test_rates_of_1000_1001(tmp_path):
    times_s = np.arange(200000) * 1001 / 24000.0
    assert even_rate(times_s) == pytest.approx(24000 / 1001.0, abs=1e-9)


def test_no_rate():
    dropped = np.delete(np.arange(100), 50) / 30.0
    jittered = np.arange(100) / 30.0 + 0.004 * np.sin(np.arange(100))
    for times_s in (np.zeros(1), np.zeros(5), dropped, jittered - jittered[0]):
        assert even_rate(times_s) is None


def test_an_uneven_file_needs_a_rate(tmp_path):
    rows = "".join("%.3f,%.2f\n" % (time_s, time_s / 4) for time_s in (0, 0.04, 0.08, 0.2, 0.24))
    (tmp_path / "a.csv").write_text("time,jawOpen\n" + rows)
    with pytest.raises(UserError) as caught:
        converted(tmp_path / "a.csv")
    assert "its 5 frames have no even rate, about 25 a second; say by --fps" in str(caught.value)
    assert os.listdir(str(tmp_path)) == ["a.csv"]
    weights, fps, warnings = converted(tmp_path / "a.csv", fps=25)
    assert fps == 25 and len(warnings) == 1 and "lacks 51 of the 52 shapes" in warnings[0]
    np.testing.assert_allclose(of(weights, "jawOpen"), np.arange(7) * 0.01, atol=1e-6)
    assert not np.delete(weights, MODEL_CHANNELS.index("jawOpen"), axis=1).any()


@pytest.mark.parametrize("to_fps", [24, 25, 29.97, 60])
def test_fps_resamples(tmp_path, to_fps):
    weights, names = golden_clip()
    found, fps, warnings = converted(put_npz(tmp_path / "a.npz", weights, 30, names), fps=to_fps)
    assert fps == to_fps and warnings == []
    expected = resample_frames(reorder(weights, names, MODEL_CHANNELS), 30, to_fps)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_frame_needs_a_rate(tmp_path):
    with pytest.raises(UserError, match="its 1 frames have no even rate; say by --fps"):
        converted(put_npz(tmp_path / "a.npz", ramp(1)))
    assert converted(put_npz(tmp_path / "a.npz", ramp(1)), fps=30)[0].shape == (1, 52)


# ---- offsets

@pytest.mark.parametrize("offset_frames", [-59, -30, -1, 0, 1, 7.5, 100])
def test_offsets(tmp_path, offset_frames):
    weights, fps, warnings = converted(put_npz(tmp_path / "a.npz", ramp()),
                                       offset_s=offset_frames / 30.0)
    assert fps == 30 and warnings == [] and len(weights) == np.ceil(60 + offset_frames)
    expected = np.clip((np.arange(len(weights)) - offset_frames) / 100.0, 0, 0.59)
    np.testing.assert_allclose(of(weights, "jawOpen"), expected, atol=1e-5)


def test_an_offset_that_leaves_nothing(tmp_path):
    for offset_s in (-2.0, -3.0):
        with pytest.raises(UserError, match="lasts 2.00 s; --offset -[23] leaves nothing"):
            converted(put_npz(tmp_path / "a.npz", ramp()), offset_s=offset_s)


# ---- what is doubtful

def put_take(path, has_face, angles=0.0, start_s=0.0):
    take = LiveLinkTake(start_s, np.arange(60) / 60.0, np.float32(ramp()), MODEL_CHANNELS,
                        np.full((60, 9), angles), ANGLES, np.array(has_face))
    write_live_link_take(path, take)
    return path


def test_rows_without_a_face_are_told_and_bridged(tmp_path):
    has_face = np.ones(60, bool)
    has_face[[0, 20, 21, 59]] = False
    weights, fps, warnings = converted(put_take(tmp_path / "a.csv", has_face))
    assert fps == 60 and len(weights) == 60
    assert len(warnings) == 1 and "4 of 60 rows have no face" in warnings[0]
    expected = np.clip(np.arange(60), 1, 58) / 100.0
    np.testing.assert_allclose(of(weights, "jawOpen"), expected, atol=1e-6)
    with pytest.raises(UserError, match="no row of 60 has a face"):
        converted(put_take(tmp_path / "a.csv", np.zeros(60, bool)))


def test_angles_stay_where_the_format_has_a_place(tmp_path):
    path = put_take(tmp_path / "a.csv", np.ones(60, bool), 0.1, start_s=3600.0)
    convert(str(path), str(tmp_path / "b.csv"), "csv", fps=30, offset_s=1.0, warn=pytest.fail)
    rows = read_face_rows(tmp_path / "b.csv", pytest.fail)
    assert rows.start_s == 0 and rows.angles.shape == (60, 9)
    np.testing.assert_allclose(rows.angles, 0.1, atol=1e-6)
    warnings = []
    convert(str(path), str(tmp_path / "b.npz"), "npz", warn=warnings.append)
    assert len(warnings) == 1 and "b.npz has no place for the angles of head" in warnings[0]


def test_angles_find_their_columns(tmp_path):
    angles = np.linspace(-1, 1, 540).reshape(60, 9)
    take = LiveLinkTake(0.0, np.arange(60) / 60.0, np.float32(ramp()), MODEL_CHANNELS,
                        angles[:, ::-1], ANGLES[::-1], np.ones(60, bool))
    write_live_link_take(tmp_path / "a.csv", take)
    lines = (tmp_path / "a.csv").read_text().splitlines()       # HeadPitch is missing
    gone = lines[0].split(",").index("HeadPitch")
    (tmp_path / "a.csv").write_text("\n".join(
        ",".join(cells[:gone] + cells[gone + 1:]) for cells in (line.split(",") for line in lines)))
    convert(str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "csv", warn=pytest.fail)
    found = read_face_rows(tmp_path / "b.csv", pytest.fail).angles
    expected = np.where(np.array(ANGLES) == "HeadPitch", 0.0, angles)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("text, fps, start", [
    ("10:20:30:12", 30, "10:20:30:24.000"), ("10:20:30:12", 24, "10:20:30:30.000"),
    ("10:20:30:12", 29.97, "10:20:30:24.000"), ("00:01:00;02", 29.97, "00:01:00:04.000"),
    ("19:16:29:35.273", 30, "19:16:29:35.273"), ("1:2:3:4", 60, "01:02:03:04.000")])
def test_start_timecode(tmp_path, text, fps, start):
    path = put_npz(tmp_path / "a.npz", ramp(), fps)
    convert(str(path), str(tmp_path / "b.csv"), "csv", start_timecode=text, warn=pytest.fail)
    rows = read_face_rows(tmp_path / "b.csv", pytest.fail)
    assert (tmp_path / "b.csv").read_text().splitlines()[1].startswith(start + ",61,")
    np.testing.assert_allclose(rows.times_s, np.arange(60) / float(fps), atol=1e-5)


def test_a_start_timecode_of_another_rate(tmp_path):
    path = put_npz(tmp_path / "a.npz", ramp(), 25)
    with pytest.raises(UserError, match="--start_timecode 10:00:00:25: FF is 25, and there are 25"):
        convert(str(path), str(tmp_path / "b.csv"), "csv", start_timecode="10:00:00:25")
    assert not (tmp_path / "b.csv").exists()


def test_what_was_changed_stands_in_the_file(tmp_path):
    """And only there where something was; readers read the same face."""
    path = put_npz(tmp_path / "a.npz", ramp())
    record = {"gain": ["jawOpen=0.5"]}

    def edit(weights, names, fps, angles, timecode_s):
        assert (names, fps, angles, timecode_s) == (UNREAL_CHANNELS, 30, None, None)
        return weights * 0.5, None, record

    for key, exporter in FORMATS.items():
        out_path = tmp_path / ("out" + exporter.file_name)
        convert(str(path), str(out_path), key, warn=pytest.fail)
        assert b"edits" not in out_path.read_bytes()
        convert(str(path), str(out_path), key, warn=pytest.fail, edit=edit, offset_s=0.5)
        if key in READ_BACK:
            rows = read_face_rows(out_path, pytest.fail)
            np.testing.assert_allclose(rows.weights[-1, rows.names.index("jawOpen")], 0.295,
                                       atol=1e-6)
        if "edits" in exporter.takes:
            assert edits_in(out_path) == {"gain": ["jawOpen=0.5"], "offset_s": 0.5}


def edits_in(path):
    if path.suffix == ".npz":
        return json.loads(str(np.load(str(path))["edits"]))
    if path.suffix in (".glb", ".vrma"):
        return read_glb(path)[0]["animations"][-1]["extras"]["edits"]
    content = json.loads(path.read_text())
    return content["edits"] if "edits" in content else content["metadata"]["edits"]


def test_sides_of_live_link_takes(tmp_path):
    weights = ramp()
    weights[:, MODEL_CHANNELS.index("mouthLeft")] = 0.3
    write = FORMATS["csv"].write
    write(tmp_path / "a.csv", weights, MODEL_CHANNELS, 30)
    for sides, name in (("names", "mouthLeft"), ("app", "mouthRight")):
        found = converted(tmp_path / "a.csv", live_link_sides=sides)[0]
        np.testing.assert_allclose(of(found, name), 0.3, atol=1e-6)


def test_what_is_out_of_range_is_cut(tmp_path):
    weights = ramp()
    weights[5, 0], weights[6, 0] = 1.2, -0.05
    found, _, warnings = converted(put_npz(tmp_path / "a.npz", weights))
    assert (found[5, 0], found[6, 0]) == (1.0, 0.0) and warnings == []


def test_a_file_is_not_written_over_itself(tmp_path):
    path = put_npz(tmp_path / "a.npz", ramp())
    before = path.read_bytes()
    for other in (str(path), os.path.join(str(tmp_path), ".", "a.npz")):
        with pytest.raises(UserError, match="written over itself"):
            convert(str(path), other, "npz")
    assert path.read_bytes() == before
    with pytest.raises(UserError, match="no file"):
        convert(str(tmp_path / "none.npz"), str(path), "npz")
    assert path.read_bytes() == before


@pytest.mark.parametrize("to_name", list(FORMATS))
def test_a_place_that_cannot_be_written(tmp_path, to_name):
    path = put_npz(tmp_path / "a.npz", golden_clip()[0])
    (tmp_path / "folder").write_text("a file")
    out_path = tmp_path / "folder" / FORMATS[to_name].file_name
    with pytest.raises(UserError, match="a file of that name is in the way"):
        convert(str(path), str(out_path), to_name)


def test_channels_are_found_by_name(tmp_path):
    """The same clip in another order of columns gives the same bytes."""
    weights = golden_clip()[0]
    contents = set()
    for names in (MODEL_CHANNELS, UNREAL_CHANNELS, tuple(sorted(MODEL_CHANNELS))):
        put_npz(tmp_path / "a.npz", reorder(weights, MODEL_CHANNELS, names), 30, names)
        for name in FORMATS:
            out_path = tmp_path / ("out" + FORMATS[name].file_name)
            convert(str(tmp_path / "a.npz"), str(out_path), name)
        contents.add(tuple((tmp_path / ("out" + FORMATS[name].file_name)).read_bytes()
                           for name in FORMATS if name != "npz"))
    assert len(contents) == 1
