"""What tests/measure/peers.py makes of other systems' output; the systems themselves do not run."""
import numpy as np
import pytest

from tests.measure import peers
from tests.measure.real_clips import rows_of, Clip
from utils.common.channels import MODEL_CHANNELS, mouth_opening
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.formats.timings import Timings
from utils.scoring.scorecard import Face
from utils.speech.phone_shapes import TARGETS

OCULUS = "sil PP FF TH DD kk CH SS nn RR aa E I O U".split()


def opening_of(viseme, weight=1.0):
    face = peers.viseme_face([[weight]], [viseme])
    return mouth_opening(face.weights, face.names)[0]


def test_every_viseme_of_the_systems_has_a_face():
    for viseme in OCULUS + list("AIUEOS"):
        assert opening_of(viseme) >= 0.0
    assert set(peers.VISEME_PHONES) == set(OCULUS + ["A", "S"])
    for viseme in OCULUS:
        np.testing.assert_array_equal(peers.viseme_face([[1.0]], ["viseme_" + viseme]).weights,
                                      peers.viseme_face([[1.0]], [viseme]).weights)


def test_a_viseme_of_closed_lips_closes_them_and_an_open_one_opens_them_most():
    openings = {viseme: opening_of(viseme) for viseme in OCULUS}
    assert openings["PP"] == openings["sil"] == 0.0
    np.testing.assert_allclose(peers.viseme_face([[1.0]], ["sil"]).weights[0], TARGETS["sil"])
    assert max(openings, key=openings.get) == "aa"
    assert min(openings[viseme] for viseme in OCULUS if viseme not in ("PP", "sil")) > 0.05


def test_weights_mix_faces_and_what_is_left_is_rest():
    face = peers.viseme_face([[0.0, 0.0], [0.5, 0.25], [1.0, 0.5]], ["viseme_aa", "viseme_U"])
    assert face.names == MODEL_CHANNELS and face.weights.shape == (3, 52)
    np.testing.assert_allclose(face.weights[0], TARGETS["sil"], atol=1e-6)
    np.testing.assert_allclose(
        face.weights[1], 0.5 * np.array(TARGETS["AA"]) + 0.25 * np.array(TARGETS["UW"])
        + 0.25 * np.array(TARGETS["sil"]), atol=1e-6)
    np.testing.assert_allclose(             # more than 1 together: nothing is left for rest
        face.weights[2], np.array(TARGETS["AA"]) + 0.5 * np.array(TARGETS["UW"]), atol=1e-6)


def test_an_unknown_viseme_is_named():
    with pytest.raises(UserError, match="viseme_XX"):
        peers.viseme_face([[1.0]], ["viseme_XX"])


def test_segments_become_phones_that_touch():
    assert peers.phones_of_segments([("SIL", 0, 9), ("M", 10, 17), ("AA", 18, 18),
                                     ("+SPN+", 19, 20), ("<s>", 21, 21)]) == [
        ("sil", 0.0, 0.10), ("M", 0.10, 0.18), ("AA", 0.18, 0.19), ("sil", 0.19, 0.21),
        ("sil", 0.21, 0.22)]


def test_a_profile_is_read(tmp_path):
    path = tmp_path / "profile.asset"
    path.write_text(
        u"%YAML 1.1\n--- !u!114 &11400000\nMonoBehaviour:\n  m_Enabled: 1\n  m_Name: Sample\n"
        u"  jsonPath: \n  mfccNum: 2\n  targetSampleRate: 16000\n  useStandardization: 0\n"
        u"  mfccs:\n  - name: A\n    mfccCalibrationDataList:\n    - array:\n      - 94.4\n"
        u"      - -0.5\n    - array:\n      - 1\n      - 2e-05\n  - name: S\n"
        u"    mfccCalibrationDataList:\n    - array:\n      - 3\n      - 4\n", encoding="utf-8")
    assert peers.read_profile(str(path)) == {
        "m_Enabled": 1, "mfccNum": 2, "targetSampleRate": 16000, "useStandardization": 0,
        "mfccs": [
            {"name": "A", "mfccCalibrationDataList": [{"array": [94.4, -0.5]},
                                                      {"array": [1.0, 2e-05]}]},
            {"name": "S", "mfccCalibrationDataList": [{"array": [3.0, 4.0]}]}]}
    path.write_text(u"<!doctype html>\n", encoding="utf-8")
    with pytest.raises(UserError, match="no profile"):
        peers.read_profile(str(path))


