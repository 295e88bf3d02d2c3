"""Blender's own import of face.glb: the golden clip on its shape keys, sides and times.

    BLENDER_PYTHON=venv/bin/python python -m pytest tests/formats/test_blender.py

BLENDER_PYTHON: a Python 3.11 with the package bpy. Skips without it.
"""
import json
import os
import subprocess

import numpy as np
import pytest

from tests.formats.golden_clip import golden_clip
from utils.formats.gltf import write_glb

# Frame i of the clip is Blender's frame i: its importer puts 0 s at frame 0 and goes by the
# scene's whole rate. It leaves out the rate's base: in a scene of 29.97, which is 30 over 1.001,
# the face would run late by a thousandth, and that is why only whole rates are tried.
IMPORT = """
import bpy, json, sys
path, fps, num_frames = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = fps
bpy.ops.import_scene.gltf(filepath=path)
meshes = [mesh for mesh in bpy.data.objects if mesh.type == "MESH" and mesh.data.shape_keys]
frames = []
for frame in range(num_frames):
    scene.frame_set(frame)
    frames.append([{key.name: key.value for key in mesh.data.shape_keys.key_blocks[1:]}
                   for mesh in meshes])
print("FRAMES " + json.dumps(frames))
"""


@pytest.fixture
def blender():
    python = os.environ.get("BLENDER_PYTHON")
    if not python:
        pytest.skip("needs BLENDER_PYTHON=a Python 3.11 with the package bpy")

    def imported(path, fps, num_frames):
        out = subprocess.check_output([python, "-c", IMPORT, str(path), str(fps), str(num_frames)],
                                      stderr=subprocess.STDOUT).decode()
        return json.loads(out[out.index("FRAMES ") + 7:].splitlines()[0])
    return imported


@pytest.mark.parametrize("fps", [24, 25, 30, 60])
def test_blender_shows_the_clip(tmp_path, blender, fps):
    weights, names = golden_clip(40)
    write_glb(tmp_path / "face.glb", weights, names, fps)
    frames = blender(tmp_path / "face.glb", fps, 40)
    assert len(frames) == 40 and frames[0]
    for frame, meshes in enumerate(frames):
        for shapes in meshes:
            assert set(shapes) == set(names)
            np.testing.assert_allclose([shapes[name] for name in names], weights[frame],
                                       atol=2e-4, err_msg="frame %d" % frame)
