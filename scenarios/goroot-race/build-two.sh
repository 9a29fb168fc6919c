cd "$HOME/app"
go build -o app
go build -o app-again
