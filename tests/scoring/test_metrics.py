"""Each measure against a case worked out by hand, and against one that it must call bad."""
import numpy as np
import pytest

from utils.common import curve_math
from utils.common.constants import SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.formats.timings import Timings, read_timings
from utils.media.loudness import silent_frames, speech_envelope
from utils.scoring import metrics
from utils.scoring.phone_spans import bilabial_spans, open_spans

FPS = 30


def wiggle(num_frames=300, seed=0):
    """A smooth random curve [num_frames] in 0..1."""
    random = np.random.RandomState(seed)
    curve = np.convolve(random.rand(num_frames + 6), np.hanning(9)[1:-1], mode="valid")
    return (curve - curve.min()) / np.ptp(curve)


def test_mean_absolute_error():
    assert metrics.mean_absolute_error([0.0, 0.5, 1.0], [0.1, 0.5, 0.6]) == pytest.approx(0.5 / 3)
    assert metrics.mean_absolute_error(np.zeros(4), np.ones(4)) == 1.0


def test_correlation_has_a_sign_and_can_be_low():
    assert metrics.correlation([0, 1, 0, 1], [0.2, 0.4, 0.2, 0.4]) == pytest.approx(1.0)
    assert metrics.correlation([0, 1, 0, 1], [1, 0, 1, 0]) == pytest.approx(-1.0)
    assert metrics.correlation([0, 1, 0, 1], [0, 0, 1, 1]) == pytest.approx(0.0)
    assert metrics.correlation([0, 1, 0, 1], [0.3, 0.3, 0.3, 0.3]) is None


def test_region_means_leave_out_what_has_no_value():
    values = {"jawOpen": 0.1, "jawLeft": 0.3, "mouthClose": None, "browInnerUp": 0.5,
              "cheekPuff": 0.9}
    assert metrics.region_means(values) == {"jaw": pytest.approx(0.2), "brows": 0.5}
    assert metrics.mean_of_known([None, None]) is None


def test_mouth_signals_are_means_of_their_shapes():
    names = ("mouthPucker", "jawOpen", "mouthFunnel", "mouthClose", "mouthPressLeft")
    weights = np.array([[0.2, 0.6, 0.4, 0.1, 0.7], [0.0, 0.1, 0.1, 0.3, 0.5]])
    signals = metrics.mouth_signals(weights, names)
    assert sorted(signals) == ["opening", "pressing", "rounding"]       # nothing to spread with
    assert np.allclose(signals["opening"], [0.5, 0.0])                  # floored
    assert np.allclose(signals["rounding"], [0.3, 0.05])
    assert np.allclose(signals["pressing"], [0.7, 0.5])
    among = metrics.mouth_signals(weights, names, among=("mouthPucker",))
    assert np.allclose(among["rounding"], [0.2, 0.0]) and "pressing" not in among
    assert np.allclose(metrics.mouth_signals(weights[:, :3], names[:3])["opening"], [0.6, 0.1])


def test_lag_finds_the_shift_and_its_side():
    true = wiggle()
    late = np.concatenate([np.full(4, true[0]), true[:-4]])
    assert metrics.best_lag(true, true, FPS) == (0.0, pytest.approx(1.0))
    assert metrics.best_lag(late, true, FPS) == (pytest.approx(4 / 30.0), pytest.approx(1.0))
    assert metrics.best_lag(true, late, FPS) == (pytest.approx(-4 / 30.0), pytest.approx(1.0))
    assert metrics.correlation(late, true) < 0.5
    assert metrics.best_lag(np.full(300, 0.5), true, FPS) == (None, None)
    assert metrics.best_lag(true[:20], true[:20], FPS) == (None, None)


def test_velocity_correlation_sees_what_position_hides():
    # Steps 1 -1 1 -1 against steps 1 1 -1 -1: no step in common, though places agree by half.
    assert metrics.velocity_correlation([0, 1, 0, 1, 0], [0, 1, 2, 1, 0]) == pytest.approx(0.0)
    assert metrics.velocity_correlation([0, 2, 1, 3], [0, 1, 0.5, 1.5]) == pytest.approx(1.0)
    drift = np.linspace(0, 5, 300)
    trembling = wiggle(seed=1)
    assert metrics.correlation(drift + trembling, drift + wiggle(seed=2)) > 0.9
    assert abs(metrics.velocity_correlation(drift + trembling, drift + wiggle(seed=2))) < 0.3


