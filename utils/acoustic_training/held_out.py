"""How a network hears speakers whom it never learns from: letters, phones and closures.

Folders as utils/acoustic_training/aligned_corpus.py writes them: NAME.wav, NAME.txt (what is said)
and, where that could be aligned, NAME.csv. A name begins with its corpus: "ls-103-1240-0000".
"""
import collections
import glob
import os

import numpy as np

from utils.acoustic_training.letter_alignment import PHONE_LETTERS, frame_of_time, text_of_frames
from utils.acoustic_training.streams import phone_frames
from utils.common.constants import ALPHABET, BLANK_INDEX
from utils.common.errors import UserError
from utils.deepspeech.mfcc import mfcc_of_samples
from utils.media.audio import read_audio
from utils.speech.aligned import played

MOST_OF_A_SPEAKER = 5               # utterances, so that none counts for more than the others
CLOSED_LETTERS, CLOSED_PHONES = "pbm", ("P", "B", "M")
OPEN_PHONES = ("AA", "AE", "AH", "AO", "AY", "AW", "EH", "EY", "OW")

# samples: float32 at 16 kHz. mfccs: float32 [n, 26]. phones: (phone, start_s, end_s); classes:
# int8 [n] in PHONES; both None where there are no times.
HeldOut = collections.namedtuple("HeldOut", "corpus samples mfccs text phones classes")


def edit_distance(text, truth):
    """The least number of letters to insert, delete or change."""
    row = np.arange(len(truth) + 1)
    places = np.arange(1, len(truth) + 1)
    truth = np.array(list(truth))
    for number, letter in enumerate(text, 1):
        best = np.minimum(row[1:] + 1, row[:-1] + (truth != letter)) if len(truth) else row[:0]
        # Insertions run along the row: the running minimum of what lies before, plus the way.
        best = np.minimum.accumulate(np.concatenate(([number], best - places)))
        row = best + np.concatenate(([0], places))
    return int(row[-1])


def held_out_speech(folders):
    """[HeldOut] of the utterances in `folders`, MOST_OF_A_SPEAKER of each speaker.

    Raises UserError where there are none.
    """
    found, of_speakers = [], collections.Counter()
    for folder in folders:
        for listed in sorted(glob.glob(os.path.join(glob.escape(folder), "*.txt"))):
            path = listed[:-len(".txt")]
            name = os.path.basename(path)
            speaker = "-".join(name.split("-")[:-1])
            of_speakers[speaker] += 1
            if of_speakers[speaker] > MOST_OF_A_SPEAKER:
                continue
            with open(listed, encoding="utf-8") as stream:
                text = stream.read().strip()
            samples = read_audio(path + ".wav")
            mfccs = mfcc_of_samples(samples).astype(np.float32)
            phones = classes = None
            if os.path.isfile(path + ".csv"):
                phones = played(path + ".wav", 100).phones
                classes = phone_frames(phones, len(mfccs))
            found.append(HeldOut(name.partition("-")[0], samples, mfccs, text, phones,
                                 classes))
    if not found:
        raise UserError("%s: no NAME.wav with NAME.txt of held-out speakers; make them by "
                        "ds_graph/align_speech.py" % ", ".join(folders))
    return found


def heard_right(utterances, logits):
    """{measure: value} of letter logits [n, 29] for each of `utterances`.

    cer CORPUS: letter errors of the likeliest letters, per letter said; cer: the mean of corpora.
    spelled: of how many phones the likeliest letter at their middle, blank and space aside, spells
    them; closed: of how many P, B, M it is p, b or m; closed_open: the same of open vowels.
    """
    errors, letters = collections.Counter(), collections.Counter()
    hits = collections.defaultdict(list)
    for utterance, scores in zip(utterances, logits):
        text = " ".join(text_of_frames(scores.argmax(1)).split())
        errors[utterance.corpus] += edit_distance(text, utterance.text)
        letters[utterance.corpus] += len(utterance.text)
        for phone, start_s, end_s in utterance.phones or ():
            middle = int(round(frame_of_time((start_s + end_s) / 2.0)))
            if phone not in PHONE_LETTERS or not 0 <= middle < len(scores):
                continue
            letter = ALPHABET[1 + int(np.argmax(scores[middle, 1:BLANK_INDEX]))]
            hits["spelled"].append(letter in "".join(PHONE_LETTERS[phone]))
            if phone in CLOSED_PHONES:
                hits["closed"].append(letter in CLOSED_LETTERS)
            if phone in OPEN_PHONES:
                hits["closed_open"].append(letter in CLOSED_LETTERS)
    measures = {"cer " + corpus: errors[corpus] / float(letters[corpus]) for corpus in letters}
    measures["cer"] = float(np.mean(list(measures.values())))
    measures.update((name, float(np.mean(values))) for name, values in hits.items())
    return measures
