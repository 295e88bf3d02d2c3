"""A dataset as one HTML page that needs nothing beside it, for a person who checks it by eye.

At the top a table: each subject with what to look at, in words. Then, for each subject, stills of
the widest mouth, pucker, smile and blink; its curves over the sound, with the stretches that are
left out; histograms of all channels; and what was taken off, masked or found.
"""
import base64
import html
import io

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from utils.common.channels import MODEL_CHANNELS, MOUTH_REGIONS, region, reorder
from utils.common.constants import ANIMATION_FPS, NUM_BLENDSHAPES
from utils.common.files import written_aside
from utils.dataset.av_offset import MIN_CONFIDENCE
from utils.dataset.store import ABSENT, STILL, Dataset, sample_of_frame
from utils.pages.html import STYLE
from utils.preview.curve_pictures import COLOURS, ENVELOPE_GREY, draw_curve, dress, extremes
from utils.scoring.metrics import BLINK_RISE, REGIONS
import os
from utils.media.video import VIDEO_EXTENSIONS

# What is looked for in the pictures: the mean of the channels.
POSES = (("mouth open", ("jawOpen",)), ("pucker", ("mouthPucker",)),
         ("smile", ("mouthSmileLeft", "mouthSmileRight")),
         ("blink", ("eyeBlinkLeft", "eyeBlinkRight")))
LEAST_POSE = 0.02                   # a pose that is never stronger has no picture
PANELS = (
    ("jaw and lips closing", (("jaw open", ("jawOpen",)), ("mouth close", ("mouthClose",)))),
    ("lips rounding", (("funnel", ("mouthFunnel",)), ("pucker", ("mouthPucker",)))),
    ("smile", (("left", ("mouthSmileLeft",)), ("right", ("mouthSmileRight",)))),
    ("blink", (("left", ("eyeBlinkLeft",)), ("right", ("eyeBlinkRight",)))))
CLOSE_UP_S = 10.0
BLOCK_FRAMES = 60 * ANIMATION_FPS   # of sound looked at in one go
MAX_OPEN_SECTIONS = 12              # with more subjects, each opens at a click
THUMBNAIL_WIDTH, JPEG_QUALITY = 220, 82
HISTOGRAM_BINS = 25
LEAST_NEUTRAL = 0.02                # shown of the neutral pose
INVALID_RED = "#f4c9c2"
# What a remark is made of.
POOR_SHARE, BAD_SHARE = 0.9, 0.5    # of valid frames
NOTICED_LAG_S = 1.5 / ANIMATION_FPS
SHORT_S = 20.0
SMALL_OPENING = 0.1                 # 95th percentile of jawOpen
FEW_CHANNELS = 10
GOOD, LOOK, BAD = "good", "look", "bad"
VERDICT_WORDS = {GOOD: "looks good", LOOK: "please look", BAD: "do not train yet"}

PAGE_STYLE = STYLE + """
h2 { margin-top: 2.2em; border-top: 2px solid #20262d; padding-top: .6em; }
h3 { margin: 1.4em 0 .4em; font-size: 1em; }
td.remarks, th.remarks { text-align: left; max-width: 32em; }
td, th { vertical-align: top; white-space: nowrap; }
td.remarks, th.remarks, td:first-child { white-space: normal; }
.facts-table td:first-child { white-space: nowrap; color: #5b6670; }
td ul, .remarks ul { margin: 0; padding-left: 1.1em; }
.scroll { overflow-x: auto; }
.mark { border-radius: .8em; padding: .05em .7em; white-space: nowrap; font-size: .9em; }
.good { background: #dcefe0; } .look { background: #fbeec5; } .bad { background: #f4c9c2; }
.stills { display: flex; flex-wrap: wrap; gap: 12px; margin: 0; }
figure { margin: 0; width: 220px; font-size: .85em; color: #5b6670; }
figure img { width: 220px; display: block; }
summary { cursor: pointer; }
summary h2 { display: inline; border: 0; }
details { border-top: 2px solid #20262d; margin-top: 1.6em; padding-top: .8em; }
details h2 { margin: 0; }
svg text { font: 9.5px sans-serif; fill: #20262d; }
"""


