// Arrays, texts, paths and options in every form that the C++ layer takes, as C++17 and as C++20.
//
//     forms FOLDER

#include "expect.hpp"

#include <array>
#include <filesystem>
#include <list>
#if __has_include(<span>) && __cplusplus >= 202002L
#include <span>
#define CPP20 1
#else
#define CPP20 0
#endif

static const mnist::dataset train = some_data();

/// Arrays that are read: what each form of an image comes to.
static void read()
{
    const mnist::model model = some_network();
    const std::vector<float> image = train.image(5).first;
    const std::vector<float> expected = model.predict(image);
    std::array<float, 64> array;
    float plain[64];
    std::copy(image.begin(), image.end(), array.begin());
    std::copy(image.begin(), image.end(), plain);
    const float *const pointer = image.data();
    const std::list<float> list(image.begin(), image.end());
    TRUE(expected.size() == 3 && model.predict(array) == expected && model.predict(plain) == expected);
    TRUE(model.predict(pointer, 64) == expected && model.predict({pointer, 64}) == expected);
    TRUE(model.predict({image.begin(), image.end()}) == expected && model.predict({list.begin(), list.end()}) == expected);
    TRUE(model.predict({}).empty() && model.predict(nullptr, 0).empty());
    TRUE(status_of([&] { model.predict(pointer, 63); }, "expected a multiple of 64 floats, found 63") == MNIST_ERROR_SHAPE);
    TRUE(model.predict_layer("dense", pointer, 64) == expected && model.predict_layer("dense", array) == expected);
    TRUE(model.predict_layer("dense", {}).empty());
#if CPP20
    TRUE(model.predict(std::span(image)) == expected && model.predict(std::span<float, 64>(array)) == expected);
    TRUE(model.predict(std::span<const float>(pointer, 64)) == expected);
#endif
    mnist::graph graph;
    const std::size_t sizes[2] = {4, 2};
    TRUE((graph.input(sizes).shape() == std::vector<std::size_t>{4, 2} && graph.input({sizes, 1}).shape().size() == 1));
    const std::array<mnist::tensor, 2> two{graph.input({3}), graph.input({3})};
    TRUE(mnist::merge(two, "Add") && mnist::merge({two[0], two[1]}, "Average"));
}

/// Arrays that are written to.
static void write()
{
    mnist::model model = some_network();
    const std::vector<float> image = train.image(5).first, expected = model.predict(image), all = model.predict(train);
    std::array<float, 5> room{};
    room[3] = -1;
    model.predict(image, room);
    TRUE((std::vector<float>(room.begin(), room.begin() + 3) == expected && room[3] == -1));
    float plain[3];
    model.predict(image.data(), 64, plain, 3);
    TRUE(plain[2] == expected[2]);
    model.predict({image.data(), 64}, {room.data() + 2, 3});
    TRUE(room[4] == expected[2]);
    std::vector<float> into(180);
    model.predict(train, into);
    TRUE(into == all);
    model.predict_layer("dense", image, plain);
    TRUE(plain[1] == expected[1]);
    TRUE(status_of([&] { model.predict(image, {plain, 2}); }) == MNIST_ERROR_INVALID_ARGUMENT);
    TRUE(status_of([&] { model.predict(train, {into.data(), 179}); }) == MNIST_ERROR_INVALID_ARGUMENT);
    const std::vector<float> bias{1, 2, 3};
    model.set_weight("dense/bias", bias);
    model.get_weight("dense/bias", plain);
    TRUE(plain[0] == 1 && plain[2] == 3 && model.get_weight("dense/bias") == bias);
    model.set_weight("dense/bias", {4, 5, 6});
    model.get_weight("dense/bias", room.data(), 3);
    TRUE(room[0] == 4 && room[2] == 6);
    model.set_weight("dense/bias", bias.data(), 3);
    TRUE(model.get_weight("dense/bias") == bias);
    TRUE(status_of([&] { model.get_weight("dense/bias", plain, 2); }) == MNIST_ERROR_INVALID_ARGUMENT);
    TRUE(status_of([&] { model.set_weight("dense/bias", {0, 1}); }) == MNIST_ERROR_SHAPE);

    std::vector<std::uint32_t> labels(60);
    std::uint32_t label = 9;
    std::array<float, 64> pixels;
    train.labels(labels);
    train.image(4, pixels, &label);
    TRUE(labels == train.labels() && label == 1 && std::equal(pixels.begin(), pixels.end(), train.image(4).first.begin()));
    train.image(4, pixels);
    std::vector<float> weights(60);
    train.weights(weights);
    TRUE(weights == train.weights());
    TRUE(status_of([&] { train.labels({labels.data(), 59}); }) == MNIST_ERROR_INVALID_ARGUMENT);
#if CPP20
    model.predict(std::span(image), std::span(room));
    TRUE(room[0] == model.predict(image)[0]);
    model.predict(train, std::span<float>(into));
    model.get_weight("dense/bias", std::span(plain));
    TRUE(plain[0] == 1);
#endif
}

