"""training_config.cfg: one table of its keys, and reading and writing the file by it.

A file must have every key that the published file always has and that changes what is learnt
(`required` in the table). Paths, and the keys that the published file does not know, take their
defaults where they are absent, so that a published file loads as it is.
"""
import collections
import configparser
import difflib
import os

from utils.common.constants import (DEFAULT_GRAPH, DEFAULT_TRAINING_DATA, FEATURE_PROFILES,
                                    MIN_WINDOW_FUTURE_FRAMES, NUM_BLENDSHAPES, NUM_LETTERS,
                                    PROFILE_DEEPSPEECH, PROFILE_REFERENCE, REPOSITORY,
                                    WINDOW_FRAMES, WINDOW_FUTURE_FRAMES)
from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.dataset.published_files import INDEX_NAME, LABELS_NAME, RAW_AUDIO_NAME

CONFIG_NAME = "training_config.cfg"

IO, AUDIO, MODEL = "Input Output", "Audio Parameters", "Model Parameters"
DATA, LEARNING, PICTURES = "Data Setup", "Learning Parameters", "Visualization Parameters"
SECTIONS = (IO, AUDIO, MODEL, DATA, LEARNING, PICTURES)
SCHEDULES = ("exponential", "cosine")

# kind: path, choice, int, float, bool, names, names_or_none, or old (read and ignored).
# allowed: a tuple of values for choice, (least, greatest) for int and float, else None.
Key = collections.namedtuple("Key", "section name kind default allowed required comment")

_TRAINING_NAMES = tuple("%d.mp4" % number for number in range(1, 11))

