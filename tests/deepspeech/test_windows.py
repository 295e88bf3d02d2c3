"""utils/deepspeech/windows.py and what it is made of: streaming, timeline, both profiles."""
import os

import numpy as np
import pytest
from scipy.io import wavfile

from utils.common.constants import FEATURE_PROFILES, NUM_LETTERS, PROBABILITY_FLOOR
from utils.deepspeech import tflite_single_step
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.acoustic_stream import letter_probabilities
from utils.deepspeech.mfcc import mfcc, mfcc_of_samples
from utils.deepspeech.native_windows import look_ahead_s
from utils.deepspeech.windows import SpeechFeatureStream, speech_windows

LONG_ENOUGH = 46797                 # 146 steps, 88 frames


class CountingGraph(object):
    """Stands in for a network: step t of a stream gives probability exp(-t / 100)."""
    num_steps = 16

    def __init__(self, stops_anywhere=False):
        self.contexts = []
        self.run_any = self.run if stops_anywhere else None

    def zero_state(self):
        return 0

    def run(self, contexts, state):
        self.contexts.append(contexts)
        steps = np.arange(state, state + len(contexts), dtype=np.float32)
        return (np.exp(-steps / 100)[:, np.newaxis].repeat(NUM_LETTERS, axis=1),
                state + len(contexts))

    run_several = run


def windows_by_blocks(stream, samples, next_size):
    windows, at = [], 0
    while at < len(samples):
        size = next_size()
        windows.append(stream.feed(samples[at:at + size]))
        at += size
    return np.concatenate(windows + [stream.finish()])


@pytest.mark.parametrize("container", ["pb", "tflite"])
@pytest.mark.parametrize("profile", FEATURE_PROFILES)
def test_blocks_never_change_a_bit(acoustic_files, container, profile):
    graph = load_acoustic_graph(getattr(acoustic_files, container))
    samples = acoustic_files.samples[:LONG_ENOUGH]
    expected = speech_windows(graph, samples, profile)
    random = np.random.RandomState(3)
    stream = SpeechFeatureStream(graph, profile)
    for next_size in (lambda: 1600, lambda: random.randint(0, 6000)):
        np.testing.assert_array_equal(windows_by_blocks(stream, samples, next_size), expected)
        stream.reset()


@pytest.mark.parametrize("container", ["pb", "tflite", "tflite that cannot be cut"])
def test_early_frames_have_the_same_values(acoustic_files, container, monkeypatch):
    """To the bit, but for the softmax of a .tflite: of one row it rounds otherwise than of 16.

    Scores near -14 move by two units in the last place.
    """
    if container == "tflite that cannot be cut":
        monkeypatch.setattr(tflite_single_step, "single_step_file", lambda *_: None)
    graph = load_acoustic_graph(getattr(acoustic_files, container.split()[0]))
    assert (graph.run_any is None) == (container == "tflite that cannot be cut")
    samples = acoustic_files.samples[:LONG_ENOUGH]
    expected = speech_windows(graph, samples, "deepspeech")
    for early_frames, block in ((1, 320), (3, 777)):
        stream = SpeechFeatureStream(graph, "deepspeech", early_frames=early_frames)
        np.testing.assert_allclose(windows_by_blocks(stream, samples, lambda: block), expected,
                                   rtol=0, atol=4e-6 if container == "tflite" else 0)


@pytest.mark.parametrize("stops_anywhere", [False, True])
def test_early_frames_wait_for_no_full_run(stops_anywhere):
    graph = CountingGraph(stops_anywhere)
    stream = SpeechFeatureStream(graph, "deepspeech", early_frames=1)
    num_frames, worst_s, best_s = 0, 0.0, 1.0
    for num_samples in range(320, 64000, 320):
        for _ in stream.feed(np.zeros(320, np.float32)):
            late_s = num_samples / 16000.0 - num_frames / 30.0
            worst_s, best_s = max(worst_s, late_s), min(best_s, late_s)
            num_frames += 1
    # 7 frames of window, 9 MFCC vectors of context and one window of samples; and up to two
    # thirds of a step to the next step, and up to a block.
    ahead_s = 7 / 30.0 + 9 * 0.02 + 0.032
    assert ahead_s <= best_s and worst_s <= ahead_s + 0.04 / 3 + 0.02
    # A graph that can stop runs each step once.
    num_runs, num_steps = len(graph.contexts), sum(map(len, graph.contexts))
    if stops_anywhere:
        assert 186 <= num_steps <= 189 and num_runs > 100
    else:
        assert num_steps > 1500


