"""The formats that run_voca.py writes: one line each, with the reader of the same file.

A new format is a module with its writer, and a line here.
"""
import collections

from utils.formats.face_kinds import LIVE_LINK, NPZ, ROKOKO
from utils.formats.live_link_csv import read_live_link_rows, write_live_link_csv
from utils.formats.npz import read_npz_rows, write_npz
from utils.formats.rokoko_json import read_rokoko_json, write_rokoko_json

# file_name: below --out_path. write(path, weights [frames, 52], names, fps). kind: what
# utils.formats.face_files calls the file. read(path, warn): its FaceRows.
Exporter = collections.namedtuple("Exporter", "file_name write kind read")

EXPORTERS = collections.OrderedDict([
    ("csv", Exporter("blendshapes.csv", write_live_link_csv, LIVE_LINK, read_live_link_rows)),
    ("npz", Exporter("blendshapes.npz", write_npz, NPZ, read_npz_rows)),
    ("json", Exporter("blendshapes.json", write_rokoko_json, ROKOKO, read_rokoko_json)),
])
