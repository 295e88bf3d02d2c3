"""What a large corpus costs training, in time, memory and disk, by its hours.

    python -m tests.measure.corpus
    python -m tests.measure.corpus --hours 1 10 100 --folder /scratch
    python -m tests.measure.corpus --hours 100 --leave_gb 2

Writes a synthetic dataset of five-minute recordings, by the code that writes real ones: labels,
sound and cached features of random numbers. A process of its own then opens it as training does,
draws batches and trains. `opened` is the files opened; `started` the network made and the means of
the labels taken, for which all are read; `shuffled` the order of an epoch. `cold` are batches a
second by the clock after the system was told to forget the files (Linux); `waits` and `asks` are
steps so, as training begins, and once it asks the disk ahead. With --leave_gb the rest of the
memory is locked from before the training on (needs the right to: root). The other rates are of a
second of the processor, in the best tenth, since other programs may run beside. Memory is
anonymous memory, what cannot be dropped and read again, with TensorFlow's. An hour takes 0.15 GB in
FOLDER while it lasts.
"""
import argparse
import collections
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import types

import numpy as np

from tests.helpers.cold_files import forget, libc_function
from tests.helpers.paths import REPOSITORY
from utils.common.constants import (ANIMATION_FPS, NUM_BLENDSHAPES, NUM_LETTERS, PROFILE_DEEPSPEECH,
                                    SAMPLE_RATE_HZ, WINDOW_FRAMES)
from utils.dataset.sources import recordings_of_config
from utils.dataset.store import folder_key, folder_name, write_manifest, write_subject
from utils.training.batches import Batches
from utils.training.config import Config
from utils.training.feature_cache import cache_key, cache_path, write_cached
from utils.training.subjects import FEATURES_FOLDER, data_fingerprint, load_subjects, subject_names

SUBJECT_S = 300
NUM_FRAMES = SUBJECT_S * ANIMATION_FPS
NUM_BATCHES, NUM_COLD_BATCHES, NUM_STEPS = 2000, 200, 300
GRAPH = types.SimpleNamespace(sha256="0" * 64)      # of no acoustic graph: features are cached
POLL_S = 0.02
VALIDATION_NAME = "000000"                          # one subject, however large the corpus


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, nargs="+", default=(1.0, 10.0, 100.0))
    parser.add_argument("--folder", help="on the disk to measure; default: the system's for "
                                         "temporary files")
    parser.add_argument("--leave_gb", type=float, help="of memory, to all other programs")
    parser.add_argument("--measure", metavar="CORPUS", help="of the process that measures one")
    return parser


def main():
    args = get_parser().parse_args()
    if args.measure:
        print(json.dumps(measured(config_of(args.measure), args.leave_gb)))
        return
    print("%6s %8s %9s %9s %9s %9s %8s %9s %9s %9s %9s %9s %9s %9s %9s" % (
        "hours", "subjects", "labels", "sound", "features", "written", "opened", "started",
        "shuffled", "batches/s", "cold", "steps/s", "waits", "asks", "memory"))
    for hours in args.hours:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            started_s = time.time()
            num_subjects, sizes = write_corpus(folder, hours)
            written_s = time.time() - started_s
            found = json.loads(subprocess.check_output(
                [sys.executable, "-m", "tests.measure.corpus", "--measure", folder]
                + (["--leave_gb", str(args.leave_gb)] if args.leave_gb else []),
                cwd=REPOSITORY).decode("ascii").splitlines()[-1])
            print("%6g %8d %6.2f GB %6.2f GB %6.2f GB %7.0f s %6.2f s %7.2f s %7.2f s %9.0f %9.0f "
                  "%9.0f %9.0f %9.0f %6.0f MB" % (
                      hours, num_subjects, sizes["labels"], sizes["sound"], sizes["features"],
                      written_s, found["opened_s"], found["statistics_s"], found["shuffled_s"],
                      found["batches"], found["cold_batches"], found["steps"],
                      found["waiting_steps"], found["asking_steps"], found["memory_mb"]))
            sys.stdout.flush()


# ---- the corpus

def config_of(folder):
    return Config(training_data_path=os.path.join(folder, "dataset"), epoch_num=1000,
                  checkpoint_dir=os.path.join(folder, "training"), subject_for_training=["*"],
                  subject_for_validation=[VALIDATION_NAME], raw_audio_path="none",
                  num_render_sequences=0)


