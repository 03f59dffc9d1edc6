// The C++ layer for the functions that programs around the library use: weights by name, the confusion matrix, pictures.

#include "expect.hpp"

static void weights_by_name()
{
    const mnist::model model = some_network(7);
    mnist::model other = some_network(8);
    const std::vector<float> image(64, 0.5f);
    TRUE((model.weight_names() == std::vector<std::string>{"conv2d/kernel", "conv2d/bias", "dense/kernel", "dense/bias"}));
    TRUE((model.weight_shape("conv2d/kernel") == std::vector<std::size_t>{3, 3, 1, 4}));
    TRUE(model.get_weight("dense/kernel").size() == 36 * 4 * 3 && model.predict(image) != other.predict(image));
    for (const auto &name : model.weight_names())
        other.set_weight(name, model.get_weight(name));
    TRUE(model.predict(image) == other.predict(image));
    TRUE(status_of([&] { model.get_weight("dense"); }) == MNIST_ERROR_NOT_FOUND);
    TRUE(status_of([&] { other.set_weight("dense/bias", {1, 2}); }) == MNIST_ERROR_SHAPE);
}

static void confusion_matrix()
{
    std::vector<std::uint8_t> pixels(60 * 64), labels(60);
    for (std::size_t i = 0; i < pixels.size(); i++)
        pixels[i] = static_cast<std::uint8_t>(i * i % 251);
    for (std::size_t i = 0; i < labels.size(); i++)
        labels[i] = i % 3;
    const auto data = mnist::dataset::from_memory(pixels, {60, 8, 8}, labels);
    const mnist::model model = some_network(7);
    std::vector<std::uint64_t> counts{1};
    mnist::evaluate_options options;
    options.confusion = &counts;
    const double accuracy = model.evaluate(data, options).accuracy;
    TRUE(counts.size() == 9 && counts[0] + counts[1] + counts[2] == 20);
    TRUE(static_cast<double>(counts[0] + counts[4] + counts[8]) / 60 == accuracy);
    auto rows = mnist::dataset::from_memory(pixels, {60, 8, 8}, labels);
    TRUE((rows.reshape({64}).shape() == std::vector<std::size_t>{60, 64} && rows.image(3) == data.image(3)));
    TRUE((rows.reshape({4, 8, 2}).shape() == std::vector<std::size_t>{60, 4, 8, 2}));
    TRUE(status_of([&] { rows.reshape({63}); }) == MNIST_ERROR_SHAPE);
    const std::vector<double> numbers{0.5, -1, 2, 3, 4, 5};
    const std::vector<std::int64_t> classes{2, 0, 1};
    const std::size_t dims[2] = {3, 2};
    const mnist_array x{numbers.data(), MNIST_DTYPE_F64, 2, dims}, y{classes.data(), MNIST_DTYPE_I64, 1, dims};
    const mnist::dataset table = mnist::dataset::from_arrays(x, y);
    TRUE((table.size() == 3 && table.shape() == std::vector<std::size_t>{3, 2} &&
          table.image(1) == std::make_pair(std::vector<float>{2, 3}, 0u)));
    TRUE(status_of([&] { mnist::dataset::from_arrays(y, y); }) == MNIST_ERROR_SHAPE);
    TRUE(status_of([] { mnist::dataset::from_npz("none.npz", "arr_0", "none.npz", "arr_0"); }) == MNIST_ERROR_NOT_FOUND);
    options.batch_size = 0;
    counts = {5};
    TRUE(status_of([&] { model.evaluate(data, options); }) == MNIST_ERROR_INVALID_ARGUMENT && counts.size() == 1);
}

static void pictures()
{
    std::vector<std::uint8_t> grey(50 * 40, 230);
    for (std::size_t y = 10; y < 30; y++)
        grey[y * 40 + 7] = 20;
    const auto pixels = mnist::prepare_image(grey, 50, 40);
    TRUE(pixels.size() == 28 * 28 && pixels[14 * 28 + 14] == 1 && pixels[14 * 28 + 15] == 0);
    TRUE(mnist::prepare_image(grey, 50, 40, 1)[14 * 28 + 14] == 255);
    TRUE(status_of([&] { mnist::prepare_image(grey, 50, 41); }) == MNIST_ERROR_SHAPE);
    TRUE(status_of([&] { mnist::prepare_image({}, 0, 0); }) == MNIST_ERROR_SHAPE);
    TRUE(status_of([&] { mnist::prepare_image({5, 5}, 2, 1); }) == MNIST_ERROR_INVALID_ARGUMENT);
}

int main()
{
    weights_by_name();
    pictures();
    confusion_matrix();
    return report();
}
