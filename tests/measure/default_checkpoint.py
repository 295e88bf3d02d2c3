"""The default (or another) checkpoint on real recordings: tables in Markdown on stdout.

    python -m tests.measure.default_checkpoint scorecard --data REALDATA
    python -m tests.measure.default_checkpoint robustness --data REALDATA
    python -m tests.measure.default_checkpoint scorecard --data REALDATA --checkpoint P --graph G \\
        --compared_with first OLD_CHECKPOINT OLD_GRAPH

REALDATA is laid out as tests/measure/real_clips.py says. Columns of the scorecard: r of the
mouth's opening (jawOpen - mouthClose), its r outside silences, and its lag; r of rounding and of
pressing; closures, the share of p b m at which the opening falls below 25 % of the clip's own 90th
percentile within 40 ms; false, the same on open vowels; uh um shut, the same on the vowels of
filled pauses; leak, the mean opening in silence as a part of its 95th percentile; jitter, mean
jerk of the opening as a part of the labels'; mouth r, the mean r of all jaw and mouth channels
that move in the labels (one that stands still in the face counts 0); trusted r, that of those in
which the labels are consistent (utils/dataset/real_corpus.py). The fitted loudness and the mean
are fitted to the labels they are scored on. Eye motion is left out: it moves none of this.
"""
import argparse
import collections
import os
import subprocess
import tempfile

import imageio_ffmpeg
import numpy as np
import scipy.signal

from tests.measure.real_clips import (COLUMNS, add_data_flags, face_of, grid_many_clips,
                                      labelled_clips, mean_rows, print_table, rows_of,
                                      unlabelled_clips)
from utils.animation.animator import SpeechAnimator
from utils.common.channels import mouth_opening
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import run_script
from utils.media.audio import read_audio, write_wav
from utils.media.loudness import level_db, silent_frames, speech_envelope
from utils.scoring import metrics
from utils.scoring.phone_spans import BILABIALS, bilabial_spans, open_spans

NOISE_DB = 10.0
REVERBERATION_S, DIRECT_TO_REVERBERANT_DB = 0.5, 3.0
ROBUSTNESS_S = 90.0                 # of each clip
FILLERS = ("uh", "um", "er", "erm")


def measure_scorecard(animators, data, num_grid_clips):
    """Print a table per clip with labels, their means, and one of the clips without."""
    rows_by_speaker = collections.OrderedDict()
    for clip in labelled_clips(data, num_grid_clips) + grid_many_clips(data):
        rows = rows_of(clip, collections.OrderedDict(
            (name, face_of(animator, clip.samples)) for name, animator in animators.items()))
        print("**%s**, %.0f s\n" % (clip.name, len(clip.samples) / float(SAMPLE_RATE_HZ)))
        _print_rows(rows)
        rows_by_speaker.setdefault(clip.speaker, []).append(rows)
    means = [mean_rows(rows) for rows in rows_by_speaker.values()]
    for speaker, rows in zip(rows_by_speaker, means):
        print("**%s**, mean of %d\n" % (speaker, len(rows_by_speaker[speaker])))
        _print_rows(rows)
    print("**All**, mean over speakers\n")
    _print_rows(mean_rows(means))
    for name, animator in animators.items():
        print("**Without a captured face: %s**; r: how like the loudness, not how right\n" % name)
        print_table(("clip", "r with loudness", "r with dB", "lag ms", "closures", "false",
                     "uh um shut", "leak"),
                    [[clip.name] + _unlabelled_row(clip, face_of(animator, clip.samples))
                     for clip in unlabelled_clips(data)])


def _print_rows(rows):
    print_table(("face",) + COLUMNS, [[name] + list(row.values()) for name, row in rows.items()])


def _unlabelled_row(clip, face):
    opening, envelope = mouth_opening(face.weights, face.names), speech_envelope(clip.samples)
    lag_s, _ = metrics.best_lag(opening, envelope, ANIMATION_FPS, max_lag_s=0.2)
    closures = [None, None, None]
    if clip.timings is not None:
        closures = [metrics.closed_share(opening, spans, ANIMATION_FPS)[0] for spans in (
            bilabial_spans(clip.timings), open_spans(clip.timings), filler_spans(clip.timings))]
    return ([metrics.correlation(opening, envelope),
             metrics.correlation(opening, level_db(envelope)), 1000.0 * lag_s] + closures
            + [metrics.silence_leak(opening, silent_frames(envelope))[0]])


def filler_spans(timings):
    """[(start_s, end_s)], the middle third of the vowels of filled pauses."""
    words = [(start_s, end_s) for word, start_s, end_s in timings.words if word.lower() in FILLERS]
    return [((2 * start_s + end_s) / 3, (start_s + 2 * end_s) / 3)
            for phone, start_s, end_s in timings.phones if phone not in BILABIALS
            and any(first_s <= start_s and end_s <= last_s for first_s, last_s in words)]


