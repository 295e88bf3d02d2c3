"""Make audio/test_sentence.wav, the sentence that the demo speaks.

    python -m audio.make_test_sentence

Needs the Debian package libflite1 (voice slt). The same input gives the same file.
"""
import os

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))

from utils.common.constants import SAMPLE_RATE_HZ
from utils.common.errors import run_script
from utils.media.audio import write_wav
from utils.speech.synthesis import synthesise

# Lips that shut (p b m), round (oo, w, sh) and open (a), teeth on the lip (f v), and a pause.
PHRASES = ("Poppy, my father, bought a big blue boat.",
           "Now we move over warm water, and she waves.")
VOICE = "flite:slt"
PAUSE_S = 0.7
PEAK = 0.7


def main():
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    first, second = (synthesise(phrase, VOICE, speed=1.05).samples for phrase in PHRASES)
    samples = np.concatenate([first, pause, second])
    path = os.path.join(FOLDER, "test_sentence.wav")
    write_wav(path, samples * (PEAK / np.abs(samples).max()))
    print("wrote %s: %.1f s of %s" % (path, len(samples) / float(SAMPLE_RATE_HZ), VOICE))


if __name__ == "__main__":
    run_script(main)
