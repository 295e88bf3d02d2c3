"""Speech of Festival with phone times, through its Scheme interpreter."""
import collections
import os
import re
import shutil
import subprocess
import tempfile

import scipy.io.wavfile

from utils.common.errors import UserError
from utils.media.audio import read_audio
from utils.speech.utterance import arpabet

# HTS voices do not heed festival's Duration_Stretch.
_HTS_SPEED = '(set! hts_engine_params (append hts_engine_params (list (list "-r" %(speed).4f))))'
# The Scheme that chooses each festival voice, and the Debian package it comes in.
FESTIVAL_VOICES = collections.OrderedDict((
    ("festival:kal", ("(voice_kal_diphone)", "festvox-kallpc16k",
                      "/usr/share/festival/voices/english/kal_diphone")),
    ("festival:ked", ("(voice_ked_diphone)", "festvox-kdlpc16k",
                      "/usr/share/festival/voices/english/ked_diphone")),
    ("festival:slt-hts", ("(voice_cmu_us_slt_arctic_hts)" + _HTS_SPEED, "festvox-us-slt-hts",
                          "/usr/share/festival/voices/us/cmu_us_slt_arctic_hts")),
))

_FESTIVAL_SCRIPT = """
%(choose)s
(Parameter.set 'Duration_Stretch %(stretch).4f)
(set! utt (utt.synth (Utterance Text "%(text)s")))
(let ((number 1))
  (mapcar (lambda (token)
            (if (not (item.parent token))
                (begin (item.set_feat token "number" number) (set! number (+ number 1)))))
          (utt.relation.items utt 'Token)))
(mapcar (lambda (segment)
          (format t "%%s %%s %%s\\n" (item.name segment) (item.feat segment "segment_end")
                  (item.feat segment "R:SylStructure.parent.parent.R:Token.parent.number")))
        (utt.relation.items utt 'Segment))
(utt.save.wave utt "%(wave)s" 'riff)
"""


def _check_festival():
    if not shutil.which("festival"):
        raise UserError("festival is not on this machine: install the Debian package festival")


def festival_speech(tokens, voice, speed):
    """(int16 samples, rate, segments) of festival."""
    choose, package, folder = FESTIVAL_VOICES[voice]
    _check_festival()
    if not os.path.isdir(folder):
        raise UserError("voice %s is not on this machine: install the Debian package %s"
                        % (voice, package))
    # One word per token, or the numbers would not be those of `tokens`.
    text = " ".join(re.sub(r"[^A-Za-z'.,?!;:-]", "", token) or "a" for token in tokens)
    with tempfile.TemporaryDirectory() as work_folder:
        wave = os.path.join(work_folder, "speech.wav")
        script = os.path.join(work_folder, "speak.scm")
        with open(script, "w") as stream:
            stream.write(_FESTIVAL_SCRIPT % dict(choose=choose % dict(speed=speed), text=text,
                                                 stretch=1.0 / speed, wave=wave))
        run = subprocess.run(["festival", "-b", script], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, universal_newlines=True)
        if run.returncode != 0 or not os.path.exists(wave):
            raise UserError("festival could not speak %r: %s"
                            % (text[:60], run.stderr.strip()[-200:]))
        rate_hz, samples = scipy.io.wavfile.read(wave)
    segments, start_s = [], 0.0
    for line in run.stdout.splitlines():
        parts = line.split()
        if len(parts) != 3:
            continue
        symbol, end_s, number = parts
        names = arpabet(symbol)
        # Numbered from 1, since festival answers 0 for what has no number.
        token = int(float(number)) - 1 if float(number) > 0 else None
        segments.append((names, start_s, float(end_s), token))
        start_s = float(end_s)
    return samples, rate_hz, segments


def festival_says(texts, voice, encoding):
    """float32 samples at 16 kHz of each text by a voice of any language, in one run of festival;
    None for a text that it has no rules for.

    voice: as festival calls it, without "voice_" ("czech_dita"). encoding: of the text that it
    reads; other letters are left out. No phones: they are of the language's own set. Raises
    UserError where festival or the voice is missing.
    """
    _check_festival()
    with tempfile.TemporaryDirectory() as work_folder:
        paths = [os.path.join(work_folder, "%d.wav" % number) for number in range(len(texts))]
        script = os.path.join(work_folder, "speak.scm")
        with open(script, "wb") as stream:
            lines = ["(voice_%s)" % voice] + [
                '(unwind-protect (utt.save.wave (utt.synth (Utterance Text "%s")) "%s" \'riff))'
                % (re.sub(r'["\\]', "", text), path) for text, path in zip(texts, paths)]
            stream.write("\n".join(lines).encode(encoding, "ignore"))
        run = subprocess.run(["festival", "-b", script], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        said = [path if os.path.isfile(path) else None for path in paths]
        if run.returncode != 0 or not any(said):
            raise UserError("festival's voice %s could not speak: %s" % (
                voice, run.stderr.decode("utf-8", "replace").strip()[-200:]))
        return [path and read_audio(path) for path in said]
