# SPDX-License-Identifier: GPL-2.0
#
# What can be made here: make help

PYTHON := /usr/bin/python3
SERIES := tools/series

VARIANT ?= patched
MODE ?= tcg

.DEFAULT_GOAL := help

##@ The series

.PHONY: base
base: ## fetch the base kernel source (KDIR= or DEB= names another) and import it
	@$(PYTHON) $(SERIES)/series.py base

.PHONY: tree
tree: ## assemble build/linux-7.3, a git tree with a commit per patch (DISCARD=1 gives up work there)
	@$(PYTHON) $(SERIES)/series.py tree $(if $(DISCARD),--discard)

.PHONY: refresh
refresh: ## take the commits of build/linux-7.3 back into patches/, drivers/, tools/testing/md/, ...
	@$(PYTHON) $(SERIES)/series.py refresh

.PHONY: series
series: ## write the mails, with a cover letter, to build/series
	@$(PYTHON) $(SERIES)/series.py export

.PHONY: apply
apply: ## put the series into your own tree, KDIR=/path/to/linux-7.3.y; all of it or nothing
	@$(PYTHON) $(SERIES)/series.py apply

.PHONY: check
check: ## every patch applies and builds in order, in silence; checkpatch, sparse, our scripts
	@$(PYTHON) $(SERIES)/check.py

.PHONY: check-newest
check-newest: ## does the series apply to the newest 7.3.y that Debian has? gates nothing
	@$(PYTHON) $(SERIES)/series.py newest

.PHONY: check-boot
check-boot: ## build and boot every patch, in order (about 3 minutes a patch)
	@$(PYTHON) $(SERIES)/boot.py

##@ Kernels and the VM

.PHONY: kernel
kernel: ## build VARIANT=base|patched|tree|COMMIT for MODE=tcg|icount|uml|tt
	@$(PYTHON) $(SERIES)/kernel.py --variant $(VARIANT) --mode $(MODE) >/dev/null

.PHONY: kernel-path
kernel-path: ## build it if need be and print the path of the bootable file
	@$(PYTHON) $(SERIES)/kernel.py --variant $(VARIANT) --mode $(MODE)

.PHONY: vm
vm: ## boot VARIANT= in MODE=; a shell, or SCRIPT=FILE; results in build/vm
	@$(PYTHON) $(SERIES)/vmrun.py --variant $(VARIANT) --mode $(MODE) $(if $(SCRIPT),--script $(SCRIPT))

.PHONY: deb
deb: ## installable packages, in build/deb (CONFIG=FILE; LOCALMOD=1: only modules that are loaded)
	@$(PYTHON) $(SERIES)/deb.py --variant $(VARIANT) $(if $(CONFIG),--config '$(CONFIG)') \
		$(if $(LOCALMOD),--localmod) $(if $(LSMOD),--lsmod '$(LSMOD)')

##@ Tests

.PHONY: demo
demo: deps ## watch the base lose data and the patched kernel keep it; latency of both; a page
	@$(PYTHON) $(SERIES)/demo.py

.PHONY: test
test: ## the tests, base against patched (TESTS='REGEX...' for some, REPEAT=N for the VM's)
	@$(PYTHON) $(SERIES)/test.py $(if $(REPEAT),--repeat $(REPEAT)) $(foreach t,$(TESTS),'$(t)')

.PHONY: test-long
test-long: ## what that leaves out: each VM test with lockdep, the other modes, another mdadm; 16 minutes
	@$(PYTHON) $(SERIES)/test.py --kind long $(foreach t,$(TESTS),'$(t)')

.PHONY: builds
builds: ## build all that make test runs (it does it itself if need be), run none
	@$(PYTHON) $(SERIES)/test.py --build

.PHONY: prove
prove: ## the KUnit suites alone: each case must pass, and fail with its fix taken out
	@$(PYTHON) $(SERIES)/test.py --kind kunit $(foreach t,$(TESTS),'$(t)')

.PHONY: soak
soak: ## HOURS=1 of power cuts, failures and rebuilds at random below a verified load (SEED=N)
	@$(PYTHON) $(SERIES)/soak.py --variant '$(VARIANT)' --hours '$(or $(HOURS),1)' --seed '$(SEED)'

.PHONY: model
model: ## the Spin models and litmus tests of the write protocol, a line each (TESTS= for some)
	@$(PYTHON) $(SERIES)/model.py $(foreach t,$(TESTS),'$(t)')

.PHONY: cost
cost: ## instructions for each 4K write on RAID1, 10, 6 and 5 with a journal, base against patched
	@$(PYTHON) $(SERIES)/cost.py

.PHONY: bench
bench: ## latency of 4K random writes, base against patched (CELLS='REGEX...' for some, BASELINE=bench.json)
	@$(PYTHON) $(SERIES)/bench.py $(if $(BASELINE),--baseline $(BASELINE)) $(foreach c,$(CELLS),'$(c)')

.PHONY: bench-all
bench-all: ## the same with every cell; two to four hours, goes on where it was ended (RUNS=FILE.tar.xz: with the runs in there)
	@$(PYTHON) $(SERIES)/bench.py --all $(if $(BASELINE),--baseline $(BASELINE)) $(if $(RUNS),--runs $(RUNS))

.PHONY: bench-smp
bench-smp: ## its steady cells on two CPUs that run at once, PAIRS=20 of base and patched in turn
	@$(PYTHON) $(SERIES)/smp.py $(if $(PAIRS),--pairs $(PAIRS))

.PHONY: where
where: ## where the p50, p99 and p99.9 writes of a cell of make bench spent their time (CELL=NAME)
	@$(PYTHON) $(SERIES)/where.py --variant $(VARIANT) $(CELL)

.PHONY: mdadm-tests
mdadm-tests: ## mdadm's own tests, unmodified, base against patched (TESTS='NAME...' for some); 20 minutes
	@$(PYTHON) $(SERIES)/mdadmtests.py $(TESTS)

##@ Housekeeping

.PHONY: deps
deps: ## install what the above needs (Debian; needs root)
	@$(SERIES)/deps.sh

.PHONY: clean
clean: ## remove build/; the cache outside the checkout stays
	rm -rf build

.PHONY: clean-cache
clean-cache: ## say where the cache is and how to remove it
	@$(PYTHON) $(SERIES)/series.py cache

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
	/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nSettings: KDIR= DEB= MIRROR= CONFIG= LOCALMOD= MD_WRITE_CACHE=  (README.md says what they do)\n'
