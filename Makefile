# Each target does all of its own set-up and may be run again at any time; VENV and PYTHON may be given.
VENV ?= $(CURDIR)/.venv
export VENV
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test torture bench check docs clean

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

demo:  ## move a sample organisation's mail into local folders, and show the report
	@scripts/setup all
	@"$(VENV)/bin/liberate" demo $(ARGS)

test:  ## run all tests; as root it also installs the Debian packages that they need
	@scripts/test $(ARGS)

torture:  ## run the long tests: every crash at every step
	@scripts/test -m torture $(ARGS)

bench:  ## measure against other tools; as root it also installs them
	@scripts/debian-packages dovecot-imapd isync offlineimap3 rclone curl || \
		echo "Left out: whatever is not installed of Debian's dovecot-imapd, isync, offlineimap3, rclone, curl" >&2
	@scripts/setup dev
	@"$(VENV)/bin/python" -m bench $(ARGS)

check:  ## look for mistakes: style, types, imports, outdated reference pages
	@scripts/setup dev
	@"$(VENV)/bin/ruff" check .
	@"$(VENV)/bin/ruff" format --check --quiet .
	@"$(VENV)/bin/mypy"
	@"$(VENV)/bin/lint-imports" --no-cache --no-logo
	@"$(VENV)/bin/python" -m liberate_cli.reference --check

docs:  ## write the generated reference pages anew
	@scripts/setup dev
	@"$(VENV)/bin/python" -m liberate_cli.reference --write

clean:  ## remove what these targets made, and nothing else
	rm -rf "$(VENV)" "$(VENV).lock" dist build .demo
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
