"""JSON files, with a line that names the file where one cannot be read."""
import json

from utils.common.errors import UserError
from utils.formats.csv_text import text_encoding


def read_json(path):
    """The content of a JSON file in UTF-8 or UTF-16; UserError where it is none."""
    try:
        with open(path, encoding=text_encoding(path)) as stream:
            return json.load(stream)
    except OSError as error:
        raise UserError("cannot read %s: %s" % (path, error.strerror))
    except ValueError as error:
        raise UserError("%s is not JSON: %s" % (path, error))
