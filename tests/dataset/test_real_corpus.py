"""Real labels on one scale, each source with its own channels."""
import os

import numpy as np
import pytest

from tests.helpers.paths import SHARED
from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.dataset import real_corpus
from utils.dataset.store import Dataset

JAW, CLOSE = MODEL_CHANNELS.index("jawOpen"), MODEL_CHANNELS.index("mouthClose")
CHANNELS = ("jawOpen", "mouthClose")


def recording(openings, closings, rest):
    """Two seconds of noise around two of silence; the face in silence is `rest`."""
    random = np.random.RandomState(0)
    samples = 0.1 * random.randn(6 * SAMPLE_RATE_HZ)
    samples[2 * SAMPLE_RATE_HZ:4 * SAMPLE_RATE_HZ] = 0.0
    weights = np.stack([openings, closings], axis=1) + rest
    weights[2 * ANIMATION_FPS:4 * ANIMATION_FPS] = rest
    return real_corpus._Recording("one", "his", samples.astype(np.float32), weights, list(CHANNELS))


def test_a_face_is_calibrated_to_rest_at_0_and_to_the_teachers_reach():
    random = np.random.RandomState(1)
    openings = 0.7 * random.rand(6 * ANIMATION_FPS)
    closings = openings * (random.rand(6 * ANIMATION_FPS) < 0.2)        # lips that meet
    one = recording(openings, closings, rest=(0.05, 0.02))
    targets, = real_corpus.calibrated([one], CHANNELS)
    assert targets.shape == (6 * ANIMATION_FPS, 52) and targets.dtype == np.float32
    silent = slice(2 * ANIMATION_FPS + 6, 4 * ANIMATION_FPS - 6)
    np.testing.assert_allclose(targets[silent], 0.0, atol=1e-6)
    opening = targets[:, JAW] - targets[:, CLOSE]
    speech = np.r_[0:2 * ANIMATION_FPS - 6, 4 * ANIMATION_FPS + 6:6 * ANIMATION_FPS]
    assert np.percentile(opening[speech], 98) == pytest.approx(real_corpus.OPENING_REACH, abs=0.02)
    # Lips that met in the source meet: one scale for both.
    met = speech[closings[speech] > 0]
    np.testing.assert_allclose(opening[met], 0.0, atol=1e-6)
    others = np.delete(targets, [JAW, CLOSE], axis=1)
    assert not others.any()


def test_each_face_teaches_what_moves_in_it_on_both_sides():
    names = ["jawOpen", "mouthClose", "mouthSmileLeft", "mouthSmileRight"]
    curve = np.tile([0.0, 1.0], 90)                                         # [frames]
    weights = np.outer(curve, [0.001, 0.03, 0.03, 0.5])                     # [frames, 4]
    one = real_corpus._Recording("a", "his", np.zeros(96000), weights, names)
    assert real_corpus._moving([one], names) == ("jawOpen", "mouthSmileLeft", "mouthSmileRight")
    other = one._replace(name="b", face="hers")
    assert [[recording.name for recording in of_face] for of_face in
            real_corpus._by_face([one, other, one._replace(name="c")])] == [["a", "c"], ["b"]]


def test_nine_faces_are_written_each_with_its_own_mask(tmp_path):
    if not os.path.isdir(os.path.join(SHARED, "realdata", "faces_many")):
        pytest.skip("needs ../shared/realdata, which is not part of the repository")
    folder = str(tmp_path / "corpus")
    names = real_corpus.write_real_corpus(
        folder, os.path.join(SHARED, "realdata"), ["grid_many"])["grid_many"]
    assert len(names) == 9
    dataset = Dataset(folder)
    smile = MODEL_CHANNELS.index("mouthSmileLeft")
    closes, smiles = ({name for name in names if dataset.arrays(name).mask[channel]}
                      for channel in (CLOSE, smile))
    assert closes == {"grid_f1", "grid_m3", "grid_m5", "grid_m6", "grid_s2"}
    assert smiles == {"grid_f3", "grid_m3", "grid_s23"}
    assert not dataset.arrays("grid_f1").valid[89::90].any()        # across two sentences


def test_pieces_are_not_mixed_at_their_borders():
    weights = np.repeat([[0.0], [1.0]], 75, axis=0)                 # two pieces of 3 s, 25 fps
    pieces = real_corpus._pieces(weights, 25, 3.0)
    assert pieces.shape == (180, 1)
    np.testing.assert_array_equal(pieces[:, 0], np.repeat([0.0, 1.0], 90))


def test_a_folder_without_recordings_says_so(tmp_path):
    with pytest.raises(UserError, match="no recordings of facegood"):
        real_corpus.write_real_corpus(str(tmp_path / "out"), str(tmp_path), ["facegood"])


def test_every_source_names_channels_it_has_a_reach_for():
    for source in real_corpus.SOURCES.values():
        for channel in source.channels:
            assert channel in CHANNELS or channel in real_corpus.REACH


def test_the_captures_are_written_with_their_mask_once(tmp_path):
    if not os.path.isdir(os.path.join(SHARED, "realdata", "pairs")):
        pytest.skip("needs ../shared/realdata, which is not part of the repository")
    folder = str(tmp_path / "corpus")
    arguments = folder, os.path.join(SHARED, "realdata"), ["facegood"]
    names = real_corpus.write_real_corpus(*arguments)
    assert [len(of_one) for of_one in names.values()] == [5]
    dataset = Dataset(folder)
    manifest = os.path.getmtime(os.path.join(folder, "dataset.json"))
    arrays = dataset.arrays(names["facegood"][0])
    assert arrays.mask[JAW] == 1.0 and arrays.mask[CLOSE] == 0.0
    assert arrays.mask[MODEL_CHANNELS.index("mouthPucker")] == 0.0
    assert arrays.mask.sum() == len(real_corpus.SOURCES["facegood"].channels)
    assert real_corpus.write_real_corpus(*arguments) == names
    assert os.path.getmtime(os.path.join(folder, "dataset.json")) == manifest
