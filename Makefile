# make app | make test | make check | make bench
# make test-browser tests the dashboard in Chromium.
# make test-lessons trains what the lessons train; make test-cluster trains on a Ray cluster of two nodes, and runs on two devices.
# make demo trains the runs that ship in checkpoints/demo, in about ten minutes.
# make screenshots takes the pictures and the film of the docs from the real dashboard.
# make faults KILLS=60 | make fuzz MINUTES=10 | make load SESSIONS=10 MINUTES=10
#
# TORCH=cpu installs PyTorch's own CPU wheels, for a Linux machine without a GPU. Without it pip's default is taken:
# on Linux the one with CUDA, elsewhere the one for the CPU (and Apple's GPU).

PYTHON ?= python3
TORCH ?=
KILLS ?= 60
MINUTES ?= 10
SESSIONS ?= 10
BIN := .venv/bin

ifeq ($(TORCH),cpu)
TORCH_FIRST := $(BIN)/pip install -q --index-url https://download.pytorch.org/whl/cpu torch==2.13.0 torchvision==0.28.0
else
TORCH_FIRST := true
endif

IN_PARALLEL := $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder
OF_RANKS := tests/training/test_ranks.py tests/runs/test_several_devices.py tests/cli/test_torchrun.py
DEMO := scattered-quick digits-quick fashion-classroom

.PHONY: app test test-browser test-cluster test-lessons check bench demo screenshots faults fuzz load clean

app: .venv/installed
	$(BIN)/streamlit run dashboard/app.py

test: .venv/installed-dev
	$(IN_PARALLEL) --ignore=tests/browser

test-browser: .venv/installed-dev
	$(IN_PARALLEL) tests/browser

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-cluster: .venv/installed-dev
	CLUSTER=1 $(BIN)/python -m pytest tests/cluster $(OF_RANKS)

test-lessons: .venv/installed-dev
	LESSONS=1 $(BIN)/python -m pytest tests/browser/test_lesson_walk.py tests/presets/test_lesson_claims.py

bench: .venv/installed-dev
	$(BIN)/python -m benchmarks

demo: .venv/installed
	for preset in $(DEMO); do $(BIN)/python -m deit_core train $$preset --runs-dir build/demo || exit 1; done
	$(BIN)/python -m deit_core demo $(DEMO) --runs-dir build/demo --out checkpoints/demo

screenshots: .venv/installed-dev
	$(BIN)/python -m docs.screenshots

faults: .venv/installed-dev
	$(BIN)/python -m benchmarks.faults --kills $(KILLS)

fuzz: .venv/installed-dev
	FUZZ_MINUTES=$(MINUTES) $(BIN)/python -m pytest tests/fuzz

load: .venv/installed-dev
	$(BIN)/python -m benchmarks.load --sessions $(SESSIONS) --minutes $(MINUTES)

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'DeiT Lab needs Python 3.11 or newer; name one with: make app PYTHON=python3.11')"
	test -d .venv || $(PYTHON) -m venv .venv
	$(TORCH_FIRST)
	$(BIN)/pip install -q -r requirements.txt
	$(BIN)/pip install -q --no-deps -e .
	touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt requirements-timm.txt requirements-cluster.txt requirements-tools.txt requirements-peers.txt
	$(BIN)/pip install -q -r requirements-dev.txt
	$(BIN)/pip install -q --no-deps -r requirements-peers.txt
	touch $@

clean:
	rm -rf .venv
