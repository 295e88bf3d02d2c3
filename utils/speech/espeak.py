"""Speech of eSpeak NG with phone times, through its C library."""
import ctypes
import functools

import numpy as np

from utils.common.errors import UserError
from utils.speech.phones import SILENCE, STOPS
from utils.speech.utterance import required_library

ESPEAK_VOICES = tuple(
    "espeak:" + name for name in
    "en en-us en-gb-scotland en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd en-029 en-us-nyc "
    "en+f1 en+f2 en+f3 en+f4 en+m1 en+m2 en+m3 en+m4 en+m5 en+m7 en+croak en+whisper "
    "en-us+f1 en-us+f2 en-us+f3 en-us+f4 en-us+f5 en-us+m1 en-us+m3 en-us+m6 en-us+m8 "
    "en-us+whisperf en-us+klatt2 en-us+klatt4 en-us+Annie en-us+Andrea en-us+Alicia "
    "en-us+anika en-us+aunty en-us+belinda en-us+linda en-us+steph en-us+grandma "
    "en-us+grandpa en-us+adam en-us+Alex en-us+Andy en-us+boris en-us+caleb en-us+David "
    "en-us+Denis en-us+ed en-us+Gene en-us+Henrique en-us+Hugo en-us+Jacky en-us+Lee "
    "en-us+Marco en-us+max en-us+Michael en-us+miguel en-us+norbert en-us+paul en-us+quincy "
    "en-us+rob en-us+robert en-us+sandro en-us+shelby en-us+travis en-us+victor en-us+zac "
    "en-gb-x-rp+f3 en-gb-x-rp+m2 en-gb-scotland+f2 en-gb-scotland+m7 en-029+f4".split())

# espeak-ng's English phoneme mnemonics -> PHONES. A trailing digit or '#' marks a variant of
# the same sound and is dropped where the full name is not listed.
ESPEAK_PHONES = {
    "p": "P", "b": "B", "t": "T", "d": "D", "k": "K", "g": "G", "tS": "CH", "dZ": "JH",
    "f": "F", "v": "V", "T": "TH", "D": "DH", "s": "S", "z": "Z", "S": "SH", "Z": "ZH",
    "h": "HH", "H": "HH", "m": "M", "n": "N", "N": "NG", "l": "L", "L": "L", "r": "R",
    "R": "R", "w": "W", "j": "Y", "x": "K", "C": "HH", "t#": "T", "t2": "T", "?": "",
    "d#": "D", "z#": "Z", "w#": "W", "n^": "N Y", "l^": "L Y", "r-": "R", "l#": "L",
    "*": "D", "m-": "M", "n-": "AX N", "m#": "M", "Q": "HH", "W": "W",
    "@": "AX", "@2": "AX", "@5": "AX", "@#": "AX", "@-": "AX", "a#": "AX", "I2": "IH",
    "I#": "IH", "i": "IY", "i:": "IY", "I": "IH", "E": "EH", "E2": "EH", "E#": "EH", "e": "EH",
    "a": "AE", "aa": "AE", "a2": "AE", "A:": "AA", "A": "AA", "A~": "AA N", "A@": "AA R",
    "0": "AA", "0#": "AA", "O:": "AO", "O": "AO", "O2": "AO", "O@": "AO R", "o@": "AO R",
    "O~": "AO N", "o:": "OW", "o": "OW", "V": "AH", "V#": "AH", "U": "UH", "U2": "UH",
    "u": "UW", "u:": "UW", "u2": "UW", "3:": "ER", "3": "ER", "@r": "ER", "V@": "AH R",
    "@L": "AX L", "@l": "AX L", "@n": "AX N", "eI": "EY", "e:": "EY", "e#": "EH", "aI": "AY",
    "aI@": "AY AX", "aI3": "AY ER", "aU@": "AW AX", "aU": "AW", "oU": "OW", "OI": "OY",
    "i@": "IY AX", "i@3": "IH R", "e@": "EH R", "U@": "UH R", "I@": "IH R", "y": "UW",
    "Y": "UH", "W:": "ER", "&": "AE", "E:": "EH", "I:": "IH", "U:": "UH", "aI2": "AY",
    "VI": "AY", "au": "AW", "oI": "OY", "ju": "Y UW", "y:": "UW", "V2": "AH", "0:": "AO",
    "o-": "OW", "aU2": "AW", "@U": "OW", "EI": "EY", "i2": "IY", "3r": "ER", "r2": "R",
    "VR": "AH R", "IR": "IH R", "ER": "EH R", "t[": "T", "d[": "D",
}

ESPEAK_WORDS_PER_MINUTE = 175
ESPEAK_CLOSURE_LEVEL = 0.08         # of the sound before: espeak writes a closure as near-silence


class _EspeakEventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p),
                ("string", ctypes.c_char * 8)]


class _EspeakEvent(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint),
                ("text_position", ctypes.c_int), ("length", ctypes.c_int),
                ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
                ("user_data", ctypes.c_void_p), ("id", _EspeakEventId)]