CONFIG = (
    Key(IO, "checkpoint_dir", "path", "./training", None, False,
        "folder of the run: checkpoints/, summaries/ and the cached speech features"),
    Key(IO, "deepspeech_graph_fname", "path", DEFAULT_GRAPH, None, False,
        "DeepSpeech 0.5.0 graph (.tflite or .pb) that makes the speech features"),
    Key(IO, "training_data_path", "path", DEFAULT_TRAINING_DATA, None, False,
        "folder of NAME.mp4 with NAME.csv (Live Link Face); used where raw_audio_path is absent"),
    Key(IO, "verts_mmaps_path", "path", DEFAULT_TRAINING_DATA + "/" + LABELS_NAME, None, False,
        "published data: blendshape weights, float32 [frames, 40 or 52, 1], 30 fps"),
    Key(IO, "raw_audio_path", "path", DEFAULT_TRAINING_DATA + "/" + RAW_AUDIO_NAME, None, False,
        "published data: sound of the subjects; where this file exists it is what is trained on"),
    Key(IO, "processed_audio_path", "path", "", None, False,
        "published data: cache of speech features to use as it is; may be empty"),
    Key(IO, "templates_path", "old", "./training_data/templates.pkl", None, False,
        "not used; kept so that published files load"),
    Key(IO, "data2array_verts_path", "path", DEFAULT_TRAINING_DATA + "/" + INDEX_NAME, None, False,
        "published data: which row of verts_mmaps_path each frame of a subject is"),

    Key(AUDIO, "audio_feature_type", "choice", "deepspeech", ("deepspeech",), True,
        "what the speech features are made with"),
    Key(AUDIO, "num_audio_features", "choice", NUM_LETTERS, (NUM_LETTERS,), True,
        "features per frame: DeepSpeech's 28 letters and its blank"),
    Key(AUDIO, "audio_window_size", "choice", WINDOW_FRAMES, (WINDOW_FRAMES,), True,
        "frames of features (at 30 fps) that one output frame sees"),
    Key(AUDIO, "audio_window_stride", "choice", 1, (1,), True,
        "frames from one window to the next"),
    Key(AUDIO, "condition_speech_features", "old", "False", None, False,
        "not used; kept so that published files load"),
    Key(AUDIO, "speech_encoder_size_factor", "float", 1.0, (0.1, 8.0), True,
        "scales the filters of the convolutions"),
    Key(AUDIO, "feature_profile", "choice", PROFILE_DEEPSPEECH, FEATURE_PROFILES, False,
        "deepspeech: features as DeepSpeech's own client makes them; reference: those of the "
        "published checkpoint"),
    Key(AUDIO, "window_future_frames", "int", WINDOW_FUTURE_FRAMES,
        (MIN_WINDOW_FUTURE_FRAMES, WINDOW_FUTURE_FRAMES), False,
        "frames of the window after the output frame; with fewer, live frames come sooner"),

    Key(AUDIO, "augmented_copies", "int", 0, (0, 20), False,
        "copies of each training subject to learn from besides it, at another speed, pitch and "
        "level, with noise and echo; 0 = none"),
    Key(AUDIO, "letter_mask_rate", "float", 0.0, (0.0, 0.9), False,
        "share of the letters that are masked in each window in training"),

    Key(MODEL, "num_vertices", "choice", NUM_BLENDSHAPES, (NUM_BLENDSHAPES,), True,
        "blendshape weights per frame"),
    Key(MODEL, "expression_dim", "int", 50, (1, 1000), True,
        "units of the layer before the blendshapes"),
    Key(MODEL, "init_expression", "old", "False", None, False,
        "not used; kept so that published files load"),
    Key(MODEL, "num_consecutive_frames", "int", 2, (1, 16), True,
        "consecutive frames per index of a batch; velocity needs 2, acceleration 3"),
    Key(MODEL, "absolute_reconstruction_loss", "bool", False, None, True,
        "True: absolute differences in the losses; False: squared ones"),
    Key(MODEL, "velocity_weight", "float", 10.0, (0.0, 1e6), True,
        "weight of the frame-to-frame motion in the loss"),
    Key(MODEL, "acceleration_weight", "float", 0.0, (0.0, 1e6), True,
        "weight of the change of motion in the loss; above 0 it needs num_consecutive_frames 3"),
    Key(MODEL, "verts_regularizer_weight", "float", 0.0, (0.0, 1e6), True,
        "weight of the mean size of the blendshape weights in the loss"),
    Key(MODEL, "label_standardisation", "bool", False, None, False,
        "True: the error of each channel is divided by the deviation of its training labels"),
    Key(MODEL, "start_at_mean", "bool", False, None, False,
        "True: the first weights give the mean of the training labels, not 0.5"),
    Key(MODEL, "closure_weight", "float", 0.0, (0.0, 1e6), False,
        "weight in the loss, besides 1, of the frames where the lips are closed in speech"),
    Key(MODEL, "opening_weight", "float", 0.0, (0.0, 1e6), False,
        "weight of the error of jawOpen - mouthClose in the loss"),
    Key(MODEL, "subject_styles", "names_or_none", (), None, False,
        "styles to tell speakers apart by: a subject has the one that its name begins with; "
        "empty = none"),

    Key(DATA, "subject_for_training", "names", _TRAINING_NAMES, None, True,
        "subjects to learn from, separated by spaces (by commas where a name has a space)"),
    Key(DATA, "subject_for_validation", "names", ("11.mp4",), None, True,
        "subjects that are only measured on"),

    Key(LEARNING, "batch_size", "int", 64, (1, 65536), True,
        "indices per step; each brings num_consecutive_frames frames"),
    Key(LEARNING, "learning_rate", "float", 1e-4, (1e-9, 1.0), True,
        "step size of Adam"),
    Key(LEARNING, "decay_rate", "float", 1.0, (1e-6, 1.0), True,
        "factor on the learning rate after each epoch; 1 = constant"),
    Key(LEARNING, "learning_rate_schedule", "choice", SCHEDULES[0], SCHEDULES, False,
        "exponential: decay_rate once an epoch; cosine: down to 0 at the last epoch"),
    Key(LEARNING, "warmup_steps", "int", 0, (0, 10 ** 9), False,
        "steps over which the learning rate rises from 0"),
    Key(LEARNING, "epoch_num", "int", 100, (1, 1000000), True,
        "passes over the training subjects"),
    Key(LEARNING, "adam_beta1_value", "float", 0.9, (0.0, 0.999999), True,
        "Adam's decay of the gradient's mean"),
    Key(LEARNING, "weight_average_decay", "float", 0.0, (0.0, 0.999999), False,
        "decay per step of the average of the weights that is validated and saved; 0 = the "
        "weights themselves"),
    Key(LEARNING, "random_seed", "int", 0, (0, 2 ** 31 - 1), False,
        "of the first weights and of the shuffling"),
    Key(LEARNING, "checkpoint_interval", "int", 500, (1, 10 ** 9), False,
        "steps between checkpoints; a killed run loses at most these"),

    Key(PICTURES, "num_render_sequences", "int", 3, (0, 20), True,
        "pictures of predicted against true curves at a time in TensorBoard, 5 s each; 0 = none"),
    Key(PICTURES, "curves_interval", "int", 20, (1, 1000000), False,
        "epochs between those pictures"),
)


# Keys of earlier versions, {name: section}: none made a measurable difference on a real face. A
# file may still name them where they are off.
REMOVED = {"time_mask_rate": AUDIO, "feature_noise": AUDIO, "region_weights": MODEL,
           "dropout_rate": MODEL}

# What learns a real face best (docs/training.md): options beside the defaults above, which are
# the published system's. The network stays the published one.
RECIPE = collections.OrderedDict([
    ("learning_rate", 2e-3), ("learning_rate_schedule", "cosine"), ("warmup_steps", 500),
    ("label_standardisation", True), ("start_at_mean", True),
    ("absolute_reconstruction_loss", True), ("velocity_weight", 1.0), ("opening_weight", 1.0),
    ("augmented_copies", 1)])


