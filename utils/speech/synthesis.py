"""Speech with exact phone and word times from the synthesisers that Debian packages.

The data-making scripts use this; nothing that runs or trains on finished data needs it.
Three engines, each asked for the times of the very samples it made:

    espeak-ng   libespeak-ng's phoneme events        packages libespeak-ng1, espeak-ng-data
    flite       libflite's Segment relation          packages libflite1
    festival    the utterance's Segment relation     packages festival, festvox-kallpc16k,
                                                     festvox-kdlpc16k, festvox-us-slt-hts

All phones are given in one set, PHONES: the 39 of ARPABET without stress digits, AX for the
reduced vowel of "about", and "sil" for silence. Engine symbols that stand for two sounds
(espeak's "i@" of "near") become two phones that share the time.
"""
import os
import shutil

from utils.common.errors import UserError
from utils.speech.espeak import ESPEAK_VOICES, espeak_speech
from utils.speech.festival import FESTIVAL_VOICES, festival_speech
from utils.speech.flite import FLITE_VOICES, flite_speech
from utils.speech.utterance import as_utterance, library_of

# Never in the training streams: what the error rates are measured on.
HELD_OUT_VOICES = ("festival:ked", "espeak:en-us+f5", "espeak:en-gb-scotland+m7")

# How often each engine's voices speak. espeak-ng has many voices, all of one formant model.
ENGINE_SHARES = {"flite": 0.5, "festival": 0.14, "espeak": 0.36}


def list_voices():
    """Names 'engine:voice' of the voices that can be used on this machine, in a fixed order."""
    voices = []
    if library_of("libespeak-ng.so.1") is not None:
        voices.extend(ESPEAK_VOICES)
    if library_of("libflite.so.1") is not None:
        voices.extend(FLITE_VOICES)
    if shutil.which("festival"):
        voices.extend(name for name, (_, _, folder) in FESTIVAL_VOICES.items()
                      if os.path.isdir(folder))
    return voices


def synthesise(text, voice, speed=1.0, pitch=1.0):
    """Speak `text` (English; words are what blanks separate) and say when each phone sounds.

    `speed` and `pitch` are factors of the voice's own, 0.5 to 2. Where an engine has no pitch
    control (flite, festival) the speech is made slower and then played faster, which moves
    the formants along as a smaller or larger head would.
    The same request gives the same samples from flite and festival; espeak-ng carries its noise
    along from call to call, which moves its phones by a few milliseconds.
    Returns an Utterance; raises UserError naming the Debian package that is missing, an
    unknown voice, or a text that gives no sound.
    """
    engine, _, name = voice.partition(":")
    if not 0.5 <= speed <= 2.0 or not 0.5 <= pitch <= 2.0:
        raise UserError("speed %g and pitch %g: both must lie in 0.5 .. 2" % (speed, pitch))
    tokens = text.split()
    if not tokens:
        raise UserError("no text for %s to speak: give it words" % voice)
    if engine == "espeak":
        samples, rate_hz, segments = espeak_speech(tokens, name, speed, pitch)
    elif engine == "flite":
        samples, rate_hz, segments = flite_speech(tokens, name, speed / pitch)
    elif voice in FESTIVAL_VOICES:
        samples, rate_hz, segments = festival_speech(tokens, voice, speed / pitch)
    else:
        raise UserError("no voice %r: list_voices() names them" % voice)
    if not segments or not len(samples):
        raise UserError("%s made no sound of %r: give it words" % (voice, text[:60]))
    played_faster = 1.0 if engine == "espeak" else pitch
    return as_utterance(tokens, samples, rate_hz, segments, played_faster)
