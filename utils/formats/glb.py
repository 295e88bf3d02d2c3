"""The container .glb of glTF 2.0: its chunks, its accessors, and what its JSON may say.

Source: Khronos glTF 2.0 specification, "GLB File Format", "Accessors", "Animations".
"""
import json
import struct

import numpy as np

from utils.common.errors import UserError
from utils.common.files import check_num_bytes, written_aside
from utils.formats.json_text import bounded, parsed

GLB_MAGIC, GLB_VERSION = b"glTF", 2
JSON_CHUNK, BIN_CHUNK = b"JSON", b"BIN\0"
MAX_UINT32 = 2 ** 32 - 1                # a GLB's lengths are such numbers

# Bounds of what is read. Avatars people use stay far below them.
MAX_FILE_BYTES = 1 << 30
MAX_JSON_BYTES = 1 << 26
MAX_ELEMENTS = 1 << 24                  # of one accessor
MAX_ITEMS = 1 << 16                     # of one list, such as nodes or accessors
MAX_TARGETS = 512                       # of one mesh
# Of one animation: channels may share their bytes, so that a small file may ask for much. Six
# hours of 52 shapes at 60 a second.
MAX_KEY_VALUES = 6 * 3600 * 60 * 52

BYTE, UNSIGNED_BYTE, SHORT, UNSIGNED_SHORT, UNSIGNED_INT, FLOAT = 5120, 5121, 5122, 5123, 5125, 5126
DTYPES = {BYTE: "<i1", UNSIGNED_BYTE: "<u1", SHORT: "<i2", UNSIGNED_SHORT: "<u2",
          UNSIGNED_INT: "<u4", FLOAT: "<f4"}
NUM_COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
DECODER = json.JSONDecoder(parse_int=bounded(int), parse_float=bounded(float),
                           parse_constant=bounded(float))
INTERPOLATIONS = ("LINEAR", "STEP", "CUBICSPLINE")


def read_glb(path):
    """(the JSON chunk as a dict, the binary chunk as bytes) of a GLB that holds together.

    Every size is bounded before it is trusted, and every index that leads from a scene to
    bytes is in range: scenes, nodes (a forest), meshes, targets, skins, animations, images,
    accessors, buffer views. Extensions are passed through unread.
    Raises UserError for what is no such file, or keeps bytes outside the file.
    """
    document, binary, _ = read_glb_chunks(path)
    return document, binary


class AppendedAccessors(object):
    """Accessors of float32 that are added to a document, their bytes behind its binary chunk.

    The bytes follow in the order in which the accessors were added, each a whole number of four.
    """

    def __init__(self, document, num_binary_bytes):
        self._document = document
        self._start = num_binary_bytes + -num_binary_bytes % 4
        self.num_bytes = 0
        if not document.get("buffers"):
            document["buffers"] = [{}]

    def add(self, count, kind="SCALAR", **bounds):
        """The index of a new accessor of `count` elements; bounds: its min and max."""
        views = self._document.setdefault("bufferViews", [])
        accessors = self._document.setdefault("accessors", [])
        num_bytes = 4 * NUM_COMPONENTS[kind] * count
        views.append({"buffer": 0, "byteOffset": self._start + self.num_bytes,
                      "byteLength": num_bytes})
        accessors.append(dict({"bufferView": len(views) - 1, "componentType": FLOAT,
                               "count": count, "type": kind}, **bounds))
        self.num_bytes += num_bytes
        self._document["buffers"][0]["byteLength"] = self._start + self.num_bytes
        return len(accessors) - 1

    def add_times(self, num_frames, fps):
        """The index of the accessor of the keys' times, whose bytes are key_times_s'."""
        last_s = float(key_times_s(num_frames - 1, 1, fps)[0])
        return self.add(num_frames, min=[0.0], max=[last_s])


def key_times_s(start, num_frames, fps):
    """float32 [num_frames] seconds of the frames start, start + 1, ..."""
    return (np.arange(start, start + num_frames) / float(fps)).astype("<f4")


