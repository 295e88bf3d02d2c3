"""The `deepspeech` feature profile: DeepSpeech 0.5.0 used as its own client uses it.

One continuous stream (utils/deepspeech/acoustic_stream.py). Features are log-probabilities,
ln(max(p, PROBABILITY_FLOOR)): the `logits` output of a released graph is softmax, both in the
.pb and in the .tflite, and its logarithm is the scale on which letters compete and on which
8-bit rounding is even. Raw logits are no output of the .tflite; they differ from this by one
constant a row, so .pb and .tflite feed the same thing. The floor keeps a zero finite and makes
silences alike: less than one in a million is the tail of the softmax, not a letter. (With the
embedded graph 5 % of all values lie below it, and 8-bit weights move features by 1 % of their
spread, whatever the floor.)

Step t of the acoustic network stands at t * 0.02 s, the client's own convention. Frame i of the
animation, at i / 30 s, is the linear interpolation there, held after the last step. Window i
holds frames i-8 .. i+7, or for a checkpoint with less look-ahead 16 that end earlier; before the
first and after the last frame those are repeated (a zero would say that every letter is certain).
There are ceil(N * 30 / 16000) frames.
"""
import numpy as np

from utils.common.constants import (ACOUSTIC_FPS, ANIMATION_FPS, CONTEXT_FRAMES,
                                    MFCC_STEP_SAMPLES, MFCC_WINDOW_SAMPLES, NUM_LETTERS,
                                    PROBABILITY_FLOOR, SAMPLE_RATE_HZ, WINDOW_FRAMES,
                                    WINDOW_FUTURE_FRAMES)
from utils.deepspeech.acoustic_stream import AcousticStream

MAX_STEP_AFTER_FRAME = 2 / 3.0          # of a step: 50 steps, 30 frames


class DeepSpeechFeatures:
    """One stream: the acoustic stream, and the timeline from 50 steps to 30 frames a second.

    early_frames: run the graph as soon as so many more frames can be made, instead of waiting for
    a full run; None waits. The numbers are the same, to two units in the last place.
    future_frames: window i ends with frame i + future_frames, from MIN_WINDOW_FUTURE_FRAMES on.
    """

    def __init__(self, acoustic_graph, early_frames=None, future_frames=WINDOW_FUTURE_FRAMES):
        self._acoustic = AcousticStream(acoustic_graph)
        self._early_frames = early_frames
        self._future_frames = future_frames
        self.reset()

    def reset(self):
        self._acoustic.reset()
        self._num_samples = 0
        self._steps = np.zeros((0, NUM_LETTERS), np.float32)    # those still needed
        self._first_step = 0                                    # what self._steps[0] is
        self._num_frames = 0                                    # made so far
        self._frames = np.zeros((0, NUM_LETTERS), np.float32)   # those still needed

    def feed(self, samples):
        self._num_samples += len(samples)
        self._add_steps(self._acoustic.feed(samples))
        self._add_frames(self._frames_of(0))
        if self._early_frames:
            num_ready = self._frames_of(self._acoustic.num_steps_held)
            if num_ready - self._num_frames >= self._early_frames:
                self._add_steps(self._acoustic.early())
                self._add_frames(num_ready)
        return self._ready_windows()

    def finish(self):
        self._add_steps(self._acoustic.finish())
        self._add_frames(num_animation_frames(self._num_samples))
        if len(self._frames) and self._future_frames > 0:
            self._frames = np.concatenate([self._frames, self._frames[-1:].repeat(
                self._future_frames, axis=0)])
        windows = self._ready_windows()
        # Windows that end before their frame are there for frames after the last one, too.
        return windows[:len(windows) + min(self._future_frames, 0)]

    def _frames_of(self, num_more_steps):
        """How many frames the steps so far and `num_more_steps` make, counted from the start."""
        num_steps = self._first_step + len(self._steps) + num_more_steps
        # Frame i lies between steps; the later one must be there.
        return (num_steps - 1) * ANIMATION_FPS // ACOUSTIC_FPS + 1 if num_steps else 0

    def _add_steps(self, probabilities):
        scores = np.log(np.maximum(probabilities, np.float32(PROBABILITY_FLOOR)))
        self._steps = np.concatenate([self._steps, scores])

    def _add_frames(self, num_frames):
        """Have the first `num_frames` frames of the stream made."""
        if num_frames <= self._num_frames:
            return
        # Positions in whole numbers, thirds of a step here: no drift, however long it runs.
        thirds = np.arange(self._num_frames, num_frames) * ACOUSTIC_FPS
        before = thirds // ANIMATION_FPS - self._first_step
        share = (thirds % ANIMATION_FPS / ANIMATION_FPS).astype(np.float32)[:, np.newaxis]
        last = len(self._steps) - 1
        frames = ((1 - share) * self._steps[np.minimum(before, last)]
                  + share * self._steps[np.minimum(before + 1, last)])      # [n, 29]
        if self._num_frames == 0:
            frames = np.concatenate([
                frames[:1].repeat(WINDOW_FRAMES - 1 - self._future_frames, axis=0), frames])
        self._frames = np.concatenate([self._frames, frames])
        self._num_frames = num_frames
        next_step = min(self._num_frames * ACOUSTIC_FPS // ANIMATION_FPS - self._first_step, last)
        self._steps = self._steps[next_step:]
        self._first_step += next_step

    def _ready_windows(self):
        num_windows = max(len(self._frames) - WINDOW_FRAMES + 1, 0)
        windows = np.zeros((num_windows, WINDOW_FRAMES, NUM_LETTERS), np.float32)
        for offset in range(WINDOW_FRAMES):
            windows[:, offset] = self._frames[offset:offset + num_windows]
        self._frames = self._frames[num_windows:]
        return windows


def look_ahead_s(num_steps, early_frames=None, future_frames=WINDOW_FUTURE_FRAMES):
    """[(what, seconds)]: why a frame comes later than its sound; the sum is the worst case.

    num_steps: of the acoustic graph's run; early_frames, future_frames: see DeepSpeechFeatures.
    """
    if early_frames:
        between_s = float(MAX_STEP_AFTER_FRAME) / ACOUSTIC_FPS
        block = ("frames in a run of the graph", (early_frames - 1.0) / ANIMATION_FPS)
    else:
        # Frame i needs step ceil(i * 50 / 30), which comes with the rest of its run.
        steps = np.arange(num_steps * ANIMATION_FPS) * ACOUSTIC_FPS / float(ANIMATION_FPS)
        last_of_run = np.ceil((np.ceil(steps) + 1) / num_steps) * num_steps - 1
        between_s = 0.0
        block = ("the graph's run of %d steps" % num_steps,
                 (last_of_run - steps).max() / ACOUSTIC_FPS)
    return [("acoustic context, %d vectors" % CONTEXT_FRAMES,
             CONTEXT_FRAMES * MFCC_STEP_SAMPLES / float(SAMPLE_RATE_HZ)),
            ("window of samples of a vector", MFCC_WINDOW_SAMPLES / float(SAMPLE_RATE_HZ)),
            ("window of the network, %d frames" % future_frames,
             future_frames / float(ANIMATION_FPS)),
            ("from a frame to the next step", between_s), block]


def num_animation_frames(num_samples):
    """ceil(N * 30 / 16000): frame i stands at i / 30 s, inside the audio."""
    return -(-num_samples * ANIMATION_FPS // SAMPLE_RATE_HZ)
