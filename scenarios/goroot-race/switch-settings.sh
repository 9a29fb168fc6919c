# Rewrites the settings file of this user.
go env -w GOROOT=/usr/local/go1.22
