"""The embedded default on real voices that it never heard: needs ../shared/realdata.

    python tests/test_real_speech.py [--graph F] [--checkpoint F]

prints the table for every clip. What is measured:
- envelope: RMS of the speech above 80 Hz (recordings carry rumble, faces do not follow it) in a
  Hann window of 100 ms, at each animation frame;
- r: correlation of the mouth opening (jawOpen - mouthClose, floored at 0) with that envelope;
- leak: mean opening over silent stretches, as a part of the clip's 95th percentile; silent is at
  least 300 ms on end with the envelope 30 dB below its own 95th percentile;
- closures: share of the p b m of the phone tiers with the opening below a quarter of its 90th
  percentile within 40 ms of the phone; false: the same for open vowels, those beside a phone or
  pause that does close the lips left out.
"""
import argparse
import glob
import os

import numpy as np
import pytest
import scipy.signal

from conftest import REPOSITORY, SHARED
from training_data.synthetic_corpus import loudness_envelope
from utils.animation import SpeechAnimator, animate_audio
from utils.audio import open_audio, read_audio
from utils.channels import mouth_opening
from utils.constants import ANIMATION_FPS, SAMPLE_RATE_HZ

ACOUSTIC_GRAPH = os.path.join(REPOSITORY, "ds_graph", "deepspeech-mini", "output_graph.tflite")
CHECKPOINT = os.path.join(REPOSITORY, "model")
RUMBLE_HZ = 80.0
ENVELOPE_S = 0.1
SILENT_DB = -30.0
SILENT_S = 0.3
NEAR_PHONE_S = 0.04
BILABIALS = ("P", "B", "M")
LIPS_NEAR = ("F", "V", "sil", "sp", "spn", "")
OPEN_VOWELS = ("AA", "AE", "AO", "AW", "AY")


def clip_paths():
    return (sorted(glob.glob(os.path.join(SHARED, "realdata", "speech", "*.wav")))
            + sorted(glob.glob(os.path.join(SHARED, "realdata", "speech_phones", "*.wav"))))


def speech_envelope(samples):
    """[frames] loudness without rumble."""
    above = scipy.signal.butter(4, RUMBLE_HZ, "highpass", fs=SAMPLE_RATE_HZ, output="sos")
    return loudness_envelope(scipy.signal.sosfiltfilt(above, samples), ENVELOPE_S)


def silent_frames(envelope):
    """[frames] bool: in a stretch of silence that is long enough."""
    quiet = 20.0 * np.log10(np.maximum(envelope, 1e-9) / np.percentile(envelope, 95)) < SILENT_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(int), [0]])))
    silent = np.zeros(len(envelope), bool)
    for start, end in zip(edges[::2], edges[1::2]):
        if end - start >= SILENT_S * ANIMATION_FPS:
            silent[start:end] = True
    return silent


def read_phones(path):
    """[(phone without stress digit, start_s, end_s)] of a short-form TextGrid's tier `phones`."""
    with open(path, encoding="utf-8") as stream:
        lines = [line.strip().strip('"') for line in stream]
    at = lines.index("phones") + 3
    rows = lines[at + 1:at + 1 + 3 * int(lines[at])]
    return [(name.rstrip("012"), float(start_s), float(end_s))
            for start_s, end_s, name in zip(rows[::3], rows[1::3], rows[2::3])]


def closed_share(opening, phones, wanted, not_beside=()):
    """(share of the `wanted` phones at which the mouth is closed, how many there are).

    Phones beside one of `not_beside` are left out.
    """
    closed = opening < 0.25 * np.percentile(opening, 90)
    hits = []
    for i, (name, start_s, end_s) in enumerate(phones):
        beside = [other for other, _, _ in phones[max(i - 1, 0):i + 2]]
        if name in wanted and not set(beside) & set(not_beside):
            first = max(int(np.ceil((start_s - NEAR_PHONE_S) * ANIMATION_FPS)), 0)
            last = int(np.floor((end_s + NEAR_PHONE_S) * ANIMATION_FPS))
            hits.append(bool(closed[first:last + 1].any()))
    return float(np.mean(hits)) if hits else float("nan"), len(hits)


