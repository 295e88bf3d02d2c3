"""The eleven subjects that a clean clone trains on: whole, small, and in step."""
import glob
import os

import numpy as np
import pytest

from tests.helpers.paths import REPOSITORY
from utils.common.channels import MODEL_CHANNELS, mouth_opening
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.formats.live_link_csv import read_live_link_csv
from utils.media.audio import open_audio, read_audio
from utils.media.loudness import loudness_envelope
from utils.speech.synthetic_subjects import LATER_FRAMES

FOLDER = os.path.join(REPOSITORY, "training_data")
SUBJECTS = [str(number) for number in range(1, 12)]


def of_subject(name, extension):
    return os.path.join(FOLDER, name + extension)


def test_eleven_pairs_and_nothing_else_within_8_megabytes():
    media = sorted(glob.glob(os.path.join(FOLDER, "*.mp4")))
    labels = sorted(glob.glob(os.path.join(FOLDER, "*.csv")))
    assert media == sorted(of_subject(name, ".mp4") for name in SUBJECTS)
    assert labels == sorted(of_subject(name, ".csv") for name in SUBJECTS)
    assert sum(os.path.getsize(path) for path in media + labels) <= 8e6


@pytest.fixture(scope="module")
def subjects():
    """{name: (samples, times_s, weights in MODEL_CHANNELS order)}"""
    found = {}
    for name in SUBJECTS:
        times_s, weights, names = read_live_link_csv(of_subject(name, ".csv"))
        assert set(names) >= set(MODEL_CHANNELS)
        columns = [list(names).index(channel) for channel in MODEL_CHANNELS]
        found[name] = (read_audio(of_subject(name, ".mp4")), np.asarray(times_s),
                       np.asarray(weights)[:, columns])
    return found


def test_labels_last_as_long_as_the_sound(subjects):
    for name, (samples, times_s, weights) in subjects.items():
        duration_s = len(samples) / float(SAMPLE_RATE_HZ)
        assert 10.0 <= duration_s <= 16.0, name
        assert abs(len(weights) / float(ANIMATION_FPS) - duration_s) <= 1.0 / ANIMATION_FPS
        np.testing.assert_allclose(times_s, np.arange(len(weights)) / float(ANIMATION_FPS),
                                   atol=2e-3)
        assert weights.min() >= 0.0 and weights.max() <= 1.0


def test_pictures_last_as_long_as_the_labels(subjects):
    cv2 = pytest.importorskip("cv2")
    for name, (_, _, weights) in subjects.items():
        video = cv2.VideoCapture(of_subject(name, ".mp4"))
        assert abs(video.get(cv2.CAP_PROP_FRAME_COUNT) - len(weights)) <= 1, name
        assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(ANIMATION_FPS)
        assert video.get(cv2.CAP_PROP_FRAME_WIDTH) >= 192
        video.release()
        assert open_audio(of_subject(name, ".mp4")).duration_s == pytest.approx(
            len(weights) / float(ANIMATION_FPS), abs=0.1)


def test_mouths_move_with_the_sound_and_rest_in_silence(subjects):
    for name, (samples, _, weights) in subjects.items():
        opening = mouth_opening(weights, MODEL_CHANNELS)
        envelope = loudness_envelope(samples, 0.1)[:len(opening)]
        by_lag = {lag: np.corrcoef(np.roll(opening, -lag)[9:-9], envelope[9:-9])[0, 1]
                  for lag in range(-8, 9)}
        assert max(by_lag, key=by_lag.get) in (-2, -1, 0, 1, 2), name
        assert by_lag[LATER_FRAMES] > 0.55, name
        assert 0.2 < np.percentile(opening, 95) < 0.6, name
        silent = envelope < 1e-4 * envelope.max()
        assert silent.sum() > 5 and opening[silent].mean() < 0.02, name


def test_lips_meet_and_round_and_eyes_blink(subjects):
    for name, (_, _, weights) in subjects.items():
        column = dict(zip(MODEL_CHANNELS, weights.T))
        opening = mouth_opening(weights, MODEL_CHANNELS)
        speaking = (column["jawOpen"] > 0.03) | (column["mouthPressLeft"] > 0.1)
        shut = speaking & (opening < 0.01) & (column["mouthPressLeft"] > 0.1)
        assert ((shut[1:] & ~shut[:-1]).sum()) >= 3, name
        assert column["mouthPucker"].max() > 0.3, name
        assert column["mouthRollLower"].max() > 0.2, name
        lid = column["eyeBlinkLeft"]
        assert 1 <= ((lid[1:] > 0.5) & (lid[:-1] <= 0.5)).sum() <= 9, name
