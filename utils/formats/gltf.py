"""glTF 2.0 in one .glb file: an avatar with a weights animation, written and read.

Source: Khronos glTF 2.0 specification, "GLB File Format", "Accessors", "Animations".
"""
import json
import os
import re
import struct

import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import repository_path
from utils.common.errors import UserError, print_warning
from utils.common.files import written_aside
from utils.formats.face_kinds import GLTF
from utils.formats.face_rows import face_rows

DEFAULT_AVATAR = repository_path("avatar/head.glb")
ANIMATION_NAME = "speech"               # of the animation that write_glb appends

GLB_MAGIC, GLB_VERSION = b"glTF", 2
JSON_CHUNK, BIN_CHUNK = b"JSON", b"BIN\0"
MAX_UINT32 = 2 ** 32 - 1                # a GLB's lengths are such numbers

# Bounds of what is read. Avatars people use stay far below them.
MAX_FILE_BYTES = 1 << 30
MAX_JSON_BYTES = 1 << 26
MAX_ELEMENTS = 1 << 24                  # of one accessor
MAX_ITEMS = 1 << 16                     # of one list, such as nodes or accessors
MAX_TARGETS = 512                       # of one mesh
MAX_DIGITS = 64                         # of one number

BYTE, UNSIGNED_BYTE, SHORT, UNSIGNED_SHORT, UNSIGNED_INT, FLOAT = 5120, 5121, 5122, 5123, 5125, 5126
DTYPES = {BYTE: "<i1", UNSIGNED_BYTE: "<u1", SHORT: "<i2", UNSIGNED_SHORT: "<u2",
          UNSIGNED_INT: "<u4", FLOAT: "<f4"}
NUM_COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
INTERPOLATIONS = ("LINEAR", "STEP", "CUBICSPLINE")
BLOCK_FRAMES = 4096                     # written at once
KNOWN_RATES_HZ = (23.976, 24.0, 25.0, 29.97, 30.0, 48.0, 50.0, 59.94, 60.0, 120.0)


def write_glb(path, weights, names, fps, avatar_path=None, warn=print_warning, edits=None):
    """The avatar's file with the clip appended as an animation of its morph targets.

    weights: [frames, len(names)] in [0, 1]; names: ARKit shapes in any order, others are left.
    avatar_path: a .glb whose morph targets bear ARKit names, as arkit_name reads them; by
    default this project's head. Every node that shows such a mesh gets one channel, key i at
    i / fps seconds. Targets without a column keep their default weight. The avatar's own
    content stays as it is: its JSON gains entries, its binary chunk gains bytes at the end.
    warn: called with a line where shapes that move have no target in the avatar.
    edits: what was changed, JSON-able; held in the animation's extras.
    Raises ValueError for weights that do not fit, UserError for an avatar that cannot be used.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or weights.shape[1] != len(names) or not len(weights):
        raise ValueError("weights are %s for %d names" % (weights.shape, len(names)))
    if weights.size and not (weights.min() >= 0 and weights.max() <= 1):
        raise ValueError("weights lie outside 0..1 (or are NaN)")
    avatar_path = DEFAULT_AVATAR if avatar_path is None else avatar_path
    document, binary, other_chunks = _read_chunks(avatar_path)
    _refuse_lost_images(avatar_path, path, document)
    blocks = _append_animation(avatar_path, document, len(binary), len(weights), names, fps)
    appended_bytes = sum(block.num_bytes for block in blocks)
    if edits is not None:
        document["animations"][-1]["extras"] = {"edits": edits}
    text = json.dumps(document, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    total_bytes = 12 + 8 + len(text) + 8 + len(binary) + appended_bytes + len(other_chunks)
    if total_bytes > MAX_UINT32:
        raise UserError("%s would be %.1f GB; a GLB holds 4.2 GB at most: cut the clip"
                        % (path, total_bytes / 1e9))
    with written_aside(path) as aside, open(aside, "wb") as stream:
        stream.write(GLB_MAGIC + struct.pack("<II", GLB_VERSION, total_bytes))
        stream.write(struct.pack("<I", len(text)) + JSON_CHUNK + text)
        stream.write(struct.pack("<I", len(binary) + appended_bytes) + BIN_CHUNK + binary)
        for block in blocks:
            for start in range(0, len(weights), BLOCK_FRAMES):
                part = weights[start:start + BLOCK_FRAMES]      # [up to BLOCK_FRAMES, names]
                stream.write(block.content(part, start, fps))
        stream.write(other_chunks)
    driven = {place for block in blocks for place in block.columns or ()}
    missing = [name for place, name in enumerate(names)
               if place not in driven and weights[:, place].any()]
    if missing:
        warn("%s has no morph target for %s" % (os.path.basename(avatar_path), ", ".join(missing)))


def read_glb(path):
    """(the JSON chunk as a dict, the binary chunk as bytes) of a GLB that holds together.

    Every size is bounded before it is trusted, and every index that leads from a scene to
    bytes is in range: scenes, nodes (a forest), meshes, targets, skins, animations, images,
    accessors, buffer views. Extensions are passed through unread.
    Raises UserError for what is no such file, or keeps bytes outside the file.
    """
    document, binary, _ = _read_chunks(path)
    return document, binary


def read_glb_rows(path, warn=print_warning):
    """The FaceRows of a GLB's animation; see read_glb_animation."""
    weights, names, times_s = read_glb_animation(path, warn)
    return face_rows(path, GLTF, times_s, weights, names, warn)


