// The Keras MNIST tutorial in C++: load, look, normalize, build, fit, evaluate, save.
//
//     tutorial_cpp [DATA [IMAGES [EPOCHS]]]
//
// The arguments are those of the tutorial in C. Ctrl-C also does the same: during the fit it stops it after its step, the
// weights are saved, and the exit status is 130; a second Ctrl-C ends the program at once.

#include <mnist.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

/// Sizes as Python prints them: (60000, 28, 28), (60000,)
std::string shape_text(const std::vector<std::size_t> &dims)
{
    std::string text = "(";
    for (std::size_t i = 0; i < dims.size(); i++)
        text += (i ? ", " : "") + std::to_string(dims[i]);
    return text + (dims.size() == 1 ? ",)" : ")");
}

const char *dtype_name(mnist_dtype dtype) { return dtype == MNIST_DTYPE_U8 ? "uint8" : "float32"; }

void show_data(const mnist::dataset &train)
{
    std::cout << "train_x\n[ type  ] : mnist::dataset (images)\n"
              << "[ shape ] : " << shape_text(train.shape()) << "\n[ dtype ] : " << dtype_name(train.dtype()) << '\n'
              << "train_y\n[ type  ] : mnist::dataset (labels)\n"
              << "[ shape ] : " << shape_text({train.size()}) << "\n[ dtype ] : uint8\n";
}

std::size_t show_labels(const mnist::dataset &train)
{
    const auto labels = train.unique_labels();
    std::cout << "[Unique label] : [";
    for (std::size_t i = 0; i < labels.size(); i++)
        std::cout << (i ? " " : "") << labels[i];
    std::cout << "]\n[num class] : " << labels.size() << '\n';
    return labels.size();
}

void show_archive(const std::string &path)
{
    const mnist::npz archive(path);
    const auto files = archive.files();
    std::cout << path.substr(path.rfind('/') + 1) << "\n[";
    for (std::size_t i = 0; i < files.size(); i++)
        std::cout << (i ? ", '" : "'") << files[i] << '\'';
    std::cout << "]\n" << shape_text(archive.shape("x_train")) << '\n' << shape_text(archive.shape("y_train")) << '\n';
}

mnist::model build(const mnist::dataset &train, std::size_t classes)
{
    const auto dims = train.shape(); // images, height, width, channels
    mnist::graph graph;
    const auto input = graph.input(dims[1], dims[2], dims[3]);
    const auto output = input.conv2d(32, 3, mnist::relu)
                            .conv2d(64, 3, mnist::relu)
                            .flatten()
                            .dense(128, mnist::relu)
                            .dense(classes, mnist::softmax);
    return mnist::model(input, output, "model");
}

const int exit_interrupted = 128 + 2; // the shell's exit status for SIGINT

/// The model whose fit Ctrl-C stops.
const mnist::model *volatile in_training;

extern "C" void on_interrupt(int signal_number)
{
    in_training->cancel();               // the fit returns after its step
    std::signal(signal_number, SIG_DFL); // a second Ctrl-C ends the program at once
}

/// While an object of this class exists, Ctrl-C cancels the model's fit, unless the program was started with SIGINT ignored.
class cancel_on_interrupt {
public:
    explicit cancel_on_interrupt(const mnist::model &model)
    {
        in_training = &model;
        before_ = std::signal(SIGINT, on_interrupt);
        if (before_ == SIG_IGN)
            std::signal(SIGINT, SIG_IGN);
    }
    ~cancel_on_interrupt() { std::signal(SIGINT, before_); }
    cancel_on_interrupt(const cancel_on_interrupt &) = delete;
    cancel_on_interrupt &operator=(const cancel_on_interrupt &) = delete;

private:
    void (*before_)(int);
};

mnist::fitted fit_until_interrupt(mnist::model &model, const mnist::dataset &train, const mnist::fit_options &options)
{
    const cancel_on_interrupt watch(model);
    return model.fit(train, options);
}

void show_history(const mnist::history &history)
{
    for (std::size_t epoch = 0; epoch < history.epochs(); epoch++)
        std::printf("epoch %zu - loss: %.4f - accuracy: %.4f\n", epoch + 1, history.get("loss", epoch),
                    history.get("accuracy", epoch));
}

/// Returns the program's exit status.
int run(const std::string &path, std::size_t limit, std::size_t epochs)
{
    const bool from_cache = path == "keras";
    auto [train, test] = from_cache ? mnist::load_data() : mnist::load_data(path);
    show_data(train);

    train.normalize(255).expand_dims(); // 28x28 -> 28x28x1
    test.normalize(255).expand_dims();
    std::cout << "\n[shape] : " << shape_text(train.shape()) << "\n[dtype] : " << dtype_name(train.dtype()) << "\n\n";

    const std::size_t classes = show_labels(train);
    std::cout << '\n';
    if (!from_cache) {
        show_archive(path);
        std::cout << '\n';
    }

    mnist::model model = build(train, classes);
    std::cout << model.summary() << std::endl;

    mnist::compile_options compile;
    compile.optimizer = MNIST_OPTIMIZER_ADAM;
    compile.loss = MNIST_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY;
    compile.metrics = MNIST_METRIC_ACCURACY;
    model.compile(compile);

    mnist::fit_options fit;
    fit.batch_size = 32;
    fit.epochs = epochs;
    const auto some = train.slice(0, limit > 0 ? limit : train.size());
    const mnist::fitted fitted = fit_until_interrupt(model, some, fit);

    std::cout << std::endl;
    if (!fitted.message.empty()) { // it was stopped, or has diverged
        std::puts(fitted.message.c_str());
        show_history(fitted.history);
        std::puts("");
    }
    if (!fitted.cancelled) {
        mnist::evaluate_options evaluate;
        evaluate.verbose = 1;
        const mnist::metrics metrics = model.evaluate(test, evaluate);
        std::printf("test accuracy: %.4f\n", metrics.accuracy);
    }
    model.save_weights("mnist.safetensors");
    std::puts("weights saved to mnist.safetensors");
    return fitted.cancelled ? exit_interrupted : EXIT_SUCCESS;
}

} // namespace

int main(int argc, char **argv)
{
    const auto number = [&](int i, std::size_t otherwise) {
        return argc > i ? static_cast<std::size_t>(std::strtoul(argv[i], nullptr, 10)) : otherwise;
    };
    try {
        return run(argc > 1 ? argv[1] : "data/mnist.npz", number(2, 0), number(3, 3));
    } catch (const mnist::error &e) {
        std::cerr << "tutorial_cpp: " << mnist_status_name(e.status()) << ": " << e.what() << '\n';
    } catch (const std::exception &e) {
        std::cerr << "tutorial_cpp: " << e.what() << '\n';
    }
    return EXIT_FAILURE;
}
