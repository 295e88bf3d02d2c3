"""Labels made of what sources write: cases worked out by hand, and real captures."""
import csv
import os

import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS
from utils.common.resample import resample_frames
from utils.dataset import label_cleaning
from utils.dataset.label_cleaning import (calibrated, jumps, moving, neutral_pose, smoothed,
                                          swapped_sides, to_animation_frames)
from utils.formats.face_files import read_face
from utils.scoring import metrics

MOUTH = ("jawOpen", "mouthClose")


def column(*values):
    return np.array(values, np.float32)[:, np.newaxis]


def wandering(num_frames, num_channels, seed=0):
    """[num_frames, num_channels] curves in [0.1, 0.9] that move as mouths may."""
    random = np.random.RandomState(seed)
    times_s = np.arange(num_frames) / 30.0
    curves = [0.5 + 0.4 * np.sin(2 * np.pi * random.uniform(0.5, 3) * times_s + random.rand() * 6)
              for _ in range(num_channels)]
    return np.stack(curves, axis=1).astype(np.float32)


# ---- jumps

def test_jumps_worked_out_by_hand():
    times_s = np.arange(9) / 30.0
    # 0.7 up within a frame is 21 a second: both frames of the step, and of the step back.
    slip = column(.1, .1, .1, .8, .8, .1, .1, .1, .1)
    assert jumps(slip, times_s).tolist() == [0, 0, 1, 1, 1, 1, 0, 0, 0]
    # 0.65 is 19.5 a second: quick, but mouths are.
    assert not jumps(column(.1, .1, .1, .75, .75, .1, .1, .1, .1), times_s).any()
    # The same values at 60 a second are twice as quick.
    assert jumps(column(.1, .1, .1, .75, .75, .1, .1, .1, .1), times_s / 2).sum() == 4
    # A cut: another pose for good.
    assert jumps(column(.1, .1, .1, .8, .8, .8, .8, .8, .8), times_s).tolist() == [
        0, 0, 1, 1, 0, 0, 0, 0, 0]
    # One frame alone stands out by 0.3, then by 0.2.
    assert jumps(column(.1, .1, .1, .1, .4, .1, .1, .1, .1), times_s).tolist() == [
        0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert not jumps(column(.1, .1, .1, .1, .3, .1, .1, .1, .1), times_s).any()
    # Up by 0.3 and on up: no spike.
    assert not jumps(column(.1, .1, .1, .1, .4, .7, .9, .9, .9), times_s).any()
    # A spike downwards counts as one upwards.
    assert jumps(column(.5, .5, .5, .5, .2, .5, .5, .5, .5), times_s).tolist() == [
        0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_what_lies_between_two_jumps_goes_only_if_it_is_brief():
    times_s = np.arange(60) / 30.0
    weights = np.full((60, 1), 0.1)
    weights[10:14] = 0.9                                    # 4 frames: 0.133 s
    assert np.flatnonzero(jumps(weights, times_s)).tolist() == [9, 10, 11, 12, 13, 14]
    weights = np.full((60, 1), 0.1)
    weights[10:40] = 0.9                                    # a second: another shot
    assert np.flatnonzero(jumps(weights, times_s)).tolist() == [9, 10, 39, 40]


def test_only_mouth_and_jaw_jump():
    times_s = np.arange(9) / 30.0
    slip = np.repeat(column(.1, .1, .1, .9, .1, .1, .1, .1, .1), 2, axis=1)
    assert not jumps(slip, times_s, ("eyeBlinkLeft", "eyeBlinkRight")).any()
    assert jumps(slip, times_s, ("eyeBlinkLeft", "mouthPucker")).sum() == 3
    assert jumps(slip, times_s, ("eyeBlinkLeft", "jawOpen")).sum() == 3


def test_jumps_by_the_times_and_not_by_the_frames():
    # Where frames were dropped for a second, a mouth may well have moved.
    weights = column(.1, .1, .9, .9)
    assert not jumps(weights, [0.0, 1 / 30.0, 1.0, 1 + 1 / 30.0]).any()
    assert jumps(weights, [0.0, 1 / 30.0, 2 / 30.0, 3 / 30.0]).sum() == 2
    # A mouth opens and shuts within 0.2 s, and not within 0.1 s.
    weights = column(.1, .1, .5, .1, .1)
    assert not jumps(weights, np.arange(5) * 0.1).any()
    assert jumps(weights, np.arange(5) * 0.05).tolist() == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_rows_whose_times_nearly_coincide_do_not_jump(fps):
    """A clock that jitters, and rows written twice: the mouth moves as ever."""
    times_s = np.arange(200) / float(fps)
    weights = 0.5 + 0.4 * np.sin(15.0 * times_s[:, np.newaxis])         # 6 a second at most
    jittering = times_s.copy()
    jittering[50:150:10] = jittering[49:149:10] + 1e-5
    assert not jumps(weights, jittering).any()
    twice = np.sort(np.concatenate([times_s, times_s + 1e-4]))
    assert not jumps(np.repeat(weights, 2, axis=0) + 0.01 * (np.arange(400) % 2)[:, np.newaxis],
                     twice).any()
    jittering[100], weights[100:] = jittering[99] + 1e-5, 1.5           # and a cut is one still
    assert np.flatnonzero(jumps(weights, jittering)).tolist() == [99, 100]


@pytest.mark.parametrize("num_frames", [0, 1, 2])
def test_jumps_in_next_to_nothing(num_frames):
    assert jumps(np.zeros((num_frames, 2)), np.arange(num_frames) / 30.0).shape == (num_frames,)
    assert not jumps(np.zeros((num_frames, 2)), np.arange(num_frames) / 30.0, MOUTH).any()


# ---- frames at the animation rate

def test_25_frames_a_second_worked_out_by_hand():
    times_s = np.arange(6) / 25.0                           # 0, 40, 80, 120, 160, 200 ms
    weights, valid = to_animation_frames(
        times_s, column(0, .4, .8, .4, 0, .6), np.ones(6, bool), 8, 0.0)
    # 33.3 ms is 5/6 of the way to the second; 66.7 is 2/3 on; 100 halfway; 133 a third; 167 ...
    np.testing.assert_allclose(weights[:7, 0], [0, .3333, .6667, .6, .2667, .1, .6], atol=1e-4)
    assert valid.tolist() == [1, 1, 1, 1, 1, 1, 1, 0]       # 233 ms lies after the last
    assert weights.dtype == np.float32 and np.isfinite(weights).all()


def test_60_frames_a_second_are_taken_as_they_are():
    source = wandering(121, 3)
    weights, valid = to_animation_frames(
        np.arange(121) / 60.0, source, np.ones(121, bool), 61, 0.0)
    np.testing.assert_allclose(weights, source[::2], atol=1e-6)
    assert valid.all()


def test_only_the_own_frame_need_be_valid_where_it_falls_upon_one():
    source, valid = wandering(30, 2), np.ones(30, bool)
    valid[[4, 10, 11, 29]] = False
    weights, found = to_animation_frames(np.arange(30) / 30.0, source, valid, 30, 0.0)
    np.testing.assert_array_equal(found, valid)
    np.testing.assert_allclose(weights, source, atol=1e-5)
    # Live Link's thousandths of sixtieths and microseconds are near enough.
    jittered = np.arange(30) / 30.0 + np.random.RandomState(0).uniform(-1e-4, 1e-4, 30)
    np.testing.assert_array_equal(
        to_animation_frames(jittered, source, valid, 30, 0.0)[1], valid)


def test_between_frames_both_neighbours_must_be_valid():
    valid = np.array([1, 1, 0, 1, 1, 1], bool)
    # A third of a frame late: target i lies between source i - 1 and i.
    _, found = to_animation_frames(
        np.arange(6) / 30.0, wandering(6, 1), valid, 8, 1 / 90.0)
    assert found.tolist() == [0, 1, 0, 0, 1, 1, 0, 0]


def test_gaps_up_to_a_tenth_of_a_second_are_bridged():
    source = wandering(5, 1)
    times_s = [0.0, 1 / 30.0, 4 / 30.0, 5 / 30.0, 6 / 30.0]             # 0.1 s
    assert to_animation_frames(times_s, source, np.ones(5, bool), 7, 0.0)[1].all()
    times_s = [0.0, 1 / 30.0, 5 / 30.0, 6 / 30.0, 7 / 30.0]             # 0.133 s
    assert to_animation_frames(times_s, source, np.ones(5, bool), 8, 0.0)[1].tolist() == [
        1, 1, 0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("start_s, first, last", [(0.0, 0, 29), (1.0, 30, 59), (-0.5, 0, 14)])
def test_labels_stand_where_they_begin(start_s, first, last):
    source = wandering(30, 2)
    weights, valid = to_animation_frames(
        np.arange(30) / 30.0, source, np.ones(30, bool), 90, start_s)
    assert np.flatnonzero(valid).tolist() == list(range(first, last + 1))
    shift = int(round(start_s * 30))
    np.testing.assert_allclose(weights[valid], source[first - shift:last + 1 - shift], atol=1e-5)


def test_uneven_times_give_the_curve_back():
    random = np.random.RandomState(3)
    times_s = np.cumsum(random.uniform(0.01, 0.07, 400))
    def curve(at_s):
        return 0.5 + 0.4 * np.sin(2 * np.pi * 0.8 * at_s)
    weights, valid = to_animation_frames(
        times_s, column(*curve(times_s)), np.ones(400, bool), 330, 0.0)
    frames_s = np.arange(330) / 30.0
    assert valid[frames_s > times_s[0]].all() and not valid[frames_s < times_s[0]].any()
    assert np.abs(weights[valid, 0] - curve(frames_s[valid])).max() < 0.01


def test_one_frame_and_none_wanted():
    weights, valid = to_animation_frames([0.2], column(.5), [True], 12, 0.0)
    assert np.flatnonzero(valid).tolist() == [6] and abs(weights[6, 0] - .5) < 1e-6
    weights, valid = to_animation_frames([0.2], column(.5), [True], 0, 0.0)
    assert weights.shape == (0, 1) and valid.shape == (0,)


# ---- the neutral pose

def test_the_neutral_pose_is_a_low_quantile_of_valid_frames():
    weights = np.stack([np.arange(101) / 100.0, np.full(101, 0.3)], axis=1)
    valid = np.ones(101, bool)
    np.testing.assert_allclose(neutral_pose(weights, valid), [0.05, 0.3], atol=1e-6)
    np.testing.assert_allclose(neutral_pose(weights, valid, 0.5), [0.5, 0.3], atol=1e-6)
    valid[:50] = False
    np.testing.assert_allclose(neutral_pose(weights, valid), [0.525, 0.3], atol=1e-6)
    assert neutral_pose(weights, np.zeros(101, bool)).tolist() == [0, 0]


def test_calibration_worked_out_by_hand():
    weights = np.array([[0.2, 0.0], [0.6, 0.5], [1.0, 1.0], [0.1, 0.9]])
    np.testing.assert_allclose(calibrated(weights, [0.2, 0.0]), [
        [0, 0], [0.5, 0.5], [1, 1], [0, 0.9]], atol=1e-6)
    assert calibrated(weights, [1.0, 1.0]).min() == 0 and np.isfinite(
        calibrated(weights, [1.0, 1.0])).all()


def test_a_face_at_rest_by_zero_is_left_alone():
    weights = wandering(200, 4) - 0.1
    weights[:30] = 0.0
    valid = np.ones(200, bool)
    np.testing.assert_allclose(calibrated(weights, neutral_pose(weights, valid)), weights,
                               atol=1e-6)


# ---- smoothing

def test_smoothing_a_spike_worked_out_by_hand():
    # Savitzky and Golay's parabola through five: (-3 12 17 12 -3) / 35.
    weights = np.full((11, 1), 0.5)
    weights[5] = 0.85
    np.testing.assert_allclose(
        smoothed(weights, np.ones(11, bool), ANIMATION_FPS)[:, 0],
        [.5, .5, .5, .47, .62, .67, .62, .47, .5, .5, .5], atol=1e-6)


def test_smoothing_keeps_what_is_smooth_and_its_time():
    times_s = np.arange(60) / 30.0
    parabola = column(*(0.1 + 0.2 * times_s ** 2))
    np.testing.assert_allclose(smoothed(parabola, np.ones(60, bool), 30), parabola, atol=1e-6)
    noisy = wandering(600, 5) + np.random.RandomState(0).normal(0, 0.02, (600, 5))
    calm = smoothed(noisy, np.ones(600, bool), 30)
    assert metrics.best_lag(calm[:, 0], noisy[:, 0], 30)[0] == 0.0
    assert metrics.jitter_ratio(calm, noisy) < 0.7
    assert np.abs(calm - wandering(600, 5)).mean() < np.abs(noisy - wandering(600, 5)).mean()
    np.testing.assert_allclose(calm, smoothed(noisy[::-1], np.ones(600, bool), 30)[::-1], atol=1e-6)


def test_smoothing_stays_within_each_run():
    weights = np.concatenate([np.zeros((20, 2)), np.full((3, 2), 0.7), np.ones((20, 2))])
    weights[21] = 0.1
    valid = np.ones(43, bool)
    valid[20:23] = False
    np.testing.assert_array_equal(smoothed(weights, valid, 30), weights.astype(np.float32))
    assert (smoothed(weights, np.ones(43, bool), 30) != weights.astype(np.float32)).any()
    # A run shorter than the filter stays as it is, and nothing leaves [0, 1].
    short = np.random.RandomState(0).rand(4, 2).astype(np.float32)
    np.testing.assert_array_equal(smoothed(short, np.ones(4, bool), 30), short)
    square = np.repeat(np.arange(40) // 5 % 2, 2).reshape(40, 2).astype(np.float32)
    calm = smoothed(square, np.ones(40, bool), 30)
    assert calm.min() == 0.0 and calm.max() == 1.0


# ---- what moves

def test_what_does_not_move_in_valid_frames_does_not_move():
    valid = np.ones(100, bool)
    valid[50:] = False
    weights = np.zeros((100, 4))
    weights[:, 0] = 0.1 + 0.02 * np.sin(np.arange(100))
    weights[:, 1] = 0.3                                     # rests somewhere
    weights[:, 2] = 0.004 * (np.arange(100) % 2)            # noise: 0.002
    weights[50:, 3] = np.linspace(0, 1, 50)                 # moves where it is not valid
    assert moving(weights, valid).tolist() == [True, False, False, False]
    assert moving(weights, np.zeros(100, bool)).tolist() == [False] * 4


# ---- left and right

def gazing(num_frames=300):
    """(weights, names) of eyes that look about: what turns one eye in turns the other out."""
    right = np.sin(np.arange(num_frames) / 20.0)            # > 0: to the subject's right
    names = ("eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight")
    to_right, to_left = np.maximum(right, 0) * 0.5, np.maximum(-right, 0) * 0.5
    return np.stack([to_right, to_left, to_left, to_right], axis=1), names


def test_gaze_that_goes_together_and_gaze_that_does_not():
    weights, names = gazing()
    valid = np.ones(len(weights), bool)
    assert swapped_sides(weights, names, valid) == []
    found = swapped_sides(weights[:, [1, 0, 2, 3]], names, valid)
    assert [(finding.pair, finding.against) for finding in found] == [("eyeLookIn", "eyeLookOut")]
    assert found[0].r > 0.99 and "eyeLookOut" in found[0].words
    # What is swapped only where nothing is valid does not count.
    part = np.where(np.arange(300)[:, np.newaxis] < 70, weights, weights[:, [1, 0, 2, 3]])
    assert len(swapped_sides(part, names, valid)) == 1
    assert swapped_sides(part, names, np.arange(300) < 70) == []


def test_sides_that_do_not_differ_say_nothing():
    weights = np.repeat(wandering(300, 4), 2, axis=1)
    names = ("eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
             "mouthSmileLeft", "mouthSmileRight", "mouthDimpleLeft", "mouthDimpleRight")
    assert swapped_sides(weights, names, np.ones(300, bool)) == []
    assert swapped_sides(weights, names, np.zeros(300, bool)) == []
    assert swapped_sides(weights[:, :1], names[:1], np.ones(300, bool)) == []
    # Swapped, but all within 0.0015: noise.
    weights, names = gazing()
    assert swapped_sides(0.003 * weights[:, [1, 0, 2, 3]], names, np.ones(300, bool)) == []
    assert swapped_sides(0.03 * weights[:, [1, 0, 2, 3]], names, np.ones(300, bool)) != []


# ---- real captures

@pytest.fixture
def captures(realdata):
    """{name: (times_s, weights, names)} of the three kinds."""
    paths = {"live link %d" % number: os.path.join("livelink_csv", name) for number, name in
             enumerate(("Happy_iPhone_cal.csv", "MySlate_164_iPhone_cal.csv",
                        "MySlate_168_iPhone_cal.csv"))}
    paths["solved rig"] = os.path.join("pairs", "facegood_1114_2_01.csv")
    paths["tracked"] = os.path.join("grid_s1_video", "1_mediapipe52.csv")
    return {name: read_face(os.path.join(realdata, path)) for name, path in paths.items()}


def test_real_captures_hardly_jump_and_planted_jumps_are_found(captures):
    random = np.random.RandomState(0)
    for name, (times_s, weights, names) in captures.items():
        assert jumps(weights, times_s, names).mean() < 0.002, name
        mouth = [place for place, channel in enumerate(names)
                 if channel in ("jawOpen", "mouthPucker", "mouthSmileLeft")]
        for _ in range(20):
            slipped = weights.copy()
            start, length = random.randint(5, len(weights) - 10), random.randint(1, 4)
            slipped[start:start + length, mouth] = 1.0
            assert jumps(slipped, times_s, names)[start:start + length].all(), (name, start)


def test_real_captures_have_their_sides_right_and_swaps_are_found(captures):
    for name, (_, weights, names) in captures.items():
        valid = np.ones(len(weights), bool)
        assert swapped_sides(weights, names, valid) == [], name
        if name not in ("live link 1", "live link 2", "tracked"):
            continue                    # the gaze of the others hardly moves
        for pair in ("eyeLookIn", "eyeLookOut"):
            sides = [names.index(pair + "Left"), names.index(pair + "Right")]
            swapped = weights.copy()
            swapped[:, sides] = weights[:, sides[::-1]]
            assert [(finding.pair, finding.against) for finding in swapped_sides(
                swapped, names, valid)] == [("eyeLookIn", "eyeLookOut")], name


def test_smoothing_and_calibration_take_no_closure_of_a_real_speaker(realdata, captures):
    times_s, weights, names = captures["tracked"]
    weights = resample_frames(weights, times_s, ANIMATION_FPS)
    valid = np.ones(len(weights), bool)
    with open(os.path.join(realdata, "grid_s1_video", "1_words.csv")) as stream:
        spans = [(float(row["start_s"]), float(row["start_s"]) + 0.05)
                 for row in csv.DictReader(stream) if row["word"][:1] in ("b", "p", "m")]
    calm = smoothed(calibrated(weights, neutral_pose(weights, valid)), valid, ANIMATION_FPS)
    before, num_spans = metrics.closed_share(
        metrics.mouth_signals(weights, names)["opening"], spans, ANIMATION_FPS)
    after, _ = metrics.closed_share(
        metrics.mouth_signals(calm, names)["opening"], spans, ANIMATION_FPS)
    assert num_spans > 80 and after >= before > 0.9
    mouth = [place for place, name in enumerate(names) if name.startswith(("jaw", "mouth"))]
    assert metrics.jitter_ratio(calm[:, mouth], weights[:, mouth]) < 0.7
    assert metrics.correlation(metrics.mouth_signals(calm, names)["opening"],
                               metrics.mouth_signals(weights, names)["opening"]) > 0.998


def test_related_sides_are_channels():
    for pair, against, sign in label_cleaning.RELATED_SIDES:
        for base in (pair, against):
            assert {base + "Left", base + "Right"} <= set(MODEL_CHANNELS) and abs(sign) == 1
