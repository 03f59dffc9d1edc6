// libmnist for C++17: the C interface with RAII objects and exceptions. Header-only; link with libmnist.
//
// Every object owns its C object and frees it; objects are movable and not copyable. A call that fails throws mnist::error,
// whose what() is the library's message. Callbacks and writers are std::function; an exception thrown in one stops the
// fit and is rethrown by fit(). The comment of the C function of the same name in mnist.h describes each function.

#ifndef MNIST_HPP
#define MNIST_HPP

#include "mnist.h"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace mnist {

/// A call that failed: its status and, as what(), its message.
class error : public std::runtime_error {
public:
    error(mnist_status status, const std::string &message) : std::runtime_error(message), status_(status) {}

    mnist_status status() const noexcept { return status_; }

private:
    mnist_status status_;
};

namespace detail {

template <auto Free> struct deleter {
    template <typename T> void operator()(T *pointer) const noexcept { Free(pointer); }
};

template <typename T, auto Free> using owner = std::unique_ptr<T, deleter<Free>>;

/// Makes a call whose last argument is an mnist_error*, and throws if it fails. Returns its status, and in `news` the message
/// of a call that succeeded with a notice.
template <typename Call> mnist_status check(Call &&call, std::string *news = nullptr)
{
    const owner<mnist_error, mnist_error_free> text(mnist_error_new());
    const mnist_status status = call(text.get());
    if (status < 0)
        throw error(status, mnist_error_message(text.get()));
    if (news)
        *news = mnist_error_message(text.get());
    return status;
}

/// Passes text from the library to a function: an exception must not pass through the library, so the
/// first one is stored, and nothing more is written.
struct sink {
    const std::function<void(const std::string &)> &write;
    std::exception_ptr thrown = nullptr;

    static void take(void *self, const char *text, std::size_t len) noexcept
    {
        sink &to = *static_cast<sink *>(self);
        if (to.thrown)
            return;
        try {
            to.write(std::string(text, len));
        } catch (...) {
            to.thrown = std::current_exception();
        }
    }

    void rethrow() const
    {
        if (thrown)
            std::rethrow_exception(thrown);
    }
};

/// Text for C, where a NUL inside would end it and so name another file, for example.
inline const char *text(const std::string &given, const char *argument)
{
    const std::size_t nul = given.find('\0');
    if (nul != std::string::npos)
        throw error(MNIST_ERROR_INVALID_ARGUMENT, "argument `" + std::string(argument) + "`: has a NUL in it: expected text, found"
                                                      + " one at byte " + std::to_string(nul));
    return given.c_str();
}

inline const char *text(const std::optional<std::string> &given, const char *argument)
{
    return given ? text(*given, argument) : nullptr;
}

} // namespace detail

using activation = mnist_activation;

namespace activations {
constexpr activation linear = MNIST_ACTIVATION_LINEAR;
constexpr activation relu = MNIST_ACTIVATION_RELU;
constexpr activation softmax = MNIST_ACTIVATION_SOFTMAX;
constexpr activation sigmoid = MNIST_ACTIVATION_SIGMOID;
constexpr activation tanh = MNIST_ACTIVATION_TANH;
constexpr activation elu = MNIST_ACTIVATION_ELU;
constexpr activation gelu = MNIST_ACTIVATION_GELU;
constexpr activation swish = MNIST_ACTIVATION_SWISH;
} // namespace activations

// Without tanh, which is also a function of the C library: with `using namespace mnist` no name may be ambiguous.
using activations::elu;
using activations::gelu;
using activations::linear;
using activations::relu;
using activations::sigmoid;
using activations::softmax;
using activations::swish;

using progress = mnist_progress;
using metrics = mnist_metrics;
using compile_options = mnist_compile_options;

/// A metric of a fit's progress, inside the callback that received it.
inline double get(const progress &of, const std::string &metric)
{
    double value = 0;
    detail::check([&](mnist_error *e) { return mnist_progress_get(&of, detail::text(metric, "metric"), &value, e); });
    return value;
}

/// Receives text as it is written.
using writer = std::function<void(const std::string &)>;

inline std::string version() { return mnist_version(); }

/// A NumPy archive.
class npz {
public:
    explicit npz(const std::string &path)
    {
        mnist_npz *made = nullptr;
        detail::check([&](mnist_error *e) { return mnist_npz_open(detail::text(path, "path"), &made, e); });
        npz_.reset(made);
    }

    /// The arrays' names, in the archive's order.
    std::vector<std::string> files() const
    {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < mnist_npz_len(npz_.get()); i++)
            names.emplace_back(mnist_npz_name(npz_.get(), i));
        return names;
    }

    std::vector<std::size_t> shape(const std::string &name) const
    {
        std::size_t rank = 0;
        detail::check([&](mnist_error *e) {
            return mnist_npz_shape(npz_.get(), detail::text(name, "name"), nullptr, 0, &rank, e);
        });
        std::vector<std::size_t> dims(rank);
        detail::check([&](mnist_error *e) {
            return mnist_npz_shape(npz_.get(), detail::text(name, "name"), dims.data(), rank, &rank, e);
        });
        return dims;
    }