class Config(object):
    """The values of a config: one attribute per key of CONFIG that is not old.

    Args:
      values: {key name: value}; what is left out takes its default.
    """

    def __init__(self, **values):
        for key in CONFIG:
            if key.kind != "old":
                is_list = key.kind in ("names", "names_or_none")
                default = list(key.default) if is_list else key.default
                setattr(self, key.name, values.pop(key.name, default))
        if values:
            raise TypeError("no config keys: %s" % ", ".join(sorted(values)))

    def to_dict(self):
        """{key name: value}, in the table's order."""
        return {key.name: getattr(self, key.name) for key in CONFIG if key.kind != "old"}


def allowed_text(key):
    """What `key` takes, in words."""
    if key.kind == "choice":
        return " or ".join(str(value) for value in key.allowed)
    if key.kind in ("int", "float"):
        return "%s from %g to %g" % ("a whole number" if key.kind == "int" else "a number",
                                     key.allowed[0], key.allowed[1])
    return {"path": "a path", "bool": "True or False", "names": "one or more names",
            "names_or_none": "names, or nothing", "old": "anything"}[key.kind]


def _value_text(value):
    if isinstance(value, (list, tuple)):
        if any(" " in name for name in value):
            return ", ".join(value) + ("," if len(value) == 1 else "")
        return " ".join(value)
    return str(value)


def config_text(config=None):
    """The file's text with a comment for each key, of `config` or of the defaults."""
    values = (config or Config()).to_dict()
    lines = ["# Written by config_parser.py. Paths are relative to the folder that training is",
             "# started in. A line that starts with # is a comment."]
    for section in SECTIONS:
        keys = [key for key in CONFIG if key.section == section]
        kept = [key for key in keys if is_kept_for_published_files(key)]
        lines += ["", "[%s]" % section]
        for key in [key for key in keys if key not in kept] + kept:
            if key in kept[:1]:
                lines += ["", "# ---- kept for published files: nothing to choose here"]
            allowed = "" if key.kind in ("path", "old") else " (%s)" % allowed_text(key)
            value = _value_text(values.get(key.name, key.default))
            lines += ["# %s%s" % (key.comment, allowed), ("%s = %s" % (key.name, value)).rstrip()]
    return "\n".join(lines) + "\n"


def is_kept_for_published_files(key):
    """Whether a key leaves no choice: it is ignored, or has one allowed value.

    Such keys stay in their published sections, where other readers look for them.
    """
    return key.kind == "old" or key.kind == "choice" and len(key.allowed) == 1


