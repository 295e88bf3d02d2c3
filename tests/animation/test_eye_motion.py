"""The blinks and brow raises that an animation gets: when, how often, what they look like."""
import numpy as np
import pytest

from utils.animation.eye_motion import (BLINKS_WITH, BLINK_DEPTH, BROWS_WITH, FIRST_BLINK_S,
                                        MIN_BLINK_INTERVAL_S, EyeMotion)
from utils.common.channels import MODEL_CHANNELS
from utils.common.resample import resample_frames

FPS = 30
LIDS = [MODEL_CHANNELS.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
BROW = MODEL_CHANNELS.index("browInnerUp")
MOVED = [name for name in MODEL_CHANNELS
         if name.startswith(tuple(shape for shape, _ in BLINKS_WITH + BROWS_WITH) + ("eyeBlink",))]


def speaking_face(seconds, seed=0):
    """(weights [frames, 52], pause [frames] bool): syllables, a fifth stressed, and pauses."""
    random = np.random.RandomState(seed)
    opening, pause = [], []
    while len(opening) < seconds * FPS:
        for _ in range(random.randint(6, 20)):
            height = 0.35 if random.rand() < 0.2 else 0.2
            syllable = height * np.sin(np.linspace(0.0, np.pi, random.randint(5, 8)))
            opening += list(syllable)
            pause += [False] * len(syllable)
        silent = random.randint(10, 40)
        opening += [0.01] * silent
        pause += [True] * silent
    weights = np.full((len(opening), 52), 0.05, np.float32)
    weights[:, MODEL_CHANNELS.index("jawOpen")] = np.array(opening) + 0.05
    return weights[:seconds * FPS], np.array(pause)[:seconds * FPS]


def moved(weights, seed=0):
    return EyeMotion(MODEL_CHANNELS, FPS, seed).feed(weights)


def spans(lid):
    """(starts, ends) of the blinks of a lid curve [frames], at half of its way."""
    shut = np.concatenate([[False], lid > 0.4, [False]]).astype(int)
    return np.flatnonzero(np.diff(shut) == 1), np.flatnonzero(np.diff(shut) == -1)


@pytest.fixture(scope="module")
def hour():
    weights, pause = speaking_face(3600)
    return weights, pause, moved(weights)


def test_the_seed_decides():
    weights, _ = speaking_face(60)
    first = moved(weights, seed=1)
    np.testing.assert_array_equal(first, moved(weights, seed=1))
    for column in LIDS + [BROW]:
        assert np.abs(first - moved(weights, seed=2))[:, column].max() > 0.03


def test_the_cuts_between_blocks_and_what_is_to_come_change_nothing():
    weights, _ = speaking_face(60)
    whole = moved(weights)
    motion, random = EyeMotion(MODEL_CHANNELS, FPS, 0), np.random.RandomState(1)
    parts, left = [], weights
    while len(left):
        block, left = np.split(left, [random.randint(0, 40)])
        parts.append(motion.feed(block))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(moved(weights[:700]), whole[:700])


def test_only_eyes_and_brows_move_and_the_networks_lids_do_not_count():
    weights, _ = speaking_face(60)
    before = weights.copy()
    result = moved(weights)
    np.testing.assert_array_equal(weights, before)
    assert result.dtype == np.float32 and result.shape == weights.shape
    for i, name in enumerate(MODEL_CHANNELS):
        if name not in MOVED:
            np.testing.assert_array_equal(result[:, i], weights[:, i])
        elif not name.startswith("eyeBlink"):
            assert (result[:, i] >= weights[:, i] - 1e-6).all()
            assert (result[:, i] > weights[:, i] + 0.01).any()
    weights[:, LIDS] = 0.6
    np.testing.assert_array_equal(moved(weights), result)
    assert result[:, LIDS].min() == 0.0
    full = np.ones((600, 52), np.float32)
    assert moved(full).max() <= 1.0 and moved(0 * full).min() >= 0.0


def test_names_in_another_order_get_the_same_motion():
    weights, _ = speaking_face(20)
    order = np.random.RandomState(0).permutation(52)
    other = EyeMotion([MODEL_CHANNELS[i] for i in order], FPS, 0).feed(weights[:, order])
    np.testing.assert_array_equal(other, moved(weights)[:, order])


def test_blinks_are_as_many_as_peoples_and_more_in_pauses(hour):
    weights, pause, result = hour
    starts, _ = spans(result[:, LIDS[0]])
    assert 17.0 <= len(starts) / 60.0 <= 26.0
    in_pauses = pause[starts]
    assert in_pauses.mean() / pause.mean() > 1.3 * (1 - in_pauses.mean()) / (1 - pause.mean())
    resting = moved(np.zeros((3600 * FPS, 52), np.float32), seed=3)
    assert 15.5 <= len(spans(resting[:, LIDS[0]])[0]) / 60.0 <= 18.5
    assert resting[:, BROW].max() == 0.0


def test_blinks_are_irregular_and_never_close_together(hour):
    starts, _ = spans(hour[2][:, LIDS[0]])
    intervals_s = np.diff(starts) / float(FPS)
    assert intervals_s.min() >= MIN_BLINK_INTERVAL_S - 1.5 / FPS
    assert intervals_s.std() > 0.3 * intervals_s.mean()
    weights, _ = speaking_face(3)
    firsts_s = []
    for seed in range(300):
        lid = moved(weights, seed)[:, LIDS[0]]
        if lid.max() > 0:
            firsts_s.append(np.flatnonzero(lid > 0)[0] / float(FPS))
    assert len(firsts_s) > 100 and FIRST_BLINK_S <= min(firsts_s) < 0.8
    # The first is as likely in one second as in the next: no face blinks at once on every clip.
    assert 0.25 < np.mean(np.array(firsts_s) < 1.75) < 0.75


def test_a_blink_looks_like_a_real_one(hour):
    lid = hour[2][:, LIDS[0]]
    np.testing.assert_array_equal(lid, hour[2][:, LIDS[1]])     # captures: within 0.02
    starts, ends = spans(lid)
    for start, end in zip(starts[1:-1], ends[1:-1]):
        blink = lid[start - 4:end + 8]
        assert BLINK_DEPTH[0] - 0.01 < blink.max() <= BLINK_DEPTH[1]
        assert 0.10 <= (end - start) / float(FPS) <= 0.24       # captures: 0.10 to 0.20
        # It falls faster than it rises, and is over in less than 0.35 s.
        assert np.diff(blink).max() > -np.diff(blink).min()
        assert (blink > 0.01).sum() / float(FPS) < 0.35
    assert (lid == 0.0).mean() > 0.85


def test_brows_rise_slightly_with_stressed_syllables(hour):
    weights, _, result = hour
    raised = result[:, BROW] - weights[:, BROW]
    assert 0.1 < raised.max() < 0.2
    begins = np.flatnonzero((raised[1:] > 1e-6) & (raised[:-1] <= 1e-6))
    assert 5.0 <= len(begins) / 60.0 <= 15.0
    opening = weights[:, MODEL_CHANNELS.index("jawOpen")] - 0.05
    stressed = [opening[begin:begin + 5].max() > 0.3 for begin in begins]   # the others are 0.2
    assert np.mean(stressed) > 0.8                              # 0.2 by chance


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 48, 50, 60])
def test_no_blink_is_lost_at_any_frame_rate(hour, fps):
    lid = hour[2][:600 * FPS, LIDS[0]]
    other = resample_frames(lid[:, np.newaxis], FPS, fps)[:, 0]
    starts, ends = spans(lid)
    assert len(starts) == len(spans(other)[0]) > 150
    for start, end in zip(starts, ends):
        there = other[int(start * fps / FPS):int(end * fps / FPS) + 2]
        assert there.max() > 0.97 * lid[start:end].max()
