"""This project's own animation file: numpy's .npz of weights, names and fps."""
import json
import zipfile

import numpy as np

from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.formats.face_kinds import NPZ
from utils.formats.face_rows import BLOCK_FRAMES, face_rows

NPZ_KEYS = ("weights", "names", "fps")
MAX_ARRAY_BYTES = 1 << 30               # unpacked: a zip of 1 MB can hold a gigabyte of zeros


def write_npz(path, weights, names, fps, edits=None):
    """weights float32 [frames, len(names)] in [0, 1], names [len(names)], fps; compressed.

    edits: what was changed, JSON-able; held as a string of JSON called `edits`.
    """
    weights = np.asarray(weights, dtype=np.float32, order="C")
    if weights.ndim != 2 or weights.shape[1] != len(names):
        raise ValueError("weights are %s for %d names" % (weights.shape, len(names)))
    arrays = [("weights", weights), ("names", np.array(names)), ("fps", np.array(fps, np.float64))]
    if edits is not None:
        arrays.append(("edits", np.array(json.dumps(edits))))
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays:
            with archive.open(key + ".npy", "w", force_zip64=True) as entry:
                _write_array(entry, array)


def _write_array(stream, array):
    """An array in C's order as .npy; np.savez_compressed does the same, but holds 32 MB for it."""
    np.lib.format.write_array_header_1_0(
        stream, np.lib.format.header_data_from_array_1_0(array))
    rows = array.reshape(-1, array.shape[-1] if array.ndim else 1)
    for first in range(0, len(rows), BLOCK_FRAMES):
        stream.write(rows[first:first + BLOCK_FRAMES].tobytes())


def read_npz(path):
    """(weights float32 [frames, k], names tuple of k, fps) of a file of write_npz.

    Raises UserError for what is no such file.
    """
    try:
        num_bytes = _unpacked_bytes(path)
        if num_bytes > MAX_ARRAY_BYTES:
            raise ValueError("its arrays have %d bytes; at most %d are read: cut it"
                             % (num_bytes, MAX_ARRAY_BYTES))
        with np.load(path, allow_pickle=False) as arrays:
            content = {key: arrays[key] for key in NPZ_KEYS if key in arrays.files}
            if not all(isinstance(array, np.ndarray) for array in content.values()):
                raise ValueError("its parts are no arrays")
            names = content.get("names", np.array(""))
            if names.dtype.kind == "U":      # numpy checks no letters, and Python then fails
                names.astype(names.dtype.newbyteorder("<")).tobytes().decode("utf-32-le")
            is_clip_set = {"labels", "clips"} <= set(arrays.files)
    except FileNotFoundError:
        raise UserError("there is no file %s; check the path" % path)
    except Exception as error:      # damaged bytes raise a dozen kinds in numpy, zipfile, zlib
        # zipfile puts a damaged file's own bytes into its message.
        raise UserError("%s is not an .npz of weights: %.200s"
                        % (path, " ".join(str(error).split())))
    if is_clip_set:
        raise UserError("%s holds many clips (labels [clips, frames, names]); expected one take: "
                        "write each clip as CLIP.npz (weights [frames, names], names, fps)" % path)
    missing = [key for key in NPZ_KEYS if key not in content]
    if missing:
        raise UserError("%s lacks %s; expected the arrays %s"
                        % (path, ", ".join(missing), ", ".join(NPZ_KEYS)))
    weights, names, fps = (content[key] for key in NPZ_KEYS)
    if weights.ndim != 2 or names.shape != weights.shape[1:] or weights.dtype.kind != "f":
        raise UserError("%s: weights are %s %s for %d names; expected float [frames, names]"
                        % (path, weights.dtype, list(weights.shape), names.size))
    if fps.size != 1 or fps.dtype.kind not in "fiu" or not 0 < fps < np.inf:
        raise UserError("%s: fps is %s; expected one number above 0" % (path, fps))
    return (weights.astype(np.float32), tuple(str(name) for name in names), float(fps))


def _unpacked_bytes(path):
    """How many bytes the largest array that is read has; numpy reads no more than the zip says."""
    with zipfile.ZipFile(str(path)) as whole:
        return max([part.file_size for part in whole.infolist()
                    if part.filename in [key + ".npy" for key in NPZ_KEYS]] or [0])


def read_npz_rows(path, warn):
    """The FaceRows of a file of write_npz."""
    weights, names, fps = read_npz(path)
    return face_rows(path, NPZ, np.arange(len(weights)) / fps, weights, names, warn)
