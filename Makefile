# make demo    sets up .venv, speaks the test sentence with the embedded face, says where it is
# make test    sets up .venv, runs the tests
# make setup   sets up .venv only
#
# PYTHON=python3.11 make demo   takes that Python instead of the one found
# VENV=.venv-2 make test        sets up there, so that two stacks can stand side by side

VENV ?= .venv
PYENV_VERSIONS := $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions

# The reference stack's Pythons first, then any that the modern stack runs on.
CANDIDATES := python3.7 $(wildcard $(PYENV_VERSIONS)/3.7*/bin/python) \
	python3.6 $(wildcard $(PYENV_VERSIONS)/3.6*/bin/python) \
	python3 python3.13 python3.12 python3.11 python3.10

# Exit 0 where a stack exists for the Python that runs it. TensorFlow 1.15 has x86-64 wheels only.
STACK_EXISTS := import sys, platform, venv, ensurepip; version = sys.version_info[:2]; \
	old = (3, 6) <= version < (3, 8) and platform.machine() in ("x86_64", "AMD64"); \
	sys.exit(not (old or (3, 10) <= version < (3, 14)))

PYTHON ?= $(shell for python in $(CANDIDATES); do \
	"$$python" -c '$(STACK_EXISTS)' 2>/dev/null && echo "$$python" && break; done)
VERSION := $(shell "$(PYTHON)" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
STACK := $(if $(filter 3.6.% 3.7.%,$(VERSION)),reference (TensorFlow 1.15),modern (TensorFlow 2.x))
# The newest pip that runs on 3.6; its bundled one is too old for today's wheels.
PIP := $(if $(filter 3.6.%,$(VERSION)),pip<22,pip)
INSTALLED := $(VENV)/installed-for-$(VERSION)

.PHONY: demo test setup

demo: setup
	$(VENV)/bin/python run_voca.py --page

# A process for each core, four at most: each takes up to 1.5 GB.
test: setup
	@"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check \
	  -r requirements-cluster.txt || echo "no distributed here: the tests of clusters skip" >&2
	$(VENV)/bin/python -m pytest -q -n auto --maxprocesses 4 tests

setup: $(INSTALLED)
	@echo "stack: $(STACK), Python $(VERSION), in $(VENV)"

# The stamp names the version, so another PYTHON remakes the environment and the same one does not.
$(INSTALLED): requirements.txt
	@"$(PYTHON)" -c '$(STACK_EXISTS)' || { \
	  echo "error: no usable Python found (PYTHON='$(PYTHON)' $(VERSION)): install Python 3.7" \
	    "or 3.10 - 3.13 with its venv module, or name one: PYTHON=/path/to/python make demo" >&2; \
	  exit 1; }
	@echo "setting up $(VENV): the $(STACK) stack, Python $(VERSION) (a few minutes, once)"
	@if [ -e "$(VENV)" ] && [ ! -e "$(VENV)/pyvenv.cfg" ]; then \
	  echo "error: $(VENV) is there and is no virtual environment: choose another VENV" >&2; exit 1; fi
	@rm -rf "$(VENV)"
	@"$(PYTHON)" -m venv "$(VENV)"
	@"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "$(PIP)"
	@"$(VENV)/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch "$@"
