"""Lip-sync systems that run on a CPU beside ours, on clips that anyone can get: Markdown tables.

    pip install pocketsphinx==5.0.4 playwright
    python -m tests.measure.peers --data REALDATA --work FOLDER

REALDATA is laid out as tests/measure/real_clips.py says. FOLDER gets the npm packages, in the
versions below, and what wLipSync needs and has not: the sample profile of uLipSync, which it is a
port of. All run with their own code and their own defaults, wLipSync also with other limits of
loudness. The three packages of npm run in a headless Chromium at 48 kHz: wLipSync and HeadAudio in
an OfflineAudioContext; wawa-lipsync, which looks at a playing sound 60 times a second, in one that
stops for each look, its clock being the sound's. pocketsphinx recognises phones without words, of
which our coarticulation makes a face.

What others give as visemes becomes a face by one table for all, VISEME_PHONES: a viseme is the
face that our own synthetic teacher aims at for one phone of it, times its weight; what is left to
1 is the face at rest. Each system is scored as it is and, where that is another row, with its own
delay taken out: the shift at which its opening agrees best with the labels, one for all clips.
Columns: tests/measure/default_checkpoint.py. The labels' own row shows what a perfect system
would get.
"""
import argparse
import collections
import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np

from tests.helpers.browser import started_browser, watched_page
from tests.measure.real_clips import (add_data_flags, face_of, grid_many_clips, labelled_clips,
                                      mean_rows, print_table, rows_of, unlabelled_clips)
from utils.animation.animator import SpeechAnimator
from utils.common.channels import MODEL_CHANNELS, mouth_opening
from utils.common.constants import ANIMATION_FPS, INT16_SCALE, SAMPLE_RATE_HZ
from utils.common.errors import UserError, run_script
from utils.common.files import written_aside
from utils.media.audio import write_wav
from utils.media.loudness import speech_envelope
from utils.scoring import metrics
from utils.scoring.phone_spans import bilabial_spans, open_spans
from utils.scoring.scorecard import Face
from utils.speech.coarticulation import blendshapes_of_phones
from utils.speech.phone_shapes import LIPS_SHUT, TARGETS
from utils.speech.phones import PHONES, SILENCE

WLIPSYNC, WAWA, HEADAUDIO, POCKETSPHINX = (
    "wlipsync", "wawa-lipsync", "@met4citizen/headaudio", "pocketsphinx")
VERSIONS = collections.OrderedDict(
    [(WLIPSYNC, "1.3.1"), (WAWA, "0.0.2"), (HEADAUDIO, "0.1.0"), (POCKETSPHINX, "5.0.4")])
OURS = "the default"
PROFILE_NAME = "uLipSync-Profile-Sample.asset"
PROFILE_URL = ("https://raw.githubusercontent.com/hecomi/uLipSync/"
               "cca032de24bd3a8ff25ed76c9f8bf0d84c29826a/Assets/uLipSync/Assets/Profiles/"
               + PROFILE_NAME)
# What a page loads of each; the bytes are what a user downloads.
FILES = {
    WLIPSYNC: ("dist/wlipsync-single.js",),
    WAWA: ("dist/wawa-lipsync.es.js",),
    HEADAUDIO: ("dist/headaudio.min.mjs", "dist/headworklet.min.mjs", "dist/model-en-mixed.bin"),
}
PAGE_FUNCTIONS = {WLIPSYNC: "wlipsync", WAWA: "wawa", HEADAUDIO: "headaudio"}
# wLipSync's loudness counts from minVolume to maxVolume (log10 of RMS), to be set for a
# microphone. The defaults, -2.5 and -1.5, suit quiet sound; the second row is for loud sound.
LOUD_LIMITS = {"minVolume": -1.5, "maxVolume": -0.5}
WLIPSYNC_LOUD = WLIPSYNC + " for loud sound"

# A phone of each viseme, whose face it becomes: Oculus' fifteen (HeadAudio and wawa-lipsync write
# viseme_ before them) and the vowels and S of uLipSync's profile.
VISEME_PHONES = {
    "sil": SILENCE, "PP": "P", "FF": "F", "TH": "TH", "DD": "D", "kk": "K", "CH": "CH", "SS": "S",
    "nn": "N", "RR": "R", "aa": "AA", "E": "EH", "I": "IH", "O": "AO", "U": "UW",
    "A": "AA", "S": "S",
}

PHONE_FPS = 100                     # pocketsphinx' frames
MOST_SHIFT = int(metrics.MAX_LAG_S * ANIMATION_FPS)
COLUMNS = ("opening r", "in speech", "lag ms", "rounding r", "closures", "false", "leak",
           "jitter", "mouth r")
