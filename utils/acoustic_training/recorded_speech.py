"""Recordings with their texts: real speech of Debian packages, GRID's clips, and other
languages' voices of festival.

    asterisk-core-sounds-*          a telephone exchange's prompts: Allison Smith, in English and
                                    Spanish, and June Wallack, in French, CC BY-SA 3.0; Carlo
                                    Flora, in Italian, and Maxim Topal's Russian voice, CC BY 3.0
    asterisk-prompt-it-menardi-wav  their numbers and letters by Paola Dal Zot (made by her and
                                    Marco Menardi, www.voip.ammdomus.it), CC BY-SA 3.0
    pocketsphinx-testdata           five sentences of LibriVox, public domain
    ktuberling-data                 names of things by another speaker, GPL-2+
    qabcs-data                      and by another, GPL-3+ (its other languages are synthetic)
    kajongg                         calls of a game by three speakers in English, four in German,
                                    GPL-2+
    tuxpaint-stamps-default         names of things in English and ten languages, numbers in
                                    nineteen, GPL-2
    fillets-ng-data-cs              a game's dialogues in Czech, with fillets-ng-data's subtitles,
                                    GPL-2 (the Dutch ones do not fit their subtitles)
    klettres-data                   letters and syllables by seventeen voices in sixteen languages,
                                    GPL-2+
    gcin-voice                      the syllables of Mandarin by two voices: Edward Der-Hua Liu,
                                    LGPL-3; Chu Lo for ChionMeilin, CC BY 3.0
    festvox-*                       ten voices put together of pieces of their speakers' speech;
                                    they say what the stamps are called (GPL, LGPL or like BSD)
"""
import collections
import csv
import glob
import gzip
import itertools
import os
import re
import xml.etree.ElementTree

import numpy as np

from utils.acoustic_training.pronunciation import ZHUYIN
from utils.common.errors import UserError
from utils.media.audio import read_audio
from utils.speech.festival import festival_says

ENGLISH = "en"
PROMPTS_FOLDER = "/usr/share/asterisk/sounds"
PROMPT_TEXTS = "/usr/share/doc/asterisk-core-sounds-{0}/core-sounds-{0}.txt.gz"
ENGLISH_PROMPTS = "en_US_f_Allison"
# Folder -> language, espeak-ng's name of it, and the prefix of names whose texts are spoken.
FOREIGN_PROMPTS = {
    "es_MX_f_Allison": ("es", "es-419", ""), "fr_CA_f_June": ("fr", "fr", ""),
    "it_IT_m_Carlo": ("it", "it", ""), "ru_RU_f_IvrvoiceRU": ("ru", "ru", ""),
    "it_IT_f_Menardi": ("it", "it", ("digits", "letters")),     # sentences are put otherwise
}
PROMPT_REMARK = re.compile(r"\[.*?\]|\(.*?\)|<.*?>")
LIBRIVOX_FOLDER = "/usr/share/pocketsphinx/test/data/librivox"
KTUBERLING_FOLDER = "/usr/share/ktuberling/sounds/en"
QABCS_FOLDER = "/usr/share/qabcs/abcs/en/sounds/words"
NUMBERS = {str(number): word for number, word in enumerate(
    "zero one two three four five six seven eight nine ten".split())}
KAJONGG_FOLDER = "/usr/share/kajongg/voices"
# Language -> folders of its speakers, and what they call each file; of b, c and s there are nine.
KAJONGG_VOICES = {
    ENGLISH: ("male1 female1 female2".split(), {        # male2 is a synthesiser's
        "b": "bamboo", "c": "character", "s": "circle", "db": "white dragon", "dg": "green dragon",
        "dr": "red dragon", "we": "east", "wn": "north", "ws": "south", "ww": "west",
        "nochoice": "no choice", "dangerousgame": "dangerous game", "originalcall": "original call",
        "violatesoriginalcall": "violates original call"}),
    "de": ("de/male1 de/male2 de/female1 de/female2".split(), {
        "b": "Bambus", "c": "Zahl", "s": "Kreis", "db": "weißer Drachen", "dg": "grüner Drachen",
        "dr": "roter Drachen", "we": "Osten", "wn": "Norden", "ws": "Süden", "ww": "Westen",
        "nochoice": "keine Wahl", "dangerousgame": "gefährliches Spiel",
        "originalcall": "Ruf zu Beginn", "violatesoriginalcall": "verletzt Ruf zu Beginn"}),
}
STAMPS_FOLDER = "/usr/share/tuxpaint/stamps"
STAMP_LANGUAGES = "be bg ca da el es fr nl ro ru".split()
NUMBERS_FOLDER = os.path.join("symbols", "math")        # of the stamps
# As its files are named -> as espeak-ng calls it.
NUMBER_LANGUAGES = {name: name for name in (
    "be bg ca de el es fr it ja ko lt nb nl pt ro ru sl sv".split())}
