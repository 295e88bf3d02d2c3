"""utils/pages/viewer/glb.js in a real browser: what a GLB holds is read, the rest is refused."""
import base64
import json
import math
import random

import numpy as np
import pytest

from tests.helpers.browser import watched_page
from tests.helpers.glb import GlbWriter, glb_bytes, mutated
from tests.helpers.viewer import as_text, open_viewer
from utils.common.channels import MODEL_CHANNELS
from utils.formats.gltf import DEFAULT_AVATAR, arkit_name, write_glb

CORNERS = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]
SQUARE = [0, 1, 2, 2, 1, 3]
PIXEL = base64.b64decode(               # a PNG of one red pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJg"
    "gg==")
READ = """texts => texts.map(text => {
  try {
    const model = parseGlb(bytesOf(text));
    const plain = JSON.stringify(model, (key, value) =>
      ArrayBuffer.isView(value) ? (key === 'bytes' ? value.length : Array.from(value)) : value);
    return JSON.parse(plain);
  } catch (error) {
    return {error: error.message, kind: error.constructor.name};
  }
})"""


@pytest.fixture(scope="module")
def viewer(browser, tmp_path_factory):
    """One page for the whole module: parsing leaves nothing behind."""
    with watched_page(browser) as page:
        open_viewer(page, tmp_path_factory.mktemp("viewer"))
        yield page


@pytest.fixture
def read(viewer):
    """A function of a GLB's bytes: its model, with arrays as lists, or {"error": line}."""
    def read_one(content):
        return viewer.evaluate(READ, [as_text(content)])[0]
    return read_one


def square(**attributes):
    """A writer whose one mesh is a square; attributes: further accessors by name."""
    writer = GlbWriter()
    attributes = dict({"POSITION": writer.add(CORNERS, "f4")}, **{
        name: writer.add(*arguments) for name, arguments in attributes.items()})
    writer.mesh({"attributes": attributes, "indices": writer.add(SQUARE, "u2")})
    return writer


def primitive_of(writer):
    return writer.document["meshes"][0]["primitives"][0]


def positions(model, mesh=0):
    return np.array(model["meshes"][mesh]["positions"]).reshape(-1, 3)


# ---- what is read

@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_indices_of_every_size(read, dtype):
    writer = square()
    primitive_of(writer)["indices"] = writer.add(SQUARE, dtype)
    model = read(writer.content())
    assert model["meshes"][0]["indices"] == SQUARE
    assert model["meshes"][0]["normals"] == [0, 0, 1] * 4               # none in the file
    assert np.array_equal(positions(model), CORNERS)


@pytest.mark.parametrize("mode, indices, triangles", [
    (4, None, [0, 1, 2]), (5, None, [0, 1, 2, 1, 3, 2]), (6, None, [0, 1, 2, 0, 2, 3]),
    (5, [3, 1, 2, 0], [3, 1, 2, 1, 0, 2])])
def test_strips_fans_and_no_indices(read, mode, indices, triangles):
    writer = square()
    del primitive_of(writer)["indices"]
    primitive_of(writer)["mode"] = mode
    if indices:
        primitive_of(writer)["indices"] = writer.add(indices, "u1")
    assert read(writer.content())["meshes"][0]["indices"] == triangles


def test_nodes_stand_where_their_parents_put_them(read):
    half = math.sqrt(0.5)
    writer = square(NORMAL=([[0, 0, 1]] * 4, "f4"))
    writer.document["nodes"] = [
        {"children": [1], "translation": [10, 0, 0], "rotation": [0, 0, half, half]},
        {"mesh": 0, "matrix": [2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1]}]
    model = read(writer.content())
    assert np.allclose(positions(model), [[10, 0, 5], [10, 2, 5], [7, 0, 5], [7, 2, 5]], atol=1e-6)
    assert model["bounds"]["min"] == pytest.approx([7, 0, 5])
    assert model["bounds"]["max"] == pytest.approx([10, 2, 5])


def test_a_mirrored_node_turns_its_triangles_round(read):
    writer = square(NORMAL=([[0, 0, 1]] * 4, "f4"))
    writer.document["nodes"][0]["scale"] = [-1, 1, 1]
    mesh = read(writer.content())["meshes"][0]
    assert mesh["indices"] == [0, 2, 1, 2, 3, 1]
    assert mesh["normals"] == [0, 0, 1] * 4


