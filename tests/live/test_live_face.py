"""utils/live/live_face.py: which frame comes when. No test waits: the clock is set."""
import os

import numpy as np
import pytest

from tests.helpers.paths import REPOSITORY
from tests.live.simulation import (LOOK_AHEAD_S, LoudnessAnimator, Simulation, in_blocks, silence,
                                   tone)
from utils.animation.animator import SpeechAnimator
from utils.common.constants import DEFAULT_CHECKPOINT, DEFAULT_GRAPH
from utils.common.errors import UserError
from utils.live.live_face import GAP_S
from utils.live.sound import CHUNK_S
from utils.media.audio import read_audio

PERIOD_S = 1 / 30.0


def levels(frames):
    return np.array([frame.weights[0] for frame in frames])


def numbers(frames):
    return [frame.number for frame in frames]


@pytest.mark.parametrize("checkpoint, look_ahead_s", [
    (DEFAULT_CHECKPOINT, 0.48), (os.path.join(REPOSITORY, "model", "low_latency"), 0.21)])
def test_the_frames_are_those_of_the_file_path(checkpoint, look_ahead_s):
    samples = read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))[:50000]
    animator = SpeechAnimator(checkpoint, DEFAULT_GRAPH, eye_motion_seed=3)
    expected = np.concatenate([animator.feed(samples), animator.finish()])
    animator = SpeechAnimator(checkpoint, DEFAULT_GRAPH)
    worst_s = sum(seconds for _, seconds in animator.look_ahead_s(early_frames=1))
    assert look_ahead_s - 0.03 < worst_s < look_ahead_s
    live = Simulation(animator, look_ahead_s=look_ahead_s, eye_motion_seed=3)
    live.run(60.0, in_blocks(live.sound, samples, 0.02) + [(4.0, live.sound.end)])
    assert live.is_over
    frames = live.frames[:len(expected)]
    assert numbers(frames) == list(range(len(expected))) and not any(f.is_late for f in frames)
    # Then the gap begins, and silence.
    num_known = int((len(samples) / 16000.0 - look_ahead_s) * 30)
    weights = np.stack([frame.weights for frame in frames])
    np.testing.assert_allclose(weights[:num_known], expected[:num_known], rtol=0, atol=2e-6)
    # Each as long after its sound as is said.
    late_s = np.array(live.times_s[:num_known]) - np.arange(num_known) * PERIOD_S
    assert late_s.min() >= look_ahead_s - 1e-6 and late_s.max() <= look_ahead_s + 0.02


def test_a_file_to_its_end():
    samples = tone(1.0)
    live = Simulation(idle_after_s=None)
    live.run(60.0, [(0.0, lambda: live.sound.put(samples)), (0.01, live.sound.end)])
    assert live.is_over and numbers(live.frames) == list(range(30))
    assert not any(frame.is_idle for frame in live.frames)
    np.testing.assert_allclose(levels(live.frames), 0.5, rtol=1e-5)
    np.testing.assert_allclose(live.times_s, np.arange(30) * PERIOD_S + LOOK_AHEAD_S,
                               atol=1.5 * CHUNK_S)


def test_a_burst_is_spoken_at_the_pace_at_which_it_is_heard():
    """A text-to-speech program gives its sentence in no time."""
    live = Simulation()
    live.run(6.0, [(1.0, lambda: live.sound.put(tone(3.0)))])
    loud = [(frame, time_s) for frame, time_s in zip(live.frames, live.times_s)
            if frame.weights[0] > 0.49]
    times_s = np.array([time_s for _, time_s in loud])
    assert len(loud) == 90
    # At its end the face waits a moment for more.
    np.testing.assert_allclose(np.diff(times_s)[:75], PERIOD_S, atol=CHUNK_S)
    assert np.diff(times_s).max() < GAP_S + 2 * PERIOD_S
    assert abs(times_s[0] - (1.0 - CHUNK_S + LOOK_AHEAD_S)) < 2 * CHUNK_S


def test_minutes_keep_their_time():
    """An hour of it: python -m tests.measure.live_soak."""
    live = Simulation(idle_after_s=None)
    piece = tone(20.0)
    live.run(200.0, [(20.0 * i, lambda: live.sound.put(piece)) for i in range(11)])
    assert live.face.num_late == 0
    late_s = np.array(live.times_s) - np.array([f.time_s for f in live.frames])
    assert len(live.frames) > 5950 and np.ptp(late_s) < PERIOD_S
    assert numbers(live.frames) == list(range(len(live.frames)))


