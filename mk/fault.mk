# Proof by fault injection (tests/fault). Each target alone is the whole of it and may take an hour;
# `make fault-sample` is the part that `make check` has time for. SEED=N repeats a run. With SAN=1 ASan,
# its leak checker and UBSan look at what becomes of each fault, of memory too: make fault SAN=1 SAMPLE=2000
#   make fault           every call of libc that can fail, in every scene, each way it can fail
#   make compound        a kill and, while it recovers from that, a call that fails: PAIRS=300
#   make syscalls        killed at every system call of one life and of a batchd that finds running jobs, of
#                        each migration of the store, of a checkpoint's commit, of the placing of outputs
#   make full-disk       a disk that fills up at each of 1,000 places
#   make damage          a store with each byte changed, each length, each size of pages, another's log;
#                        FLIPS=N: so often several bytes of a larger one (1,000,000)
#   make strangers       10,000 cancels where process ids are used again at once
SAMPLE ?=
FAULT_TOOLS := $(OUT)/tests/fault/inject.so $(OUT)/tests/fault/syskill
FAULT_RUN := OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/fault
FAULT_SEED := $(addprefix --seed ,$(SEED))
FAULT_CFLAGS = -std=gnu17 -O1 -g -fno-omit-frame-pointer -Wall -Wextra $(WERROR_FLAG) -D_GNU_SOURCE

.PHONY: fault compound syscalls full-disk damage strangers fault-sample
$(OUT)/tests/fault/inject.so $(OUT)/tests/fault/pauses.so: $(OUT)/tests/fault/%.so: tests/fault/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(FAULT_CFLAGS) -shared -fPIC -o $@ $<
$(OUT)/tests/fault/syskill $(OUT)/tests/fault/canaries: $(OUT)/tests/fault/%: tests/fault/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(FAULT_CFLAGS) -o $@ $<

fault: all $(FAULT_TOOLS)
	$(FAULT_RUN)/run.py --imports
	$(FAULT_RUN)/run.py $(addprefix --sample ,$(SAMPLE)) $(FAULT_SEED)

PAIRS ?= 300
compound: all $(FAULT_TOOLS)
	$(FAULT_RUN)/compound.py --pairs $(PAIRS) $(FAULT_SEED)

syscalls: all $(FAULT_TOOLS)
	$(FAULT_RUN)/syscalls.py $(addprefix --sample ,$(SAMPLE)) $(FAULT_SEED)
	$(FAULT_RUN)/syscalls.py --migrations $(addprefix --sample ,$(SAMPLE)) $(FAULT_SEED)
	$(FAULT_RUN)/steps.py

full-disk: all $(FAULT_TOOLS)
	$(FAULT_RUN)/full_disk.py $(addprefix --sample ,$(SAMPLE)) $(FAULT_SEED)

fault-sample: all $(FAULT_TOOLS) $(OUT)/tests/fault/damage
	$(FAULT_RUN)/run.py --imports
	$(FAULT_RUN)/run.py --scenes 4 --sample 50 $(FAULT_SEED)
	$(FAULT_RUN)/syscalls.py --sample 8 $(FAULT_SEED)
	$(FAULT_RUN)/syscalls.py --migrations --sample 2 $(FAULT_SEED)
	$(FAULT_RUN)/compound.py --pairs 8 $(FAULT_SEED)
	$(FAULT_RUN)/full_disk.py --sample 6 $(FAULT_SEED)
	$(FAULT_RUN)/damage.py --sample 100 --starts 6 $(FAULT_SEED)


# The store's own code: with SAN=1 the sanitizers watch it.
$(OUT)/tests/fault/damage: $(OUT)/tests/fault/damage.o $(DAEMON_LIB) $(COMMON_LIB)
	$(Q)$(CXX_FOR_CC) $(LDFLAGS_ALL) -o $@ $^ $(CORE_LIBS) -lm
damage: all $(OUT)/tests/fault/damage
	$(FAULT_RUN)/damage.py $(addprefix --sample ,$(SAMPLE)) $(addprefix --flips ,$(FLIPS)) $(FAULT_SEED)

CANCELS ?= 10000
strangers: all $(OUT)/tests/fault/canaries $(OUT)/tests/fault/pauses.so
	$(FAULT_RUN)/strangers.py --cancels $(CANCELS)
