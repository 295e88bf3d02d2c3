"""Closures, rounding, rest, smoothness and blinks of the coarticulation model."""
import numpy as np
import pytest

from utils.animation.eye_motion import BLINKS_PER_MINUTE, blink_times, smootherstep
from utils.common.channels import MODEL_CHANNELS, mouth_opening
from utils.speech.coarticulation import blendshapes_of_phones
from utils.speech.phone_shapes import DOMINANCE, GLIDES, GROUPS, SAME_AS, TARGETS, table_phone

ARPABET = ("AA AE AH AO AW AX AXR AY B CH D DH DX EH EL EM EN ER EY F G HH IH IX IY JH K L M N NG "
           "OW OY P Q R S SH T TH UH UW UX V W WH Y Z ZH").split()
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
FPS = 30


def phones_of(symbols, phone_s, pause_s=0.5):
    """`symbols` one after the other, each phone_s long, between two pauses."""
    phones, at_s = [("sil", 0.0, pause_s)], pause_s
    for symbol in symbols.split():
        phones.append((symbol, at_s, at_s + phone_s))
        at_s += phone_s
    return phones + [("sil", at_s, at_s + pause_s)], at_s + pause_s


def face_of(symbols, phone_s=0.1, fps=FPS, **options):
    phones, duration_s = phones_of(symbols, phone_s)
    weights, names = blendshapes_of_phones(phones, duration_s, fps, blinks=False, **options)
    return phones, weights, names


def column(weights, name):
    return weights[:, MODEL_CHANNELS.index(name)]


def row_at(phones, nth, fps=FPS):
    """The frame nearest the middle of the nth phone (the pause before is the 0th)."""
    _, start_s, end_s = phones[nth]
    return int(round(0.5 * (start_s + end_s) * fps))


def test_every_arpabet_phone_has_a_shape():
    for phone in ARPABET + ["sil", "pau", "", "AH0", "iy1", "ow2"]:
        name = table_phone(phone)
        for part in GLIDES.get(name, (name,))[:2]:
            assert set(DOMINANCE[part]) == set(GROUPS)
            assert 0.0 <= TARGETS[part].min() and TARGETS[part].max() < 0.6
    assert all(name in TARGETS for name in SAME_AS.values())
    with pytest.raises(ValueError, match="'XQ' is none of the ARPABET phones"):
        table_phone("XQ")


@pytest.mark.parametrize("phone_s", [0.14, 0.09, 0.06, 0.045])
@pytest.mark.parametrize("bilabial", ["P", "B", "M"])
def test_lips_meet_between_all_vowels_at_all_rates(bilabial, phone_s):
    for before in VOWELS:
        for after in ("AA", "IY", "UW", "AE"):
            phones, weights, names = face_of("%s %s %s" % (before, bilabial, after), phone_s)
            opening = mouth_opening(weights, names)
            start, end = phones[2][1] * FPS, phones[2][2] * FPS
            in_closure = opening[int(np.floor(start)):int(np.ceil(end)) + 1]
            assert in_closure.min() < 0.005
            row = int(np.floor(start)) + int(np.argmin(in_closure))
            assert column(weights, "mouthPressLeft")[row] > 0.15
            assert column(weights, "mouthRollUpper")[row] > 0.05
            assert column(weights, "mouthLowerDownLeft")[row] < 0.02
            assert (column(weights, "mouthClose") <= column(weights, "jawOpen") + 1e-6).all()


@pytest.mark.parametrize("phone_s", [0.10, 0.07])
def test_the_mouth_opens_again_between_closures(phone_s):
    phones, weights, names = face_of("P AA P AA P AA P", phone_s)
    opening = mouth_opening(weights, names)
    peaks = [opening[row_at(phones, nth) - 1:row_at(phones, nth) + 2].max() for nth in (2, 4, 6)]
    assert min(peaks) > 0.12


def test_lower_lip_reaches_the_teeth_and_the_tongue_shows():
    for phone_s in (0.12, 0.06):
        for symbol, name, least in (("F", "mouthRollLower", 0.25), ("V", "mouthRollLower", 0.22),
                                    ("TH", "tongueOut", 0.07)):
            phones, weights, _ = face_of("AA %s AE" % symbol, phone_s)
            assert column(weights, name)[row_at(phones, 2)] > least
            assert column(weights, name)[row_at(phones, 1) - 4] < 0.05
    phones, weights, _ = face_of("AA F AA")
    assert column(weights, "mouthLowerDownLeft")[row_at(phones, 2)] < 0.05
    assert mouth_opening(weights, MODEL_CHANNELS)[row_at(phones, 2)] < 0.12


