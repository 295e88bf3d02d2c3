"""utils/formats/gltf.py: a clip goes into an avatar's GLB and back, and nothing else changes."""
import json
import os
import struct

import numpy as np
import pytest

from tests.helpers.avatar import avatar, khronos_issues
from tests.helpers.glb import glb_bytes
from utils.common.channels import MODEL_CHANNELS, UNREAL_CHANNELS
from utils.common.errors import UserError
from utils.formats.glb import read_glb
from utils.formats.gltf import (
    ANIMATION_NAME, arkit_name, even_rate_hz, read_glb_animation, write_glb)


@pytest.fixture
def avatar_path(tmp_path):
    path = tmp_path / "avatar.glb"
    path.write_bytes(glb_bytes(*avatar(), after=struct.pack("<I4s", 4, b"MORE") + b"kept"))
    return path


def golden(num_frames):
    """float32 [frames, 52], each channel a curve of its own, left unlike right."""
    frames = np.arange(num_frames)[:, np.newaxis]
    return (0.5 + 0.5 * np.sin(0.37 * frames * (1 + np.arange(52)) / 52)).astype(np.float32)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 60])
def test_a_clip_comes_back_from_the_default_head(tmp_path, fps):
    weights = golden(70)
    write_glb(tmp_path / "a.glb", weights, MODEL_CHANNELS, fps, warn=pytest.fail)
    read, names, times_s = read_glb_animation(tmp_path / "a.glb")
    assert sorted(names) == sorted(MODEL_CHANNELS) and read.dtype == np.float32
    np.testing.assert_array_equal(read[:, [names.index(name) for name in MODEL_CHANNELS]], weights)
    np.testing.assert_array_equal(times_s, (np.arange(70) / fps).astype(np.float32))
    assert even_rate_hz(times_s) == fps


