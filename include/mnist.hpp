// libmnist for C++17 and later: the C interface with owners and exceptions. Header-only; link with libmnist.
//
// OBJECTS. npz, dataset, graph, model and history own a C object each and free it; they move, and do not copy. An object
// that was moved from is empty: what is asked of it, or of a function that is given it, throws mnist::error with
// MNIST_ERROR_INVALID_ARGUMENT, until another object is moved in. `if (model)` tells whether there is one. get() is the C
// object, for the functions of mnist.h.
//
// ERRORS. A call that fails throws mnist::error, whose what() is the library's message. Callbacks, writers and sources are
// std::function; an exception thrown in one never passes through the library: it ends the call that it was called from,
// and comes out of that.
//
// TEXT is a const char *, a std::string or a std::string_view, in UTF-8; a path is that or a std::filesystem::path. What has a
// NUL byte in it is MNIST_ERROR_INVALID_ARGUMENT.
//
// ARRAYS that a function reads are a std::vector, a std::array, a std::span, {pointer, length}, a list in braces or a pair of
// iterators; those that it writes to are all of these but the last two.
//
// OPTIONS are structs with Keras's defaults: in C++20, model.fit(data, {.batch_size = 64, .epochs = 3}).
//
// What a function does, takes and throws is told by the C function of its name in mnist.h.

#ifndef MNIST_HPP
#define MNIST_HPP

#include "mnist.h"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mnist {

/// A call that failed: its status and, as what(), its message.
class error : public std::runtime_error {
public:
    error(mnist_status status, const std::string &message) : std::runtime_error(message), status_(status) {}

    mnist_status status() const noexcept { return status_; }

    /// "MNIST_ERROR_SHAPE".
    const char *status_name() const noexcept { return mnist_status_name(status_); }

private:
    mnist_status status_;
};

/// Text that a function takes: a const char *, a std::string or a std::string_view, in C++20 also of char8_t.
class text {
public:
    /// Empty text.
    text() = default;
    /// A null pointer is accepted here, and is an error where the text is used.
    text(const char *given) : value_(given ? given : ""), null_(!given) {}
    /// Takes the string.
    text(std::string given) : value_(std::move(given)) {}
    /// Copies the characters.
    text(std::string_view given) : value_(given) {}
#ifdef __cpp_char8_t
    text(const char8_t *given) : text(reinterpret_cast<const char *>(given)) {}
    text(std::u8string_view given) : value_(given.begin(), given.end()) {}
    text(const std::u8string &given) : text(std::u8string_view(given)) {}
#endif

    /// The characters.
    const std::string &str() const noexcept { return value_; }

    /// The characters as a C string. Throws mnist::error if they contain a NUL byte, which would end the C string early.
    const char *c_str(const char *argument) const
    {
        const std::size_t nul = value_.find('\0');
        if (null_ || nul != std::string::npos)
            throw error(MNIST_ERROR_INVALID_ARGUMENT,
                        "argument `" + std::string(argument) + "`: expected text, found "
                            + (null_ ? "a null pointer" : "a NUL byte in it, at byte " + std::to_string(nul)));
        return value_.c_str();
    }

private:
    std::string value_;
    bool null_ = false;
};

/// The path of a file: text, or a std::filesystem::path.
class path : public text {
public:
    using text::text;

    /// Of a std::filesystem::path, which need not be included here: in UTF-8, whatever the system's own form is.
    template <typename Path, typename = decltype(std::declval<const Path &>().u8string())>
    path(const Path &given) : text(bytes(given.u8string()))
    {
    }

private:
    /// u8string() is of char in C++17, of char8_t from C++20 on.
    template <typename U8> static std::string bytes(const U8 &given) { return std::string(given.begin(), given.end()); }
};

