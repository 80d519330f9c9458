# SPDX-License-Identifier: Apache-2.0
#
# make                     build/sysboxup
# make check-unit          the unit tests          make SANITIZE=address,undefined   sanitizer build
# make lint                what CONTRIBUTING.md lists    make bench   ratios of one run
# make fuzz                every fuzzer for FUZZ_SECONDS=3600
# make coverage            lines and branches that the tests run; at least 90 % of lines
# make install DESTDIR= PREFIX=/usr   V=1 shows the commands

VERSION   := 0.1.0
BUILD     ?= build
PREFIX    ?= /usr
BINDIR    ?= $(PREFIX)/bin
MANDIR    ?= $(PREFIX)/share/man
COMPDIR   ?= $(PREFIX)/share/bash-completion/completions
UNITDIR   ?= /usr/lib/systemd/system
PKGCONFIG ?= pkg-config
CC        ?= gcc

LIBS      := libcjson libcrypto
# Loaded by what needs them (installer/sys/library.h): only their headers and their names are needed here.
ON_DEMAND := libcurl libarchive gpgme yaml-0.1
ifeq ($(filter clean help,$(MAKECMDGOALS)),)
LIB_CFLAGS := $(shell $(PKGCONFIG) --cflags $(LIBS) $(ON_DEMAND))
LIB_LDLIBS := $(shell $(PKGCONFIG) --libs $(LIBS)) -ldl
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla \
	-Wwrite-strings -Wswitch-enum -Wundef -Wno-unused-parameter
HARDEN := -fstack-protector-strong -fstack-clash-protection -fPIE
OPT    := -O2 -g
PIE    := -pie
# A directory of that name is always built with them, whoever asks for something in it.
ifneq ($(filter %/sanitize,$(BUILD)),)
SANITIZE ?= address,undefined
endif
ifneq ($(SANITIZE),)
BUILD  := build/sanitize
OPT    := -O1 -g -fno-omit-frame-pointer
# The runtimes go into the binary, so that it runs in guests that have none.
SAN    := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -static-libasan -static-libubsan
# At a fixed address: else each start begins with relocating 100,000 places where something undefined could happen.
PIE    := -no-pie
else
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
endif
# The fuzzers (tests/fuzz): clang's libFuzzer, and every file of ours with its counters.
ifneq ($(filter %/fuzz,$(BUILD)),)
FUZZ   ?= 1
endif
ifneq ($(FUZZ),)
BUILD  := build/fuzz
CC     := clang
OPT    := -O1 -g -fno-omit-frame-pointer
HARDEN := -fPIE
SAN    := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
endif
ifneq ($(filter %/coverage,$(BUILD)),)
COVERAGE ?= 1
endif
ifneq ($(COVERAGE),)
BUILD  := build/coverage
OPT    := -O0 -g
# execve and fork: gcc would have a child write its counters where it is by then, in an image, and begin anew; data
# sections: tests/guest/counters.c shares the counters with children.
SAN    := --coverage -fprofile-update=atomic -fno-builtin-execve -fno-builtin-fork -fdata-sections
LDFLAGS += -Wl,-T,tests/guest/counters.ld
CPPFLAGS += -DSYSBOXUP_COVERAGE
endif
# A fuzzer starts once, and is linked with all of them (tests/guest/sanitizer.c).
ifneq ($(FUZZ),)
LIB_LDLIBS += -Wl,--no-as-needed $(shell $(PKGCONFIG) --libs $(filter-out yaml-0.1,$(ON_DEMAND)))
endif
ifneq ($(DEVELOPER),)
WARN   += -Werror
endif

