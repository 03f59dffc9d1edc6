// What the C++ tests share: conditions that must hold, and calls that must throw.

#ifndef EXPECT_HPP
#define EXPECT_HPP

#include <mnist.hpp>

#include <cstdio>
#include <string>

static int checks, failures;

#define TRUE(condition) expect_true(__LINE__, #condition, condition)

static inline void expect_true(int line, const char *what, bool is)
{
    checks++;
    if (!is) {
        failures++;
        std::fprintf(stderr, "line %d: not so: %s\n", line, what);
    }
}

/// What a call comes to; of a failure the message has to have `needle` in it.
template <typename Call> mnist_status status_of(Call &&call, const std::string &needle = "")
{
    try {
        call();
    } catch (const mnist::error &e) {
        const std::string what = e.what();
        if (what.size() <= 10 || what.find(needle) == std::string::npos) {
            failures++;
            std::fprintf(stderr, "wanted: %s\nfound: %s\n", needle.c_str(), e.what());
        }
        return e.status();
    }
    return MNIST_OK;
}

/// 60 images [8, 8, 1] of three classes.
static inline mnist::dataset some_data()
{
    std::vector<std::uint8_t> pixels(60 * 64), labels(60);
    for (std::size_t i = 0; i < pixels.size(); i++)
        pixels[i] = static_cast<std::uint8_t>(i * i % 251);
    for (std::size_t i = 0; i < labels.size(); i++)
        labels[i] = static_cast<std::uint8_t>(i % 3);
    auto made = mnist::dataset::from_memory(pixels, {60, 8, 8}, labels);
    made.normalize(255).expand_dims();
    return made;
}

static inline mnist::model some_network(std::uint64_t seed = 7)
{
    mnist::graph graph;
    const auto input = graph.seed(seed).input(8, 8, 1);
    return mnist::model(input, input.conv2d(4, 3, mnist::relu).flatten().dense(3, mnist::softmax), "small");
}

/// The program's end: says how many checks there were, and fails if one did.
static inline int report()
{
    std::printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}

#endif
