"""The documents: what they name exists, what they tell to run runs, and sentences are short."""
import functools
import json
import os
import re
import subprocess
import sys

import pytest

from tests.helpers.paths import REPOSITORY
from tests.helpers.scripts import run_here
from utils.training.config import CONFIG, RECIPE

FOLDERS = ("", "docs", "ds_graph", "model", "training_data", "audio", "training",
           "animation_output")
PAGES = sorted(os.path.join(folder, name) for folder in FOLDERS
               for name in os.listdir(os.path.join(REPOSITORY, folder)) if name.endswith(".md"))
MAX_README_LINES, MAX_SENTENCE_WORDS = 150, 25
# What a document may name though it is not in git: what scripts write and what users put there.
NOT_IN_GIT = ("animation_output/", "training/", "training_data/dataset", "training_data/debugout",
              "training_data/data_verts.npy", "training_data/raw_audio_fixed.pkl",
              "training_data/face_landmarker.task", "ds_graph/deepspeech-0.5.0-models",
              "model/gstep_")
CODE_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SUBPROCESS_ENV = dict(os.environ, PYTHONPATH=REPOSITORY, PYTHONIOENCODING="utf-8")


def text_of(page):
    with open(os.path.join(REPOSITORY, page), encoding="utf-8") as stream:
        return stream.read()


def without_code(text):
    return CODE_FENCE.sub("\n", text)


def code_blocks(page, language):
    return [code for found, code in CODE_FENCE.findall(text_of(page)) if found == language]


def named_code(page):
    """Code blocks and what stands between backticks in the text, one string each."""
    text = text_of(page)
    return [code for _, code in CODE_FENCE.findall(text)] + re.findall(
        r"`([^`\n]+)`", without_code(text))


def anchors(page):
    """What GitHub calls the headings of a page."""
    found = []
    for heading in re.findall(r"^#+ +(.+?) *$", without_code(text_of(page)), re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        earlier = sum(other.rsplit("-", 1)[0] == anchor or other == anchor for other in found)
        found.append("%s-%d" % (anchor, earlier) if earlier else anchor)
    return found


def sentences(text):
    """The sentences of a page: of its paragraphs, its list items and its tables' cells."""
    text = re.sub(r"<!--.*?-->", "", without_code(text), flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`\n]+`", "Code", text)
    parts = []
    for line in text.split("\n"):
        line = line.strip()
        if line.startswith("|"):
            parts += line.strip("|").split("|") + [""]
        elif not line or re.match(r"(#+|[-*]|\d+\.) ", line):
            parts.append(re.sub(r"^(#+|[-*]|\d+\.) ", "", line))
        elif parts:
            parts[-1] += " " + line
        else:
            parts.append(line)
    for part in parts:
        for sentence in re.split(r"(?<=[.!?])[)\"*_]*\s+(?=[\"(*_A-Z0-9])", part):
            if sentence.strip():
                yield sentence.strip()


def num_words(sentence):
    return len(re.findall(r"[^\W_]+(?:[-'.,/^%][^\W_]+)*", sentence))


# ---- what the pages name

@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = without_code(text_of(page))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        assert os.path.exists(os.path.join(REPOSITORY, linked)), target
        if anchor:
            assert anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES)
def test_files_and_modules_named_exist(page):
    for code in named_code(page):
        for path in re.findall(r"(?<![\w./-])(?:\./)?((?:utils|tests|docs|ds_graph|model|audio|"
                               r"training_data|training|animation_output)/[\w./-]*)", code):
            path = path.rstrip(".")
            if not path.startswith(NOT_IN_GIT):
                place = os.path.join(REPOSITORY, path)
                assert os.path.exists(place) or os.path.exists(place + ".index"), path
        for path in re.findall(r"(?:^|python )(\w+\.(?:py|cff))\b", code, re.MULTILINE):
            places = [os.path.join(REPOSITORY, path),
                      os.path.join(REPOSITORY, os.path.dirname(page), path)]
            assert path == "__init__.py" or any(map(os.path.isfile, places)), path
        for module in re.findall(r"python -m ([\w.]+)", code):
            if module.split(".")[0] not in ("venv", "pip", "pytest"):
                assert os.path.isfile(os.path.join(
                    REPOSITORY, module.replace(".", os.sep) + ".py")), module
        for module in re.findall(r"\b(utils(?:\.\w+)+)", code):
            path = os.path.join(REPOSITORY, *module.split("."))
            assert any(os.path.exists(place) for place in (
                path, path + ".py", os.path.dirname(path) + ".py",
                os.path.dirname(os.path.dirname(path)) + ".py")), module


@functools.lru_cache(maxsize=None)
def defined_flags():
    """The flags of all scripts and modules that are run."""
    found = set()
    for folder in ("", "utils", "tests", "ds_graph", "model", "training_data"):
        for place, folders, names in os.walk(os.path.join(REPOSITORY, folder)):
            if not folder:
                del folders[:]
            for name in names:
                if name.endswith(".py"):
                    with open(os.path.join(place, name), encoding="utf-8") as stream:
                        found.update(re.findall(r"add_argument\(\s*\"(--\w+)\"",
                                                stream.read()))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_flags_named_exist(page):
    others = {"--upgrade", "--port", "--logdir", "--no-install-recommends", "--help"}
    others |= {"--nworkers", "--nprocs", "--nthreads", "--memory-limit", "--lifetime", "--protocol",
               "--tls-ca-file", "--tls-cert", "--tls-key"}                      # Dask's
    others |= {"--repo", "--create-namespace", "--generate-name"}               # helm's
    for code in named_code(page):
        for flag in re.findall(r"(?<![\w-])--\w[\w-]*", code):
            assert flag in defined_flags() | others, flag


def test_the_recipe_of_the_page_is_the_recipe():
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\S+) \|",
                      text_of(os.path.join("docs", "training.md")), re.MULTILINE)
    defaults = {key.name: key.default for key in CONFIG}
    assert [name for name, _, _ in rows] == list(RECIPE)
    for name, recipe, default in rows:
        for written, value in ((recipe, RECIPE[name]), (default, defaults[name])):
            assert written == str(value) or float(written) == value, name


