"""A face against a subject's labels, beside two baselines made in the same run.

The baselines are fitted to the very labels that they are scored on, so that they are as good as
their kind can be: `loudness` is, channel by channel, the sum of the speech's envelope, its level in
dB and a constant that fits best; `mean` is the labels' own mean, or that of other label files. A
system that does not beat them has learnt nothing that is worth its computing. `labels` scored
against themselves show what a perfect system would get, and how good the labels are.
"""
import collections

import numpy as np

from utils.common import curve_math
from utils.common.channels import MODEL_CHANNELS, MOUTH_REGIONS, SCORED_DEVIATION, region, reorder
from utils.common.constants import ANIMATION_FPS, INT16_SCALE
from utils.common.errors import UserError
from utils.common.resample import resample_frames
from utils.dataset.store import read_dataset
from utils.formats.face_files import read_face
from utils.formats.face_kinds import BY_NAME
from utils.media.loudness import level_db, silent_frames, speech_envelope
from utils.scoring import metrics
from utils.scoring.phone_spans import bilabial_spans, open_spans

SYSTEM, LOUDNESS, MEAN, LABELS = "system", "loudness", "mean", "labels"
MIN_SCORED_S = 1.0

# weights [frames, len(names)] at ANIMATION_FPS, row i at i / ANIMATION_FPS seconds.
Face = collections.namedtuple("Face", "weights names")
# envelope, silent: [frames]; bilabials, open_vowels: [(start_s, end_s)], None without timings.
Speech = collections.namedtuple("Speech", "envelope silent bilabials open_vowels")


def load_face(path, live_link_sides=BY_NAME):
    """The Face in a file of any format that read_face takes, in [0, 1]; doubts go to stderr."""
    times_s, weights, names = read_face(path, live_link_sides=live_link_sides)
    weights = resample_frames(weights, times_s, ANIMATION_FPS)          # [frames, k]
    return Face(np.clip(weights, 0.0, 1.0), names)


def load_subject(dataset_path, name):
    """(Face of the channels that are not masked, sound float32 at 16 kHz, valid [frames])."""
    dataset = read_dataset(dataset_path)
    if name not in dataset.subjects:
        raise UserError("the dataset %s has no subject %s; it has %s"
                        % (dataset_path, name, ", ".join(dataset.subjects)))
    arrays = dataset.arrays(name)
    known = np.flatnonzero(arrays.mask)
    face = Face(np.array(arrays.targets[:, known]), tuple(MODEL_CHANNELS[i] for i in known))
    return face, arrays.audio / np.float32(INT16_SCALE), np.array(arrays.valid)


