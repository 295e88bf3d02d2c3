"""The formats of faces that are written: one line each, with the reader of the same file.

A new format is a module with its writer, and a line here.
"""
import collections

from utils.common.errors import print_warning
from utils.formats.audio2face import (read_audio2face, write_audio2face_csv,
                                      write_audio2face_json)
from utils.formats.beat_json import read_beat_json, write_beat_json
from utils.formats.face_kinds import (AUDIO2FACE, BEAT, GLTF, LIVE_LINK, NPZ, ROKOKO, TABLE, VMD,
                                      VRMA)
from utils.formats.gltf import read_glb_rows, write_glb
from utils.formats.live_link_csv import read_live_link_rows, write_live_link_csv
from utils.formats.npz import read_npz_rows, write_npz
from utils.formats.rokoko_json import read_rokoko_json, write_rokoko_json
from utils.formats.shape_table import read_table, write_table
from utils.formats.vmd import read_vmd, write_vmd
from utils.formats.vrma import read_vrma, write_vrma, write_vrma_presets

# file_name: below --out_path, each its own. write(path, weights [frames, 52] in 0..1, names, fps).
# kind: what utils.formats.face_files calls the file. read(path, warn): its FaceRows.
# takes: what else its writer takes, by the names that write_face has for it.
Exporter = collections.namedtuple("Exporter", "file_name write kind read takes")
Exporter.__new__.__defaults__ = ((),)

# By the name that run_voca.py --formats and convert.py --to take.
FORMATS = collections.OrderedDict([
    ("csv", Exporter("blendshapes.csv", write_live_link_csv, LIVE_LINK, read_live_link_rows,
                     ("angles", "start_s"))),
    ("npz", Exporter("blendshapes.npz", write_npz, NPZ, read_npz_rows, ("edits",))),
    ("json", Exporter("blendshapes.json", write_rokoko_json, ROKOKO, read_rokoko_json)),
    ("audio2face", Exporter("audio2face.json", write_audio2face_json, AUDIO2FACE,
                            read_audio2face, ("edits",))),
    ("audio2face_csv", Exporter("animation_frames.csv", write_audio2face_csv, AUDIO2FACE,
                                read_audio2face)),
    ("beat", Exporter("beat.json", write_beat_json, BEAT, read_beat_json, ("edits",))),
    ("table", Exporter("table.csv", write_table, TABLE, read_table)),
    ("vmd", Exporter("blendshapes.vmd", write_vmd, VMD, read_vmd)),
    ("vrma", Exporter("blendshapes.vrma", write_vrma, VRMA, read_vrma, ("edits",))),
    ("vrma_presets", Exporter("presets.vrma", write_vrma_presets, VRMA, read_vrma, ("edits",))),
    ("glb", Exporter("face.glb", write_glb, GLTF, read_glb_rows,
                     ("avatar_path", "warn", "edits"))),
])
DEFAULT_FORMATS = ("csv", "npz", "json", "glb")     # what run_voca.py writes where none is named


def write_face(path, format_name, weights, names, fps, avatar_path=None, warn=print_warning,
               edits=None, angles=None, start_s=0.0):
    """Write weights [frames, 52] in 0..1 as one of FORMATS.

    What a format has no place for is left out: its Exporter says what it takes.

    Args:
      avatar_path, warn: of formats that hold a head, see utils.formats.gltf.write_glb.
      edits: what was changed, JSON-able, for formats with metadata; None: nothing.
      angles, start_s: see utils.formats.live_link_csv.write_live_link_csv.
    """
    exporter = FORMATS[format_name]
    given = dict(avatar_path=avatar_path, warn=warn, edits=edits, angles=angles, start_s=start_s)
    exporter.write(path, weights, names, fps, **{key: given[key] for key in exporter.takes})