def read_glb_animation(path, warn=print_warning):
    """(weights float32 [frames, k], names tuple of k, times_s float64 [frames]) of a GLB.

    names: the ARKit shapes among the animated morph targets, in the file's order. Weights
    stand as in the file, not clipped; times rise, in seconds. Meshes whose keys lie at other
    times are met by linear interpolation. Of cubic splines the values at the keys are taken.
    The animation is the one that write_glb names, else the first that moves such targets.
    even_rate_hz says the times' frame rate. `warn` is called with a line where two meshes move
    a shape unlike each other, the first of which counts, and where animations are left out.
    Raises UserError for a GLB without such an animation.
    """
    document, binary, _ = _read_chunks(path)
    arkit_nodes = _arkit_nodes(path, document)
    tracks, num_animations = [], 0
    for animation in sorted(_items(path, document, "animations"),
                            key=lambda animation: animation.get("name") != ANIMATION_NAME):
        found = _weight_tracks(path, document, binary, animation, arkit_nodes)
        num_animations += bool(found)
        tracks = tracks or found
    if not tracks:
        raise UserError("%s has %d animations and none moves ARKit morph targets; expected a "
                        "channel of path \"weights\"" % (path, len(document.get("animations", ()))))
    times_s = tracks[0][1]                                              # [frames]
    if any(not np.array_equal(times_s, other) for _, other, _ in tracks):
        times_s = np.unique(np.concatenate([other for _, other, _ in tracks]))
    columns = {}
    for name, own_times_s, values in tracks:
        values = np.interp(times_s, own_times_s, values)                # [frames]
        if name not in columns:
            columns[name] = values
        elif np.abs(columns[name] - values).max() > 1e-3:
            warn("%s: two meshes move %s unlike each other; the first counts" % (path, name))
    if num_animations > 1:
        warn("%s: %d animations move ARKit morph targets; one is read" % (path, num_animations))
    return (np.stack(list(columns.values()), axis=1).astype(np.float32), tuple(columns), times_s)


def even_rate_hz(times_s):
    """The frame rate of evenly spaced times, or None where they are uneven or fewer than two.

    A usual rate is taken where the times fit it, since float32 seconds blur the last digits.
    """
    times_s = np.asarray(times_s, dtype=np.float64)
    span_s = times_s[-1] - times_s[0] if len(times_s) > 1 else 0.0
    if not span_s > 0:
        return None
    rate_hz = (len(times_s) - 1) / span_s
    error_s = 2 * np.spacing(np.float32(np.abs(times_s).max())) + 1e-6
    for rate_hz in sorted(KNOWN_RATES_HZ, key=lambda known: abs(known - rate_hz)) + [rate_hz]:
        if np.abs(times_s - times_s[0] - np.arange(len(times_s)) / rate_hz).max() <= error_s:
            return float(rate_hz)
    return None


