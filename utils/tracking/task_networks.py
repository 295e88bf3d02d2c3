"""The networks of MediaPipe's face_landmarker.task, opened for TensorFlow Lite."""
import collections
import os

import numpy as np

from utils.common.child_trial import death_of
from utils.common.errors import UserError
from utils.common.quiet_tensorflow import tflite_chatter_dropped
from utils.common.tflite_interpreter import run_once, tflite_interpreter
from utils.tracking.task_file import (NETWORK_FILES, TASK_SHA256, TASK_SOURCE, read_task,
                                      warn_if_unknown)

MOST_BYTES = 4 << 30                    # that a network may take: the known ones take 0.1 GB

# detector, landmarks, blendshapes: functions of one input that give the outputs, each flat.
Task = collections.namedtuple("Task", ["sha256"] + list(NETWORK_FILES))


def load_task(path, warn, **sizes):
    """The Task in the file `path`.

    Args:
      warn: called with a line on a version other than the known one.
      sizes: for "detector", "landmarks" and "blendshapes" each (shape of the input without
        its batch axis, sizes of the outputs in the order wanted).
    Raises UserError: missing, a folder, not such a file, damaged, networks of other sizes.
    """
    path = os.fspath(path)
    contents, sha256 = read_task(path)
    networks = {}
    for network, (input_shape, output_sizes) in sizes.items():
        name = NETWORK_FILES[network]
        content = contents[network]
        if sha256 == TASK_SHA256 or death_of(_run_once, content, most_bytes=MOST_BYTES) is None:
            networks[network] = _open(content, input_shape, output_sizes)
        if networks.get(network) is None:
            raise UserError("%s: its %s is not the network expected; take the file from %s"
                            % (path, name, TASK_SOURCE))
    warn_if_unknown(path, sha256, warn)
    return Task(sha256, **networks)


def _open(content, input_shape, output_sizes):
    """A function that runs the network; None where its sizes are others, or it cannot be run."""
    try:
        with tflite_chatter_dropped():
            interpreter = tflite_interpreter(model_content=content)
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


def _run_once(content):
    run_once(tflite_interpreter(model_content=content))