private:
    detail::owner<mnist_npz, mnist_npz_free> npz_;
};

/// Samples with their labels or targets.
class dataset {
public:
    /// Takes ownership of a C dataset.
    explicit dataset(mnist_dataset *taken) : dataset_(taken) {}

    static dataset from_npz(const std::string &path, const std::string &images, const std::string &labels)
    {
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_npz(detail::text(path, "path"), detail::text(images, "images"),
                                          detail::text(labels, "labels"), out, e);
        });
    }

    /// Images and labels from two archives.
    static dataset from_npz(const std::string &images_path, const std::string &images, const std::string &labels_path,
                            const std::string &labels)
    {
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_npz_pair(detail::text(images_path, "images_path"), detail::text(images, "images"),
                                               detail::text(labels_path, "labels_path"), detail::text(labels, "labels"),
                                               out, e);
        });
    }

    /// Samples of any type with their labels or targets; copied.
    static dataset from_arrays(const mnist_array &x, const mnist_array &y)
    {
        return make([&](mnist_dataset **out, mnist_error *e) { return mnist_dataset_new(&x, &y, nullptr, out, e); });
    }

    /// The same with weights: how much each sample counts in the loss.
    static dataset from_arrays(const mnist_array &x, const mnist_array &y, const mnist_array &sample_weight)
    {
        return make([&](mnist_dataset **out, mnist_error *e) { return mnist_dataset_new(&x, &y, &sample_weight, out, e); });
    }

    /// Samples to predict.
    static dataset from_arrays(const mnist_array &x)
    {
        return make([&](mnist_dataset **out, mnist_error *e) { return mnist_dataset_new(&x, nullptr, nullptr, out, e); });
    }

    /// A text table (CSV) with labels in the column of that name or number; without one, samples to predict.
    static dataset from_csv(const std::string &path, const std::optional<std::string> &label_column)
    {
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_csv(detail::text(path, "path"), detail::text(label_column, "label_column"), out, e);
        });
    }

    /// Samples that a C function provides when they are needed; it must not throw.
    static dataset from_source(const mnist_source &source)
    {
        return make([&](mnist_dataset **out, mnist_error *e) { return mnist_dataset_from_source(&source, out, e); });
    }

    static dataset from_idx(const std::string &images, const std::string &labels)
    {
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_idx(detail::text(images, "images_path"), detail::text(labels, "labels_path"), out,
                                          e);
        });
    }

    /// Copies `pixels`, as many as the product of `dims` ([N, H, W] or [N, H, W, C]), and N labels.
    static dataset from_memory(const std::vector<std::uint8_t> &pixels, const std::vector<std::size_t> &dims,
                               const std::vector<std::uint8_t> &labels)
    {
        check_sizes(pixels.size(), dims, labels.size());
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_u8(pixels.data(), dims.data(), dims.size(), labels.data(), out, e);
        });
    }

    static dataset from_memory(const std::vector<float> &pixels, const std::vector<std::size_t> &dims,
                               const std::vector<std::uint8_t> &labels)
    {
        check_sizes(pixels.size(), dims, labels.size());
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_f32(pixels.data(), dims.data(), dims.size(), labels.data(), out, e);
        });
    }

    std::size_t size() const noexcept { return mnist_dataset_len(get()); }

    std::vector<std::size_t> shape() const
    {
        std::vector<std::size_t> dims(4);
        dims.resize(mnist_dataset_shape(get(), dims.data(), dims.size()));
        return dims;
    }

    mnist_dtype dtype() const noexcept { return mnist_dataset_dtype(get()); }

    dataset slice(std::size_t start, std::size_t len) const
    {
        return make([&](mnist_dataset **out, mnist_error *e) { return mnist_dataset_slice(get(), start, len, out, e); });
    }

    dataset &normalize(float divisor)
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_normalize(get(), divisor, e); });
        return *this;
    }

    dataset &expand_dims()
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_expand_dims(get(), e); });
        return *this;
    }

    /// Gives each sample another shape with the same number of values: {28, 28}.
    dataset &reshape(const std::vector<std::size_t> &dims)
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_reshape(get(), dims.data(), dims.size(), e); });
        return *this;
    }

    /// Swaps height and width.
    dataset &transpose()
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_transpose(get(), e); });
        return *this;
    }

    /// [N, C, H, W] to [N, H, W, C].
    dataset &channels_last()
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_channels_last(get(), e); });
        return *this;
    }

    dataset &shuffle(std::uint64_t seed)
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_shuffle(get(), seed, e); });
        return *this;
    }

    /// Means and standard deviations, `len` of each: 1, the number of channels, or of a sample's pixels.
    std::pair<std::vector<float>, std::vector<float>> statistics(std::size_t len = 1) const
    {
        std::pair<std::vector<float>, std::vector<float>> found{std::vector<float>(len), std::vector<float>(len)};
        detail::check([&](mnist_error *e) {
            return mnist_dataset_statistics(get(), found.first.data(), found.second.data(), len, e);
        });
        return found;
    }

    /// With the result of statistics(), usually of the training data.
    dataset &standardize(const std::pair<std::vector<float>, std::vector<float>> &statistics)
    {
        const auto &[mean, deviation] = statistics;
        if (mean.size() != deviation.size())
            throw error(MNIST_ERROR_SHAPE, "argument `statistics`: not as many deviations as means");
        detail::check([&, &mean = mean, &deviation = deviation](mnist_error *e) {
            return mnist_dataset_standardize(get(), mean.data(), deviation.data(), mean.size(), e);
        });
        return *this;
    }

    /// The name of a class, if classes have names.
    std::optional<std::string> class_name(std::uint32_t label) const
    {
        const char *name = mnist_dataset_class_name(get(), label);
        return name ? std::optional<std::string>(name) : std::nullopt;
    }

    std::vector<std::uint32_t> unique_labels() const
    {
        std::size_t count = 0;
        detail::check([&](mnist_error *e) { return mnist_dataset_unique_labels(get(), nullptr, 0, &count, e); });
        std::vector<std::uint32_t> labels(count);
        detail::check([&](mnist_error *e) {
            return mnist_dataset_unique_labels(get(), labels.data(), count, &count, e);
        });
        return labels;
    }

    std::vector<std::uint32_t> labels() const
    {
        std::vector<std::uint32_t> all(size());
        detail::check([&](mnist_error *e) { return mnist_dataset_labels(get(), all.data(), all.size(), e); });
        return all;
    }

    /// The shape of one sample's target; empty if there are no targets.
    std::vector<std::size_t> target_shape() const
    {
        std::vector<std::size_t> dims(3);
        dims.resize(mnist_dataset_target_shape(get(), dims.data(), dims.size()));
        return dims;
    }

    /// All targets, [N, ...].
    std::vector<float> targets() const
    {
        std::size_t len = size();
        for (const std::size_t dim : target_shape())
            len *= dim;
        std::vector<float> all(len);
        detail::check([&](mnist_error *e) { return mnist_dataset_targets(get(), all.data(), all.size(), e); });
        return all;
    }

    /// How much each sample counts in the loss.
    std::vector<float> weights() const
    {
        std::vector<float> all(size());
        detail::check([&](mnist_error *e) { return mnist_dataset_weights(get(), all.data(), all.size(), e); });
        return all;
    }

    /// Sample `i`, [H, W, C] with its scaling applied, and its label.
    std::pair<std::vector<float>, std::uint32_t> image(std::size_t i) const
    {
        const auto dims = shape();
        std::size_t len = 1;
        for (std::size_t d = 1; d < dims.size(); d++)
            len *= dims[d];
        std::pair<std::vector<float>, std::uint32_t> found{std::vector<float>(len), 0};
        detail::check([&](mnist_error *e) {
            return mnist_dataset_image(get(), i, found.first.data(), len, &found.second, e);
        });
        return found;
    }

    mnist_dataset *get() const noexcept { return dataset_.get(); }

