"""When which phone or word is spoken, from the files that aligners and people write.

    TextGrid    long and short form, UTF-8 or UTF-16; tiers whose names hold "phone" and "word"
    JSON        {"phones": [...], "words": [...]}, a bare list, or the Montreal Forced Aligner's
                {"tiers": {"phones": {"entries": [...]}}}; an entry is [start, end, label] or an
                object with start, end (or start_s, end_s) and phone, word, label or text
    CSV         a header with start_s, end_s (or start, end, begin) and phone, word, label or
                text; a column `type` (words, phones) tells rows of both apart
"""
import collections
import csv
import json
import os
import re

from utils.common.errors import UserError

# phones, words: [(symbol, start_s, end_s)], rising; empty where the file has none. Phones are
# upper case without stress digits and length marks ("AA", "B"); "" is a pause.
Timings = collections.namedtuple("Timings", "phones words")

START_KEYS = ("start_s", "start", "begin", "xmin")
END_KEYS = ("end_s", "end", "xmax")
PHONE_KEYS, WORD_KEYS = ("phone", "phoneme"), ("word",)
LABEL_KEYS = PHONE_KEYS + WORD_KEYS + ("label", "text", "symbol")


def read_timings(path):
    """The Timings in a .TextGrid, .json or .csv.

    Raises UserError, naming file and place, for what cannot be read, intervals that end before
    they begin or go back in time, and a file with neither phones nor words.
    """
    readers = {".textgrid": _read_textgrid, ".json": _read_json, ".csv": _read_csv}
    extension = os.path.splitext(path)[1].lower()
    if extension not in readers:
        raise UserError("%s: phone or word times are read from .TextGrid, .json and .csv" % path)
    phones, words = readers[extension](path, _text_of(path))
    if not phones and not words:
        raise UserError("%s has neither phones nor words; name the tier, key or column so" % path)
    return Timings(_checked(path, [(_phone(name), start_s, end_s)
                                   for name, start_s, end_s in phones]), _checked(path, words))


def _phone(name):
    return name.strip().rstrip(u"0123456789ː").upper()


def _text_of(path):
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError("%s is not UTF-8 or UTF-16 text: %s" % (path, error))


def _checked(path, intervals):
    previous_s = 0.0
    for name, start_s, end_s in intervals:
        if not start_s <= end_s:
            raise UserError("%s: %r ends at %g s, before it begins at %g s"
                            % (path, name, end_s, start_s))
        # Half a frame of overlap is rounding; a restart at 0 is another clip's times.
        if start_s < previous_s - 0.02:
            raise UserError("%s: %r begins at %g s, after something that begins at %g s; give one "
                            "clip's times, in order" % (path, name, start_s, previous_s))
        previous_s = start_s
    return intervals


def _read_textgrid(path, text):
    """Long and short form alike, by Praat's rule: only free-standing numbers, strings in quotes
    and <flags> count, all other text is comment."""
    tokens = re.findall(r'"(?:[^"]|"")*"|<\w+>|(?<!\S)[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?(?!\S)', text)
    place = [0]

    def take(convert):
        place[0] += 1
        return convert(tokens[place[0] - 1])

    def string(token):
        if not token.startswith('"'):
            raise ValueError("%s where a string in quotes belongs" % token)
        return token[1:-1].replace('""', '"')

    phones, words = [], []
    try:
        kind, content = take(string), take(string)
        if not kind.startswith("ooTextFile") or content != "TextGrid":
            raise ValueError("the first strings are %r, %r" % (kind, content))
        take(float), take(float), take(str)                     # times and <exists>
        for _ in range(take(int)):
            tier_class, name = take(string), take(string).lower()
            take(float), take(float)
            intervals = []
            for _ in range(take(int)):
                if tier_class == "IntervalTier":
                    start_s, end_s = take(float), take(float)
                    intervals.append((take(string), start_s, end_s))
                else:
                    take(float), take(string)                   # a point says no length
            if "phone" in name and not phones:
                phones = intervals
            elif "word" in name and not words:
                words = intervals
    except (ValueError, IndexError) as error:
        raise UserError("%s is not a whole TextGrid in text form: %s" % (path, error))
    return phones, words


def _read_json(path, text):
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UserError("%s is not JSON: %s" % (path, error))
    if isinstance(content, list):
        return _split(path, content, "")
    if not isinstance(content, dict):
        raise UserError("%s: expected an object or a list of intervals" % path)
    tiers = content.get("tiers", content)
    phones, words = [], []
    for name, entries in tiers.items() if isinstance(tiers, dict) else ():
        if isinstance(entries, dict):
            entries = entries.get("entries", [])
        if isinstance(entries, list) and ("phone" in name.lower() or "word" in name.lower()):
            more_phones, more_words = _split(path, entries, name.lower())
            phones, words = phones + more_phones, words + more_words
    return phones, words


def _read_csv(path, text):
    lines = text.splitlines()
    rows = list(csv.DictReader(lines[:1] and [lines[0].lower()] + lines[1:]))
    return _split(path, rows, "")


def _split(path, entries, tier):
    """(phones, words) of entries of either shape; `tier` says which where the entries do not."""
    phones, words = [], []
    for number, entry in enumerate(entries, start=1):
        try:
            if isinstance(entry, dict):
                entry = {key.lower(): value for key, value in entry.items() if key}
                start_s, _ = _first(entry, START_KEYS)
                end_s, _ = _first(entry, END_KEYS)
                label, key = _first(entry, LABEL_KEYS)
                kind = str(entry.get("type", tier)).lower()
            else:
                (start_s, end_s, label), key, kind = entry, "", tier
            start_s, end_s = float(start_s), float(end_s)
        except (KeyError, TypeError, ValueError):
            raise UserError("%s, entry %d: expected start_s, end_s and phone or word, and found "
                            "%.80r" % (path, number, entry))
        is_word = key in WORD_KEYS or (key not in PHONE_KEYS and "word" in kind)
        (words if is_word else phones).append((str(label or ""), start_s, end_s))
    return phones, words


def _first(entry, keys):
    """(value, key) of the first of `keys` that `entry` has; KeyError where it has none."""
    for key in keys:
        if key in entry:
            return entry[key], key
    raise KeyError(keys)
