# Compiler and linker flags. The warning set is the house's (CONTRIBUTING.md); WERROR=1 in CI.
PKG_CONFIG ?= pkg-config
# One word for each step; V=1 shows the commands.
Q = $(if $(V),,@echo '  $(@:$(OUT)/%=%)';)
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual \
  -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
  -Wredundant-decls -Wvla -Walloca -Wconversion -Wsign-conversion -Wswitch-enum \
  -Wimplicit-fallthrough -Wnull-dereference -Wdate-time -Wunused-macros -fno-common
ifeq ($(findstring clang,$(CC)),)
WARN += -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wformat-overflow=2 \
  -Wformat-truncation=1 -Wjump-misses-init -Wstringop-overflow=4
endif
WERROR_FLAG := $(if $(or $(WERROR),$(CI)),-Werror)

ifdef SAN
# -g1: lines for the traces, without variables.
MODE := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDEN_LD :=
else
MODE := -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
  $(if $(findstring clang,$(CC)),,-ftrivial-auto-var-init=zero) $(if $(filter x86_64,$(shell uname -m)),-fcf-protection=full)
HARDEN_LD := -Wl,-z,relro,-z,now,-z,noexecstack
endif
DEFINES := -D_GNU_SOURCE -DBATCHD_VERSION='"$(VERSION)"' -DBATCHD_PREFIX='"$(PREFIX)"'
# Of the sources: by git, else that of the last build, else unknown; make COMMIT=... sets it.
COMMIT := $(or $(shell git --git-dir=.git rev-parse --verify -q HEAD 2>/dev/null),$(shell cat '$(OUT)/commit' 2>/dev/null),unknown)
HOLDS_COMMIT := $(OUT)/daemon/main.o $(OUT)/tidy/shallow/daemon/main.ok $(OUT)/tidy/deep/daemon/main.ok
$(HOLDS_COMMIT): DEFINES += -DBATCHD_COMMIT='"$(COMMIT)"'
# -ffp-contract=off: fair share's sums are the same on every processor and with every compiler.
CFLAGS_ALL = -std=gnu17 -ffp-contract=off $(MODE) $(WARN) $(WERROR_FLAG) $(DEFINES) -fPIE -I. $(PKG_CFLAGS) $(CFLAGS)
CXXFLAGS_ALL = -std=c++17 $(MODE) -Wall -Wextra $(WERROR_FLAG) $(DEFINES) -fPIE -fno-exceptions -fno-rtti -I. $(CXXFLAGS)
LDFLAGS_ALL = -pie $(MODE) $(HARDEN_LD) -Wl,--as-needed $(LDFLAGS)

cflags_of = $(shell $(PKG_CONFIG) --cflags $(1) 2>/dev/null | sed 's/-I/-isystem /g')
libs_of = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