private:
    template <typename Call> static dataset make(Call &&call)
    {
        mnist_dataset *made = nullptr;
        detail::check([&](mnist_error *e) { return call(&made, e); });
        return dataset(made);
    }

    static void check_sizes(std::size_t pixels, const std::vector<std::size_t> &dims, std::size_t labels)
    {
        std::size_t left = pixels;
        for (const std::size_t dim : dims) {
            if (dim == 0 || left % dim != 0)
                throw error(MNIST_ERROR_SHAPE, "argument `dims`: the product is not the number of pixels");
            left /= dim;
        }
        if (left != 1 || dims.empty() || labels != dims[0])
            throw error(MNIST_ERROR_SHAPE, "arguments `dims` and `labels`: they do not match the pixels");
    }

    detail::owner<mnist_dataset, mnist_dataset_free> dataset_;
};

/// Converts the digit in a picture, grey levels [height, width], to the form of MNIST's images: [28, 28], 0 to 255 / divisor.
inline std::vector<float> prepare_image(const std::vector<std::uint8_t> &grey, std::size_t height, std::size_t width,
                                        float divisor = 255)
{
    if (height == 0 || grey.size() / height != width || grey.size() % height != 0)
        throw error(MNIST_ERROR_SHAPE, "argument `grey`: not height x width pixels");
    std::vector<float> pixels(28 * 28);
    detail::check([&](mnist_error *e) {
        return mnist_image_prepare(grey.data(), height, width, divisor, pixels.data(), pixels.size(), e);
    });
    return pixels;
}