def write_glb_chunks(path, document, binary, num_appended=0, pieces=(), other_chunks=b""):
    """A GLB of a document, its binary chunk and what is appended to that.

    pieces: bytes, num_appended of them in all; other_chunks: whole chunks that follow.
    Raises UserError for a file that a GLB's 32-bit lengths do not hold.
    """
    text = json.dumps(document, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    total_bytes = 12 + 8 + len(text) + 8 + len(binary) + num_appended + len(other_chunks)
    if total_bytes > MAX_UINT32:
        raise UserError("%s would be %.1f GB; a GLB holds 4.2 GB at most: cut the clip"
                        % (path, total_bytes / 1e9))
    with written_aside(path) as aside, open(aside, "wb") as stream:
        stream.write(GLB_MAGIC + struct.pack("<II", GLB_VERSION, total_bytes))
        stream.write(struct.pack("<I", len(text)) + JSON_CHUNK + text)
        stream.write(struct.pack("<I", len(binary) + num_appended) + BIN_CHUNK + binary)
        for piece in pieces:
            stream.write(piece)
        stream.write(other_chunks)


def read_glb_chunks(path):
    """(document dict, bytes of the first BIN chunk, bytes of the chunks behind it), checked.

    Errors as read_glb.
    """
    try:
        check_num_bytes(path, MAX_FILE_BYTES)
        with open(path, "rb") as stream:
            content = stream.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        raise UserError("there is no file %s; check the path" % path)
    except (OSError, ValueError) as error:
        raise UserError("cannot read %s: %s" % (path, getattr(error, "strerror", None) or error))
    if content[:4] != GLB_MAGIC:
        hint = ("; it is a .gltf of text: export as one binary .glb"
                if content.lstrip()[:1] == b"{" else "")
        raise UserError("%s is not a GLB: it begins with %r, expected %r%s"
                        % (path, content[:4], GLB_MAGIC, hint))
    if len(content) < 20:
        raise UserError("%s ends within its header; export it again" % path)
    version, told_bytes = struct.unpack_from("<II", content, 4)
    if version != GLB_VERSION:
        raise UserError("%s is GLB version %d; expected version %d"
                        % (path, version, GLB_VERSION))
    if told_bytes != len(content):
        raise UserError("%s has %d bytes and its header says %d; it is cut short or joined: "
                        "fetch or export it again" % (path, len(content), told_bytes))
    kind, text, after_json = _chunk(path, content, 12)
    if kind != JSON_CHUNK:
        raise UserError("%s: the first chunk is %r; expected %r" % (path, kind, JSON_CHUNK))
    if len(text) > MAX_JSON_BYTES:
        raise UserError("%s: the JSON chunk has %d bytes; at most %d are read"
                        % (path, len(text), MAX_JSON_BYTES))
    document = _parsed(path, text)
    binary, after_binary = b"", after_json
    if after_json < len(content):
        kind, chunk, after_chunk = _chunk(path, content, after_json)
        if kind == BIN_CHUNK:
            binary, after_binary = chunk, after_chunk
    place = after_binary
    while place < len(content):
        _, _, place = _chunk(path, content, place)
    _check(path, document, len(binary))
    return document, binary, content[after_binary:]


def _chunk(path, content, place):
    """(kind, bytes, place of what follows) of the chunk at `place`."""
    if place + 8 > len(content):
        raise UserError("%s ends within the header of a chunk; export it again" % path)
    num_bytes, kind = struct.unpack_from("<I4s", content, place)
    start = place + 8
    if start + num_bytes > len(content):
        raise UserError("%s: a chunk says %d bytes and %d are left; export it again"
                        % (path, num_bytes, len(content) - start))
    return kind, content[start:start + num_bytes], start + num_bytes


def _parsed(path, text):
    try:
        document = parsed(DECODER.decode, text.decode("utf-8"))
    except ValueError as error:
        raise UserError("%s: its JSON chunk cannot be read: %s" % (path, error))
    if not isinstance(document, dict):
        raise UserError("%s: its JSON chunk is no object" % path)
    return document


# ---- checks of what the JSON says

def _check(path, document, num_binary_bytes):
    """UserError unless every index and length that this module or a viewer goes by fits."""
    asset = document.get("asset")
    version = asset.get("version") if isinstance(asset, dict) else None
    if not isinstance(version, str) or not version.startswith("2."):
        raise UserError("%s: asset.version is %.80r; expected glTF 2.0" % (path, version))
    _check_buffers(path, document, num_binary_bytes)
    for place, accessor in enumerate(items(path, document, "accessors")):
        _check_accessor(path, document, accessor, "accessor %d" % place)
    for kind, refer in (("images", (("bufferView", "bufferViews"),)),
                        ("textures", (("source", "images"), ("sampler", "samplers")))):
        for place, item in enumerate(items(path, document, kind)):
            for key, to_kind in refer:
                check_index(path, document, item, key, to_kind, "%s %d" % (kind[:-1], place))
    for place, mesh in enumerate(items(path, document, "meshes")):
        _check_mesh(path, document, mesh, "mesh %d" % place)
    for place, skin in enumerate(items(path, document, "skins")):
        _check_indices(path, document, skin, "joints", "nodes", "skin %d" % place)
        check_index(path, document, skin, "inverseBindMatrices", "accessors", "skin %d" % place)
    _check_nodes(path, document)
    for place, scene in enumerate(items(path, document, "scenes")):
        _check_indices(path, document, scene, "nodes", "nodes", "scene %d" % place)
    check_index(path, document, document, "scene", "scenes", "the file")
    for place, animation in enumerate(items(path, document, "animations")):
        _check_animation(path, document, animation, "animation %d" % place)


def items(path, owner, key, of=dict):
    """owner[key] as a list of `of`, empty where absent."""
    items = owner.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, of) for item in items):
        raise UserError("%s: %.80r is not a list of %s" % (
            path, key, {dict: "objects", str: "texts"}.get(of, "numbers")))
    if len(items) > MAX_ITEMS:
        raise UserError("%s: %.80r has %d entries; at most %d are read"
                        % (path, key, len(items), MAX_ITEMS))
    return items


