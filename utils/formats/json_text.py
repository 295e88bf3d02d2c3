"""JSON files, with a line that names the file where one cannot be read."""
import json

from utils.common.errors import UserError
from utils.common.files import check_num_bytes
from utils.formats.csv_text import text_encoding

MAX_JSON_TEXT_BYTES = 1 << 29           # as objects they take ten times that
MAX_DIGITS = 64                         # of one number


def read_json(path):
    """The content of a JSON file in UTF-8 or UTF-16; UserError where it is none."""
    try:
        check_num_bytes(path, MAX_JSON_TEXT_BYTES)
        with open(path, encoding=text_encoding(path)) as stream:
            return parsed(DECODER.decode, stream.read())
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    except ValueError as error:
        raise UserError("%s is not JSON: %s" % (path, error))


def parsed(decode, *arguments):
    """What `decode`, of a json.JSONDecoder, gives; ValueError for what is nested too deep, too."""
    try:
        return decode(*arguments)
    except RecursionError:
        raise ValueError("it is nested too deep")


def bounded(kind):
    """A parser of numbers: int or float, ValueError where they are infinite or of many digits.

    Python's time to read a whole number grows with the square of its digits.
    """
    def parse(word):
        if len(word) > MAX_DIGITS or not abs(kind(word)) < float("inf"):
            raise ValueError("%.40s is no number of JSON" % word)
        return kind(word)
    return parse


DECODER = json.JSONDecoder(parse_int=bounded(int))
