"""GLB files for tests: made by hand, array by array, and damaged."""
import json
import struct

import numpy as np

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


def glb_bytes(document, binary=b"", after=b""):
    """A GLB of the two chunks, and of whole chunks behind them."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    content = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        content += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    content += after
    return struct.pack("<4sII", b"glTF", 2, 12 + len(content)) + content


class GlbWriter(object):
    """Collects arrays and the JSON that tells of them.

    document: glTF's JSON, to be filled by the test; `add` appends accessors and buffer views.
    """

    def __init__(self):
        self.binary = b""
        self.document = {"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}],
                         "nodes": [{"mesh": 0}], "meshes": [], "accessors": [], "bufferViews": []}

    def view(self, content, **more):
        """A buffer view of these bytes; its place."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        self.document["bufferViews"].append(dict(
            {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(content)}, **more))
        self.binary += content
        return len(self.document["bufferViews"]) - 1

    def add(self, values, dtype, stride=0, **more):
        """An accessor of values [n] or [n, k]; its place. stride: bytes from one to the next."""
        values = np.asarray(values).astype("<" + dtype)
        width = values[0].size
        rows = [row.tobytes() for row in values]
        content = b"".join(row + b"\xff" * (stride - len(row)) for row in rows)
        view = self.view(content, **({"byteStride": stride} if stride else {}))
        return self.accessor(dict({"bufferView": view, "componentType": COMPONENTS[dtype],
                                   "count": len(values), "type": KINDS[width]}, **more))

    def accessor(self, content):
        self.document["accessors"].append(content)
        return len(self.document["accessors"]) - 1

    def sparse(self, count, places, values, dtype):
        """An accessor [count, 3] of zeros with values [k, 3] at places [k], without a base."""
        return self.accessor({
            "componentType": COMPONENTS[dtype], "count": count, "type": "VEC3",
            "sparse": {"count": len(places), "indices": {
                "bufferView": self.view(np.asarray(places, "<u2").tobytes()),
                "componentType": 5123},
                "values": {"bufferView": self.view(np.asarray(values, "<" + dtype).tobytes())}}})

    def mesh(self, *primitives, **more):
        self.document["meshes"].append(dict({"primitives": list(primitives)}, **more))

    def content(self):
        self.document["buffers"] = [{"byteLength": len(self.binary)}]
        return glb_bytes(self.document, self.binary + b"\0" * (-len(self.binary) % 4))
