"""A .glb from its parts, and Khronos' judgement of one."""
import json
import os
import shutil
import struct
import subprocess

import pytest

VALIDATOR = """
const fs = require('fs'), validator = require(process.argv[1]);
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2]))).then(report =>
  console.log(JSON.stringify(report.issues)));
"""


def glb_bytes(document, binary=b"", after=b""):
    """A GLB of the two chunks, and of whole chunks behind them."""
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    content = struct.pack("<I4s", len(text), b"JSON") + text
    if binary:
        content += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    content += after
    return struct.pack("<4sII", b"glTF", 2, 12 + len(content)) + content


def khronos_issues(path):
    """The issues that npm's gltf-validator reports of a .glb; skips where node has none."""
    if shutil.which("node") is None:
        pytest.skip("needs node")
    folder = os.environ.get("GLTF_VALIDATOR", "gltf-validator")
    found = subprocess.run(["node", "-e", "require.resolve(process.argv[1])", folder],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if found.returncode:
        pytest.skip("needs npm's gltf-validator: GLTF_VALIDATOR=folder/node_modules/gltf-validator")
    return json.loads(subprocess.check_output(
        ["node", "-e", VALIDATOR, folder, str(path)]).decode())
