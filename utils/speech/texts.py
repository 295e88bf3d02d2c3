"""Sentences and words to speak, from Debian packages."""
import os
import re

from utils.common.errors import UserError

FORTUNES_FOLDER = "/usr/share/games/fortunes"       # Debian packages fortunes, fortunes-min
FORTUNE_TOPICS = ("computers cookie definitions education food fortunes humorists kids law linux "
                  "literature love magic medicine miscellaneous people pets platitudes politics "
                  "riddles science songs-poems sports startrek tao wisdom work").split()
WORD_LIST = "/usr/share/dict/words"                 # Debian package wamerican
HELD_OUT_EVERY = 20                 # one sentence in so many is kept for measuring


def sentences():
    """(training, held out) sentences: lists of strings of a-z, apostrophe, comma and blank."""
    if not os.path.isdir(FORTUNES_FOLDER) or not os.path.isfile(WORD_LIST):
        raise UserError("no text to speak: %s or %s is missing; install the Debian packages "
                        "fortunes, fortunes-min and wamerican" % (FORTUNES_FOLDER, WORD_LIST))
    with open(WORD_LIST, encoding="utf-8") as stream:
        known = {line.strip().lower() for line in stream}
    found = set()
    for topic in FORTUNE_TOPICS:
        path = os.path.join(FORTUNES_FOLDER, topic)
        if not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
        text = re.sub(r"(?m)^\s*--.*$", "\n\n", text)           # who said it
        for fortune in re.split(r"(?m)^%$", text):
            for clause in re.split(r"[.!?;:\"()\[\]]|--|\n\s*\n", fortune):
                clause = " ".join(clause.lower().replace("-", " ").split()).strip(" ,'")
                words = re.sub(",", "", clause).split()
                if 3 <= len(words) <= 16 and all(word in known for word in words):
                    found.add(clause)
    everything = sorted(found)
    held_out = everything[::HELD_OUT_EVERY]
    return sorted(found.difference(held_out)), held_out


def word_list():
    """The words of Debian's American English list that are plain a-z, 2 to 11 letters."""
    with open(WORD_LIST, encoding="utf-8") as stream:
        return sorted({line.strip() for line in stream if re.match("^[a-z]{2,11}$", line.strip())})