def test_quantised_positions_with_padding(read):
    writer = GlbWriter()
    writer.document["extensionsRequired"] = ["KHR_mesh_quantization"]
    writer.document["nodes"][0]["scale"] = [0.01] * 3
    places = writer.add(100 * np.array(CORNERS), "i2", stride=8)
    writer.mesh({"attributes": {"POSITION": places, "NORMAL": writer.add(
        [[0, 0, 127]] * 4, "i1", stride=4, normalized=True)}, "indices": writer.add(SQUARE, "u2")})
    model = read(writer.content())
    assert np.allclose(positions(model), CORNERS)
    assert model["meshes"][0]["normals"] == [0, 0, 1] * 4


@pytest.mark.parametrize("values, dtype, stride, expected", [
    ([[255, 0, 51]] * 4, "u1", 4, [1, 0, 0.2, 1]), ([[65535, 0, 0, 13107]] * 4, "u2", 0,
                                                   [1, 0, 0, 0.2]),
    ([[0.5, 0.25, 1]] * 4, "f4", 0, [0.5, 0.25, 1, 1])])
def test_vertex_colours(read, values, dtype, stride, expected):
    writer = square()
    primitive_of(writer)["attributes"]["COLOR_0"] = writer.add(
        values, dtype, stride, normalized=dtype != "f4")
    assert read(writer.content())["meshes"][0]["colors"] == pytest.approx(expected * 4)


def test_targets_dense_sparse_and_empty(read):
    writer = square()
    dense = writer.add([[0, 0, 0], [0, 0, 2], [0, 0, 0], [0, 0, 0]], "f4")
    on_top = writer.sparse(4, [3], [[0, 0, 7]], "f4")
    writer.document["accessors"][on_top]["bufferView"] = writer.document["accessors"][dense][
        "bufferView"]                                                   # sparse over a base
    primitive_of(writer)["targets"] = [
        {"POSITION": dense}, {"POSITION": writer.sparse(4, [2, 1], [[1, 2, 3], [0, 0, 0]], "i2")},
        {"POSITION": on_top}, {"POSITION": writer.accessor(
            {"componentType": 5126, "count": 4, "type": "VEC3"})}, {}]
    writer.document["meshes"][0].update(
        extras={"targetNames": ["JAWOPEN", "eyeBlink_L", "sparkle", "mouth_smile_r", "tongueOut"]},
        weights=[0, 0, 0.5, 0, 0])
    writer.document["nodes"][0]["scale"] = [1, 1, 2]
    model = read(writer.content())
    assert [(target["name"], target["arkit"], target["defaultWeight"], target["vertices"],
             target["moves"]) for target in model["meshes"][0]["targets"]] == [
        ("JAWOPEN", "jawOpen", 0, [1], [0, 0, 4]), ("eyeBlink_L", "eyeBlinkLeft", 0, [2],
                                                    [1, 2, 6]),
        ("sparkle", None, 0.5, [1, 3], [0, 0, 4, 0, 0, 14]),
        ("mouth_smile_r", "mouthSmileRight", 0, [], []), ("tongueOut", "tongueOut", 0, [], [])]
    assert model["arkitNames"]["jawOpen"] == ["JAWOPEN"]
    assert (model["bounds"]["faceMin"], model["bounds"]["faceMax"]) == ([0, 0, 0], [1, 1, 0])
    assert model["warnings"] == []


def test_what_rounding_leaves_is_no_face(read):
    """Exporters write dense targets whose far vertices move by next to nothing."""
    writer = square()
    primitive_of(writer)["targets"] = [{"POSITION": writer.add(
        [[0, 0, 1e-9], [0, 0, 1], [0, 0, 0.01], [0, 0, 0.5]], "f4")}]
    writer.document["meshes"][0]["extras"] = {"targetNames": ["jawOpen"]}
    model = read(writer.content())
    assert model["meshes"][0]["targets"][0]["vertices"] == [1, 2, 3]
    assert (model["bounds"]["faceMin"], model["bounds"]["faceMax"]) == ([1, 0, 0], [1, 1, 0])
    assert (model["bounds"]["min"], model["bounds"]["max"]) == ([0, 0, 0], [1, 1, 0])


