"""How fast speech becomes a face here: one table, each figure as a ratio where there is one.

    python -m tests.measure.speed
    python -m tests.measure.speed --rows startup preview
    python -m tests.measure.speed --full_size training/full-size

Rows: startup (run_voca.py --no_preview on a second of sound), graph (the animation alone, graph
and network loaded), preview (what preview.mp4 adds to the command), hour (an hour of sound
without the preview) and training (64 x 2 frames a step, cached features; the ratio is to the
published loop). Seconds are by the clock and of processor time; on a shared machine the latter
tells more. The ratio is clock time / length of the sound, the median of --runs.

--full_size also times a graph of the published release's width (2048, random weights). Where
the folder holds none, one is written there first (0.24 GB); its .tflite can only be written on
the reference stack, and is then timed on both.
"""
import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from tests.helpers.paths import REPOSITORY
from tests.measure.training_speed import PUBLISHED, STEPS, steps_per_s_of, write_features
from utils.animation.animator import SpeechAnimator
from utils.common.constants import (DEFAULT_AUDIO, DEFAULT_CHECKPOINT, MFCC_STEP_SAMPLES,
                                    SAMPLE_RATE_HZ)
from utils.common.quiet_tensorflow import tf
from utils.media.audio import read_audio, write_wav

GRAPHS = ("output_graph.tflite", "output_graph.pb")
RELEASED_WIDTH = 2048               # of DeepSpeech 0.5.0's own graphs
HOUR_S = 3600.0
TRAINING_STEPS = 400
# A command started from here would be told to have had this process's memory, which it forks from.
LAUNCHER = """
import resource, subprocess, sys
subprocess.check_call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=sorted(ROWS), metavar="ROW",
                        default=list(ROWS), help="some of: %s (all)" % ", ".join(ROWS))
    parser.add_argument("--full_size", metavar="FOLDER", help="of a full-size graph")
    parser.add_argument("--seconds", type=float, default=60.0,
                        help="of sound, for graph and preview (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of each but hour (%(default)s)")
    return parser


def show(what, clock_s, cpu_s=None, ratio=None, note=""):
    print("%-48s %8.2f %8s %8s  %s" % (
        what, clock_s, "" if cpu_s is None else "%.2f" % cpu_s,
        "" if ratio is None else "%.4f" % ratio, note))
    sys.stdout.flush()


def speech_of_length(num_seconds):
    """The test sentence over and over, float32 [16000 * num_seconds]."""
    return np.resize(read_audio(DEFAULT_AUDIO), int(num_seconds * SAMPLE_RATE_HZ))


@contextlib.contextmanager
def sound_of_length(num_seconds):
    """Yield a wav of speech, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "speech.wav")
        write_wav(path, speech_of_length(num_seconds))
        yield path


def time_command(audio_path, *flags):
    """(clock seconds, processor seconds, MB of its largest process) of run_voca.py as a whole."""
    started_s = time.perf_counter()
    told = subprocess.check_output(
        [sys.executable, "-S", "-c", LAUNCHER, sys.executable,
         os.path.join(REPOSITORY, "run_voca.py"), "--audio_fname", audio_path,
         "--out_path", os.path.join(os.path.dirname(audio_path), "out")] + list(flags),
        cwd=REPOSITORY)
    clock_s = time.perf_counter() - started_s
    cpu_s, most_kb = (float(number) for number in told.split())
    return clock_s, cpu_s, most_kb / 1000.0


def time_startup(args):
    with sound_of_length(1.0) as path:
        runs = [time_command(path, "--no_preview") for _ in range(args.runs + 1)][1:]   # warm
    clock_s, cpu_s, memory_mb = np.median(runs, axis=0)
    show("startup: run_voca.py --no_preview, 1 s of sound", clock_s, cpu_s,
         note="%.0f MB" % memory_mb)


def run_whole(animator, samples):
    animator.start()
    return np.concatenate([animator.feed(samples), animator.finish()])


def time_graph(args):
    folders = [os.path.join(REPOSITORY, "ds_graph", "deepspeech-mini")]
    if args.full_size:
        folders.append(args.full_size)
        if not any(os.path.exists(os.path.join(args.full_size, name)) for name in GRAPHS):
            from tests.helpers.graphs import write_random_graph
            os.makedirs(args.full_size, exist_ok=True)
            write_random_graph(args.full_size, width=RELEASED_WIDTH)
    samples = speech_of_length(args.seconds)
    for path in (os.path.join(folder, name) for folder in folders for name in GRAPHS):
        if not os.path.exists(path):
            continue
        animator = SpeechAnimator(os.path.join(REPOSITORY, DEFAULT_CHECKPOINT), path, force=True)
        run_whole(animator, samples[:200 * MFCC_STEP_SAMPLES])       # first calls build things
        runs = []
        for _ in range(args.runs):
            before = time.perf_counter(), time.process_time()
            run_whole(animator, samples)
            runs.append((time.perf_counter() - before[0], time.process_time() - before[1]))
        clock_s, cpu_s = np.median(runs, axis=0)
        show("graph: %s" % os.path.join(*path.split(os.sep)[-2:]), clock_s, cpu_s,
             clock_s / args.seconds)


def time_preview(args):
    """With and without in turns, so that what else runs on the machine hits both alike."""
    with sound_of_length(args.seconds) as path:
        runs = [np.subtract(time_command(path), time_command(path, "--no_preview"))
                for _ in range(args.runs)]
    clock_s, cpu_s, _ = np.median(runs, axis=0)
    show("preview: preview.mp4, on top", clock_s, cpu_s, clock_s / args.seconds)


def time_hour(_):
    with sound_of_length(HOUR_S) as path:
        clock_s, cpu_s, memory_mb = time_command(path, "--no_preview")
    show("hour: run_voca.py --no_preview, 1 h of sound", clock_s, cpu_s, clock_s / HOUR_S,
         "%.0f MB" % memory_mb)


def time_training(args):
    with tempfile.TemporaryDirectory() as folder:
        write_features(folder)
        rates = [(steps_per_s_of(STEPS, folder, TRAINING_STEPS),
                  steps_per_s_of(PUBLISHED, folder, TRAINING_STEPS)) for _ in range(args.runs)]
    ours, published = np.median(rates, axis=0)
    show("training: %d steps" % TRAINING_STEPS, TRAINING_STEPS / ours,
         note="%.0f steps/s, %.1f x the published loop" % (ours, ours / published))


ROWS = {"startup": time_startup, "graph": time_graph, "preview": time_preview, "hour": time_hour,
        "training": time_training}


def main():
    args = get_parser().parse_args()
    print("TensorFlow %s, Python %d.%d, %d cores, load %.1f, %.0f s of sound, median of %d runs" % (
        (tf.__version__,) + sys.version_info[:2] + (os.cpu_count(), os.getloadavg()[0],
                                                    args.seconds, args.runs)))
    print("%-48s %8s %8s %8s" % ("", "clock s", "CPU s", "ratio"))
    for row in args.rows:
        ROWS[row](args)


if __name__ == "__main__":
    main()