/// An array in the caller's memory, like std::span: made from a std::vector, a std::array, a std::span, or {pointer, length}.
template <typename T> class array_view {
public:
    constexpr array_view() noexcept = default;

    /// The `size` elements from `data` on.
    template <typename U, typename = std::enable_if_t<std::is_convertible_v<U (*)[], T (*)[]>>>
    constexpr array_view(U *data, std::size_t size) noexcept : data_(data), size_(size)
    {
    }

    /// The elements of a container that has data() and size(), and this element type.
    template <typename Array, typename Element = std::remove_pointer_t<decltype(std::data(std::declval<Array &>()))>,
              typename = std::enable_if_t<std::is_convertible_v<Element (*)[], T (*)[]>>>
    constexpr array_view(Array &&array) : data_(std::data(array)), size_(std::size(array))
    {
    }

    /// The first element.
    constexpr T *data() const noexcept { return data_; }
    /// The number of elements.
    constexpr std::size_t size() const noexcept { return size_; }
    /// Whether there are no elements.
    constexpr bool empty() const noexcept { return size_ == 0; }
    /// The first element.
    constexpr T *begin() const noexcept { return data_; }
    /// The end, one past the last element.
    constexpr T *end() const noexcept { return data_ + size_; }
    /// Element `i`, which is not checked.
    constexpr T &operator[](std::size_t i) const { return data_[i]; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

/// @cond
template <typename T> array_view(T *, std::size_t) -> array_view<T>;
/// @endcond

/// An array that is read: any array_view; a list in braces, which is valid until the end of the statement; or a copy of the
/// elements between two iterators.
template <typename T> class input_array : public array_view<const T> {
public:
    using array_view<const T>::array_view;

    constexpr input_array() noexcept = default;

    /// A list in braces, valid until the end of the statement.
    constexpr input_array(std::initializer_list<T> list) noexcept : array_view<const T>(list.begin(), list.size()) {}

    /// A copy of the elements from `first` up to `last`, exclusive.
    template <typename Iterator, typename = typename std::iterator_traits<Iterator>::iterator_category>
    input_array(Iterator first, Iterator last) : input_array(std::make_shared<const std::vector<T>>(first, last))
    {
    }

private:
    explicit input_array(std::shared_ptr<const std::vector<T>> copy) : array_view<const T>(*copy), copy_(std::move(copy)) {}

    std::shared_ptr<const std::vector<T>> copy_; // of what is between iterators
};

namespace detail {

/// A call into the library, on the thread that makes it: keeps the first exception of what is called back meanwhile, which
/// must not pass through the library's frames.
class call_in_progress {
public:
    call_in_progress() noexcept : around_(innermost()) { innermost() = this; }
    ~call_in_progress() { innermost() = around_; }
    call_in_progress(const call_in_progress &) = delete;
    call_in_progress &operator=(const call_in_progress &) = delete;

    /// The thread's; none on a thread of the library's.
    static call_in_progress *current() noexcept { return innermost(); }

    bool has_thrown() const noexcept { return thrown_ != nullptr; }

    void keep(std::exception_ptr thrown) noexcept
    {
        if (!thrown_)
            thrown_ = std::move(thrown);
    }

    void rethrow() const
    {
        if (thrown_)
            std::rethrow_exception(thrown_);
    }

private:
    static call_in_progress *&innermost() noexcept
    {
        static thread_local call_in_progress *call = nullptr;
        return call;
    }

    call_in_progress *around_;
    std::exception_ptr thrown_;
};

/// Calls back, unless an earlier function of this call has thrown. Whether all went well.
template <typename Function> bool call_back(Function &&function) noexcept
{
    call_in_progress &call = *call_in_progress::current();
    if (call.has_thrown())
        return false;
    try {
        function();
        return true;
    } catch (...) {
        call.keep(std::current_exception());
        return false;
    }
}

/// Makes a call whose last argument is an mnist_error *. Throws what was thrown in a function that it has called back, and an
/// error when it has failed. Otherwise gives its status, and in `message` what it had to say all the same.
template <typename Call> mnist_status check(Call &&call, std::string *message = nullptr)
{
    const std::unique_ptr<mnist_error, void (*)(mnist_error *)> told(mnist_error_new(), mnist_error_free);
    mnist_status status;
    {
        call_in_progress in_progress;
        status = call(told.get());
        in_progress.rethrow();
    }
    if (status < 0)
        throw error(status, told ? mnist_error_message(told.get()) : mnist_status_name(status));
    if (message)
        *message = mnist_error_message(told.get());
    return status;
}

/// What C calls for a std::function that takes text.
inline void write_to(void *writer, const char *text, std::size_t len) noexcept
{
    call_back([&] { (*static_cast<const std::function<void(const std::string &)> *>(writer))(std::string(text, len)); });
}

/// As C hands it on to what it calls back, which takes it for const again.
template <typename T> void *pointer_to(const T &object) noexcept { return const_cast<T *>(&object); }

/// All that a function of the library writes.
template <typename Write> std::string written(const Write &write)
{
    std::string all;
    const std::function<void(const std::string &)> append = [&](const std::string &piece) { all += piece; };
    check([&](mnist_error *e) { return write(write_to, pointer_to(append), e); });
    return all;
}

/// Sizes that a function of the library gives: `ask(dims, capacity)` writes as many as there is room for, and says how many
/// there are. One call, since a second one could meet another shape.
template <typename Ask> std::vector<std::size_t> sizes(const Ask &ask)
{
    std::vector<std::size_t> dims(4);
    const std::size_t rank = ask(dims.data(), dims.size());
    dims.resize(rank);
    if (rank > 4)
        ask(dims.data(), rank);
    return dims;
}

/// The names that a function of the library gives, from number 0 on.
template <typename Ask> std::vector<std::string> names(std::size_t count, const Ask &ask)
{
    std::vector<std::string> all;
    for (std::size_t i = 0; i < count; i++)
        all.emplace_back(ask(i));
    return all;
}

/// The same of a function with a status: `ask(dims, capacity, &rank, error)`.
template <typename Ask> std::vector<std::size_t> sizes_or_throw(const Ask &ask)
{
    std::size_t rank = 0;
    check([&](mnist_error *e) { return ask(nullptr, 0, &rank, e); });
    std::vector<std::size_t> dims(rank);
    check([&](mnist_error *e) { return ask(dims.data(), rank, &rank, e); });
    return dims;
}

inline std::size_t product(const std::vector<std::size_t> &dims)
{
    std::size_t of = 1;
    for (const std::size_t dim : dims)
        of *= dim;
    return of;
}

/// Whether an array of these sizes has so many numbers. (Their product may be more than a size_t holds.)
inline bool has_sizes(std::size_t len, const input_array<std::size_t> &dims)
{
    for (const std::size_t dim : dims) {
        if (dim == 0 || len % dim != 0)
            return false;
        len /= dim;
    }
    return len == 1 && !dims.empty();
}

inline const char *c_str(const std::optional<text> &given, const char *argument)
{
    return given ? given->c_str(argument) : nullptr;
}

inline const char *c_str(const std::optional<path> &given, const char *argument)
{
    return given ? given->c_str(argument) : nullptr;
}

/// What an object of C is called here, and how it ends.
template <typename T> struct kind;
template <> struct kind<mnist_npz> {
    static constexpr const char *name = "mnist::npz";
    static void free(mnist_npz *npz) noexcept { mnist_npz_free(npz); }
};
template <> struct kind<mnist_dataset> {
    static constexpr const char *name = "mnist::dataset";
    static void free(mnist_dataset *dataset) noexcept { mnist_dataset_free(dataset); }
};
template <> struct kind<mnist_graph> {
    static constexpr const char *name = "mnist::graph";
    static void free(mnist_graph *graph) noexcept { mnist_graph_free(graph); }
};
template <> struct kind<mnist_model> {
    static constexpr const char *name = "mnist::model";
    static void free(mnist_model *model) noexcept { mnist_model_free(model); }
};
template <> struct kind<mnist_history> {
    static constexpr const char *name = "mnist::history";
    static void free(mnist_history *history) noexcept { mnist_history_free(history); }
};

/// The owner of a C object, empty after it was moved from.
template <typename T> class handle {
public:
    /// Whether there is an object.
    explicit operator bool() const noexcept { return owned_ != nullptr; }

    /// The C object, which stays this one's. Throws when it is empty: all that is asked of an object is asked through here.
    T *get() const
    {
        if (!owned_)
            throw error(MNIST_ERROR_INVALID_ARGUMENT,
                        std::string(kind<T>::name) + ": is empty: expected an object, found one that was moved from");
        return owned_.get();
    }

protected:
    explicit handle(T *taken) noexcept : owned_(taken) {}

private:
    struct deleter {
        void operator()(T *pointer) const noexcept { kind<T>::free(pointer); }
    };

    std::unique_ptr<T, deleter> owned_;
};

/// Gives what `make(&object, error)` has made, and throws when that fails.
template <typename T, typename Make> T *made(const Make &make)
{
    T *object = nullptr;
    check([&](mnist_error *e) { return make(&object, e); });
    return object;
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

/// A metric of a fit's progress, inside the callback that received it.
inline double get(const progress &of, const text &metric)
{
    double value = 0;
    detail::check([&](mnist_error *e) { return mnist_progress_get(&of, metric.c_str("metric"), &value, e); });
    return value;
}

/// Receives text as it is written.
using writer = std::function<void(const std::string &)>;

inline std::string version() { return mnist_version(); }

/// A NumPy archive.
class npz : public detail::handle<mnist_npz> {
public:
    explicit npz(const path &path)
        : handle(detail::made<mnist_npz>([&](mnist_npz **out, mnist_error *e) {
              return mnist_npz_open(path.c_str("path"), out, e);
          }))
    {
    }

    /// The arrays' names, in the archive's order.
    std::vector<std::string> files() const
    {
        return detail::names(mnist_npz_len(get()), [&](std::size_t i) { return mnist_npz_name(get(), i); });
    }

    std::vector<std::size_t> shape(const text &name) const
    {
        return detail::sizes_or_throw([&](std::size_t *dims, std::size_t capacity, std::size_t *rank, mnist_error *e) {
            return mnist_npz_shape(get(), name.c_str("name"), dims, capacity, rank, e);
        });
    }
};

namespace detail {

/// The constant for a type of numbers.
template <typename T> constexpr mnist_dtype dtype_of()
{
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || (std::is_integral_v<T> && sizeof(T) <= 8),
                  "a float, a double or an integer of at most 64 bits");
    if constexpr (std::is_floating_point_v<T>)
        return sizeof(T) == 4 ? MNIST_DTYPE_F32 : MNIST_DTYPE_F64;
    else if constexpr (std::is_signed_v<T>)
        return sizeof(T) == 1   ? MNIST_DTYPE_I8
               : sizeof(T) == 2 ? MNIST_DTYPE_I16
               : sizeof(T) == 4 ? MNIST_DTYPE_I32
                                : MNIST_DTYPE_I64;
    else
        return sizeof(T) == 1   ? MNIST_DTYPE_U8
               : sizeof(T) == 2 ? MNIST_DTYPE_U16
               : sizeof(T) == 4 ? MNIST_DTYPE_U32
                                : MNIST_DTYPE_U64;
}

} // namespace detail

/// Numbers of any type in the caller's memory, for dataset::from_arrays: array_of(pixels, {60000, 28, 28}). It points to the
/// numbers and to the sizes; sizes in braces are good until the end of the statement.
template <typename Array> mnist_array array_of(const Array &numbers, const input_array<std::size_t> &dims)
{
    using element = std::remove_cv_t<std::remove_pointer_t<decltype(std::data(numbers))>>;
    if (!detail::has_sizes(std::size(numbers), dims))
        throw error(MNIST_ERROR_SHAPE, "argument `dims`: the product is not how many numbers there are: "
                                           + std::to_string(std::size(numbers)));
    return {std::data(numbers), detail::dtype_of<element>(), dims.size(), dims.data()};
}

/// Where samples come from that are made or read when they are needed, a batch at a time.
struct source {
    /// Writes the samples `indices`, one behind the other, to `x`, and their labels or their targets; the other one is empty.
    /// An exception ends the call that asked for them, and comes out of it. See mnist_fetch_fn.
    using function = std::function<void(const input_array<std::uint64_t> &indices, array_view<float> x,
                                        array_view<std::uint32_t> labels, array_view<float> targets)>;

    std::size_t len = 0;                      // how many samples there are
    std::vector<std::size_t> dims = {};       // the sizes of one: {28, 28}
    std::size_t target_len = 0;               // floats in a sample's target; 0: samples have labels
    function fetch = {};
    std::optional<text> identity = {};        // what tells these samples from all others, when a fit resumes
};

namespace detail {

/// A source that datasets, which share it, ask for samples.
class asked_source {
public:
    explicit asked_source(source from) : source_(std::move(from)), sample_(product(source_.dims)) {}

    mnist_source in_c()
    {
        mnist_source c;
        mnist_source_init(&c, sizeof c);
        c.len = source_.len;
        c.rank = source_.dims.size();
        c.dims = source_.dims.data();
        c.target_len = source_.target_len;
        c.fetch = source_.fetch ? fetch : nullptr;
        c.user = this;
        c.identity = c_str(source_.identity, "source.identity");
        return c;
    }

    /// What was thrown on a thread of the library's, of batches that were asked for ahead; nothing is left behind.
    std::exception_ptr take_thrown()
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        return std::exchange(thrown_, nullptr);
    }

private:
    static std::int32_t fetch(void *self, const std::uint64_t *indices, std::size_t count, float *x, std::uint32_t *labels,
                              float *targets) noexcept
    {
        asked_source &from = *static_cast<asked_source *>(self);
        const auto ask = [&] {
            from.source_.fetch({indices, count}, {x, count * from.sample_}, {labels, labels ? count : 0},
                               {targets, targets ? count * from.source_.target_len : 0});
        };
        if (call_in_progress::current())
            return call_back(ask) ? 0 : 1;
        try {
            ask();
            return 0;
        } catch (...) {
            const std::lock_guard<std::mutex> lock(from.mutex_);
            from.thrown_ = std::current_exception();
            return 1;
        }
    }

    const source source_;
    const std::size_t sample_;
    std::mutex mutex_;
    std::exception_ptr thrown_;
};

} // namespace detail

/// Samples with their labels or targets.
class dataset : public detail::handle<mnist_dataset> {
public:
    /// Takes ownership of a C dataset.
    explicit dataset(mnist_dataset *taken) : handle(taken) {}

    static dataset from_npz(const path &path, const text &images, const text &labels)
    {
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_npz(path.c_str("path"), images.c_str("images"), labels.c_str("labels"), out, e);
        });
    }

    /// Images and labels from two archives.
    static dataset from_npz(const path &images_path, const text &images, const path &labels_path, const text &labels)
    {
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_npz_pair(images_path.c_str("images_path"), images.c_str("images"),
                                               labels_path.c_str("labels_path"), labels.c_str("labels"), out, e);
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
    static dataset from_csv(const path &path, const std::optional<text> &label_column)
    {
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_csv(path.c_str("path"), detail::c_str(label_column, "label_column"), out, e);
        });
    }

    /// Samples that a function gives when they are needed; the dataset and its slices share it.
    static dataset from_source(source from)
    {
        const auto asked = std::make_shared<detail::asked_source>(std::move(from));
        const mnist_source c = asked->in_c();
        dataset made = from_source(c);
        made.source_ = asked;
        return made;
    }

    /// Samples that a C function provides when they are needed; it must not throw.
    static dataset from_source(const mnist_source &source)
    {
        return make([&](mnist_dataset **out, mnist_error *e) { return mnist_dataset_from_source(&source, out, e); });
    }

    static dataset from_idx(const path &images, const path &labels)
    {
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_idx(images.c_str("images_path"), labels.c_str("labels_path"), out, e);
        });
    }

    /// Copies `pixels`, as many as the product of `dims` ([N, H, W] or [N, H, W, C]), and N labels.
    static dataset from_memory(const input_array<std::uint8_t> &pixels, const input_array<std::size_t> &dims,
                               const input_array<std::uint8_t> &labels)
    {
        check_sizes(pixels.size(), dims, labels.size());
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_u8(pixels.data(), dims.data(), dims.size(), labels.data(), out, e);
        });
    }

    static dataset from_memory(const input_array<float> &pixels, const input_array<std::size_t> &dims,
                               const input_array<std::uint8_t> &labels)
    {
        check_sizes(pixels.size(), dims, labels.size());
        return make([&](mnist_dataset **out, mnist_error *e) {
            return mnist_dataset_from_f32(pixels.data(), dims.data(), dims.size(), labels.data(), out, e);
        });
    }

    std::size_t size() const { return mnist_dataset_len(get()); }

    std::vector<std::size_t> shape() const
    {
        return detail::sizes([&](std::size_t *dims, std::size_t capacity) { return mnist_dataset_shape(get(), dims, capacity); });
    }

    mnist_dtype dtype() const { return mnist_dataset_dtype(get()); }

    dataset slice(std::size_t start, std::size_t len) const
    {
        dataset part = make([&](mnist_dataset **out, mnist_error *e) { return mnist_dataset_slice(get(), start, len, out, e); });
        part.source_ = source_;
        return part;
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
    dataset &reshape(const input_array<std::size_t> &dims)
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

    /// With as many deviations as means.
    dataset &standardize(const input_array<float> &mean, const input_array<float> &deviation)
    {
        if (mean.size() != deviation.size())
            throw error(MNIST_ERROR_SHAPE, "argument `deviation`: expected as many as means, " + std::to_string(mean.size())
                                               + ", found " + std::to_string(deviation.size()));
        detail::check([&](mnist_error *e) {
            return mnist_dataset_standardize(get(), mean.data(), deviation.data(), mean.size(), e);
        });
        return *this;
    }

    /// With the result of statistics(), usually of the training data.
    dataset &standardize(const std::pair<std::vector<float>, std::vector<float>> &statistics)
    {
        return standardize(statistics.first, statistics.second);
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
        labels(all);
        return all;
    }

    /// All labels into the caller's memory.
    void labels(array_view<std::uint32_t> into) const
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_labels(get(), into.data(), into.size(), e); });
    }

    /// The shape of one sample's target; empty if there are no targets.
    std::vector<std::size_t> target_shape() const
    {
        return detail::sizes([&](std::size_t *dims, std::size_t capacity) {
            return mnist_dataset_target_shape(get(), dims, capacity);
        });
    }

    /// All targets, [N, ...].
    std::vector<float> targets() const
    {
        std::vector<float> all(size() * detail::product(target_shape()));
        targets(all);
        return all;
    }

    void targets(array_view<float> into) const
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_targets(get(), into.data(), into.size(), e); });
    }

    /// How much each sample counts in the loss.
    std::vector<float> weights() const
    {
        std::vector<float> all(size());
        weights(all);
        return all;
    }

    void weights(array_view<float> into) const
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_weights(get(), into.data(), into.size(), e); });
    }

    /// Sample `i`, [H, W, C] with its scaling applied, and its label.
    std::pair<std::vector<float>, std::uint32_t> image(std::size_t i) const
    {
        std::vector<std::size_t> dims = shape();
        dims.front() = 1;
        std::pair<std::vector<float>, std::uint32_t> found{std::vector<float>(detail::product(dims)), 0};
        image(i, found.first, &found.second);
        return found;
    }

    /// Image `i` into the caller's memory, and its label where that is wanted.
    void image(std::size_t i, array_view<float> into, std::uint32_t *label = nullptr) const
    {
        detail::check([&](mnist_error *e) { return mnist_dataset_image(get(), i, into.data(), into.size(), label, e); });
    }

