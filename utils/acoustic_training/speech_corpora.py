"""Published corpora of many speakers, as their archives unpack, as utterances with words.

    LibriSpeech     ROOT/train-clean-100/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NUMBER.flac, the texts in
                    SPEAKER-CHAPTER.trans.txt beside them. www.openslr.org/12, CC BY 4.0
    Common Voice    ROOT/validated.tsv (client_id, path, sentence), ROOT/clips/*.mp3.
                    commonvoice.mozilla.org, CC0
    VCTK            ROOT/txt/p225/p225_001.txt; ROOT/wav48_silence_trimmed/p225/p225_001_mic1.flac
                    of version 0.92, ROOT/wav48/p225/p225_001.wav of 0.80.
                    datashare.ed.ac.uk/handle/10283/3443, CC BY 4.0
    several         ROOT/utterances.csv (utterance, speaker, file, start_s, end_s, transcript,
                    corpus, expert_accuracy, age), the sound of a speaker in ROOT/FILE

Of each corpus some speakers are held out: nothing is trained on them, a graph is judged by them.
"""
import collections
import csv
import glob
import hashlib
import os
import re
import unicodedata

from utils.common.errors import UserError

# start_s, end_s: the part of `path` in which it is said; end_s None: to its end. text: small
# letters, apostrophes and single blanks. held_out: bool.
Spoken = collections.namedtuple("Spoken", "name speaker path start_s end_s text held_out")

HELD_OUT_SPEAKERS = 10              # of a corpus
# Of a table of several corpora: how their names there begin -> how many are held out.
TABLE_CORPORA = {"LibriSpeech": 10, "Common Voice": 8, "speechocean762": 12}
LEAST_ACCURACY = 5.0                # of ten, as experts heard it; below, another text is said
ADULT_YEARS = 18


def held_out_speakers(speakers, number):
    """The set of `number` of them that training leaves out: by a hash of the name, so always those.

    At most a tenth of them, and at least one of two or more.
    """
    ordered = sorted(set(speakers), key=lambda name: hashlib.md5(name.encode("utf-8")).digest())
    most = max(len(ordered) // 10, min(1, len(ordered) - 1))
    return set(ordered[:min(number, most)])


def plain_words(sentence):
    """A sentence in small letters, apostrophes and blanks; "" where it holds a number or a letter
    of another script, whose words nobody knows."""
    text = unicodedata.normalize("NFKD", sentence.replace("\u2019", "'")).lower()
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    if re.search(r"[^\W_a-z]", text):
        return ""
    return " ".join(re.findall(r"[a-z]+(?:'[a-z]+)*", text))


def librispeech(root):
    """[Spoken] of a folder with LibriSpeech's or one of its parts."""
    found = []
    for listed in sorted(glob.glob(os.path.join(glob.escape(root), "**", "*.trans.txt"),
                                   recursive=True)):
        for line in _lines_of(listed):
            name, _, text = line.partition(" ")
            path = os.path.join(os.path.dirname(listed), name + ".flac")
            if os.path.isfile(path):
                found.append(("ls-" + name, "ls-" + name.partition("-")[0], path, text))
    return _of_corpus(found, root, "LibriSpeech: SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt with "
                                   "its .flac files")


def common_voice(root):
    """[Spoken] of one language's folder of Common Voice (English)."""
    table, found = os.path.join(root, "validated.tsv"), []
    if os.path.isfile(table):
        for row in _rows_of(table, ("client_id", "path", "sentence"), "\t"):
            name = os.path.splitext(row["path"])[0]
            path = os.path.join(root, "clips", name + ".mp3")
            if os.path.isfile(path):
                speaker = "cv-" + row["client_id"][:12]
                found.append(("%s-%s" % (speaker, name.rpartition("_")[2]), speaker, path,
                              row["sentence"]))
    return _of_corpus(found, root, "Common Voice: validated.tsv and clips/*.mp3")


def vctk(root):
    """[Spoken] of VCTK 0.92 or 0.80."""
    found = []
    for listed in sorted(glob.glob(os.path.join(glob.escape(root), "txt", "*", "*.txt"))):
        speaker, name = listed.split(os.sep)[-2], os.path.splitext(os.path.basename(listed))[0]
        paths = [os.path.join(root, "wav48_silence_trimmed", speaker, name + "_mic1.flac"),
                 os.path.join(root, "wav48", speaker, name + ".wav")]
        path = next(filter(os.path.isfile, paths), None)
        if path is not None:
            found.append(("vctk-" + name.replace("_", "-"), "vctk-" + speaker, path,
                          " ".join(_lines_of(listed))))
    return _of_corpus(found, root, "VCTK: txt/p225/p225_001.txt and "
                                   "wav48_silence_trimmed/p225/p225_001_mic1.flac")


def table_of_speakers(root):
    """[Spoken] of a folder with utterances.csv, whose files hold a speaker's utterances in a row.

    What experts heard as less than LEAST_ACCURACY is left out; only adults are held out.
    """
    path = os.path.join(root, "utterances.csv")
    if not os.path.isfile(path):
        raise UserError("%s holds no utterances.csv" % root)
    of_corpora = collections.defaultdict(list)
    for row in _rows_of(path, ("utterance", "speaker", "file", "start_s", "end_s", "transcript",
                               "corpus", "expert_accuracy", "age")):
        corpus = next((name for name in TABLE_CORPORA if row["corpus"].startswith(name)), None)
        if corpus is None:
            raise UserError("%s: corpus %r is none of %s" % (
                path, row["corpus"], ", ".join(sorted(TABLE_CORPORA))))
        if float(row["expert_accuracy"] or LEAST_ACCURACY) >= LEAST_ACCURACY:
            of_corpora[corpus].append(row)
    spoken = []
    for corpus, rows in sorted(of_corpora.items()):
        held_out = held_out_speakers([row["speaker"] for row in rows if not row["age"].isdigit()
                                      or int(row["age"]) >= ADULT_YEARS],
                                     TABLE_CORPORA[corpus])
        for row in rows:
            name = "%s-%s" % (row["speaker"], row["utterance"].partition("-")[2])
            spoken.append(Spoken(
                name, row["speaker"], os.path.join(root, row["file"]), float(row["start_s"]),
                float(row["end_s"]), plain_words(row["transcript"]), row["speaker"] in held_out))
    return [one for one in spoken if one.text]


def _of_corpus(found, root, expected):
    """[Spoken] of [(name, speaker, path, sentence)], each a file of its own."""
    if not found:
        raise UserError("%s holds nothing of %s; name the unpacked folder" % (root, expected))
    held_out = held_out_speakers([speaker for _, speaker, _, _ in found], HELD_OUT_SPEAKERS)
    spoken = [Spoken(name, speaker, path, 0.0, None, plain_words(sentence), speaker in held_out)
              for name, speaker, path, sentence in found]
    return [one for one in spoken if one.text]


def _lines_of(path):
    with open(path, encoding="utf-8-sig") as stream:
        return [line.strip() for line in stream if line.strip()]


def _rows_of(path, columns, delimiter=","):
    """The rows of a table; UserError where one of `columns` is missing."""
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    with open(path, newline="", encoding="utf-8-sig") as stream:
        rows = csv.DictReader(stream, delimiter=delimiter, quoting=quoting)
        missing = [name for name in columns if name not in (rows.fieldnames or ())]
        if missing:
            raise UserError("%s has no column %s" % (path, ", ".join(missing)))
        return list(rows)
