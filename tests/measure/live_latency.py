"""How long after its sound a frame of run_live.py arrives, and where the time goes.

    python -m tests.measure.live_latency
    python -m tests.measure.live_latency --clicks 60 --fps 60
    python -m tests.measure.live_latency --checkpoint model/low_latency/low_latency.model

A track of clicks, each a syllable of speech, goes through a loopback TCP socket into run_live.py
at the pace at which it is heard, in blocks of 10 ms. Its Live Link packets come back through
another. Each is found again in the frames of the file path by its values, so that no time stamp of
the program is believed: frame i belongs to the sound at i / 30 s.

Where the computer is so busy that sound comes with gaps, later frames are none of the file path's:
few are found then, and the program's own line tells the gaps. The second table has the processor's
time for a frame, which a busy machine does not lengthen. Linux only: /proc tells what silence costs.
"""
import argparse
import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np

from tests.helpers.paths import REPOSITORY
from utils.animation.animator import SpeechAnimator
from utils.common.channels import UNREAL_CHANNELS, reorder
from utils.common.constants import DEFAULT_CHECKPOINT, DEFAULT_GRAPH, SAMPLE_RATE_HZ
from utils.common.pcm import to_int16
from utils.common.quiet_tensorflow import tf
from utils.media.audio import read_audio

BLOCK_S = 0.01
SYLLABLE = (1.0, 1.25)                  # of the test sentence, in seconds
HISS = 0.005                            # between the clicks, so that the face does not rest
SETTLE_S, SILENCE_S = 5.0, 30.0         # after the start; what is measured of silence
VALUES_AT = -4 * 61                     # of a Live Link packet: its last 61 floats


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=20, help="one a second (%(default)s)")
    parser.add_argument("--fps", type=int, choices=(30, 60), default=30, help="(%(default)s)")
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT, help="(%(default)s)")
    return parser


def click_track(num_clicks):
    """float32 [16000 * (num_clicks + 1)]: a syllable at every full second but the first."""
    sentence = read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))
    first, last = (int(at_s * SAMPLE_RATE_HZ) for at_s in SYLLABLE)
    random = np.random.RandomState(0)
    track = random.uniform(-HISS, HISS, (num_clicks + 1) * SAMPLE_RATE_HZ).astype(np.float32)
    for click in range(1, num_clicks + 1):
        at = click * SAMPLE_RATE_HZ
        track[at:at + last - first] += sentence[first:last] * (0.6 + 0.4 * np.sin(click))
    return track