def test_sound_in_large_blocks_between_early_frames():
    """Full runs and early ones in turns: no step is left out, none comes twice."""
    samples = np.zeros(LONG_ENOUGH, np.float32)
    expected = speech_windows(CountingGraph(), samples, "deepspeech")
    random = np.random.RandomState(1)
    for stops_anywhere in (False, True):
        stream = SpeechFeatureStream(CountingGraph(stops_anywhere), "deepspeech", early_frames=1)
        found = windows_by_blocks(stream, samples, lambda: random.choice([128, 320, 5120, 9000]))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("profile", FEATURE_PROFILES)
def test_one_sample_at_a_time(acoustic_files, profile):
    graph = load_acoustic_graph(acoustic_files.tflite)
    samples = acoustic_files.samples[4000:14000]
    found = windows_by_blocks(SpeechFeatureStream(graph, profile), samples, lambda: 1)
    np.testing.assert_array_equal(found, speech_windows(graph, samples, profile))


def test_reset_in_mid_stream(acoustic_files):
    graph = load_acoustic_graph(acoustic_files.tflite)
    for profile in FEATURE_PROFILES:
        stream = SpeechFeatureStream(graph, profile)
        stream.feed(acoustic_files.samples[:20000])
        stream.reset()
        found = windows_by_blocks(stream, acoustic_files.samples[:9000], lambda: 9000)
        np.testing.assert_array_equal(
            found, speech_windows(graph, acoustic_files.samples[:9000], profile))


def test_the_caller_may_reuse_its_buffer():
    samples = np.random.RandomState(0).uniform(-0.5, 0.5, 9000).astype(np.float32)
    graph, expected_graph = CountingGraph(), CountingGraph()
    speech_windows(expected_graph, samples, "deepspeech")
    stream = SpeechFeatureStream(graph, "deepspeech")
    buffer = np.zeros(1500, np.float32)
    for at in range(0, 9000, 1500):
        buffer[:] = samples[at:at + 1500]
        stream.feed(buffer)
    stream.finish()
    np.testing.assert_array_equal(np.concatenate(graph.contexts),
                                  np.concatenate(expected_graph.contexts))


@pytest.mark.parametrize("num_samples, num_steps", [
    (0, 1), (511, 1), (512, 2), (831, 2), (832, 3), (8191, 25), (8192, 26), (46797, 146)])
def test_steps_are_the_native_clients(num_samples, num_steps):
    graph = CountingGraph()
    samples = np.random.RandomState(0).uniform(-0.5, 0.5, num_samples).astype(np.float32)
    assert letter_probabilities(graph, samples).shape == (num_steps, NUM_LETTERS)
    contexts = np.concatenate(graph.contexts)                       # [T, 19, 26]
    # The tail: what no full window has begun with, filled up with zeros.
    num_full = num_steps - 1
    tail = np.zeros(512, np.float32)
    tail[:num_samples - 320 * num_full] = samples[320 * num_full:]
    vectors = np.concatenate([mfcc_of_samples(samples), mfcc(tail[np.newaxis])])
    padded = np.concatenate([np.zeros((9, 26)), vectors, np.zeros((9, 26))])
    for step in range(num_steps):
        np.testing.assert_allclose(contexts[step], padded[step:step + 19], atol=1e-4)
    assert all(len(run) % 16 == 0 for run in graph.contexts[:-1])