CPPFLAGS_ALL := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DSYSBOXUP_VERSION='"$(VERSION)"' \
	-Iinstaller -I$(BUILD)/gen $(LIB_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu17 $(OPT) $(WARN) $(HARDEN) $(SAN) $(CFLAGS)
LDFLAGS_ALL  := $(PIE) -Wl,-z,relro,-z,now $(SAN) $(LDFLAGS)
# What only tests start is linked by lld where it is to be had, in a fifth of the time; not with a linker script of ours.
ifeq ($(COVERAGE),)
TEST_LD      := $(if $(shell command -v ld.lld),-fuse-ld=lld)
endif

SRCS  := $(filter-out installer/docker/probe_elf/%,$(sort $(wildcard installer/*.c installer/*/*.c installer/*/*/*.c)))
OBJS  := $(SRCS:%.c=$(BUILD)/%.o)
CORE  := $(filter-out $(BUILD)/installer/main.o,$(OBJS)) $(BUILD)/gen/embedded.o
ifneq ($(COVERAGE),)
CORE  += $(BUILD)/tests/guest/counters.o
endif
ifneq ($(findstring address,$(SAN)),)
CORE  += $(BUILD)/tests/guest/sanitizer.o
endif
# Unit tests and sysboxup-faults have the fault seam of installer/sys/fault.h; the release has none of it.
FAULTY := $(patsubst $(BUILD)/installer/sys/%,$(BUILD)/faults/installer/sys/%,$(CORE))
UNITS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(sort $(wildcard tests/tools/*.c)))
MODEL := $(sort $(wildcard tests/crash/model/*.c))
DATA  := $(filter-out templates/examples,$(sort $(wildcard distros/*.json templates/*)))
# The parsers, and what they call: a fuzzer that comes to need more says so when it is linked.
FUZZED := $(filter $(addprefix $(BUILD)/installer/,base/% ci/% sys/% journal/% backends/pkg/% fetch/% host/% profile/% \
	actions/account_db.o cli/options.o $(addprefix docker/,flags.o keys.o origin.o unitfile.o)),$(CORE)) $(BUILD)/gen/embedded.o
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

all: $(BUILD)/sysboxup

objects: $(OBJS)

$(BUILD)/sysboxup: $(BUILD)/installer/main.o $(CORE)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LDLIBS) $(LDLIBS)

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# distros/ and templates/ are data, compiled in: one table of name, bytes and length.
$(BUILD)/gen/embedded.c: $(DATA) scripts/embed Makefile
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)./scripts/embed $(DATA) > $@.tmp$$$$ && mv $@.tmp$$$$ $@

$(BUILD)/gen/embedded.o: $(BUILD)/gen/embedded.c
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

# SONAME_LIBCURL and so on: the names by which the linker would have the loader find them.
$(BUILD)/gen/sonames.h: Makefile scripts/sonames
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)./scripts/sonames $(CC) -- $(shell $(PKGCONFIG) --libs $(ON_DEMAND)) > $@.tmp$$$$ && mv $@.tmp$$$$ $@

$(foreach f,curl archive gpgme yaml,$(BUILD)/installer/sys/lib$(f).o $(BUILD)/faults/installer/sys/lib$(f).o): $(BUILD)/gen/sonames.h

$(BUILD)/faults/%.o: %.c
	$(call say,CC,$< (faults))
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -DSYSBOXUP_FAULTS $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/sysboxup-faults: $(BUILD)/installer/main.o $(FAULTY)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(TEST_LD) -o $@ $^ $(LIB_LDLIBS) $(LDLIBS)

# The program of the image that docker/probe.c runs: no libc, no build flags of ours, its bytes compiled in.
$(BUILD)/gen/probe.elf: installer/docker/probe_elf/probe.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -Os -Wall -Wextra -ffreestanding -fno-stack-protector -fno-pie \
		-nostdlib -static -Wl,--build-id=none,-z,noexecstack,-s -o $@ $<

$(BUILD)/gen/probe_elf.h: $(BUILD)/gen/probe.elf scripts/embed
	$(Q)./scripts/embed --bytes $< > $@.tmp$$$$ && mv $@.tmp$$$$ $@

$(BUILD)/installer/docker/probe.o: $(BUILD)/gen/probe_elf.h

# Of an archive the linker takes what is asked for. What nobody asks for by name is not in it.
UNASKED := $(filter $(BUILD)/tests/guest/%,$(CORE))

$(BUILD)/faulty.a: $(filter-out $(UNASKED),$(FAULTY))
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/unit/%: tests/unit/%.c tests/unit/test.h $(BUILD)/faulty.a $(UNASKED)
	$(call say,UNIT,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) -DSYSBOXUP_FAULTS -Itests/unit $(CFLAGS_ALL) $(LDFLAGS_ALL) $(TEST_LD) -o $@ $< $(UNASKED) \
		$(BUILD)/faulty.a $(LIB_LDLIBS) $(LDLIBS)

# Programs that tests start: of their own, not linked with ours. Without sanitizers and counters in any build: what is
# tested is the program, and a sanitized judge only takes four times as long to start.
$(BUILD)/tools/%: tests/tools/%.c
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(filter-out $(SAN),$(CFLAGS_ALL) $(LDFLAGS_ALL)) -o $@ $< -lssl -lcrypto

$(BUILD)/tools/everycall: tests/tools/tree.h
$(BUILD)/tools/everycall $(BUILD)/tools/crashwalk $(BUILD)/tools/killat: tests/tools/onecpu.h
$(BUILD)/tools/meddle $(BUILD)/tools/meddled: tests/tools/meddle.h

$(BUILD)/tools/crashmodel: $(MODEL) tests/crash/model/model.h
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(filter-out $(SAN),$(CFLAGS_ALL) $(LDFLAGS_ALL)) -o $@ $(MODEL)

# Loaded into the release build; never sanitized, since a sanitizer wants to be loaded first.
$(BUILD)/tools/%.so: tests/tools/preload/%.c
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE $(OPT) $(WARN) -fPIC -shared -o $@ $<

tools: $(TOOLS) $(BUILD)/tools/crashmodel $(BUILD)/tools/haste.so

units: $(UNITS) tools

check-unit: units
	$(Q)for t in $(UNITS); do echo "# $$t"; $$t || exit 1; done

fuzzers:
	$(Q)$(MAKE) --no-print-directory BUILD=build/fuzz fuzz-programs

fuzz-programs: $(FUZZERS)

$(BUILD)/fuzzed.a: $(FUZZED)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h $(BUILD)/fuzzed.a
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -fsanitize=fuzzer $(LDFLAGS_ALL) -o $@ $< $(BUILD)/fuzzed.a $(LIB_LDLIBS) $(LDLIBS)

# Every fuzzer for FUZZ_SECONDS, one after the other; what it learned is kept in build/fuzz/found.
FUZZ_SECONDS ?= 3600
fuzz: fuzzers
	$(Q)set -e; for f in $(FUZZERS:$(BUILD)/fuzz_%=%); do tests/fuzz/run --keep "$$f" $(FUZZ_SECONDS); done

# The man page's lists of commands and options, and the completion, come out of the program's own tables.
MAN := $(BUILD)/man/sysboxup.8 $(BUILD)/man/sysboxup.json.5

$(BUILD)/man/%: installer/man/% scripts/manpage $(BUILD)/sysboxup
	$(call say,MAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)./scripts/manpage $(BUILD)/sysboxup $< > $@.tmp$$$$ && mv $@.tmp$$$$ $@

$(BUILD)/completion.bash: $(BUILD)/sysboxup
	$(call say,GEN,$@)
	$(Q)$(BUILD)/sysboxup completion bash > $@.tmp$$$$ && mv $@.tmp$$$$ $@

man: $(MAN)

# The units are enabled by links beside them, and name the program where it is installed.
EARLY := sysboxup-recover.service sysboxup-firstboot.service sysboxup-firewall.service
LATE  := sysboxup-recover-late.service sysboxup-firstboot-late.service sysboxup-firewall-watch.service sysboxup-hooks.service
CERT  := sysboxup-cert.path sysboxup-cert.timer sysboxup-cert.service
WATCH := sysboxup-watch.path sysboxup-watch.service
PENDING := sysboxup-pending.timer sysboxup-pending.service

install: $(BUILD)/sysboxup $(MAN) $(BUILD)/completion.bash
	$(Q)install -D -m 0755 $(BUILD)/sysboxup $(DESTDIR)$(BINDIR)/sysboxup
	$(Q)install -D -m 0644 $(BUILD)/man/sysboxup.8 $(DESTDIR)$(MANDIR)/man8/sysboxup.8
	$(Q)install -D -m 0644 $(BUILD)/man/sysboxup.json.5 $(DESTDIR)$(MANDIR)/man5/sysboxup.json.5
	$(Q)install -D -m 0644 $(BUILD)/completion.bash $(DESTDIR)$(COMPDIR)/sysboxup
	$(Q)install -d -m 0755 $(DESTDIR)$(UNITDIR)/sysinit.target.wants $(DESTDIR)$(UNITDIR)/multi-user.target.wants \
		$(DESTDIR)$(UNITDIR)/paths.target.wants
	$(Q)for u in $(EARLY) $(LATE) $(CERT) $(WATCH) $(PENDING); do \
		install -m 0644 templates/$$u $(DESTDIR)$(UNITDIR)/$$u && \
		sed -i 's|/usr/bin/|$(BINDIR)/|g' $(DESTDIR)$(UNITDIR)/$$u || exit 1; done
	$(Q)for u in $(EARLY); do ln -sfn ../$$u $(DESTDIR)$(UNITDIR)/sysinit.target.wants/$$u || exit 1; done
	$(Q)for u in $(LATE); do ln -sfn ../$$u $(DESTDIR)$(UNITDIR)/multi-user.target.wants/$$u || exit 1; done
	$(Q)ln -sfn ../sysboxup-cert.path $(DESTDIR)$(UNITDIR)/paths.target.wants/sysboxup-cert.path
	$(Q)ln -sfn ../sysboxup-watch.path $(DESTDIR)$(UNITDIR)/paths.target.wants/sysboxup-watch.path

uninstall:
	$(Q)rm -f $(DESTDIR)$(BINDIR)/sysboxup $(DESTDIR)$(MANDIR)/man8/sysboxup.8 \
		$(DESTDIR)$(MANDIR)/man5/sysboxup.json.5 $(DESTDIR)$(COMPDIR)/sysboxup \
		$(addprefix $(DESTDIR)$(UNITDIR)/sysinit.target.wants/,$(EARLY)) \
		$(addprefix $(DESTDIR)$(UNITDIR)/multi-user.target.wants/,$(LATE)) \
		$(DESTDIR)$(UNITDIR)/paths.target.wants/sysboxup-cert.path $(DESTDIR)$(UNITDIR)/paths.target.wants/sysboxup-watch.path \
		$(addprefix $(DESTDIR)$(UNITDIR)/,$(EARLY) $(LATE) $(CERT) $(WATCH) $(PENDING))

# Lines and branches that the tests run; fails below the floor (scripts/coverage).
coverage:
	$(Q)./scripts/coverage

# Every state of layer 1 (tests/crash/model.bats); scripts/check tries a part of them. An hour.
check-model:
	$(Q)SYSBOXUP_MODEL_ALL=1 tests/run --no-skip tests/crash/model.bats

lint:
	$(Q)./scripts/lint

# Every call of the binary in every mode, not only every so many-th; the same on a whole host, of the programs that it
# calls, of pruning, and of a record cut or flipped.
check-killat check-killhost check-meddle check-pending check-prune check-records: check-%:
	$(Q)SYSBOXUP_EVERY=1 BUILD=$(BUILD) tests/run --no-skip $(wildcard tests/crash/$*.bats tests/crash/$*-*.bats)

check-firewall:
	$(Q)SYSBOXUP_EVERY=1 BUILD=$(BUILD) tests/run --no-skip tests/firewall.bats

# Every point of the recorded runs on whole hosts, which takes hours; what is done already stays in build/powercut as long
# as the program is the same. Then a real kernel in qemu, and its
# dm-flakey as a second opinion.
check-powercut: check-powercut-settings check-powercut-files check-powercut-deb check-powercut-vm

check-powercut-vm: tools $(BUILD)/sysboxup $(BUILD)/sysboxup-faults $(MAN) $(BUILD)/completion.bash
	$(Q)./tests/crash/vm build/vm flakey 12
	$(Q)./tests/crash/vm build/vm kill 12

# What the kernel makes of the limits on reading and writing, with cgroup v2.
check-limits: tools $(BUILD)/sysboxup $(BUILD)/sysboxup-faults $(MAN) $(BUILD)/completion.bash
	$(Q)./tests/crash/vm build/vm limits

check-powercut-%: tools $(BUILD)/sysboxup $(BUILD)/sysboxup-faults $(MAN) $(BUILD)/completion.bash
	$(Q)mkdir -p build/powercut
	$(Q)./tests/crash/powercut base build/powercut
	$(Q)./tests/crash/powercut all build/powercut $*

# Every entry of the logs, and more disks of each.
check-blocklog:
	$(Q)SYSBOXUP_EVERY=1 SYSBOXUP_SEEDS=4 BUILD=$(BUILD) tests/run --no-skip tests/crash/blocklog.bats

$(BUILD)/bench/%: tests/bench/%.c $(CORE)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(CORE) $(LIB_LDLIBS) $(LDLIBS)

bench: $(BUILD)/sysboxup
	$(Q)./tests/bench/run

clean:
	rm -rf build

.PHONY: all objects tools units coverage check-unit check-firewall check-killat check-killhost check-meddle check-pending check-prune check-records check-blocklog check-model check-powercut check-powercut-vm check-limits fuzzers \
	fuzz-programs fuzz lint bench install clean
.DELETE_ON_ERROR:
.SECONDARY: $(OBJS) $(FAULTY)
-include $(OBJS:.o=.d) $(filter $(BUILD)/faults/%,$(FAULTY:.o=.d))