def test_channels_go_by_name_alone(tmp_path):
    weights = golden(5)
    order = [MODEL_CHANNELS.index(name) for name in UNREAL_CHANNELS]
    write_glb(tmp_path / "a.glb", weights, MODEL_CHANNELS, 30)
    write_glb(tmp_path / "b.glb", weights[:, order], UNREAL_CHANNELS, 30)
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_an_avatar_keeps_all_it_had(tmp_path, avatar_path):
    weights = golden(3)
    warnings = []
    write_glb(tmp_path / "out.glb", weights, MODEL_CHANNELS, 25, avatar_path, warnings.append)
    warning, = warnings
    lost = warning.partition("no morph target for ")[2].split(", ")
    assert set(MODEL_CHANNELS) - set(lost) == {
        "jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "tongueOut"}
    (before, binary_before), (after, binary_after) = avatar(), read_glb(tmp_path / "out.glb")
    assert binary_after[:len(binary_before)] == binary_before
    assert (tmp_path / "out.glb").read_bytes().endswith(b"MOREkept")
    for key in before:
        if key in ("accessors", "bufferViews", "animations"):
            assert after[key][:len(before[key])] == before[key]
        elif key != "buffers":
            assert after[key] == before[key], key
    assert set(after) == set(before) and len(after["buffers"]) == 1


def test_every_node_with_a_mesh_of_arkit_names_is_driven(tmp_path, avatar_path):
    weights = golden(3)
    column = {name: weights[:, place] for place, name in enumerate(MODEL_CHANNELS)}
    write_glb(tmp_path / "out.glb", weights, MODEL_CHANNELS, 25, avatar_path)
    document, binary = read_glb(tmp_path / "out.glb")
    animation = document["animations"][-1]
    assert animation["name"] == ANIMATION_NAME

    def values(index):
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        return np.frombuffer(binary, "<f4", accessor["count"], view["byteOffset"])
    read = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        assert channel["target"]["path"] == "weights" and sampler["interpolation"] == "LINEAR"
        times = document["accessors"][sampler["input"]]
        assert (times["min"], times["max"]) == ([0.0], [float(values(sampler["input"])[-1])])
        read[channel["target"]["node"]] = values(sampler["output"]).reshape(3, -1)
    assert sorted(read) == [1, 2]
    np.testing.assert_array_equal(read[1], np.stack(
        [column["jawOpen"], column["eyeBlinkLeft"], column["eyeBlinkRight"],
         np.full(3, 0.25), column["mouthSmileLeft"]], axis=1))
    np.testing.assert_array_equal(read[2], np.stack(
        [column["jawOpen"], column["tongueOut"]], axis=1))


def test_a_target_without_a_column_keeps_its_default(tmp_path, avatar_path):
    warnings = []
    write_glb(tmp_path / "out.glb", np.ones((2, 1)), ["tongueOut"], 30, avatar_path,
              warnings.append)
    assert warnings == []
    weights, names, _ = read_glb_animation(tmp_path / "out.glb")
    assert dict(zip(names, weights[0])) == {"jawOpen": 0.0, "eyeBlinkLeft": 0.0, "tongueOut": 1.0,
                                            "eyeBlinkRight": 0.0, "mouthSmileLeft": 0.0}


@pytest.mark.parametrize("name, shape", [
    ("jawOpen", "jawOpen"), ("JAWOPEN", "jawOpen"), ("jaw_left", "jawLeft"),
    ("eyeBlink_L", "eyeBlinkLeft"), ("eyeBlink_R", "eyeBlinkRight"), ("eyeBlink.l",
                                                                     "eyeBlinkLeft"),
    ("head_blendShape.browDown_R", "browDownRight"), ("Mouth Roll Lower", "mouthRollLower"),
    ("cheekSquint-L", "cheekSquintLeft"), ("jaw_L", "jawLeft"), ("mouthClose", "mouthClose"),
    ("smile", None), ("A", None), ("", None), ("_L", None), ("jawOpen2", None)])
def test_names_that_mean_a_shape(name, shape):
    assert arkit_name(name) == shape


def test_two_targets_of_one_shape_do_not_move_twice(tmp_path):
    document, binary = avatar()
    document["meshes"][0]["extras"]["targetNames"] = ["Jaw_Open", "x", "jawOpen", "y", "z"]
    (tmp_path / "a.glb").write_bytes(glb_bytes(document, binary))
    write_glb(tmp_path / "out.glb", np.ones((1, 1)), ["jawOpen"], 30, tmp_path / "a.glb")
    document, binary = read_glb(tmp_path / "out.glb")
    view = document["bufferViews"][7]
    weights = np.frombuffer(binary, "<f4", 5, view["byteOffset"])
    assert weights.tolist() == [0, 0, 1, 0.25, 0]


def test_two_nodes_of_one_mesh_share_their_bytes(tmp_path):
    document, binary = avatar()
    document["nodes"].append({"name": "a twin's teeth", "mesh": 1})
    (tmp_path / "a.glb").write_bytes(glb_bytes(document, binary))
    write_glb(tmp_path / "out.glb", np.ones((1, 1)), ["jawOpen"], 30, tmp_path / "a.glb")
    animation = read_glb(tmp_path / "out.glb")[0]["animations"][-1]
    assert [(channel["target"]["node"], channel["sampler"])
            for channel in animation["channels"]] == [(1, 0), (2, 1), (4, 1)]


def animated(times_s, values, interpolation="LINEAR", kind="<f4", component=5126):
    """GLB bytes of the avatar, its two teeth targets moved by a clip of another program."""
    document, binary = avatar()
    start = len(binary)
    keys, values = np.asarray(times_s, "<f4").tobytes(), np.asarray(values, kind).tobytes()
    document["bufferViews"] += [
        {"buffer": 0, "byteOffset": start, "byteLength": len(keys)},
        {"buffer": 0, "byteOffset": start + len(keys), "byteLength": len(values)}]
    document["accessors"] += [
        {"bufferView": 6, "componentType": 5126, "count": len(times_s), "type": "SCALAR"},
        {"bufferView": 7, "componentType": component, "normalized": component != 5126,
         "count": len(values) // np.dtype(kind).itemsize, "type": "SCALAR"}]
    document["animations"].append({
        "samplers": [{"input": 6, "output": 7, "interpolation": interpolation}],
        "channels": [{"sampler": 0, "target": {"node": 2, "path": "weights"}}]})
    binary += keys + values
    binary += b"\0" * (-len(binary) % 4)
    document["buffers"][0]["byteLength"] = len(binary)
    return glb_bytes(document, binary)


@pytest.mark.parametrize("arguments, weights", [
    (dict(values=[0, 1, .5, .25, 1, 0]), [[0, 1], [.5, .25], [1, 0]]),
    (dict(values=[0, 255, 51, 102, 255, 0], kind="<u1", component=5121),
     [[0, 1], [.2, .4], [1, 0]]),
    (dict(values=[9, 9, 0, 1, 9, 9, 9, 9, .5, .25, 9, 9, 9, 9, 1, 0, 9, 9],
          interpolation="CUBICSPLINE"), [[0, 1], [.5, .25], [1, 0]])])
def test_animations_of_other_programs(tmp_path, arguments, weights):
    (tmp_path / "a.glb").write_bytes(animated([0, .5, 2], **arguments))
    read, names, times_s = read_glb_animation(tmp_path / "a.glb")
    assert names == ("jawOpen", "tongueOut") and times_s.tolist() == [0, .5, 2]
    np.testing.assert_allclose(read, weights, atol=1e-6)
    assert even_rate_hz(times_s) is None


def test_two_meshes_of_unlike_times_meet(tmp_path, capsys):
    (tmp_path / "a.glb").write_bytes(animated([0, 1], [0, 0, 1, 1]))
    write_glb(tmp_path / "b.glb", np.full((2, 1), 0.5), ["jawOpen"], 2, tmp_path / "a.glb")
    document, binary = read_glb(tmp_path / "b.glb")
    first, second = document["animations"][-2:]
    second["samplers"].append({key: value for key, value in first["samplers"][0].items()})
    second["channels"][-1]["sampler"] = len(second["samplers"]) - 1
    (tmp_path / "c.glb").write_bytes(glb_bytes(document, binary))
    read, names, times_s = read_glb_animation(tmp_path / "c.glb")
    assert times_s.tolist() == [0, .5, 1]
    np.testing.assert_allclose(read[:, names.index("tongueOut")], [0, .5, 1])
    np.testing.assert_allclose(read[:, names.index("jawOpen")], .5)
    told = capsys.readouterr().err
    assert "two meshes move jawOpen unlike" in told and "2 animations" in told


@pytest.mark.parametrize("fps", [23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 12.5])
@pytest.mark.parametrize("num_frames", [2, 70, 40000])
def test_even_rates(fps, num_frames):
    rate_hz = even_rate_hz((np.arange(num_frames) / fps).astype(np.float32))
    assert rate_hz == pytest.approx(fps, rel=1e-9 if fps != 12.5 else 1e-6)


def test_uneven_or_single_times():
    assert even_rate_hz([0.0]) is None and even_rate_hz([]) is None
    assert even_rate_hz([0, 1 / 30.0, 3 / 30.0]) is None


@pytest.mark.parametrize("weights, names", [
    (np.zeros((2, 2)), ["jawOpen"]), (np.zeros((0, 1)), ["jawOpen"]), (np.zeros(2), ["jawOpen"]),
    (np.full((1, 1), 1.5), ["jawOpen"]), (np.full((1, 1), np.nan), ["jawOpen"])])
def test_weights_that_do_not_fit(tmp_path, weights, names):
    with pytest.raises(ValueError):
        write_glb(tmp_path / "a.glb", weights, names, 30)
    assert not os.listdir(str(tmp_path))


# ---- bad input

def changed(change):
    document, binary = avatar()
    change(document)
    return glb_bytes(document, binary)


HOSTILE = {
    "asset.version": lambda d: d["asset"].update(version="1.0"),
    "its own ancestor": lambda d: d["nodes"].extend([{"children": [5]}, {"children": [4]}]),
    "own ancestor": lambda d: d["nodes"][3].update(children=[3]),
    "child of both": lambda d: d["nodes"][2].update(children=[1]),
    "names nodes 99 of 4": lambda d: d["nodes"][0].update(children=[99]),
    "names meshes 7 of 3": lambda d: d["nodes"][1].update(mesh=7),
    "names skins 1 of 1": lambda d: d["nodes"][1].update(skin=1),
    "skin 0 names nodes": lambda d: d["skins"][0].update(joints=[0, 88]),
    "scene 0 names nodes": lambda d: d["scenes"][0].update(nodes=[4]),
    "names scenes 3": lambda d: d.update(scene=3),
    "whole number": lambda d: d["nodes"][1].update(mesh=-1),
    "mesh '0'": lambda d: d["nodes"][1].update(mesh="0"),
    "mesh True": lambda d: d["nodes"][1].update(mesh=True),
    "'nodes' is not a list": lambda d: d.update(nodes={}),
    "not a list of objects": lambda d: d.update(meshes=[None]),
    "no primitives": lambda d: d["meshes"][0].update(primitives=[]),
    "names accessors 50": lambda d: d["meshes"][0]["primitives"][0].update(indices=50),
    "names materials 1": lambda d: d["meshes"][0]["primitives"][0].update(material=1),
    "unlike POSITION": lambda d: d["accessors"][1].update(count=2),
    "1000 targets": lambda d: d["meshes"][0].update(primitives=[
        dict(d["meshes"][0]["primitives"][0], targets=[{"POSITION": 1}] * 1000)]),
    "5 and 6 targets": lambda d: d["meshes"][0].update(primitives=[
        dict(d["meshes"][0]["primitives"][0], targets=[{"POSITION": 1}] * num)
        for num in (5, 6)]),
    "default weights": lambda d: d["meshes"][1].update(weights=[0]),
    "3 weights": lambda d: d["nodes"][1].update(weights=[0, 0, 0]),
    "targetNames": lambda d: d["meshes"][0]["extras"].update(targetNames=["jawOpen"]),
    "list of texts": lambda d: d["meshes"][0]["extras"].update(targetNames=[1] * 5),
    "4000000000 elements": lambda d: d["accessors"][0].update(count=4000000000),
    "16777217 elements": lambda d: d["accessors"][0].update(count=(1 << 24) + 1),
    "0 elements": lambda d: d["accessors"][0].update(count=0),
    "needs 60000 bytes": lambda d: d["accessors"][0].update(count=5000),
    "of type 'VEC9'": lambda d: d["accessors"][0].update(type="VEC9"),
    r"of type \['VEC3'\]": lambda d: d["accessors"][0].update(type=["VEC3"]),
    "componentType 1": lambda d: d["accessors"][0].update(componentType=1),
    "names bufferViews 9": lambda d: d["accessors"][0].update(bufferView=9),
    "replaces 4 of its 3": lambda d: d["accessors"][0].update(sparse={"count": 4}),
    "sparse indices": lambda d: d["accessors"][0].update(sparse={
        "count": 3, "indices": {"bufferView": 2, "byteOffset": 8, "componentType": 5125},
        "values": {"bufferView": 0}}),
    "sparse values": lambda d: d["accessors"][0].update(sparse={
        "count": 3, "indices": {"bufferView": 2, "componentType": 5121},
        "values": {"bufferView": 0, "byteOffset": 4}}),
    "buffer view 0 ends": lambda d: d["bufferViews"][0].update(byteLength=10 ** 6),
    "names buffers 1": lambda d: d["bufferViews"][0].update(buffer=1),
    "binary chunk has": lambda d: d["buffers"][0].update(byteLength=10 ** 6),
    "outside the file": lambda d: d["buffers"][0].update(uri="head.bin"),
    "no bytes": lambda d: d["buffers"].append({"byteLength": 10}),
    "names bufferViews 40": lambda d: d["images"][0].update(bufferView=40),
    "names images 2": lambda d: d.update(textures=[{"source": 2}]),
    "names sampler 1 of 1": lambda d: d["animations"][0]["channels"][0].update(sampler=1),
    "animation 0 names accessors": lambda d: d["animations"][0]["samplers"][0].update(input=66),
    "animation 0 names nodes": lambda d: d["animations"][0]["channels"][0].update(
        target={"node": 44}),
    "interpolates by": lambda d: d["animations"][0]["samplers"][0].update(interpolation="X"),
    "has no node with ARKit morph targets: its morph targets are called": lambda d: [
        mesh.pop("extras", None) and mesh.update(extras={"targetNames": list("abcde")})
        or [part.pop("extras", None) for part in mesh["primitives"]] for mesh in d["meshes"]],
    "morph targets have no names": lambda d: [
        owner.pop("extras", None) for mesh in d["meshes"] for owner in [mesh] + mesh["primitives"]],
    "it has no morph targets": lambda d: d.update(meshes=d["meshes"][2:], nodes=[{"mesh": 0}],
                                                  skins=[], animations=[], scenes=[],
                                                  scene=None) or d.pop("scene"),
    "65537 entries": lambda d: d.update(samplers=[{}] * 65537, textures=[{"sampler": 1}]),
}


@pytest.mark.parametrize("told", sorted(HOSTILE))
def test_what_the_json_says_wrongly_is_refused(tmp_path, told):
    (tmp_path / "a.glb").write_bytes(changed(HOSTILE[told]))
    with pytest.raises(UserError, match=told) as refused:
        write_glb(tmp_path / "out.glb", golden(2), MODEL_CHANNELS, 30, tmp_path / "a.glb")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400
    assert os.listdir(str(tmp_path)) == ["a.glb"]


def with_json(text):
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text


WHOLE = glb_bytes(*avatar())


@pytest.mark.parametrize("content, told", [
    (b"", "not a GLB"), (b"glTF", "ends within its header"), (b"PK\3\4" + WHOLE[4:], "not a GLB"),
    (b' {"asset": {}}', "export as one binary .glb"), (WHOLE[:-4], "cut short"),
    (WHOLE + b"\0\0\0\0", "cut short or joined"), (WHOLE[:4] + b"\1" + WHOLE[5:], "version 1"),
    (WHOLE[:16] + b"BIN\0" + WHOLE[20:], "first chunk"),
    (WHOLE[:12] + b"\xff\xff\xff\xff" + WHOLE[16:], "4294967295 bytes"),
    (with_json(b"{"), "cannot be read"), (with_json(b"[]"), "no object"),
    (with_json(b"\xff\xff"), "cannot be read"), (with_json(b"[" * 200000), "cannot be read"),
    (with_json(b'{"a": NaN}'), "NaN is no number"), (with_json(b'{"a": 1e999}'), "no number"),
    (with_json(b'{"a": ' + b"9" * 10 ** 6 + b"}"), "no number"),
    (with_json(b'{"asset": 3}'), "glTF 2.0")])
def test_what_is_no_glb_is_refused(tmp_path, content, told):
    (tmp_path / "a.glb").write_bytes(content)
    for read in (read_glb, read_glb_animation):
        with pytest.raises(UserError, match=told):
            read(tmp_path / "a.glb")


def test_absent_and_unreadable(tmp_path):
    with pytest.raises(UserError, match="no file"):
        read_glb(tmp_path / "none.glb")
    with pytest.raises(UserError, match="cannot read"):
        read_glb(tmp_path)


@pytest.mark.parametrize("content, told", [
    (WHOLE, "1 animations and none moves"), (animated([0, 1], [0, 1, 0]), "3 weights; expected 4"),
    (animated([0, 0], [0, 1, 0, 1]), "do not rise"), (animated([-1, 0], [0, 1, 0, 1]), "rise"),
    (animated([0, np.nan], [0, 1, 0, 1]), "rise"), (animated([0, 1], [0, 1, np.inf, 1]),
                                                    "no numbers"),
    (changed(lambda d: d["animations"].append({
        "samplers": [{"input": 0, "output": 4}],
        "channels": [{"sampler": 0, "target": {"node": 2, "path": "weights"}}]})), "VEC3")])
def test_animations_that_cannot_be_read(tmp_path, content, told):
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(UserError, match=told):
        read_glb_animation(tmp_path / "a.glb")


def test_an_image_beside_the_avatar_is_not_lost(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.glb").write_bytes(
        changed(lambda d: d["images"].append({"uri": "skin.png"})))
    arguments = (np.ones((1, 1)), ["jawOpen"], 30, tmp_path / "in" / "a.glb")
    with pytest.raises(UserError, match="skin.png"):
        write_glb(tmp_path / "out.glb", *arguments)
    write_glb(tmp_path / "in" / "out.glb", *arguments)


# ---- Khronos' own judgement

@pytest.mark.parametrize("has_own_avatar", [False, True])
def test_khronos_validator(tmp_path, avatar_path, has_own_avatar):
    write_glb(tmp_path / "a.glb", golden(70), MODEL_CHANNELS, 29.97,
              avatar_path if has_own_avatar else None)
    issues = khronos_issues(tmp_path / "a.glb")
    animation = [message for message in issues["messages"]
                 if "/animations/" in message.get("pointer", "")]
    assert animation == []
    if not has_own_avatar:
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
