# Every target sets up what it needs in .venv, from this repository's own files.
# Needs: Rust (the version in Cargo.toml or newer), Python 3.10 or newer, make.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two builds of the extension would write one file at once; Cargo has threads of its own.
.NOTPARALLEL:
.PHONY: help demo test oldest soak asan lint bench scale processes products compare quality estimators tabular many-tables peers-docs docs \
    develop lecture stubs format wheel clean

# The first Python that is new enough; `make PYTHON=... test` overrides.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
# In CI the committed Cargo.lock is law.
LOCKED := $(if $(CI),--locked)

# Paths are relative, so that a folder name with spaces does no harm.
PY := .venv/bin/python
RUST := Cargo.toml Cargo.lock $(shell find src -name '*.rs')

# maturin takes the environment from here, never from one that happens to be active.
export VIRTUAL_ENV := $(CURDIR)/.venv
export PYO3_PYTHON := $(CURDIR)/$(PY)
export PIP_QUIET := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport CONDA_PREFIX PYTHONHOME PYTHONPATH

help:
	@echo 'make demo     train on California housing and show the result'
	@echo 'make test     test the Rust core without Python, then the Python package'
	@echo 'make oldest   test the estimators with the oldest scikit-learn that they support (Python 3.10 to 3.13)'
	@echo 'make soak     long runs: kills, forks, threads, fuzzing (SECONDS=1800 for each, ARGS="-k kill")'
	@echo 'make asan     the tests of arrays, with an extension that looks at every address (AddressSanitizer; Linux, gcc)'
	@echo 'make lint     formatting, clippy, ruff, mypy, pyright, stubtest'
	@echo 'make bench    schuss beside scikit-learn, torch and jax (4 GB; ONLY="train/tab loop" ARGS=--quick)'
	@echo 'make scale    how training scales with threads, beside torch and jax (ONLY="small tab" ARGS=--quick)'
	@echo 'make processes  training over 2 to 4 processes beside threads and torch, and over slower networks (ONLY="steps memory" ARGS=--quick)'
	@echo 'make products  matrix products on one thread, beside faer, gemm, MKL and OpenBLAS (ONLY=256x256x256)'
	@echo 'make compare  this build beside that of another checkout (WITH=../other ONLY="train loop")'
	@echo 'make quality  seconds until a score is reached, beside scikit-learn and torch'
	@echo 'make estimators  scores and seconds of the estimators, beside those of scikit-learn'
	@echo 'make tabular  the estimators for tables beside boosted trees and other networks (ONLY=titanic ARGS="--seeds 1")'
	@echo 'make many-tables  the same beside boosted trees on hundreds of small tables that chose nothing'
	@echo 'make peers-docs  run the snippets of the pages for those who come from torch, Keras or Optax'
	@echo 'make docs     the site in out/docs/site, the documentation of the Rust core in out/docs/rust, pictures in docs/images'
	@echo 'make wheel    wheel and source distribution in dist, checked, and tried in an empty environment'
	@echo 'make develop  .venv with everything for working on schuss'
	@echo 'make lecture  run the notebooks of the lecture, and keep what they show'
	@echo 'make stubs    write optimizers.pyi anew, after a rule has changed'
	@echo 'make format   format Rust and Python'
	@echo 'make clean    remove everything that make has made'

demo: .venv/.demo
	$(PY) examples/california_housing.py

test: .venv/.test
	cargo test $(LOCKED) --no-default-features
	$(PY) -m pytest -n auto --maxprocesses 4

# The extension is of the stable ABI: the one built for .venv serves any Python. Without polars and pyarrow, which are no part
# of the promise, their tests are skipped.
oldest: .venv/.test .venv-oldest/.made
	PYTHONPATH=python .venv-oldest/bin/python -m pytest -p no:cacheprovider tests/test_estimators*.py tests/test_tables*.py \
	    $(filter-out %_bench.py,$(wildcard tests/test_tabular*.py)) \
	    $(addprefix tests/test_,display.py exchange.py interrupt.py persistence.py sklearn_suite.py sparse.py)

# The minutes that the test suite does not have: tests/soak/soak_*.py, each as often as its time allows.
soak: export SOAK_SECONDS := $(or $(SECONDS),60)
soak: .venv/.test
	$(PY) -m pytest -p no:cacheprovider -s -o python_files='soak_*.py' tests/soak $(ARGS)

# The compiler's sanitizers are for those who ask for unstable features. NumPy and Python are not looked into, so memory comes
# from malloc, where the sanitizer sees it; a leak at exit is Python's business.
ASAN_TARGET := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
asan: .venv/.test
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address PYO3_BUILD_EXTENSION_MODULE=1 CARGO_PROFILE_RELEASE_LTO=off \
	    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_STRIP=none \
	    cargo build $(LOCKED) --release --lib --target $(ASAN_TARGET) --target-dir out/asan
	rm -rf out/asan/python && cp -r python out/asan/python
	cp -f out/asan/$(ASAN_TARGET)/release/libschuss.so out/asan/python/schuss/_schuss.abi3.so
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
	    PYTHONMALLOC=malloc PYTHONPATH=out/asan/python $(PY) -m pytest -p no:cacheprovider \
	    $(addprefix tests/test_,optimizers_hostile.py optimizers_arrays.py optimizers_rows.py optimizers_live.py \
	    optimizers_names.py network_core.py sparse.py) $(ARGS)

