"""Texts of real recordings: those beside them, and words of many languages in phones."""
import gzip
import os
import shutil

import numpy as np
import pytest

from utils.acoustic_training import aligner, pronunciation, recorded_speech
from utils.common.errors import UserError
from utils.formats.timings import read_timings
from utils.media.audio import write_wav
from utils.speech.phones import PHONES, SILENCE
from utils.speech.synthesis import list_voices, synthesise

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None,
                                  reason="needs the Debian package espeak-ng")


def test_every_ipa_letter_is_of_known_phones():
    for phones in pronunciation.IPA_PHONES.values():
        assert set(phones.split()) <= set(PHONES) - {SILENCE}


@pytest.mark.parametrize("symbol, phones", [
    ("ˈɔ̃", ["AO"]), ("tʲ", ["T"]), ("t̻͡s̪ʲ", ["T", "S"]), ("dʒ", ["JH"]), ("oʊ", ["OW"]),
    ("ja", ["Y", "AA"]), ("ɲ", ["N", "Y"]), ("r̝̊", ["ZH"]), ("r", ["D"]), ("ɹ", ["R"]),
    ("ç", ["HH"]), ("y", ["UW"]), ("ʔ", []), ("ˌ", []), ("ᵻ", ["IH"]), ("ɚ", ["ER"]),
    ("ɯᵝ", ["UW"])])
def test_marks_are_dropped_and_letters_read(symbol, phones):
    assert pronunciation.phones_of_ipa(symbol) == phones


def test_a_sound_without_a_place_is_named():
    with pytest.raises(UserError, match="espeak-ng says 'ʘ', which has no place in IPA_PHONES"):
        pronunciation.phones_of_ipa("aʘ")


@needs_espeak
@pytest.mark.parametrize("language, text, expected", [
    ("fr", "Bon.", [("B", "AO")]),
    ("es", "mapa", [("M", "AA", "P", "AA")]),
    ("cs", "vím, my", [("V", "IY", "M"), ("M", "IY")]),
    ("cs", " ...", [])])
def test_words_of_other_languages_are_read_in_phones(language, text, expected):
    assert pronunciation.pronounced(text, language) == expected


@pytest.mark.parametrize("syllable, phones", [
    ("ㄅㄧㄢ4", "B Y EH N"), ("ㄉㄨㄥ4", "D UH NG"), ("ㄓ", "JH IH"), ("ㄦ2", "ER"), ("ㄌㄩ4", "L UW"),
    ("ㄒㄩㄝ2", "SH W EH"), ("ㄓㄨㄤ", "JH W AA NG"), ("ㄧ1", "IY"), ("ㄨㄛ3", "W AO"),
    ("ㄗㄟ2", "T S EY")])
def test_mandarin_is_read_from_zhuyin(syllable, phones):
    assert pronunciation.pronounced("ㄇㄚ " + syllable, "zhuyin") == [
        ("M", "AA"), tuple(phones.split())]


@pytest.mark.parametrize("text", ["ㄅ", "ma1", "ㄚㄅ"])
def test_what_is_no_zhuyin_is_told(text):
    with pytest.raises(UserError, match="'%s' is no syllable of Mandarin in Zhuyin" % text):
        pronunciation.pronounced(text, "zhuyin")


def test_zhuyin_is_of_known_phones():
    for phones in list(pronunciation.ZHUYIN_CONSONANTS.values()) + list(
            pronunciation.ZHUYIN_ENDS.values()):
        assert set(phones.split()) <= set(PHONES) - {SILENCE}


@needs_espeak
def test_an_unknown_language_is_told():
    with pytest.raises(UserError, match="does not say words in 'xx-none'"):
        pronunciation.pronounced("a", "xx-none")


