"""Audio in blocks of any size -> the windows of speech features that the network takes.

    stream = SpeechFeatureStream(acoustic_graph, profile)
    for block in blocks:
        windows = stream.feed(block)            # [n, 16, 29], those that became ready
    windows = stream.finish()                   # the rest

How the audio is cut into blocks never changes a bit. A checkpoint says which of the two
profiles it was trained with: `deepspeech` (utils/deepspeech/native_windows.py) or `reference`
(utils/deepspeech/published_windows.py).
"""
import numpy as np

from utils.common.constants import (FEATURE_PROFILES, PROFILE_DEEPSPEECH, REFERENCE_CHUNK_S,
                                    SAMPLE_RATE_HZ, WINDOW_FUTURE_FRAMES)
from utils.deepspeech.native_windows import DeepSpeechFeatures
from utils.deepspeech.published_windows import ReferenceFeatures


class SpeechFeatureStream:
    """One stream of audio. Any number of them can share an AcousticGraph.

    Args:
      acoustic_graph: from load_acoustic_graph().
      profile: "deepspeech" or "reference".
      sample_rate_hz: of what will be fed: 16000, but with "reference" the recording's own.
      chunk_s: of "reference" only.
      early_frames, future_frames: of "deepspeech" only, see DeepSpeechFeatures.
    """

    def __init__(self, acoustic_graph, profile, sample_rate_hz=SAMPLE_RATE_HZ,
                 chunk_s=REFERENCE_CHUNK_S, early_frames=None,
                 future_frames=WINDOW_FUTURE_FRAMES):
        if profile not in FEATURE_PROFILES:
            raise ValueError("feature profile %r is none of %s"
                             % (profile, ", ".join(FEATURE_PROFILES)))
        if profile == PROFILE_DEEPSPEECH:
            if sample_rate_hz != SAMPLE_RATE_HZ:
                raise ValueError("the %s profile takes %d Hz, got %s Hz"
                                 % (profile, SAMPLE_RATE_HZ, sample_rate_hz))
            self._features = DeepSpeechFeatures(acoustic_graph, early_frames, future_frames)
        else:
            self._features = ReferenceFeatures(acoustic_graph, sample_rate_hz, chunk_s)
        self._is_finished = False

    def reset(self):
        """Back to the start of a stream."""
        self._features.reset()
        self._is_finished = False

    def feed(self, samples):
        """Take `samples`, float [any] in [-1, 1); they are copied.

        Returns:
          float32 [n, 16, 29]: the windows that became ready, one per frame at 30 fps.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1 or samples.dtype.kind != "f":
            raise ValueError("samples are one channel of floats in [-1, 1), got %s %s"
                             % (samples.dtype, list(samples.shape)))
        if self._is_finished:
            raise ValueError("this stream is finished; reset() starts another")
        return self._features.feed(samples.astype(np.float32, copy=False))

    def finish(self):
        """The rest of the windows, float32 [n, 16, 29]. Only reset() is allowed after it."""
        if self._is_finished:
            raise ValueError("this stream is finished; reset() starts another")
        self._is_finished = True
        return self._features.finish()


def speech_windows(acoustic_graph, samples, profile, sample_rate_hz=SAMPLE_RATE_HZ,
                   chunk_s=REFERENCE_CHUNK_S):
    """All windows of a recording, float32 [num_frames, 16, 29].

    num_frames is ceil(N * 30 / 16000) with "deepspeech". With "reference" it is 30 * chunk_s
    for each whole chunk, a tail shorter than a chunk being dropped: up to chunk_s fewer.
    """
    stream = SpeechFeatureStream(acoustic_graph, profile, sample_rate_hz, chunk_s)
    return np.concatenate([stream.feed(samples), stream.finish()])