def test_names_mean_what_the_python_reader_says(viewer):
    names = list(MODEL_CHANNELS)
    names += [name.upper() for name in names] + ["x.%s" % name for name in names[:3]]
    names += ["eyeBlink_L", "eyeBlink.R", "mouth-smile l", " jaw_open ", "jawOpens", "", "L",
              "browDown_", "eyeBlinkLeft_L", "constructor"]
    found = viewer.evaluate("names => names.map(arkitName)", names)
    assert found == [arkit_name(name) for name in names]
    assert set(MODEL_CHANNELS) <= set(found)


def test_two_targets_of_one_shape_do_not_move_twice(read):
    writer = square()
    primitive_of(writer)["targets"] = [{"POSITION": writer.add([[0, 0, 1]] * 4, "f4")}] * 2
    writer.document["meshes"][0]["extras"] = {"targetNames": ["jaw_open", "jawOpen"]}
    assert [target["arkit"] for target in read(writer.content())["meshes"][0]["targets"]] == [
        None, "jawOpen"]


def test_a_skin_stands_in_the_pose_of_its_joints(read):
    """The file's own node does not count; a vertex of two joints lies between."""
    writer = square(JOINTS_0=([[0, 1, 0, 0]] * 4, "u1"),
                    WEIGHTS_0=([[1, 0, 0, 0], [0, 1, 0, 0], [.5, .5, 0, 0], [0, 0, 0, 0]], "f4"))
    primitive_of(writer)["targets"] = [{"POSITION": writer.add([[1, 0, 0]] * 4, "f4")}]
    writer.document["nodes"] = [
        {"mesh": 0, "skin": 0, "translation": [50, 0, 0]}, {"translation": [0, 0, 4]},
        {"scale": [2, 1, 1]}]
    writer.document["scenes"] = [{"nodes": [0, 1, 2]}]
    binds = np.tile(np.eye(4), (2, 1, 1))
    binds[0, 3, 2] = -1                                                 # column-major: z
    writer.document["skins"] = [{"joints": [1, 2], "inverseBindMatrices": writer.add(binds, "f4")}]
    model = read(writer.content())
    assert np.allclose(positions(model), [[0, 0, 3], [2, 0, 0], [0, 1, 1.5], [51, 1, 0]])
    assert model["meshes"][0]["targets"][0]["moves"] == [1, 0, 0, 2, 0, 0, 1.5, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("is_inside", [True, False])
def test_a_texture_and_its_transform(read, is_inside):
    writer = square(TEXCOORD_1=([[0, 0], [1, 0], [0, 1], [1, 1]], "f4"))
    uri = "data:image/png;base64," + base64.b64encode(PIXEL).decode()
    writer.document.update(
        images=[{"bufferView": writer.view(PIXEL), "mimeType": "image/png"} if is_inside
                else {"uri": uri}], textures=[{"source": 0, "sampler": 0}],
        samplers=[{"wrapS": 33071}],
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {
            "index": 0, "texCoord": 1, "extensions": {
                "KHR_texture_transform": {"offset": [0.5, 0], "scale": [2, 3]}}}},
            "alphaMode": "MASK", "alphaCutoff": 0.3, "doubleSided": True}])
    primitive_of(writer)["material"] = 0
    mesh = read(writer.content())["meshes"][0]
    material = mesh["material"]
    assert material["image"] == {"bytes": len(PIXEL), "mimeType": "image/png", "width": 1,
                                 "height": 1}
    assert mesh["uvs"] == [0.5, 0, 2.5, 0, 0.5, 3, 2.5, 3]
    assert (material["wrapS"], material["wrapT"]) == (33071, 10497)
    assert (material["alphaMode"], material["alphaCutoff"], material["doubleSided"]) == (
        "MASK", 0.3, True)


def test_smooth_normals_across_a_seam(read):
    """Two walls of a corner whose vertices are doubled along the edge, without normals."""
    writer = GlbWriter()
    writer.mesh({"attributes": {"POSITION": writer.add(
        [[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0, 1], [0, 1, 0]], "f4")}})
    normals = np.array(read(writer.content())["meshes"][0]["normals"]).reshape(-1, 3)
    assert np.allclose(normals[[0, 1, 3, 5]], [-math.sqrt(0.5), 0, -math.sqrt(0.5)])
    assert np.allclose(normals[[2, 4]], [[0, 0, -1], [-1, 0, 0]])