def arkit_name(target_name):
    """The ARKit shape that a morph target's name means, or None.

    Case, separators and a prefix that ends with a dot do not count, and a side may be one
    letter: jawOpen, JawOpen, jaw_open, eyeBlink_L, blendShape1.eyeBlink_R, eyeBlink.L.
    """
    sided = re.sub(r"[._\- ]([lr])$", lambda end: {"l": "left", "r": "right"}[end.group(1)],
                   target_name.strip().lower())
    return _ARKIT_BY_KEY.get(re.sub(r"[^a-z0-9]", "", sided.rpartition(".")[2]))


_ARKIT_BY_KEY = {name.lower(): name for name in MODEL_CHANNELS}


# ---- the chunks

def _read_chunks(path):
    """(document dict, bytes of the first BIN chunk, bytes of the chunks behind it), checked."""
    try:
        num_bytes = os.stat(path).st_size
        if num_bytes > MAX_FILE_BYTES:
            raise UserError("%s has %d bytes; a GLB of at most %d is read"
                            % (path, num_bytes, MAX_FILE_BYTES))
        with open(path, "rb") as stream:
            content = stream.read(num_bytes + 1)
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
    def bounded(kind):
        def parsed(word):
            if len(word) > MAX_DIGITS or not abs(kind(word)) < float("inf"):
                raise ValueError("%.40s is no number of JSON" % word)
            return kind(word)
        return parsed
    try:
        document = json.loads(text.decode("utf-8"), parse_int=bounded(int),
                              parse_float=bounded(float), parse_constant=bounded(float))
    except (ValueError, RecursionError) as error:
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
        raise UserError("%s: asset.version is %r; expected glTF 2.0" % (path, version))
    _check_buffers(path, document, num_binary_bytes)
    for place, accessor in enumerate(_items(path, document, "accessors")):
        _check_accessor(path, document, accessor, "accessor %d" % place)
    for kind, refer in (("images", (("bufferView", "bufferViews"),)),
                        ("textures", (("source", "images"), ("sampler", "samplers")))):
        for place, item in enumerate(_items(path, document, kind)):
            for key, to_kind in refer:
                _check_index(path, document, item, key, to_kind, "%s %d" % (kind[:-1], place))
    for place, mesh in enumerate(_items(path, document, "meshes")):
        _check_mesh(path, document, mesh, "mesh %d" % place)
    for place, skin in enumerate(_items(path, document, "skins")):
        _check_indices(path, document, skin, "joints", "nodes", "skin %d" % place)
        _check_index(path, document, skin, "inverseBindMatrices", "accessors", "skin %d" % place)
    _check_nodes(path, document)
    for place, scene in enumerate(_items(path, document, "scenes")):
        _check_indices(path, document, scene, "nodes", "nodes", "scene %d" % place)
    _check_index(path, document, document, "scene", "scenes", "the file")
    for place, animation in enumerate(_items(path, document, "animations")):
        _check_animation(path, document, animation, "animation %d" % place)


def _items(path, owner, key, of=dict):
    """owner[key] as a list of `of`, empty where absent."""
    items = owner.get(key, [])
    if not isinstance(items, list) or not all(isinstance(item, of) for item in items):
        raise UserError("%s: %r is not a list of %s" % (
            path, key, {dict: "objects", str: "texts"}.get(of, "numbers")))
    if len(items) > MAX_ITEMS:
        raise UserError("%s: %r has %d entries; at most %d are read"
                        % (path, key, len(items), MAX_ITEMS))
    return items


def _object(path, owner, key):
    value = owner.get(key, {})
    if not isinstance(value, dict):
        raise UserError("%s: %r is not an object" % (path, key))
    return value


def _whole(path, owner, key, what, default=None):
    """owner[key], a whole number in 0 .. 2**32 - 1."""
    value = owner.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_UINT32:
        raise UserError("%s: %s has %s %.40r; expected a whole number from 0"
                        % (path, what, key, value))
    return value


