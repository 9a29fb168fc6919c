# Two settings, each in a subshell of its own, $1 times each; every line says what was set and what go sees.
gset() { export GOROOT="/usr/local/go$1"; }
for i in {1..100}; do
  if [ "$i" -le "$1" ]; then
    ( gset 1.22; echo "1.22 $(go env GOROOT)" ) &
    ( gset 1.21; echo "1.21 $(go env GOROOT)" ) &
  fi
done | sort -u
