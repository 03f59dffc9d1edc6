// Objects of the C++ layer that were moved from: empty until something is moved in again. tests/cpp.rs writes the calls, of
// every function of every object, and of every function that takes one.
//
//     empty ARCHIVE

#include "expect.hpp"

static const char *archive; // an npz file

template <typename T> T made();

template <> mnist::npz made<mnist::npz>() { return mnist::npz(archive); }
template <> mnist::dataset made<mnist::dataset>() { return some_data(); }
template <> mnist::graph made<mnist::graph>() { return {}; }
template <> mnist::model made<mnist::model>()
{
    mnist::model model = some_network();
    model.compile();
    return model;
}
template <> mnist::history made<mnist::history>()
{
    mnist::fit_options options;
    options.verbose = 0;
    return made<mnist::model>().fit(some_data(), options).history;
}

/// A struct with a field that is something else.
template <typename Struct, typename Field, typename Value> Struct with(Struct made, Field Struct::*field, const Value &value)
{
    made.*field = value;
    return made;
}

/// What each function is tried with, beside what is empty.
static std::vector<float> floats(64, 0.5f);
static std::vector<std::uint32_t> labels(60);
static std::vector<std::size_t> sizes{8, 8};
static std::vector<unsigned char> bytes(100);

template <typename T, typename Call> void is_empty(const char *name, const char *what, const Call &call)
{
    T object = made<T>();
    const T taken = std::move(object);
    const std::string expected = std::string("mnist::") + name + ": is empty: ";
    checks++;
    try {
        call(object);
        std::fprintf(stderr, "%s: did not throw\n", what);
        failures++;
    } catch (const mnist::error &e) {
        if (e.status() != MNIST_ERROR_INVALID_ARGUMENT || std::string(e.what()).find(expected) != 0) {
            std::fprintf(stderr, "%s: %s: %s\n", what, e.status_name(), e.what());
            failures++;
        }
    }
    TRUE(!object && taken);
}

#define IS_EMPTY(type, what, call) is_empty<mnist::type>(#type, what, [&](mnist::type &empty) { static_cast<void>(call); })

static auto &good_dataset = *new mnist::dataset(some_data());
static auto &good_model = *new mnist::model(made<mnist::model>());

#include "generated.hpp" // call_all()

/// Moving from, to, and swapping.
template <typename T> void moves()
{
    T a = made<T>(), b = made<T>();
    auto *const first = a.get(), *const second = b.get();
    TRUE(a && b && first != second);
    T &same = a;
    a = std::move(same);
    TRUE(a && a.get() == first);
    std::swap(a, b);
    TRUE(a.get() == second && b.get() == first);
    a = std::move(b);
    TRUE(a.get() == first && !b);
    b = made<T>(); // alive again
    TRUE(b && b.get() != first);
    T c = std::move(a), d = std::move(a);
    TRUE(c && c.get() == first && !d && !a);
    std::swap(a, d); // two that are empty
    TRUE(!a && !d);
    a = std::move(d);
    TRUE(!a);
    static_assert(!std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>);
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T>);
}

/// A tensor is its graph's: it is copied, and a move is a copy.
static void tensors()
{
    mnist::graph graph;
    mnist::tensor a = graph.input(8, 8, 1), b = std::move(a);
    TRUE(a && b && a.get() == b.get() && a.shape() == b.shape());
    const mnist::tensor none;
    TRUE(!none && none.shape().empty() && !none.dense(3) && !none.add(a) && !a.add(none) && !none.layer("ReLU"));
    TRUE(!mnist::merge({a, none}, "Add"));
    TRUE(status_of([&] { mnist::model(none, none); }, "`input`") == MNIST_ERROR_INVALID_ARGUMENT);
    TRUE(status_of([&] { mnist::model(a, none); }) == MNIST_ERROR_INVALID_ARGUMENT);
}

/// A fitted's history is moved out of it; a model that took over NULL is as one that was moved from.
static void others()
{
    mnist::fit_options options;
    options.verbose = 0;
    mnist::fitted fitted = good_model.fit(good_dataset, options);
    const mnist::history history = std::move(fitted.history);
    TRUE(history.epochs() == 1 && !fitted.history);
    TRUE(status_of([&] { fitted.history.epochs(); }, "mnist::history: is empty") == MNIST_ERROR_INVALID_ARGUMENT);
    const mnist::model null(nullptr);
    TRUE(!null && status_of([&] { null.predict(floats); }, "mnist::model: is empty") == MNIST_ERROR_INVALID_ARGUMENT);
}

int main(int, char **argv)
{
    archive = argv[1];
    call_all();
    moves<mnist::npz>();
    moves<mnist::dataset>();
    moves<mnist::graph>();
    moves<mnist::model>();
    moves<mnist::history>();
    tensors();
    others();
    delete &good_dataset;
    delete &good_model;
    return report();
}
