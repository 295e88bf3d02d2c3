"""Each format read by the rules of the tool that takes it, not by this project's readers.

Every reader gives (times_s [frames], {shape in camelCase: weights [frames] in 0..1}), and asserts
what its tool would stumble over. Only numpy and the standard library: nothing of utils.
"""
import csv
import json
import re
import struct

import numpy as np

# EARFaceBlendShape of Unreal, in its order: the wire's, Rokoko's and Audio2Face's, too.
UNREAL_SHAPES = (
    "EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft "
    "EyeWideLeft EyeBlinkRight EyeLookDownRight EyeLookInRight EyeLookOutRight EyeLookUpRight "
    "EyeSquintRight EyeWideRight JawForward JawLeft JawRight JawOpen MouthClose MouthFunnel "
    "MouthPucker MouthLeft MouthRight MouthSmileLeft MouthSmileRight MouthFrownLeft "
    "MouthFrownRight MouthDimpleLeft MouthDimpleRight MouthStretchLeft MouthStretchRight "
    "MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft "
    "MouthPressRight MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight "
    "BrowDownLeft BrowDownRight BrowInnerUp BrowOuterUpLeft BrowOuterUpRight CheekPuff "
    "CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut").split()
ANGLES = ("HeadYaw HeadPitch HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll RightEyeYaw "
          "RightEyePitch RightEyeRoll").split()


def camel(name):
    return name[0].lower() + name[1:]


CAMEL_SHAPES = [camel(name) for name in UNREAL_SHAPES]


def unreal_csv(path):
    """As Unreal's Live Link Face importer: fields split at commas, empty ones culled."""
    with open(str(path), "rb") as stream:
        text = stream.read().decode("ascii")
    assert "\r" not in text and text.endswith("\n") and '"' not in text and " " not in text
    lines = [[cell for cell in line.split(",") if cell] for line in text.splitlines()]
    header = lines[0]
    assert (header[0].lower(), header[1].lower()) == ("timecode", "blendshapecount")
    assert sorted(header[2:54]) == sorted(UNREAL_SHAPES) and header[54:] == ANGLES
    times_s = []
    for line in lines[1:]:
        assert len(line) == len(header) == 63 and line[1] == "61"
        assert re.match(r"\d\d:\d\d:\d\d:\d\d\.\d\d\d$", line[0])
        hours, minutes, seconds, sixtieths = line[0].split(":")
        assert int(minutes) < 60 and int(seconds) < 60 and float(sixtieths) < 60
        times_s.append(int(hours) * 3600 + int(minutes) * 60 + int(seconds)
                       + float(sixtieths) / 60.0)
    values = np.array([[float(cell) for cell in line[2:]] for line in lines[1:]])
    assert not values[:, 52:].any()                                         # [frames, 61]
    return np.array(times_s), {camel(name): values[:, place]
                               for place, name in enumerate(header[2:54])}


def npz(path):
    with np.load(str(path), allow_pickle=False) as arrays:
        assert sorted(arrays.files) == ["fps", "names", "weights"]
        weights, names, fps = arrays["weights"], arrays["names"], float(arrays["fps"])
    assert weights.dtype == np.float32 and sorted(names) == sorted(CAMEL_SHAPES)
    return np.arange(len(weights)) / fps, dict(zip(names.tolist(), weights.T))


def rokoko_json(path):
    """As Rokoko's Blender plug-in takes packets of version 3: values 0..100, by name."""
    packets = json_of(path)
    times_s, faces = [], []
    for packet in packets:
        assert str(packet["version"]).replace(",", ".").startswith("3")
        actor, = packet["scene"]["actors"]
        assert actor["meta"]["hasFace"] and not actor["meta"]["hasGloves"]
        assert packet["scene"]["props"] == [] and packet["fps"] == packets[0]["fps"]
        face = dict(actor["face"])
        assert face.pop("faceId") and list(face) == CAMEL_SHAPES
        times_s.append(packet["scene"]["timestamp"])
        faces.append([face[name] / 100.0 for name in CAMEL_SHAPES])
    assert np.abs(np.array(times_s) - np.arange(len(times_s)) / packets[0]["fps"]).max() < 1e-6
    return np.array(times_s), dict(zip(CAMEL_SHAPES, np.array(faces).T))


