"""Speech of Flite with phone times, through its C library."""
import ctypes
import functools

import numpy as np

from utils.common.errors import UserError
from utils.speech.utterance import arpabet, required_library

FLITE_VOICES = ("flite:kal", "flite:kal16", "flite:awb", "flite:rms", "flite:slt")


class _FliteWave(ctypes.Structure):
    _fields_ = [("type", ctypes.c_char_p), ("sample_rate", ctypes.c_int),
                ("num_samples", ctypes.c_int), ("num_channels", ctypes.c_int),
                ("samples", ctypes.POINTER(ctypes.c_short))]


@functools.lru_cache(maxsize=None)
def _flite_library():
    library = required_library("libflite.so.1", "libflite1")
    for needed in ("libflite_cmulex.so.1", "libflite_usenglish.so.1"):
        required_library(needed, "libflite1")
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
    library = required_library("libflite_cmu_us_%s.so.1" % name, "libflite1")
    register = getattr(library, "register_cmu_us_" + name)
    register.restype = ctypes.c_void_p
    return register(None)


def flite_speech(tokens, name, speed):
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
        segments.append((arpabet(symbol), start_s, end_s, token_of_item.get(token_item)))
        start_s = end_s
    library.delete_utterance(utterance)
    return samples, rate_hz, segments
