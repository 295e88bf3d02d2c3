"""Recordings and what is said in them: real speech of Debian packages, GRID's clips, and other
languages' voices of festival.

    asterisk-core-sounds-en-g722    one American voice in a studio, 25 minutes, CC BY-SA 3.0
    pocketsphinx-testdata           five sentences of LibriVox, public domain
    ktuberling-data                 names of things by another speaker, GPL-2+
    tuxpaint-stamps-default         names of things in ten languages, GPL-2
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
import itertools
import os
import re
import xml.etree.ElementTree

import numpy as np

from ds_graph.pronunciation import ZHUYIN
from utils.audio import read_audio
from utils.errors import UserError
from utils.speech_synthesis import festival_says

ENGLISH = "en"
PROMPTS_FOLDER = "/usr/share/asterisk/sounds/en_US_f_Allison"
LIBRIVOX_FOLDER = "/usr/share/pocketsphinx/test/data/librivox"
KTUBERLING_FOLDER = "/usr/share/ktuberling/sounds/en"
STAMPS_FOLDER = "/usr/share/tuxpaint/stamps"
STAMP_LANGUAGES = "be bg ca da el es fr nl ro ru".split()
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
FOREIGN_SHARE = 4                   # a voice says one text in so many
GRID_WORDS = {"z": "zed"}           # as British speakers spell

# samples: float32 at 16 kHz. text: None where it has to be recognised. language: as
# ds_graph/pronunciation.py calls it. Names sort by speaker.
Recording = collections.namedtuple("Recording", "name samples text language")


def english_recordings():
    """The prompts, LibriVox's sentences, and KTuberling's words."""
    # Other packages have the prompts there in other formats.
    prompts = os.path.join(PROMPTS_FOLDER, "**", "*.g722")
    _check_there((prompts, LIBRIVOX_FOLDER, KTUBERLING_FOLDER),
                 "asterisk-core-sounds-en-g722, pocketsphinx-testdata and ktuberling-data")
    for path in sorted(glob.glob(prompts, recursive=True)):
        name = os.path.relpath(path, PROMPTS_FOLDER)[:-len(".g722")].replace(os.sep, "-")
        yield Recording("prompt-" + name, read_audio(path), None, ENGLISH)
    with open(os.path.join(LIBRIVOX_FOLDER, "transcription"), encoding="utf-8") as stream:
        for line in stream:
            text, _, name = line.strip().rstrip(")").rpartition("(")
            yield Recording(
                "librivox-" + name.rpartition("-")[2],
                read_audio(os.path.join(LIBRIVOX_FOLDER, name + ".wav")),
                text.replace("<s>", "").replace("</s>", "").strip(), ENGLISH)
    for path in sorted(glob.glob(os.path.join(KTUBERLING_FOLDER, "*.ogg"))):
        name = os.path.splitext(os.path.basename(path))[0]      # PLAYGROUND_THING or THING
        yield Recording("ktuberling-" + name, read_audio(path), name.split("_")[-1], ENGLISH)


def _check_there(patterns, packages):
    missing = [pattern for pattern in patterns
               if next(glob.iglob(pattern, recursive=True), None) is None]
    if missing:
        raise UserError("no speech in %s: install the Debian packages %s"
                        % (" or ".join(missing), packages))


def language_recordings():
    """Tux Paint's stamps, the fishes' dialogues, KLettres in all their languages, gcin's syllables
    of Mandarin, and festival's voices."""
    _check_there([STAMPS_FOLDER, KLETTRES_FOLDER, GCIN_FOLDER] + [
        os.path.join(FILLETS_FOLDER, part) for part in ("script", "sound")] + [
        os.path.join(FESTIVAL_FOLDER, "*", voice) for voice in FOREIGN_VOICES],
        "tuxpaint-stamps-default, klettres-data, gcin-voice, fillets-ng-data, fillets-ng-data-cs, "
        + FOREIGN_PACKAGES)
    return itertools.chain(_stamps(), _fillets(), _klettres(), _gcin(), _festival())


def _stamps():
    for language in STAMP_LANGUAGES:
        ending = "_desc_%s.ogg" % language
        for path in sorted(glob.glob(os.path.join(STAMPS_FOLDER, "**", "*" + ending),
                                     recursive=True)):
            text = _stamp_text(path[:-len(ending)] + ".txt", language)
            if text:
                name = os.path.relpath(path, STAMPS_FOLDER)[:-len(ending)].replace(os.sep, "-")
                yield Recording("stamp-%s-%s" % (language, name), read_audio(path), text, language)


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
    """What a stamp is called; '' where its file does not say."""
    if not os.path.isfile(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
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