_ESPEAK_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int,
                                    ctypes.POINTER(_EspeakEvent))
_ESPEAK_WORD, _ESPEAK_PHONEME = 1, 7        # event types; 0 ends the list
_ESPEAK_SYNCHRONOUS, _ESPEAK_PHONEME_EVENTS = 2, 1
_ESPEAK_RATE, _ESPEAK_PITCH = 1, 3          # parameters
_ESPEAK_UTF8, _ESPEAK_CHARACTERS = 1, 1


@functools.lru_cache(maxsize=None)
def _espeak_library():
    library = required_library("libespeak-ng.so.1", "libespeak-ng1")
    rate_hz = library.espeak_Initialize(_ESPEAK_SYNCHRONOUS, 0, None, _ESPEAK_PHONEME_EVENTS)
    if rate_hz <= 0:
        raise UserError("libespeak-ng finds no voice data: install the Debian package "
                        "espeak-ng-data")
    return library, rate_hz


def espeak_speech(tokens, name, speed, pitch):
    """(int16 samples, rate, segments) of espeak-ng."""
    library, rate_hz = _espeak_library()
    blocks, marks = [], []

    def collect(wave, num_samples, events):
        if wave and num_samples > 0:
            blocks.append(np.ctypeslib.as_array(wave, (num_samples,)).copy())
        index = 0
        while events[index].type:
            event = events[index]
            if event.type == _ESPEAK_WORD:
                marks.append((event.sample, event.text_position - 1, None))
            elif event.type == _ESPEAK_PHONEME:
                symbol = ctypes.string_at(
                    ctypes.addressof(event) + _EspeakEvent.id.offset, 8).split(b"\0")[0]
                marks.append((event.sample, None, symbol.decode("utf-8", "replace")))
            index += 1
        return 0

    callback = _ESPEAK_CALLBACK(collect)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(name.encode("ascii")) != 0:
        raise UserError("espeak-ng has no voice %r: see espeak-ng --voices=en" % name)
    library.espeak_SetParameter(_ESPEAK_RATE, int(round(ESPEAK_WORDS_PER_MINUTE * speed)), 0)
    # Its pitch scale 0 .. 99 runs over two octaves with 50 in the middle.
    library.espeak_SetParameter(_ESPEAK_PITCH,
                                int(np.clip(50 + 50 * np.log2(pitch), 0, 99)), 0)
    text = " ".join(tokens)
    encoded = text.encode("utf-8")
    library.espeak_Synth(encoded, len(encoded) + 1, 0, _ESPEAK_CHARACTERS, 0, _ESPEAK_UTF8,
                         None, None)
    library.espeak_Synchronize()
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
    token_starts = np.cumsum([0] + [len(token) + 1 for token in tokens])
    segments, token = [], None
    for sample, text_position, symbol in marks:
        if symbol is None:
            token = int(np.searchsorted(token_starts, text_position, side="right")) - 1
        else:
            segments.append([_espeak_phones(symbol), sample / float(rate_hz), None, token])
    segments = [segment for segment in segments if segment[0]]
    _extend_closures(segments, samples, rate_hz)
    ends_s = [segment[1] for segment in segments[1:]] + [len(samples) / float(rate_hz)]
    return samples, rate_hz, [(names, start_s, end_s, token) for (names, start_s, _, token), end_s
                              in zip(segments, ends_s)]


def _espeak_phones(symbol):
    """The phones of one espeak mnemonic, blank-separated; '' for one without sound."""
    if symbol.startswith("_"):
        return SILENCE
    symbol = symbol.split("/")[0].strip("'|,;%")
    for name in (symbol, symbol.rstrip("#23456789-"), symbol.rstrip("#23456789-:.")):
        if name in ESPEAK_PHONES:
            return ESPEAK_PHONES[name]
    if symbol:
        raise UserError("espeak-ng gave the phoneme %r, which has no place in ESPEAK_PHONES of "
                        "utils/speech/synthesis.py: use another voice" % symbol)
    return ""


def _extend_closures(segments, samples, rate_hz):
    """Move each stop's start back over the silent closure that espeak writes before it.

    Its event marks the release; the closed mouth, which is what can be seen, comes before.
    """
    block_samples = int(0.004 * rate_hz)
    num_blocks = len(samples) // block_samples
    level = np.abs(samples[:num_blocks * block_samples].astype(np.float32)).reshape(
        num_blocks, block_samples).max(1)
    for before, segment in zip(segments, segments[1:]):
        first, release = (int(s[1] * rate_hz) // block_samples for s in (before, segment))
        if segment[0] not in STOPS or before[0] == SILENCE or release - first < 4:
            continue
        quiet = level[first:release] < ESPEAK_CLOSURE_LEVEL * level[first:release].max()
        # The event may lag the closure by a few milliseconds.
        last = next((i for i in range(len(quiet) - 1, len(quiet) - 5, -1) if quiet[i]), None)
        if last is None:
            continue
        closure = last
        while closure > 2 and quiet[closure - 1]:
            closure -= 1
        segment[1] = (first + closure) * block_samples / float(rate_hz)
