package main

// named is a test of a package.
type named struct{ pkg, test string }

// foundBy names, for mutants that no run of the simulator can be expected to show, the test that finds them: because what
// they break lies outside of it (threads, sockets, flags), or because it takes a coincidence that is not drawn.
var foundBy = map[string]named{}