def score(system, labels, samples, timings=None, mean_of=(), valid=None):
    """The scorecard, a dictionary that JSON can hold.

    Args:
      system, labels: Face.
      samples: float32 [num_samples] at 16 kHz, the sound that both go with.
      timings: Timings of the sound, or None.
      mean_of: Faces whose mean the constant is; the labels themselves without any.
      valid: bool [frames], the frames of the labels that count (None: all). The others are cut
        out, and with them the phones that they touch.
    Returns:
      scored_s, frames, fps; scored_channels and still_channels (of the labels: what does not move
      there was not captured, and is not scored); systems: {system, loudness, mean, labels:
      {measure: value or None}}; regions: {same: {region: {mae, r}}}; channels: {name: {same:
      {mae, r}}}. And the curves {system ...: {signal: [frames]}}, for pictures.
    Raises UserError where less than MIN_SCORED_S is common to all, or the labels stand still.
    """
    envelope = speech_envelope(samples)
    num_frames = min(len(envelope), len(labels.weights), len(system.weights))
    keep = np.ones(num_frames, bool) if valid is None else np.array(valid[:num_frames])
    num_frames = int(keep.sum())
    if num_frames < MIN_SCORED_S * ANIMATION_FPS:
        raise UserError(
            "only %.2f s are common to the sound (%.2f s), the labels (%.2f s) and the face "
            "(%.2f s); at least %g s are needed"
            % tuple([count / float(ANIMATION_FPS) for count in (
                num_frames, len(envelope), len(labels.weights), len(system.weights))]
                    + [MIN_SCORED_S]))
    speech = Speech(
        envelope[:len(keep)][keep], silent_frames(envelope)[:len(keep)][keep],
        timings and _in_kept_time(bilabial_spans(timings), keep),
        timings and _in_kept_time(open_spans(timings), keep))
    labels = _cut(labels, keep)
    moving = [name for name, curve in zip(labels.names, labels.weights.T)
              if curve.std(dtype=np.float64) >= SCORED_DEVIATION]
    scored = [name for name in MODEL_CHANNELS if name in moving]
    if not set(metrics.region_means(dict.fromkeys(scored, 0.0))) & set(MOUTH_REGIONS):
        raise UserError("no channel of the mouth moves in the labels; there is nothing to score")
    faces = collections.OrderedDict([
        (SYSTEM, _cut(system, keep)), (LOUDNESS, loudness_baseline(labels, speech.envelope)),
        (MEAN, mean_baseline(labels, mean_of)), (LABELS, labels)])
    card = {
        "scored_s": num_frames / float(ANIMATION_FPS), "frames": num_frames,
        "fps": ANIMATION_FPS, "scored_channels": scored,
        "still_channels": [name for name in MODEL_CHANNELS if name not in scored],
        "silent_s": float(speech.silent.sum()) / ANIMATION_FPS,
        "systems": collections.OrderedDict(), "regions": collections.OrderedDict(),
        "channels": collections.OrderedDict((name, collections.OrderedDict()) for name in scored),
    }
    curves = collections.OrderedDict()
    for kind, face in faces.items():
        channels = channel_scores(face, labels, scored)
        for name, values in channels.items():
            card["channels"][name][kind] = values
        card["regions"][kind] = _regions(channels)
        card["systems"][kind] = measures(face, labels, scored, speech)
        curves[kind] = metrics.mouth_signals(face.weights, face.names, scored)
    return card, curves


def _cut(face, keep):
    return Face(face.weights[:len(keep)][keep], face.names)


def _in_kept_time(spans, keep):
    """The spans (start_s, end_s) as they lie in the kept frames put side by side."""
    cut_before = np.concatenate([[0], np.cumsum(~keep)]) / float(ANIMATION_FPS)
    moved = []
    for start_s, end_s in spans:
        first = max(0, int((start_s - metrics.NEAR_PHONE_S) * ANIMATION_FPS))
        end = int(np.ceil((end_s + metrics.NEAR_PHONE_S) * ANIMATION_FPS)) + 1
        if first < len(keep) and keep[first:end].all():
            moved.append((start_s - cut_before[first], end_s - cut_before[first]))
    return moved


def loudness_baseline(labels, envelope):
    """The Face that moves with the loudness alone: least squares a + b * RMS + c * dB a channel."""
    causes = np.stack([np.ones(len(envelope)), envelope, level_db(envelope)])
    causes = causes.T                                                       # [frames, 3]
    factors = np.linalg.lstsq(causes, labels.weights, rcond=None)[0]        # [3, k]
    return Face(np.clip(causes.dot(factors), 0.0, 1.0), labels.names)       # [frames, k]


def mean_baseline(labels, mean_of=()):
    """The Face that keeps the mean of `mean_of` (all their frames alike), or of the labels.

    A channel that none of `mean_of` has rests at 0.
    """
    means = np.zeros(len(labels.names))
    for column, name in enumerate(labels.names):
        curves = [reorder(face.weights, face.names, (name,)) for face in mean_of or (labels,)
                  if name in face.names]
        if curves:
            means[column] = np.mean(np.concatenate(curves), dtype=np.float64)
    return Face(np.tile(means, (len(labels.weights), 1)), labels.names)     # [frames, k]


def channel_scores(face, labels, scored):
    """{channel: {mae, r}} of `scored`; a channel that the face lacks stands at 0."""
    still = np.zeros((len(labels.weights), 1))
    scores = collections.OrderedDict()
    for name in scored:
        true = reorder(labels.weights, labels.names, (name,))[:, 0]
        has = name in face.names
        ours = (reorder(face.weights, face.names, (name,)) if has else still)[:, 0]
        scores[name] = {"mae": metrics.mean_absolute_error(ours, true),
                        "r": metrics.correlation(ours, true)}
    return scores


def _regions(channels):
    means = {key: metrics.region_means({name: values[key] for name, values in channels.items()})
             for key in ("mae", "r")}
    return collections.OrderedDict(
        (part, {key: means[key].get(part) for key in means})
        for part in metrics.REGIONS if part in means["mae"])


