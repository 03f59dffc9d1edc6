"""The Keras MNIST tutorial from Python, with ctypes and numpy: first the binding, which any program needs, then the tutorial.

    LD_LIBRARY_PATH=../../build python3 tutorial.py [DATA WEIGHTS]"""

import ctypes
import sys
import threading
import weakref
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_size_t, c_uint32, c_uint64, c_void_p

import numpy as np

lib = ctypes.CDLL("libmnist.so.0")  # releases the interpreter lock during each call
RELU, SOFTMAX = 1, 2
Metrics = c_double * 2  # the loss and the accuracy
Callback = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p)


class Progress(ctypes.Structure):
    _fields_ = [(name, c_size_t) for name in ("epoch", "epochs", "batch", "batches")] + \
               [(name, c_double) for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")] + \
               [("metrics", c_void_p)]


class FitOptions(ctypes.Structure):  # all fields, because the library fills in all of them
    _fields_ = [("struct_size", c_size_t), ("batch_size", c_size_t), ("epochs", c_size_t), ("initial_epoch", c_size_t),
                ("shuffle", c_int32), ("verbose", c_int32), ("seed", c_uint64), ("validation_split", c_double),
                ("validation_data", c_void_p), ("write", c_void_p), ("write_data", c_void_p),
                ("on_batch_end", Callback), ("on_epoch_begin", Callback), ("on_epoch_end", Callback),
                ("user_data", c_void_p), ("checkpoint_path", c_char_p), ("checkpoint_batches", c_size_t),
                ("checkpoint_epochs", c_size_t), ("checkpoint_seconds", c_double), ("resume", c_int32),
                ("terminate_on_nan", c_int32), ("callbacks_config", c_char_p), ("class_weight", c_void_p),
                ("class_weight_len", c_size_t), ("validation_freq", c_size_t), ("steps_per_epoch", c_size_t),
                ("prefetch", c_size_t), ("communicator", c_void_p)]


# An ndpointer rejects an array of another type or with gaps, and passes the address of its data without a copy.
u8s, floats, sizes = (np.ctypeslib.ndpointer(dtype, flags="C_CONTIGUOUS") for dtype in (np.uint8, np.float32, np.uintp))
for name, result, *arguments in [
    ("version", c_char_p), ("status_name", c_char_p, c_int32), ("error_new", c_void_p), ("error_free", None, c_void_p),
    ("error_message", c_char_p, c_void_p), ("load_data", c_int32, c_char_p, c_void_p, c_void_p, c_void_p),
    ("dataset_from_u8", c_int32, u8s, sizes, c_size_t, u8s, c_void_p, c_void_p), ("dataset_free", None, c_void_p),
    ("dataset_normalize", c_int32, c_void_p, c_float, c_void_p), ("dataset_len", c_size_t, c_void_p),
    ("graph_new", c_void_p), ("graph_free", None, c_void_p), ("graph_set_seed", None, c_void_p, c_uint64),
    ("input", c_void_p, c_void_p, c_size_t, c_size_t, c_size_t), ("flatten", c_void_p, c_void_p),
    ("conv2d", c_void_p, c_void_p, c_size_t, c_size_t, c_uint32), ("dense", c_void_p, c_void_p, c_size_t, c_uint32),
    ("model_new", c_int32, c_void_p, c_void_p, c_char_p, c_void_p, c_void_p), ("model_free", None, c_void_p),
    ("model_compile", c_int32, c_void_p, c_void_p, c_void_p), ("fit_options_init", None, POINTER(FitOptions), c_size_t),
    ("model_fit", c_int32, c_void_p, c_void_p, POINTER(FitOptions), c_void_p, c_void_p),
    ("model_evaluate", c_int32, c_void_p, c_void_p, c_void_p, POINTER(Metrics), c_void_p),
    ("model_predict", c_int32, c_void_p, floats, c_size_t, floats, c_size_t, c_void_p),
    ("model_save_weights", c_int32, c_void_p, c_char_p, c_void_p), ("model_cancel", None, c_void_p),
]:
    function = getattr(lib, "mnist_" + name)
    function.restype, function.argtypes = result, arguments


class Owned:
    """An object of the library. It can be passed to any function, and is freed when nothing refers to it any more."""
    def __init__(self, pointer, free):
        self._as_parameter_ = pointer
        weakref.finalize(self, free, pointer)


class MnistError(Exception):
    """A failed call: its status and the library's message."""


def call(function, *arguments):
    """Makes a call whose last argument is an mnist_error. Returns its status, or raises MnistError if it failed."""
    error = Owned(lib.mnist_error_new(), lib.mnist_error_free)
    status = function(*arguments, error)
    if status < 0:
        raise MnistError(f"{lib.mnist_status_name(status).decode()}: {lib.mnist_error_message(error).decode()}")
    return status


def dataset(images, labels):
    """A dataset with a copy of numpy arrays, uint8 [N, H, W] and [N]; the pixels are scaled to 0 to 1."""
    made, dims = c_void_p(), np.array(images.shape, np.uintp)
    call(lib.mnist_dataset_from_u8, images, dims, dims.size, labels, byref(made))
    call(lib.mnist_dataset_normalize, made, 255.0)
    return Owned(made, lib.mnist_dataset_free)


def fit(model, data, progress, **wanted):
    """Trains. `progress` is called after every step and may return True to stop. An exception in it stops the fit, too, and
    is raised again here, because an exception cannot pass through the library."""
    options, raised = FitOptions(), []
    lib.mnist_fit_options_init(options, ctypes.sizeof(options))
    assert options.struct_size == ctypes.sizeof(options), "FitOptions is not what the library takes"
    for name, value in wanted.items():
        setattr(options, name, value)

    def on_batch_end(_, found):
        try:
            return bool(progress(Progress.from_address(found)))
        except Exception as exception:
            raised.append(exception)
            return True

    options.on_batch_end = Callback(on_batch_end)  # `options` must keep the callback alive
    status = call(lib.mnist_model_fit, model, data, options, None)
    if raised:
        raise raised[0]
    return lib.mnist_status_name(status).decode()


def show(p):
    if (p.batch + 1) % 20 == 0:
        print(f"batch {p.batch + 1:3} of {p.batches}: loss {p.loss:.4f}, accuracy {p.accuracy:.4f}")


path, weights = sys.argv[1:] or ["../../data/mnist.npz", "tutorial.safetensors"]
print("libmnist", lib.mnist_version().decode())
arrays = np.load(path)
train = dataset(arrays["x_train"][:3200], arrays["y_train"][:3200])
test = dataset(arrays["x_test"][:1000], arrays["y_test"][:1000])
print(f"{lib.mnist_dataset_len(train)} images to learn from, {lib.mnist_dataset_len(test)} to test with")

# A failed layer call returns None, so do the following calls, and mnist_model_new reports why.
graph, made = Owned(lib.mnist_graph_new(), lib.mnist_graph_free), c_void_p()
lib.mnist_graph_set_seed(graph, 42)
image = lib.mnist_input(graph, 28, 28, 1)
x = lib.mnist_conv2d(image, 32, 3, RELU)
x = lib.mnist_conv2d(x, 64, 3, RELU)
x = lib.mnist_dense(lib.mnist_flatten(x), 128, RELU)
x = lib.mnist_dense(x, 10, SOFTMAX)
call(lib.mnist_model_new, image, x, b"tutorial", byref(made))
model = Owned(made, lib.mnist_model_free)
call(lib.mnist_model_compile, model, None)  # Adam with Keras's defaults
fit(model, train, show, verbose=0, seed=7)

call(lib.mnist_model_evaluate, model, test, None, metrics := Metrics())
print("test: loss {:.4f}, accuracy {:.4f}".format(*metrics))
images = arrays["x_test"][:1] / np.float32(255)  # the scale of the training data
probabilities = np.empty((len(images), 10), np.float32)
call(lib.mnist_model_predict, model, images, len(images), probabilities, probabilities.size)
best = probabilities[0].argmax()
print(f"label {arrays['y_test'][0]}, predicted {best} with {100 * float(probabilities[0, best]):.2f}%")
call(lib.mnist_model_save_weights, model, weights.encode())

started = threading.Event()  # a cancel before the fit has begun has no effect
canceller = threading.Thread(target=lambda: started.wait() and lib.mnist_model_cancel(model), daemon=True)
canceller.start()
print("a long fit:", fit(model, train, lambda p: started.set(), verbose=0, epochs=1000))
canceller.join()

try:
    call(lib.mnist_load_data, b"nothing.npz", byref(c_void_p()), byref(c_void_p()))
except MnistError as error:
    print("an error:", error)
