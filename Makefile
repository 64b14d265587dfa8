# make demo   cluster the handwritten digits that come with scikit-learn, as arrays and as a folder of pictures
# make test   run the tests
# make lint   check style and types
# make stress look for inputs, parameters and orders of calls that break something, EXAMPLES=300 of each clusterer, and
#             for moments at which a fit with a checkpoint must not be interrupted, INTERRUPTIONS=200 of all
# All use the environment .venv in this folder and the versions in constraints.txt. PIP_ARGS goes to pip, for example
# "--extra-index-url URL" with the URL of PyTorch's index of CPU builds.

PYTHON ?= python3
PIP_ARGS ?=
EXAMPLES ?= 300
INTERRUPTIONS ?= 200
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: demo test lint stress clean

demo: $(VENV)/installed
	$(RUN) examples/plot_digits.py
	$(RUN) examples/folder_of_pictures.py

test: $(VENV)/installed
	$(RUN) -m pytest --numprocesses 2 --dist worksteal

lint: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

stress: $(VENV)/installed
	SKDEEPSC_EXAMPLES=$(EXAMPLES) SKDEEPSC_INTERRUPTIONS=$(INTERRUPTIONS) $(RUN) -m pytest --numprocesses 2 \
		tests/test_properties.py tests/test_reliability.py tests/test_input.py tests/test_interruptions.py

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
