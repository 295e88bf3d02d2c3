"""Subjects made from phone times: speech as recordings sound, and the face that speaks it.

Speech is synthesised from text, or real and aligned (ds_graph/align_speech.py). The labels always
come from the clean speech and its phone times; only the sound is augmented.
make_embedded_set.py and model/make_default_checkpoint.py use this.
"""
import os

import numpy as np
import scipy.signal

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.formats.live_link_csv import write_live_link_csv
from utils.media.audio import write_wav
from utils.media.loudness import loudness_envelope
from utils.speech.aligned import ALIGNED_SPEED_PERCENT, aligned_minutes, aligned_recordings, played
from utils.speech.augmentation import augment, background
from utils.speech.coarticulation import blendshapes_of_phones
from utils.speech.phones import SILENCE
from utils.speech.spontaneous import spontaneous
from utils.speech.synthesis import ENGINE_SHARES, HELD_OUT_VOICES, list_voices, synthesise
from utils.speech.texts import sentences, word_list

LEAD_S = 0.5                        # silence before the first sentence and after the last
SPEECH_RMS = 0.08                   # about -22 dBFS
STRESS_ENVELOPE_S = 0.10
# A real face follows its sound one frame later than the coarticulation model's phone times:
# measured on two speakers, captured and tracked.
LATER_FRAMES = 1
SUBJECT_S = 60.0                    # length of a subject of the larger corpus, about
RESTING_EVERY = 4                   # one subject in so many says nothing, of each source
BREATH_SHARE = 0.8                  # of the pauses
BREATH_FORMANTS_HZ = ((350, 900), (900, 1900), (2000, 3000), (3200, 4500))
WORDS_SHARE, SPONTANEOUS_SHARE = 0.25, 0.25     # of the texts: words without sense; uh, um, names
CLEAN_SHARE = 0.25                  # subjects whose sound is left as it was synthesised
SUBJECT_VERSIONS = 2
VALIDATION_VOICES = HELD_OUT_VOICES     # voices that the acoustic graph never met either


def speak_passage(texts, voice, speed, pitch, pauses_s):
    """`texts` one after the other with silence between.

    Args:
      texts: list of str; voice, speed, pitch: see utils.speech.synthesis.synthesise.
      pauses_s: seconds of silence after each text but the last.
    Returns:
      samples float32 [num_samples], SPEECH_RMS where there is speech; phones [(symbol, start_s,
      end_s)] over the whole of it.
    """
    return passage_of([synthesise(text, voice, speed, pitch) for text in texts], pauses_s)


def passage_of(utterances, pauses_s):
    """Utterances one after the other, as speak_passage gives them."""
    silences_s = list(pauses_s)[:len(utterances) - 1] + [LEAD_S]
    parts = [np.zeros(int(LEAD_S * SAMPLE_RATE_HZ), np.float32)]
    phones, at_samples = [(SILENCE, 0.0, LEAD_S)], len(parts[0])
    for utterance, silence_s in zip(utterances, silences_s):
        silence = np.zeros(int(silence_s * SAMPLE_RATE_HZ), np.float32)
        at_s = at_samples / float(SAMPLE_RATE_HZ)
        phones.extend((name, at_s + start_s, at_s + end_s)
                      for name, start_s, end_s in utterance.phones)
        at_samples += len(utterance.samples)
        spoken_s = at_samples / float(SAMPLE_RATE_HZ)
        at_samples += len(silence)
        phones.append((SILENCE, spoken_s, at_samples / float(SAMPLE_RATE_HZ)))
        parts += [utterance.samples, silence]
    samples = np.concatenate(parts)
    loud = samples[np.abs(samples) > 0.02 * np.abs(samples).max()]
    samples = samples * (SPEECH_RMS / np.sqrt(np.mean(loud ** 2)))
    return np.clip(samples, -0.99, 0.99).astype(np.float32), phones


def face_of_passage(samples, phones, seed):
    """Weights [frames, 52] in MODEL_CHANNELS order at ANIMATION_FPS for clean speech.

    LATER_FRAMES behind the phone times.
    """
    weights, _ = blendshapes_of_phones(
        phones, len(samples) / float(SAMPLE_RATE_HZ), ANIMATION_FPS,
        opening_gain=_stress_gain(samples), seed=seed)
    return weights[np.maximum(np.arange(len(weights)) - LATER_FRAMES, 0)]


