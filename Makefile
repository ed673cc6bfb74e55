# make            the seven tools, in target/release
# make check      formatting, lints, generated pages: what a change must pass first
# make test       installs what the tests need (tests/setup.sh), then runs them all
# make demo       a whole update of a small real site, end to end
# make install    DESTDIR= PREFIX=/usr/local
# make help       everything else

CARGO     ?= cargo
PREFIX    ?= /usr/local
DESTDIR   ?=
PROFILE   ?= release

bindir      = $(PREFIX)/bin
datadir     = $(PREFIX)/share
mandir      = $(datadir)/man
docdir      = $(datadir)/doc/runbook-tools
schemadir   = $(datadir)/runbook-tools/schemas
bashdir     = $(datadir)/bash-completion/completions
zshdir      = $(datadir)/zsh/vendor-completions
fishdir     = $(datadir)/fish/vendor_completions.d

TOOLS = check-reqs pg-ext-ensure venv-sync maint-page svc-cycle cron-render log-paths

# rustup puts cargo where a fresh shell does not look.
export PATH := $(PATH):$(HOME)/.cargo/bin

.PHONY: all build check docs test bench faults fuzz demo install uninstall deb rpm clean help setup
all: build

build:
	$(CARGO) build --locked --release $(TOOLS:%=-p %)

setup:
	sh tests/setup.sh

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) run --locked --quiet -p runbook-docgen -- --check

docs:
	$(CARGO) run --locked --quiet -p runbook-docgen

test: setup
	$(CARGO) build --locked --workspace
	$(CARGO) test --locked --workspace

# The long forms of what `make test` runs short.
faults: setup
	$(CARGO) build --locked --workspace
	RUNBOOK_SWEEP=full $(CARGO) test --locked -p runbook-tests --test faults

fuzz: setup
	$(CARGO) build --locked --workspace
	RUNBOOK_SWEEP=full $(CARGO) test --locked -p runbook-tests --test fuzz

bench: setup build
	$(CARGO) bench --locked -p runbook-tests

demo:
	sh tests/setup.sh --demo
	$(CARGO) build --locked --release $(TOOLS:%=-p %)
	sh tests/demo/run.sh

install: build
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(docdir) $(DESTDIR)$(schemadir)
	install -d $(DESTDIR)$(bashdir) $(DESTDIR)$(zshdir) $(DESTDIR)$(fishdir)
	install -d $(DESTDIR)$(mandir)/man1 $(DESTDIR)$(mandir)/man7 $(DESTDIR)$(mandir)/man8
	for tool in $(TOOLS); do \
	  install -m 755 target/release/$$tool $(DESTDIR)$(bindir)/$$tool || exit; \
	  install -m 644 completions/bash/$$tool $(DESTDIR)$(bashdir)/$$tool || exit; \
	  install -m 644 completions/zsh/_$$tool $(DESTDIR)$(zshdir)/_$$tool || exit; \
	  install -m 644 completions/fish/$$tool.fish $(DESTDIR)$(fishdir)/$$tool.fish || exit; \
	  install -m 644 shared/schemas/$$tool.schema.json $(DESTDIR)$(schemadir)/$$tool.schema.json || exit; \
	done
	for page in man/*.[178]; do \
	  install -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/} || exit; \
	done
	install -m 644 README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE $(DESTDIR)$(docdir)

uninstall:
	for tool in $(TOOLS); do \
	  rm -f $(DESTDIR)$(bindir)/$$tool $(DESTDIR)$(bashdir)/$$tool $(DESTDIR)$(zshdir)/_$$tool \
	    $(DESTDIR)$(fishdir)/$$tool.fish $(DESTDIR)$(schemadir)/$$tool.schema.json; \
	done
	for page in man/*.[178]; do rm -f $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}; done
	for file in README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE; do rm -f $(DESTDIR)$(docdir)/$$file; done
	for dir in $(docdir) $(schemadir) $(datadir)/runbook-tools; do \
	  if [ -d $(DESTDIR)$$dir ]; then rmdir --ignore-fail-on-non-empty $(DESTDIR)$$dir; fi; \
	done

# Packages, in dist/. The same sources make the same bytes: the newest release's date is every file's, and no path of this machine is in a
# binary. The compiler's flags of whoever builds are kept.
CARGO_DEB_VERSION = 3.8.0
CARGO_RPM_VERSION = 0.21.1
packager          = target/packager
export SOURCE_DATE_EPOCH ?= $(shell date -u -d "$$(sed -n 's/^## .* - //p' CHANGELOG.md | head -n 1) 12:00" +%s)
reproducible      = RUSTFLAGS="$(RUSTFLAGS) --remap-path-prefix=$(CURDIR)=/runbook-tools --remap-path-prefix=$${CARGO_HOME:-$(HOME)/.cargo}=/cargo"

$(packager)/bin/cargo-deb:
	$(CARGO) install --locked --root $(packager) cargo-deb@$(CARGO_DEB_VERSION)

$(packager)/bin/cargo-generate-rpm:
	$(CARGO) install --locked --root $(packager) cargo-generate-rpm@$(CARGO_RPM_VERSION)

deb: $(packager)/bin/cargo-deb
	$(reproducible) $(CARGO) build --locked --release $(TOOLS:%=-p %)
	mkdir -p dist
	for package in $(TOOLS) runbook-docgen; do \
	  $(packager)/bin/cargo-deb deb --no-build --locked -p $$package --output dist/ || exit; \
	done

rpm: $(packager)/bin/cargo-generate-rpm
	$(reproducible) $(CARGO) build --locked --release $(TOOLS:%=-p %)
	mkdir -p dist
	for crate in $(TOOLS:%=tools/%) shared/docgen; do \
	  $(packager)/bin/cargo-generate-rpm generate-rpm -p $$crate --payload-compress gzip --output dist/ || exit; \
	done

clean:
	$(CARGO) clean
	rm -rf dist

help:
	@sed -n '1,/^$$/s/^# //p' Makefile
	@echo 'make uninstall  what make install put there, with the same DESTDIR and PREFIX'
	@echo 'make docs       man pages, completions and schemas, from the definitions'
	@echo 'make deb        a .deb for each tool and one that depends on all, in dist/'
	@echo 'make rpm        the same as .rpm'
	@echo 'make bench      each tool beside its peers, in one run'
	@echo 'make faults     the long sweep of kills and failures at each step'
	@echo 'make fuzz       the long sweep over every parser'
