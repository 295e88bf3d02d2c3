"""An hour of run_live.py: does it keep its time, its memory, its frames?

    python -m tests.measure.live_soak
    python -m tests.measure.live_soak --minutes 10

A wav of that length, the test sentence over and over with a pause between, is spoken at the pace
at which it is heard. Each Live Link packet is compared with the frame of the file path of its
number, so that order and content are proved, too. Linux only: memory and processor time are
/proc's.
"""
import argparse
import os
import socket
import tempfile
import time

import numpy as np

from tests.helpers.paths import REPOSITORY
from tests.measure.live_latency import processor_s, started, values_of
from utils.animation.animator import SpeechAnimator
from utils.common.channels import UNREAL_CHANNELS, reorder
from utils.common.constants import DEFAULT_CHECKPOINT, DEFAULT_GRAPH, SAMPLE_RATE_HZ
from utils.media.audio import open_audio, read_audio, write_wav

FPS = 30
PAUSE_S = 2.5
NUM_ROWS = 6                            # of the table
FRAME_AT = -4 * 61 - 1 - 4 * 4          # of a Live Link packet: its frame, and the part of it


def get_parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="(%(default)s)")
    return parser


def long_speech(seconds):
    sentence = read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))
    sentence = np.concatenate([sentence, np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.float32)])
    return np.resize(sentence, int(seconds * SAMPLE_RATE_HZ))


def frames_of(path):
    """float32 [frames, 52] of the file path, UNREAL_CHANNELS."""
    animator = SpeechAnimator(DEFAULT_CHECKPOINT, DEFAULT_GRAPH)
    weights = [animator.feed(block) for block in open_audio(path).blocks()]
    return reorder(np.concatenate(weights + [animator.finish()]), animator.channels,
                   UNREAL_CHANNELS)


def memory_mb(pid):
    with open("/proc/%d/status" % pid) as stream:
        return int([line for line in stream if line.startswith("VmRSS")][0].split()[1]) / 1000.0


def frame_number(packet):
    """Of the day, with its part."""
    frame, part = np.frombuffer(packet[FRAME_AT:FRAME_AT + 4], ">i4"), np.frombuffer(
        packet[FRAME_AT + 4:FRAME_AT + 8], ">f4")
    return float(frame[0]) + float(part[0])


def main():
    args = get_parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "long.wav")
        write_wav(path, long_speech(60 * args.minutes))
        expected = frames_of(path)
        print("%d frames in %g minutes" % (len(expected), args.minutes))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(60)
            process, _ = started(receiver, "--audio_fname", path)
            soak(receiver, process, expected)
        print(process.stderr.read().decode("utf-8").strip())
        process.wait()


def soak(receiver, process, expected):
    """Receive until the last frame, and print a row for each part of the time."""
    print("%8s %8s %8s %10s %22s %10s %10s" % (
        "minute", "frames", "missing", "order", "late against first, ms", "memory MB", "of a core"))
    print("%8s %8s %8s %10s %10s %11s" % ("", "", "", "wrong", "median", "p99"))
    first, rows = None, []
    last, late_s, num_missing, num_wrong, worst = -1, [], 0, 0, 0.0
    spent_s, began_s = processor_s(process.pid), time.monotonic()
    part = len(expected) // NUM_ROWS
    while last < len(expected) - 2:
        try:
            packet = receiver.recv(2000)
        except socket.timeout:
            print("nothing came for a minute")
            break
        arrived_s = time.monotonic()
        number = frame_number(packet)
        if first is None:
            first, first_s = number, arrived_s
        number = int(round((number - first) % (24 * 3600 * FPS)))
        late_s.append(arrived_s - first_s - number / float(FPS))
        num_wrong += number <= last
        num_missing += max(number - last - 1, 0)
        last = number
        if number < len(expected):
            worst = max(worst, np.abs(values_of(packet) - expected[number]).max())
        if number // part > len(rows) or last >= len(expected) - 2:
            now_s, now_spent_s = time.monotonic(), processor_s(process.pid)
            row = (last / (60.0 * FPS), len(late_s), num_missing, num_wrong,
                   1000 * np.median(late_s), 1000 * np.percentile(late_s, 99),
                   memory_mb(process.pid), 100 * (now_spent_s - spent_s) / (now_s - began_s))
            print("%8.1f %8d %8d %10d %10.1f %11.1f %10.0f %9.0f %%" % row, flush=True)
            rows.append(row)
            late_s, num_missing, num_wrong = [], 0, 0
            spent_s, began_s = now_spent_s, now_s
    drift_ms = rows[-1][4] - rows[0][4]
    print("drift %.1f ms of %.1f ms a frame; largest difference from the file path %.1g; memory "
          "%+.0f MB" % (drift_ms, 1000.0 / FPS, worst, rows[-1][6] - rows[0][6]))


if __name__ == "__main__":
    main()
