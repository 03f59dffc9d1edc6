# The studio without a server: a folder of files that trains in the page.
#
#     make -C examples browser
#     python3 -m http.server -d examples/build/browser 8000      # http://127.0.0.1:8000/
#
# Any server of files will do; a page that is opened as a file (file://) may load neither modules nor threads. What the library's
# build for browsers needs, packaging/wasm tells.

BROWSER      = $(BUILD)/browser
BROWSER_PAGE = $(notdir $(wildcard studio/page/* studio/browser/*.js)) mnist.npz

browser: $(addprefix $(BROWSER)/,$(sort $(BROWSER_PAGE))) $(BROWSER)/mnist.wasm

# Files of browser/ take the place of those of page/ that have their names.
$(BROWSER)/%: studio/browser/% | $(BROWSER)/
	cp $< $@

$(BROWSER)/%: studio/page/% | $(BROWSER)/
	cp $< $@

$(BROWSER)/%: data/% | $(BROWSER)/
	cp $< $@

# Cargo knows better than make whether they are up to date. There are two: mnist-relaxed.wasm comes with it.
$(BROWSER)/mnist.wasm: FORCE | $(BROWSER)/
	../packaging/wasm $(BROWSER)

$(BROWSER)/:
	mkdir -p $@

FORCE:

.PHONY: browser FORCE
