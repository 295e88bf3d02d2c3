"""The speech that the embedded acoustic graph is trained on.

Minute-long streams of speech from many synthetic voices, and of real speech whose phone times are
known, spoiled the way recordings are (room, noise, band limits, level, digital silence), as MFCCs
with a letter and a phone for each frame. Texts, voices and spoiling are drawn from the stream's
own seed, so that a corpus can be made in parallel and again.
"""
import collections
import glob
import os
import re

import numpy as np
import scipy.io.wavfile
import scipy.signal

from ds_graph.letter_alignment import letter_frames
from utils.constants import (BLANK_INDEX, INT16_SCALE, MFCC_STEP_SAMPLES, MFCC_WINDOW_SAMPLES,
                             SAMPLE_RATE_HZ)
from utils.errors import UserError
from utils.files import written_aside
from utils.mfcc import mfcc_of_samples
from utils.speech_synthesis import PHONES, SILENCE, Utterance, list_voices, synthesise
from utils.timings import read_timings

STREAM_FRAMES = 3000                # one minute
FORTUNES_FOLDER = "/usr/share/games/fortunes"       # Debian packages fortunes, fortunes-min
FORTUNE_TOPICS = ("computers cookie definitions education food fortunes humorists kids law linux "
                  "literature love magic medicine miscellaneous people pets platitudes politics "
                  "riddles science songs-poems sports startrek tao wisdom work").split()
WORD_LIST = "/usr/share/dict/words"                 # Debian package wamerican

# Never in the training streams: what the error rates are measured on.
HELD_OUT_VOICES = ("festival:ked", "espeak:en-us+f5", "espeak:en-gb-scotland+m7")
HELD_OUT_EVERY = 20                 # one sentence in so many is kept for measuring

# How often each engine's voices speak. espeak-ng has many voices, all of one formant model.
ENGINE_SHARES = {"flite": 0.5, "festival": 0.14, "espeak": 0.36}

ALIGNED_SPEED_PERCENT = (90, 112)   # of real recordings

Take = collections.namedtuple("Take", "samples letters phones")     # frames: class per frame


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


def aligned_recordings(folder):
    """Paths of the .wav files in `folder` that have their words and phones beside them (.csv).

    Raises UserError where there are none.
    """
    paths = [path for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*.wav")))
             if os.path.isfile(path[:-len(".wav")] + ".csv")]
    if not paths:
        raise UserError("%s holds no NAME.wav with its NAME.csv of word and phone times; make "
                        "them by ds_graph/align_speech.py" % folder)
    return paths


def aligned_minutes(paths):
    return sum(len(_aligned_levels(path)) for path in paths) / float(SAMPLE_RATE_HZ) / 60.0


def _aligned_levels(path):
    """int16 [num_samples], not read before it is used, of a .wav as align_speech.py writes it; for
    thousands of short ones the start of ffmpeg, which reads any other file, is most of the work."""
    try:
        rate_hz, levels = scipy.io.wavfile.read(path, mmap=True)
        fits = rate_hz == SAMPLE_RATE_HZ and levels.dtype == np.int16 and levels.ndim == 1
    except ValueError:
        fits = False
    if not fits:
        raise UserError("%s is no 16-bit mono .wav of %d Hz; make it by ds_graph/align_speech.py"
                        % (path, SAMPLE_RATE_HZ))
    return levels


def played(path, speed_percent):
    """The Utterance of an aligned recording, played at another speed (and so pitch)."""
    timings = read_timings(path[:-len(".wav")] + ".csv")
    samples = _aligned_levels(path) / np.float32(INT16_SCALE)
    samples = scipy.signal.resample_poly(samples, 100, speed_percent)
    faster = speed_percent / 100.0
    words, phones = ([(symbol, start_s / faster, end_s / faster)
                      for symbol, start_s, end_s in entries]
                     for entries in (timings.words, timings.phones))
    return Utterance(samples.astype(np.float32), words, [
        (phone if phone in PHONES else SILENCE, start_s, end_s)
        for phone, start_s, end_s in phones])


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
        return take._replace(samples=spoil(random, take.samples))


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
                            "utils/speech_synthesis.py names" % ", ".join(missing))

    def _recording(self, random):
        """One to three sentences of a voice in one room, or a stretch without speech."""
        if random.rand() < 0.12:
            num_frames = random.randint(50, 250)
            take = _silent_take(num_frames)
            samples = background(random, len(take.samples)) * 10 ** random.uniform(-4.5, -1.2)
            if random.rand() < 0.3:
                samples = np.zeros_like(samples)
            return take._replace(samples=_as_int16(samples))
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
        return take._replace(samples=spoil(random, take.samples))

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