def thumbnail_times(weights, names, valid):
    """[(caption, frame)] of the valid frames at which each of POSES is strongest.

    weights: [frames, len(names)]; valid: [frames] bool. The caption says pose, weight and time.
    A pose that the source lacks, or that is never stronger than LEAST_POSE, is left out.
    """
    valid = np.asarray(valid, bool)
    found = []
    for pose, channels in POSES:
        if not valid.any() or not set(channels) <= set(names):
            continue
        strength = np.where(valid, reorder(weights, names, channels).mean(axis=1), -1.0)
        frame = int(np.argmax(strength))                            # strength: [frames]
        if strength[frame] >= LEAST_POSE:
            found.append(("%s %.2f at %s" % (
                pose, strength[frame], _clock(frame / float(ANIMATION_FPS))), frame))
    return found


def write_dataset_page(path, dataset, thumbnails):
    """Write the page of a utils.dataset.store.Dataset.

    thumbnails: {subject: [(caption, uint8 RGB [height, width, 3])]}; subjects may be missing.
    One subject's arrays are held at a time. Raises UserError where the file cannot be written.
    """
    with written_aside(path) as aside, open(
            aside, "w", encoding="utf-8", errors="replace") as stream:
        for part in _parts(dataset, thumbnails):
            stream.write(part + "\n")


def _parts(dataset, thumbnails):
    """Yield the page piece by piece: the table needs all subjects, the pictures one each."""
    all_remarks = {name: remarks(record, dataset.arrays(name))
                   for name, record in dataset.subjects.items()}
    records = dataset.subjects.values()
    total_s = sum(record["duration_s"] for record in records)
    usable_s = sum(record["duration_s"] * record["valid"]["share"] for record in records)
    yield ("<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
           "<meta name='viewport' content='width=device-width, initial-scale=1'>"
           "<title>Dataset report</title><style>%s</style></head><body>" % PAGE_STYLE)
    yield "<h1>Dataset report</h1>"
    yield ("<p class='facts'>%d subject%s, %s of sound, %s of it with labels to learn from. For "
           "each subject, see whether the stills show what their captions say, and whether the jaw "
           "opens where the sound (grey) is loud. What is shaded red is never trained on.</p>"
           % (len(dataset.subjects), "" if len(dataset.subjects) == 1 else "s",
              _length(total_s), _length(usable_s)))
    yield _summary(dataset, all_remarks)
    folded = len(dataset.subjects) > MAX_OPEN_SECTIONS
    for number, (name, record) in enumerate(dataset.subjects.items()):
        yield _section(number, name, record, dataset.arrays(name), all_remarks[name],
                       thumbnails.get(name, ()), folded)
    yield "</body></html>"


# ---- what to say