BASELINES = ("loudness, plain RMS", "loudness, fitted", "labels")


# ---- visemes and phones to faces

def viseme_face(weights, names):
    """The Face of visemes' weights [frames, len(names)], each 0 to 1."""
    weights = np.asarray(weights, np.float64).reshape(-1, len(names))
    faces = np.array([_phone_face(_phone_of(name)) for name in names])      # [visemes, 52]
    at_rest = np.maximum(1.0 - weights.sum(axis=1, keepdims=True), 0.0)     # [frames, 1]
    mixed = weights.dot(faces) + at_rest * _phone_face(SILENCE)             # [frames, 52]
    return Face(np.clip(mixed, 0.0, 1.0).astype(np.float32), MODEL_CHANNELS)


def _phone_of(viseme):
    name = viseme[len("viseme_"):] if viseme.startswith("viseme_") else viseme
    if name not in VISEME_PHONES:
        raise UserError("VISEME_PHONES has no viseme %r; it has %s"
                        % (viseme, " ".join(sorted(VISEME_PHONES))))
    return VISEME_PHONES[name]


def _phone_face(phone):
    """What the teacher aims at, [52]; where the lips must meet they do."""
    face = np.array(TARGETS[phone], np.float64)
    if phone in LIPS_SHUT:
        face[MODEL_CHANNELS.index("mouthClose")] = face[MODEL_CHANNELS.index("jawOpen")]
    return face


def phones_of_segments(segments):
    """[(phone, start_s, end_s)] of pocketsphinx' [(symbol, first frame, last frame)].

    Its silence and noises (SIL, +SPN+ and the like) become silence.
    """
    phones = []
    for symbol, first, last in segments:
        name = symbol.upper()
        phones.append((name if name in PHONES else SILENCE,
                       first / float(PHONE_FPS), (last + 1) / float(PHONE_FPS)))
    return phones


def read_profile(path):
    """A profile of uLipSync (a Unity asset) as the object that wLipSync takes."""
    profile = {"mfccs": []}
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            line = line.rstrip()
            number = re.match(r"  (\w+): (\d+)$", line)
            if number:
                profile[number.group(1)] = int(number.group(2))
            elif line.startswith("  - name: "):
                profile["mfccs"].append({"name": line.split(": ", 1)[1],
                                         "mfccCalibrationDataList": []})
            elif line == "    - array:":
                profile["mfccs"][-1]["mfccCalibrationDataList"].append({"array": []})
            elif line.startswith("      - "):
                profile["mfccs"][-1]["mfccCalibrationDataList"][-1]["array"].append(
                    float(line[len("      - "):]))
    if not profile["mfccs"]:
        raise UserError("%s is no profile of uLipSync: it has no mfccs" % path)
    return profile


# ---- delay

def earlier(face, num_frames):
    """The Face `num_frames` earlier (later where below 0); what is missing stands still."""
    places = np.clip(np.arange(len(face.weights)) + num_frames, 0, len(face.weights) - 1)
    return Face(face.weights[places], face.names)


def best_shift(openings_by_source):
    """By how many frames a system should come earlier.

    Args:
      openings_by_source: a list of sources, each a list of clips, each (opening of the system,
        opening of the labels), both [frames].
    Returns:
      the shift, at most MOST_SHIFT to both sides, at which the mean over sources of the mean r
      over clips is greatest; of equals, the smallest.
    """
    def mean_r(shift):
        return metrics.mean_of_known(
            metrics.mean_of_known(_r_earlier(opening, true, shift) for opening, true in clips)
            for clips in openings_by_source)
    scores = {shift: mean_r(shift) for shift in range(-MOST_SHIFT, MOST_SHIFT + 1)}
    return max(sorted((shift for shift in scores if scores[shift] is not None), key=abs),
               key=lambda shift: round(scores[shift], 6), default=0)


def _r_earlier(opening, true, shift):
    num_frames = min(len(opening), len(true))
    face = earlier(Face(opening[:num_frames, np.newaxis], ("jawOpen",)), shift)
    return metrics.correlation(face.weights[:, 0], true[:num_frames])


# ---- the systems: ([Face of each clip], processor seconds)

def run_ours(animator, clips):
    started_s = time.process_time()
    faces = [face_of(animator, clip.samples) for clip in clips]
    return faces, time.process_time() - started_s


