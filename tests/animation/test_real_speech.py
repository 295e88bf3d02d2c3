"""The embedded default on real voices that it never heard: needs ../shared/realdata.

    python -m tests.animation.test_real_speech [--graph F] [--checkpoint F]

prints the table for every clip: r and lag of the mouth opening with the speech's envelope
(utils/media/loudness.py), leak into silence and into what of it lies 100 ms from speech (inside),
closures on p b m and false ones on open vowels (utils/scoring/metrics.py,
utils/formats/timings.py).
"""
import argparse
import glob
import os

import numpy as np
import pytest
import scipy.ndimage

from tests.helpers.paths import REPOSITORY, SHARED
from utils.animation.animator import SpeechAnimator
from utils.animation.audio_file import animate_audio
from utils.common.channels import mouth_opening
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.formats.timings import read_timings
from utils.media.audio import open_audio, read_audio
from utils.media.loudness import level_db, silent_frames, speech_envelope
from utils.scoring.metrics import best_lag, closed_share, correlation, silence_leak
from utils.scoring.phone_spans import bilabial_spans, open_spans

ACOUSTIC_GRAPH = os.path.join(REPOSITORY, "ds_graph", "deepspeech-mini", "output_graph.tflite")
CHECKPOINT = os.path.join(REPOSITORY, "model")
SETTLING_FRAMES = 3


def clip_paths():
    return (sorted(glob.glob(os.path.join(SHARED, "realdata", "speech", "*.wav")))
            + sorted(glob.glob(os.path.join(SHARED, "realdata", "speech_phones", "*.wav"))))


def score_clip(animator, path):
    """{measure: value} of one clip, and its weights [frames, 52]."""
    weights, _, _ = animate_audio(animator, open_audio(path))
    opening = mouth_opening(weights, animator.channels)
    envelope = speech_envelope(read_audio(path))
    silent = silent_frames(envelope)
    lag_s, _ = best_lag(opening, envelope, ANIMATION_FPS, max_lag_s=0.2)
    leak, _ = silence_leak(opening, silent)
    # The lips part before the voice and settle after it: further inside, they are shut.
    inside = scipy.ndimage.binary_erosion(silent, iterations=SETTLING_FRAMES)
    leak_inside, _ = silence_leak(opening, inside)
    score = {
        "r": correlation(opening, envelope),
        "r_db": correlation(opening, level_db(envelope)),
        "lag_ms": 1000.0 * lag_s,
        "p95": np.percentile(opening, 95), "silent_s": silent.sum() / float(ANIMATION_FPS),
        "leak": float("nan") if leak is None else leak,
        "inside": float("nan") if leak_inside is None else leak_inside,
    }
    grid = path[:-len(".wav")] + ".TextGrid"
    if os.path.isfile(grid):
        timings = read_timings(grid)
        score["closures"], _ = closed_share(opening, bilabial_spans(timings), ANIMATION_FPS)
        score["false"], _ = closed_share(opening, open_spans(timings), ANIMATION_FPS)
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
    # "Poppy": the open vowel about 0.33 s, the second p about 0.43 s, the y about 0.6 s; the face
    # comes a frame later, as real ones do.
    assert opening[9:13].max() > 0.2 and opening[13:16].min() < 0.05 < opening[17:21].max()
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
    measured = {name: (score["leak"], score["silent_s"])
                for name, score in scores.items() if score["silent_s"] > 0}
    assert len(measured) >= 6
    leaks, lengths_s = zip(*measured.values())
    assert np.average(leaks, weights=lengths_s) < 0.055
    inside = [score["inside"] for score in scores.values() if np.isfinite(score["inside"])]
    assert len(inside) >= 6 and max(inside) < 0.045
    for name, (leak, _) in measured.items():
        # In a second of silence in pieces, the frame by which a face comes later tells.
        assert leak < 0.13, name


def test_mouth_moves_and_neither_leads_nor_lags(scores):
    for name, score in scores.items():
        assert 0.1 < score["p95"] < 0.7, name
        assert abs(score["lag_ms"]) <= 100.0, name


def print_table(scores):
    columns = ("r", "r_db", "lag_ms", "p95", "silent_s", "leak", "inside", "closures", "false")
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
