"""Speech with exact phone and word times from the synthesisers that Debian packages.

The data-making scripts use this; nothing that runs or trains on finished data needs it.
Three engines, each asked for the times of the very samples it made:

    espeak-ng   libespeak-ng's phoneme events        packages libespeak-ng1, espeak-ng-data
    flite       libflite's Segment relation          packages libflite1
    festival    the utterance's Segment relation     packages festival, festvox-kallpc16k,
                                                     festvox-kdlpc16k, festvox-us-slt-hts

All phones are given in one set, PHONES: the 39 of ARPABET without stress digits, AX for the
reduced vowel of "about", and "sil" for silence. Engine symbols that stand for two sounds
(espeak's "i@" of "near") become two phones that share the time.
"""
import collections
import ctypes
import functools
import os
import re
import shutil
import subprocess
import tempfile

import numpy as np
import scipy.io.wavfile
import scipy.signal

from utils.audio import read_audio
from utils.constants import INT16_SCALE, SAMPLE_RATE_HZ
from utils.errors import UserError

SILENCE = "sil"
PHONES = tuple(
    "AA AE AH AO AW AX AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH "
    "UH UW V W Y Z ZH".split()) + (SILENCE,)
STOPS = frozenset("B D G P T K CH JH".split())

# samples: float32 [num_samples] in [-1, 1) at 16 kHz.
# words: (word, start_s, end_s) in the order of the text, as written there. Words that an engine
#   speaks as one (espeak's "of the") come as one entry with a blank in it.
# phones: (phone of PHONES, start_s, end_s), without gaps from 0 to the end.
Utterance = collections.namedtuple("Utterance", "samples words phones")

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
FLITE_VOICES = ("flite:kal", "flite:kal16", "flite:awb", "flite:rms", "flite:slt")
# HTS voices do not heed festival's Duration_Stretch.
_HTS_SPEED = '(set! hts_engine_params (append hts_engine_params (list (list "-r" %(speed).4f))))'
# The Scheme that chooses each festival voice, and the Debian package it comes in.
FESTIVAL_VOICES = collections.OrderedDict((
    ("festival:kal", ("(voice_kal_diphone)", "festvox-kallpc16k",
                      "/usr/share/festival/voices/english/kal_diphone")),
    ("festival:ked", ("(voice_ked_diphone)", "festvox-kdlpc16k",
                      "/usr/share/festival/voices/english/ked_diphone")),
    ("festival:slt-hts", ("(voice_cmu_us_slt_arctic_hts)" + _HTS_SPEED, "festvox-us-slt-hts",
                          "/usr/share/festival/voices/us/cmu_us_slt_arctic_hts")),
))

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
# flite and festival (radio phone set) write ARPABET in lower case, but for these.
ARPABET_VARIANTS = {"PAU": SILENCE, "H#": SILENCE, "BRTH": SILENCE, "SSIL": SILENCE,
                    "AXR": "ER", "EL": "AX L", "EM": "AX M", "EN": "AX N", "DX": "D",
                    "HV": "HH", "NX": "N", "IX": "IH", "UX": "UW"}

ESPEAK_WORDS_PER_MINUTE = 175
ESPEAK_CLOSURE_LEVEL = 0.08         # of the sound before: espeak writes a closure as near-silence


def list_voices():
    """Names 'engine:voice' of the voices that can be used on this machine, in a fixed order."""
    voices = []
    if _library("libespeak-ng.so.1") is not None:
        voices.extend(ESPEAK_VOICES)
    if _library("libflite.so.1") is not None:
        voices.extend(FLITE_VOICES)
    if shutil.which("festival"):
        voices.extend(name for name, (_, _, folder) in FESTIVAL_VOICES.items()
                      if os.path.isdir(folder))
    return voices


