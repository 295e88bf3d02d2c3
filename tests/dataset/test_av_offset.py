"""The lag between face and sound: known shifts of made and real pairs, and pairs that are none."""
import os

import numpy as np
import pytest

from utils.common.resample import resample_frames
from utils.dataset import av_offset
from utils.dataset.av_offset import MIN_CONFIDENCE, NO_LAG, OPENING_AFTER_VOICE_S, search_lag
from utils.formats.face_files import read_face
from utils.media.audio import read_audio
from utils.media.loudness import level_db, speech_envelope
from utils.scoring.metrics import mouth_signals

FPS = 30
ONE_FRAME_S = 1.0 / FPS


def speech(num_frames, seed, fps=FPS):
    """[num_frames] made loudness: syllables of uneven length and height, pauses between phrases."""
    random = np.random.RandomState(seed)
    times_s = np.arange(num_frames) / float(fps)
    loudness, time_s = np.full(num_frames, 0.003), 0.0
    while time_s < times_s[-1]:
        time_s += random.uniform(0.12, 0.3)
        if random.rand() < 0.12:
            time_s += random.uniform(0.3, 0.9)
        height, width_s = random.uniform(0.1, 1.0), random.uniform(0.03, 0.07)
        loudness += height * np.exp(-0.5 * ((times_s - time_s) / width_s) ** 2)
    return loudness


def delayed(curve, frames):
    """The curve `frames` later, between frames too; held at its ends."""
    return np.interp(np.arange(len(curve)) - frames, np.arange(len(curve)), curve)


def opening_of(loudness):
    return np.log(loudness / 0.003) / 10.0


def everywhere(curve):
    return np.ones(len(curve), bool)


@pytest.mark.parametrize("frames", [-14, -6.5, -1, 0, 0.3, 4, 9.7, 14])
def test_a_known_delay_is_found_between_frames_too(frames):
    envelope = speech(900, 1)
    opening = delayed(opening_of(envelope), frames)
    lag = search_lag(opening, everywhere(opening), envelope, FPS, 0.5)
    # Later by the delay, less what a mouth in step is late by anyhow.
    assert abs(lag.lag_s - (frames / float(FPS) - OPENING_AFTER_VOICE_S)) < 0.1 * ONE_FRAME_S
    assert lag.confidence > 0.99 and lag.r > 0.9


def test_labels_that_begin_in_the_middle_of_the_sound():
    envelope = speech(3000, 2)
    opening = opening_of(envelope)[1200:1800]                   # second 40 to 60
    lag = search_lag(opening, everywhere(opening), envelope, FPS, 100.0)
    assert abs(lag.lag_s + 40.0 + OPENING_AFTER_VOICE_S) < 0.002
    assert lag.confidence > MIN_CONFIDENCE


def test_labels_that_begin_before_the_sound():
    envelope = speech(3000, 3)
    lag = search_lag(opening_of(envelope), everywhere(envelope), envelope[900:1500], FPS, 100.0)
    assert abs(lag.lag_s - 30.0 + OPENING_AFTER_VOICE_S) < 0.002
    assert lag.confidence > MIN_CONFIDENCE


def test_frames_that_are_not_valid_have_no_say():
    envelope = speech(900, 4)
    opening = delayed(opening_of(envelope), 5)
    valid = np.ones(900, bool)
    for start in range(40, 900, 90):
        valid[start:start + 25] = False
    clean = search_lag(opening, valid, envelope, FPS, 0.5)
    # Garbage that would outweigh all the rest by far.
    garbage = np.where(valid, opening, 50.0 * np.random.RandomState(0).rand(900))
    found = search_lag(garbage, valid, envelope, FPS, 0.5)
    assert found == clean
    assert abs(found.lag_s - (5.0 / FPS - OPENING_AFTER_VOICE_S)) < 0.2 * ONE_FRAME_S
    assert abs(search_lag(garbage, everywhere(garbage), envelope, FPS, 0.5).r) < 0.2