def test_without_espeak_one_line_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="install the Debian package espeak-ng"):
        pronunciation.pronounced("a", "fr")


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """The packages' folders, laid out as Debian lays them out, with a recording of each kind."""
    stamps, fillets, klettres, gcin = (tmp_path / name for name in (
        "stamps", "fillets", "klettres", "gcin"))
    (stamps / "food" / "fruit").mkdir(parents=True)
    (stamps / "food" / "fruit" / "lime.txt").write_text(
        "A lime.\nes_MX.utf8=Una lima.\nfr.utf8=Un citron vert.\nda.utf8=\n", encoding="utf-8")
    (fillets / "script" / "reef").mkdir(parents=True)
    (fillets / "sound" / "reef" / "cs").mkdir(parents=True)
    (fillets / "script" / "reef" / "dialogs_cs.lua").write_text(
        'dialogId("ree-m-co", "font_small", "What?")\ndialogStr("Co?")\n\n\n'
        'dialogId("ree-v-nic", "font_big", "Nothing, \\"really\\".")\ndialogStr("Nic.")\n',
        encoding="utf-8")
    for folder in recorded_speech.KLETTRES_LANGUAGES:
        (klettres / folder / "alpha").mkdir(parents=True)
        (klettres / folder / "sounds.xml").write_text("<klettres></klettres>")
    (klettres / "ru" / "sounds.xml").write_text(
        '<klettres><language code="ru"><alphabet>\n<sound name="Б" file="ru/alpha/be.ogg" />\n'
        '<sound name="В" file="ru/alpha/lost.ogg" /></alphabet></language></klettres>',
        encoding="utf-8")
    for syllable in ("ㄅㄚ", "ㄅㄚ1", "ㄅ"):
        (gcin / syllable).mkdir(parents=True)
    monkeypatch.setattr(recorded_speech, "GCIN_JOINED", 1)
    for path in (gcin / "ㄅㄚ1" / "3.ogg", gcin / "ㄅㄚ1" / "5.ogg", gcin / "ㄅ" / "3.ogg",
                 gcin / "ㄅㄚ" / "5.ogg",
                 klettres / "ru" / "alpha" / "be.ogg",
                 stamps / "food" / "fruit" / "lime_desc_fr.ogg",
                 stamps / "food" / "fruit" / "lime_desc.ogg",           # English
                 stamps / "food" / "fruit" / "lime_desc_da.ogg",        # its text is empty
                 stamps / "food" / "fruit" / "plum_desc_fr.ogg",        # no text
                 fillets / "sound" / "reef" / "cs" / "ree-v-nic.ogg"):
        write_wav(str(path), np.full(8000, 0.25, np.float32))
    monkeypatch.setattr(recorded_speech, "STAMPS_FOLDER", str(stamps))
    monkeypatch.setattr(recorded_speech, "FILLETS_FOLDER", str(fillets))
    monkeypatch.setattr(recorded_speech, "KLETTRES_FOLDER", str(klettres))
    monkeypatch.setattr(recorded_speech, "GCIN_FOLDER", str(gcin))
    monkeypatch.setattr(recorded_speech, "FESTIVAL_FOLDER", str(tmp_path))
    monkeypatch.setattr(recorded_speech, "FOREIGN_VOICES", {})
    monkeypatch.setattr(recorded_speech, "FOREIGN_PROMPTS", {})
    (tmp_path / "kajongg").mkdir()
    monkeypatch.setattr(recorded_speech, "KAJONGG_FOLDER", str(tmp_path / "kajongg"))
    return tmp_path


def test_stamps_dialogues_letters_and_syllables_come_with_their_texts(packages):
    found = list(recorded_speech.language_recordings())
    assert [(one.name, one.text, one.language) for one in found] == [
        ("stamp-fr-food-fruit-lime", "Un citron vert.", "fr"),
        ("fillets-cs-v-ree-v-nic", "Nic.", "cs"), ("klettres-ru-alpha-be", "б", "ru"),
        ("gcin-3-0000", "ㄅㄚ1", "zhuyin"), ("gcin-5-0000", "ㄅㄚ", "zhuyin"),
        ("gcin-5-0001", "ㄅㄚ1", "zhuyin")]
    assert all(one.samples.shape == (8000,) for one in found)


