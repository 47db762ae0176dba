# make install DESTDIR= PREFIX=: programs, units, users. What a unit executes is put below PREFIX.
# Afterwards, as root on the machine itself:
#   systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload
#   systemctl enable --now batchd.service
UNITS := $(wildcard systemd/*.service systemd/*.socket)
# Of a person's own services; systemd looks for such units here by itself below /usr and /usr/local.
USERUNITDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),$(PREFIX)/lib,/etc)/systemd/user
.PHONY: install install-programs install-library install-service
install: install-programs install-library install-service

install-programs: all
	install -d '$(DESTDIR)$(PREFIX)/sbin' '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/libexec/batchd/processors' \
	  '$(DESTDIR)$(PREFIX)/share/doc/batchd'
	install -m755 '$(OUT)/batchd' '$(DESTDIR)$(PREFIX)/sbin/batchd'
	install -m755 '$(OUT)/batchctl' '$(DESTDIR)$(PREFIX)/bin/batchctl'
	install -m755 '$(OUT)/batchd-worker' '$(DESTDIR)$(PREFIX)/libexec/batchd/batchd-worker'
	install -m755 '$(OUT)/batchd-job' '$(DESTDIR)$(PREFIX)/libexec/batchd/batchd-job'
	install -m755 '$(OUT)/batchd-gpu' '$(DESTDIR)$(PREFIX)/libexec/batchd/batchd-gpu'
	install -m644 config.example.toml README.md LICENSE '$(DESTDIR)$(PREFIX)/share/doc/batchd/'
	$(foreach page,$(MAN_PAGES),install -Dm644 '$(page)' '$(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page))' &&) true
	install -Dm644 '$(OUT)/completion/batchctl' '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/batchctl'
	install -Dm644 '$(OUT)/completion/_batchctl' '$(DESTDIR)$(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)/_batchctl'
	install -Dm644 '$(OUT)/completion/batchctl.fish' '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/batchctl.fish'
	install -m644 processors/README.md '$(DESTDIR)$(PREFIX)/share/doc/batchd/processors.md'
	install -m644 processors/result.schema.json '$(DESTDIR)$(PREFIX)/share/doc/batchd/result.schema.json'
	for name in $(PROCESSOR_NAMES); do \
	  folder='$(DESTDIR)$(PREFIX)/libexec/batchd/processors'/$$name && install -d "$$folder" && \
	  install -m755 "$(OUT)/processors/$$name/$$name" "$$folder/$$name" && \
	  install -m644 "$(OUT)/processors/$$name/manifest.json" "$$folder/manifest.json" || exit 1; done

install-library: all
	install -d '$(DESTDIR)$(PREFIX)/include/batchd' '$(DESTDIR)$(PREFIX)/lib/pkgconfig'
	install -m644 '$(CLIENT_LIBRARY)' '$(DESTDIR)$(PREFIX)/lib/libbatchd-client.a'
	sed 's|"common/|"batchd/|' common/client.h > '$(DESTDIR)$(PREFIX)/include/batchd/client.h'
	install -m644 common/error.h '$(DESTDIR)$(PREFIX)/include/batchd/error.h'
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' mk/batchd-client.pc.in > '$(DESTDIR)$(PREFIX)/lib/pkgconfig/batchd-client.pc'

install-service:
	install -d '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(PREFIX)/lib/sysusers.d' '$(DESTDIR)$(PREFIX)/lib/tmpfiles.d' \
	  '$(DESTDIR)$(PREFIX)/lib/systemd/catalog'
	@for unit in $(UNITS); do \
	  sed -E '/^Exec[A-Za-z]*=/s|=/usr/(sbin\|libexec)/|=$(PREFIX)/\1/|' "$$unit" > '$(DESTDIR)$(UNITDIR)'/"$${unit##*/}" && \
	  chmod 644 '$(DESTDIR)$(UNITDIR)'/"$${unit##*/}" || exit 1; done
	install -d '$(DESTDIR)$(USERUNITDIR)'
	@for unit in systemd/user/*.service; do \
	  sed -E '/^ExecStart=/s|=/usr/|=$(PREFIX)/|' "$$unit" > '$(DESTDIR)$(USERUNITDIR)'/"$${unit##*/}" && \
	  chmod 644 '$(DESTDIR)$(USERUNITDIR)'/"$${unit##*/}" || exit 1; done
	install -m644 systemd/sysusers.d/batchd.conf '$(DESTDIR)$(PREFIX)/lib/sysusers.d/batchd.conf'
	install -m644 systemd/tmpfiles.d/batchd.conf '$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/batchd.conf'
	install -m644 systemd/batchd.catalog '$(DESTDIR)$(PREFIX)/lib/systemd/catalog/batchd.catalog'