def measures(face, labels, scored, speech, only=None):
    """{measure: value or None} of one face against the labels; metrics.py says what each is.

    Args:
      face, labels: Face; speech: Speech, whose envelope is not used.
      scored: names of the channels that move in the labels.
      only: names of the measures that are wanted (None: all). The rest is not computed.
    """
    found = collections.OrderedDict()

    def wants(*names):
        return only is None or any(name in only for name in names)

    ours = metrics.mouth_signals(face.weights, face.names, scored)
    true = metrics.mouth_signals(labels.weights, labels.names, scored)
    for signal in metrics.SIGNALS:
        if signal not in true or not curve_math.moves(true[signal]):
            continue
        curve = ours.get(signal, np.zeros(len(true[signal])))
        if wants(signal + "_r"):
            found[signal + "_r"] = metrics.correlation(curve, true[signal])
        if wants(signal + "_lag_ms"):
            lag_s, _ = metrics.best_lag(curve, true[signal], ANIMATION_FPS)
            found[signal + "_lag_ms"] = None if lag_s is None else 1000.0 * lag_s
        if wants(signal + "_velocity_r"):
            found[signal + "_velocity_r"] = metrics.velocity_correlation(curve, true[signal])
    mouth = [name for name in scored if region(name) in MOUTH_REGIONS]
    both = [name for name in mouth if name in face.names]
    if both and wants("mouth_jitter_ratio"):
        found["mouth_jitter_ratio"] = metrics.jitter_ratio(
            reorder(face.weights, face.names, both), reorder(labels.weights, labels.names, both))
    if "opening" in ours:
        opening = ours["opening"]
        if wants("silence_leak", "silence_leak_p95"):
            found["silence_leak"], found["silence_leak_p95"] = metrics.silence_leak(
                opening, speech.silent)
        if speech.bilabials is not None:
            for measure, spans in (("closure_recall", speech.bilabials),
                                   ("false_closure_rate", speech.open_vowels)):
                if wants(measure, measure + "_of"):
                    found[measure], found[measure + "_of"] = metrics.closed_share(
                        opening, spans, ANIMATION_FPS)
    if "eyeBlinkLeft" in scored and wants("blinks_a_minute"):
        found["blinks_a_minute"] = metrics.blink_rate(face.weights, face.names, ANIMATION_FPS)
    return found


def table(card):
    """The card as lines of text: the measures, the regions, then each channel."""
    kinds = list(card["systems"])
    lines = ["%.1f s scored, %d frames at %d a second, %.1f s of them silent; %d channels move in "
             "the labels, %d do not and are not scored"
             % (card["scored_s"], card["frames"], card["fps"], card["silent_s"],
                len(card["scored_channels"]), len(card["still_channels"])), ""]
    row = "%-26s" + "%10s" * len(kinds)
    lines.append(row % tuple(["measure"] + kinds))
    for name in measure_names(card):
        lines.append(row % tuple([name] + [
            shown(card["systems"][kind].get(name), name) for kind in kinds]))
    for key in ("mae", "r"):
        lines += ["", row % tuple(["region, " + key] + kinds)]
        for part in card["regions"][SYSTEM]:
            lines.append(row % tuple([part] + [
                shown(card["regions"][kind][part][key], key) for kind in kinds]))
    lines += ["", ("%-26s" + "%10s" * 5) % (
        "channel", "mae", LOUDNESS, MEAN, "r", LOUDNESS)]
    for name, values in card["channels"].items():
        lines.append(("%-26s" + "%10s" * 5) % tuple([name] + [
            shown(values[kind][key], key) for kind, key in (
                (SYSTEM, "mae"), (LOUDNESS, "mae"), (MEAN, "mae"),
                (SYSTEM, "r"), (LOUDNESS, "r"))]))
    return "\n".join(lines)


def measure_names(card):
    """The measures that some face of the card has, in their order."""
    names = []
    for found in card["systems"].values():
        names += [name for name in found if name not in names]
    return names


def shown(value, measure):
    """A value as the tables have it; "-" for None, more places for small errors."""
    if value is None:
        return "-"
    if measure.endswith(("_ms", "_of")):
        return "%.0f" % value
    return "%.4f" % value if measure == "mae" else "%.2f" % value
