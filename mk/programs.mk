# The programs and what each is made of. Every .c file of a folder belongs to that folder's program.
COMMON_SRC := $(wildcard common/*.c)
CORE_SRC := $(wildcard daemon/core/*.c)
DAEMON_SRC := $(filter-out daemon/main.c,$(wildcard daemon/*.c daemon/*/*.c))
WORKER_SRC := $(filter-out worker/main.c,$(wildcard worker/*.c))
CLIENT_SRC := $(filter-out client/main.c,$(wildcard client/*.c))
GPU_SRC := $(filter-out gpu/main.c,$(wildcard gpu/*.c))
PROCLIB_SRC := $(wildcard processors/lib/*.c)
MEDIA_SRC := $(wildcard processors/media/*.c)

obj = $(patsubst %,$(OUT)/%.o,$(basename $(1)))

PROCESSOR_NAMES := $(notdir $(patsubst %/manifest.json,%,$(wildcard processors/*/manifest.json)))
PROGRAMS := $(OUT)/batchd $(OUT)/batchd-worker $(OUT)/batchd-job $(OUT)/batchd-gpu $(OUT)/batchctl $(OUT)/libbatchd-client.a \
  $(foreach p,$(PROCESSOR_NAMES),$(OUT)/processors/$(p)/$(p) $(OUT)/processors/$(p)/manifest.json)

COMMON_LIB := $(OUT)/libcommon.a
# The scheduler and what it decides over, pure: the daemon's, and batchctl's for simulations.
CORE_LIB := $(OUT)/libcore.a
DAEMON_LIB := $(OUT)/libdaemon.a
WORKER_LIB := $(OUT)/libworker.a
CLIENT_LIB := $(OUT)/libclient.a
GPU_LIB := $(OUT)/libgpu.a
PROCESSOR_LIB := $(OUT)/libprocessor.a
MEDIA_LIB := $(OUT)/libmedia.a

$(COMMON_LIB): $(call obj,$(COMMON_SRC)) $(OUT)/common/toml.o
$(CORE_LIB): $(call obj,$(CORE_SRC))
$(DAEMON_LIB): $(call obj,$(DAEMON_SRC)) $(OUT)/daemon/api/interfaces.o $(OUT)/daemon/store/schema_latest.o
$(WORKER_LIB): $(call obj,$(WORKER_SRC))
$(CLIENT_LIB): $(call obj,$(CLIENT_SRC))
$(GPU_LIB): $(call obj,$(GPU_SRC))
$(PROCESSOR_LIB): $(call obj,$(PROCLIB_SRC))
$(MEDIA_LIB): $(call obj,$(MEDIA_SRC))
%.a:
	@rm -f $@ && ar rcsD $@ $^

# For C users: the calls of common/client.h alone are visible outside (common/client.h says how it is
# used, mk/batchd-client.pc.in how it is found).
CLIENT_LIBRARY := $(OUT)/libbatchd-client.a
$(CLIENT_LIBRARY): $(call obj,$(addprefix common/,$(addsuffix .c,alloc base64 client clock error fd frame json)))
	$(Q)rm -f $@ && ld -r -o $(OUT)/batchd-client.o $^ && \
	  objcopy --wildcard --keep-global-symbol='batchd_*' $(OUT)/batchd-client.o && ar rcsD $@ $(OUT)/batchd-client.o

CORE_LIBS := $(call libs_of,libevent_core libevent_extra sqlite3 jansson libsystemd glib-2.0)
CLIENT_LIBS := $(call libs_of,jansson smartcols zlib glib-2.0)
# What processors/lib needs, for every processor's link.
PROCESSOR_LIBS := $(call libs_of,libseccomp nettle jansson)
MEDIA_PKGS := libavformat libavcodec libavfilter libswscale libavutil jansson
IMAGE_PKGS := vips jansson

$(OUT)/batchd: $(call obj,daemon/main.c) $(DAEMON_LIB) $(COMMON_LIB)
	$(Q)$(CXX_FOR_CC) $(LDFLAGS_ALL) -o $@ $^ $(CORE_LIBS) -lm
