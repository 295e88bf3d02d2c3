"""What the training tests share."""
import pytest

from tests.helpers.fake_features import FakeStream
from utils.training import subjects


@pytest.fixture
def fake_features(monkeypatch):
    """Features of FakeStream in place of an acoustic network's."""
    monkeypatch.setattr(subjects, "_feature_stream", FakeStream)
    del FakeStream.made[:]
