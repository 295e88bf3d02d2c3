"""run_live.py as a user runs it: PCM into its stdin, packets out of a real socket, Ctrl-C."""
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

import run_live
from tests.helpers.paths import REPOSITORY
from tests.live.test_packets import read_live_link
from utils.animation.animator import SpeechAnimator
from utils.common.channels import UNREAL_CHANNELS, reorder
from utils.common.constants import DEFAULT_CHECKPOINT, DEFAULT_GRAPH
from utils.common.pcm import to_int16
from utils.formats.npz import read_npz
from utils.media.audio import read_audio

PATIENCE_S = 120


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_from_stdin_to_two_sinks_and_a_file_until_ctrl_c(tmp_path):
    samples = read_audio(os.path.join(REPOSITORY, "audio", "test_sentence.wav"))[8000:40000]
    animator = SpeechAnimator(DEFAULT_CHECKPOINT, DEFAULT_GRAPH)
    expected = np.concatenate([animator.feed(samples), animator.finish()])
    path = str(tmp_path / "take.npz")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE_S)
        live = subprocess.Popen(
            [sys.executable, os.path.join(REPOSITORY, "run_live.py"), "--source", "stdin",
             "--to", "livelink@127.0.0.1:%d" % receiver.getsockname()[1], "--to", "vmc@127.0.0.1:9",
             "--record", path, "--no_eye_motion", "--subject", "me"], cwd=REPOSITORY,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        live.stdin.write(to_int16(samples).tobytes())
        live.stdin.flush()
        packets = [read_live_link(receiver.recv(2000))]
        first = packets[0][1] + packets[0][2]
        while packets[-1][1] + packets[-1][2] - first < len(expected):
            packets.append(read_live_link(receiver.recv(2000)))
    live.send_signal(signal.SIGINT)
    out, err = live.communicate(timeout=PATIENCE_S)
    assert live.returncode == 0, err
    assert b"all told" in out and b"wrote %s: " % path.encode() in out
    assert b"latency p50" in err and b"Traceback" not in err
    weights, names, fps = read_npz(path)
    weights = reorder(weights, names, animator.channels)
    assert fps == 30 and len(weights) >= len(expected)
    num_known = len(expected) - 16                  # then silence follows there, and nothing here
    np.testing.assert_allclose(weights[:num_known], expected[:num_known], atol=2e-6)
    # What was sent stands in the recording, in its order; a busy computer leaves some out.
    assert packets[0][0][1] == "me"
    shapes = reorder(weights, animator.channels, UNREAL_CHANNELS)
    at = 0
    for _, _, _, _, values in packets:
        while np.abs(shapes[at] - values[:52]).max() > 1e-6:
            at += 1


def complaint(capsys, *flags):
    with pytest.raises(SystemExit) as end:
        parser = run_live.get_parser()
        args = parser.parse_args(flags)
        run_live.add_addresses(parser, args)
    assert end.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("flags, words", [
    (["--to", "unreal"], "'unreal'; expected one of livelink, vmc, rokoko, websocket"),
    (["--to", "vmc@a:b"], "expected NAME, NAME@HOST or NAME@HOST:PORT"),
    (["--source", "stdin@host", "--to", "vmc"], "stdin has no address"),
    (["--to", "vmc", "--to", "rokoko", "--port", "5"], "--port goes with a single"),
    (["--record", "take.json"], "which format? Call it one of blendshapes.csv"),
    (["--to", "vmc", "--rate", "1"], "1 is not from 4000 to 192000"),
    (["--to", "vmc", "--fps", "50"], "invalid choice: 50")])
def test_flags_that_are_wrong(capsys, flags, words):
    assert words in complaint(capsys, *flags)


def test_nowhere_to_send(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["run_live.py"])
    with pytest.raises(SystemExit) as end:
        run_live.main()
    assert end.value.code == 2 and "where to?" in capsys.readouterr().err


def test_host_and_port_of_the_only_sink():
    parser = run_live.get_parser()
    args = parser.parse_args("--source stdin --to vmc --host studio --port 7".split())
    run_live.add_addresses(parser, args)
    assert tuple(args.to[0]) == ("vmc", "studio", 7)
