"""Make model/default.model, the checkpoint that run_voca.py takes where none is named.

    python model/make_default_checkpoint.py

1. writes a corpus of synthetic speakers to training/synthetic_corpus, unless it is there already
   (training_data/synthetic_corpus.py; it names the Debian packages that speak);
2. writes training/default_checkpoint.cfg and trains with run_training.py on it;
3. puts the best checkpoint, without the optimiser's variables, and its record here.

Run it again whenever ds_graph/deepspeech-mini changes: a checkpoint goes with the acoustic graph
whose features it was trained on.
"""
import argparse
import os
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, REPOSITORY)

from training_data.synthetic_corpus import write_corpus                 # noqa: E402
from utils.config import Config, write_config                           # noqa: E402
from utils.constants import DEFAULT_GRAPH                               # noqa: E402
from utils.errors import UserError, run_script                          # noqa: E402

MODEL_FOLDER = os.path.join(REPOSITORY, "model")
NAME = "default.model"
# The learning rate falls to a hundredth over the run: the last epochs settle what the first found.
LEARNING_RATE, LAST_LEARNING_RATE = 1e-3, 2e-5


def training_config(corpus_folder, run_folder, training, validation, num_epochs):
    """How the default is trained; what is not named here is the config's own default."""
    return Config(
        checkpoint_dir=run_folder, deepspeech_graph_fname=DEFAULT_GRAPH,
        training_data_path=corpus_folder,
        # Not there, so the folder is what is trained on, whatever lies in training_data.
        raw_audio_path=os.path.join(corpus_folder, "raw_audio_fixed.pkl"),
        subject_for_training=training, subject_for_validation=validation,
        learning_rate=LEARNING_RATE,
        decay_rate=(LAST_LEARNING_RATE / LEARNING_RATE) ** (1.0 / max(1, num_epochs - 1)),
        epoch_num=num_epochs, checkpoint_interval=2000)


def keep_checkpoint(prefix, kept_prefix):
    """Write the network's variables and record of checkpoint `prefix` as `kept_prefix`."""
    from utils.checkpoint import read_checkpoint_info, save_checkpoint
    from utils.voca_model import VocaModel

    model = VocaModel.from_checkpoint(prefix)
    save_checkpoint(model.session, model.saver, kept_prefix, read_checkpoint_info(prefix))
    model.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=100.0, help="of speech to train on")
    parser.add_argument("--epochs", type=int, default=12, help="passes over the corpus")
    args = parser.parse_args()
    os.chdir(REPOSITORY)
    corpus_folder, run_folder = "./training/synthetic_corpus", "./training/default_checkpoint"
    training, validation = write_corpus(corpus_folder, args.minutes)
    config_path = run_folder + ".cfg"
    write_config(config_path, training_config(corpus_folder, run_folder, training, validation,
                                              args.epochs))
    status = subprocess.call([sys.executable, "run_training.py", "--config", config_path,
                              "--overwrite"])
    if status:
        raise UserError("run_training.py --config %s ended with status %d; see above"
                        % (config_path, status))
    from utils.checkpoint import resolve_checkpoint
    best = resolve_checkpoint(os.path.join(run_folder, "checkpoints", "best"))
    kept = os.path.join(MODEL_FOLDER, NAME)
    keep_checkpoint(best, kept)
    print("wrote %s.* from %s" % (kept, best))


if __name__ == "__main__":
    run_script(main)