/// MNIST's training and test data; without a path, from Keras's cache, downloaded if they are not there.
inline std::pair<dataset, dataset> load_data(const std::optional<std::string> &path = std::nullopt)
{
    mnist_dataset *train = nullptr, *test = nullptr;
    detail::check([&](mnist_error *e) { return mnist_load_data(detail::text(path, "path"), &train, &test, e); });
    return {dataset(train), dataset(test)};
}

/// The output of a layer; belongs to its graph. A failed call returns an empty tensor, and model's constructor throws.
class tensor {
public:
    /// An empty tensor, for graph::from_json to fill in.
    explicit tensor(mnist_tensor *borrowed = nullptr) : tensor_(borrowed) {}

    tensor conv2d(std::size_t filters, std::size_t kernel_size, activation a = linear) const
    {
        return tensor(mnist_conv2d(tensor_, filters, kernel_size, a));
    }

    tensor flatten() const { return tensor(mnist_flatten(tensor_)); }

    tensor dense(std::size_t units, activation a = linear) const { return tensor(mnist_dense(tensor_, units, a)); }

    tensor max_pooling2d(std::size_t pool_size) const { return tensor(mnist_max_pooling2d(tensor_, pool_size)); }

    tensor average_pooling2d(std::size_t pool_size) const { return tensor(mnist_average_pooling2d(tensor_, pool_size)); }

    tensor global_average_pooling2d() const { return tensor(mnist_global_average_pooling2d(tensor_)); }

    tensor dropout(double rate) const { return tensor(mnist_dropout(tensor_, rate)); }

    tensor batch_normalization() const { return tensor(mnist_batch_normalization(tensor_)); }

    tensor activate(activation a) const { return tensor(mnist_activate(tensor_, a)); }

    tensor add(const tensor &other) const { return tensor(mnist_add(tensor_, other.tensor_)); }

    tensor concatenate(const tensor &other) const { return tensor(mnist_concatenate(tensor_, other.tensor_)); }

    /// Any layer by Keras's class and config: x.layer("Conv2D", "{filters: 32, kernel_size: 3, strides: 2}").
    tensor layer(const std::string &class_name, const std::string &config = "{}") const
    {
        return tensor(mnist_layer(tensor_, detail::text(class_name, "class_name"), detail::text(config, "config")));
    }

    /// The sizes without the batch; none for an empty tensor.
    std::vector<std::size_t> shape() const
    {
        std::vector<std::size_t> dims(mnist_tensor_shape(tensor_, nullptr, 0));
        mnist_tensor_shape(tensor_, dims.data(), dims.size());
        return dims;
    }

    mnist_tensor *get() const noexcept { return tensor_; }

private:
    mnist_tensor *tensor_;
};

/// Any layer with several input tensors: merge({a, b, c}, "Average").
inline tensor merge(const std::vector<tensor> &inputs, const std::string &class_name, const std::string &config = "{}")
{
    std::vector<mnist_tensor *> tensors;
    for (const tensor &input : inputs)
        tensors.push_back(input.get());
    return tensor(mnist_merge(tensors.data(), tensors.size(), detail::text(class_name, "class_name"),
                              detail::text(config, "config")));
}

/// A network under construction.
class graph {
public:
    graph() : graph_(mnist_graph_new())
    {
        if (!graph_)
            throw std::bad_alloc();
    }

    graph &seed(std::uint64_t seed)
    {
        mnist_graph_set_seed(graph_.get(), seed);
        return *this;
    }

    tensor input(std::size_t height, std::size_t width, std::size_t channels)
    {
        return tensor(mnist_input(graph_.get(), height, width, channels));
    }

    /// An input of 1 to 3 sizes, without the batch.
    tensor input(const std::vector<std::size_t> &dims)
    {
        return tensor(mnist_input_shape(graph_.get(), dims.data(), dims.size()));
    }

    /// Throws the first error of a layer call.
    void check() const
    {
        detail::check([&](mnist_error *e) { return mnist_graph_check(graph_.get(), e); });
    }

    /// A network as Keras's model.to_json() writes it; sets `input` and `output`.
    static graph from_json(const std::string &json, tensor &input, tensor &output)
    {
        mnist_graph *made = nullptr;
        mnist_tensor *ends[2] = {};
        detail::check([&](mnist_error *e) {
            return mnist_graph_from_json(detail::text(json, "json"), &made, &ends[0], &ends[1], e);
        });
        input = tensor(ends[0]);
        output = tensor(ends[1]);
        return graph(made);
    }

private:
    explicit graph(mnist_graph *taken) : graph_(taken) {}

    detail::owner<mnist_graph, mnist_graph_free> graph_;
};

/// The metrics of a fit's epochs.
class history {
public:
    explicit history(mnist_history *taken) : history_(taken) {}

    std::size_t epochs() const noexcept { return mnist_history_epochs(history_.get()); }

