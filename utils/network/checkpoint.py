"""Checkpoints: finding, reading by variable name, writing whole, and the record beside them.

A checkpoint `P.model` is the files P.model.data-00000-of-00001 and P.model.index, and beside
them P.model.json, the record that says how to run it. No .meta is needed or written. The index
is put in place last, so a checkpoint exists only when it is whole, whenever the process dies.
"""
import glob
import json
import os
import re
import shutil

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import (ANIMATION_FPS, FEATURE_PROFILES, MIN_WINDOW_FUTURE_FRAMES,
                                    PROFILE_DEEPSPEECH, PROFILE_REFERENCE, WINDOW_FRAMES,
                                    WINDOW_FUTURE_FRAMES)
from utils.common.errors import UserError
from utils.common.files import make_folder, path_in_utf8, write_json
from utils.common.quiet_tensorflow import tf

PUBLISHED_CHECKPOINT = "gstep_199800.model"
INDEX_SUFFIX = ".index"
DATA_SUFFIX = ".data-00000-of-00001"
RECORD_SUFFIX = ".json"
ASIDE_PREFIX = ".part-"
STEP_NAME = re.compile(r"^gstep_(\d+)\.model$")

RECORD_KEYS = ("feature_profile", "acoustic_graph", "channels", "fps", "window_frames", "config",
               "data_fingerprint", "package_versions", "step", "window_future_frames")
NEEDED_RECORD_KEYS = RECORD_KEYS[:5]        # what running a checkpoint takes

# What the readers of TensorFlow 1.15 and 2.x raise on a file that is damaged or something else.
READ_ERRORS = (tf.errors.OpError, ValueError, RuntimeError, IndexError)


def resolve_checkpoint(path):
    """The prefix of the checkpoint that `path` means: a prefix, one of its files, or a folder.

    Of a folder it is the one with the highest step. Raises UserError where there is none.
    """
    if os.path.isdir(path):
        return _checkpoint_of_folder(path)
    prefix = re.sub(r"\.(index|json|meta|data-\d+-of-\d+)$", "", path)
    if os.path.isfile(prefix + INDEX_SUFFIX):
        if not glob.glob(glob.escape(prefix) + ".data-*-of-*"):
            raise UserError("%s%s is missing beside %s%s; a checkpoint needs both files"
                            % (prefix, DATA_SUFFIX, os.path.basename(prefix), INDEX_SUFFIX))
        return prefix
    if os.path.basename(prefix) == PUBLISHED_CHECKPOINT:
        raise UserError(
            "checkpoint %s is missing (%s%s, %s%s): it belongs to the published VOCA-52 release "
            "and is not part of this repository; download it from the link in that release's "
            "README and put its files there, or leave out --tf_model_fname to run the embedded "
            "default" % (prefix, PUBLISHED_CHECKPOINT, INDEX_SUFFIX, PUBLISHED_CHECKPOINT,
                         DATA_SUFFIX))
    raise UserError("checkpoint %s is missing: there is no %s%s; give the prefix (NAME.model), "
                    "the .index file or the folder of a checkpoint" % (path, prefix, INDEX_SUFFIX))


def _checkpoint_of_folder(folder):
    steps = list_checkpoints(folder)
    if steps:
        return steps[-1][1]
    others = sorted(glob.glob(os.path.join(glob.escape(folder), "*" + INDEX_SUFFIX)))
    if len(others) == 1:
        return resolve_checkpoint(others[0])
    raise UserError("the folder %s holds %s; give the prefix of one (NAME.model)" % (
        folder, "no checkpoint (no *.index file)" if not others else
        "several checkpoints: " + ", ".join(os.path.basename(other) for other in others)))


def list_checkpoints(folder):
    """[(step, prefix)] of the whole gstep_<step>.model checkpoints in `folder`, by step."""
    found = []
    for path in glob.glob(os.path.join(glob.escape(folder), "gstep_*.model" + INDEX_SUFFIX)):
        prefix = path[:-len(INDEX_SUFFIX)]
        match = STEP_NAME.match(os.path.basename(prefix))
        if match and glob.glob(glob.escape(prefix) + ".data-*-of-*"):
            found.append((int(match.group(1)), prefix))
    return sorted(found)


