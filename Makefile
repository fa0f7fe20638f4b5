# Everything a person runs by hand. `make` alone lists it.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALLED := $(VENV)/.installed
TESTABLE := $(VENV)/.testable
REFERENCE := .venv-reference
HEAVY := .venv-heavy
EXTRAS := build,files,hub
GROUPS := --group test --group lint --group deploy --group docs
comma := ,

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test lint lint-page format wheel wheels sanitize bench load peers bench-report instructions install-size lock reference site screenshots readme test-heavy test-reference clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: $(INSTALLED) ## start the service on http://127.0.0.1:8000 (HOST=, PORT=)
	@exec $(BIN)/qingyu serve --host $(HOST) --port $(PORT) --data data

test: lint ## every check: ruff, mypy, pytest
	$(BIN)/python -m pytest -q --ignore=tests/packaging/test_cross.py $(ARGS)

lint: $(TESTABLE) ## ruff and mypy, over everything in Python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy bench training tests docs/reference.py docs/website.py

lint-page: node_modules/.package-lock.json ## prettier and types of the page's JavaScript; needs npm, and nothing else does
	npm run --silent check

format: $(TESTABLE) ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(TESTABLE) ## dist/qingyu-*.whl
	$(PIP) wheel . --no-deps --wheel-dir dist
	@ls -l dist/*.whl

wheels: $(TESTABLE) ## dist/*.whl for Linux, macOS and Windows, cross-compiled by zig
	@for target in $$($(BIN)/python hatch_build.py --targets); do \
	  QINGYU_NATIVE=must QINGYU_TARGET=$$target $(PIP) wheel . --no-deps --wheel-dir dist || exit 1; \
	done
	@ls -l dist/*.whl

sanitize: $(TESTABLE) ## the native engine under AddressSanitizer, UBSan and ThreadSanitizer
	$(BIN)/python tests/engine/native/sanitize.py

bench: $(TESTABLE) ## one short sentence, in the model and over HTTP
	$(BIN)/python -m bench.single

load: $(TESTABLE) ## many clients against one service on this machine
	$(BIN)/python -m bench.load

peers: $(TESTABLE) ## every figure of docs/performance.md, side by side with peers (CHECKPOINT=, TEXTS=); an hour
	$(BIN)/python -m bench.peers.everything $(CHECKPOINT) --texts $(TEXTS)

bench-report: $(TESTABLE) ## docs/performance.md from bench/results
	$(BIN)/python -m bench.peers.report bench/results

instructions: $(TESTABLE) ## instructions an answer takes, by valgrind, against the committed baseline
	$(BIN)/python -m bench.instructions

install-size: $(INSTALLED) ## what a clean environment weighs, and how long `import qingyu` takes
	$(BIN)/python -m bench.install_size

lock: $(TESTABLE) ## constraints.txt anew: the newest versions that fit together
	@$(PIP) install 'uv>=0.5'
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --upgrade \
	  pyproject.toml $(foreach extra,$(subst $(comma), ,$(EXTRAS)),--extra $(extra)) $(GROUPS) -o constraints.new
	@{ head -1 constraints.txt; cat constraints.new; } > constraints.all
	@mv constraints.all constraints.txt && rm constraints.new

reference: $(TESTABLE) ## the reference pages of the manual, from --help, OpenAPI and docstrings
	$(BIN)/python docs/reference.py

site: $(TESTABLE) ## the manual as a web site, in site/; strict about links
	$(BIN)/python docs/website.py site

screenshots: $(TESTABLE) ## docs/images, taken with a headless Chromium
	$(BIN)/python -m tests.page.screenshots docs/images

readme: $(TESTABLE) ## write the outputs of README, manual and notebook anew, after a change of the model
	$(BIN)/python tests/test_readme.py
	$(BIN)/python tests/tasks/test_manual.py
	$(BIN)/python tests/test_notebook.py

test-reference: $(REFERENCE)/.installed ## run PyTorch and transformers against the golden outputs (CHECKPOINT=, WORDS=)
	PYTHONPATH=tests/reference QINGYU_REFERENCE_CHECKPOINT=$(CHECKPOINT) QINGYU_REFERENCE_WORDS=$(WORDS) $(REFERENCE)/bin/python -m pytest -q tests/reference

test-heavy: $(HEAVY)/.installed ## what needs PyTorch, Ray or zig: the training recipe, the cluster, wheels for other systems
	$(HEAVY)/bin/python -m pytest -q tests/training tests/scale tests/packaging/test_cross.py $(ARGS)

clean: ## remove the environment and what was built
	rm -rf $(VENV) $(REFERENCE) $(HEAVY) dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis node_modules

node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund --silent

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "需要 Python 3.11 以上 / Python 3.11 or newer is needed")'
	@echo "创建虚拟环境 / making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(INSTALLED): pyproject.toml | $(BIN)/python
	@echo "安装轻语 / installing qingyu into $(VENV)"
	@$(PIP) install -e .
	@touch $@

# Dependency groups need pip 25.1, newer than what many a Python brings.
$(TESTABLE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "安装测试所需 / installing what the tests need into $(VENV)"
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install -c constraints.txt -e '.[$(EXTRAS)]' $(GROUPS)
	@touch $@ $(INSTALLED)

$(HEAVY)/.installed: training/requirements.txt pyproject.toml
	@echo "安装 PyTorch 与 Ray / installing PyTorch and Ray into $(HEAVY)"
	@$(PYTHON) -m venv $(HEAVY)
	@$(HEAVY)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(HEAVY)/bin/python -m pip install --quiet -r $< -e '.[build,files,ray]' --group test
	@touch $@

# PyTorch and transformers live apart: nothing else may come to need them.
$(REFERENCE)/.installed: tests/reference/requirements.txt pyproject.toml
	@$(PYTHON) -m venv $(REFERENCE)
	@$(REFERENCE)/bin/python -m pip install --quiet -r $< -e '.[build]'
	@touch $@
