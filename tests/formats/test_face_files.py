"""utils/formats/face_files.py: units of times, ranges of weights, lost faces, sides, exporters."""
import csv
import glob
import json
import os
import struct

import numpy as np
import pytest

from tests.helpers.paths import SHARED
from utils.common.channels import LANDMARKER_CHANNELS, MODEL_CHANNELS, UNREAL_CHANNELS, reorder
from utils.common.errors import UserError
from utils.formats.exporters import FORMATS
from utils.formats.face_files import READERS, read_face, read_face_rows, sideways_r
from utils.formats.face_kinds import FACE_FILE_KINDS
from utils.formats.live_link_csv import write_live_link_csv
from utils.formats.rokoko_json import write_rokoko_json


def rows_of(path, **options):
    """(FaceRows, warnings)."""
    warnings = []
    return read_face_rows(str(path), warnings.append, **options), warnings


def put(folder, name, content):
    path = folder / name
    path.write_text(content)
    return path


def noisy_weights(num_frames, channels=LANDMARKER_CHANNELS, seed=0):
    return np.random.RandomState(seed).uniform(1e-6, 0.5, (num_frames, len(channels)))


def put_table(path, columns, weights, channels=LANDMARKER_CHANNELS):
    """A table with `columns`, {name: cells}, before the shapes."""
    with open(str(path), "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(list(columns) + list(channels))
        for row, values in enumerate(weights):
            writer.writerow([cells[row] for cells in columns.values()]
                            + ["%.6f" % value for value in values])
    return path


# ---- times

@pytest.mark.parametrize("name, per_s, told", [
    ("time", 1, None), ("Time", 1, None), ("TIMESTAMP", 1, None), ("time_s", 1, None),
    ("Time (s)", 1, None), ("t", 1, None), ("seconds", 1, None), ("time [sec]", 1, None),
    ("pts_time", 1, None), ("Time in seconds", 1, None),
    ("timestamp_ms", 1e3, None), ("time_ms", 1e3, None), ("timestampMs", 1e3, None),
    ("Time (ms)", 1e3, None), ("milliseconds", 1e3, None),
    ("timestamp_us", 1e6, None), ("time_ns", 1e9, None),
    ("timestamp", 1e3, "milliseconds"), ("time", 1e3, "milliseconds"),
    ("timestamp", 1e6, "microseconds"), ("timestamp", 1e9, "nanoseconds"),
    ("time_ms", 1, "seconds"), ("Time (s)", 1e3, "milliseconds"),
])
@pytest.mark.parametrize("beside", [(), ("frame",), ("Frame_Index", "face_id")])
def test_columns_of_times(tmp_path, name, per_s, told, beside):
    times_s = 0.5 + np.arange(20) / 30.0
    columns = {column: range(20) for column in beside}
    columns[name] = ["%.9g" % round(time_s * per_s, 6) for time_s in times_s]
    path = put_table(tmp_path / "a.csv", columns, noisy_weights(20))
    rows, warnings = rows_of(path)
    np.testing.assert_allclose(rows.start_s + rows.times_s, times_s, atol=2e-6)
    assert rows.kind == "mediapipe_csv" and set(rows.names) == set(LANDMARKER_CHANNELS)
    assert [told in warning for warning in warnings] == ([True] if told else [])


def test_of_two_columns_of_times_the_one_with_a_unit_counts(tmp_path):
    path = put_table(tmp_path / "a.csv", {
        "timestamp": np.arange(9) / 7.0, "time_ms": np.arange(9) * 40}, noisy_weights(9))
    np.testing.assert_allclose(rows_of(path)[0].times_s, np.arange(9) / 25.0)


def test_times_of_a_clock(tmp_path):
    path = put_table(tmp_path / "a.csv", {"time": [
        "0:01:02.%03d" % (40 * row) for row in range(9)]}, noisy_weights(9))
    rows, _ = rows_of(path)
    assert rows.start_s == pytest.approx(62.0)
    np.testing.assert_allclose(rows.times_s, np.arange(9) / 25.0, atol=1e-9)


@pytest.mark.parametrize("name, cells, told", [
    ("time", range(20), "the column time counts by 1"),
    ("frame", range(20), "line 1: expected a Live Link Face header, or a column `time`"),
    ("time", ["2026-01-01 10:00:00"] * 20, "line 2: expected 52 numbers"),
])
def test_times_that_are_none(tmp_path, name, cells, told):
    path = put_table(tmp_path / "a.csv", {name: cells}, noisy_weights(20))
    with pytest.raises(UserError) as caught:
        rows_of(path)
    assert told in str(caught.value)


@pytest.mark.parametrize("content", [
    {"metadata": {"fps": 25}}, {"fps": 25}, {"metadata": {"fps": 25.0, "frame_count": 4}}])
def test_frames_without_times_stand_at_the_files_rate(tmp_path, content):
    content = dict(content, names=["jawOpen"], frames=[{"weights": [0.5]}] * 4)
    rows, warnings = rows_of(put(tmp_path, "a.json", json.dumps(content)))
    np.testing.assert_allclose(rows.times_s, np.arange(4) / 25.0)
    assert warnings == []


def test_frames_with_neither_times_nor_a_rate(tmp_path):
    content = {"names": ["jawOpen"], "frames": [{"weights": [0.5]}] * 4}
    rows, warnings = rows_of(put(tmp_path, "a.json", json.dumps(content)))
    np.testing.assert_allclose(rows.times_s, np.arange(4) / 60.0)
    assert len(warnings) == 1 and "taken as 60 a second" in warnings[0]
    content["frames"][1] = {"weights": [0.5], "time": 0.1}
    with pytest.raises(UserError, match="3 of 4 frames have no time"):
        rows_of(put(tmp_path, "a.json", json.dumps(content)))
    content = {"names": ["jawOpen"], "frames": [{"weights": [0.5]}], "metadata": {"fps": 0}}
    with pytest.raises(UserError, match="0 frames a second"):
        rows_of(put(tmp_path, "a.json", json.dumps(content)))


# ---- weights

def animation(num_frames=90, full=1.0):
    """Half a second of rest, then speech: a few shapes, most of the others at zero."""
    weights = np.zeros((num_frames, 52))
    opening = 0.5 + 0.5 * np.sin(np.arange(num_frames - 15) * 0.6)
    for channel, gain in (("jawOpen", 0.6), ("mouthFunnel", 0.2), ("mouthLowerDownLeft", 0.3)):
        weights[15:, UNREAL_CHANNELS.index(channel)] = gain * opening
    return weights * full


def put_animation(folder, kind, weights, fps=30):
    """The file of a kind with weights as they are, out of range or not."""
    if kind == "audio2face":
        return put(folder, "a.json", json.dumps({
            "exportFps": fps, "facsNames": UNREAL_CHANNELS, "weightMat": weights.tolist()}))
    if kind == "beat":
        return put(folder, "a.json", json.dumps({
            "names": UNREAL_CHANNELS,
            "frames": [{"weights": row.tolist(), "time": i / float(fps)}
                       for i, row in enumerate(weights)]}))
    if kind == "npz":
        np.savez(str(folder / "a.npz"), weights=weights, names=np.array(UNREAL_CHANNELS), fps=30.0)
        return folder / "a.npz"
    if kind == "mediapipe_csv":
        return put_table(folder / "a.csv", {"time": np.arange(len(weights)) / float(fps)}, weights,
                         UNREAL_CHANNELS)
    if kind == "vmd":
        keys = [struct.pack("<15sIf", channel.encode("ascii")[:15], i, value)
                for i, row in enumerate(weights) for channel, value in zip(UNREAL_CHANNELS, row)]
        (folder / "a.vmd").write_bytes(
            struct.pack("<30s20sII", b"Vocaloid Motion Data 0002", b"voca", 0, len(keys))
            + b"".join(keys) + bytes(12))
        return folder / "a.vmd"
    return put_table(folder / "a.csv", {
        "Timecode": ["00:00:%02d:%06.3f" % (i // fps, i % fps * 60.0 / fps)
                     for i in range(len(weights))],
        "BlendshapeCount": [61] * len(weights)}, weights, UNREAL_CHANNELS)


# glTF and what lies in it is never in 0..100.
KINDS_OF_0_TO_1 = sorted(set(FACE_FILE_KINDS) - {"rokoko", "gltf", "vrma"})


@pytest.mark.parametrize("kind", KINDS_OF_0_TO_1)
def test_weights_of_0_to_100_are_told_and_divided(tmp_path, kind):
    rows, warnings = rows_of(put_animation(tmp_path, kind, animation(full=100.0)))
    assert rows.kind == kind
    np.testing.assert_allclose(rows.weights, reorder(animation(), UNREAL_CHANNELS, rows.names),
                               atol=1e-6)
    assert len(warnings) == 1
    assert "a." in warnings[0] and "weights go up to 60: taken as 0..100" in warnings[0]


@pytest.mark.parametrize("kind", KINDS_OF_0_TO_1)
def test_weights_of_no_known_range_are_refused(tmp_path, kind):
    for weights in (animation(full=5.0), animation(full=255.0), animation(full=1e4),
                    np.concatenate([animation(), animation(300) * 5])):
        with pytest.raises(UserError) as caught:
            rows_of(put_animation(tmp_path, kind, weights))
        assert "weights go up to %.4g" % weights.max() in str(caught.value)


@pytest.mark.parametrize("kind", KINDS_OF_0_TO_1)
def test_weights_far_below_0_are_refused(tmp_path, kind):
    weights = animation()
    weights[3, 3] = -1e30
    with pytest.raises(UserError, match=r"weights go down to -1e\+30; expected 0..1"):
        rows_of(put_animation(tmp_path, kind, weights))


def test_a_part_in_0_to_100_is_refused(tmp_path):
    mixed = np.concatenate([animation(), animation(), animation()[15:], animation(full=100.0)])
    with pytest.raises(UserError, match="go up to 60, neither those of 0..1 nor, throughout"):
        rows_of(put_animation(tmp_path, "live_link", mixed))


def test_rare_peaks_are_told_and_stay(tmp_path):
    weights = animation()
    weights[40, 17] = 1.8
    rows, warnings = rows_of(put_animation(tmp_path, "live_link", weights))
    assert rows.weights.max() == np.float32(1.8)
    assert len(warnings) == 1 and "go up to 1.8; the 0.021 % of them above 1 are cut" in warnings[0]
    weights[40, 17] = 1.4                           # a solver's overshoot, cut later on
    weights[41, 17] = -0.05
    assert rows_of(put_animation(tmp_path, "live_link", weights))[1] == []
    weights[41, 17] = -0.4
    (warning,) = rows_of(put_animation(tmp_path, "live_link", weights))[1]
    assert "go down to -0.4" in warning


# ---- a lost face

def test_rows_of_zeros_are_a_lost_face_where_nothing_else_is_zero(tmp_path):
    weights = noisy_weights(60)
    weights[20:35] = 0.0
    rows, _ = rows_of(put_table(tmp_path / "a.csv", {
        "time": np.arange(60) / 30.0, "_neutral": np.full(60, 0.01)}, weights))
    np.testing.assert_array_equal(np.flatnonzero(~rows.has_face), np.arange(20, 35))
    times_s, _, _ = read_face(str(tmp_path / "a.csv"))
    assert len(times_s) == 45


def test_rows_of_zeros_are_rest_in_an_animation(tmp_path):
    rows, _ = rows_of(put_animation(tmp_path, "mediapipe_csv", animation()))
    assert not rows.weights[:15].any() and rows.has_face.all()
    few = noisy_weights(30, LANDMARKER_CHANNELS[:5])
    few[3] = 0.0                                    # five shapes may all be at rest
    rows, _ = rows_of(put_table(tmp_path / "a.csv", {"time": np.arange(30) / 30.0}, few,
                                LANDMARKER_CHANNELS[:5]))
    assert rows.has_face.all()


# ---- sides

def sideways_take(path, sign):
    """A mouth that goes to one side and smiles there (1), or is named crosswise (-1)."""
    side = np.sin(np.arange(120) / 9.0)
    left, right = np.maximum(side, 0), np.maximum(-side, 0)
    weights = np.zeros((120, 52))
    for stem, gain in (("mouthSmile", 0.4), ("mouthDimple", 0.2)):
        weights[:, UNREAL_CHANNELS.index(stem + "Left")] = gain * left
        weights[:, UNREAL_CHANNELS.index(stem + "Right")] = gain * right
    for stem in ("mouth", "jaw"):
        weights[:, UNREAL_CHANNELS.index(stem + "Left")] = 0.1 * (left if sign > 0 else right)
        weights[:, UNREAL_CHANNELS.index(stem + "Right")] = 0.1 * (right if sign > 0 else left)
    write_live_link_csv(path, weights, UNREAL_CHANNELS, 30)
    return weights


def test_sides_against_the_smile_are_told(tmp_path):
    sideways_take(tmp_path / "right.csv", 1)
    crosswise = sideways_take(tmp_path / "crosswise.csv", -1)
    rows, warnings = rows_of(tmp_path / "right.csv")
    assert warnings == []
    rows, warnings = rows_of(tmp_path / "crosswise.csv")
    assert len(warnings) == 1
    assert "(r -1.00)" in warnings[0] and warnings[0].endswith("by --live_link_sides app")
    # By name it is what was written, whatever that was; by the app both pairs change places.
    np.testing.assert_allclose(reorder(rows.weights, rows.names, UNREAL_CHANNELS), crosswise,
                               atol=1e-7)
    rows, warnings = rows_of(tmp_path / "crosswise.csv", live_link_sides="app")
    assert warnings == []
    put_right = reorder(rows.weights, rows.names, UNREAL_CHANNELS)
    np.testing.assert_allclose(put_right, sideways_take(tmp_path / "again.csv", 1), atol=1e-7)
    _, warnings = rows_of(tmp_path / "right.csv", live_link_sides="app")
    assert len(warnings) == 1 and warnings[0].endswith("by --live_link_sides names")


def test_a_mouth_that_hardly_moves_sideways_says_nothing(tmp_path):
    weights = sideways_take(tmp_path / "a.csv", -1)
    weights[:, [UNREAL_CHANNELS.index("mouth" + side) for side in ("Left", "Right")]] *= 0.2
    write_live_link_csv(tmp_path / "a.csv", weights, UNREAL_CHANNELS, 30)
    assert rows_of(tmp_path / "a.csv")[1] == []
    other_kind = put_animation(tmp_path, "beat", sideways_take(tmp_path / "b.csv", -1))
    assert rows_of(other_kind, live_link_sides="app")[1] == []


def test_the_apps_takes_name_the_sides_crosswise(realdata):
    """r of the sideways mouth with the shapes of its side, by name: -0.37, -0.92, -0.35."""
    found = {}
    for path in glob.glob(os.path.join(realdata, "livelink_csv", "*.csv")):
        rows, warnings = rows_of(path)
        moved, r = sideways_r(rows.weights, rows.names)
        assert r < -0.3 and len(warnings) == (moved > 0.05), path
        found[os.path.basename(path)] = r
        rows, warnings = rows_of(path, live_link_sides="app")
        assert sideways_r(rows.weights, rows.names)[1] == pytest.approx(-r) and warnings == []
    assert len(found) == 3 and found["MySlate_164_iPhone_cal.csv"] < -0.9


# ---- what is written is read

def test_every_kind_has_a_reader():
    assert set(READERS) == set(FACE_FILE_KINDS)
    assert len({exporter.file_name for exporter in FORMATS.values()}) == len(FORMATS)


def rokoko_packets(tmp_path, num_frames=5, fps=30):
    write_rokoko_json(tmp_path / "a.json", np.full((num_frames, 52), 0.25), MODEL_CHANNELS, fps)
    return json.loads((tmp_path / "a.json").read_text())


def test_other_rokoko_packets(tmp_path):
    packets = rokoko_packets(tmp_path)
    packets[2]["scene"]["actors"][0].pop("face")
    for frame, packet in enumerate(packets):        # milliseconds, as a relative of ours writes
        packet["scene"]["timestamp"] = frame * 1000.0 / 30
    rows, warnings = rows_of(put(tmp_path, "b.json", json.dumps(packets)))
    np.testing.assert_array_equal(rows.has_face, [True, True, False, True, True])
    np.testing.assert_allclose(rows.times_s, np.arange(5) / 30.0, atol=1e-9)
    np.testing.assert_array_equal(rows.weights[rows.has_face], np.float32(0.25))
    assert len(warnings) == 1 and "milliseconds" in warnings[0]
    for packet in packets:                          # a clock that stands still says nothing
        packet["scene"]["timestamp"] = 2991.55
        packet["scene"]["actors"] *= 2
    rows, warnings = rows_of(put(tmp_path, "b.json", json.dumps(packets)))
    np.testing.assert_allclose(rows.times_s, np.arange(5) / 30.0, atol=1e-9)
    assert len(warnings) == 1 and "several actors" in warnings[0]


@pytest.mark.parametrize("change", [
    lambda packet: packet.pop("scene"), lambda packet: packet.update(fps=0),
    lambda packet: packet["scene"].update(actors=[]),
    lambda packet: packet["scene"].update(timestamp="soon"),
    lambda packet: packet["scene"]["actors"][0]["face"].update(jawOpen=None)])
def test_broken_rokoko_packets(tmp_path, change):
    packets = rokoko_packets(tmp_path, num_frames=1)
    change(packets[0])
    content = json.dumps(packets) + ' ' * 3
    path = put(tmp_path, "b.json", content if '"actors"' in content
               else content.replace('"version"', '"actors": 1, "version"'))
    with pytest.raises(UserError, match="b.json is not Rokoko's JSON v3"):
        rows_of(path)


# ---- files that people had

@pytest.mark.parametrize("case, name, valid_share, told", [
    ("01", "take.csv", 1.0, "taken as 30 a second"), ("03", "take.csv", 1.0, "as 60 a second"),
    ("04", "take.csv", 1.0, "weights go up to 57.75"), ("09", "take.csv", 1.0, None),
    ("10", "take.csv", 1.0, None), ("11", "take.csv", 1.0, None),
    ("12", "frame_time.csv", 1.0, None), ("12", "timestamp.csv", 1.0, None),
    ("12", "timestamp_ms.csv", 1.0, None), ("17", "take.json", 1.0, None),
    ("21", "take.csv", 5 / 6.0, None), ("22", "take.csv", 1.0, None),
    ("31_ok", "take.csv", 1.0, None)])
def test_files_that_people_had(case, name, valid_share, told):
    folder = os.path.join(SHARED, "cases")
    if not os.path.isdir(folder):
        pytest.skip("needs ../shared/cases, which is not part of the repository")
    reference, _ = rows_of(os.path.join(folder, "00_reference", "take.csv"))
    rows, warnings = rows_of(os.path.join(folder, case, name))
    assert [told in warning for warning in warnings] == ([True] if told else [])
    assert rows.has_face.mean() == pytest.approx(valid_share)
    kept_s = rows.times_s[rows.has_face]
    distance_s = np.abs(reference.times_s[:, np.newaxis] - kept_s)      # [reference, kept]
    compared = distance_s.min(axis=1) < 0.02
    assert compared.mean() > valid_share - 0.02
    curves = [one.weights[one.has_face, one.names.index("jawOpen")] for one in (reference, rows)]
    np.testing.assert_allclose(
        np.interp(reference.times_s, kept_s, curves[1])[compared], curves[0][compared], atol=0.03)
