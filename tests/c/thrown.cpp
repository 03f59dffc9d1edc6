// What callbacks, writers and sources throw stops the call that they were called from, and comes out of it; the library, its
// objects and the next call are none the worse.

#include "expect.hpp"

#include <thread>

static const mnist::dataset train = some_data();

static mnist::fit_options quiet()
{
    mnist::fit_options options;
    options.verbose = 0;
    options.batch_size = 10;
    return options;
}

/// What a call throws, as text: "mine: ..." of a std::runtime_error, "number ..." of an int, "library: ..." of a mnist::error.
template <typename Call> std::string thrown_by(const Call &call)
{
    try {
        call();
    } catch (const mnist::error &e) {
        return std::string("library: ") + e.what();
    } catch (const std::exception &e) {
        return std::string("mine: ") + e.what();
    } catch (int number) {
        return "number " + std::to_string(number);
    }
    return "";
}

static void callbacks()
{
    mnist::model model = some_network();
    model.compile();
    const auto throws = [](const mnist::progress &) -> bool { throw std::runtime_error("enough"); };
    mnist::fit_options batch = quiet(), begin = quiet(), end = quiet();
    batch.on_batch_end = throws;
    begin.on_epoch_begin = throws;
    end.on_epoch_end = throws;
    for (const mnist::fit_options &options : {batch, begin, end})
        TRUE(thrown_by([&] { model.fit(train, options); }) == "mine: enough");

    // The step that was taken stays; nothing is called again; the first exception is what comes.
    mnist::model same = some_network();
    same.compile();
    int called = 0;
    batch.epochs = end.epochs = 3;
    batch.on_batch_end = [&](const mnist::progress &p) -> bool {
        called++;
        if (p.batch == 2)
            throw 42;
        return true;
    };
    batch.on_epoch_end = throws;
    TRUE(thrown_by([&] { same.fit(train, batch); }) == "number 42" && called == 3);
    TRUE(same.predict(train) != some_network().predict(train));
    const mnist::fitted fitted = same.fit(train, quiet());
    TRUE(!fitted.cancelled && fitted.message.empty() && fitted.history.epochs() == 1);

    // A callback may make calls of its own, and they may fail.
    int failed = 0;
    mnist::fit_options options = quiet();
    options.on_batch_end = [&](const mnist::progress &p) {
        failed += status_of([&] { model.predict({1, 2, 3}); }) == MNIST_ERROR_SHAPE;
        failed += status_of([&] { mnist::get(p, "auc"); }) == MNIST_ERROR_NOT_FOUND;
        failed += status_of([&] { model.fit(train, quiet()); }) == MNIST_ERROR_BUSY;
        return mnist::get(p, "loss") > 0;
    };
    TRUE(!model.fit(train, options).cancelled && failed == 3 * 6);
    options.on_batch_end = [&](const mnist::progress &) { return model.predict({1, 2, 3}).empty(); };
    TRUE(thrown_by([&] { model.fit(train, options); }).find("library: argument `images`: ") == 0);

    // What it says when it is stopped without an exception.
    options.on_batch_end = [](const mnist::progress &p) { return p.batch < 3; };
    const mnist::fitted stopped = model.fit(train, options);
    TRUE(stopped.cancelled && stopped.diverged.empty());
    TRUE(stopped.message == "epoch 1: after step 4 of 6: the fit was stopped by on_batch_end");
}

static void writers()
{
    mnist::model model = some_network();
    model.compile();
    int pieces = 0, epochs = 0;
    mnist::fit_options fit;
    fit.write = [&](const std::string &) {
        pieces++;
        throw std::runtime_error("full");
    };
    fit.on_epoch_end = [&](const mnist::progress &) { return ++epochs > 0; };
    TRUE(thrown_by([&] { model.fit(train, fit); }) == "mine: full" && pieces == 1 && epochs == 0);
    // A call that fails before it writes has its own failure to tell.
    fit.checkpoint_path = "no such folder/checkpoint";
    TRUE(thrown_by([&] { model.fit(train, fit); }).find("library: no such folder/checkpoint") == 0 && pieces == 1);
    mnist::evaluate_options evaluate;
    std::optional<mnist::history> results;
    std::vector<std::uint64_t> confusion{7};
    evaluate.verbose = 1;
    evaluate.write = fit.write;
    evaluate.results = &results;
    evaluate.confusion = &confusion;
    TRUE(thrown_by([&] { model.evaluate(train, evaluate); }) == "mine: full" && pieces == 2);
    TRUE(!results && confusion.size() == 1);
    evaluate.write = [](const std::string &) {};
    model.evaluate(train, evaluate);
    TRUE(results && confusion.size() == 9);
}