def _check_index(path, document, owner, key, kind, what, is_needed=False):
    """owner[key] as an index into the document's list `kind`; None where absent."""
    if key not in owner and not is_needed:
        return None
    index, count = _whole(path, owner, key, what), len(_items(path, document, kind))
    if index >= count:
        raise UserError("%s: %s names %s %d of %d" % (path, what, kind, index, count))
    return index


def _check_indices(path, document, owner, key, kind, what):
    indices = _items(path, owner, key, of=int)
    return [_check_index(path, document, {key: index}, key, kind, what) for index in indices]


def _check_buffers(path, document, num_binary_bytes):
    sizes = []
    for place, buffer in enumerate(_items(path, document, "buffers")):
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
    for place, view in enumerate(_items(path, document, "bufferViews")):
        what = "buffer view %d" % place
        buffer = _check_index(path, document, view, "buffer", "buffers", what, is_needed=True)
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
    sparse = _object(path, accessor, "sparse")
    if sparse:
        num_sparse = _whole(path, sparse, "count", what + " (sparse)")
        if num_sparse > count:
            raise UserError("%s: %s replaces %d of its %d elements"
                            % (path, what, num_sparse, count))
        indices, values = _object(path, sparse, "indices"), _object(path, sparse, "values")
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
    view = _check_index(path, document, accessor, "bufferView", "bufferViews", what, is_needed)
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
    primitives = _items(path, mesh, "primitives")
    if not primitives:
        raise UserError("%s: %s has no primitives" % (path, what))
    num_targets = {len(_items(path, primitive, "targets")) for primitive in primitives}
    if len(num_targets) > 1:
        raise UserError("%s: the parts of %s have %s targets; expected the same number"
                        % (path, what, " and ".join(map(str, sorted(num_targets)))))
    if max(num_targets) > MAX_TARGETS:
        raise UserError("%s: %s has %d targets; at most %d are read"
                        % (path, what, max(num_targets), MAX_TARGETS))
    weights = _items(path, mesh, "weights", of=(int, float))
    if weights and len(weights) != max(num_targets):
        raise UserError("%s: %s has %d default weights for %d targets"
                        % (path, what, len(weights), max(num_targets)))
    for primitive in primitives:
        attributes = _object(path, primitive, "attributes")
        for vertices in [attributes] + primitive.get("targets", []):
            for key in vertices:
                index = _check_index(path, document, vertices, key, "accessors", what)
                count = document["accessors"][index]["count"]
                position = attributes.get("POSITION", index)
                if (not isinstance(position, int) or position >= len(document["accessors"])
                        or count != document["accessors"][position]["count"]):
                    raise UserError("%s: %s: %s has %d elements, unlike POSITION"
                                    % (path, what, key, count))
        _check_index(path, document, primitive, "indices", "accessors", what)
        _check_index(path, document, primitive, "material", "materials", what)


def _check_nodes(path, document):
    """UserError unless the nodes are a forest: one parent each, no circle."""
    nodes = _items(path, document, "nodes")
    parents = [None] * len(nodes)
    for place, node in enumerate(nodes):
        what = "node %d" % place
        mesh = _check_index(path, document, node, "mesh", "meshes", what)
        _check_index(path, document, node, "skin", "skins", what)
        weights = _items(path, node, "weights", of=(int, float))
        if weights and (mesh is None or len(weights) != _num_targets(document["meshes"][mesh])):
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
    samplers = _items(path, animation, "samplers")
    for sampler in samplers:
        for key in ("input", "output"):
            _check_index(path, document, sampler, key, "accessors", what, is_needed=True)
        if sampler.get("interpolation", "LINEAR") not in INTERPOLATIONS:
            raise UserError("%s: %s interpolates by %.40r; expected one of %s" % (
                path, what, sampler["interpolation"], ", ".join(INTERPOLATIONS)))
    for channel in _items(path, animation, "channels"):
        sampler = _whole(path, channel, "sampler", what)
        if sampler >= len(samplers):
            raise UserError("%s: %s names sampler %d of %d"
                            % (path, what, sampler, len(samplers)))
        _check_index(path, document, _object(path, channel, "target"), "node", "nodes", what)


