"""Every format that is written: what it holds, and that it comes back with its sides and times."""
import collections
import csv
import json
import os
import struct

import numpy as np
import pytest

from tests.formats.golden_clip import (RATES, READ_BACK, TIME_WITHIN_S, WEIGHT_WITHIN, WRITTEN_ONLY,
                                       can_hold, golden_clip)
from utils.common.channels import MODEL_CHANNELS, UNREAL_CHANNELS, reorder
from utils.common.errors import UserError
from utils.formats.exporters import DEFAULT_FORMATS, FORMATS
from utils.formats.face_files import kind_of_face_file, read_face_rows
from utils.formats.vmd import CUT_NAME


def written(folder, name, fps=30, num_frames=150):
    path = folder / FORMATS[name].file_name
    weights, names = golden_clip(num_frames)
    FORMATS[name].write(path, weights, names, fps)
    return path


def test_the_golden_clip_tells_every_channel_and_side():
    weights, names = golden_clip()
    for one, channel in enumerate(names):
        assert [other for other in range(52)
                if np.abs(weights[:, one] - weights[:, other]).max() < 0.1] == [one]
        if channel.endswith("Left"):
            other = names.index(channel[:-4] + "Right")
            assert (np.delete(weights[:, other] - weights[:, one], [3, 4]) >= 0.2).all()


def test_every_format_comes_back_or_is_told_not_to():
    assert set(READ_BACK) | set(WRITTEN_ONLY) == set(FORMATS)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("name", READ_BACK)
def test_what_is_written_comes_back_with_its_sides_and_times(tmp_path, name, fps):
    if not can_hold(name, fps):
        with pytest.raises(UserError, match="give .*--fps 30|a whole rate, as --fps"):
            written(tmp_path, name, fps)
        assert os.listdir(str(tmp_path)) == []
        return
    path, (weights, names), warnings = written(tmp_path, name, fps), golden_clip(), []
    assert os.listdir(str(tmp_path)) == [path.name]
    assert kind_of_face_file(path) == FORMATS[name].kind
    rows = read_face_rows(path, warnings.append)
    assert rows.kind == FORMATS[name].kind and rows.has_face.all() and warnings == []
    assert rows.start_s == 0 and len(rows.times_s) == 150
    np.testing.assert_allclose(rows.times_s, np.arange(150) / float(fps), rtol=0,
                               atol=TIME_WITHIN_S[name])
    np.testing.assert_allclose(reorder(rows.weights, rows.names, names), weights, rtol=0,
                               atol=WEIGHT_WITHIN[name])


@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.nan])
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "npz"])
def test_weights_out_of_range_are_never_written(tmp_path, name, wrong):
    weights, names = golden_clip(10)
    weights[5, 5] = wrong
    with pytest.raises(ValueError, match="0..1"):
        FORMATS[name].write(tmp_path / "a", weights, names, 30)
    if name == "glb":
        return                          # drives the targets it has a column for
    with pytest.raises(ValueError, match="are not among"):
        FORMATS[name].write(tmp_path / "a", golden_clip(10)[0][:, :51], names[:51], 30)
    assert os.listdir(str(tmp_path)) == []


def test_run_voca_writes_four_where_nobody_says_which():
    assert DEFAULT_FORMATS == ("csv", "npz", "json", "glb")


# ---- each format, read by rules that are not this project's readers

def column(name, num_frames=150):
    weights, names = golden_clip(num_frames)
    return weights[:, names.index(name)]


def test_audio2face_json(tmp_path):
    content = json.loads(written(tmp_path, "audio2face", fps=24.0).read_text())
    assert list(content) == ["exportFps", "trackPath", "numPoses", "numFrames", "facsNames",
                             "weightMat"]
    assert content["exportFps"] == 24 and isinstance(content["exportFps"], int)
    assert (content["numPoses"], content["numFrames"]) == (52, 150)
    assert content["facsNames"] == list(UNREAL_CHANNELS)
    matrix = np.array(content["weightMat"])
    assert matrix.shape == (150, 52)
    np.testing.assert_allclose(matrix[:, 21], column("mouthLeft"), atol=1e-7)
    np.testing.assert_allclose(matrix[:, 22], column("mouthRight"), atol=1e-7)


def test_animation_frames_csv(tmp_path):
    with open(str(written(tmp_path, "audio2face_csv")), newline="") as stream:
        text = stream.read()
    rows = list(csv.reader(text.splitlines()))
    assert "\r" not in text and {len(row) for row in rows} == {57}
    assert text.startswith(",timeCode,blendShapes.EyeBlinkLeft,blendShapes.EyeLookDownLeft,")
    assert rows[0][-4:] == ["blendShapes." + name
                            for name in ("TongueOut", "HeadRoll", "HeadPitch", "HeadYaw")]
    assert [row[0] for row in rows[1:4]] == ["0", "1", "2"]
    assert [float(row[1]) for row in rows[1:4]] == [0.0, 1 / 30.0, 2 / 30.0]
    np.testing.assert_allclose([float(row[rows[0].index("blendShapes.JawLeft")])
                                for row in rows[1:]], column("jawLeft"), atol=1e-7)


@pytest.mark.parametrize("fps", [29.97, 60])
def test_beat_json(tmp_path, fps):
    content = json.loads(written(tmp_path, "beat", fps).read_text())
    assert list(content) == ["names", "metadata", "frames"] and len(content["frames"]) == 150
    assert content["metadata"] == {"fps": fps, "frame_count": 150,
                                   "blendshape_names": content["names"]}
    for number, frame in enumerate(content["frames"]):
        assert sorted(frame) == ["rotation", "time", "weights"]
        assert frame["time"] == number / float(fps) and frame["rotation"] == []
    place = content["names"].index("browOuterUpRight")
    np.testing.assert_allclose([frame["weights"][place] for frame in content["frames"]],
                               column("browOuterUpRight"), atol=1e-7)


