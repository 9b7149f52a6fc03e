# The short way in; meson.build is the build. Each target first brings the Debian packages it needs.
BUILD = build
CONFIGURED = $(BUILD)/build.ninja

.PHONY: all demo test bench lint install clean
all: $(CONFIGURED)
	ninja -C $(BUILD)
demo: deps-demo all
	demo/demo.sh
	demo/live.sh
test: deps-test
	tools/run-tests.sh
bench: deps-bench all
	bench/run.sh
lint: deps-lint all
	tools/lint.sh
install: all
	meson install -C $(BUILD)
clean:
	rm -rf $(BUILD) $(BUILD)-asan
$(CONFIGURED): | deps-build
	meson setup $(BUILD)
.PHONY: deps-build deps-demo deps-test deps-bench deps-lint
deps-build deps-demo deps-test deps-bench deps-lint: deps-%:
	@tools/deps.sh $*