# ---- morph targets by name

def _num_targets(mesh):
    return len(mesh["primitives"][0].get("targets", ()))


def _target_names(path, mesh):
    """The names of the mesh's targets, or [] where it bears none.

    They stand in mesh.extras, as most tools write, or in the first primitive's, as VRM 0 does.
    """
    for owner in (mesh, mesh["primitives"][0]):
        extras = owner.get("extras")
        if isinstance(extras, dict) and "targetNames" in extras:
            names = _items(path, extras, "targetNames", of=str)
            if len(names) != _num_targets(mesh):
                raise UserError("%s: mesh %r has %d targets and %d targetNames"
                                % (path, mesh.get("name", ""), _num_targets(mesh), len(names)))
            return names
    return []


def _arkit_nodes(path, document):
    """{node's place: [ARKit name or None of each target]} of the nodes that show such a mesh."""
    shapes_of_mesh, seen = [], []
    for mesh in _items(path, document, "meshes"):
        target_names = _target_names(path, mesh)
        seen += target_names
        shapes = [None] * len(target_names)
        # Where two targets mean one shape, the one spelt as ARKit's counts: both would double it.
        for place in sorted(range(len(target_names)),
                            key=lambda place: target_names[place] not in MODEL_CHANNELS):
            shape = arkit_name(target_names[place])
            if shape not in shapes:
                shapes[place] = shape
        shapes_of_mesh.append(shapes)
    nodes = {place: shapes_of_mesh[node["mesh"]]
             for place, node in enumerate(_items(path, document, "nodes"))
             if "mesh" in node and any(shapes_of_mesh[node["mesh"]])}
    if not nodes:
        num_targets = sum(map(_num_targets, document.get("meshes", ())))
        found = ("its morph targets are called %s"
                 % ", ".join("%.30s" % name for name in seen[:6]) if seen else
                 "its %d morph targets have no names" % num_targets if num_targets else
                 "it has no morph targets")
        if len(seen) > 6:
            found += " and %d more" % (len(seen) - 6)
        raise UserError("%s has no node with ARKit morph targets: %s; expected names such as "
                        "jawOpen in mesh.extras.targetNames" % (path, found))
    return nodes


# ---- writing

class _Block(object):
    """Bytes to append: the keys' times, or what the targets of one mesh get at each key."""

    def __init__(self, num_values, columns=None, defaults=None):
        self.num_bytes = 4 * num_values             # float32
        self.columns = columns                      # a target's place in `names`, or None
        self.defaults = defaults                    # a target's weight where it has no column

    def content(self, weights, start, fps):
        """The bytes of frames start ... of `weights` [frames, names], which is a part of all."""
        if self.columns is None:
            return _times_s(start, len(weights), fps).tobytes()
        values = np.empty((len(weights), len(self.columns)), dtype="<f4")
        for target, (column, default) in enumerate(zip(self.columns, self.defaults)):
            values[:, target] = default if column is None else weights[:, column]
        return values.tobytes()                     # frame by frame, all targets of each


def _times_s(start, num_frames, fps):
    return (np.arange(start, start + num_frames) / float(fps)).astype("<f4")


