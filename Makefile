# make demo | serve | test | bench | lint — each sets up .venv first (scripts/setup tells what it installs)
.PHONY: demo serve test bench lint setup
PYTHON_BIN := .venv/bin
WORKERS ?= 2

setup:
	@scripts/setup

demo: setup
	@$(PYTHON_BIN)/passerelle demo

serve: setup
	@$(PYTHON_BIN)/passerelle serve --demo --home demo-home

lint: setup
	$(PYTHON_BIN)/ruff check .
	$(PYTHON_BIN)/ruff format --check .
	$(PYTHON_BIN)/mypy

test: lint
	@{ scripts/debian-packages swaks libnet-ssleay-perl isync dovecot-imapd openssl curl postgresql-15 libxml2-utils \
	  ldap-utils softhsm2 poppler-utils qpdf procmail unzip chromium && { command -v npm >/dev/null || scripts/debian-packages nodejs npm; }; } \
	  || if [ "$${CI:-}" = true ] && [ "$$(id -u)" = 0 ]; then exit 1; else echo "test: tests that need them are skipped"; fi
	$(PYTHON_BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

bench: setup
	$(PYTHON_BIN)/python -m bench