lint: .venv/.lint
	cargo fmt --check
	cargo fmt --check --manifest-path benches/peers/Cargo.toml
	cargo clippy $(LOCKED) --all-targets --no-default-features -- -D warnings
	cargo clippy $(LOCKED) --all-targets -- -D warnings
	@if rustc --print target-libdir --target aarch64-unknown-linux-gnu 2>/dev/null | xargs -I{} test -d '{}'; \
	then set -x; cargo check $(LOCKED) --no-default-features --target aarch64-unknown-linux-gnu; fi
	$(PY) tools/licences.py --check
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(PY) -m basedpyright --pythonpath $(PY)
	$(PY) -m mypy.stubtest schuss --mypy-config-file pyproject.toml \
	    --allowlist tests/stubtest_allowed.txt --ignore-unused-allowlist

# Peers are to have their best form: OpenBLAS chooses its kernels by the processor, whatever the environment says.
PEERS := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE

bench: .venv-bench/.bench
	$(PEERS) .venv-bench/bin/python benches/bench.py $(ONLY) $(ARGS)

scale: .venv-bench/.bench
	$(PEERS) .venv-bench/bin/python benches/scale.py $(ONLY) $(ARGS)

processes: .venv-bench/.bench
	.venv-bench/bin/python benches/processes.py $(ONLY) $(ARGS)

# The libraries that .venv-blas has; a name without a value stands for one that it has not.
BLAS := $(CURDIR)/.venv-blas/lib
products: .venv-blas/.made
	cd benches/peers && \
	    $(PEERS) MKL_LIBRARY="$$(find '$(BLAS)' -name 'libmkl_rt.so*' | head -n 1)" \
	    OPENBLAS_LIBRARY="$$(find '$(BLAS)' -name 'libscipy_openblas.*' | head -n 1)" \
	    MKL_THREADING_LAYER=SEQUENTIAL LD_LIBRARY_PATH='$(BLAS)' \
	    cargo run --quiet $(LOCKED) --release -- $(ONLY)

compare: .venv/.test
	$(PY) benches/compare.py $(WITH) $(ONLY) $(ARGS)

quality: .venv-bench/.bench
	$(PEERS) .venv-bench/bin/python benches/quality.py $(ARGS)

estimators: .venv/.test
	$(PEERS) $(PY) benches/estimators.py $(ARGS)

tabular: .venv-tabular/.bench
	$(PEERS) .venv-tabular/bin/python benches/tabular.py $(ONLY) $(ARGS)

many-tables: .venv-tabular/.bench
	$(PEERS) .venv-tabular/bin/python benches/many_tables.py $(ARGS)

# Keras is told which of the others it is to use.
peers-docs: .venv-bench/.bench .venv-bench/.pytest
	KERAS_BACKEND=jax .venv-bench/bin/python -m pytest -p no:cacheprovider tests/test_readme.py -k 'snippets_run and from-'

# What Sphinx warns of is an error: a link that leads nowhere, a public name without a docstring.
docs: .venv-docs/.docs
	.venv-docs/bin/python examples/optimizer_paths.py
	.venv-docs/bin/python examples/quantile_lines.py
	.venv-docs/bin/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky docs out/docs/site
	RUSTDOCFLAGS=-Dwarnings cargo doc $(LOCKED) --no-deps --no-default-features --target-dir out/docs/rust
	@echo 'out/docs/site/index.html'

