# batchd: make | make demo | make check | make lint | make format | make san | make torture | make power | make fuzz
#         make model | make fault | make compound | make syscalls | make full-disk | make damage | make bench | make vm | make go-client
#         make install DESTDIR= PREFIX=/usr/local | make deps | make clean
# SAN=1 builds with ASan and UBSan into build/san, CC=clang with clang into build/clang.

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
UNITDIR ?= $(if $(filter /usr,$(PREFIX)),/lib/systemd/system,/etc/systemd/system)
CXX_FOR_CC := $(if $(findstring clang,$(CC)),clang++,g++)
OUT := build/$(if $(SAN),san,$(if $(findstring clang,$(CC)),clang,release))

include mk/flags.mk
include mk/programs.mk
include mk/man.mk
include mk/proof.mk
include mk/fuzz.mk
include mk/quality.mk
include mk/fault.mk
include mk/lint.mk
include mk/clients.mk
include mk/install.mk

.DELETE_ON_ERROR:
.PHONY: all clean deps
.DEFAULT_GOAL := all
all: $(PROGRAMS) man

deps:
	@sh mk/deps.sh

clean:
	rm -rf build
