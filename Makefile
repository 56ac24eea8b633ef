# Everything a person or a build machine runs here. `make` alone lists the targets.
# Needs python3 (3.11 or newer) with venv; the rest is fetched by `make setup`, which every target runs first when needed.

PYTHON ?= python3
PY := .venv/bin/python
ENV := .venv/.ready
ready = $(1:%=.cache/.%-ready)
DOCS := .venv/.docs-ready
READY := $(ENV) $(call ready,micropython mosquitto modules)
CHARTS := .cache/.charts-ready

# Hundreds of processes run the same Python code: they keep what they compiled, whatever the shell says.
unexport PYTHONDONTWRITEBYTECODE
# Which tests: quick, gate, check or all, see tests_host/conftest.py.
export TESTS ?= $(if $(filter check,$(MAKECMDGOALS)),gate,quick)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo smoke test check lint layers types sizes portable cloud board fuzz fleet soak mutate bench fetch flash new config check_config ca deploy labels rollout monitor status doctor thinger_check bundle image package docs pictures format clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z_]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) $(CHARTS) ## The command realer with its packages in .venv, MicroPython and mosquitto in .cache (runs by itself when needed; tests fetch more)

$(ENV): pyproject.toml tools/env/setup_venv.py
	@$(PYTHON) tools/env/setup_venv.py --venv .venv
	@touch $@

$(call ready,micropython): tools/env/interpreter.py
$(call ready,mosquitto): tools/env/mosquitto.py
$(call ready,modules): pyproject.toml tools/env/stock.py
$(call ready,stubs): pyproject.toml tools/env/stock.py
$(call ready,chromium): tools/env/browser.py
$(call ready,node): tools/env/npm.py tools/env/wasm.py tests_host/node/package.json tests_host/node/package-lock.json tests_host/node/.npmrc
$(call ready,ejabberd): tools/env/ejabberd.py
$(call ready,aedes): tools/env/npm.py tools/env/aedes.py $(addprefix tests_host/brokers/,package.json package-lock.json .npmrc)
.cache/.%-ready: | $(ENV)
	@mkdir -p .cache
	@$(PY) -m tools fetch $* >/dev/null
	@touch $@

# The demo runs without charts too: where they cannot be fetched, that is said and nothing else.
$(CHARTS): tools/env/uplot.py $(addprefix tools/dashboard/charts/,package.json package-lock.json .npmrc) | $(ENV)
	@mkdir -p .cache
	@if $(PY) -m tools fetch charts >/dev/null; then touch $@; fi

$(DOCS): pyproject.toml tools/env/setup_venv.py | $(ENV)
	@$(PYTHON) tools/env/setup_venv.py --venv .venv --group docs
	@touch $@

demo: $(READY) $(CHARTS) ## Simulated cloud and virtual board, running this firmware until Ctrl-C; TRANSPORT=https polls instead of MQTT, CHAIN=p256 for other certificates, DEVICES=3
	@$(PY) -m tools demo $(if $(TRANSPORT),--transport $(TRANSPORT)) $(if $(CHAIN),--chain $(CHAIN)) $(if $(DEVICES),--devices $(DEVICES)) $(ARGS)

smoke: $(READY) ## The demo's scenario without a person over HTTPS and over MQTT, a JSON line each; TRANSPORT=mqtt for one, CHAIN=rsa2048-cross for the largest certificates, IMAGE=own, BOARD=esp32c3 or wt32-eth01
	@$(PY) -m tools smoke $(if $(TRANSPORT),--transport $(TRANSPORT)) $(if $(CHAIN),--chain $(CHAIN)) $(if $(IMAGE),--image $(IMAGE)) $(if $(BOARD),--board $(BOARD)) $(ARGS)

test: $(READY) $(call ready,chromium) $(call ready,node) $(if $(filter all,$(TESTS)),$(call ready,ejabberd) $(call ready,aedes)) $(CHARTS) ## The tests but the slower ones, on the oldest and the newest MicroPython; ARGS="-k lease" picks some, TESTS=all has all
	@$(PY) -m pytest -n auto --dist worksteal $(ARGS)

check: export MICROPYTHON_VERSIONS ?= all
check: lint layers types sizes test ## Lint, import arrows, type check, compile gate, sizes, the tests with the slower ones on every MicroPython: what must pass before a commit; TESTS=check has long ones in virtual time as well (40 minutes), TESTS=all all

lint: $(ENV) ## Ruff: rules and formatting
	@$(PY) -m ruff check -q .
	@$(PY) -m ruff format -q --check . || { echo "Not formatted: run 'make format'."; exit 1; }

layers: $(ENV) ## Import arrows, circles of imports, and house rules of the device code
	@$(PY) -m tools.checks.layers

types: $(call ready,stubs) ## Type-check the device code against the stubs of the oldest and the newest MicroPython, and the tools
	@$(PY) -m tools.checks.typecheck
	@$(PY) -m mypy

sizes: $(ENV) ## Compile every device file with mpy-cross, report and limit sizes
	@$(PY) -m tools.build.sizes

portable: $(READY) $(call ready,node) ## The portable tests alone, on the real MicroPythons; ARGS="--versions all"
	@$(PY) -m tools.checks.portable $(ARGS)

cloud: $(READY) ## Control the simulated cloud while the demo runs: ARGS="set 6 1"; ARGS=--help lists the rest
	@$(PY) -m tools cloud $(ARGS)