def synthesise(text, voice, speed=1.0, pitch=1.0):
    """Speak `text` (English; words are what blanks separate) and say when each phone sounds.

    `speed` and `pitch` are factors of the voice's own, 0.5 to 2. Where an engine has no pitch
    control (flite, festival) the speech is made slower and then played faster, which moves
    the formants along as a smaller or larger head would.
    The same request gives the same samples from flite and festival; espeak-ng carries its noise
    along from call to call, which moves its phones by a few milliseconds.
    Returns an Utterance; raises UserError naming the Debian package that is missing, an
    unknown voice, or a text that gives no sound.
    """
    engine, _, name = voice.partition(":")
    if not 0.5 <= speed <= 2.0 or not 0.5 <= pitch <= 2.0:
        raise UserError("speed %g and pitch %g: both must lie in 0.5 .. 2" % (speed, pitch))
    tokens = text.split()
    if not tokens:
        raise UserError("no text for %s to speak: give it words" % voice)
    if engine == "espeak":
        samples, rate_hz, segments = _espeak(tokens, name, speed, pitch)
    elif engine == "flite":
        samples, rate_hz, segments = _flite(tokens, name, speed / pitch)
    elif voice in FESTIVAL_VOICES:
        samples, rate_hz, segments = _festival(tokens, voice, speed / pitch)
    else:
        raise UserError("no voice %r: list_voices() names them" % voice)
    if not segments or not len(samples):
        raise UserError("%s made no sound of %r: give it words" % (voice, text[:60]))
    played_faster = 1.0 if engine == "espeak" else pitch
    return _utterance(tokens, samples, rate_hz, segments, played_faster)


def _utterance(tokens, samples, rate_hz, segments, played_faster):
    """An Utterance of int16 samples and [(phones, start_s, end_s, token index or None)]."""
    up, down = SAMPLE_RATE_HZ, int(round(rate_hz * played_faster))
    common = np.gcd(up, down)
    resampled = samples.astype(np.float32) / INT16_SCALE
    if up != down:
        up, down = up // common, down // common
        while up > 400:                     # within 0.2 % of the ratio, and fast
            up, down = (up + 1) // 2, (down + 1) // 2
        resampled = scipy.signal.resample_poly(resampled, up, down).astype(np.float32)
    duration_s = len(resampled) / float(SAMPLE_RATE_HZ)
    stretch = 1.0 / played_faster
    phones, word_spans, filled_s = [], {}, 0.0
    for names, start_s, end_s, token in segments:
        start_s, end_s = (min(t * stretch, duration_s) for t in (start_s, end_s))
        if start_s > filled_s + 1e-4:
            phones.append((SILENCE, filled_s, start_s))
        start_s = max(start_s, filled_s)
        parts = names.split()
        edges = np.linspace(start_s, max(end_s, start_s), len(parts) + 1)
        for part, part_start_s, part_end_s in zip(parts, edges[:-1], edges[1:]):
            if part_end_s > part_start_s:
                if part == SILENCE and phones and phones[-1][0] == SILENCE:
                    phones[-1] = (SILENCE, phones[-1][1], float(part_end_s))
                else:
                    phones.append((part, float(part_start_s), float(part_end_s)))
        filled_s = max(filled_s, end_s)
        if token is not None and names != SILENCE:
            span = word_spans.setdefault(token, [start_s, end_s])
            span[1] = max(span[1], end_s)
    if filled_s < duration_s - 1e-4:
        phones.append((SILENCE, filled_s, duration_s))
    else:
        phones[-1] = phones[-1][:2] + (duration_s,)
    words, spoken = [], sorted(word_spans)
    for token, following in zip(spoken, spoken[1:] + [len(tokens)]):
        first = 0 if token == spoken[0] else token
        words.append((" ".join(tokens[first:following]),) + tuple(word_spans[token]))
    return Utterance(np.clip(resampled, -1.0, 1.0 - 1.0 / INT16_SCALE), words, phones)


@functools.lru_cache(maxsize=None)
def _library(name):
    """The shared library, its symbols open to those loaded later; None where it is absent."""
    try:
        return ctypes.CDLL(name, ctypes.RTLD_GLOBAL)
    except OSError:
        return None