def test_r_is_pearsons_of_the_valid_frames_that_meet():
    envelope = speech(900, 8)
    opening = opening_of(envelope) + np.random.RandomState(0).normal(0, 0.1, 900)
    valid = np.ones(900, bool)
    valid[:250] = valid[500:560] = valid[700:] = False
    level = level_db(envelope)
    lag = search_lag(opening, valid, envelope, FPS, 0.5)
    np.testing.assert_allclose(lag.r, np.corrcoef(opening[valid], level[valid])[0, 1], atol=1e-9)
    lag = search_lag(opening[100:], valid[100:], envelope[:-100], FPS, 10.0)
    assert int(round((lag.lag_s + OPENING_AFTER_VOICE_S) * FPS)) == -100
    meeting = np.flatnonzero(valid[100:800]) + 100
    level = level_db(envelope[:-100])
    np.testing.assert_allclose(lag.r, np.corrcoef(opening[meeting], level[meeting])[0, 1],
                               atol=1e-9)


def test_confidence_worked_out_by_hand():
    # The band's r of 0.5 over 30 independent pairs stands atanh(0.5) * sqrt(27) = 2.854 deviations
    # out, 2.379 of the spread found: 0.9913 are lower. Of 1 + 6 * 2 of them in two seconds of
    # search, all are with 0.9913 ** 13 = 0.893. The rival is 0.06 lower: 1 - exp(-3) = 0.950.
    score = np.zeros(61)
    score[[10, 13, 40]] = 0.6, 0.58, 0.54               # 0.1 s from the best: no rival
    found = av_offset._confidence(score, np.ones(61, bool), 10, 0.5, 30.0, 30.5)
    assert abs(found - 0.893 * 0.950) < 0.002
    # A longer search meets more of them; where nothing is searched, nothing rivals.
    assert av_offset._confidence(score, np.ones(61, bool), 10, 0.5, 30.0, 3.05) < 0.4
    assert av_offset._confidence(score, np.arange(61) < 30, 10, 0.5, 30.0, 30.5) > 0.93
    assert av_offset._confidence(score, np.ones(61, bool), 10, -0.2, 30.0, 30.5) < 0.01


def test_neither_gain_nor_rest_matters():
    envelope = speech(600, 5)
    opening = delayed(opening_of(envelope), 3)
    first = search_lag(opening, everywhere(opening), envelope, FPS, 0.5)
    second = search_lag(0.2 + 0.1 * opening, everywhere(opening), 0.01 * envelope, FPS, 0.5)
    np.testing.assert_allclose(second, first, rtol=0, atol=1e-6)


def test_the_frame_rate_is_heard():
    envelope = speech(1800, 6, fps=60)
    opening = delayed(opening_of(envelope), 12)
    lag = search_lag(opening, everywhere(opening), envelope, 60, 0.5)
    assert abs(lag.lag_s - (0.2 - OPENING_AFTER_VOICE_S)) < 0.003


def test_nothing_is_found_beyond_the_search():
    envelope = speech(900, 7)
    opening = delayed(opening_of(envelope), 24)
    lag = search_lag(opening, everywhere(opening), envelope, FPS, 0.5)
    assert abs(lag.lag_s) <= 0.5 + ONE_FRAME_S and lag.confidence < MIN_CONFIDENCE


@pytest.mark.parametrize("opening, valid, envelope", [
    (np.zeros(300), np.ones(300, bool), speech(300, 1)),                    # the mouth stands still
    (speech(300, 1), np.ones(300, bool), np.zeros(300)),                    # silence
    (speech(300, 1), np.zeros(300, bool), speech(300, 1)),                  # no face
    (speech(300, 1), np.arange(300) < 59, speech(300, 1)),                  # 1.97 s of face
    (speech(59, 1), np.ones(59, bool), speech(59, 1)),
    (speech(300, 1), np.ones(300, bool), speech(300, 1)[:59]),
    (np.zeros(0), np.zeros(0, bool), np.zeros(0)),
])
def test_with_too_little_to_compare_there_is_no_lag(opening, valid, envelope):
    assert search_lag(opening, valid, envelope, FPS, 5.0) == NO_LAG