def test_every_page_is_linked():
    """Whoever begins at README finds all pages."""
    found, todo = set(), ["README.md"]
    while todo:
        page = todo.pop()
        if page in found:
            continue
        found.add(page)
        for target in re.findall(r"\]\(([^)\s#]+\.md)", text_of(page)):
            todo.append(os.path.normpath(os.path.join(os.path.dirname(page), target)))
    assert [page for page in PAGES if page.startswith("docs") and page not in found] == []


# ---- how they are written

def test_readme_is_short():
    assert text_of("README.md").count("\n") <= MAX_README_LINES


@pytest.mark.parametrize("page", PAGES)
def test_sentences_are_short(page):
    assert [sentence for sentence in sentences(text_of(page))
            if num_words(sentence) > MAX_SENTENCE_WORDS] == []


def test_the_splitter_counts_as_people_do():
    found = list(sentences("# A title\n\nOne two. Three\nfour `a b c` (see [five](x.md)). \"Six\""
                           "\n\n- 3.5 of 10\n- eight\n\n| nine | ten |\n|---|---|\n"))
    assert [num_words(sentence) for sentence in found if num_words(sentence)] == [
        2, 2, 5, 1, 3, 1, 1, 1]


# ---- what they tell to run

# Runs each program of the list on stdin by itself; they share the import of TensorFlow.
EACH = "import json, sys\nfor code in json.load(sys.stdin): exec(code, {'__name__': '__main__'})"


def run_programs(programs, folder):
    """What the Python programs print, run in one process that stands in `folder`."""
    done = subprocess.run([sys.executable, "-c", EACH], cwd=str(folder), env=SUBPROCESS_ENV,
                          input=json.dumps(programs), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def help_of(script):
    status, out, err = run_here(script, "--help")
    assert (status, err) == (0, "")
    return out


def test_scripts_of_the_readme_have_help():
    scripts = sorted(set(re.findall(r"`?\b(\w+\.py)\b", without_code(text_of("README.md")))))
    assert scripts == sorted(name for name in os.listdir(REPOSITORY) if name.endswith(".py"))
    for script in scripts:
        assert script in help_of(script)


def test_flags_of_the_readme_belong_to_their_scripts():
    helps = {}
    for _, block in CODE_FENCE.findall(text_of("README.md")):
        for script, rest in re.findall(r"python (\w+\.py)(.*)", block):
            if script not in helps:
                helps[script] = help_of(script)
            for flag in re.findall(r"--\w+", rest):
                assert flag in helps[script], (script, flag)


def test_run_voca_and_the_python_of_readme_and_page_run(tmp_path):
    status, _, err = run_here("run_voca.py", "--no_preview", "--out_path", tmp_path,
                              "--audio_fname", "audio/test_sentence.wav")
    assert (status, err) == (0, "")
    table = text_of("README.md").partition("## Use the result")[2].partition("\n## ")[0]
    for name in re.findall(r"`([\w.]+\.(?:csv|npz|json|png))`", table):
        assert (tmp_path / name).stat().st_size, name
    for name in ("model", "ds_graph", "audio", "training_data"):
        os.symlink(os.path.join(REPOSITORY, name), str(tmp_path / name))
    (readme,) = code_blocks("README.md", "python")
    page = code_blocks(os.path.join("docs", "python.md"), "python")
    assert page
    out = run_programs([readme, "\n".join(page)], tmp_path)
    assert re.match(r"197 frames at 30 fps, jawOpen up to 0\.\d\d\n", out)
    assert (tmp_path / "take.csv").stat().st_size and (tmp_path / "face.png").stat().st_size


@pytest.mark.parametrize("page", PAGES)
def test_python_of_the_pages_is_python(page):
    for block in code_blocks(page, "python"):
        compile(block, page, "exec")
