"""utils/speech/aligned.py: recordings with their times, as a corpus plays them."""
import numpy as np
import pytest

from utils.common.constants import SAMPLE_RATE_HZ
from utils.media.audio import write_wav
from utils.speech.aligned import played
from utils.speech.coarticulation import blendshapes_of_phones
from utils.speech.synthetic_subjects import passage_of

TIMES = ("type,start_s,end_s,label\nwords,0.10,0.61,hm\nphones,0.00,0.10,sil\n"
         "phones,0.10,0.40,HH\nphones,0.40,0.61,M\n")


@pytest.mark.parametrize("speed_percent", [90, 100, 112])
def test_times_end_with_the_sound(tmp_path, speed_percent):
    """Rounded to hundredths, they may end behind it, and the next recording begins there."""
    write_wav(str(tmp_path / "hm.wav"), np.full(int(0.605 * SAMPLE_RATE_HZ), 0.1, np.float32))
    (tmp_path / "hm.csv").write_text(TIMES)
    utterance = played(str(tmp_path / "hm.wav"), speed_percent)
    length_s = len(utterance.samples) / float(SAMPLE_RATE_HZ)
    assert length_s == pytest.approx(60.5 / speed_percent, abs=1e-4)
    assert utterance.words == [("hm", pytest.approx(10.0 / speed_percent), length_s)]
    assert [phone for phone, _, _ in utterance.phones] == ["sil", "HH", "M"]
    assert utterance.phones[-1][2] == length_s
    samples, phones = passage_of([utterance] * 3, [0.0, 0.0])
    weights, _ = blendshapes_of_phones(phones, len(samples) / float(SAMPLE_RATE_HZ), 30)
    assert np.isfinite(weights).all()


def test_what_begins_behind_the_sound_is_left_out(tmp_path):
    write_wav(str(tmp_path / "hm.wav"), np.full(int(0.39 * SAMPLE_RATE_HZ), 0.1, np.float32))
    (tmp_path / "hm.csv").write_text(TIMES)
    assert [phone for phone, _, _ in played(str(tmp_path / "hm.wav"), 100).phones] == ["sil", "HH"]