def test_jitter_ratio():
    # Third differences of 0 0 0 1: 1; of 0 0 0 0.5: a half. A parabola has none.
    assert metrics.jitter_ratio([0, 0, 0, 0.5], [0, 0, 0, 1]) == pytest.approx(0.5)
    assert metrics.jitter_ratio([0, 1, 4, 9, 16], [0, 0, 0, 1, 0]) == pytest.approx(0.0)
    assert metrics.jitter_ratio([0, 0, 0, 1], [0, 1, 4, 9]) is None
    true = np.stack([wiggle(), wiggle(seed=1)], axis=1)                 # [300, 2]
    noisy = true + 0.1 * np.random.RandomState(0).randn(300, 2)
    smooth = np.stack([np.convolve(column, np.ones(9) / 9, mode="same") for column in true.T], 1)
    assert metrics.jitter_ratio(true, true) == 1.0
    assert metrics.jitter_ratio(noisy, true) > 2.0 and metrics.jitter_ratio(smooth, true) < 0.6


def test_silence_leak():
    opening = np.concatenate([np.full(80, 0.5), np.full(20, 0.1)])
    silent = np.arange(100) >= 80
    assert metrics.silence_leak(opening, silent) == (pytest.approx(0.2), pytest.approx(0.2))
    opening[90:] = 0.0                                                  # half of it shut
    assert metrics.silence_leak(opening, silent) == (pytest.approx(0.1), pytest.approx(0.2))
    assert metrics.silence_leak(np.full(100, 0.3), silent) == (pytest.approx(1.0),) * 2
    assert metrics.silence_leak(opening, np.zeros(100, bool)) == (None, None)
    assert metrics.silence_leak(np.zeros(100), silent) == (None, None)


def test_silent_frames_need_three_tenths_of_a_second():
    samples = np.random.RandomState(0).randn(4 * SAMPLE_RATE_HZ) * 0.1
    samples[16000:32000] *= 1e-3            # a second at -60 dB
    samples[48000:51200] *= 1e-3            # 0.2 s
    silent = silent_frames(speech_envelope(samples))
    starts, ends = curve_math.runs(silent)
    assert len(silent) == 120 and len(starts) == 1
    # The 100 ms window reaches in from both sides.
    assert 30 <= starts[0] <= 33 and 57 <= ends[0] <= 60


def test_runs():
    starts, ends = curve_math.runs([True, False, True, True])
    assert starts.tolist() == [0, 2] and ends.tolist() == [1, 4]
    assert curve_math.runs(np.zeros(3, bool))[0].size == 0


def test_blinks_are_counted_and_shut_eyes_are_not():
    names = ("eyeBlinkRight", "eyeBlinkLeft")
    weights = np.full((20 * FPS, 2), 0.1)
    for start in (30, 200, 400):
        weights[start:start + 5] = 0.9
    assert metrics.blink_rate(weights, names, FPS) == pytest.approx(9.0)    # 3 in 20 s
    weights[500:540] = 0.9                  # 1.3 s: asleep
    weights[100:105] = 0.3                  # a twitch
    weights[120:125, 0] = 0.5               # one eye, a little: 0.2 in the mean
    assert metrics.blink_rate(weights, names, FPS) == pytest.approx(9.0)
    assert metrics.blink_rate(np.full((60, 2), 0.9), names, FPS) == 0.0
    assert metrics.blink_rate(weights[:, :1], names[:1], FPS) is None


def test_closures_within_forty_milliseconds():
    opening = np.full(90, 0.8)              # the 90th percentile; shut is below 0.2
    opening[30] = 0.19                      # at 1.000 s
    opening[60] = 0.21                      # not shut enough
    near, far = [(0.90, 0.97)], [(0.90, 0.95)]
    assert metrics.closed_share(opening, near, FPS) == (1.0, 1)
    assert metrics.closed_share(opening, far, FPS) == (0.0, 1)
    assert metrics.closed_share(opening, [(1.03, 1.1), (1.95, 2.05)], FPS) == (0.5, 2)
    assert metrics.closed_share(opening, [(3.5, 3.6)], FPS) == (None, 0)        # after the clip
    assert metrics.closed_share(np.full(90, 0.5), near, FPS) == (0.0, 1)
    assert metrics.closed_share(np.zeros(90), near, FPS) == (0.0, 1)


# ---- times of phones and words

PHONES = [("", 0.0, 0.5), ("B", 0.5, 0.6), ("AA", 0.6, 0.8), ("T", 0.8, 0.9), ("AE", 0.9, 1.1),
          ("S", 1.1, 1.2)]
SHORT = u'''File type = "ooTextFile"
Object class = "TextGrid"

0
1.2
<exists>
2
"IntervalTier"
"words"
0
1.2
3
0
0.5
""
0.5
0.9
"bot"
0.9
1.2
"a ""s"""
"IntervalTier"
"phones"
0
1.2
6
0
0.5
""
0.5
0.6
"B"
0.6
0.8
"AA1"
0.8
0.9
"T"
0.9
1.1
"AE0"
1.1
1.2
"S"
'''
WORDS = [("", 0.0, 0.5), ("bot", 0.5, 0.9), ('a "s"', 0.9, 1.2)]


