package cluster

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Tidy returns addresses without the spaces around them. Each must have a port, and no two may be the same.
func Tidy(addrs []string) (list []string, err error) {
	for _, addr := range addrs {
		addr = strings.TrimSpace(addr)
		if _, port, splitErr := net.SplitHostPort(addr); splitErr != nil {
			err = errors.Join(err, fmt.Errorf("address %q: want HOST:PORT", addr))
		} else if n, convErr := strconv.ParseUint(port, 10, 16); convErr != nil || n == 0 {
			err = errors.Join(err, fmt.Errorf("address %q: want a number from 1 to 65535 as the port", addr))
		}
		if slices.Contains(list, addr) {
			err = errors.Join(err, fmt.Errorf("address %q is given twice: name each replica once", addr))
		}
		list = append(list, addr)
	}
	return list, err
}

// AdminOf returns the admin addresses that follow from those for clients, unless something else is configured.
func AdminOf(addrs []string) (admin []string, err error) {
	for _, addr := range addrs {
		host, text, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		if port += adminOffset; port > 65535 {
			return nil, fmt.Errorf("address %q: there is no port %d higher for the admin address: say where it is", addr, adminOffset)
		}
		admin = append(admin, net.JoinHostPort(host, strconv.Itoa(port)))
	}
	return admin, nil
}
