"""Measure an acoustic graph: what it spells, where its letters stand, and what it says in silence.

    python -m tests.measure.acoustic_spelling                          # the embedded graph
    python -m tests.measure.acoustic_spelling --graph F/output_graph.pb --sentences 20
    python -m tests.measure.acoustic_spelling --aligned speech.wav speech.TextGrid

Speaks held-out sentences with held-out and other voices (the Debian packages that
make_deepspeech_mini.py names). `client` is the character error rate of the deepspeech 0.5.0
package without a language model ("-" where it is absent), `greedy` that of the most likely
letter of each frame. With --aligned, the same on a real recording whose words and phones are
known (Praat TextGrid with tiers "words" and "phones", ARPABET). Prints tables, writes nothing.
"""
import argparse
import os
import re

import numpy as np

from utils.acoustic_training.held_out import edit_distance
from utils.acoustic_training.letter_alignment import (PHONE_LETTERS, frame_of_time, letter_frames,
                                                      text_of_frames)
from utils.common.constants import (ACOUSTIC_FPS, ALPHABET, BLANK_INDEX, DEFAULT_GRAPH,
                                    SAMPLE_RATE_HZ)
from utils.common.errors import run_script
from utils.deepspeech.acoustic_graph import load_acoustic_graph
from utils.deepspeech.acoustic_stream import letter_probabilities
from utils.deepspeech.transcript import TranscriptUnavailable, files_for_transcript, transcribe
from utils.formats.timings import read_timings
from utils.media.audio import read_audio
from utils.scoring.phone_spans import BILABIALS
from utils.speech.phones import SILENCE
from utils.speech.synthesis import HELD_OUT_VOICES, list_voices, synthesise
from utils.speech.texts import sentences

OTHER_VOICES = ("flite:slt", "flite:rms", "flite:awb", "flite:kal16", "festival:slt-hts",
                "espeak:en-us", "espeak:en-gb-x-rp+f3")


def plain_text(words):
    """Words as the alphabet has them: a-z, apostrophe, single blanks."""
    return " ".join(re.sub("[^a-z' ]", "", " ".join(words).lower()).split())


def client_text(graph_path, samples):
    """What the deepspeech package makes of `samples`, None where there is none."""
    try:
        words = transcribe(*files_for_transcript(graph_path), audio=[samples])
    except TranscriptUnavailable:
        return None
    return " ".join(word for word, _, _ in words)


def evidence(probabilities, phones):
    """What the letters say of the phones [(phone, start_s, end_s)].

    Returns (hits, counted, bilabial): of how many phones' middle frames the most likely letter
    other than blank and space spells the phone; and [frames, 2], the summed probability of
    p, b, m beside 1 where the phone is P, B or M.
    """
    hits = counted = 0
    truth = np.zeros(len(probabilities))
    for phone, start_s, end_s in phones:
        middle = int(round(frame_of_time((start_s + end_s) / 2.0)))
        if phone not in PHONE_LETTERS or not 0 <= middle < len(probabilities):
            continue
        if phone in BILABIALS:
            first, last = (int(round(frame_of_time(t))) for t in (start_s, end_s))
            truth[max(first, 0):last + 1] = 1.0
        letter = ALPHABET[1 + int(np.argmax(probabilities[middle, 1:BLANK_INDEX]))]
        hits += letter in "".join(PHONE_LETTERS[phone])
        counted += 1
    columns = [ALPHABET.index(phone.lower()) for phone in BILABIALS]
    return hits, counted, np.stack([probabilities[:, columns].sum(1), truth], axis=1)


def lag_ms(bilabial):
    """(lag of the first column behind the second in ms, correlation there), within +-200 ms."""
    signal, truth = (column - column.mean() for column in bilabial.T)
    lags = np.arange(-10, 11)
    scale = np.sqrt(np.sum(signal ** 2) * np.sum(truth ** 2)) + 1e-12
    correlation = np.array([np.sum(np.roll(signal, -lag) * truth) for lag in lags]) / scale
    best = int(np.clip(np.argmax(correlation), 1, len(lags) - 2))
    left, middle, right = correlation[best - 1:best + 2]
    between = 0.5 * (left - right) / (left - 2.0 * middle + right)     # parabola's peak
    return (lags[best] + between) * 1000.0 / ACOUSTIC_FPS, middle