$(OUT)/batchd-worker: $(call obj,worker/main.c) $(WORKER_LIB) $(COMMON_LIB)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lm
$(OUT)/batchd-job: $(call obj,$(wildcard step/*.c)) $(COMMON_LIB)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call libs_of,glib-2.0 jansson) -lm
$(OUT)/batchd-gpu: $(call obj,gpu/main.c) $(GPU_LIB) $(COMMON_LIB)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -ldl -lm
$(OUT)/batchctl: $(call obj,client/main.c) $(CLIENT_LIB) $(CORE_LIB) $(COMMON_LIB)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(CLIENT_LIBS) -lm
# Those that link FFmpeg's libraries.
MEDIA_PROCESSORS := $(filter video interpolate quality,$(PROCESSOR_NAMES))
define MEDIA_PROGRAM
$(OUT)/processors/$(1)/$(1): $(call obj,$(wildcard processors/$(1)/*.c)) $(MEDIA_LIB) $(PROCESSOR_LIB) $(COMMON_LIB)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(call libs_of,$$(MEDIA_PKGS)) $$(PROCESSOR_LIBS) -lm
endef
$(foreach p,$(MEDIA_PROCESSORS),$(eval $(call MEDIA_PROGRAM,$(p))))
$(OUT)/processors/image/image: $(call obj,$(wildcard processors/image/*.c)) $(PROCESSOR_LIB) $(COMMON_LIB)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call libs_of,$(IMAGE_PKGS)) $(PROCESSOR_LIBS) -lm
$(OUT)/processors/%/manifest.json: processors/%/manifest.json
	@mkdir -p $(@D) && cp $< $@

$(foreach p,media $(MEDIA_PROCESSORS),$(eval $(OUT)/processors/$(p)/%.o: PKG_CFLAGS = $$(call cflags_of,$$(MEDIA_PKGS))))
$(OUT)/processors/image/%.o: PKG_CFLAGS = $(call cflags_of,$(IMAGE_PKGS))
$(OUT)/client/%.o: PKG_CFLAGS = $(call cflags_of,smartcols)
$(OUT)/daemon/resources/zone.o $(OUT)/daemon/api/request_digest.o $(OUT)/common/file_tree.o \
  $(OUT)/common/checkpoint.o $(OUT)/common/glib_memory.o: PKG_CFLAGS = $(call cflags_of,glib-2.0)

VARLINK := $(wildcard common/varlink/*.varlink)
$(OUT)/daemon/api/interfaces.c: $(VARLINK) mk/varlink.sh
	@mkdir -p $(@D) && sh mk/varlink.sh $(VARLINK) > $@
$(OUT)/mk/schema_latest: $(call obj,mk/schema_latest.c $(addprefix daemon/store/,migrations.c schema_sql.c result_code.c row_sum.c stamp.c)) $(COMMON_LIB)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call libs_of,sqlite3)
$(OUT)/daemon/store/schema_latest.c: $(OUT)/mk/schema_latest
	$(Q)$< > $@
$(OUT)/daemon/api/interfaces.o $(OUT)/daemon/store/schema_latest.o: %.o: %.c
	$(Q)$(CC) $(CFLAGS_ALL) -Wno-overlength-strings -c -o $@ $<

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
$(OUT)/%.o: %.cc
	@mkdir -p $(@D)
	$(Q)$(CXX_FOR_CC) $(CXXFLAGS_ALL) -MMD -MP -c -o $@ $<

# The prefix and the commit are compiled in: another one rebuilds what holds it, and nothing else.
define STAMP
ifneq ($$(shell cat '$(OUT)/$(1)' 2>/dev/null),$(2))
.PHONY: $(OUT)/$(1)
endif
$(OUT)/$(1):
	@mkdir -p $$(@D) && printf '%s\n' '$(2)' > $$@
endef
$(eval $(call STAMP,prefix,$(PREFIX)))
$(eval $(call STAMP,commit,$(COMMIT)))
$(OUT)/daemon/places.o: $(OUT)/prefix
$(OUT)/daemon/main.o: $(OUT)/commit

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
