// libmnist - train small image classifiers inside your own program.
//
// A program loads data, describes a network, makes a model of it, compiles, fits, evaluates, predicts and saves:
//
//     mnist_load_data      mnist_graph_new       mnist_model_new      mnist_model_fit         mnist_model_predict
//     mnist_dataset_...    mnist_input,          mnist_model_compile  mnist_model_evaluate    mnist_model_save,
//     mnist_image_prepare  mnist_conv2d, ...                                                  mnist_model_load
//
// CALLS. Every call that can fail returns an mnist_status: MNIST_OK (0), an error (negative) or news (positive). It takes
// an mnist_error* last, which gets the text: what is wrong, where, what was expected and what was found; NULL when the
// text is not wanted. Outputs are written only on success, and a call that fails changes nothing. No call ends the
// process (but see MEMORY and NOT CAUGHT), prints (unless asked to), or lets a panic or an exception out.
//
// OWNERSHIP. Objects are opaque. What a call gives through `mnist_X **out`, or returns from mnist_X_new, is yours:
//
//     mnist_error_new                                                         mnist_error_free
//     mnist_npz_open                                                          mnist_npz_free
//     mnist_load_data (two), mnist_dataset_from_..., mnist_dataset_slice      mnist_dataset_free
//     mnist_graph_new                                                         mnist_graph_free (its tensors with it)
//     mnist_model_new, mnist_model_load, mnist_model_load_memory              mnist_model_free
//     mnist_model_fit                                                         mnist_history_free
//
// Every _free takes NULL. Objects do not depend on each other's lives, except tensors on their graph's. What is handed in
// is borrowed during the call, or copied. Strings that come back belong to the object that gave them.
//
// THREADS. A call that takes `const mnist_X *` may run on many threads at once, also while another thread is inside a
// call that takes the same object without const. Two of those at once: the second gets MNIST_ERROR_BUSY; only on a graph,
// whose calls are short, it waits. Only _free must not race with anything. Different objects have nothing in common. An
// mnist_error is for one call at a time. A model computes on threads of its own (mnist_model_set_threads), or on the
// caller's where none can be started; callbacks and writes happen on the thread that called. No call is a cancellation
// point: a thread that is cancelled (pthread_cancel) in one ends after it. Nor are callbacks, until they return.
//
// MEMORY. A call for which there is not enough returns MNIST_ERROR_OUT_OF_MEMORY, mnist_X_new and the layer calls NULL; it
// changes nothing, except that a fit that has begun to train stops between two steps and keeps what it has learned. What
// fit, evaluate and predict take is compared with what the machine, the process's limits and its containers' have left
// before the first of it is taken; the message says which batch would fit. For what can only be asked for in small pieces
// the library has 2 MiB of its own to fall back on. What it has no power over: some hundred bytes that a thread takes while
// it starts (refused those, Rust or the C library ends the process), and a system that has promised more than it has.
//
// TEXT is UTF-8, NUL-terminated; paths too. A message is one line; what a terminal would obey in a path or a name is
// shown as \u{1b}.
//
// FILES. A relative path means the working folder at the time of the call, also where it is written to later. What is no
// regular file (a folder, a pipe, a socket, a device) is MNIST_ERROR_IO at once, to be read or to be replaced: nobody at its
// other end is waited for. (For a disk, or a server behind a file system, that does not answer the system itself waits.)
// A file is written beside its place, as .mnist-0.tmp or a higher number, synced, and renamed: whoever opens it finds the
// old one or the new one, whole, as far as the file system renames in one step. What a killed process has left is removed
// by the next write in that folder. The mode of a file that is replaced stays, and its owner and group where this process
// may set them (where the group cannot stay, it may do no more than everybody); ACLs and other attributes do not, and
// other hard links keep the old content. A symbolic link stays: what it leads to is replaced, or made. A file that is
// read-only, or that this process may not write to, is not replaced: MNIST_ERROR_IO; so is a file that is itself mounted.
// Descriptors 0, 1 and 2 are never the library's, though the program may have closed them: while something is being opened
// they are held by what can be neither read nor written. What a signal interrupts is taken up again.
//
// ON WINDOWS paths are UTF-8 all the same and may have more than 260 characters. What the system takes for something else
// than a file of that name is an error before anything is opened: a device or a pipe (NUL, con.npz, COM1 in any folder)
// MNIST_ERROR_IO; a second content of a file (w:b), a name that ends in a dot or a space, a drive without a folder (C:w)
// MNIST_ERROR_INVALID_ARGUMENT. A file that a program has open without sharing its deletion (fopen does not) is not
// replaced: MNIST_ERROR_IO after half a second. A file that is replaced gets the rights that its folder gives.
//
// CONSTANTS come in as plain integers; an unknown one is MNIST_ERROR_INVALID_ARGUMENT.
//
// OPTIONS are structs that begin with struct_size and are filled in by their _init function with Keras's defaults; NULL
// options mean those defaults. A program built against a newer header may hand in a longer struct as long as what this
// library does not know of it is zero.
//
// NUMBERS. The host's floating-point settings (rounding, flushing, traps) are put aside during a call and are what they
// were after it; callbacks run under the standard ones. Numbers too small to matter are taken for zero before they get
// among those that processors are slow with: pixels below 2^-126, the optimizer's running means below 2^-120.
//
// AFTER FORK a model of the parent's gives MNIST_ERROR_STATE in the child, which may free it, and make or load models of
// its own. A child that was forked while another thread was inside a call with a dataset or a graph leaves that one alone.
// In a child that a callback or a writer has forked off, the call around it returns MNIST_ERROR_STATE as well, and has
// written nothing since.
//
// CAUGHT, since every object begins with a word that says what it is: an object of another type, and one that was freed,
// as long as its memory is not used again, and one of another copy of the library in the process. They are
// MNIST_ERROR_INVALID_ARGUMENT; a function without a status does nothing.
//
// NOT CAUGHT: a pointer to where nothing can be read, a freed object whose memory has become another of its type, an array
// shorter than said, an output array that overlaps an input.
//
/// @file
/// The interface of libmnist, generated from the library's sources by cbindgen.
