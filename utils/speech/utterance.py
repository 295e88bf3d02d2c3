"""Synthesised speech with its times, and what the synthesisers' wrappers share."""
import collections
import ctypes
import functools

import numpy as np
import scipy.signal

from utils.common.constants import INT16_SCALE, SAMPLE_RATE_HZ
from utils.common.errors import UserError
from utils.speech.phones import PHONES, SILENCE

# samples: float32 [num_samples] in [-1, 1) at 16 kHz.
# words: (word, start_s, end_s) in the order of the text, as written there. Words that an engine
#   speaks as one (espeak's "of the") come as one entry with a blank in it.
# phones: (phone of PHONES, start_s, end_s), without gaps from 0 to the end.
Utterance = collections.namedtuple("Utterance", "samples words phones")
# flite and festival (radio phone set) write ARPABET in lower case, but for these.
ARPABET_VARIANTS = {"PAU": SILENCE, "H#": SILENCE, "BRTH": SILENCE, "SSIL": SILENCE,
                    "AXR": "ER", "EL": "AX L", "EM": "AX M", "EN": "AX N", "DX": "D",
                    "HV": "HH", "NX": "N", "IX": "IH", "UX": "UW"}


def as_utterance(tokens, samples, rate_hz, segments, played_faster):
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
def library_of(name):
    """The shared library, its symbols open to those loaded later; None where it is absent."""
    try:
        return ctypes.CDLL(name, ctypes.RTLD_GLOBAL)
    except OSError:
        return None


def required_library(name, package):
    library = library_of(name)
    if library is None:
        raise UserError("%s is not on this machine: install the Debian package %s"
                        % (name, package))
    return library


def arpabet(symbol):
    symbol = symbol.upper()
    names = ARPABET_VARIANTS.get(symbol, symbol)
    if not all(name in PHONES for name in names.split()):
        raise UserError("phone %r has no place in PHONES of utils/speech/synthesis.py: "
                        "use another voice" % symbol)
    return names
