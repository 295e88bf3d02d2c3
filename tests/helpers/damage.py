"""Damage for readers, drawn by hypothesis: bytes anywhere, and entries of a file's structure.

An edit is one whole number, so that hypothesis is quick and can make an example small; where it
is made, its kind and what is put there are digits of it.
"""
import copy
import io
import json
import zipfile

from hypothesis import strategies as st

from tests.helpers.glb import glb_bytes
from tests.helpers.strict_readers import glb_parts

WORDS = [b"null", b"-1", b"1e999", b"NaN", b"[", b"]", b"{", b"}", b'"', b",", b":", b"0", b"true",
         b"99999999999999999999", b"\xff", b"\0", b"-", b".", b"e5", b"[]", b"{}", b'""', b"\n",
         b";", b"9" * 400, b"[" * 3000, b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\xc0\x7f",
         b"\r", b"'", b"00:00:00:00", b"24:61:61:99.999", b"1e-320", b"\xef\xbb\xbf", b"\xff\xfe"]
# Of JSON: values of every kind, numbers of every size, names that mean something.
STRANGE = [json.loads(text) for text in (
    "null", "true", "-1", "0", "1", "2", "7", "100", "2147483648", "18446744073709551616", "1.5",
    "1e308", "-1e308", "1e-320", '""', '"jawOpen"', '"VEC3"', '"\\ud800"', '"1"', "[]", "{}",
    "[[]]", "[{}]", '{"a": 1}', "5126", "[null, null, null, null, null]")] + [
        10 ** 400, [[[[[[[[]]]]]]]], float("nan"), float("inf")]
CELLS = [b"", b" ", b"nan", b"inf", b"-inf", b"1e999", b"-1", b"99", b"1e308", b"1,5", b"x",
         b"\xff", b"0" * 400, b"9" * 400, b"\0", b'"', b'""', b"00:00:00:00.000", b"23:59:59:59.999", b"1:2",
         b"JawOpen", b"timecode", b"time", b"1e-320", b"-0", b"0x10", b"1_0", b"\xd9\xa3"]

NUM_KINDS, NUM_WORDS = 6, 256
# Of a file's structure where the first number is odd, else of its bytes.
EDITS = st.lists(st.integers(0, 2 ** 44), min_size=2, max_size=8)


def damaged(content, extension, edits):
    """The bytes of a file with EDITS made in it; the extension says what its structure is."""
    of_structure = edits[0] % 2 and extension in STRUCTURES
    edits = [(edit // NUM_KINDS // NUM_WORDS, edit % NUM_KINDS, edit // NUM_KINDS % NUM_WORDS)
             for edit in edits[1:]]
    if of_structure:
        return STRUCTURES[extension](content, edits)
    content = bytearray(content)
    for where, kind, word in edits:
        _edit_bytes(content, where, kind, word)
    return bytes(content)


def _edit_bytes(content, where, kind, word):
    near = len(content) if where % 5 < 3 else 300           # more of them near the beginning
    place = where // 5 % max(1, min(len(content), near))
    if kind == 0:
        content[place:place + 1] = bytes([word])
    elif kind == 1:
        del content[place:place + (1, 4, 30, 500)[word % 4]]
    elif kind == 2:
        content[place:place] = WORDS[word % len(WORDS)]
    elif kind == 3:
        content[place:place + (1, 4, 10)[word % 3]] = WORDS[word // 3 % len(WORDS)]
    elif kind == 4:
        del content[place:]
    else:
        content[place:place] = content[place:place + (4, 40, 400)[word % 3]]


def _edited_json(document, edits):
    for where, kind, word in edits:
        if not isinstance(document, (dict, list)) or not document:
            return copy.deepcopy(STRANGE[word % len(STRANGE)])
        node = document
        while isinstance(node, (dict, list)) and node:
            parent, key = node, where % len(node)
            key = sorted(node)[key] if isinstance(node, dict) else key
            where, node = where // len(node), node[key]
            if where % 5 == 0:                              # an inner entry, not always a leaf
                break
            where //= 5
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        elif kind == 2 and isinstance(parent, dict):
            parent[key.swapcase() if word % 2 else "x" + key] = parent.pop(key)
        else:
            parent[key] = copy.deepcopy(STRANGE[word % len(STRANGE)])
    return document


def _json(content, edits):
    return json.dumps(_edited_json(json.loads(content.decode()), edits)).encode()


def _glb(content, edits):
    document, binary = glb_parts(content)
    document = _edited_json(document, [edit for edit in edits if edit[0] % 4])
    binary = bytearray(binary)
    for where, kind, word in edits:
        if where % 4 == 0:
            _edit_bytes(binary, where, kind, word)
    return glb_bytes(document, bytes(binary) + bytes(-len(binary) % 4))


def _csv(content, edits):
    rows = [line.split(b",") for line in content.split(b"\n")]
    for where, kind, word in edits:
        row = rows[where // 3 % len(rows) if where % 3 else 0]
        place = where // 1000 % max(1, len(row))
        if kind == 0:
            del row[place:place + 1]
        elif kind == 1:
            row.insert(place, CELLS[word % len(CELLS)])
        elif kind == 2:
            rows.insert(where // 7 % len(rows), list(row))
        elif kind == 3:
            rows.remove(row)
            rows = rows or [[]]
        elif row:
            row[place] = CELLS[word % len(CELLS)]
    return b"\n".join(b",".join(row) for row in rows)


def _npz(content, edits):
    """The zip is whole; the arrays in it are not."""
    with zipfile.ZipFile(io.BytesIO(content)) as whole:
        arrays = {name: bytearray(whole.read(name)) for name in whole.namelist()}
    for where, kind, word in edits:
        _edit_bytes(arrays[sorted(arrays)[where % len(arrays)]], where, kind, word)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as written:
        for name, array in arrays.items():
            written.writestr(name, bytes(array))
    return held.getvalue()


STRUCTURES = {".json": _json, ".glb": _glb, ".vrma": _glb, ".csv": _csv, ".npz": _npz}