def started(receiver, *flags):
    """(process, lines it wrote at its start) of run_live.py that sends to `receiver`."""
    process = subprocess.Popen(
        [sys.executable, "-u", os.path.join(REPOSITORY, "run_live.py"), "--no_eye_motion", "--to",
         "livelink@127.0.0.1:%d" % receiver.getsockname()[1]] + list(flags),
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = []
    while not lines or "Ctrl-C ends it" not in lines[-1]:
        line = process.stdout.readline().decode("utf-8")
        if not line:
            sys.exit(process.stderr.read().decode("utf-8"))
        lines.append(line.rstrip())
    return process, lines


def values_of(packet):
    return np.frombuffer(packet[VALUES_AT:], ">f4", len(UNREAL_CHANNELS)).astype(np.float32)


def speak(address, track):
    """Send `track` at its pace; the time in seconds at which its sample 0 was heard."""
    size = int(BLOCK_S * SAMPLE_RATE_HZ)
    pcm = to_int16(track).tobytes()
    with socket.create_connection(address) as speaker:
        speaker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start_s = time.monotonic()
        for first in range(0, len(track), size):
            heard_s = start_s + (first + size) / float(SAMPLE_RATE_HZ)
            time.sleep(max(heard_s - time.monotonic(), 0.0))
            speaker.sendall(pcm[2 * first:2 * (first + size)])
    return start_s


def latencies_s(packets, expected, start_s, fps=30):
    """Of the packets whose values are those of one frame of `expected` [frames, 52] and no other.

    Frames are in order, so each is looked for after the one before.
    """
    found, after = [], 0
    for arrived_s, values in packets:
        near = np.abs(expected[after:after + 2 * fps] - values).max(axis=1)
        fitting = np.flatnonzero(near < 1e-5)
        if len(fitting):
            after += int(fitting[0]) + 1
            found.append(arrived_s - start_s - (after - 1) / float(fps))
    return np.array(found)


def measured(checkpoint, num_clicks, fps):
    """(lines of the program, latencies in seconds, number of frames there are)."""
    track = to_int16(click_track(num_clicks)).astype(np.float32) / 32768
    animator = SpeechAnimator(checkpoint, DEFAULT_GRAPH)
    expected = np.concatenate([animator.feed(track), animator.finish()])
    expected = reorder(expected, animator.channels, UNREAL_CHANNELS)
    if fps == 60:
        expected = np.insert(expected, np.arange(1, len(expected)),
                             (expected[1:] + expected[:-1]) / 2, axis=0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        process, lines = started(receiver, "--source", "tcp@127.0.0.1:0", "--fps", str(fps),
                                 "--tf_model_fname", checkpoint)
        port = [int(line.rsplit(":", 1)[1]) for line in lines if "sound is taken at" in line][0]
        start_s = []
        speaker = threading.Thread(
            target=lambda: start_s.append(speak(("127.0.0.1", port), track)))
        speaker.start()
        packets = []
        receiver.settimeout(60)
        while speaker.is_alive() or not packets:
            packet = receiver.recv(2000)
            packets.append((time.monotonic(), values_of(packet)))
        speaker.join()
        process.terminate()
        lines.insert(-2, process.communicate()[1].decode("utf-8").strip().split("\n")[-1])
    return lines, latencies_s(packets, expected, start_s[0], fps), len(expected)


def processor_s(pid):
    with open("/proc/%d/stat" % pid) as stream:
        fields = stream.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def share_in_silence():
    """Processor seconds a second of a program that hears nothing and sends to two tools."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        process, _ = started(receiver, "--source", "tcp@127.0.0.1:0", "--to", "vmc")
        time.sleep(SETTLE_S)
        before_s = processor_s(process.pid)
        time.sleep(SILENCE_S)
        spent_s = processor_s(process.pid) - before_s
        process.terminate()
        process.communicate()
    return spent_s / SILENCE_S


def compute_s(animator, early_frames, num_seconds=30):
    """Processor seconds for each call that gave a frame, [n], and for a second of sound."""
    sentence = read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))
    samples = np.resize(sentence, num_seconds * SAMPLE_RATE_HZ)
    animator.start(early_frames=early_frames)
    size, spent_s, total_s = 128, [], time.process_time()
    for first in range(0, len(samples), size):
        before_s = time.process_time()
        if len(animator.feed(samples[first:first + size])):
            spent_s.append(time.process_time() - before_s)
    return np.array(spent_s), (time.process_time() - total_s) / num_seconds


def main():
    args = get_parser().parse_args()
    print("TensorFlow %s, Python %d.%d, %d cores" % (
        (tf.__version__,) + sys.version_info[:2] + (os.cpu_count(),)))
    lines, late_s, num_expected = measured(args.checkpoint, args.clicks, args.fps)
    print("\n".join(lines[:-2]))
    print("measured through two sockets, %d of %d frames found: p50 %.0f, p95 %.0f, max %.0f ms"
          % ((len(late_s), num_expected) + tuple(1000 * np.percentile(late_s, (50, 95, 100)))))
    print("\n%-28s %12s %12s %12s %12s" % (
        "the graph runs", "sound-frame", "a frame p50", "p99", "of a core"))
    animator = SpeechAnimator(args.checkpoint, DEFAULT_GRAPH)
    for name, early_frames in (("when 16 steps are full", None), ("for each frame", 1),
                               ("for every second frame", 2)):
        spent_s, share = compute_s(animator, early_frames)
        worst_s = sum(seconds for _, seconds in animator.look_ahead_s(early_frames))
        print("%-28s %9.0f ms %9.1f ms %9.1f ms %10.0f %%" % (
            (name, 1000 * worst_s) + tuple(1000 * np.percentile(spent_s, (50, 99)))
            + (100 * share,)))
    print("of a core in silence, two tools: %.1f %%" % (100 * share_in_silence()))


if __name__ == "__main__":
    main()
