"""Audio in blocks of any size -> letter probabilities, as DeepSpeech 0.5.0's client does it.

A window of 512 samples every 320 gives one MFCC vector; nine zero vectors stand before the
first and after the last; nineteen vectors make one step, sixteen steps one run of the network,
whose state is carried over. At the end one more window is always made from what is left,
filled up with zeros, then the last, part-filled run is made. (The native .tflite client leaves
stale samples in that last window; here it is zero-filled, as in the .pb client.)
"""
import numpy as np

from utils.common.constants import (CONTEXT_FRAMES, CONTEXT_WINDOW_FRAMES, MFCC_COEFFICIENTS,
                                    MFCC_STEP_SAMPLES, MFCC_WINDOW_SAMPLES, NUM_LETTERS)
from utils.deepspeech.mfcc import frames_of_samples, mfcc, num_full_windows

MOST_RUNS_TOGETHER = 64             # of the graph, 20 s: bounds what is held in memory


class AcousticStream:
    """One stream of audio through an AcousticGraph: sample buffer, MFCC context, LSTM state.

    MFCCs and steps are always computed in the same groups, counted from the start of the
    stream, so that the sizes of the blocks fed cannot alter a single bit.
    """

    def __init__(self, acoustic_graph):
        self.acoustic_graph = acoustic_graph
        self.reset()

    def reset(self):
        """Back to the start of a stream."""
        self._samples = np.zeros(0, np.float32)
        self._vectors = _zero_vectors()                     # [9 then 18, 26]
        self._state = self.acoustic_graph.zero_state()
        self._num_early = 0                                 # steps of the next run given already

    def feed(self, samples):
        """Take `samples` float32 [any], 16 kHz in [-1, 1).

        Returns:
          float32 [n, 29]: probabilities of the steps that became ready, one every 20 ms.
        """
        self._samples = np.concatenate([self._samples, samples])
        rows, runs = [np.zeros((0, NUM_LETTERS), np.float32)], []
        while num_full_windows(len(self._samples)) >= self._vectors_for_a_run():
            self._add_vectors(self._vectors_for_a_run())
            if self._num_early:
                rows.append(self._run())
                continue
            runs.append(self._next_contexts())
            if len(runs) == MOST_RUNS_TOGETHER:
                rows.append(self._run_several(runs))
                runs = []
        if runs:
            rows.append(self._run_several(runs))
        return np.concatenate(rows)

    @property
    def num_steps_held(self):
        """Steps whose whole context is here, but whose run is not full: early() gives them."""
        num_vectors = len(self._vectors) + num_full_windows(len(self._samples))
        return max(num_vectors - CONTEXT_WINDOW_FRAMES + 1 - self._num_early, 0)

    def early(self):
        """Probabilities of the steps held, [n, 29]: those of the full run, before it is full.

        Where the graph cannot stop after any step, silence stands for what has not come yet: the
        network does not look back from a later step to an earlier one. The state is kept then, and
        the run is made once more when it is full.
        """
        num_steps = self._num_early + self.num_steps_held
        # The same groups of rows as in the full run: products of other shapes may round otherwise.
        num_samples = (MFCC_STEP_SAMPLES * (self._vectors_for_a_run() - 1)) + MFCC_WINDOW_SAMPLES
        samples = np.zeros(num_samples, np.float32)
        samples[:len(self._samples)] = self._samples
        vectors = np.concatenate([self._vectors, mfcc(frames_of_samples(samples))])
        run_any = self.acoustic_graph.run_any
        if run_any is None:
            probabilities, _ = self.acoustic_graph.run(
                _contexts(vectors, self.acoustic_graph.num_steps), self._state)
            rows = probabilities[self._num_early:num_steps]
        else:
            rows, self._state = run_any(_contexts(vectors, num_steps)[self._num_early:],
                                        self._state)
        self._num_early = num_steps
        return rows

    def finish(self):
        """The rest [n, 29]. In all there are (0 if N < 512 else 1 + (N-512)//320) + 1 rows."""
        self._add_vectors(num_full_windows(len(self._samples)))
        last_window = np.zeros((1, MFCC_WINDOW_SAMPLES), np.float32)
        last_window[0, :len(self._samples)] = self._samples
        self._vectors = np.concatenate([self._vectors, mfcc(last_window), _zero_vectors()])
        rows = []
        while len(self._vectors) >= CONTEXT_WINDOW_FRAMES:
            rows.append(self._run())
        return np.concatenate(rows)

    def _vectors_for_a_run(self):
        return self.acoustic_graph.num_steps + CONTEXT_WINDOW_FRAMES - 1 - len(self._vectors)

    def _add_vectors(self, num_vectors):
        windows = frames_of_samples(self._samples)[:num_vectors]
        self._samples = self._samples[num_vectors * MFCC_STEP_SAMPLES:]
        self._vectors = np.concatenate([self._vectors, mfcc(windows)])

    def _next_contexts(self):
        """[n, 19, 26] of a run; n is less than num_steps at the end alone."""
        num_steps = min(self.acoustic_graph.num_steps,
                        len(self._vectors) - CONTEXT_WINDOW_FRAMES + 1)
        contexts = _contexts(self._vectors, num_steps)
        self._vectors = self._vectors[num_steps:]
        return contexts

    def _run_several(self, runs):
        rows, self._state = self.acoustic_graph.run_several(np.concatenate(runs), self._state)
        return rows

    def _run(self):
        contexts = self._next_contexts()
        num_early, self._num_early = self._num_early, 0
        run_any = self.acoustic_graph.run_any if num_early else None
        if run_any is not None:                             # the state is that after num_early
            probabilities, self._state = run_any(contexts[num_early:], self._state)
            return probabilities
        probabilities, self._state = self.acoustic_graph.run(contexts, self._state)
        return probabilities[num_early:]


def _contexts(vectors, num_steps):
    """[num_steps, 19, 26] of `vectors` [num_steps + 18 at least, 26]."""
    return np.stack([vectors[step:step + CONTEXT_WINDOW_FRAMES] for step in range(num_steps)])


def _zero_vectors():
    return np.zeros((CONTEXT_FRAMES, MFCC_COEFFICIENTS), np.float32)


def letter_probabilities(acoustic_graph, samples):
    """float32 [T, 29] of a whole recording `samples` [N], 16 kHz in [-1, 1)."""
    stream = AcousticStream(acoustic_graph)
    return np.concatenate([stream.feed(samples), stream.finish()])
