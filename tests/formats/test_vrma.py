"""utils/formats/vrma.py: expressions of a VRM 1.0 model, by VRM's own rules and UniVRM's."""
import os

import numpy as np
import pytest

from tests.formats.golden_clip import golden_clip
from tests.helpers.avatar import khronos_issues
from tests.helpers.glb import glb_bytes
from tests.helpers.strict_readers import glb_chunks, vrma_expressions
from utils.common.channels import MODEL_CHANNELS
from utils.common.errors import UserError
from utils.formats.face_files import read_face_rows
from utils.formats.vrma import (PRESETS, SELDOM, preset_weights, write_vrma, write_vrma_presets)

REQUIRED_BONES = ("hips spine head leftUpperArm leftLowerArm leftHand rightUpperArm rightLowerArm "
                  "rightHand leftUpperLeg leftLowerLeg leftFoot rightUpperLeg rightLowerLeg "
                  "rightFoot").split()


def written(folder, write=write_vrma, num_frames=20, fps=30):
    weights, names = golden_clip(num_frames)
    write(folder / "a.vrma", weights, names, fps)
    return folder / "a.vrma"


@pytest.mark.parametrize("write", [write_vrma, write_vrma_presets])
def test_what_vrm_and_its_readers_ask_for(tmp_path, write):
    document, _ = glb_chunks(written(tmp_path, write))
    bones = document["extensions"]["VRMC_vrm_animation"]["humanoid"]["humanBones"]
    assert sorted(bones) == sorted(REQUIRED_BONES)
    nodes, places = document["nodes"], {}

    def walk(index, start):
        places[nodes[index]["name"]] = start + nodes[index].get("translation", (0, 0, 0))
        for child in nodes[index].get("children", ()):
            walk(child, places[nodes[index]["name"]])
    walk(bones["hips"]["node"], np.zeros(3))
    assert sorted(places) == sorted(REQUIRED_BONES)
    # A T-pose that looks to +Z: left is +X, the arms level, the feet on the ground.
    assert places["leftHand"][0] > places["leftLowerArm"][0] > places["leftUpperArm"][0] > 0
    assert places["leftHand"][1] == places["leftUpperArm"][1]
    assert 0 < places["leftFoot"][1] < 0.15 < places["hips"][1] < places["head"][1] < 1.8
    for name in REQUIRED_BONES:
        if name.startswith("left"):
            np.testing.assert_allclose(places["right" + name[4:]], places[name] * [-1, 1, 1])
    # UniVRM takes the expressions' nodes out from the last channel on, and the first root only.
    channels = document["animations"][0]["channels"]
    assert [channel["target"]["node"] for channel in channels] == list(
        range(len(REQUIRED_BONES), len(nodes)))
    assert document["scenes"] == [{"nodes": [0] + list(range(len(REQUIRED_BONES), len(nodes)))}]


def test_perfect_sync_expressions_in_both_spellings(tmp_path):
    weights, names = golden_clip(20)
    times_s, found = vrma_expressions(written(tmp_path))
    assert list(found) == ["custom"]
    curves = found["custom"]
    assert len(curves) == 100 == 2 * 52 - len(SELDOM)       # as many as UniVRM takes
    for column, name in enumerate(names):
        pascal = name[0].upper() + name[1:]
        np.testing.assert_array_equal(curves[pascal], weights[:, column])
        if name not in SELDOM:
            np.testing.assert_array_equal(curves[name], weights[:, column])
    np.testing.assert_array_equal(times_s, (np.arange(20) / 30.0).astype(np.float32))


def test_presets_of_other_models(tmp_path):
    weights, names = golden_clip(20)
    _, found = vrma_expressions(written(tmp_path, write_vrma_presets))
    assert list(found) == ["preset"]
    curves = found["preset"]
    assert tuple(curves) == PRESETS and "blink" not in curves       # it would shut the lids twice
    for side in ("Left", "Right"):
        np.testing.assert_array_equal(curves["blink" + side],
                                      weights[:, names.index("eyeBlink" + side)])
    with pytest.raises(UserError) as refused:
        read_face_rows(tmp_path / "a.vrma", pytest.fail)
    assert "its expressions are 'aa', 'ih', 'ou', 'ee', 'oh', 'blinkLeft'" in str(refused.value)


def pose(**weights):
    row = np.zeros((1, 52))
    for name, weight in weights.items():
        row[0, MODEL_CHANNELS.index(name)] = weight
    return dict(zip(PRESETS, preset_weights(row, MODEL_CHANNELS)[0]))


def test_which_vowel_a_mouth_is():
    spread = dict.fromkeys(["mouthStretchLeft", "mouthStretchRight", "mouthSmileLeft",
                            "mouthSmileRight"], 0.3)
    for vowel, weights in (("aa", dict(jawOpen=0.6)), ("oh", dict(jawOpen=0.4, mouthFunnel=0.5)),
                           ("ou", dict(jawOpen=0.1, mouthPucker=0.6)),
                           ("ih", dict(jawOpen=0.2, **spread)),
                           ("ee", dict(jawOpen=0.45, **spread))):
        found = pose(**weights)
        assert max(found, key=found.get) == vowel and found[vowel] > 0.6, (vowel, found)
    for closed in (dict(), dict(jawOpen=0.5, mouthClose=0.5), spread):
        assert not any(pose(**closed).values())


def test_vowels_do_not_add_up_to_more_than_one():
    weights = np.random.RandomState(0).uniform(0, 1, (5000, 52)) ** 2
    found = preset_weights(weights, MODEL_CHANNELS)
    assert found.min() >= 0 and found[:, :5].sum(axis=1).max() <= 1 + 1e-9


# ---- other programs' files

