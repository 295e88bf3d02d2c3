"""What each option of training is worth on a real face that was held out.

    python -m tests.measure.training_options --realdata ../shared/realdata
    python -m tests.measure.training_options --realdata ... --only recipe --cards
    python -m tests.measure.training_options --realdata ... --graph OTHER/output_graph.tflite

Trains each variant with the same number of steps, through the same trainer as run_training.py, on
one English speaker (grid_s1_video's two videos cut into their sentences, and all but the last
tenth of grid_s1_clips), and scores the last weights on that tenth: 78 sentences of 3 s that no
training recording holds. The constant mean is that of the training labels. The table in Markdown
goes to stdout, a row as soon as it is known, and everything measured to <work>/results.json.

--speakers adds the other speaker's captures (pairs/facegood_*): each speaker's model on the other,
and both in one model without and with styles. --cards prints the whole scorecard of each variant.
"""
import argparse
import collections
import csv
import io
import os
import time

import numpy as np

from utils.common.channels import MODEL_CHANNELS, region
from utils.common.constants import ANIMATION_FPS, DEFAULT_GRAPH, INT16_SCALE, SAMPLE_RATE_HZ
from utils.common.errors import UserError, run_script
from utils.common.pcm import to_int16
from utils.training.config import RECIPE as WHOLE_RECIPE

CLIP_S, CLIP_FPS = 3, 25
HELD_OUT_SHARE = 0.1
SPEAKER, OTHER_SPEAKER = "s1_", "facegood_"
TAKES = ["facegood_1114_2_%02d" % number for number in range(1, 6)]
NEVER = 10 ** 9
FRAMES_OF_TENTH = ANIMATION_FPS // 10

REFERENCE = dict()
# What process_data.py writes but for the augmented copy, which takes time and has a row of its own.
RECIPE = dict(WHOLE_RECIPE, augmented_copies=0)


def without(*names):
    """The recipe with these options as in the reference."""
    return {name: value for name, value in RECIPE.items() if name not in names}


def recipe_with(**values):
    return dict(RECIPE, **values)


