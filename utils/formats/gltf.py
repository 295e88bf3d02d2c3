"""glTF 2.0 in one .glb file: an avatar with a weights animation, written and read.

The container is utils/formats/glb.py's.
"""
import os
import re

import numpy as np

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import repository_path
from utils.common.errors import UserError, print_warning
from utils.formats.face_kinds import GLTF
from utils.formats.face_rows import BLOCK_FRAMES, face_rows
from utils.formats.glb import (AppendedAccessors, channel_keys, check_num_keys, items, key_times_s,
                               num_targets, read_glb_chunks, write_glb_chunks)

DEFAULT_AVATAR = repository_path("avatar/head.glb")
ANIMATION_NAME = "speech"               # of the animation that write_glb appends

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
    document, binary, other_chunks = read_glb_chunks(avatar_path)
    _refuse_lost_images(avatar_path, path, document)
    blocks, num_bytes = _append_animation(
        avatar_path, document, len(binary), len(weights), names, fps)
    if edits is not None:
        document["animations"][-1]["extras"] = {"edits": edits}
    pieces = (block.content(weights[start:start + BLOCK_FRAMES], start, fps)
              for block in blocks for start in range(0, len(weights), BLOCK_FRAMES))
    write_glb_chunks(path, document, binary, num_bytes, pieces, other_chunks)
    driven = {place for block in blocks for place in block.columns or ()}
    missing = [name for place, name in enumerate(names)
               if place not in driven and weights[:, place].any()]
    if missing:
        warn("%s has no morph target for %s" % (os.path.basename(avatar_path), ", ".join(missing)))


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
    document, binary, _ = read_glb_chunks(path)
    arkit_nodes = _arkit_nodes(path, document)
    tracks, num_animations = [], 0
    for animation in sorted(items(path, document, "animations"),
                            key=lambda animation: animation.get("name") != ANIMATION_NAME):
        found = _weight_tracks(path, document, binary, animation, arkit_nodes)
        num_animations += bool(found)
        tracks = tracks or found
    if not tracks:
        raise UserError("%s has %d animations and none moves ARKit morph targets; expected a "
                        "channel of path \"weights\"" % (path, len(document.get("animations", ()))))
    if num_animations > 1:
        warn("%s: %d animations move ARKit morph targets; one is read" % (path, num_animations))
    return joined_tracks(path, tracks, "meshes", warn)


def joined_tracks(path, tracks, what, warn):
    """(weights float32 [frames, k], names tuple of k, times_s float64 [frames]) of tracks.

    tracks: [(ARKit name, times_s [keys], values [keys])]. Keys at unlike times are met by linear
    interpolation. warn: called with a line where two of `what` move a shape unlike each other, the
    first of which counts.
    """
    times_s = tracks[0][1]                                              # [frames]
    if any(not np.array_equal(times_s, other) for _, other, _ in tracks):
        times_s = np.unique(np.concatenate([other for _, other, _ in tracks]))
    columns = {}
    for name, own_times_s, values in tracks:
        values = np.interp(times_s, own_times_s, values)                # [frames]
        if name not in columns:
            columns[name] = values
        elif np.abs(columns[name] - values).max() > 1e-3:
            warn("%s: two %s move %s unlike each other; the first counts" % (path, what, name))
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


# ---- morph targets by name

def _target_names(path, mesh):
    """The names of the mesh's targets, or [] where it bears none.

    They stand in mesh.extras, as most tools write, or in the first primitive's, as VRM 0 does.
    """
    for owner in (mesh, mesh["primitives"][0]):
        extras = owner.get("extras")
        if isinstance(extras, dict) and "targetNames" in extras:
            names = items(path, extras, "targetNames", of=str)
            if len(names) != num_targets(mesh):
                raise UserError("%s: mesh %.80r has %d targets and %d targetNames"
                                % (path, mesh.get("name", ""), num_targets(mesh), len(names)))
            return names
    return []


def _arkit_nodes(path, document):
    """{node's place: [ARKit name or None of each target]} of the nodes that show such a mesh."""
    shapes_of_mesh, seen = [], []
    for mesh in items(path, document, "meshes"):
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
             for place, node in enumerate(items(path, document, "nodes"))
             if "mesh" in node and any(shapes_of_mesh[node["mesh"]])}
    if not nodes:
        num_nameless = sum(map(num_targets, document.get("meshes", ())))
        found = ("its morph targets are called %s"
                 % ", ".join("%.30r" % name for name in seen[:6]) if seen else
                 "its %d morph targets have no names" % num_nameless if num_nameless else
                 "it has no morph targets")
        if len(seen) > 6:
            found += " and %d more" % (len(seen) - 6)
        raise UserError("%s has no node with ARKit morph targets: %s; expected names such as "
                        "jawOpen in mesh.extras.targetNames" % (path, found))
    return nodes


# ---- writing

class _Block(object):
    """Bytes to append: the keys' times, or what the targets of one mesh get at each key."""

    def __init__(self, columns=None, defaults=None):
        self.columns = columns                      # a target's place in `names`, or None
        self.defaults = defaults                    # a target's weight where it has no column

    def content(self, weights, start, fps):
        """The bytes of frames start ... of `weights` [frames, names], which is a part of all."""
        if self.columns is None:
            return key_times_s(start, len(weights), fps).tobytes()
        values = np.empty((len(weights), len(self.columns)), dtype="<f4")
        for target, (column, default) in enumerate(zip(self.columns, self.defaults)):
            values[:, target] = default if column is None else weights[:, column]
        return values.tobytes()                     # frame by frame, all targets of each


def _append_animation(path, document, num_binary_bytes, num_frames, names, fps):
    """Append the animation's entries to `document`.

    Returns the list of _Block whose bytes go behind the binary chunk, and how many bytes they are.
    """
    place_of = {name: place for place, name in enumerate(names)}
    appended = AppendedAccessors(document, num_binary_bytes)
    blocks, times = [_Block()], appended.add_times(num_frames, fps)
    samplers, channels, sampler_of = [], [], {}
    for node, shapes in sorted(_arkit_nodes(path, document).items()):
        mesh = document["meshes"][document["nodes"][node]["mesh"]]
        defaults = tuple(document["nodes"][node].get("weights") or mesh.get("weights")
                         or [0.0] * len(shapes))
        columns = tuple(place_of.get(shape) for shape in shapes)
        if (columns, defaults) not in sampler_of:
            output = appended.add(num_frames * len(shapes))
            blocks.append(_Block(columns, defaults))
            sampler_of[columns, defaults] = len(samplers)
            samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
        channels.append({"sampler": sampler_of[columns, defaults],
                         "target": {"node": node, "path": "weights"}})
    document.setdefault("animations", []).append(
        {"name": ANIMATION_NAME, "channels": channels, "samplers": samplers})
    return blocks, appended.num_bytes


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
    channels = [channel for channel in animation.get("channels", ())
                if channel.get("target", {}).get("path") == "weights"
                and channel["target"].get("node") in arkit_nodes]
    check_num_keys(path, document, animation, channels)
    tracks = []
    for channel in channels:
        shapes = arkit_nodes[channel["target"]["node"]]
        times_s, values = channel_keys(path, document, binary, animation, channel, len(shapes))
        tracks += [(shape, times_s, values[:, place])
                   for place, shape in enumerate(shapes) if shape is not None]
    return tracks