def _required_library(name, package):
    library = _library(name)
    if library is None:
        raise UserError("%s is not on this machine: install the Debian package %s"
                        % (name, package))
    return library


# espeak-ng: phoneme events of the shared library (speak_lib.h).

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
    library = _required_library("libespeak-ng.so.1", "libespeak-ng1")
    rate_hz = library.espeak_Initialize(_ESPEAK_SYNCHRONOUS, 0, None, _ESPEAK_PHONEME_EVENTS)
    if rate_hz <= 0:
        raise UserError("libespeak-ng finds no voice data: install the Debian package "
                        "espeak-ng-data")
    return library, rate_hz


def _espeak(tokens, name, speed, pitch):
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
                        "utils/speech_synthesis.py: use another voice" % symbol)
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


# flite: the utterance structure of the shared library (cst_utterance.h, cst_wave.h).

class _FliteWave(ctypes.Structure):
    _fields_ = [("type", ctypes.c_char_p), ("sample_rate", ctypes.c_int),
                ("num_samples", ctypes.c_int), ("num_channels", ctypes.c_int),
                ("samples", ctypes.POINTER(ctypes.c_short))]


@functools.lru_cache(maxsize=None)
def _flite_library():
    library = _required_library("libflite.so.1", "libflite1")
    for needed in ("libflite_cmulex.so.1", "libflite_usenglish.so.1"):
        _required_library(needed, "libflite1")
    library.flite_init()
    for function in ("flite_synth_text", "relation_head", "item_next", "utt_relation",
                     "path_to_item", "utt_wave"):
        getattr(library, function).restype = ctypes.c_void_p
    library.ffeature_float.restype = ctypes.c_float
    library.ffeature_string.restype = ctypes.c_char_p
    return library


@functools.lru_cache(maxsize=None)
def _flite_voice(name):
    if "flite:" + name not in FLITE_VOICES:
        raise UserError("flite has no voice %r: list_voices() names them" % name)
    library = _required_library("libflite_cmu_us_%s.so.1" % name, "libflite1")
    register = getattr(library, "register_cmu_us_" + name)
    register.restype = ctypes.c_void_p
    return register(None)


def _flite(tokens, name, speed):
    """(int16 samples, rate, segments) of flite."""
    library = _flite_library()
    voice = _flite_voice(name)
    # cst_voice begins with its name and then its features.
    features = ctypes.cast(voice, ctypes.POINTER(ctypes.c_void_p))[1]
    library.feat_set_float(ctypes.c_void_p(features), b"duration_stretch",
                           ctypes.c_float(1.0 / speed))
    ctypes.CDLL(None).srand(1)              # where its voices take their noise from
    utterance = ctypes.c_void_p(library.flite_synth_text(
        " ".join(tokens).encode("ascii", "ignore"), ctypes.c_void_p(voice)))
    wave = ctypes.cast(library.utt_wave(utterance), ctypes.POINTER(_FliteWave))[0]
    samples = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()
    rate_hz = wave.sample_rate

    def items(relation):
        item = library.relation_head(ctypes.c_void_p(library.utt_relation(utterance, relation)))
        while item:
            yield ctypes.c_void_p(item)
            item = library.item_next(ctypes.c_void_p(item))

    token_of_item = {item.value: i for i, item in enumerate(items(b"Token"))}
    segments, start_s = [], 0.0
    for item in items(b"Segment"):
        token_item = library.path_to_item(item, b"R:SylStructure.parent.parent.R:Token.parent")
        end_s = library.ffeature_float(item, b"end")
        symbol = library.ffeature_string(item, b"name").decode("ascii")
        segments.append((_arpabet(symbol), start_s, end_s, token_of_item.get(token_item)))
        start_s = end_s
    library.delete_utterance(utterance)
    return samples, rate_hz, segments


def _arpabet(symbol):
    symbol = symbol.upper()
    names = ARPABET_VARIANTS.get(symbol, symbol)
    if not all(name in PHONES for name in names.split()):
        raise UserError("phone %r has no place in PHONES of utils/speech_synthesis.py: "
                        "use another voice" % symbol)
    return names