private:
    friend class model;

    template <typename Make> static dataset make(const Make &make) { return dataset(detail::made<mnist_dataset>(make)); }

    static void check_sizes(std::size_t pixels, const input_array<std::size_t> &dims, std::size_t labels)
    {
        if (!detail::has_sizes(pixels, dims))
            throw error(MNIST_ERROR_SHAPE, "argument `dims`: the product is not the number of pixels, " + std::to_string(pixels));
        if (labels != dims[0])
            throw error(MNIST_ERROR_SHAPE, "argument `labels`: expected " + std::to_string(dims[0]) + ", as many as images, found "
                                               + std::to_string(labels));
    }

    /// In a call with `prefetch`, what the source has thrown on the library's thread: kept when the call has failed.
    void take_thrown(bool failed) const
    {
        std::exception_ptr thrown = source_ ? source_->take_thrown() : nullptr;
        if (thrown && failed)
            detail::call_in_progress::current()->keep(std::move(thrown));
    }

    std::shared_ptr<detail::asked_source> source_; // what the C dataset asks
};

/// Converts the digit in a picture, grey levels [height, width], to the form of MNIST's images: [28, 28], 0 to 255 / divisor.
inline std::vector<float> prepare_image(const input_array<std::uint8_t> &grey, std::size_t height, std::size_t width,
                                        float divisor = 255)
{
    if (!detail::has_sizes(grey.size(), {height, width}))
        throw error(MNIST_ERROR_SHAPE, "argument `grey`: expected height x width pixels, found " + std::to_string(grey.size()));
    std::vector<float> pixels(28 * 28);
    detail::check([&](mnist_error *e) {
        return mnist_image_prepare(grey.data(), height, width, divisor, pixels.data(), pixels.size(), e);
    });
    return pixels;
}

