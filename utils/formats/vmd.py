"""MikuMikuDance's motion, .vmd: the 52 shapes as morphs, for models that bear ARKit's names.

Little-endian. "Vocaloid Motion Data 0002" in 30 bytes, the model's name in 20; then counts
(uint32), each with its records: bones (111 bytes), morphs (name in 15 bytes of Shift-JIS, frame
uint32, weight float32), cameras, lights, shadows. 30 frames a second; between keys, weights go
linearly. Ten of the 52 names are longer than 15 bytes and are cut: no two become alike.
"""
import os

import numpy as np

from utils.common.channels import UNREAL_CHANNELS
from utils.common.errors import UserError
from utils.common.files import check_num_bytes, written_aside
from utils.formats.face_kinds import VMD
from utils.formats.face_rows import BLOCK_FRAMES, even_times_s, face_rows, unit_weights

VMD_FPS = 30
NAME_BYTES = 15
MAGIC, MAGIC_BYTES, MODEL_BYTES = b"Vocaloid Motion Data 0002", 30, 20
OLD_MAGIC, OLD_MODEL_BYTES = b"Vocaloid Motion Data file", 10       # of the program's version 1
BONE_BYTES = 111
KEY = np.dtype([("name", "S%d" % NAME_BYTES), ("frame", "<u4"), ("weight", "<f4")])
CUT_NAME = {name.encode("ascii")[:NAME_BYTES].lower(): name for name in UNREAL_CHANNELS}
assert len(CUT_NAME) == len(UNREAL_CHANNELS)
MAX_FRAMES = 6 * 3600 * VMD_FPS     # a later key is no speech, and would ask for gigabytes
MAX_FILE_BYTES = 1 << 30
AFTER_MORPHS = 3                            # counts: cameras, lights, shadows


def write_vmd(path, weights, names, fps):
    """The clip as morph keys, those left out that a straight line between others passes.

    weights: [frames, len(names)] in [0, 1]. Raises UserError for another rate than 30.
    """
    if fps != VMD_FPS:
        raise UserError("MikuMikuDance's .vmd counts %d frames a second, and these are %g; give "
                        "--fps %d" % (VMD_FPS, fps, VMD_FPS))
    weights = unit_weights(weights, names, UNREAL_CHANNELS).astype(np.float32)
    keyed = np.ones(weights.shape, bool)                                    # [frames, 52]
    # Where a channel stands still, its first and last frame say so: that comes back to the bit.
    keyed[1:-1] = (weights[1:-1] != weights[:-2]) | (weights[1:-1] != weights[2:])
    cut_names = np.array([name.encode("ascii")[:NAME_BYTES] for name in UNREAL_CHANNELS])
    with written_aside(path) as aside, open(aside, "wb") as stream:
        stream.write(MAGIC.ljust(MAGIC_BYTES, b"\0") + b"voca".ljust(MODEL_BYTES, b"\0"))
        stream.write(np.array([0, np.count_nonzero(keyed)], "<u4").tobytes())
        for start in range(0, len(weights), BLOCK_FRAMES):  # keys take 6 times what weights do
            block = slice(start, start + BLOCK_FRAMES)
            frames, places = np.nonzero(keyed[block])                       # [keys] each
            keys = np.zeros(len(frames), KEY)
            keys["name"], keys["frame"] = cut_names[places], start + frames
            keys["weight"] = weights[block][keyed[block]]
            stream.write(keys.tobytes())
        stream.write(np.zeros(AFTER_MORPHS, "<u4").tobytes())


def read_vmd(path, warn):
    """The FaceRows of a motion: its morphs that bear one of the 52 names, at 30 frames a second.

    Other morphs are left out, and told. Raises UserError for what is no such file, and for one
    without any of the 52.
    """
    keys = _morph_keys(path)
    by_name = {}
    for name in np.unique(keys["name"]):
        by_name.setdefault(CUT_NAME.get(name.lower()), []).append(name)
    others = by_name.pop(None, [])
    if not by_name:
        raise UserError("%s: none of its %d morphs bears a name of the 52 ARKit shapes; give the "
                        "motion of a Perfect Sync model" % (path, len(others)))
    if others:
        warn("%s: %d morphs that are none of the 52 ARKit shapes are left out, as %r"
             % (os.path.basename(path), len(others), others[0].decode("cp932", "replace")))
    used = keys[~np.isin(keys["name"], np.array(others, keys["name"].dtype))]
    last = int(used["frame"].max())
    if last >= MAX_FRAMES:
        raise UserError("%s: a morph has a key at frame %d; expected less than %d, six hours"
                        % (path, last, MAX_FRAMES))
    weights = np.zeros((last + 1, len(by_name)), np.float32)                # [frames, k]
    for column, spellings in enumerate(by_name.values()):
        curve = used[np.isin(used["name"], spellings)]
        curve = curve[np.argsort(curve["frame"], kind="mergesort")]
        weights[:, column] = np.interp(np.arange(last + 1), curve["frame"], curve["weight"])
    return face_rows(path, VMD, even_times_s(len(weights), VMD_FPS), weights, list(by_name), warn)


def _morph_keys(path):
    """The records of the morphs [keys], dtype KEY; what stands after the name's zero is no name."""
    try:
        check_num_bytes(path, MAX_FILE_BYTES)
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    model_bytes = MODEL_BYTES if content.startswith(MAGIC) else OLD_MODEL_BYTES
    if not content.startswith((MAGIC, OLD_MAGIC)):
        raise UserError("%s is not MikuMikuDance's motion; it begins with %r"
                        % (path, content[:20]))
    place = MAGIC_BYTES + model_bytes
    try:
        num_bones, = np.frombuffer(content, "<u4", 1, place)
        place += 4 + int(num_bones) * BONE_BYTES
        num_morphs, = np.frombuffer(content, "<u4", 1, place)
        keys = np.frombuffer(content, KEY, int(num_morphs), place + 4).copy()
    except ValueError:
        raise UserError("%s ends before its morphs do; it was cut off" % path)
    # numpy drops zeros at the end of a name only; programs leave old bytes after the first.
    keys["name"] = [name.split(b"\0")[0] for name in keys["name"].tolist()]
    return keys
