package broken

import (
	"errors"
	"fmt"
	"io/ioutil"
	"os"
	"regexp"
	"strings"
	"time"

	"broken/wrap"
)

func unused() {}

func usedByATest() {}

type thing struct {
	field int
}

// Static has mistakes that staticcheck finds.
func Static(things []int, b bool) error {
	regexp.MustCompile("(")
	ioutil.ReadFile("")
	wrap.Old()
	wrap.Pairs(1)
	wrap.Twice(1)
	strings.ToUpper("")
	if wrap.Never() == nil {
		return errors.New("Capital letter.")
	}
	for true {
		if b == true {
			break
		}
	}
	time.Sleep(1)
	err := errors.New("")
	err = errors.New(fmt.Sprintf("%v", things))
	//lint:ignore SA4006 on purpose
	err = nil
	//lint:ignore SA4017 nothing is wrong here
	_, err = os.Open("")
	return err
}

func Undocumented() (int, error, int) { return 0, nil, 0 }

//lint:ignore U1000 on purpose
func ignored() {}
