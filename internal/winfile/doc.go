// Package winfile removes and replaces files of Windows that other programs may have open.
package winfile
