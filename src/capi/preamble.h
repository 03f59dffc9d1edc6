// libmnist - train neural networks inside your own program.
//
// A program loads data, describes a network, makes a model of it, compiles, fits, evaluates, predicts and saves:
//
//     mnist_load_data      mnist_graph_new       mnist_model_new      mnist_model_fit         mnist_model_predict
//     mnist_dataset_...    mnist_input,          mnist_model_compile  mnist_model_evaluate    mnist_model_save,
//     mnist_image_prepare  mnist_conv2d, ...                                                  mnist_model_load
//
// CALLS. Every function that can fail returns an mnist_status: MNIST_OK (0), an error (negative), or a notice (positive):
// the function did its work, but a fit was stopped (MNIST_CANCELLED) or met NaN or infinity (MNIST_DIVERGED). So `< 0`
// is a failure. The last parameter is an mnist_error*, which receives the message: what is wrong, where, what was
// expected and what was found. Pass NULL if you do not want the message. Output parameters are written only on success,
// and a function that fails changes nothing; a comment that says otherwise names the exception. The comments write
// `Errors: SHAPE` for MNIST_ERROR_SHAPE. Any function may also return INVALID_ARGUMENT for a NULL pointer or a wrong
// object, and OUT_OF_MEMORY. No function ends the process (two exceptions: MEMORY and NOT DETECTED below), prints
// unless you ask for it, or lets a Rust panic or a C++ exception out.
//
// OWNERSHIP. Objects are opaque. You own every object that a function gives you through `mnist_X **out` or returns from
// mnist_X_new, and you free it with the function on the right:
//
//     mnist_error_new                                                         mnist_error_free
//     mnist_npz_open                                                          mnist_npz_free
//     mnist_load_data (two), mnist_dataset_from_..., mnist_dataset_new        mnist_dataset_free
//     mnist_dataset_slice                                                     mnist_dataset_free
//     mnist_graph_new, mnist_graph_from_json                                  mnist_graph_free (frees its tensors too)
//     mnist_model_new, mnist_model_load, ..._load_memory, ..._load_onnx       mnist_model_free
//     mnist_model_fit, mnist_model_evaluate (option `results`)                mnist_history_free
//
// Every _free function accepts NULL. Objects may be freed in any order, except that a tensor lives only as long as its
// graph. Arguments are borrowed during the call or copied. A returned string belongs to the object it came from.
//
// THREADS. A function that takes `const mnist_X *` may run on many threads at once, even while another thread runs a
// function that takes the same object as non-const. Two non-const calls on one object at the same time: the second
// returns MNIST_ERROR_BUSY; on a graph, whose calls are short, it waits instead. Only _free must not run at the same
// time as any other call with that object. Different objects share nothing. Use an mnist_error in one call at a time.
// A model computes on its own threads (mnist_model_set_threads), or on the caller's thread where no thread can be
// started; callbacks and writers run on the thread that made the call. No function is a cancellation point: a thread
// that is cancelled (pthread_cancel) inside one ends when the function returns. The same holds for callbacks.
//
// MEMORY. An allocation failure is MNIST_ERROR_OUT_OF_MEMORY; mnist_X_new and the layer functions return NULL. The call
// changes nothing, with one exception: a fit that has begun to train stops between two steps and keeps the trained
// weights. Fit, evaluate and predict compare the memory they need with what the machine, the process's limits and its
// container's limits have left, before they allocate any of it; the message names a batch size that would fit. For
// small allocations that cannot fail in Rust the library keeps 2 MiB in reserve. Two cases are beyond its control:
// an allocation failure while a thread starts (some hundred bytes; Rust or the C library then ends the process), and a
// system that promises more memory than it has (overcommit).
//
// TEXT is NUL-terminated UTF-8; so are paths. A message is one line; control characters in a path or a name are
// escaped, as in \u{1b}.
//
// FILES. A relative path is resolved against the working folder at the time of the call, also for files that are written
// later. Anything but a regular file (a folder, pipe, socket or device) is MNIST_ERROR_IO at once, for reading and for
// replacing: the library never waits for the other end of a pipe. (It does wait for a disk or a file server that does
// not answer, because the system does.)
//
// - Writing is atomic. The new file is written in the same folder as .mnist-0.tmp or a higher number, synced, and
//   renamed. A reader finds the old file or the new file, never a part of one, as far as the file system renames
//   atomically. Temporary files of a killed process are removed by the next write in that folder.
// - A replaced file keeps its mode, and its owner and group where this process may set them. Where the group cannot be
//   kept, the group gets no more rights than everybody has. ACLs and other attributes are not kept, and other hard links
//   keep the old content. A symbolic link stays: its target is replaced or created.
// - MNIST_ERROR_IO, and nothing is replaced: a read-only file, a file that this process may not write to, a mount point.
// - Descriptors 0, 1 and 2 are never used for the library's files, even if the program has closed them: while a file is
//   being opened, they are occupied by descriptors that can be neither read nor written.
// - System calls that a signal interrupts are repeated.
//
// ON WINDOWS paths are UTF-8 too and may be longer than 260 characters. A path that Windows would not open as a file of
// that name is rejected before anything is opened: MNIST_ERROR_IO for a device or a pipe (NUL, con.npz, COM1 in any
// folder); MNIST_ERROR_INVALID_ARGUMENT for an alternate data stream (w:b), a name that ends in a dot or a space, and a
// drive without a folder (C:w). A file that a program holds open without sharing deletion (as fopen does) is not
// replaced: MNIST_ERROR_IO after two seconds. A replaced file gets the access rights that its folder gives.
//
// CONSTANTS are passed as plain integers; an unknown value is MNIST_ERROR_INVALID_ARGUMENT.
//
// OPTIONS are structs that begin with struct_size. Their _init function fills in Keras's defaults, and NULL options mean
// these defaults. The comments give a field's default as its last sentence. A program built with a newer header may pass
// a longer struct as long as the fields that this library does not know are zero.
//
// NUMBERS. A call runs with the standard floating-point settings (rounding, flushing, traps) and restores the caller's
// settings when it returns; callbacks run with the standard ones. Denormals are flushed to zero before they slow the
// processor down: pixels below 2^-126, and the optimizer's moments below 2^-120.
//
// AFTER FORK a call with a model of the parent returns MNIST_ERROR_STATE in the child. The child may free that model, and
// make or load its own. If another thread was inside a call with a dataset or a graph at the time of the fork, the child
// must not use that object. If a callback or a writer forks, then in the child the call around it returns
// MNIST_ERROR_STATE and writes nothing after the fork.
//
// DETECTED misuse: an object of another type, an object that was freed (as long as its memory has not been reused), and
// an object from another copy of the library in the process. Every object begins with a type tag; a wrong one is
// MNIST_ERROR_INVALID_ARGUMENT, and a function without a status does nothing.
//
// NOT DETECTED: a pointer to memory that cannot be read, a freed object whose memory now holds another object of the same
// type, an array shorter than its stated length, an output array that overlaps an input.
//
/// @file
/// The C interface of libmnist, generated from the library's sources by cbindgen.
