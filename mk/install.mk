# make install DESTDIR= PREFIX=
.PHONY: install
install: all
	install -d '$(DESTDIR)$(PREFIX)/sbin' '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/libexec/batchd/processors' \
	  '$(DESTDIR)$(PREFIX)/share/doc/batchd'
	install -m755 '$(OUT)/batchd' '$(DESTDIR)$(PREFIX)/sbin/batchd'
	install -m755 '$(OUT)/batchctl' '$(DESTDIR)$(PREFIX)/bin/batchctl'
	install -m755 '$(OUT)/batchd-worker' '$(DESTDIR)$(PREFIX)/libexec/batchd/batchd-worker'
	install -m644 config.example.toml README.md LICENSE '$(DESTDIR)$(PREFIX)/share/doc/batchd/'
	install -m644 processors/README.md '$(DESTDIR)$(PREFIX)/share/doc/batchd/processors.md'
	for name in $(PROCESSOR_NAMES); do \
	  folder='$(DESTDIR)$(PREFIX)/libexec/batchd/processors'/$$name && install -d "$$folder" && \
	  install -m755 "$(OUT)/processors/$$name/$$name" "$$folder/$$name" && \
	  install -m644 "$(OUT)/processors/$$name/manifest.json" "$$folder/manifest.json" || exit 1; done