    double get(const std::string &metric, std::size_t epoch) const
    {
        double value = 0;
        detail::check([&](mnist_error *e) {
            return mnist_history_get(history_.get(), detail::text(metric, "metric"), epoch, &value, e);
        });
        return value;
    }

    /// The names of the metrics, "loss" first.
    std::vector<std::string> metrics() const
    {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < mnist_history_metrics_len(history_.get()); i++)
            names.emplace_back(mnist_history_metric_name(history_.get(), i));
        return names;
    }

    /// The reason why a callback of callbacks_config ended the fit; empty if none did.
    std::optional<std::string> stop_reason() const
    {
        const char *reason = mnist_history_stop_reason(history_.get());
        return reason ? std::optional<std::string>(reason) : std::nullopt;
    }

private:
    detail::owner<mnist_history, mnist_history_free> history_;
};

/// Defaults: Adam, sparse categorical crossentropy, accuracy.
inline compile_options default_compile_options()
{
    compile_options options;
    mnist_compile_options_init(&options, sizeof options);
    return options;
}

/// Options of fit(): the C options, with callbacks as functions that return whether to continue.
struct fit_options {
    using callback = std::function<bool(const progress &)>;

    std::size_t batch_size = 32;
    std::size_t epochs = 1;
    std::size_t initial_epoch = 0;
    bool shuffle = true;
    int verbose = 1;
    std::uint64_t seed = 0;
    double validation_split = 0;
    const dataset *validation_data = nullptr;
    writer write; // empty: stdout
    callback on_batch_end, on_epoch_begin, on_epoch_end;
    std::optional<std::string> checkpoint_path; // the file of the fit's state, written after each interval that is
    std::size_t checkpoint_batches = 0;         // not 0, and at the end
    std::size_t checkpoint_epochs = 0;
    double checkpoint_seconds = 0;
    bool resume = false; // resume from the file, if it exists
    bool terminate_on_nan = true;
    std::optional<std::string> callbacks_config; // "[{class_name: 'EarlyStopping', config: {patience: 3}}]"
    std::vector<float> class_weight;             // empty: all classes count the same
    std::size_t validation_freq = 1;
    std::size_t steps_per_epoch = 0; // 0: one pass over the samples
    std::size_t prefetch = 0;        // batches of a source that are requested ahead
};

struct evaluate_options {
    std::size_t batch_size = 32;
    int verbose = 0;
    writer write; // empty: stdout
    std::optional<history> *results = nullptr;       // receives all metrics, as one epoch
    std::vector<std::uint64_t> *confusion = nullptr; // receives [classes, classes], row = label, column = predicted class
};

/// Options of save_c().
struct c_options {
    std::uint32_t weights = MNIST_WEIGHT_FLOAT;
    bool caller_scratch = false; // the memory between the layers is a third argument
    std::string placement;       // attributes of the weight arrays
    std::string qualifier;       // of the weights' type, for an address space
};

/// The result of a fit.
struct fitted {
    mnist::history history;
    bool cancelled;
    std::string diverged; // where a loss or a weight became NaN or infinite; empty if none did
};

/// The result of a single step.
struct trained {
    mnist::metrics metrics; // measured before the step
    std::string diverged;   // where a value was NaN or infinite, so that the step was not taken; empty if none was
};

/// A network with its weights and training state.
class model {
public:
    model(const tensor &input, const tensor &output, const std::optional<std::string> &name = std::nullopt)
    {
        mnist_model *made = nullptr;
        detail::check([&](mnist_error *e) {
            return mnist_model_new(input.get(), output.get(), detail::text(name, "name"), &made, e);
        });
        model_.reset(made);
    }

    /// Takes ownership of a C model.
    explicit model(mnist_model *taken) : model_(taken) {}

    /// Loads the model from a file of save() or a fit's checkpoint.
    static model load(const std::string &path)
    {
        mnist_model *made = nullptr;
        detail::check([&](mnist_error *e) { return mnist_model_load(detail::text(path, "path"), &made, e); });
        return model(made);
    }

    /// Loads the model from the bytes of such a file, which are not needed afterwards.
    static model load_memory(const void *data, std::size_t len)
    {
        mnist_model *made = nullptr;
        detail::check([&](mnist_error *e) { return mnist_model_load_memory(data, len, &made, e); });
        return model(made);
    }

    /// The bytes that save() would write to a file.
    std::vector<unsigned char> save_memory() const
    {
        return saved(mnist_model_save_memory);
    }

    /// Writes the whole model: network, weights, compile options, optimizer state and the position of the fit.
    void save(const std::string &path) const
    {
        detail::check([&](mnist_error *e) { return mnist_model_save(get(), detail::text(path, "path"), e); });
    }

    /// Loads the model from an ONNX file; images with channels first become images with channels last.
    static model load_onnx(const std::string &path)
    {
        mnist_model *made = nullptr;
        detail::check([&](mnist_error *e) { return mnist_model_load_onnx(detail::text(path, "path"), &made, e); });
        return model(made);
    }

