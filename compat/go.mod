module afunix/compat

go 1.26.0