def json_object(path, owner, key):
    value = owner.get(key, {})
    if not isinstance(value, dict):
        raise UserError("%s: %.80r is not an object" % (path, key))
    return value


def _whole(path, owner, key, what, default=None):
    """owner[key], a whole number in 0 .. 2**32 - 1."""
    value = owner.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_UINT32:
        raise UserError("%s: %s has %s %.40r; expected a whole number from 0"
                        % (path, what, key, value))
    return value


def check_index(path, document, owner, key, kind, what, is_needed=False):
    """owner[key] as an index into the document's list `kind`; None where absent."""
    if key not in owner and not is_needed:
        return None
    index, count = _whole(path, owner, key, what), len(items(path, document, kind))
    if index >= count:
        raise UserError("%s: %s names %s %d of %d" % (path, what, kind, index, count))
    return index


def _check_indices(path, document, owner, key, kind, what):
    indices = items(path, owner, key, of=int)
    return [check_index(path, document, {key: index}, key, kind, what) for index in indices]


def _check_buffers(path, document, num_binary_bytes):
    sizes = []
    for place, buffer in enumerate(items(path, document, "buffers")):
        uri = buffer.get("uri")
        if uri is not None:
            raise UserError("%s: buffer %d lies outside the file's binary chunk (%.60r); export "
                            "as one .glb with all inside" % (path, place, uri))
        size = _whole(path, buffer, "byteLength", "buffer %d" % place)
        # Buffers after the first without a uri are what an extension unpacks into.
        if place == 0 and size > num_binary_bytes:
            raise UserError("%s: buffer 0 says %d bytes and the binary chunk has %d"
                            % (path, size, num_binary_bytes))
        if place and not buffer.get("extensions"):
            raise UserError("%s: buffer %d has no bytes; export as one .glb with all inside"
                            % (path, place))
        sizes.append(size)
    for place, view in enumerate(items(path, document, "bufferViews")):
        what = "buffer view %d" % place
        buffer = check_index(path, document, view, "buffer", "buffers", what, is_needed=True)
        end = (_whole(path, view, "byteOffset", what, 0)
               + _whole(path, view, "byteLength", what))
        if end > sizes[buffer]:
            raise UserError("%s: %s ends at byte %d of %d" % (path, what, end, sizes[buffer]))
        _whole(path, view, "byteStride", what, 0)


