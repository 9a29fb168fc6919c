cd "$HOME/app"
go build -o app