/// MNIST's training and test data; without a path, from Keras's cache, downloaded if they are not there.
inline std::pair<dataset, dataset> load_data(const std::optional<path> &path = std::nullopt)
{
    mnist_dataset *train = nullptr, *test = nullptr;
    detail::check([&](mnist_error *e) { return mnist_load_data(detail::c_str(path, "path"), &train, &test, e); });
    return {dataset(train), dataset(test)};
}

/// The output of a layer; belongs to its graph, and can be copied. A failed call gives an empty one, a call on an empty one does
/// likewise, and model's constructor throws.
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
    tensor layer(const text &class_name, const text &config = "{}") const
    {
        return tensor(mnist_layer(tensor_, class_name.c_str("class_name"), config.c_str("config")));
    }

    /// The sizes without the batch; none for an empty tensor.
    std::vector<std::size_t> shape() const
    {
        return detail::sizes([&](std::size_t *dims, std::size_t capacity) { return mnist_tensor_shape(tensor_, dims, capacity); });
    }

    /// Whether there is a tensor.
    explicit operator bool() const noexcept { return tensor_ != nullptr; }

    /// The C tensor; NULL for an empty one.
    mnist_tensor *get() const noexcept { return tensor_; }

private:
    mnist_tensor *tensor_;
};

/// Any layer with several input tensors: merge({a, b, c}, "Average").
inline tensor merge(const input_array<tensor> &inputs, const text &class_name, const text &config = "{}")
{
    std::vector<mnist_tensor *> tensors;
    for (const tensor &input : inputs)
        tensors.push_back(input.get());
    return tensor(mnist_merge(tensors.data(), tensors.size(), class_name.c_str("class_name"), config.c_str("config")));
}

