"""MediaPipe's face_landmarker.task, the file: a zip of three .tflite networks, checked."""
import collections
import hashlib
import io
import os
import struct
import zipfile
import zlib

from utils.common.errors import UserError
from utils.common.tflite_file import is_tflite, is_whole

TASK_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
TASK_SOURCE = ("https://storage.googleapis.com/mediapipe-models/face_landmarker/"
               "face_landmarker/float16/1/face_landmarker.task")
LARGEST_TASK_BYTES = 64 << 20       # sixteen times the known file's size
NETWORK_FILES = collections.OrderedDict([
    ("detector", "face_detector.tflite"),
    ("landmarks", "face_landmarks_detector.tflite"),
    ("blendshapes", "face_blendshapes.tflite")])


def read_task(path):
    """({network: bytes}, hex sha256 of the file).

    Raises UserError: missing, a folder, not such a file, damaged.
    """
    path = os.fspath(path)
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
                if task.getinfo(name).file_size > LARGEST_TASK_BYTES:
                    raise zipfile.BadZipFile()
                contents[network] = task.read(name)
    # What zipfile raises on damage: also of the packing, and of a password.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError,
            ValueError, struct.error):
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


def warn_if_unknown(path, sha256, warn):
    """Call `warn` with a line where the file is another than the one that was tested."""
    if sha256 != TASK_SHA256:
        warn("%s is not the known version (sha256 %s..., expected %s...); its labels may differ"
             % (path, sha256[:12], TASK_SHA256[:12]))
