// Package readme has one test: what README.md tells a newcomer to do works.
package readme