/// A network under construction.
class graph : public detail::handle<mnist_graph> {
public:
    graph() : handle(mnist_graph_new())
    {
        if (!*this)
            throw std::bad_alloc();
    }

    graph &seed(std::uint64_t seed)
    {
        mnist_graph_set_seed(get(), seed);
        return *this;
    }

    tensor input(std::size_t height, std::size_t width, std::size_t channels)
    {
        return tensor(mnist_input(get(), height, width, channels));
    }

    /// An input of 1 to 3 sizes, without the batch.
    tensor input(const input_array<std::size_t> &dims) { return tensor(mnist_input_shape(get(), dims.data(), dims.size())); }

    /// Throws the first error of a layer call.
    void check() const
    {
        detail::check([&](mnist_error *e) { return mnist_graph_check(get(), e); });
    }

    /// A network as Keras's model.to_json() writes it; sets `input` and `output`.
    static graph from_json(const text &json, tensor &input, tensor &output)
    {
        mnist_tensor *ends[2] = {};
        graph made(detail::made<mnist_graph>([&](mnist_graph **out, mnist_error *e) {
            return mnist_graph_from_json(json.c_str("json"), out, &ends[0], &ends[1], e);
        }));
        input = tensor(ends[0]);
        output = tensor(ends[1]);
        return made;
    }

private:
    explicit graph(mnist_graph *taken) : handle(taken) {}
};

/// The metrics of a fit's epochs.
class history : public detail::handle<mnist_history> {
public:
    /// Takes over a C history.
    explicit history(mnist_history *taken) : handle(taken) {}

    using handle::get;

    std::size_t epochs() const { return mnist_history_epochs(get()); }

    double get(const text &metric, std::size_t epoch) const
    {
        double value = 0;
        detail::check([&](mnist_error *e) { return mnist_history_get(get(), metric.c_str("metric"), epoch, &value, e); });
        return value;
    }

    /// The names of the metrics, "loss" first.
    std::vector<std::string> metrics() const
    {
        return detail::names(mnist_history_metrics_len(get()),
                             [&](std::size_t i) { return mnist_history_metric_name(get(), i); });
    }

    /// The reason why a callback of callbacks_config ended the fit; empty if none did.
    std::optional<std::string> stop_reason() const
    {
        const char *reason = mnist_history_stop_reason(get());
        return reason ? std::optional<std::string>(reason) : std::nullopt;
    }
};

/// How a model is to be trained; see mnist_compile_options.
struct compile_options {
    std::uint32_t optimizer = MNIST_OPTIMIZER_ADAM;
    double learning_rate = 0.001; // left so, it is the optimizer's default
    double beta_1 = 0.9;
    double beta_2 = 0.999;
    double epsilon = 1e-7;
    std::uint32_t loss = MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY;
    std::uint32_t metrics = MNIST_METRIC_ACCURACY;
    std::optional<text> optimizer_config = {}; // "{class_name: 'SGD', config: {learning_rate: 0.1}}"
    std::optional<text> loss_config = {};      // "'mse'"
    std::optional<text> metrics_config = {};   // "['accuracy', 'AUC']"
};

/// Defaults: Adam, sparse categorical crossentropy, accuracy.
inline compile_options default_compile_options() { return {}; }

/// Options of fit(): the C options, with callbacks as functions that return whether to continue.
struct fit_options {
    /// A function that is called during the fit; false stops the fit.
    using callback = std::function<bool(const progress &)>;

