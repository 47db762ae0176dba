# Clients of others, made from our interface files. Not part of make check: it needs the Go compiler.
.PHONY: go-client
go-client: all
	@sh mk/deps.sh golang-go varlink-go golang-github-varlink-go-dev
	@rm -rf '$(OUT)/go' && sh tests/clients/go/generate.sh '$(OUT)/go' $(VARLINK)
	@mkdir -p '$(OUT)/go/src/client' && cp tests/clients/go/main.go '$(OUT)/go/src/client/'
	GO111MODULE=off GOFLAGS= GOPATH='$(CURDIR)/$(OUT)/go:/usr/share/gocode' GOCACHE='$(CURDIR)/$(OUT)/go/cache' \
	  go build -o '$(OUT)/go/client' client
	OUT='$(CURDIR)/$(OUT)' $(PYTHON) tests/clients/go/run.py '$(OUT)/go/client'
