"""The speech that the embedded acoustic graph is trained on.

Minute-long streams of speech from many synthetic voices, and of real speech whose phone times are
known, augmented the way recordings are (room, noise, band limits, level, digital silence), as MFCCs
with a letter and a phone for each frame. Texts, voices and augmentation are drawn from the stream's
own seed, so that a corpus can be made in parallel and again.
"""
import collections
import glob
import multiprocessing
import os
import re
import time

import numpy as np

from utils.acoustic_training.letter_alignment import letter_frames
from utils.common.constants import (BLANK_INDEX, MFCC_STEP_SAMPLES, MFCC_WINDOW_SAMPLES,
                                    SAMPLE_RATE_HZ)
from utils.common.errors import UserError
from utils.common.files import written_aside
from utils.deepspeech.mfcc import mfcc_of_samples
from utils.speech.aligned import ALIGNED_SPEED_PERCENT, played
from utils.speech.augmentation import as_int16_gives, augment, background
from utils.speech.phones import PHONES, SILENCE
from utils.speech.synthesis import ENGINE_SHARES, HELD_OUT_VOICES, list_voices, synthesise
from utils.speech.texts import sentences, word_list

STREAM_VERSIONS = 6
MOST_ALIGNED_MINUTES = 500.0        # of a folder's versions together, unless more are asked for


def make_speech(folder, num_streams, aligned_folders=()):
    """Minute-long streams of speech in `folder`, made by all processors.

    num_streams: of synthetic voices. Speech in aligned_folders is augmented anew for each use, in
    streams of its own for each: "FOLDER=MINUTES" so many, "FOLDER" up to STREAM_VERSIONS times
    as many as there are minutes.
    """
    from utils.speech.aligned import aligned_minutes, aligned_recordings
    tasks = [(seed, os.path.join(folder, "stream-%05d.npz" % seed), ())
             for seed in range(num_streams)]
    for given in aligned_folders:
        aligned, minutes = folder_and_minutes(given)
        paths = tuple(aligned_recordings(aligned))
        name = os.path.basename(os.path.abspath(aligned))
        if minutes is None:
            length = aligned_minutes(paths)
            minutes = min(STREAM_VERSIONS * length, max(length, MOST_ALIGNED_MINUTES))
        tasks += [(seed, os.path.join(folder, "stream-%s-%05d.npz" % (name, seed)), paths)
                  for seed in range(int(minutes))]
    # In the order of seeds, so that what is made of a part holds some of everything.
    tasks.sort()
    started_s = time.time()
    with multiprocessing.Pool() as pool:
        for number, _ in enumerate(pool.imap_unordered(write_stream, tasks), 1):
            if number % 20 == 0 or number == len(tasks):
                print("speech: %d of %d minutes made, %.0f s" % (number, len(tasks),
                                                                time.time() - started_s))


def folder_and_minutes(given):
    """(folder, minutes or None) of "FOLDER=MINUTES" or "FOLDER"."""
    folder, _, minutes = given.rpartition("=")
    if not folder:
        return given, None
    try:
        return folder, float(minutes)
    except ValueError:
        raise UserError("--aligned %s: give FOLDER=MINUTES, such as training/aligned=500" % given)


STREAM_FRAMES = 3000                # one minute

Take = collections.namedtuple("Take", "samples letters phones")     # frames: class per frame


def spoken(text, voice, speed, pitch):
    """A Take of one sentence; commas make pauses and are no letters."""
    return take_of(synthesise(text, voice, speed, pitch))