    std::size_t batch_size = 32;
    std::size_t epochs = 1;
    std::size_t initial_epoch = 0;
    bool shuffle = true;
    int verbose = 1;
    std::uint64_t seed = 0;
    double validation_split = 0;
    const dataset *validation_data = nullptr;
    writer write = {}; // empty: stdout
    callback on_batch_end = {};
    callback on_epoch_begin = {};
    callback on_epoch_end = {};
    std::optional<path> checkpoint_path = {}; // the file of the fit's state, written after each interval that is
    std::size_t checkpoint_batches = 0;       // not 0, and at the end
    std::size_t checkpoint_epochs = 0;
    double checkpoint_seconds = 0;
    bool resume = false; // resume from the file, if it exists
    bool terminate_on_nan = true;
    std::optional<text> callbacks_config = {}; // "[{class_name: 'EarlyStopping', config: {patience: 3}}]"
    std::vector<float> class_weight = {};      // empty: all classes count the same
    std::size_t validation_freq = 1;
    std::size_t steps_per_epoch = 0; // 0: one pass over the samples
    std::size_t prefetch = 0;        // batches of a source that are requested ahead
    const mnist_communicator *communicator = nullptr; // processes that train together, such as mnist_mpi.h's
};

struct evaluate_options {
    std::size_t batch_size = 32;
    int verbose = 0;
    writer write = {};                               // empty: stdout
    std::optional<history> *results = nullptr;       // receives all metrics, as one epoch
    std::vector<std::uint64_t> *confusion = nullptr; // receives [classes, classes], row = label, column = predicted class
};

/// Options of save_c().
struct c_options {
    std::uint32_t weights = MNIST_WEIGHT_FLOAT;
    bool caller_scratch = false; // the memory between the layers is a third argument
    text placement = {};         // attributes of the weight arrays
    text qualifier = {};         // of the weights' type, for an address space
};

/// The result of a fit.
struct fitted {
    mnist::history history;
    bool cancelled;       // by a callback or by model::cancel()
    std::string diverged; // where a loss or a weight became NaN or infinite; empty if none did
    std::string message;  // where and how it was stopped, or has diverged; empty when it went to its end
};

/// The result of a single step.
struct trained {
    mnist::metrics metrics; // measured before the step
    std::string diverged;   // where a value was NaN or infinite, so that the step was not taken; empty if none was
};

/// A network with its weights and training state.
class model : public detail::handle<mnist_model> {
public:
    model(const tensor &input, const tensor &output, const std::optional<text> &name = std::nullopt)
        : handle(detail::made<mnist_model>([&](mnist_model **out, mnist_error *e) {
              return mnist_model_new(input.get(), output.get(), detail::c_str(name, "name"), out, e);
          }))
    {
    }

    /// Takes ownership of a C model.
    explicit model(mnist_model *taken) : handle(taken) {}

    /// Loads the model from a file of save() or a fit's checkpoint.
    static model load(const path &path)
    {
        return make([&](mnist_model **out, mnist_error *e) { return mnist_model_load(path.c_str("path"), out, e); });
    }

    /// Loads the model from the bytes of such a file, which are not needed afterwards.
    static model load_memory(const void *data, std::size_t len)
    {
        return make([&](mnist_model **out, mnist_error *e) { return mnist_model_load_memory(data, len, out, e); });
    }

    /// The same of bytes in a std::vector, a std::string, a std::span, an array.
    template <typename Bytes> static model load_memory(const Bytes &bytes)
    {
        return load_memory(std::data(bytes), std::size(bytes) * sizeof *std::data(bytes));
    }

    /// The bytes that save() would write to a file.
    std::vector<unsigned char> save_memory() const { return saved(mnist_model_save_memory); }

    /// Writes the whole model: network, weights, compile options, optimizer state and the position of the fit.
    void save(const path &path) const
    {
        detail::check([&](mnist_error *e) { return mnist_model_save(get(), path.c_str("path"), e); });
    }

    /// Loads the model from an ONNX file; images with channels first become images with channels last.
    static model load_onnx(const path &path)
    {
        return make([&](mnist_model **out, mnist_error *e) { return mnist_model_load_onnx(path.c_str("path"), out, e); });
    }

    /// Writes the network and its weights as an ONNX file.
    void save_onnx(const path &path) const
    {
        detail::check([&](mnist_error *e) { return mnist_model_save_onnx(get(), path.c_str("path"), e); });
    }

    /// The bytes that save_onnx() would write to a file.
    std::vector<unsigned char> save_onnx_memory() const { return saved(mnist_model_save_onnx_memory); }

    /// Keras's table of the layers.
    std::string summary() const
    {
        return detail::written([&](mnist_write_fn write, void *to, mnist_error *e) {
            return mnist_model_summary(get(), write, to, e);
        });
    }

    std::size_t count_params() const { return mnist_model_count_params(get()); }

    /// The network as Keras's to_json() writes it.
    std::string config() const
    {
        return detail::written([&](mnist_write_fn write, void *to, mnist_error *e) {
            return mnist_model_config(get(), write, to, e);
        });
    }

    /// The layers' names, from the input on.
    std::vector<std::string> layer_names() const
    {
        return detail::names(mnist_model_layers_len(get()), [&](std::size_t i) { return mnist_model_layer_name(get(), i); });
    }

    /// Keras's class of layer `i`.
    std::string layer_class(std::size_t i) const
    {
        const char *name = mnist_model_layer_class(get(), i);
        return name ? name : "";
    }

    /// The output shape of a layer, without the batch.
    std::vector<std::size_t> layer_shape(const text &layer) const
    {
        return detail::sizes_or_throw([&](std::size_t *dims, std::size_t capacity, std::size_t *rank, mnist_error *e) {
            return mnist_model_layer_shape(get(), layer.c_str("layer"), dims, capacity, rank, e);
        });
    }

    /// The output of a layer for samples, concatenated.
    std::vector<float> predict_layer(const text &layer, const input_array<float> &images) const
    {
        std::vector<float> values(count_of(images) * detail::product(layer_shape(layer)));
        predict_layer(layer, images, values);
        return values;
    }

    std::vector<float> predict_layer(const text &layer, const float *images, std::size_t len) const
    {
        return predict_layer(layer, {images, len});
    }

