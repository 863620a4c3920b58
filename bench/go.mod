module afunix/bench

go 1.26.0

require (
	afunix v0.0.0
	github.com/Microsoft/go-winio v0.6.4
	golang.org/x/sys v0.49.0
)

require go.uber.org/goleak v1.3.0 // indirect

replace afunix => ../