def take_of(utterance):
    """A Take; letters of words that are called by their phones (/B_AO_N/) are unknown."""
    words = [(re.sub("[^a-z' ]", "", "" if word.startswith("/") else word.lower()), start_s, end_s)
             for word, start_s, end_s in utterance.words]
    num_frames = max(0, 1 + (len(utterance.samples) - MFCC_WINDOW_SAMPLES) // MFCC_STEP_SAMPLES)
    samples = utterance.samples[:num_frames * MFCC_STEP_SAMPLES]
    return Take(samples, letter_frames(words, utterance.phones, num_frames),
                phone_frames(utterance.phones, num_frames))


def phone_frames(phones, num_frames):
    """Class in PHONES of each of `num_frames` MFCC frames, int8: the phone at its middle."""
    middles_s = (np.arange(num_frames) * MFCC_STEP_SAMPLES + MFCC_WINDOW_SAMPLES / 2.0) \
        / SAMPLE_RATE_HZ
    ends_s = np.array([end_s for _, _, end_s in phones])
    classes = np.array([PHONES.index(phone) for phone, _, _ in phones], np.int8)
    return classes[np.minimum(np.searchsorted(ends_s, middles_s, side="right"), len(ends_s) - 1)]


class StreamMaker(object):
    """Makes streams of what _recording gives, a Take at a time."""

    def stream(self, seed):
        """(MFCCs float32 [3000, 26], letters int8 [3000], phones int8 [3000]) of one minute."""
        random = np.random.RandomState(seed)
        num_samples = (STREAM_FRAMES - 1) * MFCC_STEP_SAMPLES + MFCC_WINDOW_SAMPLES
        parts, num_frames = [], 0
        while num_frames < STREAM_FRAMES + 2:
            part = self._recording(random)
            parts.append(part)
            num_frames += len(part.letters)
        samples = np.concatenate([part.samples for part in parts])[:num_samples]
        letters = np.concatenate([part.letters for part in parts])[:STREAM_FRAMES]
        phones = np.concatenate([part.phones for part in parts])[:STREAM_FRAMES]
        return mfcc_of_samples(samples).astype(np.float32), letters, phones


class AlignedStreamMaker(StreamMaker):
    """Streams of real recordings, the paths of aligned_recordings."""

    def __init__(self, paths):
        self.paths = paths

    def _recording(self, random):
        """One to three recordings that stand side by side, so of one speaker, in one room."""
        first = random.randint(len(self.paths))
        speed_percent = random.randint(*ALIGNED_SPEED_PERCENT)
        takes = [_silent_take(random.randint(0, 30))]
        for path in self.paths[first:first + random.randint(1, 4)]:
            takes += [take_of(played(path, speed_percent)),
                      _silent_take(random.randint(3, 40))]
        take = _joined(takes)
        return take._replace(samples=augment(random, take.samples))


class SyntheticStreamMaker(StreamMaker):
    """Holds the texts and voices that streams are drawn from."""

    def __init__(self):
        self.sentences, _ = sentences()
        self.words = word_list()
        self.voices = {}
        for voice in list_voices():
            if voice not in HELD_OUT_VOICES:
                self.voices.setdefault(voice.partition(":")[0], []).append(voice)
        missing = [engine for engine in ENGINE_SHARES if engine not in self.voices]
        if missing:
            raise UserError("no voices of %s on this machine; install the Debian packages that "
                            "utils/speech/synthesis.py names" % ", ".join(missing))

    def _recording(self, random):
        """One to three sentences of a voice in one room, or a stretch without speech."""
        if random.rand() < 0.12:
            num_frames = random.randint(50, 250)
            take = _silent_take(num_frames)
            samples = background(random, len(take.samples)) * 10 ** random.uniform(-4.5, -1.2)
            if random.rand() < 0.3:
                samples = np.zeros_like(samples)
            return take._replace(samples=as_int16_gives(samples))
        engines = sorted(ENGINE_SHARES)
        shares = np.array([ENGINE_SHARES[engine] for engine in engines])
        voices = self.voices[engines[random.choice(len(engines), p=shares)]]
        voice = voices[random.randint(len(voices))]
        speed, pitch = np.exp(random.uniform(-0.2, 0.5)), np.exp(random.uniform(-0.18, 0.18))
        takes = [_silent_take(random.randint(0, 30))]
        for _ in range(random.randint(1, 4)):
            takes.append(spoken(self._text(random), voice, speed, pitch))
            takes.append(_silent_take(random.randint(3, 40)))
        take = _joined(takes)
        return take._replace(samples=augment(random, take.samples))

    def _text(self, random):
        if random.rand() < 0.25:        # every sound beside every other
            chosen = random.randint(len(self.words), size=random.randint(3, 8))
            return " ".join(self.words[i] for i in chosen)
        return self.sentences[random.randint(len(self.sentences))]


def _joined(takes):
    return Take(*(np.concatenate([getattr(take, field) for take in takes])
                  for field in Take._fields))


def _silent_take(num_frames):
    return Take(np.zeros(num_frames * MFCC_STEP_SAMPLES, np.float32),
                np.full(num_frames, BLANK_INDEX, np.int8),
                np.full(num_frames, PHONES.index(SILENCE), np.int8))


_MAKERS = {}


def write_stream(task):
    """Make a stream and write it to `path`, unless it stands there.

    task: (seed, path, paths of aligned recordings to make it of, or () for synthetic voices).
    """
    seed, path, aligned = task
    if not os.path.isfile(path):
        if aligned not in _MAKERS:
            _MAKERS[aligned] = AlignedStreamMaker(aligned) if aligned else SyntheticStreamMaker()
        mfccs, letters, phones = _MAKERS[aligned].stream(seed)
        with written_aside(path) as aside:
            np.savez(aside, mfccs=mfccs, letters=letters, phones=phones)
    return path


def load_streams(folder):
    """(MFCCs [n, 3000, 26], letters [n, 3000], phones [n, 3000]) of all streams in a folder."""
    paths = sorted(glob.glob(os.path.join(folder, "stream-*.npz")))
    columns = {"mfccs": [], "letters": [], "phones": []}
    for path in paths:
        with np.load(path) as stream:
            for name, column in columns.items():
                column.append(stream[name])
    return tuple(np.stack(columns[name]) for name in ("mfccs", "letters", "phones"))
