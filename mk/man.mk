# The manual and the shells' completions, made from the programs' tables.
MAN_PAGES := $(patsubst man/%.in,$(OUT)/man/%,$(wildcard man/*.in))
COMPLETIONS := $(addprefix $(OUT)/completion/,batchctl _batchctl batchctl.fish)

.PHONY: man lint-man
man: $(MAN_PAGES) $(COMPLETIONS)

$(OUT)/man/generate: $(OUT)/man/generate.o $(CLIENT_LIB) $(DAEMON_LIB) $(COMMON_LIB)
	$(CXX_FOR_CC) $(LDFLAGS_ALL) -o $@ $^ $(CLIENT_LIBS) $(CORE_LIBS) -lm
$(OUT)/man/%: man/%.in $(OUT)/man/generate
	$(OUT)/man/generate < $< > $@

$(OUT)/completion/batchctl: $(OUT)/batchctl
	@mkdir -p $(@D) && $< completion bash > $@
$(OUT)/completion/_batchctl: $(OUT)/batchctl
	@mkdir -p $(@D) && $< completion zsh > $@
$(OUT)/completion/batchctl.fish: $(OUT)/batchctl
	@mkdir -p $(@D) && $< completion fish > $@

# The warnings that remain are of the style level: pages that are not installed on this machine.
lint-man: $(MAN_PAGES)
	@mandoc -Tlint -Wwarning $(MAN_PAGES) && echo 'manual: $(words $(MAN_PAGES)) pages'