def test_a_metronome_is_not_trusted():
    times_s = np.arange(900) / float(FPS)
    envelope = 0.003 + np.exp(-0.5 * (((times_s % 0.5) - 0.25) / 0.05) ** 2)
    opening = delayed(opening_of(envelope), 4)
    lag = search_lag(opening, everywhere(opening), envelope, FPS, 2.0)
    assert lag.r > 0.9 and lag.confidence < 0.5         # every half second is as good


@pytest.mark.parametrize("max_lag_s", [0.5, 5.0])
def test_other_peoples_speech_is_refused(max_lag_s):
    taken = [search_lag(opening_of(speech(600, seed)), np.ones(600, bool),
                        speech(600, seed + 100), FPS, max_lag_s).confidence >= MIN_CONFIDENCE
             for seed in range(40)]
    assert sum(taken) <= 4


# ---- real faces

def pair(folder, face_name, sound_name):
    times_s, weights, names = read_face(os.path.join(folder, face_name))
    opening = mouth_signals(resample_frames(weights, times_s, FPS), names)["opening"]
    return opening, speech_envelope(read_audio(os.path.join(folder, sound_name)))


@pytest.fixture(scope="module")
def real_pairs():
    from tests.helpers.paths import SHARED
    folder = os.path.join(SHARED, "realdata")
    if not os.path.isdir(folder):
        pytest.skip("needs ../shared/realdata, which is not part of the repository")
    return {
        "solved rig": pair(os.path.join(folder, "pairs"), "facegood_1114_2_02.csv",
                           "facegood_1114_2_02.flac"),
        "tracked video": pair(os.path.join(folder, "grid_s1_video"), "1_mediapipe52.csv",
                              "1.mp4")}


@pytest.mark.parametrize("name", ["solved rig", "tracked video"])
def test_real_faces_shifted_by_known_amounts(real_pairs, name):
    opening, envelope = real_pairs[name]
    length = 30 * FPS
    for number, shift_s in enumerate((-5.0, -3.3, -0.5, -0.1, 0.0, 0.1, 0.5, 1.7, 5.0)):
        start = 200 + 250 * number
        shift = int(round(shift_s * FPS))
        face = opening[start - shift:start - shift + length]        # its sound is at `start`
        lag = search_lag(face, everywhere(face), envelope[start:start + length], FPS, 6.0)
        assert abs(lag.lag_s - shift / float(FPS)) < 1.2 * ONE_FRAME_S, (shift_s, lag)
        assert lag.confidence >= MIN_CONFIDENCE, (shift_s, lag)


def test_real_faces_in_step_are_found_in_step(real_pairs):
    for opening, envelope in real_pairs.values():
        lag = search_lag(opening, everywhere(opening), envelope, FPS, 0.5)
        assert abs(lag.lag_s) < 0.4 * ONE_FRAME_S and lag.confidence > 0.99, lag


def test_a_real_take_is_found_in_a_long_sound(real_pairs):
    opening, envelope = real_pairs["tracked video"]
    face = opening[3000:3900]
    lag = search_lag(face, everywhere(face), envelope, FPS, len(envelope) / float(FPS))
    assert abs(lag.lag_s + 100.0) < ONE_FRAME_S and lag.confidence >= MIN_CONFIDENCE, lag


def test_real_takes_with_the_wrong_sound_are_refused(realdata, real_pairs):
    taken = []
    for take in ("Happy_iPhone_cal", "MySlate_164_iPhone_cal", "MySlate_168_iPhone_cal"):
        times_s, weights, names = read_face(os.path.join(realdata, "livelink_csv", take + ".csv"))
        opening = mouth_signals(resample_frames(weights, times_s, FPS), names)["opening"]
        for _, envelope in real_pairs.values():
            for start in range(0, 2400, 400):
                lag = search_lag(opening, everywhere(opening),
                                 envelope[start:start + len(opening)], FPS, 5.0)
                taken.append(lag.confidence >= MIN_CONFIDENCE)
    first, second = real_pairs["solved rig"][0], real_pairs["tracked video"][1]
    taken.append(search_lag(first, everywhere(first), second, FPS, 60.0).confidence
                 >= MIN_CONFIDENCE)
    assert sum(taken) <= 1 and len(taken) == 37, taken