# As they are published. The wheel is built from the source distribution, which therefore has all that a build needs; Zig links
# it against the glibc of 2014, whatever the one here is. Elsewhere than on Linux there is no such choice to make. Nothing of an
# earlier build may be there: files in a source distribution bear one date, by which Cargo does not see that they have changed.
WHEEL := .venv-wheel/bin/python
ON_LINUX := $(filter Linux,$(shell uname -s))
wheel: export VIRTUAL_ENV := $(CURDIR)/.venv-wheel
wheel: export PYO3_PYTHON := $(CURDIR)/$(WHEEL)
wheel: export CARGO_TARGET_DIR := $(CURDIR)/out/wheel
wheel: export CARGO_ZIGBUILD_PYTHON_PATH := $(CURDIR)/$(WHEEL)
wheel: .venv-wheel/.made
	rm -rf dist out/wheel
	$(WHEEL) -m maturin build --quiet --sdist --locked --release --out dist \
	    $(if $(ON_LINUX),--zig --compatibility manylinux2014)
	$(if $(ON_LINUX),$(WHEEL) -m auditwheel show dist/*.whl)
	$(WHEEL) -m twine check --strict dist/*
	$(WHEEL) tools/check_dist.py dist
	$(WHEEL) tools/try_wheel.py dist/*.whl

develop: .venv/.test .venv/.lint

lecture: .venv/.test
	$(PY) tools/run_notebooks.py

stubs: .venv/.lint
	$(PY) tools/stubs.py

format: .venv/.lint
	cargo fmt
	cargo fmt --manifest-path benches/peers/Cargo.toml
	$(PY) -m ruff check --fix
	$(PY) -m ruff format

clean:
	rm -rf .venv .venv-bench .venv-blas .venv-docs .venv-oldest .venv-tabular .venv-wheel \
	    docs/notebooks docs/optimizers docs/project docs/reference \
	    out dist target .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f python/schuss/_schuss*.so python/schuss/_schuss*.pyd

# A new environment of a Python 3 from $(1) on, to $(2) where there is no wheel of what it needs for a newer one.
define environment
@$(or $(PYTHON),false) -c 'import sys; sys.exit(not (3, $(1)) <= sys.version_info[:2] <= (3, $(or $(2),99)))' || { echo \
    '$(@D) needs Python 3.$(1) or newer$(if $(2), (3.$(2) at most)): make PYTHON=/path/to/python3 ...' >&2; exit 1; }
$(PYTHON) -m venv --clear $(@D)
endef

.venv/.made .venv-docs/.made:
	$(call environment,10)
	$(@D)/bin/python -m pip install 'maturin>=1.16,<2'
	@touch $@

# The lists of peers are of versions that ask for it.
.venv-bench/.made .venv-tabular/.made:
	$(call environment,11)
	$(@D)/bin/python -m pip install 'maturin>=1.16,<2'
	@touch $@

.venv-oldest/.made: Makefile
	$(call environment,10,13)
	$(@D)/bin/python -m pip install 'scikit-learn==1.6.*' 'narwhals==2.0.*' 'pytest<9' hypothesis matplotlib pandas safetensors
	@touch $@

# Zig is 90 MB, auditwheel is for Linux alone.
.venv-wheel/.made: Makefile
	$(call environment,10)
	$(@D)/bin/python -m pip install 'maturin$(if $(ON_LINUX),[zig])>=1.16,<2' twine $(if $(ON_LINUX),auditwheel)
	@touch $@

# Which of them there are depends on the system: the list says so itself.
.venv-blas/.made: benches/blas.txt
	$(call environment,10)
	$(@D)/bin/python -m pip install --no-deps --only-binary :all: -r benches/blas.txt
	@touch $@

# Where the extension is gone, stamps of its builds say nothing.
GONE := $(if $(wildcard python/schuss/_schuss*.so python/schuss/_schuss*.pyd),,gone)
.PHONY: gone
gone:

# .venv/.X: schuss, built as it is now, with the dependencies of its extra X.
.venv/.%: .venv/.made pyproject.toml $(RUST) $(GONE)
	$(PY) -m maturin develop --quiet $(LOCKED) --release --extras $*
	@touch $@

.venv-docs/.docs: export VIRTUAL_ENV := $(CURDIR)/.venv-docs
.venv-docs/.docs: .venv-docs/.made pyproject.toml $(RUST) $(GONE)
	.venv-docs/bin/python -m maturin develop --quiet $(LOCKED) --release --extras docs
	@touch $@

.venv-bench/.bench: export VIRTUAL_ENV := $(CURDIR)/.venv-bench
.venv-bench/.bench: .venv-bench/.peers pyproject.toml $(RUST) $(GONE)
	.venv-bench/bin/python -m maturin develop --quiet $(LOCKED) --release
	@touch $@

# The list is complete; resolving dependencies would add some gigabytes for GPUs.
.venv-bench/.peers: .venv-bench/.made benches/peers.txt
	@echo 'installing the peers (4 GB)'
	.venv-bench/bin/python -m pip install --no-deps -r benches/peers.txt
	@touch $@

.venv-bench/.pytest: .venv-bench/.peers
	.venv-bench/bin/python -m pip install 'pytest>=8'
	@touch $@

.venv-tabular/.bench: export VIRTUAL_ENV := $(CURDIR)/.venv-tabular
.venv-tabular/.bench: .venv-tabular/.peers pyproject.toml $(RUST) $(GONE)
	.venv-tabular/bin/python -m maturin develop --quiet $(LOCKED) --release
	@touch $@

# torch and what it needs are in the list of the other benchmarks.
.venv-tabular/.peers: .venv-tabular/.made benches/peers.txt benches/tabular.txt
	@echo 'installing the peers (5 GB)'
	.venv-tabular/bin/python -m pip install --no-deps -r benches/peers.txt -r benches/tabular.txt
	@touch $@
