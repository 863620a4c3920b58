package main

import (
	"errors"
	"time"
)

// A spanFlag is a time that something may take: the value of a flag. 0 is as if there were no flag.
type spanFlag time.Duration

// Type is what the usage calls the value.
func (f *spanFlag) Type() string { return "duration" }

// String is what help shows as the default: nothing.
func (f *spanFlag) String() string {
	if *f == 0 {
		return ""
	}
	return time.Duration(*f).String()
}

// Set takes what time.ParseDuration does, unless that is negative.
func (f *spanFlag) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	if d < 0 {
		return errors.New("must not be negative")
	}
	*f = spanFlag(d)
	return nil
}