def _check_accessor(path, document, accessor, what):
    count = _whole(path, accessor, "count", what)
    if not 1 <= count <= MAX_ELEMENTS:
        raise UserError("%s: %s has %d elements; expected 1 to %d"
                        % (path, what, count, MAX_ELEMENTS))
    kind = accessor.get("type")
    if kind not in tuple(NUM_COMPONENTS):
        raise UserError("%s: %s is of type %.40r; expected one of %s"
                        % (path, what, kind, ", ".join(sorted(NUM_COMPONENTS))))
    _check_span(path, document, accessor, count, NUM_COMPONENTS[kind], what)
    sparse = json_object(path, accessor, "sparse")
    if sparse:
        num_sparse = _whole(path, sparse, "count", what + " (sparse)")
        if num_sparse > count:
            raise UserError("%s: %s replaces %d of its %d elements"
                            % (path, what, num_sparse, count))
        indices, values = json_object(path, sparse, "indices"), json_object(path, sparse, "values")
        _check_span(path, document, indices, num_sparse, 1, what + " (sparse indices)", True)
        values = dict(values, componentType=accessor.get("componentType"))
        _check_span(path, document, values, num_sparse, NUM_COMPONENTS[kind],
                    what + " (sparse values)", True)


def _check_span(path, document, accessor, count, num_components, what, is_needed=False):
    """UserError unless `count` elements lie within the accessor's buffer view."""
    component = accessor.get("componentType")
    if isinstance(component, bool) or component not in tuple(DTYPES):
        raise UserError("%s: %s has componentType %.40r; expected one of %s"
                        % (path, what, component, ", ".join(map(str, sorted(DTYPES)))))
    start = _whole(path, accessor, "byteOffset", what, 0)
    view = check_index(path, document, accessor, "bufferView", "bufferViews", what, is_needed)
    if view is None:
        return
    view = document["bufferViews"][view]
    element_bytes = np.dtype(DTYPES[component]).itemsize * num_components
    stride = view.get("byteStride", 0) or element_bytes
    end = start + stride * (count - 1) + element_bytes if count else start
    if stride < element_bytes or end > view["byteLength"]:
        raise UserError("%s: %s needs %d bytes and its buffer view has %d"
                        % (path, what, end, view["byteLength"]))


def _check_mesh(path, document, mesh, what):
    primitives = items(path, mesh, "primitives")
    if not primitives:
        raise UserError("%s: %s has no primitives" % (path, what))
    counts = {len(items(path, primitive, "targets")) for primitive in primitives}
    if len(counts) > 1:
        raise UserError("%s: the parts of %s have %s targets; expected the same number"
                        % (path, what, " and ".join(map(str, sorted(counts)))))
    if max(counts) > MAX_TARGETS:
        raise UserError("%s: %s has %d targets; at most %d are read"
                        % (path, what, max(counts), MAX_TARGETS))
    weights = items(path, mesh, "weights", of=(int, float))
    if weights and len(weights) != max(counts):
        raise UserError("%s: %s has %d default weights for %d targets"
                        % (path, what, len(weights), max(counts)))
    for primitive in primitives:
        attributes = json_object(path, primitive, "attributes")
        for vertices in [attributes] + primitive.get("targets", []):
            for key in vertices:
                index = check_index(path, document, vertices, key, "accessors", what)
                count = document["accessors"][index]["count"]
                position = attributes.get("POSITION", index)
                if (not isinstance(position, int) or position >= len(document["accessors"])
                        or count != document["accessors"][position]["count"]):
                    raise UserError("%s: %s: %s has %d elements, unlike POSITION"
                                    % (path, what, key, count))
        check_index(path, document, primitive, "indices", "accessors", what)
        check_index(path, document, primitive, "material", "materials", what)


def _check_nodes(path, document):
    """UserError unless the nodes are a forest: one parent each, no circle."""
    nodes = items(path, document, "nodes")
    parents = [None] * len(nodes)
    for place, node in enumerate(nodes):
        what = "node %d" % place
        mesh = check_index(path, document, node, "mesh", "meshes", what)
        check_index(path, document, node, "skin", "skins", what)
        weights = items(path, node, "weights", of=(int, float))
        if weights and (mesh is None or len(weights) != num_targets(document["meshes"][mesh])):
            raise UserError("%s: %s has %d weights, unlike its mesh" % (path, what, len(weights)))
        for child in _check_indices(path, document, node, "children", "nodes", what):
            if parents[child] is not None:
                raise UserError("%s: node %d is a child of both node %d and node %d"
                                % (path, child, parents[child], place))
            parents[child] = place
    rooted = [False] * len(nodes)
    for start in range(len(nodes)):
        place, walked = start, []
        while place is not None and not rooted[place]:
            if len(walked) > len(nodes):
                raise UserError("%s: node %d is its own ancestor" % (path, start))
            walked.append(place)
            place = parents[place]
        for place in walked:
            rooted[place] = True


