# make            the seven tools, in target/release
# make check      formatting, lints, generated pages: what a change must pass first
# make quick      check, unit, cli and contract tests: no root, no servers
# make test       installs what the tests need (tests/setup.sh), then runs them all
# make demo       a whole update of a small real site, end to end
# make install    DESTDIR= PREFIX=/usr/local
# make help       everything else

CARGO     ?= cargo
PREFIX    ?= /usr/local
DESTDIR   ?=
PROFILE   ?= release

target      = $(or $(CARGO_TARGET_DIR),target)
# The directory of the built programs. For a build with --target or another profile: make install BUILT=DIR.
BUILT       = $(target)/$(PROFILE:dev=debug)

bindir      = $(PREFIX)/bin
datadir     = $(PREFIX)/share
mandir      = $(datadir)/man
docdir      = $(datadir)/doc/runbook-tools
schemadir   = $(datadir)/runbook-tools/schemas
bashdir     = $(datadir)/bash-completion/completions
zshdir      = $(datadir)/zsh/vendor-completions
fishdir     = $(datadir)/fish/vendor_completions.d
unitdir     = $(PREFIX)/lib/systemd/system
ansibledir  = $(datadir)/ansible/collections/ansible_collections/runbook/tools

TOOLS   = check-reqs pg-ext-ensure venv-sync maint-page svc-cycle cron-render log-paths
DOCS    = README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE
UNITS   = $(wildcard shared/packaging/*/*.service shared/packaging/*/*.timer)
MODULES = $(wildcard shared/ansible/plugins/modules/*)

# rustup installs cargo into a directory that the PATH of a fresh shell does not have.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: all build check quick deny docs test fresh trixie trixie-quick bench faults fuzz libfuzzer demo install uninstall deb rpm packages clean help setup
all: build

# One set of flags for every release build (build, demo, bench, deb, rpm), so that cargo builds each program once; tests
# and checks use cargo's dev profile without flags.
# The same sources give the same bytes: every file has the date of the newest release, and no program holds a path of this machine.
export SOURCE_DATE_EPOCH ?= $(shell date -u -d "$$(sed -n 's/^## .* - //p' CHANGELOG.md | head -n 1)" +%s)
reproducible = CARGO_ENCODED_RUSTFLAGS="$$(sh shared/packaging/rustflags.sh)"

build:
	$(reproducible) $(CARGO) build --locked --profile $(PROFILE) $(TOOLS:%=-p %)
	@[ ! -d $(BUILT) ] || touch $(BUILT)/.runbook-tools

# `sudo make install` after `make` builds nothing and needs no network.
$(target)/$(PROFILE:dev=debug)/.runbook-tools: Cargo.toml Cargo.lock $(shell find shared/*/src shared/*/Cargo.toml tools/*/src tools/*/Cargo.toml -type f)
	$(MAKE) build

setup:
	sh tests/setup.sh

# What `cargo test` would build, and the programs that the tests run, in one go: cargo selects the features of a crate by what it builds
# at a time, and builds a crate again for other features.
whole = $(CARGO) build --locked --workspace --lib --bins --tests

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(whole)
	$(target)/debug/runbook-docgen --check
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
	  dbs="$${CARGO_HOME:-$$HOME/.cargo}/advisory-dbs"; \
	  if ls -d "$$dbs"/advisory-db-* >/dev/null 2>&1; then advisories=advisories; else advisories=; fi; \
	  set -x; $(CARGO) deny --locked --offline check licenses bans sources $$advisories; \
	fi

# Run this before each commit. It needs no root, no servers and no network.
quick: check
	$(CARGO) test --locked --workspace --exclude runbook-tests --no-fail-fast
	SKIP_SERVERS=1 $(CARGO) test --locked -p runbook-tests --test cli --test contract --no-fail-fast

# Licences, sources and advisories of what is linked (cargo install cargo-deny). Fetches the database of advisories; `make check` reads that
# database, where there is one, and fetches nothing.
deny:
	$(CARGO) deny --locked check

docs:
	$(CARGO) run --locked --quiet -p runbook-docgen

test: setup
	$(whole)
	$(CARGO) test --locked --workspace --no-fail-fast

# The README's two commands, word for word, in a bare Debian 12 and a bare Debian 13 (tests/root.sh). As root.
fresh:
	for suite in bookworm trixie; do \
	  ROOT_FRESH_TARGET=1 sh tests/root.sh run $$suite sh -ec 'make demo && make test' || exit; \
	done

# The whole suite in a Debian 13 with that release's compiler, Rust 1.85. As root.
trixie:
	sh tests/root.sh run trixie make test

# What each change has to pass in Debian 13: a build with Rust 1.85, and the tests of the contract and the command lines. The one build
# needs neither debug information nor incremental compilation.
trixie-quick:
	sh tests/root.sh run trixie sh -ec 'export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0; \
	  sh tests/setup.sh --quick; cargo build --locked --workspace --all-targets; \
	  cargo test --locked -p runbook-tests --test contract --test cli --no-fail-fast'

# The long forms of the tests that `make test` runs in short form.
faults: setup
	$(CARGO) build --locked --workspace
	RUNBOOK_SWEEP=full $(CARGO) test --locked -p runbook-tests --test faults

fuzz: setup
	$(CARGO) build --locked --workspace
	RUNBOOK_SWEEP=full $(CARGO) test --locked --workspace --exclude runbook-tests --lib fuzz
	RUNBOOK_SWEEP=full $(CARGO) test --locked -p runbook-tests --test fuzz
	$(MAKE) libfuzzer

# Twelve readers under libFuzzer, led by coverage, ten minutes each by default. What is new is kept in target/libfuzzer/corpus; to add that to
# the corpora of the tests: RUNBOOK_READER=nginx target/libfuzzer/.../reader -merge=1 tests/fuzz/corpus/nginx target/libfuzzer/corpus/nginx
FUZZ_SECONDS = 600
READERS = mask requirements metadata nginx caddy apache supervisor logrotate crontab xmlrpc conninfo environment
host = $(shell rustc -vV | sed -n 's/^host: //p')
coverage = -Cpasses=sancov-module $(addprefix -Cllvm-args=-sanitizer-coverage-,level=3 inline-8bit-counters pc-table trace-compares)
libfuzzer:
	RUSTFLAGS="$(coverage)" $(CARGO) build --locked --release --target $(host) --manifest-path tests/libfuzzer/Cargo.toml \
	  --target-dir target/libfuzzer
	for reader in $(READERS); do \
	  mkdir -p target/libfuzzer/corpus/$$reader; \
	  RUNBOOK_READER=$$reader target/libfuzzer/$(host)/release/reader -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 \
	    -rss_limit_mb=512 -artifact_prefix=target/libfuzzer/$$reader- target/libfuzzer/corpus/$$reader tests/fuzz/corpus/$$reader \
	    || exit 1; \
	done

bench: setup build
	$(reproducible) $(CARGO) bench --locked -p runbook-tests

demo:
	sh tests/setup.sh --demo
	$(MAKE) build
	RUNBOOK_TOOLS=$(abspath $(BUILT)) sh tests/demo/run.sh

# The long form of tests/packages: the packages built twice, read by lintian, installed, used, upgraded and purged.
packages:
	sh tests/setup.sh --packages
	$(MAKE) deb rpm
	$(CARGO) build --locked --workspace
	RUNBOOK_SWEEP=full $(CARGO) test --locked -p runbook-tests --test packages -- --include-ignored

install: $(if $(filter file,$(origin BUILT)),$(BUILT)/.runbook-tools)
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(docdir) $(DESTDIR)$(schemadir)
	install -d $(DESTDIR)$(bashdir) $(DESTDIR)$(zshdir) $(DESTDIR)$(fishdir)
	install -d $(DESTDIR)$(mandir)/man1 $(DESTDIR)$(mandir)/man5 $(DESTDIR)$(mandir)/man7 $(DESTDIR)$(mandir)/man8
	install -d $(DESTDIR)$(ansibledir)/meta $(DESTDIR)$(ansibledir)/plugins/modules
	for tool in $(TOOLS); do \
	  install -m 755 $(BUILT)/$$tool $(DESTDIR)$(bindir)/$$tool || exit; \
	  install -m 644 completions/bash/$$tool $(DESTDIR)$(bashdir)/$$tool || exit; \
	  install -m 644 completions/zsh/_$$tool $(DESTDIR)$(zshdir)/_$$tool || exit; \
	  install -m 644 completions/fish/$$tool.fish $(DESTDIR)$(fishdir)/$$tool.fish || exit; \
	  install -m 644 shared/schemas/$$tool.schema.json $(DESTDIR)$(schemadir)/$$tool.schema.json || exit; \
	done
	install -m 644 shared/schemas/site.schema.json $(DESTDIR)$(schemadir)
	for page in man/*.[1578]; do \
	  install -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit; \
	done
	install -m 644 $(DOCS) $(DESTDIR)$(docdir)
	install -d $(DESTDIR)$(unitdir)
	install -m 644 $(UNITS) $(DESTDIR)$(unitdir)
	install -m 644 shared/ansible/README.md shared/ansible/galaxy.yml $(DESTDIR)$(ansibledir)
	install -m 644 shared/ansible/meta/runtime.yml $(DESTDIR)$(ansibledir)/meta
	install -m 755 $(filter %.sh,$(MODULES)) $(DESTDIR)$(ansibledir)/plugins/modules
	install -m 644 $(filter-out %.sh,$(MODULES)) $(DESTDIR)$(ansibledir)/plugins/modules

# Removes every file that install put there, and the directories that belong to these tools alone.
uninstall:
	for tool in $(TOOLS); do \
	  rm -f $(DESTDIR)$(bindir)/$$tool $(DESTDIR)$(bashdir)/$$tool $(DESTDIR)$(zshdir)/_$$tool \
	    $(DESTDIR)$(fishdir)/$$tool.fish $(DESTDIR)$(schemadir)/$$tool.schema.json; \
	done
	rm -f $(DESTDIR)$(schemadir)/site.schema.json
	for page in man/*.[1578]; do rm -f $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}; done
	for file in $(DOCS); do rm -f $(DESTDIR)$(docdir)/$$file; done
	for unit in $(notdir $(UNITS)); do rm -f $(DESTDIR)$(unitdir)/$$unit; done
	for file in README.md galaxy.yml meta/runtime.yml $(MODULES:shared/ansible/%=%); do rm -f $(DESTDIR)$(ansibledir)/$$file; done
	for dir in $(docdir) $(schemadir) $(datadir)/runbook-tools $(ansibledir)/plugins/modules $(ansibledir)/plugins \
	  $(ansibledir)/meta $(ansibledir) $(dir $(ansibledir)); do \
	  if [ -d $(DESTDIR)$$dir ]; then rmdir --ignore-fail-on-non-empty $(DESTDIR)$$dir; fi; \
	done

# Packages, in dist/: one for each tool, one for the collection, and one that depends on all tools.
CARGO_DEB_VERSION = 3.8.0
CARGO_RPM_VERSION = 0.21.1
packager          = target/packager
rpmroot           = dist/root

$(packager)/bin/cargo-deb:
	$(CARGO) install --locked --root $(packager) cargo-deb@$(CARGO_DEB_VERSION)

$(packager)/bin/cargo-generate-rpm:
	$(CARGO) install --locked --root $(packager) cargo-generate-rpm@$(CARGO_RPM_VERSION)

deb: $(packager)/bin/cargo-deb build
	mkdir -p dist
	rm -f dist/*.deb
	for package in $(TOOLS) runbook-docgen 'runbook-docgen --variant=collection'; do \
	  $(packager)/bin/cargo-deb deb --no-build --locked -p $$package --output dist/ || exit; \
	done
	sh shared/packaging/finish-deb.sh dist/*.deb

# cargo-generate-rpm takes the time of a file from the file and compresses no manual, so the tree for it has both prepared.
rpm: $(packager)/bin/cargo-generate-rpm build
	mkdir -p dist
	rm -rf dist/*.rpm $(rpmroot)
	$(MAKE) install DESTDIR=$(rpmroot) PREFIX=/usr zshdir=/usr/share/zsh/site-functions
	gzip -9n $(rpmroot)/usr/share/man/man*/*
	find $(rpmroot) -exec touch --no-dereference --date=@$(SOURCE_DATE_EPOCH) {} +
	for crate in $(TOOLS:%=tools/%) 'shared/docgen --arch noarch' 'shared/docgen --arch noarch --variant collection'; do \
	  $(packager)/bin/cargo-generate-rpm generate-rpm --auto-req find-requires --payload-compress gzip -p $$crate --output dist/ || exit; \
	done

clean:
	$(CARGO) clean
	rm -rf dist

help:
	@sed -n '1,/^$$/s/^# //p' Makefile
	@echo 'make uninstall  what make install put there, with the same DESTDIR and PREFIX'
	@echo 'make docs       man pages, completions and schemas, from the definitions'
	@echo 'make deny       licences, sources and advisories of the dependencies'
	@echo 'make deb        a .deb for each tool and one that depends on all, in dist/'
	@echo 'make rpm        the same as .rpm'
	@echo 'make packages   the long test of both: built twice, lintian, installed, used, upgraded, purged'
	@echo 'make fresh      the README in a bare Debian 12 and 13, made for it'
	@echo 'make trixie     the whole suite in a Debian 13 with its own compiler'
	@echo 'make trixie-quick  built there with Rust 1.85, contract and cli tests'
	@echo 'make bench      each tool beside its peers, in one run'
	@echo 'make libfuzzer  the readers under libFuzzer, FUZZ_SECONDS=600 each'
	@echo 'make faults     the long sweep of kills and failures at each step'
	@echo 'make fuzz       the long sweep over every parser'
	@echo 'make clean      takes away target and dist'