def test_rounding_spreading_and_jaw_follow_the_vowel_chart():
    def middle(symbol, name):
        phones, weights, _ = face_of("T %s T" % symbol, 0.15)
        return column(weights, name)[row_at(phones, 2)]

    for rounded in ("UW", "W", "R", "SH", "CH", "UH", "AO"):
        rounding = middle(rounded, "mouthFunnel") + middle(rounded, "mouthPucker")
        assert rounding > 0.25, rounded
        assert middle(rounded, "mouthSmileLeft") < 0.05
    for plain in ("IY", "EH", "S", "AA", "AE", "T"):
        assert middle(plain, "mouthFunnel") + middle(plain, "mouthPucker") < 0.08, plain
    assert middle("IY", "mouthSmileLeft") > 0.14
    jaws = [middle(vowel, "jawOpen") for vowel in ("AA", "AE", "EH", "IH", "IY")]
    assert jaws == sorted(jaws, reverse=True) and jaws[0] > 0.41 and jaws[-1] < 0.2
    assert middle("S", "jawOpen") < 0.17


def test_glides_move_from_one_vowel_to_the_other():
    phones, weights, _ = face_of("AY", 0.3)
    start, end = int(phones[1][1] * FPS), int(phones[1][2] * FPS)
    jaw = column(weights, "jawOpen")
    smile = column(weights, "mouthSmileLeft")
    assert jaw[start + 3] > 0.35 > 0.25 > jaw[end - 2]
    assert smile[end - 2] > 0.06 > 0.04 > smile[start + 2]
    phones, weights, _ = face_of("AW", 0.3)
    pucker = column(weights, "mouthPucker")
    assert pucker[end - 1] > 0.12 > 0.08 > pucker[start + 2]


def test_rest_is_closed_and_still():
    weights, names = blendshapes_of_phones([], 3.0, FPS, blinks=False)
    assert weights.shape == (90, 52) and weights.dtype == np.float32
    assert np.ptp(weights, axis=0).max() == 0.0
    assert mouth_opening(weights, names).max() == 0.0 and weights.max() < 0.05

    phones = [("AA", 0.5, 0.7), ("sil", 0.7, 1.7), ("AA", 1.7, 1.9)]
    weights, names = blendshapes_of_phones(phones, 2.5, FPS, blinks=False)
    pause = weights[int(0.9 * FPS):int(1.5 * FPS)]
    assert mouth_opening(pause, names).max() < 0.01


def test_a_short_gap_does_not_shut_the_mouth():
    phones = [("AA", 0.5, 0.7), ("sil", 0.7, 0.76), ("AA", 0.76, 1.0)]
    weights, names = blendshapes_of_phones(phones, 1.5, FPS, blinks=False)
    assert mouth_opening(weights, names)[int(0.6 * FPS):int(0.9 * FPS)].min() > 0.3


def test_anticipation_begins_80_to_150_ms_before_the_phone():
    fps = 200
    phones = [("sil", 0.0, 1.0), ("AA", 1.0, 1.3), ("sil", 1.3, 2.0)]
    weights, names = blendshapes_of_phones(phones, 2.0, fps, blinks=False)
    opening = mouth_opening(weights, names)
    begins_s = np.argmax(opening > 0.02 * opening.max()) / float(fps)
    assert 0.05 < 1.0 - begins_s < 0.15
    # Rounding starts before the jaw, in the unrounded consonant before it.
    phones = [("S", 0.9, 1.0), ("T", 1.0, 1.1), ("UW", 1.1, 1.4)]
    weights, _ = blendshapes_of_phones(phones, 2.0, fps, blinks=False)
    pucker = column(weights, "mouthPucker")
    assert 0.08 < 1.1 - np.argmax(pucker > 0.1 * pucker.max()) / float(fps) < 0.20


def sentence(random, num_phones=60):
    at_s, phones = 0.4, []
    for _ in range(num_phones):
        length_s = random.uniform(0.03, 0.2)
        phones.append((ARPABET[random.randint(len(ARPABET))], at_s, at_s + length_s))
        at_s += length_s + (random.uniform(0.1, 0.6) if random.rand() < 0.1 else 0.0)
    return phones, at_s + 0.4


def test_in_range_smooth_and_without_jitter():
    random = np.random.RandomState(3)
    for _ in range(5):
        phones, duration_s = sentence(random)
        for options in ({"blinks": False}, {"seed": 7}):
            weights, _ = blendshapes_of_phones(phones, duration_s, 1000, **options)
            assert weights.min() >= 0.0 and weights.max() <= 1.0
            # No jump, and no corner: velocity changes little within a millisecond.
            velocity = np.diff(weights.astype(np.float64), axis=0) * 1000
            assert np.abs(velocity).max() < 25.0
            assert np.abs(np.diff(velocity, axis=0)).max() < 1.5