def audio2face_json(path):
    """As importers of Audio2Face's solver take it: counts that agree, a whole exportFps."""
    content = json_of(path)
    assert list(content) == ["exportFps", "trackPath", "numPoses", "numFrames", "facsNames",
                             "weightMat"]
    assert isinstance(content["exportFps"], int) and content["facsNames"] == CAMEL_SHAPES
    matrix = np.array(content["weightMat"])
    assert matrix.shape == (content["numFrames"], content["numPoses"])
    return (np.arange(len(matrix)) / float(content["exportFps"]),
            dict(zip(content["facsNames"], matrix.T)))


def audio2face_csv(path):
    """As animation_frames.csv of Audio2Face's service: a nameless index, timeCode, 52, a head."""
    with open(str(path), newline="") as stream:
        text = stream.read()
    rows = list(csv.reader(text.splitlines()))
    assert "\r" not in text and rows[0] == ["", "timeCode"] + [
        "blendShapes." + name for name in UNREAL_SHAPES + ["HeadRoll", "HeadPitch", "HeadYaw"]]
    assert [row[0] for row in rows[1:]] == [str(frame) for frame in range(len(rows) - 1)]
    values = np.array([[float(cell) for cell in row] for row in rows[1:]])
    assert not values[:, 54:].any()
    return values[:, 1], dict(zip(CAMEL_SHAPES, values[:, 2:54].T))


def beat_json(path):
    """As loaders of BEAT take it (names, and frames of weights), with LAM's metadata."""
    content = json_of(path)
    assert list(content) == ["names", "metadata", "frames"]
    metadata, frames = content["metadata"], content["frames"]
    assert metadata["blendshape_names"] == content["names"] == CAMEL_SHAPES
    assert metadata["frame_count"] == len(frames) and isinstance(metadata["fps"], float)
    for number, frame in enumerate(frames):
        assert sorted(frame) == ["rotation", "time", "weights"] and frame["rotation"] == []
        assert frame["time"] == number / metadata["fps"]
    weights = np.array([frame["weights"] for frame in frames])
    return np.array([frame["time"] for frame in frames]), dict(zip(content["names"], weights.T))