def test_numbers_are_joined_and_each_used_three_times(packages):
    folder = packages / "stamps" / "symbols" / "math"
    folder.mkdir(parents=True)
    for number in range(4):
        (folder / ("%d.txt" % number)).write_text(
            "Zero.\nnn.utf8=tal %d\nfr.utf8=nombre %d\n" % (number, number), encoding="utf-8")
        write_wav(str(folder / ("%d_nn.ogg" % number)), np.full(4000, 0.25, np.float32))
    found = [one for one in recorded_speech.language_recordings() if "numbers" in one.name]
    assert [(one.name, one.text, one.language) for one in found] == [
        ("numbers-nn-0", "tal 0 tal 1 tal 2", "nb"), ("numbers-nn-1", "tal 1 tal 2 tal 3", "nb"),
        ("numbers-nn-2", "tal 2 tal 3 tal 0", "nb"), ("numbers-nn-3", "tal 3 tal 0 tal 1", "nb")]
    assert all(one.samples.shape == (12000,) for one in found)


def test_short_syllables_are_joined(packages, monkeypatch):
    monkeypatch.setattr(recorded_speech, "GCIN_JOINED", 6)
    last = list(recorded_speech.language_recordings())[-1]
    assert last.text == "ㄅㄚ ㄅㄚ1" and last.samples.shape == (16000,)


def test_festivals_voices_share_the_names_of_stamps(packages, monkeypatch):
    for number in range(5):
        (packages / "stamps" / ("%d.txt" % number)).write_text(
            "A.\nfi.utf8=nimi %d\n" % number, encoding="utf-8")
    (packages / "finnish" / "hy").mkdir(parents=True)
    (packages / "finnish" / "suo").mkdir()
    monkeypatch.setattr(recorded_speech, "FOREIGN_VOICES",
                        {"hy": ("fi", "iso8859-1"), "suo": ("fi", "utf-8")})
    monkeypatch.setattr(recorded_speech, "FOREIGN_SHARE", 2)
    asked = []

    def says(texts, voice, encoding):
        asked.append((texts, voice, encoding))
        return [None if text == "nimi 2" else np.zeros(5) for text in texts]

    monkeypatch.setattr(recorded_speech, "festival_says", says)
    found = [one for one in recorded_speech.language_recordings() if one.language == "fi"]
    assert asked == [(["nimi 0", "nimi 2", "nimi 4"], "hy", "iso8859-1"),
                     (["nimi 1", "nimi 3"], "suo", "utf-8")]
    assert [(one.name, one.text) for one in found] == [
        ("festival-hy-0000", "nimi 0"), ("festival-hy-0002", "nimi 4"),
        ("festival-suo-0000", "nimi 1"), ("festival-suo-0001", "nimi 3")]
    (packages / "finnish" / "suo").rmdir()
    with pytest.raises(UserError, match="no speech in .*suo: install .* festvox-suopuhe-lj"):
        recorded_speech.language_recordings()


def test_missing_packages_are_named(packages, monkeypatch):
    monkeypatch.setattr(recorded_speech, "FILLETS_FOLDER", str(packages / "none"))
    with pytest.raises(UserError, match="no speech in .*none.script or .*: install the Debian "
                       "packages tuxpaint-stamps-default, klettres-data, gcin-voice, fillets-ng"):
        recorded_speech.language_recordings()


@pytest.fixture
def prompts(tmp_path, monkeypatch):
    """Writes a language's texts and, of some, the sounds."""
    folder = tmp_path / "prompts"
    monkeypatch.setattr(recorded_speech, "PROMPTS_FOLDER", str(folder))
    monkeypatch.setattr(recorded_speech, "PROMPT_TEXTS", str(tmp_path / "{0}.txt.gz"))

    def write(speaker, language, texts, sounds):
        with gzip.open(str(tmp_path / (language + ".txt.gz")), "wt", encoding="utf-8-sig") as file:
            file.write("; Prompts\n\n" + texts)
        for name in sounds:
            path = folder / speaker / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(str(path), np.full(8000, 0.25, np.float32))
    return write


