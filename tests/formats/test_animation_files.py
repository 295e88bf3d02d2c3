"""utils/formats/npz.py: the .npz comes back, the JSON is what Rokoko Studio sends."""
import json
import os

import numpy as np
import pytest

from tests.helpers.faces import random_weights
from utils.common.channels import MODEL_CHANNELS, UNREAL_CHANNELS
from utils.common.errors import UserError
from utils.formats.npz import read_npz, write_npz
from utils.formats.rokoko_json import write_rokoko_json


def test_npz_comes_back(tmp_path):
    weights = random_weights(20)
    write_npz(tmp_path / "a.npz", weights, MODEL_CHANNELS, 29.97)
    read, names, fps = read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(read, weights)
    assert read.dtype == np.float32 and names == MODEL_CHANNELS and fps == 29.97
    with np.load(str(tmp_path / "a.npz")) as plain:                     # no pickle needed
        assert sorted(plain.files) == ["fps", "names", "weights"]
        assert plain["weights"].dtype == np.float32
        assert plain["names"].tolist() == list(MODEL_CHANNELS) and plain["fps"] == 29.97


def test_npz_refuses_what_does_not_fit(tmp_path):
    with pytest.raises(ValueError):
        write_npz(tmp_path / "a.npz", random_weights(3), MODEL_CHANNELS[:51], 30)
    assert not os.listdir(str(tmp_path))


@pytest.mark.parametrize("arrays, told", [
    ({"weights": np.zeros((2, 1), np.float32), "names": np.array(["jawOpen"])}, "lacks fps"),
    ({"weights": np.zeros(2, np.float32), "names": np.array(["jawOpen"]), "fps": 30.0}, "names"),
    ({"weights": np.zeros((2, 2), np.float32), "names": np.array(["a"]), "fps": 30.0}, "names"),
    ({"weights": np.zeros((2, 1), np.float32), "names": np.array(["a"]), "fps": 0.0}, "fps"),
    ({"weights": np.array([[None]]), "names": np.array(["a"]), "fps": 30.0}, "not an .npz"),
])
def test_npz_of_other_content(tmp_path, arrays, told):
    np.savez(str(tmp_path / "a.npz"), **arrays)
    with pytest.raises(UserError, match=told):
        read_npz(tmp_path / "a.npz")


def test_npz_missing_truncated_text(tmp_path):
    with pytest.raises(UserError, match="no file"):
        read_npz(tmp_path / "none.npz")
    write_npz(tmp_path / "a.npz", random_weights(20), MODEL_CHANNELS, 30)
    content = (tmp_path / "a.npz").read_bytes()
    for wrong in (content[:len(content) // 2], b"words", b""):
        (tmp_path / "a.npz").write_bytes(wrong)
        with pytest.raises(UserError, match="not an .npz"):
            read_npz(tmp_path / "a.npz")


def rokoko_faces(packet):
    """What Rokoko's plugins take from one packet: {actor: {shape: 0..1}}."""
    assert float(packet["fps"]) > 0 and packet["scene"]["props"] == []
    faces = {}
    for actor in packet["scene"]["actors"]:
        meta = actor["meta"]
        assert not (meta["hasBody"] or meta["hasLeftGlove"] or meta["hasRightGlove"])
        assert len(actor["color"]) == 3 and actor["dimensions"]["hipHeight"] > 0
        if meta["hasFace"]:
            faces[actor["name"]] = {shape: value / 100.0 for shape, value in actor["face"].items()
                                    if shape != "faceId"}
    return faces


@pytest.mark.parametrize("fps", [25, 30])
def test_rokoko_json(tmp_path, fps):
    weights = random_weights(10)
    write_rokoko_json(tmp_path / "a.json", weights, MODEL_CHANNELS, fps)
    with open(str(tmp_path / "a.json")) as stream:
        packets = json.load(stream)
    assert len(packets) == 10
    for frame, packet in enumerate(packets):
        assert packet["version"] == "3,0" and packet["fps"] == fps
        assert packet["scene"]["timestamp"] == pytest.approx(frame / float(fps), abs=1e-6)
        (face,) = rokoko_faces(packet).values()
        assert tuple(face) == UNREAL_CHANNELS
        np.testing.assert_allclose([face[name] for name in MODEL_CHANNELS], weights[frame],
                                   atol=1e-6)


def test_rokoko_json_is_a_line_a_frame_and_runs_0_to_100(tmp_path):
    weights = np.zeros((2, 52))
    weights[1, MODEL_CHANNELS.index("jawOpen")] = 1.0
    write_rokoko_json(tmp_path / "a.json", weights, MODEL_CHANNELS, 30)
    lines = (tmp_path / "a.json").read_text().splitlines()
    assert len(lines) == 4 and (lines[0], lines[3]) == ("[", "]")
    second = json.loads(lines[2])["scene"]["actors"][0]["face"]
    assert second["jawOpen"] == 100.0 and second["jawLeft"] == 0.0


def test_nothing_is_left_of_a_write_that_fails(tmp_path):
    with pytest.raises(ValueError):
        write_rokoko_json(tmp_path / "a.json", np.zeros((2, 51)), MODEL_CHANNELS[:51], 30)
    assert not os.listdir(str(tmp_path))