def test_table(tmp_path):
    with open(str(written(tmp_path, "table", 25)), newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[0] == "time" and sorted(rows[0]) == sorted(MODEL_CHANNELS + ("time",))
    assert [float(row["time"]) for row in rows] == [frame / 25.0 for frame in range(150)]
    np.testing.assert_allclose([float(row["eyeBlinkRight"]) for row in rows],
                               column("eyeBlinkRight"), atol=1e-7)


def vmd_keys(content):
    """{name: [(frame, weight)]} of a .vmd's morphs, by struct."""
    magic, _, num_bones, num_morphs = struct.unpack_from("<30s20sII", content)
    assert magic.rstrip(b"\0") == b"Vocaloid Motion Data 0002" and num_bones == 0
    keys = collections.OrderedDict()
    for number in range(num_morphs):
        name, frame, weight = struct.unpack_from("<15sIf", content, 58 + 23 * number)
        keys.setdefault(name.rstrip(b"\0").decode("shift_jis"), []).append((frame, weight))
    assert content[58 + 23 * num_morphs:] == bytes(12)              # cameras, lights, shadows
    return keys


def test_vmd(tmp_path):
    keys = vmd_keys(written(tmp_path, "vmd").read_bytes())
    assert set(keys) == {name[:15] for name in MODEL_CHANNELS} and len(keys) == 52
    for name in MODEL_CHANNELS:
        frames, values = zip(*keys[name[:15]])
        assert (frames[0], frames[-1]) == (0, 149) and list(frames) == sorted(set(frames))
        np.testing.assert_array_equal(np.interp(np.arange(150), frames, values).astype(np.float32),
                                      column(name))


def test_vmd_has_no_keys_where_a_channel_stands_still(tmp_path):
    weights = np.zeros((1000, 52), np.float32)
    weights[500:510, MODEL_CHANNELS.index("jawOpen")] = 0.5
    FORMATS["vmd"].write(tmp_path / "a.vmd", weights, MODEL_CHANNELS, 30)
    keys = vmd_keys((tmp_path / "a.vmd").read_bytes())
    assert keys["jawOpen"] == [(0, 0), (499, 0), (500, 0.5), (509, 0.5), (510, 0), (999, 0)]
    assert keys["mouthLeft"] == [(0, 0), (999, 0)]
    rows = read_face_rows(tmp_path / "a.vmd", pytest.fail)
    np.testing.assert_array_equal(reorder(rows.weights, rows.names, MODEL_CHANNELS), weights)


def motion(keys, magic=b"Vocaloid Motion Data 0002", model_bytes=20, num_bones=0):
    return (magic.ljust(30, b"\0") + bytes(model_bytes) + struct.pack("<I", num_bones)
            + bytes(111 * num_bones) + struct.pack("<I", len(keys))
            + b"".join(struct.pack("<15sIf", *key) for key in keys) + bytes(12))


@pytest.mark.parametrize("options", [
    {}, {"num_bones": 3}, {"magic": b"Vocaloid Motion Data file", "model_bytes": 10}])
def test_other_programs_motions(tmp_path, options):
    """Keys out of order, names in any case, old bytes after a name, Japanese morphs beside."""
    (tmp_path / "a.vmd").write_bytes(motion([
        (b"JawOpen\0\xfd\xfd", 10, 1.0), (u"\u3042".encode("cp932"), 3, 1.0), (b"JawOpen", 0, 0.0),
        (b"mouthlowerdownl", 5, 0.25)], **options))
    warnings = []
    rows = read_face_rows(tmp_path / "a.vmd", warnings.append)
    assert len(warnings) == 1 and u"1 morphs" in warnings[0] and u"\u3042" in warnings[0]
    np.testing.assert_allclose(rows.times_s, np.arange(11) / 30.0)
    weights = reorder(rows.weights, rows.names, ("jawOpen", "mouthLowerDownLeft"))
    np.testing.assert_allclose(weights[:, 0], np.arange(11) / 10.0, atol=1e-7)
    np.testing.assert_array_equal(weights[:, 1], np.float32(0.25))


@pytest.mark.parametrize("content, told", [
    (b"", "is not MikuMikuDance's motion"), (b"Vocaloid", "is not MikuMikuDance's motion"),
    (motion([]), "none of its 0 morphs"), (motion([(b"\x82\xa0", 1, 1.0)]), "none of its 1 morphs"),
    (motion([(b"jawOpen", 4000000000, 1.0)]), "a key at frame 4000000000"),
    (motion([(b"jawOpen", 4, np.nan)]), "NaN"),
    (motion([(b"jawOpen", 4, 1.0)])[:70], "ends before its morphs do"),
    (motion([(b"jawOpen", 4, 1.0)])[:52], "ends before its morphs do"),
    (motion([])[:50] + struct.pack("<II", 4000000000, 7), "ends before its morphs do"),
    (motion([])[:50] + struct.pack("<II", 0, 4000000000), "ends before its morphs do"),
])
def test_broken_motions(tmp_path, content, told):
    (tmp_path / "a.vmd").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_face_rows(tmp_path / "a.vmd", pytest.fail)
    assert told in str(caught.value) and "a.vmd" in str(caught.value)
    with pytest.raises(UserError, match="cannot read"):
        read_face_rows(tmp_path / "none.vmd", pytest.fail)


def test_cut_names_are_told_apart():
    assert len(CUT_NAME) == 52 and CUT_NAME[b"mouthlowerdownr"] == "mouthLowerDownRight"
