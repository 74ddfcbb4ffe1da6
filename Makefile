# Two commands: `make run` and `make test`. Both set up .venv from envs/requirements.lock first.
PYTHON ?= python3
CONFIG ?= config.yaml
CORES ?= all
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

# Snakemake keeps a cache in the home, and ends in a traceback where it cannot write there.
CACHE := $${XDG_CACHE_HOME:-$$HOME/.cache}/snakemake
ifneq ($(shell mkdir -p "$(CACHE)" 2> /dev/null && test -w "$(CACHE)" && echo writable), writable)
export XDG_CACHE_HOME := $(CURDIR)/$(VENV)/cache
endif

.PHONY: run paper-figures test test-slurm test-faults verify check docs benchmark scale lock

run: $(READY)
	$(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG)

# The figures alone, 85 and 180 mm wide, for papers: results/paper.
paper-figures: $(READY)
	$(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG) -- paper_figures

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Which tables in results/ are not what the config, the code and the data would make now.
verify: $(READY)
	$(BIN)/python -m stratavox verify --configfile $(CONFIG)

# On Debian as root, with ../shared/slurm/start-slurm.sh: a real SLURM of this machine alone.
test-slurm: $(READY)
	$(BIN)/python -m pytest -m slurm tests/slurm

# Every stage's worker killed, every kind of table broken: whole runs, some ten minutes. Thousands of
# files and configs broken at random: some minutes.
test-faults: $(READY)
	$(BIN)/python -m pytest -m faults tests/workflow tests/unit/test_mutants.py

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

# README and docs/ as a site, without a network.
docs: $(READY)
	$(BIN)/python -m mkdocs --quiet build
	@echo "Pages: $(CURDIR)/site/index.html"

benchmark: $(READY)
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.birdnet
	$(BIN)/python -m benchmarks.encoders
	$(BIN)/python -m benchmarks.precision
	$(BIN)/python -m benchmarks.probing
	$(BIN)/python -m benchmarks.calibration
	$(BIN)/python -m benchmarks.peers $(if $(BACPIPE),--bacpipe $(BACPIPE))

# Time, memory and bytes of every stage at 1,000, 10,000 and 100,000 clips, with a stub encoder.
scale: $(READY)
	$(BIN)/python -m benchmarks.scale $(if $(CLIPS),--clips $(CLIPS)) $(if $(TMP),--folder $(TMP))

$(READY): envs/requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed (avex cannot be installed on 3.14), this is " + sys.version + "; try make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV) (about 6 GB, some minutes) ..."
	$(PYTHON) -m venv $(VENV)
	@# connection-pool is built here: by the setuptools of the lock, not by the newest one
	sed -n '/^setuptools==/,/[^\\]$$/p' envs/requirements.lock > $(VENV)/setuptools.lock
	$(PIP) --require-hashes -r $(VENV)/setuptools.lock
	$(PIP) --require-hashes --no-build-isolation -r envs/requirements.lock
	$(PIP) --no-build-isolation -e .
	@touch $@

# After a change of the dependencies in pyproject.toml; needs uv.
lock:
	uv pip compile --python-version 3.11 --universal --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o envs/requirements.lock
