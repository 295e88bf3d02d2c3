"""Every format that is written: what it holds, and that it comes back with its sides and times."""
import os
import struct
import tracemalloc

import numpy as np
import pytest

from tests.formats.golden_clip import (RATES, READ_BACK, TIME_WITHIN_S, WEIGHT_WITHIN, WRITTEN_ONLY,
                                       can_hold, golden_clip)
from tests.helpers.strict_readers import STRICT_READERS, vmd_keys
from utils.common.channels import MODEL_CHANNELS, reorder
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


@pytest.mark.parametrize("name", ["csv", "npz", "json"])
def test_what_a_run_writes_is_written_without_a_copy_of_all(tmp_path, name):
    weights, names = golden_clip(20000)
    weights = np.float32(weights)
    tracemalloc.start()
    try:
        FORMATS[name].write(tmp_path / "clip", weights, names, 30)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < weights.nbytes


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

@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("name", READ_BACK)
def test_what_is_written_obeys_the_rules_of_its_tool(tmp_path, name, fps):
    if not can_hold(name, fps):
        return
    times_s, shapes = STRICT_READERS[name](written(tmp_path, name, fps))
    np.testing.assert_allclose(times_s, np.arange(150) / float(fps), rtol=0,
                               atol=TIME_WITHIN_S[name])
    weights, names = golden_clip()
    assert sorted(shapes) == sorted(names)
    for column, channel in enumerate(names):
        np.testing.assert_allclose(shapes[channel], weights[:, column], rtol=0,
                                   atol=WEIGHT_WITHIN[name] + 1e-9, err_msg=channel)


@pytest.mark.parametrize("fps, sixtieths", [(30, 2000), (24, 2500), (25, 2400), (60, 1000)])
def test_timecodes_count_sixtieths_at_every_rate(tmp_path, fps, sixtieths):
    lines = written(tmp_path, "csv", fps).read_text().splitlines()[1:]
    units = [int(line[9:11]) * 1000 + int(line[12:15]) for line in lines]
    assert [(later - unit) % 60000 for unit, later in zip(units, units[1:])] == [sixtieths] * 149


@pytest.mark.parametrize("name, old, new", [
    ("csv", "BlendshapeCount", "Count"), ("csv", ",61,", ",52,"), ("csv", "JawLeft", "JawRight"),
    ("csv", ",0.0000000000\n", ",\n"), ("csv", "00:00:00:02.000", "00:00:00.033"),
    ("json", '"props":[]', '"props":[1]'), ("json", '"jawOpen"', '"JawOpen"'),
    ("audio2face", '"exportFps": 30', '"exportFps": 30.0'),
    ("audio2face", '"numFrames": 150', '"numFrames": 151'),
    ("audio2face_csv", ",timeCode", "frame,timeCode"), ("audio2face_csv", "HeadRoll", "HeadYaw"),
    ("beat", '"frame_count": 150', '"frame_count": 1'), ("beat", '"time": 0.1', '"time": 0.2'),
    ("table", "jawOpen", "JawOpen")])
def test_the_strict_readers_are_strict(tmp_path, name, old, new):
    path = written(tmp_path, name)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises((AssertionError, KeyError)):
        STRICT_READERS[name](path)


def test_vmd_has_no_keys_where_a_channel_stands_still(tmp_path):
    weights = np.zeros((1000, 52), np.float32)
    weights[500:510, MODEL_CHANNELS.index("jawOpen")] = 0.5
    FORMATS["vmd"].write(tmp_path / "a.vmd", weights, MODEL_CHANNELS, 30)
    keys = vmd_keys(tmp_path / "a.vmd")
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