def table(path):
    with open(str(path), newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["time"] + sorted(CAMEL_SHAPES)
    return (np.array([float(row["time"]) for row in rows]),
            {name: np.array([float(row[name]) for row in rows]) for name in CAMEL_SHAPES})


def vmd_keys(path):
    """{name: [(frame, weight)]} of the morphs of MikuMikuDance's motion."""
    with open(str(path), "rb") as stream:
        content = stream.read()
    magic, _, num_bones, num_morphs = struct.unpack_from("<30s20sII", content)
    assert magic.rstrip(b"\0") == b"Vocaloid Motion Data 0002" and num_bones == 0
    keys = {}
    for number in range(num_morphs):
        name, frame, weight = struct.unpack_from("<15sIf", content, 58 + 23 * number)
        keys.setdefault(name.rstrip(b"\0").decode("shift_jis"), []).append((frame, weight))
    assert content[58 + 23 * num_morphs:] == bytes(12)              # cameras, lights, shadows
    return keys


def vmd(path):
    """As MikuMikuDance plays it: 30 frames a second, straight lines between keys."""
    keys = vmd_keys(path)
    names = {name[:15]: name for name in CAMEL_SHAPES}
    assert set(keys) == set(names) and len(names) == 52
    last = {frames[-1][0] for frames in keys.values()}
    assert len(last) == 1
    frames, shapes = np.arange(last.pop() + 1), {}
    for name, of_name in keys.items():
        numbers, weights = zip(*of_name)
        assert numbers[0] == 0 and list(numbers) == sorted(set(numbers))
        shapes[names[name]] = np.interp(frames, numbers, weights).astype(np.float32)
    return frames / 30.0, shapes


def glb(path):
    """As a glTF viewer plays the animation's morph targets, named by mesh.extras.targetNames."""
    document, binary = glb_chunks(path)
    animation, shapes, times = document["animations"][-1], {}, None
    for channel in animation["channels"]:
        assert channel["target"]["path"] == "weights"
        mesh = document["meshes"][document["nodes"][channel["target"]["node"]]["mesh"]]
        names = mesh["extras"]["targetNames"]
        assert all(len(part["targets"]) == len(names) for part in mesh["primitives"])
        times, values = sampled(document, binary, animation, channel, "SCALAR", len(names))
        for name, curve in zip(names, values.T):
            assert name not in shapes or (shapes[name] == curve).all()
            shapes[name] = curve
    assert sorted(shapes) == sorted(CAMEL_SHAPES)
    return times, shapes


def vrma_expressions(path):
    """(times_s, {"custom" or "preset": {name: x of the translation}}) of a VRM animation 1.0."""
    document, binary = glb_chunks(path)
    extension = document["extensions"]["VRMC_vrm_animation"]
    assert extension["specVersion"] == "1.0"
    assert document["extensionsUsed"] == ["VRMC_vrm_animation"] and "meshes" not in document
    kind_and_name = {node["node"]: (kind, name)
                     for kind, of_kind in extension["expressions"].items()
                     for name, node in of_kind.items()}
    found, times = {}, None
    for channel in document["animations"][0]["channels"]:
        assert channel["target"]["path"] == "translation"
        times, places = sampled(document, binary, document["animations"][0], channel, "VEC3", 3)
        kind, name = kind_and_name.pop(channel["target"]["node"])
        assert not places[:, 1:].any()
        found.setdefault(kind, {})[name] = places[:, 0]
    assert not kind_and_name                        # an expression without a curve
    return times, found


def vrma(path):
    """As players drive a Perfect Sync model: custom expressions whose names are PascalCase."""
    times_s, found = vrma_expressions(path)
    assert list(found) == ["custom"]                # presets beside them would move twice
    return times_s, {camel(name): found["custom"][name] for name in UNREAL_SHAPES}


def json_of(path):
    def refused(word):
        raise AssertionError("%s is not JSON" % word)
    with open(str(path), encoding="utf-8") as stream:
        return json.load(stream, parse_constant=refused)


def glb_chunks(path):
    """(document, binary) of a .glb with its two chunks and no more, each a multiple of four."""
    with open(str(path), "rb") as stream:
        return glb_parts(stream.read())


def glb_parts(content):
    """glb_chunks of the bytes of a file."""
    magic, version, num_bytes, num_text, kind = struct.unpack_from("<4sIII4s", content)
    assert (magic, version, num_bytes, kind) == (b"glTF", 2, len(content), b"JSON")
    num_binary, kind = struct.unpack_from("<I4s", content, 20 + num_text)
    assert kind == b"BIN\0" and num_text % 4 == num_binary % 4 == 0
    assert 28 + num_text + num_binary == num_bytes
    return json.loads(content[20:20 + num_text].decode("utf-8")), content[28 + num_text:]


def sampled(document, binary, animation, channel, kind, width):
    """(times_s [keys], values [keys, width]) of a channel; the times' min and max are right."""
    sampler = animation["samplers"][channel["sampler"]]
    assert sampler["interpolation"] == "LINEAR"

    def floats(index, kind):
        accessor = document["accessors"][index]
        assert (accessor["componentType"], accessor["type"]) == (5126, kind)
        view = document["bufferViews"][accessor["bufferView"]]
        assert view["byteOffset"] % 4 == 0 and "byteStride" not in view
        numbers = np.frombuffer(binary, "<f4", view["byteLength"] // 4, view["byteOffset"])
        assert len(numbers) == accessor["count"] * {"SCALAR": 1, "VEC3": 3}[kind]
        return accessor, numbers
    accessor, times_s = floats(sampler["input"], "SCALAR")
    assert accessor["min"] == [0.0] and accessor["max"] == [float(times_s[-1])]
    assert (np.diff(times_s) > 0).all()
    return times_s.astype(np.float64), floats(sampler["output"], kind)[1].reshape(-1, width)


# By the keys of utils.formats.exporters.FORMATS.
STRICT_READERS = dict(csv=unreal_csv, npz=npz, json=rokoko_json, audio2face=audio2face_json,
                      audio2face_csv=audio2face_csv, beat=beat_json, table=table, vmd=vmd,
                      vrma=vrma, glb=glb)
