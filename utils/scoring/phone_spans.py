"""When lips must meet and when they must not, from phone or word times."""
import re

# ARPABET, and the aligners' IPA.
BILABIALS = ("P", "B", "M")
LIPS_NEAR = ("F", "V")
PAUSES = ("SIL", "SP", "SPN", "")
OPEN_VOWELS = ("AA", "AE", "AO", "AW", "AY", "A", u"Æ", u"Ɑ", u"Ɔ", "AJ")
# Spelling says little: p b m that begin a word are spoken (but for ph, ps, pn), and words without
# these letters have no lips that meet or round (r and j round them as w does; y alone is "why").
SPOKEN_BILABIAL = r"(b|m|p(?![hsn]))"
LIP_LETTERS = set("bpmfvwouqrj")
LIP_WORDS = ("y",)
WORD_ONSET_S = 0.08                 # a usual bilabial


def bilabial_spans(timings):
    """[(start_s, end_s)] of p b m; of words alone, the first WORD_ONSET_S of those they begin."""
    if timings.phones:
        return [(start_s, end_s) for name, start_s, end_s in timings.phones if name in BILABIALS]
    return [(start_s, min(start_s + WORD_ONSET_S, end_s)) for word, start_s, end_s in timings.words
            if re.match(SPOKEN_BILABIAL, word.lower()) and not _is_pause(word)]


def open_spans(timings):
    """[(start_s, end_s)] where the lips are apart, for the false-closure rate.

    Open vowels, those beside a phone or pause that does close the lips left out; of words alone,
    the middle third of words that are spelled without LIP_LETTERS.
    """
    if not timings.phones:
        return [((2 * start_s + end_s) / 3, (start_s + 2 * end_s) / 3)
                for word, start_s, end_s in timings.words
                if not _is_pause(word) and not set(word.lower()) & LIP_LETTERS
                and word.lower() not in LIP_WORDS]
    spans, shutting = [], set(BILABIALS + LIPS_NEAR + PAUSES)
    for i, (name, start_s, end_s) in enumerate(timings.phones):
        beside = [other for other, _, _ in timings.phones[max(i - 1, 0):i + 2]]
        if name in OPEN_VOWELS and not shutting & set(beside):
            spans.append((start_s, end_s))
    return spans


def _is_pause(word):
    return word.strip("<>").upper() in PAUSES
