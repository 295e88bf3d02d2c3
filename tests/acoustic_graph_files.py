"""The acoustic graphs that the tests run, each with a recording: the embedded one, and the
random-weight one among the reference vectors where those are at hand."""
import os

import numpy as np
import pytest
import resampy
from scipy.io import wavfile

from conftest import REPOSITORY
from utils.audio import read_audio
from utils.constants import INT16_SCALE, SAMPLE_RATE_HZ

EMBEDDED = "deepspeech-mini"
RANDOM = "deepspeech_64"


class AcousticFiles(object):
    """A folder with output_graph.pb, output_graph.tflite, alphabet.txt; samples for them."""

    def __init__(self, folder, samples):
        self.pb = os.path.join(folder, "output_graph.pb")
        self.tflite = os.path.join(folder, "output_graph.tflite")
        self.alphabet = os.path.join(folder, "alphabet.txt")
        self.samples = samples              # float32 [N], 16 kHz, exactly int16 / 32768


@pytest.fixture(params=[EMBEDDED, RANDOM])
def acoustic_files(request):
    if request.param == RANDOM:
        vectors = request.getfixturevalue("reference_vectors")
        rate_hz, pcm = wavfile.read(os.path.join(vectors, "speech_22k.wav"))
        pcm = resampy.resample(pcm.astype(np.float64), rate_hz, SAMPLE_RATE_HZ)
        samples = (np.round(pcm) / INT16_SCALE).astype(np.float32)
        return AcousticFiles(os.path.join(vectors, RANDOM), samples)
    folder = os.path.join(REPOSITORY, "ds_graph", EMBEDDED)
    if not os.path.isdir(folder):
        pytest.skip("needs ds_graph/%s" % EMBEDDED)
    return AcousticFiles(folder, read_audio(
        os.path.join(REPOSITORY, "audio", "test_sentence.wav")))
