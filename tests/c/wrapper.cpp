// The C++ layer: models, data, fits, files, and failures as exceptions.

#include "expect.hpp"

#include <cmath>

// All names of the C interface keep their meaning beside the layer's.
namespace everything {

using namespace mnist;
using namespace std;

static double both()
{
    mnist::graph graph;
    const auto input = graph.input(8, 8, 1);
    const auto output = input.flatten().dense(3, activations::tanh).dense(3, softmax);
    return tanh(0.5) - ::tanh(0.5) + static_cast<double>(mnist::model(input, output).count_params()) + relu;
}

} // namespace everything

// Layers by Keras's names; reading, freezing and copying a model's layers; its compile options.
static void layers(mnist::model &model, const mnist::dataset &train)
{
    mnist::graph graph;
    const auto input = graph.seed(7).input({8, 8, 1});
    const auto x = input.layer("Conv2D", "{filters: 4, kernel_size: 3, name: 'body'}").layer("ReLU");
    TRUE((x.shape() == std::vector<std::size_t>{6, 6, 4}) && mnist::tensor().shape().empty());
    mnist::model body(input, x.flatten().dense(3).layer("Softmax"), "with a body");
    graph.check();
    TRUE((body.layer_names() == std::vector<std::string>{"input_1", "body", "re_lu", "flatten", "dense", "softmax"}));
    TRUE(body.layer_class(1) == "Conv2D" && body.layer_class(6).empty());
    TRUE((body.layer_shape("body") == std::vector<std::size_t>{6, 6, 4}));
    const std::vector<float> one = train.image(0).first, last = body.predict_layer("softmax", one);
    TRUE(body.predict_layer("body", one).size() == 6 * 6 * 4 && last == body.predict(one));
    TRUE(body.predict_layer("body", {}).empty());

    mnist::tensor from, to;
    mnist::graph read = mnist::graph::from_json(body.config(), from, to);
    mnist::model again(from, to);
    TRUE(again.config().find("\"body\"") != std::string::npos && again.layer_names() == body.layer_names());
    TRUE(again.copy_weights(body) == 4 && again.predict(one) == body.predict(one));
    TRUE(body.copy_weights(model) == 2); // only those of the dense layer

    auto options = mnist::default_compile_options();
    options.optimizer_config = "{class_name: 'SGD', config: {learning_rate: 0.25, momentum: 0.5}}";
    body.compile(options);
    TRUE(body.learning_rate() == 0.25);
    body.set_learning_rate(0.125);
    TRUE(body.learning_rate() == 0.125);
    body.set_trainable(false, "body");
    const auto kernel = body.get_weight("body/kernel"), dense = body.get_weight("dense/kernel");
    mnist::fit_options fit;
    fit.verbose = 0;
    body.fit(train, fit);
    TRUE(body.get_weight("body/kernel") == kernel && body.get_weight("dense/kernel") != dense);
    body.set_trainable(true);
    body.fit(train, fit);
    TRUE(body.get_weight("body/kernel") != kernel);

    TRUE(status_of([&] { body.set_trainable(true, "no such layer"); }) == MNIST_ERROR_NOT_FOUND);
    TRUE(status_of([&] { body.set_learning_rate(-1); }) == MNIST_ERROR_INVALID_ARGUMENT);
    TRUE(status_of([&] { graph.check(); mnist::tensor bad = input.layer("Conv2d"); (void)bad; graph.check(); })
         == MNIST_ERROR_UNSUPPORTED);
    TRUE(status_of([&] { mnist::graph::from_json("{", from, to); }) == MNIST_ERROR_FORMAT);

    // Short calls, and layers of several tensors.
    mnist::graph wide;
    const auto a = wide.input(8, 8, 2);
    const auto pooled = a.max_pooling2d(2).batch_normalization().activate(mnist::relu).dropout(0.5);
    const auto both = pooled.add(a.average_pooling2d(2)).concatenate(pooled);
    TRUE((both.shape() == std::vector<std::size_t>{4, 4, 4}));
    TRUE((mnist::merge({pooled, pooled, pooled}, "Average").global_average_pooling2d().shape() == std::vector<std::size_t>{2}));
    wide.check();
}