def row_of(name, cases, graph):
    """One line of the table for [(samples, words, phones)]."""
    letters = greedy_errors = client_errors = hits = counted = 0
    accuracy, bilabials, client_there = [], [], True
    for samples, words, phones in cases:
        probabilities = letter_probabilities(graph, samples)
        classes = probabilities.argmax(1)
        truth = plain_text(word for word, _, _ in words)
        letters += len(truth)
        greedy_errors += edit_distance(plain_text([text_of_frames(classes)]), truth)
        text = client_text(graph.path, samples) if client_there else None
        client_there = text is not None
        client_errors += edit_distance(text, truth) if client_there else 0
        frames = letter_frames([(plain_text([w]), a, b) for w, a, b in words if plain_text([w])],
                               phones, len(probabilities))
        accuracy.append(np.mean(classes == frames))
        new_hits, new_counted, bilabial = evidence(probabilities, phones)
        hits, counted = hits + new_hits, counted + new_counted
        bilabials.append(bilabial)
    lag, correlation = lag_ms(np.concatenate(bilabials))
    return "%-34s %6s  %6.3f  %6.3f  %6.3f  %+5.0f ms  %5.2f" % (
        name, "%.3f" % (client_errors / float(letters)) if client_there else "-",
        greedy_errors / float(letters), np.mean(accuracy), hits / float(counted), lag,
        correlation)


def aligned_case(audio_path, textgrid_path):
    """(samples, words, phones) of a real recording, phones in the set of speech_synthesis."""
    timings = read_timings(textgrid_path)
    phones = [(phone if phone in PHONE_LETTERS else SILENCE, start_s, end_s)
              for phone, start_s, end_s in timings.phones]
    words = [(word.lower(), start_s, end_s) for word, start_s, end_s in timings.words
             if re.match("[a-z]", word.lower())]
    return read_audio(audio_path), words, phones


def silence_rows(graph):
    """How sure the graph is of the blank where nobody speaks."""
    random = np.random.RandomState(0)
    num_samples = 5 * SAMPLE_RATE_HZ
    for name, samples in (("digital zero", np.zeros(num_samples)),
                          ("white noise, -70 dB", random.randn(num_samples) * 10 ** -3.5),
                          ("white noise, -40 dB", random.randn(num_samples) * 10 ** -2.0)):
        blank = letter_probabilities(graph, samples.astype(np.float32))[:, BLANK_INDEX]
        yield "%-34s %6.4f  %6.4f" % (name, blank.mean(), blank.min())


def get_parser(description, num_sentences):
    """The flags of the scripts that measure a graph."""
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", default=DEFAULT_GRAPH)
    parser.add_argument("--sentences", type=int, default=num_sentences,
                        help="spoken by each voice")
    parser.add_argument("--aligned", nargs=2, action="append", default=[],
                        metavar=("AUDIO", "TEXTGRID"))
    return parser


def main():
    arguments = get_parser(__doc__, 10).parse_args()
    graph = load_acoustic_graph(arguments.graph)
    print("%-34s p(blank): mean, least" % "silence")
    for row in silence_rows(graph):
        print(row)
    print("\n%-34s client  greedy  frames  phones  p b m lag, correlation" % "character errors")
    voices = list_voices()
    _, held_out = sentences()
    for number, voice in enumerate(HELD_OUT_VOICES + OTHER_VOICES):
        if voice not in voices:
            print("%-34s not on this machine" % voice)
            continue
        texts = np.random.RandomState(number).permutation(held_out)[:arguments.sentences]
        cases = [synthesise(text, voice) for text in texts]
        name = voice + (" (unheard)" if voice in HELD_OUT_VOICES else "")
        print(row_of(name, cases, graph), flush=True)
    for audio_path, textgrid_path in arguments.aligned:
        case = aligned_case(audio_path, textgrid_path)
        print(row_of(os.path.basename(audio_path), [case], graph))
        print(text_of_frames(letter_probabilities(graph, case[0]).argmax(1)))


if __name__ == "__main__":
    run_script(main)