def test_prompts_come_with_their_texts(packages, prompts, monkeypatch):
    prompts("it_f", "it", "beep: [tono]\ndigits/1: uno (maschile)\ndigits/1: due\nhello: Ciao!\n"
            "lost: perso\n", ["beep.wav", "digits/1.wav", "hello.wav", "silent.wav"])
    monkeypatch.setattr(recorded_speech, "FOREIGN_PROMPTS", {"it_f": ("it", "it", "")})
    found = [(one.name, one.text, one.language) for one in recorded_speech.language_recordings()
             if one.name.startswith("prompt")]
    assert found == [("prompt-it_f-digits-1", "uno", "it"), ("prompt-it_f-hello", "Ciao!", "it")]
    monkeypatch.setattr(recorded_speech, "FOREIGN_PROMPTS", {"it_f": ("it", "it", ("digits",))})
    assert [one.text for one in recorded_speech.language_recordings()
            if one.name.startswith("prompt")] == ["uno"]
    (packages / "it.txt.gz").unlink()
    with pytest.raises(UserError, match="no speech in .*it.txt.gz: install .*-sounds-it-g722"):
        recorded_speech.language_recordings()


def test_english_comes_from_six_packages(packages, prompts, monkeypatch):
    tmp_path = packages
    prompts(recorded_speech.ENGLISH_PROMPTS, "en", "hello: Hello, Waldo's try!\n"
            "press: Press 1.\nlong: The 2nd time.\n", ["hello.wav", "press.wav", "long.wav"])
    for name in ("librivox", "ktuberling", "qabcs", "kajongg"):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.setattr(recorded_speech, name.upper() + "_FOLDER", str(tmp_path / name))
    (tmp_path / "kajongg" / "female1").mkdir()
    (tmp_path / "kajongg" / "de").mkdir()
    (tmp_path / "kajongg" / "de" / "male2").mkdir()
    (tmp_path / "librivox" / "transcription").write_text("<s> the word </s> (book-0930)\n")
    for path in ("librivox/book-0930.wav", "ktuberling/egypt_bridge.ogg", "ktuberling/hat.ogg",
                 "qabcs/hot_dog.ogg", "kajongg/female1/b2.ogg", "kajongg/female1/db.ogg",
                 "kajongg/female1/chow.ogg", "kajongg/de/male2/c9.ogg"):
        write_wav(str(tmp_path / path), np.full(8000, 0.25, np.float32))
    found = list(recorded_speech.english_recordings())
    assert [(one.name, one.text) for one in found] == [
        ("prompt-en_US_f_Allison-hello", "hello waldo's try"),
        ("prompt-en_US_f_Allison-long", ""),
        ("prompt-en_US_f_Allison-press", "press one"), ("librivox-0930", "the word"),
        ("ktuberling-egypt_bridge", "bridge"), ("ktuberling-hat", "hat"),
        ("qabcs-hot_dog", "hot dog"), ("kajongg-female1-b2", "bamboo two"),
        ("kajongg-female1-db", "white dragon"), ("stamp-en-food-fruit-lime", "a lime")]
    assert all(one.language == "en" for one in found)
    german = list(recorded_speech._kajongg("de"))
    assert [(one.name, one.text, one.language) for one in german] == [
        ("kajongg-de-male2-c9", "Zahl 9", "de")]
    (tmp_path / "ktuberling").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="no speech in .*ktuberling: install .*, ktuberling-data"):
        recorded_speech.english_recordings()