def _stress_gain(samples):
    """[frames] 0.5 to 1.25: louder syllables open wider (relative to this speaker's loud ones)."""
    envelope = loudness_envelope(samples, STRESS_ENVELOPE_S)
    loud = max(np.percentile(envelope, 90), 1e-6)
    return np.clip(0.5 + 0.6 * envelope / loud, 0.5, 1.25)


def resting_passage(duration_s, random):
    """Digital zero, backgrounds of all levels and breaths: (samples float32, phones)."""
    samples = np.zeros(int(duration_s * SAMPLE_RATE_HZ))
    edges = np.sort(random.randint(0, len(samples), 9))
    for start, end in zip(edges[:-1], edges[1:]):
        if end > start:
            level = 10.0 ** (random.uniform(-80.0, -26.0) / 20.0)
            samples[start:end] = level * background(random, end - start)
    at_s = random.uniform(0.2, 2.0)
    while at_s < duration_s:
        length_s = random.uniform(0.25, 1.5)
        _add_breath(samples, at_s, length_s, random)
        at_s += length_s + random.uniform(0.1, 4.0)
    return np.clip(samples, -0.99, 0.99).astype(np.float32), [(SILENCE, 0.0, duration_s)]


def with_breaths(samples, phones, random):
    """The passage with a breath in most of the pauses that are long enough for one."""
    breathing = np.array(samples, np.float64)
    for name, start_s, end_s in phones:
        room_s = end_s - start_s - 0.1
        if name == SILENCE and room_s > 0.2 and random.rand() < BREATH_SHARE:
            length_s = min(room_s, random.uniform(0.25, 1.2))
            _add_breath(breathing, start_s + 0.05 + random.uniform(0.0, room_s - length_s),
                        length_s, random)
    return np.clip(breathing, -0.99, 0.99).astype(np.float32)


def _add_breath(samples, start_s, length_s, random):
    """A breath in or out: noise through a vocal tract, 6 to 32 dB below speech."""
    start = int(start_s * SAMPLE_RATE_HZ)
    length = min(int(length_s * SAMPLE_RATE_HZ), len(samples) - start)
    if length < 0.05 * SAMPLE_RATE_HZ:
        return
    noise = random.randn(length)
    breath = 10.0 ** random.uniform(-2.0, -0.6) * noise
    for lowest_hz, highest_hz in BREATH_FORMANTS_HZ:
        formant_hz = random.uniform(lowest_hz, highest_hz)
        half_width_hz = random.uniform(60.0, 200.0)
        numerator, denominator = scipy.signal.butter(
            2, [formant_hz - half_width_hz, formant_hz + half_width_hz], "bandpass",
            fs=SAMPLE_RATE_HZ)
        resonance = scipy.signal.lfilter(numerator, denominator, noise)
        breath += 10.0 ** random.uniform(-0.6, 0.6) * resonance / resonance.std()
    turn = random.uniform(0.15, 0.9)            # where in the breath it is loudest
    shape = np.interp(np.linspace(0.0, 1.0, length), [0.0, turn, 1.0], [0.0, 1.0, 0.0])
    breath *= shape ** random.uniform(0.4, 1.2)
    level = SPEECH_RMS * 10.0 ** (random.uniform(-32.0, -6.0) / 20.0)
    samples[start:start + length] += level * breath / breath.std()


