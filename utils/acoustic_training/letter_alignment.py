"""Which letter of a word sounds when: letters laid along the word's phones.

A monotone alignment by dynamic programming. Every letter takes at least a part of one phone:
it may open a phone ('b' on B), share the phone of the letter before ('ck' on K), or run on over
a second phone ('x' on K S, 'u' on Y UW). The costs come from PHONE_LETTERS.
"""
import numpy as np

from utils.common.constants import (ACOUSTIC_FPS, ALPHABET, BLANK_INDEX, MFCC_STEP_SAMPLES,
                                    MFCC_WINDOW_SAMPLES, SAMPLE_RATE_HZ)

# Phone -> (letters that spell it, letters that help to spell it and sound it less).
PHONE_LETTERS = {
    "AA": ("ao", "eh"), "AE": ("a", "u"), "AH": ("uoa", "e"), "AO": ("oa", "uwgh"),
    "AW": ("ou", "wa"), "AX": ("aeiou", "ylrnm"), "AY": ("iy", "eagh"), "B": ("b", ""),
    "CH": ("ch", "t"), "D": ("d", "e"), "DH": ("th", ""), "EH": ("ea", "iu"),
    "ER": ("er", "iuoya"), "EY": ("ae", "iygh"), "F": ("fh", "pg"), "G": ("g", "xu"),
    "HH": ("h", "w"), "IH": ("ie", "yua"), "IY": ("ei", "ya"), "JH": ("jg", "de"),
    "K": ("kc", "qxh"), "L": ("l", "e"), "M": ("m", "nb"), "N": ("n", "kg"), "NG": ("ng", ""),
    "OW": ("o", "awe"), "OY": ("oi", "y"), "P": ("p", ""), "R": ("r", "w"), "S": ("s", "cxzt"),
    "SH": ("sh", "cti"), "T": ("t", "de"), "TH": ("th", ""), "UH": ("uo", ""),
    "UW": ("uo", "ew"), "V": ("v", "fe"), "W": ("w", "uoh"), "Y": ("y", "iu"),
    "Z": ("z", "sx"), "ZH": ("s", "gzi"),
}
VOWEL_LETTERS = "aeiouy"
VOWEL_PHONES = frozenset("AA AE AH AO AW AX AY EH ER EY IH IY OW OY UH UW".split())
UNKNOWN_LETTER = -1                 # of a frame whose word is not spelled in a-z
# The part of a phone that a letter takes when it shares it.
SOUNDING, HELPING, SILENT = 1.0, 0.5, 0.3


def letter_phones(letters, phones):
    """For each letter of the string, the (first, last) index of the phones it sounds on.

    Letters that share a phone name the same one. `phones` must not be empty.
    """
    num_letters, num_phones = len(letters), len(phones)
    cost = np.full((num_letters + 1, num_phones + 1), np.inf)
    came = np.zeros((num_letters + 1, num_phones + 1), int)
    cost[0, 0] = 0.0
    for i, letter in enumerate(letters, 1):
        for j in range(1, num_phones + 1):
            part = _part(letter, phones[j - 1])
            # came: 0 shares the phone before, 1 opens this one, 2 opens two.
            choices = [(cost[i - 1, j] + (0.1 if part > SILENT else 0.6), 0),
                       (cost[i - 1, j - 1] + {SOUNDING: 0.0, HELPING: 0.2}.get(
                           part, 0.6 if _both_vowels(letter, phones[j - 1]) else 1.2), 1)]
            if j > 1:
                spells_both = part > SILENT and _part(letter, phones[j - 2]) > SILENT
                choices.append((cost[i - 1, j - 2] + (0.2 if spells_both else 0.9), 2))
            if j > 2:
                choices.append((cost[i - 1, j - 3] + 2.0, 3))
            cost[i, j], came[i, j] = min(choices)
    if not np.isfinite(cost[num_letters, num_phones]):
        # More phones than the moves reach: spread the letters evenly.
        edges = np.linspace(0, num_phones, num_letters + 1)
        return [(int(a), max(int(a), int(np.ceil(b)) - 1)) for a, b in zip(edges, edges[1:])]
    spans, i, j = [], num_letters, num_phones
    while i > 0:
        move = came[i, j]
        spans.append((j - max(move, 1), j - 1))
        i, j = i - 1, j - move
    return spans[::-1]


