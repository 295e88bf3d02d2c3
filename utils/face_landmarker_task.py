"""MediaPipe's face_landmarker.task: a zip of .tflite networks, opened for TensorFlow Lite."""
import collections
import hashlib
import io
import os
import sys
import zipfile

import numpy as np

from utils.errors import UserError
from utils.quiet_tensorflow import tf, tflite_chatter_dropped
from utils.tflite_file import is_tflite, is_whole

TASK_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
TASK_SOURCE = ("https://storage.googleapis.com/mediapipe-models/face_landmarker/"
               "face_landmarker/float16/1/face_landmarker.task")
LARGEST_TASK_BYTES = 64 << 20       # sixteen times the known file's size
NETWORK_FILES = collections.OrderedDict([
    ("detector", "face_detector.tflite"),
    ("landmarks", "face_landmarks_detector.tflite"),
    ("blendshapes", "face_blendshapes.tflite")])

# detector, landmarks, blendshapes: functions of one input that give the outputs, each flat.
Task = collections.namedtuple("Task", ["sha256"] + list(NETWORK_FILES))


def load_task(path, **sizes):
    """The Task in the file `path`.

    Args:
      sizes: for "detector", "landmarks" and "blendshapes" each (shape of the input without
        its batch axis, sizes of the outputs in the order wanted).
    Raises UserError: missing, a folder, not such a file, damaged, networks of other sizes.
    A version other than the known one is warned of on stderr.
    """
    path = os.fspath(path)
    contents, sha256 = _read(path)
    networks = {}
    for network, (input_shape, output_sizes) in sizes.items():
        name = NETWORK_FILES[network]
        networks[network] = _open(contents[network], input_shape, output_sizes)
        if networks[network] is None:
            raise UserError("%s: its %s is not the network expected; take the file from %s"
                            % (path, name, TASK_SOURCE))
    if sha256 != TASK_SHA256:
        print("warning: %s is not the known version (sha256 %s..., expected %s...); its labels "
              "may differ" % (path, sha256[:12], TASK_SHA256[:12]), file=sys.stderr)
    return Task(sha256, **networks)


def _read(path):
    """({network: bytes}, hex sha256 of the file)."""
    if os.path.isdir(path):
        raise UserError("%s is a folder; name the face_landmarker.task in it" % path)
    if not os.path.isfile(path):
        raise UserError("there is no file %s; download it from %s" % (path, TASK_SOURCE))
    if os.path.getsize(path) > LARGEST_TASK_BYTES:
        raise UserError("%s is no face_landmarker.task: far too large; download it from %s"
                        % (path, TASK_SOURCE))
    try:
        with open(path, "rb") as stream:
            whole = stream.read()
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    contents = {}
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as task:
            for network, name in NETWORK_FILES.items():
                contents[network] = task.read(name)
    except zipfile.BadZipFile:
        raise UserError("%s is no face_landmarker.task, or damaged; download it from %s"
                        % (path, TASK_SOURCE))
    except KeyError:
        raise UserError("%s has no %s in it: not a face_landmarker.task with blendshapes; "
                        "download it from %s" % (path, name, TASK_SOURCE))
    for network, content in contents.items():
        if not (is_tflite(content) and is_whole(content)):
            raise UserError("%s is damaged: its %s is not whole; download it from %s"
                            % (path, NETWORK_FILES[network], TASK_SOURCE))
    return contents, hashlib.sha256(whole).hexdigest()


def _open(content, input_shape, output_sizes):
    """A function that runs the network; None where its sizes are others."""
    try:
        with tflite_chatter_dropped():
            interpreter = tf.lite.Interpreter(model_content=content)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError):
        return None
    batch_shape = [1] + list(input_shape)
    inputs = interpreter.get_input_details()
    if [list(detail["shape"]) for detail in inputs] != [batch_shape]:
        return None
    # By size, since names differ between the networks; of two equal ones, the first by name
    # (the landmark network's face presence comes before a score of the tongue).
    outputs = sorted(interpreter.get_output_details(), key=lambda detail: detail["name"])
    sizes = [int(np.prod(detail["shape"])) for detail in outputs]
    if not set(output_sizes) <= set(sizes):
        return None
    output_indices = [outputs[sizes.index(size)]["index"] for size in output_sizes]
    input_index = inputs[0]["index"]

    def run(values):
        interpreter.set_tensor(input_index, np.asarray(values, np.float32).reshape(batch_shape))
        interpreter.invoke()
        return [interpreter.get_tensor(index).ravel() for index in output_indices]

    return run
