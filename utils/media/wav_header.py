"""The two kinds of wav that ffmpeg decodes wrongly and without a word: the decoder they need.

ffmpeg takes the sample's width from the valid bits, so 24 of 32 bits come out as noise or as not
a number. Of a big-endian RIFX it reads the header rightly and the samples as little-endian.
The layout is that of Microsoft's WAVEFORMATEXTENSIBLE.
"""
import os
import struct

from utils.common.errors import UserError

PCM, IEEE_FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
LITTLE_ENDIAN, BIG_ENDIAN = (b"RIFF", b"RF64", b"BW64"), (b"RIFX",)
MAX_CHUNKS_BEFORE_FORMAT = 1000
INTEGER_BYTES, FLOAT_BYTES = (1, 2, 3, 4, 8), (4, 8)


def wav_decoder(path):
    """ffmpeg's decoder for such a wav ("pcm_s32le"); None: ffmpeg chooses rightly by itself.

    Raises UserError for a big-endian wav of samples that are neither integers nor floats.
    """
    with open(path, "rb") as stream:
        beginning = stream.read(12)
        big_endian = beginning[:4] in BIG_ENDIAN
        if not (big_endian or beginning[:4] in LITTLE_ENDIAN) or beginning[8:] != b"WAVE":
            return None
        order = ">" if big_endian else "<"
        chunk = _format_chunk(stream, order)
    if len(chunk) < 16:
        return None                                 # ffmpeg says what is wrong with it
    kind, num_channels, _, _, block_bytes, bits = struct.unpack(order + "HHIIHH", chunk[:16])
    valid_bits = bits
    if kind == EXTENSIBLE and not big_endian and len(chunk) >= 26:
        valid_bits, _, kind = struct.unpack("<HIH", chunk[18:26])
    sample_bytes = block_bytes // num_channels if num_channels else 0
    fits = kind in (PCM, IEEE_FLOAT) and sample_bytes in (
        INTEGER_BYTES if kind == PCM else FLOAT_BYTES)
    if not fits and big_endian:
        raise UserError("%s is a big-endian wav (RIFX) of a kind that cannot be read (format %d, "
                        "%d bits); export it as an ordinary wav" % (path, kind, bits))
    if not fits or not (big_endian or sample_bytes != -(-(valid_bits or bits) // 8)):
        return None
    if sample_bytes == 1:
        return "pcm_u8"
    # The valid bits are the highest ones: the others are zeros, and the full scale is the same.
    return "pcm_%s%d%s" % ("s" if kind == PCM else "f", 8 * sample_bytes,
                           "be" if big_endian else "le")


def _format_chunk(stream, order):
    """The content of the chunk "fmt " of a wav whose first 12 bytes are read; empty without."""
    for _ in range(MAX_CHUNKS_BEFORE_FORMAT):
        header = stream.read(8)
        if len(header) < 8:
            return b""
        name, num_bytes = header[:4], struct.unpack(order + "I", header[4:])[0]
        if name == b"fmt ":
            return stream.read(min(num_bytes, 64))
        stream.seek(num_bytes + num_bytes % 2, os.SEEK_CUR)
    return b""