def test_frames_lie_on_one_timeline():
    windows = speech_windows(CountingGraph(), np.zeros(LONG_ENOUGH, np.float32), "deepspeech")
    assert windows.shape == (88, 16, NUM_LETTERS)
    # Step t stands at t / 50 s and gives -t / 100; frame i stands at i / 30 s.
    frame_scores = -np.arange(88) * (50 / 30.0) / 100
    np.testing.assert_allclose(windows[:, 8, 5], frame_scores, atol=1e-6)
    for i in (0, 3, 40, 84, 87):
        held = np.clip(np.arange(i - 8, i + 8), 0, 87)
        np.testing.assert_allclose(windows[i, :, 0], frame_scores[held], atol=1e-6)


def test_the_last_step_is_held():
    # 600 samples: steps 0 and 1 (and frame 1 at 1.67 steps).
    windows = speech_windows(CountingGraph(), np.zeros(600, np.float32), "deepspeech")
    np.testing.assert_allclose(windows[:, 8, 0], [0.0, -0.01], atol=1e-7)


def test_windows_come_early():
    stream = SpeechFeatureStream(CountingGraph(), "deepspeech")
    assert len(stream.feed(np.zeros(8191, np.float32))) == 0
    # 16 steps: frames 0..9 lie before step 15; the 8th of them completes window 0.
    assert len(stream.feed(np.zeros(1, np.float32))) == 3


@pytest.mark.parametrize("early_frames", [None, 1])
@pytest.mark.parametrize("future_frames", [7, 3, 0, -1, -5])
def test_windows_that_end_sooner(future_frames, early_frames):
    samples = np.zeros(LONG_ENOUGH, np.float32)
    frames = speech_windows(CountingGraph(), samples, "deepspeech")[:, 8]       # [frames, 29]
    ends = np.arange(len(frames))[:, np.newaxis] + future_frames                # [frames, 1]
    expected = frames[np.clip(ends + np.arange(-15, 1), 0, len(frames) - 1)]    # [frames, 16, 29]
    stream = SpeechFeatureStream(CountingGraph(True), "deepspeech", early_frames=early_frames,
                                 future_frames=future_frames)
    np.testing.assert_array_equal(windows_by_blocks(stream, samples, lambda: 777), expected)


@pytest.mark.parametrize("future_frames", [7, 0, -1, -5])
def test_a_frame_is_as_late_as_its_look_ahead_says(future_frames):
    stream = SpeechFeatureStream(CountingGraph(True), "deepspeech", early_frames=1,
                                 future_frames=future_frames)
    block, num_frames, late_s = np.zeros(16, np.float32), 0, []
    for heard in range(16, 32000, 16):
        for _ in stream.feed(block):
            late_s.append(heard / 16000.0 - num_frames / 30.0)
            num_frames += 1
    told_s = sum(seconds for _, seconds in look_ahead_s(16, 1, future_frames))
    assert max(late_s[10:]) == pytest.approx(told_s, abs=0.0011)


@pytest.mark.parametrize("future_frames", [7, -5])
@pytest.mark.parametrize("num_samples, num_frames",
                         [(0, 0), (1, 1), (533, 1), (534, 2), (16000, 30), (16001, 31)])
def test_number_of_frames(num_samples, num_frames, future_frames):
    stream = SpeechFeatureStream(CountingGraph(), "deepspeech", future_frames=future_frames)
    windows = windows_by_blocks(stream, np.zeros(num_samples, np.float32), lambda: 16000)
    assert windows.shape == (num_frames, 16, NUM_LETTERS)


def test_no_drift_in_ten_minutes():
    windows = 0
    stream = SpeechFeatureStream(CountingGraph(), "deepspeech")
    last = None
    for _ in range(60):
        block = stream.feed(np.zeros(160000, np.float32))
        windows += len(block)
        last = block[-1]
    # Scores reach the floor by then: only their number can be compared, exactly.
    windows += len(stream.finish())
    assert windows == 60 * 300
    np.testing.assert_allclose(last, np.log(PROBABILITY_FLOOR), rtol=1e-6)


