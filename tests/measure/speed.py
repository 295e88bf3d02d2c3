"""How fast speech becomes a face here: processing time / audio time (RTF), a table.

    python -m tests.measure.speed
    python -m tests.measure.speed --full_size training/full-size

--full_size also times a graph of the published release's width (2048, random weights). Where
the folder holds none, one is written there first (0.24 GB); its .tflite can only be written on
the reference stack, and is then timed on both. Each figure is the median of --runs runs; loading
and the imports stand in columns of their own, since a long file pays them once.
"""
import argparse
import os
import subprocess
import sys
import time

import numpy as np

from tests.helpers.paths import REPOSITORY
from utils.animation.animator import SpeechAnimator
from utils.common.constants import (DEFAULT_CHECKPOINT, MFCC_STEP_SAMPLES, RELEASED_WIDTH,
                                    SAMPLE_RATE_HZ)
from utils.common.quiet_tensorflow import tf
from utils.media.audio import read_audio
from utils.preview.video import write_preview

GRAPHS = ("output_graph.tflite", "output_graph.pb")
PREVIEW_FRAMES = 150


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full_size", metavar="FOLDER", help="of a full-size graph")
    parser.add_argument("--seconds", type=float, default=60.0, help="of audio (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="(%(default)s)")
    return parser


def speech_of_length(num_seconds):
    """The test sentence over and over, float32 [16000 * num_seconds]."""
    sentence = read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))
    return np.resize(sentence, int(num_seconds * SAMPLE_RATE_HZ))


def timed(function):
    started_s = time.perf_counter()
    result = function()
    return time.perf_counter() - started_s, result


def run_whole(animator, samples):
    animator.start()
    return np.concatenate([animator.feed(samples), animator.finish()])


def time_graph(graph_path, samples, num_runs):
    """(seconds to load, median seconds to animate `samples`, weights [frames, 52])."""
    model_path = os.path.join(REPOSITORY, DEFAULT_CHECKPOINT)
    load_s, animator = timed(lambda: SpeechAnimator(model_path, graph_path, force=True))
    run_whole(animator, samples[:50 * MFCC_STEP_SAMPLES])       # first calls build things
    runs = [timed(lambda: run_whole(animator, samples)) for _ in range(num_runs)]
    return load_s, np.median([run_s for run_s, _ in runs]), animator.channels, runs[0][1]


def time_command(audio_s):
    """Seconds of `run_voca.py --no_preview` as a whole, imports and files written included."""
    import tempfile
    from utils.media.audio import write_wav
    with tempfile.TemporaryDirectory() as folder:
        audio_path = os.path.join(folder, "speech.wav")
        write_wav(audio_path, speech_of_length(audio_s))
        return timed(lambda: subprocess.check_call(
            [sys.executable, os.path.join(REPOSITORY, "run_voca.py"), "--audio_fname", audio_path,
             "--out_path", folder, "--no_preview"], cwd=REPOSITORY,
            stdout=subprocess.DEVNULL))[0]


def time_preview(weights, names):
    """Seconds of preview for each second of animation."""
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "preview.mp4")
        preview_s, _ = timed(lambda: write_preview(path, weights[:PREVIEW_FRAMES], names, 30))
    return preview_s / (PREVIEW_FRAMES / 30.0)


def main():
    args = get_parser().parse_args()
    folders = [os.path.join(REPOSITORY, "ds_graph", "deepspeech-mini")]
    if args.full_size:
        folders.append(args.full_size)
        if not any(os.path.exists(os.path.join(args.full_size, name)) for name in GRAPHS):
            from tests.helpers.graphs import write_random_graph
            os.makedirs(args.full_size, exist_ok=True)
            write_random_graph(args.full_size, width=RELEASED_WIDTH)
    samples = speech_of_length(args.seconds)
    print("TensorFlow %s, Python %d.%d, %d cores, %.0f s of audio, median of %d runs" % (
        (tf.__version__,) + sys.version_info[:2] + (os.cpu_count(), args.seconds, args.runs)))
    print("%-46s %8s %8s %8s" % ("graph", "load s", "run s", "RTF"))
    for folder in folders:
        for path in (os.path.join(folder, name) for name in GRAPHS):
            if os.path.exists(path):
                load_s, run_s, names, weights = time_graph(path, samples, args.runs)
                print("%-46s %8.2f %8.2f %8.4f" % (
                    os.path.join(*path.split(os.sep)[-2:]), load_s, run_s, run_s / args.seconds))
    command_s = time_command(args.seconds)
    print("%-46s %8s %8.2f %8.4f" % ("run_voca.py --no_preview, whole command", "", command_s,
                                    command_s / args.seconds))
    print("%-46s %8s %8s %8.4f" % ("preview.mp4, beside the above", "", "",
                                  time_preview(weights, names)))


if __name__ == "__main__":
    main()
