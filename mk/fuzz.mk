# Fuzz targets: tests/fuzz/fuzz_X.c with its corpus tests/fuzz/corpus/X. `make fuzz` lets libFuzzer (clang)
# look for SECONDS in each, two at a time, with ASan and UBSan; `make fuzz-replay`, part of make check, runs
# each with the files of its corpus. make fuzz SECONDS=60 | make fuzz ONLY=cron
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIBS := $(CLIENT_LIB) $(DAEMON_LIB) $(WORKER_LIB) $(CORE_LIB) $(COMMON_LIB)
FUZZ_LINK = $(CLIENT_LIBS) $(CORE_LIBS) -lm
SECONDS ?= 60

$(OUT)/tests/fuzz/replay_%: $(OUT)/tests/fuzz/fuzz_%.o $(OUT)/tests/fuzz/replay.o $(OUT)/tests/fuzz/folder.o $(FUZZ_LIBS)
	$(Q)$(CXX_FOR_CC) $(LDFLAGS_ALL) -o $@ $^ $(FUZZ_LINK)
$(OUT)/tests/fuzz/find_%: $(OUT)/tests/fuzz/fuzz_%.o $(OUT)/tests/fuzz/folder.o $(FUZZ_LIBS)
	$(Q)$(CXX_FOR_CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(FUZZ_LINK)

.PHONY: fuzz fuzz-find fuzz-replay
.PRECIOUS: $(OUT)/tests/fuzz/%.o
fuzz-replay: $(addprefix $(OUT)/tests/fuzz/replay_,$(FUZZ_NAMES))
	@for name in $(FUZZ_NAMES); do \
	  '$(OUT)/tests/fuzz/replay_'$$name tests/fuzz/corpus/$$name/* || { echo "fuzz: $$name"; exit 1; }; done
	@echo 'fuzz: $(words $(FUZZ_NAMES)) targets, $(words $(wildcard tests/fuzz/corpus/*/*)) inputs'

fuzz:
	@sh mk/deps.sh clang libclang-rt-14-dev
	@$(MAKE) --no-print-directory fuzz-find SAN=1 CC=clang OUT=build/fuzz \
	  CFLAGS=-fsanitize=fuzzer-no-link CXXFLAGS=-fsanitize=fuzzer-no-link
fuzz-find: $(addprefix $(OUT)/tests/fuzz/find_,$(or $(ONLY),$(FUZZ_NAMES)))
	@sh tests/fuzz/find.sh '$(CURDIR)/$(OUT)/tests/fuzz' $(SECONDS) $(or $(ONLY),$(FUZZ_NAMES))