def run_pocketsphinx(clips):
    import pocketsphinx
    # The settings that its documentation gives for phones.
    decoder = pocketsphinx.Decoder(
        allphone=pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin"), lm=None, dict=None,
        lw=2.0, beam=1e-20, pbeam=1e-20, loglevel="FATAL")
    faces, started_s = [], time.process_time()
    for clip in clips:
        decoder.start_utt()
        decoder.process_raw((clip.samples * INT16_SCALE).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        phones = phones_of_segments((segment.word, segment.start_frame, segment.end_frame)
                                    for segment in decoder.seg() or ())
        weights, names = blendshapes_of_phones(
            phones, len(clip.samples) / float(SAMPLE_RATE_HZ), ANIMATION_FPS, blinks=False)
        faces.append(Face(weights, names))
    return faces, time.process_time() - started_s


def run_in_chromium(clips, folder, profile):
    """{system: (faces, processor seconds)} of the packages of npm."""
    runs = [(WLIPSYNC, WLIPSYNC, [profile, {}]), (WLIPSYNC_LOUD, WLIPSYNC, [profile, LOUD_LIMITS]),
            (WAWA, WAWA, []), (HEADAUDIO, HEADAUDIO, [])]
    shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers_page.js"), folder)
    with open(os.path.join(folder, "index.html"), "w", encoding="utf-8") as stream:
        stream.write('<!doctype html><title>peers</title><link rel="icon" href="data:,">')
    for number, clip in enumerate(clips):
        write_wav(os.path.join(folder, "clip%d.wav" % number), clip.samples)
    found = {}
    with _served(folder) as server, started_browser() as browser, \
            watched_page(browser, server=server) as page:
        page.goto("http://%s/index.html" % server)
        for system, package, settings in runs:
            paths = ["/node_modules/%s/%s" % (package, path) for path in FILES[package]]
            faces, before_s = [], _processor_s(browser)
            for number in range(len(clips)):
                result = page.evaluate(
                    "async ([name, given]) => (await import('/peers_page.js'))[name](...given)",
                    [PAGE_FUNCTIONS[package], ["/clip%d.wav" % number] + paths + settings])
                faces.append(viseme_face(result["frames"], result["names"]))
            found[system] = (faces, _processor_s(browser) - before_s)
    return found


def _processor_s(browser):
    """Processor seconds that all processes of a Chromium have spent."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    return sum(process["cpuTime"] for process in found["processInfo"])


@contextlib.contextmanager
def _served(folder):
    """"127.0.0.1:port" of a server of the files in a folder: a worklet is not read from disk."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            del args
    server = http.server.HTTPServer(("127.0.0.1", 0),
                                    functools.partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "127.0.0.1:%d" % server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def install(folder):
    """Put the packages of npm and the profile into a folder; what is there stays.

    Returns the profile. UserError where something cannot be had, or pocketsphinx is another.
    """
    found = _pocketsphinx_version()
    if found != VERSIONS[POCKETSPHINX]:
        raise UserError("pocketsphinx is %s, expected %s; pip install pocketsphinx==%s"
                        % ((found or "missing",) + 2 * (VERSIONS[POCKETSPHINX],)))
    os.makedirs(folder, exist_ok=True)
    missing = [package for package in PAGE_FUNCTIONS
               if _installed_version(folder, package) != VERSIONS[package]]
    if missing:
        if not shutil.which("npm"):
            raise UserError("npm is missing; install Node.js, or put node_modules with %s into %s"
                            % (", ".join(missing), folder))
        subprocess.check_call(
            ["npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"]
            + ["%s@%s" % (package, VERSIONS[package]) for package in missing], stdout=2)
    path = os.path.join(folder, PROFILE_NAME)
    if not os.path.isfile(path):
        try:
            with urllib.request.urlopen(PROFILE_URL, timeout=30) as stream:
                content = stream.read()
        except OSError as error:
            raise UserError("cannot get wLipSync's profile (%s); put %s there as %s"
                            % (error, PROFILE_URL, path))
        with written_aside(path) as aside, open(aside, "wb") as stream:
            stream.write(content)
    return read_profile(path)


def _pocketsphinx_version():
    if sys.version_info < (3, 8):
        raise UserError("pocketsphinx and playwright need Python 3.8 or newer")
    from importlib import metadata
    try:
        return metadata.version(POCKETSPHINX)
    except metadata.PackageNotFoundError:
        return None


def _installed_version(folder, package):
    try:
        with open(os.path.join(folder, "node_modules", package, "package.json"),
                  encoding="utf-8") as stream:
            return json.load(stream)["version"]
    except OSError:
        return None


# ---- tables

def print_tables(clips, faces, shifts):
    """A table for each source that has labels, and one of the clips that have phones alone.

    clips: [Clip]; faces: {system: [Face of each clip]}; shifts: {system: frames}.
    """
    rows_by_source = collections.OrderedDict()
    for number, clip in enumerate(clips):
        shown = collections.OrderedDict(_as_it_is_and_shifted(faces, shifts, number))
        if clip.labels is not None:
            rows = rows_of(clip, shown)
        else:
            shown[BASELINES[0]] = Face(speech_envelope(clip.samples)[:, np.newaxis], ("jawOpen",))
            rows = collections.OrderedDict(
                (name, _closures_row(clip, face)) for name, face in shown.items())
        rows_by_source.setdefault(clip.speaker, []).append(rows)
    for source, rows in rows_by_source.items():
        means = mean_rows(rows)
        means = [(name, row) for name, row in means.items() if name != "mean"]
        columns = [column for column in COLUMNS
                   if any(row.get(column) is not None for _, row in means)]
        print("**%s**, mean of %d clips\n" % (source, len(rows)))
        print_table(["system"] + columns,
                    [[name] + [row.get(column) for column in columns] for name, row in means])


def _as_it_is_and_shifted(faces, shifts, number):
    for system in faces:
        yield system, faces[system][number]
        if shifts[system]:
            name = "%s, %.0f ms %s" % (system, 1000.0 * abs(shifts[system]) / ANIMATION_FPS,
                                       "earlier" if shifts[system] > 0 else "later")
            yield name, earlier(faces[system][number], shifts[system])


def _closures_row(clip, face):
    opening = _opening(face)
    return collections.OrderedDict(
        (column, metrics.closed_share(opening, spans, ANIMATION_FPS)[0]) for column, spans in (
            ("closures", bilabial_spans(clip.timings)), ("false", open_spans(clip.timings))))


def _opening(face):
    if "mouthClose" in face.names:
        return mouth_opening(face.weights, face.names)
    return face.weights[:, face.names.index("jawOpen")]


def best_shifts(clips, faces):
    """{system: best_shift over the clips that have labels}."""
    shifts = {}
    for system in faces:
        openings = collections.OrderedDict()
        for clip, face in zip(clips, faces[system]):
            if clip.labels is not None:
                openings.setdefault(clip.speaker, []).append(
                    (_opening(face), _opening(clip.labels)))
        shifts[system] = best_shift(list(openings.values()))
    return shifts


def print_costs(spent_s, num_seconds, folder, graph, checkpoint):
    """What each downloads and how long it works for a second of sound."""
    sizes = {package: sum(os.path.getsize(os.path.join(folder, "node_modules", package, path))
                          for path in FILES[package]) for package in FILES}
    sizes[WLIPSYNC] += os.path.getsize(os.path.join(folder, PROFILE_NAME))
    import pocketsphinx
    sizes[POCKETSPHINX] = _bytes_below(os.path.dirname(pocketsphinx.__file__))
    sizes[OURS] = os.path.getsize(graph) + sum(
        os.path.getsize(checkpoint + ending) for ending in (".index", ".data-00000-of-00001"))
    print("**Costs**; processor seconds for a second of sound, over %.0f s, all of a browser's\n"
          % num_seconds)
    print_table(("system", "version", "files MB", "processor"),
                [[system, VERSIONS.get(system, "-"), "%.2f" % (sizes[system] / 1e6),
                  "%.3f" % (spent_s[system] / num_seconds)]
                 for system in spent_s if system in sizes])


def _bytes_below(folder):
    return sum(os.path.getsize(os.path.join(place, name))
               for place, _, names in os.walk(folder) for name in names)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_flags(parser)
    parser.add_argument("--work", required=True, metavar="FOLDER",
                        help="where the packages are put, and the clips for them")
    args = parser.parse_args()
    profile = install(args.work)
    clips = labelled_clips(args.data, 0) + grid_many_clips(args.data) + [
        clip for clip in unlabelled_clips(args.data) if clip.timings is not None]
    found = collections.OrderedDict()
    found[OURS] = run_ours(
        SpeechAnimator(args.checkpoint, args.graph, tta_copies=args.tta_copies), clips)
    found.update(run_in_chromium(clips, args.work, profile))
    found[POCKETSPHINX] = run_pocketsphinx(clips)
    faces = collections.OrderedDict((system, result[0]) for system, result in found.items())
    print_tables(clips, faces, best_shifts(clips, faces))
    print_costs({system: result[1] for system, result in found.items()},
                sum(len(clip.samples) for clip in clips) / float(SAMPLE_RATE_HZ),
                args.work, args.graph, args.checkpoint)


if __name__ == "__main__":
    run_script(main)
