"""Kokoro's symbols, times and texts; its model and voices are not needed here."""
import os
import shutil

import numpy as np
import pytest

from ds_graph import make_kokoro_speech
from utils.acoustic_training import kokoro
from utils.common.errors import UserError
from utils.formats.timings import read_timings
from utils.speech import aligned, spontaneous
from utils.speech.phones import PHONES, SILENCE
from utils.speech.utterance import Utterance

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None,
                                  reason="needs the Debian package espeak-ng")


def test_every_symbol_is_of_a_known_phone():
    assert set(kokoro.SYMBOL_PHONES.values()) <= set(PHONES) - {SILENCE}
    for symbols in kokoro.SAID_SO.values():
        assert set(symbols) <= set("".join(kokoro.SYMBOL_PHONES)) | set(kokoro.STRESS_MARKS)


@pytest.mark.parametrize("language, ipa, symbols", [
    ("en-us", "ɡˈɑːɹdən", "ɡˈɑɹdən"), ("en-us", "ðˈɛɹ", "ðˈɛɹ"), ("en-us", "fˈɜːst", "fˈɜɹst"),
    ("en-us", "wˈɜːɹd", "wˈɜɹd"), ("en-us", "tʃˈaɪldʒ", "ʧˈIlʤ"), ("en-us", "sˈɪɾi", "sˈɪTi"),
    ("en-gb", "ɡˈəʊ", "ɡˈQ"), ("en-gb", "ðˈeə", "ðˈɛː"), ("en-gb", "kˈɑː", "kˈɑː"),
    ("en-us", "x?\u0303y", "x")])
def test_symbols_that_kokoro_learnt(language, ipa, symbols):
    assert kokoro.kokoro_symbols(ipa, language) == symbols


@needs_espeak
def test_words_that_are_spoken_as_one_stay_together():
    spoken = kokoro.spoken_words("i stood in the rain of the town, um, mmhm", "en-us")
    assert [words for words, _, _ in spoken] == [
        "i", "stood", "in the", "rain", "of the", "town", "um", "mmhm"]
    assert [mark for _, _, mark in spoken] == [""] * 5 + [",", ",", "."]
    assert spoken[-1][1] == "mmhˈm" and kokoro.symbols_of(spoken).endswith(", ˈʌm, mmhˈm.")


def test_joins_are_those_that_change_the_lengths_least():
    assert kokoro.words_joined("give it to the man".split(), ["ɡɪv", "ɪt", "təðə", "mæn"],
                               ["ɡɪv", "ɪt", "tuː", "ðə", "mæn"]) == (1, 1, 2, 1)
    assert kokoro.words_joined(["a"], ["ɐ", "b"], ["ɐ"]) is None


def spoken_times(levels_db):
    """Of "mˈɑː b, ɜɹ." with 4 frames (0.1 s) a symbol, which ends at 1.345 s."""
    spoken = [("ma", "mˈɑː", ""), ("b", "b", ","), ("er", "ɜɹ", ".")]
    frames = [4] * (len(kokoro.symbols_of(spoken)) + 2)
    return kokoro.segments_of(spoken, frames, levels_db)


def test_times_of_symbols_without_a_pause():
    segments = spoken_times(np.zeros(269))
    assert [(name, index) for name, _, _, index in segments] == [
        ("M", 0), ("AA", 0), ("B", 1), ("ER", 2)]
    times = [(round(start_s, 3), round(end_s, 3)) for _, start_s, end_s, _ in segments]
    # The stress mark and the length mark count as the vowel's; blank and comma are halved.
    assert times == [(0.045, 0.145), (0.145, 0.495), (0.495, 0.745), (0.745, 1.045)]


def test_a_quiet_stretch_between_words_is_a_pause():
    levels_db = np.zeros(269)
    levels_db[130:160] = -60.0                      # 0.65 to 0.8 s
    levels_db[:30] = -60.0
    segments = spoken_times(levels_db)
    assert [(round(start_s, 3), round(end_s, 3)) for _, start_s, end_s, _ in segments] == [
        (0.14, 0.145), (0.145, 0.495), (0.495, 0.65), (0.8, 1.045)]
    levels_db[130:160] = 0.0
    levels_db[100:109] = -60.0                      # too short
    assert round(spoken_times(levels_db)[2][2], 3) == 0.745


