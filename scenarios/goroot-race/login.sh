export GOROOT=/usr/local/go1.22
echo "before $GOROOT"
exec -l bash -c 'echo "after $GOROOT"'