def remarks(record, arrays):
    """(verdict, [what to look at, in words]) of a subject; GOOD where there is nothing."""
    found = [(LOOK, warning) for warning in record["warnings"]]
    share, offset, alignment = record["valid"]["share"], record["offset"], record["alignment"]
    if alignment["confidence"] is not None and alignment["confidence"] < MIN_CONFIDENCE:
        found.append((BAD, "labels and sound may not belong together; they were taken by --force"))
    if share < POOR_SHARE:
        found.append((BAD if share < BAD_SHARE else LOOK,
                      "%.0f %% of the frames cannot be used (%s)" % (
                          100 * (1 - share),
                          _counts_text(record) or "the labels do not reach that far")))
    if "jawOpen" in record["mask"]:
        found.append((BAD, "the jaw %s" % (
            "is not in the labels" if record["mask"]["jawOpen"] == ABSENT else "does not move")))
    elif arrays.valid.any():
        wide = np.percentile(_curve(arrays, ("jawOpen",))[arrays.valid], 95)
        if wide < SMALL_OPENING:
            found.append((LOOK, "the mouth opens very little (%.2f of 1 in the widest twentieth "
                                "of the frames)" % wide))
    num_learnt = NUM_BLENDSHAPES - len(record["mask"])
    if num_learnt < FEW_CHANNELS:
        found.append((LOOK, "only %d of %d channels move" % (num_learnt, NUM_BLENDSHAPES)))
    if offset is not None:
        if offset["confidence"] < MIN_CONFIDENCE:
            found.append((LOOK, "it could not be told whether sound and face are in step; look at "
                                "the close-up"))
        elif abs(offset["offset_s"]) > NOTICED_LAG_S and not offset["corrected"]:
            found.append((LOOK, "the face runs %s the sound: process again with --fix_offset"
                          % _late(offset["offset_s"])))
    if not {"eyeBlinkLeft", "eyeBlinkRight"} & set(record["mask"]) and arrays.valid.any():
        shut = _curve(arrays, ("eyeBlinkLeft", "eyeBlinkRight"))[arrays.valid]
        if shut.max() < np.median(shut) + BLINK_RISE and record["duration_s"] >= SHORT_S:
            found.append((LOOK, "the eyes never blink"))
    if record["duration_s"] < SHORT_S:
        found.append((GOOD, "very short; a minute or more of speech teaches far more"))
    verdicts = [verdict for verdict, _ in found]
    verdict = BAD if BAD in verdicts else LOOK if LOOK in verdicts else GOOD
    words = []
    for _, text in found:
        if text not in words:
            words.append(text)
    return verdict, words


def _counts_text(record):
    return ", ".join("%s: %d rows" % (reason, count)
                     for reason, count in record["valid"]["counts"].items() if count)


def _late(offset_s):
    return "%.0f ms %s" % (1000 * abs(offset_s), "behind" if offset_s > 0 else "ahead of")


def _offset_text(offset):
    if offset is None:
        return "not searched: the labels have no jaw"
    text = "the face runs %s the sound (confidence %.2f, r %.2f)" % (
        _late(offset["offset_s"]), offset["confidence"], offset["r"])
    if offset["confidence"] < MIN_CONFIDENCE:
        return text + ": too unsure to rely upon, below %.2f" % MIN_CONFIDENCE
    if offset["corrected"]:
        return text + ", and was put right"
    return text + (": less than two frames" if abs(offset["offset_s"]) <= NOTICED_LAG_S else "")


def _alignment_text(alignment):
    text = "%s, labels begin at %+.2f s" % (alignment["method"], alignment["start_s"])
    if alignment["confidence"] is not None:
        text += " (confidence %.2f)" % alignment["confidence"]
    return text


def _sides_text(record):
    found = [item["words"] for item in record["sides"]]
    return "; ".join(found) or "no pair of channels looks swapped"


def _neutral_text(neutral):
    if neutral is None:
        return "nothing was taken off"
    shown = sorted(((value, name) for name, value in neutral.items() if value >= LEAST_NEUTRAL),
                   reverse=True)
    text = ", ".join("%s %.2f" % (name, value) for value, name in shown)
    return "%s; of all others less than %g" % (text, LEAST_NEUTRAL) if text else (
        "less than %g of every channel" % LEAST_NEUTRAL)


def _masked_text(mask):
    parts = []
    for why, words in ((ABSENT, "not in the source"), (STILL, "do not move")):
        names = [name for name in MODEL_CHANNELS if mask.get(name) == why]
        if names:
            parts.append("%s: %s" % (words, ", ".join(names)))
    return "; ".join(parts) or "none"


def _length(seconds):
    if seconds >= 3600:
        return "%.1f h" % (seconds / 3600.0)
    return "%.1f min" % (seconds / 60.0) if seconds >= 120 else "%.1f s" % seconds