    /// The same into the caller's memory.
    void predict_layer(const text &layer, const input_array<float> &images, array_view<float> into) const
    {
        const std::size_t count = count_of(images);
        detail::check([&](mnist_error *e) {
            return mnist_model_predict_layer(get(), layer.c_str("layer"), images.data(), count, into.data(), into.size(), e);
        });
    }

    /// Freezes or unfreezes a layer; without a layer, all of them.
    void set_trainable(bool trainable, const std::optional<text> &layer = std::nullopt)
    {
        detail::check([&](mnist_error *e) {
            return mnist_model_set_trainable(get(), detail::c_str(layer, "layer"), trainable, e);
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

    void compile(const compile_options &options = {})
    {
        mnist_compile_options c;
        mnist_compile_options_init(&c, sizeof c);
        c.optimizer = options.optimizer;
        c.learning_rate = options.learning_rate;
        c.beta_1 = options.beta_1;
        c.beta_2 = options.beta_2;
        c.epsilon = options.epsilon;
        c.loss = options.loss;
        c.metrics = options.metrics;
        c.optimizer_config = detail::c_str(options.optimizer_config, "options.optimizer_config");
        c.loss_config = detail::c_str(options.loss_config, "options.loss_config");
        c.metrics_config = detail::c_str(options.metrics_config, "options.metrics_config");
        detail::check([&](mnist_error *e) { return mnist_model_compile(get(), &c, e); });
    }

    fitted fit(const dataset &data, const fit_options &options = {})
    {
        const mnist_fit_options c = converted(options);
        std::optional<mnist::history> done;
        std::string message;
        const mnist_status status = detail::check(
            [&](mnist_error *e) {
                mnist_history *made = nullptr;
                const mnist_status came_to = mnist_model_fit(get(), data.get(), &c, &made, e);
                done.emplace(made);
                data.take_thrown(came_to < 0);
                if (options.validation_data)
                    options.validation_data->take_thrown(came_to < 0);
                return came_to;
            },
            &message);
        return {std::move(*done), status == MNIST_CANCELLED, status == MNIST_DIVERGED ? message : std::string(), message};
    }

    /// Takes one optimizer step on all of the data as one batch.
    trained train_on_batch(const dataset &data)
    {
        trained done{};
        detail::check([&](mnist_error *e) { return mnist_model_train_on_batch(get(), data.get(), &done.metrics, e); },
                      &done.diverged);
        return done;
    }

    mnist::metrics evaluate(const dataset &data, const evaluate_options &options = {}) const
    {
        mnist_evaluate_options c;
        mnist_evaluate_options_init(&c, sizeof c);
        c.batch_size = options.batch_size;
        c.verbose = options.verbose;
        c.write = options.write ? detail::write_to : nullptr;
        c.write_data = detail::pointer_to(options.write);
        std::vector<std::uint64_t> counts(options.confusion ? output_len() * output_len() : 0);
        c.confusion = options.confusion ? counts.data() : nullptr;
        c.confusion_capacity = counts.size();
        mnist::metrics found{};
        std::optional<history> results;
        detail::check([&](mnist_error *e) {
            mnist_history *made = nullptr;
            c.results = options.results ? &made : nullptr;
            const mnist_status came_to = mnist_model_evaluate(get(), data.get(), &c, &found, e);
            results.emplace(made);
            return came_to;
        });
        if (options.results)
            *options.results = std::move(results);
        if (options.confusion)
            *options.confusion = std::move(counts);
        return found;
    }

    std::vector<std::size_t> input_shape() const
    {
        return detail::sizes([&](std::size_t *dims, std::size_t capacity) {
            return mnist_model_input_shape(get(), dims, capacity);
        });
    }

    /// The number of floats that the model gives for a sample: the classes.
    std::size_t output_len() const { return mnist_model_output_len(get()); }

    /// The output for images [count, H, W, C]: [count, classes].
    std::vector<float> predict(const input_array<float> &images) const
    {
        std::vector<float> out(count_of(images) * output_len());
        predict(images, out);
        return out;
    }

    /// Of `len` floats, which are as many as count images have.
    std::vector<float> predict(const float *images, std::size_t len) const
    {
        return predict(input_array<float>(images, len));
    }

    /// The output for all samples of a dataset: [N, classes].
    std::vector<float> predict(const dataset &data) const
    {
        std::vector<float> out(data.size() * output_len());
        predict(data, out);
        return out;
    }

    /// Into the caller's memory, which has room for [count, classes] or more.
    void predict(const input_array<float> &images, array_view<float> into) const
    {
        const std::size_t count = count_of(images);
        detail::check([&](mnist_error *e) {
            return mnist_model_predict(get(), images.data(), count, into.data(), into.size(), e);
        });
    }

    void predict(const float *images, std::size_t len, float *into, std::size_t capacity) const
    {
        predict(input_array<float>(images, len), {into, capacity});
    }

    void predict(const dataset &data, array_view<float> into) const
    {
        detail::check([&](mnist_error *e) {
            return mnist_model_predict_dataset(get(), data.get(), into.data(), into.size(), e);
        });
    }

    /// Stops a fit after its step; from another thread, a callback, a signal handler.
    void cancel() const { mnist_model_cancel(get()); }

    /// The names of the weight arrays, as in a weights file: "conv2d/kernel".
    std::vector<std::string> weight_names() const
    {
        return detail::names(mnist_model_weights_len(get()), [&](std::size_t i) { return mnist_model_weight_name(get(), i); });
    }

    std::vector<std::size_t> weight_shape(const text &name) const
    {
        return detail::sizes_or_throw([&](std::size_t *dims, std::size_t capacity, std::size_t *rank, mnist_error *e) {
            return mnist_model_weight_shape(get(), name.c_str("name"), dims, capacity, rank, e);
        });
    }

    /// The values of a weight array, row-major.
    std::vector<float> get_weight(const text &name) const
    {
        std::vector<float> values(detail::product(weight_shape(name)));
        get_weight(name, values);
        return values;
    }

    /// The same into the caller's memory.
    void get_weight(const text &name, array_view<float> into) const
    {
        detail::check([&](mnist_error *e) {
            return mnist_model_get_weight(get(), name.c_str("name"), into.data(), into.size(), e);
        });
    }

    void get_weight(const text &name, float *into, std::size_t capacity) const { get_weight(name, {into, capacity}); }

    void set_weight(const text &name, const input_array<float> &values)
    {
        detail::check([&](mnist_error *e) {
            return mnist_model_set_weight(get(), name.c_str("name"), values.data(), values.size(), e);
        });
    }

    void set_weight(const text &name, const float *values, std::size_t len) { set_weight(name, {values, len}); }

    void save_weights(const path &path) const
    {
        detail::check([&](mnist_error *e) { return mnist_model_save_weights(get(), path.c_str("path"), e); });
    }

    /// Writes the whole model as a `.keras` file, which Keras 3 loads and continues to train.
    void save_keras(const path &path) const
    {
        detail::check([&](mnist_error *e) { return mnist_model_save_keras(get(), path.c_str("path"), e); });
    }

    /// The bytes that save_keras() would write to a file.
    std::vector<unsigned char> save_keras_memory() const { return saved(mnist_model_save_keras_memory); }

    void load_weights(const path &path)
    {
        detail::check([&](mnist_error *e) { return mnist_model_load_weights(get(), path.c_str("path"), e); });
    }

    /// Loads the weights of a PyTorch state_dict, with names assigned by `map`, in JSON5.
    void load_weights_mapped(const path &path, const text &map)
    {
        detail::check([&](mnist_error *e) {
            return mnist_model_load_weights_mapped(get(), path.c_str("path"), map.c_str("map"), e);
        });
    }

    /// Loads weights from the bytes of a file for load_weights(), which are not needed afterwards.
    void load_weights_memory(const void *data, std::size_t len)
    {
        detail::check([&](mnist_error *e) { return mnist_model_load_weights_memory(get(), data, len, e); });
    }

    /// The same of bytes in a std::vector, a std::string, a std::span, an array.
    template <typename Bytes> void load_weights_memory(const Bytes &bytes)
    {
        load_weights_memory(std::data(bytes), std::size(bytes) * sizeof *std::data(bytes));
    }

    /// The bytes that save_weights() would write to a file.
    std::vector<unsigned char> save_weights_memory() const { return saved(mnist_model_save_weights_memory); }

    /// Writes the model as one C file that predicts; its names begin with `prefix`.
    void save_c(const path &path, const text &prefix, const c_options &options = {}) const
    {
        const mnist_c_options c = converted(options);
        detail::check([&](mnist_error *e) {
            return mnist_model_save_c_with(get(), path.c_str("path"), prefix.c_str("prefix"), &c, e);
        });
    }

    /// The bytes that save_c() would write to a file.
    std::vector<unsigned char> save_c_memory(const text &prefix, const c_options &options = {}) const
    {
        const mnist_c_options c = converted(options);
        return saved([&](const mnist_model *of, void *buffer, std::size_t capacity, std::size_t *needed, mnist_error *e) {
            return mnist_model_save_c_memory(of, prefix.c_str("prefix"), &c, buffer, capacity, needed, e);
        });
    }

private:
    template <typename Make> static model make(const Make &make) { return model(detail::made<mnist_model>(make)); }

    /// The strings belong to `options` and live as long.
    static mnist_c_options converted(const c_options &options)
    {
        mnist_c_options c;
        mnist_c_options_init(&c, sizeof c);
        c.weights = options.weights;
        c.caller_scratch = options.caller_scratch ? 1 : 0;
        c.placement = options.placement.c_str("options.placement");
        c.qualifier = options.qualifier.c_str("options.qualifier");
        return c;
    }

    /// The texts, functions and numbers are those of `options`, and live as long.
    static mnist_fit_options converted(const fit_options &options)
    {
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
        c.write = options.write ? detail::write_to : nullptr;
        c.write_data = detail::pointer_to(options.write);
        // Each is there also when the caller has none, to end the fit when a writer has thrown.
        c.on_batch_end = [](void *of, const mnist_progress *p) { return call(options_of(of).on_batch_end, *p); };
        c.on_epoch_begin = [](void *of, const mnist_progress *p) { return call(options_of(of).on_epoch_begin, *p); };
        c.on_epoch_end = [](void *of, const mnist_progress *p) { return call(options_of(of).on_epoch_end, *p); };
        c.user_data = detail::pointer_to(options);
        c.checkpoint_path = detail::c_str(options.checkpoint_path, "options.checkpoint_path");
        c.checkpoint_batches = options.checkpoint_batches;
        c.checkpoint_epochs = options.checkpoint_epochs;
        c.checkpoint_seconds = options.checkpoint_seconds;
        c.resume = options.resume;
        c.terminate_on_nan = options.terminate_on_nan;
        c.callbacks_config = detail::c_str(options.callbacks_config, "options.callbacks_config");
        c.class_weight = options.class_weight.empty() ? nullptr : options.class_weight.data();
        c.class_weight_len = options.class_weight.size();
        c.validation_freq = options.validation_freq;
        c.steps_per_epoch = options.steps_per_epoch;
        c.prefetch = options.prefetch;
        c.communicator = options.communicator;
        return c;
    }

    static const fit_options &options_of(void *user_data) noexcept { return *static_cast<const fit_options *>(user_data); }

    /// What C is told of a callback: whether to stop.
    static std::int32_t call(const fit_options::callback &callback, const progress &p) noexcept
    {
        bool goes_on = true;
        const bool went_well = detail::call_back([&] { goes_on = !callback || callback(p); });
        return went_well && goes_on ? 0 : 1;
    }

    /// Everything that one of the functions writes to memory; during a fit it may grow between two calls.
    template <typename Write> std::vector<unsigned char> saved(const Write &write) const
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
    std::size_t count_of(const input_array<float> &images) const
    {
        const std::size_t len = detail::product(input_shape());
        if (images.size() % len != 0)
            throw error(MNIST_ERROR_SHAPE, "argument `images`: not a whole number of images: expected a multiple of "
                                               + std::to_string(len) + " floats, found " + std::to_string(images.size()));
        return images.size() / len;
    }
};

} // namespace mnist

#endif // MNIST_HPP