def test_long_silence_around_the_words_is_cut():
    samples = np.arange(3 * 16000)
    phones = [("sil", 0.0, 1.0), ("M", 1.0, 1.2), ("IY", 1.2, 1.5), ("sil", 1.5, 2.0),
              ("+NSN+", 2.0, 3.0)]
    cut, words, timed = aligner.without_long_silence(samples, [("me", 1.0, 1.5)], phones)
    assert (cut[0], len(cut)) == (int(0.6 * 16000), int(1.3 * 16000))
    np.testing.assert_allclose([entry[1:] for entry in words + timed],
                               [(0.4, 0.9), (0.0, 0.4), (0.4, 0.6), (0.6, 0.9), (0.9, 1.3)])
    assert [name for name, _, _ in timed] == ["sil", "M", "IY", "sil"]
    # Nothing to cut: times stay.
    same = aligner.without_long_silence(samples[:8000], [("me", 0.1, 0.4)],
                                             [("sil", 0.0, 0.1), ("M", 0.1, 0.4)])
    assert len(same[0]) == 8000 and same[1:] == ([("me", 0.1, 0.4)],
                                                 [("sil", 0.0, 0.1), ("M", 0.1, 0.4)])


def test_grid_clips_come_in_the_order_of_their_labels(tmp_path):
    with pytest.raises(UserError, match="holds no audio.flac, words.csv, labels.npz; name english"):
        next(recorded_speech.grid_recordings(str(tmp_path)))
    write_wav(str(tmp_path / "audio.flac"), np.repeat([0.25, -0.25], 8000).astype(np.float32))
    np.savez(str(tmp_path / "labels.npz"), clips=["lbz", "aaa"])
    (tmp_path / "words.csv").write_text(
        "clip,start_s,end_s,word\naaa,0,0.5,sil\naaa,0.5,1,now\nlbz,0,0.4,lay\nlbz,0.4,1,z\n")
    found = list(recorded_speech.grid_recordings(str(tmp_path)))
    assert [(one.name, one.text, one.language) for one in found] == [
        ("grid-lbz", "lay zed", "en"), ("grid-aaa", "now", "en")]
    np.testing.assert_allclose([one.samples.mean() for one in found], [0.25, -0.25], atol=1e-3)


@needs_espeak
def test_another_language_is_aligned_and_another_text_refused(tmp_path):
    pytest.importorskip("pocketsphinx", reason="pip install pocketsphinx (not a requirement)")
    if "flite:slt" not in list_voices():
        pytest.skip("needs the Debian package libflite1")
    # An American says "mama may see me", which Spaniards write so.
    spoken = synthesise("mama may see me", "flite:slt")
    by_words = aligner.Aligner()
    right = recorded_speech.Recording("right", spoken.samples, "mama mei si mi", "es")
    assert aligner.write_aligned(right, by_words, str(tmp_path)) > 0.5
    timings = read_timings(str(tmp_path / "right.csv"))
    assert [word for word, _, _ in timings.words] == ["/M_AA_M_AA/", "/M_EY/", "/S_IY/", "/M_IY/"]
    found = [start_s for name, start_s, _ in timings.phones if name in ("M", "S")]
    true = [start_s for name, start_s, _ in spoken.phones if name in ("M", "S")]
    assert np.abs(np.array(found) - true).max() < 0.05
    wrong = right._replace(name="wrong", text="pozo fuerte chorizo gato")
    assert aligner.write_aligned(wrong, by_words, str(tmp_path)) == 0.0
    assert sorted(os.listdir(str(tmp_path))) == ["right.csv", "right.wav"]
    # English that the aligner's dictionary lacks is said by espeak-ng's rules.
    lacking = right._replace(name="lacking", text="mama mayz see me", language="en")
    assert aligner.write_aligned(lacking, by_words, str(tmp_path)) > 0.5
    assert read_timings(str(tmp_path / "lacking.csv")).words[1][0] == "mayz"
    nothing = right._replace(name="nothing", text="", language="en")
    assert aligner.write_aligned(nothing, by_words, str(tmp_path)) == 0.0
