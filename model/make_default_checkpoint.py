"""Make model/default.model, the checkpoint that run_voca.py takes where none is named.

    python -m model.make_default_checkpoint --aligned training/aligned_speech \\
        training/aligned_languages training/aligned_many training/kokoro --real_data REALDATA
    the same with --window_future_frames -1 --out model/low_latency/low_latency.model

1. writes a corpus of synthetic speakers, and of aligned real speech, to training/synthetic_corpus,
   unless it is there already (utils/speech/synthetic_subjects.py; it names the Debian packages that
   speak), with the faces of the coarticulation model;
2. with --real_data, writes the recordings of real faces there as the dataset training/real_corpus,
   each source with its own channels, on one scale (utils/dataset/real_corpus.py);
3. trains on both, in training/default_checkpoint;
4. puts the last checkpoint, without the optimiser's variables, and its record here.

The two commands make what is shipped. Without --aligned and --real_data it runs as well. Run it
again whenever ds_graph/deepspeech-mini changes: a checkpoint goes with the acoustic graph whose
features it was trained on.
"""
import argparse
import os

from utils.common.constants import (DEFAULT_CHECKPOINT, DEFAULT_GRAPH,
                                    MIN_WINDOW_FUTURE_FRAMES, WINDOW_FUTURE_FRAMES)
from utils.common.errors import UserError, run_script
from utils.common.folder_lock import folder_lock
from utils.dataset.real_corpus import SOURCES, write_real_corpus
from utils.speech.synthetic_subjects import write_corpus
from utils.training.config import Config

SYNTHETIC_CORPUS, REAL_CORPUS = "./training/synthetic_corpus", "./training/real_corpus"
RUN_FOLDER = "./training/default_checkpoint"
# Of --real_data. The others are what docs/quality.md measures on.
SPEAKERS = ("grid_s1",)
# Copies at another speed, pitch and level (utils/training/augmentation.py), so that each source
# counts.
AUGMENTED_COPIES = {"facegood": 3, "grid_s1": 1, "grid_many": 4}


def training_config(args, **values):
    """How the default is trained; what is not named here is the config's own default."""
    return Config(
        checkpoint_dir=args.run_folder, deepspeech_graph_fname=args.graph,
        # Not there, so that the folder is what is trained on, whatever lies in training_data.
        raw_audio_path=os.path.join(args.run_folder, "no_published_data"),
        batch_size=256, learning_rate=2e-3, learning_rate_schedule="cosine", warmup_steps=200,
        start_at_mean=True, weight_average_decay=0.999, opening_weight=0.3, closure_weight=5.0,
        letter_mask_rate=0.1, window_future_frames=args.window_future_frames,
        epoch_num=args.epochs, checkpoint_interval=2000, num_render_sequences=0, **values)


def real_subjects(args, names_of_speaker, acoustic_graph):
    """The real recordings' subjects, augmented copies included."""
    from utils.training.subjects import load_augmented_copies, load_subjects
    subjects = []
    for speaker, names in names_of_speaker.items():
        config = training_config(args, training_data_path=REAL_CORPUS,
                                 augmented_copies=AUGMENTED_COPIES[speaker])
        subjects += load_subjects(config, names, acoustic_graph)
        subjects += load_augmented_copies(config, names, acoustic_graph)
    return subjects


def train(args, synthetic_names, validation_names, names_of_speaker):
    """Train; returns the prefix of the last checkpoint."""
    # TensorFlow takes seconds to import: after the corpora are there.
    from utils.training import trainer
    from utils.deepspeech.acoustic_graph import graph_record, load_acoustic_graph
    from utils.training.subjects import data_fingerprint, load_subjects
    from utils.training.validation import score_table
    acoustic_graph = load_acoustic_graph(args.graph)
    config = training_config(
        args, training_data_path=SYNTHETIC_CORPUS, subject_for_validation=validation_names,
        subject_for_training=synthetic_names + sum(names_of_speaker.values(), []))
    training = load_subjects(config, synthetic_names, acoustic_graph)
    training += real_subjects(args, names_of_speaker, acoustic_graph)
    validation = load_subjects(config, validation_names, acoustic_graph)
    run = trainer.start(config, training, validation, graph_record(args.graph),
                        data_fingerprint(training + validation), overwrite=True)
    print("training on %d subjects, %.0f minutes of them real; steps 0 to %d" % (
        len(training), sum(len(subject.targets) for subject in training
                           if not subject.mask.all()) / 1800.0, run.total_steps))
    result = run.run()
    if result.interrupted:
        raise UserError("interrupted; %s.* is as it was" % args.out)
    print(score_table(result.scores))
    run.model.close()
    return run.last_good        # not the best on synthetic voices: real faces are what counts


def keep_checkpoint(prefix, kept_prefix):
    """Write the network's variables and record of checkpoint `prefix` as `kept_prefix`."""
    from utils.network.checkpoint import read_checkpoint_info, save_checkpoint
    from utils.network.voca_model import VocaModel

    model = VocaModel.from_checkpoint(prefix)
    save_checkpoint(model.session, model.saver, kept_prefix, read_checkpoint_info(prefix))
    model.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=100.0,
                        help="of synthetic speech to train on (%(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="passes over all (%(default)s)")
    parser.add_argument("--aligned", nargs="+", metavar="FOLDER", default=[],
                        help="real speech to train on, too (ds_graph/align_speech.py)")
    parser.add_argument("--real_data", metavar="FOLDER", help="real recordings to train on, too")
    parser.add_argument("--speakers", nargs="+", choices=list(SOURCES), default=list(SPEAKERS),
                        help="of the real recordings, those to train on (%s)" % " ".join(SPEAKERS))
    parser.add_argument("--window_future_frames", type=int, default=WINDOW_FUTURE_FRAMES,
                        choices=range(MIN_WINDOW_FUTURE_FRAMES, WINDOW_FUTURE_FRAMES + 1),
                        metavar="N", help="how far the network looks ahead (%(default)s); fewer "
                        "for live use")
    parser.add_argument("--graph", default=DEFAULT_GRAPH, help="acoustic graph (%(default)s)")
    parser.add_argument("--run_folder", default=RUN_FOLDER, help="of the training (%(default)s)")
    parser.add_argument("--out", default=DEFAULT_CHECKPOINT, metavar="PREFIX",
                        help="of the checkpoint (%(default)s)")
    args = parser.parse_args()
    names, validation_names = write_corpus(SYNTHETIC_CORPUS, args.minutes, args.aligned)
    names_of_speaker = {}
    if args.real_data:
        names_of_speaker = write_real_corpus(REAL_CORPUS, args.real_data, args.speakers)
    with folder_lock(args.run_folder, "make_default_checkpoint.py", "set another --run_folder"):
        last = train(args, sorted(names), validation_names, names_of_speaker)
    keep_checkpoint(last, args.out)
    print("wrote %s.*" % args.out)


if __name__ == "__main__":
    run_script(main)