NUMBER_LANGUAGES["nn"] = "nb"
NUMBERS_JOINED = 3                  # in each recording; so each is used three times
FILLETS_FOLDER = "/usr/share/games/fillets-ng"
FILLETS_LANGUAGE = "cs"
FILLETS_LINE = re.compile(r'dialogId\("([^"]+)".*?dialogStr\("(.*?)"\)', re.DOTALL)
KLETTRES_FOLDER = "/usr/share/klettres"
# Folder -> espeak-ng's name of the language. It does not speak nds, and ar and he do not write all
# vowels.
KLETTRES_LANGUAGES = {name: name for name in "cs da de es fr hu it lt ml nb nl ru tn uk".split()}
KLETTRES_LANGUAGES.update(en="en-us", en_GB="en-gb", pt_BR="pt-br")
GCIN_FOLDER = "/usr/share/gcin-voice/ogg"
GCIN_SPEAKERS = ("3", "5")
GCIN_JOINED = 6                     # syllables of 0.3 s are too short to be aligned one by one
ZHUYIN_LETTERS = set("ㄅㄆㄇㄈㄉㄊㄋㄌㄍㄎㄏㄐㄑㄒ")        # alone, their names are spoken
FESTIVAL_FOLDER = "/usr/share/festival/voices"
# festival's name of a voice -> espeak-ng's name of its language, and how it reads text.
FOREIGN_VOICES = {
    "czech_dita": ("cs", "iso8859-2"), "czech_krb": ("cs", "iso8859-2"),
    "czech_machac": ("cs", "iso8859-2"), "czech_ph": ("cs", "iso8859-2"),
    "hy_fi_mv_diphone": ("fi", "iso8859-1"), "suo_fi_lj_diphone": ("fi", "iso8859-1"),
    "lp_diphone": ("it", "iso8859-1"), "pc_diphone": ("it", "iso8859-1"),
    "msu_ru_nsh_clunits": ("ru", "utf-8"), "upc_ca_ona_hts": ("ca", "iso8859-1"),
}
FOREIGN_PACKAGES = ("festvox-czech-dita festvox-czech-krb festvox-czech-machac festvox-czech-ph "
                    "festvox-suopuhe-mv festvox-suopuhe-lj festvox-italp16k festvox-itapc16k "
                    "festvox-ru festvox-ca-ona-hts")
PROMPT_PACKAGES = " ".join(
    ["asterisk-core-sounds-{0} asterisk-core-sounds-{0}-g722".format(language)
     for language in "es fr it ru".split()] + ["asterisk-prompt-it-menardi-wav"])
FOREIGN_SHARE = 4                   # a voice says one text in so many
GRID_WORDS = {"z": "zed"}           # as British speakers spell

# samples: float32 at 16 kHz. language: as
# utils/acoustic_training/pronunciation.py calls it. Names sort by speaker.
Recording = collections.namedtuple("Recording", "name samples text language")


def english_recordings():
    """The prompts, LibriVox's sentences, and what four games say in English."""
    _check_there((os.path.join(PROMPTS_FOLDER, ENGLISH_PROMPTS), PROMPT_TEXTS.format("en"),
                  LIBRIVOX_FOLDER, KTUBERLING_FOLDER, QABCS_FOLDER, KAJONGG_FOLDER, STAMPS_FOLDER),
                 "asterisk-core-sounds-en, asterisk-core-sounds-en-g722, pocketsphinx-testdata, "
                 "ktuberling-data, qabcs-data, kajongg and tuxpaint-stamps-default")
    return itertools.chain(_prompts(ENGLISH_PROMPTS, "en", ENGLISH), _librivox(), _ktuberling(),
                           _qabcs(), _kajongg(ENGLISH), _english_stamps())


def prompt_texts(language):
    """[(name of a prompt, what it says)] in a language of asterisk-core-sounds, by name."""
    with gzip.open(PROMPT_TEXTS.format(language), "rt", encoding="utf-8-sig",
                   errors="replace") as stream:
        lines = re.findall(r"^([\w/-]+):(.*)$", stream.read(), re.MULTILINE)
    texts = dict(reversed(lines))       # of two for one name the first is right
    spoken = ((name, PROMPT_REMARK.sub(" ", text).strip()) for name, text in sorted(texts.items()))
    return [(name, text) for name, text in spoken if text]


def _prompts(folder, language_of_texts, language, parts=""):
    """parts: how the names of those begin whose text is the recording's."""
    for name, text in prompt_texts(language_of_texts):
        path = next(glob.iglob(os.path.join(PROMPTS_FOLDER, folder, name + ".*")), None)
        if path and name.startswith(parts):
            yield Recording("prompt-%s-%s" % (folder, name.replace("/", "-")), read_audio(path),
                            plain(text) if language == ENGLISH else text, language)


