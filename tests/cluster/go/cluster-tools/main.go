// Command cluster-tools is what the cluster's own small containers run; its first argument says which tool.
//
//	pause                      wait for a signal: the container that holds a pod's namespaces
//	wait-for-host NAME TRIES   wait until a name resolves, a second between tries; exit 3 where it never does
//	volume -p FOLDER -a create|delete
//	                           make or remove a volume's folder, as local-path-provisioner asks
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

var tools = map[string]func([]string) error{"pause": pause, "wait-for-host": waitForHost, "volume": volume}

var errNeverResolved = errors.New("never resolved")

func main() {
	// A program on scratch has no shell: it may be called by a link's name or by its first argument.
	name, arguments := filepath.Base(os.Args[0]), os.Args[1:]
	if _, known := tools[name]; !known && len(arguments) > 0 {
		name, arguments = arguments[0], arguments[1:]
	}
	tool, known := tools[name]
	if !known {
		fmt.Fprintf(os.Stderr, "%q is none of the tools in here: name pause, wait-for-host or volume\n", name)
		os.Exit(2)
	}
	err := tool(arguments)
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	if errors.Is(err, errNeverResolved) {
		os.Exit(3)
	}
	os.Exit(1)
}

func pause([]string) error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		select {
		case <-ended:
			return nil
		case <-children: // in a shared process namespace orphans come to this process
			for pid := 1; pid > 0; {
				pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			}
		}
	}
}

func waitForHost(arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("give a name and a number of tries")
	}
	name := arguments[0]
	tries, err := strconv.Atoi(arguments[1])
	if err != nil {
		return fmt.Errorf("%q is not a number of tries", arguments[1])
	}
	for try := 1; try <= tries; try++ {
		limited, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		addresses, err := net.DefaultResolver.LookupHost(limited, name)
		cancel()
		if err == nil {
			fmt.Printf("%s is %v after %d tries\n", name, addresses, try)
			return nil
		}
		fmt.Printf("waiting for %s, try %d of %d: %v\n", name, try, tries, err)
		time.Sleep(time.Second)
	}
	return fmt.Errorf("%s %w in %d tries: is the master pod there?", name, errNeverResolved, tries)
}

func volume(arguments []string) error {
	flags := flag.NewFlagSet("volume", flag.ContinueOnError)
	folder := flags.String("p", "", "folder of the volume")
	action := flags.String("a", "", "create or delete")
	flags.String("s", "", "size in bytes: not enforced")
	flags.String("m", "", "volume mode: always a file system")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if !filepath.IsAbs(*folder) {
		return fmt.Errorf("%q is no absolute folder", *folder)
	}
	switch *action {
	case "create":
		if err := os.MkdirAll(*folder, 0o777); err != nil {
			return err
		}
		return os.Chmod(*folder, 0o777) // pods of any user write here; the umask must not say no
	case "delete":
		return os.RemoveAll(*folder)
	}
	return fmt.Errorf("action %q is neither create nor delete", *action)
}
