# A switch of the environment reaches this shell and its children, nobody else.
gset() { export GOROOT="/usr/local/go$1"; }
gset 1.22
go env GOROOT
