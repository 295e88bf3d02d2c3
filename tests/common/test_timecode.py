"""utils/common/timecode.py: what HH:MM:SS:FF means at a frame rate."""
import pytest

from utils.common.timecode import seconds_of_timecode, timecode_parts


@pytest.mark.parametrize("text, fps, expected", [
    ("00:00:00:00", 30, 0.0), ("00:00:01:15", 30, 1.5), ("00:00:01:15", 29.97, 1.5),
    ("00:00:01:12", 23.976, 1.5), ("00:00:01:12", 24, 1.5), ("00:00:01:30", 59.94, 1.5),
    ("23:59:59:24", 25, 86399.96), ("00:00:01:06", 12.5, 1 + 6 / 13.0),
    ("00:00:00;00", 29.97, 0.0), ("00:10:00;00", 29.97, 600.0),
    ("00:01:00;02", 29.97, 60 + 2 / 30.0),
    ("00:01:01;00", 30000 / 1001.0, 61.0), ("00:01:00;04", 59.94, 60 + 4 / 60.0),
    ("00:00:01:45.5", 30, 1 + 45.5 / 60), ("00:00:01:45.500", 24, 1 + 45.5 / 60)])
def test_seconds(text, fps, expected):
    assert seconds_of_timecode(text, fps) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("text, fps, told", [
    ("00:00:01:30", 30, "FF is 30, and there are 30 frames a second; expected 0 to 29"),
    ("00:00:01:30", 29.97, "expected 0 to 29"), ("00:00:01:24", 23.976, "expected 0 to 23"),
    ("00:00:01:60.0", 30, "there are 60 sixtieths a second"),
    ("00:01:00;01", 29.97, "drop-frame has no number 01 at that minute; the first is 02"),
    ("00:19:00;03", 59.94, "the first is 04"),
    ("00:00:01;00", 30, "a semicolon means drop-frame"), ("00:00:01;00", 23.976, "semicolon"),
    ("00:00:01;02.5", 59.94, "semicolon")])
def test_what_there_is_not_at_a_rate(text, fps, told):
    with pytest.raises(ValueError) as caught:
        seconds_of_timecode(text, fps)
    assert told in str(caught.value)


@pytest.mark.parametrize("text", ["", "10:20:30", "10:20:30:", "a", "10.20.30.12", "1:2:3:4:5",
                                  "-1:00:00:00", "24:00:00:00", "00:60:00:00", "00:00:60:00",
                                  "00:00:00:1.", "00:00:00:nan"])
def test_what_is_no_timecode(text):
    with pytest.raises(ValueError, match="expected HH:MM:SS:FF"):
        timecode_parts(text)
