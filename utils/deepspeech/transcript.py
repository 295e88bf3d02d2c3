"""Words with their times, by the deepspeech 0.5.0 package from the graph's .pb.

The package runs in a process of its own: with TensorFlow imported before it, it aborts. It
exists for Python 3.6 and 3.7 only, and reads no .tflite; where it or a .pb is absent,
TranscriptUnavailable says so and the caller goes on without a transcript.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

from utils.common.constants import (ACOUSTIC_FPS, CONTEXT_FRAMES, MFCC_COEFFICIENTS, NUM_LETTERS,
                                    REPOSITORY, SAMPLE_RATE_HZ)
from utils.common.files import written_aside
from utils.common.pcm import to_int16

PACKAGE = "deepspeech==0.5.0"
BEAM_WIDTH = 500                    # the package's own default
# The package reports a failing run only here, and returns an empty text.
SILENT_FAILURE = "Error running session"
PIPE_BLOCK_BYTES = 1 << 16


class TranscriptUnavailable(Exception):
    """There can be no transcript here; the message says why, in one line."""


def transcribe(graph_pb_path, alphabet_path, audio):
    """What is said, word by word.

    Args:
      graph_pb_path: output_graph.pb of DeepSpeech 0.5.0's signature.
      alphabet_path: the alphabet.txt beside it.
      audio: an iterable of blocks, float [any] in [-1, 1) at 16 kHz; or the path of a sound
        file.
    Returns:
      a list of (word, start_s, end_s), to the 20 ms step of a word's first and last letter.
      No letter is known better than that, and a network trained with CTC places them at
      will, mostly late. Without a language model words are spelt as heard.
    Raises:
      TranscriptUnavailable.
    """
    _check_files(graph_pb_path, alphabet_path)
    if isinstance(audio, str):
        from utils.media.audio import open_audio      # brings ffmpeg, which blocks do not need
        audio = open_audio(audio).blocks()
    command = [sys.executable, "-m", "utils.deepspeech.transcript", os.path.abspath(graph_pb_path),
               os.path.abspath(alphabet_path)]
    # Complaints and result go to files: a full pipe would stop both processes.
    with tempfile.TemporaryFile() as complaints, tempfile.TemporaryFile() as result:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE,
                                   stdout=result, stderr=complaints)
        is_sent = False
        try:
            _send(audio, process.stdin)
            is_sent = True
        finally:
            if not is_sent:                     # the audio failed: nothing to wait for
                process.kill()
            exit_status = process.wait()
        complaints.seek(0)
        said = complaints.read().decode("utf-8", "replace")
        result.seek(0)
        lines = result.read().decode("utf-8").splitlines()
    if SILENT_FAILURE in said:
        raise TranscriptUnavailable("the deepspeech package cannot run %s: %s"
                                    % (graph_pb_path, _around(said, SILENT_FAILURE)))
    if exit_status or not lines:
        raise TranscriptUnavailable(_last_line(said) or "the deepspeech package ended with "
                                    "status %d on %s" % (exit_status, graph_pb_path))
    return words_of_letters(json.loads(lines[-1]))


def files_for_transcript(acoustic_graph_path):
    """(output_graph.pb, alphabet.txt) in the folder of a graph, whichever container that is.

    They need not exist: transcribe() checks.
    """
    folder = os.path.dirname(acoustic_graph_path)
    return os.path.join(folder, "output_graph.pb"), os.path.join(folder, "alphabet.txt")


def words_of_letters(letters):
    """[(word, start_s, end_s)] from [(letter, step)], one step every 20 ms."""
    words = []
    within_word = False
    for letter, step in letters:
        if letter == " ":
            within_word = False
            continue
        if not within_word:
            words.append(("", step, step))
        word, start_step, end_step = words[-1]
        # The decoder's steps may go back a little where it is unsure.
        words[-1] = (word + letter, min(start_step, step), max(end_step, step + 1))
        within_word = True
    return [(word, start / ACOUSTIC_FPS, end / ACOUSTIC_FPS) for word, start, end in words]


def read_alphabet(path):
    """The letters of an alphabet.txt, in the order of the network's classes, blank left out."""
    with open(path, encoding="utf-8") as stream:
        lines = [line.rstrip("\r\n") for line in stream]
    # '#' begins a comment, '\\#' is the letter.
    return [line.lstrip("\\") if line.startswith("\\#") else line
            for line in lines if not line.startswith("#")]


def _check_files(graph_pb_path, alphabet_path):
    for path in (graph_pb_path, alphabet_path):
        if not os.path.isfile(path):
            raise TranscriptUnavailable("%s is not there: the deepspeech package needs "
                                        "output_graph.pb and alphabet.txt" % path)
    num_letters = len(read_alphabet(alphabet_path)) + 1         # and the blank
    if num_letters != NUM_LETTERS:
        # The package would take it and garble the text.
        raise TranscriptUnavailable("%s gives %d classes with the blank, expected %d"
                                    % (alphabet_path, num_letters, NUM_LETTERS))


def _send(audio, pipe):
    """Write the blocks as int16; a process that ended early says why on its own stderr."""
    try:
        with pipe:
            for block in audio:
                pipe.write(to_int16(block).astype("<i2").tobytes())
    except BrokenPipeError:
        pass


def _around(text, part):
    return next(line.strip() for line in text.splitlines() if part in line)


def _last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


# The other process

def main(graph_pb_path, alphabet_path):
    """PCM on stdin -> the letters and their steps on stdout, as the last line, JSON."""
    try:
        import deepspeech
    except ImportError:
        sys.exit("a transcript needs the package %s, which exists for Python 3.6 and 3.7; this "
                 "is Python %d.%d without it" % ((PACKAGE,) + sys.version_info[:2]))
    try:
        model = deepspeech.Model(graph_pb_path, MFCC_COEFFICIENTS, CONTEXT_FRAMES,
                                 alphabet_path, BEAM_WIDTH)
    except RuntimeError as error:
        sys.exit("the deepspeech package cannot load %s: %s" % (graph_pb_path, error))
    stream = model.setupStream(sample_rate=SAMPLE_RATE_HZ)
    for block in iter(lambda: sys.stdin.buffer.read(PIPE_BLOCK_BYTES), b""):
        model.feedAudioContent(stream, np.frombuffer(block, "<i2"))
    metadata = model.finishStreamWithMetadata(stream)
    letters = [(item.character, item.timestep)
               for item in (metadata.items[i] for i in range(metadata.num_items))]
    print(json.dumps(letters))


if __name__ == "__main__":
    main(*sys.argv[1:])


def write_transcript(path, words):
    """`words` [(word, start_s, end_s)] as CSV with a header."""
    with written_aside(path) as aside, open(aside, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["word", "start_s", "end_s"])
        writer.writerows([word, "%.2f" % start_s, "%.2f" % end_s] for word, start_s, end_s in words)