def long_form():
    lines = [u'File type = "ooTextFile"', u'Object class = "TextGrid"', u'', u'xmin = 0 ',
             u'xmax = 1.2 ', u'tiers? <exists> ', u'size = 3 ', u'item []: ', u'    item [1]:',
             u'        class = "TextTier" ', u'        name = "clicks" ', u'        xmin = 0 ',
             u'        xmax = 1.2 ', u'        points: size = 1 ', u'        points [1]:',
             u'            number = 0.3 ', u'            mark = "click" ']
    for place, (name, rows) in enumerate(((u"words", WORDS), (u"phones", PHONES)), start=2):
        lines += [u'    item [%d]:' % place, u'        class = "IntervalTier" ',
                  u'        name = "%s" ' % name, u'        xmin = 0 ', u'        xmax = 1.2 ',
                  u'        intervals: size = %d ' % len(rows)]
        for number, (label, start_s, end_s) in enumerate(rows, start=1):
            lines += [u'        intervals [%d]:' % number, u'            xmin = %g ' % start_s,
                      u'            xmax = %g ' % end_s,
                      u'            text = "%s" ' % label.replace('"', '""')]
    return u"\n".join(lines) + u"\n"


def written(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return str(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_textgrid_long_and_short_say_the_same(tmp_path, encoding):
    for text in (SHORT, long_form()):
        path = written(tmp_path, "a.TextGrid", text, encoding)
        assert read_timings(path) == Timings(PHONES, WORDS)


def test_json_and_csv_say_the_same(tmp_path):
    aligner = (u'{"start": 0, "tiers": {"words": {"type": "interval", "entries": [[0.5, 0.9, "b"]]},'
               u' "phones": {"entries": [[0.5, 0.6, "B"], [0.6, 0.8, "AA1"]]}}}')
    phones = [("B", 0.5, 0.6), ("AA", 0.6, 0.8)]
    assert read_timings(written(tmp_path, "a.json", aligner)) == Timings(
        phones, [("b", 0.5, 0.9)])
    bare = u'[{"phone": "b", "start": 0.5, "end": 0.6}, {"phone": "AA1", "start": 0.6, "end": 0.8}]'
    assert read_timings(written(tmp_path, "b.json", bare)) == Timings(phones, [])
    table = u"Begin,End,Label,Type\n0.5,0.6,B,phones\n0.6,0.8,AA1,phones\n0.5,0.9,b,words\n"
    assert read_timings(written(tmp_path, "a.csv", table)) == Timings(phones, [("b", 0.5, 0.9)])
    words = u"start_s,end_s,word,clip\n0.000,0.680,sil,x\n0.680,0.900,place,x\n"
    assert read_timings(written(tmp_path, "b.csv", words)) == Timings(
        [], [("sil", 0.0, 0.68), ("place", 0.68, 0.9)])


@pytest.mark.parametrize("name, text, told", [
    ("a.TextGrid", SHORT[:200], "not a whole TextGrid"),
    ("a.TextGrid", u"nothing", "not a whole TextGrid"),
    ("a.json", u"{", "not JSON"), ("a.json", u"{}", "neither phones nor words"),
    ("a.json", u'{"phones": [[0.1, "B"]]}', "entry 1"),
    ("a.csv", u"start_s,end_s,word\n0.1,x,at\n", "entry 1"),
    ("a.csv", u"start_s,end_s,word\n0.4,0.3,at\n", "before it begins"),
    ("a.csv", u"start_s,end_s,word\n2.4,2.8,at\n0,0.3,a\n", "one clip's times"),
    ("a.csv", u"", "neither"), ("a.lab", u"0 1 a", "TextGrid, .json and .csv")])
def test_bad_times_are_told(tmp_path, name, text, told):
    with pytest.raises(UserError) as failure:
        read_timings(written(tmp_path, name, text))
    assert told in str(failure.value) and name in str(failure.value)


def test_spans_of_phones_and_of_words():
    timings = Timings(PHONES, WORDS)
    assert bilabial_spans(timings) == [(0.5, 0.6)]
    assert open_spans(timings) == [(0.9, 1.1)]          # the AA stands beside B
    beside_pause = Timings([("AA", 0.0, 0.2), ("", 0.2, 0.4)], [])
    assert open_spans(beside_pause) == []
    words = Timings([], [("sil", 0.0, 0.3), ("place", 0.3, 0.5), ("phone", 0.5, 0.6),
                         ("me", 0.6, 0.65), ("at", 0.7, 1.0), ("red", 1.0, 1.2), ("y", 1.2, 1.5),
                         ("<sil>", 1.5, 1.6)])
    assert bilabial_spans(words) == [(0.3, pytest.approx(0.38)), (0.6, 0.65)]
    assert open_spans(words) == [(pytest.approx(0.8), pytest.approx(0.9))]
