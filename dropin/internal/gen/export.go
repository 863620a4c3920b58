package main

import (
	"fmt"
	"go/types"
	"slices"
	"strings"
)

type kind int

const (
	constant kind = iota
	variable
	typeName
	function
)

// An export is the declaration of one name.
type export struct {
	kind    kind
	text    string
	shape   string   // what is the same if two declarations differ in the names of parameters alone
	imports []string // beside the original
}

// equal reports whether other declares the same.
func (e export) equal(other export) bool {
	return e.kind == other.kind && e.shape == other.shape && (e.kind == function || e.text == other.text)
}

// omitted are variables that programs can only want to assign to, which would do nothing. That they
// are missing is noticed.
var omitted = map[string]bool{"SocketDisableIPv6": true}

// exportsOf returns the exports of p.
func exportsOf(p *types.Package) (map[string]export, error) {
	exports := make(map[string]export)
	for _, name := range p.Scope().Names() {
		if p.Path() == syscallPath && !ofUnix.MatchString(name) {
			continue // it has generic functions
		}
		o := p.Scope().Lookup(name)
		if !o.Exported() || omitted[name] {
			continue
		}
		original := p.Name() + "." + name
		simple := export{text: fmt.Sprintf("%s = %s\n", name, original)}
		switch o := o.(type) {
		case *types.Const:
			simple.kind = constant
		case *types.Var:
			simple.kind = variable
			simple.text = fmt.Sprintf("%s = %s\n", name, byReference(o.Type(), original))
		case *types.TypeName:
			if n, ok := o.Type().(*types.Named); ok && n.TypeParams().Len() > 0 {
				return nil, fmt.Errorf("%s: generic types are not supported", original)
			}
			simple.kind = typeName
		case *types.Func:
			e, err := wrapper(p, o)
			if err != nil {
				return nil, err
			}
			simple = e
		}
		exports[name] = simple
	}
	return exports, nil
}

// byReference is the address of a variable that must not be copied, since it is a lock: its methods
// are called in the same way. Others are copied: errors, and what else nobody assigns to.
func byReference(t types.Type, original string) string {
	if n, ok := t.(*types.Named); ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "sync" {
		return "&" + original
	}
	return original
}

// wrapper is a function that calls the original. A variable would do, but the compiler keeps alive
// what a uintptr was made of only for functions that it can see, and that say so.
func wrapper(p *types.Package, f *types.Func) (export, error) {
	sig := f.Signature()
	if sig.TypeParams().Len() > 0 {
		return export{}, fmt.Errorf("%s: generic functions are not supported", f.Name())
	}
	w := wrapping{pkg: p, names: map[string]bool{p.Name(): true}}
	// The types first, so that it is known which packages their names need.
	results := w.tuple(sig.Results(), nil, false)
	shape := w.tuple(sig.Params(), nil, sig.Variadic()) + " " + results
	var args []string
	params := w.tuple(sig.Params(), &args, sig.Variadic())
	if len(w.errs) > 0 {
		return export{}, fmt.Errorf("%s: %s", f.Name(), w.errs[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "// %s is [%s.%s].\n", f.Name(), p.Path(), f.Name())
	if hasUintptr(sig.Params()) {
		b.WriteString("//\n//go:uintptrescapes\n")
	}
	call := fmt.Sprintf("%s.%s(%s)", p.Name(), f.Name(), strings.Join(args, ", "))
	if sig.Results().Len() > 0 {
		call = "return " + call
	}
	fmt.Fprintf(&b, "func %s(%s) (%s) { %s }\n\n", f.Name(), params, results, call)
	return export{function, b.String(), shape, w.imports}, nil
}

func hasUintptr(t *types.Tuple) bool {
	for v := range t.Variables() {
		if types.Identical(v.Type(), types.Typ[types.Uintptr]) {
			return true
		}
	}
	return false
}

// wrapping collects what a wrapper needs to name.
type wrapping struct {
	pkg     *types.Package
	imports []string
	names   map[string]bool // of packages, which parameters must not have
	errs    []string
}

func (w *wrapping) qualify(p *types.Package) string {
	if p != w.pkg && !slices.Contains(w.imports, p.Path()) {
		w.imports = append(w.imports, p.Path())
		w.names[p.Name()] = true
	}
	if strings.Contains(p.Path(), "internal/") {
		w.errs = append(w.errs, "needs "+p.Path())
	}
	return p.Name()
}

// tuple writes parameters; with args nil, types alone. It appends to args what passes them on.
func (w *wrapping) tuple(t *types.Tuple, args *[]string, variadic bool) string {
	var list []string
	for i := range t.Len() {
		v := t.At(i)
		text := types.TypeString(v.Type(), w.qualify)
		last := variadic && i == t.Len()-1
		if last {
			text = "..." + strings.TrimPrefix(text, "[]")
		}
		if args == nil {
			list = append(list, text)
			continue
		}
		name := v.Name()
		if name == "" || name == "_" || w.names[name] {
			name = fmt.Sprintf("%s%d", strings.Trim(name, "_")+"arg", i)
		}
		list = append(list, name+" "+text)
		if last {
			name += "..."
		}
		*args = append(*args, name)
	}
	return strings.Join(list, ", ")
}