def test_our_own_clip_comes_back(viewer, tmp_path):
    weights = np.random.RandomState(0).rand(5, len(MODEL_CHANNELS)).astype(np.float32)
    write_glb(str(tmp_path / "a.glb"), weights, MODEL_CHANNELS, 30)
    name, names, times_s, values = viewer.evaluate("""text => {
      const {name, names, times_s, weights} = parseGlb(bytesOf(text)).animation;
      return [name, names, Array.from(times_s), Array.from(weights)];
    }""", as_text((tmp_path / "a.glb").read_bytes()))
    columns = [names.index(channel) for channel in MODEL_CHANNELS]
    found = np.array(values, np.float32).reshape(5, -1)[:, columns]     # [frames, 52]
    assert name == "speech" and np.array_equal(found, weights)
    assert np.allclose(times_s, np.arange(5) / 30)


def animated(writer, tracks):
    """Give each mesh an animation of its one target: [(times_s, values, interpolation)]."""
    samplers = [{"input": writer.add(times, "f4"), "output": writer.add(values, "f4"),
                 "interpolation": how} for times, values, how in tracks]
    writer.document["animations"] = [{"samplers": samplers, "channels": [
        {"sampler": place, "target": {"node": place, "path": "weights"}}
        for place in range(len(tracks))]}]


def test_meshes_animated_at_unlike_times_meet(read):
    writer = square()
    primitive_of(writer)["targets"] = [{"POSITION": writer.add([[0, 0, 1]] * 4, "f4")}]
    writer.document["meshes"] *= 2
    writer.document["meshes"] = json.loads(json.dumps(writer.document["meshes"]))
    for mesh, name in zip(writer.document["meshes"], ("jawOpen", "tongueOut")):
        mesh["extras"] = {"targetNames": [name]}
    writer.document["nodes"] = [{"mesh": 0}, {"mesh": 1}]
    writer.document["scenes"] = [{"nodes": [0, 1]}]
    animated(writer, [([0, 1], [0, 1], "LINEAR"),
                      ([0, 0.5], [9, 0.25, 9, 9, 0.75, 9], "CUBICSPLINE")])
    animation = read(writer.content())["animation"]
    assert animation["times_s"] == [0, 0.5, 1]
    assert (animation["names"], animation["weights"]) == (
        ["jawOpen", "tongueOut"], [0, 0.25, 0.5, 0.75, 1, 0.75])


@pytest.mark.parametrize("times_s, values, told", [
    ([0, 1], [0, 1, 1], "3 weights for 2 keys"), ([1, 1], [0, 1], "do not rise"),
    ([0, 1], [0, float("nan")], "no numbers")])
def test_a_broken_animation_is_told_and_the_face_is_shown(read, times_s, values, told):
    writer = square()
    primitive_of(writer)["targets"] = [{"POSITION": writer.add([[0, 0, 1]] * 4, "f4")}]
    writer.document["meshes"][0]["extras"] = {"targetNames": ["jawOpen"]}
    animated(writer, [(times_s, values, "LINEAR")])
    model = read(writer.content())
    assert model["animation"] is None and len(model["meshes"]) == 1
    assert [line for line in model["warnings"] if told in line], model["warnings"]


@pytest.mark.parametrize("change, told", [
    (lambda d: d["images"].append({"uri": "skin.png"}), "another file"),
    (lambda d: d["images"].append({"uri": "data:image/png;base64,!!"}), "another file"),
    (lambda d: d["images"].append({"uri": "data:image/ktx2;base64,AAAA"}), "neither PNG"),
    (lambda d: d["images"].append({"uri": "data:image/png;base64," + base64.b64encode(
        PIXEL[:16] + b"\0\1\0\0" * 2 + PIXEL[24:]).decode()}), "65536 x 65536"),
    (lambda d: d["textures"][0].pop("source"), "KTX2")])
def test_an_image_that_is_not_shown_is_told(read, change, told):
    writer = square()
    primitive_of(writer)["material"] = 0
    writer.document.update(
        images=[], textures=[{"source": 0}],
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}])
    change(writer.document)
    model = read(writer.content())
    assert model["meshes"][0]["material"]["image"] is None
    assert [line for line in model["warnings"] if told in line], model["warnings"]


