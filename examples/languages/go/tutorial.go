// The Keras MNIST tutorial from Go, with cgo: first the binding, which any program needs, then the tutorial.
//
//	LD_LIBRARY_PATH=../../build go run . [DATA WEIGHTS]
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../../include
#cgo LDFLAGS: -L${SRCDIR}/../../build -lmnist
#include <mnist.h>
#include <stdlib.h>

// The C declaration of the Go function below. Go has no const, so the typedef provides the const pointer type.
typedef const mnist_progress const_progress;
int32_t onBatchEnd(void *user_data, const_progress *progress);
*/
import "C"

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime/cgo"
	"unsafe"
)

// Error is a call that failed.
type Error struct{ Status, Message string }

func (e *Error) Error() string { return e.Status + ": " + e.Message }

// check converts a negative status and its message to an error. Each goroutine has its own mnist_error.
func check(status C.mnist_status, text *C.mnist_error) error {
	if status >= 0 {
		return nil
	}
	return &Error{C.GoString(C.mnist_status_name(status)), C.GoString(C.mnist_error_message(text))}
}

// fit trains, with progress called after each step; when that returns true, the fit stops. It gives the name of its status:
// a fit that was stopped is no failure.
func fit(model *C.mnist_model, data *C.mnist_dataset, options *C.mnist_fit_options, text *C.mnist_error,
	progress func(*C.const_progress) bool) (string, error) {
	// C must not keep Go pointers, so it gets a handle in C memory.
	handle := (*cgo.Handle)(C.malloc(C.sizeof_uintptr_t))
	*handle = cgo.NewHandle(progress)
	defer func() { handle.Delete(); C.free(unsafe.Pointer(handle)) }()
	options.on_batch_end, options.user_data = C.mnist_callback(C.onBatchEnd), unsafe.Pointer(handle)
	status := C.mnist_model_fit(model, data, options, nil, text)
	return C.GoString(C.mnist_status_name(status)), check(status, text)
}

//export onBatchEnd
func onBatchEnd(userData unsafe.Pointer, progress *C.const_progress) C.int32_t {
	if (*cgo.Handle)(userData).Value().(func(*C.const_progress) bool)(progress) {
		return 1
	}
	return 0
}

// must exits on an error. A function of a library would return the error instead.
func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// first returns the first images of a dataset, with pixels from 0 to 1, and frees the dataset.
func first(count C.size_t, all *C.mnist_dataset, text *C.mnist_error) (some *C.mnist_dataset) {
	must(check(C.mnist_dataset_slice(all, 0, count, &some, text), text))
	must(check(C.mnist_dataset_normalize(some, 255, text), text))
	C.mnist_dataset_free(all)
	return some
}

// build creates the network. A failed layer call returns nil, so do the following calls, and mnist_model_new reports why.
func build(text *C.mnist_error) (model *C.mnist_model) {
	graph := C.mnist_graph_new()
	defer C.mnist_graph_free(graph)
	C.mnist_graph_set_seed(graph, 42)
	input := C.mnist_input(graph, 28, 28, 1)
	x := C.mnist_conv2d(input, 32, 3, C.MNIST_ACTIVATION_RELU)
	x = C.mnist_conv2d(x, 64, 3, C.MNIST_ACTIVATION_RELU)
	x = C.mnist_dense(C.mnist_flatten(x), 128, C.MNIST_ACTIVATION_RELU)
	x = C.mnist_dense(x, 10, C.MNIST_ACTIVATION_SOFTMAX)
	must(check(C.mnist_model_new(input, x, nil, &model, text), text))
	must(check(C.mnist_model_compile(model, nil, text), text)) // Adam with Keras's defaults
	return model
}

func main() {
	path, weights, nothing := C.CString("../../data/mnist.npz"), C.CString("tutorial.safetensors"), C.CString("nothing.npz")
	if len(os.Args) == 3 {
		path, weights = C.CString(os.Args[1]), C.CString(os.Args[2])
	}
	text := C.mnist_error_new()
	fmt.Println("libmnist", C.GoString(C.mnist_version()))
	var train, test *C.mnist_dataset
	must(check(C.mnist_load_data(path, &train, &test, text), text))
	train, test = first(3200, train, text), first(1000, test, text)
	fmt.Println(C.mnist_dataset_len(train), "images to learn from,", C.mnist_dataset_len(test), "to test with")

	model := build(text)
	var options C.mnist_fit_options
	C.mnist_fit_options_init(&options, C.sizeof_mnist_fit_options)
	options.verbose, options.seed = 0, 7
	_, err := fit(model, train, &options, text, func(p *C.const_progress) bool {
		if batch := p.batch + 1; batch%20 == 0 {
			fmt.Printf("batch %3d of %d: loss %.4f, accuracy %.4f\n", batch, p.batches, p.loss, p.accuracy)
		}
		return false
	})
	must(err)

	var metrics C.mnist_metrics
	must(check(C.mnist_model_evaluate(model, test, nil, &metrics, text), text))
	fmt.Printf("test: loss %.4f, accuracy %.4f\n", metrics.loss, metrics.accuracy)
	image, probabilities, label := [28 * 28]C.float{}, [10]C.float{}, C.uint32_t(0)
	must(check(C.mnist_dataset_image(test, 0, &image[0], 28*28, &label, text), text))
	must(check(C.mnist_model_predict(model, &image[0], 1, &probabilities[0], 10, text), text))
	best := 0
	for digit, probability := range probabilities {
		if probability > probabilities[best] {
			best = digit
		}
	}
	fmt.Printf("label %d, predicted %d with %.2f%%\n", label, best, 100*float64(probabilities[best]))
	must(check(C.mnist_model_save_weights(model, weights, text), text))

	// Another goroutine cancels this fit after it has begun. A cancel before that has no effect.
	begun, begin := context.WithCancel(context.Background())
	cancelled := make(chan bool)
	go func() { <-begun.Done(); C.mnist_model_cancel(model); close(cancelled) }()
	options.epochs = 1000
	status, err := fit(model, train, &options, text, func(*C.const_progress) bool {
		begin()
		return false
	})
	begin() // in case that it never did
	<-cancelled
	must(err)
	fmt.Println("a long fit:", status)

	fmt.Println("an error:", check(C.mnist_load_data(nothing, &train, &test, text), text))
	C.mnist_model_free(model)
	C.mnist_dataset_free(train)
	C.mnist_dataset_free(test)
	C.mnist_error_free(text)
}
