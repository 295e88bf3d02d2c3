"""VRM animation, .vrma: the face as expressions of a VRM 1.0 model, in a GLB without meshes.

Source: VRM Consortium, VRMC_vrm_animation 1.0. The weight of an expression is the x of its node's
translation. Two kinds of models, one file for each: who played both would open the mouth twice.

    Perfect Sync    52 custom expressions with ARKit's names; written and read
    others          the presets aa ih ou ee oh blinkLeft blinkRight; written only, 52 do not come
                    back from 7

The body is in the file as a skeleton in T-pose, which readers ask for; nothing moves it.
"""
import os

import numpy as np

from utils.common.channels import UNREAL_CHANNELS, mouth_opening, reorder
from utils.common.errors import UserError
from utils.formats.face_kinds import VRMA
from utils.formats.face_rows import BLOCK_FRAMES, face_rows, unit_weights
from utils.formats.glb import (AppendedAccessors, channel_keys, check_index, check_num_keys,
                               json_object, key_times_s, read_glb_chunks, write_glb_chunks)
from utils.formats.gltf import ANIMATION_NAME, arkit_name, joined_tracks

EXTENSION = "VRMC_vrm_animation"

# The bones that VRM 1.0 requires: name, parent, metres from it. Y is up, the face looks to +Z.
BONES = (
    ("hips", None, (0.0, 0.95, 0.0)), ("spine", "hips", (0.0, 0.1, 0.0)),
    ("head", "spine", (0.0, 0.5, 0.0)),
    ("leftUpperArm", "spine", (0.15, 0.38, 0.0)),
    ("leftLowerArm", "leftUpperArm", (0.27, 0.0, 0.0)),
    ("leftHand", "leftLowerArm", (0.25, 0.0, 0.0)),
    ("rightUpperArm", "spine", (-0.15, 0.38, 0.0)),
    ("rightLowerArm", "rightUpperArm", (-0.27, 0.0, 0.0)),
    ("rightHand", "rightLowerArm", (-0.25, 0.0, 0.0)),
    ("leftUpperLeg", "hips", (0.09, -0.05, 0.0)),
    ("leftLowerLeg", "leftUpperLeg", (0.0, -0.42, 0.0)),
    ("leftFoot", "leftLowerLeg", (0.0, -0.4, 0.0)),
    ("rightUpperLeg", "hips", (-0.09, -0.05, 0.0)),
    ("rightLowerLeg", "rightUpperLeg", (0.0, -0.42, 0.0)),
    ("rightFoot", "rightLowerLeg", (0.0, -0.4, 0.0)))

# Names are told apart by case. Perfect Sync models say EyeBlinkLeft, some say eyeBlinkLeft: both
# are written. UniVRM takes 100 custom expressions at most, so speech goes without these four.
SELDOM = ("cheekPuff", "noseSneerLeft", "noseSneerRight", "tongueOut")

# What a vowel of speech reaches; more is cut.
OPEN_VOWEL = 0.5                # jawOpen - mouthClose of an a
ROUND_VOWEL = 0.5               # mouthFunnel or mouthPucker of an o
SPREAD_VOWEL = 0.15             # the mean of the shapes that draw the corners apart, of an e
SPREADING = ("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
             "mouthDimpleLeft", "mouthDimpleRight")
# Without `blink`: with it, a model that has all three would shut its lids twice.
PRESETS = ("aa", "ih", "ou", "ee", "oh", "blinkLeft", "blinkRight")


def write_vrma(path, weights, names, fps, edits=None):
    """The clip for a Perfect Sync model, whose custom expressions bear ARKit's names.

    weights: [frames, len(names)] in [0, 1]. Key i stands at i / fps seconds.
    edits: what was changed, JSON-able; held in the animation's extras.
    """
    weights = unit_weights(weights, names, UNREAL_CHANNELS)                 # [frames, 52]
    columns = [(name[0].upper() + name[1:], place) for place, name in enumerate(UNREAL_CHANNELS)]
    columns += [(name, place) for place, name in enumerate(UNREAL_CHANNELS) if name not in SELDOM]
    _write(path, "custom", columns, weights, fps, edits)


def write_vrma_presets(path, weights, names, fps, edits=None):
    """The clip for any other VRM 1.0 model: its five vowels, and each eye's blink.

    weights, edits: as write_vrma.
    """
    weights = unit_weights(weights, names, UNREAL_CHANNELS)                 # [frames, 52]
    _write(path, "preset", [(name, place) for place, name in enumerate(PRESETS)],
           preset_weights(weights, UNREAL_CHANNELS), fps, edits)


def preset_weights(weights, names):
    """[frames, 7] in 0..1, as PRESETS: the five vowels sum to 1 at most, 0 where nothing speaks.

    The mouth's opening and what the lips do decide: neutral lips are aa, round ones ou to oh as
    the mouth opens, spread ones ih to ee. Closed lips that are spread, a smile, are no vowel.
    weights: [frames, len(names)] in [0, 1].
    """
    opening = np.minimum(mouth_opening(weights, names) / OPEN_VOWEL, 1.0)   # [frames]
    rounding = reorder(weights, names, ("mouthFunnel", "mouthPucker")).max(axis=1)
    rounding = np.minimum(rounding / ROUND_VOWEL, 1.0)
    spread = np.minimum(reorder(weights, names, SPREADING).mean(axis=1) / SPREAD_VOWEL, 1.0)
    spread = np.minimum(spread, 1.0 - rounding)
    eyes = reorder(weights, names, ("eyeBlinkLeft", "eyeBlinkRight"))       # [frames, 2]
    vowels = (opening * (1.0 - rounding - spread),                          # aa
              spread * np.minimum(2 * opening, 2 - 2 * opening),            # ih
              rounding * (1.0 - opening),                                   # ou
              spread * np.maximum(2 * opening - 1, 0.0),                    # ee
              rounding * opening)                                           # oh
    return np.clip(np.stack(vowels + tuple(eyes.T), axis=1), 0.0, 1.0)


