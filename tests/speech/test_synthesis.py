"""Phone and word times against the samples they belong to; what is missing is named."""
import os
import shutil

import numpy as np
import pytest

from utils.common.constants import SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.speech import espeak, festival, flite, synthesis, utterance
from utils.speech.phones import PHONES, SILENCE
from utils.speech.synthesis import list_voices, synthesise

TEXT = "my puppy saw a map, but Bob's mother kept the apple."
PACKAGES = {"flite:slt": "libflite1", "flite:kal": "libflite1", "espeak:en-us": "espeak-ng",
            "espeak:en-gb-x-rp+f3": "espeak-ng", "festival:kal": "festvox-kallpc16k",
            "festival:slt-hts": "festvox-us-slt-hts"}


@pytest.fixture(params=sorted(PACKAGES))
def voice(request):
    if request.param not in list_voices():
        pytest.skip("needs the Debian package %s" % PACKAGES[request.param])
    return request.param


def level_between(utterance, start_s, end_s):
    part = utterance.samples[int(start_s * SAMPLE_RATE_HZ):int(end_s * SAMPLE_RATE_HZ)]
    return np.sqrt(np.mean(np.square(part))) if len(part) else 0.0


def test_phones_fill_the_utterance_and_words_follow_the_text(voice):
    utterance = synthesise(TEXT, voice, speed=1.1)
    duration_s = len(utterance.samples) / float(SAMPLE_RATE_HZ)
    edges = [start_s for _, start_s, _ in utterance.phones] + [utterance.phones[-1][2]]
    assert edges[0] == 0.0 and edges[-1] == pytest.approx(duration_s, abs=1e-3)
    assert np.all(np.diff(edges) > 0)
    assert [end_s for _, _, end_s in utterance.phones[:-1]] == edges[1:-1]
    assert {phone for phone, _, _ in utterance.phones} <= set(PHONES)
    assert " ".join(word for word, _, _ in utterance.words) == TEXT
    times = [time for _, start_s, end_s in utterance.words for time in (start_s, end_s)]
    assert times == sorted(times) and times[-1] <= duration_s
    assert utterance.samples.dtype == np.float32 and np.abs(utterance.samples).max() <= 1.0


def test_the_sounds_of_a_word_lie_within_its_times(voice):
    utterance = synthesise(TEXT, voice)
    spans = {word: span for word, *span in utterance.words}
    for word, first, last in (("puppy", "P", "IY"), ("map,", "M", "P"), ("mother", "M", None)):
        start_s, end_s = spans[word]
        inside = [phone for phone, a, b in utterance.phones
                  if a >= start_s - 1e-6 and b <= end_s + 1e-6]
        assert inside[0] == first
        assert last is None or inside[-1] == last


def test_silence_is_quiet_and_vowels_are_loud_where_the_phones_say(voice):
    utterance = synthesise(TEXT, voice, pitch=1.1)
    levels = {"silence": [], "vowel": [], "closure": []}
    for phone, start_s, end_s in utterance.phones:
        if phone == SILENCE and end_s - start_s > 0.06:
            # Away from the edges: a release rings on, and windows have a width.
            levels["silence"].append(level_between(utterance, start_s + 0.04, end_s - 0.02))
        elif phone[0] in "AEIOU":
            levels["vowel"].append(level_between(utterance, start_s, end_s))
        elif phone == "P":
            parts = np.linspace(start_s, end_s, 6)
            levels["closure"].append(min(level_between(utterance, a, b)
                                         for a, b in zip(parts, parts[1:])))
    loud = np.median(levels["vowel"])
    assert max(levels["silence"]) < 0.1 * loud
    assert np.median(levels["closure"]) < 0.15 * loud


def test_speed_shortens_and_pitch_does_not(voice):
    plain, fast, high = (synthesise(TEXT, voice, speed, pitch)
                         for speed, pitch in ((1.0, 1.0), (1.4, 1.0), (1.0, 1.4)))
    assert len(fast.samples) < 0.85 * len(plain.samples)
    assert len(high.samples) == pytest.approx(len(plain.samples), rel=0.1)
    # espeak trembles: by 5 % of its pitch, at random.
    assert fundamental_hz(high) > 1.1 * fundamental_hz(plain)


