# Tests and checks. `make check` is what CI runs; torture is longer and stands alone.
# Debian's, which sees the Debian package python3-pytest
PYTHON ?= /usr/bin/python3
# What Python makes of the tests lies with all else that is built: each of the processes that run them
# would take 5 s to read them, with it 1 s.
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/python
unexport PYTHONDONTWRITEBYTECODE
# More than half of a test's time is waiting, so three run on each processor.
PYTEST := $(PYTHON) -m pytest -q -p no:cacheprovider -n $(shell echo $$(($$(nproc) * 3)))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/test_*.c))
KILLS ?= 1000
WORKER_KILLS ?= 200

.PHONY: check unit system lint san clang torture mutants

# What is built is built by all processors; the tests know by themselves how many there are.
PARALLEL := -j$(shell nproc)

# Made before what copies the build (mutants) or runs beside others.
CHECK_TOOLS = $(POWER_PROGRAMS) $(FAULT_TOOLS) $(OUT)/tests/fault/damage
check: deps
	@$(MAKE) --no-print-directory $(PARALLEL) all $(CHECK_TOOLS) WERROR=1
	@$(MAKE) --no-print-directory $(PARALLEL) lint unit fuzz-replay tests-read WERROR=1
	@$(MAKE) --no-print-directory system
	@$(MAKE) --no-print-directory clang
	@$(MAKE) --no-print-directory san
	@$(MAKE) --no-print-directory -j$$(($$(nproc) + 1)) --output-sync=target proofs WERROR=1

# Each has folders of its own and uses less than one processor: one more than there are processors.
.PHONY: proofs torture-short workers-short output-short checkpoint-short
proofs: model-short power-mutants crash-mutants fault-sample power-short torture-short workers-short output-short checkpoint-short
torture-short: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/torture.py --kills 40
workers-short: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/torture.py --kills 30 --workers
output-short: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/output.py --jobs 40 --restarts 15
checkpoint-short: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/checkpoint.py --kills 6 --steps 400 --minutes 0

$(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $(DAEMON_LIB) $(WORKER_LIB) $(PROCESSOR_LIB) $(COMMON_LIB)
	$(Q)$(CXX_FOR_CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(DAEMON_LIB) $(WORKER_LIB) $(PROCESSOR_LIB) $(COMMON_LIB) $(call libs_of,check) $(PROCESSOR_LIBS) $(CORE_LIBS) -lm
$(OUT)/tests/unit/test_drm_client: $(addprefix $(OUT)/gpu/,drm_client.o drm_load.o)

# What stands on FFmpeg's libraries.
MEDIA_TESTS := $(addprefix $(OUT)/tests/unit/,test_hardware test_chunk_check test_motion)
$(MEDIA_TESTS:=.o): PKG_CFLAGS = $(call cflags_of,$(MEDIA_PKGS))
$(OUT)/tests/unit/test_motion: $(addprefix $(OUT)/processors/interpolate/,motion.o overlap.o scene_change.o)
$(MEDIA_TESTS): $(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $(MEDIA_LIB) $(PROCESSOR_LIB) $(COMMON_LIB)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(call libs_of,check $(MEDIA_PKGS)) $(PROCESSOR_LIBS) -lm

UNIT_RUNS := $(UNIT_TESTS:%=%.run)
.PHONY: $(UNIT_RUNS)
unit: $(UNIT_RUNS)
$(UNIT_RUNS): %.run: %
	@$<

.PHONY: tests-read
tests-read: all
	@OUT='$(CURDIR)/$(OUT)' $(PYTHON) -m pytest -qq -p no:cacheprovider --collect-only tests/system >$(OUT)/tests-read.log || \
	  { cat $(OUT)/tests-read.log; exit 1; }

system: all
	OUT='$(CURDIR)/$(OUT)' $(PYTEST) tests/system

lint:
	@$(PYTHON) tests/lint/layers.py
	@$(PYTHON) tests/lint/sizes.py
	@$(PYTHON) tests/lint/catalog.py
	@$(MAKE) --no-print-directory headers lint-format lint-tidy lint-man

# Each header compiles by itself.
HEADERS := $(wildcard common/*.h daemon/*.h daemon/*/*.h worker/*.h step/*.h gpu/*.h client/*.h processors/*/*.h)
headers: PKG_CFLAGS = $(call cflags_of,$(MEDIA_PKGS) $(IMAGE_PKGS))
.PHONY: headers
headers:
	@printf '%s\n' $(HEADERS) | xargs -P "$$(nproc)" -I{} sh -c \
	  'echo "#include \"{}\"" | $(CC) $(subst ','\'',$(CFLAGS_ALL)) -Wno-unused-macros -x c -fsyntax-only -'

san:
	@$(MAKE) --no-print-directory $(PARALLEL) all unit SAN=1 WERROR=1
	@$(MAKE) --no-print-directory system SAN=1 WERROR=1

# For its warnings: nobody runs or debugs this build.
clang:
	@$(MAKE) --no-print-directory $(PARALLEL) all CC=clang WERROR=1 CFLAGS=-g0

# Programs with a planted bug: the crash tests must find it (tests/crash/mutants.sh).
.PHONY: crash-mutants power-mutants
mutants: crash-mutants power-mutants
crash-mutants: all
	@OUT='$(CURDIR)/$(OUT)' sh tests/crash/mutants.sh
power-mutants: all $(POWER_PROGRAMS)
	@OUT='$(CURDIR)/$(OUT)' sh tests/power/mutants.sh

# OTHER=FOLDER: batchd is started anew by turns from our build and from the one that lies there.
OTHER ?=
torture: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/torture.py --kills $(KILLS)
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/torture.py --kills $(WORKER_KILLS) --workers
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/output.py --restarts 100 $(addprefix --other ,$(OTHER))

# Jobs with checkpoints killed at random moments, one of them a transcode of a clip of six minutes. The
# short form is part of make check.
.PHONY: checkpoint-torture
checkpoint-torture: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/checkpoint.py --kills 20 --minutes 6

# Backups under load, each compared with what was acknowledged: make backups BACKUPS=1000
BACKUPS ?= 1000
.PHONY: backups
backups: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/backups.py --count $(BACKUPS)

# Circuit breakers under what comes by chance, kills and clocks that jump: make breakers STEPS=2000
STEPS ?= 1000
.PHONY: breakers
breakers: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/breakers.py --steps $(STEPS)

# Submits whose connection breaks, anywhere: make exactly-once RETRIES=10000
RETRIES ?= 10000
.PHONY: exactly-once
exactly-once: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/exactly_once.py --retries $(RETRIES)

# Requests of many jobs to a batchd that is killed: all or none: make pipeline-torture GRAPH_KILLS=300
GRAPH_KILLS ?= 300
.PHONY: pipeline-torture
pipeline-torture: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/pipelines.py --kills $(GRAPH_KILLS)

# Speed, side by side with peers and the machine's limits: make bench ROUNDS=9 ONLY=jobs
ROUNDS ?= 5
.PHONY: bench
bench: deps
	@$(MAKE) --no-print-directory all $(addprefix $(OUT)/tests/bench/,limits load decisions)
	@OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/bench/bench.py \
	  --rounds $(ROUNDS) $(addprefix --only ,$(ONLY))
# The processors beside the command-line tools: make bench-media ROUNDS=9 ONLY=transcode
.PHONY: bench-media
bench-media: deps
	@sh mk/deps.sh libvips-tools imagemagick
	@$(MAKE) --no-print-directory all
	@OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/bench/media.py \
	  --rounds $(ROUNDS) $(addprefix --only ,$(ONLY))
$(OUT)/tests/bench/limits: $(OUT)/tests/bench/limits.o
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call libs_of,sqlite3)
$(OUT)/tests/bench/decisions: $(OUT)/tests/bench/decisions.o $(CORE_LIB) $(COMMON_LIB)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call libs_of,jansson) -lm
$(OUT)/tests/bench/load: $(OUT)/tests/bench/load.o $(COMMON_LIB)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call libs_of,jansson)