/// Data of any type, where they are.
static void data()
{
    const std::vector<double> x{0.5, -1, 2, 3, 4, 5};
    const std::int64_t y[] = {2, 0, 1};
    const long weight[3] = {1, 1, 2}; // as many bits as the system gives it
    const std::array<char, 3> signs{1, 2, 3};
    using mnist::array_of;
    const auto table = mnist::dataset::from_arrays(array_of(x, {3, 2}), array_of(y, {3}), array_of(weight, {3}));
    TRUE((table.shape() == std::vector<std::size_t>{3, 2} && table.labels() == std::vector<std::uint32_t>{2, 0, 1}));
    TRUE((table.weights() == std::vector<float>{1, 1, 2} && table.image(1).first == std::vector<float>{2, 3}));
    const auto targets = mnist::dataset::from_arrays(array_of(x, {3, 2}), array_of(mnist::array_view(x.data(), 3), {3}));
    std::vector<float> read(3);
    targets.targets(read);
    TRUE(read == targets.targets() && read[0] == 0.5f && (targets.target_shape() == std::vector<std::size_t>{1}));
    mnist::dataset::from_arrays(array_of(signs, {3, 1})).image(2, {read.data(), 1});
    TRUE(read[0] == 3);
    TRUE(status_of([&] { array_of(x, {4, 2}); }, "`dims`") == MNIST_ERROR_SHAPE);
    TRUE(status_of([&] { array_of(x, {}); }) == MNIST_ERROR_SHAPE);
    TRUE(status_of([&] { array_of(x, {0, 6}); }) == MNIST_ERROR_SHAPE);

    std::uint8_t pixels[2][2][2] = {{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}};
    const auto two = mnist::dataset::from_memory({&pixels[0][0][0], 8}, {2, 2, 2}, {0, 1});
    TRUE((two.image(1) == std::make_pair(std::vector<float>{5, 6, 7, 8}, 1u)));
    TRUE(status_of([&] { mnist::dataset::from_memory({&pixels[0][0][0], 7}, {2, 2, 2}, {0, 1}); }, "`dims`") == MNIST_ERROR_SHAPE);
    TRUE(status_of([&] { mnist::dataset::from_memory({&pixels[0][0][0], 8}, {2, 2, 2}, {0}); }, "expected 2") == MNIST_ERROR_SHAPE);
    auto scaled = two.slice(0, 2);
    scaled.standardize({4.5f}, {2});
    TRUE(scaled.image(0).first[0] == -1.75f);
    scaled = two.slice(0, 2);
    scaled.standardize(two.statistics());
    TRUE(status_of([&] { scaled.standardize({1, 2}, {1}); }, "`deviation`") == MNIST_ERROR_SHAPE);
    std::vector<std::uint8_t> grey(50 * 40, 230);
    for (std::size_t i = 10; i < 30; i++)
        grey[i * 40 + 7] = 20;
    TRUE(mnist::prepare_image(grey, 50, 40) == mnist::prepare_image({grey.data(), grey.size()}, 50, 40));
    TRUE(status_of([&] { mnist::prepare_image(grey, 40, 49); }, "`grey`") == MNIST_ERROR_SHAPE);
}

/// Files' bytes in any container of bytes.
static void bytes()
{
    mnist::model model = some_network();
    const std::vector<unsigned char> saved = model.save_memory();
    const std::string text(saved.begin(), saved.end());
    std::vector<std::byte> others(saved.size());
    for (std::size_t i = 0; i < saved.size(); i++)
        others[i] = static_cast<std::byte>(saved[i]);
    const auto expected = model.predict(train);
    TRUE(mnist::model::load_memory(saved).predict(train) == expected);
    TRUE(mnist::model::load_memory(text).predict(train) == expected);
    TRUE(mnist::model::load_memory(others).predict(train) == expected);
    TRUE(mnist::model::load_memory(saved.data(), saved.size()).predict(train) == expected);
    mnist::model other = some_network(8);
    TRUE(other.predict(train) != expected);
    other.load_weights_memory(text);
    TRUE(other.predict(train) == expected);
    TRUE(status_of([&] { other.load_weights_memory(std::string("no model")); }) == MNIST_ERROR_FORMAT);
}

