"""A take as one HTML page that needs nothing beside it: the head in 3D, the sound, the curves.

The page holds everything: its scripts (utils/pages/viewer), the head, the sound, the weights. It
opens from the disk and reaches for nothing: its Content-Security-Policy forbids every connection.

Weights are whole numbers of RESOLUTION, channel by channel, each the difference to the one
before; times likewise, in microseconds. Both are deflated, then base64. The sound is a wav as
long as it is short. A longer one is Opus in WebM, whose container says the encoder's delay.
"""
import base64
import collections
import hashlib
import html
import json
import os
import re
import tempfile
import zlib

import numpy as np

from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.common.errors import UserError, print_warning
from utils.common.files import written_aside
from utils.common.resample import resample_frames
from utils.formats.exporters import FORMATS
from utils.formats.face_files import kind_of_face_file, read_rows_to_show
from utils.formats.face_kinds import BY_NAME, GLTF
from utils.formats.glb import read_glb
from utils.formats.gltf import DEFAULT_AVATAR
from utils.media.audio import SOUND_EXTENSIONS, open_audio
from utils.scoring import scorecard

PAGE_NAME = "page.html"                 # what run_voca.py --page writes
PARTS_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "viewer")
SCRIPTS = ("glb.js", "renderer.js", "clip.js", "readers.js", "compare.js", "player.js",
           "curves.js", "page.js")
LIVE_SCRIPTS = SCRIPTS[:-1] + ("live.js", "page.js")

RESOLUTION = 1e-4                       # of the weights in the page
WAV_S = 20.0                            # a sound up to that long is a wav
WAV_HZ = 48000                          # at most; below it the sound's own rate
OPUS_HZ, OPUS_BITS_PER_S = 48000, 40000
PEAKS_PER_S = 50                        # of the drawn wave
LARGE_PAGE_BYTES = 50 << 20             # browsers take long to open more

# What lies beside a take and is its sound: of its own name, or what run_voca.py writes.
SOUND_BESIDE = SOUND_EXTENSIONS + (".mp4", ".mov", ".mkv", ".webm")
PREVIEW_NAME = "preview.mp4"

# content: bytes; type: the media type; peaks: uint8 [n], PEAKS_PER_S of them a second.
Sound = collections.namedtuple("Sound", "name content type duration_s peaks")


def view(take_path, out_path, against_path=None, sound_path=None, avatar_path=None,
         live_link_sides=BY_NAME, title=None, warn=print_warning):
    """Write the page of a face file; its size in bytes.

    Args:
      take_path, against_path: files that utils.formats.face_files.read_face takes; the second
        stands beside the first, and is what it is scored against where there is a sound.
      sound_path: any file with sound; None: the page is silent.
      avatar_path: a GLB; None is the take itself where it is one, else this project's head.
      title: what the take is called; None: its file's name.
      warn: called with a line on what is doubtful.
    Raises UserError for a file that cannot be used; nothing is written then.
    """
    paths = [take_path] + ([against_path] if against_path else [])
    takes = [_read_take(path, live_link_sides, warn) for path in paths]
    if title:
        takes[0] = (title,) + takes[0][1:]
    if avatar_path is None:
        avatar_path = take_path if kind_of_face_file(take_path) == GLTF else DEFAULT_AVATAR
    read_glb(avatar_path)                               # for its errors
    audio = open_audio(sound_path, warn) if sound_path else None
    card = None
    if against_path and audio:
        try:
            card, _ = scorecard.score(*[
                scorecard.Face(resample_frames(weights, times_s, ANIMATION_FPS), names)
                for _, times_s, weights, names in takes],
                samples=np.concatenate(list(audio.blocks())))
        except UserError as error:
            warn("no scores: %s" % error)
    with open(avatar_path, "rb") as stream:
        head = (os.path.basename(avatar_path), stream.read())
    content = page(takes, head, audio and embedded_sound(audio), card).encode(
        "utf-8", "replace")             # a file's name may be no UTF-8
    if len(content) > LARGE_PAGE_BYTES:
        warn("the page has %.0f MB, of which the head %s is %.0f; browsers open it slowly"
             % (len(content) / 1e6, head[0], len(head[1]) / 1e6))
    with written_aside(out_path) as aside, open(aside, "wb") as stream:
        stream.write(content)
    return len(content)


def sound_beside(take_path, warn=print_warning):
    """The path of the sound that lies beside a take, or None.

    A sound or video of the take's name; else the preview.mp4 that run_voca.py writes.
    warn: called with a line on a file of such a name that holds no sound; the next is taken.
    """
    folder, name = os.path.split(take_path)
    stem = os.path.splitext(name)[0].lower()
    try:
        names = sorted(os.listdir(folder or os.curdir))
    except OSError:
        return None                                     # the reader says what is wrong
    wanted = [stem + extension for extension in SOUND_BESIDE] + [PREVIEW_NAME]
    for path in [os.path.join(folder, other) for one in wanted for other in names
                 if other.lower() == one]:
        try:
            return open_audio(path, warn).path
        except UserError as error:
            warn("not taken for the sound: %s" % error)
    return None