@pytest.mark.parametrize("number, words", [
    (0, "zero"), (19, "nineteen"), (40, "forty"), (84, "eighty four"), (100, "one hundred"),
    (1984, "one thousand nine hundred eighty four"),
    (250003, "two hundred fifty thousand three")])
def test_numbers_in_words(number, words):
    assert spontaneous.number_words(number) == words


def test_spontaneous_texts_are_plain_and_drawn_from_the_seed():
    texts = [spontaneous.spontaneous(np.random.RandomState(seed), "it is a fine day, you see")
             for seed in range(200)]
    assert all(set(text) <= set("abcdefghijklmnopqrstuvwxyz, ") for text in texts)
    joined = " ".join(texts)
    assert all(filler in joined for filler in ("um", "uh", "mmhm", "hundred", "ha ha"))
    assert len(set(texts)) > 150
    again = spontaneous.spontaneous(np.random.RandomState(3), "it is a fine day, you see")
    assert again == texts[3]


def test_voices_are_drawn_and_three_are_held_out():
    voices = ["af_heart", "bm_lewis", "jf_alpha"] + list(kokoro.HELD_OUT_VOICES)
    drawn = [make_kokoro_speech.drawn_voice(np.random.RandomState(n), voices, n)
             for n in range(1, 400)]
    held_out = [number for number, (_, mixed) in enumerate(drawn, 1)
                if {voice for voice, _ in mixed} & set(kokoro.HELD_OUT_VOICES)]
    assert held_out == list(range(50, 400, 50))
    assert {name for name, mixed in drawn if len(mixed) == 1} == set(voices)
    for _, mixed in drawn:
        assert sum(weight for _, weight in mixed) == pytest.approx(1.0)
    assert any(len(mixed) == 2 for _, mixed in drawn)


class FakeKokoro(object):
    """Says half a second of noise."""

    def style(self, voice):
        return np.zeros(kokoro.STYLE_SHAPE)

    def speech(self, text, style, language, speed):
        assert style.dtype == np.float32 and 0.8 <= speed <= 1.3
        return Utterance(np.full(8000, 0.1, np.float32), [(text, 0.0, 0.5)], [("AA", 0.0, 0.5)])


def test_speech_is_made_once_and_held_out_voices_stand_apart(tmp_path, monkeypatch):
    voices, out = tmp_path / "voices", tmp_path / "out"
    for name in kokoro.HELD_OUT_VOICES + ("af_heart", "jf_alpha"):
        os.makedirs(str(voices), exist_ok=True)
        (voices / (name + ".bin")).write_bytes(b"")
    os.makedirs(str(out / "held_out"))
    monkeypatch.setattr(make_kokoro_speech, "_OF_PROCESS", {
        "model": FakeKokoro(), "sentences": (["one, two"], ["three, four"]), "words": ["five"]})
    assert make_kokoro_speech.speak(None, range(48, 52), str(voices), str(out)) == 2.0
    made = aligned.aligned_recordings(str(out))
    assert len(made) == 3 and all(read_timings(path[:-4] + ".csv").words for path in made)
    assert sorted(os.listdir(str(out / "held_out"))) == [
        "kokoro-am_fenrir-000050" + ending for ending in (".csv", ".txt", ".wav")]
    assert (out / "held_out" / "kokoro-am_fenrir-000050.txt").read_text().count(",") == 0
    monkeypatch.setattr(make_kokoro_speech.kokoro, "language_of", None)     # is made no more
    assert make_kokoro_speech.speak(None, range(48, 52), str(voices), str(out)) == pytest.approx(
        2.0, abs=0.02)


def test_a_folder_without_voices_is_refused(tmp_path):
    (tmp_path / "af_heart.bin").write_bytes(b"")
    with pytest.raises(UserError, match="holds no voices of Kokoro: npm pack kokoro-js"):
        make_kokoro_speech.list_voices(str(tmp_path))
