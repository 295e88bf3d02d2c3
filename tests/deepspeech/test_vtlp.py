"""utils/deepspeech/vtlp.py: other vocal tracts, and one voice heard as several."""
import numpy as np
import pytest
import scipy.signal

from utils.common.constants import TTA_COPIES, PROBABILITY_FLOOR, SAMPLE_RATE_HZ
from utils.deepspeech.mfcc import COSINE_TRANSFORM, mfcc_of_samples
from utils.deepspeech.vtlp import MEL_AXIS, STRETCHES, VtlpAveragedGraph, bands_at, stretched


class GraphThatAdds:
    """Says softmax of each step's middle MFCCs (29 of them and zeros) plus its state."""
    num_steps = 4
    run_any = None

    def __init__(self):
        self.num_runs = 0

    def zero_state(self):
        return 0.0

    def run(self, contexts, state):
        if state is None:
            raise ValueError("this stream has ended")
        self.num_runs += 1
        scores = np.pad(contexts[:, 9], ((0, 0), (0, 3)), "constant") + state
        scores[:, 0] += state                               # the others cancel out
        probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        full = len(contexts) == self.num_steps
        return probabilities, float(contexts[..., 1].mean()) if full else None


def transforms():
    return [bands_at(stretched(stretch)).dot(COSINE_TRANSFORM) for stretch in STRETCHES]


def by_hand(contexts, states):
    """Normalised geometric mean of what the graph says of each tract."""
    said = [GraphThatAdds().run(contexts.dot(transform), state)[0]
            for transform, state in zip(transforms(), states)]
    mean = np.exp(np.mean([np.log(np.maximum(one, PROBABILITY_FLOOR)) for one in said], axis=0))
    return mean / mean.sum(1, keepdims=True)


def test_the_tracts_are_the_speakers_own_and_one_on_either_side():
    assert len(STRETCHES) == TTA_COPIES and STRETCHES[1] == 0.0
    assert STRETCHES[0] == -STRETCHES[2] != 0.0
    np.testing.assert_allclose(transforms()[1], np.eye(26), atol=1e-6)
    assert min(np.abs(transforms()[i] - np.eye(26)).max() for i in (0, 2)) > 0.05


def test_three_hearings_are_the_mean_of_their_log_probabilities():
    graph = GraphThatAdds()
    heard = VtlpAveragedGraph(graph)
    contexts = np.random.RandomState(0).randn(4, 19, 26).astype(np.float32)
    probabilities, states = heard.run(contexts, heard.zero_state())
    assert heard.num_steps == 4 and graph.num_runs == 3 and probabilities.shape == (4, 29)
    np.testing.assert_allclose(probabilities, by_hand(contexts, [0.0] * 3), rtol=1e-4)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-6)
    # Each hearing goes on from its own state.
    contexts += 3.0
    _, states = heard.run(contexts, states)
    means = [contexts.dot(transform)[..., 1].mean() for transform in transforms()]
    np.testing.assert_allclose(states, means, rtol=1e-4)
    assert np.ptp(means) > 0.1
    again, last = heard.run(contexts[:2], states)
    np.testing.assert_allclose(again, by_hand(contexts[:2], means), rtol=1e-3)
    assert last is None
    with pytest.raises(ValueError, match="this stream has ended"):
        heard.run(contexts, last)
    assert heard.run_any is None
    graph.run_any = graph.run
    np.testing.assert_array_equal(heard.run_any(contexts[:2], states)[0], again)


def test_a_certain_letter_of_one_hearing_cannot_silence_the_others():
    class Certain(GraphThatAdds):
        def run(self, contexts, state):
            certain = np.zeros((len(contexts), 29))
            certain[:, self.num_runs % 2] = 1.0
            self.num_runs += 1
            return certain, state
    heard = VtlpAveragedGraph(Certain())
    probabilities, _ = heard.run(np.zeros((4, 19, 26), np.float32), heard.zero_state())
    expected = PROBABILITY_FLOOR ** np.array([1.0 / 3.0, 2.0 / 3.0])
    np.testing.assert_allclose(probabilities[0, :2] / probabilities[0, 2],
                               expected / PROBABILITY_FLOOR, rtol=1e-3)


def test_digital_silence_is_silence_of_every_tract():
    silence = mfcc_of_samples(np.zeros(SAMPLE_RATE_HZ // 10, np.float32))
    for transform in transforms():
        np.testing.assert_allclose(silence.dot(transform), silence, atol=1e-3)


def test_a_stretched_axis_is_the_voice_of_another_tract():
    """A vowel whose formants lie 11 % higher is heard as the vowel itself by a shifted ear."""
    def vowel(factor):
        samples = np.zeros(SAMPLE_RATE_HZ)
        samples[::133] = 1.0                                # 120 Hz, with either tract
        for formant_hz, width_hz in ((700.0, 80.0), (1200.0, 90.0), (2500.0, 120.0)):
            radius = np.exp(-np.pi * width_hz / SAMPLE_RATE_HZ)
            angle = 2.0 * np.pi * factor * formant_hz / SAMPLE_RATE_HZ
            denominator = [1.0, -2.0 * radius * np.cos(angle), radius ** 2]
            samples = scipy.signal.lfilter([1.0], denominator, samples)
        return mfcc_of_samples(samples / np.abs(samples).max() * 0.5)[10:-1].mean(0)

    here, higher = vowel(1.0), vowel(1.11)
    distances = [np.linalg.norm((higher.dot(transform) - here)[1:14])
                 for transform in transforms()]
    assert min(distances) == distances[2] < 0.7 * distances[1]


def test_the_mel_axis_reads_the_spectrum_as_it_is():
    bands = bands_at(MEL_AXIS)
    np.testing.assert_allclose(bands.dot(COSINE_TRANSFORM), np.eye(26), atol=1e-6)
    assert stretched(0.035)[0] > MEL_AXIS[0] and stretched(0.035)[-1] > MEL_AXIS[-1]
    assert (stretched(0.035) - MEL_AXIS).argmax() in (19, 20)
