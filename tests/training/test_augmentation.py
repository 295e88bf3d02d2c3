"""Augmented copies of sound and labels: what changes, what stays in step, what repeats."""
import types

import numpy as np
import pytest

from utils.common.channels import MODEL_CHANNELS
from utils.common.constants import ANIMATION_FPS, SAMPLE_RATE_HZ
from utils.formats.live_link_csv import write_live_link_csv
from utils.media.audio import write_wav
from utils.training import subjects
from utils.training.augmentation import (Augmentation, augmentation_of, augmented_frames,
                                         augmented_sound,
                                         augmented_valid)
from utils.training.config import Config

PLAIN = Augmentation(speed=1.0, pitch=1.0, level_db=0.0, noise_db=-200.0, echo_s=0.0, seed=1)


def tone(hz, seconds=2.0):
    times_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / float(SAMPLE_RATE_HZ)
    return (0.2 * np.sin(2 * np.pi * hz * times_s)).astype(np.float32)


def main_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.argmax(spectrum) * SAMPLE_RATE_HZ / float(len(samples))


def test_nothing_augmented_is_the_sound_itself():
    sound = tone(440.0)
    np.testing.assert_allclose(augmented_sound(sound, PLAIN), sound, atol=1e-6)


@pytest.mark.parametrize("speed, pitch", [(0.9, 1.0), (1.1, 1.0), (1.0, 1.12), (1.1, 0.9)])
def test_speed_and_pitch_change_apart(speed, pitch):
    augmented = augmented_sound(tone(440.0), PLAIN._replace(speed=speed, pitch=pitch))
    assert len(augmented) == round(2.0 * SAMPLE_RATE_HZ / speed)
    assert main_hz(augmented) == pytest.approx(440.0 * pitch, rel=0.01)


@pytest.mark.parametrize("speed, pitch", [(0.9, 1.0), (1.1, 1.12)])
def test_sound_and_labels_stay_in_step(speed, pitch):
    """Bursts of tone, and labels that are 1 in them: after the change they still coincide."""
    frames = np.zeros([90, 1], np.float32)
    frames[20:30] = frames[50:62] = 1.0
    augmentation = PLAIN._replace(speed=speed, pitch=pitch)
    frame_of_sample = np.arange(3 * SAMPLE_RATE_HZ) * ANIMATION_FPS // SAMPLE_RATE_HZ
    sound = tone(300.0, 3.0) * frames[frame_of_sample, 0]
    augmented = augmented_sound(sound, augmentation)
    labels = augmented_frames(frames, augmentation)[:, 0]
    ends = np.arange(len(labels) + 1) * SAMPLE_RATE_HZ // ANIMATION_FPS
    loud = np.array([np.abs(augmented[start:end]).mean() if end > start else 0.0
                     for start, end in zip(ends[:-1], np.minimum(ends[1:], len(augmented)))])
    lags = range(-4, 5)
    best = max(lags, key=lambda lag: np.corrcoef(loud[5 + lag:75 + lag], labels[5:75])[0, 1])
    assert abs(best) <= 1 and np.corrcoef(loud, labels)[0, 1] > 0.85


def test_labels_are_read_at_the_augmented_times():
    ramp = np.arange(30, dtype=np.float32)[:, np.newaxis] / 30.0
    faster = augmented_frames(ramp, PLAIN._replace(speed=1.2))
    assert len(faster) == 25                                # 1 s in 1 / 1.2 s
    np.testing.assert_allclose(faster[:, 0], 1.2 * np.arange(25) / 30.0, atol=1e-5)


def test_a_frame_is_valid_only_where_all_it_comes_from_is():
    valid = np.ones(20, bool)
    valid[10] = False
    slower = augmented_valid(valid, PLAIN._replace(speed=0.5))
    assert slower.dtype == bool and len(slower) == 40
    # Frame 2 i is old frame i; 19 and 21 lie halfway to the bad frame 10.
    assert list(np.flatnonzero(~slower)) == [19, 20, 21]


