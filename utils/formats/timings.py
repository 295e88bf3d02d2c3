"""When which phone or word is spoken, from the files that aligners and people write.

    TextGrid    long and short form, UTF-8 or UTF-16; tiers whose names hold "phone" and "word"
    JSON        {"phones": [...], "words": [...]}, a bare list, or the Montreal Forced Aligner's
                {"tiers": {"phones": {"entries": [...]}}}; an entry is [start, end, label] or an
                object with start, end (or start_s, end_s) and phone, word, label or text.
                Whisper's and WhisperX's segments of words; Gentle's words of phones; Vosk's results
    CSV, TSV    a header with start_s, end_s (or start, end, begin) and phone, word, label or
                text; a column `type` (words, phones) tells rows of both apart

Rhubarb's mouth shapes are neither phones nor words, and are refused.
"""
import collections
import os
import re

from utils.common.errors import UserError, print_warning
from utils.common.files import check_num_bytes
from utils.formats.csv_text import csv_rows, number, text_encoding
from utils.formats.json_text import DECODER, parsed

# phones, words: [(symbol, start_s, end_s)], rising; empty where the file has none. Phones are
# upper case without stress digits and length marks ("AA", "B"); "" is a pause.
Timings = collections.namedtuple("Timings", "phones words")

START_KEYS = ("start_s", "start", "begin", "xmin")
END_KEYS = ("end_s", "end", "xmax")
PHONE_KEYS, WORD_KEYS = ("phone", "phoneme"), ("word",)
LABEL_KEYS = PHONE_KEYS + WORD_KEYS + ("label", "text", "symbol")
PUNCTUATION = u".,;:!?\"()[]\u2026\u201c\u201d\u00bf\u00a1"       # around Whisper's words
SPACE = re.compile(r"\s*")
MAX_TEXT_BYTES = 1 << 26                 # of hours of speech, phones and all
KALDI_PLACE = re.compile(r"_[BIES]$")   # of a phone in its word, as Gentle writes it
MOUTH_SHAPES = ("mouth shapes of Rhubarb are neither phones nor words; give the phones or words of "
                "an aligner, or of a recogniser, with their times")


def read_timings(path, warn=print_warning):
    """The Timings in a .TextGrid, .json, .csv or .tsv.

    warn: called with a line where words without times are left out.
    Raises UserError, naming file and place, for what cannot be read, intervals that end before
    they begin or go back in time, and a file with neither phones nor words.
    """
    readers = {".textgrid": _read_textgrid, ".json": _read_json, ".csv": _read_csv,
               ".tsv": _read_csv}
    extension = os.path.splitext(path)[1].lower()
    text = _text_of(path)
    if extension not in readers:
        raise UserError("%s: %s" % (path, MOUTH_SHAPES if "<rhubarbResult" in text else
                                    "phone or word times are read from .TextGrid, .json and .csv "
                                    "(or .tsv)"))
    phones, words = readers[extension](path, text, warn)
    if not phones and not words:
        raise UserError("%s has neither phones nor words; name the tier, key or column so" % path)
    phones = [(_phone(name), start_s, end_s) for name, start_s, end_s in phones]
    sentence = next((name for name, _, _ in phones if len(name.split()) > 1), None)
    if sentence is not None:
        raise UserError("%s: %.40r is no phone; give the times of single phones or words"
                        % (path, sentence))
    return Timings(_checked(path, phones), _checked(path, words))


def _phone(name):
    return name.strip().rstrip(u"0123456789ː").upper()


def _text_of(path):
    try:
        check_num_bytes(path, MAX_TEXT_BYTES)
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    try:
        return content.decode(text_encoding(path))
    except UnicodeDecodeError as error:
        raise UserError("%s is not UTF-8 or UTF-16 text: %s" % (path, error))


def _checked(path, intervals):
    previous_s = 0.0
    for name, start_s, end_s in intervals:
        if not start_s <= end_s:
            raise UserError("%s: %.80r ends at %g s, before it begins at %g s"
                            % (path, name, end_s, start_s))
        if not abs(start_s) < float("inf") > abs(end_s):
            raise UserError("%s: %.80r is spoken from %g to %g s; expected finite times"
                            % (path, name, start_s, end_s))
        # Half a frame of overlap is rounding; a restart at 0 is another clip's times.
        if start_s < previous_s - 0.02:
            raise UserError("%s: %.80r begins at %g s, after something that begins at %g s; give "
                            "one clip's times, in order" % (path, name, start_s, previous_s))
        previous_s = start_s
    return intervals


def _read_textgrid(path, text, warn):
    """Long and short form alike, by Praat's rule: only free-standing numbers, strings in quotes
    and <flags> count, all other text is comment."""
    del warn
    tokens = re.findall(r'"(?:[^"]|"")*"|<\w+>|(?<!\S)[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?(?!\S)', text)
    place = [0]

    def take(convert):
        place[0] += 1
        return convert(tokens[place[0] - 1])

    def string(token):
        if not token.startswith('"'):
            raise ValueError("%.80s where a string in quotes belongs" % token)
        return token[1:-1].replace('""', '"')

    phones, words = [], []
    try:
        kind, content = take(string), take(string)
        if not kind.startswith("ooTextFile") or content != "TextGrid":
            raise ValueError("the first strings are %.80r, %.80r" % (kind, content))
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


