"""What the tests share: where the optional data lies, and the acoustic graphs."""
import collections
import os

import numpy as np
import pytest
import resampy
from scipy.io import wavfile

from tests.helpers.paths import REPOSITORY, SHARED
from utils.common.constants import INT16_SCALE, SAMPLE_RATE_HZ
from utils.media.audio import read_audio

EMBEDDED = "deepspeech-mini"
RANDOM = "deepspeech_64"


def pytest_configure(config):
    # TensorFlow 1.15's own, by the hundred, on every test that builds a graph.
    for message in ("Using or importing the ABCs", r"tostring\(\) is deprecated"):
        config.addinivalue_line("filterwarnings", "ignore:%s:DeprecationWarning" % message)
    config.addinivalue_line("markers", "slow: takes minutes; runs with -m slow only")
    if not config.option.markexpr:
        config.option.markexpr = "not slow"


def pytest_terminal_summary(terminalreporter):
    """What was skipped and why: one line for each reason, the most frequent first."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("skipped, and why")
        for reason, count in counted_reasons(skipped):
            terminalreporter.write_line("%4d  %s" % (count, reason))


def counted_reasons(reports):
    """[(reason, number of reports)] of skipped tests, the most frequent first."""
    reasons = collections.Counter()
    for report in reports:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[" ".join(why.replace("Skipped: ", "", 1).split())] += 1
    return reasons.most_common()


def _shared_folder(name):
    folder = os.path.join(SHARED, name)
    if not os.path.isdir(folder):
        pytest.skip("needs ../shared/%s, which is not part of the repository" % name)
    return folder


@pytest.fixture
def reference_vectors():
    """The folder of the published graph's numbers: all of them, or the slice in the repository."""
    whole = os.path.join(SHARED, "reference_vectors")
    return whole if os.path.isdir(whole) else os.path.join(REPOSITORY, "tests", "reference_vectors")


@pytest.fixture
def realdata():
    """The folder of real recordings; skips where it is absent."""
    return _shared_folder("realdata")


@pytest.fixture
def shared_cases():
    """The folder of the cases that users brought; skips where it is absent."""
    return _shared_folder("cases")


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
        vectors = _shared_folder("reference_vectors")           # the slice has no .pb
        rate_hz, pcm = wavfile.read(os.path.join(vectors, "speech_22k.wav"))
        pcm = resampy.resample(pcm.astype(np.float64), rate_hz, SAMPLE_RATE_HZ)
        samples = (np.round(pcm) / INT16_SCALE).astype(np.float32)
        return AcousticFiles(os.path.join(vectors, RANDOM), samples)
    folder = os.path.join(REPOSITORY, "ds_graph", EMBEDDED)
    if not os.path.isdir(folder):
        pytest.skip("needs ds_graph/%s" % EMBEDDED)
    return AcousticFiles(folder, read_audio(
        os.path.join(REPOSITORY, "audio", "test_sentence.wav")))
