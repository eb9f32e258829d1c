module paxosbench/bench/peers

go 1.26.0

replace paxosbench => ../..
