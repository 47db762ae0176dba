# Proofs that stand beside the tests: disks after a loss of power, the model of adoption.
# make power IMAGES=10000 | make model DISTURBANCES=2
IMAGES ?= 10000
POWER_JOBS ?= 2000
POWER_PROGRAMS := $(OUT)/tests/power/images $(OUT)/tests/power/recorder.so
POWER = OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/power/power.py

.PHONY: power power-short
power: all $(POWER_PROGRAMS)
	$(POWER) --jobs $(POWER_JOBS) --images $(IMAGES) --parallel 2
power-short: all $(POWER_PROGRAMS)
	$(POWER) --jobs 150 --images 300

$(OUT)/tests/power/images: $(addprefix $(OUT)/tests/power/,images.o medium.o claims.o) $(DAEMON_LIB) $(COMMON_LIB)
	$(Q)$(CXX_FOR_CC) $(LDFLAGS_ALL) -o $@ $^ $(CORE_LIBS) -lm
# No fortified headers: it defines some of the functions that they define too.
$(OUT)/tests/power/recorder.so: tests/power/recorder.c tests/power/trace.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -U_FORTIFY_SOURCE -fPIC -shared -o $@ $<

# What jobs, workers, spawner and batchd do when they die, in every order (tests/model/adopt.pml).
DISTURBANCES ?= 2
.PHONY: model model-short
model:
	@sh mk/deps.sh spin gcc
	@$(PYTHON) tests/model/check.py --disturbances $(DISTURBANCES)
model-short:
	@$(MAKE) --no-print-directory model DISTURBANCES=1