def test_a_face_comes_earlier_and_its_ends_stand_still():
    face = Face(np.arange(5.0)[:, np.newaxis], ("jawOpen",))
    assert peers.earlier(face, 2).weights[:, 0].tolist() == [2, 3, 4, 4, 4]
    assert peers.earlier(face, -1).weights[:, 0].tolist() == [0, 0, 1, 2, 3]


def curve(seed, num_frames=200):
    return np.convolve(np.random.RandomState(seed).rand(num_frames), np.ones(5) / 5, "same")


def test_the_shift_takes_out_the_delay():
    true = curve(0)
    for delay in (4, 0, -2):
        late = peers.earlier(Face(true[:, np.newaxis], ("jawOpen",)), -delay).weights[:, 0]
        assert peers.best_shift([[(late, true)]]) == delay


def test_the_shift_is_one_for_all_sources_which_count_alike():
    true = curve(0)
    late = peers.earlier(Face(true[:, np.newaxis], ("jawOpen",)), -5).weights[:, 0]
    # Nine clips that are late in one source do not outvote two sources of one that is not.
    assert peers.best_shift([9 * [(late, true)], [(true, true)], [(curve(0), true)]]) == 0


def test_of_shifts_that_are_as_good_the_smallest_is_taken():
    true, opening = np.zeros(200), np.zeros(200)
    true[100] = opening[[94, 100, 106]] = 1.0
    assert peers.best_shift([[(opening, true)]]) == 0


def test_a_face_that_stands_still_is_not_shifted():
    true = curve(0)
    assert peers.best_shift([[(np.zeros(200), true)]]) == 0
    assert peers.best_shift([]) == 0


def test_a_source_without_trusted_channels_is_scored():
    samples = np.random.RandomState(0).randn(3 * SAMPLE_RATE_HZ).astype(np.float32) * 0.1
    true = Face(curve(1, 3 * ANIMATION_FPS)[:, np.newaxis], ("jawOpen",))
    clip = Clip("a (1)", "somebody else", samples, true,
                Timings([], [("bin", 0.5, 0.8), ("set", 1.0, 1.4)]), 3.0)
    row = rows_of(clip, {"same": true})["same"]
    assert row["opening r"] == pytest.approx(1.0)
    assert row["closures"] is not None and row["trusted r"] is None


def test_the_tables_have_a_row_for_each_system_and_for_its_shift(capsys):
    samples = np.random.RandomState(0).randn(3 * SAMPLE_RATE_HZ).astype(np.float32) * 0.1
    true = Face(curve(1, 3 * ANIMATION_FPS)[:, np.newaxis], ("jawOpen",))
    timings = Timings([("M", 0.5, 0.6), ("T", 0.6, 0.7), ("AA", 0.7, 0.9), ("T", 0.9, 1.0)], [])
    clips = [Clip("a", "grid_s1", samples, true, timings, 3.0),
             Clip("b", "mfa", samples, None, timings, None)]
    faces = {"late": 2 * [peers.earlier(true, -3)], "ours": 2 * [true]}
    peers.print_tables(clips, faces, peers.best_shifts(clips, faces))
    lines = capsys.readouterr().out.splitlines()
    heads = [line for line in lines if line.startswith("| system")]
    assert "opening r" in heads[0] and heads[1] == "| system | closures | false |"
    names = [line.split(" | ")[0][2:] for line in lines
             if line.startswith("| ") and not line.startswith("| system")]
    systems = ["late", "late, 100 ms earlier", "ours", "loudness, plain RMS"]
    assert names == systems + ["loudness, fitted", "labels"] + systems
    opening_r = dict((line.split(" | ")[0][2:], line.split(" | ")[1]) for line in lines[:8]
                     if line.startswith("| "))
    assert float(opening_r["late"]) < 0.9 < float(opening_r["late, 100 ms earlier"])
    assert opening_r["ours"] == "1.00"