def plain(text):
    """English as the aligner's dictionary writes it: small letters and apostrophes; "" where a
    number is none of NUMBERS."""
    words = [NUMBERS.get(word) if word[0].isdigit() else word
             for word in re.findall(r"[a-z0-9]+(?:'[a-z]+)*", text.lower())]
    return "" if None in words else " ".join(words)


def _librivox():
    with open(os.path.join(LIBRIVOX_FOLDER, "transcription"), encoding="utf-8") as stream:
        for line in stream:
            text, _, name = line.strip().rstrip(")").rpartition("(")
            yield Recording(
                "librivox-" + name.rpartition("-")[2],
                read_audio(os.path.join(LIBRIVOX_FOLDER, name + ".wav")),
                text.replace("<s>", "").replace("</s>", "").strip(), ENGLISH)


def _ktuberling():
    for name, path in _sounds(KTUBERLING_FOLDER, ".ogg"):       # PLAYGROUND_THING or THING
        yield Recording("ktuberling-" + name, read_audio(path), name.split("_")[-1], ENGLISH)


def _qabcs():
    for name, path in _sounds(QABCS_FOLDER, ".ogg"):
        yield Recording("qabcs-" + name, read_audio(path), plain(name.replace("_", " ")), ENGLISH)


def _kajongg(language):
    folders, calls = KAJONGG_VOICES[language]
    for folder in folders:
        for name, path in _sounds(os.path.join(KAJONGG_FOLDER, folder), ".ogg"):
            text = calls.get(name)
            if name[1:].isdigit():
                text = "%s %s" % (calls[name[0]], name[1:])
            if text:
                yield Recording("kajongg-%s-%s" % (folder.replace("/", "-"), name),
                                read_audio(path), plain(text) if language == ENGLISH else text,
                                language)


def _sounds(folder, ending):
    """[(name, path)] of the files in a folder."""
    return [(os.path.basename(path)[:-len(ending)], path)
            for path in sorted(glob.glob(os.path.join(folder, "*" + ending)))]


def _check_there(patterns, packages):
    missing = [pattern for pattern in patterns
               if next(glob.iglob(pattern, recursive=True), None) is None]
    if missing:
        raise UserError("no speech in %s: install the Debian packages %s"
                        % (" or ".join(missing), packages))


def language_recordings():
    """Tux Paint's stamps, the fishes' dialogues, KLettres in all their languages, gcin's syllables
    of Mandarin, festival's voices, the prompts, and a game's calls in German."""
    _check_there([STAMPS_FOLDER, KLETTRES_FOLDER, GCIN_FOLDER, KAJONGG_FOLDER] + [
        os.path.join(FILLETS_FOLDER, part) for part in ("script", "sound")] + [
        os.path.join(FESTIVAL_FOLDER, "*", voice) for voice in FOREIGN_VOICES] + [
        os.path.join(PROMPTS_FOLDER, folder) for folder in FOREIGN_PROMPTS] + [
        PROMPT_TEXTS.format(texts) for texts, _, _ in FOREIGN_PROMPTS.values()],
        "tuxpaint-stamps-default, klettres-data, gcin-voice, fillets-ng-data, fillets-ng-data-cs, "
        "kajongg, %s and %s" % (FOREIGN_PACKAGES, PROMPT_PACKAGES))
    prompts = (_prompts(folder, *spoken) for folder, spoken in sorted(FOREIGN_PROMPTS.items()))
    return itertools.chain(_stamps(), _numbers(), _fillets(), _klettres(), _gcin(), _festival(),
                           itertools.chain.from_iterable(prompts), _kajongg("de"))


def _stamps():
    for language in STAMP_LANGUAGES:
        for name, path, text in _stamp_sounds("_desc_" + language, language):
            yield Recording("stamp-%s-%s" % (language, name), read_audio(path), text, language)


def _english_stamps():
    for name, path, text in _stamp_sounds("_desc", ENGLISH):
        yield Recording("stamp-en-" + name, read_audio(path), plain(text), ENGLISH)


def _stamp_sounds(ending, language):
    """(name, path, text) of each stamp whose sound's name ends so and that is called something."""
    ending += ".ogg"
    for path in sorted(glob.glob(os.path.join(STAMPS_FOLDER, "**", "*" + ending), recursive=True)):
        stamp = path[:-len(ending)]
        text = _stamp_text(stamp + ".txt", language)
        if text:
            yield os.path.relpath(stamp, STAMPS_FOLDER).replace(os.sep, "-"), path, text