def write_corpus(folder, minutes, aligned_folders=(), seed=0):
    """Write a corpus of wav + csv subjects; a subject that stands there already is kept.

    Args:
      folder; minutes of synthetic speech for training; seed: of everything drawn.
      aligned_folders: of real speech, used SUBJECT_VERSIONS times, each time augmented anew.
    Returns:
      names of the training subjects, names of the validation subjects (one for each voice of
      VALIDATION_VOICES).
    """
    texts, held_out_texts = sentences()
    words = word_list()
    voices = {}
    for voice in list_voices():
        voices.setdefault(voice.partition(":")[0], []).append(voice)
    training, validation = [], []
    num_training = max(1, int(round(minutes * 60.0 / SUBJECT_S)))

    def add(name, number, seeds, passage):
        training.append(name)
        if _is_there(folder, name):
            return
        random = np.random.RandomState(seeds)
        if number % RESTING_EVERY == RESTING_EVERY - 1:
            samples, phones = resting_passage(SUBJECT_S, random)
            sound = samples
        else:
            samples, phones = passage(random)
            sound = _augmented(samples, phones, random)
        write_subject(folder, name, sound, face_of_passage(samples, phones, seed=number))

    for number in range(num_training):
        add("synthetic-%04d" % number, number, [seed, number],
            lambda random: _any_passage(_any_voice(voices, random), texts, words, random))
        print("%s: %d of %d subjects" % (folder, number + 1, num_training), flush=True)
    for aligned in aligned_folders:
        paths = aligned_recordings(aligned)
        name = os.path.basename(os.path.abspath(aligned))
        for number in range(int(SUBJECT_VERSIONS * aligned_minutes(paths) * 60.0 / SUBJECT_S)):
            add("%s-%04d" % (name, number), number, [seed, 2000000 + number],
                lambda random: _real_passage(paths, random))
    for number, voice in enumerate(VALIDATION_VOICES):
        name = "synthetic-validation-%d" % number
        validation.append(name)
        if not _is_there(folder, name):
            random = np.random.RandomState([seed, 1000000 + number])
            samples, phones = _any_passage(voice, held_out_texts, words, random)
            write_subject(folder, name, samples, face_of_passage(samples, phones, seed=number))
    return training, validation


def _any_voice(voices, random):
    engines = [engine for engine in sorted(ENGINE_SHARES) if engine in voices]
    shares = np.array([ENGINE_SHARES[engine] for engine in engines])
    engine = engines[random.choice(len(engines), p=shares / shares.sum())]
    candidates = [voice for voice in voices[engine] if voice not in VALIDATION_VOICES]
    return candidates[random.randint(len(candidates))]


def _any_passage(voice, texts, words, random):
    """(samples, phones) of about SUBJECT_S seconds of one voice at one speed and pitch."""
    speed, pitch = random.uniform(0.8, 1.3), np.exp(random.uniform(-0.15, 0.15))
    chosen, num_words = [], 0
    while num_words < 2.2 * SUBJECT_S * speed:      # 2.2 words a second, pauses included
        kind = random.rand()
        if kind < WORDS_SHARE:                      # every sound beside every other
            text = " ".join(words[random.randint(len(words))]
                            for _ in range(random.randint(3, 8)))
        else:
            text = texts[random.randint(len(texts))]
        if kind > 1.0 - SPONTANEOUS_SHARE:
            text = spontaneous(random, text)
        chosen.append(text)
        num_words += len(text.split())
    pauses_s = random.choice([0.05, 0.15, 0.3, 0.5, 0.8, 1.5], len(chosen))
    return speak_passage(chosen, voice, speed, pitch, pauses_s)


def _real_passage(paths, random):
    """(samples, phones) of about SUBJECT_S seconds of recordings that stand side by side."""
    speed_percent = random.randint(*ALIGNED_SPEED_PERCENT)
    utterances, seconds, i = [], 0.0, random.randint(len(paths))
    while seconds < SUBJECT_S:
        utterances.append(played(paths[i % len(paths)], speed_percent))
        seconds += len(utterances[-1].samples) / float(SAMPLE_RATE_HZ) + 0.3
        i += 1
    return passage_of(utterances, random.choice([0.05, 0.15, 0.3, 0.5, 0.8], len(utterances)))


def _augmented(samples, phones, random):
    """A passage with breaths, most of them augmented."""
    breathing = with_breaths(samples, phones, random)
    return augment(random, breathing) if random.rand() > CLEAN_SHARE else breathing


def _is_there(folder, name):
    return all(os.path.isfile(os.path.join(folder, name + end)) for end in (".wav", ".csv"))


def write_subject(folder, name, samples, weights):
    """NAME.wav and NAME.csv in `folder`, the pair that training reads."""
    write_wav(os.path.join(folder, name + ".wav"), samples)
    write_live_link_csv(os.path.join(folder, name + ".csv"), weights, MODEL_CHANNELS,
                        ANIMATION_FPS)
