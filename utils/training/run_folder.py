"""The folder of a training run: what is where, and the rules for one that is there."""
import glob
import os
import platform

import numpy as np

from utils.common.errors import UserError
from utils.common.quiet_tensorflow import tf
from utils.network import checkpoint
from utils.training.summaries import COLLECTIONS

MAX_KEPT = 10                       # checkpoints, besides the best


def checkpoints_folder(config):
    return os.path.join(config.checkpoint_dir, "checkpoints")


def best_folder(config):
    return os.path.join(checkpoints_folder(config), "best")


def summaries_folder(config):
    return os.path.join(config.checkpoint_dir, "summaries")


def existing_run(config, resume=False, overwrite=False):
    """The prefix of the run's last checkpoint, or None where there is no run yet.

    Raises UserError if there is one and neither `resume` nor `overwrite` says what to do with
    it, or if there is none to resume.
    """
    folder = checkpoints_folder(config)
    found = checkpoint.list_checkpoints(folder)
    if found and not (resume or overwrite):
        raise UserError(
            "%s holds a training run already (last checkpoint %s): go on with it by --resume, or "
            "remove its checkpoints and summaries and start again by --overwrite, or set another "
            "checkpoint_dir" % (folder, os.path.basename(found[-1][1])))
    if resume and not found:
        raise UserError("there is no run to resume: %s holds no checkpoint gstep_<step>.model; "
                        "start one without --resume" % folder)
    return found[-1][1] if found else None


def remove_run(config):
    """Remove the run's checkpoints and summaries, and nothing else that lies beside them."""
    for folder in (checkpoints_folder(config), best_folder(config)):
        checkpoint.remove_torn_checkpoints(folder)
        for _, prefix in checkpoint.list_checkpoints(folder):
            checkpoint.delete_checkpoint(prefix)
    for collection in COLLECTIONS:
        for path in glob.glob(os.path.join(glob.escape(summaries_folder(config)), collection,
                                           "events.out.tfevents.*")):
            os.remove(path)


def package_versions():
    return {"python": platform.python_version(), "tensorflow": tf.__version__,
            "numpy": np.__version__}