def _check_animation(path, document, animation, what):
    samplers = items(path, animation, "samplers")
    for sampler in samplers:
        for key in ("input", "output"):
            check_index(path, document, sampler, key, "accessors", what, is_needed=True)
        if sampler.get("interpolation", "LINEAR") not in INTERPOLATIONS:
            raise UserError("%s: %s interpolates by %.40r; expected one of %s" % (
                path, what, sampler["interpolation"], ", ".join(INTERPOLATIONS)))
    for channel in items(path, animation, "channels"):
        sampler = _whole(path, channel, "sampler", what)
        if sampler >= len(samplers):
            raise UserError("%s: %s names sampler %d of %d"
                            % (path, what, sampler, len(samplers)))
        check_index(path, document, json_object(path, channel, "target"), "node", "nodes", what)

def num_targets(mesh):
    return len(mesh["primitives"][0].get("targets", ()))


# ---- animations

def channel_keys(path, document, binary, animation, channel, width, kind="SCALAR"):
    """(times_s [keys], values [keys, width]) of an animation's channel, both float64.

    width: numbers at each key. kind: the type of the accessor that holds them. Of cubic splines
    the values at the keys are taken. Raises UserError for what does not fit, or is not finite.
    """
    sampler = animation["samplers"][channel["sampler"]]
    times_s = _values(path, document, binary, sampler["input"], "SCALAR")       # [keys]
    values = _values(path, document, binary, sampler["output"], kind)
    is_cubic = sampler.get("interpolation") == "CUBICSPLINE"
    expected = len(times_s) * width * (3 if is_cubic else 1)
    if len(values) != expected:
        raise UserError("%s: an animation has %d weights; expected %d (%d keys of %d)"
                        % (path, len(values), expected, len(times_s), width))
    if not np.isfinite(times_s).all() or (np.diff(times_s) <= 0).any() or times_s[0] < 0:
        raise UserError("%s: the times of an animation do not rise from 0" % path)
    if not np.isfinite(values).all():
        raise UserError("%s: an animation holds weights that are no numbers" % path)
    values = values.reshape(len(times_s), -1, width)        # [keys, 1 or 3, width]
    return times_s, values[:, 1 if is_cubic else 0]


def check_num_keys(path, document, animation, channels):
    """UserError where channels of an animation hold more numbers than anybody's face needs."""
    count = 0
    for channel in channels:
        sampler = animation["samplers"][channel["sampler"]]
        for index in (sampler["input"], sampler["output"]):
            accessor = document["accessors"][index]
            count += accessor["count"] * NUM_COMPONENTS[accessor["type"]]
    if count > 2 * MAX_KEY_VALUES:
        raise UserError("%s: an animation has %d numbers; at most %d are read"
                        % (path, count, 2 * MAX_KEY_VALUES))


def _values(path, document, binary, index, kind):
    """float64 [count * components] of an accessor; whole numbers are shares of their largest."""
    accessor = document["accessors"][index]
    if accessor["type"] != kind or accessor.get("sparse") or "bufferView" not in accessor:
        raise UserError("%s: accessor %d of an animation is %s; expected a plain %s"
                        % (path, index, "sparse" if accessor.get("sparse") else
                           accessor["type"] if "bufferView" in accessor else "without bytes",
                           kind))
    view = document["bufferViews"][accessor["bufferView"]]
    if view["buffer"] != 0:
        raise UserError("%s: its animation is packed by an extension (%s); export without "
                        "compression" % (path, ", ".join(sorted(view.get("extensions", {})))))
    dtype, width = np.dtype(DTYPES[accessor["componentType"]]), NUM_COMPONENTS[kind]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    stride = view.get("byteStride", 0) or width * dtype.itemsize
    values = np.ndarray((accessor["count"], width), dtype, binary, start,
                        (stride, dtype.itemsize))
    scale = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    return values.astype(np.float64).ravel() / scale