def _reader(prefix):
    try:
        return tf.train.NewCheckpointReader(path_in_utf8(prefix))
    except READ_ERRORS as error:
        raise _unreadable(prefix, error)


def _unreadable(prefix, error):
    return UserError("cannot read checkpoint %s: it is no TensorFlow checkpoint, or was cut short "
                     "in copying (%s); copy its files again"
                     % (prefix, str(error).strip().split("\n")[0][:200]))


def variable_shapes(prefix):
    """{variable name: list of axes} of the checkpoint at `prefix`."""
    return {name: list(shape)
            for name, shape in _reader(prefix).get_variable_to_shape_map().items()}


def load_variables(prefix, expected_shapes):
    """{name: array} for each name of `expected_shapes` ({name: list of axes}).

    Raises UserError naming the first variable that the checkpoint lacks or has in another shape.
    """
    reader = _reader(prefix)
    shapes = reader.get_variable_to_shape_map()
    for name in sorted(expected_shapes):
        if name not in shapes:
            raise UserError(
                "checkpoint %s has no variable %s (expected shape %s); it holds %s; give a "
                "checkpoint of this network" % (prefix, name, expected_shapes[name],
                                                _some_names(shapes)))
        if list(shapes[name]) != list(expected_shapes[name]):
            raise UserError(
                "checkpoint %s: variable %s has shape %s, expected %s; give a checkpoint of this "
                "network" % (prefix, name, list(shapes[name]), list(expected_shapes[name])))
    try:
        return {name: reader.get_tensor(name) for name in expected_shapes}
    except READ_ERRORS as error:
        raise _unreadable(prefix, error)


def _some_names(shapes):
    names = sorted(shapes)
    return "%s%s" % (", ".join(names[:3]) or "nothing", " ..." if len(names) > 3 else "")


def read_checkpoint_info(prefix):
    """The record beside the checkpoint, checked; without one, the published system's.

    Returns a dictionary with RECORD_KEYS; keys that only document (config, data_fingerprint,
    package_versions, step) are None where the record lacks them. acoustic_graph is
    {"name": ..., "sha256": {file name: hex}}, or None where it is not known.
    """
    path = prefix + RECORD_SUFFIX
    info = dict(dict.fromkeys(RECORD_KEYS), window_future_frames=WINDOW_FUTURE_FRAMES)
    if not os.path.isfile(path):
        info.update(feature_profile=PROFILE_REFERENCE, channels=list(MODEL_CHANNELS),
                    fps=ANIMATION_FPS, window_frames=WINDOW_FRAMES)
        return info
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except (ValueError, OSError, RecursionError) as error:
        raise UserError("%s cannot be read (%s); put back the file that came with the checkpoint, "
                        "or remove it to run the checkpoint as a published one" % (path, error))
    _check_info(found, path)
    info.update(found)
    return info


def style_weights(prefix, style):
    """[num_styles] of the style called `style` in the checkpoint's record; None for no style.

    Raises UserError for a style that the checkpoint was not trained with.
    """
    if style is None:
        return None
    styles = (read_checkpoint_info(prefix)["config"] or {}).get("subject_styles") or []
    if style not in styles:
        raise UserError("checkpoint %s has %s, and none called %s: %s" % (
            prefix, "the styles " + ", ".join(styles) if styles else "no styles", style,
            "give one of those to --style" if styles else "leave out --style"))
    return [float(name == style) for name in styles]