    /// Writes the network and its weights as an ONNX file.
    void save_onnx(const std::string &path) const
    {
        detail::check([&](mnist_error *e) { return mnist_model_save_onnx(get(), detail::text(path, "path"), e); });
    }

    /// The bytes that save_onnx() would write to a file.
    std::vector<unsigned char> save_onnx_memory() const
    {
        return saved(mnist_model_save_onnx_memory);
    }

    /// Keras's table of the layers.
    std::string summary() const
    {
        std::string text;
        const writer append = [&](const std::string &piece) { text += piece; };
        detail::sink to{append};
        detail::check([&](mnist_error *e) { return mnist_model_summary(get(), detail::sink::take, &to, e); });
        to.rethrow();
        return text;
    }

    std::size_t count_params() const noexcept { return mnist_model_count_params(get()); }

    /// The network as Keras's to_json() writes it.
    std::string config() const
    {
        std::string text;
        const writer append = [&](const std::string &piece) { text += piece; };
        detail::sink to{append};
        detail::check([&](mnist_error *e) { return mnist_model_config(get(), detail::sink::take, &to, e); });
        to.rethrow();
        return text;
    }

    /// The layers' names, from the input on.
    std::vector<std::string> layer_names() const
    {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < mnist_model_layers_len(get()); i++)
            names.emplace_back(mnist_model_layer_name(get(), i));
        return names;
    }

    /// Keras's class of layer `i`.
    std::string layer_class(std::size_t i) const
    {
        const char *name = mnist_model_layer_class(get(), i);
        return name ? name : "";
    }

    /// The output shape of a layer, without the batch.
    std::vector<std::size_t> layer_shape(const std::string &layer) const
    {
        std::size_t rank = 0;
        detail::check([&](mnist_error *e) {
            return mnist_model_layer_shape(get(), detail::text(layer, "layer"), nullptr, 0, &rank, e);
        });
        std::vector<std::size_t> dims(rank);
        detail::check([&](mnist_error *e) {
            return mnist_model_layer_shape(get(), detail::text(layer, "layer"), dims.data(), rank, &rank, e);
        });
        return dims;
    }

    /// The output of a layer for samples, concatenated.
    std::vector<float> predict_layer(const std::string &layer, const std::vector<float> &images) const
    {
        const std::size_t count = count_of(images);
        std::size_t len = count;
        for (const std::size_t dim : layer_shape(layer))
            len *= dim;
        std::vector<float> values(len);
        detail::check([&](mnist_error *e) {
            return mnist_model_predict_layer(get(), detail::text(layer, "layer"), images.data(), count, values.data(), len, e);
        });
        return values;
    }

    /// Freezes or unfreezes a layer; without a layer, all of them.
    void set_trainable(bool trainable, const std::optional<std::string> &layer = std::nullopt)
    {
        detail::check([&](mnist_error *e) {
            return mnist_model_set_trainable(get(), detail::text(layer, "layer"), trainable, e);
        });
    }

    /// Copies the weights of another model that have the same name and shape; returns their number.
    std::size_t copy_weights(const model &from)
    {
        std::size_t copied = 0;
        detail::check([&](mnist_error *e) { return mnist_model_copy_weights(get(), from.get(), &copied, e); });
        return copied;
    }

    double learning_rate() const
    {
        double rate = 0;
        detail::check([&](mnist_error *e) { return mnist_model_get_learning_rate(get(), &rate, e); });
        return rate;
    }

    void set_learning_rate(double rate)
    {
        detail::check([&](mnist_error *e) { return mnist_model_set_learning_rate(get(), rate, e); });
    }

    void set_threads(std::size_t threads)
    {
        detail::check([&](mnist_error *e) { return mnist_model_set_threads(get(), threads, e); });
    }

    void compile(const compile_options &options = default_compile_options())
    {
        detail::check([&](mnist_error *e) { return mnist_model_compile(get(), &options, e); });
    }

    fitted fit(const dataset &data, const fit_options &options = {})
    {
        run state{options, {options.write}};
        mnist_fit_options c;
        mnist_fit_options_init(&c, sizeof c);
        c.batch_size = options.batch_size;
        c.epochs = options.epochs;
        c.initial_epoch = options.initial_epoch;
        c.shuffle = options.shuffle;
        c.verbose = options.verbose;
        c.seed = options.seed;
        c.validation_split = options.validation_split;
        c.validation_data = options.validation_data ? options.validation_data->get() : nullptr;
        if (options.write) {
            c.write = detail::sink::take;
            c.write_data = &state.text;
        }
        c.on_batch_end = [](void *s, const mnist_progress *p) { return as_run(s).call(as_run(s).options.on_batch_end, *p); };
        c.on_epoch_begin = [](void *s, const mnist_progress *p) { return as_run(s).call(as_run(s).options.on_epoch_begin, *p); };
        c.on_epoch_end = [](void *s, const mnist_progress *p) { return as_run(s).call(as_run(s).options.on_epoch_end, *p); };
        c.user_data = &state;
        c.checkpoint_path = detail::text(options.checkpoint_path, "options.checkpoint_path");
        c.checkpoint_batches = options.checkpoint_batches;
        c.checkpoint_epochs = options.checkpoint_epochs;
        c.checkpoint_seconds = options.checkpoint_seconds;
        c.resume = options.resume;
        c.terminate_on_nan = options.terminate_on_nan;
        c.callbacks_config = detail::text(options.callbacks_config, "options.callbacks_config");
        c.class_weight = options.class_weight.empty() ? nullptr : options.class_weight.data();
        c.class_weight_len = options.class_weight.size();
        c.validation_freq = options.validation_freq;
        c.steps_per_epoch = options.steps_per_epoch;
        c.prefetch = options.prefetch;
        mnist_history *made = nullptr;
        std::string news;
        const mnist_status status =
            detail::check([&](mnist_error *e) { return mnist_model_fit(get(), data.get(), &c, &made, e); }, &news);
        history done(made);
        state.text.rethrow();
        return {std::move(done), status == MNIST_CANCELLED, status == MNIST_DIVERGED ? std::move(news) : std::string()};
    }

    /// Takes one optimizer step on all of the data as one batch.
    trained train_on_batch(const dataset &data)
    {
        trained done{};
        detail::check([&](mnist_error *e) { return mnist_model_train_on_batch(get(), data.get(), &done.metrics, e); },
                      &done.diverged);
        return done;
    }

    metrics evaluate(const dataset &data, const evaluate_options &options = {}) const
    {
        detail::sink to{options.write};
        mnist_evaluate_options c;
        mnist_evaluate_options_init(&c, sizeof c);
        c.batch_size = options.batch_size;
        c.verbose = options.verbose;
        if (options.write) {
            c.write = detail::sink::take;
            c.write_data = &to;
        }
        std::vector<std::uint64_t> counts(options.confusion ? output_len() * output_len() : 0);
        if (options.confusion) {
            c.confusion = counts.data();
            c.confusion_capacity = counts.size();
        }
        metrics found{};
        mnist_history *results = nullptr;
        c.results = options.results ? &results : nullptr;
        detail::check([&](mnist_error *e) { return mnist_model_evaluate(get(), data.get(), &c, &found, e); });
        if (options.results)
            options.results->emplace(results);
        to.rethrow();
        if (options.confusion)
            *options.confusion = std::move(counts);
        return found;
    }

    std::vector<std::size_t> input_shape() const
    {
        std::vector<std::size_t> dims(mnist_model_input_shape(get(), nullptr, 0));
        mnist_model_input_shape(get(), dims.data(), dims.size());
        return dims;
    }

    /// The number of floats that the model gives for a sample: the classes.
    std::size_t output_len() const noexcept { return mnist_model_output_len(get()); }

    /// The output for images [count, H, W, C]: [count, classes].
    std::vector<float> predict(const std::vector<float> &images) const
    {
        const std::size_t count = count_of(images);
        std::vector<float> out(count * output_len());
        if (count > 0)
            detail::check([&](mnist_error *e) {
                return mnist_model_predict(get(), images.data(), count, out.data(), out.size(), e);
            });
        return out;
    }

    /// The output for all samples of a dataset: [N, classes].
    std::vector<float> predict(const dataset &data) const
    {
        std::vector<float> out(data.size() * output_len());
        detail::check([&](mnist_error *e) {
            return mnist_model_predict_dataset(get(), data.get(), out.data(), out.size(), e);
        });
        return out;
    }

    void cancel() const noexcept { mnist_model_cancel(get()); }

    /// The names of the weight arrays, as in a weights file: "conv2d/kernel".
    std::vector<std::string> weight_names() const
    {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < mnist_model_weights_len(get()); i++)
            names.emplace_back(mnist_model_weight_name(get(), i));
        return names;
    }

    std::vector<std::size_t> weight_shape(const std::string &name) const
    {
        std::size_t rank = 0;
        detail::check([&](mnist_error *e) {
            return mnist_model_weight_shape(get(), detail::text(name, "name"), nullptr, 0, &rank, e);
        });
        std::vector<std::size_t> dims(rank);
        detail::check([&](mnist_error *e) {
            return mnist_model_weight_shape(get(), detail::text(name, "name"), dims.data(), rank, &rank, e);
        });
        return dims;
    }

    /// The values of a weight array, row-major.
    std::vector<float> get_weight(const std::string &name) const
    {
        std::size_t len = 1;
        for (const std::size_t dim : weight_shape(name))
            len *= dim;
        std::vector<float> values(len);
        detail::check([&](mnist_error *e) {
            return mnist_model_get_weight(get(), detail::text(name, "name"), values.data(), len, e);
        });
        return values;
    }

    void set_weight(const std::string &name, const std::vector<float> &values)
    {
        detail::check([&](mnist_error *e) {
            return mnist_model_set_weight(get(), detail::text(name, "name"), values.data(), values.size(), e);
        });
    }

    void save_weights(const std::string &path) const
    {
        detail::check([&](mnist_error *e) { return mnist_model_save_weights(get(), detail::text(path, "path"), e); });
    }

    /// Writes the whole model as a `.keras` file, which Keras 3 loads and continues to train.
    void save_keras(const std::string &path) const
    {
        detail::check([&](mnist_error *e) { return mnist_model_save_keras(get(), detail::text(path, "path"), e); });
    }

    /// The bytes that save_keras() would write to a file.
    std::vector<unsigned char> save_keras_memory() const
    {
        return saved(mnist_model_save_keras_memory);
    }

    void load_weights(const std::string &path)
    {
        detail::check([&](mnist_error *e) { return mnist_model_load_weights(get(), detail::text(path, "path"), e); });
    }

    /// Loads the weights of a PyTorch state_dict, with names assigned by `map`, in JSON5.
    void load_weights_mapped(const std::string &path, const std::string &map)
    {
        detail::check([&](mnist_error *e) {
            return mnist_model_load_weights_mapped(get(), detail::text(path, "path"), detail::text(map, "map"), e);
        });
    }

    /// Loads weights from the bytes of a file for load_weights(), which are not needed afterwards.
    void load_weights_memory(const void *data, std::size_t len)
    {
        detail::check([&](mnist_error *e) { return mnist_model_load_weights_memory(get(), data, len, e); });
    }

    /// The bytes that save_weights() would write to a file.
    std::vector<unsigned char> save_weights_memory() const
    {
        return saved(mnist_model_save_weights_memory);
    }

    /// Writes the model as one C file that predicts; its names begin with `prefix`.
    void save_c(const std::string &path, const std::string &prefix, const c_options &options = {}) const
    {
        const mnist_c_options c = converted(options);
        detail::check([&](mnist_error *e) {
            return mnist_model_save_c_with(get(), detail::text(path, "path"), detail::text(prefix, "prefix"), &c, e);
        });
    }

    /// The bytes that save_c() would write to a file.
    std::vector<unsigned char> save_c_memory(const std::string &prefix, const c_options &options = {}) const
    {
        const mnist_c_options c = converted(options);
        return saved([&](const mnist_model *of, void *buffer, std::size_t capacity, std::size_t *needed, mnist_error *e) {
            return mnist_model_save_c_memory(of, detail::text(prefix, "prefix"), &c, buffer, capacity, needed, e);
        });
    }

    mnist_model *get() const noexcept { return model_.get(); }