def _read_json(path, text, warn):
    content = _json_of(path, text)
    if isinstance(content, list) and not any(_is_result(entry) for entry in content):
        return _split(path, content, "")
    if not isinstance(content, (dict, list)):
        raise UserError("%s: expected an object or a list of intervals" % path)
    if isinstance(content, list):
        return [], _recognised(path, content, warn)
    if "mouthCues" in content:
        raise UserError("%s: the %s" % (path, MOUTH_SHAPES))
    if isinstance(content.get("words"), list) and any(
            isinstance(word, dict) and ("case" in word or "phones" in word)
            for word in content["words"]):
        return _gentle(path, content["words"], warn)
    if _is_result(content) and not content.get("words") and not content.get("phones"):
        return [], _recognised(path, [content], warn)
    tiers = content.get("tiers", content)
    phones, words = [], []
    for name, entries in tiers.items() if isinstance(tiers, dict) else ():
        if isinstance(entries, dict):
            entries = entries.get("entries", [])
        if isinstance(entries, list) and ("phone" in name.lower() or "word" in name.lower()):
            more_phones, more_words = _split(path, entries, name.lower())
            phones, words = phones + more_phones, words + more_words
    return phones, words


def _json_of(path, text):
    """The one value of a JSON file; a list of them where there are several, as a stream's."""
    values, place = [], 0
    text = text.strip()
    try:
        while place < len(text) or not values:
            value, place = parsed(DECODER.raw_decode, text, place)
            values.append(value)
            place = SPACE.match(text, place).end()
    except ValueError as error:
        raise UserError("%s is not JSON: %s" % (path, error))
    return values[0] if len(values) == 1 else values


def _is_result(entry):
    """Whether an entry is a recogniser's: words inside something longer."""
    return isinstance(entry, dict) and bool(
        {"segments", "word_segments", "result", "alternatives", "partial", "words"} & set(entry))


def _recognised(path, results, warn):
    """The words [(word, start_s, end_s)] of Whisper's, WhisperX's or Vosk's results."""
    words, timeless, wordless = [], 0, 0
    for result in results:
        if not isinstance(result, dict):
            raise UserError("%s: expected results of a recogniser and found %.80r"
                            % (path, result))
        if isinstance(result.get("segments"), list):
            segments = result["segments"]
        else:
            segments = [(result.get("alternatives") or [result])[0]]
        segments = [segment for segment in segments if isinstance(segment, dict)]
        found = [segment.get("words") or segment.get("result") or [] for segment in segments]
        if not any(found) and result.get("word_segments"):
            found = [result["word_segments"]]
        if not all(isinstance(of_segment, list) for of_segment in found):
            raise UserError("%s: expected lists of words in a recogniser's segments" % path)
        wordless += sum(not of_segment and bool(str(segment.get("text", "")).strip())
                        for segment, of_segment in zip(segments, found))
        # A number, say, has no times in WhisperX: it was not aligned.
        entries = [entry for of_segment in found for entry in of_segment]
        timed = [entry for entry in entries if isinstance(entry, list) or (
            isinstance(entry, dict) and {"start", "end"} <= set(entry))]
        timeless += len(entries) - len(timed)
        bare = [(name.strip().strip(PUNCTUATION), start_s, end_s)
                for name, start_s, end_s in _split(path, timed, "word")[1]]
        words += [word for word in bare if word[0]]
    if not words:
        raise UserError("%s: its segments have no words with times; have the recogniser write "
                        "them (Whisper: --word_timestamps True)" % path)
    if timeless or wordless:
        warn("%s: %d words and %d segments have no times and are left out"
             % (os.path.basename(path), timeless, wordless))
    return words


def _gentle(path, entries, warn):
    """(phones, words) of Gentle's words; those that it did not find in the sound are left out."""
    phones, words, lost = [], [], 0
    for place, entry in enumerate(entries, start=1):
        try:
            if "start" not in entry:
                lost += 1
                continue
            start_s, end_s = float(entry["start"]), float(entry["end"])
            words.append((str(entry["word"]), start_s, end_s))
            for phone in entry.get("phones", ()):
                end_s = start_s + float(phone["duration"])
                phones.append((KALDI_PLACE.sub("", str(phone["phone"])), start_s, end_s))
                start_s = end_s
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UserError("%s, word %d: expected Gentle's word, start, end and phones, and found "
                            "%.80r" % (path, place, entry))
    if lost:
        warn("%s: %d of %d words were not found in the sound and are left out"
             % (os.path.basename(path), lost, len(entries)))
    return phones, words


def _read_csv(path, text, warn):
    del text, warn                                  # csv_rows decodes it itself
    rows = csv_rows(path)
    _, header = next(rows, (1, []))
    if len(header) == 2 and re.match(r"[\d.]+$", header[0]) and re.match("[A-HX]$", header[1]):
        raise UserError("%s: the %s" % (path, MOUTH_SHAPES))
    header = [name.lower() for name in header]
    return _split(path, [dict(zip(header, cells)) for _, cells in rows], "")


def _split(path, entries, tier):
    """(phones, words) of entries of either shape; `tier` says which where the entries do not."""
    phones, words = [], []
    for place, entry in enumerate(entries, start=1):
        try:
            if isinstance(entry, dict):
                entry = {key.lower(): value for key, value in entry.items() if key}
                start_s, _ = _first(entry, START_KEYS)
                end_s, _ = _first(entry, END_KEYS)
                label, key = _first(entry, LABEL_KEYS)
                kind = str(entry.get("type", tier)).lower()
            else:
                (start_s, end_s, label), key, kind = entry, "", tier
            start_s, end_s = number(start_s), number(end_s)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise UserError("%s, entry %d: expected start_s, end_s and phone or word, and found "
                            "%.80r" % (path, place, entry))
        is_word = key in WORD_KEYS or (key not in PHONE_KEYS and "word" in kind)
        (words if is_word else phones).append((str(label or ""), start_s, end_s))
    return phones, words


def _first(entry, keys):
    """(value, key) of the first of `keys` that `entry` has; KeyError where it has none."""
    for key in keys:
        if key in entry:
            return entry[key], key
    raise KeyError(keys)
