"""utils/formats/timings.py: what recognisers and aligners write, and what says too little."""
import json

import pytest

from utils.common.errors import UserError
from utils.formats.timings import read_timings


def timings_of(folder, name, content):
    """(Timings, warnings) of a file with that content, JSON where it is no text."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content),
                    encoding="utf-8")
    warnings = []
    return read_timings(str(path), warnings.append), warnings


WHISPER = {"text": " Hello, world.", "language": "en", "segments": [
    {"id": 0, "start": 0.0, "end": 1.0, "text": " Hello, world.", "words": [
        {"word": " Hello,", "start": 0.1, "end": 0.4, "probability": 0.9},
        {"word": " world.", "start": 0.5, "end": 0.9, "probability": 0.8}]},
    {"id": 1, "start": 1.0, "end": 2.0, "text": " \u201cDon't\u201d \u2026", "words": [
        {"word": " \u201cDon't\u201d", "start": 1.1, "end": 1.4},
        {"word": " \u2026", "start": 1.4, "end": 1.5}]}]}
WORDS = [("Hello", 0.1, 0.4), ("world", 0.5, 0.9), ("Don't", 1.1, 1.4)]


def test_whisper(tmp_path):
    timings, warnings = timings_of(tmp_path, "a.json", WHISPER)
    assert timings.words == WORDS and timings.phones == [] and warnings == []
    assert timings_of(tmp_path, "a.json", WHISPER["segments"])[0].words == WORDS
    spoken = {"words": [{"word": "Hello", "start": 0.1, "end": 0.4}],
              "segments": [{"start": 0, "end": 1, "text": "Hello"}]}
    assert timings_of(tmp_path, "a.json", spoken)[0].words == WORDS[:1]


def test_whisper_without_words(tmp_path):
    for segment in WHISPER["segments"]:
        segments = [dict(segment, words=[]), {"start": 3, "end": 4, "text": "Yes"}]
        with pytest.raises(UserError, match="no words with times.*--word_timestamps True"):
            timings_of(tmp_path, "a.json", {"segments": segments})
    with pytest.raises(UserError, match="'HELLO WORLD' is no phone; give the times of single"):
        timings_of(tmp_path, "a.json", [{"start": 0, "end": 1, "text": "hello world"}])


def test_whisperx(tmp_path):
    words = [{"word": "in", "start": 0.1, "end": 0.2, "score": 0.9}, {"word": "1999"},
             {"word": "we", "start": 0.9, "end": 1.0, "score": 0.5}]
    content = {"segments": [{"start": 0.1, "end": 1.0, "text": " in 1999 we", "words": words}],
               "word_segments": words}
    timings, warnings = timings_of(tmp_path, "a.json", content)
    assert timings.words == [("in", 0.1, 0.2), ("we", 0.9, 1.0)]
    assert len(warnings) == 1 and "1 words and 0 segments have no times" in warnings[0]
    timings, _ = timings_of(tmp_path, "a.json", {"segments": [], "word_segments": words})
    assert timings.words == [("in", 0.1, 0.2), ("we", 0.9, 1.0)]


def test_gentle(tmp_path):
    content = {"transcript": "Bob is", "words": [
        {"case": "success", "word": "Bob", "alignedWord": "bob", "start": 0.5, "end": 0.8,
         "phones": [{"phone": "b_B", "duration": 0.1}, {"phone": "aa_I", "duration": 0.15},
                    {"phone": "b_E", "duration": 0.05}]},
        {"case": "not-found-in-audio", "word": "is"},
        {"case": "success", "word": "a", "alignedWord": "a", "start": 1.0, "end": 1.1,
         "phones": [{"phone": "ah_S", "duration": 0.1}]}]}
    timings, warnings = timings_of(tmp_path, "a.json", content)
    assert timings.words == [("Bob", 0.5, 0.8), ("a", 1.0, 1.1)]
    assert [phone for phone, _, _ in timings.phones] == ["B", "AA", "B", "AH"]
    assert [start_s for _, start_s, _ in timings.phones] == pytest.approx([0.5, 0.6, 0.75, 1.0])
    assert timings.phones[2][2] == pytest.approx(0.8)
    assert len(warnings) == 1 and "1 of 3 words were not found" in warnings[0]
    del content["words"][0]["phones"][1]["duration"]
    with pytest.raises(UserError, match="word 1: expected Gentle's word, start, end and phones"):
        timings_of(tmp_path, "a.json", content)


def test_vosk(tmp_path):
    one = {"result": [{"conf": 1.0, "start": 0.1, "end": 0.4, "word": "hello"}], "text": "hello"}
    two = {"result": [{"conf": 1.0, "start": 0.5, "end": 0.9, "word": "world"}], "text": "world"}
    expected = [("hello", 0.1, 0.4), ("world", 0.5, 0.9)]
    for content in ([one, two], [one, {"text": ""}, two],
                    json.dumps(one) + "\n" + json.dumps({"partial": ""}) + "\n" + json.dumps(two)):
        timings, warnings = timings_of(tmp_path, "a.json", content)
        assert timings == ([], expected) and warnings == []
    alternatives = {"alternatives": [{"confidence": 9.0, "result": one["result"], "text": "hello"},
                                     {"confidence": 8.0, "result": two["result"], "text": "world"}]}
    assert timings_of(tmp_path, "a.json", alternatives)[0].words == expected[:1]
    with pytest.raises(UserError, match="no words with times"):
        timings_of(tmp_path, "a.json", [{"result": []}, {"partial": "hello"}])


@pytest.mark.parametrize("name, content", [
    ("a.json", {"metadata": {"soundFile": "a.wav", "duration": 1.0},
                "mouthCues": [{"start": 0.0, "end": 0.5, "value": "X"}]}),
    ("a.tsv", "0.00\tX\n0.05\tD\n0.50\tA\n"),
    ("a.xml", '<?xml version="1.0"?>\n<rhubarbResult><mouthCues/></rhubarbResult>\n'),
])
def test_rhubarbs_mouth_shapes_are_no_phones(tmp_path, name, content):
    with pytest.raises(UserError, match="mouth shapes of Rhubarb are neither phones nor words"):
        timings_of(tmp_path, name, content)


@pytest.mark.parametrize("content", [
    "start_s,end_s,word\n0.1,0.4,hello\n", ",start_s,end_s,word\n0,0.1,0.4,hello\n",
    '"Start";"End";"Word"\n"0,1";"0,4";"hello"\n', "start\tend\tword\n0.1\t0.4\thello\n",
    "start_s,end_s,word\n0.1,0.4,hello\n,,\n\x1a"])
def test_tables_in_other_clothes(tmp_path, content):
    for name in ("a.csv", "a.tsv"):
        assert timings_of(tmp_path, name, content)[0].words == [("hello", 0.1, 0.4)]
    (tmp_path / "a.csv").write_bytes(content.encode("utf-16"))
    assert read_timings(str(tmp_path / "a.csv")).words == [("hello", 0.1, 0.4)]


@pytest.mark.parametrize("name, content, told", [
    ("a.json", "", "not JSON"), ("a.json", '{"words": [', "not JSON"), ("a.json", "1", "expected"),
    ("a.json", {"segments": 3}, "no words with times"),
    ("a.json", {"text": "hello"}, "neither phones nor words"),
    ("a.json", [{"result": [{"start": "soon", "end": 1, "word": "a"}]}], "entry 1"),
    ("a.json", [{"result": [{"start": 1, "end": 0.5, "word": "a"}]}], "before it begins"),
    ("a.json", [{"result": []}, 3], "results of a recogniser"),
    ("a.csv", "", "neither phones nor words"),
    ("a.csv", "start,end\n0,1\n", "entry 1: expected start_s"),
    ("a.srt", "1\n00:00:00,000 --> 00:00:01,000\nhello\n", "are read from .TextGrid"),
])
def test_what_cannot_be_read(tmp_path, name, content, told):
    with pytest.raises(UserError) as caught:
        timings_of(tmp_path, name, content)
    assert told in str(caught.value) and name in str(caught.value)
    assert "\n" not in str(caught.value)