def _clock(seconds):
    return "%d:%04.1f" % (seconds // 60, seconds % 60) if seconds >= 60 else "%.1f s" % seconds


# ---- the page's pieces

def _summary(dataset, all_remarks):
    rows = []
    for number, (name, record) in enumerate(dataset.subjects.items()):
        verdict, words = all_remarks[name]
        offset = record["offset"]
        in_step = "&ndash;"
        if offset is not None and offset["confidence"] >= MIN_CONFIDENCE:
            # + 0.0: no "-0 ms".
            in_step = "%+.0f ms%s" % (round(1000 * offset["offset_s"]) + 0.0,
                                      ", put right" if offset["corrected"] else "")
        rows.append(
            "<tr><td><a href='#s%d'>%s</a></td><td>%s</td><td>%s</td><td>%.0f %%</td><td>%d</td>"
            "<td>%s</td><td>%s</td><td class='remarks'>%s</td></tr>" % (
                number, html.escape(name), _length(record["duration_s"]),
                html.escape(record["labels"]["kind"].replace("_", " ")),
                100 * record["valid"]["share"], NUM_BLENDSHAPES - len(record["mask"]),
                in_step.replace("-", "&minus;"), _mark(verdict), _list(words)))
    return ("<div class='scroll'><table><thead><tr><th>subject</th><th>length</th><th>labels</th>"
            "<th>usable</th><th>channels</th><th>face late by</th><th></th>"
            "<th class='remarks'>what to look at</th></tr></thead><tbody>\n%s\n</tbody></table>"
            "</div>" % "\n".join(rows))


def _mark(verdict):
    return "<span class='mark %s'>%s</span>" % (verdict, VERDICT_WORDS[verdict])


def _list(words):
    return "<ul>%s</ul>" % "".join(
        "<li>%s</li>" % html.escape(text) for text in words) if words else ""


def _section(number, name, record, arrays, remarks_found, stills, folded):
    verdict, words = remarks_found
    loudness = _loudness(arrays.audio, len(arrays.targets))
    heading = "<h2 id='s%d'>%s</h2>" % (number, html.escape(name))
    parts = ["<details><summary>%s %s</summary>" % (heading, _mark(verdict)) if folded
             else "%s<p>%s</p>" % (heading, _mark(verdict)), _list(words)]
    if stills:
        parts.append("<h3>Does the face do what the caption says?</h3><div class='stills'>%s</div>"
                     % "".join(
                         "<figure><img alt='%s' src='data:image/jpeg;base64,%s'><figcaption>%s"
                         "</figcaption></figure>" % (html.escape(caption, quote=True),
                                                     _jpeg(image), html.escape(caption))
                         for caption, image in stills))
    parts.append("<h3>Curves</h3>")
    for first, last, caption in _stretches(loudness, arrays.valid):
        parts.append("<p class='facts'>%s</p><img alt='curves of %s' src='data:image/png;base64,"
                     "%s'>" % (caption, html.escape(name, quote=True),
                               _curves(arrays, record["mask"], loudness, first, last)))
    facts = (("source", "%s, labels by %s (%s)" % (
                  record["media"]["name"], record["labels"]["kind"].replace("_", " "),
                  record["labels"]["name"])),
             ("usable frames", "%.1f %% of %d%s" % (
                 100 * record["valid"]["share"], record["frames"],
                 "; left out of the labels: " + _counts_text(record)
                 if _counts_text(record) else "")),
             ("alignment", _alignment_text(record["alignment"])),
             ("sound and face", _offset_text(record["offset"])),
             ("left and right", _sides_text(record)),
             ("neutral pose taken off", _neutral_text(record["neutral"])),
             ("never trained on", _masked_text(record["mask"])))
    parts.append("<h3>Facts</h3><table class='facts-table'>%s</table>" % "".join(
        "<tr><td>%s</td><td class='remarks' style='max-width:none'>%s</td></tr>"
        % (label, html.escape(text)) for label, text in facts))
    parts.append("<h3>How often each weight occurs</h3><p class='facts'>From 0 (left) to 1 "
                 "(right), height by the logarithm of the count; the number is the 95th "
                 "percentile. Pale: never trained on.</p>%s" % _histograms(arrays, record["mask"]))
    return "\n".join(parts) + ("</details>" if folded else "")


def _curve(arrays, channels):
    return reorder(arrays.targets, MODEL_CHANNELS, channels).mean(axis=1)       # [frames]


def _loudness(audio, num_frames):
    """[num_frames] RMS of int16 `audio` in each frame, a minute at a time; 0 beyond its end."""
    loudness = np.zeros(num_frames)
    for first in range(0, num_frames, BLOCK_FRAMES):
        edges = _edges_of_frames(first, min(first + BLOCK_FRAMES, num_frames))
        power = np.zeros(edges[-1] - edges[0])
        block = np.asarray(audio[edges[0]:edges[-1]], np.float64)
        power[:len(block)] = block ** 2
        loudness[first:first + len(edges) - 1] = np.sqrt(
            np.add.reduceat(power, edges[:-1] - edges[0]) / np.diff(edges))
    return loudness


def _edges_of_frames(first, last):
    """int [last - first + 1]: where each of the frames first .. last - 1 begins, and the end."""
    return np.array([sample_of_frame(frame) for frame in range(first, last + 1)])


def _stretches(loudness, valid):
    """[(first frame, end, caption)]: the whole, and the loudest usable CLOSE_UP_S of it."""
    num_frames, length = len(loudness), int(CLOSE_UP_S * ANIMATION_FPS)
    whole = [(0, num_frames, "All of it; grey: how loud the sound is; red: left out")]
    if num_frames <= 1.5 * length:
        return whole
    told = np.concatenate([[0.0], np.cumsum(np.where(valid, loudness, 0.0))])
    first = int(np.argmax(told[length:] - told[:-length]))
    return whole + [(first, first + length, "Close up, %s to %s" % (
        _clock(first / float(ANIMATION_FPS)), _clock((first + length) / float(ANIMATION_FPS))))]


def _curves(arrays, mask, loudness, first, last):
    """Base64 PNG of PANELS over the frames first .. last - 1."""
    figure = Figure(figsize=(11, 1.35 * len(PANELS) + 0.5), dpi=95)
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    loud = loudness[first:last] / max(np.percentile(loudness, 99.5), 1e-9)
    invalid = ~np.asarray(arrays.valid[first:last], bool)
    valid = np.asarray(arrays.valid, bool)
    for axis, (title, lines) in zip(axes, PANELS):
        highest, drawn = 0.05, []
        for (label, channels), colour in zip(lines, COLOURS):
            if mask.get(channels[0]) == ABSENT:
                continue
            curve = np.where(valid, _curve(arrays, channels), np.nan)
            highest = max(highest, np.nanmax(curve) if valid.any() else 0.0)
            _draw(axis, curve[first:last], invalid, colour, label)
            drawn.append(label)
        dress(axis, title if drawn else title + ": not in the source",
              (last - first) / float(ANIMATION_FPS))
        axis.set_ylim(-0.03 * highest, 1.08 * highest)
        axis.set_yticks([0.0, round(float(highest), 2)])
        _shade(axis, loud if axis is axes[0] else None, invalid, highest)
        if len(drawn) > 1:
            axis.legend(loc="lower right", bbox_to_anchor=(1.0, 0.93), frameon=False, fontsize=7,
                        ncol=2)
    from_s = first / float(ANIMATION_FPS)
    axes[-1].set_xlabel("seconds from %.1f" % from_s if first else "seconds", fontsize=8)
    figure.subplots_adjust(left=0.045, right=0.995, top=0.95, bottom=0.1, hspace=0.45)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _draw(axis, curve, invalid, colour, label):
    """A curve with gaps where it is invalid; one too long for that keeps its extremes."""
    times_s, _, _ = extremes(curve, ANIMATION_FPS)
    if len(times_s) == len(curve):
        axis.plot(times_s, curve, color=colour, label=label, linewidth=1.1)
    else:
        draw_curve(axis, np.where(invalid, 0.0, curve), ANIMATION_FPS, colour, label)


def _shade(axis, loud, invalid, highest):
    """Loudness [frames] or None in grey, the frames that are not valid in red."""
    if loud is not None:
        times_s, _, loudest = extremes(np.clip(loud, 0.0, 1.0), ANIMATION_FPS)
        axis.fill_between(times_s, 0, highest * loudest, color=ENVELOPE_GREY, linewidth=0,
                          zorder=0)
    if invalid.any():
        # Of a stretch that stands for many frames, red hangs down as far as its share of them.
        starts = np.rint(extremes(invalid, ANIMATION_FPS)[0] * ANIMATION_FPS).astype(int)
        left_out = np.add.reduceat(invalid.astype(float), starts) / np.diff(
            np.append(starts, len(invalid)))
        edges_s = np.append(starts, len(invalid)) / float(ANIMATION_FPS)
        axis.fill_between(edges_s, 1.0 - np.append(left_out, left_out[-1]), 1, step="post",
                          color=INVALID_RED, alpha=0.7, linewidth=0,
                          transform=axis.get_xaxis_transform(), zorder=0.5)


def _histograms(arrays, mask):
    """All channels' histograms as one inline SVG, by region."""
    width, height, across = 130, 56, 7
    targets = np.asarray(arrays.targets)[np.asarray(arrays.valid, bool)]
    names = sorted(MODEL_CHANNELS, key=lambda name: (
        REGIONS.index(region(name)) if region(name) in REGIONS else len(REGIONS), name))
    cells = []
    for place, name in enumerate(names):
        values = targets[:, MODEL_CHANNELS.index(name)]
        left, top = place % across * width, place // across * height
        counts = np.histogram(values, HISTOGRAM_BINS, (0.0, 1.0))[0]
        heights = np.log1p(counts) / max(np.log1p(counts).max(), 1e-9) * 30.0
        step = (width - 14.0) / HISTOGRAM_BINS
        steps = "".join("V%.1fh%.2f" % (44.0 - tall, step) for tall in heights)
        note = "%.2f" % np.percentile(values, 95) if len(values) else ""
        if name in mask:
            note = "absent" if mask[name] == ABSENT else "still"
        cells.append(
            "<g transform='translate(%d %d)' opacity='%s'><text x='0' y='10'>%s</text>"
            "<text x='%d' y='24' text-anchor='end' opacity='.65'>%s</text><path d='M0 44%sV44Z' "
            "fill='%s'/><path d='M0 44.5h%d' stroke='#9aa4af'/></g>" % (
                left, top, ".35" if name in mask else "1", name, width - 14, note,
                "" if mask.get(name) == ABSENT else steps,
                COLOURS[0] if region(name) in MOUTH_REGIONS else COLOURS[2], width - 14))
    rows = -(-len(names) // across)
    return ("<svg viewBox='0 0 %d %d' width='100%%' role='img' aria-label='histograms'>%s</svg>"
            % (width * across, height * rows, "\n".join(cells)))


def _jpeg(image):
    """Base64 JPEG of an RGB picture, no wider than THUMBNAIL_WIDTH."""
    height, width = image.shape[:2]
    if width > THUMBNAIL_WIDTH:
        image = cv2.resize(image, (THUMBNAIL_WIDTH, max(1, height * THUMBNAIL_WIDTH // width)),
                           interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                              [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return base64.b64encode(encoded.tobytes()).decode("ascii")


REPORT_NAME = "report.html"


def write_report(folder, dataset_path):
    """Write report.html into the dataset; returns its path."""
    from utils.media.video import still
    dataset = Dataset(dataset_path)
    thumbnails = {}
    for name, record in dataset.subjects.items():
        media_path = os.path.join(folder, record["media"]["name"])
        if not media_path.lower().endswith(VIDEO_EXTENSIONS) or not os.path.isfile(media_path):
            continue
        arrays = dataset.arrays(name)
        stills = [(caption, still(media_path, (record["rows"][0] + frame) / ANIMATION_FPS))
                  for caption, frame in thumbnail_times(arrays.targets, dataset.channels,
                                                        arrays.valid)]
        thumbnails[name] = [(caption, image) for caption, image in stills if image is not None]
    path = os.path.join(dataset_path, REPORT_NAME)
    write_dataset_page(path, dataset, thumbnails)
    return path
