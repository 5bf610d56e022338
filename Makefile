# SPDX-License-Identifier: Apache-2.0
# kvmwait: one Makefile, built out of the tree in build/. 'make help' lists the targets.

VERSION := 0.1
PREFIX ?= /usr/local
BUILD ?= build
CC ?= cc
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O2 -g
V ?= 0

PACKAGES := libbpf jansson libmd libzstd libprotobuf-c
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2
CPPFLAGS += -D_GNU_SOURCE -DKVMWAIT_VERSION='"$(VERSION)"' -DKVMWAIT_DATADIR='"$(PREFIX)/share/kvmwait"' \
	    -DKVMWAIT_BINDIR='"$(PREFIX)/bin"' -Ihelper -I$(BUILD)/gen $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
LDLIBS += $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -pthread
BASE_CFLAGS := -std=c11 $(WARNINGS)

# The rooms of helper/ are folders; helper/guest is a program of its own.
HELPER_SRC := $(sort $(shell find helper -name guest -prune -o -name '*.c' -print))
PROTO_GEN := $(patsubst helper/%.proto,$(BUILD)/gen/%.pb-c,$(sort $(shell find helper -name '*.proto')))
HELPER_OBJ := $(HELPER_SRC:%.c=$(BUILD)/%.o) $(PROTO_GEN:=.o)
# What the tests link: everything but main().
LIB_OBJ := $(filter-out $(BUILD)/helper/cmd/main.o,$(HELPER_OBJ))
GUEST_ARCH := $(if $(filter aarch64%,$(shell $(CC) -dumpmachine)),arm64,x86)
GUEST_SRC := $(sort $(wildcard helper/guest/*.c $(addprefix helper/guest/$(GUEST_ARCH)/*.,c S)))
GUEST_OBJ := $(addprefix $(BUILD)/,$(addsuffix .o,$(basename $(GUEST_SRC))))
$(GUEST_OBJ): CPPFLAGS := -Ihelper/guest/$(GUEST_ARCH) -Ihelper/guest $(CPPFLAGS)
UNIT_SRC := $(wildcard tests/unit/*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)

BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)
SANITIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined

quiet = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2);)

.DELETE_ON_ERROR:
.SUFFIXES:

## build kvmwait and kvmwait-guest
all: $(BUILD)/kvmwait $(BUILD)/kvmwait-guest
	@:
.PHONY: all

$(BUILD)/kvmwait: $(HELPER_OBJ)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/kvmwait-guest: $(GUEST_OBJ)
	$(call quiet,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -static -pthread -o $@ $^

# What knows where it will be installed is compiled anew when that changes.
$(shell mkdir -p $(BUILD); [ "$$(cat $(BUILD)/prefix 2>/dev/null)" = '$(PREFIX)' ] || printf '%s\n' '$(PREFIX)' >$(BUILD)/prefix)
$(patsubst %.c,$(BUILD)/%.o,$(shell grep -l 'KVMWAIT_DATADIR\|KVMWAIT_BINDIR' $(HELPER_SRC))): $(BUILD)/prefix

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(CPPFLAGS) $(BASE_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.S Makefile
	@mkdir -p $(@D)
	$(call quiet,AS,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What an object takes in with .incbin.
$(patsubst %.c,$(BUILD)/%.o,$(shell grep -l 'incbin' $(HELPER_SRC))): share/report/style.css share/report/page.js

# What protoc-c makes of a .proto file stays out of the tree.
$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h: helper/%.proto Makefile
	@mkdir -p $(@D)
	$(call quiet,PROTOC,$<)protoc-c --proto_path=helper --c_out=$(BUILD)/gen $<

$(BUILD)/gen/%.o: $(BUILD)/gen/%.c
	$(call quiet,CC,$<)$(CC) $(CPPFLAGS) $(BASE_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Headers that protoc-c makes come before all that may include them; what really does, the .d files say from then on.
$(filter $(BUILD)/helper/%,$(HELPER_OBJ)) $(BUILD)/fuzz/perfetto: | $(PROTO_GEN:=.h)

$(BUILD)/unit/%: tests/unit/%.c $(LIB_OBJ) Makefile
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(CPPFLAGS) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIB_OBJ) $(LDLIBS)

$(BUILD)/fuzz/%: tests/fuzz/%.c $(LIB_OBJ) Makefile
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(CPPFLAGS) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -MMD -MP -o $@ $< $(LIB_OBJ) $(LDLIBS)

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/helper/base/memory.o $(BUILD)/helper/base/text.o Makefile
	@mkdir -p $(@D)
	$(call quiet,CC,$<)$(CC) $(CPPFLAGS) $(BASE_CFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(BUILD)/helper/base/memory.o $(BUILD)/helper/base/text.o

-include $(HELPER_OBJ:.o=.d) $(GUEST_OBJ:.o=.d) $(UNIT_BIN:=.d) $(BENCH_BIN:=.d) $(FUZZ_BIN:=.d)

## set up what is missing, build, and show real waits: on this host, or on a Debian kernel under QEMU
demo:
	@share/setup demo
	@$(MAKE) --no-print-directory all
	@share/demo
.PHONY: demo

## set up what is missing, build, and run every test, the live ones included
check:
	@share/setup check
	@$(MAKE) --no-print-directory all units sanitized
	@tests/run
.PHONY: check

## the tests that need no privilege and no emulator; single tests: tests/run --help
check-quick: all units
	@tests/run quick
.PHONY: check-quick

## every kernel with every bpftrace, Intel and arm64 hosts too (half an hour); writes share/doc/MATRIX.md; goes on where it was interrupted
check-matrix:
	@share/setup check
	@$(MAKE) --no-print-directory all
	@tests/live/matrix
.PHONY: check-matrix

## the account of stat beside what the kernel accounts for the same threads, on three kernels (ten minutes); writes share/doc/LEDGER.md
check-ledger:
	@share/setup check
	@$(MAKE) --no-print-directory all
	@tests/live/ledger
.PHONY: check-ledger

## kvmwait why on hosts with built causes, and without, on two kernels (an hour and a half); writes share/doc/WHY.md
check-why:
	@share/setup check
	@$(MAKE) --no-print-directory all
	@tests/live/why
.PHONY: check-why

## measure it beside cat, mawk, jq, perf and trace-cmd (five minutes); writes share/doc/BENCH.md
bench:
	@share/setup bench
	@$(MAKE) --no-print-directory all $(BENCH_BIN)
	@tests/bench/run --write
.PHONY: bench

## measure what it costs a host, a stock kernel in an emulator (ten minutes); writes share/doc/BENCH-HOST.md
bench-host:
	@share/setup bench
	@$(MAKE) --no-print-directory all $(BENCH_BIN)
	@tests/bench/run --host --write
.PHONY: bench-host

## write the man page kvmwait-rules(7) anew, from share/why.list
rules-page:
	@awk -f tests/doc/rules.awk share/why.list >share/man/kvmwait-rules.7
.PHONY: rules-page

## fuzz the readers with libFuzzer, ASan and UBSan: make fuzz SECONDS=600 TARGETS='wire ndjson'
fuzz:
	@share/setup fuzz
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang CFLAGS='$(SANITIZE) -fsanitize=fuzzer-no-link' fuzzers
	@tests/fuzz/run $(or $(SECONDS),10) $(TARGETS)
.PHONY: fuzz

fuzzers: $(FUZZ_BIN)
	@:
.PHONY: fuzzers

## every unit test and the tests of the command line under ASan and UBSan, and the inputs that fuzzing found
check-asan:
	@share/setup fuzz
	@$(MAKE) --no-print-directory sanitized
	@tests/memory/run asan
.PHONY: check-asan

sanitized:
	@$(MAKE) --no-print-directory BUILD=build/asan CFLAGS='$(SANITIZE)' build/asan/kvmwait units
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang CFLAGS='$(SANITIZE) -fsanitize=fuzzer-no-link' fuzzers
.PHONY: sanitized

## the main paths under valgrind
check-valgrind:
	@share/setup valgrind
	@$(MAKE) --no-print-directory $(BUILD)/kvmwait
	@tests/memory/run valgrind
.PHONY: check-valgrind

## the checks of the sources that 'make check' makes, and gcc -fanalyzer, clang-tidy and cppcheck
check-lint:
	@share/setup lint
	@tests/lint/static
	@tests/lint/run
.PHONY: check-lint

units: $(UNIT_BIN)
	@:
.PHONY: units

## write the expected outputs anew (then read the diff)
update-expected: all
	@tests/cli/run --update
.PHONY: update-expected

## make the picture and the findings of the README anew, from a real recording (needs Chromium)
picture: all
	@tests/html/picture --update
.PHONY: picture

## install below $(DESTDIR)$(PREFIX)
install: all
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BUILD='$(BUILD)' share/install put
.PHONY: install

## remove what install put there
uninstall:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' share/install remove
.PHONY: uninstall

## a Debian package, in build/deb/
deb:
	@share/setup deb
	@share/deb
.PHONY: deb

## RPM packages, in build/rpm/
rpm:
	@share/setup rpm
	@share/rpm/build
.PHONY: rpm

## archives of static programs for x86-64 and arm64 hosts without packages, in build/portable/
portable:
	@share/setup portable
	@share/portable x86_64 arm64
.PHONY: portable

## remove build/
clean:
	rm -rf $(BUILD)
.PHONY: clean

## this list
help:
	@awk '/^## / { text = substr($$0, 4); next } \
		/^[a-z][a-z-]*:/ && text { split($$0, a, ":"); printf "  make %-16s %s\n", a[1], text } { text = "" }' $(firstword $(MAKEFILE_LIST))
.PHONY: help