def _check_info(info, path):
    missing = ([key for key in NEEDED_RECORD_KEYS if key not in info]
               if isinstance(info, dict) else list(NEEDED_RECORD_KEYS))
    if missing:
        raise UserError("%s lacks %s; put back the file that came with the checkpoint"
                        % (path, ", ".join(missing)))

    def expect(key, holds, expected):
        if not holds:
            raise UserError("%s: %s is %.100r, expected %s; put back the file that came with the "
                            "checkpoint" % (path, key, info[key], expected))

    expect("feature_profile", info["feature_profile"] in FEATURE_PROFILES,
           "one of " + ", ".join(FEATURE_PROFILES))
    graph = info["acoustic_graph"]
    expect("acoustic_graph", graph is None or (
        isinstance(graph, dict) and isinstance(graph.get("sha256"), dict)),
        "a name and the sha256 of its files, or null")
    channels = info["channels"]
    expect("channels", isinstance(channels, list) and sorted(map(str, channels))
           == sorted(MODEL_CHANNELS), "the %d ARKit blendshape names" % len(MODEL_CHANNELS))
    expect("fps", isinstance(info["fps"], (int, float)) and info["fps"] == ANIMATION_FPS,
           "%d, the rate of this network" % ANIMATION_FPS)
    expect("window_frames", info["window_frames"] == WINDOW_FRAMES,
           "%d, the window of this network" % WINDOW_FRAMES)
    future = info.get("window_future_frames", WINDOW_FUTURE_FRAMES)     # older records lack it
    lowest = (MIN_WINDOW_FUTURE_FRAMES if info["feature_profile"] == PROFILE_DEEPSPEECH
              else WINDOW_FUTURE_FRAMES)
    expect("window_future_frames", type(future) is int
           and lowest <= future <= WINDOW_FUTURE_FRAMES,
           "a whole number from %d to %d" % (lowest, WINDOW_FUTURE_FRAMES))


def write_checkpoint_info(prefix, info):
    """Write the record beside the checkpoint; raises UserError where it would not read back."""
    path = prefix + RECORD_SUFFIX
    _check_info(info, path)
    write_json(path, info)


def save_checkpoint(session, saver, prefix, info):
    """Write the variables of `saver` and the record `info` as the checkpoint `prefix`.

    Everything is written to a folder aside in the same file system, then renamed, the index
    last: killed at any point, this leaves the whole checkpoint or none. A checkpoint that stood
    at `prefix` is taken away first (training never saves a step twice).
    """
    folder, name = os.path.split(os.path.abspath(prefix))
    make_folder(folder)
    aside = os.path.join(folder, "%s%d-%s" % (ASIDE_PREFIX, os.getpid(), name))
    try:
        os.makedirs(aside, exist_ok=True)
        saver.save(session, path_in_utf8(os.path.join(aside, name)), write_meta_graph=False,
                   write_state=False)
        write_checkpoint_info(os.path.join(aside, name), info)
        delete_checkpoint(prefix)
        for suffix in (DATA_SUFFIX, RECORD_SUFFIX, INDEX_SUFFIX):
            os.replace(os.path.join(aside, name + suffix), prefix + suffix)
    except (OSError, tf.errors.OpError) as error:
        raise UserError("cannot write the checkpoint %s: %s; free the space or set another "
                        "checkpoint_dir" % (prefix, _reason(error)))
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _reason(error):
    """The system's words in an error of writing; TensorFlow's hold 'PATH; REASON' in a line."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    found = [line for line in str(error).split("\n") if "; " in line]
    return found[0].split("; ")[-1] if found else str(error).split("\n")[0]


def delete_checkpoint(prefix):
    """Remove the files of a checkpoint, the index first; nothing where there are none."""
    rest = sorted(glob.glob(glob.escape(prefix) + ".data-*-of-*"))
    for path in [prefix + INDEX_SUFFIX] + rest + [prefix + ".meta", prefix + RECORD_SUFFIX]:
        if os.path.isfile(path):
            os.remove(path)


def remove_torn_checkpoints(folder):
    """Clear what a killed run left in `folder`: parts written aside, data without an index."""
    for path in glob.glob(os.path.join(glob.escape(folder), ASIDE_PREFIX + "*")):
        shutil.rmtree(path, ignore_errors=True)
    for path in glob.glob(os.path.join(glob.escape(folder), "gstep_*.model" + DATA_SUFFIX)):
        prefix = path[:-len(DATA_SUFFIX)]
        if not os.path.isfile(prefix + INDEX_SUFFIX):
            delete_checkpoint(prefix)