// Text that contains a NUL is refused everywhere, because C would truncate it.
static void texts(mnist::model &model, const mnist::dataset &train, const std::string &folder)
{
    const std::string whole = folder + "/cut", cut = whole + std::string("\0.model", 7);
    mnist::fit_options options;
    options.verbose = 0;
    options.checkpoint_path = cut;
    const auto refused = [](auto &&call) { return status_of(call) == MNIST_ERROR_INVALID_ARGUMENT; };
    TRUE(refused([&] { model.save(cut); }) && refused([&] { model.save_weights(cut); }));
    TRUE(refused([&] { model.fit(train, options); }));
    std::FILE *file = std::fopen(whole.c_str(), "rb");
    TRUE(file == nullptr);
    model.save(whole);
    TRUE(refused([&] { mnist::model::load(cut); }) && refused([&] { model.load_weights(cut); }));
    TRUE(refused([&] { mnist::npz archive(cut); }) && refused([&] { mnist::load_data(cut); }));
    TRUE(refused([&] { mnist::dataset::from_npz(cut, "a", "b"); }) && refused([&] { mnist::dataset::from_npz("a", cut, "b"); }));
    TRUE(refused([&] { mnist::dataset::from_npz("a", "b", cut); }) && refused([&] { mnist::dataset::from_idx(cut, "b"); }));
    TRUE(refused([&] { mnist::dataset::from_idx("a", cut); }));
    TRUE(refused([&] { mnist::dataset::from_npz(cut, "a", "b", "c"); }) && refused([&] { mnist::dataset::from_npz("a", cut, "b", "c"); }));
    TRUE(refused([&] { mnist::dataset::from_npz("a", "b", cut, "c"); }) && refused([&] { mnist::dataset::from_npz("a", "b", "c", cut); }));
    const std::string name("conv2d/kernel\0x", 15);
    TRUE(refused([&] { model.get_weight(name); }) && refused([&] { model.weight_shape(name); }));
    TRUE(refused([&] { model.set_weight(name, model.get_weight("conv2d/kernel")); }));
    TRUE(refused([&] { mnist::graph g; auto x = g.input(2, 2, 1); mnist::model(x, x.flatten(), name); }));
    const std::string layer("conv2d\0x", 8), config("{}\0", 3);
    mnist::tensor x, y;
    TRUE(refused([&] { model.layer_shape(layer); }) && refused([&] { model.set_trainable(true, layer); }));
    TRUE(refused([&] { model.predict_layer(layer, train.image(0).first); }));
    TRUE(refused([&] { mnist::graph::from_json(config, x, y); }));
    TRUE(refused([&] { mnist::graph g; g.input(2, 2, 1).layer("ReLU", config); }));
    TRUE(refused([&] { mnist::graph g; g.input(2, 2, 1).layer(std::string("ReLU\0", 5)); }));
    TRUE(refused([&] { mnist::graph g; mnist::merge({g.input(2, 2, 1)}, "Add", config); }));
    options.checkpoint_path.reset();
    const auto history = model.fit(train, options).history;
    TRUE(refused([&] { history.get(std::string("loss\0", 5), 0); }) && history.get("loss", 0) > 0);
    try {
        model.save(cut);
    } catch (const mnist::error &e) {
        TRUE(std::string(e.what()).find("argument `path`: expected text, found a NUL byte in it, at byte ") == 0);
    }
}