VARIANTS = collections.OrderedDict([
    ("reference", REFERENCE),
    ("reference, rate 1e-3", dict(learning_rate=1e-3)),
    ("recipe", RECIPE),
    ("rate 3e-3", recipe_with(learning_rate=3e-3)),
    ("- cosine rate", without("learning_rate_schedule")),
    ("- warm-up", without("warmup_steps")),
    ("- label standardisation", without("label_standardisation")),
    ("- start at the mean", without("start_at_mean")),
    ("- absolute loss", without("absolute_reconstruction_loss")),
    ("velocity weight 10", without("velocity_weight")),
    ("- opening weight", without("opening_weight")),
    ("velocity weight 0", recipe_with(velocity_weight=0.0)),
    ("+ acceleration weight 0.5", recipe_with(acceleration_weight=0.5, num_consecutive_frames=3)),
    ("+ closure weight 3", recipe_with(closure_weight=3.0)),
    ("+ weight average 0.999", recipe_with(weight_average_decay=0.999)),
    ("+ letter masks 0.1", recipe_with(letter_mask_rate=0.1)),
    ("+ window 4 frames later", RECIPE),
    ("+ window 4 frames earlier", RECIPE),
    ("+ encoder x 2", recipe_with(speech_encoder_size_factor=2.0)),
    ("+ 1 augmented copy", recipe_with(augmented_copies=1)),
])
# Frames by which the window lies later than its label: what another look-ahead would be worth.
WINDOW_SHIFTS = {"+ window 4 frames later": 4, "+ window 4 frames earlier": -4}
COLUMNS = (("opening r", "opening_r", "%.3f"), ("over loudness", "over_loudness", "%+.3f"),
           ("velocity r", "opening_velocity_r", "%.2f"), ("lag ms", "opening_lag_ms", "%.0f"),
           ("jitter", "mouth_jitter_ratio", "%.2f"), ("silence leak", "silence_leak", "%.3f"),
           ("closures", "closure_recall", "%.2f"), ("false", "false_closure_rate", "%.2f"),
           ("mouth r", "mouth_r", "%.3f"), ("mouth MAE", "mouth_mae", "%.4f"),
           ("worse than mean", "worse", "%s"))


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--realdata", required=True, metavar="FOLDER",
                        help="holds grid_s1_clips, grid_s1_video and pairs")
    parser.add_argument("--graph", default=DEFAULT_GRAPH, help="acoustic graph (%(default)s)")
    parser.add_argument("--work", default="./training/options", metavar="FOLDER",
                        help="for the dataset, the features and the runs (%(default)s)")
    parser.add_argument("--steps", type=int, default=6000, help="per variant, about (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="one row each")
    parser.add_argument("--only", nargs="*", metavar="VARIANT",
                        help="none, or some of: %s" % ", ".join(VARIANTS))
    parser.add_argument("--speakers", action="store_true", help="the other speaker as well")
    parser.add_argument("--cards", action="store_true", help="print whole scorecards")
    return parser


# ---- the data

def clips_of_speaker(realdata):
    """(list of (name, int16 [48000], targets [90, 52]), number of those that are held out, words
    {name: [(word, start_s, end_s)]}); the held-out ones stand last."""
    from utils.media.audio import read_audio
    clips, words = [], collections.defaultdict(list)

    def add(names, samples, weights, channels):
        """Cut [frames, k] at CLIP_FPS and the sound beside it into clips called `names`."""
        for number, name in enumerate(names):
            sound = samples[number * CLIP_S * SAMPLE_RATE_HZ:][:CLIP_S * SAMPLE_RATE_HZ]
            labels = weights[number * CLIP_S * CLIP_FPS:][:CLIP_S * CLIP_FPS]
            clips.append((name, to_int16(sound), in_model_order(labels, channels, CLIP_FPS)))

    for video in ("1", "2"):
        stem = os.path.join(realdata, "grid_s1_video", video)
        with open(stem + "_words.csv", newline="") as stream:
            names = list(collections.OrderedDict.fromkeys(
                SPEAKER + row["clip"] for row in csv.DictReader(stream)))
        with open(stem + "_mediapipe52.csv", newline="") as stream:
            rows = list(csv.reader(stream))
        add(names, read_audio(stem + ".mp4"), np.array(rows[1:], np.float32)[:, 1:], rows[0][1:])
    with open(os.path.join(realdata, "grid_s1_clips", "words.csv"), newline="") as stream:
        for row in csv.DictReader(stream):
            words[SPEAKER + row["clip"]].append(
                (row["word"], float(row["start_s"]), float(row["end_s"])))
    labels = np.load(os.path.join(realdata, "grid_s1_clips", "labels.npz"))
    names = [SPEAKER + str(clip) for clip in labels["clips"]]
    add(names, read_audio(os.path.join(realdata, "grid_s1_clips", "audio.flac")),
        labels["labels"].astype(np.float32).reshape(-1, len(labels["names"])),
        [str(name) for name in labels["names"]])
    if len({name for name, _, _ in clips}) != len(clips):
        raise UserError("a clip of grid_s1_video is in grid_s1_clips too: it could be held out "
                        "and learnt from at once")
    return clips, int(HELD_OUT_SHARE * len(names)), words


def takes_of_other_speaker(realdata):
    """[(name, int16 [samples], targets [frames, 52])] of pairs/facegood_*."""
    from utils.media.audio import read_audio
    takes = []
    for name in TAKES:
        stem = os.path.join(realdata, "pairs", name)
        with open(stem + ".csv", newline="") as stream:
            rows = list(csv.reader(stream))
        weights = np.array(rows[1:], np.float32)[:, 1:]
        takes.append((name, to_int16(read_audio(stem + ".flac")),
                      in_model_order(weights, rows[0][1:], ANIMATION_FPS)))
    return takes


def in_model_order(weights, channels, fps):
    """float32 [frames, 52] at ANIMATION_FPS of `weights` [n, k] at `fps`; 0 where k lacks one."""
    from utils.common.resample import resample_frames
    targets = np.zeros([len(weights), len(MODEL_CHANNELS)], np.float32)
    for column, channel in enumerate(channels):
        targets[:, MODEL_CHANNELS.index(channel)] = weights[:, column]
    return np.clip(resample_frames(targets, fps, ANIMATION_FPS), 0.0, 1.0)


def write_dataset(folder, speakers):
    """Write the clips [(name, sound, targets)] of each speaker as process_data.py would.

    A channel that moves in none of a speaker's clips is masked in all of them.
    """
    from utils.dataset.store import (MANIFEST_NAME, folder_key, folder_name, write_manifest,
                                     write_subject)
    from utils.common.channels import SCORED_DEVIATION
    if os.path.isfile(os.path.join(folder, MANIFEST_NAME)):
        return
    records = collections.OrderedDict()
    for clips in speakers:
        moves = np.concatenate([targets for _, _, targets in clips]).std(axis=0) >= SCORED_DEVIATION
        mask = {name: "still" for name, moving in zip(MODEL_CHANNELS, moves) if not moving}
        for name, sound, targets in clips:
            records[name] = write_subject(
                folder, folder_name(name, folder_key(name)), {"frames": len(targets), "mask": mask},
                targets, np.ones(len(targets), bool), sound)
    write_manifest(folder, records, 0)


# ---- training and scoring

class Bench(object):
    """The dataset, and training and scoring on it.

    Attributes: held_out, learnt (names of the first speaker's clips), takes (the other's).
    """

    def __init__(self, realdata, graph_path, work, steps):
        from utils.deepspeech.acoustic_graph import load_acoustic_graph
        from utils.dataset.label_cleaning import calibrated, neutral_pose
        clips, num_held_out, self._words = clips_of_speaker(realdata)
        # As process_data.py does with tracked faces; what is held out has no say in it.
        learnt = np.concatenate([targets for _, _, targets in clips[:-num_held_out]])
        neutral = neutral_pose(learnt, np.ones(len(learnt), bool))
        clips = [(name, sound, calibrated(targets, neutral)) for name, sound, targets in clips]
        takes = takes_of_other_speaker(realdata)
        self._recordings = {name: (sound, targets) for name, sound, targets in clips + takes}
        self.learnt = [name for name, _, _ in clips[:-num_held_out]]
        self.held_out = [name for name, _, _ in clips[-num_held_out:]]
        self.takes = [name for name, _, _ in takes]
        self._dataset = os.path.join(work, "dataset")
        write_dataset(self._dataset, [clips, takes])
        self._work, self._graph_path, self._steps = work, graph_path, steps
        self._graph = load_acoustic_graph(graph_path)

    def train(self, training, validation, seed, options, window_shift=0):
        """(VocaModel of the last weights, its Config, seconds)."""
        from utils.training import trainer
        from utils.training.config import Config
        from utils.training.subjects import load_augmented_copies
        from utils.network.voca_model import VocaModel
        config = Config(
            checkpoint_dir=self._work, training_data_path=self._dataset, raw_audio_path="none",
            deepspeech_graph_fname=self._graph_path, subject_for_training=training,
            subject_for_validation=validation, random_seed=seed, checkpoint_interval=NEVER,
            num_render_sequences=0, **options)
        subjects = self._load(config, training, window_shift) + load_augmented_copies(
            config, training, self._graph, progress=False)
        frames = sum(len(subject.targets) - config.num_consecutive_frames + 1
                     for subject in subjects)
        config.epoch_num = max(1, int(round(self._steps * config.batch_size / float(frames))))
        record = {"name": "measured", "sha256": {"graph": self._graph.sha256}}
        started = time.time()
        run = trainer.start(config, subjects, self._load(config, validation, window_shift), record,
                            "measured", overwrite=True, stream=io.StringIO())
        run.run()
        return VocaModel.from_checkpoint(run.last_good), config, time.time() - started

    def _load(self, config, names, window_shift=0):
        from utils.training.subjects import load_subjects
        subjects = load_subjects(config, names, self._graph, progress=False)
        for subject in subjects if window_shift else ():
            rows = np.arange(len(subject.windows)) + window_shift
            subject.windows = subject.windows[np.clip(rows, 0, len(subject.windows) - 1)]
        return subjects

    def score(self, model, config, names, training, window_shift=0):
        """The scorecard of `model` on the recordings `names`, laid end to end."""
        from utils.scoring import scorecard
        from utils.training.styles import style_of_subject
        from utils.formats.timings import Timings
        subjects = self._load(config, names, window_shift)
        faces, labels, sounds, words, at_frame = [], [], [], [], 0
        for subject in subjects:
            sound, targets = self._recordings[subject.name]
            # Whole tenths of a second, so that sound and frames stay in step.
            tenths = min(len(sound) * 10 // SAMPLE_RATE_HZ, len(subject.windows) // FRAMES_OF_TENTH)
            faces.append(model.predict(subject.windows[:tenths * FRAMES_OF_TENTH],
                                       style_of_subject(subject.name, config.subject_styles)))
            labels.append(targets[:tenths * FRAMES_OF_TENTH])
            sounds.append(sound[:tenths * SAMPLE_RATE_HZ // 10] / np.float32(INT16_SCALE))
            words += [(word, start_s + at_frame / float(ANIMATION_FPS),
                       end_s + at_frame / float(ANIMATION_FPS))
                      for word, start_s, end_s in self._words[subject.name]]
            at_frame += len(labels[-1])
        means = [scorecard.Face(self._recordings[name][1], MODEL_CHANNELS) for name in training]
        card, _ = scorecard.score(
            scorecard.Face(np.concatenate(faces), MODEL_CHANNELS),
            scorecard.Face(np.concatenate(labels), MODEL_CHANNELS), np.concatenate(sounds),
            Timings([], words) if words else None, means)
        return card


def row_of(card):
    """{column: value} of a scorecard, for COLUMNS."""
    system, loudness = card["systems"]["system"], card["systems"]["loudness"]
    mouth = [name for name in card["scored_channels"] if region(name) in ("jaw", "lips")]
    scores = [card["channels"][name] for name in mouth]
    worse = [name for name, score in zip(mouth, scores)
             if score["system"]["mae"] >= score["mean"]["mae"]]
    return dict(
        system, mouth_r=np.mean([score["system"]["r"] or 0.0 for score in scores]),
        mouth_mae=np.mean([score["system"]["mae"] for score in scores]),
        over_loudness=(system["opening_r"] or 0.0) - loudness["opening_r"],
        worse="%d of %d" % (len(worse), len(mouth)))


def markdown(cells):
    return "| %s |" % " | ".join(cells)


def cells_of(row):
    return ["-" if row.get(key) is None else form % row[key] for _, key, form in COLUMNS]


def main():
    args = get_parser().parse_args()
    unknown = sorted(set(args.only or ()) - set(VARIANTS))
    if unknown:
        raise UserError("no variant is called %s; there are %s"
                        % (", ".join(unknown), ", ".join(VARIANTS)))
    from utils.common.files import make_folder, write_json
    from utils.scoring.scorecard import table
    make_folder(args.work)
    bench = Bench(args.realdata, args.graph, args.work, args.steps)
    results = []

    def measure(name, training, scored, seed, options, window_shift=0):
        """Train once, score each of `scored` {title: names}, a row each."""
        model, config, seconds = bench.train(
            training, next(iter(scored.values())), seed, options, window_shift)
        for title, names in scored.items():
            card = bench.score(model, config, names, training, window_shift)
            row = row_of(card)
            print(markdown([name + title, str(seed)] + cells_of(row) + ["%.0f" % seconds]),
                  flush=True)
            results.append({"variant": name + title, "seed": seed, "options": options,
                            "seconds": seconds, "card": card, "worse": row["worse"]})
            write_json(os.path.join(args.work, "results.json"), results)
            if args.cards:
                print(table(card), flush=True)
        model.close()

    heads = ["variant", "seed"] + [title for title, _, _ in COLUMNS] + ["s"]
    print(markdown(heads))
    print(markdown(["---"] * len(heads)))
    for name in VARIANTS if args.only is None else args.only:
        for seed in args.seeds:
            measure(name, bench.learnt, {"": bench.held_out}, seed, VARIANTS[name],
                    WINDOW_SHIFTS.get(name, 0))
    if args.speakers:
        last = bench.takes[-1:]
        both = {", on him": bench.held_out, ", on her": last}
        for seed in args.seeds:
            measure("his", bench.learnt, {", on him": bench.held_out, ", on her": bench.takes},
                    seed, RECIPE)
            measure("hers", bench.takes[:-1], {", on her": last, ", on him": bench.held_out},
                    seed, RECIPE)
            measure("both", bench.learnt + bench.takes[:-1], both, seed, RECIPE)
            measure("both, styles", bench.learnt + bench.takes[:-1], both, seed,
                    recipe_with(subject_styles=[SPEAKER, OTHER_SPEAKER]))


if __name__ == "__main__":
    run_script(main)