def fundamental_hz(utterance):
    """Median over the vowels of the strongest period between 60 and 400 Hz."""
    found = []
    for phone, start_s, end_s in utterance.phones:
        if phone[0] in "AEIOU" and end_s - start_s > 0.05:
            part = utterance.samples[int(start_s * SAMPLE_RATE_HZ):int(end_s * SAMPLE_RATE_HZ)]
            part = part - part.mean()
            correlation = np.correlate(part, part, "full")[len(part) - 1:]
            correlation /= 1.0 - np.arange(len(part)) / (len(part) + 1.0)      # unbiased
            first, last = SAMPLE_RATE_HZ // 400, min(SAMPLE_RATE_HZ // 60, len(part) // 2)
            found.append(SAMPLE_RATE_HZ / float(first + np.argmax(correlation[first:last])))
    return np.median(found)


def test_the_same_request_gives_the_same_sound(voice):
    first, second = synthesise("a blue moon", voice), synthesise("a blue moon", voice)
    assert [phone for phone, _, _ in first.phones] == [phone for phone, _, _ in second.phones]
    if voice.startswith("espeak:"):         # carries its noise along from call to call
        np.testing.assert_allclose([start_s for _, start_s, _ in first.phones],
                                   [start_s for _, start_s, _ in second.phones], atol=0.02)
    else:
        np.testing.assert_array_equal(first.samples, second.samples)


def test_at_least_ten_voices():
    voices = list_voices()
    if not any(voice.startswith("espeak:") for voice in voices):
        pytest.skip("needs the Debian package espeak-ng")
    assert len(voices) >= 10 and len(set(voices)) == len(voices)


def test_every_espeak_mnemonic_maps_to_known_phones():
    for names in espeak.ESPEAK_PHONES.values():
        assert set(names.split()) <= set(PHONES)
    assert espeak._espeak_phones("_:") == SILENCE
    assert espeak._espeak_phones("i@3") == "IH R"
    with pytest.raises(UserError, match="q0q"):
        espeak._espeak_phones("q0q")


@pytest.mark.parametrize("voice_name, package", [
    ("espeak:en", "libespeak-ng1"), ("flite:slt", "libflite1"), ("festival:ked", "festival")])
def test_a_missing_synthesiser_names_its_package(monkeypatch, voice_name, package):
    for module in (utterance, synthesis):
        monkeypatch.setattr(module, "library_of", lambda name: None)
    monkeypatch.setattr(synthesis.shutil, "which", lambda name: None)
    espeak._espeak_library.cache_clear()
    flite._flite_library.cache_clear()
    assert list_voices() == []
    with pytest.raises(UserError, match="Debian package.* " + package):
        synthesise("hello", voice_name)


@pytest.mark.parametrize("text, voice_name, speed, message", [
    ("hello", "flite:nobody", 1.0, "nobody"), ("hello", "sam", 1.0, "no voice"),
    ("hello", "flite:slt", 9.0, "0.5 .. 2"), ("", "flite:slt", 1.0, "words")])
def test_bad_requests_are_told_in_one_line(text, voice_name, speed, message):
    if voice_name not in ("sam",) and "flite:slt" not in list_voices():
        pytest.skip("needs the Debian package libflite1")
    with pytest.raises(UserError, match=message):
        synthesise(text, voice_name, speed)


def test_festival_says_texts_in_a_voice_of_any_language():
    if "festival:kal" not in list_voices():
        pytest.skip("needs the Debian package festvox-kallpc16k")
    short, longer = festival.festival_says(
        ['My "map".', "My mother saw the map, Zoë."], "kal_diphone", "ascii")
    for samples, least_s, most_s in ((short, 0.8, 1.6), (longer, 1.7, 3.0)):
        assert least_s < len(samples) / float(SAMPLE_RATE_HZ) < most_s
        assert np.abs(samples).max() > 0.05
    with pytest.raises(UserError, match="festival's voice none_diphone could not speak: "):
        festival.festival_says(["My map."], "none_diphone", "ascii")


def test_a_text_without_rules_is_left_out():
    if not shutil.which("festival"):
        pytest.skip("needs the Debian package festival")
    if not os.path.isdir("/usr/share/festival/voices/russian/msu_ru_nsh_clunits"):
        pytest.skip("needs the Debian package festvox-ru")
    said = festival.festival_says(["« пенни »", "Лягушка."], "msu_ru_nsh_clunits", "utf-8")
    assert said[0] is None and len(said[1]) > 0.4 * SAMPLE_RATE_HZ