# A dozen media jobs, a kill -9 half way: demo/demo.py.
.PHONY: demo
demo: deps
	@$(MAKE) --no-print-directory all
	@OUT='$(CURDIR)/$(OUT)' $(PYTHON) demo/demo.py

# On a machine of its own with real systemd (testbed/README.md); needs root. Not part of check. All are run, whatever
# fails: make vm VM="served binding". What takes a kernel of Debian with two processors (VM_EMULATED) has ten times as
# long there. What is carried in is the tree without what was built and its history.
TESTBED ?= ../shared/testbed
VM ?= service limits served disks doctor poweroff binding disks-emulated
VM_TREE := build/vm-tree
VM_RUN = '$(TESTBED)/vm/run.sh' --env PROGRAMS=build/vm-programs
VM_EMULATED = $(VM_RUN) --backend qemu --timeout 2400
.PHONY: vm vm-tree $(addprefix vm-,service limits served disks doctor poweroff binding disks-emulated)
vm:
	@if [ ! -x '$(TESTBED)/vm/run.sh' ]; then echo "vm: skipped, $(TESTBED)/vm/run.sh is not here"; exit; fi; \
	failed=; for name in $(VM); do echo "vm: $$name"; \
	  $(MAKE) --no-print-directory vm-$$name || failed="$$failed $$name"; done; \
	[ -z "$$failed" ] || { echo "vm: failed:$$failed"; exit 1; }
vm-tree:
	@$(MAKE) --no-print-directory all PREFIX=/usr OUT=build/vm-programs
	@rm -rf $(VM_TREE) && mkdir -p $(VM_TREE)/build && tar c --exclude=./build --exclude=./.git . | tar x -C $(VM_TREE) && \
	  cp -a build/vm-programs $(VM_TREE)/build/
vm-service vm-limits vm-served vm-disks vm-doctor: vm-%: vm-tree
	@$(VM_RUN) --out build/vm/$* --timeout 1200 $(VM_TREE) tests/vm/$*.sh
vm-binding vm-disks-emulated: vm-tree
	@if sh mk/deps.sh qemu-system-x86 qemu-utils; then \
	  $(VM_EMULATED) --out build/vm/$(@:vm-%=%) $(VM_TREE) tests/vm/$(patsubst vm-%,%,$(@:%-emulated=%)).sh; \
	else echo "vm: $(@:vm-%=%) skipped, qemu cannot be had"; fi

# The first boot ends by switching the machine off (125); the second looks at what became of the jobs.
vm-poweroff: vm-tree
	@disk=$$(mktemp -u); run="$(VM_RUN) --state $$disk"; \
	eval "$$run $(VM_TREE) tests/vm/poweroff.sh" 2>/dev/null; \
	eval "$$run --out build/vm/poweroff $(VM_TREE) tests/vm/poweroff.sh"; code=$$?; rm -f "$$disk"; exit $$code

# Every file of the shared media, and those that nobody wants to meet, through every processor; then real ones that
# are cut off and have bytes flipped: make every-file CUTS=20 FLIPS=40. A few minutes; also with SAN=1.
CUTS ?= 20
FLIPS ?= 40
.PHONY: every-file
every-file: all
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/all_files.py
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/crash/damaged_media.py --cuts $(CUTS) --flips $(FLIPS)
