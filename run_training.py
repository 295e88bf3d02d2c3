"""Train the network on the subjects that training_config.cfg names.

    python config_parser.py                 writes training_config.cfg, once
    python run_training.py                  trains a new run
    python run_training.py --resume         goes on where a run stopped or was killed
    python run_training.py --overwrite      removes the run that is there and starts again
    tensorboard --logdir='./training/summaries/' --port 6006

Writes into the config's checkpoint_dir (./training):
    checkpoints/gstep_<step>.model.*        the last 10, each with its JSON record
    checkpoints/best/gstep_<step>.model.*   the one with the lowest validation loss
    summaries/train, summaries/validation   for TensorBoard
    features/                               cached speech features
    .lock                                   while a run is writing here: who it is
Ctrl-C saves a checkpoint and stops. A second run in the same folder is refused, with --overwrite
too, while the first one lives. It ends with a table of the validation subjects and the
command that runs the best checkpoint.
"""
import argparse
import sys

from utils.common.errors import run_script
from utils.common.folder_lock import folder_lock
from utils.common.script_flags import python_command, quoted
from utils.training.config import CONFIG_NAME, Config, read_config


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=CONFIG_NAME, metavar="FILE",
                        help="written by config_parser.py (%(default)s)")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true",
                          help="go on from the run's last checkpoint")
    existing.add_argument("--overwrite", action="store_true",
                          help="remove the run that is there and start again")
    return parser


def main():
    args = get_parser().parse_args()
    config = read_config(args.config)
    # First of all: a second run must not touch the folder, not even to make features.
    with folder_lock(config.checkpoint_dir, "run_training.py",
                     "wait for it, stop it, or set another checkpoint_dir"):
        train(config, args.resume, args.overwrite)


def train(config, resume, overwrite):
    # TensorFlow takes seconds to import: after the config is known to be right.
    from utils.training import run_folder, trainer
    from utils.deepspeech.acoustic_graph import graph_record, load_acoustic_graph
    from utils.training.subjects import (data_fingerprint, load_augmented_copies, load_subjects,
                                         subject_names)
    from utils.training.validation import score_table

    run_folder.existing_run(config, resume, overwrite)   # before any long work
    acoustic_graph = load_acoustic_graph(config.deepspeech_graph_fname)
    training_names, validation_names = subject_names(config)
    subjects = load_subjects(config, training_names + validation_names, acoustic_graph)
    training, validation = subjects[:len(training_names)], subjects[len(training_names):]
    copies = load_augmented_copies(config, training_names, acoustic_graph)
    run = trainer.start(config, training + copies, validation,
                        graph_record(config.deepspeech_graph_fname),
                        data_fingerprint(subjects), resume, overwrite)
    print("training on %d subjects, %d frames%s; validation on %d, %d frames; steps %d to %d" % (
        len(training), num_frames(training),
        " and %d augmented copies, %d frames" % (len(copies), num_frames(copies)) if copies else "",
        len(validation), num_frames(validation), run.step, run.total_steps))
    result = run.run()
    if result.interrupted:
        sys.exit(130)
    print("\nvalidation of %s:" % result.checkpoint)
    print(score_table(result.scores))
    if result.first_loss is not None and result.best_loss is not None:
        print("\nvalidation loss: %.5f at the start, %.5f at its best"
              % (result.first_loss, result.best_loss))
    print("\nrun it with:\n%s" % command_that_runs(result.checkpoint, config))


def num_frames(subjects):
    return sum(len(subject.targets) for subject in subjects)


def command_that_runs(prefix, config):
    """The run_voca.py command line for a checkpoint of this run."""
    command = "%s --tf_model_fname %s" % (python_command("run_voca.py"), quoted(prefix))
    if config.deepspeech_graph_fname != Config().deepspeech_graph_fname:
        command += " --ds_fname %s" % quoted(config.deepspeech_graph_fname)
    return command


if __name__ == "__main__":
    run_script(main)