def test_a_shift_in_time_only_shifts_the_face():
    phones, duration_s = sentence(np.random.RandomState(5))
    shift = 7
    later = [(name, a + shift / 30.0, b + shift / 30.0) for name, a, b in phones]
    weights, _ = blendshapes_of_phones(phones, duration_s, FPS, blinks=False)
    moved, _ = blendshapes_of_phones(later, duration_s + shift / 30.0, FPS, blinks=False)
    np.testing.assert_allclose(moved[shift:shift + len(weights)], weights, atol=1e-5)


def test_frames_do_not_depend_on_fps():
    phones, duration_s = sentence(np.random.RandomState(6))
    at_60, _ = blendshapes_of_phones(phones, duration_s, 60, blinks=False)
    at_30, _ = blendshapes_of_phones(phones, duration_s, 30, blinks=False)
    assert len(at_30) == int(np.ceil(duration_s * 30))
    np.testing.assert_allclose(at_60[::2][:len(at_30)], at_30, atol=1e-6)


def test_loudness_opens_wider_but_never_opens_a_closure():
    phones, duration_s = phones_of("AA M AA", 0.1)
    frames = int(np.ceil(duration_s * FPS))
    plain, names = blendshapes_of_phones(phones, duration_s, FPS, blinks=False)
    loud, _ = blendshapes_of_phones(phones, duration_s, FPS, np.full(frames, 1.3), blinks=False)
    vowel, closure = row_at(phones, 1), row_at(phones, 2)
    assert mouth_opening(loud, names)[vowel] == pytest.approx(
        1.3 * mouth_opening(plain, names)[vowel], rel=0.02)
    assert mouth_opening(loud, names)[closure] < 0.005


def test_blinks_come_as_often_and_look_as_real_ones():
    starts_s = np.array(blink_times(3600.0, np.random.RandomState(0)))
    assert 17.0 <= len(starts_s) / 60.0 <= 26.0
    intervals_s = np.diff(starts_s)
    assert intervals_s.min() > 0.5 and intervals_s.std() > 0.5
    assert abs(60.0 / intervals_s.mean() - BLINKS_PER_MINUTE) < 2.0

    weights, _ = blendshapes_of_phones([], 60.0, 100, seed=4)
    lid = column(weights, "eyeBlinkLeft")
    np.testing.assert_array_equal(lid, column(weights, "eyeBlinkRight"))
    closed = np.flatnonzero((lid[1:] > 0.5) & (lid[:-1] <= 0.5))
    opened = np.flatnonzero((lid[1:] <= 0.5) & (lid[:-1] > 0.5))
    assert 12 <= len(closed) <= 30 and len(opened) == len(closed)
    lengths_s = (opened - closed) / 100.0
    assert 0.1 < lengths_s.min() and lengths_s.max() < 0.3
    for start, end in zip(closed, opened):
        blink = lid[max(start - 20, 0):end + 30]
        assert blink.max() > 0.8
        # The lid falls faster than it rises.
        assert -np.diff(blink).min() < np.diff(blink).max()
    assert (lid < 0.01).mean() > 0.8


def test_the_same_seed_gives_the_same_eyes_and_another_does_not():
    phones, duration_s = sentence(np.random.RandomState(8))
    first, names = blendshapes_of_phones(phones, duration_s, FPS, seed=1)
    again, _ = blendshapes_of_phones(phones, duration_s, FPS, seed=1)
    other, _ = blendshapes_of_phones(phones, duration_s, FPS, seed=2)
    np.testing.assert_array_equal(first, again)
    mouth = [i for i, name in enumerate(names) if name.startswith(("mouth", "jaw", "tongue"))]
    np.testing.assert_array_equal(first[:, mouth], other[:, mouth])
    assert np.abs(first - other).max() > 0.3
    assert 0.02 < column(first, "browInnerUp").max() < 0.4


def test_left_and_right_are_nearly_the_same():
    phones, duration_s = sentence(np.random.RandomState(9))
    weights, names = blendshapes_of_phones(phones, duration_s, FPS)
    for name in names:
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft"):
            other = column(weights, name[:-4] + "Right")
            assert np.abs(column(weights, name) - other).max() < 0.05


def test_wrong_phones_and_times_are_named():
    with pytest.raises(ValueError, match="'ZZ'"):
        blendshapes_of_phones([("ZZ", 0.0, 0.1)], 1.0, FPS)
    with pytest.raises(ValueError, match="overlaps"):
        blendshapes_of_phones([("AA", 0.0, 0.2), ("T", 0.1, 0.3)], 1.0, FPS)
    with pytest.raises(ValueError, match="backwards"):
        blendshapes_of_phones([("AA", 0.3, 0.2)], 1.0, FPS)


def test_smootherstep_is_flat_at_both_ends():
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    np.testing.assert_allclose(smootherstep(x), [0.0, 0.0, 0.5, 1.0, 1.0])
    step = 1e-4
    assert smootherstep(step) / step < 1e-5 and (1.0 - smootherstep(1.0 - step)) / step < 1e-5
