// A peer for `python -m benchmarks --only peers`: bootstraps of TFHE-go with its set for messages of three bits.
//
// Build it in this folder, and name the program in the environment variable ENCNN_TFHE_GO:
//
//	go mod init peer && go get github.com/sp301415/tfhe-go@a5cdbf4c57d3
//	go build -o tfhe-go .
//	export ENCNN_TFHE_GO=$PWD/tfhe-go
//
// An argument n, deviation replaces the dimension and the noise of the small LWE.  The first line of output describes the set
// as JSON.  Each line of input is a number of bootstraps; the answer is the CPU seconds that they took.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"syscall"

	"github.com/sp301415/tfhe-go/tfhe"
)

const checked = 200

func main() {
	runtime.GOMAXPROCS(1)
	set := tfhe.ParamsUint3
	if len(os.Args) == 3 {
		var n int
		var deviation float64
		fmt.Sscan(os.Args[1], &n)
		fmt.Sscan(os.Args[2], &deviation)
		set = set.WithLWEDimension(n).WithLWEStdDev(deviation)
	}
	params := set.Compile()
	enc := tfhe.NewEncryptor(params)
	eval := tfhe.NewEvaluator(params, enc.GenEvalKey())
	messages := int(params.MessageModulus())
	f := func(x int) int { return (2*x + 1) % messages }
	table := eval.GenLUT(f)

	squares := 0.0
	for i := 0; i < checked; i++ {
		message := i % messages
		phase := enc.DecryptLWEPhase(eval.BootstrapLUT(enc.EncryptLWE(message), table))
		off := float64(int64(phase.Value-enc.EncodeLWE(f(message)).Value)) * math.Exp2(-64)
		squares += off * off
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"n": params.LWEDimension(), "k": params.GLWERank(), "N": params.PolyRank(), "block": params.BlockSize(),
		"lwe_sigma": params.LWEStdDev(), "glwe_sigma": params.GLWEStdDev(),
		"deviation": math.Sqrt(squares / checked),
	})

	input, output := enc.EncryptLWE(1), tfhe.NewLWECiphertext(params)
	for count := 0; ; {
		if read, _ := fmt.Scanln(&count); read != 1 {
			return
		}
		begun := cpuSeconds()
		for i := 0; i < count; i++ {
			eval.BootstrapLUTTo(output, input, table)
		}
		fmt.Println(cpuSeconds() - begun)
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) * 1e-9
}
