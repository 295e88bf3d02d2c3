"""What a run of run_voca.py imports: a second of sound should not wait for what it does not use."""
import json
import subprocess
import sys

from tests.helpers.paths import REPOSITORY
from utils.common.constants import DEFAULT_AUDIO
from utils.media.audio import read_audio, write_wav

# What takes long to import, of our requirements and of what TensorFlow looks for by itself.
HEAVY = ("cv2", "deepspeech", "h5py", "keras", "llvmlite", "matplotlib", "matplotlib.pyplot",
         "mediapipe", "moviepy", "numba", "numpy", "pandas", "python_speech_features", "resampy",
         "scipy", "tensorflow", "tensorflow_estimator", "websockets")
# curves.png is drawn, with matplotlib, by a process beside it.
USED = ["numpy", "tensorflow"]
PROGRAM = """
import json, sys
import run_voca
run_voca.main()
print(json.dumps(sorted(set(sys.modules) & set(%r))))
import h5py, scipy                      # what TensorFlow was not given can be had afterwards
"""


def test_a_run_without_preview_imports_what_it_uses(tmp_path):
    write_wav(str(tmp_path / "second.wav"), read_audio(DEFAULT_AUDIO)[8000:24000])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM % (HEAVY,), "--audio_fname", str(tmp_path / "second.wav"),
         "--out_path", str(tmp_path / "out"), "--no_preview"], cwd=REPOSITORY,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1]) == USED