@pytest.mark.parametrize("speed", [1.0004, 0.9996])
def test_a_sound_card_with_a_clock_of_its_own(speed):
    """At 400 ppm an hour is 1.4 s off: the face follows the sound, not the computer's clock."""
    live = Simulation()
    samples = tone(60.0)
    live.run(59.0, in_blocks(live.sound, samples, 0.02, speed=speed))
    late_s = np.array(live.times_s) - np.arange(len(live.frames)) * PERIOD_S / speed
    assert live.face.num_late == 0 and live.face.num_gaps == 0
    assert late_s.min() > LOOK_AHEAD_S - PERIOD_S and late_s.max() < LOOK_AHEAD_S + PERIOD_S


def test_sound_that_stalled_once_is_not_late_for_ever():
    """A microphone whose sound of 1 s came all at once: the face is in time again soon."""
    live = Simulation()
    events = in_blocks(live.sound, tone(20.0), 0.02)
    events = [(max(at_s, 6.0) if 5.0 < at_s < 6.0 else at_s, put) for at_s, put in events]
    live.run(19.9, events)
    heard_until_s = live.face._num_taken / 16000.0 + live.face._sound_start_s - live.start_s
    assert 19.8 < heard_until_s < 19.92 and live.sound._num_samples < 1600
    assert live.face.num_gaps == 1 and numbers(live.frames) == sorted(set(numbers(live.frames)))


def test_a_program_that_speaks_a_little_faster_is_not_hurried():
    live = Simulation()
    live.run(20.0, in_blocks(live.sound, tone(22.0), 0.02, speed=1.05))
    late_s = np.array(live.times_s) - np.arange(len(live.frames)) * PERIOD_S
    assert np.ptp(late_s) < PERIOD_S


def test_a_source_that_stops_for_a_minute_and_goes_on():
    live = Simulation(eye_motion_seed=0)
    live.run(66.0, in_blocks(live.sound, tone(2.0), 0.02)
             + in_blocks(live.sound, tone(2.0, 0.3), 0.02, start_s=62.0))
    frames = live.frames
    jaw = np.array([frame.weights[20] for frame in frames])
    assert live.face.num_gaps == 2 and live.face.num_late == 0
    assert live.animator.num_started == 2
    times_s = np.array(live.times_s)
    pause = (times_s > 4.0) & (times_s < 62.0)
    assert jaw[pause].max() < 0.01
    blinks = np.array([frame.weights[2] for frame in frames])[pause]
    assert 5 <= np.sum((blinks[1:] > 0.5) & (blinks[:-1] <= 0.5)) <= 40
    assert np.diff(times_s).max() < GAP_S + 2 * PERIOD_S
    # The second part where it belongs: 62 s after the first began.
    second = next(frame for frame in frames if abs(frame.weights[20] - 0.3) < 0.01
                  and frame.time_s > 10)
    assert abs(second.time_s - 62.0) < 1.5 * PERIOD_S
    assert numbers(frames) == sorted(set(numbers(frames)))


def test_silence_lets_the_network_rest():
    live = Simulation()
    fed = []
    feed = live.animator.feed
    live.animator.feed = lambda samples: fed.append(len(samples)) or feed(samples)
    samples = np.concatenate([tone(1.0), silence(20.0), tone(1.0, 0.25)])
    live.run(24.0, in_blocks(live.sound, samples, 0.02))
    assert sum(fed) < 16000 * 4.5                   # of 22 s
    loud = [frame for frame in live.frames if abs(frame.weights[0] - 0.25) < 1e-3]
    assert abs(loud[0].time_s - 21.0) < 1.5 * PERIOD_S
    assert live.face.num_late == 0 and live.face.num_gaps == 1      # at its end


def test_late_sound_is_silence_meanwhile():
    live = Simulation()
    events = in_blocks(live.sound, tone(1.0), 0.02) + in_blocks(
        live.sound, tone(1.0), 0.02, start_s=1.4)
    live.run(4.0, events)
    assert live.face.num_gaps == 2 and live.animator.num_started == 1
    quiet = [frame.time_s for frame in live.frames
             if frame.weights[0] < 0.01 and not frame.is_idle and frame.time_s < 2.2]
    assert abs(len(quiet) * PERIOD_S - 0.4) < 4 * PERIOD_S


def test_a_reset_shows_in_the_next_frame():
    live = Simulation()
    live.sound.put(tone(30.0))
    live.run(2.02)
    before = len(live.frames)
    live.sound.reset()
    live.run(2.02 + PERIOD_S)
    assert before < len(live.frames) <= before + 2
    assert live.frames[before - 1].weights[0] > 0.4
    assert live.frames[before].weights[0] == 0.0
    live.run(3.0)
    assert levels(live.frames[before:]).max() == 0.0        # the 28 s that waited are gone
    live.sound.put(tone(1.0, 0.2))
    live.run(5.0)
    assert levels(live.frames[before:]).max() == pytest.approx(0.2, abs=1e-3)
    assert numbers(live.frames) == sorted(set(numbers(live.frames)))


