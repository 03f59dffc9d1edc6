// The same as client.c, in C++; it must print the same line.

#include <mnist.hpp>

#include "images.h"

#include <cstdio>
#include <exception>
#include <vector>

int main(int argc, char **argv)
try {
    if (argc != 2 || mnist::version() != argv[1])
        throw std::runtime_error("version: found " + mnist::version());
    draw();
    auto data = mnist::dataset::from_memory(std::vector<std::uint8_t>(pixels, pixels + sizeof pixels), {COUNT, SIDE, SIDE},
                                            std::vector<std::uint8_t>(labels, labels + sizeof labels));
    data.normalize(255.0f);
    mnist::graph graph;
    const auto input = graph.input(SIDE, SIDE, 1);
    mnist::model model(input, input.conv2d(8, 3, mnist::relu).flatten().dense(CLASSES, mnist::softmax));
    model.compile();
    mnist::fit_options options;
    options.epochs = 5;
    options.verbose = 0;
    const auto before = model.evaluate(data);
    model.fit(data, options);
    const auto after = model.evaluate(data);
    std::printf("loss %.17g -> %.17g, accuracy %g\n", before.loss, after.loss, after.accuracy);
    return !(after.loss < before.loss / 2 && after.accuracy > 0.95);
} catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