def write_corpus(folder, hours):
    """(number of subjects, {what: GB}) of a corpus in `folder`."""
    config, random = config_of(folder), np.random.RandomState(0)
    # Every subject has a stretch of its own out of these.
    targets = random.uniform(size=(2 * NUM_FRAMES, NUM_BLENDSHAPES)).astype(np.float32)
    sound = random.randint(-9999, 9999, 2 * SUBJECT_S * SAMPLE_RATE_HZ).astype(np.int16)
    rows = random.uniform(-14.0, 0.0, (2 * NUM_FRAMES, NUM_LETTERS)).astype(np.float32)
    valid = np.ones(NUM_FRAMES, bool)
    names = ["%06d" % number for number in range(int(round(hours * 3600 / SUBJECT_S)))]
    subjects, starts = collections.OrderedDict(), {}
    for number, name in enumerate(names):
        starts[name] = start = number * 7 % NUM_FRAMES
        first = start * SAMPLE_RATE_HZ // ANIMATION_FPS
        record = collections.OrderedDict([("frames", NUM_FRAMES), ("mask", {}),
                                          ("duration_s", float(SUBJECT_S))])
        subjects[name] = write_subject(
            config.training_data_path, folder_name(name, folder_key(name)), record,
            targets[start:start + NUM_FRAMES], valid, sound[first:first + SUBJECT_S
                                                            * SAMPLE_RATE_HZ])
    write_manifest(config.training_data_path, subjects, 1)
    features = os.path.join(config.checkpoint_dir, FEATURES_FOLDER)
    write_cached(features, (
        (cache_path(features, recording.name, cache_key(
            recording.audio_sha256, GRAPH.sha256, PROFILE_DEEPSPEECH)),
         [windows_of(rows[starts[recording.name]:])])
        for recording in recordings_of_config(config, names, False)), share_rows=True)
    sizes = collections.Counter()
    for path in paths_below(folder):
        what = {"targets.npy": "labels", "audio.npy": "sound"}.get(
            os.path.basename(path), "features" if features in path else "records")
        sizes[what] += os.path.getsize(path) / 1e9
    return len(names), sizes


def windows_of(rows):
    """float32 [NUM_FRAMES, 16, 29] of the first rows; a view."""
    return np.lib.stride_tricks.as_strided(
        rows, (NUM_FRAMES, WINDOW_FRAMES, NUM_LETTERS), rows.strides[:1] + rows.strides)


def paths_below(folder):
    for place, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(place, name)


# ---- what it costs

def measured(config, leave_gb=None):
    """Figures of a corpus, in a process that has done nothing else."""
    from utils.training.progress_line import ProgressLine
    from utils.training.summaries import Summaries
    from utils.training.trainer import Trainer
    memory, figures = MostMemory(), {}
    started_s = time.time()
    training_names, validation_names = subject_names(config)
    subjects = load_subjects(config, training_names + validation_names, GRAPH, progress=False)
    fingerprint = data_fingerprint(subjects)
    figures["opened_s"] = time.time() - started_s
    forget_corpus(config, subjects)
    batches = Batches(subjects[:-1], config.batch_size, config.num_consecutive_frames)
    started_s = time.time()
    batches.of_step(0)
    figures["shuffled_s"] = time.time() - started_s
    figures["cold_batches"] = rate_of(
        batches.of_step, range(1, 1 + NUM_COLD_BATCHES), 1, time.time)
    del batches
    started_s = time.time()
    trainer = Trainer(config, subjects[:-1], subjects[-1:], {"name": "none", "sha256": {}},
                      fingerprint, stream=open(os.devnull, "w"))
    figures["statistics_s"] = time.time() - started_s
    for subject in subjects:
        subject.windows[::4, 0].max()               # every page
    figures["batches"] = rate_of(trainer.batches.of_step, range(NUM_BATCHES))
    summaries = Summaries(os.path.join(config.checkpoint_dir, "summaries"), 0, trainer.model.graph)
    line = ProgressLine(trainer.stream, 0, trainer.total_steps, config.epoch_num)
    figures["steps"] = rate_of(lambda _: trainer._train_step(summaries, line), range(NUM_STEPS))
    figures["memory_mb"] = memory.most_mb()
    held = memory_held(leave_gb) if leave_gb else None
    forget_corpus(config, subjects)
    figures["waiting_steps"] = rate_of(lambda _: trainer._train_step(summaries, line),
                                       range(NUM_STEPS), 1, time.time)
    trainer.batches._read_ahead._patience = 0
    figures["asking_steps"] = rate_of(lambda _: trainer._train_step(summaries, line),
                                      range(NUM_STEPS), 1, time.time)
    del held
    return figures


def memory_held(leave_gb):
    """A lock on all memory but so much, for as long as what is returned lives."""
    with open("/proc/meminfo") as stream:
        available = next(int(line.split()[1]) << 10 for line in stream
                         if line.startswith("MemAvailable"))
    held = np.ones(max(1, available - int(leave_gb * 2 ** 30)), np.int8)
    mlock = libc_function("mlock", ctypes.c_void_p, ctypes.c_size_t)
    if mlock(held.__array_interface__["data"][0], held.size):
        raise OSError(ctypes.get_errno(), "mlock")
    return held


def forget_corpus(config, subjects):
    os.sync()
    forget([array for subject in subjects for array in (subject.windows, subject.targets)],
           paths_below(os.path.dirname(config.training_data_path)))


def rate_of(function, numbers, num_parts=10, clock=time.process_time):
    """Calls of `function` with each of `numbers` a second, in the best of so many parts of them.

    clock: says the seconds; else those of this process's own work, whatever else runs beside it.
    """
    best, part = 0.0, len(numbers) // num_parts
    for first in range(0, num_parts * part, part):
        started_s = clock()
        for number in numbers[first:first + part]:
            function(number)
        best = max(best, part / (clock() - started_s))
    return best


class MostMemory(object):
    """The most anonymous memory of this process from now on."""

    def __init__(self):
        self._most_kb = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            self._look()
            time.sleep(POLL_S)

    def _look(self):
        with open("/proc/self/status") as status:
            self._most_kb = max([self._most_kb] + [
                int(line.split()[1]) for line in status if line.startswith("RssAnon")])

    def most_mb(self):
        self._look()
        return self._most_kb / 1000.0


if __name__ == "__main__":
    main()
