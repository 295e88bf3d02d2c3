"""What the tests share: the repository on sys.path, and where the optional data lies."""
import os
import sys

import pytest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, REPOSITORY)
SHARED = os.path.join(os.path.dirname(REPOSITORY), "shared")


def pytest_configure(config):
    # TensorFlow 1.15's own, by the hundred, on every test that builds a graph.
    for message in ("Using or importing the ABCs", r"tostring\(\) is deprecated"):
        config.addinivalue_line("filterwarnings", "ignore:%s:DeprecationWarning" % message)


def _shared_folder(name):
    folder = os.path.join(SHARED, name)
    if not os.path.isdir(folder):
        pytest.skip("needs ../shared/%s, which is not part of the repository" % name)
    return folder


@pytest.fixture
def reference_vectors():
    """The folder of the published graph's test vectors; skips where it is absent."""
    return _shared_folder("reference_vectors")


@pytest.fixture
def realdata():
    """The folder of real recordings; skips where it is absent."""
    return _shared_folder("realdata")
