"""Rooms, backgrounds, microphones and levels, done to samples."""
import numpy as np
import scipy.signal

from utils.common.constants import INT16_SCALE, SAMPLE_RATE_HZ
from utils.common.pcm import to_int16


def augment(random, samples):
    """What a room, a microphone, a background and a codec make of clean speech."""
    augmented = samples.astype(np.float64)
    gap = augmented == 0.0
    if random.rand() < 0.45:
        augmented = _in_a_room(random, augmented)
    if random.rand() < 0.8:
        augmented = _filtered(random, augmented)
    level = 10 ** random.uniform(-2.0, -0.55)
    augmented *= level / (np.sqrt(np.mean(augmented ** 2)) * 3.0 + 1e-9)
    if random.rand() < 0.7:
        noise = (_babble(random, augmented) if random.rand() < 0.15
                 else background(random, len(augmented)))
        snr = 10 ** (random.uniform(5.0, 45.0) / 20.0)
        augmented += noise * np.sqrt(np.mean(augmented ** 2)) / snr
    elif random.rand() < 0.5:
        augmented[gap] = 0.0              # digital silence between sentences
    if random.rand() < 0.05:
        augmented *= random.uniform(2.0, 8.0)     # clipped below
    return as_int16_gives(augmented)


def as_int16_gives(samples):
    """float32 `samples` in [-1, 1) as a 16-bit file gives them back."""
    return (to_int16(samples) / INT16_SCALE).astype(np.float32)


def _in_a_room(random, samples):
    """Reverberation: exponentially decaying noise after the direct sound."""
    decay_s = random.uniform(0.1, 0.7)
    num_taps = int(decay_s * SAMPLE_RATE_HZ)
    response = random.randn(num_taps) * 10 ** (-3.0 * np.arange(num_taps) / num_taps)
    response[:int(random.uniform(0.001, 0.01) * SAMPLE_RATE_HZ)] = 0.0
    response *= 10 ** (random.uniform(-18.0, -3.0) / 20.0) / np.sqrt(np.sum(response ** 2))
    response[0] = 1.0
    return scipy.signal.fftconvolve(samples, response)[:len(samples)]


def _filtered(random, samples):
    """A smooth random frequency curve of +-10 dB; sometimes the band of a telephone or less."""
    length = _fast_length(len(samples))
    spectrum = np.fft.rfft(samples, length)
    frequency_hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2.0, len(spectrum))
    knots_hz = np.array([0, 100, 200, 400, 800, 1600, 3200, 5600, 8000.0])
    gain_db = np.interp(frequency_hz, knots_hz, np.clip(np.cumsum(random.randn(9) * 3.0), -12, 12))
    if random.rand() < 0.3:
        low_hz, high_hz = random.uniform(60, 350), random.uniform(2600, 7000)
        gain_db -= 24.0 * np.log2(np.maximum(low_hz / np.maximum(frequency_hz, 20.0), 1.0))
        gain_db -= 24.0 * np.log2(np.maximum(frequency_hz / high_hz, 1.0))
    return np.fft.irfft(spectrum * 10 ** (gain_db / 20.0), length)[:len(samples)]


def _fast_length(num_samples):
    """A length a little above, of small prime factors, that the FFT is quick at."""
    block = 1 << max(8, int(num_samples).bit_length() - 4)
    return -(-num_samples // block) * block


def background(random, num_samples):
    """Background of unit level: coloured noise, steady or swelling, at times with hum."""
    spectrum = np.fft.rfft(random.randn(_fast_length(num_samples)))
    frequency_hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2.0, len(spectrum))
    slope = random.uniform(0.0, 1.2)            # 0 white, 0.5 pink, 1 brown
    spectrum *= np.maximum(frequency_hz, 40.0) ** -slope
    noise = np.fft.irfft(spectrum)[:num_samples]
    times_s = np.arange(num_samples) / float(SAMPLE_RATE_HZ)
    kind = random.rand()
    if kind < 0.25:                             # swelling, as breath, wind and traffic do
        noise *= 1.05 + np.sin(2 * np.pi * (random.uniform(0.2, 3.0) * times_s + random.rand()))
    elif kind < 0.4:                            # clicks and knocks
        envelope = np.zeros(num_samples)
        envelope[random.randint(num_samples, size=1 + num_samples // 16000)] = 1.0
        decay = np.exp(-np.arange(1600) / random.uniform(40.0, 500.0))
        noise = noise * (0.03 + scipy.signal.fftconvolve(envelope, decay)[:num_samples])
    noise /= np.sqrt(np.mean(noise ** 2)) + 1e-12
    if random.rand() < 0.15:                    # mains hum or a whine
        pitch_hz = random.choice([50.0, 60.0, random.uniform(100.0, 3000.0)])
        for harmonic in range(1, 4):
            noise += random.rand() * np.sin(2 * np.pi * pitch_hz * harmonic * times_s)
        noise /= np.sqrt(np.mean(noise ** 2))
    return noise


def _babble(random, samples):
    """Unintelligible voices of unit level: the recording itself, backwards, several times over."""
    total = np.zeros(len(samples))
    for _ in range(random.randint(2, 6)):
        total += np.roll(samples[::-1], random.randint(len(samples)))
    return total / (np.sqrt(np.mean(total ** 2)) + 1e-9)
