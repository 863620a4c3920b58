package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"afunix"

	"github.com/spf13/cobra"
)

const rootHelp = `Hand open files, pipes, sockets and listeners to another process, over AF_UNIX
sockets, on every system.

Addresses are paths, or "@name" for a name that is not in the file system (not
on every system). They may be written as other programs do: unix:PATH,
unix:///PATH, unix:@NAME, unix-abstract:NAME. On Windows an address may be that of
any program's pipe: \\.\pipe\NAME, //./pipe/NAME, npipe:////./pipe/NAME; data
goes there, descriptors do not, unless the program is one of afunix.

The transport is the kernel's own AF_UNIX where that passes
descriptors, and otherwise (on Windows) named pipes. Both sides must use the same
transport.

The exit status is 0, 1 for a failure, or 2 for wrong usage.`

const rootExamples = `  afunix demo                                 see it work, with two processes
  afunix recv s &                             wait for descriptors at the socket s
  afunix send s report.pdf tcp-listen::8080   give it an open file and a listener
  tar c . | afunix cat s                      plain data, as nc -U`

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:                        "afunix",
		Short:                      "Pass open descriptors between processes",
		Long:                       rootHelp,
		Example:                    rootExamples,
		Version:                    version(),
		SilenceErrors:              true, // run reports them
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       noCommand,
		RunE:                       func(*cobra.Command, []string) error { return nil }, // or Args would not be asked
	}
	root.SetVersionTemplate("afunix {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newDemoCommand(), newSendCommand(), newRecvCommand(), newCatCommand(), newProxyCommand())
	root.AddCommand(newDemoReceiverCommand(), newDemoSenderCommand())
	root.AddCommand(systemCommands()...)
	return root
}

// noCommand refuses what is not one of the commands: cobra comes here with whatever it does not
// know.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("a command is missing")
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		text += fmt.Sprintf(", did you mean %s?", strings.Join(similar, " or "))
	}
	return &usageError{text}
}

// version returns the module's version and what it was built with.
func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("%s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// A transportFlag is the value of --transport.
type transportFlag struct{ afunix.Transport }

var transports = []afunix.Transport{afunix.KernelTransport, afunix.PipeTransport}

// Set accepts the names of the transports.
func (f *transportFlag) Set(name string) error {
	for _, t := range transports {
		if name == t.String() {
			f.Transport = t
			return nil
		}
	}
	return fmt.Errorf("must be kernel or pipe")
}

// String is what help shows as the default: nothing.
func (f *transportFlag) String() string {
	if f.Transport == afunix.DefaultTransport {
		return ""
	}
	return f.Transport.String()
}

// Type is what help calls the value.
func (*transportFlag) Type() string { return "kernel|pipe" }

// addTransport gives cmd the flag --transport.
func addTransport(cmd *cobra.Command, usage string) *transportFlag {
	f := new(transportFlag)
	cmd.Flags().Var(f, "transport", usage)
	complete := cobra.FixedCompletions([]string{"kernel", "pipe"}, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc("transport", complete); err != nil {
		panic(err) // the flag is there: see above
	}
	return f
}

const transportUsage = "what carries the descriptors (default: the kernel where it can, else pipes)"
