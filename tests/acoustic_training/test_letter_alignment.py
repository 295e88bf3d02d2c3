"""Letters on phones: hand-worked words, and frames that collapse to the text."""
import pytest

from utils.acoustic_training.letter_alignment import (PHONE_LETTERS, UNKNOWN_LETTER, letter_frames,
                                                      letter_phones, letter_times, text_of_frames)
from utils.common.constants import ALPHABET, BLANK_INDEX
from utils.speech.phones import PHONES, SILENCE


def timed(phones, start_s=0.1, step_s=0.1):
    return [(phone, start_s + i * step_s, start_s + (i + 1) * step_s)
            for i, phone in enumerate(phones.split())]


def test_every_phone_has_letters():
    assert set(PHONE_LETTERS) == set(PHONES) - {SILENCE}


@pytest.mark.parametrize("word, phones, places", [
    ("map", "M AE P", [(0, 0), (1, 1), (2, 2)]),
    ("phone", "F OW N", [(0, 0), (0, 0), (1, 1), (2, 2), (2, 2)]),
    ("knight", "N AY T", [(0, 0), (0, 0), (1, 1), (1, 1), (1, 1), (2, 2)]),
    ("box", "B AA K S", [(0, 0), (1, 1), (2, 3)]),
    ("one", "W AH N", [(0, 1), (2, 2), (2, 2)]),
    ("comb", "K OW M", [(0, 0), (1, 1), (2, 2), (2, 2)]),
    ("maple", "M EY P AX L", [(0, 0), (1, 1), (2, 2), (3, 4), (4, 4)]),
])
def test_letters_sit_on_the_sounds_they_spell(word, phones, places):
    assert letter_phones(word, phones.split()) == places


def test_letters_of_one_phone_share_its_time_and_a_silent_one_gets_less():
    times = letter_times("comb", timed("K OW M"))
    (m, m_start_s, m_end_s), (b, b_start_s, b_end_s) = times[2:]
    assert (m, b) == ("m", "b")
    assert m_start_s == pytest.approx(0.3) and b_end_s == pytest.approx(0.4)
    assert m_end_s == b_start_s and m_end_s - m_start_s > b_end_s - b_start_s


def test_more_phones_than_letters_can_reach_are_spread():
    spans = letter_phones("x", "EH K S P IY AA".split())
    assert spans == [(0, 5)]


def test_frames_hold_letters_where_they_sound_and_collapse_to_the_text():
    happy, apple = timed("HH AE P IY"), timed("AE P AX L", start_s=0.9)
    words = [("happy", 0.1, 0.5), ("apple", 0.9, 1.3)]
    frames = letter_frames(words, happy + [(SILENCE, 0.5, 0.9)] + apple, 80)
    assert text_of_frames(frames) == "happy apple "

    def at(time_s):                             # frame centres stand at 20 t + 16 ms
        return (ALPHABET + "_")[frames[int(round((time_s * 1000 - 16) / 20))]]

    assert [at(0.15), at(0.25), at(0.45), at(0.7), at(0.95), at(1.5)] == list("hay_a_")
    assert frames[0] == frames[-1] == BLANK_INDEX
    assert "".join(at(0.31 + 0.02 * k) for k in range(5)).strip("_") in ("pp_pp", "ppp_p", "pp_p")


def test_words_run_together_keep_their_space():
    frames = letter_frames([("a", 0.1, 0.2), ("bee", 0.2, 0.4)],
                           timed("AX B IY"), 30)
    assert text_of_frames(frames) == "a bee "
    assert ALPHABET.index("b") in frames[10:14]


def test_frames_of_a_word_without_letters_are_unknown():
    word, me = timed("B AO"), timed("M IY", start_s=0.6)
    frames = letter_frames([("", 0.1, 0.3), ("me", 0.6, 0.8)],
                           word + [(SILENCE, 0.3, 0.6)] + me, 50)
    # Frame centres stand at 20 t + 16 ms.
    assert [i for i, letter in enumerate(frames) if letter == UNKNOWN_LETTER] == list(range(5, 15))
    assert text_of_frames(frames[15:]) == "me " and set(frames[:5]) == {BLANK_INDEX}