def write_config(path, config=None):
    """Write `config`, or the defaults, to `path`, in place of what stood there."""
    with written_aside(path) as aside, open(
            aside, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(config_text(config))


def write_default_config(path, force=False):
    """Write the defaults to `path`, but never over an edited file unless `force`.

    Returns "written", "unchanged" (the file was there with this text) or "replaced". Raises
    UserError for a file with other text.
    """
    if not os.path.lexists(path):
        write_config(path)
        return "written"
    if os.path.isfile(path):
        with open(path, "rb") as stream:
            if stream.read().decode("utf-8", "replace").replace("\r\n", "\n") == config_text():
                return "unchanged"
        if force:
            write_config(path)
            return "replaced"
        raise UserError("%s exists and is not the default file: it was edited, or comes from "
                        "another version; keep it, or replace it with --force" % path)
    raise UserError("%s is not a file; give another --config" % path)


def read_config(path):
    """The Config of the file at `path`.

    Raises UserError naming file, section, key, value and what is allowed, for a section or key
    that is unknown, missing (see the module's docstring), of the wrong type or out of range.
    """
    parser = _parsed(path)
    for section in parser.sections():
        if section not in SECTIONS:
            raise UserError("%s: unknown section [%s]%s; allowed: %s" % (
                path, section, _close_to(section, SECTIONS),
                ", ".join("[%s]" % name for name in SECTIONS)))
        known = [key.name for key in CONFIG if key.section == section]
        for name in parser.options(section):
            if REMOVED.get(name) == section:
                if not _is_off(name, parser.get(section, name)):
                    raise UserError("%s, section [%s]: the key %s = %s was removed, since it "
                                    "made no measurable difference; remove the line" % (
                                        path, section, name, parser.get(section, name)))
            elif name not in known:
                raise UserError("%s, section [%s]: unknown key %s = %s%s; allowed: %s" % (
                    path, section, name, parser.get(section, name), _close_to(name, known),
                    ", ".join(known)))
    values = {}
    for key in CONFIG:
        if not parser.has_option(key.section, key.name):
            if key.required:
                raise UserError(
                    "%s, section [%s]: the key %s is missing; allowed: %s; add the line: %s = %s"
                    % (path, key.section, key.name, allowed_text(key), key.name,
                       _value_text(key.default)))
        elif key.kind != "old":
            text = parser.get(key.section, key.name).strip()
            if key.kind == "path" and key.name != "checkpoint_dir":
                text = _from_anywhere(key, text)
            try:
                values[key.name] = _value(key, text)
            except ValueError:
                raise UserError("%s, section [%s]: %s = %s; allowed: %s" % (
                    path, key.section, key.name, text or "(empty)", allowed_text(key)))
    if values.get("processed_audio_path") and "feature_profile" not in values:
        # A published file does not know the key, and its cache holds the published features.
        values["feature_profile"] = PROFILE_REFERENCE
    config = Config(**values)
    _check_together(config, path)
    return config


def _from_anywhere(key, text):
    """A default of a config written in the repository, where it is read in another folder."""
    own = os.path.normpath(os.path.join(REPOSITORY, text))
    is_default = text and own == os.path.abspath(os.path.join(REPOSITORY, key.default))
    return key.default if is_default and not os.path.exists(text) else text


def _parsed(path):
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        # Paths are bytes: what is no UTF-8 comes back as it was written.
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as stream:
            text = stream.read()
    except FileNotFoundError:
        raise UserError("the config %s is missing; write one with: python config_parser.py" % path)
    except OSError as error:
        raise UserError("cannot read the config %s: %s" % (path, error))
    if "\0" in text:                                   # no path can have one
        raise UserError("%s is not a config file: it holds a zero byte; save it as UTF-8, or "
                        "write a new one with: python config_parser.py" % path)
    try:
        parser.read_string(text, source=path)
    except configparser.Error as error:
        raise UserError("%s is not a config file: %s; python config_parser.py writes one"
                        % (path, error))
    return parser


def _close_to(name, known):
    close = difflib.get_close_matches(name, known, 1)
    return " (did you mean %s?)" % close[0] if close else ""


def _value(key, text):
    """`text` as the type of `key`; ValueError where it is none or out of range."""
    if key.kind == "path":
        if not text and key.default:
            raise ValueError(text)
        return text
    if key.kind == "bool":
        return configparser.ConfigParser.BOOLEAN_STATES[_known(
            text.lower(), configparser.ConfigParser.BOOLEAN_STATES)]
    if key.kind in ("names", "names_or_none"):
        names = [name.strip() for name in (text.split(",") if "," in text else text.split())]
        names = [name for name in names if name]
        if not names and key.kind == "names":
            raise ValueError(text)
        return names
    if key.kind == "choice":
        return _known(type(key.allowed[0])(text), key.allowed)
    number = int(text) if key.kind == "int" else float(text)
    if not key.allowed[0] <= number <= key.allowed[1]:         # so written, NaN is refused too
        raise ValueError(text)
    return number


def _is_off(name, text):
    """Whether a removed key did nothing with this value: weights of 1, or rates of 0."""
    off, parts = (1.0, text.split(",")) if name == "region_weights" else (0.0, [text])
    try:
        return all(float(part.split()[-1]) == off for part in parts if part.strip())
    except ValueError:
        return False


def _known(value, allowed):
    if value not in allowed:
        raise ValueError(value)
    return value


def _check_together(config, path):
    if config.feature_profile != PROFILE_DEEPSPEECH and (
            config.window_future_frames != WINDOW_FUTURE_FRAMES):
        raise UserError("%s, section [%s]: window_future_frames = %d; allowed: %d, since "
                        "feature_profile = %s" % (path, AUDIO, config.window_future_frames,
                                                  WINDOW_FUTURE_FRAMES, config.feature_profile))
    for name, frames in (("velocity_weight", 2), ("acceleration_weight", 3)):
        if getattr(config, name) > 0.0 and config.num_consecutive_frames < frames:
            raise UserError(
                "%s, section [%s]: num_consecutive_frames = %d; allowed: %d or more, since %s = %g"
                % (path, MODEL, config.num_consecutive_frames, frames, name,
                   getattr(config, name)))
    for name in ("subject_for_training", "subject_for_validation"):
        names = getattr(config, name)
        twice = sorted(subject for subject in set(names) if names.count(subject) > 1)
        if twice:
            raise UserError("%s, section [%s]: %s names %s twice; allowed: each subject once"
                            % (path, DATA, name, ", ".join(twice)))
    both = sorted(set(config.subject_for_training) & set(config.subject_for_validation))
    if both:
        raise UserError("%s, section [%s]: %s in both subject_for_training and "
                        "subject_for_validation; allowed: each subject in one of them"
                        % (path, DATA, ", ".join(both)))