# festival: one run of the program per utterance, its answer read from stdout.

_FESTIVAL_SCRIPT = """
%(choose)s
(Parameter.set 'Duration_Stretch %(stretch).4f)
(set! utt (utt.synth (Utterance Text "%(text)s")))
(let ((number 1))
  (mapcar (lambda (token)
            (if (not (item.parent token))
                (begin (item.set_feat token "number" number) (set! number (+ number 1)))))
          (utt.relation.items utt 'Token)))
(mapcar (lambda (segment)
          (format t "%%s %%s %%s\\n" (item.name segment) (item.feat segment "segment_end")
                  (item.feat segment "R:SylStructure.parent.parent.R:Token.parent.number")))
        (utt.relation.items utt 'Segment))
(utt.save.wave utt "%(wave)s" 'riff)
"""


def _check_festival():
    if not shutil.which("festival"):
        raise UserError("festival is not on this machine: install the Debian package festival")


def _festival(tokens, voice, speed):
    """(int16 samples, rate, segments) of festival."""
    choose, package, folder = FESTIVAL_VOICES[voice]
    _check_festival()
    if not os.path.isdir(folder):
        raise UserError("voice %s is not on this machine: install the Debian package %s"
                        % (voice, package))
    # One word per token, or the numbers would not be those of `tokens`.
    text = " ".join(re.sub(r"[^A-Za-z'.,?!;:-]", "", token) or "a" for token in tokens)
    with tempfile.TemporaryDirectory() as work_folder:
        wave = os.path.join(work_folder, "speech.wav")
        script = os.path.join(work_folder, "speak.scm")
        with open(script, "w") as stream:
            stream.write(_FESTIVAL_SCRIPT % dict(choose=choose % dict(speed=speed), text=text,
                                                 stretch=1.0 / speed, wave=wave))
        run = subprocess.run(["festival", "-b", script], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, universal_newlines=True)
        if run.returncode != 0 or not os.path.exists(wave):
            raise UserError("festival could not speak %r: %s"
                            % (text[:60], run.stderr.strip()[-200:]))
        rate_hz, samples = scipy.io.wavfile.read(wave)
    segments, start_s = [], 0.0
    for line in run.stdout.splitlines():
        parts = line.split()
        if len(parts) != 3:
            continue
        symbol, end_s, number = parts
        names = _arpabet(symbol)
        # Numbered from 1, since festival answers 0 for what has no number.
        token = int(float(number)) - 1 if float(number) > 0 else None
        segments.append((names, start_s, float(end_s), token))
        start_s = float(end_s)
    return samples, rate_hz, segments


def festival_says(texts, voice, encoding):
    """float32 samples at 16 kHz of each text by a voice of any language, in one run of festival;
    None for a text that it has no rules for.

    voice: as festival calls it, without "voice_" ("czech_dita"). encoding: of the text that it
    reads; other letters are left out. No phones: they are of the language's own set. Raises
    UserError where festival or the voice is missing.
    """
    _check_festival()
    with tempfile.TemporaryDirectory() as work_folder:
        paths = [os.path.join(work_folder, "%d.wav" % number) for number in range(len(texts))]
        script = os.path.join(work_folder, "speak.scm")
        with open(script, "wb") as stream:
            lines = ["(voice_%s)" % voice] + [
                '(unwind-protect (utt.save.wave (utt.synth (Utterance Text "%s")) "%s" \'riff))'
                % (re.sub(r'["\\]', "", text), path) for text, path in zip(texts, paths)]
            stream.write("\n".join(lines).encode(encoding, "ignore"))
        run = subprocess.run(["festival", "-b", script], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        said = [path if os.path.isfile(path) else None for path in paths]
        if run.returncode != 0 or not any(said):
            raise UserError("festival's voice %s could not speak: %s" % (
                voice, run.stderr.decode("utf-8", "replace").strip()[-200:]))
        return [path and read_audio(path) for path in said]