def _write(path, kind, columns, weights, fps, edits):
    """columns: [(expression, column of weights)], all of one kind, "custom" or "preset"."""
    if not len(weights):
        raise ValueError("a clip without a frame")
    # UniVRM takes the expressions' nodes out, and the first root for the body: bones come first.
    num_bones = len(BONES)
    nodes = [{"name": name, "translation": list(place)} for name, _, place in BONES]
    index = {name: place for place, (name, _, _) in enumerate(BONES)}
    for name, parent, _ in BONES:
        if parent is not None:
            nodes[index[parent]].setdefault("children", []).append(index[name])
    nodes += [{"name": name} for name, _ in columns]
    expressions = {name: {"node": num_bones + place} for place, (name, _) in enumerate(columns)}
    document = {
        "asset": {"version": "2.0", "generator": "voca"}, "extensionsUsed": [EXTENSION],
        "scene": 0, "scenes": [{"nodes": [0] + list(range(num_bones, len(nodes)))}],
        "nodes": nodes,
        "extensions": {EXTENSION: {
            "specVersion": "1.0",
            "humanoid": {"humanBones": {name: {"node": place} for name, place in index.items()}},
            "expressions": {kind: expressions}}}}
    appended = AppendedAccessors(document, 0)
    times = appended.add_times(len(weights), fps)
    document["animations"] = [{
        "name": ANIMATION_NAME,
        "samplers": [{"input": times, "output": appended.add(len(weights), "VEC3"),
                      "interpolation": "LINEAR"} for _ in range(weights.shape[1])],
        "channels": [{"sampler": column,
                      "target": {"node": num_bones + place, "path": "translation"}}
                     for place, (_, column) in enumerate(columns)]}]
    if edits is not None:
        document["animations"][0]["extras"] = {"edits": edits}
    write_glb_chunks(path, document, b"", appended.num_bytes, _pieces(weights, fps))


def _pieces(weights, fps):
    """The bytes of the times, then of each column of weights [frames, k]."""
    starts = range(0, len(weights), BLOCK_FRAMES)
    for start in starts:
        yield key_times_s(start, len(weights[start:start + BLOCK_FRAMES]), fps).tobytes()
    for curve in weights.T:
        for start in starts:
            part = curve[start:start + BLOCK_FRAMES]
            translations = np.zeros((len(part), 3), "<f4")
            translations[:, 0] = part
            yield translations.tobytes()


def read_vrma(path, warn):
    """The FaceRows of a VRM animation's expressions that bear ARKit's names, in any case.

    Other expressions are left out, and told. Of several animations the first counts, as VRM says.
    Raises UserError for what is no such file, and for one without such expressions.
    """
    document, binary, _ = read_glb_chunks(path)
    name_of_node = _expressions(path, document)
    shapes = {node: arkit_name(name) for node, name in name_of_node.items()}
    others = [name_of_node[node] for node, shape in shapes.items() if shape is None]
    animation = (document.get("animations") or [{}])[0]
    channels = [channel for channel in animation.get("channels", ())
                if channel.get("target", {}).get("path") == "translation"
                and shapes.get(channel["target"].get("node"))]
    if not channels:
        raise UserError("%s moves no expression with an ARKit name%s; expected those of a Perfect "
                        "Sync model, as JawOpen" % (path, ": its expressions are " + ", ".join(
                            "%.30r" % name for name in others[:7]) if others else ""))
    if others:
        warn("%s: %d expressions that are none of the 52 ARKit shapes are left out, as %.30r"
             % (os.path.basename(path), len(others), others[0]))
    check_num_keys(path, document, animation, channels)
    tracks = []
    for channel in channels:
        times_s, values = channel_keys(path, document, binary, animation, channel, 3, "VEC3")
        tracks.append((shapes[channel["target"]["node"]], times_s, values[:, 0].copy()))
    weights, names, times_s = joined_tracks(path, tracks, "expressions", warn)
    return face_rows(path, VRMA, times_s, weights, names, warn)


def _expressions(path, document):
    """{node: name} of a VRM animation's expressions."""
    extensions = json_object(path, document, "extensions")
    if EXTENSION not in extensions:
        raise UserError("%s is no VRM animation: the extension %s is not in it"
                        % (path, EXTENSION))
    expressions = json_object(path, json_object(path, extensions, EXTENSION), "expressions")
    found = {}
    for kind in ("custom", "preset"):
        of_kind = json_object(path, expressions, kind)
        for name in of_kind:
            node = check_index(path, document, json_object(path, of_kind, name), "node", "nodes",
                               "the expression %.30r" % name, is_needed=True)
            found.setdefault(node, name)
    return found