def animation(expressions, keys, kind="custom", **options):
    """GLB bytes: expressions {name: [x at each key]}, at the seconds `keys`."""
    binary, views, accessors = b"", [], []

    def add(numbers, kind):
        data = np.asarray(numbers, "<f4").tobytes()
        views.append({"buffer": 0, "byteOffset": sum(v["byteLength"] for v in views),
                      "byteLength": len(data)})
        accessors.append({"bufferView": len(views) - 1, "componentType": 5126, "type": kind,
                          "count": len(numbers)})
        return data
    binary += add(keys, "SCALAR")
    for values in expressions.values():
        binary += add([(x, 7.0, -7.0) for x in values], "VEC3")
    document = {
        "asset": {"version": "2.0"}, "buffers": [{"byteLength": len(binary)}],
        "bufferViews": views, "accessors": accessors, "nodes": [{} for _ in expressions],
        "animations": [{"samplers": [{"input": 0, "output": 1 + place}
                                     for place in range(len(expressions))],
                        "channels": [{"sampler": place,
                                      "target": {"node": place, "path": "translation"}}
                                     for place in range(len(expressions))]}],
        "extensions": {"VRMC_vrm_animation": {"specVersion": "1.0", "expressions": {
            kind: {name: {"node": place} for place, name in enumerate(expressions)}}}}}
    for key, value in options.items():
        document[key] = value
    return glb_bytes(document, binary)


def test_names_in_any_case_at_uneven_times(tmp_path):
    (tmp_path / "a.vrma").write_bytes(animation(
        {"jaw_open": [0, 0.5, 1], "MOUTHSMILELEFT": [0.1, 0.2, 0.3], "Angry2": [1, 1, 1]},
        [0, 0.1, 0.5]))
    warnings = []
    rows = read_face_rows(tmp_path / "a.vrma", warnings.append)
    assert rows.names == ("jawOpen", "mouthSmileLeft") and rows.kind == "vrma"
    np.testing.assert_allclose(rows.times_s, [0, 0.1, 0.5], atol=1e-7)
    np.testing.assert_allclose(rows.weights, [[0, 0.1], [0.5, 0.2], [1, 0.3]], atol=1e-7)
    assert warnings == ["a.vrma: 1 expressions that are none of the 52 ARKit shapes are left out, "
                        "as 'Angry2'"]


def test_two_spellings_that_differ_are_told(tmp_path):
    (tmp_path / "a.vrma").write_bytes(animation(
        {"JawOpen": [0, 0.5], "jawOpen": [0.25, 0.5]}, [0, 0.1]))
    warnings = []
    rows = read_face_rows(tmp_path / "a.vrma", warnings.append)
    assert rows.weights[0] == 0 and len(warnings) == 1
    assert "two expressions move jawOpen unlike each other" in warnings[0]


@pytest.mark.parametrize("content, told", [
    (glb_bytes({"asset": {"version": "2.0"}}), "is no VRM animation"),
    (animation({"JawOpen": [0, 1]}, [0, 1], extensions=[]), "'extensions' is not an object"),
    (animation({"JawOpen": [0, 1]}, [0, 1], extensions={"VRMC_vrm_animation": 3}), "not an object"),
    (animation({"JawOpen": [0, 1]}, [0, 1], nodes=[{}, {}], extensions={
        "VRMC_vrm_animation": {"expressions": {"custom": {"JawOpen": {"node": 2}}}}}),
     "the expression 'JawOpen' names nodes 2 of 2"),
    (animation({"JawOpen": [0, 1]}, [0, 1], extensions={
        "VRMC_vrm_animation": {"expressions": {"custom": {"JawOpen": {}}}}}), "'JawOpen' has node"),
    (animation({"JawOpen": [0, 1]}, [0, 1], animations=[]), "moves no expression with an ARKit"),
    (animation({"happy": [0, 1]}, [0, 1], "preset"), "its expressions are 'happy'"),
    (animation({"JawOpen": [0, 1, 2]}, [0, 1]), "9 weights; expected 6"),
    (animation({"JawOpen": [0, np.nan]}, [0, 1]), "no numbers"),
    (animation({"JawOpen": [0, 1]}, [1, 0]), "do not rise"),
    (animation({"JawOpen": [0, 40]}, [0, 1]), "go up to 40|0..100"),
    (b"", "not a GLB")])
def test_what_cannot_be_read(tmp_path, content, told):
    (tmp_path / "a.vrma").write_bytes(content)
    lines = []
    try:
        read_face_rows(tmp_path / "a.vrma", lines.append)
    except UserError as error:
        lines.append(str(error))
    assert len(lines) == 1 and "a.vrma" in lines[0]
    assert any(part in lines[0] for part in told.split("|")), lines


def test_a_small_file_that_asks_for_gigabytes(tmp_path):
    """Every channel of 60000 reads the same bytes."""
    keys = np.arange(3000) / 30.0
    channels = [{"sampler": 0, "target": {"node": 0, "path": "translation"}}] * 60000
    (tmp_path / "a.vrma").write_bytes(animation(
        {"JawOpen": np.zeros(3000)}, keys,
        animations=[{"samplers": [{"input": 0, "output": 1}], "channels": channels}]))
    with pytest.raises(UserError, match="an animation has 720000000 numbers"):
        read_face_rows(tmp_path / "a.vrma", pytest.fail)


@pytest.mark.parametrize("write", [write_vrma, write_vrma_presets])
def test_khronos_validator(tmp_path, write):
    issues = khronos_issues(written(tmp_path, write, 70, 29.97))
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_nothing_is_written_of_an_empty_clip(tmp_path):
    with pytest.raises(ValueError):
        write_vrma(tmp_path / "a.vrma", np.zeros((0, 52)), MODEL_CHANNELS, 30)
    assert os.listdir(str(tmp_path)) == []
