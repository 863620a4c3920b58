module gotests

go 1.26.0