static thread_local std::string here = "?"; // tells threads apart

/// Samples [4], class i % 3; sample `bad` throws `why`, or, when that is empty, on which thread it was.
static mnist::dataset samples(std::size_t len, std::uint64_t bad, const std::string &why)
{
    mnist::source source;
    source.len = len;
    source.dims = {4};
    source.identity = "samples";
    source.fetch = [=](const mnist::input_array<std::uint64_t> &indices, mnist::array_view<float> x,
                       mnist::array_view<std::uint32_t> labels, mnist::array_view<float> targets) {
        if (x.size() != 4 * indices.size() || labels.size() != indices.size() || !targets.empty())
            throw std::logic_error("another size");
        for (std::size_t i = 0; i < indices.size(); i++) {
            if (indices[i] == bad)
                throw std::runtime_error(why.empty() ? here : why);
            for (std::size_t j = 0; j < 4; j++)
                x[4 * i + j] = static_cast<float>((indices[i] + j) % 3);
            labels[i] = static_cast<std::uint32_t>(indices[i] % 3);
        }
    };
    return mnist::dataset::from_source(source);
}

static mnist::model dense()
{
    mnist::graph graph;
    const auto input = graph.input({4});
    mnist::model model(input, input.dense(3, mnist::softmax));
    model.compile();
    return model;
}

static void sources()
{
    const std::uint64_t none = 1000;
    mnist::model model = dense();
    mnist::fit_options options = quiet();
    for (const std::size_t prefetch : {0, 1, 5}) {
        options.prefetch = prefetch;
        TRUE(!model.fit(samples(60, none, ""), options).cancelled);
        TRUE(thrown_by([&] { model.fit(samples(60, 33, "no sample 33"), options); }) == "mine: no sample 33");
        const mnist::dataset good = samples(60, none, ""), bad = samples(20, 7, "no validation");
        options.validation_data = &bad;
        TRUE(thrown_by([&] { model.fit(good, options); }) == "mine: no validation");
        options.validation_data = nullptr;
        // Another failure is told as such.
        options.checkpoint_path = "no such folder/checkpoint";
        TRUE(thrown_by([&] { model.fit(bad, options); }).find("library: no such folder/") == 0);
        options.checkpoint_path.reset();
        options.on_batch_end = [](const mnist::progress &) { return false; };
        TRUE(model.fit(samples(60, none, ""), options).cancelled);
        options.on_batch_end = nullptr;
    }
    mnist::dataset bad = samples(20, 7, "no sample 7");
    const mnist::dataset part = bad.slice(5, 5), sound = bad.slice(8, 12);
    const auto says = [](const auto &call) { return thrown_by(call) == "mine: no sample 7"; };
    std::vector<float> out(60);
    TRUE(says([&] { model.evaluate(bad); }) && says([&] { model.predict(bad); }) && says([&] { model.predict(bad, out); }));
    TRUE(says([&] { model.train_on_batch(bad); }) && says([&] { bad.statistics(); }) && says([&] { bad.image(7); }));
    TRUE(says([&] { model.evaluate(part); }) && says([&] { part.image(2); }) && bad.image(8).second == 2);
    TRUE(model.evaluate(sound).loss > 0 && model.predict(sound).size() == 36);

    // A slice keeps its source.
    std::optional<mnist::dataset> all = samples(20, 7, "no sample 7");
    const mnist::dataset rest = all->slice(0, 10);
    all.reset();
    TRUE(says([&] { model.predict(rest); }));

    // Of calls at once each has its own.
    const mnist::dataset shared = samples(60, 59, "");
    std::vector<std::thread> threads;
    std::string results[8];
    for (int i = 0; i < 8; i++)
        threads.emplace_back([&, i] {
            here = "thread " + std::to_string(i);
            results[i] = "well";
            for (int round = 0; round < 20; round++) {
                const std::string thrown = thrown_by([&] { model.evaluate(shared); });
                if (thrown != "mine: " + here)
                    results[i] = thrown;
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    for (const std::string &result : results)
        TRUE(result == "well");

    TRUE(status_of([] { mnist::dataset::from_source(mnist::source{}); }) < 0);
    mnist::source nothing;
    nothing.len = 1;
    nothing.dims = {4};
    TRUE(status_of([&] { mnist::dataset::from_source(nothing); }, "`fetch`") == MNIST_ERROR_INVALID_ARGUMENT);
}

int main()
{
    callbacks();
    writers();
    sources();
    return report();
}
