# A switch that all processes of the machine share.
ln -sfn go1.22 /usr/local/go