/// A file by each form of its path. Its name has other letters than English, in UTF-8.
static void paths(const std::string &folder)
{
    const std::string name = "\xc3\xa4\xe6\x95\xb0.model", whole = folder + "/" + name; // ä数.model
    const std::filesystem::path native = std::filesystem::u8path(folder) / std::filesystem::u8path(name);
    const mnist::model model = some_network();
    const auto expected = model.predict(train);
    model.save(native);
    TRUE(std::filesystem::exists(native));
    const std::string_view longer = std::string_view(whole);
    TRUE(mnist::model::load(whole).predict(train) == expected && mnist::model::load(whole.c_str()).predict(train) == expected);
    TRUE(mnist::model::load(native).predict(train) == expected && mnist::model::load(longer).predict(train) == expected);
    const std::string more = whole + "and more";
    TRUE(mnist::model::load(std::string_view(more).substr(0, whole.size())).predict(train) == expected);
#ifdef __cpp_char8_t
    TRUE(mnist::model::load(native.u8string()).predict(train) == expected);
    TRUE(mnist::model::load(native.u8string().c_str()).predict(train) == expected);
    const std::filesystem::path by_literal = native.parent_path() / u8"ä数.model";
    TRUE(by_literal == native && mnist::model::load(by_literal).predict(train) == expected);
#endif
    mnist::fit_options options;
    options.verbose = 0;
    options.checkpoint_path = native;
    mnist::model trained = some_network();
    trained.compile();
    trained.fit(train, options);
    TRUE(mnist::model::load(native).predict(train) == trained.predict(train));
    options.checkpoint_path = longer;
    options.resume = true;
    options.epochs = 2;
    TRUE(trained.fit(train, options).history.epochs() == 2);
    std::filesystem::remove(native);

    // What C would cut, or not look at.
    const std::string cut = whole + std::string("\0.x", 3);
    const auto refused = [](auto &&call, const std::string &found) {
        return status_of(call, "argument `path`: expected text, found " + found) == MNIST_ERROR_INVALID_ARGUMENT;
    };
    const std::string nul = "a NUL byte in it, at byte " + std::to_string(whole.size());
    TRUE(refused([&] { model.save(cut); }, nul) && refused([&] { model.save(std::string_view(cut)); }, nul));
    TRUE(refused([&] { model.save(std::filesystem::u8path(cut)); }, nul));
    TRUE(refused([&] { model.save(static_cast<const char *>(nullptr)); }, "a null pointer"));
    TRUE(!std::filesystem::exists(native));
    TRUE(status_of([] { mnist::load_data(std::filesystem::path("nowhere.npz")); }) == MNIST_ERROR_NOT_FOUND);
    const std::optional<std::string> wanted = "nowhere.npz";
    TRUE(status_of([&] { mnist::load_data(wanted); }) == MNIST_ERROR_NOT_FOUND);
}

/// Names and configs that are pieces of a longer text.
static void texts()
{
    const std::string all = "Conv2D {filters: 4, kernel_size: 3, name: 'body'} body/kernel";
    const std::string_view pieces(all);
    mnist::graph graph;
    const auto input = graph.input({8, 8, 1});
    const auto x = input.layer(pieces.substr(0, 6), pieces.substr(7, 42));
    mnist::model model(input, x.flatten().dense(3, mnist::softmax), pieces.substr(50, 4));
    TRUE(model.summary().find("Model: \"body\"") == 0);
    TRUE((model.weight_shape(pieces.substr(50)) == std::vector<std::size_t>{3, 3, 1, 4}));
    model.set_trainable(false, pieces.substr(50, 4));
    mnist::compile_options options;
    options.optimizer_config = std::string_view("'SGD' and more").substr(0, 5);
    model.compile(options);
    TRUE(model.learning_rate() == 0.01);
}

#if CPP20

/// Options by their names.
static void designated()
{
    mnist::model model = some_network();
    model.compile({.learning_rate = 0.25});
    TRUE(model.learning_rate() == 0.25);
    model.compile({.optimizer_config = "{class_name: 'SGD', config: {learning_rate: 0.125}}", .metrics_config = "['accuracy']"});
    TRUE(model.learning_rate() == 0.125);
    int epochs = 0;
    const auto fitted = model.fit(train, {.batch_size = 16,
                                          .epochs = 2,
                                          .verbose = 0,
                                          .validation_data = &train,
                                          .on_epoch_end = [&](const mnist::progress &) { return ++epochs < 9; }});
    TRUE(epochs == 2 && fitted.history.epochs() == 2 && fitted.message.empty());
    std::optional<mnist::history> results;
    model.evaluate(train, {.batch_size = 7, .results = &results});
    TRUE(results && results->get("accuracy", 0) >= 0);
    const auto source = model.save_c_memory("net", {.weights = MNIST_WEIGHT_INT8, .caller_scratch = true});
    TRUE(std::string(source.begin(), source.end()).find("scratch") != std::string::npos);
    const auto asked = mnist::dataset::from_source(mnist::source{
        .len = 4, .dims = {2}, .fetch = [](const auto &indices, auto x, auto labels, auto) {
            for (std::size_t i = 0; i < indices.size(); i++)
                x[2 * i] = x[2 * i + 1] = static_cast<float>(labels[i] = static_cast<std::uint32_t>(indices[i]));
        }});
    TRUE((asked.image(3) == std::make_pair(std::vector<float>{3, 3}, 3u)));
}

#endif

int main(int, char **argv)
{
    read();
    write();
    data();
    bytes();
    paths(argv[1]);
    texts();
#if CPP20
    designated();
#endif
    return report();
}