def test_a_slow_computer_leaves_out_frames_in_order():
    live = Simulation(slowness_s=0.5, idle_after_s=None)
    live.sound.put(tone(10.0))
    live.sound.end()
    live.run(60.0)
    assert live.is_over and numbers(live.frames) == list(range(300))
    assert 100 < live.face.num_late < 290
    assert live.face.num_late + live.face.num_sent == 300
    # It does not fall behind.
    late_s = np.array(live.times_s) - np.array([frame.time_s for frame in live.frames])
    assert late_s.max() < LOOK_AHEAD_S + 0.6


def test_a_computer_that_slept():
    live = Simulation()
    live.run(2.0, in_blocks(live.sound, tone(2.0), 0.02))
    live.clock.now_s += 600.0
    live.sound.put(tone(1.0, 0.1))
    num_before = len(live.frames)
    live.run(603.0)
    assert len(live.frames) - num_before < 120
    assert numbers(live.frames) == sorted(set(numbers(live.frames)))


def test_a_network_that_is_too_slow_leaves_out_sound():
    live = Simulation()
    live.sound.put(tone(20.0))
    live.run(1.0)
    live.clock.now_s += 8.0                         # the process was stopped
    live.run(12.0)
    assert 7.0 < live.face.lost_s < 9.0
    assert live.frames[-1].weights[0] > 0.4
    late_s = live.times_s[-1] - live.frames[-1].time_s
    assert abs(late_s - LOOK_AHEAD_S) < 2 * PERIOD_S


def test_60_frames_a_second():
    samples = np.concatenate([tone(0.5, 0.1 * level) for level in range(1, 6)])
    one, two = Simulation(idle_after_s=None), Simulation(idle_after_s=None, fps=60)
    for live in (one, two):
        live.sound.put(samples)
        live.sound.end()
        live.run(60.0)
    assert numbers(two.frames) == list(range(2 * len(one.frames) - 1))
    np.testing.assert_allclose(levels(two.frames)[::2], levels(one.frames), atol=1e-7)
    np.testing.assert_allclose(levels(two.frames)[1::2],
                               (levels(one.frames)[1:] + levels(one.frames)[:-1]) / 2, atol=1e-7)
    np.testing.assert_allclose([frame.time_s for frame in two.frames],
                               np.arange(len(two.frames)) / 60.0, atol=1e-6)
    assert two.face.latency_s == pytest.approx(LOOK_AHEAD_S + 1 / 60.0)
    np.testing.assert_allclose(np.diff(two.times_s), 1 / 60.0, atol=CHUNK_S)


def test_no_sound_at_all_blinks():
    live = Simulation(eye_motion_seed=0)
    live.run(20.0)
    blinks = np.array([frame.weights[2] for frame in live.frames])
    assert blinks.max() > 0.8 and all(frame.is_idle for frame in live.frames)
    assert abs(len(live.frames) - 19.5 * 30) < 3
    assert live.num_steps < 2 * len(live.frames)            # it sleeps in between


def test_the_sources_error_arrives():
    live = Simulation()
    live.sound.end(UserError("the microphone is gone"))
    with pytest.raises(UserError, match="is gone"):
        live.run(1.0)


def test_an_animator_for_tests_counts_as_the_real_one():
    animator = LoudnessAnimator()
    animator.start()
    weights = np.concatenate([animator.feed(tone(1.01)), animator.finish()])
    assert len(weights) == 31


@pytest.mark.parametrize("idle_after_s", [None, 1.0])
def test_a_source_that_is_ahead_is_not_hurried(idle_after_s):
    """A file fills the queue and is then held up; a program sends 2 s at once and then goes on."""
    for ahead_s in (2.0, 30.0):
        live = Simulation(idle_after_s=idle_after_s)
        second = tone(1.0)
        live.sound.put(tone(ahead_s))
        live.run(40.0, [(float(i), lambda: live.sound.put(second)) for i in range(1, 40)])
        late_s = np.array(live.times_s) - np.arange(len(live.frames)) * PERIOD_S
        assert live.face.num_late == 0 and live.face.lost_s == 0 and len(late_s) > 1180
        assert np.ptp(late_s) < PERIOD_S


def test_single_late_blocks_make_no_latency_that_stays():
    live = Simulation()
    events = in_blocks(live.sound, tone(20.0), 0.02)
    late = {int(k * 1.7 / 0.02): 0.12 for k in range(1, 11)}           # every 1.7 s a block is late
    events = sorted(((at_s + late.get(i, 0.0), put) for i, (at_s, put) in enumerate(events)),
                    key=lambda event: event[0])
    live.run(19.9, events)
    late_s = np.array(live.times_s) - np.arange(len(live.frames)) * PERIOD_S
    assert live.face.num_gaps == 0 and np.median(late_s[-150:]) < LOOK_AHEAD_S + 0.02