def _numbers():
    """The stamps' 0 to 9, by many voices that say nothing else."""
    folder = os.path.join(STAMPS_FOLDER, NUMBERS_FOLDER)
    for language, espeak_name in sorted(NUMBER_LANGUAGES.items()):
        found = [(read_audio(os.path.join(folder, name)),
                  _stamp_text(os.path.join(folder, name[0] + ".txt"), language))
                 for name in ("%d_%s.ogg" % (number, language) for number in range(10))
                 if os.path.isfile(os.path.join(folder, name))]
        for first in range(len(found)):
            samples, texts = zip(*(found * 2)[first:first + NUMBERS_JOINED])
            yield Recording("numbers-%s-%d" % (language, first), np.concatenate(samples),
                            " ".join(texts), espeak_name)


def _fillets():
    for path in sorted(glob.glob(os.path.join(FILLETS_FOLDER, "script", "*",
                                              "dialogs_%s.lua" % FILLETS_LANGUAGE))):
        level = os.path.basename(os.path.dirname(path))
        with open(path, encoding="utf-8") as stream:
            lines = FILLETS_LINE.findall(stream.read())
        for name, text in lines:        # name: LEVEL-SPEAKER-WORDS
            sound = os.path.join(FILLETS_FOLDER, "sound", level, FILLETS_LANGUAGE, name + ".ogg")
            speaker = (name.split("-") + [""])[1]
            if os.path.isfile(sound):
                yield Recording("fillets-%s-%s-%s" % (FILLETS_LANGUAGE, speaker, name),
                                read_audio(sound), text, FILLETS_LANGUAGE)


def _klettres():
    for folder, language in sorted(KLETTRES_LANGUAGES.items()):
        listed = xml.etree.ElementTree.parse(os.path.join(KLETTRES_FOLDER, folder, "sounds.xml"))
        for sound in listed.iter("sound"):
            path = os.path.join(KLETTRES_FOLDER, sound.get("file"))
            if os.path.isfile(path):        # some are listed and not there
                name = os.path.splitext(sound.get("file"))[0].replace("/", "-")
                yield Recording("klettres-" + name, read_audio(path), sound.get("name").lower(),
                                language)


def _gcin():
    for speaker in GCIN_SPEAKERS:
        paths = {os.path.basename(os.path.dirname(path)): path
                 for path in glob.glob(os.path.join(GCIN_FOLDER, "*", speaker + ".ogg"))}
        syllables = sorted(name for name in paths if name.rstrip("12345") not in ZHUYIN_LETTERS)
        for first in range(0, len(syllables), GCIN_JOINED):
            joined = syllables[first:first + GCIN_JOINED]
            yield Recording("gcin-%s-%04d" % (speaker, first),
                            np.concatenate([read_audio(paths[name]) for name in joined]),
                            " ".join(joined), ZHUYIN)


def _festival():
    stamps = glob.glob(os.path.join(STAMPS_FOLDER, "**", "*.txt"), recursive=True)
    names = {language: sorted({_stamp_text(path, language) for path in stamps} - {""})
             for language in {language for language, _ in FOREIGN_VOICES.values()}}
    for number, (voice, (language, encoding)) in enumerate(sorted(FOREIGN_VOICES.items())):
        texts = names[language][number % FOREIGN_SHARE::FOREIGN_SHARE]
        for place, samples in enumerate(festival_says(texts, voice, encoding)):
            if samples is not None:
                yield Recording("festival-%s-%04d" % (voice, place), samples, texts[place],
                                language)


def _stamp_text(path, language):
    """What a stamp is called; '' where its file does not say. English is the first line."""
    if not os.path.isfile(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if language == ENGLISH:
                return line.strip()
            if line.startswith(language + ".utf8="):
                return line.partition("=")[2].strip()
    return ""


def grid_recordings(folder):
    """The clips of a folder with audio.flac (equally long, back to back), words.csv and, for their
    order, labels.npz."""
    missing = [name for name in ("audio.flac", "words.csv", "labels.npz")
               if not os.path.isfile(os.path.join(folder, name))]
    if missing:
        raise UserError("%s holds no %s; name english, languages or a folder of GRID's clips"
                        % (folder, ", ".join(missing)))
    texts = collections.OrderedDict()
    with open(os.path.join(folder, "words.csv"), newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            words = texts.setdefault(row["clip"], [])
            if row["word"] != "sil":
                words.append(GRID_WORDS.get(row["word"], row["word"]))
    with np.load(os.path.join(folder, "labels.npz")) as content:
        clips = [str(clip) for clip in content["clips"]]
    samples = read_audio(os.path.join(folder, "audio.flac")).reshape(len(clips), -1)
    for clip, of_clip in zip(clips, samples):
        yield Recording("grid-" + clip, of_clip, " ".join(texts[clip]), ENGLISH)