def spoil(random, samples):
    """What a room, a microphone, a background and a codec make of clean speech."""
    spoiled = samples.astype(np.float64)
    gap = spoiled == 0.0
    if random.rand() < 0.45:
        spoiled = _in_a_room(random, spoiled)
    if random.rand() < 0.8:
        spoiled = _filtered(random, spoiled)
    level = 10 ** random.uniform(-2.0, -0.55)
    spoiled *= level / (np.sqrt(np.mean(spoiled ** 2)) * 3.0 + 1e-9)
    if random.rand() < 0.7:
        noise = (_babble(random, spoiled) if random.rand() < 0.15
                 else background(random, len(spoiled)))
        snr = 10 ** (random.uniform(5.0, 45.0) / 20.0)
        spoiled += noise * np.sqrt(np.mean(spoiled ** 2)) / snr
    elif random.rand() < 0.5:
        spoiled[gap] = 0.0              # digital silence between sentences
    if random.rand() < 0.05:
        spoiled *= random.uniform(2.0, 8.0)     # clipped below
    return _as_int16(spoiled)


def _as_int16(samples):
    rounded = np.clip(np.round(samples * INT16_SCALE), -INT16_SCALE, INT16_SCALE - 1)
    return (rounded / INT16_SCALE).astype(np.float32)


def _in_a_room(random, samples):
    """Reverberation: exponentially decaying noise after the direct sound."""
    decay_s = random.uniform(0.1, 0.7)
    num_taps = int(decay_s * SAMPLE_RATE_HZ)
    response = random.randn(num_taps) * 10 ** (-3.0 * np.arange(num_taps) / num_taps)
    response[:int(random.uniform(0.001, 0.01) * SAMPLE_RATE_HZ)] = 0.0
    response *= 10 ** (random.uniform(-18.0, -3.0) / 20.0) / np.sqrt(np.sum(response ** 2))
    response[0] = 1.0
    return scipy.signal.fftconvolve(samples, response)[:len(samples)]


def _filtered(random, samples):
    """A smooth random frequency curve of +-10 dB; sometimes the band of a telephone or less."""
    length = _fast_length(len(samples))
    spectrum = np.fft.rfft(samples, length)
    frequency_hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2.0, len(spectrum))
    knots_hz = np.array([0, 100, 200, 400, 800, 1600, 3200, 5600, 8000.0])
    gain_db = np.interp(frequency_hz, knots_hz, np.clip(np.cumsum(random.randn(9) * 3.0), -12, 12))
    if random.rand() < 0.3:
        low_hz, high_hz = random.uniform(60, 350), random.uniform(2600, 7000)
        gain_db -= 24.0 * np.log2(np.maximum(low_hz / np.maximum(frequency_hz, 20.0), 1.0))
        gain_db -= 24.0 * np.log2(np.maximum(frequency_hz / high_hz, 1.0))
    return np.fft.irfft(spectrum * 10 ** (gain_db / 20.0), length)[:len(samples)]


def _fast_length(num_samples):
    """A length a little above, of small prime factors, that the FFT is quick at."""
    block = 1 << max(8, int(num_samples).bit_length() - 4)
    return -(-num_samples // block) * block


def background(random, num_samples):
    """Background of unit level: coloured noise, steady or swelling, at times with hum."""
    spectrum = np.fft.rfft(random.randn(_fast_length(num_samples)))
    frequency_hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2.0, len(spectrum))
    slope = random.uniform(0.0, 1.2)            # 0 white, 0.5 pink, 1 brown
    spectrum *= np.maximum(frequency_hz, 40.0) ** -slope
    noise = np.fft.irfft(spectrum)[:num_samples]
    times_s = np.arange(num_samples) / float(SAMPLE_RATE_HZ)
    kind = random.rand()
    if kind < 0.25:                             # swelling, as breath, wind and traffic do
        noise *= 1.05 + np.sin(2 * np.pi * (random.uniform(0.2, 3.0) * times_s + random.rand()))
    elif kind < 0.4:                            # clicks and knocks
        envelope = np.zeros(num_samples)
        envelope[random.randint(num_samples, size=1 + num_samples // 16000)] = 1.0
        decay = np.exp(-np.arange(1600) / random.uniform(40.0, 500.0))
        noise = noise * (0.03 + scipy.signal.fftconvolve(envelope, decay)[:num_samples])
    noise /= np.sqrt(np.mean(noise ** 2)) + 1e-12
    if random.rand() < 0.15:                    # mains hum or a whine
        pitch_hz = random.choice([50.0, 60.0, random.uniform(100.0, 3000.0)])
        for harmonic in range(1, 4):
            noise += random.rand() * np.sin(2 * np.pi * pitch_hz * harmonic * times_s)
        noise /= np.sqrt(np.mean(noise ** 2))
    return noise


def _babble(random, samples):
    """Unintelligible voices of unit level: the recording itself, backwards, several times over."""
    total = np.zeros(len(samples))
    for _ in range(random.randint(2, 6)):
        total += np.roll(samples[::-1], random.randint(len(samples)))
    return total / (np.sqrt(np.mean(total ** 2)) + 1e-9)


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