# ---- what is refused

def change_square(change):
    writer = square()
    change(writer.document)
    return writer.content()


def with_targets(count):
    writer = square()
    place = writer.sparse(4, [0], [[0, 0, 1]], "f4")
    primitive_of(writer)["targets"] = [{"POSITION": place}] * count
    return writer.content()


def instances(count):
    """The square's two triangles, shown by many nodes."""
    return change_square(lambda d: d.update(nodes=[{"mesh": 0}] * count,
                                            scenes=[{"nodes": list(range(count))}]))


def of_positions(**more):
    return change_square(lambda d: d["accessors"][0].update(more))


def not_finite():
    writer = square()
    primitive_of(writer)["attributes"]["POSITION"] = writer.add(
        [[0, 0, 0], [float("nan"), 0, 0], [0, 1, 0], [1, 1, 0]], "f4")
    return writer.content()


def wrong_sparse():
    writer = square()
    primitive_of(writer)["targets"] = [{"POSITION": writer.sparse(4, [4], [[0, 0, 1]], "f4")}]
    return writer.content()


REFUSED = {
    "empty": (b"", "not a GLB"),
    "text": (b'{"asset": {"version": "2.0"}}  ', ".gltf of text"),
    "picture": (PIXEL, "not a GLB"),
    "version 1": (b"glTF\1\0\0\0" + b"\0" * 30, "version 1"),
    "cut": (square().content()[:-4], "cut short"),
    "header": (b"glTF\2\0\0\0\x0c\0\0\0", "within its header"),
    "long chunk": (square().content()[:12] + b"\xff\xff\xff\x7f" + square().content()[16:],
                   "chunk has 2147483647 bytes"),
    "no json": (glb_bytes({}).replace(b"JSON", b"NOSJ"), "JSON chunk"),
    "bad json": (glb_bytes({"asset": {"version": "2.0"}}).replace(b'"asset"', b'"asset '),
                 "cannot be read"),
    "deep json": (glb_bytes({"a": 1}).replace(b'{"a": 1}', b"[[[[[[[["), "cannot be read"),
    "no asset": (glb_bytes({}), "expected 2.0"),
    "draco": (change_square(lambda d: d.update(
        extensionsRequired=["KHR_draco_mesh_compression"])), "Draco"),
    "meshopt": (change_square(lambda d: d["bufferViews"][0].update(
        extensions={"EXT_meshopt_compression": {}})), "meshopt"),
    "ktx2": (change_square(lambda d: d.update(extensionsRequired=["KHR_texture_basisu"])), "KTX2"),
    "unknown": (change_square(lambda d: d.update(extensionsRequired=["EXT_new"])), "EXT_new"),
    "outside": (change_square(lambda d: d["bufferViews"][0].update(buffer=1) or d.setdefault(
        "buffers", []) and None), "buffers[1]"),
    "circle": (change_square(lambda d: d["nodes"][0].update(children=[0])), "circle"),
    "two parents": (change_square(lambda d: d.update(
        nodes=[{"children": [2]}, {"children": [2]}, {"mesh": 0}],
        scenes=[{"nodes": [0, 1]}])), "circle"),
    "no node": (change_square(lambda d: d["scenes"][0].update(nodes=[7])), "nodes[7] of 1"),
    "no mesh": (change_square(lambda d: d["nodes"][0].update(mesh=1.5)), "meshes[1.5]"),
    "index": (change_square(lambda d: d["accessors"][0].update(count=3)), "index 3 in a mesh of 3"),
    "huge count": (of_positions(count=10 ** 9), "1000000000"),
    "count beyond bytes": (of_positions(count=5), "60 bytes in a buffer view of 48"),
    "many vertices": (of_positions(count=3 * 10 ** 6), "3000000 vertices"),
    "odd type": (of_positions(type="VEC7"), "VEC7"),
    "odd component": (of_positions(componentType=5130), "5130"),
    "negative": (of_positions(byteOffset=-4), "byteOffset -4"),
    "view beyond bytes": (change_square(lambda d: d["bufferViews"][0].update(byteLength=9999)),
                          "ends at 9999"),
    "targets": (with_targets(1000), "1000 morph targets"),
    "instances": (instances(5000), "pieces"),
    "not finite": (not_finite(), "no numbers"),
    "sparse": (wrong_sparse(), "out of range"),
    "no positions": (change_square(lambda d: d["meshes"][0]["primitives"][0].update(
        attributes={})), "without positions"),
    "points": (change_square(lambda d: d["meshes"][0]["primitives"][0].update(mode=0)),
               "no triangles"),
    "no scene": (change_square(lambda d: d.update(scene=3)), "scenes[3]"),
    "huge scale": (change_square(lambda d: d["nodes"][0].update(scale=[1e300] * 3)), "beyond"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_cannot_be_shown_is_refused_in_a_line(read, case):
    content, told = REFUSED[case]
    found = read(content)
    assert told in found.get("error", "nothing"), found
    assert found["kind"] == "Error" and "\n" not in found["error"] and len(found["error"]) < 200


def test_data_in_another_file_is_refused(read):
    writer = square()
    content = glb_bytes(dict(writer.document, buffers=[{"uri": "a.bin", "byteLength": 100}]))
    assert "another file" in read(content)["error"]


def whole():
    """A GLB with all that is read: nodes, skin, targets, texture, colours, animation."""
    writer = square(JOINTS_0=([[0, 0, 0, 0]] * 4, "u1"), WEIGHTS_0=([[1, 0, 0, 0]] * 4, "f4"),
                    TEXCOORD_0=([[0, 0]] * 4, "f4"), NORMAL=([[0, 0, 1]] * 4, "f4"),
                    COLOR_0=([[1, 1, 1]] * 4, "f4"))
    primitive_of(writer).update(material=0, targets=[
        {"POSITION": writer.sparse(4, [1], [[0, 0, 1]], "f4")}])
    writer.document["meshes"][0]["extras"] = {"targetNames": ["jawOpen"]}
    writer.document.update(
        nodes=[{"mesh": 0, "skin": 0}, {"children": [0]}], scenes=[{"nodes": [1]}], scene=0,
        skins=[{"joints": [1], "inverseBindMatrices": writer.add([np.eye(4)], "f4")}],
        images=[{"bufferView": writer.view(PIXEL), "mimeType": "image/png"}],
        textures=[{"source": 0}],
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}])
    animated(writer, [([0, 1], [0, 1], "LINEAR")])
    return writer


