# make install DESTDIR= PREFIX=
.PHONY: install
install: all
	install -d '$(DESTDIR)$(PREFIX)/sbin' '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/libexec/batchd/processors' \
	  '$(DESTDIR)$(PREFIX)/share/doc/batchd'
	install -m755 '$(OUT)/batchd' '$(DESTDIR)$(PREFIX)/sbin/batchd'
	install -m755 '$(OUT)/batchctl' '$(DESTDIR)$(PREFIX)/bin/batchctl'
	install -m755 '$(OUT)/batchd-worker' '$(DESTDIR)$(PREFIX)/libexec/batchd/batchd-worker'
	install -m644 config.example.toml README.md LICENSE '$(DESTDIR)$(PREFIX)/share/doc/batchd/'
