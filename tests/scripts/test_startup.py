"""What a run of run_voca.py imports: a second of sound should not wait for what it does not use."""
import json
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers.paths import REPOSITORY
from utils.common.constants import DEFAULT_AUDIO
from utils.common.quiet_tensorflow import tf
from utils.media.audio import read_audio, write_wav

# What takes long to import, of our requirements and of what TensorFlow looks for by itself.
HEAVY = ("cv2", "deepspeech", "h5py", "keras", "llvmlite", "matplotlib", "matplotlib.pyplot",
         "mediapipe", "moviepy", "numba", "numpy", "pandas", "python_speech_features", "resampy",
         "scipy", "tensorflow", "tensorflow_estimator", "websockets")
# Of TensorFlow 2.x's own parts, where it is imported by name.
HEAVY_PARTS = tuple("tensorflow.python." + part for part in (
    "data", "distribute.distribute_lib", "feature_column", "keras", "ops.image_ops",
    "ops.standard_ops", "saved_model.load", "training.saver"))
# curves.png is drawn, with matplotlib, by a process beside it.
USED = ["numpy", "tensorflow"]
PROGRAM = """
import json, sys
import run_voca
%s
run_voca.main()
print(json.dumps(sorted(set(sys.modules) & set(%r))))
import h5py, scipy                      # what TensorFlow was not given can be had afterwards
"""
of_2 = pytest.mark.skipif(tf.__version__.startswith("1."), reason="TensorFlow 1.15")


def run_of_a_second(folder, watched, before=""):
    """(those of the modules `watched` that a run imports, the weights it writes)."""
    write_wav(str(folder / "second.wav"), read_audio(DEFAULT_AUDIO)[8000:24000])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM % (before, watched), "--audio_fname",
         str(folder / "second.wav"), "--out_path", str(folder / "out"), "--no_preview"],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert (done.returncode, done.stderr) == (0, "")
    with np.load(str(folder / "out" / "blendshapes.npz")) as written:
        return json.loads(done.stdout.splitlines()[-1]), written["weights"]


def test_a_run_without_preview_imports_what_it_uses(tmp_path):
    assert run_of_a_second(tmp_path, HEAVY)[0] == USED


@of_2
@pytest.mark.parametrize("obstacle", [
    "tensorflow_by_name._try = None",               # a variable or an operator does not work
    "tensorflow_by_name.ORIGIN = re.compile('(x)(x)(x)')",          # files of another kind
    "os.environ['TF_PLUGGABLE_DEVICE_LIBRARY_PATH'] = ''"])
def test_tensorflow_is_imported_by_name_or_else_plainly(tmp_path, obstacle):
    parts, weights = run_of_a_second(tmp_path, HEAVY_PARTS)
    assert parts == []
    plainly = run_of_a_second(
        tmp_path, HEAVY_PARTS, "import os, re; from utils.common import tensorflow_by_name; "
        + obstacle)
    assert plainly[0] == sorted(HEAVY_PARTS)
    np.testing.assert_array_equal(plainly[1], weights)
