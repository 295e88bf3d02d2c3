"""The training_config.cfg that process_data.py writes beside a dataset."""
import hashlib
import os

from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.training.config import CONFIG_NAME, RECIPE, Config, config_text

TRAINING_SUBFOLDER = "training"
TRAINING_STEPS, LEAST_EPOCHS = 4000, 4          # what the config asks for


def training_and_validation(subjects):
    """(names to learn from, names to measure on): held-out parts, else the last subject."""
    held_out = [name for name, record in subjects.items() if "held_out_of" in record]
    if not held_out and len(subjects) < 2:
        raise UserError("%s is too short to hold a part of it out for validation; add another "
                        "recording" % ", ".join(subjects))
    validation = held_out or list(subjects)[-1:]
    return [name for name in subjects if name not in validation], validation


# ---- beside the arrays

CHECK_LINE = "# process_data.py renews this file as long as nobody edits it. Check: %s\n"


def write_training_config(dataset_path, subjects):
    """Write training_config.cfg for the dataset, never over one that was edited.

    It trains by config.RECIPE for about TRAINING_STEPS, however much there is to learn from.
    Returns (path, "written", "unchanged" or "edited": left as it is).
    """
    training, validation = training_and_validation(subjects)
    num_frames = sum(subjects[name]["frames"] for name in training)
    num_epochs = -(-TRAINING_STEPS * Config().batch_size // num_frames)
    body = config_text(Config(
        training_data_path=dataset_path, subject_for_training=training,
        subject_for_validation=validation, epoch_num=max(LEAST_EPOCHS, num_epochs),
        checkpoint_dir=os.path.join(dataset_path, TRAINING_SUBFOLDER), **RECIPE))
    path = os.path.join(dataset_path, CONFIG_NAME)
    text = CHECK_LINE % _check_of(body) + body
    if os.path.lexists(path):
        with open(path, "rb") as stream:
            present = stream.read().decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        if present == text:
            return path, "unchanged"
        first_line, _, rest = present.partition("\n")
        if first_line + "\n" != CHECK_LINE % _check_of(rest):
            return path, "edited"
    with written_aside(path) as aside, open(
            aside, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
    return path, "written"


def _check_of(text):
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