def test_noise_is_as_far_below_the_speech_as_asked():
    sound = tone(440.0)
    noise = augmented_sound(sound, PLAIN._replace(noise_db=-20.0)) - sound
    power = np.mean(noise.astype(float) ** 2) / np.mean(sound.astype(float) ** 2)
    assert 10 * np.log10(power) == pytest.approx(-20.0, abs=0.3)


def test_level_and_no_clipping():
    sound = tone(440.0)
    quiet = augmented_sound(sound, PLAIN._replace(level_db=-6.0))
    assert np.abs(quiet).max() == pytest.approx(0.2 * 10 ** (-6 / 20.0), rel=1e-3)
    assert np.abs(augmented_sound(sound, PLAIN._replace(level_db=40.0))).max() <= 1.0


def test_echo_follows_and_never_precedes():
    click = np.zeros(SAMPLE_RATE_HZ, np.float32)
    click[4000] = 0.5
    augmented = augmented_sound(click, PLAIN._replace(echo_s=0.2))
    assert np.argmax(np.abs(augmented)) == 4000 and augmented[4000] == pytest.approx(0.5, abs=1e-4)
    assert np.abs(augmented[:4000]).max() < 1e-5
    early, late = np.abs(augmented[4001:4400]).mean(), np.abs(augmented[6400:6800]).mean()
    assert early > 1e-4 and late < 0.05 * early


def test_what_a_copy_is_follows_from_name_and_number():
    assert augmentation_of("1.mp4", 1) == augmentation_of("1.mp4", 1)
    others = [augmentation_of("1.mp4", 2), augmentation_of("2.mp4", 1)]
    assert all(other.speed != augmentation_of("1.mp4", 1).speed for other in others)
    sound = tone(200.0, 0.5)
    np.testing.assert_array_equal(*[augmented_sound(sound, others[0]) for _ in range(2)])


def test_copies_are_subjects_beside_their_originals(tmp_path, monkeypatch):
    """From a folder with one take: names, lengths, labels at the times of the copies, features."""
    fed = []

    class FakeStream(object):
        """One window a frame: what it is fed is kept."""

        def __init__(self, acoustic_graph, profile, rate_hz):
            fed.append([])

        def feed(self, samples):
            fed[-1].append(samples)
            return np.zeros([0, 16, 29], np.float32)

        def finish(self):
            num_samples = sum(len(samples) for samples in fed[-1])
            return np.ones([num_samples * ANIMATION_FPS // SAMPLE_RATE_HZ, 16, 29], np.float32)

    monkeypatch.setattr(subjects, "_feature_stream", FakeStream)
    write_wav(str(tmp_path / "a.wav"), tone(300.0, 4.0))
    ramp = np.tile(np.linspace(0.0, 1.0, 120, dtype=np.float32)[:, np.newaxis], (1, 52))
    write_live_link_csv(str(tmp_path / "a.csv"), ramp, MODEL_CHANNELS, ANIMATION_FPS)
    config = Config(raw_audio_path="none", training_data_path=str(tmp_path),
                    checkpoint_dir=str(tmp_path / "run"), augmented_copies=2)
    graph = types.SimpleNamespace(sha256="0" * 64)
    copies = subjects.load_augmented_copies(config, ["a.wav"], graph, progress=False)
    assert [copy.name for copy in copies] == ["a.wav, augmented 1", "a.wav, augmented 2"]
    for number, copy in enumerate(copies, start=1):
        speed = augmentation_of("a.wav", number).speed
        assert len(copy.targets) == len(copy.windows) == len(copy.valid)
        assert len(copy.targets) == pytest.approx(120 / speed, abs=1.5)
        assert copy.targets[60, 0] == pytest.approx(60 * speed / 119, abs=0.01)
        assert sum(map(len, fed[number - 1])) == pytest.approx(64000 / speed, abs=1)
    assert len({copy.audio_sha256 for copy in copies}) == 2
    again = subjects.load_augmented_copies(config, ["a.wav"], graph, progress=False)
    assert len(fed) == 2 and len(again) == 2                # from the cache
    config.augmented_copies = 0
    assert subjects.load_augmented_copies(config, ["a.wav"], graph) == []


def test_silence_stays_finite():
    assert np.isfinite(augmented_sound(np.zeros(8000, np.float32), augmentation_of("a", 1))).all()