int main(int argc, char **argv)
{
    mnist::dataset train = some_data();
    TRUE((train.shape() == std::vector<std::size_t>{60, 8, 8, 1}) && train.dtype() == MNIST_DTYPE_F32);
    TRUE((train.unique_labels() == std::vector<std::uint32_t>{0, 1, 2}));
    TRUE(train.slice(1, 5).size() == 5 && train.image(3).second == 0 && train.image(3).first.size() == 64);

    mnist::model model = some_network();
    TRUE(model.summary().find("Model: \"small\"") == 0 && model.count_params() == 4 * 10 + 144 * 3 + 3);
    TRUE((model.input_shape() == std::vector<std::size_t>{8, 8, 1}) && model.output_len() == 3);

    // Failures are exceptions with a status.
    mnist::fit_options options;
    options.verbose = 0;
    TRUE(status_of([&] { model.fit(train, options); }) == MNIST_ERROR_STATE);
    TRUE(status_of([] { mnist::load_data("nowhere.npz"); }) == MNIST_ERROR_NOT_FOUND);
    TRUE(status_of([] { mnist::graph g; auto x = g.input(2, 2, 1); mnist::model(x, x.conv2d(1, 3)); }) == MNIST_ERROR_SHAPE);
    TRUE(status_of([] { mnist::dataset::from_memory(std::vector<float>(5), {1, 2, 2}, {0}); }) == MNIST_ERROR_SHAPE);
    TRUE(status_of([&] { model.predict(std::vector<float>(65)); }) == MNIST_ERROR_SHAPE);

    // A fit with all options.
    model.compile();
    std::string text;
    int epochs = 0;
    options.epochs = 3;
    options.verbose = 1;
    options.validation_data = &train;
    options.write = [&](const std::string &piece) { text += piece; };
    options.on_epoch_end = [&](const mnist::progress &p) { epochs++; return p.val_loss > 0; };
    auto fitted = model.fit(train, options);
    TRUE(!fitted.cancelled && fitted.history.epochs() == 3 && epochs == 3);
    TRUE(fitted.history.get("loss", 2) < fitted.history.get("loss", 0));
    TRUE(text.find("Epoch 1/3\n") == 0 && text.find("2/2 [==============================] - ") != std::string::npos);
    TRUE(text.find('\r') != std::string::npos && text.find(" - val_accuracy: ") != std::string::npos);

    options.on_batch_end = [](const mnist::progress &) { return false; };
    TRUE(model.fit(train, options).cancelled);

    // A whole model in a file, and a fit that resumes from one.
    const std::string path = std::string(argc > 1 ? argv[1] : ".") + "/model";
    mnist::fit_options resumed;
    resumed.verbose = 0;
    resumed.epochs = 2;
    resumed.checkpoint_path = path;
    resumed.checkpoint_batches = 1;
    resumed.checkpoint_epochs = 1;
    resumed.checkpoint_seconds = 1;
    TRUE(model.fit(train, resumed).history.epochs() == 2);
    const mnist::model loaded = mnist::model::load(path);
    TRUE(loaded.summary() == model.summary() && loaded.predict(train) == model.predict(train));
    resumed.resume = true;
    resumed.epochs = 3;
    const auto three = model.fit(train, resumed).history;
    TRUE(three.epochs() == 3);
    model.save(path);
    TRUE(mnist::model::load(path).predict(train) == model.predict(train) && loaded.predict(train) != model.predict(train));
    TRUE(status_of([&] { mnist::model::load(path + "/none"); }) < 0 && status_of([&] { model.save(path + "/x"); }) < 0);
    for (const auto &bytes : {model.save_memory(), model.save_keras_memory()})
        TRUE(mnist::model::load_memory(bytes.data(), bytes.size()).predict(train) == model.predict(train));
    const auto source = model.save_c_memory("digits");
    TRUE(std::string(source.begin(), source.end()).find("void digits_predict(") != std::string::npos);

    const auto one = model.predict(train.image(0).first);
    const auto all = model.predict(train);
    TRUE(one.size() == 3 && std::fabs(one[0] + one[1] + one[2] - 1) < 1e-6f && one[1] == all[1]);
    TRUE(model.evaluate(train).accuracy >= 0);
    layers(model, train);
    texts(model, train, argc > 1 ? argv[1] : ".");
    TRUE(everything::both() == 64 * 3 + 3 + 3 * 3 + 3 + 1);
    return report();
}