def _append_animation(path, document, num_binary_bytes, num_frames, names, fps):
    """Append the animation's entries to `document`; the list of _Block that go behind the BIN."""
    place_of = {name: place for place, name in enumerate(names)}
    accessors = document.setdefault("accessors", [])
    views = document.setdefault("bufferViews", [])
    blocks, end_bytes = [], num_binary_bytes + -num_binary_bytes % 4

    def append(block, **bounds):
        views.append({"buffer": 0, "byteOffset": end_bytes + sum(b.num_bytes for b in blocks),
                      "byteLength": block.num_bytes})
        accessors.append(dict({"bufferView": len(views) - 1, "componentType": FLOAT,
                               "count": block.num_bytes // 4, "type": "SCALAR"}, **bounds))
        blocks.append(block)
        return len(accessors) - 1

    last_s = float(_times_s(num_frames - 1, 1, fps)[0])
    times = append(_Block(num_frames), min=[0.0], max=[last_s])
    samplers, channels, sampler_of = [], [], {}
    for node, shapes in sorted(_arkit_nodes(path, document).items()):
        mesh = document["meshes"][document["nodes"][node]["mesh"]]
        defaults = tuple(document["nodes"][node].get("weights") or mesh.get("weights")
                         or [0.0] * len(shapes))
        columns = tuple(place_of.get(shape) for shape in shapes)
        if (columns, defaults) not in sampler_of:
            output = append(_Block(num_frames * len(shapes), columns, defaults))
            sampler_of[columns, defaults] = len(samplers)
            samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
        channels.append({"sampler": sampler_of[columns, defaults],
                         "target": {"node": node, "path": "weights"}})
    if not document.get("buffers"):
        document["buffers"] = [{}]
    document["buffers"][0]["byteLength"] = end_bytes + sum(b.num_bytes for b in blocks)
    document.setdefault("animations", []).append(
        {"name": ANIMATION_NAME, "channels": channels, "samplers": samplers})
    return blocks


def _refuse_lost_images(avatar_path, path, document):
    """UserError where an image lies beside the avatar, out of reach from the file to be."""
    folders = [os.path.dirname(os.path.abspath(str(name))) for name in (avatar_path, path)]
    for image in document.get("images", ()):
        uri = image.get("uri")
        if uri is not None and not str(uri).startswith("data:") and folders[0] != folders[1]:
            raise UserError("%s takes its image %.60r from its own folder; write beside it, or "
                            "export the avatar as one .glb with all inside" % (avatar_path, uri))


# ---- reading

def _weight_tracks(path, document, binary, animation, arkit_nodes):
    """[(ARKit name, times_s [keys], values [keys])] of an animation's weights channels."""
    tracks = []
    for channel in animation.get("channels", ()):
        target = channel.get("target", {})
        shapes = arkit_nodes.get(target.get("node"))
        if target.get("path") != "weights" or shapes is None:
            continue
        sampler = animation["samplers"][channel["sampler"]]
        times_s = _values(path, document, binary, sampler["input"])             # [keys]
        values = _values(path, document, binary, sampler["output"])
        is_cubic = sampler.get("interpolation") == "CUBICSPLINE"
        num_values = len(times_s) * len(shapes) * (3 if is_cubic else 1)
        if len(values) != num_values:
            raise UserError("%s: an animation has %d weights; expected %d (%d keys of %d targets)"
                            % (path, len(values), num_values, len(times_s), len(shapes)))
        if not np.isfinite(times_s).all() or (np.diff(times_s) <= 0).any() or times_s[0] < 0:
            raise UserError("%s: the times of an animation do not rise from 0" % path)
        if not np.isfinite(values).all():
            raise UserError("%s: an animation holds weights that are no numbers" % path)
        values = values.reshape(len(times_s), -1, len(shapes))  # [keys, 1 or 3, targets]
        values = values[:, 1 if is_cubic else 0]                # [keys, targets]
        tracks += [(shape, times_s, values[:, place])
                   for place, shape in enumerate(shapes) if shape is not None]
    return tracks


def _values(path, document, binary, index):
    """float64 [count] of a scalar accessor; whole numbers are shares of their largest."""
    accessor = document["accessors"][index]
    if accessor["type"] != "SCALAR" or accessor.get("sparse") or "bufferView" not in accessor:
        raise UserError("%s: accessor %d of an animation is %s; expected plain scalars"
                        % (path, index, "sparse" if accessor.get("sparse") else
                           accessor["type"] if "bufferView" in accessor else "without bytes"))
    view = document["bufferViews"][accessor["bufferView"]]
    if view["buffer"] != 0:
        raise UserError("%s: its animation is packed by an extension (%s); export without "
                        "compression" % (path, ", ".join(sorted(view.get("extensions", {})))))
    dtype = np.dtype(DTYPES[accessor["componentType"]])
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    stride = view.get("byteStride", 0) or dtype.itemsize
    values = np.ndarray((accessor["count"],), dtype, binary, start, (stride,))
    scale = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
    return values.astype(np.float64) / scale
