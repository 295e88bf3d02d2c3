"""Closures in French and in Spanish: two telephone voices, 8 kHz, that nothing learnt from.

    apt-get download asterisk-prompt-fr-armelle asterisk-prompt-es-co
    dpkg -x asterisk-prompt-fr-armelle_*.deb FOLDER; dpkg -x asterisk-prompt-es-co_*.deb FOLDER
    pip install pocketsphinx==5.0.4
    python -m tests.measure.prompts --sounds FOLDER

Their texts are those of Debian's asterisk-core-sounds-fr and -es: prompts of the same name say the
same, unless the text does not fit the sound. Phone times are those of ds_graph/align_speech.py.
Prints closures, the share of p b m at which the lips meet, and false, the same on open vowels
(tests/measure/default_checkpoint.py).
"""
import argparse
import os

import numpy as np

from tests.measure.real_clips import face_of, print_table
from utils.acoustic_training.aligner import Aligner, times_that_fit
from utils.acoustic_training.recorded_speech import prompt_texts
from utils.animation.animator import SpeechAnimator
from utils.common.channels import mouth_opening
from utils.common.constants import (ANIMATION_FPS, DEFAULT_CHECKPOINT, DEFAULT_GRAPH,
                                    SAMPLE_RATE_HZ)
from utils.common.errors import UserError, print_warning, run_script
from utils.formats.timings import Timings
from utils.media.audio import read_audio
from utils.scoring import metrics
from utils.scoring.phone_spans import bilabial_spans, open_spans

VOICES = (("French", "fr"), ("Spanish", "es"))
SOUNDS = os.path.join("usr", "share", "asterisk", "sounds")         # in the packages
BETWEEN_S = 0.5


def spoken(folder, language):
    """(samples, Timings, number of prompts) of a voice's prompts, one after the other."""
    aligner, pieces, phones, at_s, number = Aligner(), [], [], 0.0, 0
    for name, text in prompt_texts(language):
        path = os.path.join(folder, SOUNDS, language, name + ".gsm")
        try:
            samples = read_audio(path) if os.path.isfile(path) else ()
        except UserError as error:              # one of the Spanish files is no GSM
            print_warning(error)
            continue
        times = times_that_fit(aligner, samples, text, language)
        if times is None:
            continue
        phones += [(phone, at_s + start_s, at_s + end_s) for phone, start_s, end_s in times[1]]
        pieces += [samples, np.zeros(int(BETWEEN_S * SAMPLE_RATE_HZ), np.float32)]
        at_s, number = sum(map(len, pieces)) / float(SAMPLE_RATE_HZ), number + 1
    if not pieces:
        raise UserError("%s holds no prompts in %s whose texts are known" % (folder, language))
    return np.concatenate(pieces), Timings(phones, []), number


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", required=True, metavar="FOLDER")
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    parser.add_argument("--graph", default=DEFAULT_GRAPH)
    args = parser.parse_args()
    animator, rows = SpeechAnimator(args.checkpoint, args.graph), []
    for name, language in VOICES:
        samples, timings, number = spoken(args.sounds, language)
        face = face_of(animator, samples)
        opening = mouth_opening(face.weights, face.names)
        (closed, num_closed), (false, num_open) = [
            metrics.closed_share(opening, spans, ANIMATION_FPS)
            for spans in (bilabial_spans(timings), open_spans(timings))]
        rows.append([name, str(number), str(num_closed), closed, str(num_open), false])
    print_table(("voice", "prompts", "p b m", "closures", "open vowels", "false"), rows)


if __name__ == "__main__":
    run_script(main)
