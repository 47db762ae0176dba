# The formatter and the analysers over all C files. clang-format 14 and clang-tidy 14 are Debian 12's:
# another version formats otherwise.
C_FILES = $(wildcard common/*.[ch] common/*.cc daemon/*.[ch] daemon/*/*.[ch] worker/*.[ch] step/*.[ch] gpu/*.[ch] client/*.[ch] man/*.[ch] mk/*.c \
  processors/*/*.[ch] tests/*/*.[ch])


.PHONY: format lint-format lint-tidy lint-deep
format:
	clang-format-14 -i $(C_FILES)

lint-format:
	@clang-format-14 --dry-run --Werror $(C_FILES) && echo 'format: $(words $(C_FILES)) files'

# One stamp for a file; it is looked at again when its object was made again (a header changed too).
# The analyser follows calls a little way only (mode=shallow): deep takes six times as long, and is
# make lint-deep.
DEPTH ?= shallow
TIDY_FILES = $(filter %.c,$(filter-out tests/%,$(C_FILES)))
TIDY_STAMPS = $(patsubst %.c,$(OUT)/tidy/$(DEPTH)/%.ok,$(TIDY_FILES))
TIDY_CFLAGS = -Xclang -analyzer-config -Xclang mode=$(DEPTH) -std=gnu17 $(DEFINES) -I. $(call cflags_of,smartcols jansson glib-2.0 $(MEDIA_PKGS) $(IMAGE_PKGS))
lint-tidy:
	@$(MAKE) -s --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$$(nproc)) $(TIDY_STAMPS)
	@echo 'clang-tidy: $(words $(TIDY_FILES)) files, $(DEPTH)'
lint-deep: all
	@$(MAKE) --no-print-directory lint-tidy DEPTH=deep

$(OUT)/tidy/$(DEPTH)/%.ok: $(OUT)/%.o .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy-14 --quiet $*.c -- $(TIDY_CFLAGS) 2>$@.log || { cat $@.log; exit 1; }
	@rm -f $@.log && touch $@
