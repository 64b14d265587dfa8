# make demo   cluster the handwritten digits that come with scikit-learn, as arrays and as a folder of pictures
# make test   run the tests, in PROCESSES=3 at once
# make lint   check style and types
# make lowest run a choice of tests with the lowest versions that pyproject.toml allows, in the environment .venv-lowest
# make docs   build the documentation into docs/_build, with its gallery; warnings are errors
# make stress look for inputs, parameters and orders of calls that break something, EXAMPLES=300 of each clusterer, and
#             for moments at which a fit with a checkpoint must not be interrupted, INTERRUPTIONS=200 of all
# All use the environment .venv in this folder and the versions in constraints.txt. PIP_ARGS goes to pip, for example
# "--extra-index-url URL" with the URL of PyTorch's index of CPU builds.

PYTHON ?= python3
PIP_ARGS ?=
# One more than two cores: some tests wait for processes of their own.
PROCESSES ?= 3
EXAMPLES ?= 300
INTERRUPTIONS ?= 200
VENV := .venv
RUN := $(VENV)/bin/python
# Every process that a test starts would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint docs lowest stress clean

demo: $(VENV)/installed
	$(RUN) examples/demo.py
	$(RUN) examples/folder_of_pictures.py

test: $(VENV)/installed
	$(RUN) -m pytest --numprocesses $(PROCESSES) --dist worksteal

lint: $(VENV)/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

docs: $(VENV)/installed-docs
	OMP_NUM_THREADS=1 $(RUN) -m sphinx -W --keep-going -q docs docs/_build
	@echo "Open docs/_build/index.html"

# Without those that hold numbers which one set of versions gave.
LOWEST_TESTS := tests/test_affinity.py tests/test_segmentation.py tests/test_metrics.py tests/test_skeleton.py \
	tests/test_expression.py tests/test_files.py tests/test_shallow.py tests/test_ncsc.py tests/test_training.py
lowest: .venv-lowest/installed
	SCIPY_ARRAY_API=0 .venv-lowest/bin/python -m pytest $(LOWEST_TESTS)

stress: $(VENV)/installed
	SKDEEPSC_EXAMPLES=$(EXAMPLES) SKDEEPSC_INTERRUPTIONS=$(INTERRUPTIONS) $(RUN) -m pytest --numprocesses 2 \
		tests/test_properties.py tests/test_reliability.py tests/test_input.py tests/test_interruptions.py

# Pip compiles one module after the other. Some packages have templates that are no modules.
INSTALL = $(RUN) -m pip install --quiet --no-compile $(PIP_ARGS) --constraint constraints.txt
COMPILE = $(RUN) -m compileall -q -j 0 $(VENV)/lib > /dev/null || true

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable ".[test]"
	$(COMPILE)
	touch $@

$(VENV)/formats: $(VENV)/installed
	$(INSTALL) --editable ".[files,onnx]" onnxruntime pyarrow
	$(COMPILE)
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(INSTALL) --editable ".[docs]"
	$(COMPILE)
	touch $@

# All three at once.
$(VENV)/everything: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable ".[test,files,onnx,docs]" onnxruntime pyarrow
	$(COMPILE)
	touch $(VENV)/installed $(VENV)/formats $(VENV)/installed-docs $@

.venv-lowest/installed: pyproject.toml tools/lowest.py
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) tools/lowest.py plot images > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet $(PIP_ARGS) --constraint .venv-lowest/constraints.txt \
		--editable ".[plot,images]" pytest hypothesis "pandas<3" "pyparsing<3.3"
	touch $@

clean:
	rm -rf $(VENV) .venv-lowest build *.egg-info docs/_build docs/auto_examples docs/generated docs/reference/generated