private:
    /// The strings belong to `options` and live as long.
    static mnist_c_options converted(const c_options &options)
    {
        mnist_c_options c;
        mnist_c_options_init(&c, sizeof c);
        c.weights = options.weights;
        c.caller_scratch = options.caller_scratch ? 1 : 0;
        c.placement = detail::text(options.placement, "placement");
        c.qualifier = detail::text(options.qualifier, "qualifier");
        return c;
    }

    /// Everything that one of the functions writes to memory; during a fit it may grow between two calls.
    template <typename Write>
    std::vector<unsigned char> saved(const Write &write) const
    {
        std::size_t needed = 0;
        detail::check([&](mnist_error *e) { return write(get(), nullptr, 0, &needed, e); });
        std::vector<unsigned char> bytes(needed);
        detail::check([&](mnist_error *e) {
            mnist_status status = write(get(), bytes.data(), bytes.size(), &needed, e);
            while (status < 0 && needed > bytes.size()) {
                bytes.resize(needed);
                status = write(get(), bytes.data(), bytes.size(), &needed, e);
            }
            return status;
        });
        bytes.resize(needed);
        return bytes;
    }

    /// The number of samples in these values.
    std::size_t count_of(const std::vector<float> &images) const
    {
        std::size_t len = 1;
        for (const std::size_t dim : input_shape())
            len *= dim;
        const std::size_t count = images.size() / len;
        if (count * len != images.size())
            throw error(MNIST_ERROR_SHAPE, "argument `images`: not a whole number of images");
        return count;
    }

    /// A running fit: its functions, and the first exception that one of them threw.
    struct run {
        const fit_options &options;
        detail::sink text;

        std::int32_t call(const fit_options::callback &callback, const progress &p) noexcept
        {
            if (text.thrown)
                return 1;
            try {
                return callback && !callback(p);
            } catch (...) {
                text.thrown = std::current_exception();
                return 1;
            }
        }
    };

    static run &as_run(void *state) noexcept { return *static_cast<run *>(state); }

    detail::owner<mnist_model, mnist_model_free> model_;
};

} // namespace mnist

#endif // MNIST_HPP
