"""The files of the published system: where a user finds them, and what to run without them."""
import os

from utils.checkpoint import checkpoint_exists
from utils.errors import UserError

DEEPSPEECH_RELEASE = ("the DeepSpeech 0.5.0 release: github.com/mozilla/DeepSpeech/releases/tag/"
                      "v0.5.0, deepspeech-0.5.0-models.tar.gz, unpacked into ./ds_graph/")
CHECKPOINT_RELEASE = ("linked from the published VOCA blendshape repository's README; put its "
                      ".index and .data-00000-of-00001 into ./model/")


def check_files_exist(checkpoint_path, acoustic_graph_path):
    """UserError naming each of the two that is missing, its source, and what runs without it."""
    missing, flags = [], []
    if not os.path.exists(acoustic_graph_path):
        missing.append("the acoustic graph %s (%s)" % (acoustic_graph_path, DEEPSPEECH_RELEASE))
        flags.append("--ds_fname")
    if not checkpoint_exists(checkpoint_path):
        missing.append("the checkpoint %s (%s)" % (checkpoint_path, CHECKPOINT_RELEASE))
        flags.append("--tf_model_fname")
    if missing:
        raise UserError("not found: %s. To run with the embedded defaults leave out both flags: "
                        "python run_voca.py --audio_fname AUDIO" % " and ".join(missing))
