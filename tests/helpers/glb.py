"""GLB files for tests: made by hand, array by array, and damaged."""
import json
import struct


def glb_bytes(document, binary=b"", after=b""):
    """A GLB of the two chunks, and of whole chunks behind them."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    content = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        content += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    content += after
    return struct.pack("<4sII", b"glTF", 2, 12 + len(content)) + content