def measure_robustness(animators, data):
    """Print the opening r of each degraded version of a clip of each speaker, and its change."""
    babble = _babble(data)
    for name, animator in animators.items():
        print("**%s**: opening r of the first %.0f s, its change, and closures - false\n"
              % (name, ROBUSTNESS_S))
        head, table = ["sound"], collections.OrderedDict()
        speakers = set()
        for clip in labelled_clips(data, 0):
            if clip.speaker in speakers:
                continue
            speakers.add(clip.speaker)
            head += [clip.name, "change"] + (["closures - false"] if clip.timings else [])
            samples = clip.samples[:int(ROBUSTNESS_S * SAMPLE_RATE_HZ)]
            clean_r = None
            for degraded, sound in degraded_versions(samples, babble).items():
                # The sound that silence is told by stays the clean one.
                row = rows_of(clip._replace(samples=samples),
                              {"": face_of(animator, sound)})[""]
                clean_r = row["opening r"] if clean_r is None else clean_r
                cells = [row["opening r"], "%+.2f" % (row["opening r"] - clean_r)]
                if clip.timings:
                    cells.append(row["closures"] - row["false"])
                table.setdefault(degraded, []).extend(cells)
        print_table(head, [[degraded] + cells for degraded, cells in table.items()])


def degraded_versions(samples, babble):
    """{what was done: samples}, the clean ones first."""
    random = np.random.RandomState(0)
    versions = collections.OrderedDict([("clean", samples)])
    versions["8 kHz"] = scipy.signal.resample_poly(
        scipy.signal.resample_poly(samples, 1, 2), 2, 1)[:len(samples)]
    versions["mp3, 64 kbit/s"] = through_mp3(samples, "64k")
    versions["+12 dB (clips)"] = np.clip(samples * 10 ** (12 / 20.0), -1.0, 1.0)
    versions["-12 dB"] = samples * 10 ** (-12 / 20.0)
    versions["babble, 10 dB SNR"] = with_noise(samples, np.resize(babble, len(samples)))
    versions["white noise, 10 dB SNR"] = with_noise(samples, random.randn(len(samples)))
    versions["room, RT60 %.1f s" % REVERBERATION_S] = in_a_room(samples, random)
    return collections.OrderedDict(
        (name, np.asarray(sound, np.float32)) for name, sound in versions.items())


def with_noise(samples, noise):
    """NOISE_DB of signal to noise, over the whole clip."""
    gain = np.std(samples) / np.std(noise) * 10 ** (-NOISE_DB / 20.0)
    return np.clip(samples + gain * noise, -1.0, 1.0)


def in_a_room(samples, random):
    """Exponentially decaying noise after the direct sound."""
    time_s = np.arange(int(REVERBERATION_S * SAMPLE_RATE_HZ)) / float(SAMPLE_RATE_HZ)
    tail = random.randn(len(time_s)) * 10 ** (-3.0 * time_s / REVERBERATION_S)
    tail *= 10 ** (-DIRECT_TO_REVERBERANT_DB / 20.0) / np.sqrt(np.sum(tail ** 2))
    tail[:int(0.003 * SAMPLE_RATE_HZ)] = 0.0
    tail[0] = 1.0
    wet = scipy.signal.fftconvolve(samples, tail)[:len(samples)]
    return wet * np.std(samples) / np.std(wet)


def through_mp3(samples, bitrate):
    """Coded and decoded; ffmpeg takes the coder's delay out again."""
    with tempfile.TemporaryDirectory() as folder:
        wav, mp3 = os.path.join(folder, "a.wav"), os.path.join(folder, "a.mp3")
        write_wav(wav, samples)
        subprocess.check_call([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", wav,
                               "-b:a", bitrate, mp3])
        return read_audio(mp3)[:len(samples)]


def _babble(data):
    """The clips without a face, all at once, each as loud as the others."""
    clips = [clip.samples / np.std(clip.samples) for clip in unlabelled_clips(data)]
    return np.sum([np.resize(clip, int(30 * SAMPLE_RATE_HZ)) for clip in clips], axis=0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=("scorecard", "robustness"))
    add_data_flags(parser)
    parser.add_argument("--compared_with", nargs=3, action="append", default=[],
                        metavar=("NAME", "CHECKPOINT", "GRAPH"))
    parser.add_argument("--grid_clips", type=int, default=784,
                        help="how many of grid_s1_clips (%(default)s)")
    args = parser.parse_args()
    animators = collections.OrderedDict(
        (name, SpeechAnimator(checkpoint, graph, tta_copies=args.tta_copies))
        for name, checkpoint, graph in [("this", args.checkpoint, args.graph)] + args.compared_with)
    if args.table == "scorecard":
        measure_scorecard(animators, args.data, args.grid_clips)
    else:
        measure_robustness(animators, args.data)


if __name__ == "__main__":
    run_script(main)