def test_features_are_floored_log_probabilities(acoustic_files):
    graph = load_acoustic_graph(acoustic_files.pb)
    windows = speech_windows(graph, acoustic_files.samples, "deepspeech")
    assert windows.dtype == np.float32 and np.isfinite(windows).all()
    assert windows.max() <= 0.0 and windows.min() >= np.float32(np.log(PROBABILITY_FLOOR))


def test_both_containers_feed_the_same(acoustic_files):
    from_pb, from_tflite = [
        speech_windows(load_acoustic_graph(path), acoustic_files.samples, "deepspeech")
        for path in (acoustic_files.pb, acoustic_files.tflite)]
    assert from_pb.shape == from_tflite.shape
    # Against the spread of the features themselves.
    assert np.abs(from_pb - from_tflite).mean() < 0.1 * from_pb.std()


@pytest.mark.parametrize("chunk_s", [0.5, 0.1])
def test_reference_vectors(reference_vectors, chunk_s):
    rate_hz, pcm = wavfile.read(os.path.join(reference_vectors, "speech_22k.wav"))
    graph = load_acoustic_graph(
        os.path.join(reference_vectors, "deepspeech_64", "output_graph.tflite"))
    vectors = np.load(os.path.join(reference_vectors, "vectors.npz"))
    samples = (pcm / 32768.0).astype(np.float32)
    expected = vectors["features_%s" % chunk_s]
    found = speech_windows(graph, samples, "reference", rate_hz, chunk_s)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # The demonstrated stream takes the recording's own rate in any blocks.
    stream = SpeechFeatureStream(graph, "reference", rate_hz, chunk_s)
    np.testing.assert_array_equal(windows_by_blocks(stream, samples, lambda: 7001), found)


def test_reference_profile_drops_the_tail():
    graph = CountingGraph()
    samples = np.random.RandomState(0).uniform(-0.5, 0.5, 66000).astype(np.float32)
    assert len(speech_windows(graph, samples[:23999], "reference")) == 2 * 15
    assert len(speech_windows(graph, samples, "reference", chunk_s=4.1)) == 123    # 122.999...


def test_reference_profile_by_hand():
    """Zero padding at the chunk's ends, 16 steps stretched to 15 frames, read at j * 16 / 15."""
    graph = CountingGraph()
    samples = np.random.RandomState(0).uniform(-0.5, 0.5, 8000).astype(np.float32)
    windows = speech_windows(graph, samples, "reference")
    whitened = graph.contexts[0]
    assert abs(whitened.mean()) < 1e-6 and abs(whitened.std() - 1) < 1e-6
    rows = np.exp(-np.arange(16) / 100.0)
    frames = np.interp(np.arange(15) * 16 / 15.0, np.arange(16), rows)
    padded = np.concatenate([np.zeros(8), frames, np.zeros(8)])
    for i in range(15):
        np.testing.assert_allclose(windows[i, :, 3], padded[i:i + 16], atol=1e-6)


def test_reference_profile_survives_full_scale_and_silence():
    graph = CountingGraph()
    square = np.sign(np.sin(np.arange(22050) / 20.0)).astype(np.float32)
    for samples in (square, np.zeros(22050, np.float32)):
        speech_windows(graph, samples, "reference", 22050)
    assert all(np.isfinite(contexts).all() for contexts in graph.contexts)


def test_misuse_is_named():
    stream = SpeechFeatureStream(CountingGraph(), "deepspeech")
    with pytest.raises(ValueError, match="int16"):
        stream.feed(np.zeros(100, np.int16))
    with pytest.raises(ValueError, match=r"\[100, 2\]"):
        stream.feed(np.zeros((100, 2), np.float32))
    stream.finish()
    for call in (stream.finish, lambda: stream.feed(np.zeros(1, np.float32))):
        with pytest.raises(ValueError, match="reset"):
            call()
    with pytest.raises(ValueError, match="profile 'voca'"):
        SpeechFeatureStream(CountingGraph(), "voca")
    with pytest.raises(ValueError, match="22050 Hz"):
        SpeechFeatureStream(CountingGraph(), "deepspeech", sample_rate_hz=22050)