def test_strange_json_is_refused_or_read(viewer):
    writer, draw = whole(), random.Random(0)
    writer.content()
    texts = []
    for _ in range(400):
        strange = mutated(draw, writer.document)
        for _ in range(draw.randrange(3)):
            strange = mutated(draw, strange)
        texts.append(as_text(glb_bytes(strange, writer.binary + b"\0" * (-len(writer.binary) % 4))))
    found = viewer.evaluate(READ, texts)
    errors = [model["error"] for model in found if "error" in model]
    assert 40 < len(errors) < 360
    assert not [line for line in errors if "\n" in line or len(line) > 200]
    # A line about the file, never the engine's own about the reader.
    assert not [line for line in errors if "cannot be read as glTF" in line]


def test_damaged_heads_are_refused_or_read(viewer):
    with open(DEFAULT_AVATAR, "rb") as stream:
        head = stream.read()
    longest_ms, errors, num_read = viewer.evaluate("""text => {
      const head = new Uint8Array(bytesOf(text)), errors = [];
      let state = 1, longest = 0, read = 0;
      const draw = below => {           // Park and Miller's generator
        state = state * 48271 % 2147483647;
        return state % below;
      };
      const json = new DataView(head.buffer).getUint32(12, true);
      for (let round = 0; round < 60; round++) {
        let bytes = head.slice();
        for (let k = draw(8) + 1; k; k--) {
          bytes[draw(3) ? 20 + draw(json) : 12 + draw(bytes.length - 12)] = draw(256);
        }
        if (round % 10 === 9) bytes = bytes.slice(0, draw(bytes.length));
        const start = performance.now();
        try {
          parseGlb(bytes.buffer);
          read++;
        } catch (error) {
          errors.push(error.message);
        }
        longest = Math.max(longest, performance.now() - start);
      }
      return [longest, errors, read];
    }""", as_text(head))
    assert num_read and len(errors) > 20 and longest_ms < 10000
    assert not [line for line in errors if "\n" in line or len(line) > 200
                or "cannot be read as glTF" in line]