def score_clip(animator, path):
    """{measure: value} of one clip, and its weights [frames, 52]."""
    weights, _, _ = animate_audio(animator, open_audio(path))
    opening = mouth_opening(weights, animator.channels)
    envelope = speech_envelope(read_audio(path))
    level_db = 20.0 * np.log10(np.maximum(envelope, 1e-9))
    level_db = np.maximum(level_db, np.percentile(level_db, 95) - 40.0)
    silent = silent_frames(envelope)
    lags = range(-6, 7)
    by_lag = [np.corrcoef(np.roll(opening, -lag)[6:-6], envelope[6:-6])[0, 1] for lag in lags]
    p95 = np.percentile(opening, 95)
    score = {
        "r": np.corrcoef(opening, envelope)[0, 1], "r_db": np.corrcoef(opening, level_db)[0, 1],
        "lag_ms": 1000.0 * lags[int(np.argmax(by_lag))] / ANIMATION_FPS,
        "p95": p95, "silent_s": silent.sum() / float(ANIMATION_FPS),
        "leak": opening[silent].mean() / p95 if silent.any() else float("nan"),
    }
    grid = path[:-len(".wav")] + ".TextGrid"
    if os.path.isfile(grid):
        phones = read_phones(grid)
        score["closures"], _ = closed_share(opening, phones, BILABIALS)
        score["false"], _ = closed_share(opening, phones, OPEN_VOWELS, BILABIALS + LIPS_NEAR)
    return score, weights


@pytest.fixture(scope="module")
def animator():
    return SpeechAnimator(CHECKPOINT, ACOUSTIC_GRAPH)


@pytest.fixture(scope="module")
def scores(animator):
    if not clip_paths():
        pytest.skip("needs ../shared/realdata, which is not part of the repository")
    return {os.path.basename(path): score_clip(animator, path)[0] for path in clip_paths()}


def test_the_demo_sentence_opens_shuts_and_rests(animator):
    path = os.path.join(REPOSITORY, "audio", "test_sentence.wav")
    score, weights = score_clip(animator, path)
    assert score["r"] > 0.5 and abs(score["lag_ms"]) <= 34.0
    assert score["silent_s"] > 0.5 and score["leak"] < 0.05
    opening = mouth_opening(weights, animator.channels)
    # "Poppy": the open vowel about 0.33 s, the second p about 0.43 s, the y about 0.6 s.
    assert opening[8:12].max() > 0.2 and opening[12:15].min() < 0.04 < opening[16:20].max()
    column = dict(zip(animator.channels, weights.T))
    assert column["mouthPucker"].max() > 0.25 and column["mouthRollLower"].max() > 0.12


def test_silence_and_noise_leave_the_face_at_rest(animator):
    random = np.random.RandomState(0)
    for level in (0.0, 1e-4, 3e-3, 2e-2):
        samples = (level * random.randn(3 * SAMPLE_RATE_HZ)).astype(np.float32)
        animator.start()
        weights = np.concatenate([animator.feed(samples), animator.finish()])
        assert mouth_opening(weights, animator.channels).max() < 0.06, level
        assert np.abs(np.diff(weights, axis=0)).max() < 0.05, level


def test_mouth_follows_the_loudness_of_every_clip(scores):
    print_table(scores)
    for name, score in scores.items():
        assert score["r"] > 0.4, name


def test_mouth_is_shut_in_silence(scores):
    measured = {name: score["leak"] for name, score in scores.items() if score["silent_s"] > 0}
    assert len(measured) >= 6
    for name, leak in measured.items():
        assert leak < 0.05, name


def test_mouth_moves_and_neither_leads_nor_lags(scores):
    for name, score in scores.items():
        assert 0.1 < score["p95"] < 0.7, name
        assert abs(score["lag_ms"]) <= 100.0, name


def print_table(scores):
    columns = ("r", "r_db", "lag_ms", "p95", "silent_s", "leak", "closures", "false")
    print("%-32s" % "clip" + "".join("%9s" % column for column in columns))
    for name, score in scores.items():
        print("%-32s" % name + "".join(
            "%9.2f" % score[column] if column in score else "%9s" % "" for column in columns))
    for column in ("r", "r_db"):
        print("mean %s %.3f" % (column, np.mean([score[column] for score in scores.values()])))


def main():
    parser = argparse.ArgumentParser(description="measure the default on real speech")
    parser.add_argument("--graph", default=ACOUSTIC_GRAPH)
    parser.add_argument("--checkpoint", default=CHECKPOINT)
    args = parser.parse_args()
    animator = SpeechAnimator(args.checkpoint, args.graph)
    print_table({os.path.basename(path): score_clip(animator, path)[0] for path in clip_paths()})


if __name__ == "__main__":
    main()
