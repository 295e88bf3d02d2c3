"""Files of every format with bytes changed, lost, doubled, put in: read, or refused in a line."""
import io
import random
import time
import zipfile

import numpy as np
import pytest

from tests.formats.golden_clip import golden_clip
from utils.common.errors import UserError
from utils.formats.exporters import FORMATS
from utils.formats.face_files import read_face_rows
from utils.formats.npz import write_npz

DAMAGED = 1000              # files of each format
LONGEST_S = 10.0
WORDS = [b"null", b"-1", b"1e999", b"NaN", b"[", b"]", b"{", b"}", b'"', b",", b":", b"0", b"true",
         b"99999999999999999999", b"\xff", b"\0", b"-", b".", b"e5", b"[]", b"{}", b'""', b"\n",
         b";"]


def damaged(content, random_):
    """`content`, bytes, changed in one to twenty places, more of them near its beginning."""
    content = bytearray(content)
    for _ in range(random_.choice([1, 1, 2, 5, 20])):
        near = len(content) if random_.random() < 0.6 else 300
        place = random_.randrange(max(1, min(len(content), near)))
        kind = random_.randrange(6)
        if kind == 0:
            content[place:place + 1] = bytes([random_.randrange(256)])
        elif kind == 1:
            del content[place:place + random_.choice([1, 4, 30, 500])]
        elif kind == 2:
            content[place:place] = random_.choice(WORDS)
        elif kind == 3:
            content[place:place + random_.choice([1, 3, 10])] = random_.choice(WORDS)
        elif kind == 4:
            del content[place:]
        else:
            content[place:place] = content[place:place + random_.choice([4, 40, 400])]
    return bytes(content)


def read_or_refused(path):
    """The UserError's line, or None; the numbers of what is read are sound."""
    start_s = time.time()
    try:
        with np.errstate(all="ignore"):
            rows = read_face_rows(path, lambda line: None)
    except UserError as error:
        assert path.name in str(error)
        return str(error)
    finally:
        assert time.time() - start_s < LONGEST_S
    assert rows.weights.shape == (len(rows.times_s), len(rows.names)) and len(rows.times_s)
    assert np.isfinite(rows.weights).all() and np.isfinite(rows.times_s).all()
    assert (np.diff(rows.times_s) >= 0).all()
    return None


def damage(folder, name, seed, count):
    """How many of `count` damaged files of a format are refused."""
    random_, refused = random.Random("%s %d" % (name, seed)), 0
    whole, path = folder / FORMATS[name].file_name, folder / ("damaged_" + FORMATS[name].file_name)
    weights, names = golden_clip(12)
    FORMATS[name].write(whole, weights, names, 30)
    content = whole.read_bytes()
    for _ in range(count):
        path.write_bytes(damaged(content, random_))
        refused += read_or_refused(path) is not None
    return refused


@pytest.mark.parametrize("name", list(FORMATS))
def test_damaged_files(tmp_path, name):
    assert damage(tmp_path, name, 0, DAMAGED) > DAMAGED / 3


def damage_arrays(folder, seed, count):
    """How many of `count` .npz whose zip is whole and whose arrays are damaged are refused."""
    random_, refused = random.Random(seed), 0
    weights, names = golden_clip(12)
    write_npz(folder / "whole.npz", weights, names, 30)
    with zipfile.ZipFile(str(folder / "whole.npz")) as whole:
        arrays = {name: whole.read(name) for name in whole.namelist()}
    for _ in range(count):
        changed = dict(arrays)
        name = random_.choice(sorted(arrays))
        changed[name] = damaged(arrays[name][:300], random_) + arrays[name][300:]
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as written:
            for name, content in changed.items():
                written.writestr(name, content)
        (folder / "damaged.npz").write_bytes(held.getvalue())
        refused += read_or_refused(folder / "damaged.npz") is not None
    return refused


def test_damaged_arrays(tmp_path):
    assert damage_arrays(tmp_path, 0, DAMAGED) > DAMAGED / 3


@pytest.mark.parametrize("header", ["time\n", "time\n0\n0.1\n", "time,jawOpen\n", "timeCode,"
                                    "blendShapes.JawOpen\n", "time,frame\n0,1\n"])
def test_tables_without_rows_or_shapes(tmp_path, header):
    (tmp_path / "a.csv").write_text(header)
    assert read_or_refused(tmp_path / "a.csv")


@pytest.mark.parametrize("shape", [(10 ** 12, 52), (2 ** 62, 52), (0, 52), (-1, 52)])
def test_an_npz_that_claims_to_be_huge(tmp_path, shape):
    held = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        held, {"descr": "<f4", "fortran_order": False, "shape": shape})
    write_npz(tmp_path / "whole.npz", golden_clip(12)[0], golden_clip(12)[1], 30)
    with zipfile.ZipFile(str(tmp_path / "whole.npz")) as whole, \
            zipfile.ZipFile(str(tmp_path / "a.npz"), "w") as written:
        for name in whole.namelist():
            written.writestr(name, held.getvalue() if name == "weights.npy" else whole.read(name))
    assert read_or_refused(tmp_path / "a.npz")