board: $(READY) ## The virtual board alone, for any cloud: ARGS="--config config.json"
	@$(PY) -m tools board $(ARGS)

fuzz: $(ENV) ## Random and damaged bytes for every parser, 100,000 inputs each; ARGS="--seed 2 mqtt5"
	@$(PY) -m tools fuzz $(ARGS)

fleet: $(READY) ## Many devices at one cloud, and a bad day for all of them: DEVICES=20 MINUTES=1, VIRTUAL=1 for thousands; ARGS="--outage"
	@$(PY) -m tools fleet $(if $(DEVICES),--devices $(DEVICES)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(VIRTUAL),--virtual) $(ARGS)

soak: $(ENV) ## 2,000 device-days of faults in virtual time, invariants checked at every step (hours); ARGS="--seeds 1..20"
	@$(PY) -m tools simulate --seeds 1..2000 --hours 24 $(ARGS)

mutate: $(READY) ## Do the tests detect wrong code? A random sample of mutants, four seconds for each after half an hour; ARGS="--seed 1 --sample 500"
	@$(PY) -m tools.checks.mutate $(ARGS)

bench: $(READY) ## Figures: loop stall, handshakes, heap, latency, MQTT, beside other clients, as JSON lines and in docs/benchmarks.md; PEERS_DIR=folder with their modules
	@$(PY) -m tools bench --page docs/benchmarks.md $(if $(PEERS_DIR),--peers "$(PEERS_DIR)") $(ARGS)

fetch: $(ENV) ## What demo and tests need besides Python packages, where it is missing: ARGS=node
	@$(PY) -m tools fetch $(ARGS)

flash: $(ENV) ## Put MicroPython on a board: IMAGE=file.bin, PORT=/dev/ttyUSB0 (default: the only one)
	@$(PY) -m tools flash "$(IMAGE)" $(if $(PORT),--port $(PORT)) $(ARGS)

new: $(ENV) ## Write a complete config.json to begin with: KIND=heater, pump, lock or greenhouse
	@$(PY) -m tools new $(KIND) $(ARGS)

config: $(ENV) ## Write config.json by questions; ARGS="--help" explains it for many boards
	@$(PY) -m tools config $(ARGS)

check_config: $(ENV) ## Say what is wrong in a configuration, and what would be right: FILE=config.json
	@$(PY) -m tools check_config "$(or $(FILE),config.json)" $(ARGS)

ca: $(ENV) ## Root certificate the device needs for a server, into certs/: HOST=api.therealer.com
	@$(PY) -m tools ca "$(HOST)" $(ARGS)

deploy: $(ENV) ## Put this firmware and config.json on a board: PORT=..., also socket://host:port; sends what changed
	@$(PY) -m tools deploy $(if $(PORT),--port $(PORT)) $(ARGS)

labels: $(ENV) ## Labels to print for the boards of a fleet, with QR codes: FOLDER=boards
	@$(PY) -m tools labels "$(or $(FOLDER),boards)" $(ARGS)

rollout: $(ENV) ## Update a fleet step by step, stop when boards fail: NUMBER=8 FOLDER=boards ARGS="--ask ... --reported ..."
	@$(PY) -m tools rollout $(NUMBER) --boards "$(or $(FOLDER),boards)" $(ARGS)

monitor: $(ENV) ## Show the log of the board, until Ctrl-C: PORT=...
	@$(PY) -m tools monitor $(if $(PORT),--port $(PORT)) $(ARGS)

status: $(ENV) ## The state of the board on one screen, without stopping it: PORT=...
	@$(PY) -m tools status $(if $(PORT),--port $(PORT)) $(ARGS)

doctor: $(ENV) ## Checklist on the board: network, time, certificates, pins; PORT as for flash
	@$(PY) -m tools doctor $(if $(PORT),--port $(PORT)) $(ARGS)

thinger_check: $(ENV) ## Try a device at a real Thinger.io account: ARGS="--user USER --device DEVICE"
	@$(PY) -m tools thinger_check $(ARGS)

bundle: $(ENV) ## This firmware, signed for updates over the air: NUMBER=7 OUT=served/firmware
	@$(PY) -m tools bundle $(NUMBER) $(if $(OUT),--out "$(OUT)") $(ARGS)

image: $(ENV) ## MicroPython with a ROM partition for the firmware: IDF=path/to/esp-idf MICROPYTHON=path/to/sources
	@$(PY) -m tools image $(if $(IDF),--idf $(IDF)) $(if $(MICROPYTHON),--micropython $(MICROPYTHON)) $(ARGS)

package: $(ENV) ## Write the lists for `mpremote mip install`
	@$(PY) -m tools package --write

docs: $(DOCS) ## These pages as a site in .cache/site; a link that leads nowhere is an error
	@$(PY) -m tools.checks.docs $(ARGS)

pictures: $(READY) $(call ready,chromium) $(CHARTS) ## Take the pictures of commands and pages for the documentation, about two minutes; ARGS="monitor status" takes some
	@$(PY) -m tools.checks.pictures $(ARGS)

format: $(ENV) ## Format the code and fix what ruff can fix
	@$(PY) -m ruff check -q --fix .
	@$(PY) -m ruff format -q .

clean: ## Remove everything that was made here, the virtual environment and the interpreter too
	@rm -rf .venv .cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
