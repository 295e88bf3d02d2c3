"""VTLP: a voice as another vocal tract would have it, and test-time augmentation by it.

    graph = VtlpAveragedGraph(load_acoustic_graph(path))      # in the place of the AcousticGraph

A longer vocal tract is a stretched mel axis, which is one product of matrices on MFCCs. A network
that never heard a voice hears it better as it is, as that of a longer tract and as that of a
shorter one, with the mean of the three log-probabilities. Source: N. Jaitly, G. E. Hinton, "Vocal
tract length perturbation (VTLP) improves speech recognition", ICML workshop on deep learning for
audio, speech and language processing, 2013, who average so, too.
"""
import functools

import numpy as np

from utils.common.constants import MFCC_COEFFICIENTS, PROBABILITY_FLOOR, TTA_COPIES
from utils.deepspeech.mfcc import CHANNEL_MIDDLES, COSINE_TRANSFORM, MEL_CHANNELS, cosines_at

# Of the mel axis at its middle, parts of its length.
STRETCHES = tuple(np.linspace(-0.035, 0.035, TTA_COPIES))

MEL_AXIS = CHANNEL_MIDDLES / MEL_CHANNELS                       # [40], of 0 .. 1


def bands_at(positions):
    """[26, 40]: what MFCCs are multiplied by to give log magnitudes at `positions` [40] in 0 .. 1.

    At MEL_AXIS they are those of the mel channels; the 26 coefficients leave out what is finer.
    """
    is_level = np.arange(MFCC_COEFFICIENTS) == 0                # c0 counts half in the inverse
    return (cosines_at(MEL_CHANNELS * positions) * np.where(is_level, 0.5, 1.0)).T


def stretched(stretch, bend=0.0):
    """MEL_AXIS as another vocal tract has it, [40]: both ends stay, the middle moves by `stretch`.

    0.035 moves what lies at 1 kHz by 11 %. `bend` moves its lower and upper half apart.
    """
    return MEL_AXIS + stretch * np.sin(np.pi * MEL_AXIS) + bend * np.sin(2.0 * np.pi * MEL_AXIS)


def as_another_tract(stretch):
    """[26, 26]: what MFCCs are multiplied by to be those of a tract `stretched` by so much."""
    return bands_at(stretched(stretch)).dot(COSINE_TRANSFORM).astype(np.float32)


class VtlpAveragedGraph:
    """Runs an AcousticGraph once for each of `stretches`; state and results as the graph's own."""

    def __init__(self, acoustic_graph, stretches=STRETCHES):
        self.num_steps = acoustic_graph.num_steps
        self._acoustic_graph = acoustic_graph
        self._transforms = [as_another_tract(stretch) for stretch in stretches]

    def zero_state(self):
        """The states at the start of a stream, one a copy."""
        return [self._acoustic_graph.zero_state() for _ in self._transforms]

    def run(self, contexts, states):
        """See AcousticGraph.run; the states are None where the graph's would be."""
        if states is None:
            states = [None] * len(self._transforms)
        return self._averaged(self._acoustic_graph.run, contexts, states)

    def run_several(self, contexts, states):
        """See AcousticGraph.run_several."""
        return self._averaged(self._acoustic_graph.run_several, contexts, states)

    @property
    def run_any(self):
        """See AcousticGraph.run_any."""
        run_any = self._acoustic_graph.run_any
        return run_any and functools.partial(self._averaged, run_any)

    def _averaged(self, run, contexts, states):
        # dot() of three axes takes each product by itself: n alters no bit.
        heard, new_states = zip(*[run(contexts.dot(transform), state)
                                  for transform, state in zip(self._transforms, states)])
        mean = np.exp(np.mean(np.log(np.maximum(heard, PROBABILITY_FLOOR)), axis=0))    # [n, 29]
        probabilities = mean / mean.sum(axis=1, keepdims=True)
        return probabilities, None if new_states[0] is None else new_states