def embedded_sound(audio):
    """The Sound of what open_audio gave."""
    peaks, num_samples = [], 0
    step = SAMPLE_RATE_HZ // PEAKS_PER_S
    for block in audio.blocks(10.0):
        num_samples += len(block)
        padded = np.append(np.abs(block), np.zeros(-len(block) % step))
        peaks.append(padded.reshape(-1, step).max(axis=1))
    peaks = np.concatenate(peaks)                                           # [n]
    duration_s = num_samples / float(SAMPLE_RATE_HZ)
    is_short = duration_s <= WAV_S
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sound.wav" if is_short else "sound.webm")
        if is_short:
            audio.write_mono(path, min(audio.sample_rate_hz, WAV_HZ),
                             ["-fflags", "+bitexact", "-c:a", "pcm_s16le"])
        else:
            audio.write_mono(path, OPUS_HZ, [
                "-fflags", "+bitexact", "-c:a", "libopus", "-b:a", str(OPUS_BITS_PER_S)])
        with open(path, "rb") as stream:
            content = stream.read()
    peaks = np.round(255 * peaks / max(float(peaks.max()), 1e-9)).astype(np.uint8)
    return Sound(os.path.basename(audio.path), content, "audio/wav" if is_short else "audio/webm",
                 duration_s, peaks)


def page(takes, head, sound=None, card=None):
    """The page as text, to be written in UTF-8.

    Args:
      takes: one or two of (name, times_s [frames], weights [frames, k] in 0..1, names of k).
      head: (name, bytes of a GLB). sound: a Sound. card: what scorecard.score returned.
    """
    blob = _Blobs()
    data = collections.OrderedDict([
        ("takes", [collections.OrderedDict([
            ("name", name), ("channels", list(names)), ("frames", len(times_s)),
            ("resolution", RESOLUTION), ("times", blob(_packed_times(times_s))),
            ("values", blob(_packed_weights(weights)))])
            for name, times_s, weights, names in takes]),
        ("head", {"name": head[0], "content": blob(head[1])}),
        ("sound", sound and {
            "name": sound.name, "type": sound.type, "duration_s": sound.duration_s,
            "content": blob(sound.content, packed=False), "peaks_per_s": PEAKS_PER_S,
            "peaks": blob(sound.peaks.tobytes())}),
        ("card", card and _shown_card(card))])
    return _page_of(" and ".join(take[0] for take in takes), data, blob, SCRIPTS)


def live_page(subject):
    """The page that shows what is live, as text: its socket is that of the server it came from.

    It reaches for nothing else. The head is this project's; another can be dropped in.
    """
    with open(DEFAULT_AVATAR, "rb") as stream:
        head = stream.read()
    blob = _Blobs()
    data = collections.OrderedDict([
        ("live", {"subject": subject}),
        ("head", {"name": os.path.basename(DEFAULT_AVATAR), "content": blob(head)})])
    return _page_of(subject, data, blob, LIVE_SCRIPTS, "connect-src 'self'; ")


class _Blobs(object):
    """What stands in the page as base64; called with bytes, it says under which id."""

    def __init__(self):
        self.contents = []                              # (bytes, whether they are deflated)

    def __call__(self, content, packed=True):
        self.contents.append((zlib.compress(content, 9) if packed else content, packed))
        return "blob-%d" % (len(self.contents) - 1)


def _page_of(title, data, blobs, script_names, connections=""):
    """connections: a directive of the policy; none are allowed without."""
    script = "\n".join(_part(name) for name in script_names)
    style = _part("page.css")
    for content in (script, style):
        if re.search(r"</(script|style)|<!--", content, re.IGNORECASE):
            raise ValueError("a part of the page would end it early")
    policy = ("default-src 'none'; %sscript-src 'sha256-%s'; style-src 'sha256-%s'; "
              "img-src data: blob:; media-src blob:; base-uri 'none'; form-action 'none'"
              % (connections, _digest(script), _digest(style)))
    parts = {
        "POLICY": policy, "TITLE": html.escape(title),
        "STYLE": style, "SCRIPT": script, "DATA": _json_in_html(data),
        "BLOBS": "\n".join(
            '<script type="text/plain" id="blob-%d" data-packed="%d">%s</script>'
            % (place, packed, base64.b64encode(content).decode("ascii"))
            for place, (content, packed) in enumerate(blobs.contents))}
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda found: parts[found.group(1)], _part("page.html"))


def _read_take(path, live_link_sides, warn):
    """(name, times_s, weights, names): rows without a face are left out, weights cut to 0..1."""
    name = _shown_name(path)
    rows = read_rows_to_show(path, name, warn, live_link_sides)
    keep = rows.has_face
    return name, rows.times_s[keep], np.clip(rows.weights[keep], 0.0, 1.0), rows.names


def _shown_name(path):
    """The file's name; with its folder's where run_voca.py calls all of them so."""
    folder, name = os.path.split(os.path.abspath(path))
    if name in [exporter.file_name for exporter in FORMATS.values()]:
        return os.path.join(os.path.basename(folder), name)
    return name


def _packed_weights(weights):
    """uint16 little-endian [k, frames]: each channel's steps, in units of RESOLUTION."""
    units = np.round(np.asarray(weights, np.float64).T / RESOLUTION).astype(np.int64)
    return (np.diff(units, prepend=0, axis=1) % (1 << 16)).astype("<u2").tobytes()


def _packed_times(times_s):
    """uint32 little-endian [frames]: the steps in microseconds."""
    return np.diff(np.round(np.asarray(times_s) * 1e6).astype(np.int64),
                   prepend=0).astype("<u4").tobytes()


def _shown_card(card):
    """What the page shows of a scorecard: the measures of the take, and of what it is against."""
    systems = card["systems"]
    return {"scored_s": card["scored_s"], "measures": [
        {"name": name, "take": systems[scorecard.SYSTEM].get(name),
         "against": systems[scorecard.LABELS].get(name)}
        for name in scorecard.measure_names(card)]}


def _part(name):
    with open(os.path.join(PARTS_FOLDER, name), encoding="utf-8") as stream:
        return stream.read()


def _digest(text):
    """Of an inline script or style as the Content-Security-Policy takes it."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _json_in_html(data):
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