def letter_times(letters, phones):
    """[(letter, start_s, end_s)] for a word's letters and its [(phone, start_s, end_s)]."""
    names = [phone for phone, _, _ in phones]
    spans = letter_phones(letters, names)
    times = []
    i = 0
    while i < len(letters):
        sharing = [k for k in range(i, len(letters)) if spans[k] == spans[i]
                   or (spans[k][0] == spans[k][1] == spans[i][1])]
        sharing = sharing[:next((n for n, k in enumerate(sharing) if k != i + n), len(sharing))]
        first, last = spans[i]
        start_s, end_s = phones[first][1], phones[last][2]
        parts = np.array([_part(letters[k], names[last]) if k > i or first == last else SOUNDING
                          for k in sharing])
        passed = np.concatenate(([0.0], np.cumsum(parts / parts.sum())))
        edges_s = start_s + (end_s - start_s) * passed
        times.extend((letters[k], a, b) for k, a, b in zip(sharing, edges_s, edges_s[1:]))
        i = sharing[-1] + 1
    return times


def _part(letter, phone):
    sounding, helping = PHONE_LETTERS.get(phone, ("", ""))
    return SOUNDING if letter in sounding else HELPING if letter in helping else SILENT


def _both_vowels(letter, phone):
    return letter in VOWEL_LETTERS and phone in VOWEL_PHONES


def frame_of_time(time_s):
    """The MFCC frame whose window is centred nearest to a time."""
    return (time_s * SAMPLE_RATE_HZ - MFCC_WINDOW_SAMPLES / 2.0) / MFCC_STEP_SAMPLES


def letter_frames(words, phones, num_frames):
    """Class of each of `num_frames` MFCC frames, int8: the letter that sounds, blank in silence.

    `words` [(word, start_s, end_s)] and `phones` [(phone, start_s, end_s)] as an Utterance has
    them, words in a-z ' and blank; the frames of a word without letters are UNKNOWN_LETTER. A space
    takes one frame between words, and a blank one parts double letters, so that collapsing the
    frames as CTC does gives the text back.
    """
    frames = np.full(num_frames, BLANK_INDEX, np.int8)
    letters = []
    for word, start_s, end_s in words:
        own = [p for p in phones
               if p[0] in PHONE_LETTERS and p[1] >= start_s - 1e-4 and p[2] <= end_s + 1e-4]
        if not own:
            continue
        if not word:
            frames[max(0, _first_frame(own[0][1])):_first_frame(own[-1][2])] = UNKNOWN_LETTER
            continue
        if letters:
            letters.append(_space_between(letters, own))
        letters.extend(letter_times(word, own))
    if letters:
        letters.append((" ", letters[-1][2], letters[-1][2] + 1.0 / ACOUSTIC_FPS))
    free, before = 0, ""
    for letter, start_s, end_s in letters:
        first = max(free, _first_frame(start_s))
        last = max(first + 1, _first_frame(end_s))
        if letter == before and first == free and free > 0:
            first, last = first + 1, max(first + 2, last)
        frames[first:last] = ALPHABET.index(letter)
        free, before = last, letter
    return frames


def _first_frame(time_s):
    """The first MFCC frame whose window is centred after a time."""
    return int(round(frame_of_time(time_s) + 0.5))


def _space_between(letters, next_phones):
    """The space after the last of `letters`: in the gap, or cut from that letter's end."""
    frame_s = 1.0 / ACOUSTIC_FPS
    letter, start_s, end_s = letters[-1]
    if next_phones[0][1] - end_s < frame_s and end_s - start_s > 1.9 * frame_s:
        letters[-1] = (letter, start_s, end_s - frame_s)
        return " ", end_s - frame_s, end_s
    return " ", end_s, end_s + frame_s


def text_of_frames(frames):
    """The text that CTC collapsing makes of frame classes [num_frames]."""
    changes = np.flatnonzero(np.diff(np.concatenate(([-1], np.asarray(frames, int)))))
    return "".join(ALPHABET[c] for c in np.asarray(frames)[changes] if c != BLANK_INDEX)
